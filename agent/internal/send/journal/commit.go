package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// Pace of the committer. Whoever waits is served at once; what nobody waits for may batchDelay for company.
const (
	batchDelay = 5 * time.Millisecond
	batchSize  = 256             // changes that are committed without lingering
	maxBatch   = 4096            // changes in one transaction: bounds its memory
	retryFull  = 2 * time.Second // between two tries while the disk is full
)

// errTransition is a change that the state machine refuses: a fault of the program, never of the disk.
type errTransition struct {
	seq      uint64
	from, to State
	why      error
}

func (e *errTransition) Error() string {
	if e.why != nil {
		return fmt.Sprintf("journal: entry %d can't be saved: %v", e.seq, e.why)
	}
	return fmt.Sprintf("journal: entry %d can't go from %s to %s", e.seq, e.from, e.to)
}

// kind is what a change does.
type kind uint8

const (
	add                kind = iota // a new entry; entry.Seq is set when it is committed
	save                           // the entry's new record
	renew                          // save, and the identity in the index of paths
	part                           // one part of a multipart upload
	forget                         // the entry goes
	resetConflictGuard             // the conflicts of a young journal are meant
	expireAmbiguous                // ambiguous keys that are past their time go
)

// change is one waiting change. The record is encoded by the caller, so that its entry may change again at once.
type change struct {
	kind  kind
	entry *Entry // add only: takes the number
	seq   uint64
	to    State
	rec   []byte
	path  []byte // key in the index of paths; add, renew, forget
	id    Identity
	key   []byte // key in the index of keys; with a proof, or an ambiguous one
	wipe  bool   // the parts of the entry go
	imp   []byte // key in the index of imports
	// unsent (forget) says that the attempt in the record never left.
	unsent  bool
	before  int64 // expireAmbiguous
	expired *int
	done    func(error) // of a method of the journal that waits
	commits *Commits    // instead of done: who takes it
	token   any         // and what it is about
	err     error
}

// Commit is one change that was committed, or why it was not.
type Commit struct {
	Token any // whatever was given with the change
	Err   error
}

// Commits gathers what was committed for the one goroutine that takes it. The committing goroutine only puts it there:
// it waits for nobody and runs nobody's code.
type Commits struct {
	// Ready holds an element while there may be something to take.
	Ready chan struct{}

	mu   sync.Mutex
	list []Commit
}

// NewCommits makes an empty one.
func NewCommits() *Commits { return &Commits{Ready: make(chan struct{}, 1)} }

// Take returns what was committed since the last time, in order; into is reused.
func (c *Commits) Take(into []Commit) []Commit {
	clear(into)
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = into[:0]
	return list
}

func (c *Commits) put(one Commit) {
	c.mu.Lock()
	c.list = append(c.list, one)
	first := len(c.list) == 1
	c.mu.Unlock()
	if first {
		nudge(c.Ready)
	}
}

// queue is what waits to be committed.
type queue struct {
	mu           sync.Mutex
	waiting      []change
	urgent       bool
	closed       bool
	wake         chan struct{}
	ended        chan struct{}
	impatient    atomic.Bool   // nothing waits for space
	lostPatience chan struct{} // impatient was set
	asking       []chan struct{}
}

func (q *queue) start(j *Journal) {
	q.wake, q.ended, q.lostPatience = make(chan struct{}, 1), make(chan struct{}), make(chan struct{}, 1)
	go func() {
		defer close(q.ended)
		q.run(j)
	}()
}

func (q *queue) stop() {
	q.mu.Lock()
	already := q.closed || q.wake == nil
	q.closed, q.urgent = true, true
	q.mu.Unlock()
	if already {
		return
	}
	q.patient(false)
	nudge(q.wake)
	<-q.ended
}

func (q *queue) patient(on bool) {
	if q.impatient.Store(!on); !on {
		nudge(q.lostPatience)
	}
}

// nudge wakes whoever waits at a channel with room for one, now or when it comes there.
func nudge(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// put adds changes to what waits.
func (q *queue) put(urgent bool, changes ...change) {
	q.mu.Lock()
	if q.closed || q.wake == nil {
		q.mu.Unlock()
		for i := range changes {
			changes[i].finish(ErrClosed)
		}
		return
	}
	first := len(q.waiting) == 0
	q.waiting = append(q.waiting, changes...)
	wake := first || (urgent && !q.urgent) || len(q.waiting) >= batchSize
	q.urgent = q.urgent || urgent
	q.mu.Unlock()
	if wake {
		nudge(q.wake)
	}
}

// Ping returns once the committing goroutine has come around, be it that it waits for space on the disk; an error if the
// context ends before.
func (j *Journal) Ping(ctx context.Context) error {
	q := &j.queue
	answered := make(chan struct{})
	q.mu.Lock()
	if q.closed || q.wake == nil {
		q.mu.Unlock()
		return ErrClosed
	}
	q.asking = append(q.asking, answered)
	q.mu.Unlock()
	nudge(q.wake)
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answer tells those who asked that the committing goroutine comes around.
func (q *queue) answer() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, one := range q.asking {
		close(one)
	}
	q.asking = nil
}

func (c *change) finish(err error) {
	switch {
	case c.done != nil:
		c.done(err)
	case c.commits != nil:
		c.commits.put(Commit{c.token, err})
	}
}

// take returns what waits, at most [maxBatch]; into is reused.
func (q *queue) take(into []change) []change {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), maxBatch)
	into = append(into[:0], q.waiting[:n]...)
	rest := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	q.urgent = q.closed || (q.urgent && rest > 0)
	return into
}

