package courier

import (
	"context"
	"errors"
	"sync"
)

// ErrNoAnswer means that a part of the agent doesn't answer.
var ErrNoAnswer = errors.New("no answer")

// turns lets others ask whether a goroutine still comes around. It answers at once where that goroutine hasn't begun, or
// has ended: what its end means is the supervisor's.
type turns struct {
	wake chan struct{} // holds an element while somebody asks

	mu      sync.Mutex
	runs    bool
	waiting []chan struct{}
}

func newTurns() *turns { return &turns{wake: make(chan struct{}, 1)} }

// begin says that the goroutine runs, until the function that it returns is called.
func (t *turns) begin() (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs = true
	return func() {
		t.mu.Lock()
		t.runs = false
		t.mu.Unlock()
		t.answer()
	}
}

// answer is called by the goroutine whenever it comes around.
func (t *turns) answer() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.waiting {
		close(one)
	}
	t.waiting = nil
}

// ask returns once the goroutine has come around; nudge wakes it where it may sleep.
func (t *turns) ask(ctx context.Context, nudge func()) error {
	t.mu.Lock()
	if !t.runs {
		t.mu.Unlock()
		return nil
	}
	answered := make(chan struct{})
	t.waiting = append(t.waiting, answered)
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
	nudge()
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return ErrNoAnswer
	}
}

// CommitterAnswers returns once what commits, and what hands on what was committed, have come around; [ErrNoAnswer] if
// the context ends before. One that waits for space on the disk answers.
func (c *Courier) CommitterAnswers(ctx context.Context) error {
	if c.Journal.Ping(ctx) != nil {
		return ErrNoAnswer
	}
	return c.clerk.ask(ctx, func() {})
}

// SchedulerAnswers is the same of what hands files to those that send them. One that waits for the gate, for a store
// that is silent or for files answers.
func (c *Courier) SchedulerAnswers(ctx context.Context) error {
	return c.dispatcher.ask(ctx, c.pace.wake)
}
