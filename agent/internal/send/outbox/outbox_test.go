package outbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// box opens an outbox on a new folder.
func box(t *testing.T, opts Options) (*Outbox, string) {
	t.Helper()
	if opts.Path == "" {
		opts.Path = filepath.Join(t.TempDir(), "outbox")
		if err := os.MkdirAll(opts.Path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	o, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return o, opts.Path
}

func write(t *testing.T, elem ...string) string {
	t.Helper()
	path := filepath.Join(elem[:len(elem)-1]...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(elem[len(elem)-1]), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// found are the files of one pass, sorted.
func found(t *testing.T, o *Outbox) []string {
	t.Helper()
	var rels []string
	must(t, o.Walk(t.Context(), func(f File) error {
		rels = append(rels, f.Rel)
		return nil
	}))
	slices.Sort(rels)
	return rels
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestWalkFindsEveryRegularFileWhateverItsName(t *testing.T) {
	o, dir := box(t, Options{})
	names := []string{
		"a", "sub/b.txt", "with space", "emoji ☕", "new\nline", "..%2f..%2fetc", "cafe\u0301", "café",
		"-rf", "*?[", "a b/c d/e", "dots..", "tab\t", "empty",
	}
	for _, name := range names {
		write(t, dir, name, strings.Repeat("x", len(name)))
	}
	must(t, os.Truncate(filepath.Join(dir, "empty"), 0))
	expect(t, found(t, o), names...)
}

func TestTemporaryNamesAreLeftOut(t *testing.T) {
	o, dir := box(t, Options{})
	for _, name := range []string{
		".hidden", "a.tmp", "b.part", "c.partial", "d.swp", "e~", ".~lock.f.odt#", "~$g.docx", "#h#", "i.crdownload",
		".git/config", "sub/.cache/x", "sub/j.tmp", "lost+found/x", "k.filepart",
		"l.temp", "m.download", "n.swo", "o.swx",
	} {
		write(t, dir, name, "x")
	}
	write(t, dir, "tmp", "x")
	write(t, dir, "a.tmp.csv", "x")
	expect(t, found(t, o), "tmp", "a.tmp.csv")
}

func TestPatternsChooseFiles(t *testing.T) {
	files := []string{"a.csv", "b.log", "sub/c.csv", "sub/d.log", "skip/e.csv", "sub/skip/f.csv", ".env", "g.tmp"}
	for _, c := range []struct {
		name             string
		include, exclude []string
		want             []string
	}{
		{"nothing said", nil, nil, []string{"a.csv", "b.log", "sub/c.csv", "sub/d.log", "skip/e.csv", "sub/skip/f.csv"}},
		{"all", []string{"**"}, nil, []string{"a.csv", "b.log", "sub/c.csv", "sub/d.log", "skip/e.csv", "sub/skip/f.csv"}},
		{"a name at every depth", []string{"*.csv"}, nil, []string{"a.csv", "sub/c.csv", "skip/e.csv", "sub/skip/f.csv"}},
		{"a path", []string{"sub/*.csv"}, nil, []string{"sub/c.csv"}},
		{"a tree", []string{"sub/**"}, nil, []string{"sub/c.csv", "sub/d.log", "sub/skip/f.csv"}},
		{"a folder left out everywhere", nil, []string{"skip"}, []string{"a.csv", "b.log", "sub/c.csv", "sub/d.log"}},
		{"one folder left out", nil, []string{"sub/skip"}, []string{"a.csv", "b.log", "sub/c.csv", "sub/d.log", "skip/e.csv"}},
		{"alternatives", []string{"*.{csv,log}"}, []string{"[bd].log", "**/skip/**"}, []string{"a.csv", "sub/c.csv"}},
		{"dotfiles wanted", []string{".env"}, []string{"!.[!.]*"}, []string{".env"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, dir := box(t, Options{Include: c.include, Exclude: c.exclude})
			for _, f := range files {
				write(t, dir, f, "x")
			}
			expect(t, found(t, o), c.want...)
			for _, f := range files { // Stat agrees with Walk
				_, err := o.Stat(f)
				if want := slices.Contains(c.want, f); (err == nil) != want {
					t.Errorf("Stat(%s): %v, want found %v", f, err, want)
				}
			}
		})
	}
}

func TestABadPatternIsRefused(t *testing.T) {
	for _, opts := range []Options{{Include: []string{"[a"}}, {Exclude: []string{"{a"}}, {Exclude: []string{"!*.csv"}}} {
		opts.Path = t.TempDir()
		if _, err := Open(opts); err == nil {
			t.Errorf("%v is accepted", opts)
		}
	}
}

func TestWhatIsNoRegularFileIsSkippedWithItsReason(t *testing.T) {
	skipped := map[string]Reason{}
	o, dir := box(t, Options{Skipped: func(s Skipped) { skipped[s.Rel] = s.Reason }})
	outside := write(t, t.TempDir(), "secret", "s")
	write(t, dir, "good", "x")
	must(t, os.Symlink(outside, filepath.Join(dir, "link")))
	must(t, os.Symlink(filepath.Dir(outside), filepath.Join(dir, "linked-folder")))
	must(t, os.Symlink("good", filepath.Join(dir, "link-inside")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	socket, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	must(t, err)
	defer syscall.Close(socket) //nolint:errcheck // a test's socket
	must(t, syscall.Bind(socket, &syscall.SockaddrUnix{Name: filepath.Join(dir, "socket")}))
	write(t, dir, strings.Repeat("d/", 3)+"bad\xff", "x")
	long := strings.Repeat(strings.Repeat("l", 200)+"/", 6) + "x"
	write(t, dir, long, "x")
	want := map[string]Reason{
		"link": IsLink, "linked-folder": IsLink, "link-inside": IsLink, "fifo": IsFIFO, "socket": IsSocket,
		"d/d/d/bad\xff": NameEncoding, long: NameTooLong,
	}
	if os.Geteuid() == 0 {
		if err := syscall.Mknod(filepath.Join(dir, "device"), syscall.S_IFCHR|0o600, 0x103); err == nil {
			want["device"] = IsDevice
		}
	}
	expect(t, found(t, o), "good")
	for rel, reason := range want {
		if skipped[rel] != reason {
			t.Errorf("%q is skipped with %q, want %q", rel, skipped[rel], reason)
		}
		if never := (Skipped{Reason: reason}).NeverSendable(); never != strings.HasPrefix(string(reason), "name-") {
			t.Errorf("NeverSendable(%s) = %v", reason, never)
		}
	}
	for rel := range want {
		if strings.HasPrefix(string(want[rel]), "name-") {
			continue
		}
		if f, _, err := o.OpenFile(rel); !errors.Is(err, ErrSkipped) {
			t.Errorf("OpenFile(%s) = %v, %v; want ErrSkipped", rel, f, err)
		}
	}
	if _, _, err := o.OpenFile("linked-folder/secret"); err == nil {
		t.Error("a file was opened through a link")
	}
	if _, _, err := o.OpenFile("../" + filepath.Base(outside)); err == nil {
		t.Error("a file above the outbox was opened")
	}
}

func TestReservedNamesAreReported(t *testing.T) {
	var skipped []Skipped
	o, dir := box(t, Options{Exclude: []string{"!.[!.]*"}, Skipped: func(s Skipped) { skipped = append(skipped, s) }})
	write(t, dir, ".buzon/canary", "x")
	expect(t, found(t, o))
	if len(skipped) != 1 || skipped[0].Reason != NameReserved || skipped[0].File.Size != 1 {
		t.Errorf("skipped %+v", skipped)
	}
}

func TestALinkThatTakesAFilesPlaceIsNotFollowed(t *testing.T) {
	o, dir := box(t, Options{})
	secret := write(t, t.TempDir(), "secret", "s")
	path := write(t, dir, "f", "x")
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				os.Remove(path)                        //nolint:errcheck // the race is the point
				os.Symlink(secret, path)               //nolint:errcheck // the race is the point
				os.Remove(path)                        //nolint:errcheck // the race is the point
				os.WriteFile(path, []byte{'x'}, 0o644) //nolint:errcheck // the race is the point
			}
		}
	}()
	for range 2000 {
		f, _, err := o.OpenFile("f")
		if err != nil {
			continue
		}
		var b [1]byte
		if n, _ := f.Read(b[:]); n == 1 && b[0] == 's' {
			t.Error("the secret outside was read")
		}
		must(t, f.Close())
	}
	close(stop)
	<-done
}

func TestAnUnreadableFileAndFolder(t *testing.T) {
	if os.Geteuid() == 0 {
		asNobody(t)
		return
	}
	skipped := map[string]Reason{}
	o, dir := box(t, Options{Skipped: func(s Skipped) { skipped[s.Rel] = s.Reason }})
	must(t, os.Chmod(write(t, dir, "locked", "x"), 0))
	write(t, dir, "sub/f", "x")
	must(t, os.Chmod(filepath.Join(dir, "sub"), 0))
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, "sub"), 0o755) }) //nolint:errcheck // so that it can be removed
	expect(t, found(t, o), "locked")
	if skipped["sub"] != Unreadable {
		t.Errorf("sub is skipped with %q", skipped["sub"])
	}
	if _, _, err := o.OpenFile("locked"); !errors.Is(err, ErrUnreadable) {
		t.Errorf("OpenFile(locked): %v", err)
	}
	must(t, os.Chmod(filepath.Join(dir, "locked"), 0o644))
	f, _, err := o.OpenFile("locked") // readable again, by itself
	must(t, err)
	must(t, f.Close())
	must(t, os.Chmod(dir, 0))
	t.Cleanup(func() { os.Chmod(dir, 0o755) }) //nolint:errcheck // so that it can be removed
	if err := o.Walk(t.Context(), nil); !errors.Is(err, ErrDenied) {
		t.Errorf("Walk of a locked outbox: %v", err)
	}
	if _, err := Open(Options{Path: dir}); !errors.Is(err, ErrDenied) {
		t.Errorf("Open of a locked outbox: %v", err)
	}
}

