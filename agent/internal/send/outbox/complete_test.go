package outbox

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// rested is the file as it is, seen long after its last change.
// rest is a quiet time that was said.
func rest(d time.Duration) *time.Duration { return &d }

func rested(t *testing.T, o *Outbox, rel string) (File, time.Time) {
	t.Helper()
	f, err := o.Stat(rel)
	must(t, err)
	return f, f.Changed.Add(time.Hour)
}

func TestAFileIsCompleteOnceItRestedForTheQuietTime(t *testing.T) {
	o, dir := box(t, Options{Quiet: rest(10 * time.Second)})
	path := write(t, dir, "f", "x")
	// The modification time is whatever a program says; the change time is not.
	must(t, os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)))
	f, err := o.Stat("f")
	must(t, err)
	for _, c := range []struct {
		after time.Duration
		ready bool
		wait  time.Duration
	}{
		{0, false, 10 * time.Second},
		{4 * time.Second, false, 6 * time.Second},
		{9999 * time.Millisecond, false, time.Millisecond},
		{10 * time.Second, true, 0},
		{-500 * time.Millisecond, false, 10 * time.Second},
	} {
		got := o.Complete(f, f.Changed.Add(c.after))
		if got.Ready != c.ready || got.Wait != c.wait {
			t.Errorf("after %v: %+v, want ready %v, wait %v", c.after, got, c.ready, c.wait)
		}
	}
}

func TestAChangeTimeInTheFutureCountsFromWhenItWasSeen(t *testing.T) {
	o, dir := box(t, Options{Quiet: rest(10 * time.Second)})
	write(t, dir, "f", "x")
	f, err := o.Stat("f")
	must(t, err)
	now := f.Changed.Add(-24 * time.Hour) // the clock was put back
	if got := o.Complete(f, now); got.Ready || got.Wait != 10*time.Second {
		t.Errorf("first seen: %+v", got)
	}
	if got := o.Complete(f, now.Add(5*time.Second)); got.Ready || got.Wait != 5*time.Second {
		t.Errorf("5 s later: %+v", got)
	}
	if got := o.Complete(f, now.Add(10*time.Second)); !got.Ready {
		t.Errorf("10 s later: %+v", got)
	}
}

func TestLargerFilesRestLonger(t *testing.T) {
	o, _ := box(t, Options{Quiet: rest(5 * time.Second)})
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Int64Range(0, 1<<46).Draw(t, "a")
		b := rapid.Int64Range(0, 1<<46).Draw(t, "b")
		if a <= b && o.quietFor(a) > o.quietFor(b) {
			t.Errorf("%d rests longer than %d", a, b)
		}
	})
	for size, want := range map[int64]time.Duration{
		0: 5 * time.Second, 1 << 20: 5 * time.Second, 1 << 30: 10 * time.Second, 5 << 30: 30 * time.Second,
		1 << 40: time.Minute,
	} {
		if got := o.quietFor(size); got != want {
			t.Errorf("%d bytes rest for %v, want %v", size, got, want)
		}
	}
}

func TestAFileThatIsOpenForWritingIsNotComplete(t *testing.T) {
	for _, how := range []How{ByLease, ByProc} {
		t.Run(string(how), func(t *testing.T) {
			o, dir := box(t, Options{})
			path := write(t, dir, "f", "x")
			w, err := os.OpenFile(path, os.O_WRONLY, 0)
			must(t, err)
			f, now := rested(t, o, "f")
			ask := func() State {
				if how == ByLease {
					return o.Complete(f, now)
				}
				o.writers = writers{} // ask anew
				switch o.writers.proc(f) {
				case yes:
					return State{Writer: true, How: ByProc}
				case no:
					return State{Ready: true, How: ByProc}
				case unknown:
				}
				return State{How: ByQuiet}
			}
			got := ask()
			if got.How != how {
				t.Skipf("this system can't tell by %s (%+v)", how, got)
			}
			if got.Ready || !got.Writer {
				t.Errorf("while it is written: %+v", got)
			}
			must(t, w.Close())
			f, now = rested(t, o, "f")
			if got := ask(); !got.Ready || got.Writer || got.How != how {
				t.Errorf("after it was closed: %+v", got)
			}
			r, err := os.Open(path) // a reader is no writer
			must(t, err)
			if got := ask(); !got.Ready {
				t.Errorf("while it is read: %+v", got)
			}
			must(t, r.Close())
		})
	}
}

