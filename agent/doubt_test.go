package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/crc64nvme"

	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/receipt"
	"buzon/scripts/load/s3server"
)

// doubtful is a vm that lost the answer to the first version of one file. Whoever comes to that file's key next would
// lose its own first answer too, without having stored anything, and then meet a 412: the way to a receipt for bytes
// that are not there.
type doubtful struct {
	*vm
	mu   sync.Mutex
	what s3server.Name // that breaks now, at the key
	key  string
	then func() // once, when a request for the key arrives
}

const (
	first  = "the first version"
	second = "the second version, another size"
)

func newDoubtful(t *testing.T, config string) *doubtful {
	d := &doubtful{key: "a.txt"}
	d.vm = newVM(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
		d.mu.Lock()
		defer d.mu.Unlock()
		if c.Op != s3server.PutObject || c.Key != prefix+d.key || d.what == "" {
			return s3server.Fault{}
		}
		what := d.what
		if what == s3server.ResetAfter { // once: then the 412
			d.what = ""
		}
		if d.then != nil {
			d.then()
			d.then = nil
		}
		if what == s3server.Refuse {
			return s3server.Fault{Name: what, Status: 400, Code: "EntityTooLarge"}
		}
		return s3server.Fault{Name: what}
	}}, "tries: 1\nlimits: {transfers: 1}\n"+config)
	return d
}

// breaks says what happens to the next requests at the key.
func (d *doubtful) breaks(what s3server.Name) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.what = what
}

// dies sends a folder, and is killed when its first object is stored and the answer is not yet kept. From then on the
// next answer at the key is lost.
func (d *doubtful) dies(folder string) {
	d.t.Helper()
	if code, out := d.agent("courier.after-request:1", "upload", "--config", d.path("agent.yaml"), d.path(folder)); code != -1 {
		d.t.Fatalf("it was not killed, but ended with %d\n%s", code, out)
	}
	if n := len(d.bodies()[first]); n != 1 {
		d.t.Fatalf("the first version is in the bucket %d times", n)
	}
	d.breaks(s3server.ResetAfter)
}

// sends sends a folder.
func (d *doubtful) sends(folder string, want int) {
	d.t.Helper()
	if code, out := d.agent("", "upload", "--config", d.path("agent.yaml"), d.path(folder)); code != want {
		d.t.Fatalf("upload %s ends with %d, want %d\n%s", folder, code, want, out)
	}
}

// isQuarantined lets the store refuse the file in doubt, whose outcome stays unknown.
func (d *doubtful) isQuarantined(folder string) {
	d.t.Helper()
	d.breaks(s3server.Refuse)
	d.sends(folder, 1)
	d.breaks(s3server.ResetAfter)
}

