package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"buzon/scripts/load/s3server"
)

// told is what `agent status` says.
type told struct {
	State    string                         `json:"state"`
	Reason   string                         `json:"reason"`
	Stalled  bool                           `json:"stalled"`
	Counts   map[string]struct{ Files int } `json:"counts"`
	Problems []struct {
		Kind, Outbox, Path, Detail string
		Since                      time.Time
	} `json:"problems"`
	code int
}

// has says that there is a problem of that kind, about a path that ends so.
func (s told) has(kind, end string) bool {
	for _, p := range s.Problems {
		if p.Kind == kind && (strings.HasSuffix(p.Path, end) || strings.HasSuffix(p.Outbox, end)) && !p.Since.IsZero() {
			return true
		}
	}
	return false
}

func (v *vm) told() (s told) {
	v.t.Helper()
	cmd, out := v.command("", "status", "--config", v.path("agent.yaml"), "--format", "json")
	must(v.t, cmd.Start())
	late := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // by its code
	late.Stop()
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		s = told{}
	}
	s.code = cmd.ProcessState.ExitCode()
	return s
}

// says waits until the status has a problem, within what the design promises and some.
func (v *vm) says(kind, end string) told {
	v.t.Helper()
	var s told
	began := time.Now()
	until(v.t, "the status has the problem "+kind+" "+end, func() bool { s = v.told(); return s.has(kind, end) })
	if took := time.Since(began); took > 15*time.Second {
		v.t.Errorf("%s is said after %s", kind, took)
	}
	if itself := kind == "store-silent" || kind == "not-the-store"; s.code == 0 && !itself { // which count after ten seconds
		v.t.Errorf("with %s the status ends with 0", kind)
	}
	return s
}

func (v *vm) arrives(names ...string) {
	v.t.Helper()
	for _, name := range names {
		until(v.t, name+" arrives", func() bool { _, ok := v.server.Object(bucket, prefix+name); return ok })
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// TestWhateverIsWrongWithAnOutboxItIsTriedAgain: an error that nobody has named ended its watching without a word.
func TestWhateverIsWrongWithAnOutboxItIsTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		kind  string
		wrong func(out string) error
	}{
		"a link that leads to itself": {"outbox-replaced", func(out string) error { return os.Symlink("out", out) }},
		"a file in its place":         {"outbox-missing", func(out string) error { return os.WriteFile(out, nil, 0o644) }},
		"nothing":                     {"outbox-missing", func(string) error { return nil }},
		"a link to another folder":    {"outbox-replaced", func(out string) error { return os.Symlink("elsewhere", out) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVM(t, s3server.Options{}, "rescan: 1s\noutboxes:\n  - {path: HOME/out, quiet: 20ms, key: 'out/{path}'}\n  - {path: HOME/other, quiet: 20ms, key: 'other/{path}'}\n")
			must(t, os.Mkdir(v.path("other"), 0o755), os.Mkdir(v.path("elsewhere"), 0o755))
			v.write("first", []byte("1"))
			p := v.start("", "run", "--config", v.path("agent.yaml"))
			v.arrives("out/first")
			must(t, os.Rename(v.path("out"), v.path("was")), c.wrong(v.path("out")))
			if s := v.says(c.kind, "/out"); s.State != "waiting" {
				t.Errorf("the state is %s", s.State)
			}
			must(t, os.WriteFile(v.path("other/second"), []byte("2"), 0o644))
			v.arrives("other/second") // another outbox goes on
			must(t, os.RemoveAll(v.path("out")), os.Rename(v.path("was"), v.path("out")))
			v.write("third", []byte("3"))
			v.arrives("out/third")
			until(t, "all is well again", func() bool { s := v.told(); return s.code == 0 && s.State == "idle" })
			p.signal(syscall.SIGTERM)
			if code := p.wait(); code != 0 {
				t.Errorf("it ends with %d", code)
			}
		})
	}
}

// TestALongPathStopsNothing: deeper than any call can open, and longer than a key of the journal.
func TestALongPathStopsNothing(t *testing.T) {
	v := newVM(t, s3server.Options{}, "rescan: 1s\noutboxes:\n  - {path: HOME/out, quiet: 20ms}\n")
	deep := strings.Repeat("z", 200)
	dir, err := unix.Open(v.path("out"), unix.O_DIRECTORY|unix.O_RDONLY, 0)
	must(t, err)
	for range 170 {
		must(t, unix.Mkdirat(dir, deep, 0o755))
		next, err := unix.Openat(dir, deep, unix.O_DIRECTORY|unix.O_RDONLY, 0)
		must(t, err, unix.Close(dir))
		dir = next
	}
	f, err := unix.Openat(dir, "bottom", unix.O_CREAT|unix.O_WRONLY, 0o644)
	must(t, err, unix.Close(f), unix.Close(dir))
	v.write("good", []byte("good"))
	code, out := v.upload("")
	if code != 1 || !strings.Contains(out, "Sent 1 file") {
		t.Errorf("upload ends with %d\n%.2000s", code, out)
	}
	p := v.start("", "run", "--config", v.path("agent.yaml"))
	v.write("later", []byte("later"))
	v.arrives("good", "later")
	if s := v.told(); !s.has("quarantine", "") || s.Counts["quarantined"].Files != 1 {
		t.Errorf("the status says %+v", s)
	}
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Errorf("it ends with %d", code)
	}
}