func TestNamedFilesDoNotWaitForQuiet(t *testing.T) {
	o, dir := box(t, Options{Once: true})
	path := write(t, dir, "f", "x")
	f, err := o.Stat("f")
	must(t, err)
	if got := o.Complete(f, f.Changed); !got.Ready {
		t.Errorf("at once: %+v", got)
	}
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	if writer, how, _ := o.writer(f); !writer && how != ByQuiet {
		t.Errorf("while it is written: no writer by %s", how)
	} else if got := o.Complete(f, f.Changed); writer && got.Ready {
		t.Errorf("while it is written: %+v", got)
	}
	must(t, w.Close())
}

func TestWhereNothingTellsTheDefaultQuietDoubles(t *testing.T) {
	for _, c := range []struct {
		quiet *time.Duration
		want  time.Duration
	}{{nil, 2 * DefaultQuiet}, {rest(0), 2 * DefaultQuiet}, {rest(3 * time.Second), 3 * time.Second}} {
		o, _ := box(t, Options{Quiet: c.quiet})
		f := File{Rel: "not there", Changed: time.Unix(1e9, 0), Dev: 1 << 40, Inode: 1}
		if _, how, _ := o.writer(f); how != ByQuiet {
			t.Skip("this process may look at all others; the case is told by the test that runs as nobody")
		}
		if got := o.Complete(f, f.Changed.Add(c.want-time.Millisecond)); got.Ready {
			t.Errorf("quiet %v: ready too early: %+v", c.quiet, got)
		}
		if got := o.Complete(f, f.Changed.Add(c.want)); !got.Ready || got.How != ByQuiet {
			t.Errorf("quiet %v: %+v", c.quiet, got)
		}
	}
}

func TestWhereNothingTellsAsNobody(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this user sees what the test of the same name without root sees")
	}
	asNobodyRun(t, "TestWhereNothingTellsTheDefaultQuietDoubles")
}

func TestDetectionTellsWhatIsInForce(t *testing.T) {
	o, dir := box(t, Options{})
	empty, err := o.Detection(t.Context())
	must(t, err)
	write(t, dir, "f", "x")
	full, err := o.Detection(t.Context())
	must(t, err)
	want := ByLease // root has CAP_LEASE
	if os.Geteuid() != 0 {
		want = ByOwnLease
	}
	if empty != want || full != want {
		t.Errorf("an outbox of our own is told by %s (empty) and %s, want %s", empty, full, want)
	}
}

func TestDetectionPromisesNothingOfOthersFiles(t *testing.T) {
	if os.Geteuid() == 0 {
		asNobodyRun(t, "TestDetectionTellsWhatIsInForce")
		asNobody(t)
		return
	}
	o, err := Open(Options{Path: "/usr/bin"}) // root's
	must(t, err)
	t.Cleanup(func() { must(t, o.Close()) })
	if how, err := o.Detection(t.Context()); err != nil || how != ByQuiet {
		t.Errorf("of root's files %s tells (%v), want %s", how, err, ByQuiet)
	}
}

// Whatever its times, a file is judged only when a change of it would leave other ones.
func TestAFileIsJudgedAfterTheGrainOfItsTimes(t *testing.T) {
	for _, c := range []struct {
		name    string
		changed time.Time
		want    time.Duration
	}{
		{"nanoseconds", time.Unix(1e9, 123456789), tick},
		{"whole seconds", time.Unix(1e9+1, 0), time.Second + tick},
		{"every second one", time.Unix(1e9, 0), 2*time.Second + tick},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, _ := box(t, Options{Quiet: rest(0)})
			f := File{Rel: "f", Changed: c.changed, ModTime: c.changed}
			if got := o.Complete(f, c.changed.Add(c.want-time.Millisecond)); got.Ready || got.Wait != time.Millisecond {
				t.Errorf("just before: %+v", got)
			}
			synctest.Test(t, func(t *testing.T) {
				o, _ := box(t, Options{Once: true})
				f := File{Rel: "f", Changed: c.changed, ModTime: c.changed}
				at := time.Now()
				if got := o.Complete(f, c.changed); !got.Ready || time.Since(at) != c.want {
					t.Errorf("a file that was named waited %v: %+v", time.Since(at), got)
				}
			})
		})
	}
	o, dir := box(t, Options{Quiet: rest(0)})
	must(t, os.Chtimes(write(t, dir, "old", "x"), time.Unix(1e9, 0), time.Unix(1e9, 0)))
	f, err := o.Stat("old")
	must(t, err)
	if got := o.Complete(f, f.Changed.Add(tick)); !got.Ready && got.How != ByQuiet { // its change time is new
		t.Errorf("a file with an old time: %+v", got)
	}
}

