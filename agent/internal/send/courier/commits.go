package courier

import (
	"context"

	"buzon/agent/internal/send/journal"
)

// takeCommits does what follows what the journal has committed, one after the other, until the context ends.
func (c *Courier) takeCommits(ctx context.Context) error {
	defer c.clerk.begin()()
	var list []journal.Commit
	for {
		c.clerk.answer()
		list = c.commits.Take(list)
		for _, one := range list {
			c.committed(one.Token.(*task), one.Err)
		}
		if len(list) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-c.commits.Ready:
		case <-c.clerk.wake:
		}
	}
}

// committed hands a task on whose entry is durable. With an error it isn't, and the agent ends.
func (c *Courier) committed(t *task, err error) {
	if err != nil {
		c.stopWith(err)
	}
	switch t.saving {
	case savingBegin:
		if err != nil {
			c.flight.drop(t)
			return
		}
		t.begun = true
		c.ready <- t
		c.flight.began()
	case savingReceipt:
		if err == nil {
			c.Failpoint("courier.sent")
			c.ended(t.e, Sent)
			if t.e.State == journal.Sent { // before it leaves the set: with none in flight a run may end, and nobody settles
				c.toSettle <- t
			}
		}
		c.release(t)
	case savingWait:
		c.flight.schedule(t, t.due)
	case savingSettled:
	case savingPutBack:
		if err != nil {
			c.Log.Error("what was begun can't be put back; the next start finds it in doubt", "error", err)
		}
		c.flight.drop(t)
	}
}

// release lets go of a task that is done with; a file that changed meanwhile is looked at again.
func (c *Courier) release(t *task) {
	path, box := t.e.Path, t.box // who settles it may write to its entry already
	if c.flight.drop(t) {
		box.again.add(path, c.Now())
	}
}
