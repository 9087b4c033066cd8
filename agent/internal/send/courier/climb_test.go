package courier

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A store is answers per second by the number of transfers at once.
func TestClimbFindsWhatCarriesMost(t *testing.T) {
	latency := func(most float64) func(int) float64 {
		return func(n int) float64 { return min(float64(n)/0.020, most) }
	}
	for _, c := range []struct {
		name        string
		store       func(transfers int) float64
		noise       float64
		cold        float64 // by what the first window carries less
		windows     int
		least, most int
	}{
		{"a long way, at once", latency(1e9), 0, 0, 5, mostTransfers, mostTransfers},
		{"a long way, noisily", latency(1e9), 0.1, 0, 100, mostTransfers / 2, mostTransfers},
		{"a long way that is full at 32", latency(32 / 0.020), 0, 0, 100, 32, 32},
		{"the processor is full at 4", func(int) float64 { return 5500 }, 0.03, 0, 600, leastTransfers, firstTransfers},
		{"more is worse", func(n int) float64 { return 5500 - 20*float64(n) }, 0.02, 0, 600, leastTransfers, firstTransfers},
		{"the processor is full at 4, and the first seconds", func(int) float64 { return 5500 }, 0.1, 0, 10, leastTransfers, 2 * firstTransfers},
		{"the processor is full at 4, after a cold start", func(int) float64 { return 5500 }, 0.03, 0.5, 3, leastTransfers, firstTransfers},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(20) {
				r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // noise
				now := time.Unix(1, 0)
				p := climb{most: mostTransfers, limit: firstTransfers}
				for i := range c.windows {
					now = now.Add(window)
					rate := c.store(p.limit) * (1 + c.noise*(2*r.Float64()-1))
					if i == 0 {
						rate *= 1 - c.cold
					}
					p.window(now, rate)
				}
				got := p.limit
				if p.before != 0 { // a trial is under way
					got = p.before
				}
				if got < c.least || got > c.most {
					t.Errorf("seed %d: %d transfers, want %d to %d", seed, got, c.least, c.most)
				}
			}
		})
	}
}
