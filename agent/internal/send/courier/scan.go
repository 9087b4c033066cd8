package courier

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"buzon/agent/internal/send/journal"
)

// scanBatch is how many files are looked up, and accepted, together.
const scanBatch = 512

// scanAll scans every outbox: once, or for as long as the courier runs.
func (c *Courier) scanAll(ctx context.Context, once bool) {
	var group sync.WaitGroup
	for _, b := range c.boxes {
		group.Go(func() {
			var err error
			if once {
				err = c.scan(ctx, b, true)
			} else {
				err = c.watch(ctx, b)
			}
			if err != nil && !ended(err) {
				c.stopWith(err)
			}
		})
	}
	group.Wait()
	if ctx.Err() == nil {
		c.tally.scanned.Store(true)
		c.scanned.Store(true)
		c.hand.wake()
	}
}

// watch scans at the start, then whenever something hints at a change, and wholly at every rescan: the hints may be
// wrong or missing, the rescan is the truth.
func (c *Courier) watch(ctx context.Context, b *box) error {
	hints := make(chan struct{}, 1)
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() {
		err := b.Box.Watch(ctx, func(rel string) {
			b.again.add(rel, c.Now())
			select {
			case hints <- struct{}{}:
			default:
			}
		})
		if err != nil && ctx.Err() == nil { // the rescan goes on without it
			c.Log.Warn("outbox can't be watched; only the rescan finds files", "outbox", b.Path, "error", err)
		}
	})
	next := c.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := c.Now()
		if !now.Before(next) || b.again.all() {
			b.again.clear()
			err := c.scan(ctx, b, false)
			b.note(c.Now(), err)
			if err != nil {
				if !missing(err) {
					return err
				}
				c.Log.Warn("outbox can't be read", "outbox", b.Path, "error", err)
			}
			if err := c.settleAgain(ctx, b); err != nil {
				return err
			}
			next = c.Now().Add(c.set.Rescan)
		} else if list := b.again.due(now); len(list) > 0 {
			if err := c.look(ctx, b, list); err != nil {
				return err
			}
		}
		timer.Reset(max(time.Millisecond, min(next.Sub(c.Now()), b.again.wait(c.Now()))))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-hints:
		case <-b.again.more:
		case <-timer.C:
		}
	}
}

// missing says that an outbox is not there or can't be read now; the next rescan may find it.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}

// scan walks one outbox and accepts what is new and whole.
func (c *Courier) scan(ctx context.Context, b *box, once bool) error {
	s := &sift{c: c, b: b, once: once}
	has, err := c.Journal.HasImports()
	if err != nil {
		return err
	}
	s.imports = has
	if err := c.heal(ctx, b); err != nil {
		return err
	}
	err = b.Box.Walk(ctx, func(f File) error {
		if b.Only != nil && !b.Only(f.Rel) {
			return nil
		}
		s.batch = append(s.batch, f)
		if len(s.batch) < scanBatch {
			return nil
		}
		return s.flush(ctx)
	}, func(rel, why string) {
		if b.Only == nil || b.Only(rel) {
			c.tally.skip(b.Path+"/"+rel, why)
		}
	})
	if err != nil {
		return err
	}
	return s.flush(ctx)
}

// look looks at single paths.
func (c *Courier) look(ctx context.Context, b *box, rels []string) error {
	s := &sift{c: c, b: b, once: c.once}
	has, err := c.Journal.HasImports()
	if err != nil {
		return err
	}
	s.imports = has
	for _, rel := range rels {
		f, err := b.Box.Look(rel)
		if err != nil {
			continue // gone, or not a file to be sent
		}
		s.batch = append(s.batch, f)
	}
	return s.flush(ctx)
}

