package outbox

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheSameNameInTwoFoldersIsFound(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string // of a and b
		opts  Options  // of b
		want  string
	}{
		{"one name", []string{"a/x.txt", "b/x.txt"}, Options{}, "x.txt"},
		{"deep down", []string{"a/p/q/x", "a/y", "b/z", "b/p/q/x"}, Options{}, "p/q/x"},
		{"a file that is named", []string{"a/x.txt", "b/x.txt"}, Options{Names: []string{"x.txt"}}, "x.txt"},
		{"a file that is not named", []string{"a/x.txt", "b/x.txt", "b/y"}, Options{Names: []string{"y"}}, ""},
		{"other names", []string{"a/x.txt", "b/y.txt", "b/p/x.txt"}, Options{}, ""},
		{"a name that is left out", []string{"a/x.tmp", "b/x.tmp"}, Options{}, ""},
		{"a pattern leaves it out", []string{"a/x.txt", "b/x.txt"}, Options{Exclude: []string{"*.txt"}}, ""},
		{"a file and a folder", []string{"a/x", "b/x/y"}, Options{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := t.TempDir()
			must(t, os.MkdirAll(base+"/a", 0o755))
			for _, f := range c.files {
				write(t, base, f, "x")
			}
			a, err := Open(Options{Path: base + "/a"})
			must(t, err)
			c.opts.Path = base + "/b"
			b, err := Open(c.opts)
			must(t, err)
			t.Cleanup(func() { must(t, a.Close()); must(t, b.Close()) })
			one, other, err := SameName(t.Context(), []*Outbox{a, b})
			must(t, err)
			wantOne, wantOther := filepath.Join(base, "a", c.want), filepath.Join(base, "b", c.want)
			if c.want == "" {
				wantOne, wantOther = "", ""
			}
			if one != wantOne || other != wantOther {
				t.Errorf("found %q and %q, want %q and %q", one, other, wantOne, wantOther)
			}
		})
	}
}
