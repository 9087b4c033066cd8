package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"buzon/agent/internal/send/journal"
	"buzon/scripts/load/s3server"
)

// until waits for something to become true.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(40 * time.Second); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("it does not come to pass that %s", what)
		}
	}
}

// process is an agent that runs; its output may be read once it has ended.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *bytes.Buffer
	once sync.Once
	err  error
}

// start starts an agent; it is killed at the end of the test at the latest.
func (v *vm) start(kill string, args ...string) *process {
	v.t.Helper()
	cmd, out := v.command(kill, args...)
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	p := &process{t: v.t, cmd: cmd, out: out}
	v.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		p.wait()
		if v.t.Failed() {
			v.t.Log(p.out)
		}
	})
	return p
}

// wait gives the exit code, -1 for one that was killed. An agent that should have ended long ago is made to tell
// where it stands.
func (p *process) wait() int {
	p.once.Do(func() {
		late := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Signal(syscall.SIGQUIT) })
		defer late.Stop()
		p.err = p.cmd.Wait()
	})
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// ops counts the calls that the server got for files.
func (v *vm) ops(op s3server.Op) int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.calls[op]
}

// inTheMiddle waits until part of the one big file has arrived.
func (v *vm) inTheMiddle() {
	v.t.Helper()
	until(v.t, "the first part arrives", func() bool {
		return slices.ContainsFunc(v.server.Uploads(), func(u s3server.Upload) bool { return ofAFile(u.Key) && u.Parts > 0 })
	})
}

// ofAFile says that a key is a file's, and not the gate's own.
func ofAFile(key string) bool {
	return strings.HasPrefix(key, prefix) && !strings.HasPrefix(key, prefix+".buzon/")
}

func TestAnInterruptedUploadGoesOnWhereItWas(t *testing.T) {
	for _, how := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGKILL} {
		t.Run(how.String(), func(t *testing.T) {
			v := newVM(t, s3server.Options{}, "shutdown_timeout: 100ms\nlimits:\n  bandwidth: 12MiB/s\n")
			v.write("big.bin", noise(1, 34<<20))
			v.write("small.txt", []byte("small"))
			p := v.start("", "upload", "--config", v.path("agent.yaml"), v.path("out"))
			v.inTheMiddle()
			asked := time.Now()
			p.signal(how)
			code := p.wait()
			if took := time.Since(asked); took > 10*time.Second {
				t.Errorf("it took %s to stop", took)
			}
			if how != syscall.SIGKILL && (code != 1 || !strings.Contains(p.out.String(), "Interrupted: 1 file still waits")) {
				t.Errorf("code %d\n%s", code, p.out)
			}
			parts := v.ops(s3server.UploadPart)
			v.configure("")
			if code, out := v.upload(""); code != 0 {
				t.Fatalf("the next upload ends with %d\n%s", code, out)
			}
			v.exactlyOnce()
			if n := v.ops(s3server.CreateMultipartUpload); n != 1 {
				t.Errorf("%d multipart uploads were begun", n)
			}
			if n := v.ops(s3server.UploadPart) - parts; n > 3 || n == 3 && how != syscall.SIGKILL {
				t.Errorf("%d parts were sent afterwards: more than what was not confirmed", n)
			}
		})
	}
}

func TestRunStopsAtASafePointInTime(t *testing.T) {
	v := newVM(t, s3server.Options{}, "shutdown_timeout: 300ms\nlimits:\n  bandwidth: 12MiB/s\noutboxes:\n  - path: HOME/out\n    quiet: 50ms\n")
	v.write("big.bin", noise(1, 34<<20))
	p := v.start("", "run", "--config", v.path("agent.yaml"))
	v.inTheMiddle()
	asked := time.Now()
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Errorf("code %d\n%s", code, p.out)
	}
	if took := time.Since(asked); took > 10*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	v.configure("outboxes:\n  - path: HOME/out\n    quiet: 50ms\n")
	p = v.start("", "run", "--config", v.path("agent.yaml"))
	until(t, "the file arrives", func() bool { _, ok := v.server.Object(bucket, prefix+"big.bin"); return ok })
	p.signal(syscall.SIGTERM)
	p.wait()
	v.exactlyOnce()
	if n := v.ops(s3server.CreateMultipartUpload); n != 1 {
		t.Errorf("%d multipart uploads were begun", n)
	}
}

func TestRunFinishesWhatIsUnderWay(t *testing.T) {
	var began atomic.Int64
	v := newVM(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
		if c.Op == s3server.PutObject && strings.HasSuffix(c.Key, "big.bin") {
			began.Add(1)
		}
		return s3server.Fault{}
	}}, "shutdown_timeout: 30s\nlimits:\n  bandwidth: 12MiB/s\noutboxes:\n  - path: HOME/out\n    quiet: 50ms\n")
	v.write("big.bin", noise(1, 20<<20)) // takes more than a second
	p := v.start("", "run", "--config", v.path("agent.yaml"))
	until(t, "the file is on its way", func() bool { return began.Load() > 0 })
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Errorf("code %d\n%s", code, p.out)
	}
	v.exactlyOnce()
	j, err := journal.Open(v.path("state"), journal.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close() //nolint:errcheck // read only
	if n := j.Counts().Files[journal.Settled]; n != 1 || began.Load() != 1 {
		t.Errorf("%d receipts after %d attempts", n, began.Load())
	}
}

