package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"buzon/agent/internal/client"
	"buzon/agent/internal/config"
	"buzon/agent/internal/locale"
	"buzon/agent/internal/report"
	"buzon/agent/internal/send/courier"
	"buzon/agent/internal/send/gate"
	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/outbox"
	"buzon/agent/internal/serve"
)

// uploadOptions are the flags of upload.
type uploadOptions struct {
	config    *configFlags
	dryRun    bool
	transfers int
	limit     string
	format    string
}

func newUpload(a *app) *cobra.Command {
	var o uploadOptions
	cmd := &cobra.Command{
		Use:         "upload PATH…",
		Short:       a.words.Text("cli.upload-short"),
		Long:        a.words.Text("cli.upload-long"),
		Args:        somePaths,
		Annotations: map[string]string{logLevel: "error"}, // what it has to say is in its summary
		RunE: func(cmd *cobra.Command, paths []string) error {
			answered, err := runUpload(cmd.Context(), a, o, paths)
			if err != nil && !answered && o.format == "json" {
				return a.neverBegan(err)
			}
			return err
		},
	}
	o.config = a.addConfigFlags(cmd, true)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, a.words.Text("cli.upload-dry-run"))
	cmd.Flags().IntVar(&o.transfers, "transfers", 0, a.words.Text("cli.upload-transfers"))
	cmd.Flags().StringVar(&o.limit, "limit", "", a.words.Text("cli.upload-limit"))
	cmd.Flags().StringVar(&o.format, "format", "text", a.words.Text("cli.upload-format"))
	a.addLogFiles(cmd)
	return cmd
}

// somePaths refuses a command without a path.
func somePaths(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage("cli.path-needed", "command", commandOf(cmd))
	}
	return nil
}

// settings are the configuration with the flags of upload laid over it.
func (o uploadOptions) settings(a *app) (*config.Config, error) {
	if err := choice("--format", o.format, "text", "json"); err != nil {
		return nil, err
	}
	c, err := o.config.load(a, "bucket", "prefix", "state")
	if err != nil {
		return nil, err
	}
	if o.limit != "" {
		rate, ok := config.ParseRate(o.limit)
		if !ok {
			return nil, usage("cli.bad-rate", "flag", "--limit", "got", o.limit)
		}
		c.Limits.Bandwidth = rate
	}
	if o.transfers < 0 || o.transfers > config.MostTransfers {
		return nil, usage("cli.bad-transfers", "flag", "--transfers", "got", o.transfers, "most", config.MostTransfers)
	}
	if o.transfers > 0 {
		c.Limits.Transfers = o.transfers
	}
	return c, nil
}

// runUpload sends what is at the paths, once. answered says that the result was written.
func runUpload(ctx context.Context, a *app, o uploadOptions, paths []string) (answered bool, err error) {
	c, err := o.settings(a)
	if err != nil {
		return false, err
	}
	folders, err := uploadFolders(c, paths)
	if err != nil {
		return false, err
	}
	if err := a.apartByName(ctx, c, folders); err != nil {
		return false, err
	}
	if o.dryRun {
		return true, a.dryRun(ctx, c, o, folders)
	}
	if !client.HasRegion(ctx, a.clientSettings(c)) { // the gate says so in full; without files it would not be asked
		return false, a.sendError(c, &courier.GateError{Report: a.newGate(c).Pass(ctx, gate.Full)})
	}
	began := time.Now()
	summary, err := a.send(ctx, c, folders)
	ended, messages := "", []string(nil)
	if err != nil {
		err = a.sendError(c, err)
		ended, messages = endedBy(err), a.sentences(err)
		var e *exitError
		if summary == nil || errors.As(err, &e) && e.code != answerNo && summary.Sent == 0 {
			return false, err // it never began: its sentence says all
		}
	}
	r := report.Sent{Summary: *summary, Bucket: c.Bucket, Prefix: c.Prefix, Took: time.Since(began), Interrupted: ctx.Err() != nil, Ended: ended, Messages: messages}
	if o.format == "json" {
		err = errors.Join(report.SentJSON(a.stdout, r), err)
	} else {
		err = errors.Join(report.SentText(a.stdout, a.words, r, a.screen(a.stdout)), err)
	}
	if err == nil && !r.Complete() {
		return true, exit(answerNo)
	}
	return true, err
}

