package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"buzon/scripts/load/baddisk"
	"buzon/scripts/load/s3server"
)

// trouble is one thing that goes wrong for some seconds, and what the status must say of it.
type trouble struct {
	name  string
	kinds []string // one of them; none: nothing is wrong, as far as anybody can tell
	begin func(*troubles) error
	end   func(*troubles) error
	// itself says that it is about the agent that runs: another one would find another trouble, or none.
	itself bool
	// mild says that it may not be felt: then everything is sent.
	mild bool
}

// troubles is a soak in which one agent lives through one trouble after the other, while files come all the time, into
// a folder and into a mount.
type troubles struct {
	*vm
	fault   atomic.Pointer[s3server.Fault]
	running *process
	written int
	unmount func() error // nil while there is nothing to unmount
	empty   func()       // makes room for the journal again
}

func (s *troubles) breaks(f *s3server.Fault) error {
	s.fault.Store(f)
	return nil
}

func (s *troubles) descriptors(n uint64) error {
	return unix.Prlimit(s.running.cmd.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: 1024}, nil)
}

// answering is a trouble in which the store, or what stands in its place, answers every file so.
func answering(name, kind string, f s3server.Fault) trouble {
	return trouble{name: name, kinds: []string{kind}, begin: func(s *troubles) error { return s.breaks(&f) }, end: func(s *troubles) error { return s.breaks(nil) }}
}

var allTroubles = []trouble{
	{name: "the outbox is unmounted (renamed away)", kinds: []string{"outbox-missing"}, begin: func(s *troubles) error { return os.Rename(s.path("out"), s.path("was")) },
		end: func(s *troubles) error { return os.Rename(s.path("was"), s.path("out")) }},
	{name: "the outbox is swapped for a link", kinds: []string{"outbox-replaced"}, itself: true, begin: func(s *troubles) error {
		if err := os.Rename(s.path("out"), s.path("was")); err != nil {
			return err
		}
		return os.Symlink(s.t.TempDir(), s.path("out"))
	}, end: func(s *troubles) error {
		if err := os.Remove(s.path("out")); err != nil {
			return err
		}
		return os.Rename(s.path("was"), s.path("out"))
	}},
	{name: "the outbox may not be read", kinds: []string{"outbox-unreadable"}, begin: func(s *troubles) error { return os.Chmod(s.path("out"), 0) },
		end: func(s *troubles) error { return os.Chmod(s.path("out"), 0o755) }},
	{name: "a mount is gone, and an empty folder stands in its place", begin: func(s *troubles) error {
		away := s.unmount
		s.unmount = nil
		return away()
	}, end: func(s *troubles) error {
		s.unmount = baddisk.Bind(s.t, s.path("disk"), s.path("mounted"))
		return nil
	}},
	{name: "the disk of the state is full", kinds: []string{"journal", "machine"}, mild: true, begin: func(s *troubles) error {
		s.empty = baddisk.Fill(s.t, s.path("state"))
		return nil
	}, end: func(s *troubles) error {
		s.empty()
		return nil
	}},
	{name: "descriptors run out", kinds: []string{"machine", "not-answering"}, itself: true, begin: func(s *troubles) error { return s.descriptors(8) },
		end: func(s *troubles) error { return s.descriptors(1024) }},
	{name: "the agent is killed", kinds: []string{"not-running"}, itself: true, begin: func(s *troubles) error {
		err := s.running.cmd.Process.Kill()
		s.running.wait()
		return err
	}, end: func(s *troubles) error {
		s.running = s.start("", "run", "--config", s.path("agent.yaml"))
		return nil
	}},
	answering("the store is full", "store-full", s3server.Fault{Name: s3server.Refuse, Status: 507, Code: "XMinioStorageFull"}),
	answering("a right on the store's key is missing", "store-full", s3server.Fault{Name: s3server.Denied}),
	answering("the store fails", "store-silent", s3server.Fault{Name: s3server.Internal}),
	answering("every answer is lost", "store-silent", s3server.Fault{Name: s3server.LostAnswer}),
	answering("a proxy answers", "not-the-store", s3server.Fault{Name: s3server.Stranger}),
	answering("a proxy answers after the store has done it", "not-the-store", s3server.Fault{Name: s3server.DoneThenStranger}),
}

// TestTroublesAreToldAndPass: at every look, once a second, the status tells the truth: within ten seconds it names what
// is wrong, it doesn't end with 0 while nothing is sent, and is well again afterwards. At the end every file was sent once.
func TestTroublesAreToldAndPass(t *testing.T) {
	if testing.Short() {
		t.Skip("a soak; scripts/ordeal and scripts/test without -short run it")
	}
	baddisk.Alone(t, func() { liveThroughTroubles(t) })
}