// asNobody runs the calling test again in a process without root's rights.
func asNobody(t *testing.T) {
	t.Helper()
	asNobodyRun(t, t.Name())
}

// asNobodyRun runs one test in a process without root's rights.
func asNobodyRun(t *testing.T, name string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "test")
	data, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	must(t, os.WriteFile(binary, data, 0o755))
	home := t.TempDir()
	for dir := home; dir != "/"; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o005 != 0o005 {
			must(t, os.Chmod(dir, 0o755))
		}
	}
	must(t, os.Chown(home, 65534, 65534))
	var out strings.Builder
	p := processAs(65534, binary, "-test.run=^"+name+"$", "-test.v")
	p.Env = []string{"TMPDIR=" + home, "HOME=" + home}
	p.Dir = home
	p.Stdout, p.Stderr = &out, &out
	if err := p.Run(); err != nil {
		t.Errorf("as nobody: %v\n%s", err, out.String())
	}
	if strings.Contains(out.String(), "--- SKIP") || !strings.Contains(out.String(), "--- PASS") {
		t.Errorf("as nobody it was skipped:\n%s", out.String())
	}
}

func TestTheFolderMayVanishAndReturn(t *testing.T) {
	o, dir := box(t, Options{})
	write(t, dir, "a", "x")
	expect(t, found(t, o), "a")
	must(t, os.Rename(dir, dir+".away"))
	if err := o.Walk(t.Context(), func(File) error { return nil }); !errors.Is(err, ErrGone) {
		t.Errorf("Walk without folder: %v, want ErrGone", err)
	}
	write(t, dir, "b", "x")
	expect(t, found(t, o), "b")
	f, _, err := o.OpenFile("b")
	must(t, err)
	must(t, f.Close())
	if _, err := Open(Options{Path: filepath.Join(dir, "b")}); !errors.Is(err, ErrNotFolder) {
		t.Errorf("Open of a file: %v", err)
	}
	if _, err := Open(Options{Path: filepath.Join(dir, "nowhere")}); !errors.Is(err, ErrGone) {
		t.Errorf("Open of nothing: %v", err)
	}
}

