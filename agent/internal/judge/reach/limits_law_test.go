package reach

import (
	"slices"
	"testing"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/policy"
)

// TestNobodyWithABoundaryIsSpared: whom a Deny with NotPrincipal names makes no
// difference to a principal that has a boundary.
func TestNobodyWithABoundaryIsSpared(t *testing.T) {
	var n tally
	denied := 0
	for seed := range uint64(cases()) {
		c := judgetest.Seeded(seed + 6_000_000)
		set := judgetest.Small(c)
		set.Sources = append(slices.Clip(set.Sources), judgetest.More(c, set, policy.Boundary), judgetest.More(c, set, policy.BucketPolicy))
		sparing := &set.Sources[len(set.Sources)-1].Document.Statements[0]
		sparing.Effect, sparing.NotPrincipal = policy.Deny, true
		spared := *set
		spared.Sources = slices.Clone(set.Sources)
		last := &spared.Sources[len(spared.Sources)-1]
		document := *last.Document
		document.Statements = slices.Clone(document.Statements)
		document.Statements[0].Principals = judgetest.Others(c, set)
		last.Document = &document
		space := NewSpace()
		before := New(set, Options{Now: judgetest.Now, Budget: lawBudget, Space: space})
		after := New(&spared, Options{Now: judgetest.Now, Budget: lawBudget, Space: space})
		n.cases++
		for _, action := range askedActions {
			q := Question{Actions: []string{action}}
			was, is := before.Find(q), after.Find(q)
			if n.asked++; overBudget(was) || overBudget(is) {
				n.over++
			} else if was.Kind != is.Kind {
				t.Fatalf("seed %d: %s was %d and is %d\n%s\n%s", seed, action, was.Kind, is.Kind, describe(set), describe(&spared))
			}
		}
		for range 10 {
			r := decide.Request(judgetest.Request(c, set))
			was, is := decide.Decide(set, r), decide.Decide(&spared, r)
			if was.Outcome != is.Outcome {
				t.Fatalf("seed %d: %+v was %v and is %v\n%s\n%s", seed, r, was.Outcome, is.Outcome, describe(set), describe(&spared))
			}
			if is.Outcome == decide.ExplicitDeny {
				denied++
			}
		}
	}
	n.done(t)
	if denied < n.cases/10 {
		t.Errorf("only %d requests were denied", denied)
	}
}

// TestWhatOthersOwnIsTheWorstItMayBe: what another account may have written about its
// resource answers no question that not knowing it closes.
func TestWhatOthersOwnIsTheWorstItMayBe(t *testing.T) {
	var n tally
	found := 0
	for seed := range uint64(cases()) {
		c := judgetest.Seeded(seed + 7_000_000)
		set := judgetest.Small(c)
		theirs := judgetest.Foreign(c, set)
		set.Sources = slices.DeleteFunc(slices.Clone(set.Sources), func(src policy.Source) bool {
			return src.Kind == theirs.Kind && src.Attached == theirs.Attached
		})
		more := *set
		more.Sources = append(slices.Clip(set.Sources), theirs)
		space := NewSpace()
		before := New(set, Options{Now: judgetest.Now, Budget: lawBudget, Space: space})
		after := New(&more, Options{Now: judgetest.Now, Budget: lawBudget, Space: space})
		n.cases++
		for _, action := range askedActions {
			q := Question{Actions: []string{action}}
			was, is := before.Find(q), after.Find(q)
			if n.asked++; overBudget(was) || overBudget(is) {
				n.over++
				continue
			}
			if is.Kind == Found {
				found++
			}
			if is.Kind != Nothing && was.Kind == Nothing {
				t.Fatalf("seed %d: %s was %d and is %d with their %s:\n%s\nof\n%s", seed, action, was.Kind, is.Kind, theirs.Kind, theirs.Document.JSON(), describe(set))
			}
		}
	}
	n.done(t)
	if found < n.asked/20 {
		t.Errorf("only %d of %d questions found something", found, n.asked)
	}
}
