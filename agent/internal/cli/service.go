package cli

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"buzon/agent/internal/report"
	"buzon/agent/internal/serve"
)

// stateEvery is how often systemd is told what the agent is doing, if that is another than before.
const stateEvery = 2 * time.Second

// notify tells systemd, where it listens.
func (a *app) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		a.log.Debug("systemd was not told", "error", err)
	}
}

// tellState tells systemd what the agent is doing, for `systemctl status`.
func (r *runner) tellState() {
	s, err := r.current.Load().Status()
	if err != nil {
		return // the journal's trouble is told where it is met
	}
	if text := report.StateSentence(r.words, s); text != r.said {
		r.said = text
		r.notify("STATUS=" + text)
	}
}

// health are the parts of the agent that must always come around, whatever they wait for.
func (r *runner) health() serve.Health {
	return serve.Health{
		{Name: "committer", Answers: func(ctx context.Context) error { return r.current.Load().CommitterAnswers(ctx) }},
		{Name: "scheduler", Answers: func(ctx context.Context) error { return r.current.Load().SchedulerAnswers(ctx) }},
		{Name: "control-loop", Answers: func(ctx context.Context) error {
			select {
			case r.asked <- struct{}{}:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}},
	}
}

// watchdog tells systemd, where it asks for it, that the agent is alive; without it systemd starts the agent again.
func (r *runner) watchdog(ctx context.Context) {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil || limit <= 0 {
		return
	}
	r.health().Feed(ctx, limit, func() { r.notify(daemon.SdNotifyWatchdog) }, func(parts []string) {
		if parts == nil {
			r.log.Info("all parts of the agent answer again")
			return
		}
		r.log.Error("a part of the agent doesn't answer; systemd starts the agent again if it stays so", "parts", parts)
	})
}
