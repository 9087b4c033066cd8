package outbox

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// mostUnread bounds how many folders are remembered by name.
const mostUnread = 1000

// Unread is a folder inside the outbox that can't be read: nobody knows what is in it.
type Unread struct {
	Rel   string
	Since time.Time
	Err   error
}

// unread remembers the folders that can't be read from one pass to the next.
type unread struct {
	mu   sync.Mutex
	pass int // number of the pass that is under way, or was last
	seen map[string]*unreadFolder
}

type unreadFolder struct {
	Unread
	pass int // in which it was met last
}

// Unread lists the folders that the last passes could not read, by name; at most a thousand.
func (o *Outbox) Unread() []Unread {
	o.unread.mu.Lock()
	defer o.unread.mu.Unlock()
	list := make([]Unread, 0, len(o.unread.seen))
	for _, f := range o.unread.seen {
		list = append(list, f.Unread)
	}
	slices.SortFunc(list, func(a, b Unread) int { return strings.Compare(a.Rel, b.Rel) })
	return list
}

// met notes a folder that can't be read. It reports whether that is news.
func (u *unread) met(rel string, err error, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if f, known := u.seen[rel]; known {
		f.pass, f.Err = u.pass, err
		return false
	}
	if len(u.seen) >= mostUnread {
		return false
	}
	if u.seen == nil {
		u.seen = map[string]*unreadFolder{}
	}
	u.seen[rel] = &unreadFolder{Unread{rel, now, err}, u.pass}
	return true
}

// begin begins a pass over the whole outbox.
func (u *unread) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pass++
}

// end forgets what a whole pass did not meet again, and tells it.
func (u *unread) end() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var gone []string
	for rel, f := range u.seen {
		if f.pass != u.pass {
			delete(u.seen, rel)
			gone = append(gone, rel)
		}
	}
	slices.Sort(gone)
	return gone
}
