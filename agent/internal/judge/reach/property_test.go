package reach

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/policy"
)

// describe prints a set for a failure.
func describe(set *policy.Set) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v; bucket of %s\n", set.Subject, set.BucketAccount)
	for _, src := range set.Sources {
		fmt.Fprintf(&b, "%s %s %s %s\n%s\n", src.Kind, src.Attached, src.Bucket, src.Level, src.Document.JSON())
	}
	return b.String()
}

// pairs is how many pairs of a set and a request are compared.
func pairs() int {
	switch {
	case os.Getenv("BUZON_TEST") == "long":
		return 1_000_000
	case testing.Short():
		return 4_000
	}
	return 20_000
}

// asked are the actions of judgetest's requests.
var askedActions = []string{
	"s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:PutObjectAcl", "s3:ListBucket", "s3:ListAllMyBuckets",
	"sts:AssumeRole", "kms:Decrypt",
}

// count of what the comparison met.
type count struct {
	pairs, impossible, allowed, unclear, inexact, found, nothing, unknown int
}

// TestWhatDecideAllowsLiesInReach holds both evaluators against each other: what
// is in the set for certain is allowed, what is allowed may be in the set, and
// where nothing is inexact both are one. Every witness is allowed; where the
// answer is Nothing no request is.
func TestWhatDecideAllowsLiesInReach(t *testing.T) {
	const each = 20
	var n count
	space := NewSpace()
	for seed := uint64(0); n.pairs < pairs(); seed++ {
		c := judgetest.Seeded(seed)
		set := judgetest.Set(c)
		if seed%200 == 199 {
			space = NewSpace()
		}
		e := New(set, Options{Now: judgetest.Now, Space: space})
		oracle := decide.New(set)
		answers := map[string]Answer{}
		for _, action := range askedActions {
			answers[action] = e.Find(Question{Actions: []string{action}})
			n.check(t, seed, set, oracle, answers[action])
		}
		for range each {
			compare(t, &n, seed, set, e, oracle, answers, judgetest.Request(c, set))
			if t.Failed() {
				return
			}
		}
	}
	fmt.Printf("%d pairs of policies and request compared: %d allowed, %d unclear, %d that can't occur; %d answers found something, %d nothing, %d unknown\n",
		n.pairs, n.allowed, n.unclear, n.impossible, n.found, n.nothing, n.unknown)
	if n.allowed < n.pairs/20 || n.found < n.pairs/50 || n.nothing < n.pairs/50 || n.unknown > n.pairs/20 || n.impossible > n.pairs/5 {
		t.Errorf("the comparison has grown blind: %+v", n)
	}
}

func (n *count) check(t *testing.T, seed uint64, set *policy.Set, oracle *decide.Evaluator, a Answer) {
	t.Helper()
	switch a.Kind {
	case Found:
		n.found++
		w := a.Witness
		if got := oracle.Decide(decide.Request{Action: w.Action, Resource: w.Resource, Bucket: w.Bucket, Context: w.Context}); got.Outcome != decide.Allowed {
			t.Fatalf("seed %d: the witness %+v because of %v is %v by %v\n%s", seed, w, a.Because, got.Outcome, got.Because, describe(set))
		}
	case Nothing:
		n.nothing++
	case Unknown:
		n.unknown++
		if len(a.Doubts) == 0 {
			t.Fatalf("seed %d: unknown without a reason\n%s", seed, describe(set))
		}
	}
}

func compare(t *testing.T, n *count, seed uint64, set *policy.Set, e *Engine, oracle *decide.Evaluator, answers map[string]Answer, req judgetest.Asked) {
	t.Helper()
	w := Witness{Action: req.Action, Resource: req.Resource, Bucket: req.Bucket, Context: req.Context}
	n.pairs++
	got := oracle.Decide(decide.Request(req))
	var sure, maybe, possible bool
	if !e.within(func() {
		sure, possible = e.contains(e.narrowView(), w)
		maybe, _ = e.contains(e.wideView(), w)
	}) {
		t.Fatalf("seed %d: over budget for %+v\n%s", seed, w, describe(set))
	}
	if !possible {
		n.impossible++
		return
	}
	switch got.Outcome {
	case decide.Allowed:
		n.allowed++
	case decide.Unclear:
		n.unclear++
	case decide.ImplicitDeny, decide.ExplicitDeny:
	}
	allowed := got.Outcome == decide.Allowed
	if sure != maybe {
		n.inexact++
	}
	if sure && !allowed || allowed && !maybe || got.Outcome == decide.Unclear && (sure || !maybe) {
		t.Fatalf("seed %d: reach says certain %v, possible %v of %+v, decide says %v by %v\n%s",
			seed, sure, maybe, w, got.Outcome, got.Because, describe(set))
	}
	if allowed && answers[req.Action].Kind == Nothing {
		t.Fatalf("seed %d: reach finds nothing for %s, and decide allows %+v by %v\n%s", seed, req.Action, w, got.Because, describe(set))
	}
}
