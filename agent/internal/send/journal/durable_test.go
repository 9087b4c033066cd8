package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"buzon/agent/internal/send/receipt"
)

// TestMain makes the test binary be a writer, for tests that kill one.
func TestMain(m *testing.M) {
	if state := os.Getenv("JOURNAL_WRITER"); state != "" {
		writeForEver(state, os.Getenv("JOURNAL_POINT"))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// writeForEver moves files through the journal for ever and prints what was acknowledged: "STATE SEQ" a line. At the
// named point it kills itself, the number-th time that it comes there ("point:number").
func writeForEver(state, point string) {
	name, number, _ := strings.Cut(point, ":")
	left, _ := strconv.Atoi(number)
	var count atomic.Int64
	count.Store(int64(left))
	out := bufio.NewWriter(os.Stdout)
	fatal := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	j, err := Open(state, Options{Failpoint: func(at string) {
		if at == name && count.Add(-1) <= 0 {
			_ = out.Flush()
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}})
	fatal(err)
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	fatal(err)
	say := func(what State, e *Entry) {
		fmt.Fprintln(out, what, e.Seq)
		fatal(out.Flush())
	}
	for n := int(j.Counts().Decided) * 1000; ; n += 8 {
		var list []*Entry
		for i := range 8 {
			list = append(list, sample(route, n+i))
		}
		fatal(j.Add(list))
		for i, e := range list {
			say(Pending, e)
			e.State, e.Key, e.Attempts, e.Attempting = Sending, "p/"+e.Path+strconv.FormatUint(e.Seq, 10), 1, true
			e.Multipart = &Multipart{ID: "u", PartSize: 5 << 20}
			fatal(j.Save(e))
			fatal(j.SavePart(e, Part{Number: 1, Size: 9, ETag: "x", CRC64: 7}))
			say(Sending, e)
			switch i % 3 {
			case 0:
				e.State, e.Proof, e.Attempting, e.Multipart = Settled, proof(), false, nil
				fatal(j.Save(e))
				say(Settled, e)
			case 1:
				fatal(j.Forget(e))
				say(none, e)
			}
		}
	}
}

// kill runs a writer until it dies and returns what it had acknowledged: the last state of each entry.
func kill(t *testing.T, state, point string, after time.Duration) map[uint64]string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "JOURNAL_WRITER="+state, "JOURNAL_POINT="+point)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
	}
	told := map[uint64]string{}
	for scan := bufio.NewScanner(out); scan.Scan(); {
		var what string
		var seq uint64
		if n, _ := fmt.Sscan(scan.Text(), &what, &seq); n == 2 {
			told[seq] = what
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the writer ended with %v, and was to be killed", err)
	}
	return told
}

// holds checks that a journal holds what was acknowledged; it may be one step further.
func holds(t *testing.T, j *Journal, told map[uint64]string) {
	t.Helper()
	must(t, j.Check())
	next := map[string][]string{
		"pending": {"pending", "sending"}, "sending": {"sending", "settled", "none"}, "settled": {"settled"}, "none": {"none"},
	}
	for seq, what := range told {
		e, err := j.Get(seq)
		must(t, err)
		is := "none"
		if e != nil {
			is = e.State.String()
		}
		ok := false
		for _, may := range next[what] {
			ok = ok || may == is
		}
		if !ok {
			t.Errorf("entry %d was acknowledged as %s and is %s", seq, what, is)
		}
	}
}

func TestItSurvivesAKillAtEveryPoint(t *testing.T) {
	for _, point := range []string{"journal.created:1", "journal.before-commit:1", "journal.after-commit:1", "journal.before-commit:40", "journal.after-commit:41"} {
		t.Run(point, func(t *testing.T) {
			state := t.TempDir()
			told := kill(t, state, point, 0)
			j := open(t, state, Options{})
			holds(t, j, told)
		})
	}
}

func TestItSurvivesKillsAtRandom(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	if os.Getenv("BUZON_TEST") == "long" {
		rounds = 200
	}
	state := t.TempDir()
	told := map[uint64]string{}
	for i := range rounds {
		for seq, what := range kill(t, state, "", time.Duration(40+i*37%150)*time.Millisecond) {
			told[seq] = what
		}
		j, err := Open(state, Options{})
		must(t, err)
		holds(t, j, told)
		must(t, j.Close())
	}
	if len(told) == 0 {
		t.Error("nothing was ever acknowledged")
	}
	t.Logf("%d kills, %d entries acknowledged", rounds, len(told))
}

func TestTheLockTellsTheHoldersPIDAndEndsWithIt(t *testing.T) {
	state := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "JOURNAL_WRITER="+state)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	ended := sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	defer ended()
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("the writer said nothing")
	}
	for _, readOnly := range []bool{false, true} {
		_, err = Open(state, Options{LockWait: 10 * time.Millisecond, ReadOnly: readOnly})
		var locked *LockedError
		if !errors.As(err, &locked) || locked.PID != cmd.Process.Pid || locked.State != state {
			t.Errorf("got %v, want the lock of process %d", err, cmd.Process.Pid)
		}
	}
	ended()
	j := open(t, state, Options{})
	must(t, j.Check())
}

// TestAReaderIsNamedToo: whoever exports for long holds the lock as well, and the file's text is another's.
func TestAReaderIsNamedToo(t *testing.T) {
	state, _ := filled(t)
	must(t, os.WriteFile(filepath.Join(state, lockFile), []byte("1\n"), 0o600))
	reader, err := Open(state, Options{ReadOnly: true})
	must(t, err)
	_, err = Open(state, Options{LockWait: 10 * time.Millisecond})
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("got %v, want the lock of process %d", err, os.Getpid())
	}
	must(t, reader.Close())
}

