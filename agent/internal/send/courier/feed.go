package courier

import (
	"context"
	"time"

	"buzon/agent/internal/send/journal"
)

// readAhead is how many entries are taken from the journal at once, at most.
const readAhead = 256

// target is how many entries are to be in flight: those being sent, and more whose attempt is durable, so that no worker
// waits for the disk and one sync serves many. The more there are, the more a crash leaves in doubt.
func (c *Courier) target() int { return 2*c.pace.size() + 240 }

// feed takes what is pending from the journal, in order and in bounded batches, and begins t. With once t returns
// when nothing is left.
func (c *Courier) feed(ctx context.Context, once bool) error {
	var place uint64
	var batch []*task
	for {
		room, err := c.flight.room(ctx, c.target)
		if err != nil {
			return err
		}
		if c.rescanFrom0.Swap(false) {
			place = 0
		}
		seen := c.flight.seen()
		all := c.scanned.Load()       // before reading: what is added later is read later
		replaced := c.replaced.Load() // likewise: what is replaced later is noticed
		list, err := c.Journal.Unsent(place, min(room, readAhead))
		if err != nil {
			return err
		}
		if len(list) == 0 {
			if once && all && c.rechecks.Load() == 0 && !c.rescanFrom0.Load() && c.flight.count() == 0 {
				return nil
			}
			if err := c.flight.await(ctx, seen); err != nil {
				return err
			}
			continue
		}
		batch = batch[:0]
		for _, e := range list {
			place = e.Seq
			if t := c.pick(e); t != nil {
				batch = append(batch, t)
			}
		}
		if c.replaced.Load() != replaced {
			if batch, err = c.still(batch); err != nil {
				return err
			}
		}
		if len(batch) == 0 {
			continue
		}
		if err := c.begin(ctx, batch); err != nil {
			return err
		}
	}
}

// still reads tasks again of which a scan may have replaced or forgotten the entry between reading and taking t.
func (c *Courier) still(batch []*task) ([]*task, error) {
	kept := batch[:0]
	for _, t := range batch {
		e, err := c.Journal.Get(t.e.Seq)
		if err != nil {
			return nil, err
		}
		if e == nil || e.State != journal.Pending && e.State != journal.Sending {
			c.flight.drop(t)
			continue
		}
		t.e = e
		c.recover(t)
		kept = append(kept, t)
	}
	return kept, nil
}

// pick takes an entry in flight if t is one of ours.
func (c *Courier) pick(e *journal.Entry) *task {
	b := c.route[e.Route]
	if b == nil || (b.Only != nil && !b.Only(e.Path)) {
		return nil
	}
	t := &task{e: e, box: b}
	if !c.flight.take(t) {
		return nil
	}
	c.recover(t)
	return t
}

// recover takes up an entry that was being sent when a process died: its request may have reached the server.
func (c *Courier) recover(t *task) {
	e := t.e
	if e.Attempting {
		e.Attempting, e.OutcomeUnknown = false, true
	}
	if e.PreconditionFailed && !e.Suffixed && c.set.OnConflict == Suffix {
		t.toSuffix = true
	}
}

// begin makes the intents of tasks durable, in one commit, and hands them to the workers. What needs its content read
// for its key is begun by its worker.
func (c *Courier) begin(ctx context.Context, tasks []*task) error {
	if err := c.gate.pass(ctx); err != nil {
		c.putAside(tasks)
		return err
	}
	named := make([]*task, 0, len(tasks))
	var claims []journal.Claim
	for _, t := range tasks {
		if t.toSuffix && c.holdsBack(t) || !c.name(t) {
			continue
		}
		named = append(named, t)
		if c.firstAt(t) {
			claims = append(claims, journal.Claim{Key: t.e.Key, Seq: t.e.Seq})
		}
	}
	taken, err := c.Journal.KeyInUse(c.set.Bucket, claims...)
	if err != nil {
		c.putAside(named)
		return err
	}
	changes := make([]journal.Change, 0, len(named))
	for _, t := range named {
		if c.firstAt(t) {
			// An older version of the file stands there, or may; or another file is on its way there.
			t.toSuffix = taken[0] || !c.flight.claim(t, t.e.Key)
			taken = taken[1:]
		}
		if t.e.Key == "" || t.toSuffix { // its worker begins t
			c.ready <- t
			continue
		}
		c.flight.claim(t, t.e.Key)
		c.attempt(t.e)
		t.saving = savingBegin
		changes = append(changes, journal.Change{Entry: t.e, Token: t})
	}
	if len(changes) > 0 {
		c.Journal.SaveAll(changes, c.commits)
	}
	return nil
}