func liveThroughTroubles(t *testing.T) {
	length, seed := *ordealTime, *ordealSeed
	if length == 0 {
		length = 45 * time.Second
	}
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("troubles for %s; seed %d", length, seed)
	r := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // the order of troubles
	s := &troubles{}
	s.vm = newVM(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
		if f := s.fault.Load(); f != nil && ofAFile(c.Key) {
			return *f
		}
		return s3server.Fault{}
	}}, "rescan: 2s\ntries: 3\nkey: '{outbox}/{path}'\noutboxes:\n  - {path: HOME/out, quiet: 50ms, settle: delete}\n  - {path: HOME/mounted, quiet: 50ms}\n")
	must(t, os.Mkdir(s.path("state"), 0o700), os.Mkdir(s.path("disk"), 0o755), os.Mkdir(s.path("mounted"), 0o755))
	baddisk.Mount(t, s.path("state"), "16m")
	s.unmount = baddisk.Bind(t, s.path("disk"), s.path("mounted"))
	if setpriv, err := exec.LookPath("setpriv"); err == nil { // root may read everything
		s.before = []string{setpriv, "--bounding-set=-all", "--inh-caps=-all"}
	} else {
		t.Log("SKIPPED: an outbox that may not be read; there is no setpriv, which makes root obey modes")
		allTroubles = slices.DeleteFunc(allTroubles, func(one trouble) bool { return slices.Contains(one.kinds, "outbox-unreadable") })
	}
	s.running = s.start("", "run", "--config", s.path("agent.yaml"))
	s.settles("at first")
	lived := map[string]int{}
	for began, last := time.Now(), -1; time.Since(began) < length; {
		n := r.IntN(len(allTroubles))
		if n == last {
			continue
		}
		last = n
		s.through(allTroubles[n], r.IntN(3) == 0)
		lived[allTroubles[n].name]++
	}
	s.running.signal(syscall.SIGTERM)
	if code := s.running.wait(); code != 0 {
		t.Errorf("it ends with %d", code)
	}
	s.exactlyOnce()
	s.soundJournal()
	t.Logf("%d files; %d troubles: %v", s.written, len(lived), lived)
	must(t, s.unmount())
}

// more writes some files, where the outboxes are now.
func (s *troubles) more() {
	for _, folder := range []string{"out", "mounted"} {
		info, err := os.Lstat(s.path(folder))
		if err != nil || !info.IsDir() || info.Mode().Perm() == 0 || folder == "mounted" && s.unmount == nil { // nobody would find them
			continue
		}
		for range 3 {
			s.written++
			name, text := fmt.Sprintf("f%05d", s.written), fmt.Appendf(nil, "file %d", s.written)
			if s.written%10 == 0 { // its checksum comes behind it
				text = noise(uint64(s.written), 100<<10) //nolint:gosec // not negative
			}
			must(s.t, os.WriteFile(filepath.Join(s.path(folder), name), text, 0o644))
			s.files[folder+"/"+name] = text
		}
	}
}

// settles waits until every file is sent and the status says that all is well.
func (s *troubles) settles(after string) {
	s.t.Helper()
	until(s.t, "all is well "+after, func() bool {
		now := s.told()
		return now.code == 0 && now.State == "idle" && len(now.Problems) == 0 && now.Counts["settled"].Files == len(s.files)
	})
}

// through lives through one trouble; with a kill the agent is another from then on.
func (s *troubles) through(one trouble, kill bool) {
	s.t.Helper()
	s.more()
	must(s.t, one.begin(s))
	if kill = kill && !one.itself; kill {
		must(s.t, s.running.cmd.Process.Kill())
		s.running.wait()
		s.running = s.start("", "run", "--config", s.path("agent.yaml"))
	}
	began := time.Now()
	said := time.Duration(0)
	if one.kinds == nil {
		said = 1 // nothing is to be said
	}
	for said == 0 || time.Since(began) < said+3*time.Second {
		s.more()
		<-time.After(time.Second) // a look once a second is what is asked for
		now := s.told()
		named := one.kinds == nil
		for _, kind := range one.kinds {
			named = named || now.has(kind, "") || kind == "not-answering" && now.code != 0 && now.State == ""
		}
		took := time.Since(began)
		if one.mild && took > 10*time.Second && said == 0 && now.code == 0 && now.State == "idle" && now.Counts["settled"].Files == len(s.files) {
			break // what is free in the journal was enough
		}
		switch {
		case named && said == 0:
			said = took
		case !named && said != 0:
			s.t.Errorf("%s: it was said, and %s later it isn't: %+v", one.name, took-said, now)
		case said == 0 && took > 20*time.Second: // ten, and what a busy machine adds
			s.t.Fatalf("%s: after %s it is not said: %+v", one.name, took, now)
		}
		if one.kinds != nil && (now.code == 0 && took > 20*time.Second || named && now.State == "idle") {
			s.t.Errorf("%s: the status ends with %d and says %s", one.name, now.code, now.State)
		}
	}
	must(s.t, one.end(s))
	if code, out := s.agent("", "retry", "--config", s.path("agent.yaml")); code != 0 && !strings.Contains(out, "no") {
		s.t.Logf("retry: %d %s", code, out)
	}
	s.settles("after " + one.name)
	s.t.Logf("%s, killed in it %t: said after %s, over after %s", one.name, kill, said.Round(time.Second), time.Since(began).Round(time.Second))
}
