package courier

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheStateFollowsFromTheProblems(t *testing.T) {
	at := time.Unix(1, 0)
	one := func(kind ProblemKind) []Problem { return []Problem{{Kind: kind, Since: at}} }
	for _, c := range []struct {
		name         string
		problems     []Problem
		due, stalled bool
		state        State
		reason       ProblemKind
	}{
		{"nothing waits", nil, false, false, StateIdle, ""},
		{"files leave", nil, true, false, StateSending, ""},
		{"the gate is shut, and nothing waits", one(ProblemGate), false, false, StateWaiting, ProblemGate},
		{"the disk is full", one(ProblemJournal), false, false, StateWaiting, ProblemJournal},
		{"the store is full", one(ProblemStoreFull), true, false, StateWaiting, ProblemStoreFull},
		{"an outbox is away, and nothing waits", one(ProblemOutboxMissing), false, false, StateWaiting, ProblemOutboxMissing},
		{"an outbox is away, and others' files leave", one(ProblemOutboxMissing), true, false, StateSending, ""},
		{"an outbox is away, and its files wait", one(ProblemOutboxMissing), true, true, StateWaiting, ProblemOutboxMissing},
		{"one file alone waits", one(ProblemStuckFile), true, true, StateWaiting, ProblemStuckFile},
		{"files are in quarantine", one(ProblemQuarantine), false, false, StateIdle, ""},
		{"the first that holds everything counts", append(one(ProblemUnsettled), one(ProblemNotTheStore)...), true, false, StateWaiting, ProblemNotTheStore},
	} {
		state, reason, since := stateOf(c.problems, c.due, c.stalled)
		if state != c.state || reason != c.reason || since.IsZero() != (reason == "") {
			t.Errorf("%s: %s, %q, %v; want %s, %q", c.name, state, reason, since, c.state, c.reason)
		}
	}
}

// TestEveryKindOfProblemIsDecided: whether it needs a person, and whether it holds everything.
func TestEveryKindOfProblemIsDecided(t *testing.T) {
	itself := map[ProblemKind]bool{ProblemStoreSilent: true, ProblemNotTheStore: true, ProblemMachine: true}
	for _, kind := range ProblemKinds {
		if kind.Person() == itself[kind] {
			t.Errorf("%s needs a person: %t", kind, kind.Person())
		}
	}
}

func TestWhatEndsIsStartedAgainAndSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := supervisor{log: slog.New(slog.DiscardHandler), fail: func(err error) { t.Errorf("it ended the agent: %v", err) }}
		starts := 0
		var troubles []error
		odd := errors.New("nobody named this one")
		s.restarting(ctx, "part", func(ctx context.Context) error {
			switch starts++; starts {
			case 1:
				return odd
			case 2:
				return nil // an end without an error is none either
			}
			<-ctx.Done()
			return ctx.Err()
		}, func(err error) { troubles = append(troubles, err) })
		time.Sleep(time.Minute)
		cancel()
		s.wait()
		if starts != 3 || len(troubles) != 3 || !errors.Is(troubles[0], odd) || troubles[1] == nil || troubles[2] != nil {
			t.Errorf("%d starts, troubles %v", starts, troubles)
		}
	})
	var ended error
	s := supervisor{fail: func(err error) { ended = err }}
	odd := errors.New("nobody named this one")
	s.vital(func() error { return odd })
	s.wait()
	if !errors.Is(ended, odd) {
		t.Errorf("what the agent can't be without ended, and the agent goes on: %v", ended)
	}
}
