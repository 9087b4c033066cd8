package courier

import (
	"cmp"
	"context"
	"errors"

	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/outbox"
	"buzon/agent/internal/send/receipt"
)

// settleAll settles files whose receipt is durable: first those that an earlier process left, then what comes.
func (c *Courier) settleAll(ctx context.Context) error {
	err := eachEntry(c.Journal.Unsettled, func(e *journal.Entry) error {
		if b := c.route[e.Route]; b != nil {
			c.settle(&task{e: e, box: b})
		}
		return ctx.Err()
	})
	if err != nil && !ended(err) {
		c.stopWith(err)
	}
	for t := range c.toSettle {
		c.settle(t)
	}
	return nil
}

// settleAgain takes up what could not be settled before: somebody had the file open, or the target was away.
func (c *Courier) settleAgain(ctx context.Context, b *box) error {
	if c.tally.settleFailed.Swap(0) == 0 {
		return nil
	}
	return eachEntry(c.Journal.Unsettled, func(e *journal.Entry) error {
		if e.Route != b.id {
			c.tally.settleFailed.Add(1) // it waits for its own outbox's rescan
			return nil
		}
		select {
		case c.toSettle <- &task{e: e, box: b}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// settle does to the local file what its outbox says. A file that changed, that is gone already, or whose receipt is
// only inferred stays as it is: the entry is settled all the same.
func (c *Courier) settle(t *task) {
	e := t.e
	was := fileOf(e)
	err := c.takeAway(t, was)
	if errors.Is(err, outbox.ErrTouched) { // its bytes may be others under its old times
		if was, err = c.readAgain(t); err == nil {
			err = c.takeAway(t, was)
		}
	}
	switch {
	case err == nil, t.box.missing(err):
	case errors.Is(err, outbox.ErrChanged):
		t.box.again.add(e.Path, c.Now())
	default: // it is sent; that it can't be taken away is worth a warning at every rescan, until it can
		c.Log.Warn("file can't be settled", "outbox", t.box.Path, "path", e.Path, "error", err)
		t.box.settled(e.Path, c.Now(), err)
		c.tally.settleFailed.Add(1)
		return
	}
	t.box.settled(e.Path, c.Now(), nil)
	c.Failpoint("courier.settled-file")
	e.State = journal.Settled
	t.saving = savingSettled
	c.Journal.SaveSoon(e, false, c.commits, t)
}

// takeAway deletes or moves a file as it was, where it may be.
func (c *Courier) takeAway(t *task, was outbox.File) error {
	e := t.e
	switch {
	case e.Proof.Evidence == receipt.Inferred && (!t.box.tmpl.Proof || e.Suffixed):
	case t.box.Settle == Delete:
		return t.box.folder.Remove(was.Rel, was)
	case t.box.Settle == Move:
		return t.box.folder.Move(was.Rel, was, t.box.MoveTo)
	}
	return nil
}

// readAgain reads a file of which only the change time is another. With the bytes that were sent it is what it was, and
// is returned as it is now. With others it is another version, which is accepted here: by its size and its times no scan
// can tell it from the one that was sent. The error is then [outbox.ErrChanged].
func (c *Courier) readAgain(t *task) (outbox.File, error) {
	e := t.e
	file, now, err := t.box.open(e.Path)
	if err != nil {
		return now, err
	}
	defer file.Close() //nolint:errcheck // read only
	if !identityOf(now).Same(e.Identity) {
		return now, outbox.ErrChanged
	}
	sum, err := sumCRC(file, e.Size)
	if err == nil {
		err = outbox.Same(file, now)
	}
	if err != nil || sum == e.Proof.CRC64 {
		return now, err
	}
	if whole, _, err := t.box.complete(now, c.Now()); !whole {
		return now, cmp.Or(err, outbox.ErrWriter)
	}
	c.Log.Info("file has other bytes under its old times, and is sent as another version", "outbox", t.box.Path, "path", e.Path)
	next := &journal.Entry{State: journal.Pending, Route: e.Route, Path: e.Path, Identity: identityOf(now), Added: c.Now().UnixNano()}
	if err := c.Journal.Add([]*journal.Entry{next}); err != nil {
		return now, err
	}
	c.flight.wake()
	return now, outbox.ErrChanged
}
