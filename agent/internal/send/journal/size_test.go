package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestAMillionEntriesOpenInUnderASecond has a million with BUZON_TEST=long and fewer else.
func TestAMillionEntriesOpenInUnderASecond(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 10_000
	}
	if os.Getenv("BUZON_TEST") == "long" {
		n = 1_000_000
	}
	state := t.TempDir()
	j, err := Open(state, Options{})
	must(t, err)
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	began := time.Now()
	for at := 0; at < n; at += 4000 {
		var list []*Entry
		for i := range min(4000, n-at) {
			e := sample(route, at+i)
			e.State, e.Key, e.Attempts, e.Proof = Settled, "p/"+e.Path, 1, proof()
			list = append(list, e)
		}
		must(t, j.Add(list))
	}
	filled := time.Since(began)
	must(t, j.Close())
	began = time.Now()
	j, err = Open(state, Options{})
	took := time.Since(began)
	must(t, err)
	if c := j.Counts(); c.Files[Settled] != int64(n) {
		t.Errorf("counts %+v", c)
	}
	began = time.Now()
	marks, err := j.Marks(route, []string{sample(route, n/2).Path}, nil)
	if err != nil || marks[0].Seq == 0 {
		t.Errorf("marks %+v, %v", marks, err)
	}
	looked := time.Since(began)
	must(t, j.Close())
	info, err := os.Stat(filepath.Join(state, File))
	must(t, err)
	t.Logf("%d entries (%d MiB on disk, filled in %v) open in %v; one is found in %v",
		n, info.Sys().(*syscall.Stat_t).Blocks*512>>20, filled.Round(time.Millisecond), took.Round(time.Microsecond), looked.Round(time.Microsecond))
	if took > time.Second {
		t.Errorf("it took %v to open", took)
	}
}

// TestWhatIsForgottenMakesRoom: a journal whose entries come and go does not grow.
func TestWhatIsForgottenMakesRoom(t *testing.T) {
	state := t.TempDir()
	j := open(t, state, Options{})
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	blocks := func() int64 {
		info, err := os.Stat(filepath.Join(state, File))
		must(t, err)
		return info.Sys().(*syscall.Stat_t).Blocks * 512
	}
	var after3 int64
	for round := range 12 {
		var list []*Entry
		for i := range 1000 {
			e := sample(route, round*1000+i)
			e.State, e.Key, e.Attempts, e.Proof = Settled, fmt.Sprint("p/", e.Path), 1, proof()
			list = append(list, e)
		}
		must(t, j.Add(list))
		left := make(chan error, len(list))
		for _, e := range list {
			go func() { left <- j.Forget(e) }()
		}
		for range list {
			must(t, <-left)
		}
		if round == 3 {
			after3 = blocks()
		}
	}
	if c := j.Counts(); c.Files != [len(States) + 1]int64{} || c.Bytes != [len(States) + 1]int64{} {
		t.Errorf("counts %+v", c)
	}
	if now := blocks(); now > 2*after3 {
		t.Errorf("it grew from %d KiB to %d KiB", after3>>10, now>>10)
	}
}