func (q *queue) look() (n int, urgent, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting), q.urgent, q.closed
}

// run is the one committing goroutine.
func (q *queue) run(j *Journal) {
	var batch []change
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	defer q.answer()
	for {
		q.answer()
		n, urgent, closed := q.look()
		switch {
		case n == 0 && closed:
			return
		case n == 0:
			<-q.wake
			continue
		case !urgent && n < batchSize:
			timer.Reset(batchDelay)
			for !urgent && n < batchSize {
				select {
				case <-q.wake:
					n, urgent, _ = q.look()
					continue
				case <-timer.C:
				}
				break
			}
		}
		batch = q.take(batch)
		j.commitBatch(batch)
		clear(batch)
	}
}

// commitBatch commits, and while the disk is full tries again until there is space or nobody is patient any more.
func (j *Journal) commitBatch(batch []change) {
	for {
		err := j.commit(batch)
		if isFull(err) {
			j.setFull(err)
			if !j.queue.impatient.Load() {
				j.queue.waitForSpace()
				continue
			}
			err = fmt.Errorf("%w: %w", ErrFull, err)
		} else if err == nil {
			j.setFull(nil)
		}
		for i := range batch {
			failed := err
			if failed == nil {
				failed = batch[i].err
			}
			batch[i].finish(failed)
		}
		return
	}
}

// waitForSpace waits for the next try while the disk is full.
func (q *queue) waitForSpace() {
	timer := time.NewTimer(retryFull)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-q.lostPatience:
			return
		case <-q.wake: // what was put meanwhile is looked at after this batch
			q.answer()
		}
	}
}

// setFull notes that the disk is full, or has space again, and tells who asked.
func (j *Journal) setFull(err error) {
	j.mu.Lock()
	changed := (j.full == nil) != (err == nil)
	if j.full = err; changed {
		j.fullAt = time.Time{}
		if err != nil {
			j.fullAt = j.opts.Now()
		}
	}
	j.mu.Unlock()
	if changed && j.opts.Trouble != nil {
		j.opts.Trouble(err)
	}
}

// commit writes a batch in one transaction. A change that the state machine refuses gets its own error and leaves
// no trace; any other error undoes the whole batch.
func (j *Journal) commit(batch []change) error {
	j.mu.Lock()
	next := j.stats
	j.mu.Unlock()
	j.opts.Failpoint("journal.before-commit")
	err := j.update(func(tx *bbolt.Tx) error {
		w := writer{
			stats: &next, entries: tx.Bucket(entriesBucket), open: tx.Bucket(openBucket), paths: tx.Bucket(pathsBucket),
			keys: tx.Bucket(keysBucket), parts: tx.Bucket(partsBucket), sent: tx.Bucket(sentBucket),
			quarantined: tx.Bucket(quarantinedBucket), imports: tx.Bucket(importsBucket), ambiguous: tx.Bucket(ambiguousBucket),
			bucketOf: func(id RouteID) string { return j.RouteOf(id).Bucket }, now: j.opts.Now().UnixNano(), tx: tx,
		}
		w.at.entries, w.at.keys = index{w.entries.Cursor()}, index{w.keys.Cursor()}
		w.entries.FillPercent, w.open.FillPercent = 0.7, 0.9 // they grow at their ends; records grow once more
		for i := range batch {
			batch[i].err = nil
			err := w.apply(&batch[i])
			var refused *errTransition
			if errors.As(err, &refused) {
				batch[i].err = err
			} else if err != nil {
				return err
			}
		}
		return tx.Bucket(metaBucket).Put(statsKey, next.encode())
	})
	if err == nil {
		err = j.Present() // what is written to a file that is gone is not durable
	}
	if err != nil {
		return err
	}
	j.opts.Failpoint("journal.after-commit")
	j.mu.Lock()
	next.Created = j.stats.Created
	j.stats = next
	j.mu.Unlock()
	return nil
}

// writer applies changes within one transaction.
type writer struct {
	stats                                                                    *stats
	entries, open, paths, keys, parts, sent, quarantined, imports, ambiguous *bbolt.Bucket

	at struct{ entries, keys index } // of these buckets, for reading

	bucketOf func(RouteID) string
	now      int64
	tx       *bbolt.Tx
}

