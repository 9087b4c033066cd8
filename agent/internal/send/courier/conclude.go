package courier

import (
	"time"

	"buzon/agent/internal/send/journal"
)

// conclude names the problems that the facts of a status show, and the state that follows from them.
func (s *Status) conclude() {
	s.Problems = s.Problems[:0]
	add := func(p Problem) {
		if p.Since.IsZero() {
			p.Since = s.Generated
		}
		s.Problems = append(s.Problems, p)
	}
	if s.Lost != nil {
		add(Problem{Kind: ProblemLostMemory, Files: s.Lost.Conflicts})
	}
	if g := s.Gate; g != nil && !g.Open && g.Since != nil {
		add(Problem{Kind: ProblemGate, Since: *g.Since})
	}
	if s.Journal != "" {
		add(Problem{Kind: ProblemJournal, Detail: s.Journal})
	}
	for _, o := range s.Outboxes {
		if o.Error != "" {
			add(Problem{Kind: ProblemOutboxMissing, Outbox: o.Path, Detail: o.Error})
		}
	}
	if s.Away != "" {
		add(Problem{Kind: ProblemStoreSilent})
	}
	if s.Total > 0 {
		since := s.Generated
		for _, q := range s.Quarantine {
			if q.At.Before(since) {
				since = q.At
			}
		}
		add(Problem{Kind: ProblemQuarantine, Files: s.Total, Since: since})
	}
	open := s.Counts[journal.Pending.String()].Files + s.Counts[journal.Sending.String()].Files
	if !s.Running && open > 0 {
		add(Problem{Kind: ProblemNotRunning, Files: open, Since: s.Started})
	}
	s.State, s.Reason, s.Since = s.stateOf(open)
}

// stateOf is the state, with the problem that it is about and its begin.
func (s *Status) stateOf(open int64) (State, ProblemKind, time.Time) {
	for _, p := range s.Problems {
		if p.Kind == ProblemLostMemory {
			return StateStopped, p.Kind, p.Since
		}
	}
	if !s.Running {
		return StateNotRunning, "", s.Started
	}
	for _, p := range s.Problems {
		switch p.Kind {
		case ProblemGate, ProblemJournal:
			return StateWaiting, p.Kind, p.Since
		case ProblemStoreSilent, ProblemOutboxMissing:
			if open > 0 {
				return StateWaiting, p.Kind, p.Since
			}
		default: // they keep nothing else from being sent
		}
	}
	if open > 0 {
		return StateSending, "", s.Started
	}
	return StateIdle, "", s.Started
}
