package courier

import (
	"container/heap"
	"context"
	"math"
	"sync"
	"time"

	"buzon/agent/internal/send/journal"
)

// task is an entry that was taken from the journal and is not done with yet. One goroutine owns it at a time; which one
// follows from where it is: the feeder, the channel of what is ready, a worker, the journal with saving set, or the
// queue of what waits.
type task struct {
	e         *journal.Entry
	box       *box
	begun     bool        // its attempt is durable, and no request of it has left
	toSuffix  bool        // it goes on under its suffixed key
	failures  int         // in a row
	throttles int         // of them, those that only asked for less
	unsure    int         // answers that are its own fault if others turn out to be sent meanwhile
	denied    uint64      // the gate's generation in which the last of them came
	failing   time.Time   // when the first of the attempts that failed began
	started   time.Time   // of its last attempt
	because   ProblemKind // it waits, where that isn't its own fault
	detail    string      // what was said of the last failure
	saving    saving
	due       time.Time // while it waits to be tried again

	// Guarded by inFlight.
	held    bool   // back for the conflict guard
	dirty   bool   // the file changed meanwhile
	claimed string // the key that is its own
}

// saving is what is to be done with a task once the journal has committed it.
type saving uint8

// The closed set of what a commit may be for.
const (
	savingBegin   saving = iota // an attempt: it is ready to leave
	savingReceipt               // a receipt: it may be settled, and is done with
	savingWait                  // it waits for its next try
	savingSettled               // its file is settled
	savingPutBack               // the attempt did not leave, and the agent ends
)

// mostWaiting bounds the tasks that wait for their next try in memory.
const mostWaiting = 2048

// inFlight is the set of all tasks, with those that wait for their next try and the keys that they claimed.
type inFlight struct {
	mu      sync.Mutex
	cond    *sync.Cond
	tasks   map[uint64]*task
	left    map[uint64]bool  // let go of for the rest of this run
	keys    map[string]*task // who has claimed which key
	queue   waiting
	version uint64        // counts the changes, so that none is missed between looking and waiting
	least   int           // while the feeder waits for room: how many under way leave enough of it; else the most
	earlier chan struct{} // a due time became earlier
	held    int           // conflicts that wait for the conflict guard
	failed  map[uint64]failure
}

func newInFlight() *inFlight {
	f := &inFlight{tasks: map[uint64]*task{}, left: map[uint64]bool{}, keys: map[string]*task{}, earlier: make(chan struct{}, 1), least: math.MaxInt,
		failed: map[uint64]failure{}}
	f.cond = sync.NewCond(&f.mu)
	return f
}

// changed lets who waits look again, unless it is the feeder and there still is too little room; called with the lock
// held. Each file changes the set twice: without the exception the feeder would be woken as often, for nothing.
func (f *inFlight) changed() {
	f.version++
	if f.active() <= f.least {
		f.cond.Broadcast()
	}
}

// active is how many are under way: not waiting for their next try.
func (f *inFlight) active() int { return len(f.tasks) - len(f.queue) }

// wake lets all who wait look again.
func (f *inFlight) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.version++
	f.cond.Broadcast()
}

// began notes that a commit has handed a task on.
func (f *inFlight) began() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed()
}

// take adds a task; false if its entry is there already, or was let go of for this run.
func (f *inFlight) take(t *task) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tasks[t.e.Seq] != nil || f.left[t.e.Seq] {
		return false
	}
	f.tasks[t.e.Seq] = t
	return true
}

// drop removes a task; dirty says that its file changed meanwhile.
func (f *inFlight) drop(t *task) (dirty bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.remove(t)
	return t.dirty
}

// remove removes a task and its key; called with the lock held.
func (f *inFlight) remove(t *task) {
	delete(f.tasks, t.e.Seq)
	delete(f.failed, t.e.Seq)
	if f.keys[t.claimed] == t {
		delete(f.keys, t.claimed)
	}
	f.changed()
}

// claim makes a key a task's own; false if another one has claimed it: two files with one key.
func (f *inFlight) claim(t *task, key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if by := f.keys[key]; by != nil {
		return by == t
	}
	if f.keys[t.claimed] == t {
		delete(f.keys, t.claimed)
	}
	f.keys[key], t.claimed = t, key
	return true
}

