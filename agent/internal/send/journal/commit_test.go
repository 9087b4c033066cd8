package journal

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestManyFilesShareOneCommit: small files must not be bound by one fsync each.
func TestManyFilesShareOneCommit(t *testing.T) {
	var commits atomic.Int64
	j := open(t, t.TempDir(), counting(&commits))
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	const n = 2000
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			e := sample(route, i)
			if err := j.Add([]*Entry{e}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := commits.Load(); got > n/10 {
		t.Errorf("%d files took %d commits", n, got)
	}
	if c := j.Counts(); c.Files[Pending] != n {
		t.Errorf("counts %+v", c)
	}
	t.Logf("%d files in %d commits", n, commits.Load())
}

// TestATransactionIsBounded: neither one fsync for each change nor all of a first scan in one transaction's memory.
func TestATransactionIsBounded(t *testing.T) {
	var commits atomic.Int64
	j := open(t, t.TempDir(), counting(&commits))
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	var list []*Entry
	for i := range 20_000 {
		list = append(list, sample(route, i))
	}
	must(t, j.Add(list))
	if got := commits.Load(); got < 4 || got > 20 {
		t.Errorf("20,000 changes took %d transactions: each must hold about 1,000 to 5,000", got)
	}
	if c := j.Counts(); c.Files[Pending] != int64(len(list)) {
		t.Errorf("counts %+v", c)
	}
}

// TestWhatNobodyWaitsForLingersForCompany, and no longer than that: until there are many, until somebody waits, or for
// some milliseconds.
func TestWhatNobodyWaitsForLingersForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var commits atomic.Int64
		saved := NewCommits()
		j, err := Open(t.TempDir(), counting(&commits))
		must(t, err)
		route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
		must(t, err)
		var list []*Entry
		for i := range 300 {
			list = append(list, sample(route, i))
		}
		must(t, j.Add(list))
		later := func(n int) {
			for _, e := range list[:n] {
				j.SaveSoon(e, false, saved, e)
			}
			synctest.Wait()
		}
		expect := func(what string, wantCommits, wantDone int64) {
			t.Helper()
			done := int64(0)
			for _, c := range saved.Take(nil) {
				if done++; c.Err != nil || c.Token == nil {
					t.Errorf("%s: %+v", what, c)
				}
			}
			if commits.Load() != wantCommits || done != wantDone {
				t.Errorf("%s: %d changes in %d commits, want %d in %d", what, done, commits.Load(), wantDone, wantCommits)
			}
			commits.Store(0)
		}
		commits.Store(0)
		later(1)
		later(254)
		expect("at first", 0, 0)
		time.Sleep(20 * time.Millisecond) // of the bubble's own clock
		synctest.Wait()
		expect("after some milliseconds", 1, 255)
		later(200)
		asked := time.Now()
		must(t, j.Save(list[0]))
		if took := time.Since(asked); took != 0 {
			t.Errorf("whoever waits is kept for %s", took)
		}
		expect("when somebody waits", 1, 200)
		later(256)
		if done := len(saved.Take(nil)); done != 256 {
			t.Errorf("many don't leave by themselves: %d are committed", done)
		}
		must(t, j.Close())
	})
}

// counting counts the transactions of a journal.
func counting(commits *atomic.Int64) Options {
	return Options{Failpoint: func(name string) {
		if name == "journal.before-commit" {
			commits.Add(1)
		}
	}}
}