// neverBegan writes the JSON of an upload that could not begin, and gives its error back.
func (a *app) neverBegan(err error) error {
	return errors.Join(report.SentJSON(a.stdout, report.Sent{Ended: endedBy(err), Messages: a.sentences(err)}), err)
}

// endedBy is a word for what ended an upload before everything was tried.
func endedBy(err error) string {
	var e *exitError
	if errors.As(err, &e) {
		switch e.code {
		case notPassed:
			return "gate"
		case badInput:
			return "input"
		case done, answerNo, undecided:
		}
	}
	return "stopped"
}

// apartByName refuses folders that hold a file of the same name, where both would get the same key.
func (a *app) apartByName(ctx context.Context, c *config.Config, folders []folder) (err error) {
	byKey := map[string][]*outbox.Outbox{}
	for _, f := range folders {
		if strings.Contains(f.Key, "{outbox}") || strings.Contains(f.Key, "{sha256") {
			continue // the key holds what tells them apart
		}
		box, err := outbox.Open(outbox.Options{Path: f.Path, Include: f.Include, Exclude: f.Exclude, Names: f.names, Once: true, Log: a.log})
		if err != nil {
			return a.sendError(c, &folderError{f.Path, err})
		}
		defer func() { err = errors.Join(err, box.Close()) }()
		byKey[f.Key] = append(byKey[f.Key], box)
	}
	for key, boxes := range byKey {
		if len(boxes) < 2 {
			continue
		}
		first, second, err := outbox.SameName(ctx, boxes)
		if err != nil {
			return a.sendError(c, err)
		}
		if first != "" {
			return usage("cli.same-name", "a", first, "b", second, "key", c.Prefix+key)
		}
	}
	return nil
}

// send sends what is in the folders. The summary is nil if it did not begin.
func (a *app) send(ctx context.Context, c *config.Config, folders []folder) (_ *courier.Summary, err error) {
	s, err := a.openFolders(folders)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	j, err := a.openJournal(c, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	var p progress
	if err := s.join(a, c, j, func(r gate.Report, final bool) {
		if !r.Passed && !final {
			p.say(report.Waiting(a.words, r))
		}
	}); err != nil {
		return nil, err
	}
	control, err := serve.Listen(c.State, a.handlers(c, j, func() *courier.Courier { return s.courier }))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, control.Close()) }()
	p.start(a, s.courier)
	defer p.stop()
	summary, err := s.courier.Send(ctx)
	return &summary, err
}

// dryRun shows what would be sent. Nothing is asked of S3 and no byte changes.
func (a *app) dryRun(ctx context.Context, c *config.Config, o uploadOptions, folders []folder) error {
	plan, err := a.foresee(ctx, c, folders)
	if err != nil {
		return a.sendError(c, err)
	}
	if o.format == "json" {
		err = report.PlanJSON(a.stdout, c.Bucket, plan)
	} else {
		err = report.PlanText(a.stdout, a.words, c.Bucket, plan, a.screen(a.stdout))
	}
	if err == nil && slices.ContainsFunc(plan.Skips, func(s courier.Skipped) bool { return s.Why == string(outbox.Unreadable) }) {
		return exit(answerNo) // of what is in it nobody knows
	}
	return err
}

