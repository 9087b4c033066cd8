package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"buzon/scripts/load/s3server"
)

// pour keeps files coming into a folder, each renamed into place whole, until
// stop; then it gives how many there were.
func (h *host) pour(dir string) (stop func() int) {
	h.t.Helper()
	made := make(chan int, 1)
	end := make(chan struct{})
	var once sync.Once
	finish := func() { once.Do(func() { close(end) }) }
	go func() {
		tick := time.NewTicker(4 * time.Millisecond)
		defer tick.Stop()
		n := 0
		defer func() { made <- n }()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			whole := filepath.Join(dir, poured(n))
			if os.WriteFile(whole+".tmp", []byte(poured(n)), 0o644) != nil || os.Rename(whole+".tmp", whole) != nil {
				return // the test ended, and its folder with it
			}
			n++
		}
	}()
	h.t.Cleanup(finish)
	return func() int {
		finish()
		n := <-made
		made <- n
		return n
	}
}

func poured(n int) string { return fmt.Sprintf("file-%05d.txt", n) }

// In every phase the server says which key it saw; told by the small server.
func TestAKeyThatIsRotatedRevokedAndRestoredUnderLoadLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	var seen sync.Map // key id → *atomic.Int64: PUTs that were signed with it and valid
	by := func(id s3server.Identity) *atomic.Int64 {
		n, _ := seen.LoadOrStore(id.AccessKey, new(atomic.Int64))
		return n.(*atomic.Int64)
	}
	h := newHost(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
		if c.Op == s3server.PutObject && c.Identity.AccessKey != "" && strings.Contains(c.Key, "file-") {
			by(c.Identity).Add(1)
		}
		return s3server.Fault{}
	}})
	key := func(n int) s3server.Identity {
		return s3server.Identity{ARN: vm01, UserID: s3server.Uploader.UserID, AccessKey: fmt.Sprintf("AKIAUPLOADER%08d", n), Secret: fmt.Sprint("rotated-secret-", n)}
	}
	first, second, third := s3server.Uploader, key(2), key(3)
	refusals := func(code string) int64 { return h.server.Stats().Codes[code] }
	more := func(id s3server.Identity) func() bool {
		was := by(id).Load()
		return func() bool { return by(id).Load() >= was+25 }
	}

	r := h.start("identity:\n  expect: " + vm01 + "\n")
	stop := h.pour(h.file("out"))
	h.until("files are sent", more(first))

	h.key(second)
	h.until("the new key is tried, which nobody knows yet", func() bool { return refusals("InvalidClientTokenId") > 0 })
	h.until("the old key goes on meanwhile", more(first))
	h.server.SetIdentities(first, second)
	h.until("the new key is in use", more(second))
	h.server.SetIdentities(second)
	h.until("sending goes on when the old key is gone", more(second))

	h.server.SetIdentities()
	h.until("the gate is shut when the key is revoked", func() bool {
		_, s := h.status()
		return s.Running && !s.Gate.Open
	})
	arrived := len(h.server.Objects(inbox))
	asked := refusals("InvalidClientTokenId")
	h.until("it is asked again and again", func() bool { return refusals("InvalidClientTokenId") > asked })
	if n := len(h.server.Objects(inbox)); n != arrived {
		t.Errorf("%d files were stored for a key that is not valid", n-arrived)
	}
	h.server.SetIdentities(second)
	h.until("sending goes on when the key is restored", more(second))

	ended := second
	ended.Expired = true
	h.server.SetIdentities(ended)
	h.until("the session is refused", func() bool { return refusals("ExpiredToken") > 0 })
	h.server.SetIdentities(ended, third)
	h.key(third)
	h.until("sending goes on with a third key", more(third))

	n := stop()
	h.until("every file is sent", func() bool {
		_, s := h.status()
		return s.Counts["pending"].Files == 0 && s.Counts["sending"].Files == 0 && len(h.server.Objects(inbox)) > n
	})
	if _, s := h.status(); s.Counts["quarantined"].Files > 0 {
		t.Errorf("%d files are in quarantine", s.Counts["quarantined"].Files)
	}
	for i := range n {
		h.holds(poured(i), poured(i))
	}
	if got := len(h.server.Versions(inbox)); got != n+1 { // and the canary
		t.Errorf("%d files came in, and %d versions stand in the bucket", n, got-1)
	}
	r.cancel()
	if code := r.stopped(); code != 0 {
		t.Errorf("exit %d", code)
	}
	t.Logf("%d files; with the first key %d, the second %d, the third %d", n, by(first).Load(), by(second).Load(), by(third).Load())
	for _, secret := range []string{first.Secret, second.Secret, third.Secret} {
		if strings.Contains(r.log(), secret) {
			t.Errorf("%s is told", secret)
		}
	}
}

