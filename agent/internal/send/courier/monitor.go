package courier

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"buzon/agent/internal/send/journal"
)

// Pace of the monitor, and how long what may pass by itself lasts before it is a problem.
const (
	monitorEvery = time.Second
	lastsLong    = 3 * time.Second
	mostNamed    = 10 // problems of one kind that are named one by one
)

// monitor looks every second at what the agent does, so that whatever isn't sent is said: in the log when it begins and
// ends, and in the status at any time.
type monitor struct {
	mu       sync.Mutex
	problems []Problem // without the quarantine's
	state    State
	reason   ProblemKind
	since    time.Time // of state and reason
	stalled  bool

	due   time.Time // since when a file has been due without a pause; zero while none is
	left  int64     // bytes that had left at the last look
	moved time.Time // when bytes left last and nothing failed
	told  map[problemKey]bool
}

// problemKey tells problems apart from one look to the next.
type problemKey struct {
	kind         ProblemKind
	outbox, path string
}

// watchOver runs the monitor until the context ends. Its error ends the agent: the journal is not the one at its path.
func (c *Courier) watchOver(ctx context.Context) error {
	ticker := time.NewTicker(monitorEvery)
	defer ticker.Stop()
	for {
		c.observe(c.Now())
		if err := c.Journal.Present(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// observe makes one look and logs what changed.
func (c *Courier) observe(now time.Time) {
	m := &c.monitor
	problems := c.problems(now)
	count := c.flight.count()
	left, arrived, part := c.tally.leftBytes.Load(), c.tally.arrivedAt(), c.tally.partAt()
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case count == 0:
		m.due = time.Time{}
	case m.due.IsZero():
		m.due = now
	}
	if left != m.left && len(c.flight.failing()) == 0 {
		m.moved = now
	}
	m.left = left
	progress := latest(m.due, m.moved, arrived, part)
	m.stalled = count > 0 && now.Sub(progress) >= StalledAfter
	if m.stalled && !slices.ContainsFunc(problems, func(p Problem) bool { return p.Kind.holds() || p.Kind == ProblemStuckFile }) {
		problems = append(problems, Problem{Kind: ProblemStoreSilent, Since: progress, Files: int64(count), Detail: c.tally.lastWords()})
	}
	state, reason, since := stateOf(problems, count > 0, m.stalled)
	switch {
	case !since.IsZero():
		m.since = since
	case state != m.state || reason != m.reason:
		m.since = now
	}
	m.state, m.reason, m.problems = state, reason, problems
	c.logProblems(problems)
}

func latest(all ...time.Time) (last time.Time) {
	for _, t := range all {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// holds says that a problem of this kind keeps everything from being sent, and not just what it is about.
func (k ProblemKind) holds() bool {
	switch k {
	case ProblemGate, ProblemStoreFull, ProblemStoreSilent, ProblemNotTheStore, ProblemMachine, ProblemJournal, ProblemLostMemory:
		return true
	case ProblemOutboxMissing, ProblemOutboxUnreadable, ProblemOutboxReplaced, ProblemFolderUnreadable, ProblemUnsettled,
		ProblemQuarantine, ProblemStuckFile, ProblemListen, ProblemNotAnswering, ProblemNotRunning:
	}
	return false
}

// stateOf is the state of an agent that runs, with the problem that it is about and since when, where that is known.
func stateOf(problems []Problem, due, stalled bool) (State, ProblemKind, time.Time) {
	waiting := func(fits func(ProblemKind) bool) (State, ProblemKind, time.Time) {
		for _, p := range problems {
			if fits(p.Kind) {
				return StateWaiting, p.Kind, p.Since
			}
		}
		return "", "", time.Time{}
	}
	if s, k, since := waiting(func(k ProblemKind) bool { return k == ProblemGate || k == ProblemJournal }); s != "" {
		return s, k, since
	}
	away := func(k ProblemKind) bool {
		return k == ProblemOutboxMissing || k == ProblemOutboxUnreadable || k == ProblemOutboxReplaced || k == ProblemMachine
	}
	switch {
	case due:
		if s, k, since := waiting(ProblemKind.holds); s != "" {
			return s, k, since
		}
		if stalled {
			if s, k, since := waiting(func(k ProblemKind) bool { return away(k) || k == ProblemStuckFile }); s != "" {
				return s, k, since
			}
		}
		return StateSending, "", time.Time{}
	default:
		if s, k, since := waiting(away); s != "" {
			return s, k, since
		}
		return StateIdle, "", time.Time{}
	}
}

// problems are what is wrong now, but for the quarantine, the gravest first.
func (c *Courier) problems(now time.Time) []Problem {
	var list []Problem
	if err := c.conflictGuard(); err != nil {
		var lost *LostMemoryError
		errors.As(err, &lost)
		list = append(list, Problem{Kind: ProblemLostMemory, Since: now, Files: lost.Conflicts})
	}
	if g := c.gate.state(); !g.open && !g.since.IsZero() {
		p := Problem{Kind: ProblemGate, Since: g.since.UTC()}
		if until := g.until.UTC(); !g.until.IsZero() {
			p.Until = &until
		}
		list = append(list, p)
	}
	list = append(list, journalProblems(c.Journal, now)...)
	list = append(list, c.waits(now)...)
	for _, b := range c.boxes {
		list = append(list, b.problems()...)
	}
	return append(list, c.OtherProblems()...)
}

// journalProblems are what is wrong with the journal itself.
func journalProblems(j *journal.Journal, now time.Time) (list []Problem) {
	if err := j.Trouble(); err != nil {
		since := j.FullSince()
		if since.IsZero() {
			since = now
		}
		list = append(list, Problem{Kind: ProblemJournal, Since: since.UTC(), Detail: err.Error()})
	}
	return list
}

// failure is one file that gets no success, as it waits for its next try.
type failure struct {
	seq      uint64
	path     string
	outbox   string
	kind     ProblemKind // why, where that is not its own fault
	since    time.Time   // when the first attempt that failed began
	failures int         // in a row, but for those that only asked for less
	detail   string
}

// waits are the problems that files meet which wait for their next try. What others don't meet is the file's: it is
// named once it has failed more often than a file's faults may be.
func (c *Courier) waits(now time.Time) []Problem {
	arrived := c.tally.arrivedAt()
	groups := map[ProblemKind]*Problem{}
	var stuck []Problem
	for _, f := range c.flight.failing() {
		passing := arrived.After(f.since) // others are sent
		switch {
		case f.kind == ProblemOutboxMissing: // its outbox has a problem of its own
		case passing && f.kind != ProblemMachine && f.failures > c.set.Tries:
			stuck = append(stuck, Problem{Kind: ProblemStuckFile, Outbox: f.outbox, Path: legible(f.path), Since: f.since.UTC(), Detail: f.detail})
		case f.kind != "" && now.Sub(f.since) >= lastsLong && (!passing || f.kind == ProblemMachine && f.failures > c.set.Tries):
			g := groups[f.kind]
			if g == nil {
				g = &Problem{Kind: f.kind, Since: f.since.UTC(), Detail: f.detail}
				groups[f.kind] = g
			}
			if f.since.Before(g.Since) {
				g.Since, g.Detail = f.since.UTC(), f.detail
			}
			g.Files++
		}
	}
	var list []Problem
	for _, kind := range []ProblemKind{ProblemStoreFull, ProblemNotTheStore, ProblemMachine, ProblemStoreSilent} {
		if g := groups[kind]; g != nil {
			list = append(list, *g)
		}
	}
	if away, since := c.pace.away(), c.pace.failingSince(); away > 0 && len(list) == 0 {
		list = append(list, Problem{Kind: ProblemStoreSilent, Since: since.UTC(), Detail: c.tally.lastWords()})
	}
	slices.SortFunc(stuck, func(a, b Problem) int { return a.Since.Compare(b.Since) })
	return append(list, named(stuck)...)
}

// named cuts problems of one kind to those that are named; the first says how many there are.
func named(list []Problem) []Problem {
	if n := len(list); n > mostNamed {
		list = list[:mostNamed]
		list[0].Files = int64(n)
	}
	return list
}

// problems are what is wrong with an outbox, and in it.
func (b *box) problems() []Problem {
	b.mu.Lock()
	var list []Problem
	if s := b.state; s.Problem != "" {
		list = append(list, Problem{Kind: s.Problem, Outbox: b.Path, Since: *s.Since, Detail: s.Error})
	}
	var unsettled []Problem
	for rel, u := range b.unsettled {
		unsettled = append(unsettled, Problem{Kind: ProblemUnsettled, Outbox: b.Path, Path: legible(b.path(rel)), Since: u.since.UTC(), Detail: u.why})
	}
	b.mu.Unlock()
	slices.SortFunc(unsettled, func(x, y Problem) int { return x.Since.Compare(y.Since) })
	var folders []Problem
	for _, u := range b.folder.Unread() {
		p := Problem{Kind: ProblemFolderUnreadable, Outbox: b.Path, Path: legible(b.path(u.Rel)), Since: u.Since.UTC()}
		if u.Err != nil {
			p.Detail = u.Err.Error()
		}
		folders = append(folders, p)
	}
	return append(append(list, named(folders)...), named(unsettled)...)
}

// logProblems says what began, and what is over. What an outbox and the gate have is said where it is met.
func (c *Courier) logProblems(list []Problem) {
	m := &c.monitor
	now := map[problemKey]bool{}
	for _, p := range list {
		switch p.Kind {
		case ProblemStoreFull, ProblemNotTheStore, ProblemStoreSilent, ProblemMachine, ProblemStuckFile:
		default:
			continue
		}
		key := problemKey{p.Kind, p.Outbox, p.Path}
		if now[key] = true; !m.told[key] {
			c.Log.Warn("something isn't sent for now; it is tried again until it is", "problem", string(p.Kind),
				"outbox", p.Outbox, "path", p.Path, "since", p.Since, "detail", strings.ReplaceAll(p.Detail, "\n", " "))
		}
	}
	for key := range m.told {
		if !now[key] {
			c.Log.Info("problem is over", "problem", string(key.kind), "outbox", key.outbox, "path", key.path)
		}
	}
	m.told = now
}
