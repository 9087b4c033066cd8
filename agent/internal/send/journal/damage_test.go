package journal

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"buzon/agent/internal/send/receipt"
)

// use does with a journal what the courier does, and returns the first error.
func use(j *Journal) error {
	if _, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/other"}); err != nil {
		return err
	}
	list, err := j.Entries(0, 1000)
	if err != nil {
		return err
	}
	for _, e := range list {
		if _, err := j.Parts(e); err != nil {
			return err
		}
		if e.State == Pending {
			e.State, e.Key, e.Attempts = Sending, "p/x", 1
			if err := j.Save(e); err != nil {
				return err
			}
		}
	}
	for _, read := range []func(uint64, int) ([]*Entry, error){j.Unsent, j.Unsettled, j.Quarantine} {
		if _, err := read(0, 1000); err != nil {
			return err
		}
	}
	if _, err := j.Marks(1, []string{"a", "folder-000/file-0000001.dat"}, nil); err != nil {
		return err
	}
	return j.Add([]*Entry{sample(1, 9999)})
}

// TestDamageIsAnErrorAndNeverAPanic: whatever happened to the file, the process lives, the journal says that it is
// damaged or works, and what is refused at the start is left as it was.
func TestDamageIsAnErrorAndNeverAPanic(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	if os.Getenv("BUZON_TEST") == "long" {
		rounds = 5000
	}
	state, _ := filled(t)
	good, err := os.ReadFile(filepath.Join(state, File))
	must(t, err)
	const used = 96 << 10 // the rest of the file is empty room
	room := int64(len(good))
	good = good[:used]
	refused, later := 0, 0
	for i := range rounds {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		bad, size := append([]byte(nil), good...), room
		switch i % 5 {
		case 0: // flipped bits
			for range 1 + r.IntN(40) {
				bad[r.IntN(used)] ^= 1 << r.IntN(8)
			}
		case 1: // a page of something else
			page := r.IntN(used/4096) * 4096
			for k := range 4096 {
				bad[page+k] = byte(r.Uint32())
			}
		case 2: // an empty page
			page := r.IntN(used/4096) * 4096
			clear(bad[page : page+4096])
		case 3: // cut short
			size = int64(r.IntN(used))
			bad = bad[:size]
		case 4: // a page in another's place
			from, to := r.IntN(used/4096)*4096, r.IntN(used/4096)*4096
			copy(bad[to:to+4096], good[from:from+4096])
		}
		folder := t.TempDir()
		path := filepath.Join(folder, File)
		must(t, os.WriteFile(path, bad, 0o600))
		must(t, os.Truncate(path, size))
		j, err := Open(folder, Options{LockWait: 50 * time.Millisecond})
		if err != nil {
			var damaged *DamagedError
			var newer *NewerError
			if !errors.As(err, &damaged) && !errors.As(err, &newer) {
				t.Fatalf("round %d: %v", i, err)
			}
			after, err := os.ReadFile(path)
			must(t, err)
			if int64(len(after)) != size || string(after[:len(bad)]) != string(bad) {
				t.Errorf("round %d: the refused file was changed", i)
			}
			refused++
			continue
		}
		if err := use(j); err != nil {
			later++
			var damaged *DamagedError
			var refused *errTransition // an entry that the index has and the tree has not
			if !errors.As(err, &damaged) && !errors.As(err, &refused) && j.Trouble() == nil {
				t.Errorf("round %d: %v, and the journal says nothing", i, err)
			}
		}
		_ = j.Close() // it may say that it is damaged
	}
	t.Logf("%d damaged files: %d refused at the start, %d later, %d without consequence", rounds, refused, later, rounds-refused-later)
	if refused == 0 || later == 0 {
		t.Error("the damage does not show")
	}
}

