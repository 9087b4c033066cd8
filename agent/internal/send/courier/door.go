package courier

import (
	"context"
	"errors"
	"sync"
	"time"

	"buzon/agent/internal/send/gate"
)

// Between two passes of a gate that is shut: doubling up to the cap.
const (
	doorFirst = 2 * time.Second
	doorCap   = time.Minute
)

// door is the courier's side of the gate: nothing is sent but through it. It is passed when the first file waits (a
// courier that runs passes it at the start, so that a wrong key is told before there is a file), and again whenever
// an answer puts the credentials in doubt; meanwhile everybody waits.
type door struct {
	c *Courier

	pass   sync.Mutex    // one pass at a time
	nudged chan struct{} // a pause between two passes ends early
	shut   chan struct{} // it was shut after it had been open

	mu      sync.Mutex
	gen     uint64 // of the pass that opened it; 0 before the first, and then patience counts
	open    bool
	sender  Sender
	report  *gate.Report
	trouble time.Time       // since when it can't be passed
	refusal *gate.Report    // the last that spoke against the key, and not of silence alone
	refused time.Time       // when the first did since the gate was passed last
	bad     map[uint64]bool // generations after which the gate was not passed at once
}

func newDoor(c *Courier) *door {
	return &door{c: c, bad: map[uint64]bool{}, nudged: make(chan struct{}, 1), shut: make(chan struct{}, 1)}
}

// peek returns the sender if the door is open.
func (d *door) peek() (Sender, uint64, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sender, d.gen, d.open
}

// keep passes the gate at the start and whenever the door was shut, though no file may wait.
func (d *door) keep(ctx context.Context) {
	for {
		if err := d.wait(ctx); err != nil {
			if !ended(err) {
				d.c.stopWith(err)
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-d.shut:
		}
	}
}

// wait returns when the door is open, passing the gate if need be. Its error ends everything: the gate was not passed
// and is not to be waited for, or the context ended.
func (d *door) wait(ctx context.Context) error {
	if _, _, open := d.peek(); open {
		return nil
	}
	d.pass.Lock()
	defer d.pass.Unlock()
	for pause := doorFirst; ; pause = min(2*pause, doorCap) {
		if _, _, open := d.peek(); open {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		report := d.c.Gate.Pass(ctx, d.depth())
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.note(&report) {
			return nil
		}
		if err := d.final(); err != nil {
			d.c.Gated(report, true)
			return err
		}
		d.c.Gated(report, false)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.nudged:
		case <-time.After(pause):
		}
	}
}

// depth is how much a pass asks: everything at first, afterwards what an answer may have put in doubt.
func (d *door) depth() gate.Depth {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gen == 0 {
		return gate.Full
	}
	return gate.Quick
}

// note keeps a report: it opens the door, or shuts it.
func (d *door) note(report *gate.Report) (passed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.report = report
	if report.Passed {
		d.gen++
		d.open, d.sender, d.trouble = true, d.c.Sender(), time.Time{}
		d.refusal, d.refused = nil, time.Time{}
		d.c.Gated(*report, false)
		return true
	}
	d.close()
	d.bad[d.gen] = true
	now := d.c.Now()
	if d.trouble.IsZero() {
		d.trouble = now
	}
	if !report.Undecided {
		if d.refusal = report; d.refused.IsZero() {
			d.refused = now
		}
	}
	return false
}

// close shuts the door; called with the lock held.
func (d *door) close() {
	if !d.open {
		return
	}
	d.open = false
	select {
	case d.shut <- struct{}{}:
	default:
	}
}

// final is why a gate that is not passed is the end, or nil. Once it was passed, silence is not: it says nothing
// against the key, and a network that is down comes back. But it doesn't mend a fault either: from the first word
// against the key on, patience runs until the gate is passed. An upload, which somebody waits for, ends when silence
// has lasted as long.
func (d *door) final() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.c.Now()
	switch {
	case d.c.set.Wait:
	case d.gen == 0:
		return &GateError{Report: *d.report}
	case d.refusal != nil && now.Sub(d.refused) >= d.c.set.Patience:
		return &GateError{Report: *d.refusal}
	case d.c.once && now.Sub(d.trouble) >= d.c.set.Patience:
		return &AwayError{For: now.Sub(d.trouble)}
	}
	return nil
}

// blamed says that the gate was not passed after this generation: what was denied in it was the key's fault.
func (d *door) blamed(gen uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bad[gen]
}

// doubt shuts the door because an answer to a request of this generation tells of the credentials. A newer pass has
// answered the doubt already.
func (d *door) doubt(gen uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gen == gen {
		d.close()
	}
}

// status is what the gate said last, or nil.
func (d *door) status() (open bool, report *gate.Report, since time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open, d.report, d.trouble
}

// Recheck passes the gate again now, because the credentials changed or it is time. While the door is shut, whoever
// waits at it tries again at once; if nobody waits, nothing is asked.
func (c *Courier) Recheck(ctx context.Context, depth gate.Depth) {
	d := c.door
	if _, _, open := d.peek(); !open {
		select {
		case d.nudged <- struct{}{}:
		default:
		}
		return
	}
	d.pass.Lock()
	defer d.pass.Unlock()
	if _, _, open := d.peek(); !open {
		return
	}
	report := c.Gate.Pass(ctx, depth)
	if ctx.Err() != nil {
		return
	}
	if !d.note(&report) { // from now on it is waited for, by who keeps it
		c.Gated(report, false)
	}
	c.hand.wake()
}

// ended says that err only tells that the context ended.
func ended(err error) bool {
	return errors.Is(err, context.Canceled)
}
