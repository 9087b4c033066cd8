package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"buzon/agent/internal/send/courier"
	"buzon/scripts/load/baddisk"
	"buzon/scripts/load/s3server"
	"buzon/scripts/load/schema"
)

// scene is an agent that meets a problem.
type scene struct {
	*vm
	running *process
	breaks  func(*s3server.Call) s3server.Fault // what the store does to files from then on
	broken  atomic.Bool
}

// problemStory is how a problem of the status comes about.
type problemStory struct {
	more   string // configuration, before the outbox
	outbox string // … of the outbox
	breaks func(*s3server.Call) s3server.Fault
	before func(*scene) // is done before the agent starts
	then   func(*scene) // … once it runs and has sent a file
	alone  bool         // it takes mounts of its own
	modes  bool         // root has to obey modes
}

func always(f s3server.Fault) func(*s3server.Call) s3server.Fault {
	return func(*s3server.Call) s3server.Fault { return f }
}

// waiting has files wait for a store that is broken.
func waiting(s *scene) {
	for i := range 3 {
		s.write(fmt.Sprintf("during%d", i), []byte("x"))
	}
}

// leaveOne leaves the agent one descriptor, with which it answers.
func (s *scene) leaveOne() {
	pid := s.running.cmd.Process.Pid
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	must(s.t, err)
	used, limit := map[string]bool{}, uint64(0)
	for _, one := range open {
		used[one.Name()] = true
	}
	for free := 0; free < 1; limit++ {
		if !used[fmt.Sprint(limit)] {
			free++
		}
	}
	must(s.t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: 1024}, nil))
}

// problemStories are those of all kinds.
var problemStories = map[courier.ProblemKind]problemStory{
	courier.ProblemGate:          {more: "identity: {on_problem: wait}\n", before: func(s *scene) { s.server.SetIdentities() }},
	courier.ProblemOutboxMissing: {before: func(s *scene) { must(s.t, os.Remove(s.path("out"))) }},
	courier.ProblemOutboxUnreadable: {modes: true, then: func(s *scene) {
		must(s.t, os.Chmod(s.path("out"), 0))
		s.t.Cleanup(func() { must(s.t, os.Chmod(s.path("out"), 0o755)) })
	}},
	courier.ProblemOutboxReplaced: {then: func(s *scene) {
		must(s.t, os.Mkdir(s.path("elsewhere"), 0o755), os.Rename(s.path("out"), s.path("was")), os.Symlink("elsewhere", s.path("out")))
	}},
	courier.ProblemFolderUnreadable: {modes: true, then: func(s *scene) {
		must(s.t, os.Mkdir(s.path("out/closed"), 0))
		s.t.Cleanup(func() { must(s.t, os.Chmod(s.path("out/closed"), 0o755)) })
	}},
	courier.ProblemUnsettled: {modes: true, outbox: ", settle: delete", then: func(s *scene) {
		must(s.t, os.Mkdir(s.path("out/kept"), 0o755), os.WriteFile(s.path("out/kept/file"), []byte("x"), 0o644), os.Chmod(s.path("out/kept"), 0o555))
		s.t.Cleanup(func() { must(s.t, os.Chmod(s.path("out/kept"), 0o755)) })
	}},
	courier.ProblemQuarantine:  {then: func(s *scene) { s.write("no UTF-8: \xff", []byte("x")) }},
	courier.ProblemStoreFull:   {breaks: always(s3server.Fault{Name: s3server.Refuse, Status: 507, Code: "XMinioStorageFull"}), then: waiting},
	courier.ProblemStoreSilent: {breaks: always(s3server.Fault{Name: s3server.Internal}), then: waiting},
	courier.ProblemNotTheStore: {breaks: always(s3server.Fault{Name: s3server.Stranger}), then: waiting},
	courier.ProblemMachine: {then: func(s *scene) {
		s.server.BreakIdle()
		for i := 0; i < 60 && !s.told().has(string(courier.ProblemMachine), ""); i++ { // connections that end free more
			s.leaveOne()
			s.write(fmt.Sprintf("during%d", i), []byte("x"))
		}
	}},
	courier.ProblemJournal: {alone: true, before: func(s *scene) {
		must(s.t, os.Mkdir(s.path("state"), 0o700))
		baddisk.Mount(s.t, s.path("state"), "8m")
	}, then: func(s *scene) {
		baddisk.Fill(s.t, s.path("state"))
		for i := range 200 { // more than the free pages of the journal hold
			s.write(fmt.Sprintf("%03d-%s", i, strings.Repeat("x", 200)), []byte("x"))
		}
	}},
	courier.ProblemLostMemory: {before: func(s *scene) {
		for i := range 25 {
			name := fmt.Sprintf("known%02d", i)
			s.write(name, []byte("mine"))
			s.server.Put(bucket, prefix+name, []byte("sent before"))
		}
	}},
	courier.ProblemStuckFile: {more: "tries: 1\n", breaks: func(c *s3server.Call) s3server.Fault {
		if strings.HasSuffix(c.Key, "during0") {
			return s3server.Fault{Name: s3server.Internal}
		}
		return s3server.Fault{}
	}, then: func(s *scene) {
		waiting(s)
		until(s.t, "it has failed twice, and another was sent since", func() bool {
			s.write(fmt.Sprintf("later%d", len(s.files)), []byte("x"))
			return s.told().has(string(courier.ProblemStuckFile), "")
		})
	}},
	courier.ProblemListen: {before: func(s *scene) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		must(s.t, err)
		s.t.Cleanup(func() { must(s.t, taken.Close()) })
		text, err := os.ReadFile(s.path("agent.yaml"))
		must(s.t, err)
		text = bytes.Replace(text, []byte(`listen: ""`), fmt.Appendf(nil, "listen: %s", taken.Addr()), 1)
		must(s.t, os.WriteFile(s.path("agent.yaml"), text, 0o600))
	}},
	courier.ProblemNotAnswering: {then: func(s *scene) {
		s.running.signal(syscall.SIGSTOP)
		s.t.Cleanup(func() { s.running.signal(syscall.SIGCONT) })
	}},
	courier.ProblemNotRunning: {then: func(s *scene) {
		must(s.t, s.running.cmd.Process.Kill())
		s.running.wait()
	}},
}

