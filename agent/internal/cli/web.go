package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"buzon/agent/internal/client"
	"buzon/agent/internal/locale"
	"buzon/agent/internal/report"
	"buzon/agent/internal/send/courier"
	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/serve"
)

// newWeb makes what is served at the address of `listen`.
func (r *runner) newWeb() {
	r.metrics = serve.NewMetrics(buildOf(), metricLabels(), r.facts, metricHelp(r.english))
	r.web = serve.NewWeb(serve.Sources{
		Health: r.health(),
		Ready: func() bool {
			s, err := r.current.Load().Status()
			return err == nil && s.Gate != nil && s.Gate.Open
		},
		Metrics: r.metrics.Handler(r.log),
		Page: func(w io.Writer, lang string) error {
			s, err := r.current.Load().Status()
			if err != nil {
				return err
			}
			return report.StatusHTML(w, locale.Load(lang), s, r.sent.Hour(time.Now()), Version())
		},
	}, r.log)
}

// listenProblem is that nothing is served at the address of `listen`, if so.
func (r *runner) listenProblem() []courier.Problem {
	since, err := r.web.Trouble()
	if err == nil {
		return nil
	}
	return []courier.Problem{{Kind: courier.ProblemListen, Since: since.UTC(), Detail: err.Error()}}
}

// measure counts the bytes that left since the last time.
func (r *runner) measure() {
	now := r.current.Load().Tally().LeftBytes
	r.metrics.Left(now - r.left)
	r.sent.Add(time.Now(), now-r.left)
	r.left = now
}

// facts are what the metrics show of now.
func (r *runner) facts() (serve.Facts, error) {
	s, err := r.current.Load().Status()
	if err != nil {
		return serve.Facts{}, err
	}
	f := serve.Facts{
		State: string(s.State), Stalled: s.Stalled, Problems: map[string]int{}, Unsettled: s.Unsettled, Inferred: s.Inferred,
		Transfers: s.Transfers, Active: s.Active, Credential: string(s.Credential()), Quarantined: serve.Count(s.Counts[journal.Quarantined.String()]),
	}
	for _, p := range s.Problems {
		f.Problems[string(p.Kind)]++
	}
	for _, state := range []journal.State{journal.Pending, journal.Sending} {
		n := s.Counts[state.String()]
		f.Queued.Files, f.Queued.Bytes = f.Queued.Files+n.Files, f.Queued.Bytes+n.Bytes
	}
	if s.Oldest != nil {
		f.Oldest = *s.Oldest
	}
	if s.LastSent != nil {
		f.LastSent = *s.LastSent
	}
	if g := s.Gate; g != nil {
		f.GateOpen = g.Open
		if g.Report != nil && g.Report.Source.File != "" {
			f.KeyChanged = changedAt(g.Report.Source.File)
		}
	}
	if info, err := os.Stat(filepath.Join(r.state, journal.File)); err == nil {
		f.Journal = info.Size()
	}
	return f, nil
}

// changedAt is when a file was written last; zero where that can't be seen.
func changedAt(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// metricLabels are all that the labels of the metrics may be.
func metricLabels() serve.Labels {
	l := serve.Labels{Endings: courier.Endings()}
	for _, state := range courier.States {
		if state != courier.StateNotRunning { // nobody would answer
			l.States = append(l.States, string(state))
		}
	}
	for _, kind := range courier.ProblemKinds {
		if kind != courier.ProblemNotRunning && kind != courier.ProblemNotAnswering { // likewise
			l.Kinds = append(l.Kinds, string(kind))
		}
	}
	for _, class := range client.Classes() {
		l.Classes = append(l.Classes, class.String())
	}
	for _, state := range courier.CredentialStates {
		l.Credentials = append(l.Credentials, string(state))
	}
	return l
}

// metricHelp gives the meaning of a metric.
func metricHelp(words *locale.Printer) func(name string) string {
	return func(name string) string {
		return plainText(words.Text("serve.metric-" + strings.ReplaceAll(strings.TrimPrefix(name, "buzon_"), "_", "-")))
	}
}

func buildOf() serve.Build {
	return serve.Build{Version: Version(), Commit: commit, Go: runtime.Version()}
}

// serving serves until the context ends; the function that it returns waits for the end.
func (r *runner) serving(ctx context.Context) (ended func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.web.Run(ctx)
	}()
	return func() { <-done }
}
