package journal

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestAJournalOnAnotherMachineIsTold(t *testing.T) {
	for _, c := range []struct {
		name     string
		was, now Home
		want     bool
	}{
		{"the same machine", Home{Machine: "a", Hardware: "h"}, Home{Machine: "a", Hardware: "h"}, false},
		{"a copy that was given a name of its own", Home{Machine: "a", Hardware: "h"}, Home{Machine: "b", Hardware: "h"}, true},
		{"a copy of the disk on other hardware", Home{Machine: "a", Hardware: "h"}, Home{Machine: "a", Hardware: "i"}, true},
		{"a journal of before", Home{}, Home{Machine: "a", Hardware: "h"}, false},
		{"a container, which has no name", Home{Hardware: "h"}, Home{Hardware: "i"}, false},
		{"hardware that can't be read", Home{Machine: "a", Hardware: "h"}, Home{Machine: "a"}, false},
	} {
		if got := c.was.Elsewhere(c.now); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
	state := t.TempDir()
	use := func(h Home, then func(*Journal)) {
		t.Helper()
		j, err := Open(state, Options{})
		must(t, err)
		must(t, j.MoveIn(h))
		then(j)
		must(t, j.Close())
	}
	moved := func(want bool) func(*Journal) {
		return func(j *Journal) {
			t.Helper()
			if j.Moved() != want {
				t.Errorf("moved: %t", !want)
			}
		}
	}
	there := Home{Command: "run", Machine: "there", Hardware: "h"}
	here := Here("run")
	if here.Machine == "" {
		here.Machine = "here"
		machineFiles = []string{filepath.Join(t.TempDir(), "id")}
		must(t, os.WriteFile(machineFiles[0], []byte("the id of this machine"), 0o600))
		here = Here("run")
	}
	use(there, moved(false))
	use(there, moved(false))
	use(here, moved(true))
	use(here, moved(true)) // until a person says that it is meant
	use(here, func(j *Journal) { must(t, j.ResetConflictGuard()); moved(false)(j) })
	use(here, moved(false))
	use(Home{}, func(j *Journal) {
		if got := j.Home(); got != here {
			t.Errorf("it was used by %+v, want %+v", got, here)
		}
	})
}

// TestAJournalWhoseFileIsAnotherStops: what is written to a file that is gone is no receipt.
func TestAJournalWhoseFileIsAnotherStops(t *testing.T) {
	for name, remove := range map[string]func(state string) error{
		"the file is removed":      func(state string) error { return os.Remove(filepath.Join(state, File)) },
		"the folder is removed":    os.RemoveAll,
		"the folder is moved away": func(state string) error { return os.Rename(state, state+".was") },
		"another is put in its place": func(state string) error {
			path := filepath.Join(state, File)
			return errors.Join(os.WriteFile(path+".other", []byte("x"), 0o600), os.Rename(path+".other", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			state := filepath.Join(t.TempDir(), "state")
			j, err := Open(state, Options{})
			must(t, err)
			defer j.Close() //nolint:errcheck // it is broken
			route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
			must(t, err)
			must(t, j.Add([]*Entry{sample(route, 1)}))
			must(t, j.Present())
			must(t, remove(state))
			var detached *DetachedError
			if err := j.Add([]*Entry{sample(route, 2)}); !errors.As(err, &detached) {
				t.Errorf("a change is taken: %v", err)
			}
			if err := j.Present(); !errors.As(err, &detached) {
				t.Errorf("it is present: %v", err)
			}
			if err := j.Trouble(); !errors.As(err, &detached) {
				t.Errorf("it has no trouble: %v", err)
			}
		})
	}
}

// TestAJournalWithoutItsLockFileCanBeRead: a backup may hold the journal alone.
func TestAJournalWithoutItsLockFileCanBeRead(t *testing.T) {
	state := t.TempDir()
	j, err := Open(state, Options{})
	must(t, err)
	must(t, j.Close())
	must(t, os.Remove(filepath.Join(state, lockFile)))
	j, err = Open(state, Options{ReadOnly: true})
	must(t, err)
	must(t, j.Close())
	if _, err := os.Stat(filepath.Join(state, lockFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading has made a lock file: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(state, File), []byte("no journal"), 0o600))
	var damaged *DamagedError
	if _, err := Open(state, Options{ReadOnly: true}); !errors.As(err, &damaged) {
		t.Errorf("a damaged one without its lock file: %v", err)
	}
}
