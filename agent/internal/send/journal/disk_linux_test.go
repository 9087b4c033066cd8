package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"buzon/scripts/load/baddisk"
)

// small is a folder on a file system of its own, of that size.
func small(t *testing.T, size string) string {
	t.Helper()
	folder := t.TempDir()
	baddisk.Mount(t, folder, size)
	return folder
}

// large are 500 entries of a megabyte together.
func large(route RouteID, n int) (list []*Entry) {
	for i := range 500 {
		e := sample(route, n+i)
		e.Path += strings.Repeat("x", 2000)
		list = append(list, e)
	}
	return list
}

// fill adds files until the disk is full, and returns how many were acknowledged and the 500 that wait.
func fill(t *testing.T, j *Journal, route RouteID, full <-chan error) (known int, waiting chan error) {
	t.Helper()
	for n := int(j.Counts().Files[Pending]); ; n += 500 {
		done := make(chan error, 1)
		go func() { done <- j.Add(large(route, n)) }()
		select {
		case err := <-done:
			must(t, err)
		case err := <-full:
			if !isFull(err) {
				t.Fatalf("it said %v", err)
			}
			return n, done
		case <-time.After(30 * time.Second):
			t.Fatal("neither full nor done")
		}
	}
}

// stopsAndGoesOn fills a journal, and holds it to what is promised of a full disk.
func stopsAndGoesOn(t *testing.T, state string, full func() (lift func())) {
	t.Helper()
	told := make(chan error, 8)
	j, err := Open(state, Options{Trouble: func(err error) { told <- err }})
	must(t, err)
	here := Route{Bucket: "b", Prefix: "p/", Outbox: "/out"}
	route, err := j.Route(here)
	must(t, err)
	var first []*Entry
	for i := range 500 {
		first = append(first, sample(route, i))
	}
	must(t, j.Add(first))
	lift := full()
	known, waiting := fill(t, j, route, told)
	if !isFull(j.Trouble()) {
		t.Errorf("Trouble says %v", j.Trouble())
	}
	if list, err := j.Unsent(0, known+500); err != nil || len(list) != known {
		t.Errorf("while it is full it reads %d entries of %d, %v", len(list), known, err)
	}
	if id, err := j.Route(here); err != nil || id != route {
		t.Errorf("while it is full it does not know its route: %d, %v", id, err)
	}
	select {
	case err := <-waiting:
		t.Fatalf("what waits for space was answered %v", err)
	default:
	}
	lift()
	must(t, <-waiting)
	if err := <-told; err != nil {
		t.Errorf("when there was space again it said %v", err)
	}
	if j.Trouble() != nil {
		t.Errorf("Trouble still says %v", j.Trouble())
	}
	must(t, j.Check())
	must(t, j.Close())
	again := open(t, state, Options{})
	if list, err := again.Unsent(0, known+1000); err != nil || len(list) != known+500 {
		t.Errorf("%d entries, want %d (%v)", len(list), known+500, err)
	}
}

func TestAFullDiskStopsAcceptingAndLosesNothing(t *testing.T) {
	baddisk.Alone(t, func() {
		state := small(t, "8m")
		stopsAndGoesOn(t, state, func() func() { return baddisk.Fill(t, state) })
	})
}

// TestALimitOfFileSizesIsAFullDisk: within what the file has already, and where it must grow, which bbolt tells in
// text alone.
func TestALimitOfFileSizesIsAFullDisk(t *testing.T) {
	sizes := []uint64{17 << 20, 4 << 20}
	if testing.Short() {
		sizes = sizes[:1]
	}
	for _, size := range sizes {
		t.Run(fmt.Sprint(size>>20, "-MiB"), func(t *testing.T) {
			stopsAndGoesOn(t, t.TempDir(), func() (lift func()) {
				var was unix.Rlimit
				must(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &was))
				must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: was.Max}))
				lift = sync.OnceFunc(func() {
					if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
						t.Error(err)
					}
				})
				t.Cleanup(lift)
				return lift
			})
		})
	}
}

