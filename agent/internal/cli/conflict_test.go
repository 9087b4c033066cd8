package cli

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"buzon/scripts/load/s3server"
)

// uploaded is the summary of an upload, as JSON.
type uploaded struct {
	Complete                                bool
	Sent                                    struct{ Files, Bytes int64 }
	Known, Inferred, Conflicts, Quarantined int64
	Pending, Attempts                       int64
	Failed                                  []struct{ Path, Reason, Detail string }
}

func (h *host) uploadJSON(args ...string) (code int, u uploaded, stderr string) {
	h.t.Helper()
	code, out, stderr := h.upload(append([]string{"--format", "json"}, args...)...)
	if out != "" {
		if err := json.Unmarshal([]byte(out), &u); err != nil {
			h.t.Fatalf("%v\n%s", err, out)
		}
	}
	return code, u, stderr
}

// keys are the keys under the prefix, without it and without the canary.
func (h *host) keys() []string {
	var keys []string
	for _, o := range h.server.Objects(inbox) {
		if name := strings.TrimPrefix(o.Key, prefix); !strings.HasPrefix(name, ".buzon/") {
			keys = append(keys, name)
		}
	}
	return keys
}

func TestAFileRewrittenUnderTheSameNameIsAnotherFile(t *testing.T) {
	h := newHost(t, s3server.Options{})
	dir := h.files("out", "a.txt")
	if code, out, errs := h.upload(dir); code != 0 {
		t.Fatalf("%d\n%s%s", code, out, errs)
	}
	h.write("out/a.txt", "second version", 0o644)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(dir, "a.txt"), at, at); err != nil {
		t.Fatal(err)
	}
	code, u, errs := h.uploadJSON(dir)
	if code != 0 || u.Sent.Files != 1 || u.Conflicts != 0 {
		t.Errorf("%d %+v\n%s", code, u, errs)
	}
	h.holds("a.txt", "a.txt")
	keys := h.keys()
	if len(keys) != 2 || !regexp.MustCompile(`^a\.~20260102T030405Z-[0-9a-f]{8}\.txt$`).MatchString(keys[1]) && !regexp.MustCompile(`^a\.~20260102T030405Z-[0-9a-f]{8}\.txt$`).MatchString(keys[0]) {
		t.Errorf("keys are %q", keys)
	}
	before := h.server.Stats().Requests
	if code, u, _ = h.uploadJSON(dir); code != 0 || u.Known != 1 || h.server.Stats().Requests != before {
		t.Errorf("a third time: %d %+v", code, u)
	}
}

// lostOnce loses the answer to the first PutObject of each key, after it was done.
func lostOnce() func(*s3server.Call) s3server.Fault {
	var mu sync.Mutex
	seen := map[string]bool{}
	return func(c *s3server.Call) s3server.Fault {
		mu.Lock()
		defer mu.Unlock()
		if c.Op != s3server.PutObject || strings.Contains(c.Key, ".buzon/") || seen[c.Key] {
			return s3server.Fault{}
		}
		seen[c.Key] = true
		return s3server.Fault{Name: s3server.LostAnswer}
	}
}

func (h *host) outboxSettles(how string, more ...string) string {
	dir := h.files("out")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		h.t.Fatal(err)
	}
	h.settings("outboxes:\n  - path: " + dir + "\n    settle: " + how + "\n" + strings.Join(more, ""))
	return dir
}

func TestALostAnswerIsInferredAndTheFileStays(t *testing.T) {
	h := newHost(t, s3server.Options{Fault: lostOnce()})
	dir := h.outboxSettles("delete")
	h.files("out", "a.txt")
	code, u, errs := h.uploadJSON(dir)
	if code != 0 || u.Sent.Files != 1 || u.Inferred != 1 || u.Conflicts != 0 {
		t.Errorf("%d %+v\n%s", code, u, errs)
	}
	h.holds("a.txt", "a.txt")
	if _, err := os.Stat(filepath.Join(dir, "a.txt")); err != nil {
		t.Error("the file of an inferred receipt was deleted")
	}
	if keys := h.keys(); len(keys) != 1 {
		t.Errorf("keys are %q", keys)
	}
}

