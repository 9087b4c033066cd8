package courier

import "time"

// Between two trials of another number of transfers: the time doubles while they bring nothing.
const (
	restFirst = time.Second
	restCap   = 30 * time.Second
)

// What a trial must show. Twice the transfers must carry clearly more, or the latency only hides in a queue; half of
// them may carry hardly less.
const (
	worthDoubling = 1.2
	worthHalving  = 0.95
)

// climb looks for the number of transfers at once that carries most, and for the least such number: over a long way
// there have to be many, on a machine whose processor is the slow side a few do as well and cost less. It doubles at
// once while that helps, then rests, and from then on tries half or twice as many now and then.
type climb struct {
	limit  int
	most   int     // as many as there may be
	warm   bool    // a window is over: the first also pays for connections and cold caches, and any number beats it
	down   bool    // the next trial is of fewer
	before int     // what the limit was before the trial under way; 0: none is
	rate   float64 // answers per second then
	rest   time.Duration
	until  time.Time // no trial before
}

// window ends a window in which the limit was the bound: rate is its answers per second.
func (c *climb) window(now time.Time, rate float64) {
	if !c.warm {
		c.warm = true
		return
	}
	if c.before == 0 {
		if !now.Before(c.until) {
			c.try(now, rate)
		}
		return
	}
	worth := worthDoubling
	if c.down {
		worth = worthHalving
	}
	if rate >= c.rate*worth {
		c.rest = 0
		c.try(now, rate)
		return
	}
	c.limit = c.before
	c.turn(now)
}

// try begins a trial in the direction that is due.
func (c *climb) try(now time.Time, rate float64) {
	next := min(c.most, 2*c.limit)
	if c.down {
		next = max(min(leastTransfers, c.most), c.limit/2)
	}
	if next == c.limit {
		c.turn(now)
		return
	}
	c.before, c.rate, c.limit = c.limit, rate, next
}

// turn ends a trial: the next is of the other direction, after a rest.
func (c *climb) turn(now time.Time) {
	c.before, c.down = 0, !c.down
	c.rest = min(restCap, max(restFirst, 2*c.rest))
	c.until = now.Add(c.rest)
}

// cut halves the limit because the server asked for less, and ends what is being tried.
func (c *climb) cut(now time.Time) {
	c.limit = max(min(leastTransfers, c.most), c.limit/2)
	c.before, c.down = 0, false
	c.until = now.Add(restFirst)
}
