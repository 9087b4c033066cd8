package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"buzon/agent/internal/config"
	"buzon/agent/internal/locale"
	"buzon/agent/internal/report"
	"buzon/agent/internal/send/courier"
	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/serve"
)

// statusOptions are the flags of status.
type statusOptions struct {
	config *configFlags
	watch  bool
	all    bool
	format string
}

func newStatus(a *app) *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status",
		Short: a.words.Text("cli.status-short"),
		Long:  a.words.Text("cli.status-long"),
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runStatus(cmd.Context(), a, o) },
	}
	o.config = a.addConfigFlags(cmd, false)
	o.config.addState(a)
	cmd.Flags().BoolVar(&o.watch, "watch", false, a.words.Text("cli.status-watch"))
	cmd.Flags().BoolVar(&o.all, "all", false, a.words.Text("cli.status-all"))
	cmd.Flags().StringVar(&o.format, "format", "text", a.words.Text("cli.status-format"))
	return cmd
}

// statusLimit is how long a status may take, whatever the agent does.
const statusLimit = 2 * time.Second

// watchEvery is how often a status is shown again.
const watchEvery = 2 * time.Second

// runStatus shows what waits, was sent and is in quarantine; with watch until the context ends.
func runStatus(ctx context.Context, a *app, o statusOptions) error {
	if err := choice("--format", o.format, "text", "json"); err != nil {
		return err
	}
	c, fault, err := o.config.loadForAgent(ctx, a)
	if err != nil {
		return err
	}
	for {
		s, err := a.status(ctx, c)
		if err == nil && o.all && s.More > 0 {
			s.Quarantine, err = a.quarantine(ctx, c)
			s.More = 0
		}
		if err != nil {
			return err
		}
		if o.watch && o.format == "text" && terminal(a.stdout) {
			fmt.Fprint(a.stdout, "\x1b[H\x1b[2J")
		}
		if o.format == "json" {
			err = report.StatusJSON(a.stdout, a.words, s, o.watch)
		} else {
			err = report.StatusText(a.stdout, a.words, s, a.screen(a.stdout))
		}
		if err != nil {
			return err
		}
		if o.watch {
			select {
			case <-ctx.Done():
			case <-time.After(watchEvery):
				continue
			}
		}
		if fault != nil {
			return fault
		}
		return exit(statusCode(s))
	}
}

// statusCode is the exit code of a status: 3 while the gate is shut, 1 when somebody is needed or what
// is due isn't being sent.
func statusCode(s courier.Status) code {
	codes := []code{done}
	if s.Stalled {
		codes = append(codes, answerNo)
	}
	for _, p := range s.Problems {
		switch {
		case p.Kind == courier.ProblemGate:
			codes = append(codes, notPassed)
		case p.Kind.Person():
			codes = append(codes, answerNo)
		}
	}
	return worst(codes...)
}

// status asks whoever runs, or reads the journal where nobody does.
func (a *app) status(ctx context.Context, c *config.Config) (s courier.Status, err error) {
	asking, done := context.WithTimeout(ctx, statusLimit)
	defer done()
	ask := func() error { return serve.AskJSON(asking, c.State, "GET", "/status", nil, &s) }
	err = ask()
	if err == nil || !errors.Is(err, serve.ErrNobody) {
		return a.answered(ctx, c, s, err)
	}
	j, err := a.openJournal(c, true)
	var locked *journal.LockedError
	if errors.As(err, &locked) { // it has just begun, or nothing listens
		if err := ask(); !errors.Is(err, serve.ErrNobody) {
			return a.answered(ctx, c, s, err)
		}
		return silent(c, time.Now()), nil
	}
	if errors.Is(err, journal.ErrNone) {
		return s, a.noJournal(c)
	}
	if err != nil {
		return s, a.stateError(c, err)
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	s, err = courier.Stored(j, time.Now())
	s.Folder, s.Bucket, s.Prefix = c.State, c.Bucket, c.Prefix
	return s, err
}

// answered is the status that an agent gave, or what follows where it gave none in time.
func (a *app) answered(ctx context.Context, c *config.Config, s courier.Status, err error) (courier.Status, error) {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return silent(c, time.Now()), nil
	}
	return s, a.stateError(c, err)
}

// silent is the status of an agent that holds the state folder and doesn't answer: nothing is known
// of its files.
func silent(c *config.Config, now time.Time) courier.Status {
	now = now.UTC()
	return courier.Status{
		Schema: courier.StatusSchema, Generated: now, State: courier.StateStopped, Reason: courier.ProblemNotAnswering, Since: now, Started: now,
		Problems: []courier.Problem{{Kind: courier.ProblemNotAnswering, Since: now}},
		Running:  true, PID: journal.Holder(c.State), Bucket: c.Bucket, Prefix: c.Prefix, Folder: c.State,
		Waits: []courier.Waits{}, Outboxes: []courier.BoxStatus{}, Quarantine: []courier.Aside{},
	}
}

