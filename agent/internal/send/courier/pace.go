package courier

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Bounds of the transfers at once where the configuration says auto.
const (
	leastTransfers = 4
	firstTransfers = 32
	mostTransfers  = 128
)

// Backing off: the n-th wait of a file is anything up to base·2ⁿ, capped (full jitter).
const (
	backoffBase = 100 * time.Millisecond
	backoffCap  = 30 * time.Second
	outageAfter = 16               // failures in a row, of whatever files, that mean that the store is away
	outageCap   = 30 * time.Second // between two probes of a store that is away
)

// window is how long a change of the number of transfers is watched before the next.
const window = 100 * time.Millisecond

// backoff is how long a file waits after its n-th transient failure in a row (n from 1).
func backoff(n int, least time.Duration) time.Duration {
	ceiling := backoffCap
	if n < 10 {
		ceiling = min(backoffCap, backoffBase<<n)
	}
	return max(least, time.Duration(rand.Int64N(int64(ceiling))))
}

// pace is the one limiter of all workers: how many transfers run at once, and from when on. It grows while more
// transfers carry more, shrinks when the server says that it is too much, and lets one single probe through while the
// store is away.
type pace struct {
	now   func() time.Time
	turns *turns // of who waits for a place

	mu       sync.Mutex
	cond     *sync.Cond
	fixed    bool
	climb    climb
	running  int
	takers   int       // wait for a place with a file in their hands
	notUntil time.Time // nothing starts before
	timer    *time.Timer

	row    int       // failures in a row, of whatever files
	since  time.Time // of the first of them
	probes int       // pauses since

	opened time.Time // of the window
	done   int64     // answers in the window
	full   bool      // the limit was reached in the window
	shrunk time.Time
}

// newPace makes one for so many transfers at once, 0 for as many as carry most, and never more than fit.
func newPace(transfers, fit int, now func() time.Time) *pace {
	fit = max(1, fit)
	p := &pace{now: now, turns: newTurns(), climb: climb{limit: min(firstTransfers, fit), most: min(mostTransfers, fit)}}
	if transfers > 0 {
		p.fixed, p.climb.limit = true, min(transfers, fit)
	}
	p.cond = sync.NewCond(&p.mu)
	return p
}

// await waits until a transfer may start, without counting it. It fails only with the context.
func (p *pace) await(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.room(ctx)
}

// take waits until a transfer may start, and counts it. It fails only with the context.
func (p *pace) take(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takers++
	err := p.room(ctx)
	p.takers--
	if err == nil {
		p.running++
		p.full = p.full || p.running >= p.climb.limit
	}
	return err
}

// keep says that a transfer that ended may give its place to the next at once: there is no pause, not too many run,
// and nobody waits for it.
func (p *pace) keep() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.full = p.full || p.running >= p.climb.limit
	return p.takers == 0 && p.running <= p.allowed() && p.wait() <= 0
}

// room waits for a place; called with the lock held.
func (p *pace) room(ctx context.Context) error {
	for {
		p.turns.answer()
		if err := ctx.Err(); err != nil {
			return err
		}
		wait := p.wait()
		if wait <= 0 && p.running < p.allowed() {
			return nil
		}
		p.full = true
		if wait > 0 {
			p.wakeIn(wait)
		}
		p.cond.Wait()
	}
}

// wait is what is left of a pause.
func (p *pace) wait() time.Duration {
	if p.notUntil.IsZero() {
		return 0
	}
	return p.notUntil.Sub(p.now())
}

// allowed is the limit of now: one while the store is away.
func (p *pace) allowed() int {
	if p.row >= outageAfter {
		return 1
	}
	return p.climb.limit
}

// wakeIn wakes the waiting later; called with the lock held.
func (p *pace) wakeIn(d time.Duration) {
	if p.timer == nil {
		p.timer = time.AfterFunc(d, p.wake)
		return
	}
	p.timer.Reset(d)
}

// wake lets all who wait look again: after a context ended, or a pause.
func (p *pace) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cond.Broadcast()
}

// release gives the place of a transfer back without saying how it went.
func (p *pace) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	p.cond.Broadcast()
}

// answered notes that the server dealt with a request.
func (p *pace) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.row, p.probes = 0, 0
	p.done++
	now := p.now()
	if p.opened.IsZero() {
		p.opened = now
		return
	}
	// Two rounds of what runs at once, at least: fewer answers tell of chance.
	if span := now.Sub(p.opened); span >= window && p.done >= int64(2*p.climb.limit) {
		p.adapt(now, float64(p.done)/span.Seconds())
	}
}

// adapt ends a window; called with the lock held.
func (p *pace) adapt(now time.Time, rate float64) {
	full := p.full
	p.opened, p.done, p.full = now, 0, p.running >= p.climb.limit
	if p.fixed || !full {
		return
	}
	p.climb.window(now, rate)
	p.cond.Broadcast()
}

// signal notes what an outcome tells of the store; after is its Retry-After, or zero.
func (p *pace) signal(s signal, after time.Duration) {
	switch s {
	case answers:
		p.answered()
	case slowDown:
		p.slow(after)
	case noAnswer:
		p.lost()
	case lacking:
		p.lacking()
	case noSignal:
	}
}

// lacking notes that this machine can't carry as many transfers at once.
func (p *pace) lacking() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if now.Sub(p.shrunk) >= window {
		p.climb.limit = max(1, min(p.climb.limit, p.running)/2)
		p.shrunk = now
	}
}

// slow notes that the server asked for less; after is its Retry-After, or zero.
func (p *pace) slow(after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if !p.fixed && now.Sub(p.shrunk) >= window {
		p.climb.cut(now)
		p.shrunk = now
	}
	if p.row == 0 {
		p.since = now
	}
	p.row++
	p.pause(now, min(after, time.Minute))
}

// lost notes a request that failed in a way that tells of the store or of the way to it, not of the file.
func (p *pace) lost() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if p.row == 0 {
		p.since = now
	}
	p.row++
	// Those that were under way when the store went fail together: only the probes after that make the pause longer.
	if p.row >= outageAfter && !now.Before(p.notUntil) {
		p.pause(now, min(outageCap, backoffBase<<min(p.probes, 10)))
		p.probes++
	}
}

// pause keeps everything back; called with the lock held.
func (p *pace) pause(now time.Time, d time.Duration) {
	if d <= 0 {
		return
	}
	if until := now.Add(d); until.After(p.notUntil) {
		p.notUntil = until
	}
}

// away is for how long the store has given no answer at all; zero while it is there.
func (p *pace) away() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.row < outageAfter {
		return 0
	}
	return p.now().Sub(p.since)
}

// failingSince is when the first of the requests failed that have failed in a row.
func (p *pace) failingSince() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.since
}

// size is the number of transfers that may run at once now.
func (p *pace) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.climb.limit
}
