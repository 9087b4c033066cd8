package courier

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"buzon/agent/internal/send/gate"
	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/outbox"
	"buzon/agent/internal/send/upload"
)

// gateThat answers every pass alike.
type gateThat struct{ passed bool }

func (g gateThat) Pass(context.Context, gate.Depth) gate.Report { return gate.Report{Passed: g.passed} }

// silentStore gives no answer until the context ends.
type silentStore struct{ asked chan struct{} }

func (s silentStore) PartSize(int64) int64 { return 0 }
func (s silentStore) Send(ctx context.Context, _ upload.Job, _ upload.Ledger) (upload.Result, error) {
	s.asked <- struct{}{}
	<-ctx.Done()
	return upload.Result{}, ctx.Err()
}

// askedWhether asks the parts of a courier as the watchdog does.
func askedWhether(ctx context.Context, c *Courier) (committer, scheduler error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var both sync.WaitGroup
	both.Go(func() { committer = c.CommitterAnswers(ctx) })
	both.Go(func() { scheduler = c.SchedulerAnswers(ctx) })
	both.Wait()
	return committer, scheduler
}

// TestWaitingIsAlive: whatever the courier waits for, for an hour, its parts answer. Time is faked.
func TestWaitingIsAlive(t *testing.T) {
	for name, c := range map[string]struct {
		open  bool
		files bool
		wait  bool
	}{
		"idle":           {open: true, wait: true},
		"a shut gate":    {wait: true},
		"a silent store": {open: true, files: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("a"), 0o600); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				var boxes []Outbox
				if c.files { // sent once, for a watch on a folder waits in the system, where no time is faked
					box, err := OpenOutbox(Outbox{Path: dir, Key: "{path}", Settle: Keep}, outbox.Options{Path: dir, Once: true, Log: slog.New(slog.DiscardHandler)})
					if err != nil {
						t.Fatal(err)
					}
					defer box.Close() //nolint:errcheck // it was only read
					boxes = append(boxes, box)
				}
				store := silentStore{make(chan struct{}, 1)}
				courier, ended := begun(t, journal.Options{}, Deps{Gate: gateThat{c.open}, Sender: func() Sender { return store }},
					Settings{Wait: c.wait, Shutdown: time.Second}, boxes)
				if c.files {
					<-store.asked
				}
				for range 60 {
					time.Sleep(time.Minute)
					if committer, scheduler := askedWhether(t.Context(), courier); committer != nil || scheduler != nil {
						t.Fatalf("the committer says %v, the scheduler %v", committer, scheduler)
					}
				}
				ended()
				// What has ended doesn't count as hung: its end is told otherwise.
				if committer, scheduler := askedWhether(t.Context(), courier); scheduler != nil {
					t.Errorf("ended, the committer says %v, the scheduler %v", committer, scheduler)
				}
			})
		})
	}
}

// TestABlockedCommitterDoesNotAnswer, nor one that is stuck in what it hands on.
func TestABlockedCommitterDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block, blocked := make(chan struct{}), false
		courier, ended := begun(t, journal.Options{Failpoint: func(name string) {
			if name == "journal.before-commit" && blocked {
				<-block
			}
		}}, Deps{Gate: gateThat{true}, Sender: func() Sender { return silentStore{} }}, Settings{Wait: true, Shutdown: time.Second}, nil)
		if committer, scheduler := askedWhether(t.Context(), courier); committer != nil || scheduler != nil {
			t.Fatalf("the committer says %v, the scheduler %v", committer, scheduler)
		}
		blocked = true
		reset := make(chan error, 1)
		go func() { reset <- courier.Journal.ResetConflictGuard() }() // something to commit
		synctest.Wait()
		if committer, scheduler := askedWhether(t.Context(), courier); committer == nil || scheduler != nil {
			t.Errorf("blocked, the committer says %v, the scheduler %v", committer, scheduler)
		}
		close(block)
		if err := <-reset; err != nil {
			t.Error(err)
		}
		if committer, scheduler := askedWhether(t.Context(), courier); committer != nil || scheduler != nil {
			t.Errorf("afterwards the committer says %v, the scheduler %v", committer, scheduler)
		}
		ended()
	})
}

// TestWhatDoesNotComeAroundDoesNotAnswer until it ends.
func TestWhatDoesNotComeAroundDoesNotAnswer(t *testing.T) {
	turns := newTurns()
	end := turns.begin()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if turns.ask(ctx, func() {}) == nil {
		t.Error("nobody came around, and there is an answer")
	}
	end()
	if err := turns.ask(t.Context(), func() {}); err != nil {
		t.Errorf("it has ended: %v", err)
	}
}

// begun is a courier that runs, with a function that ends it; one with outboxes sends once.
func begun(t *testing.T, options journal.Options, deps Deps, set Settings, boxes []Outbox) (*Courier, func()) {
	t.Helper()
	j, err := journal.Open(t.TempDir(), options)
	if err != nil {
		t.Fatal(err)
	}
	deps.Journal = j
	c, err := New(deps, set, boxes)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		if len(boxes) > 0 {
			_, err := c.Send(ctx)
			ended <- err
			return
		}
		ended <- c.Run(ctx)
	}()
	synctest.Wait()
	return c, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
}
