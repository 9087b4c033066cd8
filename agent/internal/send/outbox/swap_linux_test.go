package outbox

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// swap exchanges two names over and over, until the test ends.
func swap(t *testing.T, a, b string) {
	t.Helper()
	must(t, unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE))
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			default:
				unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE) //nolint:errcheck // the race is the point
			}
		}
	}()
	t.Cleanup(func() { close(end); <-ended })
}

// lost tries until the swap came between two looks at a name a few times, or for ten seconds on a machine that is busy.
func lost(t *testing.T, try func() error) {
	t.Helper()
	n, tries := 0, 0
	for end := time.Now().Add(10 * time.Second); n < 5 && time.Now().Before(end); tries++ {
		if err := try(); err != nil && !errors.Is(err, ErrSkipped) { // ErrSkipped: the link stood there at the first look
			n++
		}
	}
	t.Logf("%d of %d tries lost the race", n, tries)
}

func TestALinkedFolderOnTheWayIsNotFollowed(t *testing.T) {
	o, dir := box(t, Options{})
	write(t, dir, "real/sub/f", "x")
	must(t, os.Symlink("real", filepath.Join(dir, "link")))
	expect(t, found(t, o), "real/sub/f")
	was := sent(t, o, "real/sub/f")
	if _, err := o.Stat("link/sub/f"); !errors.Is(err, ErrSkipped) {
		t.Errorf("Stat: %v", err)
	}
	if _, err := read(t, o, "link/sub/f"); !errors.Is(err, ErrSkipped) {
		t.Errorf("OpenFile: %v", err)
	}
	if err := o.Remove("link/sub/f", was); !errors.Is(err, ErrSkipped) {
		t.Errorf("Remove: %v", err)
	}
	if err := o.Move("link/sub/f", was, t.TempDir()); !errors.Is(err, ErrSkipped) {
		t.Errorf("Move: %v", err)
	}
	expect(t, found(t, o), "real/sub/f")
}

// The race for which os.Root alone is not enough: it follows links as long as they stay inside.
func TestAFolderThatIsSwappedForALinkIsNotEntered(t *testing.T) {
	o, dir := box(t, Options{})
	write(t, dir, "d/f", "its own")
	other, err := os.Stat(write(t, dir, "e/f", "the other's"))
	must(t, err)
	_, otherInode := inode(other)
	must(t, os.Symlink("e", filepath.Join(dir, "l")))
	swap(t, filepath.Join(dir, "d"), filepath.Join(dir, "l"))
	lost(t, func() error {
		got, err := read(t, o, "d/f")
		if err == nil && got != "its own" {
			t.Fatalf("d/f holds %q", got)
		}
		return err
	})
	lost(t, func() error {
		f, now, err := openStepwise(o.root, "d/f")
		if err == nil {
			must(t, f.Close())
			if now.Inode == otherInode {
				t.Fatal("step by step, d/f is opened through the link")
			}
		}
		return err
	})
	for there, passes := 0, 0; there < 500 || passes-there < 500; passes++ {
		must(t, o.Walk(t.Context(), func(f File) error {
			if f.Rel == "d/f" {
				there++
				if f.Inode == otherInode {
					t.Fatalf("pass %d went through the link", passes)
				}
			}
			return nil
		}))
	}
}

func TestAFileThatIsSwappedForALinkIsNotRead(t *testing.T) {
	for name, target := range map[string]string{"inside": "g", "outside": "../secret"} {
		t.Run(name, func(t *testing.T) {
			o, dir := box(t, Options{})
			f := write(t, dir, "f", "f")
			behind := write(t, dir, target, "behind the link")
			must(t, os.Symlink(target, filepath.Join(dir, "l")))
			events, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
			must(t, err)
			defer unix.Close(events) //nolint:errcheck // only read
			_, err = unix.InotifyAddWatch(events, behind, unix.IN_OPEN)
			must(t, err)
			swap(t, f, filepath.Join(dir, "l"))
			lost(t, func() error {
				got, err := read(t, o, "f")
				if err == nil && got != "f" {
					t.Fatalf("%q was read", got)
				}
				return err
			})
			// os.Root keeps what lies outside from being opened at all.
			if n, err := unix.Read(events, make([]byte, 4096)); name == "outside" && !errors.Is(err, unix.EAGAIN) {
				t.Errorf("the file outside was opened (%d, %v)", n, err)
			}
		})
	}
}

func TestAFIFOThatTakesAFilesPlaceIsNotWaitedFor(t *testing.T) {
	o, dir := box(t, Options{})
	f, fifo := write(t, dir, "f", "f"), filepath.Join(dir, "fifo")
	must(t, unix.Mkfifo(fifo, 0o600))
	swap(t, f, fifo)
	done := make(chan struct{})
	go func() {
		defer close(done)
		lost(t, func() error {
			file, _, err := o.OpenFile("f")
			if err == nil {
				_ = file.Close() // only read
			}
			return err
		})
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("it waits for a writer of the fifo")
	}
}

// Between the look for a writer and the file's going aside, one may open it: then the file stays.
func TestAFileThatIsOpenedWhileItIsRemovedStays(t *testing.T) {
	o, dir := box(t, Options{})
	path := write(t, dir, "f", "x")
	if err := asked(t, path); err != nil {
		t.Skipf("no leases on this file system: %v", err)
	}
	was := sent(t, o, "f")
	o.writers.proc(was) // nobody writes: that is known for a second
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	was.Rel = "elsewhere" // the first look finds nothing, like one that came before the opening
	if err := o.Remove("f", was); !errors.Is(err, ErrWriter) {
		t.Errorf("Remove: %v", err)
	}
	must(t, w.Close())
	expect(t, found(t, o), "f")
}

// asked tells what the system answers to who asks for a read lease by hand.
func asked(t *testing.T, path string) error {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close() //nolint:errcheck // only read
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	return err
}

func TestEventLeaseAndProcTellInThisOrder(t *testing.T) {
	o, dir := box(t, Options{})
	before := write(t, dir, "before", "x")
	if err := asked(t, before); err != nil {
		t.Skipf("no leases on this file system: %v", err)
	}
	w := watch(t, o)
	path := write(t, dir, "closed", "x")
	w.wait(t, "closed")
	holds := func(rel string, writer bool, how How) {
		t.Helper()
		f, err := o.Stat(rel)
		must(t, err)
		if gotWriter, gotHow, _ := o.writer(f); gotWriter != writer || gotHow != how {
			t.Errorf("%s: writer %v by %s, want %v by %s", rel, gotWriter, gotHow, writer, how)
		}
	}
	holds("before", false, ByLease)
	holds("closed", false, ByEvent)
	again, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	holds("closed", true, ByLease) // an event of the past says nothing of who writes now
	f, err := o.Stat("closed")
	must(t, err)
	o.writers = writers{}
	if got := o.writers.proc(f); got != yes {
		t.Errorf("this process's own writing is not seen in /proc: %v", got)
	}
	must(t, again.Close())
	o.writers = writers{}
	if got := o.writers.proc(f); got == yes {
		t.Error("a writer is seen in /proc that is none any more")
	}
}