// TestAFileThatIsCutShortWhileItIsOpenIsAnError: the map over it then faults, which must not end the process.
func TestAFileThatIsCutShortWhileItIsOpenIsAnError(t *testing.T) {
	state, _ := filled(t)
	j, err := Open(state, Options{})
	must(t, err)
	must(t, os.Truncate(filepath.Join(state, File), 8<<10))
	var damaged *DamagedError
	if err := use(j); !errors.As(err, &damaged) {
		t.Errorf("reading gave %v", err)
	}
	if err := j.Add([]*Entry{sample(1, 77)}); err == nil {
		t.Error("it took an entry")
	}
	if !errors.As(j.Trouble(), &damaged) {
		t.Errorf("Trouble says %v", j.Trouble())
	}
	if err := j.Close(); !errors.As(err, &damaged) { // and it does not hang
		t.Errorf("Close says %v", err)
	}
}

func TestAnEmptyFileIsNoNewJournal(t *testing.T) {
	state := t.TempDir()
	must(t, os.WriteFile(filepath.Join(state, File), nil, 0o600))
	var damaged *DamagedError
	if _, err := Open(state, Options{}); !errors.As(err, &damaged) {
		t.Errorf("got %v", err)
	}
	if info, err := os.Stat(filepath.Join(state, File)); err != nil || info.Size() != 0 {
		t.Errorf("the file is %v, %v", info, err)
	}
}

// TestAMissingPartIsDamageAtTheStart, and not at the first change that needs it.
func TestAMissingPartIsDamageAtTheStart(t *testing.T) {
	whole, _ := filled(t)
	data, err := os.ReadFile(filepath.Join(whole, File))
	must(t, err)
	for _, name := range allBuckets {
		state := t.TempDir()
		must(t, os.WriteFile(filepath.Join(state, File), data, 0o600))
		raw(t, state, func(tx *bbolt.Tx) error { return tx.DeleteBucket(name) })
		var damaged *DamagedError
		if j, err := Open(state, Options{}); !errors.As(err, &damaged) {
			t.Errorf("without %s it gives %v, %v", name, j, err)
		}
	}
}

// TestADamagedJournalIsKeptAsideAndRefilled is the way back that its refusal names.
func TestADamagedJournalIsKeptAsideAndRefilled(t *testing.T) {
	state := t.TempDir()
	bad := []byte("no journal at all, but somebody's only copy")
	must(t, os.WriteFile(filepath.Join(state, File), bad, 0o600))
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	aside, err := SetAside(state, now)
	must(t, err)
	if kept, err := os.ReadFile(aside); err != nil || string(kept) != string(bad) || aside != filepath.Join(state, "journal.db.damaged-20260304T050607Z") {
		t.Errorf("%s holds %q, %v", aside, kept, err)
	}
	j := open(t, state, Options{})
	if c := j.Counts(); c.Files != [len(States) + 1]int64{} {
		t.Errorf("the new one holds %+v", c)
	}
}

// TestAJournalInUseIsNotSetAside: its process would go on writing into the damaged one.
func TestAJournalInUseIsNotSetAside(t *testing.T) {
	state, _ := filled(t)
	for _, readOnly := range []bool{false, true} {
		j, err := Open(state, Options{ReadOnly: readOnly})
		must(t, err)
		var locked *LockedError
		if _, err := SetAside(state, time.Now()); !errors.As(err, &locked) || locked.PID != os.Getpid() {
			t.Errorf("got %v", err)
		}
		must(t, j.Close())
	}
	if _, err := os.Stat(filepath.Join(state, File)); err != nil {
		t.Error(err)
	}
}

func receiptOf(path string, size int64, at time.Time) *receipt.Receipt {
	return &receipt.Receipt{
		Schema: receipt.Schema, Bucket: "b", Key: "p" + path, Size: size, CRC64NVME: receipt.FormatCRC(7), ETag: `"e"`, VersionID: "v1",
		Evidence: receipt.Answered, Echoed: true, SourcePath: path, MTime: at, SentAt: at.Add(time.Minute), RequestID: "R",
	}
}