// TestEveryProblemIsTold: each kind that there is comes about, and the status tells it in both languages and as JSON, with
// a command to type and the exit code that the design wants. A kind without a story fails.
func TestEveryProblemIsTold(t *testing.T) {
	for _, kind := range courier.ProblemKinds {
		story, there := problemStories[kind]
		if !there {
			t.Errorf("the problem %s has no story", kind)
			continue
		}
		t.Run(string(kind), func(t *testing.T) {
			if story.alone {
				baddisk.Alone(t, func() { story.tell(t, kind) })
				return
			}
			if os.Getenv("BUZON_TEST_ALONE") == "" {
				t.Parallel()
			}
			story.tell(t, kind)
		})
	}
}

func (story problemStory) tell(t *testing.T, kind courier.ProblemKind) {
	s := &scene{breaks: story.breaks}
	s.vm = newVM(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
		if s.breaks != nil && s.broken.Load() && ofAFile(c.Key) {
			return s.breaks(c)
		}
		return s3server.Fault{}
	}}, "rescan: 1s\n"+story.more+"outboxes:\n  - {path: HOME/out, quiet: 20ms"+story.outbox+"}\n")
	if story.modes && os.Geteuid() == 0 {
		setpriv, err := exec.LookPath("setpriv")
		if err != nil {
			t.Skip("there is no setpriv, which makes root obey modes")
		}
		s.before = []string{setpriv, "--bounding-set=-all", "--inh-caps=-all"}
	}
	if story.before != nil {
		story.before(s)
	}
	s.running = s.start("", "run", "--config", s.path("agent.yaml"))
	if story.then != nil {
		s.write("first", []byte("1"))
		s.arrives("first")
		s.broken.Store(true)
		story.then(s)
	}
	until(t, "the status tells of "+string(kind), func() bool { return s.told().has(string(kind), "") })
	s.tellsInBothLanguages(kind)
}

// tellsInBothLanguages holds all that the status says of a problem to each other.
func (s *scene) tellsInBothLanguages(kind courier.ProblemKind) {
	said := map[string]string{}
	for _, lang := range []string{"en", "es"} {
		code, out := s.agent("", "status", "--config", s.path("agent.yaml"), "--format", "json", "--lang", lang)
		for _, fault := range schema.Faults(filepath.Join("..", "docs", "schemas", "status.v1.json"), []byte(out)) {
			s.t.Errorf("%s: %s\n%s", lang, fault, out)
		}
		var told struct {
			Stalled  bool
			Problems []struct {
				Kind            courier.ProblemKind
				Message, Remedy string
			}
		}
		must(s.t, json.Unmarshal([]byte(out), &told))
		gate := false
		for _, p := range told.Problems {
			gate = gate || p.Kind == courier.ProblemGate
			if p.Kind == kind && said[lang] == "" {
				said[lang] = p.Message
				if p.Remedy == "" || p.Message == "" {
					s.t.Errorf("%s: %+v", lang, p)
				}
			}
		}
		want := 0
		switch {
		case gate:
			want = 3
		case kind.Person() || told.Stalled || len(told.Problems) > 1:
			want = 1
		}
		if code != want {
			s.t.Errorf("%s: the status ends with %d, want %d\n%s", lang, code, want, out)
		}
		if _, text := s.agent("", "status", "--config", s.path("agent.yaml"), "--lang", lang); !strings.Contains(text, string(kind)+": ") {
			s.t.Errorf("%s: the text does not say %s:\n%s", lang, kind, text)
		}
	}
	if said["en"] == "" || said["en"] == said["es"] {
		s.t.Errorf("it is said as %q", said)
	}
}