func TestAnOlderVersionWhoseAnswerWasLostIsNotTakenForTheNext(t *testing.T) {
	var h *host
	var calls atomic.Int64
	h = newHost(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
		if c.Op != s3server.PutObject || c.Key != prefix+"a.txt" {
			return s3server.Fault{}
		}
		switch calls.Add(1) {
		case 1: // the first version is stored, its answer lost, and the file rewritten
			h.write("out/a.txt", "the second version", 0o644)
			return s3server.Fault{Name: s3server.LostAnswer}
		case 2: // were the second tried at the same key, it might have been stored, for all that the agent knew
			return s3server.Fault{Name: s3server.ResetAfter}
		}
		return s3server.Fault{} // and a 412 would follow
	}})
	dir := h.files("out", "a.txt")
	code, u, errs := h.uploadJSON(dir)
	if code != 0 || u.Sent.Files != 1 || u.Inferred != 0 {
		t.Errorf("%d %+v\n%s", code, u, errs)
	}
	second := false
	for _, o := range h.server.Objects(inbox) {
		second = second || string(o.Body) == "the second version"
	}
	if keys := h.keys(); len(keys) != 2 || !second {
		t.Errorf("keys are %q, and the second version is there: %v", keys, second)
	}
}

func TestAForeignObjectBehindALostAnswerIsFoundByVerify(t *testing.T) {
	h := newHost(t, s3server.Options{Fault: lostOnce(), Allow: s3server.AdminOr(s3server.WriteOnly(inbox, prefix))})
	dir := h.outboxSettles("delete")
	h.files("out", "a.txt")
	h.server.Put(inbox, prefix+"a.txt", []byte("theirs"))
	code, u, errs := h.uploadJSON(dir)
	if code != 0 || u.Inferred != 1 { // the rule errs here, knowingly …
		t.Errorf("%d %+v\n%s", code, u, errs)
	}
	if _, err := os.Stat(filepath.Join(dir, "a.txt")); err != nil {
		t.Error("… and the file was deleted all the same")
	}
	_, receipts, _ := h.run("en", "receipts", "export", "--config", h.file("agent.yaml"))
	h.write("receipts.jsonl", receipts, 0o600)
	h.key(s3server.Admin)
	code, out, errs := h.run("en", "receipts", "verify", "--config", h.file("agent.yaml"), "--receipts", h.file("receipts.jsonl"))
	if code != 1 || !strings.Contains(out+errs, "a.txt") {
		t.Errorf("verify does not find the difference: %d\n%s%s", code, out, errs)
	}
}

func TestAForeignObjectIsAConflict(t *testing.T) {
	for how, want := range map[string]struct {
		code int
		u    uploaded
		keys int
	}{
		"suffix": {code: 0, u: uploaded{Complete: true, Conflicts: 1}, keys: 2},
		"fail":   {code: 1, u: uploaded{Quarantined: 1}, keys: 1},
	} {
		t.Run(how, func(t *testing.T) {
			h := newHost(t, s3server.Options{})
			dir := h.outboxSettles("keep", "on_conflict: "+how+"\n")
			h.files("out", "a.txt")
			h.server.Put(inbox, prefix+"a.txt", []byte("theirs"))
			code, u, errs := h.uploadJSON(dir)
			if code != want.code || u.Complete != want.u.Complete || u.Conflicts != want.u.Conflicts || u.Quarantined != want.u.Quarantined {
				t.Errorf("%d %+v\n%s", code, u, errs)
			}
			h.holds("a.txt", "theirs")
			if keys := h.keys(); len(keys) != want.keys {
				t.Errorf("keys are %q", keys)
			}
		})
	}
}

func TestReplaceOverwritesWhatStandsThere(t *testing.T) {
	h := newHost(t, s3server.Options{})
	dir := h.outboxSettles("keep", "on_conflict: replace\n")
	h.files("out", "a.txt")
	h.server.Put(inbox, prefix+"a.txt", []byte("theirs"))
	if code, u, errs := h.uploadJSON(dir); code != 0 || u.Conflicts != 0 || u.Inferred != 0 {
		t.Errorf("%d %+v\n%s", code, u, errs)
	}
	h.holds("a.txt", "a.txt")
}

func TestAFreshJournalOverAFullOutboxStops(t *testing.T) {
	h := newHost(t, s3server.Options{})
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprintf("%03d.txt", i))
	}
	dir := h.files("out", names...)
	if code, u, errs := h.uploadJSON(dir); code != 0 || u.Sent.Files != 300 {
		t.Fatalf("%d %+v\n%s", code, u, errs)
	}
	code, receipts, errs := h.run("en", "receipts", "export", "--config", h.file("agent.yaml"))
	if code != 0 {
		t.Fatalf("export: %d\n%s", code, errs)
	}
	h.write("receipts.jsonl", receipts, 0o600)
	if err := os.RemoveAll(h.file("state")); err != nil {
		t.Fatal(err)
	}
	code, _, errs = h.upload(dir)
	if code != 1 || !strings.Contains(errs, "may have lost its memory") {
		t.Errorf("with its memory lost: %d\n%s", code, errs)
	}
	if keys := h.keys(); len(keys) > 300+80 {
		t.Errorf("%d objects were made under other names before it stopped", len(keys)-300)
	}
	more := len(h.keys()) - 300
	requests := h.server.Stats().Requests
	if code, _, _ = h.upload(dir); code != 1 || h.server.Stats().Requests != requests {
		t.Errorf("again: %d, %d requests", code, h.server.Stats().Requests-requests)
	}
	code, out, errs := h.run("en", "receipts", "import", "--config", h.file("agent.yaml"), h.file("receipts.jsonl"))
	if code != 0 {
		t.Fatalf("import: %d\n%s%s", code, out, errs)
	}
	code, u, errs := h.uploadJSON(dir)
	if code != 0 || len(h.keys()) != 300+more {
		t.Errorf("with its memory back: %d %+v, %d more objects\n%s", code, u, len(h.keys())-300-more, errs)
	}
	t.Logf("%d objects were made under other names before it stopped; with its memory back: %+v", more, u)
}

