package serve

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestHealthFeedsOnlyWhileEveryPartAnswers, in the order of a day: all is well, one part hangs, it comes back.
func TestHealthFeedsOnlyWhileEveryPartAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
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
			select {
			case <-hung:
				return nil
			case <-ctx.Done():
				return errors.New("no answer")
			}
		}
		h := Health{{"slow", slow}, {"committer", blocks}}
		var fed time.Time
		var told [][]string
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.Feed(ctx, time.Minute, func() { fed = time.Now() }, func(parts []string) { told = append(told, parts) })
		}()
		for range 60 { // an hour
			time.Sleep(time.Minute)
			if late := time.Since(fed); late >= time.Minute {
				t.Fatalf("fed %v ago", late)
			}
		}
		hung = make(chan struct{})
		time.Sleep(3 * time.Minute)
		if since := time.Since(fed); since < 2*time.Minute {
			t.Errorf("fed %v ago though a part hangs", since)
		}
		close(hung)
		time.Sleep(time.Minute)
		if since := time.Since(fed); since >= time.Minute {
			t.Errorf("fed %v ago, and all answer again", since)
		}
		if len(told) != 2 || !slices.Equal(told[0], []string{"committer"}) || told[1] != nil {
			t.Errorf("told %q", told)
		}
		cancel()
		<-done
	})
}
