package courier

import (
	"container/heap"
	"context"
	"math"
	"sync"
	"time"

	"buzon/agent/internal/send/journal"
)

// item is an entry that the courier has in hand: taken from the journal and not yet done with. One goroutine owns it
// at a time.
type item struct {
	e       *journal.Entry
	box     *box
	begun   bool      // its attempt is durable
	suffix  bool      // it goes on under its suffixed key
	row     int       // failures in a row
	slowed  int       // of them, those that only asked for less
	denied  uint64    // the door's generation in which it was denied; whose fault that is, the gate tells
	due     time.Time // while it waits to be tried again
	waits   bool
	parked  bool   // held back for the guard; guarded by hand
	dirty   bool   // the file changed while it was in hand; guarded by hand
	claimed string // the key that is its own while it is in hand; guarded by hand
}

// mostWaiting bounds the entries that wait for their next try in memory.
const mostWaiting = 2048

// hand is what is in hand.
type hand struct {
	mu      sync.Mutex
	cond    *sync.Cond
	items   map[uint64]*item
	left    map[uint64]bool  // let go of for the rest of this run
	keys    map[string]*item // who has claimed which key
	queue   waiting
	version uint64        // counts the changes, so that none is missed between looking and waiting
	enough  int           // while the feeder waits for room: how many under way leave enough of it; else the most
	soon    chan struct{} // a due time became earlier
	parked  int           // conflicts that wait for the guard
}

func newHand() *hand {
	h := &hand{items: map[uint64]*item{}, left: map[uint64]bool{}, keys: map[string]*item{}, soon: make(chan struct{}, 1), enough: math.MaxInt}
	h.cond = sync.NewCond(&h.mu)
	return h
}

// changed lets who waits look again, unless it is the feeder and there still is too little room; called with the lock
// held. Each file changes what is in hand twice: without the exception the feeder would be woken as often, for nothing.
func (h *hand) changed() {
	h.version++
	if h.active() <= h.enough {
		h.cond.Broadcast()
	}
}

// active is how many are under way: in hand, and not waiting for their next try.
func (h *hand) active() int { return len(h.items) - len(h.queue) }

// wake lets all who wait look again.
func (h *hand) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.version++
	h.cond.Broadcast()
}

// began notes that a commit has handed an item on.
func (h *hand) began() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed()
}

// take puts an entry in hand; false if it is there already, or was let go of for this run.
func (h *hand) take(it *item) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.items[it.e.Seq] != nil || h.left[it.e.Seq] {
		return false
	}
	h.items[it.e.Seq] = it
	return true
}

// drop lets go of an item; dirty says that its file changed meanwhile.
func (h *hand) drop(it *item) (dirty bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.release(it)
	return it.dirty
}

// release lets go of an item and its key; called with the lock held.
func (h *hand) release(it *item) {
	delete(h.items, it.e.Seq)
	if h.keys[it.claimed] == it {
		delete(h.keys, it.claimed)
	}
	h.changed()
}

// claim makes a key an item's own while it is in hand; false if another one has claimed it: two files with one key.
func (h *hand) claim(it *item, key string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if by := h.keys[key]; by != nil {
		return by == it
	}
	if h.keys[it.claimed] == it {
		delete(h.keys, it.claimed)
	}
	h.keys[key], it.claimed = it, key
	return true
}

// leave lets go of an item for the rest of this run, which is an upload's.
func (h *hand) leave(it *item) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.left[it.e.Seq] = true
	h.release(it)
}

// touch notes that the file of an entry changed; false if the entry is not in hand.
func (h *hand) touch(seq uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	it := h.items[seq]
	if it == nil {
		return false
	}
	it.dirty = true
	return true
}

// room waits until fewer than target are under way and returns how many may be taken; always half of target at least,
// so that they are begun in one commit.
func (h *hand) room(ctx context.Context, target func() int) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() { h.enough = math.MaxInt }()
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		most := target()
		h.enough = most / 2
		if active := h.active(); active <= h.enough && len(h.queue) < mostWaiting {
			return most - active, nil
		}
		h.cond.Wait()
	}
}

// empty waits until nothing is in hand.
func (h *hand) empty(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.items) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		h.cond.Wait()
	}
	return nil
}

func (h *hand) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.items)
}

// later puts an item among those that wait for their next try.
func (h *hand) later(it *item, due time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	it.due, it.waits = due, true
	heap.Push(&h.queue, it)
	h.changed()
	select {
	case h.soon <- struct{}{}:
	default:
	}
}

// due takes what is due now, and says how long until the next is.
func (h *hand) due(now time.Time, into []*item) ([]*item, time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	into = into[:0]
	for len(h.queue) > 0 && len(into) < 256 {
		if wait := h.queue[0].due.Sub(now); wait > 0 {
			return into, wait
		}
		it := heap.Pop(&h.queue).(*item)
		it.waits = false
		into = append(into, it)
	}
	return into, time.Hour
}

// drain takes everything that waits.
func (h *hand) drain() []*item {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := append([]*item(nil), h.queue...)
	h.queue = nil
	return list
}

// waiting is a heap by due time.
type waiting []*item

func (w waiting) Len() int           { return len(w) }
func (w waiting) Less(i, k int) bool { return w[i].due.Before(w[k].due) }
func (w waiting) Swap(i, k int)      { w[i], w[k] = w[k], w[i] }
func (w *waiting) Push(x any)        { *w = append(*w, x.(*item)) }
func (w *waiting) Pop() any {
	last := len(*w) - 1
	it := (*w)[last]
	(*w)[last] = nil
	*w = (*w)[:last]
	return it
}

// seen is the version to wait beyond.
func (h *hand) seen() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.version
}

// more waits until something changed since a version was seen: a file was added, came back, or is done with.
func (h *hand) more(ctx context.Context, seen uint64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.version == seen && ctx.Err() == nil {
		h.cond.Wait()
	}
	return ctx.Err()
}

// park counts the conflicts that are held back for the guard.
func (h *hand) park(it *item, on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if it.parked != on {
		it.parked = on
		if on {
			h.parked++
		} else {
			h.parked--
		}
	}
}

// onlyParked says that besides it nothing is in hand but what is held back too.
func (h *hand) onlyParked(it *item) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	parked := h.parked
	if !it.parked {
		parked++
	}
	return len(h.items) <= parked
}
