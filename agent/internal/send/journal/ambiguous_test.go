package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"buzon/agent/internal/send/receipt"
)

// taken asks for one key in bucket b.
func taken(j *Journal, key string, seq uint64) (bool, error) {
	by, err := j.KeyInUse("b", Claim{Key: key, Seq: seq})
	return err == nil && by[0], err
}

// toFormat2 writes a journal as format 2 was: only receipts in the index of keys, and no ambiguous ones.
func toFormat2(t *testing.T, state string) {
	raw(t, state, func(tx *bbolt.Tx) error {
		keys := tx.Bucket(keysBucket)
		var unproven [][]byte
		err := keys.ForEach(func(k, seq []byte) error {
			e, err := get(tx, binary.BigEndian.Uint64(seq))
			if err == nil && e.Proof == nil {
				unproven = append(unproven, append([]byte(nil), k...))
			}
			return err
		})
		for _, k := range unproven {
			err = errors.Join(err, keys.Delete(k))
		}
		return errors.Join(err, tx.DeleteBucket(ambiguousBucket), tx.Bucket(metaBucket).Put(versionKey, binary.BigEndian.AppendUint32(nil, 2)))
	})
}

func TestAMigrationFindsWhatIsInDoubt(t *testing.T) {
	state := t.TempDir()
	j, err := Open(state, Options{})
	must(t, err)
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	at := func(n int, key string, change func(*Entry)) *Entry {
		e := sample(route, n)
		must(t, j.Add([]*Entry{e}))
		e.State, e.Key, e.Attempts = Sending, key, 1
		change(e)
		must(t, j.Save(e))
		return e
	}
	alone := at(1, "alone", func(e *Entry) { e.Attempting = true })
	aside := at(2, "aside", func(e *Entry) { e.OutcomeUnknown, e.State, e.Reason = true, Quarantined, Reason{Code: "denied"} })
	at(3, "failed", func(*Entry) {})
	one := at(4, "both", func(e *Entry) { e.OutcomeUnknown = true })
	two := at(5, "both", func(e *Entry) { e.OutcomeUnknown = true })
	must(t, j.Close())
	toFormat2(t, state)
	j = open(t, state, Options{})
	for _, c := range []struct {
		key   string
		seq   uint64
		taken bool
	}{
		{"alone", alone.Seq, false}, {"alone", 99, true}, {"aside", aside.Seq, false}, {"aside", 99, true}, {"failed", 99, false},
		{"both", one.Seq, true}, {"both", two.Seq, true},
	} {
		if taken, err := taken(j, c.key, c.seq); err != nil || taken != c.taken {
			t.Errorf("%s for entry %d: taken %t (%v)", c.key, c.seq, taken, err)
		}
	}
}

// TestAnImportKeepsTheDoubtOfWhatItSettles: the receipt is of another key than the one where the file's object may be.
func TestAnImportKeepsTheDoubtOfWhatItSettles(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	e := &Entry{State: Pending, Route: route, Path: "a", Added: 1, Identity: Identity{Size: 1, Sec: at.Unix(), Nsec: 678}}
	must(t, j.Add([]*Entry{e}))
	e.State, e.Key, e.Attempts, e.Attempting = Sending, "p/a", 1, true
	must(t, j.Save(e))
	r := receiptOf("/out/a", 1, at)
	r.Key = "p/a.~20260102T030405Z-00000000"
	if n, err := j.Import([]*receipt.Receipt{r}); err != nil || n != 1 {
		t.Fatalf("%d imported, %v", n, err)
	}
	if taken, err := taken(j, "p/a", 99); err != nil || !taken {
		t.Errorf("taken %t (%v)", taken, err)
	}
}

