package courier

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/outbox"
	"buzon/agent/internal/send/receipt"
	"buzon/agent/internal/send/upload"
)

// Ending is how a file's way ended in this run.
type Ending string

// The closed set of endings.
const (
	Sent        Ending = "sent"
	Quarantined Ending = "quarantined"
	Gone        Ending = "gone"    // its file went before it was sent
	Changed     Ending = "changed" // its file changed before it was sent; the new version is another file
)

// Tally counts what happens in this run. It is a snapshot.
type Tally struct {
	Found        int64 // files that were met, in whatever state
	FoundBytes   int64
	Known        int64 // of these, the ones that the journal knew as sent
	Accepted     int64 // of these, the ones that are to be sent
	AcceptedSize int64
	Busy         int64 // somebody still writes them
	Skipped      int64 // no files to be sent: links, devices, excluded names
	Unread       int64 // of these, folders that may not be read: what is in them nobody knows
	Sent         int64
	SentBytes    int64
	Inferred     int64
	Conflicts    int64
	Quarantined  int64
	Gone         int64
	Changed      int64
	Active       int64         // being sent now
	LeftBytes    int64         // bytes that left, those sent again included
	Requests     int64         // attempts
	Scanned      bool          // no more will be found (upload)
	Away         time.Duration // for how long the store has given no good answer
}

// Failed is one file that was not sent.
type Failed struct {
	Path   string // absolute
	Reason ReasonCode
	Detail string
}

// Skipped is one path that is no file to be sent.
type Skipped struct {
	Path string
	Why  string
}

// Summary is the end of an upload.
type Summary struct {
	Tally
	Pending int64     // accepted and not sent
	Failed  []Failed  // the first of them
	Skips   []Skipped // the first of them
	Writing []string  // the first of those that somebody still writes
}

// mostListed bounds the lists of a summary and of a status.
const mostListed = 100

// tally counts. Its methods may be called from any goroutine and don't block.
type tally struct {
	found, foundBytes, known, accepted, acceptedBytes, busy, skipped atomic.Int64
	sent, sentBytes, inferred, conflicts, quarantined, gone, changed atomic.Int64
	active, leftBytes, requests, settleFailed                        atomic.Int64
	unread                                                           atomic.Int64
	scanned                                                          atomic.Bool

	mu      sync.Mutex
	failed  []Failed
	skips   []Skipped
	writing []string
	last    Trouble
	lastAt  time.Time // of the last receipt
	parted  time.Time // of the last part that is durable
	arrived time.Time // when the store confirmed a file last
	suspect uint64    // the entry that began to fail since then; 0 for none
	more    bool      // others did too
}

// part notes that a part of a large file has arrived.
func (t *tally) part(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.parted = now
}

// succeeded notes that a file has arrived.
func (t *tally) succeeded(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.arrived, t.suspect, t.more = now, 0, false
}

func (t *tally) arrivedAt() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.arrived
}

func (t *tally) partAt() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.parted
}

// lastWords is the last answer that was no success, in short.
func (t *tally) lastWords() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last.At.IsZero() || !t.last.At.After(t.arrived) {
		return ""
	}
	return strings.TrimSuffix(t.last.Code+": "+t.last.Message, ": ")
}

// blame says whose fault a failure may be. With others, it is the file's own: one was sent since the file's first attempt
// that failed began, and no further one has begun to fail since. With alone, nothing speaks for the store's or the key's
// fault either: no other file does. first says that it is the file's first failure.
func (t *tally) blame(seq uint64, began time.Time, first bool) (others, alone bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if first && !t.arrived.After(began) && t.suspect != seq {
		t.suspect, t.more = seq, t.suspect != 0
	}
	return t.suspect == 0 && t.arrived.After(began), !t.more && (t.suspect == 0 || t.suspect == seq)
}

func (t *tally) left(n int64) { t.leftBytes.Add(n) }

func (t *tally) count(e *journal.Entry, how Ending) {
	switch how {
	case Sent:
		t.sent.Add(1)
		t.sentBytes.Add(e.Size)
		if e.Proof.Evidence == receipt.Inferred {
			t.inferred.Add(1)
		}
		if e.Conflict {
			t.conflicts.Add(1)
		}
		t.mu.Lock()
		t.lastAt = time.Unix(0, e.Proof.SentAt)
		t.mu.Unlock()
	case Quarantined:
		t.quarantined.Add(1)
	case Gone:
		t.gone.Add(1)
	case Changed:
		t.changed.Add(1)
	}
}

func (t *tally) fail(f Failed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.Path = legible(f.Path); len(t.failed) < mostListed {
		t.failed = append(t.failed, f)
	}
}

func (t *tally) skip(path, why string) {
	t.skipped.Add(1)
	if why == string(outbox.Unreadable) {
		t.unread.Add(1)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.skips) < mostListed {
		t.skips = append(t.skips, Skipped{legible(path), why})
	}
}

func (t *tally) write(path string) {
	t.busy.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.writing) < mostListed {
		t.writing = append(t.writing, legible(path))
	}
}

func (t *tally) trouble(path string, f *upload.Error, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = Trouble{At: now.UTC(), Path: legible(path), Class: f.Fault.Class.String(), Code: f.Fault.Code, Message: f.Fault.Message, RequestID: f.Fault.RequestID}
}

// lastCode is the code of the last answer that was no success.
func (t *tally) lastCode() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last.Code
}

// Tally returns the counts of this run.
func (c *Courier) Tally() Tally {
	t := &c.tally
	return Tally{
		Found: t.found.Load(), FoundBytes: t.foundBytes.Load(), Known: t.known.Load(), Accepted: t.accepted.Load(),
		AcceptedSize: t.acceptedBytes.Load(), Busy: t.busy.Load(), Skipped: t.skipped.Load(), Unread: t.unread.Load(), Sent: t.sent.Load(),
		SentBytes: t.sentBytes.Load(), Inferred: t.inferred.Load(), Conflicts: t.conflicts.Load(),
		Quarantined: t.quarantined.Load(), Gone: t.gone.Load(), Changed: t.changed.Load(), Active: t.active.Load(),
		LeftBytes: t.leftBytes.Load(), Requests: t.requests.Load(), Scanned: t.scanned.Load(),
		Away: c.pace.away(),
	}
}

func (c *Courier) summary() Summary {
	s := Summary{Tally: c.Tally()}
	t := &c.tally
	t.mu.Lock()
	s.Failed, s.Skips, s.Writing = t.failed, t.skips, t.writing
	t.mu.Unlock()
	s.Pending = max(0, s.Accepted-s.Sent-s.Quarantined-s.Gone-s.Changed)
	return s
}
