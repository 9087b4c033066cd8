package courier

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"buzon/agent/internal/send/outbox"
)

// scanBatch is how many files are looked up, and accepted, together.
const scanBatch = 512

// presence is how often it is looked whether an outbox still stands at its path, and while it doesn't, or can't be
// read, how often it is tried again.
const presence = 5 * time.Second

// scanAll scans every outbox: once, or for as long as the courier runs.
func (c *Courier) scanAll(ctx context.Context, once bool) {
	if !once {
		for _, b := range c.boxes {
			c.crew.vital(func() error { return c.watch(ctx, b) })
			c.crew.restarting(ctx, "watching "+b.Path, func(ctx context.Context) error {
				return b.folder.Watch(ctx, func(rel string) { b.again.add(rel, c.Now()) })
			}, b.unwatched)
		}
		return
	}
	var left atomic.Int64
	left.Store(int64(len(c.boxes)))
	for _, b := range c.boxes {
		wait := func(err error) error { return c.waitForMachine(ctx, b, err) }
		b.lacks.Store(&wait)
		c.crew.vital(func() error {
			if trouble, err := c.scan(ctx, b); trouble != nil || err != nil {
				return errors.Join(err, trouble)
			}
			if left.Add(-1) == 0 {
				c.tally.scanned.Store(true)
				c.scanned.Store(true)
				c.flight.wake()
			}
			return nil
		})
	}
}

// waitForMachine lets an upload's only scan wait where the machine lacks what it takes to look: what is under way ends and
// gives back what it holds. err is nil once that is over; patience ends it.
func (c *Courier) waitForMachine(ctx context.Context, b *box, err error) error {
	since := b.troubled(c.Now(), err, c.Log)
	if err == nil {
		return nil
	}
	if c.Now().Sub(since) > c.set.Patience {
		return err
	}
	c.pace.signal(lacking, 0)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(machinePause):
		return nil
	}
}

// watch scans at the start, then whenever something hints at a change, and wholly at every rescan: the hints may be
// wrong or missing, the rescan is the truth. What is wrong with the outbox itself is noted and tried again; an error is
// the journal's.
func (c *Courier) watch(ctx context.Context, b *box) error {
	next, looked := c.Now(), c.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := c.Now()
		if now.Sub(looked) >= presence {
			looked = now
			if b.folder.Present() != nil {
				next = now
			}
		}
		if !now.Before(next) || b.again.all() {
			b.again.clear()
			trouble, err := c.scan(ctx, b)
			if err != nil {
				return err
			}
			b.scanned(c.Now(), trouble, c.Log)
			looked, next = c.Now(), c.Now().Add(c.set.Rescan)
			if trouble != nil {
				next = c.Now().Add(min(presence, c.set.Rescan))
			}
			if err := c.settleAgain(ctx, b); err != nil {
				return err
			}
		} else if list := b.again.due(now); len(list) > 0 {
			err := c.look(ctx, b, list)
			if errors.Is(err, outbox.ErrMachine) {
				b.troubled(c.Now(), err, c.Log)
				next = c.Now().Add(min(presence, c.set.Rescan)) // which looks at them again
			} else if err != nil {
				return err
			}
		}
		timer.Reset(max(time.Millisecond, min(next.Sub(c.Now()), presence, b.again.wait(c.Now()))))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-b.again.more:
		case <-timer.C:
		}
	}
}

// scan walks one outbox and accepts what is new and whole. trouble is what keeps the outbox from being read.
func (c *Courier) scan(ctx context.Context, b *box) (trouble, err error) {
	s := &classifier{c: c, b: b, once: c.once}
	if s.imports, err = c.Journal.HasImports(); err != nil {
		return nil, err
	}
	if err := c.recheckQuarantine(ctx, b); err != nil {
		return nil, err
	}
	trouble = b.walk(ctx, func(f outbox.File) error {
		s.batch = append(s.batch, f)
		if len(s.batch) == scanBatch {
			err = s.flush(ctx)
		}
		return err
	}, func(rel, why string) {
		c.tally.skip(b.path(rel), why)
	})
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = s.flush(ctx)
	}
	if errors.Is(err, outbox.ErrMachine) { // a file could not be looked at
		return err, nil
	}
	return trouble, err
}

// look looks at single paths. Its error is the journal's, or [outbox.ErrMachine].
func (c *Courier) look(ctx context.Context, b *box, rels []string) error {
	s := &classifier{c: c, b: b, once: c.once}
	has, err := c.Journal.HasImports()
	if err != nil {
		return err
	}
	s.imports = has
	for _, rel := range rels {
		f, err := b.look(rel)
		switch {
		case errors.Is(err, outbox.ErrMachine):
			return err
		case err != nil:
			continue // gone, or not a file to be sent
		}
		s.batch = append(s.batch, f)
	}
	return s.flush(ctx)
}