func (a *app) foresee(ctx context.Context, c *config.Config, folders []folder) (_ courier.Plan, err error) {
	s, err := a.openFolders(folders)
	if err != nil {
		return courier.Plan{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	j, err := a.openJournal(c, true)
	var locked *journal.LockedError
	switch {
	case errors.Is(err, journal.ErrNone):
		j = nil
	case errors.As(err, &locked): // a plan needs no lock, but what was sent it can't know then
		a.note("cli.plan-locked", "state", c.State, "pid", locale.Raw(fmt.Sprint(locked.PID)))
		j = nil
	case err != nil:
		return courier.Plan{}, err
	default:
		defer func() { err = errors.Join(err, j.Close()) }()
	}
	return courier.MakePlan(ctx, j, a.courierSettings(c), s.outboxes)
}

// uploadFolders are the outboxes that the paths stand for: each folder is one, and so are the files of one folder
// together. A folder that the configuration names keeps what it says there.
func uploadFolders(c *config.Config, paths []string) ([]folder, error) {
	n := named{config: c, files: map[string]int{}, keys: map[string]string{}}
	for _, path := range paths {
		if err := n.add(path); err != nil {
			return nil, err
		}
	}
	return n.folders, apart(c, n.folders)
}

// named collects the paths of a command line.
type named struct {
	config  *config.Config
	folders []folder
	files   map[string]int    // parent → its place among folders
	keys    map[string]string // key → file
}

func (n *named) add(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return fail(badInput, err)
	}
	info, err := os.Lstat(abs)
	if err != nil {
		return fail(badInput, err)
	}
	if info.Mode()&os.ModeSymlink != 0 && !strings.HasSuffix(path, "/") {
		if to, err := os.Stat(abs); err != nil || !to.IsDir() {
			return usage("cli.path-link", "path", abs)
		}
	}
	if info, err = os.Stat(abs); err != nil {
		return fail(badInput, err)
	}
	switch {
	case info.IsDir():
		return n.addFolder(abs)
	case info.Mode().IsRegular():
		return n.addFile(abs)
	}
	return usage("cli.path-special", "path", abs)
}

func (n *named) addFolder(abs string) error {
	abs, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return fail(badInput, err)
	}
	if !slices.ContainsFunc(n.folders, func(f folder) bool { return f.names == nil && f.Path == abs }) {
		n.folders = append(n.folders, configured(n.config, abs))
	}
	return nil
}

func (n *named) addFile(abs string) error {
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return fail(badInput, err)
	}
	if outbox.IsSystem(parent) {
		return usage("cli.path-system", "path", abs)
	}
	i, known := n.files[parent]
	if !known {
		i = len(n.folders)
		n.files[parent] = i
		n.folders = append(n.folders, folder{Outbox: config.Outbox{Path: parent, Settle: config.SettleKeep, Key: n.config.Key}, once: true})
	}
	name := filepath.Base(abs)
	whole := filepath.Join(parent, name)
	switch other, taken := n.keys[name]; {
	case !taken:
		n.keys[name] = whole
		n.folders[i].names = append(n.folders[i].names, name)
	case other != whole && n.config.Key == "{path}":
		return usage("cli.same-key", "a", other, "b", whole, "key", n.config.Prefix+name)
	}
	return nil
}

// configured is a folder as the configuration names it, or with the defaults.
func configured(c *config.Config, path string) folder {
	for _, o := range c.Outboxes {
		if real, err := filepath.EvalSymlinks(o.Path); o.Path == path || err == nil && real == path {
			o.Path = path
			return folder{Outbox: o, once: true}
		}
	}
	return folder{Outbox: config.Outbox{Path: path, Settle: config.SettleKeep, Key: c.Key}, once: true}
}

// apart refuses folders of which one lies in another, and those that hold the state.
func apart(c *config.Config, folders []folder) error {
	for _, a := range folders {
		if a.names != nil {
			continue
		}
		for _, b := range folders {
			if b.Path != a.Path && below(b.Path, a.Path) || b.Path == a.Path && b.names != nil {
				inner := b.Path
				if b.names != nil {
					inner = filepath.Join(b.Path, b.names[0])
				}
				return usage("cli.paths-nested", "inner", inner, "outer", a.Path)
			}
		}
		state := c.State
		if real, err := filepath.EvalSymlinks(state); err == nil {
			state = real
		}
		if below(state, a.Path) {
			return usage("cli.state-inside", "state", c.State, "path", a.Path)
		}
	}
	return nil
}

func below(path, root string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}