// name gives a task its key where that needs no reading. It is false for a name that can't be sent.
func (c *Courier) name(t *task) bool {
	if t.e.Key != "" || t.toSuffix || t.box.tmpl.Content {
		return true
	}
	key, err := t.box.tmpl.Key(c.set.Prefix, c.source(t))
	if err != nil {
		c.decide(t, outcome{result: nameBad, reason: c.reason(nameReason(err), "")}, 0)
		return false
	}
	t.e.Key = key
	return true
}

// firstAt says that a task was never sent to its key, and gives way to who is there.
func (c *Courier) firstAt(t *task) bool {
	e := t.e
	return e.Key != "" && !t.toSuffix && !t.box.tmpl.Content && c.set.OnConflict == Suffix && !e.Suffixed && !e.OutcomeUnknown && !e.PreconditionFailed
}

// Limits of how long a conflict of a young journal waits to see whether t is one of many.
const (
	holdPoll = 100 * time.Millisecond
	holdMost = 10 * time.Second
)

// holdsBack keeps a conflict of a young journal back while t is not known whether t is one of many: a journal that lost
// its memory must not send its first files again under other names.
func (c *Courier) holdsBack(t *task) bool {
	n := c.Journal.Counts()
	now := c.Now()
	first := t.e.Conflict && t.e.PreconditionFailed && n.Decided < journal.GuardFiles && now.Sub(n.Created) < guardAge
	if !first || now.UnixNano()-t.e.Reason.At > int64(holdMost) || c.flight.onlyHeld(t) {
		c.flight.hold(t, false)
		return false
	}
	c.flight.hold(t, true)
	c.flight.schedule(t, now.Add(holdPoll))
	return true
}

// retryAll begins again what waited for its next try.
func (c *Courier) retryAll(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var batch []*task
	for {
		var wait time.Duration
		batch, wait = c.flight.due(c.Now(), batch)
		if len(batch) > 0 {
			if err := c.begin(ctx, batch); err != nil {
				return err
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.flight.earlier:
		case <-timer.C:
		}
	}
}

// dispatch hands what is ready to workers, as many at once as the pace allows; crew runs the workers.
func (c *Courier) dispatch(ctx, sending context.Context, crew *supervisor) error {
	defer close(c.work)
	defer c.dispatcher.begin()()
	workers := 0
	for {
		c.dispatcher.answer()
		// First a place, then a file: while all places are taken, the workers pass them on among themselves.
		if err := c.pace.await(ctx); err != nil {
			return err
		}
		var t *task
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.dispatcher.wake:
			continue
		case t = <-c.ready:
		}
		if err := c.pace.take(ctx); err != nil {
			c.ready <- t // for putBack
			return err
		}
		select {
		case c.work <- t:
		default:
			if workers < max(mostTransfers, c.set.Transfers) {
				workers++
				crew.vital(func() error {
					c.worker(ctx, sending, t)
					return nil
				})
				continue
			}
			c.work <- t // one of them is about to be free
		}
	}
}

// worker carries a task, and then whatever else there is, until there is no more work.
func (c *Courier) worker(ctx, sending context.Context, t *task) {
	for ok := true; ok; t, ok = <-c.work {
		for ; t != nil; t = c.another(ctx) {
			c.carry(sending, t)
		}
		c.pace.release()
	}
}

// another is what a worker goes on with in its own place, or nil.
func (c *Courier) another(ctx context.Context) *task {
	if ctx.Err() != nil || !c.pace.keep() {
		return nil
	}
	select {
	case t := <-c.ready:
		return t
	default:
		return nil
	}
}

// putAside lets go of tasks that were not begun; they stay pending in the journal.
func (c *Courier) putAside(tasks []*task) {
	for _, t := range tasks {
		c.flight.drop(t)
	}
}

// putBack returns what was begun and did not leave, so that the next start knows that no request of t is about. It
// is called when nobody takes from ready any more, and returns when nothing is in flight.
func (c *Courier) putBack() {
	for seen := c.flight.seen(); c.flight.count() > 0; seen = c.flight.seen() {
		list := c.flight.drain()
		for more := true; more; {
			select {
			case t := <-c.ready:
				list = append(list, t)
			default:
				more = false
			}
		}
		var changes []journal.Change
		for _, t := range list {
			if !t.begun {
				c.flight.drop(t)
				continue
			}
			revertAttempt(t.e)
			t.begun, t.saving = false, savingPutBack
			changes = append(changes, journal.Change{Entry: t.e, Token: t})
		}
		c.Journal.SaveAll(changes, c.commits)
		if len(list) == 0 { // a commit is under way and will hand its tasks over
			_ = c.flight.await(context.Background(), seen)
		}
	}
}
