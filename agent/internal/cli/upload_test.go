package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"buzon/agent/internal/send/journal"
	"buzon/scripts/load/s3server"
)

// files writes files below the host's home; their content is their name.
func (h *host) files(dir string, names ...string) string {
	h.t.Helper()
	for _, name := range names {
		path := filepath.Join(h.home, dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			h.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			h.t.Fatal(err)
		}
	}
	return filepath.Join(h.home, dir)
}

// upload runs one upload in process.
func (h *host) upload(args ...string) (code int, stdout, stderr string) {
	h.t.Helper()
	return h.run("en", append([]string{"upload", "--config", h.file("agent.yaml")}, args...)...)
}

// soundJournal holds the journal to its invariants at the end of every test.
func (h *host) soundJournal() {
	j, err := journal.Open(h.file("state"), journal.Options{ReadOnly: true})
	if errors.Is(err, journal.ErrNone) {
		return
	}
	if err == nil {
		err = errors.Join(j.Check(), j.Close())
	}
	var damaged *journal.DamagedError
	if err != nil && !errors.As(err, &damaged) { // some tests damage it
		h.t.Error(err)
	}
}

func everything(s3server.Identity, string, string, string) bool { return true }

// holds fails unless the object at the key under the prefix has this content.
func (h *host) holds(key, content string) {
	h.t.Helper()
	o, ok := h.server.Object(inbox, prefix+key)
	switch {
	case !ok:
		h.t.Errorf("there is no object %s%s", prefix, key)
	case string(o.Body) != content:
		h.t.Errorf("%s%s holds %q, want %q", prefix, key, o.Body, content)
	}
}

func TestUploadSendsAFolderOnce(t *testing.T) {
	h := newHost(t, s3server.Options{})
	odd := []string{"a.txt", "sub/b.txt", "sp ace.txt", "emoji 🦉", "new\nline", "..%2f", "%41", "plus+plus", "e\u0301.txt", "q?a=b&c#d"}
	dir := h.files("out", odd...)
	h.files("out", ".hidden", "half.tmp")
	h.write("out/empty", "", 0o644)
	code, out, err := h.upload(dir)
	if code != 0 {
		t.Fatalf("code %d\n%s%s", code, out, err)
	}
	for _, name := range odd {
		h.holds(name, name)
	}
	h.holds("empty", "")
	if want := "Sent 11 files"; !strings.Contains(out, want) {
		t.Errorf("no %q in:\n%s", want, out)
	}
	for _, left := range []string{".hidden", "half.tmp"} {
		if _, ok := h.server.Object(inbox, prefix+left); ok {
			t.Errorf("%s was sent", left)
		}
	}
	if want := "2 names were skipped"; !strings.Contains(out, want) {
		t.Errorf("no %q in:\n%s", want, out)
	}
	before := h.server.Stats()
	code, out, err = h.upload(dir)
	if code != 0 || !strings.Contains(out, "nothing to send") || !strings.Contains(out, "11 files were sent before") {
		t.Errorf("again: code %d\n%s%s", code, out, err)
	}
	if after := h.server.Stats(); after.Requests != before.Requests {
		t.Errorf("with nothing to send %d requests were made", after.Requests-before.Requests)
	}
}

func TestUploadKeysAFileByItsName(t *testing.T) {
	h := newHost(t, s3server.Options{})
	dir := h.files("out", "sub/deep/b.txt", "sub/deep/.dotted", "sub/deep/other")
	code, out, err := h.upload(filepath.Join(dir, "sub/deep/b.txt"), filepath.Join(dir, "sub/deep/.dotted"))
	if code != 0 {
		t.Fatalf("code %d\n%s%s", code, out, err)
	}
	h.holds("b.txt", "sub/deep/b.txt")
	h.holds(".dotted", "sub/deep/.dotted")
	if _, ok := h.server.Object(inbox, prefix+"other"); ok {
		t.Error("a file was sent that nobody named")
	}
}

func TestUploadForeseesWithoutAsking(t *testing.T) {
	h := newHost(t, s3server.Options{})
	dir := h.files("out", "a.txt", "sub/b.txt")
	code, out, _ := h.upload("--dry-run", dir)
	if code != 0 || !strings.Contains(out, "s3://inbox/uploads/vm-01/sub/b.txt") || !strings.Contains(out, "2 files, 14 B, would be sent") {
		t.Errorf("code %d\n%s", code, out)
	}
	if n := h.server.Stats().Requests; n != 0 {
		t.Errorf("%d requests were made", n)
	}
	if _, err := os.Stat(h.file("state")); err == nil {
		t.Error("a state folder was made")
	}
	if code, out, err := h.upload(dir); code != 0 {
		t.Fatalf("code %d\n%s%s", code, out, err)
	}
	if _, out, _ = h.upload("--dry-run", dir); !strings.Contains(out, "0 files, 0 B, would be sent") || !strings.Contains(out, "2 files were sent before") {
		t.Errorf("after an upload:\n%s", out)
	}
}

func TestUploadSaysWhatWasNotSent(t *testing.T) {
	h := newHost(t, s3server.Options{})
	dir := h.files("out", "a.txt", "bad\xff", "locked", strings.Repeat("k/", 100)+strings.Repeat("n", 250)+"/"+strings.Repeat("n", 250)+"/"+strings.Repeat("n", 250)+"/"+strings.Repeat("n", 250))
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	code, out, err := h.upload("--format", "json", dir)
	var got struct {
		Complete bool
		Sent     struct{ Files int }
		Skipped  int
		Failed   []struct{ Path, Reason string }
	}
	if e := json.Unmarshal([]byte(out), &got); e != nil {
		t.Fatalf("%v\n%s%s", e, out, err)
	}
	reasons := map[string]int{}
	for _, f := range got.Failed {
		reasons[f.Reason]++
		if f.Reason == "name-encoding" && f.Path != filepath.Join(dir, `bad\xff`) {
			t.Errorf("the name is told as %q", f.Path)
		}
	}
	if code != 1 || got.Complete || got.Sent.Files != 2 || got.Skipped != 1 || reasons["name-encoding"] != 1 || reasons["name-too-long"] != 1 {
		t.Errorf("code %d, %+v", code, got)
	}
}

func TestUploadStopsAtTheGate(t *testing.T) {
	h := newHost(t, s3server.Options{Allow: everything})
	dir := h.files("out", "a.txt")
	code, out, err := h.upload(dir)
	if code != 3 || out != "" || !strings.Contains(err, "Nothing was sent") {
		t.Errorf("code %d\n%s%s", code, out, err)
	}
	if _, ok := h.server.Object(inbox, prefix+"a.txt"); ok {
		t.Error("the file was sent")
	}
}

func TestTwoFoldersWithTheSameNamesAreNoLostMemory(t *testing.T) {
	h := newHost(t, s3server.Options{})
	var names []string
	for i := range 60 {
		names = append(names, fmt.Sprintf("%02d.txt", i))
	}
	one, two := h.files("one", names...), h.files("two", names...)
	if code, _, errs := h.upload(one, two); code != 2 || len(h.keys()) != 0 || !strings.Contains(errs, one+"/") || !strings.Contains(errs, two+"/") {
		t.Errorf("together they end with %d and %d objects\n%s", code, len(h.keys()), errs)
	}
	for _, dir := range []string{one, two} { // one after the other: that was said, and each has its own journal's word
		if code, u, errs := h.uploadJSON(dir); code != 0 || u.Sent.Files != 60 {
			t.Errorf("%d %+v\n%s", code, u, errs)
		}
	}
	if n := len(h.keys()); n != 120 {
		t.Errorf("%d objects", n)
	}
}