// TestAnotherProgramOnTheFileIsNoDamage: somebody looks into the file with a tool of bbolt's.
func TestAnotherProgramOnTheFileIsNoDamage(t *testing.T) {
	state, _ := filled(t)
	db, err := bbolt.Open(filepath.Join(state, File), 0o600, nil)
	must(t, err)
	var locked *LockedError
	if _, err := Open(state, Options{LockWait: 20 * time.Millisecond}); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("got %v", err)
	}
	must(t, db.Close())
}

// raw changes a journal's file behind its back.
func raw(t *testing.T, state string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(state, File), 0o600, nil)
	must(t, err)
	must(t, errors.Join(db.Update(change), db.Close()))
}

// filled is a closed journal with entries in every state.
func filled(t *testing.T) (state string, entries []*Entry) {
	t.Helper()
	state = t.TempDir()
	j, err := Open(state, Options{})
	must(t, err)
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	for i := range 50 {
		e := reach(t, j, route, i, States[i%len(States)])
		if e.State == Sending {
			e.Multipart = &Multipart{ID: "upload", PartSize: 5 << 20}
			must(t, j.Save(e))
			must(t, j.SavePart(e, Part{Number: 3, Size: 5 << 20, ETag: `"e"`, CRC64: 9}))
		}
		entries = append(entries, e)
	}
	must(t, j.Close())
	return state, entries
}

// toFormat1 writes a journal as format 1 was: records without a checksum.
func toFormat1(t *testing.T, state string) {
	toFormat2(t, state)
	raw(t, state, func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{entriesBucket, partsBucket} {
			b := tx.Bucket(name)
			old := map[string][]byte{}
			_ = b.ForEach(func(k, v []byte) error {
				rec := append([]byte(nil), v[:len(v)-tailLen]...)
				if string(name) == string(entriesBucket) {
					rec[0] = 1
				}
				old[string(k)] = rec
				return nil
			})
			for k, v := range old {
				if err := b.Put([]byte(k), v); err != nil {
					return err
				}
			}
		}
		return tx.Bucket(metaBucket).Put(versionKey, binary.BigEndian.AppendUint32(nil, 1))
	})
}

func TestAnOlderJournalIsMigrated(t *testing.T) {
	state, entries := filled(t)
	toFormat1(t, state)
	var older *OlderError
	if _, err := Open(state, Options{ReadOnly: true}); !errors.As(err, &older) || older.Format != 1 {
		t.Errorf("opened for reading: %v", err)
	}
	j := open(t, state, Options{})
	for _, want := range entries {
		got, err := j.Get(want.Seq)
		must(t, err)
		if got.State != want.State || got.Key != want.Key || got.Path != want.Path || got.Identity != want.Identity {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if want.Multipart != nil {
			if parts, err := j.Parts(got); err != nil || len(parts) != 1 || parts[0].CRC64 != 9 {
				t.Errorf("parts %+v, %v", parts, err)
			}
		}
	}
}

func TestAMigrationThatIsKilledLosesNothing(t *testing.T) {
	for _, point := range []string{"journal.migrated:1"} {
		state, entries := filled(t)
		toFormat1(t, state)
		kill(t, state, point, 0)
		j := open(t, state, Options{})
		if got, err := j.Get(entries[3].Seq); err != nil || got.State != entries[3].State {
			t.Errorf("%s: %+v, %v", point, got, err)
		}
	}
}

func TestANewerJournalIsRefusedAndNamesItsReader(t *testing.T) {
	state, _ := filled(t)
	raw(t, state, func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		return errors.Join(meta.Put(versionKey, binary.BigEndian.AppendUint32(nil, Version+1)), meta.Put(readerKey, []byte("9.9.0")))
	})
	before, err := os.ReadFile(filepath.Join(state, File))
	must(t, err)
	for _, readOnly := range []bool{false, true} {
		var newer *NewerError
		if _, err := Open(state, Options{ReadOnly: readOnly}); !errors.As(err, &newer) || newer.Format != Version+1 || newer.Writer != "9.9.0" {
			t.Errorf("got %v", err)
		}
	}
	after, err := os.ReadFile(filepath.Join(state, File))
	must(t, err)
	if string(before) != string(after) {
		t.Error("the refused journal was changed")
	}
}

func TestTheJournalSaysWhichVersionReadsIt(t *testing.T) {
	state, _ := filled(t)
	raw(t, state, func(tx *bbolt.Tx) error {
		if got := string(tx.Bucket(metaBucket).Get(readerKey)); got != reader {
			t.Errorf("it says %q", got)
		}
		return nil
	})
}

func TestReadingChangesNoByte(t *testing.T) {
	state, _ := filled(t)
	before, err := os.ReadFile(filepath.Join(state, File))
	must(t, err)
	j, err := Open(state, Options{ReadOnly: true})
	must(t, err)
	n := 0
	must(t, j.Receipts(time.Time{}, func(*receipt.Receipt) error { n++; return nil }))
	if n != 20 {
		t.Errorf("%d receipts, want 20", n)
	}
	if err := j.Add([]*Entry{sample(1, 1)}); !errors.Is(err, ErrClosed) {
		t.Errorf("it took an entry: %v", err)
	}
	must(t, j.Close())
	after, err := os.ReadFile(filepath.Join(state, File))
	must(t, err)
	if string(before) != string(after) {
		t.Error("the file changed")
	}
	if _, err := Open(t.TempDir(), Options{ReadOnly: true}); !errors.Is(err, ErrNone) {
		t.Errorf("without a journal: %v", err)
	}
}