func TestNamesAreSentWhateverThePatternsSay(t *testing.T) {
	o, dir := box(t, Options{Names: []string{".env", "sub/x.tmp"}})
	write(t, dir, ".env", "x")
	write(t, dir, "sub/x.tmp", "x")
	write(t, dir, "other", "x")
	expect(t, found(t, o), ".env", "sub/x.tmp")
	must(t, os.Remove(filepath.Join(dir, ".env")))
	if err := o.Walk(t.Context(), func(File) error { return nil }); !errors.Is(err, ErrMissing) {
		t.Errorf("Walk of a missing name: %v", err)
	}
}

func TestWalkEndsWithTheVisitorsErrorAndWithItsContext(t *testing.T) {
	o, dir := box(t, Options{})
	write(t, dir, "a", "x")
	enough := errors.New("enough")
	if err := o.Walk(t.Context(), func(File) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("Walk: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.Walk(ctx, func(File) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Walk: %v", err)
	}
}

// TestABigTreeIsWalkedInBoundedMemory makes 20,000 files (200,000 with
// BUZON_TEST=long) in one folder and a chain 50 levels deep.
func TestABigTreeIsWalkedInBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: no big tree")
	}
	n := 20_000
	if os.Getenv("BUZON_TEST") == "long" {
		n = 200_000
	}
	o, dir := box(t, Options{})
	for i := range n {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("file-%06d", i)))
		must(t, err)
		must(t, f.Close())
	}
	deep := dir
	for i := range 50 {
		deep = filepath.Join(deep, fmt.Sprintf("level-%02d", i))
		write(t, deep, "leaf", "x")
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	seen, most := 0, uint64(0)
	start := time.Now()
	must(t, o.Walk(t.Context(), func(f File) error {
		if seen++; seen%(n/8) == 0 {
			runtime.GC()
			runtime.ReadMemStats(&after)
			most = max(most, after.HeapAlloc)
		}
		return nil
	}))
	if seen != n+50 {
		t.Errorf("saw %d files, want %d", seen, n+50)
	}
	grown := int64(most) - int64(before.HeapAlloc)
	t.Logf("%d files in %v, live heap grew by %d KiB", seen, time.Since(start).Round(time.Millisecond), grown>>10)
	if grown > 8<<20 {
		t.Errorf("the live heap grew by %d KiB during the pass", grown>>10)
	}
	f, was, err := o.OpenFile(strings.TrimPrefix(deep, dir+"/") + "/leaf")
	must(t, err)
	must(t, Same(f, was))
	must(t, f.Close())
}

func TestSameSeesEveryChange(t *testing.T) {
	o, dir := box(t, Options{})
	path := write(t, dir, "f", "content")
	file, was, err := o.OpenFile("f")
	must(t, err)
	defer file.Close() //nolint:errcheck // only read
	must(t, Same(file, was))

	must(t, os.Chmod(path, 0o600))
	if err := Same(file, was); !errors.Is(err, ErrTouched) {
		t.Errorf("after chmod: %v, want ErrTouched", err)
	}
	was.Changed = time.Time{}
	must(t, Same(file, was))
	must(t, os.WriteFile(path, []byte("CONTENT"), 0o644))
	must(t, os.Chtimes(path, time.Time{}, was.ModTime.Add(time.Nanosecond)))
	if err := Same(file, was); !errors.Is(err, ErrChanged) {
		t.Errorf("after rewriting: %v, want ErrChanged", err)
	}
	must(t, os.WriteFile(path, []byte("longer content"), 0o644))
	must(t, os.Chtimes(path, time.Time{}, was.ModTime))
	if err := Same(file, was); !errors.Is(err, ErrChanged) {
		t.Errorf("after appending: %v, want ErrChanged", err)
	}
}
