package serve

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestHealthFeedsOnlyWhileEveryPartAnswers, in the order of a day: all is well, one part hangs, it comes back.
func TestHealthFeedsOnlyWhileEveryPartAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex           // guards what follows
		hung := make(chan struct{}) // closed while the part answers
		close(hung)
		slow := func(ctx context.Context) error {
			select {
			case <-time.After(AnswerWithin - time.Second): // slow, and within what is allowed
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		blocks := func(ctx context.Context) error {
			mu.Lock()
			until := hung
			mu.Unlock()
			select {
			case <-until:
				return nil
			case <-ctx.Done():
				return errors.New("no answer")
			}
		}
		h := Health{{"slow", slow}, {"committer", blocks}}
		var fed time.Time
		var told [][]string
		sinceFed := func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return time.Since(fed)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.Feed(ctx, time.Minute, func() {
				mu.Lock()
				defer mu.Unlock()
				fed = time.Now()
			}, func(parts []string) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, parts)
			})
		}()
		for range 60 { // an hour
			time.Sleep(time.Minute)
			if late := sinceFed(); late >= time.Minute {
				t.Fatalf("fed %v ago", late)
			}
		}
		mu.Lock()
		hung = make(chan struct{})
		mu.Unlock()
		time.Sleep(3 * time.Minute)
		if since := sinceFed(); since < 2*time.Minute {
			t.Errorf("fed %v ago though a part hangs", since)
		}
		close(hung)
		time.Sleep(time.Minute)
		if since := sinceFed(); since >= time.Minute {
			t.Errorf("fed %v ago, and all answer again", since)
		}
		mu.Lock()
		got := slices.Clone(told)
		mu.Unlock()
		if len(got) != 2 || !slices.Equal(got[0], []string{"committer"}) || got[1] != nil {
			t.Errorf("told %q", got)
		}
		cancel()
		<-done
	})
}
