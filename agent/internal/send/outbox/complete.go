package outbox

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

// How tells by what it is known that nobody is writing a file.
type How string

// The ways to see a writer, in the order in which they are asked.
const (
	ByEvent How = "event" // it was closed after writing, and is as it was then
	ByLease How = "lease" // the system grants a read lease only where nobody writes
	ByProc  How = "proc"  // no process has it open for writing
	ByQuiet How = "quiet" // nothing can tell: it rests for Quiet alone
	// ByOwnLease is Detection's alone: the lease tells of this user's files, and nothing of others'.
	ByOwnLease How = "own-lease"
)

// State is whether a file is complete.
type State struct {
	Ready  bool
	Wait   time.Duration // until it is worth asking again; 0 with Ready
	Writer bool          // somebody has it open for writing
	How    How           // by what it was decided
	Lack   error         // an ErrMachine, where it could not be asked
}

// The quiet time grows by itself with every gibibyte, since whoever writes more
// may pause longer, up to twelve times.
const (
	quietStep = 1 << 30
	quietMost = 12
)

// Complete tells whether a file, as it was just seen, is whole: unchanged for the
// quiet time, and without a writer where the system lets us ask. A rename into
// place, where its event was seen, stands for the quiet time.
func (o *Outbox) Complete(f File, now time.Time) State {
	least := grain(f)
	if o.opts.Once { // nobody asks again
		if rest := since(o.restless(f, now), now); rest < least {
			time.Sleep(least - rest)
		}
		least = 0
	}
	quiet := o.quietFor(f.Size)
	renamed := o.closes.renamed(f)
	if o.opts.Once || renamed {
		quiet = 0
	}
	quiet = max(quiet, least)
	if rest := since(o.restless(f, now), now); rest < quiet {
		return State{Wait: quiet - rest, How: ByQuiet}
	}
	writer, how, err := o.writer(f)
	if err != nil {
		return State{Wait: max(quiet, time.Second), How: how, Lack: err}
	}
	if writer {
		return State{Wait: max(quiet, time.Second), Writer: true, How: how}
	}
	if how == ByQuiet && !o.opts.Once {
		if o.opts.Quiet == nil || *o.opts.Quiet == 0 { // nothing can tell: the default doubles
			quiet = 2 * grown(DefaultQuiet, f.Size)
			if rest := since(o.restless(f, now), now); rest < quiet {
				return State{Wait: quiet - rest, How: how}
			}
		}
		o.byQuiet.Do(func() {
			o.log.Warn("nothing tells who writes here, so a file is taken once it has rested; a rename into place is safe", "path", f.Rel, "rested", quiet)
		})
	}
	o.closes.forget(f)
	return State{Ready: true, How: how}
}

// quietFor is how long a file of that size must rest.
func (o *Outbox) quietFor(size int64) time.Duration {
	if o.opts.Quiet == nil {
		return grown(DefaultQuiet, size)
	}
	return grown(*o.opts.Quiet, size)
}

func grown(quiet time.Duration, size int64) time.Duration {
	return quiet * time.Duration(min(1+size/quietStep, quietMost))
}

// tick is more than the system's own clock needs to go on, by which files get their times (Linux:
// 1 to 10 ms).
const tick = 20 * time.Millisecond

// grain is for how long after a change another one may leave the same times. A file system that
// keeps whole seconds shows it by times without a fraction (ext4 with small inodes, some NFS); FAT
// keeps every second one. A file is judged only after it, or a change would not be seen.
func grain(f File) time.Duration {
	at := f.Changed
	if at.IsZero() {
		at = f.ModTime
	}
	switch {
	case at.Nanosecond() != 0:
		return tick
	case at.Unix()%2 != 0:
		return time.Second + tick
	}
	return 2*time.Second + tick
}

// restless is when a file last changed. The change time can't be set by a
// program as the modification time can; one that lies in the future, because the
// clock was put back or is another host's, counts from when it was first seen.
func (o *Outbox) restless(f File, now time.Time) time.Time {
	at := f.Changed
	if at.IsZero() {
		at = f.ModTime
	}
	if at.After(now.Add(time.Second)) {
		return o.closes.firstSeen(f, now)
	}
	return at
}

