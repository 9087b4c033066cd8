package outbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
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

// roots are two folders as the copy across file systems has them, with a file in the first.
func roots(t *testing.T) (from, to *os.Root, was File, target string) {
	t.Helper()
	o, dir := box(t, Options{})
	write(t, dir, "f", "the file that was sent")
	was = sent(t, o, "f")
	target = t.TempDir()
	from, err := os.OpenRoot(dir)
	must(t, err)
	to, err = os.OpenRoot(target)
	must(t, err)
	t.Cleanup(func() { must(t, errors.Join(from.Close(), to.Close())) })
	return from, to, was, target
}

// What somebody plants in the target is neither followed nor overwritten.
func TestACopyOverwritesNothingThatWasPlanted(t *testing.T) {
	for name, plant := range map[string]func(t *testing.T, temp, target string){
		"nothing":                     func(*testing.T, string, string) {},
		"a link to a file of it":      func(t *testing.T, temp, _ string) { must(t, os.Symlink("precious", temp)) },
		"a link to nothing":           func(t *testing.T, temp, _ string) { must(t, os.Symlink("nowhere", temp)) },
		"a hard link to a file of it": func(t *testing.T, temp, target string) { must(t, os.Link(target+"/precious", temp)) },
		"a file":                      func(t *testing.T, temp, _ string) { must(t, os.WriteFile(temp, []byte("left by a crash"), 0o600)) },
		"a folder": func(t *testing.T, temp, _ string) {
			must(t, os.MkdirAll(temp+"/x", 0o755))
		},
	} {
		t.Run(name, func(t *testing.T) {
			from, to, was, target := roots(t)
			write(t, target, "precious", "untouched")
			plant(t, fmt.Sprintf("%s/%scopy.%x-%x", target, asidePrefix, was.Dev, was.Inode), target)
			must(t, copyNew(from, "f", to, "f", was))
			for file, want := range map[string]string{"precious": "untouched", "f": "the file that was sent"} {
				if got, err := os.ReadFile(target + "/" + file); err != nil || string(got) != want {
					t.Errorf("%s holds %q (%v), want %q", file, got, err, want)
				}
			}
			if _, err := os.Lstat(target + "/nowhere"); err == nil {
				t.Error("the link was followed")
			}
			info, err := os.Lstat(target + "/f")
			if err != nil || !info.Mode().IsRegular() || !info.ModTime().Equal(was.ModTime) {
				t.Errorf("f is %v of %v (%v), want a file of %v", info.Mode(), info.ModTime(), err, was.ModTime)
			}
		})
	}
}

func TestALinkPlantedAmongTheTargetsFoldersIsNotFollowed(t *testing.T) {
	o, dir := box(t, Options{})
	write(t, dir, "sub/f", "x")
	was := sent(t, o, "sub/f")
	target := t.TempDir()
	write(t, target, "other/f.txt", "x")
	must(t, os.Symlink("other", target+"/sub"))
	if err := o.Move("sub/f", was, target); err == nil {
		t.Error("the file went through the link")
	}
	if _, err := os.Lstat(target + "/other/f"); err == nil {
		t.Error("it stands in the other folder")
	}
	if _, err := os.Lstat(filepath.Join(dir, "sub/f")); err != nil {
		t.Errorf("it left the outbox: %v", err)
	}
}

// A name that is taken in the target and as long as names may be is settled nevertheless.
func TestALongNameThatIsTakenIsCut(t *testing.T) {
	for _, name := range []string{
		strings.Repeat("x", 255), strings.Repeat("x", 251) + ".txt", strings.Repeat("ñ", 127) + "x", "x." + strings.Repeat("e", 253),
		strings.Repeat("x", 240),
	} {
		o, dir := box(t, Options{})
		write(t, dir, name, "mine")
		was := sent(t, o, name)
		target := t.TempDir()
		write(t, target, name, "theirs")
		must(t, o.Move(name, was, target))
		entries, err := os.ReadDir(target)
		if err != nil || len(entries) != 2 {
			t.Errorf("the target holds %v (%v)", entries, err)
		}
		for _, e := range entries {
			if ext := filepath.Ext(name); !utf8.ValidString(e.Name()) || ext != "" && len(ext) <= longestExt && filepath.Ext(e.Name()) != ext {
				t.Errorf("%q became %q", name, e.Name())
			}
		}
	}
}