func TestImportedReceiptsAreFoundByTheirFile(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	r := receiptOf("/out/a/b", 10, at)
	for _, want := range []int{1, 0} { // one is enough, and a second time it is known
		if n, err := j.Import([]*receipt.Receipt{r, r}); err != nil || n != want {
			t.Fatalf("%d imported, %v", n, err)
		}
	}
	id := Identity{Size: 10, Sec: at.Unix(), Nsec: 678, Dev: 3, Inode: 4}
	for name, other := range map[string]Identity{
		"another size": {Size: 11, Sec: id.Sec, Nsec: id.Nsec}, "another time": {Size: 10, Sec: id.Sec, Nsec: 679},
	} {
		if e, err := j.Imported("b", "/out/a/b", other); err != nil || e != nil {
			t.Errorf("%s: found %+v, %v", name, e, err)
		}
	}
	e, err := j.Imported("b", "/out/a/b", id)
	if err != nil || e == nil {
		t.Fatal(e, err)
	}
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	must(t, j.Adopt(e, route, "a/b", id))
	marks, err := j.Marks(route, []string{"a/b"}, nil)
	if err != nil || !marks[0].Same(id) {
		t.Errorf("marks %+v, %v", marks, err)
	}
	if has, err := j.HasImports(); err != nil || has {
		t.Errorf("it still waits for its file: %v", err)
	}
	var back []receipt.Receipt
	must(t, j.Receipts(time.Time{}, func(r *receipt.Receipt) error { back = append(back, *r); return nil }))
	if len(back) != 1 || back[0] != *r {
		t.Errorf("exported again: %+v, want %+v", back, *r)
	}
}

// TestAnImportSettlesWhatWasAcceptedSinceTheMemoryWasLost: after the guard stopped a young journal, it holds every
// file of the outbox as pending, some of them after a conflict.
func TestAnImportSettlesWhatWasAcceptedSinceTheMemoryWasLost(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	file := func(path string, size int64) *Entry {
		return &Entry{State: Pending, Route: route, Path: path, Added: 1, Identity: Identity{Size: size, Sec: at.Unix(), Nsec: 678, Dev: 1, Inode: 2}}
	}
	waits, conflict, newer, unknown := file("waits", 1), file("conflict", 2), file("newer", 3), file("unknown", 4)
	must(t, j.Add([]*Entry{waits, conflict, newer, unknown}))
	conflict.State, conflict.Key, conflict.Attempts = Sending, "p/conflict", 1
	must(t, j.Save(conflict))
	conflict.State, conflict.Conflict, conflict.PreconditionFailed = Quarantined, true, true
	conflict.Reason = Reason{Code: "conflict"}
	must(t, j.Save(conflict))
	n, err := j.Import([]*receipt.Receipt{receiptOf("/out/waits", 1, at), receiptOf("/out/conflict", 2, at), receiptOf("/out/newer", 99, at)})
	if err != nil || n != 3 {
		t.Fatalf("%d imported, %v", n, err)
	}
	for path, want := range map[string]State{"waits": Settled, "conflict": Settled, "newer": Pending, "unknown": Pending} {
		marks, err := j.Marks(route, []string{path}, nil)
		must(t, err)
		e, err := j.Get(marks[0].Seq)
		must(t, err)
		if e == nil || e.State != want {
			t.Errorf("%s is %+v, want %s", path, e, want)
		}
		if want == Settled && (e.Inode != 2 || e.Proof.VersionID != "v1") {
			t.Errorf("%s is %+v", path, e)
		}
	}
	if c := j.Counts(); c.Files[Settled] != 3 || c.Files[Pending] != 2 || c.Files[Quarantined] != 0 {
		t.Errorf("counts %+v", c)
	}
}

// TestReceiptsSince: the export's --since.
func TestReceiptsSince(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var list []*receipt.Receipt
	for i := range 2500 {
		r := receiptOf("/out/"+string(rune('a'+i%26))+time.Duration(i).String(), 1, at.Add(time.Duration(i)*time.Minute))
		list = append(list, r)
	}
	_, err := j.Import(list)
	must(t, err)
	for since, want := range map[time.Time]int{{}: 2500, list[1000].SentAt: 1500, list[2499].SentAt.Add(1): 0} {
		n := 0
		must(t, j.Receipts(since, func(*receipt.Receipt) error { n++; return nil }))
		if n != want {
			t.Errorf("since %v: %d, want %d", since, n, want)
		}
	}
}