func (w *writer) apply(c *change) error {
	switch c.kind {
	case add:
		return w.add(c)
	case resetConflictGuard:
		w.stats.Conflicts, w.stats.Decided = 0, max(w.stats.Decided, GuardFiles)
		return w.stay()
	case expireAmbiguous:
		return w.expireAmbiguous(c)
	case save, renew, part, forget:
	}
	var seq [8]byte
	binary.BigEndian.PutUint64(seq[:], c.seq)
	if c.kind == part {
		return w.parts.Put(append(seq[:], c.path...), c.rec)
	}
	old := w.at.entries.get(seq[:])
	var was header
	if old != nil {
		var err error
		if was, err = readHeader(old); err != nil {
			return err
		}
	}
	if old == nil || !allowed(was.state, c.to) {
		return &errTransition{seq: c.seq, from: was.state, to: c.to}
	}
	if c.kind == forget {
		if err := w.leave(c, seq[:], old, was); err != nil {
			return err
		}
		return w.forget(c, seq[:], was)
	}
	is, err := readHeader(c.rec)
	if err != nil {
		return err
	}
	if c.kind == renew || (is.flags^was.flags)&flagSuffixed != 0 { // another version, or another key
		if err := w.leave(c, seq[:], old, was); err != nil {
			return err
		}
	}
	if err := w.entries.Put(seq[:], c.rec); err != nil {
		return err
	}
	return w.index(c, seq[:], was, is)
}

func (w *writer) add(c *change) error {
	c.seq = w.stats.Next
	var seq [8]byte
	binary.BigEndian.PutUint64(seq[:], c.seq)
	is, err := readHeader(c.rec)
	if err != nil {
		return err
	}
	if err := w.entries.Put(seq[:], c.rec); err != nil {
		return err
	}
	if err := w.index(c, seq[:], header{}, is); err != nil {
		return err
	}
	w.stats.Next++
	if c.entry != nil {
		c.entry.Seq = c.seq
	}
	return nil
}

// index brings the indexes and counts from an entry's old header to its new one.
func (w *writer) index(c *change, seq []byte, was, is header) error {
	if is.state.open() != was.state.open() {
		if err := member(w.open, seq, is.state.open()); err != nil {
			return err
		}
	}
	if (is.state == Sent) != (was.state == Sent) {
		if err := member(w.sent, seq, is.state == Sent); err != nil {
			return err
		}
	}
	if (is.state == Quarantined) != (was.state == Quarantined) {
		if err := member(w.quarantined, seq, is.state == Quarantined); err != nil {
			return err
		}
	}
	if c.kind == add || c.kind == renew {
		if c.path != nil {
			if err := w.paths.Put(c.path, encodeMark(c.seq, c.id)); err != nil {
				return err
			}
		}
		if err := w.reimport(c, seq); err != nil {
			return err
		}
	}
	if c.key != nil && was.flags&flagProof == 0 {
		if err := w.claim(c.key, seq, is); err != nil {
			return err
		}
	}
	if c.wipe && was.flags&flagMultipart != 0 {
		if err := wipeParts(w.parts, seq); err != nil {
			return err
		}
	}
	w.stats.count(was, is)
	return nil
}

// reimport keeps the index of imported receipts: an add enters one, a renew (its file was seen) removes it.
func (w *writer) reimport(c *change, seq []byte) error {
	if c.imp == nil {
		return nil
	}
	if c.kind == add {
		return w.imports.Put(c.imp, seq)
	}
	return w.imports.Delete(c.imp)
}

// forget removes an entry and whatever in the indexes is still its own.
func (w *writer) forget(c *change, seq []byte, was header) error {
	for _, b := range []*bbolt.Bucket{w.open, w.sent, w.quarantined} {
		if err := b.Delete(seq); err != nil {
			return err
		}
	}
	if mark := w.paths.Get(c.path); c.path != nil && len(mark) >= 8 && string(mark[:8]) == string(seq) {
		if err := w.paths.Delete(c.path); err != nil {
			return err
		}
	}
	if c.key != nil && string(w.at.keys.get(c.key)) == string(seq) {
		if err := w.keys.Delete(c.key); err != nil {
			return err
		}
	}
	if c.imp != nil && string(w.imports.Get(c.imp)) == string(seq) {
		if err := w.imports.Delete(c.imp); err != nil {
			return err
		}
	}
	if err := wipeParts(w.parts, seq); err != nil {
		return err
	}
	w.stats.count(was, header{})
	return w.entries.Delete(seq)
}

func member(b *bbolt.Bucket, seq []byte, in bool) error {
	if in {
		return b.Put(seq, nil)
	}
	return b.Delete(seq)
}

func wipeParts(b *bbolt.Bucket, seq []byte) error {
	c := b.Cursor()
	for k, _ := c.Seek(seq); len(k) == 12 && string(k[:8]) == string(seq); k, _ = c.Seek(seq) {
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return nil
}
