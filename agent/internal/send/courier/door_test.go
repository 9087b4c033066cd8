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
	depths []gate.Depth
}

func (s *script) Pass(_ context.Context, depth gate.Depth) gate.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.depths = append(s.depths, depth)
	return gate.Report{Passed: s.passes, Time: time.Now()}
}

func (s *script) set(passes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passes = passes
}

func (s *script) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.depths)
}

func newTestDoor(s *script, set Settings) *door {
	c := &Courier{
		Deps: Deps{Gate: s, Sender: func() Sender { return nil }, Gated: func(gate.Report, bool) {}, Now: time.Now}, set: set,
		failed: make(chan error, 1), hand: newHand(),
	}
	c.door = newDoor(c)
	return c.door
}

func TestAGateThatWasNeverPassedStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDoor(&script{}, Settings{Patience: time.Hour})
		var refused *GateError
		if err := d.wait(t.Context()); !errors.As(err, &refused) {
			t.Errorf("error %v", err)
		}
	})
}

func TestAFaultOnceSendingLastsAsLongAsPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{passes: true}
		d := newTestDoor(s, Settings{Patience: 15 * time.Minute})
		if err := d.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, gen, _ := d.peek()
		s.set(false)
		d.doubt(gen)
		began := time.Now()
		var refused *GateError
		if err := d.wait(t.Context()); !errors.As(err, &refused) {
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

func TestAWaitingDoorGoesOnByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		d := newTestDoor(s, Settings{Wait: true})
		ended := make(chan error, 1)
		go func() { ended <- d.wait(t.Context()) }()
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("it gave up: %v", err)
		default:
		}
		s.set(true)
		mended := time.Now()
		d.c.Recheck(t.Context(), gate.Quick) // the credentials file changed
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(mended); took > time.Second {
			t.Errorf("mended credentials are used only after %s", took)
		}
	})
}

func TestAnOldDoubtDoesNotShutANewDoor(t *testing.T) {
	s := &script{passes: true}
	d := newTestDoor(s, Settings{})
	if err := d.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, old, _ := d.peek()
	d.doubt(old)
	if err := d.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.doubt(old) // a late answer to a request of the credentials before
	if _, _, open := d.peek(); !open {
		t.Error("the door is shut by a doubt that was answered")
	}
	if s.depths[0] != gate.Full || s.depths[1] != gate.Quick {
		t.Errorf("asked %v", s.depths)
	}
}
