package courier

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoffGrowsAndIsCapped(t *testing.T) {
	for n := 1; n < 40; n++ {
		ceiling := backoffCap
		if n < 9 {
			ceiling = min(backoffCap, backoffBase<<n)
		}
		least, most := ceiling, time.Duration(0)
		for range 200 {
			d := backoff(n, 0)
			if d < 0 || d > ceiling {
				t.Fatalf("the %d. wait is %s, at most %s", n, d, ceiling)
			}
			least, most = min(least, d), max(most, d)
		}
		if least > ceiling/10 || most < ceiling*9/10 { // full jitter: once in a thousand million runs it is not so
			t.Errorf("the %d. waits are from %s to %s, want anything up to %s", n, least, most, ceiling)
		}
		if d := backoff(n, time.Minute); d != time.Minute {
			t.Fatalf("with Retry-After of a minute the wait is %s", d)
		}
	}
}

func TestPaceHoldsTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(3, 1000, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		for range 3 {
			if err := p.take(ctx); err != nil {
				t.Fatal(err)
			}
		}
		fourth := make(chan error, 2)
		go func() { fourth <- p.take(ctx) }()
		synctest.Wait()
		select {
		case err := <-fourth:
			t.Fatalf("a fourth transfer started (%v)", err)
		default:
		}
		p.release()
		if err := <-fourth; err != nil {
			t.Fatal(err)
		}
		go func() { fourth <- p.take(ctx) }()
		synctest.Wait()
		cancel()
		p.wake()
		if err := <-fourth; err == nil {
			t.Fatal("an ended context still gives a place")
		}
	})
}

func TestSlowDownHalvesAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(0, 1000, time.Now)
		p.slow(2 * time.Second)
		p.slow(2 * time.Second) // those under way together count once
		if p.size() != firstTransfers/2 {
			t.Errorf("%d transfers, want %d", p.size(), firstTransfers/2)
		}
		asked := time.Now()
		if err := p.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(asked); waited < 2*time.Second || waited > 3*time.Second {
			t.Errorf("it waited %s, though Retry-After was 2s", waited)
		}
		for range 20 {
			time.Sleep(window) // of the bubble's own clock
			p.slow(0)
		}
		if p.size() != leastTransfers {
			t.Errorf("%d transfers, never fewer than %d", p.size(), leastTransfers)
		}
	})
}

func TestAStoreThatIsAwayIsProbedByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(0, 1000, time.Now)
		for range outageAfter {
			p.lost()
		}
		if p.allowed() != 1 {
			t.Errorf("%d transfers may start at a store that is away", p.allowed())
		}
		probes, began := 0, time.Now()
		for time.Since(began) < 10*time.Minute {
			if err := p.take(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.lost()
			p.release()
			probes++
		}
		if probes < 15 || probes > 60 {
			t.Errorf("%d probes in ten minutes", probes)
		}
		if away := p.away(); away < 10*time.Minute {
			t.Errorf("it is away for %s", away)
		}
		p.answered()
		if p.away() != 0 || p.allowed() != firstTransfers {
			t.Errorf("after an answer: away %s, %d transfers", p.away(), p.allowed())
		}
	})
}

func TestPaceGrowsWhileMoreCarryMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(0, 1000, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		work := make(chan struct{})
		for range mostTransfers {
			go func() {
				for p.take(ctx) == nil {
					select {
					case <-time.After(20 * time.Millisecond): // a server far away: more at once carry more
					case <-ctx.Done():
					}
					p.answered()
					p.release()
				}
				work <- struct{}{}
			}()
		}
		time.Sleep(10 * time.Second)
		if n := p.size(); n < mostTransfers/2 {
			t.Errorf("only %d transfers after ten seconds", n)
		}
		cancel()
		p.wake()
		for range mostTransfers {
			<-work
		}
	})
}

// A worker that goes on in its own place must neither outrun a pause or a lower limit, nor starve who waits.
func TestPlaceIsKeptOnlyWhileNothingSpeaksAgainstIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(0, 1000, time.Now)
		for range firstTransfers {
			if err := p.take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if !p.keep() {
			t.Error("with all places taken, none can be passed on")
		}
		taken := make(chan error, 1)
		go func() { taken <- p.take(t.Context()) }()
		synctest.Wait()
		if p.keep() {
			t.Error("a place is passed on over the head of a file that waits")
		}
		p.release()
		if err := <-taken; err != nil {
			t.Fatal(err)
		}
		p.slow(time.Second) // halves
		if p.keep() {
			t.Error("a place is passed on during a pause")
		}
		time.Sleep(2 * time.Second) // of the bubble's own clock
		if p.keep() {
			t.Error("a place is passed on though more run than may")
		}
		for range firstTransfers / 2 {
			p.release()
		}
		if !p.keep() {
			t.Error("the places that are left can't be passed on")
		}
	})
}
