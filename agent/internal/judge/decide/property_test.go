package decide_test

import (
	"slices"
	"testing"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/policy"

	"pgregory.net/rapid"
)

func TestGeneratedRequestsAreDecidedOneWayOrTheOther(t *testing.T) {
	counts := make(map[decide.Outcome]int)
	for seed := range uint64(2000) {
		c := judgetest.Seeded(seed)
		set := judgetest.Set(c)
		e := decide.New(set)
		for range 10 {
			req := decide.Request(judgetest.Request(c, set))
			got := e.Decide(req)
			counts[got.Outcome]++
			if again := decide.Decide(set, req); again.Outcome != got.Outcome {
				t.Fatalf("%v, then %v", got, again)
			}
		}
	}
	t.Log(counts)
	for _, o := range []decide.Outcome{decide.Allowed, decide.ExplicitDeny, decide.ImplicitDeny} {
		if counts[o] < 1000 {
			t.Errorf("only %d requests ended in %v: the generator has grown blind", counts[o], o)
		}
	}
}

// order ranks outcomes by how much they let through.
func order(o decide.Outcome) int {
	return map[decide.Outcome]int{decide.ExplicitDeny: 0, decide.ImplicitDeny: 0, decide.Unclear: 1, decide.Allowed: 2}[o]
}

func TestAnotherAllowTakesNothingAwayAndAnotherDenyGivesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := judgetest.Rapid(t)
		set := judgetest.Set(c)
		req := decide.Request(judgetest.Request(c, set))
		before := decide.Decide(set, req).Outcome
		doc := set.Sources[c.IntN(len(set.Sources))].Document
		added := doc.Statements[c.IntN(len(doc.Statements))]
		more := judgetest.Set(c) // of the same kind of principal, or not
		for _, src := range more.Sources {
			for _, st := range src.Document.Statements {
				if len(st.Principals) == len(added.Principals) && len(st.Resources) > 0 == (len(added.Resources) > 0) {
					added = st
				}
			}
		}
		kept := doc.Statements
		for _, effect := range []policy.Effect{policy.Allow, policy.Deny} {
			added.Effect = effect
			doc.Statements = append(kept[:len(kept):len(kept)], added)
			after := decide.Decide(set, req).Outcome
			if effect == policy.Allow && order(after) < order(before) || effect == policy.Deny && order(after) > order(before) {
				t.Fatalf("%v, and with one more (effect %d) %v", before, effect, after)
			}
		}
	})
}

func TestTheOrderOfDocumentsAndStatementsMeansNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := judgetest.Rapid(t)
		set := judgetest.Set(c)
		req := decide.Request(judgetest.Request(c, set))
		before := decide.Decide(set, req).Outcome
		slices.Reverse(set.Sources)
		for _, src := range set.Sources {
			slices.Reverse(src.Document.Statements)
			for i := range src.Document.Statements {
				st := &src.Document.Statements[i]
				slices.Reverse(st.Actions)
				slices.Reverse(st.Resources)
				slices.Reverse(st.Principals)
				slices.Reverse(st.Conditions)
			}
		}
		if after := decide.Decide(set, req).Outcome; after != before {
			t.Fatalf("%v, and the other way round %v", before, after)
		}
	})
}

func TestALimitOnlyTakesAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := judgetest.Rapid(t)
		set := judgetest.Set(c)
		req := decide.Request(judgetest.Request(c, set))
		before := decide.Decide(set, req).Outcome
		all := set.Sources
		for i, src := range all {
			switch src.Kind {
			case policy.Boundary, policy.Session, policy.RCP:
				set.Sources = slices.Delete(slices.Clone(all), i, i+1)
				if after := decide.Decide(set, req).Outcome; order(after) < order(before) {
					t.Fatalf("%v, and without the %s %v", before, src.Kind, after)
				}
			default:
			}
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	c := judgetest.Seeded(7)
	set := judgetest.Set(c)
	e := decide.New(set)
	req := decide.Request(judgetest.Request(c, set))
	for b.Loop() {
		e.Decide(req)
	}
}

func BenchmarkGenerate(b *testing.B) {
	c := judgetest.Seeded(7)
	for b.Loop() {
		set := judgetest.Set(c)
		e := decide.New(set)
		for range 20 {
			e.Decide(decide.Request(judgetest.Request(c, set)))
		}
	}
}