// leave removes a task for the rest of this run, which is an upload's.
func (f *inFlight) leave(t *task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left[t.e.Seq] = true
	f.remove(t)
}

// touch notes that the file of an entry changed; false if the entry is not in flight.
func (f *inFlight) touch(seq uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.tasks[seq]
	if t == nil {
		return false
	}
	t.dirty = true
	return true
}

// room waits until fewer than target are under way and returns how many may be taken; always half of target at least,
// so that they are begun in one commit.
func (f *inFlight) room(ctx context.Context, target func() int) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer func() { f.least = math.MaxInt }()
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		most := target()
		f.least = most / 2
		if active := f.active(); active <= f.least && len(f.queue) < mostWaiting {
			return most - active, nil
		}
		f.cond.Wait()
	}
}

// empty waits until no task is left.
func (f *inFlight) empty(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.tasks) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		f.cond.Wait()
	}
	return nil
}

func (f *inFlight) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.tasks)
}

// schedule puts a task among those that wait for their next try.
func (f *inFlight) schedule(t *task, due time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t.due = due
	if t.failures > 0 && !t.failing.IsZero() {
		f.failed[t.e.Seq] = failure{
			seq: t.e.Seq, path: t.box.path(t.e.Path), outbox: t.box.Path, kind: t.because, since: t.failing,
			failures: t.failures - t.throttles, detail: t.detail,
		}
	}
	heap.Push(&f.queue, t)
	f.changed()
	f.hasten()
}

// failing lists the files that get no success.
func (f *inFlight) failing() []failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]failure, 0, len(f.failed))
	for _, one := range f.failed {
		list = append(list, one)
	}
	return list
}

// hasten tells who begins what is due to look at the queue again; called with the lock held.
func (f *inFlight) hasten() {
	select {
	case f.earlier <- struct{}{}:
	default:
	}
}

// dueNow makes everything that waits due, because a person asked for it or the reason for waiting is gone.
func (f *inFlight) dueNow(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.queue {
		if t.due.After(now) {
			t.due = now
		}
	}
	heap.Init(&f.queue)
	f.hasten()
}

// due takes what is due now, and says how long until the next is.
func (f *inFlight) due(now time.Time, into []*task) ([]*task, time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	into = into[:0]
	for len(f.queue) > 0 && len(into) < 256 {
		if wait := f.queue[0].due.Sub(now); wait > 0 {
			return into, wait
		}
		into = append(into, heap.Pop(&f.queue).(*task))
	}
	return into, time.Hour
}

// drain takes everything that waits.
func (f *inFlight) drain() []*task {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := append([]*task(nil), f.queue...)
	f.queue = nil
	return list
}

// waiting is a heap by due time.
type waiting []*task

func (w waiting) Len() int           { return len(w) }
func (w waiting) Less(i, k int) bool { return w[i].due.Before(w[k].due) }
func (w waiting) Swap(i, k int)      { w[i], w[k] = w[k], w[i] }
func (w *waiting) Push(x any)        { *w = append(*w, x.(*task)) }
func (w *waiting) Pop() any {
	last := len(*w) - 1
	t := (*w)[last]
	(*w)[last] = nil
	*w = (*w)[:last]
	return t
}

// seen is the version to wait beyond.
func (f *inFlight) seen() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.version
}

// await waits until something changed since a version was seen: a file was added, came back, or is done with.
func (f *inFlight) await(ctx context.Context, seen uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.version == seen && ctx.Err() == nil {
		f.cond.Wait()
	}
	return ctx.Err()
}

// hold counts the conflicts that are held back for the conflict guard.
func (f *inFlight) hold(t *task, on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.held != on {
		t.held = on
		if on {
			f.held++
		} else {
			f.held--
		}
	}
}

// onlyHeld says that besides it no task is in flight but what is held back too.
func (f *inFlight) onlyHeld(t *task) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	held := f.held
	if !t.held {
		held++
	}
	return len(f.tasks) <= held
}