func TestAFileThatNothingTellsOfIsSaidOnce(t *testing.T) {
	var log strings.Builder
	o, _ := box(t, Options{Quiet: rest(time.Second), Log: slog.New(slog.NewTextHandler(&log, nil))})
	for _, name := range []string{"a", "b"} {
		f := File{Rel: name, Changed: time.Unix(1e9, 5), Dev: 1 << 40, Inode: 1}
		if _, how, _ := o.writer(f); how != ByQuiet {
			if os.Geteuid() == 0 {
				asNobody(t)
				return
			}
			t.Skip("this process may look at all others")
		}
		if got := o.Complete(f, time.Now()); !got.Ready {
			t.Fatalf("%+v", got)
		}
	}
	if n := strings.Count(log.String(), "nothing tells who writes here"); n != 1 {
		t.Errorf("it was said %d times:\n%s", n, log.String())
	}
}

// watching runs Watch and gathers its hints.
type watching struct {
	mu    sync.Mutex
	hints map[string]int
}

func watch(t *testing.T, o *Outbox) *watching {
	t.Helper()
	w := &watching{hints: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- o.Watch(ctx, func(rel string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.hints[rel]++
		})
	}()
	t.Cleanup(func() {
		cancel()
		must(t, <-done)
	})
	w.wait(t, "") // it watches now
	return w
}

func (w *watching) count(rel string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hints[rel]
}

// until waits for what the hints lead to.
func (w *watching) until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no hint: %s", what)
		}
	}
}

func (w *watching) wait(t *testing.T, rel string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if w.count(rel) > 0 {
			return
		}
	}
	t.Fatalf("no hint of %q; there were %v", rel, w.hints)
}

func TestWatchHintsAtWhatWasClosedOrRenamedIntoPlace(t *testing.T) {
	o, dir := box(t, Options{})
	w := watch(t, o)
	write(t, dir, "closed", "x")
	w.wait(t, "closed")
	temp := write(t, dir, "f.tmp", "x")
	must(t, os.Rename(temp, filepath.Join(dir, "renamed")))
	w.wait(t, "renamed")
	write(t, dir, "new/deep/er/f", "x")
	w.wait(t, "new/deep/er/f")
	elsewhere := filepath.Join(filepath.Dir(dir), "elsewhere")
	write(t, elsewhere, "moved/in", "x")
	must(t, os.Rename(elsewhere, filepath.Join(dir, "came")))
	w.wait(t, "came/moved/in")
	write(t, dir, "came/moved/later", "x")
	w.wait(t, "came/moved/later")
	must(t, os.Rename(filepath.Join(dir, "came"), filepath.Join(dir, "went")))
	w.wait(t, "went/moved/in")
	write(t, dir, "went/moved/latest", "x")
	w.wait(t, "went/moved/latest")
	if w.count("f.tmp") > 0 || w.count("came/moved/latest") > 0 {
		t.Errorf("hints %v", w.hints)
	}
}

func TestARenameIntoPlaceStandsForTheQuietTime(t *testing.T) {
	o, dir := box(t, Options{Quiet: rest(time.Hour)})
	w := watch(t, o)
	temp := write(t, dir, "f.tmp", "x")
	must(t, os.Rename(temp, filepath.Join(dir, "f")))
	w.wait(t, "f")
	f, err := o.Stat("f")
	must(t, err)
	if got := o.Complete(f, f.Changed.Add(tick)); !got.Ready {
		t.Errorf("after the rename: %+v", got)
	}
	path := write(t, dir, "g", "x") // a plain file waits
	w.wait(t, "g")
	g, err := o.Stat("g")
	must(t, err)
	if got := o.Complete(g, time.Now()); got.Ready {
		t.Errorf("a plain file: %+v", got)
	}
	must(t, os.Rename(path, filepath.Join(dir, "h")))
	w.wait(t, "h")
	out, err := os.OpenFile(filepath.Join(dir, "h"), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = out.WriteString("more")
	must(t, err)
	h, err := o.Stat("h")
	must(t, err)
	if got := o.Complete(h, time.Now()); got.Ready { // changed since its rename
		t.Errorf("a file that is written after its rename: %+v", got)
	}
	must(t, out.Close())
}

func TestAPassSetsLostWatchesAgain(t *testing.T) {
	o, dir := box(t, Options{})
	w := watch(t, o)
	must(t, os.RemoveAll(dir))
	if err := o.Walk(t.Context(), func(File) error { return nil }); !errors.Is(err, ErrGone) {
		t.Fatalf("Walk: %v", err)
	}
	write(t, dir, "sub/a", "x")
	expect(t, found(t, o), "sub/a")
	write(t, dir, "sub/b", "x")
	w.wait(t, "sub/b")
	write(t, dir, "c", "x")
	w.wait(t, "c")
}