// TestWithoutPatienceNothingWaitsForSpace: what waits is given up, and what was acknowledged stays.
func TestWithoutPatienceNothingWaitsForSpace(t *testing.T) {
	for name, give := range map[string]func(*Journal){
		"closed": func(j *Journal) { must(t, j.Close()) }, "impatient": func(j *Journal) { j.Patient(false) },
	} {
		t.Run(name, func(t *testing.T) {
			baddisk.Alone(t, func() {
				state := small(t, "8m")
				told := make(chan error, 8)
				j, err := Open(state, Options{Trouble: func(err error) { told <- err }})
				must(t, err)
				route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
				must(t, err)
				must(t, j.Add(large(route, 0)))
				lift := baddisk.Fill(t, state)
				known, waiting := fill(t, j, route, told)
				give(j)
				if err := <-waiting; !errors.Is(err, ErrFull) {
					t.Errorf("what waited was answered %v", err)
				}
				if name == "impatient" {
					var where *fs.PathError
					if err := j.Add(large(route, 1_000_000)); !errors.Is(err, ErrFull) || !errors.As(err, &where) {
						t.Errorf("what comes after is answered %v", err)
					}
					must(t, j.Close())
				}
				// On a disk that is still full it opens, and tells what it holds.
				again := open(t, state, Options{})
				if c := again.Counts(); c.Files[Pending] != int64(known) {
					t.Errorf("%d entries, want the %d that were acknowledged", c.Files[Pending], known)
				}
				lift()
				must(t, again.Add([]*Entry{sample(route, 1_000_000)}))
			})
		})
	}
}

// TestNoJournalIsMadeOnAFullDisk, and nothing is left there that would be taken for one.
func TestNoJournalIsMadeOnAFullDisk(t *testing.T) {
	baddisk.Alone(t, func() {
		state := small(t, "1m")
		lift := baddisk.Fill(t, state)
		var damaged *DamagedError
		if _, err := Open(state, Options{}); !errors.Is(err, syscall.ENOSPC) || errors.As(err, &damaged) {
			t.Errorf("got %v", err)
		}
		if _, err := Open(state, Options{ReadOnly: true}); !errors.Is(err, ErrNone) {
			t.Errorf("for reading: %v", err)
		}
		lift()
		j := open(t, state, Options{})
		route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
		must(t, err)
		must(t, j.Add([]*Entry{sample(route, 1)}))
	})
}

