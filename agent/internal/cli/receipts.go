package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"buzon/agent/internal/client"
	"buzon/agent/internal/config"
	"buzon/agent/internal/locale"
	"buzon/agent/internal/report"
	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/receipt"
	"buzon/agent/internal/send/verify"
	"buzon/agent/internal/serve"
)

func newReceipts(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "receipts",
		Short: a.words.Text("cli.receipts-short"),
		Long:  a.words.Text("cli.receipts-long"),
		Args:  subcommandOnly,
		RunE:  showHelp,
	}
	cmd.AddCommand(newReceiptsExport(a), newReceiptsImport(a), newReceiptsVerify(a))
	return cmd
}

// exportOptions are the flags of receipts export.
type exportOptions struct {
	config *configFlags
	since  string
}

func newReceiptsExport(a *app) *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export",
		Short: a.words.Text("cli.receipts-export-short"),
		Long:  a.words.Text("cli.receipts-export-long"),
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runReceiptsExport(cmd.Context(), a, o) },
	}
	o.config = a.addConfigFlags(cmd, false)
	o.config.addState(a)
	cmd.Flags().StringVar(&o.since, "since", "", a.words.Text("cli.receipts-since"))
	return cmd
}

// runReceiptsExport writes the receipts as lines of JSON.
func runReceiptsExport(ctx context.Context, a *app, o exportOptions) error {
	since, err := moment(o.since, time.Now())
	if err != nil {
		return err
	}
	c, fault, err := o.config.loadForAgent(ctx, a)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(a.stdout)
	if err := a.exportReceipts(ctx, c, since, out); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return fault
}

// exportReceipts writes the receipts of whoever runs, or out of the journal itself where nobody does.
func (a *app) exportReceipts(ctx context.Context, c *config.Config, since time.Time, out io.Writer) error {
	query := url.Values{"since": {since.UTC().Format(time.RFC3339Nano)}}
	lines, err := serve.Ask(ctx, c.State, "GET", "/receipts?"+query.Encode(), nil)
	if err == nil {
		_, err = io.Copy(out, lines)
		return errors.Join(err, lines.Close())
	}
	if !errors.Is(err, serve.ErrNobody) {
		return a.stateError(c, err)
	}
	j, err := a.openJournal(c, true)
	if errors.Is(err, journal.ErrNone) {
		return a.noJournal(c)
	}
	if err != nil {
		return a.stateError(c, err)
	}
	return errors.Join(writeReceipts(ctx, j, since, out), j.Close())
}

// moment reads a time: RFC 3339, a date (local midnight), or how long ago; "" is the beginning of time.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, now.Location()); err == nil {
		return t, nil
	}
	if d, ok := config.ParseDuration(text); ok {
		return now.Add(-d), nil
	}
	return time.Time{}, usage("cli.receipts-bad-since", "got", text)
}

func newReceiptsImport(a *app) *cobra.Command {
	var flags *configFlags
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: a.words.Text("cli.receipts-import-short"),
		Long:  a.words.Text("cli.receipts-import-long"),
		Args:  oneFile("cli.receipts-import-which"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runReceiptsImport(cmd.Context(), a, flags, args[0])
		},
	}
	flags = a.addConfigFlags(cmd, false)
	flags.addState(a)
	return cmd
}

// oneFile refuses anything but one argument, with the sentence of that id.
func oneFile(id string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage(id, "command", commandOf(cmd))
		}
		return nil
	}
}

