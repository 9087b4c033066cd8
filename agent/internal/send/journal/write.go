package journal

import (
	"encoding/binary"
	"errors"

	"go.etcd.io/bbolt"
)

// Add accepts entries and returns when all of them are durable; each has its Seq then. A file of the same path that
// was known before keeps its entry, but the path now means the new one.
func (j *Journal) Add(entries []*Entry) error {
	if len(entries) == 0 {
		return nil
	}
	changes := make([]change, len(entries))
	left := len(entries)
	ended := make(chan error, 1)
	var first error
	done := func(err error) { // always on the committing goroutine, or here before anything is queued
		if err != nil && first == nil {
			first = err
		}
		if left--; left == 0 {
			ended <- first
		}
	}
	for i, e := range entries {
		c, err := j.prepare(add, e)
		if err != nil {
			return err
		}
		c.entry, c.done = e, done
		changes[i] = c
	}
	j.queue.put(true, changes...)
	return <-ended
}

// Save makes e's new state durable and returns then.
func (j *Journal) Save(e *Entry) error { return j.wait(save, e) }

// Renew is Save for an entry whose Identity or Path was changed: the same version under another inode, or an imported
// receipt whose file was seen; or for the next version of a file in the place of one that was not sent, whose key stays
// [Journal.KeyInUse] if its object may stand there.
func (j *Journal) Renew(e *Entry) error { return j.wait(renew, e) }

func (j *Journal) wait(k kind, e *Entry) error {
	c, err := j.prepare(k, e)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	c.done = func(err error) { ended <- err }
	j.queue.put(true, c)
	return <-ended
}

// SaveSoon is Save without waiting: to is given the commit, with token. Where somebody waits for it, urgent lets it
// leave at once; else it may linger some milliseconds for company.
func (j *Journal) SaveSoon(e *Entry, urgent bool, to *Commits, token any) {
	c, err := j.prepare(save, e)
	if err != nil {
		to.put(Commit{token, err})
		return
	}
	c.commits, c.token = to, token
	j.queue.put(urgent, c)
}

// Change is one of the changes of [Journal.SaveAll].
type Change struct {
	Entry *Entry
	Token any
}

// SaveAll is SaveSoon, urgently, for several entries that leave together.
func (j *Journal) SaveAll(list []Change, to *Commits) {
	changes := make([]change, 0, len(list))
	for _, l := range list {
		c, err := j.prepare(save, l.Entry)
		if err != nil {
			to.put(Commit{l.Token, err})
			continue
		}
		c.commits, c.token = to, l.Token
		changes = append(changes, c)
	}
	j.queue.put(true, changes...)
}

// SavePart makes one confirmed part of e's multipart upload durable.
func (j *Journal) SavePart(e *Entry, p Part) error {
	ended := make(chan error, 1)
	j.queue.put(true, change{
		kind: part, seq: e.Seq, path: binary.BigEndian.AppendUint32(nil, uint32(p.Number)),
		rec: encodePart(nil, p), done: func(err error) { ended <- err },
	})
	return <-ended
}

// Forget removes an entry: its file is gone or has changed before it was sent, or its receipt is past its time. If its
// object may stand at its key, that stays [Journal.KeyInUse]; an Attempting that e has no more was taken back, because no
// request had left.
func (j *Journal) Forget(e *Entry) error {
	c := change{kind: forget, seq: e.Seq, to: none, path: pathKey(e.Route, e.Path), unsent: !e.Attempting}
	if e.Proof != nil {
		bucket := j.RouteOf(e.Route).Bucket
		c.key = keyKey(bucket, e.Key)
		if e.Route == Imported {
			c.path, c.imp = nil, importKey(importedBucket(e), e)
			c.key = keyKey(importedBucket(e), e.Key)
		}
	}
	ended := make(chan error, 1)
	c.done = func(err error) { ended <- err }
	j.queue.put(true, c)
	return <-ended
}

// prepare encodes e and names its places in the indexes.
func (j *Journal) prepare(k kind, e *Entry) (change, error) {
	if err := e.fault(); err != nil {
		return change{}, &errTransition{seq: e.Seq, to: e.State, why: err}
	}
	c := change{kind: k, seq: e.Seq, to: e.State, id: e.Identity, wipe: e.Multipart == nil && k != add}
	c.rec = e.encode(make([]byte, 0, headLen+len(e.Path)+len(e.Key)+128))
	if k != save {
		c.path = pathKey(e.Route, e.Path)
	}
	if e.Proof != nil || e.flags()&ambiguousFlags != 0 {
		c.key = keyKey(j.RouteOf(e.Route).Bucket, e.Key)
	}
	if len(c.key) > bbolt.MaxKeySize {
		return change{}, &errTransition{seq: e.Seq, to: e.State, why: errors.New("its key is longer than any store's")}
	}
	if k == add && !allowed(none, e.State) {
		return change{}, &errTransition{from: none, to: e.State}
	}
	return c, nil
}

// ResetConflictGuard says that the conflicts of a young journal are no sign of a lost memory, and that it is where it
// belongs: receipts were imported, or a person said so.
func (j *Journal) ResetConflictGuard() error {
	ended := make(chan error, 1)
	j.queue.put(true, change{kind: resetConflictGuard, done: func(err error) { ended <- err }})
	err := <-ended
	if err == nil {
		j.moved.Store(false)
	}
	return err
}
