package courier

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"buzon/agent/internal/send/journal"
)

// TestARetryWritesOverNoEntryThatIsAnotherByNow: between reading the quarantine and writing, a scan may have put the next
// version of the file in the place of an entry, and the feeder may have taken that in flight.
func TestARetryWritesOverNoEntryThatIsAnotherByNow(t *testing.T) {
	j, err := journal.Open(t.TempDir(), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close() //nolint:errcheck // the test is over
	c, err := New(Deps{Journal: j, Gate: &script{}, Sender: func() Sender { return nil }}, Settings{Bucket: "b", Prefix: "p/"},
		[]Outbox{{Path: "/out", Settle: Keep}})
	if err != nil {
		t.Fatal(err)
	}
	stale := &journal.Entry{State: journal.Quarantined, Route: c.boxes[0].id, Path: "a", Identity: journal.Identity{Size: 1}, Added: 1,
		Reason: journal.Reason{Code: string(Denied)}}
	if err := j.Add([]*journal.Entry{stale}); err != nil {
		t.Fatal(err)
	}
	next := &journal.Entry{Seq: stale.Seq, State: journal.Pending, Route: stale.Route, Path: "a", Identity: journal.Identity{Size: 2}, Added: time.Now().UnixNano()}
	if err := j.Renew(next); err != nil {
		t.Fatal(err)
	}
	if err := c.inQuarantine(stale, c.unquarantine); err != nil {
		t.Fatal(err)
	}
	if e, err := j.Get(stale.Seq); err != nil || e.Size != 2 {
		t.Errorf("the entry is %+v (%v)", e, err)
	}
	next.State, next.Reason = journal.Quarantined, stale.Reason
	if err := j.Save(next); err != nil {
		t.Fatal(err)
	}
	held := &task{e: next, box: c.boxes[0]}
	if !c.flight.take(held) {
		t.Fatal("it is in flight")
	}
	for _, want := range []journal.State{journal.Quarantined, journal.Pending} {
		if _, err := c.Retry(nil); err != nil {
			t.Fatal(err)
		}
		if e, err := j.Get(next.Seq); err != nil || e.State != want {
			t.Errorf("the entry is %+v (%v), want %s", e, err, want)
		}
		c.flight.drop(held)
	}
}

// TestAFileThatHealsIsCountedOnce: an upload that takes a file out of quarantine and then meets it said that one still
// waits.
func TestAFileThatHealsIsCountedOnce(t *testing.T) {
	s := newSettling(t)
	s.once = true
	if err := os.WriteFile(filepath.Join(s.dir, "b.txt"), []byte("b"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := s.boxes[0].look("b.txt")
	if err != nil {
		t.Fatal(err)
	}
	healed := &journal.Entry{State: journal.Quarantined, Route: s.boxes[0].id, Path: "b.txt", Identity: identityOf(f), Added: 1,
		Reason: journal.Reason{Code: string(Unreadable)}}
	if err := s.Journal.Add([]*journal.Entry{healed}); err != nil {
		t.Fatal(err)
	}
	if trouble, err := s.scan(t.Context(), s.boxes[0]); trouble != nil || err != nil {
		t.Fatal(trouble, err)
	}
	if n := s.Tally(); n.Accepted != 1 {
		t.Errorf("%d files are accepted, and one was there to be sent", n.Accepted)
	}
	if e, err := s.Journal.Get(healed.Seq); err != nil || e.State != journal.Pending {
		t.Errorf("it is %+v (%v)", e, err)
	}
}
