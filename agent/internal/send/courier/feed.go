package courier

import (
	"context"
	"sync"
	"time"

	"buzon/agent/internal/send/journal"
)

// readAhead is how many entries are taken from the journal at once, at most.
const readAhead = 256

// target is how many entries are to be in hand: those being sent, and more whose attempt is durable, so that no worker
// waits for the disk and one sync serves many. The more there are, the more a crash leaves in doubt.
func (c *Courier) target() int { return 2*c.pace.size() + 240 }

// feed takes what is pending from the journal, in order and in bounded batches, and begins it. With once it returns
// when nothing is left.
func (c *Courier) feed(ctx context.Context, once bool) error {
	var place uint64
	var batch []*item
	for {
		room, err := c.hand.room(ctx, c.target)
		if err != nil {
			return err
		}
		if c.rewind.Swap(false) {
			place = 0
		}
		seen := c.hand.seen()
		all := c.scanned.Load()       // before reading: what is added later is read later
		replaced := c.replaced.Load() // likewise: what is replaced later is noticed
		list, err := c.Journal.Unsent(place, min(room, readAhead))
		if err != nil {
			return err
		}
		if len(list) == 0 {
			if once && all && c.looking.Load() == 0 && !c.rewind.Load() && c.hand.count() == 0 {
				return nil
			}
			if err := c.hand.more(ctx, seen); err != nil {
				return err
			}
			continue
		}
		batch = batch[:0]
		for _, e := range list {
			place = e.Seq
			if it := c.pick(e); it != nil {
				batch = append(batch, it)
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

// still reads items again of which a scan may have replaced or forgotten the entry between reading and taking it.
func (c *Courier) still(batch []*item) ([]*item, error) {
	kept := batch[:0]
	for _, it := range batch {
		e, err := c.Journal.Get(it.e.Seq)
		if err != nil {
			return nil, err
		}
		if e == nil || e.State != journal.Pending && e.State != journal.Sending {
			c.hand.drop(it)
			continue
		}
		it.e = e
		c.recover(it)
		kept = append(kept, it)
	}
	return kept, nil
}

// pick takes an entry in hand if it is one of ours.
func (c *Courier) pick(e *journal.Entry) *item {
	b := c.route[e.Route]
	if b == nil || (b.Only != nil && !b.Only(e.Path)) {
		return nil
	}
	it := &item{e: e, box: b}
	if !c.hand.take(it) {
		return nil
	}
	c.recover(it)
	return it
}

// recover takes up an entry that was being sent when a process died: its request may have reached the server.
func (c *Courier) recover(it *item) {
	e := it.e
	if e.Attempting {
		e.Attempting, e.OutcomeUnknown = false, true
	}
	if e.PreconditionFailed && !e.Suffixed && c.set.OnConflict == Suffix {
		it.suffix = true
	}
}

// begin makes the intents of items durable, in one commit, and hands them to the workers. What needs its content
// read for its key is begun by its worker.
func (c *Courier) begin(ctx context.Context, items []*item) error {
	if err := c.door.wait(ctx); err != nil {
		c.putAside(items)
		return err
	}
	named := make([]*item, 0, len(items))
	var claims []journal.Claim
	for _, it := range items {
		if it.suffix && c.held(it) || !c.name(it) {
			continue
		}
		named = append(named, it)
		if c.firstAt(it) {
			claims = append(claims, journal.Claim{Key: it.e.Key, Seq: it.e.Seq})
		}
	}
	taken, err := c.Journal.KeyInUse(c.set.Bucket, claims...)
	if err != nil {
		c.putAside(named)
		return err
	}
	changes := make([]journal.Change, 0, len(named))
	for _, it := range named {
		if c.firstAt(it) {
			// An older version of the file stands there, or may; or another file is on its way there.
			it.suffix = taken[0] || !c.hand.claim(it, it.e.Key)
			taken = taken[1:]
		}
		if it.e.Key == "" || it.suffix { // its worker begins it
			c.ready <- it
			continue
		}
		c.hand.claim(it, it.e.Key)
		c.attempt(it.e)
		changes = append(changes, journal.Change{Entry: it.e, Done: func(err error) {
			if err != nil {
				c.stopWith(err)
				c.hand.drop(it)
				return
			}
			it.begun = true
			c.ready <- it // has room for all that may be in hand
			c.hand.began()
		}})
	}
	if len(changes) > 0 {
		c.Journal.SaveAll(changes)
	}
	return nil
}

// name gives an item its key where that needs no reading. It is false for a name that can't be sent.
func (c *Courier) name(it *item) bool {
	if it.e.Key != "" || it.suffix || it.box.tmpl.Content {
		return true
	}
	key, err := it.box.tmpl.Key(c.set.Prefix, c.source(it))
	if err != nil {
		c.quarantine(it, nameReason(err), "")
		return false
	}
	it.e.Key = key
	return true
}

// firstAt says that an item was never sent to its key, and gives way to who is there.
func (c *Courier) firstAt(it *item) bool {
	e := it.e
	return e.Key != "" && !it.suffix && !it.box.tmpl.Content && c.set.OnConflict == Suffix && !e.Suffixed && !e.OutcomeUnknown && !e.PreconditionFailed
}

// attempt counts an attempt that is about to leave. That a request which creates the object may be about is said
// here for a single one, and by the ledger before the Complete of a multipart upload.
func (c *Courier) attempt(e *journal.Entry) {
	e.State = journal.Sending
	e.Attempts++
	sender, _, _ := c.door.peek()
	e.Attempting = e.Multipart == nil && (sender == nil || sender.PartSize(e.Size) == 0)
	if e.Multipart != nil && e.Multipart.Completing {
		e.Attempting = true
	}
}

func (c *Courier) source(it *item) Source {
	return Source{Rel: it.e.Path, MTime: it.e.At(), Host: c.set.Host, Outbox: it.box.name}
}

// Limits of how long a conflict of a young journal waits to see whether it is one of many.
const (
	holdPoll = 100 * time.Millisecond
	holdMost = 10 * time.Second
)

// held keeps a conflict of a young journal back while it is not known whether it is one of many: a journal that lost
// its memory must not send its first files again under other names.
func (c *Courier) held(it *item) bool {
	n := c.Journal.Counts()
	now := c.Now()
	first := it.e.Conflict && it.e.PreconditionFailed && n.Decided < journal.GuardFiles && now.Sub(n.Created) < guardAge
	if !first || now.UnixNano()-it.e.Reason.At > int64(holdMost) || c.hand.onlyParked(it) {
		c.hand.park(it, false)
		return false
	}
	c.hand.park(it, true)
	c.hand.later(it, now.Add(holdPoll))
	return true
}

// retryAll begins again what waited for its next try.
func (c *Courier) retryAll(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var batch []*item
	for {
		var wait time.Duration
		batch, wait = c.hand.due(c.Now(), batch)
		if len(batch) > 0 {
			if err := c.begin(ctx, batch); err != nil {
				if !ended(err) {
					c.stopWith(err)
				}
				return
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-c.hand.soon:
		case <-timer.C:
		}
	}
}

// dispatch hands what is ready to workers, as many at once as the pace allows.
func (c *Courier) dispatch(ctx, sending context.Context) {
	workers := 0
	for {
		// First a place, then a file: while all places are taken, the workers pass them on among themselves.
		if c.pace.await(ctx) != nil {
			close(c.work)
			return
		}
		var it *item
		select {
		case <-ctx.Done():
			close(c.work)
			return
		case it = <-c.ready:
		}
		if c.pace.take(ctx) != nil {
			c.ready <- it // for putBack
			close(c.work)
			return
		}
		select {
		case c.work <- it:
		default:
			if workers < max(mostTransfers, c.set.Transfers) {
				workers++
				c.crew.Go(func() { c.labour(ctx, sending, it) })
				continue
			}
			c.work <- it // one of them is about to be free
		}
	}
}

// labour is one worker.
func (c *Courier) labour(ctx, sending context.Context, it *item) {
	for ok := true; ok; it, ok = <-c.work {
		for ; it != nil; it = c.next(ctx) {
			c.carry(sending, it)
		}
		c.pace.release()
	}
}

// next is what a worker goes on with in its own place, or nil.
func (c *Courier) next(ctx context.Context) *item {
	if ctx.Err() != nil || !c.pace.keep() {
		return nil
	}
	select {
	case it := <-c.ready:
		return it
	default:
		return nil
	}
}

// putAside lets go of items that were not begun; they stay pending in the journal.
func (c *Courier) putAside(items []*item) {
	for _, it := range items {
		c.hand.drop(it)
	}
}

// putBack returns what was begun and did not leave, so that the next start knows that no request of it is about. It
// is called when nobody takes from ready any more, and returns when nothing is in hand.
func (c *Courier) putBack() {
	var tell sync.Once // one reason for all
	for seen := c.hand.seen(); c.hand.count() > 0; seen = c.hand.seen() {
		list := c.hand.drain()
		for more := true; more; {
			select {
			case it := <-c.ready:
				list = append(list, it)
			default:
				more = false
			}
		}
		var changes []journal.Change
		for _, it := range list {
			if !it.begun {
				c.hand.drop(it)
				continue
			}
			unbegin(it)
			changes = append(changes, journal.Change{Entry: it.e, Done: func(err error) {
				if err != nil {
					tell.Do(func() {
						c.Log.Error("what was begun can't be put back; the next start finds it in doubt", "error", err)
					})
				}
				c.hand.drop(it)
			}})
		}
		c.Journal.SaveAll(changes)
		if len(list) == 0 { // a commit is under way and will hand its items over
			_ = c.hand.more(context.Background(), seen)
		}
	}
}

// unbegin takes back an attempt that did not leave.
func unbegin(it *item) {
	it.begun = false
	it.e.Attempting = false
	it.e.Attempts--
	if it.e.Attempts == 0 {
		it.e.State = journal.Pending
	}
}
