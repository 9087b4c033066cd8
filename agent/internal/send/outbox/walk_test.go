package outbox

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A folder that can't be read, in whatever way, is named; what is beside it is found.
func TestEveryFolderThatCanNotBeReadIsNamed(t *testing.T) {
	if os.Geteuid() == 0 {
		asNobody(t)
		return
	}
	var log strings.Builder
	var skipped []string
	o, dir := box(t, Options{
		Skipped: func(s Skipped) { skipped = append(skipped, s.Rel+" "+string(s.Reason)) },
		Log:     slog.New(slog.NewTextHandler(&log, nil)),
	})
	write(t, dir, "fine", "x")
	modes := map[string]os.FileMode{"closed": 0, "listed": 0o400, "listed-rw": 0o600, "entered": 0o100, "up/listed": 0o400, "up/empty": 0o600}
	for name, mode := range modes {
		if name != "up/empty" {
			write(t, dir, name+"/x", "x")
		}
		must(t, os.MkdirAll(filepath.Join(dir, name), 0o700))
		must(t, os.Chmod(filepath.Join(dir, name), mode))
		t.Cleanup(func() { os.Chmod(filepath.Join(dir, name), 0o700) }) //nolint:errcheck // so that it can be removed
	}
	write(t, dir, "up/fine", "x")
	for range 3 {
		skipped = nil
		expect(t, found(t, o), "fine", "up/fine")
		slices.Sort(skipped)
		want := []string{"closed unreadable", "entered unreadable", "listed unreadable", "listed-rw unreadable", "up/empty unreadable", "up/listed unreadable"}
		if !slices.Equal(skipped, want) {
			t.Errorf("named are %q", skipped)
		}
	}
	list := o.Unread()
	if len(list) != len(modes) || list[0].Rel != "closed" || list[0].Since.IsZero() || list[0].Err == nil {
		t.Errorf("remembered are %+v", list)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != len(modes) {
		t.Errorf("%d warnings for %d folders:\n%s", n, len(modes), log.String())
	}
	must(t, os.Chmod(filepath.Join(dir, "listed"), 0o700))
	must(t, os.Remove(filepath.Join(dir, "up/empty")))
	expect(t, found(t, o), "fine", "listed/x", "up/fine")
	for _, u := range o.Unread() {
		if u.Rel == "listed" || u.Rel == "up/empty" {
			t.Errorf("%s is remembered though it can be read, or is gone", u.Rel)
		}
	}
}

// Too few descriptors say nothing about a folder: the pass ends, and no folder is blamed.
func TestWhatTheMachineLacksIsNoFoldersFault(t *testing.T) {
	o, dir := box(t, Options{Skipped: func(s Skipped) { t.Errorf("%s is blamed: %s (%v)", s.Rel, s.Reason, s.Err) }})
	write(t, dir, "a/b/c/d/e/f", "x")
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	few := limit
	few.Cur = uint64(openFiles(t)) + 6
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	_, err := passes(t, o)
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	if !errors.Is(err, ErrMachine) || !errors.Is(err, syscall.EMFILE) {
		t.Errorf("Walk with too few descriptors: %v, want ErrMachine", err)
	}
	expect(t, found(t, o), "a/b/c/d/e/f")
}

// Whoever looks only once may wait for them, and then finds every file once.
func TestAPassMayWaitForDescriptors(t *testing.T) {
	var limit, few syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	var told []bool
	o, dir := box(t, Options{Once: true, Skipped: func(s Skipped) { t.Errorf("%s is blamed: %s (%v)", s.Rel, s.Reason, s.Err) }, Lacks: func(err error) error {
		told = append(told, err != nil)
		if err != nil && !errors.Is(err, ErrMachine) {
			t.Errorf("told of %v", err)
		}
		if len(told) > 2 {
			must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
		}
		return nil
	}})
	write(t, dir, "a/b/c/d/e/f", "x")
	write(t, dir, "a/g", "x")
	few = limit
	few.Cur = uint64(openFiles(t)) + 6
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	got, err := passes(t, o)
	must(t, errors.Join(err, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)))
	expect(t, got, "a/b/c/d/e/f", "a/g")
	if !slices.Equal(told, []bool{true, true, true, false}) {
		t.Errorf("told of a lack: %v", told)
	}
}

// What nobody can look at for want of descriptors is not complete.
func TestNobodyKnowsOfAWriterWithoutDescriptors(t *testing.T) {
	o, dir := box(t, Options{Once: true})
	write(t, dir, "f", "x")
	f, err := o.Stat("f")
	must(t, err)
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	few := limit
	few.Cur = 3 // all of them in use
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	state := o.Complete(f, time.Now())
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	if state.Ready || !errors.Is(state.Lack, ErrMachine) {
		t.Errorf("it is taken for complete: %+v", state)
	}
	if state = o.Complete(f, time.Now()); !state.Ready {
		t.Errorf("and now it isn't: %+v", state)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("there is no /proc")
	}
	return len(entries)
}

// However deep a tree is, a pass holds few descriptors, and finds every file.
func TestADeepTreeTakesFewDescriptors(t *testing.T) {
	o, dir := box(t, Options{})
	const depth = 400
	at, err := os.OpenRoot(dir)
	must(t, err)
	for range depth {
		must(t, at.Mkdir("d", 0o755))
		f, err := at.Create("f")
		must(t, err)
		must(t, f.Close())
		next, err := at.OpenRoot("d")
		must(t, err)
		must(t, at.Close())
		at = next
	}
	must(t, at.Close())
	before, most, n := openFiles(t), 0, 0
	must(t, o.Walk(t.Context(), func(File) error {
		n++
		most = max(most, openFiles(t)-before)
		return nil
	}))
	if n != depth || most > 2*levels+4 {
		t.Errorf("%d of %d files found, with up to %d descriptors", n, depth, most)
	}
}

func TestFilesOfTheSystemAreNotSent(t *testing.T) {
	for path, names := range map[string][]string{"/proc": {"version", "self/status"}, "/sys/kernel": {"uevent_seqnum"}} {
		if _, err := os.Stat(filepath.Join(path, names[0])); err != nil {
			continue // a container without it
		}
		skipped := 0
		o, err := Open(Options{Path: path, Names: names, Skipped: func(s Skipped) {
			if s.Reason == SystemFile {
				skipped++
			}
		}})
		must(t, err)
		list, err := passes(t, o)
		if err != nil || list != nil || skipped != len(names) {
			t.Errorf("%s: %v would be sent (%v)", path, list, err)
		}
		must(t, o.Close())
		if !IsSystem(path) {
			t.Errorf("%s is not known as the system's", path)
		}
	}
	o, dir := box(t, Options{})
	write(t, dir, "empty", "")
	expect(t, found(t, o), "empty")
	if IsSystem(dir) {
		t.Errorf("%s is taken for the system's", dir)
	}
}