// TestAMigrationThatFindsNoSpaceLosesNothing: it needs room for the new records beside the old ones.
func TestAMigrationThatFindsNoSpaceLosesNothing(t *testing.T) {
	baddisk.Alone(t, func() {
		old, entries := filled(t)
		toFormat1(t, old)
		state := small(t, "8m")
		from, err := bbolt.Open(filepath.Join(old, File), 0o600, nil)
		must(t, err)
		to, err := bbolt.Open(filepath.Join(state, File), 0o600, nil)
		must(t, err)
		must(t, errors.Join(bbolt.Compact(to, from, 0), from.Close(), to.Close())) // without room of its own
		lift := baddisk.Fill(t, state)
		var damaged *DamagedError
		if j, err := Open(state, Options{}); !errors.Is(err, syscall.ENOSPC) || errors.As(err, &damaged) {
			t.Fatalf("got %v, %v", j, err)
		}
		lift()
		j := open(t, state, Options{})
		for _, want := range entries {
			if got, err := j.Get(want.Seq); err != nil || got.State != want.State || got.Path != want.Path {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		}
	})
}

// onMeta says that a call writes one of the two pages that make a transaction valid.
func onMeta(c baddisk.Call) bool {
	return c.Name == "pwrite64" && c.Offset < int64(2*os.Getpagesize())
}

// TestAfterAFailedWriteOrSyncNothingIsTaken: nothing is acknowledged any more, nothing is written, and the next start
// finds all that was acknowledged, and of the rest a whole transaction or none of it.
func TestAfterAFailedWriteOrSyncNothingIsTaken(t *testing.T) {
	baddisk.Alone(t, func() {
		disk := baddisk.Watch(t)
		for _, c := range []struct {
			name   string
			errno  syscall.Errno
			failed func(call baddisk.Call, metas int64) bool // metas: how many of the pages onMeta were written
		}{
			{"a page is not written", syscall.EIO, func(c baddisk.Call, _ int64) bool { return c.Name == "pwrite64" && !onMeta(c) }},
			{"the pages are not synced", syscall.EIO, func(c baddisk.Call, metas int64) bool { return c.Name == "fdatasync" && metas == 0 }},
			{"the last page is not written", syscall.EIO, func(c baddisk.Call, _ int64) bool { return onMeta(c) }},
			{"the last page is not synced", syscall.EIO, func(c baddisk.Call, metas int64) bool { return c.Name == "fdatasync" && metas == 1 }},
			{"a thin volume has no space for the pages", syscall.ENOSPC, func(c baddisk.Call, metas int64) bool { return c.Name == "fdatasync" && metas == 0 }},
			{"a thin volume has no space for the last page", syscall.ENOSPC, func(c baddisk.Call, metas int64) bool { return c.Name == "fdatasync" && metas == 1 }},
		} {
			t.Run(c.name, func(t *testing.T) {
				state := t.TempDir()
				path := filepath.Join(state, File)
				told := make(chan error, 8)
				j, err := Open(state, Options{Trouble: func(err error) { told <- err }})
				must(t, err)
				route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
				must(t, err)
				var known []*Entry
				for i := range 60 {
					known = append(known, reach(t, j, route, i, States[i%len(States)]))
				}
				var metas, faults, after atomic.Int64
				disk.Answer(func(call baddisk.Call) syscall.Errno {
					switch {
					case call.Path != path:
					case faults.Load() > 0:
						after.Add(1)
					case c.failed(call, metas.Load()):
						faults.Add(1)
						return c.errno
					case onMeta(call):
						metas.Add(1)
					}
					return 0
				})
				var list []*Entry
				for i := range 40 {
					list = append(list, sample(route, 1000+i))
				}
				var broken *WriteError
				if err := j.Add(list); !errors.As(err, &broken) || !errors.Is(err, c.errno) {
					t.Errorf("it took them: %v", err)
				}
				refused := map[string]error{"Add": j.Add(list[:1]), "Save": j.Save(known[1]), "SavePart": j.SavePart(known[1], Part{Number: 1}), "Forget": j.Forget(known[0])}
				_, refused["Route"] = j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/other"})
				_, refused["Get"] = j.Get(known[0].Seq) // what it shows may not be on the disk
				for what, err := range refused {
					if !errors.As(err, &broken) {
						t.Errorf("%s is answered %v", what, err)
					}
				}
				if !errors.As(j.Trouble(), &broken) || len(told) > 0 {
					t.Errorf("Trouble says %v, and it told of %d full disks", j.Trouble(), len(told))
				}
				must(t, j.Close())
				if n := after.Load(); n > 0 || faults.Load() != 1 {
					t.Errorf("%d faults, and %d writes and syncs after it", faults.Load(), n)
				}
				disk.Answer(nil)
				again := open(t, state, Options{})
				for _, e := range known {
					if got, err := again.Get(e.Seq); err != nil || got == nil || got.State != e.State {
						t.Errorf("acknowledged as %s, it is %+v, %v", e.State, got, err)
					}
				}
				all, err := again.Entries(0, 1000)
				must(t, err)
				if n := len(all) - len(known); n != 0 && n != len(list) {
					t.Errorf("of %d that were not acknowledged there are %d", len(list), n)
				}
			})
		}
	})
}

// failing answers one kind of call on the journal of a state folder with an error.
func failing(state, name string, why syscall.Errno) func(baddisk.Call) syscall.Errno {
	return func(c baddisk.Call) syscall.Errno {
		if c.Name == name && c.Path == filepath.Join(state, File) {
			return why
		}
		return 0
	}
}

// TestARouteThatCanNotBeSyncedIsTheEndToo: it is written on its own, beside the commits.
func TestARouteThatCanNotBeSyncedIsTheEndToo(t *testing.T) {
	baddisk.Alone(t, func() {
		disk := baddisk.Watch(t)
		state := t.TempDir()
		j, err := Open(state, Options{})
		must(t, err)
		disk.Answer(failing(state, "fdatasync", syscall.EIO))
		var broken *WriteError
		if _, err := j.Route(Route{Bucket: "b"}); !errors.As(err, &broken) {
			t.Errorf("it took the route: %v", err)
		}
		disk.Answer(nil)
		if err := j.Add([]*Entry{sample(1, 1)}); !errors.As(err, &broken) {
			t.Errorf("it took an entry after that: %v", err)
		}
		must(t, j.Close())
	})
}

// TestTheLastTransactionIsWrittenAgainAtTheStart, before anything builds on it: the system may show what a failed
// sync has left in its memory alone.
func TestTheLastTransactionIsWrittenAgainAtTheStart(t *testing.T) {
	baddisk.Alone(t, func() {
		disk := baddisk.Watch(t)
		state, _ := filled(t)
		var mu sync.Mutex
		var calls []baddisk.Call
		var errno syscall.Errno
		disk.Answer(func(c baddisk.Call) syscall.Errno {
			mu.Lock()
			defer mu.Unlock()
			if c.Path != filepath.Join(state, File) {
				return 0
			}
			calls = append(calls, c)
			if c.Name == "fsync" {
				return errno
			}
			return 0
		})
		fail := func(with syscall.Errno) {
			mu.Lock()
			defer mu.Unlock()
			errno, calls = with, nil
		}
		called := func() []baddisk.Call {
			mu.Lock()
			defer mu.Unlock()
			return calls
		}
		before, err := os.ReadFile(filepath.Join(state, File))
		must(t, err)
		fail(syscall.EIO)
		var damaged *DamagedError
		if _, err := Open(state, Options{}); !errors.Is(err, syscall.EIO) || errors.As(err, &damaged) {
			t.Errorf("with a disk that does not sync it gives %v", err)
		}
		if calls := called(); len(calls) != 2 || !onMeta(calls[0]) || calls[1].Name != "fsync" {
			t.Errorf("calls %+v", calls)
		}
		fail(0)
		j, err := Open(state, Options{})
		must(t, err)
		must(t, j.Close())
		after, err := os.ReadFile(filepath.Join(state, File))
		must(t, err)
		if string(before) != string(after) {
			t.Error("the file changed")
		}
		fail(0)
		r, err := Open(state, Options{ReadOnly: true})
		must(t, err)
		must(t, r.Close())
		if calls := called(); len(calls) != 0 {
			t.Errorf("opened for reading it writes: %+v", calls)
		}
	})
}

// TestAWriteFarBehindTheFileIsDamage: a damaged page number sends bbolt there, and no space comes back for it.
func TestAWriteFarBehindTheFileIsDamage(t *testing.T) {
	baddisk.Alone(t, func() {
		disk := baddisk.Watch(t)
		state := t.TempDir()
		j, err := Open(state, Options{})
		must(t, err)
		disk.Answer(failing(state, "pwrite64", syscall.EFBIG))
		var damaged *DamagedError
		if err := j.Add([]*Entry{sample(1, 1)}); !errors.As(err, &damaged) || !errors.As(j.Trouble(), &damaged) {
			t.Errorf("got %v, and Trouble says %v", err, j.Trouble())
		}
		must(t, j.Close())
	})
}