func TestRunKilledOverAndOverLosesNothing(t *testing.T) {
	points := []string{"courier.before-request", "courier.after-request", "courier.sent", "courier.settled-file", "journal.before-commit"}
	rounds := 1
	switch {
	case testing.Short():
		points = points[1:2]
	case os.Getenv("BUZON_TEST") == "long":
		points, rounds = killPoints(t), 5
	}
	v := newVM(t, s3server.Options{}, "outboxes:\n  - path: HOME/out\n    quiet: 20ms\n    settle: move:HOME/sent\n")
	n := 0
	for range rounds {
		for _, point := range points {
			if elsewhere[point] != "" || point == "journal.created" && n > 0 {
				continue
			}
			for range 10 {
				v.write(fmt.Sprintf("%04d.txt", n), noise(uint64(n), 50+n))
				n++
			}
			v.write(fmt.Sprintf("big-%04d.bin", n), noise(uint64(n), 33<<20))
			nth := 2
			switch point {
			case "courier.accept", "courier.created", "courier.completing": // passed once: one batch, one big file
				nth = 1
			}
			p := v.start(fmt.Sprintf("%s:%d", point, nth), "run", "--config", v.path("agent.yaml"))
			if code := p.wait(); code != -1 {
				t.Fatalf("it was not killed at %s, but ended with %d\n%s", point, code, p.out)
			}
		}
	}
	p := v.start("", "run", "--config", v.path("agent.yaml"))
	until(t, "every file has arrived and is settled", func() bool {
		code, out := v.agent("", "status", "--config", v.path("agent.yaml"), "--format", "json")
		var s struct {
			Counts map[string]struct{ Files int }
		}
		return code == 0 && json.Unmarshal([]byte(out), &s) == nil && s.Counts["settled"].Files == len(v.files)
	})
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Errorf("code %d\n%s", code, p.out)
	}
	v.exactlyOnce()
	v.settledAs("move")
	moved := 0
	for name, data := range v.files {
		if now, err := os.ReadFile(filepath.Join(v.path("sent"), name)); err == nil {
			moved++
			if !bytes.Equal(now, data) {
				t.Errorf("%s was moved with other bytes", name)
			}
		}
	}
	j, err := journal.Open(v.path("state"), journal.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close() //nolint:errcheck // read only
	if inferred := j.Counts().Inferred; int64(moved)+inferred != int64(len(v.files)) {
		t.Errorf("%d files were moved and %d receipts are inferred, of %d files", moved, inferred, len(v.files))
	}
}

// asNobody lets agents of this machine run without root's rights, before which no file is unreadable.
func (v *vm) asNobody() {
	v.t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	const nobody = 65534
	self, err := os.Executable()
	if err != nil {
		v.t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err == nil {
		err = os.WriteFile(v.path("agent"), program, 0o755) //nolint:gosec // a program
	}
	for _, path := range []string{filepath.Dir(v.home), v.home} {
		if err == nil {
			err = os.Chmod(path, 0o755) //nolint:gosec // a test's own folder
		}
	}
	if err == nil {
		err = os.Mkdir(v.path("state"), 0o700)
	}
	for _, path := range []string{v.path("state"), v.path("out"), v.path("agent.yaml")} {
		if err == nil {
			err = os.Chown(path, nobody, nobody)
		}
	}
	if err != nil {
		v.t.Fatal(err)
	}
	v.program = v.path("agent")
	v.attributes = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

func TestAnUnreadableFileComesBackByItself(t *testing.T) {
	v := newVM(t, s3server.Options{}, "rescan: 1s\noutboxes:\n  - path: HOME/out\n    quiet: 50ms\n")
	v.asNobody()
	v.write("open.txt", []byte("open"))
	v.write("locked.txt", []byte("locked"))
	locked := filepath.Join(v.path("out"), "locked.txt")
	if err := os.Chmod(locked, 0); err != nil {
		t.Fatal(err)
	}
	p := v.start("", "run", "--config", v.path("agent.yaml"))
	status := func() (int, string) { return v.agent("", "status", "--config", v.path("agent.yaml")) }
	until(t, "the file is in quarantine", func() bool {
		code, out := status()
		return code == 1 && strings.Contains(out, "locked.txt: it can't be read; once it can, it is sent by itself")
	})
	if err := os.Chmod(locked, 0o644); err != nil {
		t.Fatal(err)
	}
	until(t, "it is sent once it can be read", func() bool { _, ok := v.server.Object(bucket, prefix+"locked.txt"); return ok })
	until(t, "nothing is in quarantine", func() bool { code, _ := status(); return code == 0 })
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Errorf("code %d", code)
	}
	v.exactlyOnce()
}

// A folder and files of somebody else, in whose processes this user may not look: only the quiet time tells, and check
// says so with the time that is in force.
func TestCheckTellsWhereNothingSeesAWriter(t *testing.T) {
	v := newVM(t, s3server.Options{}, "outboxes:\n  - path: HOME/out\n")
	v.write("a.txt", []byte("a"))
	check := func(want string) {
		t.Helper()
		if code, out := v.agent("", "check", "--config", v.path("agent.yaml")); code != 0 || !strings.Contains(out, want) {
			t.Errorf("%d, and not %q:\n%s", code, want, out)
		}
	}
	check("/out: the system tells who writes (lease)")
	if os.Geteuid() != 0 {
		t.Skip("the rest takes another user's files")
	}
	v.asNobody()
	if err := os.Chown(v.path("out"), 0, 0); err != nil {
		t.Fatal(err)
	}
	check("/out: nothing can tell who writes here, so a file counts as complete when it rested for 10 s.")
	config, err := os.ReadFile(v.path("agent.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(v.path("agent.yaml"), append(config, "    quiet: 3s\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	check("when it rested for 3 s.")
}