func TestKeysFollowTheTemplate(t *testing.T) {
	h := newHost(t, s3server.Options{})
	dir := h.outboxSettles("keep", "key: \"{outbox}/{yyyy}/{mm}/{dd}/{hh}/{name}-{sha256:12}{ext}\"\n")
	h.files("out", "sub/a.txt")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(dir, "sub/a.txt"), at, at); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := h.upload(dir); code != 0 {
		t.Fatalf("%d\n%s%s", code, out, errs)
	}
	// printf sub/a.txt | sha256sum
	h.holds("out/2026/01/02/03/a-"+sha12("sub/a.txt")+".txt", "sub/a.txt")
}

func TestSettleDeletesAndMovesWhatIsProven(t *testing.T) {
	for _, how := range []string{"delete", "move"} {
		t.Run(how, func(t *testing.T) {
			h := newHost(t, s3server.Options{})
			settle := how
			if how == "move" {
				settle = "move:" + h.file("sent")
			}
			dir := h.outboxSettles(settle)
			h.files("out", "a.txt", "sub/b.txt")
			if code, u, errs := h.uploadJSON(dir); code != 0 || u.Sent.Files != 2 {
				t.Fatalf("%d %+v\n%s", code, u, errs)
			}
			for _, name := range []string{"a.txt", "sub/b.txt"} {
				h.holds(name, name)
				if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
					t.Errorf("%s is still in the outbox", name)
				}
				moved, err := os.ReadFile(h.file("sent/" + name))
				if how == "move" && (err != nil || string(moved) != name) {
					t.Errorf("%s is not where it was to be moved: %v", name, err)
				}
			}
		})
	}
}

func TestSlowDownLosesNothingAndAsksLittleMore(t *testing.T) {
	var mu sync.Mutex
	n := 0
	h := newHost(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
		mu.Lock()
		defer mu.Unlock()
		if c.Op != s3server.PutObject || strings.Contains(c.Key, ".buzon/") {
			return s3server.Fault{}
		}
		if n++; n%20 == 0 {
			return s3server.Fault{Name: s3server.SlowDown}
		}
		return s3server.Fault{}
	}})
	var names []string
	for i := range 400 {
		names = append(names, fmt.Sprintf("%03d", i))
	}
	code, u, errs := h.uploadJSON(h.files("out", names...))
	if code != 0 || u.Sent.Files != 400 || u.Quarantined != 0 {
		t.Errorf("%d %+v\n%s", code, u, errs)
	}
	if u.Attempts > 440 {
		t.Errorf("%d attempts for 400 files", u.Attempts)
	}
}

func TestEveryFaultOfTheWayIsOvercome(t *testing.T) {
	for _, name := range []s3server.Name{s3server.Internal, s3server.BadGateway, s3server.RetryLater, s3server.Conflict, s3server.Digest,
		s3server.IdleTimeout, s3server.ResetBefore, s3server.ResetInside, s3server.ResetAfter, s3server.LostAnswer, s3server.DoneThen500,
		s3server.WrongChecksum} {
		t.Run(string(name), func(t *testing.T) {
			var mu sync.Mutex
			seen := map[string]bool{}
			h := newHost(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
				mu.Lock()
				defer mu.Unlock()
				key, _, _ := strings.Cut(c.Key, ".~")
				if strings.Contains(key, ".buzon") || seen[key] || c.Op != s3server.PutObject {
					return s3server.Fault{}
				}
				seen[key] = true
				return s3server.Fault{Name: name, Bytes: 1}
			}})
			h.write("big", strings.Repeat("0123456789abcdef", 100_000), 0o644)
			code, u, errs := h.uploadJSON(h.files("out", "a", "b", "c"), h.file("big"))
			if code != 0 || u.Sent.Files != 4 {
				t.Fatalf("%d %+v\n%s", code, u, errs)
			}
			h.holds("a", "a")
			want := 4
			if name == s3server.WrongChecksum { // what was confirmed with another checksum is sent again beside it
				want = 8
			}
			if keys := h.keys(); len(keys) != want {
				t.Errorf("keys are %q", keys)
			}
			if ops := h.server.Stats().Ops; ops[s3server.HeadObject]+ops[s3server.GetObject]+ops[s3server.ListParts] > probesOnly {
				t.Errorf("the courier asked to read: %v", ops)
			}
		})
	}
}

