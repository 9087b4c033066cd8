package courier

import (
	"context"
	"testing"
	"testing/synctest"

	"buzon/agent/internal/send/journal"
)

func TestFeederWaitsUntilThereIsRoomForABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const target = 8
		h := newHand()
		var items []*item
		for i := range uint64(target) {
			items = append(items, &item{e: &journal.Entry{Seq: i + 1}})
			h.take(items[i])
		}
		ctx, cancel := context.WithCancel(t.Context())
		room := make(chan int, 1)
		wait := func() {
			go func() {
				n, _ := h.room(ctx, func() int { return target })
				room <- n
			}()
			synctest.Wait()
		}
		wait()
		for i := range target / 2 {
			select {
			case n := <-room:
				t.Fatalf("with %d of %d done there was room for %d", i, target, n)
			default:
			}
			h.drop(items[i])
			synctest.Wait()
		}
		if n := <-room; n != target/2 {
			t.Errorf("room for %d, want %d", n, target/2)
		}
		for i := range target / 2 {
			h.take(items[i])
		}
		seen := h.seen()
		h.drop(items[0])
		if err := h.more(ctx, seen); err != nil { // what has changed already is not waited for
			t.Fatal(err)
		}
		h.take(items[0])
		wait()
		cancel()
		h.wake()
		if n := <-room; n != 0 {
			t.Errorf("an ended context gave room for %d", n)
		}
	})
}