func TestDoubtsEndWithTheirTime(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	j := open(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	for i := range 3 {
		e := sample(route, i)
		must(t, j.Add([]*Entry{e}))
		e.State, e.Key, e.Attempts, e.Attempting = Sending, fmt.Sprint(i), 1, true
		must(t, j.Save(e))
		must(t, j.Forget(e))
		now = now.Add(time.Hour)
	}
	if n, err := j.ExpireAmbiguousKeys(now.Add(-90 * time.Minute)); err != nil || n != 2 {
		t.Errorf("%d ambiguous keys are forgotten (%v), want 2", n, err)
	}
	for i, want := range []bool{false, false, true} {
		if taken, err := taken(j, fmt.Sprint(i), 99); err != nil || taken != want {
			t.Errorf("key %d: taken %t (%v)", i, taken, err)
		}
	}
}

// attempts is what some versions of some files did at some keys, as it was.
type attempts struct {
	j       *Journal
	route   RouteID
	entries []*Entry                  // in the journal, without a receipt
	version map[uint64]int            // of an entry: another one after a renewal
	at      map[string]map[string]int // key → who may have an object there: "seq/version" → how often seen
	known   map[string]bool           // keys with a receipt
	shared  map[string]bool           // keys that more than one was at, or that one left ambiguous: they may stay taken for nothing
}

func (a *attempts) who(e *Entry) string { return fmt.Sprintf("%d/%d", e.Seq, a.version[e.Seq]) }

func (a *attempts) mark(e *Entry) {
	if a.at[e.Key] == nil {
		a.at[e.Key] = map[string]int{}
	}
	a.at[e.Key][a.who(e)]++
	a.shared[e.Key] = a.shared[e.Key] || len(a.at[e.Key]) > 1
}

// left notes that somebody who may have an object at a key is not known there any more.
func (a *attempts) left(key string, e *Entry) {
	a.at[key]["left by "+a.who(e)]++
	a.shared[key] = true
}

// TestAKeyIsTakenWhileAnyOtherObjectMayStandThere draws what entries may do, and holds KeyInUse against what they did.
func TestAKeyIsTakenWhileAnyOtherObjectMayStandThere(t *testing.T) {
	keys := []string{"p/a", "p/b", "p/c"}
	dir := 0
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		dir++
		j, err := Open(fmt.Sprintf("%s/%d", root, dir), Options{})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = j.Close() }()
		j.db.NoSync = true // what a crash leaves is other tests' matter
		a := &attempts{j: j, version: map[uint64]int{}, at: map[string]map[string]int{}, known: map[string]bool{}, shared: map[string]bool{}}
		if a.route, err = j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"}); err != nil {
			rt.Fatal(err)
		}
		n := 0
		ok := func(err error) {
			rt.Helper()
			if err != nil {
				rt.Fatal(err)
			}
		}
		one := func(rt *rapid.T) *Entry {
			if len(a.entries) == 0 {
				rt.Skip("no entry")
			}
			return rapid.SampledFrom(a.entries).Draw(rt, "entry")
		}
		drop := func(e *Entry) {
			a.entries = slices.DeleteFunc(a.entries, func(other *Entry) bool { return other == e })
		}
		rt.Repeat(map[string]func(*rapid.T){
			"accept": func(*rapid.T) {
				n++
				e := sample(a.route, n)
				ok(j.Add([]*Entry{e}))
				a.entries = append(a.entries, e)
			},
			"attempt": func(rt *rapid.T) {
				e := one(rt)
				if e.Key == "" {
					e.Key = rapid.SampledFrom(keys).Draw(rt, "key")
				}
				e.State, e.Attempting, e.Attempts = Sending, true, e.Attempts+1
				ok(j.Save(e))
				a.mark(e)
			},
			"lose the answer": func(rt *rapid.T) {
				if e := one(rt); e.Attempting {
					e.Attempting, e.OutcomeUnknown = false, true
					ok(j.Save(e))
				}
			},
			"be told that nothing was stored": func(rt *rapid.T) {
				if e := one(rt); e.Attempting {
					e.Attempting = false
					ok(j.Save(e))
					if !e.OutcomeUnknown && !e.PreconditionFailed {
						delete(a.at[e.Key], a.who(e))
					}
				}
			},
			"be refused, and go on under a suffix": func(rt *rapid.T) {
				e := one(rt)
				if !e.Attempting || e.Suffixed {
					return
				}
				e.Attempting, e.PreconditionFailed = false, true
				ok(j.Save(e))
				old := e.Key
				e.Key, e.Suffixed, e.OutcomeUnknown, e.PreconditionFailed, e.State = fmt.Sprintf("%s~%d", old, e.Seq), true, false, false, Pending
				ok(j.Save(e))
				a.left(old, e)
			},
			"get a receipt": func(rt *rapid.T) {
				e := one(rt)
				if !e.Attempting || a.known[e.Key] {
					return
				}
				e.State, e.Attempting, e.Proof = Settled, false, proof()
				ok(j.Save(e))
				a.known[e.Key] = true
				drop(e)
			},
			"change": func(rt *rapid.T) {
				old := one(rt)
				if old.Key != "" && (old.Attempting || old.OutcomeUnknown || old.PreconditionFailed) {
					a.left(old.Key, old)
				}
				e := sample(a.route, 0)
				e.Seq, e.Path = old.Seq, old.Path
				ok(j.Renew(e))
				a.version[e.Seq]++
				drop(old)
				a.entries = append(a.entries, e)
			},
			"go": func(rt *rapid.T) {
				e := one(rt)
				ok(j.Forget(e))
				drop(e)
			},
			"go without having left": func(rt *rapid.T) {
				e := one(rt)
				if !e.Attempting {
					return
				}
				e.Attempting = false // taken back, in memory only
				ok(j.Forget(e))
				if !e.OutcomeUnknown && !e.PreconditionFailed {
					delete(a.at[e.Key], a.who(e))
				}
				drop(e)
			},
			"": func(rt *rapid.T) {
				for key, by := range a.at {
					for _, e := range a.entries {
						others := len(by)
						if by[a.who(e)] > 0 {
							others--
						}
						if taken, err := taken(j, key, e.Seq); err != nil || taken != (others > 0) && (!taken || !a.shared[key]) {
							rt.Fatalf("%s for %s: taken %t (%v); there may be %v", key, a.who(e), taken, err, by)
						}
					}
				}
				if err := j.Check(); err != nil {
					rt.Fatal(err)
				}
			},
		})
	})
}
