package serve

import (
	"sync"
	"time"
)

// Throughput keeps how many bytes left in each minute of the last hour.
type Throughput struct {
	mu      sync.Mutex
	minutes [60]int64
	last    int64 // minute that was written last, since the epoch
}

// Add counts bytes that left now.
func (t *Throughput) Add(now time.Time, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(now)
	t.minutes[t.last%60] += n
}

// Hour is what left in the last 60 minutes, the oldest first; the last of them is not over yet.
func (t *Throughput) Hour(now time.Time) (minutes [60]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(now)
	for i := range minutes {
		minutes[i] = t.minutes[(t.last+1+int64(i))%60]
	}
	return minutes
}

// forget empties the minutes that came since the last call; called with the lock held. A clock that went back counts
// into the minute it was at.
func (t *Throughput) forget(now time.Time) {
	minute := now.Unix() / 60
	for n := min(minute-t.last, 60); n > 0; n-- {
		t.minutes[(minute-n+1)%60] = 0
	}
	t.last = max(t.last, minute)
}
