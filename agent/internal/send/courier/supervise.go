package courier

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Between two starts of what ended with an error: doubling up to the cap.
const (
	restartFirst = time.Second
	restartCap   = 30 * time.Second
)

// supervisor starts the courier's goroutines and knows what the end of each means: there is no other `go` in this
// room. What ends with an error ends the agent, or is started again and is seen meanwhile.
type supervisor struct {
	log  *slog.Logger
	fail func(error) // ends the agent

	group sync.WaitGroup
}

// vital runs what the agent can't be without: its error ends the agent.
func (s *supervisor) vital(run func() error) {
	s.group.Go(func() {
		if err := run(); err != nil && !ended(err) {
			s.fail(err)
		}
	})
}

// restarting runs what is started again, after a wait, whenever it ends before the context does. trouble is told why
// it ended, and nil once it has run for a while since.
func (s *supervisor) restarting(ctx context.Context, name string, run func(context.Context) error, trouble func(error)) {
	s.group.Go(func() {
		for pause := restartFirst; ctx.Err() == nil; pause = min(2*pause, restartCap) {
			began := time.Now()
			var mu sync.Mutex
			over := false
			calm := time.AfterFunc(2*restartFirst, func() {
				mu.Lock()
				defer mu.Unlock()
				if !over {
					trouble(nil)
				}
			})
			err := run(ctx)
			calm.Stop()
			mu.Lock()
			over = true
			mu.Unlock()
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				err = errEnded
			}
			if time.Since(began) > restartCap {
				pause = restartFirst
			}
			s.log.Error("a part of the agent ended and is started again", "part", name, "wait", pause, "error", err)
			trouble(err)
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
	})
}

// wait returns when everything has ended.
func (s *supervisor) wait() { s.group.Wait() }

// errEnded is the error of what ended without one though it was to run on.
var errEnded = errors.New("it ended")

// ended says that err only tells that the context ended.
func ended(err error) bool { return errors.Is(err, context.Canceled) }
