package courier

import (
	"context"
	"sync"
	"time"

	"buzon/agent/internal/send/gate"
)

// Between two passes of a gate that is shut: doubling up to the cap.
const (
	gateFirst = 2 * time.Second
	gateCap   = time.Minute
)

// gatekeeper is the courier's side of the gate: nothing is sent but through it. It is passed when the first file waits
// (a courier that runs passes it at the start, so that a wrong key is told before there is a file), and again whenever
// an answer puts the credentials in doubt; meanwhile everybody waits. It knows the gate, a clock and its rules.
type gatekeeper struct {
	gate     Gate
	sender   func() Sender                        // with the credentials that passed last
	onResult func(report gate.Report, final bool) // of each pass
	onOpen   func()                               // it was opened by a recheck
	now      func() time.Time
	rules    waitRules

	passing sync.Mutex    // one pass at a time
	nudged  chan struct{} // a pause between two passes ends early
	shut    chan struct{} // it was shut after it had been open

	mu      sync.Mutex
	gen     uint64 // of the pass that opened it; 0 before the first, and then patience counts
	open    bool
	with    Sender
	report  *gate.Report
	trouble time.Time    // since when it can't be passed
	refusal *gate.Report // the last that spoke against the key, and not of silence alone
	refused time.Time    // when the first did since the gate was passed last
	bad     uint64       // the last generation after which the gate was not passed at once
}

// waitRules are how long a gate that is not passed is waited for.
type waitRules struct {
	wait bool          // for ever
	once bool          // an upload, which somebody waits for
	most time.Duration // how long a fault may last once the gate was passed
}

func newGatekeeper(g Gate, sender func() Sender, now func() time.Time, rules waitRules) *gatekeeper {
	return &gatekeeper{
		gate: g, sender: sender, now: now, rules: rules, onResult: func(gate.Report, bool) {}, onOpen: func() {},
		nudged: make(chan struct{}, 1), shut: make(chan struct{}, 1),
	}
}

// peek returns the sender if the gate is open.
func (k *gatekeeper) peek() (Sender, uint64, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.with, k.gen, k.open
}

// keep passes the gate at the start and whenever it was shut, though no file may wait. Its error is final.
func (k *gatekeeper) keep(ctx context.Context) error {
	for {
		if err := k.pass(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-k.shut:
		}
	}
}

// pass returns when the gate is open, passing it if need be. Its error ends everything: the gate was not passed and is
// not to be waited for, or the context ended.
func (k *gatekeeper) pass(ctx context.Context) error {
	if _, _, open := k.peek(); open {
		return nil
	}
	k.passing.Lock()
	defer k.passing.Unlock()
	for pause := gateFirst; ; pause = min(2*pause, gateCap) {
		if _, _, open := k.peek(); open {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		report := k.gate.Pass(ctx, k.depth())
		if err := ctx.Err(); err != nil {
			return err
		}
		if k.note(&report) {
			return nil
		}
		if err := k.final(); err != nil {
			k.onResult(report, true)
			return err
		}
		k.onResult(report, false)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-k.nudged:
		case <-time.After(pause):
		}
	}
}

// depth is how much a pass asks: everything at first, afterwards what an answer may have put in doubt.
func (k *gatekeeper) depth() gate.Depth {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gen == 0 {
		return gate.Full
	}
	return gate.Quick
}

// note keeps a report: it opens the gate, or shuts it.
func (k *gatekeeper) note(report *gate.Report) (passed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.report = report
	if report.Passed {
		k.gen++
		k.open, k.with, k.trouble = true, k.sender(), time.Time{}
		k.refusal, k.refused = nil, time.Time{}
		k.onResult(*report, false)
		return true
	}
	k.close()
	k.bad = k.gen
	now := k.now()
	if k.trouble.IsZero() {
		k.trouble = now
	}
	if !report.Undecided {
		if k.refusal = report; k.refused.IsZero() {
			k.refused = now
		}
	}
	return false
}

// close shuts the gate; called with the lock held.
func (k *gatekeeper) close() {
	if !k.open {
		return
	}
	k.open = false
	select {
	case k.shut <- struct{}{}:
	default:
	}
}

// final is why a gate that is not passed is the end, or nil. What the machine lacks never is. Once it was passed,
// silence is not: it says nothing against the key, and a network that is down comes back. But it doesn't mend a fault either: from the first word
// against the key on, patience runs until the gate is passed. An upload, which somebody waits for, ends when silence
// has lasted as long.
func (k *gatekeeper) final() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	switch {
	case k.rules.wait:
	case k.gen == 0 && !k.report.Lacking:
		return &GateError{Report: *k.report}
	case k.refusal != nil && now.Sub(k.refused) >= k.rules.most:
		return &GateError{Report: *k.refusal}
	case k.rules.once && now.Sub(k.trouble) >= k.rules.most:
		return &AwayError{For: now.Sub(k.trouble)}
	}
	return nil
}

// doubt shuts the gate because an answer to a request of this generation tells of the credentials. A newer pass has
// answered the doubt already.
func (k *gatekeeper) doubt(gen uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gen == gen {
		k.close()
	}
}

// blamed says that the gate was not passed after this generation: what was denied in it may be the key's fault.
func (k *gatekeeper) blamed(gen uint64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return gen != 0 && gen <= k.bad
}

// gateState is how the gate stands.
type gateState struct {
	open   bool
	report *gate.Report // the last, or nil
	since  time.Time    // when it could not be passed first; zero while nothing speaks against it
	until  time.Time    // when the agent gives up if that lasts; zero for never
}

func (k *gatekeeper) state() gateState {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := gateState{open: k.open, report: k.report, since: k.trouble}
	if !k.rules.wait && !k.refused.IsZero() {
		s.until = k.refused.Add(k.rules.most)
	}
	return s
}

// recheck passes the gate again now, because the credentials changed or it is time. While it is shut, whoever waits at
// it tries again at once; if nobody waits, nothing is asked.
func (k *gatekeeper) recheck(ctx context.Context, depth gate.Depth) {
	if _, _, open := k.peek(); !open {
		select {
		case k.nudged <- struct{}{}:
		default:
		}
		return
	}
	k.passing.Lock()
	defer k.passing.Unlock()
	if _, _, open := k.peek(); !open {
		return
	}
	report := k.gate.Pass(ctx, depth)
	if ctx.Err() != nil {
		return
	}
	if !k.note(&report) { // from now on it is waited for, by who keeps it
		k.onResult(report, false)
	}
	k.onOpen()
}