// heal takes what could not be read out of quarantine where it can be read now, and forgets what was in quarantine
// and has left the outbox: somebody dealt with it.
func (c *Courier) heal(ctx context.Context, b *box) error {
	for place := uint64(0); ctx.Err() == nil; {
		list, err := c.Journal.Quarantine(place, readAhead)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, e := range list {
			place = e.Seq
			if e.Route != b.id {
				continue
			}
			if err := c.healOne(b, e); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

func (c *Courier) healOne(b *box, e *journal.Entry) error {
	_, err := b.Box.Look(e.Path)
	if errors.Is(err, fs.ErrNotExist) {
		c.Log.Info("file in quarantine is gone", "outbox", b.Path, "path", e.Path, "reason", e.Reason.Code)
		return c.discard(e)
	}
	if err != nil || !healsItself(e) {
		return nil //nolint:nilerr // it can't be looked at now: the next scan finds out
	}
	f, _, err := b.Box.Open(e.Path)
	if err != nil {
		return nil //nolint:nilerr // it still can't be read
	}
	_ = f.Close() // read only
	return c.inQuarantine(e, func(e *journal.Entry) error {
		c.tally.accepted.Add(1)
		c.tally.acceptedBytes.Add(e.Size)
		return c.release(e)
	})
}

// discard forgets a quarantined entry whose file is gone.
func (c *Courier) discard(e *journal.Entry) error {
	return c.inQuarantine(e, func(e *journal.Entry) error {
		err := c.Journal.Forget(e)
		c.replaced.Add(1)
		return err
	})
}

// release takes an entry out of quarantine.
func (c *Courier) release(e *journal.Entry) error {
	if err := release(c.Journal, e); err != nil {
		return err
	}
	c.rewind.Store(true)
	c.hand.wake()
	return nil
}

// inQuarantine does something with an entry that was read from the quarantine, as it stands there now and while nobody
// else has it in hand; nothing if it was released or replaced meanwhile.
func (c *Courier) inQuarantine(e *journal.Entry, do func(*journal.Entry) error) error {
	hold := &item{e: e}
	if !c.hand.take(hold) {
		return nil
	}
	defer c.hand.drop(hold)
	now, err := c.Journal.Get(e.Seq)
	if err != nil || now == nil || now.State != journal.Quarantined {
		return err
	}
	return do(now)
}

// sift looks files up in the journal, a batch at a time, and accepts what is new and whole.
type sift struct {
	c       *Courier
	b       *box
	once    bool
	imports bool
	batch   []File
	rels    []string
	marks   []journal.Mark
	fresh   []*journal.Entry
}

func (s *sift) flush(ctx context.Context) error {
	if len(s.batch) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.rels = s.rels[:0]
	for _, f := range s.batch {
		s.rels = append(s.rels, f.Rel)
	}
	var err error
	if s.marks, err = s.c.Journal.Marks(s.b.id, s.rels, s.marks); err != nil {
		return err
	}
	t := &s.c.tally
	for i, f := range s.batch {
		t.found.Add(1)
		t.foundBytes.Add(f.Size)
		if err := s.one(f, s.marks[i]); err != nil {
			return err
		}
	}
	s.batch = s.batch[:0]
	return s.accept()
}

// one decides about one file by what the journal says of its path.
func (s *sift) one(f File, m journal.Mark) error {
	c := s.c
	if m.Seq == 0 {
		if s.imports {
			if done, err := s.adopt(f); done || err != nil {
				return err
			}
		}
		return s.offer(f, nil)
	}
	if m.Same(f.Identity) {
		return s.known(f, m.Seq)
	}
	// In hand here, it can't be sent while it is replaced; in hand elsewhere, its worker will find out and have it
	// looked at again.
	hold := &item{e: &journal.Entry{Seq: m.Seq}, box: s.b}
	if !c.hand.take(hold) {
		c.hand.touch(m.Seq)
		return nil
	}
	defer c.hand.drop(hold)
	e, err := c.Journal.Get(m.Seq)
	if err != nil || e == nil {
		return err
	}
	switch e.State {
	case journal.Pending, journal.Sending, journal.Quarantined:
		return s.offer(f, e)
	case journal.Sent, journal.Settled:
		if m.SameVersion(f.Identity) {
			return s.moved(f, e)
		}
		return s.offer(f, nil)
	}
	return nil
}

// known counts a file whose version the journal has.
func (s *sift) known(f File, seq uint64) error {
	t := &s.c.tally
	if !s.once {
		return nil
	}
	e, err := s.c.Journal.Get(seq)
	if err != nil || e == nil {
		return err
	}
	switch e.State {
	case journal.Pending, journal.Sending:
		t.accepted.Add(1)
		t.acceptedBytes.Add(f.Size)
	case journal.Quarantined:
		t.accepted.Add(1)
		t.count(e, Quarantined)
		t.fail(Failed{Path: s.b.Path + "/" + f.Rel, Reason: ReasonCode(e.Reason.Code), Detail: e.Reason.Detail})
	case journal.Sent, journal.Settled:
		t.known.Add(1)
	}
	return nil
}

// moved deals with a file of the same size and time as the one that was sent, but another inode: restored, or put in
// its place. The bytes tell.
func (s *sift) moved(f File, e *journal.Entry) error {
	file, now, err := s.b.Box.Open(f.Rel)
	if err != nil {
		return nil //nolint:nilerr // gone or unreadable: the next look finds out
	}
	defer file.Close() //nolint:errcheck // read only
	sum, err := sumCRC(file, f.Size)
	if err != nil || !now.Same(f.Identity) || s.b.Box.Same(file, f) != nil {
		return nil //nolint:nilerr // it changes right now
	}
	if sum != e.Proof.CRC64 {
		return s.offer(f, nil)
	}
	s.c.tally.known.Add(1)
	e.Identity = f.Identity
	return s.c.Journal.Renew(e)
}

// adopt gives an imported receipt its file.
func (s *sift) adopt(f File) (bool, error) {
	e, err := s.c.Journal.Imported(s.c.set.Bucket, s.b.Path+"/"+f.Rel, f.Identity)
	if err != nil || e == nil {
		return false, err
	}
	s.c.tally.known.Add(1)
	return true, s.c.Journal.Adopt(e, s.b.id, f.Rel, f.Identity)
}

// offer accepts a file if it is whole; old is the entry of a version that was never sent, which it replaces.
func (s *sift) offer(f File, old *journal.Entry) error {
	c := s.c
	if whole, again := s.b.Box.Complete(f); !whole {
		if s.once {
			c.tally.write(s.b.Path + "/" + f.Rel)
		} else {
			s.b.again.add(f.Rel, c.Now().Add(again))
		}
		return nil
	}
	e := &journal.Entry{State: journal.Pending, Route: s.b.id, Path: f.Rel, Identity: f.Identity, Added: c.Now().UnixNano()}
	if why, bad := c.nameFault(s.b, f); bad {
		e.State, e.Reason = journal.Quarantined, journal.Reason{Code: string(why), At: c.Now().UnixNano()}
		c.Log.Warn("file is in quarantine", "outbox", s.b.Path, "path", f.Rel, "reason", string(why))
	}
	c.tally.accepted.Add(1)
	c.tally.acceptedBytes.Add(f.Size)
	if old == nil {
		s.fresh = append(s.fresh, e)
		return nil
	}
	e.Seq = old.Seq // held by the caller; the feeder may have read it before, and is told
	if err := c.Journal.Renew(e); err != nil {
		return err
	}
	c.replaced.Add(1)
	c.rewind.Store(true)
	c.hand.wake()
	return nil
}

// nameFault says what keeps a file's name from being a key.
func (c *Courier) nameFault(b *box, f File) (ReasonCode, bool) {
	src := Source{Rel: f.Rel, MTime: f.At(), Host: c.set.Host, Outbox: b.name, SHA256: zeros}
	if _, err := b.tmpl.Key(c.set.Prefix, src); err != nil {
		return nameReason(err), true
	}
	return "", false
}

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

func (s *sift) accept() error {
	if len(s.fresh) == 0 {
		return nil
	}
	s.c.Point("courier.accept")
	if err := s.c.Journal.Add(s.fresh); err != nil {
		return err
	}
	for _, e := range s.fresh {
		if e.State == journal.Quarantined {
			s.c.tally.count(e, Quarantined)
			s.c.tally.fail(Failed{Path: s.b.Path + "/" + e.Path, Reason: ReasonCode(e.Reason.Code), Detail: e.Reason.Detail})
		}
	}
	clear(s.fresh)
	s.fresh = s.fresh[:0]
	s.c.hand.wake()
	return nil
}

// mostRevisits bounds the paths that are remembered to be looked at again; beyond it everything is.
const mostRevisits = 10_000

// revisits are the paths of one outbox that are to be looked at again, and when.
type revisits struct {
	more  chan struct{}
	mu    sync.Mutex
	at    map[string]time.Time
	whole bool
}

func newRevisits(func() time.Time) *revisits {
	return &revisits{more: make(chan struct{}, 1), at: map[string]time.Time{}}
}

// add asks for a path to be looked at, not before a time; "" asks for everything.
func (r *revisits) add(rel string, at time.Time) {
	r.mu.Lock()
	switch {
	case rel == "" || len(r.at) >= mostRevisits:
		r.whole = true
	default:
		if had, ok := r.at[rel]; !ok || at.Before(had) {
			r.at[rel] = at
		}
	}
	r.mu.Unlock()
	select {
	case r.more <- struct{}{}:
	default:
	}
}

func (r *revisits) all() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.whole
}

func (r *revisits) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.whole = false
	clear(r.at)
}

// due takes what is to be looked at by now.
func (r *revisits) due(now time.Time) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for rel, at := range r.at {
		if !at.After(now) {
			list = append(list, rel)
			delete(r.at, rel)
		}
	}
	return list
}

// wait is how long until the next is due.
func (r *revisits) wait(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.whole {
		return 0
	}
	least := time.Hour
	for _, at := range r.at {
		least = min(least, at.Sub(now))
	}
	return least
}