// writer reports whether somebody has the file open for writing, and by what that is known; ByQuiet means that nothing
// can tell. Its error is an ErrMachine: nobody could look.
func (o *Outbox) writer(f File) (bool, How, error) {
	closed := o.closes.closed(f)
	held, err := o.lease(f)
	if err != nil {
		return false, ByQuiet, err
	}
	switch held {
	case yes:
		return true, ByLease, nil
	case no:
		if closed {
			return false, ByEvent, nil
		}
		return false, ByLease, nil
	case unknown:
	}
	if closed {
		return false, ByEvent, nil
	}
	switch o.writers.proc(f) {
	case yes:
		return true, ByProc, nil
	case no:
		return false, ByProc, nil
	case unknown:
	}
	return false, ByQuiet, nil
}

// lease asks for a read lease on the file. Its error is an ErrMachine.
func (o *Outbox) lease(f File) (answer, error) {
	var file *os.File
	var now File
	err := o.patiently(func() (err error) {
		file, now, err = o.OpenFile(f.Rel)
		return err
	})
	switch {
	case lacking(err):
		return unknown, machine(err)
	case err != nil:
		return unknown, nil
	}
	got := unknown
	if now.Dev == f.Dev && now.Inode == f.Inode {
		got = readLease(file)
	}
	if err := file.Close(); err != nil {
		return unknown, nil //nolint:nilerr // it says nothing of the file
	}
	return got, nil
}

// Detection tells, for `agent check`, by what a writer would be seen in this
// outbox: by rights, and by the first regular files found in it.
func (o *Outbox) Detection(ctx context.Context) (How, error) {
	const enough = 8
	end := errors.New("enough")
	how, seen := o.expected(), 0
	err := o.Walk(ctx, func(f File) error {
		seen++
		if how == ByOwnLease {
			if held, _ := o.lease(f); held == unknown {
				how = ByQuiet
			}
		}
		if how != ByOwnLease || seen == enough {
			return end
		}
		return nil
	})
	if err != nil && !errors.Is(err, end) {
		return ByQuiet, err
	}
	return how, nil
}

// expected is by what a writer is seen of any file that may come. Of a file that belongs to this
// user the lease tells (where the system has leases), whoever owns the folder.
func (o *Outbox) expected() How {
	switch {
	case mayLeaseAll():
		return ByLease
	case o.writers.proc(File{Dev: 1, Inode: 1}) != unknown:
		return ByProc
	case hasLeases:
		return ByOwnLease
	}
	return ByQuiet
}

// answer is what the system says about a writer.
type answer int

const (
	unknown answer = iota
	yes
	no
)

// mostClosed bounds what is remembered of files that are not complete yet.
const mostClosed = 1 << 16

// closes remembers what events told about files until they are complete: that
// one was closed after writing, or renamed into place, and how it looked then.
type closes struct {
	mu   sync.Mutex
	seen map[string]event
}

type event struct {
	file    File
	closed  bool
	renamed bool
	first   time.Time // when a file with a future time was first seen so
}

func (c *closes) put(f File, e event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil || len(c.seen) >= mostClosed {
		c.seen = map[string]event{} // forgetting only makes files wait longer
	}
	e.file = f
	c.seen[f.Rel] = e
}

func (c *closes) get(f File) (event, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.seen[f.Rel]
	return e, ok && same(f, e.file) == nil
}

func (c *closes) closed(f File) bool {
	e, ok := c.get(f)
	return ok && (e.closed || e.renamed)
}

func (c *closes) renamed(f File) bool {
	e, ok := c.get(f)
	return ok && e.renamed
}

func (c *closes) forget(f File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.seen, f.Rel)
}

func (c *closes) firstSeen(f File, now time.Time) time.Time {
	e, ok := c.get(f)
	if !ok {
		e = event{}
	}
	if !e.first.IsZero() {
		return e.first
	}
	e.first = now
	c.put(f, e)
	return now
}
