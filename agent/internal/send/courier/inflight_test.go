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
		f := newInFlight()
		var tasks []*task
		for i := range uint64(target) {
			tasks = append(tasks, &task{e: &journal.Entry{Seq: i + 1}})
			f.take(tasks[i])
		}
		ctx, cancel := context.WithCancel(t.Context())
		room := make(chan int, 1)
		wait := func() {
			go func() {
				n, _ := f.room(ctx, func() int { return target })
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
			f.drop(tasks[i])
			synctest.Wait()
		}
		if n := <-room; n != target/2 {
			t.Errorf("room for %d, want %d", n, target/2)
		}
		for i := range target / 2 {
			f.take(tasks[i])
		}
		seen := f.seen()
		f.drop(tasks[0])
		if err := f.await(ctx, seen); err != nil { // what has changed already is not waited for
			t.Fatal(err)
		}
		f.take(tasks[0])
		wait()
		cancel()
		f.wake()
		if n := <-room; n != 0 {
			t.Errorf("an ended context gave room for %d", n)
		}
	})
}
