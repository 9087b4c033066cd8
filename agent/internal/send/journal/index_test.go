package journal

import (
	"errors"
	"testing"
	"time"

	"buzon/agent/internal/send/receipt"
)

func TestAFileIsAcceptedOnlyAsWhatItCanBe(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	for i, c := range []struct {
		as State
		ok bool
	}{{Pending, true}, {Sending, false}, {Sent, false}, {Settled, true}, {Quarantined, true}} {
		e := sample(route, i)
		e.State, e.Key, e.Attempts, e.Proof, e.Reason = c.as, "p/"+e.Path, 1, proof(), Reason{Code: "name"}
		var refused *errTransition
		if err := j.Add([]*Entry{e}); (err == nil) != c.ok || err != nil && !errors.As(err, &refused) {
			t.Errorf("accepted as %s: %v", c.as, err)
		}
	}
}

// TestWhatWasForgottenDoesNotComeBack, by a change that somebody still had in hand.
func TestWhatWasForgottenDoesNotComeBack(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	for i, state := range []State{Pending, Settled, Quarantined} {
		e := reach(t, j, route, i, state)
		must(t, j.Forget(e))
		for what, change := range map[string]func(*Entry) error{"saved": j.Save, "renewed": j.Renew, "forgotten again": j.Forget} {
			var refused *errTransition
			if err := change(e); !errors.As(err, &refused) {
				t.Errorf("%s, forgotten and %s: %v", state, what, err)
			}
		}
	}
	if c := j.Counts(); c.Files != [len(States) + 1]int64{} {
		t.Errorf("counts %+v", c)
	}
}

// TestAKeyBelongsToItsNewestReceipt, whatever becomes of the entry that had it before.
func TestAKeyBelongsToItsNewestReceipt(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	both := []*Entry{reach(t, j, route, 1, Sending), reach(t, j, route, 2, Sending)}
	for _, e := range both {
		e.State, e.Key, e.Proof = Settled, "p/same", proof()
		must(t, j.Save(e))
	}
	older, newer := both[0], both[1]
	older.Inode++
	for _, step := range []struct {
		what   string
		change func(*Entry) error
	}{{"renewed", j.Renew}, {"forgotten", j.Forget}} {
		must(t, step.change(older))
		if e, err := j.ByKey("b", "p/same"); err != nil || e == nil || e.Seq != newer.Seq {
			t.Errorf("the older one was %s, and the key names %+v, %v", step.what, e, err)
		}
	}
	must(t, j.Forget(newer))
	if e, err := j.ByKey("b", "p/same"); err != nil || e != nil {
		t.Errorf("both are forgotten, and the key names %+v, %v", e, err)
	}
}

// TestPartsGoWithTheirUpload: those of an upload that vanished are not taken for the next one's.
func TestPartsGoWithTheirUpload(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	e, other := reach(t, j, route, 1, Sending), reach(t, j, route, 2, Sending)
	for _, e := range []*Entry{e, other} {
		e.Multipart = &Multipart{ID: "u", PartSize: 5 << 20}
		must(t, j.Save(e))
		for n := range int32(3) {
			must(t, j.SavePart(e, Part{Number: n + 1, Size: 5 << 20, ETag: "x", CRC64: uint64(n)}))
		}
	}
	must(t, j.Save(e))
	if parts, err := j.Parts(e); err != nil || len(parts) != 3 {
		t.Errorf("while it goes on there are parts %+v, %v", parts, err)
	}
	e.Multipart = nil
	must(t, j.Save(e))
	if parts, err := j.Parts(e); err != nil || len(parts) != 0 {
		t.Errorf("the upload is gone, and there are parts %+v, %v", parts, err)
	}
	if parts, err := j.Parts(other); err != nil || len(parts) != 3 {
		t.Errorf("the other upload has parts %+v, %v", parts, err)
	}
}

// TestOneOfTwoReceiptsOfAFileMayBeForgotten: a file that was sent under two keys.
func TestOneOfTwoReceiptsOfAFileMayBeForgotten(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	first, second := receiptOf("/out/a", 10, at), receiptOf("/out/a", 10, at)
	second.Key = "p/out/a.~2"
	n, err := j.Import([]*receipt.Receipt{first, second})
	if err != nil || n != 2 {
		t.Fatalf("%d imported, %v", n, err)
	}
	e, err := j.ByKey("b", first.Key)
	must(t, err)
	must(t, j.Forget(e))
	if e, err := j.Imported("b", "/out/a", Identity{Size: 10, Sec: at.Unix()}); err != nil || e == nil || e.Key != second.Key {
		t.Errorf("the file's receipt is %+v, %v", e, err)
	}
}
