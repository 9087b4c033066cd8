package outbox

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// read opens a file through the outbox and returns what it holds.
func read(t *testing.T, o *Outbox, rel string) (string, error) {
	t.Helper()
	f, _, err := o.OpenFile(rel)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(f)
	must(t, errors.Join(err, f.Close()))
	return string(data), nil
}

func TestAFolderThatWasOpenIsLookedAtAgainByItsPath(t *testing.T) {
	o, path := box(t, Options{})
	write(t, path, "d", "x", "inside")
	if got, err := read(t, o, "d/x"); got != "inside" || err != nil {
		t.Fatal(got, err)
	}
	away := filepath.Join(t.TempDir(), "away")
	must(t, os.Rename(filepath.Join(path, "d"), away))
	if got, err := read(t, o, "d/x"); !errors.Is(err, ErrMissing) {
		t.Errorf("moved away: read %q, %v", got, err)
	}
	must(t, os.Symlink(away, filepath.Join(path, "d")))
	if got, err := read(t, o, "d/x"); !errors.Is(err, ErrSkipped) {
		t.Errorf("a link to where it went: read %q, %v", got, err)
	}
	must(t, os.Remove(filepath.Join(path, "d")))
	write(t, path, "d", "x", "another")
	if got, err := read(t, o, "d/x"); got != "another" || err != nil {
		t.Errorf("another folder in its place: read %q, %v", got, err)
	}
}

// An old kernel, or a container's filter, leaves the careful way alone: what it says must be the same.
func TestBothWaysOfOpeningAgree(t *testing.T) {
	o, path := box(t, Options{})
	write(t, path, "f", "top")
	write(t, path, "d/sub/f", "deep")
	must(t, os.Symlink("f", filepath.Join(path, "link")))
	must(t, os.Symlink("d", filepath.Join(path, "through")))
	must(t, syscall.Mkfifo(filepath.Join(path, "fifo"), 0o600))
	for rel, want := range map[string]error{
		"f": nil, "d/sub/f": nil, "link": ErrSkipped, "through/sub/f": ErrSkipped, "fifo": ErrSkipped, "d": ErrSkipped,
		"gone": ErrMissing, "d/gone/f": ErrMissing, "f/below": ErrSkipped,
	} {
		f, quick, err := o.OpenFile(rel)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", rel, err, want)
		}
		g, slow, err := openStepwise(o.root, rel)
		if !errors.Is(err, want) {
			t.Errorf("%s, step by step: %v, want %v", rel, err, want)
		}
		if quick != slow {
			t.Errorf("%s is %+v, and step by step %+v", rel, quick, slow)
		}
		if want == nil {
			must(t, errors.Join(f.Close(), g.Close()))
		}
	}
}
