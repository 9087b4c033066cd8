package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"buzon/scripts/load/s3server"
)

// running is an `agent run` in this process.
type running struct {
	*host
	cancel context.CancelFunc
	ended  chan int
	mu     sync.Mutex
	out    bytes.Buffer
}

func (r *running) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Write(b)
}

func (r *running) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.String()
}

// start runs the agent on an outbox until the test ends; more is configuration.
func (h *host) start(more string) *running {
	h.t.Helper()
	h.files("out")
	if err := os.MkdirAll(h.file("out"), 0o755); err != nil {
		h.t.Fatal(err)
	}
	h.settings("outboxes:\n  - path: " + h.file("out") + "\n    quiet: 50ms\n" + more)
	return h.startAsIs()
}

func (h *host) startAsIs() *running {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	r := &running{host: h, cancel: cancel, ended: make(chan int, 1)}
	go func() {
		r.ended <- Main(ctx, []string{"run", "--config", h.file("agent.yaml")}, strings.NewReader(""), r, r, os.Environ())
	}()
	h.t.Cleanup(func() {
		cancel()
		r.stopped()
		if h.t.Failed() {
			h.t.Log(r.log())
		}
	})
	return r
}

// stopped waits for the end and gives the exit code.
func (r *running) stopped() int {
	select {
	case code := <-r.ended:
		r.ended <- code
		return code
	case <-time.After(time.Minute):
		r.t.Error("the agent does not end")
		return -1
	}
}

// until waits for something to become true.
func (h *host) until(what string, holds func() bool) {
	h.t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			h.t.Fatalf("it does not come to pass that %s", what)
		case <-tick.C:
		}
	}
}

func (h *host) arrived(key string) func() bool {
	return func() bool { _, ok := h.server.Object(inbox, prefix+key); return ok }
}

// status asks for the status as JSON.
func (h *host) status() (code int, s struct {
	Running bool
	Command string
	PID     int
	Counts  map[string]struct{ Files, Bytes int64 }
	Gate    struct{ Open bool }
}) {
	h.t.Helper()
	code, out, errs := h.run("en", "status", "--config", h.file("agent.yaml"), "--format", "json")
	if out == "" { // a run that has just begun has made no journal yet
		return code, s
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		h.t.Fatalf("%v\n%s%s", err, out, errs)
	}
	return code, s
}