// TestARemovedJournalEndsTheAgent: what it did would be written nowhere.
func TestARemovedJournalEndsTheAgent(t *testing.T) {
	for name, remove := range map[string]func(v *vm) error{
		"the state folder": func(v *vm) error { return os.RemoveAll(v.path("state")) },
		"the journal":      func(v *vm) error { return os.Remove(v.path("state/journal.db")) },
	} {
		t.Run(name, func(t *testing.T) {
			v := newVM(t, s3server.Options{}, "rescan: 1s\noutboxes:\n  - {path: HOME/out, quiet: 20ms, settle: delete}\n")
			v.write("first", []byte("1"))
			p := v.start("", "run", "--config", v.path("agent.yaml"))
			until(t, "the first is settled", func() bool { _, err := os.Stat(v.path("out/first")); return err != nil })
			must(t, remove(v))
			v.write("second", []byte("2"))
			if code := p.wait(); code != 1 || !strings.Contains(p.out.String(), "was removed, or another file stands in its place") {
				t.Errorf("it ends with %d\n%s", code, p.out)
			}
			if _, err := os.Stat(v.path("out/second")); err != nil {
				t.Errorf("a file whose receipt is nowhere is deleted: %v", err)
			}
		})
	}
}

// TestFewDescriptorsAreNoFilesFault: transfers fit, and what doesn't fit waits.
func TestFewDescriptorsAreNoFilesFault(t *testing.T) {
	for _, limit := range []uint64{48, 64, 100} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			v := newVM(t, s3server.Options{}, "rescan: 1s\noutboxes:\n  - {path: HOME/out, quiet: 20ms}\n")
			for i := range 300 {
				v.write(fmt.Sprintf("%sd%d/f%d", strings.Repeat("d/", i%15), i%7, i), []byte("x"))
			}
			cmd, out := v.command("", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" upload --config "$1" "$2"`, limit), mustSelf(t), v.path("agent.yaml"), v.path("out"))
			cmd.Path, cmd.Args[0] = "/bin/sh", "sh"
			err := cmd.Run()
			if err != nil || !strings.Contains(out.String(), "Sent 300 files") {
				t.Errorf("%v\n%.3000s", err, out)
			}
			v.exactlyOnce()
		})
	}
}

func mustSelf(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	return self
}

// TestWhatIsNotTheFilesFaultWaitsAndGoesOnByItself: a store that is full or over quota, that lacks a right on its own key,
// that fails, or in whose place something else answers. Its canary stands already, which proves nothing.
func TestWhatIsNotTheFilesFaultWaitsAndGoesOnByItself(t *testing.T) {
	refuse := func(status int, code string) s3server.Fault {
		return s3server.Fault{Name: s3server.Refuse, Status: status, Code: code}
	}
	for name, c := range map[string]struct {
		fault s3server.Fault
		kind  string
	}{
		"full":                       {refuse(507, "XMinioStorageFull"), "store-full"},
		"over quota":                 {refuse(403, "QuotaExceeded"), "store-full"},
		"a right on its key missing": {refuse(403, "AccessDenied"), "store-full"},
		"its key disabled":           {refuse(400, "KMS.DisabledException"), "store-full"},
		"it fails":                   {refuse(500, "InternalError"), "store-silent"},
		"a code that nobody knows":   {refuse(418, "Teapot"), "store-silent"},
		"a proxy's page":             {s3server.Fault{Name: s3server.Stranger}, "not-the-store"},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && c.fault.Status != 507 && c.fault.Name != s3server.Stranger {
				t.Skip("-short: two of a kind are enough")
			}
			t.Parallel()
			var broken atomic.Bool
			v := newVM(t, s3server.Options{Fault: func(call *s3server.Call) s3server.Fault {
				if broken.Load() && ofAFile(call.Key) {
					return c.fault
				}
				return s3server.Fault{}
			}}, "rescan: 1s\ntries: 2\noutboxes:\n  - {path: HOME/out, quiet: 20ms}\n")
			p := v.start("", "run", "--config", v.path("agent.yaml"))
			v.write("before", []byte("1"))
			v.arrives("before")
			broken.Store(true)
			for i := range 5 {
				v.write(fmt.Sprintf("during%d", i), []byte("2"))
			}
			s := v.says(c.kind, "")
			if s.State != "waiting" || s.Reason != c.kind {
				t.Errorf("the state is %s, %s", s.State, s.Reason)
			}
			until(t, "nothing was sent for ten seconds", func() bool { s = v.told(); return s.Stalled })
			if n := s.Counts["quarantined"].Files; n != 0 || s.code != 1 {
				t.Errorf("%d files are in quarantine, and the status ends with %d", n, s.code)
			}
			broken.Store(false)
			if code, out := v.agent("", "retry", "--config", v.path("agent.yaml")); code != 0 { // it would go on by itself, some seconds later
				t.Errorf("retry: %d %s", code, out)
			}
			until(t, "all is sent", func() bool { s = v.told(); return s.Counts["settled"].Files == 6 && s.State == "idle" })
			if s.code != 0 {
				t.Errorf("afterwards the status ends with %d: %+v", s.code, s)
			}
			p.signal(syscall.SIGTERM)
			if code := p.wait(); code != 0 {
				t.Errorf("it ends with %d", code)
			}
			if !strings.Contains(p.out.String(), c.kind) {
				t.Errorf("the log never says %s:\n%s", c.kind, p.out)
			}
			v.exactlyOnce()
		})
	}
}