func TestAKeyThatLosesItsRightPausesAllAndLosesNothing(t *testing.T) {
	var mu sync.Mutex
	puts, shut := 0, false
	h := newHost(t, s3server.Options{Allow: func(who s3server.Identity, action, bucket, key string) bool {
		mu.Lock()
		defer mu.Unlock()
		if puts++; puts > 60 {
			shut = true
		}
		return !shut && s3server.WriteOnly(inbox, prefix)(who, action, bucket, key)
	}})
	h.settings("identity:\n  expect: " + vm01 + "\n  patience: 1s\ntries: 1\n")
	var names []string
	for i := range 200 {
		names = append(names, fmt.Sprintf("%03d", i))
	}
	dir := h.files("out", names...)
	code, _, errs := h.upload(dir)
	if code != 3 {
		t.Errorf("code %d\n%s", code, errs)
	}
	mu.Lock()
	puts, shut = -100_000, false
	mu.Unlock()
	code, u, errs := h.uploadJSON(dir)
	if code != 0 || u.Quarantined != 0 || len(h.keys()) != 200 {
		t.Errorf("%d %+v, %d objects\n%s", code, u, len(h.keys()), errs)
	}
}

func TestAStoreThatGoesAwayIsGivenUpAfterPatience(t *testing.T) {
	var puts atomic.Int64
	var away atomic.Bool
	h := newHost(t, s3server.Options{Fault: func(*s3server.Call) s3server.Fault {
		if puts.Add(1) > 80 && away.Load() {
			return s3server.Fault{Name: s3server.ResetBefore}
		}
		return s3server.Fault{}
	}})
	away.Store(true)
	h.settings("identity:\n  expect: " + vm01 + "\n  patience: 1s\n")
	var names []string
	for i := range 200 {
		names = append(names, fmt.Sprintf("%03d", i))
	}
	dir := h.files("out", names...)
	code, u, errs := h.uploadJSON(dir)
	if code != 1 || u.Sent.Files == 0 || u.Pending == 0 || u.Quarantined != 0 || !strings.Contains(errs, "The store gave no good answer for") {
		t.Errorf("%d %+v\n%s", code, u, errs)
	}
	away.Store(false)
	if code, u, errs = h.uploadJSON(dir); code != 0 || u.Known == 0 || len(h.keys()) != 200 {
		t.Errorf("%d %+v, %d objects\n%s", code, u, len(h.keys()), errs)
	}
}

// probesOnly is how many requests to read the gate's probes may make in a test's uploads.
const probesOnly = 8

func sha12(text string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))[:12]
}

func TestTheCourierOnlyWrites(t *testing.T) {
	fault := lostOnce()
	h := newHost(t, s3server.Options{Repeat: s3server.RepeatNoSuchUpload, Fault: func(c *s3server.Call) s3server.Fault {
		if f := fault(c); f.Name != "" {
			return f
		}
		if c.Op == s3server.UploadPart && c.Nth == 1 {
			return s3server.Fault{Name: s3server.Internal}
		}
		return s3server.Fault{}
	}})
	h.settings("identity:\n  expect: " + vm01 + "\n  probes: false\n  canary: false\n")
	h.files("out", "a.txt", "b.txt")
	h.write("out/big.bin", strings.Repeat("0123456789abcdef", 34<<16), 0o644)
	h.server.Put(inbox, prefix+"b.txt", []byte("theirs"))
	if code, u, errs := h.uploadJSON(h.file("out")); code != 0 || u.Sent.Files != 3 {
		t.Fatalf("%d %+v\n%s", code, u, errs)
	}
	may := []s3server.Op{s3server.GetCallerIdentity, s3server.HeadBucket, // the gate's
		s3server.PutObject, s3server.CreateMultipartUpload, s3server.UploadPart, s3server.CompleteMultipartUpload, s3server.AbortMultipartUpload}
	for op, n := range h.server.Stats().Ops {
		if n > 0 && !slices.Contains(may, op) {
			t.Errorf("%d × %s", n, op)
		}
	}
}
