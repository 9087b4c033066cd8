package reach

import (
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/policy"
)

// cases is how many small sets a law is held against.
func cases() int {
	switch {
	case longRun():
		return 10_000
	case testing.Short():
		return 150
	}
	return 500
}

// lawBudget is what a small set may cost; what is over it proves nothing.
var lawBudget = Budget{States: 2_000, Boxes: 300}

// tally counts what a law met.
type tally struct{ cases, asked, over int }

func (n *tally) done(t *testing.T) {
	t.Helper()
	t.Logf("%d cases, %d questions, %d of them over budget", n.cases, n.asked, n.over)
	if n.over > n.asked/20 {
		t.Errorf("%d of %d questions are over budget: the law has grown blind", n.over, n.asked)
	}
}

func overBudget(a Answer) bool {
	return slices.ContainsFunc(a.Doubts, func(d Doubt) bool { return d.Reason == OverBudget })
}

// TestMoreIsNeverSafer: a further Allow, wherever it stands, takes nothing away that
// was allowed, and closes no question but by allowing what it asks for. A first
// trust policy or key policy answers for STS's or KMS's calls on its resource, and
// for these alone.
func TestMoreIsNeverSafer(t *testing.T) {
	var n tally
	strength := map[Kind]int{Nothing: 0, Unknown: 1, Found: 2}
	for seed := range uint64(cases()) {
		c := judgetest.Seeded(seed + 3_000_000)
		set := judgetest.Small(c)
		kinds := judgetest.Grants(&set.Subject)
		kind := kinds[c.IntN(len(kinds))]
		more := *set
		more.Sources = append(slices.Clip(set.Sources), judgetest.More(c, set, kind))
		space := NewSpace()
		before := New(set, Options{Now: judgetest.Now, Budget: lawBudget, Space: space})
		after := New(&more, Options{Now: judgetest.Now, Budget: lawBudget, Space: space})
		n.cases++
		for _, action := range askedActions {
			if kind == policy.Trust && strings.HasPrefix(action, "sts:") || kind == policy.KeyPolicy && strings.HasPrefix(action, "kms:") {
				continue
			}
			q := Question{Actions: []string{action}}
			was, is := before.Find(q), after.Find(q)
			if n.asked++; overBudget(was) || overBudget(is) {
				n.over++
				continue
			}
			if strength[is.Kind] < strength[was.Kind] {
				t.Fatalf("seed %d: %s was %d and is %d with a further %s:\n%s\nof\n%s", seed, action, was.Kind, is.Kind, kind,
					more.Sources[len(more.Sources)-1].Document.JSON(), describe(set))
			}
		}
	}
	n.done(t)
}

// canBeMade tells of a request whether a principal could make it: a second table of
// docs/decisions/request-keys.md, written apart from reach's own.
func canBeMade(s *policy.Subject, w Witness) bool {
	through := strings.Contains(w.Resource, ":accesspoint/")
	for key, values := range w.Context {
		switch {
		case len(values) == 0:
		case strings.HasPrefix(key, "s3:dataaccesspoint"), key == "s3:accesspointnetworkorigin":
			if !through {
				return false
			}
		case strings.HasPrefix(key, "aws:source") && (strings.HasSuffix(key, "arn") && key != "aws:sourcevpcarn" || strings.HasSuffix(key, "account")):
			return false
		case s.Type == policy.User && (strings.HasPrefix(key, "ec2:") || key == "aws:federatedprovider"):
			return false
		}
	}
	session := s.Type == policy.Role || s.Type == policy.RoleSession
	if _, asks := w.Context["aws:tokenissuetime"]; session && asks && len(w.Context["aws:tokenissuetime"]) == 0 {
		return false
	}
	parts := policy.Segments(w.Resource)
	return w.Resource == "*" || len(parts) == 6 && parts[0] == "arn" && parts[2] != "" && !strings.ContainsAny(parts[2], "*?/ ")
}

// TestAWitnessIsReal: what is shown as allowed is allowed by decide, for every action
// that the answer names, and is a request that could be made.
func TestAWitnessIsReal(t *testing.T) {
	var n tally
	shown := 0
	for seed := range uint64(cases()) {
		c := judgetest.Seeded(seed + 4_000_000)
		set := judgetest.Small(c)
		e := New(set, Options{Now: judgetest.Now, Budget: lawBudget})
		oracle := decide.New(set)
		n.cases++
		for _, action := range askedActions {
			q := Question{Actions: []string{action}}
			a := e.Find(q)
			if n.asked++; overBudget(a) {
				n.over++
			}
			if a.Kind != Found {
				continue
			}
			shown++
			w := a.Witness
			if got := oracle.Decide(decide.Request{Action: w.Action, Resource: w.Resource, Bucket: w.Bucket, Context: w.Context}); got.Outcome != decide.Allowed {
				t.Fatalf("seed %d: %+v is %v\n%s", seed, w, got.Outcome, describe(set))
			}
			if !canBeMade(&set.Subject, w) {
				t.Fatalf("seed %d: nobody can make %+v\n%s", seed, w, describe(set))
			}
			if refs, whole := e.Granting(q); whole && len(refs) == 0 {
				t.Fatalf("seed %d: no statement grants %+v because of %v\n%s", seed, w, a.Because, describe(set))
			}
		}
	}
	n.done(t)
	if shown < n.asked/20 {
		t.Errorf("only %d witnesses in %d questions", shown, n.asked)
	}
}