// quarantine lists all files in quarantine: those of whoever runs, or of the journal.
func (a *app) quarantine(ctx context.Context, c *config.Config) (list []courier.Aside, err error) {
	asking, done := context.WithTimeout(ctx, time.Minute)
	defer done()
	lines, err := serve.Ask(asking, c.State, "GET", "/quarantine", nil)
	if err == nil {
		defer lines.Close() //nolint:errcheck // it was read to its end
		for in := json.NewDecoder(lines); ; {
			var one courier.Aside
			switch err := in.Decode(&one); {
			case errors.Is(err, io.EOF):
				return list, nil
			case err != nil:
				return nil, err
			}
			list = append(list, one)
		}
	}
	if !errors.Is(err, serve.ErrNobody) {
		return nil, a.stateError(c, err)
	}
	j, err := a.openJournal(c, true)
	if err != nil {
		return nil, err
	}
	err = courier.EachQuarantined(j, func(one courier.Aside) error {
		list = append(list, one)
		return nil
	})
	return list, errors.Join(err, j.Close())
}

// noJournal says that nothing was sent from a state folder, in the words of the command that was typed.
func (a *app) noJournal(c *config.Config) error {
	return usage("state.none", "state", c.State, "command", locale.Raw("agent "+a.command))
}

// stateError puts a state folder, or its control socket, that this user may not use into a sentence.
func (a *app) stateError(c *config.Config, err error) error {
	if !errors.Is(err, os.ErrPermission) {
		return err
	}
	folder := nearest(c.State)
	info, statErr := os.Stat(folder)
	if statErr != nil {
		return usage("cli.path-denied", "path", folder)
	}
	owner := ownerOf(info)
	if owner == "" || owner == myself() {
		return usage("cli.path-denied", "path", folder)
	}
	return usage("cli.other-user", "state", c.State, "user", owner, "command", locale.Raw("agent "+a.command))
}

func newRetry(a *app) *cobra.Command {
	var flags *configFlags
	cmd := &cobra.Command{
		Use:   "retry [PATH…]",
		Short: a.words.Text("cli.retry-short"),
		Long:  a.words.Text("cli.retry-long"),
		RunE:  func(cmd *cobra.Command, paths []string) error { return runRetry(cmd.Context(), a, flags, paths) },
	}
	flags = a.addConfigFlags(cmd, false)
	flags.addState(a)
	return cmd
}

// retryLimit is how long an agent may take to answer.
const retryLimit = 30 * time.Second

// runRetry takes files out of quarantine.
func runRetry(ctx context.Context, a *app, flags *configFlags, paths []string) error {
	c, fault, err := flags.loadForAgent(ctx, a)
	if err != nil {
		return err
	}
	var asked []string
	for _, path := range paths {
		abs, err := filepath.Abs(path)
		if err != nil {
			return fail(badInput, err)
		}
		asked = append(asked, abs)
		if real, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
			asked = append(asked, filepath.Join(real, filepath.Base(abs)))
		}
	}
	n, running, err := a.retry(ctx, c, asked)
	if err != nil {
		return err
	}
	switch {
	case n == 0 && len(paths) > 0:
		return fail(answerNo, sentence("cli.retry-no-such", "paths", paths))
	case n == 0:
		fmt.Fprintln(a.stdout, a.words.Text("cli.retry-none"))
	default:
		fmt.Fprintln(a.stdout, a.words.Text("cli.retry-done", "n", n))
	}
	if n > 0 && !running {
		a.report(a.words.Text("cli.retry-later"))
	}
	return fault
}

// retry asks whoever runs, or changes the journal where nobody does.
func (a *app) retry(ctx context.Context, c *config.Config, paths []string) (n int, running bool, err error) {
	asking, done := context.WithTimeout(ctx, retryLimit)
	defer done()
	err = serve.AskJSON(asking, c.State, "POST", "/retry", append([]string{}, paths...), &n)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return 0, true, fail(answerNo, sentence("cli.not-answering", "state", c.State, "pid", locale.Raw(fmt.Sprint(journal.Holder(c.State)))))
	}
	if !errors.Is(err, serve.ErrNobody) {
		return n, true, a.stateError(c, err)
	}
	if _, err := os.Stat(filepath.Join(c.State, journal.File)); errors.Is(err, os.ErrNotExist) {
		return 0, false, a.noJournal(c)
	}
	j, err := a.openJournal(c, false)
	if err != nil {
		return 0, false, a.stateError(c, err)
	}
	j.Patient(false)
	n, err = courier.Retry(j, paths)
	return n, false, errors.Join(err, j.Close())
}