// runReceiptsImport refills a journal. The receipts are read twice: to their end before anything is changed, so that a
// damaged file is never half imported, and then a batch at a time. A damaged journal is kept aside, which is what its
// refusal told the operator to ask for.
func runReceiptsImport(ctx context.Context, a *app, flags *configFlags, file string) (err error) {
	c, err := flags.load(a, "state")
	if err != nil {
		return err
	}
	in, again, done, err := a.openTwice(ctx, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	found, err := survey(in, c.Bucket)
	if err != nil {
		return err
	}
	if c.Bucket != "" && found.other != "" {
		return usage("cli.receipts-other-bucket", "file", file, "bucket", c.Bucket, "other", found.other)
	}
	if in, err = again(); err != nil {
		return err
	}
	j, err := a.openJournal(c, false)
	var damaged *journal.DamagedError
	if errors.As(err, &damaged) {
		aside, err := journal.SetAside(c.State, time.Now())
		if err != nil {
			return err
		}
		a.note("cli.receipts-aside", "path", aside)
		j, err = a.openJournal(c, false)
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	j.Patient(false)
	added, err := importAll(j, in)
	if err != nil {
		return err
	}
	if err := j.ResetConflictGuard(); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, a.words.Text("cli.receipts-imported", "n", added))
	if known := found.n - added; known > 0 {
		fmt.Fprintln(a.stdout, a.words.Text("cli.receipts-known", "n", known))
	}
	return nil
}

// surveyed is what receipts hold.
type surveyed struct {
	n     int
	other string // the bucket of the first, where none is of the one that was asked for
}

// survey reads receipts to their end.
func survey(in *namedReceipts, bucket string) (s surveyed, err error) {
	mine := false
	for {
		r, err := in.Read()
		switch {
		case errors.Is(err, io.EOF) && mine:
			s.other = ""
			return s, nil
		case errors.Is(err, io.EOF):
			return s, nil
		case err != nil:
			return s, err
		}
		if s.n++; s.other == "" {
			s.other = r.Bucket
		}
		mine = mine || r.Bucket == bucket
	}
}

// importAll takes receipts into a journal, and returns how many were new.
func importAll(j *journal.Journal, in *namedReceipts) (added int, err error) {
	const most = 4000
	batch := make([]*receipt.Receipt, 0, most)
	flush := func() error {
		n, err := j.Import(batch)
		added += n
		batch = batch[:0]
		return err
	}
	for {
		r, err := in.Read()
		switch {
		case errors.Is(err, io.EOF):
			return added, flush()
		case err != nil:
			return added, err
		}
		if batch = append(batch, r); len(batch) == most {
			if err := flush(); err != nil {
				return added, err
			}
		}
	}
}

// openTwice opens receipts that are read twice; again begins anew. What can't be read twice is kept in a file meanwhile.
func (a *app) openTwice(ctx context.Context, file string) (in *namedReceipts, again func() (*namedReceipts, error), done func() error, err error) {
	from, done, err := a.openFile(ctx, file)
	if err != nil {
		return nil, nil, nil, err
	}
	kept, regular := from.(*os.File)
	if regular {
		info, err := kept.Stat()
		regular = err == nil && info.Mode().IsRegular()
	}
	once := io.Reader(&until{ctx: ctx, r: from})
	if !regular {
		kept, err = os.CreateTemp("", "buzon-receipts-*")
		if err != nil {
			return nil, nil, nil, errors.Join(err, done())
		}
		closes := done
		done = func() error { return errors.Join(closes(), kept.Close(), os.Remove(kept.Name())) }
		once = io.TeeReader(once, kept)
	}
	again = func() (*namedReceipts, error) {
		_, err := kept.Seek(0, io.SeekStart)
		return &namedReceipts{receipt.NewReader(kept), file}, err
	}
	return &namedReceipts{receipt.NewReader(once), file}, again, done, nil
}

// openReceipts opens a file of receipts; "-" is standard input. It may be a pipe: the end of the context ends
// waiting for it.
func (a *app) openReceipts(ctx context.Context, file string) (*namedReceipts, func() error, error) {
	from, done, err := a.openFile(ctx, file)
	if err != nil {
		return nil, nil, err
	}
	return &namedReceipts{receipt.NewReader(&until{ctx: ctx, r: from}), file}, done, nil
}

// openFile opens a file that is read once, or standard input for "-".
func (a *app) openFile(ctx context.Context, file string) (io.Reader, func() error, error) {
	if file == "-" {
		return a.stdin, func() error { return nil }, nil
	}
	f, err := openOnce(ctx, file)
	if err != nil {
		return nil, nil, fail(badInput, err)
	}
	return f, f.Close, nil
}

// writerLimit is how long somebody may take to begin to write into a fifo that is to be read.
const writerLimit = 10 * time.Second

// openOnce opens what is read once. A fifo without a writer is waited for, but not for ever.
func openOnce(ctx context.Context, path string) (*os.File, error) {
	type opened struct {
		file *os.File
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		f, err := os.Open(path)
		done <- opened{f, err}
	}()
	select {
	case o := <-done:
		return o.file, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(writerLimit):
		return nil, sentence("cli.no-writer", "path", path)
	}
}

// until reads until the context ends, whatever the reader does.
type until struct {
	ctx  context.Context
	r    io.Reader
	done chan result
	data []byte // of the read that is under way
}

type result struct {
	n   int
	err error
}

func (u *until) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if u.done == nil {
		u.done, u.data = make(chan result, 1), make([]byte, len(p))
		go func(done chan<- result, data []byte) {
			n, err := u.r.Read(data)
			done <- result{n, err}
		}(u.done, u.data)
	}
	select {
	case got := <-u.done:
		u.done = nil
		return copy(p, u.data[:got.n]), got.err
	case <-u.ctx.Done():
		return 0, u.ctx.Err()
	}
}

