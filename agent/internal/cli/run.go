package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"buzon/agent/internal/config"
	"buzon/agent/internal/locale"
	"buzon/agent/internal/report"
	"buzon/agent/internal/send/courier"
	"buzon/agent/internal/send/gate"
	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/serve"
)

func newRun(a *app) *cobra.Command {
	var flags *configFlags
	cmd := &cobra.Command{
		Use:         "run",
		Short:       a.words.Text("cli.run-short"),
		Long:        a.words.Text("cli.run-long"),
		Args:        noArgs,
		Annotations: map[string]string{logLevel: "info"},
		RunE:        func(cmd *cobra.Command, _ []string) error { return runRun(cmd.Context(), a, flags) },
	}
	flags = a.addConfigFlags(cmd, false)
	a.addLogFiles(cmd)
	return cmd
}

// runRun watches the outboxes and sends, until the context ends.
func runRun(ctx context.Context, a *app, flags *configFlags) (err error) {
	signal.Ignore(syscall.SIGPIPE) // whoever reads the log may go; the files go on
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	c, err := flags.load(a, "bucket", "prefix", "state", "outboxes")
	if err != nil {
		return err
	}
	s, err := a.openFolders(watched(c))
	if err != nil {
		return a.sendError(c, err)
	}
	j, err := a.openJournal(c, false)
	if err != nil {
		return errors.Join(a.sendError(c, err), s.close())
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	r := &runner{app: a, english: locale.Load("en").With(hintFlags(flags)...), flags: flags, journal: j, asked: make(chan struct{}), state: c.State,
		reload: merge(ctx, hangup, watchConfig(ctx, c.File))}
	r.newWeb()
	if err := r.use(c, s); err != nil {
		return errors.Join(a.sendError(c, err), s.close())
	}
	control, err := serve.Listen(c.State, a.handlers(c, j, r.current.Load))
	if err != nil {
		return errors.Join(err, s.close())
	}
	defer func() { err = errors.Join(err, control.Close()) }()
	defer a.notify(daemon.SdNotifyStopping)
	go r.watchdog(ctx)
	serving, stop := context.WithCancel(ctx)
	ended := r.serving(serving)
	defer func() { stop(); ended() }()
	err = r.run(ctx)
	if err != nil {
		return a.sendError(r.config, err)
	}
	a.log.Info("stopped")
	return nil
}

// watched are the configured outboxes.
func watched(c *config.Config) []folder {
	var list []folder
	for _, o := range c.Outboxes {
		list = append(list, folder{Outbox: o})
	}
	return list
}

// runner holds what a reload replaces.
type runner struct {
	*app
	english *locale.Printer // of the log, which is in one language
	flags   *configFlags
	journal *journal.Journal
	reload  <-chan string // why
	config  *config.Config
	sending *sending
	current atomic.Pointer[courier.Courier]
	asked   chan struct{} // takes an element whenever the loop of this runner comes around
	said    string        // to systemd, of the state
	told    gateTold

	state   string // folder
	web     *serve.Web
	metrics *serve.Metrics
	sent    serve.Throughput
	left    int64 // bytes that had left of the current courier's at the last look
}

// use joins the rooms by a configuration.
func (r *runner) use(c *config.Config, s *sending) error {
	s.meter, s.problems = r.metrics, r.listenProblem
	if err := s.join(r.app, c, r.journal, r.gated); err != nil {
		return err
	}
	r.web.Use(c.Listen)
	if r.sending != nil {
		s.gate.Inherit(r.sending.gate)
	}
	r.config, r.sending, r.left = c, s, 0
	r.current.Store(s.courier)
	return nil
}

// run runs one courier after the other, each until the configuration changes.
func (r *runner) run(ctx context.Context) error {
	for {
		c, s, err := r.one(ctx)
		if err != nil || s == nil {
			return err
		}
		if err := r.use(c, s); err != nil {
			return errors.Join(err, s.close())
		}
		r.log.Info("configuration is in force", "file", c.File)
	}
}

// one runs the current courier. When the configuration was changed for a good one it returns that with its folders.
func (r *runner) one(ctx context.Context) (next *config.Config, with *sending, err error) {
	s := r.sending
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, o := range s.outboxes {
		r.log.Info("watching outbox", "outbox", o.Path, "bucket", r.config.Bucket, "prefix", r.config.Prefix, "settle", string(o.Settle))
	}
	ended := make(chan error, 1)
	go func() { ended <- s.courier.Run(ctx) }()
	go s.gate.Watch(ctx, func(depth gate.Depth) { s.courier.Recheck(ctx, depth) })
	defer func() { err = errors.Join(err, s.close()) }()
	r.notify(daemon.SdNotifyReady) // whatever the gate, the store or an outbox says
	pulse, state := time.NewTicker(pulseEvery), time.NewTicker(stateEvery)
	defer pulse.Stop()
	defer state.Stop()
	var before courier.Tally
	for {
		select {
		case err := <-ended:
			return nil, nil, err
		case <-r.asked:
		case <-state.C:
			r.measure()
			r.tellState()
		case <-pulse.C:
			before = r.beat(s.courier, before)
		case why := <-r.reload:
			c, fresh, err := r.reread(why)
			if err != nil {
				r.log.Error("new configuration can't be used; the old one stays in force", "error", r.oneLine(err))
				continue
			}
			r.notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
			cancel()
			if err := r.await(ended); err != nil {
				return nil, nil, errors.Join(err, fresh.close())
			}
			return c, fresh, nil
		}
	}
}

// await waits for the end of a courier that was told to end, which may take shutdown_timeout.
func (r *runner) await(ended <-chan error) error {
	for {
		select {
		case err := <-ended:
			return err
		case <-r.asked:
		}
	}
}

// reread reads the configuration again, and opens what it names, so that a bad one is known before the old one goes.
func (r *runner) reread(why string) (*config.Config, *sending, error) {
	r.log.Info("reading the configuration again", "why", why)
	c, err := r.flags.load(r.app, "bucket", "prefix", "state", "outboxes")
	if err != nil {
		return nil, nil, err
	}
	if c.State != r.config.State {
		return nil, nil, sentence("cli.reload-state", "old", r.config.State, "new", c.State)
	}
	s, err := r.openFolders(watched(c))
	return c, s, err
}

// oneLine is the sentences for err, for a log.
func (r *runner) oneLine(err error) string {
	var e *exitError
	if errors.As(err, &e) {
		err = e.err
	}
	in := *r.app
	in.words = r.english
	return strings.ReplaceAll(strings.Join(in.sentences(err), " "), "\n", " ")
}

// pulseEvery is how often the log tells what was sent, if anything was.
const pulseEvery = time.Minute

// beat logs what happened since the last time.
func (r *runner) beat(c *courier.Courier, before courier.Tally) courier.Tally {
	t := c.Tally()
	if t.Sent != before.Sent || t.Quarantined != before.Quarantined {
		n := r.journal.Counts()
		r.log.Info("sent", "files", t.Sent-before.Sent, "bytes", t.SentBytes-before.SentBytes,
			"waiting", n.Files[journal.Pending]+n.Files[journal.Sending], "quarantined", n.Files[journal.Quarantined])
	}
	return t
}

// gateTold is what the log was told of the gate last, so that a fault that lasts is not told at every try.
type gateTold struct {
	outcome gate.Outcome
	at      time.Time
}

// gateAgain is how often a fault of the gate that lasts is told again.
const gateAgain = time.Hour

// gated logs how a pass of the gate ended. It is called by one goroutine at a time.
func (r *runner) gated(seen gate.Report, final bool) {
	first := seen.First()
	if first == nil {
		if r.told.outcome != "" || r.told.at.IsZero() {
			r.log.Info("gate passed", "identity", arnOf(seen), "access_key", seen.Source.Key)
			for _, w := range report.CheckWarnings(r.english, seen) {
				r.log.Warn("gate passed with a warning", "detail", strings.ReplaceAll(w, "\n", " "))
			}
		}
		r.told = gateTold{at: seen.Time}
		return
	}
	if r.told.outcome == first.Outcome && seen.Time.Sub(r.told.at) < gateAgain || final {
		return // what is final is told at the end
	}
	r.told = gateTold{first.Outcome, seen.Time}
	r.log.Error("gate not passed; nothing is sent, nothing is lost", "check", string(first.ID), "outcome", string(first.Outcome),
		"detail", strings.ReplaceAll(report.Waiting(r.english, seen), "\n", " "))
}

func arnOf(r gate.Report) string {
	if r.Identity == nil {
		return ""
	}
	return r.Identity.ARN
}
