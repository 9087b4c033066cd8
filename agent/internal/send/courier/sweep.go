package courier

import (
	"context"
	"time"

	"buzon/agent/internal/send/journal"
)

// sweepEvery is how often receipts that are past their time are looked for; sweepPause rests between batches.
const (
	sweepEvery = 24 * time.Hour
	sweepPause = 50 * time.Millisecond
)

// sweepAll forgets, once a day, what [Courier.Sweep] may forget.
func (c *Courier) sweepAll(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(sweepEvery):
		}
		if n, err := c.Sweep(ctx); err != nil {
			return err
		} else if n > 0 {
			c.Log.Info("receipts past their time are forgotten", "count", n)
		}
	}
}

// Sweep forgets the receipts that are older than the configuration retains and whose file has left its outbox, and
// which keys were ambiguous as long ago. It returns how many receipts.
func (c *Courier) Sweep(ctx context.Context) (int, error) {
	limit := c.Now().Add(-c.set.Retain).UnixNano()
	n := 0
	if _, err := c.Journal.ExpireAmbiguousKeys(time.Unix(0, limit)); err != nil {
		return n, err
	}
	for place := uint64(0); ; {
		list, err := c.Journal.Entries(place, readAhead)
		if err != nil || len(list) == 0 {
			return n, err
		}
		for _, e := range list {
			place = e.Seq
			if e.State != journal.Settled || e.Proof.SentAt > limit || c.stands(e) {
				continue
			}
			if err := c.Journal.Forget(e); err != nil {
				return n, err
			}
			n++
		}
		select {
		case <-ctx.Done():
			return n, ctx.Err()
		case <-time.After(sweepPause):
		}
	}
}

// stands says whether the very file of an entry is still in its outbox, or can't be looked for.
func (c *Courier) stands(e *journal.Entry) bool {
	if e.Route == journal.Imported {
		return false
	}
	b := c.route[e.Route]
	if b == nil {
		return true
	}
	f, err := b.look(e.Path)
	if err != nil {
		return !b.missing(err)
	}
	return identityOf(f).SameVersion(e.Identity)
}
