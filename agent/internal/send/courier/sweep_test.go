package courier

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/outbox"
	"buzon/agent/internal/send/receipt"
)

func TestSweepForgetsOldReceiptsOfFilesThatAreGone(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(t.TempDir(), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close() //nolint:errcheck // the test is over
	box, err := OpenOutbox(Outbox{Path: dir, Settle: Keep}, outbox.Options{Path: dir, Once: true})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close() //nolint:errcheck // only read
	now := time.Now()
	clock := now
	c, err := New(Deps{Journal: j, Gate: &script{}, Sender: func() Sender { return nil }, Now: func() time.Time { return clock }},
		Settings{Bucket: "b", Prefix: "p/", Retain: 400 * 24 * time.Hour}, []Outbox{box})
	if err != nil {
		t.Fatal(err)
	}
	var entries []*journal.Entry
	for _, name := range []string{"stays", "goes", "rewritten", "unsent"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := box.look(name)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, &journal.Entry{State: journal.Pending, Route: c.boxes[0].id, Path: name, Identity: identityOf(f), Added: 1})
	}
	if err := j.Add(entries); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries[:3] {
		e.State, e.Key, e.Attempts = journal.Sending, "p/"+e.Path, 1
		if err := j.Save(e); err != nil {
			t.Fatal(err)
		}
		e.State, e.Proof = journal.Settled, &journal.Proof{Evidence: receipt.Answered, SentAt: now.UnixNano()}
		if err := j.Save(e); err != nil {
			t.Fatal(err)
		}
	}
	sent := &journal.Entry{State: journal.Pending, Route: c.boxes[0].id, Path: "not settled yet", Identity: entries[0].Identity, Added: 1}
	if err := j.Add([]*journal.Entry{sent}); err != nil {
		t.Fatal(err)
	}
	sent.State, sent.Key, sent.Attempts = journal.Sending, "p/"+sent.Path, 1
	if err := j.Save(sent); err != nil {
		t.Fatal(err)
	}
	sent.State, sent.Proof = journal.Sent, &journal.Proof{Evidence: receipt.Answered, SentAt: now.UnixNano()}
	if err := j.Save(sent); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "goes")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rewritten"), []byte("another version"), 0o644); err != nil {
		t.Fatal(err)
	}
	sweep := func(want int) {
		t.Helper()
		if n, err := c.Sweep(t.Context()); err != nil || n != want {
			t.Errorf("%d entries are forgotten (%v), want %d", n, err, want)
		}
	}
	clock = now.Add(399 * 24 * time.Hour)
	sweep(0)
	clock = now.Add(401 * 24 * time.Hour)
	sweep(2)
	n := j.Counts()
	if n.Files[journal.Settled] != 1 || n.Files[journal.Pending] != 1 || n.Files[journal.Sent] != 1 {
		t.Errorf("left are %v", n.Files)
	}
	if err := os.RemoveAll(dir); err != nil { // a folder that vanished says nothing of its files
		t.Fatal(err)
	}
	sweep(0)
}
