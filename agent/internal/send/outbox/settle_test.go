package outbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sent is the file as it was when it was read.
func sent(t *testing.T, o *Outbox, rel string) File {
	t.Helper()
	f, was, err := o.OpenFile(rel)
	must(t, err)
	must(t, f.Close())
	return was
}

func TestRemoveDeletesWhatWasSent(t *testing.T) {
	o, dir := box(t, Options{})
	write(t, dir, "sub/f", "x")
	write(t, dir, strings.Repeat("n", 250), "x")
	must(t, o.Remove("sub/f", sent(t, o, "sub/f")))
	must(t, o.Remove(strings.Repeat("n", 250), sent(t, o, strings.Repeat("n", 250))))
	expect(t, found(t, o))
	if err := o.Remove("sub/f", File{}); !errors.Is(err, ErrMissing) {
		t.Errorf("a second time: %v", err)
	}
}

// After a crash what is sent is settled while the first pass has not come by yet: taken as gone already, the file would
// be put back by the pass and stay for ever.
func TestWhatACrashLeftAsideIsSettledToo(t *testing.T) {
	for name, settle := range map[string]func(o *Outbox, was File) error{
		"remove": func(o *Outbox, was File) error { return o.Remove("sub/f", was) },
		"move":   func(o *Outbox, was File) error { return o.Move("sub/f", was, t.TempDir()) },
	} {
		t.Run(name, func(t *testing.T) {
			o, dir := box(t, Options{})
			path := write(t, dir, "sub/f", "x")
			was := sent(t, o, "sub/f")
			was.Changed = time.Time{} // the journal does not keep it
			must(t, os.Rename(path, filepath.Join(filepath.Dir(path), asidePrefix+"f")))
			must(t, settle(o, was))
			expect(t, found(t, o))
		})
	}
}

func TestNothingThatChangedIsRemovedOrMoved(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, path string)
		want   error
	}{
		"appended": {func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("xy"), 0o644)) }, ErrChanged},
		"replaced": {func(t *testing.T, path string) {
			must(t, os.WriteFile(path+".new", []byte("x"), 0o644))
			must(t, os.Rename(path+".new", path))
		}, ErrChanged},
		"rewritten under its old time": {func(t *testing.T, path string) {
			info, err := os.Stat(path)
			must(t, err)
			must(t, os.WriteFile(path, []byte("y"), 0o644))
			must(t, os.Chtimes(path, time.Time{}, info.ModTime()))
		}, ErrTouched},
		"a link now": {func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".real"))
			must(t, os.Symlink(path+".real", path))
		}, ErrChanged},
		"gone": {func(t *testing.T, path string) { must(t, os.Remove(path)) }, ErrMissing},
		"written": {func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			must(t, err)
			t.Cleanup(func() { must(t, f.Close()) })
		}, ErrWriter},
	} {
		t.Run(name, func(t *testing.T) {
			o, dir := box(t, Options{})
			target := filepath.Join(t.TempDir(), "sent")
			path := write(t, dir, "sub/f", "x")
			was := sent(t, o, "sub/f")
			c.change(t, path)
			before, beforeErr := os.Lstat(path)
			if err := o.Remove("sub/f", was); !errors.Is(err, c.want) {
				t.Errorf("Remove: %v, want %v", err, c.want)
			}
			if err := o.Move("sub/f", was, target); !errors.Is(err, c.want) {
				t.Errorf("Move: %v, want %v", err, c.want)
			}
			after, err := os.Lstat(path)
			if (err == nil) != (beforeErr == nil) || err == nil && !os.SameFile(before, after) {
				t.Errorf("the file is not what it was: %v, %v", after, err)
			}
			if _, err := os.Lstat(filepath.Join(target, "sub", "f")); err == nil {
				t.Error("something was moved")
			}
		})
	}
}

func TestMoveKeepsThePathAndReplacesNothing(t *testing.T) {
	for name, target := range map[string]string{"same file system": "", "other file system": "/dev/shm"} {
		t.Run(name, func(t *testing.T) {
			o, dir := box(t, Options{})
			if target == "" {
				target = filepath.Dir(dir)
			}
			target, err := os.MkdirTemp(target, "sent")
			if err != nil {
				t.Skipf("no other file system here: %v", err)
			}
			t.Cleanup(func() { must(t, os.RemoveAll(target)) })
			at := time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)
			for i, content := range []string{"first", "second", "third"} {
				path := write(t, dir, "a/b/f.txt", content)
				must(t, os.Chtimes(path, time.Time{}, at))
				must(t, os.Chmod(path, 0o640))
				must(t, o.Move("a/b/f.txt", sent(t, o, "a/b/f.txt"), filepath.Join(target, "sent")))
				moved := filepath.Join(target, "sent/a/b", []string{"f.txt", "f.1.txt", "f.2.txt"}[i])
				data, err := os.ReadFile(moved)
				must(t, err)
				info, err := os.Stat(moved)
				must(t, err)
				if string(data) != content || !info.ModTime().Equal(at) || info.Mode().Perm() != 0o640 {
					t.Errorf("%s holds %q of %v, mode %v", moved, data, info.ModTime(), info.Mode())
				}
			}
			entries, err := os.ReadDir(filepath.Join(target, "sent/a/b"))
			must(t, err)
			if len(entries) != 3 {
				t.Errorf("the target holds %v", entries)
			}
			expect(t, found(t, o))
		})
	}
}

func TestATargetThatCanNotBeUsedLeavesTheFile(t *testing.T) {
	o, dir := box(t, Options{})
	write(t, dir, "f", "x")
	blocked := write(t, t.TempDir(), "file", "x")
	if err := o.Move("f", sent(t, o, "f"), filepath.Join(blocked, "below")); err == nil {
		t.Error("moved into a file")
	}
	expect(t, found(t, o), "f")
}

func TestAFileLeftAsideByACrashGetsItsNameBack(t *testing.T) {
	o, dir := box(t, Options{})
	write(t, dir, "sub/"+asidePrefix+"f", "old")
	expect(t, found(t, o)) // put back in this pass, seen by the next
	expect(t, found(t, o), "sub/f")
	write(t, dir, "sub/"+asidePrefix+"f", "other") // its name was taken meanwhile: both are kept
	found(t, o)
	expect(t, found(t, o), "sub/f", "sub/f.1")
}

func TestRemoveRacesWithAWriterThatReplaces(t *testing.T) {
	o, dir := box(t, Options{})
	path := filepath.Join(dir, "f")
	for i := range 300 {
		write(t, dir, "f", "old")
		was := sent(t, o, "f")
		done := make(chan error)
		go func() {
			err := os.WriteFile(path+".tmp", []byte("newer"), 0o644)
			done <- errors.Join(err, os.Rename(path+".tmp", path))
		}()
		err := o.Remove("f", was)
		must(t, <-done)
		data, readErr := os.ReadFile(path)
		if readErr != nil || string(data) != "newer" {
			t.Fatalf("round %d: Remove gave %v, and the newer file is %q, %v", i, err, data, readErr)
		}
		must(t, os.Remove(path))
	}
}