// TestOneFileThatAlwaysFailsIsNamed: others are sent meanwhile, and it is not the file's fault that the store fails.
func TestOneFileThatAlwaysFailsIsNamed(t *testing.T) {
	v := newVM(t, s3server.Options{Fault: func(call *s3server.Call) s3server.Fault {
		if strings.HasSuffix(call.Key, "bad") {
			return s3server.Fault{Name: s3server.Internal, Wait: time.Hour} // with a Retry-After
		}
		return s3server.Fault{}
	}}, "rescan: 1s\ntries: 1\noutboxes:\n  - {path: HOME/out, quiet: 20ms}\n")
	p := v.start("", "run", "--config", v.path("agent.yaml"))
	v.write("bad", []byte("bad"))
	v.write("good", []byte("good"))
	v.arrives("good")
	until(t, "it has failed", func() bool { return v.ops(s3server.PutObject) >= 2 })
	v.write("good too", []byte("good"))
	v.arrives("good too")
	retried := v.ops(s3server.PutObject)
	for range 3 {
		if code, _ := v.agent("", "retry", "--config", v.path("agent.yaml")); code != 0 {
			t.Errorf("retry: %d", code)
		}
		until(t, "a retry wakes it", func() bool { return v.ops(s3server.PutObject) > retried })
		retried = v.ops(s3server.PutObject)
	}
	if s := v.says("stuck-file", filepath.Join("out", "bad")); s.Counts["quarantined"].Files != 0 {
		t.Errorf("it is in quarantine")
	}
	p.signal(syscall.SIGTERM)
	p.wait()
}

// TestADoneThenStrangeAnswerSendsNothingTwice: the object was stored, and something else answered.
func TestADoneThenStrangeAnswerSendsNothingTwice(t *testing.T) {
	stranges := s3server.Stranges()
	for i, size := range []int{10, 34 << 20} {
		// Every second request is answered by the store itself: with none that gets through
		// the courier waits, ever longer, which is another test's.
		var at, asked atomic.Int64
		v := newVM(t, s3server.Options{Fault: func(call *s3server.Call) s3server.Fault {
			creates := (call.Op == s3server.PutObject || call.Op == s3server.CompleteMultipartUpload) && ofAFile(call.Key)
			if creates && asked.Add(1)%2 == 0 {
				return s3server.Fault{}
			}
			if n := at.Load(); creates && int(n) < len(stranges) && at.CompareAndSwap(n, n+1) {
				return s3server.Fault{Name: s3server.DoneThenStranger, Raw: stranges[n].Raw}
			}
			return s3server.Fault{}
		}}, "limits: {transfers: 4}\n")
		n := len(stranges)
		if i == 1 {
			n = 2
			stranges = slices.Clone(stranges[:2])
		}
		for k := range 2 * n {
			v.write(fmt.Sprintf("f%03d", k), noise(uint64(k), size)) //nolint:gosec // not negative
		}
		if code, out := v.upload(""); code != 0 {
			t.Errorf("upload ends with %d\n%.3000s", code, out)
		}
		v.exactlyOnce()
	}
}
