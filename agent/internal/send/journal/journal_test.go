package journal

import (
	"fmt"
	"os"
	"testing"
	"time"

	"buzon/agent/internal/send/receipt"
)

// open opens a journal in a fresh folder and checks its invariants at clean-up.
func open(t testing.TB, state string, opts Options) *Journal {
	t.Helper()
	j, err := Open(state, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if j.Trouble() == nil {
			if err := j.Check(); err != nil {
				t.Errorf("invariants: %v", err)
			}
		}
		_ = j.Close()
	})
	return j
}

func sample(route RouteID, n int) *Entry {
	return &Entry{
		State: Pending, Route: route, Path: fmt.Sprintf("folder-%03d/file-%07d.dat", n/1000, n), Added: 1,
		Identity: Identity{Size: int64(n), Sec: 1_700_000_000 + int64(n), Nsec: 5, Dev: 1, Inode: uint64(n) + 9},
	}
}

func proof() *Proof {
	return &Proof{CRC64: 0xAE8B14860A799888, ETag: `"0123456789abcdef0123456789abcdef"`, Evidence: receipt.Answered, Echoed: true, SentAt: 3, RequestID: "A1B2C3D4E5F60718"}
}

func TestAFileGoesFromPendingToSettled(t *testing.T) {
	state := t.TempDir()
	j := open(t, state, Options{})
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	if err != nil {
		t.Fatal(err)
	}
	e := sample(route, 1)
	if err := j.Add([]*Entry{e}); err != nil {
		t.Fatal(err)
	}
	e.State, e.Key, e.Attempts, e.Attempting = Sending, "p/"+e.Path, 1, true
	if err := j.Save(e); err != nil {
		t.Fatal(err)
	}
	e.State, e.Proof, e.Attempting = Settled, proof(), false
	if err := j.Save(e); err != nil {
		t.Fatal(err)
	}
	if got, err := j.ByKey("b", e.Key); err != nil || got == nil || got.Seq != e.Seq {
		t.Fatalf("by key: %+v, %v", got, err)
	}
	e.State = Pending
	if err := j.Save(e); err == nil {
		t.Fatal("settled went back to pending")
	}
	if c := j.Counts(); c.Files[Settled] != 1 || c.Files[Pending] != 0 || c.Decided != 1 {
		t.Fatalf("counts: %+v", c)
	}
}

func TestASecondProcessIsRefusedWithThePIDOfTheFirst(t *testing.T) {
	state := t.TempDir()
	open(t, state, Options{})
	_, err := Open(state, Options{LockWait: 30 * time.Millisecond})
	locked, ok := err.(*LockedError) //nolint:errorlint // the very type is the contract
	if !ok || locked.PID != os.Getpid() {
		t.Fatalf("got %v", err)
	}
}

func BenchmarkFile(b *testing.B) {
	j := open(b, b.TempDir(), Options{})
	route, _ := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	const group = 64
	b.ReportAllocs()
	for at := 0; at < b.N; at += 512 {
		var list []*Entry
		for i := range min(512, b.N-at) {
			list = append(list, sample(route, at+i))
		}
		if err := j.Add(list); err != nil {
			b.Fatal(err)
		}
		for len(list) > 0 {
			n := min(group, len(list))
			saved := NewCommits()
			var begin []Change
			for _, e := range list[:n] {
				e.State, e.Key, e.Attempts, e.Attempting = Sending, "p/"+e.Path, 1, true
				begin = append(begin, Change{e, nil})
			}
			j.SaveAll(begin, saved)
			for _, e := range list[:n] {
				e.State, e.Proof, e.Attempting = Settled, proof(), false
				j.SaveSoon(e, false, saved, nil)
			}
			for left := 2 * n; left > 0; {
				<-saved.Ready
				for _, c := range saved.Take(nil) {
					if left--; c.Err != nil {
						b.Error(c.Err)
					}
				}
			}
			list = list[n:]
		}
	}
}
