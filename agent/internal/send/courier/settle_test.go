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

// settling is a courier with one outbox, whose file a.txt is sent and not settled yet.
type settling struct {
	*Courier
	t    *testing.T
	dir  string
	sent *journal.Entry
}

func newSettling(t *testing.T) *settling {
	t.Helper()
	dir := t.TempDir()
	j, err := journal.Open(t.TempDir(), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() }) // the test is over
	box, err := OpenOutbox(Outbox{Path: dir, Settle: Delete}, outbox.Options{Path: dir, Once: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() }) // only read
	c, err := New(Deps{Journal: j, Gate: &script{}, Sender: func() Sender { return nil }}, Settings{Bucket: "b", Prefix: "p/"}, []Outbox{box})
	if err != nil {
		t.Fatal(err)
	}
	s := &settling{Courier: c, t: t, dir: dir}
	s.write("what was sent")
	f, err := box.look("a.txt")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(s.path())
	if err != nil {
		t.Fatal(err)
	}
	sum, err := sumCRC(file, f.Size)
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close() // only read
	s.sent = &journal.Entry{State: journal.Pending, Route: c.boxes[0].id, Path: "a.txt", Identity: identityOf(f), Added: 1}
	s.sent.Changed = changeTime(f)
	if err := j.Add([]*journal.Entry{s.sent}); err != nil {
		t.Fatal(err)
	}
	s.save(func(e *journal.Entry) { e.State, e.Key, e.Attempts = journal.Sending, "p/a.txt", 1 })
	s.save(func(e *journal.Entry) {
		e.State, e.Proof = journal.Sent, &journal.Proof{CRC64: sum, Evidence: receipt.Answered, SentAt: time.Now().UnixNano()}
	})
	return s
}

func (s *settling) save(change func(*journal.Entry)) {
	s.t.Helper()
	change(s.sent)
	if err := s.Journal.Save(s.sent); err != nil {
		s.t.Fatal(err)
	}
}

func (s *settling) path() string { return filepath.Join(s.dir, "a.txt") }

// write writes the file with one and the same time.
func (s *settling) write(content string) {
	s.t.Helper()
	at := time.Unix(1_700_000_000, 0)
	f, err := os.OpenFile(s.path(), os.O_WRONLY|os.O_CREATE, 0o644) // in its place
	if err == nil {
		_, err = f.WriteString(content)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chtimes(s.path(), at, at); err != nil {
		s.t.Fatal(err)
	}
}

// TestAFileThatChangedUnderItsOldTimesIsNotSettled: its size and its times are what they were, its bytes are others.
func TestAFileThatChangedUnderItsOldTimesIsNotSettled(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*settling)
		stays   bool
		pending int64
	}{
		{"nothing changed", func(*settling) {}, false, 0},
		{"only its mode changed", func(s *settling) { _ = os.Chmod(s.path(), 0o600) }, false, 0},
		{"the same bytes were written again", func(s *settling) { s.write("what was sent") }, false, 0},
		{"it was renamed away and back", func(s *settling) { _ = os.Rename(s.path(), s.path()+"x"); _ = os.Rename(s.path()+"x", s.path()) }, false, 0},
		{"other bytes, in place", func(s *settling) { s.write("what came now") }, true, 1},
		{"one other byte", func(s *settling) { s.write("what was senT") }, true, 1},
		{"an older journal, which knows no change time", func(s *settling) { s.sent.Changed = 0; s.write("what was senT") }, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSettling(t)
			c.change(s)
			s.settle(&task{e: s.sent, box: s.boxes[0]})
			if _, err := os.Stat(s.path()); (err == nil) != c.stays {
				t.Errorf("it stays: %t", !c.stays)
			}
			<-s.commits.Ready
			for _, one := range s.commits.Take(nil) {
				if one.Err != nil {
					t.Error(one.Err)
				}
			}
			if n := s.Journal.Counts(); n.Files[journal.Settled] != 1 || n.Files[journal.Pending] != c.pending {
				t.Errorf("the journal has %v", n.Files)
			}
		})
	}
}

// TestWhatCantBeSettledIsNamed: with its path and since when, until it can.
func TestWhatCantBeSettledIsNamed(t *testing.T) {
	s := newSettling(t)
	s.boxes[0].Settle, s.boxes[0].MoveTo = Move, filepath.Join(s.dir, "a.txt") // a file is no folder
	s.settle(&task{e: s.sent, box: s.boxes[0]})
	list := s.boxes[0].problems()
	if len(list) != 1 || list[0].Kind != ProblemUnsettled || list[0].Path != s.path() || list[0].Since.IsZero() || list[0].Detail == "" {
		t.Fatalf("problems %+v", list)
	}
	s.boxes[0].MoveTo = t.TempDir()
	s.settle(&task{e: s.sent, box: s.boxes[0]})
	if list := s.boxes[0].problems(); len(list) != 0 {
		t.Errorf("it is settled, and still named: %+v", list)
	}
}