// revoked starts an agent that sent something, and takes its key away.
func revoked(t *testing.T, more string) *running {
	h := newHost(t, s3server.Options{})
	r := h.start(more)
	h.files("out", "before.txt")
	h.until("a file arrives", h.arrived("before.txt"))
	h.server.SetIdentities()
	h.files("out", "after.txt")
	return r
}

func TestAFaultThatLastsLongerThanPatienceEndsTheRun(t *testing.T) {
	r := revoked(t, "identity:\n  expect: "+vm01+"\n  patience: 1s\n")
	if code := r.stopped(); code != int(notPassed) {
		t.Errorf("exit %d", code)
	}
	if log := r.log(); !strings.Contains(log, "Nothing was sent") && !strings.Contains(log, "was deactivated or deleted") {
		t.Errorf("it is not said why:\n%s", log)
	}
	if _, err := os.Stat(r.file("out/after.txt")); err != nil {
		t.Errorf("the file that was not sent: %v", err)
	}
}

func TestWithWaitTheRunGoesOnByItself(t *testing.T) {
	r := revoked(t, "identity:\n  expect: "+vm01+"\n  patience: 1ms\n  on_problem: wait\n")
	asked := r.server.Stats().Codes["InvalidClientTokenId"]
	r.until("it asks again", func() bool { return r.server.Stats().Codes["InvalidClientTokenId"] > asked })
	r.server.SetIdentities(s3server.Uploader)
	r.until("the file is sent", r.arrived("after.txt"))
}

func TestWithWaitTheRunBeginsWithoutCredentials(t *testing.T) {
	h := newHost(t, s3server.Options{})
	if err := os.Remove(h.file("credentials")); err != nil {
		t.Fatal(err)
	}
	r := h.start("identity:\n  expect: " + vm01 + "\n  on_problem: wait\n")
	h.files("out", "early.txt")
	h.until("it listens", func() bool {
		_, err := os.Stat(h.file("state/control.sock"))
		return err == nil
	})
	h.until("the file is in the journal", func() bool {
		_, s := h.status()
		return s.Counts["pending"].Files == 1
	})
	if n := h.server.Stats().Requests; n > 0 {
		t.Errorf("%d requests were made without credentials", n)
	}
	h.key(s3server.Uploader)
	h.until("the file is sent", r.arrived("early.txt"))
}

func TestWithStopTheRunDoesNotBeginWithoutCredentials(t *testing.T) {
	h := newHost(t, s3server.Options{})
	if err := os.Remove(h.file("credentials")); err != nil {
		t.Fatal(err)
	}
	r := h.start("identity:\n  expect: " + vm01 + "\n")
	if code := r.stopped(); code != int(notPassed) {
		t.Errorf("exit %d", code)
	}
	for _, want := range []string{"Nothing was sent", "There are no credentials", "scripts/issue-key NAME"} {
		if !strings.Contains(r.log(), want) {
			t.Errorf("%q is not said:\n%s", want, r.log())
		}
	}
}

// A network that is down says nothing against the key, so no patience ends.
func TestSilenceDoesNotEndTheRun(t *testing.T) {
	var down atomic.Bool
	var asked atomic.Int64
	h := newHost(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
		if !down.Load() {
			return s3server.Fault{}
		}
		if c.Op == s3server.Other {
			asked.Add(1)
		}
		return s3server.Fault{Name: s3server.ResetBefore}
	}})
	h.t.Setenv("AWS_MAX_ATTEMPTS", "1")
	r := h.start("identity:\n  expect: " + vm01 + "\n  patience: 1ms\n")
	h.files("out", "before.txt")
	h.until("a file arrives", h.arrived("before.txt"))
	down.Store(true)
	h.key(s3server.Uploader) // the same again; the gate is passed anew
	h.files("out", "after.txt")
	h.until("the gate is asked again", func() bool { return asked.Load() >= 2 })
	down.Store(false)
	h.until("the file is sent", r.arrived("after.txt"))
}