// drawn is any entry that can be saved.
func drawn(t *rapid.T) *Entry {
	text := rapid.String()
	e := &Entry{
		Seq: rapid.Uint64().Draw(t, "seq"), State: rapid.SampledFrom(States[:]).Draw(t, "state"),
		Route: RouteID(rapid.Uint16().Draw(t, "route")), Path: string(rapid.SliceOf(rapid.Byte()).Draw(t, "path")),
		Identity: Identity{
			Size: rapid.Int64Min(0).Draw(t, "size"), Sec: rapid.Int64().Draw(t, "sec"), Nsec: rapid.Int32Range(0, 999_999_999).Draw(t, "nsec"),
			Dev: rapid.Uint64().Draw(t, "dev"), Inode: rapid.Uint64().Draw(t, "inode"),
		},
		Added: rapid.Int64().Draw(t, "added"), Key: text.Draw(t, "key"), Attempts: rapid.Uint32().Draw(t, "attempts"), Tries: rapid.Uint32().Draw(t, "tries"),
		Attempting: rapid.Bool().Draw(t, "attempting"), OutcomeUnknown: rapid.Bool().Draw(t, "maybe"), PreconditionFailed: rapid.Bool().Draw(t, "refused"),
		Conflict: rapid.Bool().Draw(t, "conflict"), Suffixed: rapid.Bool().Draw(t, "suffixed"),
	}
	if rapid.Bool().Draw(t, "multipart") {
		e.Multipart = &Multipart{ID: text.Draw(t, "id"), PartSize: rapid.Int64Min(0).Draw(t, "part size"), Completing: rapid.Bool().Draw(t, "completing")}
	}
	if rapid.Bool().Draw(t, "reason") {
		e.Reason = Reason{Code: rapid.StringN(1, 20, -1).Draw(t, "code"), Detail: text.Draw(t, "detail"), At: rapid.Int64().Draw(t, "at")}
	}
	if rapid.Bool().Draw(t, "proof") {
		e.Proof = &Proof{
			CRC64: rapid.Uint64().Draw(t, "crc"), SHA256: text.Draw(t, "sha"), ETag: text.Draw(t, "etag"), VersionID: text.Draw(t, "version"),
			Evidence: rapid.SampledFrom([]receipt.Evidence{receipt.Answered, receipt.Inferred}).Draw(t, "evidence"),
			Echoed:   rapid.Bool().Draw(t, "echoed"), SentAt: rapid.Int64().Draw(t, "sent"), RequestID: text.Draw(t, "request"),
		}
	}
	return e
}

func TestAnEntryComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawn(t)
		rec := e.encode(nil)
		got, err := decode(e.Seq, rec)
		if err != nil {
			t.Fatal(err)
		}
		if again := got.encode(nil); string(again) != string(rec) || got.Path != e.Path || got.Identity != e.Identity || got.State != e.State {
			t.Fatalf("got %+v, want %+v", got, e)
		}
		at := rapid.IntRange(0, len(rec)-1).Draw(t, "at")
		rec[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := decode(e.Seq, rec); err == nil {
			t.Fatalf("a flipped bit in byte %d went unnoticed", at)
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add((&Entry{State: Settled, Path: "a", Key: "k", Proof: proof(), Multipart: &Multipart{ID: "u"}, Reason: Reason{Code: "c"}}).encode(nil))
	f.Add((&Entry{State: Pending}).encode(nil))
	f.Fuzz(func(t *testing.T, rec []byte) {
		if len(rec) < headLen+tailLen {
			return
		}
		if e, err := decodeBody(1, rec[:len(rec)-tailLen]); err == nil { // past the checksum, which would hide all
			back, err := decode(1, e.encode(nil))
			if err != nil || string(back.encode(nil)) != string(e.encode(nil)) {
				t.Errorf("%+v does not come back: %v", e, err)
			}
		}
		_, _ = decodePart(1, rec)
		_, _ = decodeMark(rec)
	})
}
