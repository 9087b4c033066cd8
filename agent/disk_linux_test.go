package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/receipt"
	"buzon/scripts/load/baddisk"
	"buzon/scripts/load/s3server"
)

// small puts the state folder on a file system of its own.
func (v *vm) small(size string) {
	v.t.Helper()
	if err := os.Mkdir(v.path("state"), 0o700); err != nil {
		v.t.Fatal(err)
	}
	baddisk.Mount(v.t, v.path("state"), size)
}

// many writes n files with names so long that a journal needs room for them.
func (v *vm) many(n int) {
	v.t.Helper()
	for i := range n {
		v.write(fmt.Sprintf("%04d-%s", len(v.files), strings.Repeat("x", 200)), noise(uint64(i), 10+i))
	}
}

// status asks whoever runs; it is empty while that begins.
func (v *vm) status() (s struct {
	Counts  map[string]struct{ Files int }
	Journal string `json:"journal_trouble"`
}) {
	v.t.Helper()
	code, out := v.agent("", "status", "--config", v.path("agent.yaml"), "--format", "json")
	if code < 0 || code == 2 {
		return s
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		v.t.Fatalf("status: %v\n%s", err, out)
	}
	return s
}

// nothingVanished fails unless every file is in its outbox or, whole, in the bucket.
func (v *vm) nothingVanished() {
	v.t.Helper()
	for name, data := range v.files {
		if _, err := os.Lstat(filepath.Join(v.path("out"), name)); err == nil {
			continue
		}
		if o, ok := v.server.Object(bucket, prefix+name); !ok || string(o.Body) != string(data) {
			v.t.Errorf("%s is neither here nor there", name)
		}
	}
}

// fullDisk is an agent that runs on a disk which is full by now, and what gives it space again.
func fullDisk(t *testing.T) (v *vm, p *process, empty func()) {
	t.Helper()
	v = newVM(t, s3server.Options{}, "rescan: 1s\nshutdown_timeout: 500ms\noutboxes:\n  - path: HOME/out\n    quiet: 20ms\n    settle: delete\n")
	v.small("8m")
	v.many(20)
	p = v.start("", "run", "--config", v.path("agent.yaml"))
	until(t, "the first files are settled", func() bool {
		_, err := os.Stat(filepath.Join(v.path("state"), "control.sock"))
		return err == nil && v.status().Counts["settled"].Files == 20
	})
	empty = baddisk.Fill(t, v.path("state"))
	v.many(2000)
	until(t, "the status says that the disk is full", func() bool {
		return strings.Contains(v.status().Journal, "no space left on device")
	})
	_, out := v.agent("", "status", "--config", v.path("agent.yaml"))
	if want := "The journal accepts nothing for now"; !strings.Contains(out, want) {
		t.Errorf("status does not say %q:\n%s", want, out)
	}
	v.nothingVanished()
	return v, p, empty
}

func (v *vm) allSettled() {
	v.t.Helper()
	until(v.t, "every file is settled", func() bool { return v.status().Counts["settled"].Files == len(v.files) })
	v.exactlyOnce()
}

// end stops an agent that runs, and holds what it left to the promises.
func (v *vm) end(p *process) {
	v.t.Helper()
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		v.t.Errorf("code %d\n%s", code, p.out)
	}
	v.settledAs("delete")
	v.soundJournal()
}

func TestRunGoesOnByItselfWhenThereIsSpaceAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the next test fills a disk too")
	}
	baddisk.Alone(t, func() {
		v, p, empty := fullDisk(t)
		empty()
		v.allSettled()
		if s := v.status(); s.Journal != "" || s.Counts == nil {
			t.Errorf("status still says %q", s.Journal)
		}
		v.end(p)
		for _, want := range []string{"journal accepts nothing for now; nothing is lost", "journal accepts again"} {
			if n := strings.Count(p.out.String(), want); n == 0 {
				t.Errorf("the log does not say %q", want)
			}
		}
	})
}

func TestRunStopsInTimeOnAFullDiskAndLosesNothing(t *testing.T) {
	baddisk.Alone(t, func() {
		v, p, empty := fullDisk(t)
		asked := time.Now()
		p.signal(syscall.SIGTERM)
		if code := p.wait(); code != 0 {
			t.Errorf("code %d\n%s", code, p.out)
		}
		if took := time.Since(asked); took > 10*time.Second {
			t.Errorf("it took %s to stop", took)
		}
		v.nothingVanished()
		p = v.start("", "run", "--config", v.path("agent.yaml"))
		until(t, "it starts on the full disk", func() bool {
			_, out := v.agent("", "status", "--config", v.path("agent.yaml"))
			return strings.Contains(out, "runs as process")
		})
		empty()
		v.allSettled()
		v.end(p)
	})
}

