package outbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

func TestFewFoldersStayOpen(t *testing.T) {
	o, path := box(t, Options{})
	for i := range 3 * mostParents {
		rel := fmt.Sprintf("d%d/sub/x", i)
		write(t, path, rel, rel)
		if got, err := read(t, o, rel); got != rel || err != nil {
			t.Fatal(got, err)
		}
		if n := len(o.parents.open); n > mostParents {
			t.Fatalf("%d folders are open", n)
		}
	}
}