// namedReceipts tells the file with each fault.
type namedReceipts struct {
	*receipt.Reader
	file string
}

func (n *namedReceipts) Read() (*receipt.Receipt, error) {
	r, err := n.Reader.Read()
	var fault *receipt.Error
	if errors.As(err, &fault) {
		reason := error(fault.Err)
		if reason == nil {
			reason = errors.New(fault.Field)
		}
		return nil, usage("cli.receipts-"+string(fault.Fault), "file", n.file, "line", locale.Raw(strconv.Itoa(fault.Line)), "field", fault.Field, "reason", reason)
	}
	return r, err
}

// verifyOptions are the flags of receipts verify.
type verifyOptions struct {
	config   *configFlags
	receipts string
	format   string
}

func newReceiptsVerify(a *app) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: a.words.Text("cli.receipts-verify-short"),
		Long:  a.words.Text("cli.receipts-verify-long"),
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runReceiptsVerify(cmd.Context(), a, o) },
	}
	o.config = a.addConfigFlags(cmd, false)
	for _, m := range flagMeanings {
		if m.flag != "bucket" { // each receipt names its own
			cmd.Flags().String(m.flag, "", a.words.Text(m.meaning))
		}
	}
	cmd.Flags().StringVar(&o.receipts, "receipts", "", a.words.Text("cli.receipts-file"))
	cmd.Flags().StringVar(&o.format, "format", "text", a.words.Text("cli.check-format"))
	return cmd
}

// runReceiptsVerify compares receipts with the bucket. It needs neither journal nor gate; what of the configuration
// names an uploader (its profile) is not taken.
func runReceiptsVerify(ctx context.Context, a *app, o verifyOptions) (err error) {
	if err := choice("--format", o.format, "text", "json"); err != nil {
		return err
	}
	if o.receipts == "" {
		return usage("cli.receipts-verify-which")
	}
	c, err := o.config.load(a)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(c.State, journal.File)); c.State != "" && err == nil {
		a.note("cli.receipts-host", "state", c.State)
	}
	in, done, err := a.openReceipts(ctx, o.receipts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	settings := a.clientSettings(c)
	if !o.config.given("profile") {
		settings.Profile = ""
	}
	aws, err := client.Load(ctx, settings)
	if err != nil {
		return fail(notPassed, err)
	}
	prefix := ""
	if o.config.given("prefix") {
		prefix = c.Prefix
	}
	r, err := verify.Run(ctx, in, verify.Options{S3: aws.S3, Prefix: prefix})
	var fault *verify.FaultError
	if errors.As(err, &fault) {
		return fail(notPassed, err)
	}
	if err != nil {
		return err
	}
	if o.format == "json" {
		err = report.ReceiptsJSON(a.stdout, r, time.Now(), Version())
	} else {
		err = report.Receipts(a.stdout, a.words, r, a.screen(a.stdout))
	}
	if err != nil {
		return err
	}
	return exit(verifyCode(r))
}

// verifyCode is the exit code of a comparison.
func verifyCode(r *verify.Result) code {
	codes := []code{done}
	for _, f := range r.Findings {
		switch f.Outcome {
		case verify.Unread:
			codes = append(codes, undecided)
		case verify.Missing, verify.Differs, verify.Hidden, verify.Unexpected:
			codes = append(codes, answerNo)
		}
	}
	return worst(codes...)
}
