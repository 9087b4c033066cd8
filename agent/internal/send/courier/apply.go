package courier

import (
	"context"
	"errors"
	"time"

	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/outbox"
)

// decide asks [next] what follows an outcome, and does it. For goOn and proveOwn there is nothing to do but what the
// caller does then.
func (c *Courier) decide(t *task, o outcome, gen uint64) action {
	if o.result == broken {
		c.flight.drop(t)
		return action{step: stop}
	}
	o.unsent = t.begun
	e, a := next(*t.e, o, c.situation(t, o))
	*t.e, t.unsure, t.denied = e, a.unsure, gen
	t.begun = t.begun && a.step == goOn
	if a.doubt {
		c.gate.doubt(gen)
	}
	c.pace.signal(a.signal, a.least)
	c.apply(t, o, a)
	return a
}

// situation is what the rest of the agent says of a task that had this outcome.
func (c *Courier) situation(t *task, o outcome) situation {
	s := situation{
		conflict: c.set.OnConflict, tries: c.set.Tries, settles: t.box.Settle != Keep, content: t.box.tmpl.Proof, once: c.once,
		row: t.failures + 1, throttled: t.throttles, unsure: t.unsure,
	}
	first := o.result == failed && t.failing.IsZero()
	if first {
		t.failing = t.started
	}
	if o.result == failed || o.result == denialStands {
		s.others, s.alone = c.tally.blame(t.e.Seq, t.failing, first)
		s.gate = c.gate.blamed(t.denied)
	}
	if c.once {
		away := c.pace.away()
		s.away, s.lost = away > 0, away > 0 && away >= c.set.Patience
	}
	return s
}

// apply does what was decided.
func (c *Courier) apply(t *task, o outcome, a action) {
	e := t.e
	switch a.step {
	case goOn, proveOwn: // the caller's
	case record:
		if o.result == stored {
			c.tally.succeeded(c.Now())
		}
		t.saving = savingReceipt
		c.Journal.SaveSoon(e, e.State == journal.Sent, c.commits, t)
	case retryAt:
		c.failing(t, o, a)
		if o.result == failed {
			c.Meter.Retry(o.class.String())
		}
		c.wait(t, c.Now().Add(backoff(t.failures, a.least)))
	case waitGate, beginAnew:
		c.wait(t, c.Now())
	case suffix:
		t.toSuffix, t.failures, t.throttles, t.failing = true, 0, 0, time.Time{}
		if c.save(t) {
			c.flight.schedule(t, c.Now())
		}
		c.guarded()
	case quarantine:
		c.Log.Warn("file is in quarantine", "outbox", t.box.Path, "path", e.Path, "reason", e.Reason.Code)
		if err := c.Journal.Save(e); err != nil {
			c.stopWith(err)
		}
		c.ended(e, Quarantined)
		c.tally.fail(Failed{Path: t.box.path(e.Path), Reason: ReasonCode(e.Reason.Code), Detail: e.Reason.Detail})
		c.release(t)
		c.guarded()
	case forget:
		c.Log.Warn("file is gone before it was sent", "outbox", t.box.Path, "path", e.Path, "maybe_sent", e.OutcomeUnknown)
		c.forget(t, Gone)
	case lookAgain:
		c.changed(t)
	case giveUp:
		c.leave(t)
	case stop:
		c.stopWith(&AwayError{For: c.pace.away()})
		c.wait(t, c.Now())
	}
}

// failing notes another failure in a row.
func (c *Courier) failing(t *task, o outcome, a action) {
	if t.failures++; t.failing.IsZero() {
		t.failing = c.Now()
	}
	if a.signal == slowDown {
		t.throttles++
	}
	t.because, t.detail = a.because, o.reason.Detail
	if t.detail == "" && o.result == failed {
		t.detail = o.class.String()
	}
}

// wait lets a task wait for its next try.
func (c *Courier) wait(t *task, due time.Time) {
	t.saving, t.due = savingWait, due
	c.Journal.SaveSoon(t.e, false, c.commits, t)
}

// save makes a task's entry durable; without it the agent ends and the task is let go of.
func (c *Courier) save(t *task) bool {
	if err := c.Journal.Save(t.e); err != nil {
		c.stopWith(err)
		c.flight.drop(t)
		return false
	}
	return true
}

// guarded ends the agent where the conflicts say that the journal has lost its memory.
func (c *Courier) guarded() {
	if err := c.conflictGuard(); err != nil {
		c.stopWith(err)
	}
}

// leave ends an upload's efforts for one file, which stays pending.
func (c *Courier) leave(t *task) {
	e := t.e
	if e.Reason.Code == "" {
		e.Reason = c.reason(Unanswered, c.tally.lastCode())
	}
	c.tally.fail(Failed{Path: t.box.path(e.Path), Reason: ReasonCode(e.Reason.Code), Detail: e.Reason.Detail})
	if c.save(t) {
		c.flight.leave(t)
	}
}

// mostChanges is how often an upload begins a file anew that changes whenever it is sent.
const mostChanges = 3

// changed forgets an entry whose file is another version now, and has the file looked at again.
func (c *Courier) changed(t *task) {
	c.Log.Info("file changed before it was sent", "outbox", t.box.Path, "path", t.e.Path)
	t.dirty = true
	c.rechecks.Add(1) // an upload doesn't end before the new version was looked at
	c.forget(t, Changed)
	if c.once {
		c.acceptChanged(t)
	}
	c.rechecks.Add(-1)
	c.flight.wake()
}

// acceptChanged accepts the new version of a file that changed during an upload, which scans only once.
func (c *Courier) acceptChanged(t *task) {
	path := t.box.path(t.e.Path)
	c.changesMu.Lock()
	c.changes[path]++
	often := c.changes[path] > mostChanges
	c.changesMu.Unlock()
	if often {
		c.tally.write(path)
		return
	}
	err := c.look(context.Background(), t.box, []string{t.e.Path})
	if errors.Is(err, outbox.ErrMachine) { // the next upload finds it
		c.tally.write(path)
	} else if err != nil {
		c.stopWith(err)
	}
}

// forget lets the journal forget an entry that was not sent; what it knows of the key stays.
func (c *Courier) forget(t *task, how Ending) {
	if err := c.Journal.Forget(t.e); err != nil {
		c.stopWith(err)
	}
	c.ended(t.e, how)
	c.release(t)
}
