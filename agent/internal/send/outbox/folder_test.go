package outbox

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// passes walks an outbox once and gives what it found, or the error.
func passes(t *testing.T, o *Outbox) ([]string, error) {
	t.Helper()
	var names []string
	err := o.Walk(t.Context(), func(f File) error {
		names = append(names, f.Rel)
		return nil
	})
	return names, err
}

// Whoever may rename the outbox, or a folder above it, can't have another folder sent instead.
func TestAFolderThatTakesTheOutboxsPlace(t *testing.T) {
	for _, c := range []struct {
		name string
		swap func(t *testing.T, base string) // base/up/out is the outbox, base/secret another folder
		used bool
	}{
		{"a link to another folder", func(t *testing.T, base string) {
			must(t, os.Rename(base+"/up/out", base+"/up/was"))
			must(t, os.Symlink(base+"/secret", base+"/up/out"))
		}, false},
		{"a relative link", func(t *testing.T, base string) {
			must(t, os.Rename(base+"/up/out", base+"/up/was"))
			must(t, os.Symlink("../secret", base+"/up/out"))
		}, false},
		{"a link above it", func(t *testing.T, base string) {
			must(t, os.Rename(base+"/up", base+"/was"))
			must(t, os.Mkdir(base+"/secret/out", 0o755))
			write(t, base, "secret/out/shadow", "x")
			must(t, os.Symlink("secret", base+"/up"))
		}, false},
		{"a link to itself", func(t *testing.T, base string) {
			must(t, os.Rename(base+"/up/out", base+"/up/was"))
			must(t, os.Symlink("out", base+"/up/out"))
		}, false},
		{"somebody else's folder", func(t *testing.T, base string) {
			if os.Geteuid() != 0 {
				t.Skip("only root can make one")
			}
			must(t, os.Rename(base+"/up/out", base+"/up/was"))
			must(t, os.Rename(base+"/secret", base+"/up/out"))
			must(t, os.Chown(base+"/up/out", 54321, 54321))
		}, false},
		{"a new folder of the same owner", func(t *testing.T, base string) {
			must(t, os.Rename(base+"/up/out", base+"/up/was"))
			must(t, os.Mkdir(base+"/up/out", 0o755))
			write(t, base, "up/out/fresh", "x")
		}, true},
		{"a folder above it that is new", func(t *testing.T, base string) {
			must(t, os.Rename(base+"/up", base+"/was"))
			must(t, os.MkdirAll(base+"/up/out", 0o755))
			write(t, base, "up/out/fresh", "x")
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := t.TempDir()
			must(t, os.MkdirAll(base+"/up/out", 0o755))
			write(t, base, "up/out/mine", "x")
			write(t, base, "secret/shadow", "x")
			o, err := Open(Options{Path: base + "/up/out"})
			must(t, err)
			t.Cleanup(func() { must(t, o.Close()) })
			expect(t, found(t, o), "mine")
			c.swap(t, base)
			if err := o.Present(); err == nil {
				t.Error("the outbox is said to be as it was")
			}
			names, err := passes(t, o)
			switch {
			case c.used:
				must(t, err)
				expect(t, names, "fresh")
				return
			case !errors.Is(err, ErrReplaced) || !errors.Is(err, ErrGone) || names != nil:
				t.Errorf("it finds %v (%v), want ErrReplaced", names, err)
			}
			if _, _, err := o.OpenFile("shadow"); err == nil {
				t.Error("a file of the other folder is opened")
			}
			must(t, os.RemoveAll(base+"/up")) // and when it is put right
			must(t, os.MkdirAll(base+"/up/out", 0o755))
			write(t, base, "up/out/again", "x")
			expect(t, found(t, o), "again")
		})
	}
}

func TestALinkThatWasThereAtTheBeginningIsUsed(t *testing.T) {
	base := t.TempDir()
	write(t, base, "disk1/out/a", "x")
	write(t, base, "disk2/out/b", "x")
	must(t, os.Symlink("disk1", base+"/disk"))
	o, err := Open(Options{Path: base + "/disk/out"})
	must(t, err)
	t.Cleanup(func() { must(t, o.Close()) })
	expect(t, found(t, o), "a")
	must(t, os.Remove(base+"/disk"))
	must(t, os.Symlink("disk2", base+"/disk")) // led elsewhere
	if names, err := passes(t, o); !errors.Is(err, ErrReplaced) {
		t.Errorf("it finds %v (%v), want ErrReplaced", names, err)
	}
	must(t, os.Remove(base+"/disk"))
	must(t, os.Symlink("disk1", base+"/disk"))
	expect(t, found(t, o), "a")
}

func TestAnOutboxThatMayComeLater(t *testing.T) {
	base := t.TempDir()
	o, err := Open(Options{Path: base + "/up/out", Wait: true})
	must(t, err)
	t.Cleanup(func() { must(t, o.Close()) })
	if _, err := passes(t, o); !errors.Is(err, ErrGone) || errors.Is(err, ErrReplaced) {
		t.Errorf("before it is there: %v", err)
	}
	write(t, base, "up/out", "x")
	if _, err := passes(t, o); !errors.Is(err, ErrNotFolder) {
		t.Errorf("while a file is there: %v", err)
	}
	must(t, os.Remove(base+"/up/out"))
	write(t, base, "secret/shadow", "x")
	must(t, os.Symlink(base+"/secret", base+"/up/out"))
	if names, err := passes(t, o); !errors.Is(err, ErrReplaced) {
		t.Errorf("a link that came is followed: %v (%v)", names, err)
	}
	must(t, os.Remove(base+"/up/out"))
	write(t, base, "up/out/a", "x")
	expect(t, found(t, o), "a")
	if _, err := Open(Options{Path: base + "/nowhere"}); !errors.Is(err, ErrGone) {
		t.Errorf("Open without Wait: %v", err)
	}
}

func TestWatchTellsWhenTheOutboxItselfChanges(t *testing.T) {
	base := t.TempDir()
	dir := base + "/up/out"
	must(t, os.MkdirAll(dir, 0o755))
	o, err := Open(Options{Path: dir})
	must(t, err)
	t.Cleanup(func() { must(t, o.Close()) })
	w := watch(t, o)
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"removed", func() error { return os.Remove(dir) }},
		{"made again", func() error { return os.Mkdir(dir, 0o755) }},
		{"moved away", func() error { return os.Rename(dir, base+"/was") }},
		{"moved back", func() error { return os.Rename(base+"/was", dir) }},
		{"its parent moved away", func() error { return os.Rename(base+"/up", base+"/down") }},
		{"its parent moved back", func() error { return os.Rename(base+"/down", base+"/up") }},
		{"its mode changed", func() error { return os.Chmod(dir, 0o700) }},
	} {
		before := w.count("")
		must(t, c.do())
		w.until(t, c.name, func() bool { return w.count("") > before })
		if _, err := passes(t, o); err != nil && !errors.Is(err, ErrGone) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	write(t, dir, "late", "x")
	w.wait(t, "late") // and the one that is there now is watched
	must(t, os.WriteFile(filepath.Join(dir, "bad\xff"), nil, 0o600))
	w.wait(t, "bad\xff") // at the event, not five minutes later
}