func TestWithoutSpaceForAJournalNothingBegins(t *testing.T) {
	baddisk.Alone(t, func() {
		v := newVM(t, s3server.Options{}, "outboxes:\n  - path: HOME/out\n    settle: delete\n")
		v.small("1m")
		v.many(5)
		empty := baddisk.Fill(t, v.path("state"))
		for _, command := range [][]string{{"run"}, {"upload", v.path("out")}} {
			code, out := v.agent("", append(command, "--config", v.path("agent.yaml"))...)
			if code != 1 || !strings.Contains(out, "There is no space left for "+v.path("state")) {
				t.Errorf("%s ends with %d\n%s", command[0], code, out)
			}
		}
		if n := v.server.Stats().Objects; n != 0 {
			t.Errorf("%d objects were sent", n)
		}
		v.nothingVanished()
		empty()
		if code, out := v.upload(""); code != 0 {
			t.Errorf("with space it ends with %d\n%s", code, out)
		}
		v.exactlyOnce()
	})
}

// TestAnImportSaysThatTheDiskIsFull: a person waits for it, who can make space.
func TestAnImportSaysThatTheDiskIsFull(t *testing.T) {
	baddisk.Alone(t, func() {
		v := newVM(t, s3server.Options{}, "")
		v.small("1m")
		var lines strings.Builder
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		for i := range 3000 {
			line, err := json.Marshal(receipt.Receipt{
				Schema: receipt.Schema, Bucket: bucket, Key: fmt.Sprintf("%s%d-%s", prefix, i, strings.Repeat("x", 200)), Size: 1, CRC64NVME: receipt.FormatCRC(7),
				Evidence: receipt.Answered, SourcePath: fmt.Sprintf("/gone/%d", i), MTime: at, SentAt: at,
			})
			if err != nil {
				t.Fatal(err)
			}
			lines.Write(append(line, '\n'))
		}
		if err := os.WriteFile(v.path("receipts"), []byte(lines.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out := v.agent("", "receipts", "import", "--config", v.path("agent.yaml"), v.path("receipts"))
		if code != 1 || !strings.Contains(out, "There is no space left for "+v.path("state")) {
			t.Errorf("it ends with %d\n%s", code, out)
		}
		v.soundJournal()
	})
}

// TestADiskThatFailsEndsTheAgentAndNothingLeavesThatIsNotDurable: in the middle of the work no write or no sync of the
// journal succeeds any more.
func TestADiskThatFailsEndsTheAgentAndNothingLeavesThatIsNotDurable(t *testing.T) {
	baddisk.Alone(t, func() {
		disk := baddisk.Watch(t)
		calls := []string{"fdatasync", "pwrite64"}
		if testing.Short() {
			calls = calls[:1]
		}
		for _, call := range calls {
			t.Run(call, func(t *testing.T) {
				var broken atomic.Bool
				var mu sync.Mutex
				asked := map[string]bool{} // keys for which a request came
				v := newVM(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
					mu.Lock()
					defer mu.Unlock()
					if c.Op == s3server.PutObject && strings.HasPrefix(c.Key, prefix) && !strings.Contains(c.Key, "/.buzon/") {
						was := len(asked)
						if asked[c.Key] = true; was < 400 && len(asked) == 400 {
							broken.Store(true) // once: it is mended later
						}
					}
					return s3server.Fault{}
				}}, "limits:\n  transfers: 8\noutboxes:\n  - path: HOME/out\n    quiet: 20ms\n    settle: delete\n")
				path := filepath.Join(v.path("state"), journal.File)
				disk.Answer(func(c baddisk.Call) syscall.Errno {
					if broken.Load() && c.Name == call && c.Path == path {
						return syscall.EIO
					}
					return 0
				})
				v.many(1000)
				p := v.start("", "run", "--config", v.path("agent.yaml"))
				if code := p.wait(); code != 1 {
					t.Errorf("it ends with %d", code)
				}
				for _, want := range []string{"The journal " + path + " could not be written, and the agent has stopped: ", "input/output error", "agent run"} {
					if !strings.Contains(p.out.String(), want) {
						t.Errorf("it does not say %q:\n%s", want, p.out)
					}
				}
				v.nothingVanished()
				v.onlyDurable(asked)
				broken.Store(false)
				p = v.start("", "run", "--config", v.path("agent.yaml"))
				until(t, "the next start goes on", func() bool {
					code, out := v.agent("", "status", "--config", v.path("agent.yaml"))
					return code != 2 && strings.Contains(out, "agent run")
				})
				v.allSettled()
				v.end(p)
			})
		}
	})
}

