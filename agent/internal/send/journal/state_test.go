package journal

import (
	"errors"
	"slices"
	"testing"
)

// reach brings a fresh entry of one path to a state, by legal steps.
func reach(t *testing.T, j *Journal, route RouteID, n int, to State) *Entry {
	t.Helper()
	e := sample(route, n)
	must(t, j.Add([]*Entry{e}))
	if to == Pending {
		return e
	}
	if to == Quarantined {
		e.State, e.Reason = Quarantined, Reason{Code: "unreadable"}
		must(t, j.Save(e))
		return e
	}
	e.State, e.Key, e.Attempts = Sending, "p/"+e.Path, 1
	must(t, j.Save(e))
	if to == Sending {
		return e
	}
	e.State, e.Proof = Sent, proof()
	must(t, j.Save(e))
	if to == Settled {
		e.State = Settled
		must(t, j.Save(e))
	}
	return e
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// legalAgain is the table of transitions, written out a second time.
var legalAgain = []struct {
	from State
	to   []State
}{
	{Pending, []State{Pending, Sending, Quarantined}},
	{Sending, []State{Pending, Sending, Sent, Settled, Quarantined}},
	{Sent, []State{Settled}},
	{Settled, []State{Settled}},
	{Quarantined, []State{Quarantined, Pending}},
}

func TestOnlyLegalTransitionsAreAccepted(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	n := 0
	for _, row := range legalAgain {
		for _, to := range States {
			n++
			e := reach(t, j, route, n, row.from)
			was, err := j.Get(e.Seq)
			must(t, err)
			e.State, e.Reason, e.Attempting = to, Reason{Code: "conflict"}, false
			e.Key, e.Attempts = "p/"+e.Path, 1
			if to == Sent || to == Settled {
				e.Proof = proof()
			}
			err = j.Save(e)
			if want := slices.Contains(row.to, to); (err == nil) != want {
				t.Errorf("%s → %s: %v, want accepted %v", row.from, to, err, want)
			}
			is, getErr := j.Get(e.Seq)
			must(t, getErr)
			if err != nil && is.State != was.State {
				t.Errorf("%s → %s was refused and left %s", row.from, to, is.State)
			}
		}
		n++
		e := reach(t, j, route, n, row.from)
		if err, want := j.Forget(e), row.from != Sent; (err == nil) != want {
			t.Errorf("%s is forgotten: %v, want accepted %v", row.from, err, want)
		}
	}
	if len(legalAgain) != len(States) {
		t.Error("a state is not in the table")
	}
}

func TestAStateWithoutItsProofOrReasonIsRefused(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	for name, change := range map[string]func(*Entry){
		"sending without a key":         func(e *Entry) { e.State, e.Key = Sending, "" },
		"sending without an attempt":    func(e *Entry) { e.State, e.Attempts = Sending, 0 },
		"sent without a receipt":        func(e *Entry) { e.State, e.Proof = Sent, nil },
		"settled without a receipt":     func(e *Entry) { e.State, e.Proof = Settled, nil },
		"quarantined without a reason":  func(e *Entry) { e.State, e.Reason = Quarantined, Reason{} },
		"pending and under way":         func(e *Entry) { e.State, e.Attempting = Pending, true },
		"a state that there is not":     func(e *Entry) { e.State = 99 },
		"forgotten in place of removed": func(e *Entry) { e.State = none },
	} {
		t.Run(name, func(t *testing.T) {
			e := reach(t, j, route, len(name), Sending)
			change(e)
			var refused *errTransition
			if err := j.Save(e); !errors.As(err, &refused) {
				t.Errorf("got %v", err)
			}
		})
	}
	if err := j.Add([]*Entry{{State: Sending, Key: "k", Attempts: 1, Path: "x"}}); err == nil {
		t.Error("a file was accepted as sending")
	}
	if j.Trouble() != nil {
		t.Errorf("a fault of the program broke the journal: %v", j.Trouble())
	}
}
