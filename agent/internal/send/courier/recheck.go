package courier

import (
	"sync"
	"time"
)

// mostRechecks bounds the paths that are remembered to be looked at again; beyond it everything is.
const mostRechecks = 10_000

// recheckQueue is the paths of one outbox that are to be looked at again, and when.
type recheckQueue struct {
	more  chan struct{}
	mu    sync.Mutex
	at    map[string]time.Time
	whole bool
}

func newRecheckQueue() *recheckQueue {
	return &recheckQueue{more: make(chan struct{}, 1), at: map[string]time.Time{}}
}

// add asks for a path to be looked at, not before a time; "" asks for everything.
func (r *recheckQueue) add(rel string, at time.Time) {
	r.mu.Lock()
	switch {
	case rel == "" || len(r.at) >= mostRechecks:
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

func (r *recheckQueue) all() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.whole
}

func (r *recheckQueue) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.whole = false
	clear(r.at)
}

// due takes what is to be looked at by now.
func (r *recheckQueue) due(now time.Time) []string {
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
func (r *recheckQueue) wait(now time.Time) time.Duration {
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
