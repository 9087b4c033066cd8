package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"buzon/agent/internal/cli"
	"buzon/scripts/load/s3server"

	"golang.org/x/sys/unix"
)

// eventually waits for something to become true.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("it does not come to pass that %s", what)
		}
	}
}

// Whoever reads the log may go away: the agent goes on without it.
func TestTheAgentOutlivesTheReaderOfItsLog(t *testing.T) {
	v := newVM(t, s3server.Options{}, "outboxes:\n  - path: HOME/out\n    quiet: 50ms\n")
	for name, ignored := range map[string]bool{"plain": false, "ignored by the parent": true} {
		t.Run(name, func(t *testing.T) {
			cmd, _ := v.command("", "run", "--config", v.path("agent.yaml"), "--log-level", "debug")
			if ignored { // as systemd starts what has IgnoreSIGPIPE
				cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `trap '' PIPE; exec "$@"`, "sh"}, cmd.Args...)
			}
			cmd.Stdout, cmd.Stderr = nil, nil
			log, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := log.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			if err := log.Close(); err != nil { // the reader is gone
				t.Fatal(err)
			}
			for range 3 {
				_ = cmd.Process.Signal(syscall.SIGHUP) // it has something to say
				file := strings.ReplaceAll(name, " ", "-") + time.Now().Format("150405.000000000")
				v.write(file, []byte(name))
				eventually(t, file+" arrives", func() bool { _, there := v.server.Object(bucket, prefix+file); return there })
			}
			_ = cmd.Process.Signal(syscall.SIGTERM)
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

// An agent that does not answer is told within two seconds or so, and no command hangs.
func TestAStatusDoesNotWaitForAnAgentThatStandsStill(t *testing.T) {
	v := newVM(t, s3server.Options{}, "outboxes:\n  - path: HOME/out\n    quiet: 50ms\n")
	cmd, _ := v.command("", "run", "--config", v.path("agent.yaml"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	eventually(t, "it listens", func() bool { _, err := os.Stat(v.path("state/control.sock")); return err == nil })
	eventually(t, "it is well", func() bool { code, _ := v.agent("", "status", "--config", v.path("agent.yaml")); return code == 0 })
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	code, out := v.agent("", "status", "--config", v.path("agent.yaml"))
	if took := time.Since(began); code != 1 || took > 10*time.Second || !strings.HasPrefix(out, "Stopped since") || !strings.Contains(out, "not-answering") {
		t.Errorf("status ended with %d after %v:\n%s", code, took, out)
	}
	code, out = v.agent("", "status", "--config", v.path("agent.yaml"), "--format", "json")
	var s struct {
		State    string
		Counts   *struct{}
		PID      int
		Problems []struct{ Kind, Remedy string }
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil || code != 1 {
		t.Fatalf("status ended with %d (%v):\n%s", code, err, out)
	}
	if s.State != "stopped" || s.Counts != nil || s.PID != cmd.Process.Pid || len(s.Problems) != 1 || s.Problems[0].Kind != "not-answering" || s.Problems[0].Remedy == "" {
		t.Errorf("it says %+v", s)
	}
}

// The memory of the agent, which holds keys, is kept from other processes of the same user.
func TestTheAgentsMemoryIsItsOwn(t *testing.T) {
	const ask = "BUZON_TEST_PROTECT"
	if os.Getenv(ask) != "" {
		cli.Protect()
		n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		if err != nil || n != 0 {
			t.Errorf("it is dumpable: %d (%v)", n, err)
		}
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestTheAgentsMemoryIsItsOwn$", "-test.v")
	cmd.Env = append(os.Environ(), ask+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS")) {
		t.Errorf("%v\n%s", err, out)
	}
	source, err := os.ReadFile(filepath.Join(".", "main.go"))
	if err != nil || !bytes.Contains(source, []byte("cli.Protect()")) {
		t.Errorf("main does not protect itself (%v)", err)
	}
}
