package courier

import (
	"context"

	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/outbox"
)

// classifier looks files up in the journal, a batch at a time, and accepts what is new and whole.
type classifier struct {
	c       *Courier
	b       *box
	once    bool
	imports bool
	batch   []outbox.File
	rels    []string
	marks   []journal.Mark
	fresh   []*journal.Entry
}

func (s *classifier) flush(ctx context.Context) error {
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
		if err := s.classify(f, s.marks[i]); err != nil {
			return err
		}
	}
	s.batch = s.batch[:0]
	return s.accept()
}

// classify decides about one file by what the journal says of its path.
func (s *classifier) classify(f outbox.File, m journal.Mark) error {
	c := s.c
	if m.Seq == 0 {
		if s.imports {
			if done, err := s.adopt(f); done || err != nil {
				return err
			}
		}
		return s.offer(f, nil)
	}
	if m.Same(identityOf(f)) {
		return s.known(f, m.Seq)
	}
	// In hand here, it can't be sent while it is replaced; in hand elsewhere, its worker will find out and have it
	// looked at again.
	hold := &task{e: &journal.Entry{Seq: m.Seq}, box: s.b}
	if !c.flight.take(hold) {
		c.flight.touch(m.Seq)
		return nil
	}
	defer c.flight.drop(hold)
	e, err := c.Journal.Get(m.Seq)
	if err != nil || e == nil {
		return err
	}
	switch e.State {
	case journal.Pending, journal.Sending, journal.Quarantined:
		return s.offer(f, e)
	case journal.Sent, journal.Settled:
		if m.SameVersion(identityOf(f)) {
			return s.moved(f, e)
		}
		return s.offer(f, nil)
	}
	return nil
}

// known counts a file whose version the journal has.
func (s *classifier) known(f outbox.File, seq uint64) error {
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
		t.fail(Failed{Path: s.b.path(f.Rel), Reason: ReasonCode(e.Reason.Code), Detail: e.Reason.Detail})
	case journal.Sent, journal.Settled:
		t.known.Add(1)
	}
	return nil
}

// moved deals with a file of the same size and time as the one that was sent, but another inode: restored, or put in
// its place. The bytes tell.
func (s *classifier) moved(f outbox.File, e *journal.Entry) error {
	file, now, err := s.b.open(f.Rel)
	if err != nil {
		return nil //nolint:nilerr // gone or unreadable: the next look finds out
	}
	defer file.Close() //nolint:errcheck // read only
	sum, err := sumCRC(file, f.Size)
	if err != nil || !identityOf(now).Same(identityOf(f)) || outbox.Same(file, f) != nil {
		return nil //nolint:nilerr // it changes right now
	}
	if sum != e.Proof.CRC64 {
		return s.offer(f, nil)
	}
	s.c.tally.known.Add(1)
	e.Identity = identityOf(f)
	return s.c.Journal.Renew(e)
}

// adopt gives an imported receipt its file.
func (s *classifier) adopt(f outbox.File) (bool, error) {
	e, err := s.c.Journal.Imported(s.c.set.Bucket, s.b.Path+"/"+f.Rel, identityOf(f))
	if err != nil || e == nil {
		return false, err
	}
	s.c.tally.known.Add(1)
	return true, s.c.Journal.Adopt(e, s.b.id, f.Rel, identityOf(f))
}

// offer accepts a file if it is whole; old is the entry of a version that was never sent, which it replaces.
func (s *classifier) offer(f outbox.File, old *journal.Entry) error {
	c := s.c
	whole, again, err := s.b.complete(f, c.Now())
	if err != nil {
		return err
	}
	if !whole {
		if s.once {
			c.tally.write(s.b.path(f.Rel))
		} else {
			s.b.again.add(f.Rel, c.Now().Add(again))
		}
		return nil
	}
	e := &journal.Entry{State: journal.Pending, Route: s.b.id, Path: f.Rel, Identity: identityOf(f), Added: c.Now().UnixNano()}
	if why, bad := c.set.nameFault(s.b, f); bad {
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
	c.rescanFrom0.Store(true)
	c.flight.wake()
	return nil
}

// nameFault says what keeps a file's name from being a key.
func (s Settings) nameFault(b *box, f outbox.File) (ReasonCode, bool) {
	src := Source{Rel: f.Rel, MTime: f.ModTime, Host: s.Host, Outbox: b.name, SHA256: zeros}
	if _, err := b.tmpl.Key(s.Prefix, src); err != nil {
		return nameReason(err), true
	}
	return "", false
}

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

func (s *classifier) accept() error {
	if len(s.fresh) == 0 {
		return nil
	}
	s.c.Failpoint("courier.accept")
	if err := s.c.Journal.Add(s.fresh); err != nil {
		return err
	}
	for _, e := range s.fresh {
		if e.State == journal.Quarantined {
			s.c.ended(e, Quarantined)
			s.c.tally.fail(Failed{Path: s.b.path(e.Path), Reason: ReasonCode(e.Reason.Code), Detail: e.Reason.Detail})
		}
	}
	clear(s.fresh)
	s.fresh = s.fresh[:0]
	s.c.flight.wake()
	return nil
}
