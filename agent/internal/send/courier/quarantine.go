package courier

import (
	"context"
	"errors"

	"buzon/agent/internal/send/journal"
)

// eachEntry visits the entries of a list of the journal, a batch at a time, in the order in which they were accepted. It
// ends with the first error.
func eachEntry(list func(after uint64, n int) ([]*journal.Entry, error), visit func(*journal.Entry) error) error {
	for place := uint64(0); ; {
		batch, err := list(place, readAhead)
		if err != nil || len(batch) == 0 {
			return err
		}
		for _, e := range batch {
			place = e.Seq
			if err := visit(e); err != nil {
				return err
			}
		}
	}
}

// EachQuarantined calls each for every file in quarantine, in the order in which they were accepted. It ends with
// each's first error.
func EachQuarantined(j *journal.Journal, each func(Aside) error) error {
	return eachEntry(j.Quarantine, func(e *journal.Entry) error { return each(asideOf(j, e)) })
}

// recheckQuarantine takes what could not be read out of quarantine where it can be read now, and forgets what was in quarantine
// and has left the outbox: somebody dealt with it.
func (c *Courier) recheckQuarantine(ctx context.Context, b *box) error {
	return eachEntry(c.Journal.Quarantine, func(e *journal.Entry) error {
		if e.Route != b.id {
			return ctx.Err()
		}
		return errors.Join(c.recheck(b, e), ctx.Err())
	})
}

func (c *Courier) recheck(b *box, e *journal.Entry) error {
	_, err := b.look(e.Path)
	if b.missing(err) {
		c.Log.Info("file in quarantine is gone", "outbox", b.Path, "path", e.Path, "reason", e.Reason.Code)
		return c.discard(e)
	}
	if err != nil || !healsItself(e) {
		return nil //nolint:nilerr // it can't be looked at now: the next scan finds out
	}
	f, _, err := b.open(e.Path)
	if err != nil {
		return nil //nolint:nilerr // it still can't be read
	}
	_ = f.Close()                            // read only
	return c.inQuarantine(e, c.unquarantine) // an upload counts it when its walk meets it
}

// discard forgets a quarantined entry whose file is gone.
func (c *Courier) discard(e *journal.Entry) error {
	return c.inQuarantine(e, func(e *journal.Entry) error {
		err := c.Journal.Forget(e)
		c.replaced.Add(1)
		return err
	})
}

// unquarantine takes an entry out of quarantine.
func (c *Courier) unquarantine(e *journal.Entry) error {
	if err := unquarantine(c.Journal, e); err != nil {
		return err
	}
	c.rescanFrom0.Store(true)
	c.flight.wake()
	return nil
}

// inQuarantine does something with an entry that was read from the quarantine, as it stands there now and while nobody
// else has it in hand; nothing if it was released or replaced meanwhile.
func (c *Courier) inQuarantine(e *journal.Entry, do func(*journal.Entry) error) error {
	hold := &task{e: e}
	if !c.flight.take(hold) {
		return nil
	}
	defer c.flight.drop(hold)
	now, err := c.Journal.Get(e.Seq)
	if err != nil || now == nil || now.State != journal.Quarantined {
		return err
	}
	return do(now)
}