// put writes a file with a time of its own: versions follow each other within one tick of some clocks.
func (d *doubtful) put(path, content string) {
	d.t.Helper()
	at := time.Unix(1_700_000_000+int64(len(content)), 0)
	err := errors.Join(os.MkdirAll(filepath.Dir(d.path(path)), 0o755), os.WriteFile(d.path(path), []byte(content), 0o644), os.Chtimes(d.path(path), at, at))
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *doubtful) remove(path string) {
	d.t.Helper()
	if err := os.Remove(d.path(path)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *doubtful) rename(from, to string) {
	d.t.Helper()
	if err := os.Rename(d.path(from), d.path(to)); err != nil {
		d.t.Fatal(err)
	}
}

// bodies are the keys of each content in the bucket.
func (d *doubtful) bodies() map[string][]string {
	all := map[string][]string{}
	for _, o := range d.server.Versions(bucket) {
		if name := strings.TrimPrefix(o.Key, prefix); !strings.HasPrefix(name, ".buzon/") {
			all[string(o.Body)] = append(all[string(o.Body)], name)
		}
	}
	return all
}

// holdsTrue fails unless each content stands in the bucket once, and every receipt is of what stands at its key.
func (d *doubtful) holdsTrue(contents ...string) {
	d.t.Helper()
	all := d.bodies()
	for _, content := range contents {
		if n := len(all[content]); n != 1 {
			d.t.Errorf("%q is in the bucket %d times: %q", content, n, all[content])
		}
	}
	if len(all) != len(contents) {
		d.t.Errorf("in the bucket are %q", all)
	}
	sums := map[string]string{}
	for content, keys := range all {
		for _, key := range keys {
			sums[prefix+key] = receipt.FormatCRC(crc64nvme.Checksum([]byte(content)))
		}
	}
	j, err := journal.Open(d.path("state"), journal.Options{ReadOnly: true})
	if err != nil {
		d.t.Fatal(err)
	}
	defer j.Close() //nolint:errcheck // read only
	err = j.Receipts(time.Time{}, func(r *receipt.Receipt) error {
		if sums[r.Key] != r.CRC64NVME {
			d.t.Errorf("the receipt of %s (%s) is of other bytes than stand at %s", r.SourcePath, r.Evidence, r.Key)
		}
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// TestADoubtAboutAKeyOutlivesItsFile goes all the ways on which an entry whose outcome is unknown leaves the journal, or
// is replaced there, while its object stands in the bucket: what comes to the same key next must not take that for its
// own. What happens within one run is in cli's conflict_test.go.
func TestADoubtAboutAKeyOutlivesItsFile(t *testing.T) {
	for _, c := range []struct {
		name, config string
		way          func(d *doubtful)
		stored       []string // besides the first version
	}{
		{"nothing happens: it is inferred", "", func(d *doubtful) {
			d.sends("out", 0)
		}, nil},
		{"rewritten while nothing ran", "", func(d *doubtful) {
			d.put("out/a.txt", second)
			d.sends("out", 0)
		}, []string{second}},
		{"rewritten, and killed before the next version left", "", func(d *doubtful) {
			d.put("out/a.txt", second)
			if code, out := d.upload("courier.before-request:1"); code != -1 {
				d.t.Fatalf("%d\n%s", code, out)
			}
			d.sends("out", 0)
		}, []string{second}},
		{"deleted, and one of the same name made later", "", func(d *doubtful) {
			d.remove("out/a.txt")
			d.sends("out", 0)
			d.put("out/a.txt", second)
			d.sends("out", 0)
		}, []string{second}},
		{"another file renamed over it", "", func(d *doubtful) {
			d.put("out/b.tmp", second)
			d.rename("out/b.tmp", "out/a.txt")
			d.sends("out", 0)
		}, []string{second}},
		{"renamed away, and another renamed to its name", "", func(d *doubtful) {
			d.rename("out/a.txt", "a.txt")
			d.sends("out", 0)
			d.put("out/b.tmp", second)
			d.rename("out/b.tmp", "out/a.txt")
			d.sends("out", 0)
		}, []string{second}},
		{"in quarantine, and deleted", "", func(d *doubtful) {
			d.isQuarantined("out")
			d.remove("out/a.txt")
			d.sends("out", 0)
			d.put("out/a.txt", second)
			d.sends("out", 0)
		}, []string{second}},
		{"in quarantine, and rewritten", "", func(d *doubtful) {
			d.isQuarantined("out")
			d.put("out/a.txt", second)
			d.sends("out", 0)
		}, []string{second}},
		{"in quarantine, taken out of it, and rewritten", "", func(d *doubtful) {
			d.isQuarantined("out")
			if code, out := d.agent("", "retry", "--config", d.path("agent.yaml")); code != 0 {
				d.t.Fatalf("%d\n%s", code, out)
			}
			d.put("out/a.txt", second)
			d.sends("out", 0)
		}, []string{second}},
		{"in quarantine, and another file has its key", "key: '{name}{ext}'\n", func(d *doubtful) {
			d.isQuarantined("out")
			d.put("out/sub/a.txt", second)
			d.sends("out", 1)
		}, []string{second}},
		{"of another outbox that is sent no more", "", func(d *doubtful) {
			d.put("moved/a.txt", second)
			d.sends("moved", 0)
		}, []string{second}},
		{"of another outbox, which is sent again later", "", func(d *doubtful) {
			d.put("moved/a.txt", second)
			d.sends("moved", 0)
			d.breaks(s3server.ResetAfter)
			d.sends("out", 0)
		}, []string{second}},
		{"sent under another name, and that version changed too", "", func(d *doubtful) {
			d.put("out/a.txt", second)
			d.sends("out", 0)
			d.put("out/a.txt", second+" and third")
			d.sends("out", 0)
		}, []string{second, second + " and third"}},
		{"where a conflict fails, it is one", "on_conflict: fail\n", func(d *doubtful) {
			d.put("out/a.txt", second)
			d.sends("out", 1)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDoubtful(t, c.config)
			d.put("out/a.txt", first)
			d.dies("out")
			c.way(d)
			d.holdsTrue(append(c.stored, first)...)
		})
	}
}

// TestADoubtIsDurableBeforeTheNextVersionIsAccepted kills the agent between the two: the file changed while it was sent,
// its entry is forgotten, and the next version is in no journal yet.
func TestADoubtIsDurableBeforeTheNextVersionIsAccepted(t *testing.T) {
	d := newDoubtful(t, "")
	d.put("out/a.txt", first)
	d.breaks(s3server.LostAnswer)
	d.then = func() { d.put("out/a.txt", second) }
	if code, out := d.agent("courier.accept:2", "upload", "--config", d.path("agent.yaml"), d.path("out")); code != -1 {
		t.Fatalf("%d\n%s", code, out)
	}
	d.breaks(s3server.ResetAfter)
	d.sends("out", 0)
	d.holdsTrue(first, second)
}

// TestAnObjectWithAnotherChecksumIsNotTakenForTheNextVersion: the store confirmed other bytes than were sent, and the file
// changed before it was sent again.
func TestAnObjectWithAnotherChecksumIsNotTakenForTheNextVersion(t *testing.T) {
	d := newDoubtful(t, "")
	d.put("out/a.txt", first)
	d.breaks(s3server.WrongChecksum)
	d.sends("out", 1) // with tries: 1 it is in quarantine
	d.breaks(s3server.ResetAfter)
	d.put("out/a.txt", second)
	d.sends("out", 0)
	d.holdsTrue(first, second)
}

// TestATouchedFileIsAskedForAgain: a 412 that meets a file whose bytes may be the same tells nothing yet; the file is not
// sent twice for it.
func TestATouchedFileIsAskedForAgain(t *testing.T) {
	d := newDoubtful(t, "")
	d.put("out/a.txt", first)
	d.dies("out")
	d.breaks(s3server.Slow)
	d.then = func() {
		if err := os.Chmod(d.path("out/a.txt"), 0o600); err != nil {
			t.Error(err)
		}
	}
	d.sends("out", 0)
	d.holdsTrue(first)
}
