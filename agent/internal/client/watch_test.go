package client

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A file that is written anew, replaced by renaming, swapped with the folder that a link leads to, or removed is told of;
// one that can't be read, and a neighbour that changes, is not.
func TestAChangedFileIsTold(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path, "one")
	changed := WatchFiles(t.Context(), []string{path}, func() (string, bool) {
		text, err := os.ReadFile(path)
		return string(text), err == nil && string(text) != "half"
	})
	told := func(what string, want bool) {
		t.Helper()
		limit := 10 * time.Second
		if !want {
			limit = 3 * watchRest
		}
		select {
		case <-changed:
			if !want {
				t.Errorf("%s is told of", what)
			}
		case <-time.After(limit):
			if want {
				t.Errorf("%s is not told of", what)
			}
		}
	}
	write(path, "two")
	told("a file that is written anew", true)
	write(path+".new", "three")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	told("a file that is replaced", true)
	write(filepath.Join(dir, "beside"), "x")
	told("a neighbour", false)
	write(path, "half")
	told("a file that can't be read now", false)
	write(path, "three")
	told("a file that is as it was", false)

	for _, name := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(filepath.Join(dir, name, "file"), "secret "+name)
	}
	link := func(to string) {
		t.Helper()
		if err := os.Symlink(filepath.Join(to, "file"), filepath.Join(dir, "new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "new"), path); err != nil {
			t.Fatal(err)
		}
	}
	link("a")
	told("a link in its place", true)
	link("b")
	told("a link that leads elsewhere", true)
}
