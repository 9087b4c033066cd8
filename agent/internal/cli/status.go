package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"buzon/agent/internal/config"
	"buzon/agent/internal/report"
	"buzon/agent/internal/send/courier"
	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/serve"
)

// statusOptions are the flags of status.
type statusOptions struct {
	config *configFlags
	watch  bool
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
	cmd.Flags().StringVar(&o.format, "format", "text", a.words.Text("cli.status-format"))
	return cmd
}

// watchEvery is how often a status is shown again.
const watchEvery = 2 * time.Second

// runStatus shows what waits, was sent and is in quarantine; with watch until the context ends.
func runStatus(ctx context.Context, a *app, o statusOptions) error {
	if err := choice("--format", o.format, "text", "json"); err != nil {
		return err
	}
	c, err := o.config.load(a, "state")
	if err != nil {
		return err
	}
	for {
		s, err := a.status(ctx, c)
		if err != nil {
			return err
		}
		if o.watch && o.format == "text" && terminal(a.stdout) {
			fmt.Fprint(a.stdout, "\x1b[H\x1b[2J")
		}
		if o.format == "json" {
			err = report.StatusJSON(a.stdout, a.words, s)
		} else {
			err = report.StatusText(a.stdout, a.words, s, a.colorful(a.stdout))
		}
		if err != nil {
			return err
		}
		if !o.watch {
			return exit(statusCode(s))
		}
		select {
		case <-ctx.Done():
			return exit(statusCode(s))
		case <-time.After(watchEvery):
		}
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
	err = serve.AskJSON(ctx, c.State, "GET", "/status", nil, &s)
	if !errors.Is(err, serve.ErrNobody) {
		return s, socketError(c, err)
	}
	j, err := a.openJournal(c, true)
	var locked *journal.LockedError
	if errors.As(err, &locked) && serve.AskJSON(ctx, c.State, "GET", "/status", nil, &s) == nil { // it has just begun
		return s, nil
	}
	if errors.Is(err, journal.ErrNone) {
		return s, usage("state.none", "state", c.State)
	}
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	s, err = courier.Stored(j, time.Now())
	s.Folder, s.Bucket, s.Prefix = c.State, c.Bucket, c.Prefix
	return s, err
}

// socketError puts a control socket that may not be used into a sentence.
func socketError(c *config.Config, err error) error {
	if errors.Is(err, os.ErrPermission) {
		return usage("cli.path-denied", "path", filepath.Join(c.State, serve.Socket))
	}
	return err
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

// runRetry takes files out of quarantine.
func runRetry(ctx context.Context, a *app, flags *configFlags, paths []string) error {
	c, err := flags.load(a, "state")
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
	fmt.Fprintln(a.stdout, a.words.Text("cli.retry-done", "n", n))
	switch {
	case n == 0 && len(paths) > 0:
		return exit(answerNo)
	case n > 0 && !running:
		fmt.Fprintln(a.stdout, a.words.Text("cli.retry-later"))
	}
	return nil
}

// retry asks whoever runs, or changes the journal where nobody does.
func (a *app) retry(ctx context.Context, c *config.Config, paths []string) (n int, running bool, err error) {
	err = serve.AskJSON(ctx, c.State, "POST", "/retry", append([]string{}, paths...), &n)
	if !errors.Is(err, serve.ErrNobody) {
		return n, true, socketError(c, err)
	}
	if _, err := os.Stat(filepath.Join(c.State, journal.File)); errors.Is(err, os.ErrNotExist) {
		return 0, false, usage("state.none", "state", c.State)
	}
	j, err := a.openJournal(c, false)
	if err != nil {
		return 0, false, err
	}
	j.Patient(false)
	n, err = courier.Retry(j, paths)
	return n, false, errors.Join(err, j.Close())
}