// TestNoRequestLeavesForAnIntentThatIsNotDurable: workers wait for work and the key is good, when the one commit in
// between is not synced.
func TestNoRequestLeavesForAnIntentThatIsNotDurable(t *testing.T) {
	baddisk.Alone(t, func() {
		disk := baddisk.Watch(t)
		var open, broken atomic.Bool
		var left atomic.Int64
		may := s3server.WriteOnly(bucket, prefix)
		v := newVM(t, s3server.Options{
			Allow: func(who s3server.Identity, action, bucket, key string) bool {
				return open.Load() && may(who, action, bucket, key)
			},
			Fault: func(c *s3server.Call) s3server.Fault {
				if open.Load() && strings.HasPrefix(c.Key, prefix) {
					broken.Store(true) // the canary comes first
					if !strings.Contains(c.Key, "/.buzon/") {
						left.Add(1)
					}
				}
				return s3server.Fault{}
			},
		}, "identity:\n  expect: arn:aws:iam::111122223333:user/buzon/vm-01\n  on_problem: wait\noutboxes:\n  - path: HOME/out\n    quiet: 20ms\n    settle: delete\n")
		v.many(100)
		p := v.start("", "run", "--config", v.path("agent.yaml"))
		until(t, "all are accepted", func() bool {
			_, err := os.Stat(filepath.Join(v.path("state"), "control.sock"))
			return err == nil && v.status().Counts["pending"].Files == len(v.files)
		})
		p.signal(syscall.SIGTERM)
		if code := p.wait(); code != 0 {
			t.Fatalf("code %d\n%s", code, p.out)
		}
		disk.Answer(func(c baddisk.Call) syscall.Errno {
			if broken.Load() && c.Name == "fdatasync" && c.Path == filepath.Join(v.path("state"), journal.File) {
				return syscall.EIO
			}
			return 0
		})
		open.Store(true)
		p = v.start("", "run", "--config", v.path("agent.yaml"))
		if code := p.wait(); code != 1 || !strings.Contains(p.out.String(), "could not be written, and the agent has stopped") {
			t.Errorf("code %d\n%s", code, p.out)
		}
		if n := left.Load(); n != 0 {
			t.Errorf("%d requests left", n)
		}
		v.nothingVanished()
		disk.Answer(nil)
		if code, out := v.upload(""); code != 0 {
			t.Errorf("code %d\n%s", code, out)
		}
		v.exactlyOnce()
		v.settledAs("delete")
	})
}

// onlyDurable fails unless the journal holds the intent for every key that was asked for, and the receipt for every
// file that is settled.
func (v *vm) onlyDurable(asked map[string]bool) {
	v.t.Helper()
	j, err := journal.Open(v.path("state"), journal.Options{ReadOnly: true})
	if err != nil {
		v.t.Fatal(err)
	}
	defer j.Close() //nolint:errcheck // read only
	list, err := j.Entries(0, 1<<20)
	if err != nil {
		v.t.Fatal(err)
	}
	intents, receipts := map[string]bool{}, map[string]bool{}
	for _, e := range list {
		if e.Attempts > 0 {
			intents[e.Key] = true
		}
		if e.Proof != nil {
			receipts[e.Path] = true
		}
	}
	for key := range asked {
		if !intents[key] {
			v.t.Errorf("a request left for %s, and its intent was not durable", key)
		}
	}
	settled := 0
	for name := range v.files {
		if _, err := os.Lstat(filepath.Join(v.path("out"), name)); err != nil {
			if settled++; !receipts[name] {
				v.t.Errorf("%s was settled, and its receipt was not durable", name)
			}
		}
	}
	if len(asked) == 0 || len(receipts) == 0 || len(receipts) == len(v.files) || settled == 0 {
		v.t.Error("it did not fail in the middle")
	}
	v.t.Logf("requests for %d files had left, %d receipts were durable, %d files were settled", len(asked), len(receipts), settled)
}