func TestRunSendsWhatAppears(t *testing.T) {
	h := newHost(t, s3server.Options{})
	r := h.start("")
	h.files("out", "early.txt")
	h.until("a file arrives", h.arrived("early.txt"))
	h.files("out", "new/folder/late.txt")
	h.until("a file in a new folder arrives", h.arrived("new/folder/late.txt"))
	h.until("both are settled", func() bool { _, s := h.status(); return s.Counts["settled"].Files == 2 })
	code, s := h.status()
	if code != 0 || !s.Running || s.Command != "run" || s.PID != os.Getpid() || !s.Gate.Open {
		t.Errorf("status %d %+v", code, s)
	}
	if info, err := os.Stat(h.file("state/control.sock")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("control socket: %v %v", info, err)
	}
	code, _, errs := h.upload(h.files("elsewhere", "x"))
	if code != 2 || !strings.Contains(errs, "is in use by process") {
		t.Errorf("upload on the same state: code %d\n%s", code, errs)
	}
	r.cancel()
	if code := r.stopped(); code != 0 {
		t.Errorf("stopped with %d", code)
	}
	if code, s := h.status(); code != 1 || s.Running || s.Counts["settled"].Files != 2 { // run used it last, and nothing runs
		t.Errorf("afterwards: status %d %+v", code, s)
	}
	journal, err := os.Stat(h.file("state/journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, out, _ := h.run("en", "status", "--config", h.file("agent.yaml"), "--format", "json")
	if want := journal.ModTime().UTC().Format("2006-01-02T15:04:05"); !strings.Contains(out, `"started": "`+want) {
		t.Errorf("it is not said since when nothing runs (%s):\n%s", want, out)
	}
}

func TestRunStopsAtTheGateAndWaitsWhereAsked(t *testing.T) {
	h := newHost(t, s3server.Options{})
	h.server.SetIdentities()
	if code := h.start("").stopped(); code != 3 {
		t.Errorf("stop: code %d", code)
	}
	r := h.start("identity:\n  on_problem: wait\n  expect: " + vm01 + "\n")
	h.files("out", "a.txt")
	h.until("the gate's refusal is told", func() bool { return strings.Contains(r.log(), "gate not passed") })
	if h.arrived("a.txt")() {
		t.Error("a file was sent")
	}
	h.server.SetIdentities(s3server.Uploader)
	h.key(s3server.Uploader) // its file changed: it is tried at once
	h.until("the file arrives", h.arrived("a.txt"))
}

func TestRunTakesUpANewKey(t *testing.T) {
	h := newHost(t, s3server.Options{})
	r := h.start("")
	h.files("out", "a.txt")
	h.until("a file arrives", h.arrived("a.txt"))
	second := s3server.Uploader
	second.AccessKey, second.Secret = "AKIASECONDSECOND0000", "second/second/second/second/second/second"
	h.server.SetIdentities(second) // the old one is gone before the new one is known here
	h.files("out", "b.txt")
	h.until("the gate shuts", func() bool { return strings.Contains(r.log(), "gate not passed") })
	h.key(second)
	h.until("the file arrives with the new key", h.arrived("b.txt"))
	h.until("all is settled", func() bool { _, s := h.status(); return s.Counts["settled"].Files == 2 })
}

func TestRunReadsItsConfigurationAgain(t *testing.T) {
	h := newHost(t, s3server.Options{})
	r := h.start("")
	h.files("out", "a.txt")
	h.until("a file arrives", h.arrived("a.txt"))
	refused := func() int { return strings.Count(r.log(), "the old one stays in force") }
	// A bad one is told, and the old one stays.
	outbox := func(name, more string) string {
		return "outboxes:\n  - path: " + h.file(name) + "\n    quiet: 50ms\n" + more
	}
	h.settings(outbox("nowhere", "tries: many\n"))
	h.until("the bad configuration is told", func() bool { return refused() == 1 })
	h.files("out", "b.txt")
	h.until("the old outbox still works", h.arrived("b.txt"))
	// One whose folder isn't there yet is good, and waits for it.
	h.settings(outbox("nowhere", ""))
	h.until("the new configuration is in force", func() bool { return strings.Contains(r.log(), "configuration is in force") })
	h.files("nowhere", "c.txt")
	h.until("the new outbox works", h.arrived("c.txt"))
	// Somebody says so: the same file is read again.
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	h.until("it is read again", func() bool { return strings.Contains(r.log(), "why=SIGHUP") })
	// Another state folder would be another journal: that takes a restart.
	h.write("agent.yaml", "bucket: "+inbox+"\nprefix: "+prefix+"\nregion: us-east-1\nstate: "+h.file("another")+"\n"+outbox("nowhere", ""), 0o644)
	h.until("the other state folder is told", func() bool { return refused() == 2 && strings.Contains(r.log(), h.file("another")) })
	// A good one is used as soon as it is there.
	h.files("second", "d.txt")
	h.settings(outbox("second", "    key: \"again/{name}{ext}\"\n"))
	h.until("the outbox of the changed file works", h.arrived("again/d.txt"))
}

func TestStatusAndRetryOfTheQuarantine(t *testing.T) {
	var denied atomic.Int64
	h := newHost(t, s3server.Options{Allow: func(who s3server.Identity, action, bucket, key string) bool {
		if strings.HasSuffix(key, "denied.txt") {
			denied.Add(1)
			return false
		}
		return s3server.WriteOnly(inbox, prefix)(who, action, bucket, key)
	}})
	dir := h.files("out", "good.txt", "denied.txt")
	h.settings("tries: 2\n")
	code, out, _ := h.upload(dir)
	if code != 1 || !strings.Contains(out, "denied.txt: S3 denies this file") || denied.Load() != 2 {
		t.Errorf("upload: %d, after %d tries\n%s", code, denied.Load(), out)
	}
	h.holds("good.txt", "good.txt")
	code, out, _ = h.run("en", "status", "--config", h.file("agent.yaml"))
	if code != 1 || !strings.Contains(out, "1 file is in quarantine") || !strings.Contains(out, filepath.Join(dir, "denied.txt")) || !strings.Contains(out, "AccessDenied") {
		t.Errorf("status: %d\n%s", code, out)
	}
	if code, out, errs := h.run("en", "retry", "--config", h.file("agent.yaml"), filepath.Join(dir, "good.txt")); code != 1 || out != "" || !strings.Contains(errs, "No file was taken out of quarantine") {
		t.Errorf("retry of a file that is not there: %d\n%s", code, out)
	}
	if code, out, _ := h.run("en", "retry", "--config", h.file("agent.yaml"), filepath.Join(dir, "denied.txt")); code != 0 || !strings.Contains(out, "1 file was taken out of quarantine") {
		t.Errorf("retry: %d\n%s", code, out)
	}
	if code, s := h.status(); code != 1 || s.Counts["pending"].Files != 1 { // nothing runs, and a file waits
		t.Errorf("after retry: %d %+v", code, s)
	}
}

// TestARunAnswersOnItsSocket: while a run holds the journal, retry and export ask it, and what leaves quarantine is sent.
func TestARunAnswersOnItsSocket(t *testing.T) {
	var mended atomic.Bool
	h := newHost(t, s3server.Options{Allow: func(who s3server.Identity, action, bucket, key string) bool {
		return s3server.WriteOnly(inbox, prefix)(who, action, bucket, key) && (mended.Load() || !strings.HasSuffix(key, "denied.txt"))
	}})
	h.start("tries: 1\n")
	dir := h.files("out", "good.txt", "denied.txt", "sub/denied.txt")
	h.until("one file is settled", func() bool {
		_, s := h.status()
		return s.Counts["settled"].Files == 1
	})
	h.files("out", "good too.txt") // only now is it sure that the store takes others
	h.until("two files are in quarantine and two are settled", func() bool {
		_, s := h.status()
		return s.Counts["quarantined"].Files == 2 && s.Counts["settled"].Files == 2
	})
	code, out, errs := h.run("en", "receipts", "export", "--config", h.file("agent.yaml"))
	if code != 0 || strings.Count(out, "\n") != 2 || !strings.Contains(out, `"key":"`+prefix+`good.txt"`) {
		t.Errorf("export: %d\n%s%s", code, out, errs)
	}
	if code, out, errs = h.run("en", "retry", "--config", h.file("agent.yaml"), filepath.Join(dir, "good.txt")); code != 1 || !strings.Contains(errs, "No file was taken out of quarantine") {
		t.Errorf("retry of what is not there: %d\n%s%s", code, out, errs)
	}
	mended.Store(true)
	code, out, errs = h.run("en", "retry", "--config", h.file("agent.yaml"), filepath.Join(dir, "sub"))
	if code != 0 || !strings.Contains(out, "1 file was taken out of quarantine") || strings.Contains(out, "Nothing runs") {
		t.Errorf("retry: %d\n%s%s", code, out, errs)
	}
	h.until("it is sent", h.arrived("sub/denied.txt"))
	if h.arrived("denied.txt")() {
		t.Error("another file left quarantine too")
	}
	if code, out, errs = h.run("en", "retry", "--config", h.file("agent.yaml")); code != 0 || !strings.Contains(out, "1 file was taken out of quarantine") {
		t.Errorf("retry of all: %d\n%s%s", code, out, errs)
	}
	h.until("the other is sent", h.arrived("denied.txt"))
}

func TestAnOutboxThatVanishesAndReturnsIsHealed(t *testing.T) {
	h := newHost(t, s3server.Options{})
	h.start("rescan: 1s\n")
	h.files("out", "a.txt")
	h.until("a file arrives", h.arrived("a.txt"))
	if err := os.Rename(h.file("out"), h.file("away")); err != nil {
		t.Fatal(err)
	}
	h.until("the status tells that the outbox can't be seen", func() bool {
		_, out, _ := h.run("en", "status", "--config", h.file("agent.yaml"))
		return strings.Contains(out, "outbox-missing: ")
	})
	h.files("away", "b.txt")
	if err := os.Rename(h.file("away"), h.file("out")); err != nil {
		t.Fatal(err)
	}
	h.until("a file in the returned folder arrives", h.arrived("b.txt"))
	if keys := h.keys(); len(keys) != 2 {
		t.Errorf("keys are %q", keys)
	}
}

func TestAFileThatSomebodyHoldsOpenIsSettledLater(t *testing.T) {
	h := newHost(t, s3server.Options{})
	dir := h.files("out", "a.txt")
	h.settings("rescan: 1s\noutboxes:\n  - path: " + dir + "\n    quiet: 50ms\n    settle: move:" + h.file("sent/deep") + "\n")
	h.write("sent", "this is no folder", 0o644) // the target can't be made
	r := h.startAsIs()
	h.until("the trouble is told", func() bool { return strings.Contains(r.log(), "can't be settled") })
	h.holds("a.txt", "a.txt")
	if err := os.Remove(h.file("sent")); err != nil {
		t.Fatal(err)
	}
	h.until("the file is moved", func() bool { _, err := os.Stat(h.file("sent/deep/a.txt")); return err == nil })
	h.until("it is settled", func() bool { _, s := h.status(); return s.Counts["settled"].Files == 1 })
}

func TestWhatLeavesTheOutboxLeavesQuarantine(t *testing.T) {
	h := newHost(t, s3server.Options{})
	h.start("rescan: 1s\n")
	h.files("out", "good", "bad\xff")
	quarantined := func(n int64) func() bool {
		return func() bool { _, s := h.status(); return s.Counts["quarantined"].Files == n }
	}
	h.until("a name that S3 can't take is in quarantine", quarantined(1))
	h.until("the other is sent", h.arrived("good"))
	if code, _ := h.status(); code != 1 {
		t.Errorf("status ends with %d", code)
	}
	if _, out, _ := h.run("en", "status", "--config", h.file("agent.yaml")); !strings.Contains(out, `/out/bad\xff: its name is not UTF-8`) || strings.Contains(out, "\n\n\n") {
		t.Errorf("status says:\n%s", out)
	}
	if err := os.Rename(filepath.Join(h.file("out"), "bad\xff"), filepath.Join(h.file("out"), "mended")); err != nil {
		t.Fatal(err)
	}
	h.until("the mended name is sent", h.arrived("mended"))
	h.until("nothing is in quarantine", quarantined(0))
}

func TestADenialOfTheKeyIsNoFilesFault(t *testing.T) {
	var shut atomic.Bool
	var denied atomic.Int64
	h := newHost(t, s3server.Options{Allow: func(who s3server.Identity, action, bucket, key string) bool {
		if shut.Load() && strings.HasSuffix(key, ".txt") {
			denied.Add(1)
		}
		return !shut.Load() && s3server.WriteOnly(inbox, prefix)(who, action, bucket, key)
	}})
	r := h.start("tries: 1\n")
	h.files("out", "a.txt")
	h.until("a file arrives", h.arrived("a.txt"))
	shut.Store(true)
	h.files("out", "b.txt", "c.txt", "d.txt")
	h.until("the gate shuts", func() bool { return denied.Load() > 0 && strings.Contains(r.log(), "gate not passed") })
	shut.Store(false)
	h.key(s3server.Uploader)
	for _, name := range []string{"b.txt", "c.txt", "d.txt"} {
		h.until(name+" arrives", h.arrived(name))
	}
	if _, s := h.status(); s.Counts["quarantined"].Files != 0 {
		t.Errorf("the key's fault put files into quarantine: %+v", s)
	}
}
