package courier

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"buzon/agent/internal/send/gate"
)

// script is a gate that answers as a test says.
type script struct {
	mu     sync.Mutex
	passes bool
	silent bool // nobody answers
	lacks  bool // and that is because the machine lacks what it takes to ask
	depths []gate.Depth
}

func (s *script) Pass(_ context.Context, depth gate.Depth) gate.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.depths = append(s.depths, depth)
	return gate.Report{Passed: s.passes && !s.silent, Undecided: s.silent, Lacking: s.silent && s.lacks, Time: time.Now()}
}

func (s *script) set(passes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passes = passes
}

func (s *script) setSilent(silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = silent
}

func (s *script) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.depths)
}

func newTestGatekeeper(s *script, rules waitRules) *gatekeeper {
	return newGatekeeper(s, func() Sender { return nil }, time.Now, rules)
}

func TestAGateThatWasNeverPassedStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTestGatekeeper(&script{}, waitRules{most: time.Hour})
		var refused *GateError
		if err := k.pass(t.Context()); !errors.As(err, &refused) {
			t.Errorf("error %v", err)
		}
	})
}

// What the machine lacks comes back, at the start as later; an upload waits for it as long as patience lasts.
func TestWhatTheMachineLacksIsWaitedForFromTheStart(t *testing.T) {
	for _, once := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{passes: true, silent: true, lacks: true}
			k := newTestGatekeeper(s, waitRules{once: once, most: 15 * time.Minute})
			time.AfterFunc(5*time.Minute, func() { s.setSilent(false) })
			if err := k.pass(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		k := newTestGatekeeper(&script{silent: true, lacks: true}, waitRules{once: true, most: 15 * time.Minute})
		var away *AwayError
		if err := k.pass(t.Context()); !errors.As(err, &away) {
			t.Errorf("error %v", err)
		}
	})
}

func TestAFaultOnceSendingLastsAsLongAsPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{passes: true}
		k := newTestGatekeeper(s, waitRules{most: 15 * time.Minute})
		if err := k.pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, gen, _ := k.peek()
		s.set(false)
		k.doubt(gen)
		began := time.Now()
		var refused *GateError
		if err := k.pass(t.Context()); !errors.As(err, &refused) {
			t.Errorf("error %v", err)
		}
		if lasted := time.Since(began); lasted < 15*time.Minute || lasted > 17*time.Minute {
			t.Errorf("it gave up after %s", lasted)
		}
		if n := s.asked(); n < 10 || n > 30 {
			t.Errorf("it asked %d times in a quarter of an hour", n)
		}
	})
}

func TestSilenceIsNoFaultAndMendsNone(t *testing.T) {
	const patience = 15 * time.Minute
	for _, c := range []struct {
		name    string
		before  time.Duration // a word against the key, then silence
		silent  time.Duration
		then    bool // whether the key passes when somebody answers again
		refused time.Duration
	}{
		{name: "a network that is down for a day", silent: 24 * time.Hour, then: true},
		{name: "a key that is gone when the network is back", silent: 24 * time.Hour, refused: 24*time.Hour + patience},
		{name: "a key that was gone before the network was", before: 5 * time.Minute, silent: 24 * time.Hour, refused: patience},
		{name: "a key that was gone and is mended while nobody answers", before: 5 * time.Minute, silent: 5 * time.Minute, then: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				s := &script{passes: true}
				k := newTestGatekeeper(s, waitRules{most: patience})
				if err := k.pass(ctx); err != nil {
					t.Fatal(err)
				}
				_, gen, _ := k.peek()
				began := time.Now()
				s.set(false)
				s.setSilent(c.before == 0)
				k.doubt(gen)
				ended := make(chan error, 1)
				go func() { ended <- k.pass(ctx) }()
				time.Sleep(c.before) // of the bubble's own clock
				s.setSilent(true)
				go func() {
					time.Sleep(c.silent)
					s.set(c.then)
					s.setSilent(false)
				}()
				err := <-ended
				took := time.Since(began)
				var refused *GateError
				switch {
				case c.then && err != nil, !c.then && !errors.As(err, &refused):
					t.Errorf("it ended with %v", err)
				case c.then && took > c.before+c.silent+gateCap:
					t.Errorf("it went on only after %s", took)
				case !c.then && (took < c.refused || took > c.refused+2*gateCap):
					t.Errorf("it gave up after %s, want %s", took, c.refused)
				case !c.then && refused.Report.Undecided:
					t.Error("it says that nobody answered, and not what is wrong with the key")
				}
				time.Sleep(48 * time.Hour) // the goroutine that ends the silence
			})
		})
	}
}

func TestEachFaultHasItsOwnPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{passes: true}
		k := newTestGatekeeper(s, waitRules{most: 15 * time.Minute})
		if err := k.pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		fault := func(lasts time.Duration) (time.Duration, error) {
			_, gen, _ := k.peek()
			s.set(false)
			k.doubt(gen)
			began := time.Now()
			time.AfterFunc(lasts, func() { s.set(true) })
			err := k.pass(t.Context())
			return time.Since(began), err
		}
		for range 3 {
			if took, err := fault(10 * time.Minute); err != nil {
				t.Fatalf("it gave up after %s: %v", took, err)
			}
		}
		if took, err := fault(time.Hour); err == nil || took < 15*time.Minute {
			t.Errorf("it ended after %s: %v", took, err)
		}
	})
}

func TestAnUploadDoesNotWaitForSilenceForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{passes: true}
		k := newTestGatekeeper(s, waitRules{most: 15 * time.Minute})
		k.rules.once = true
		if err := k.pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, gen, _ := k.peek()
		s.setSilent(true)
		k.doubt(gen)
		began := time.Now()
		var away *AwayError
		if err := k.pass(t.Context()); !errors.As(err, &away) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took < 15*time.Minute || took > 17*time.Minute {
			t.Errorf("it gave up after %s", took)
		}
	})
}

func TestAWaitingGateGoesOnByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		k := newTestGatekeeper(s, waitRules{wait: true})
		ended := make(chan error, 1)
		go func() { ended <- k.pass(t.Context()) }()
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("it gave up: %v", err)
		default:
		}
		s.set(true)
		mended := time.Now()
		k.recheck(t.Context(), gate.Quick) // the credentials file changed
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(mended); took > time.Second {
			t.Errorf("mended credentials are used only after %s", took)
		}
	})
}

func TestAnOldDoubtDoesNotShutANewGate(t *testing.T) {
	s := &script{passes: true}
	k := newTestGatekeeper(s, waitRules{})
	if err := k.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, old, _ := k.peek()
	k.doubt(old)
	if err := k.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.doubt(old) // a late answer to a request of the credentials before
	if _, _, open := k.peek(); !open {
		t.Error("the gate is shut by a doubt that was answered")
	}
	if s.depths[0] != gate.Full || s.depths[1] != gate.Quick {
		t.Errorf("asked %v", s.depths)
	}
}
