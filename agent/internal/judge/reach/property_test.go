package reach

import (
	"fmt"
	"os"
	"slices"
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

func longRun() bool { return os.Getenv("BUZON_TEST") == "long" }

// pairs is how many pairs of a set and a request are compared.
func pairs() int {
	switch {
	case longRun():
		return 1_000_000
	case testing.Short():
		return 4_000
	}
	return 20_000
}

// asked are the actions of judgetest's requests.
var askedActions = []string{
	"s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:PutObjectAcl", "s3:ListBucket", "s3:ListAllMyBuckets",
	"sts:AssumeRole", "kms:Decrypt", "iam:PassRole", "iam:PutRolePolicy", "kms:PutKeyPolicy", "kms:CreateKey",
	"sqs:SendMessage", "s3:PutTomorrow",
}

// vary makes some principals of other types, or less known.
func vary(c judgetest.Chooser, set *policy.Set) {
	s := &set.Subject
	switch c.IntN(12) {
	case 0:
		s.UniqueID = ""
	case 1:
		s.Tags, s.TagsKnown = nil, false
	case 2:
		s.Type, s.ARN, s.UniqueID, s.Name = policy.FederatedUser, "arn:aws:sts::111122223333:federated-user/a", "", "a"
	case 3:
		s.Type, s.ARN, s.UniqueID, s.Name, s.Path = policy.Root, "arn:aws:iam::111122223333:root", "", "root", ""
	}
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
		vary(c, set)
		if seed%200 == 199 {
			space = NewSpace()
		}
		e := New(set, Options{Now: judgetest.Now, Space: space})
		oracle := decide.New(set)
		var questions []question
		for _, action := range askedActions {
			questions = append(questions, question{q: Question{Actions: []string{action}}})
		}
		for range 4 {
			questions = append(questions, randomQuestion(c))
		}
		for i := range questions {
			questions[i].a = e.Find(questions[i].q)
			n.check(t, seed, set, oracle, &questions[i])
		}
		for range each {
			compare(t, &n, seed, set, e, oracle, questions, judgetest.Request(c, set))
		}
	}
	fmt.Printf("%d pairs of policies and request compared: %d allowed, %d unclear, %d that can't occur; %d answers found something, %d nothing, %d unknown\n",
		n.pairs, n.allowed, n.unclear, n.impossible, n.found, n.nothing, n.unknown)
	if n.allowed < n.pairs/20 || n.found < n.pairs/50 || n.nothing < n.pairs/50 || n.unknown > n.pairs/20 || n.impossible > n.pairs/5 {
		t.Errorf("the comparison has grown blind: %+v", n)
	}
}

// question with its answer.
type question struct {
	q Question
	a Answer
}

// asks tells whether a request is one that the question asks for.
func (q *question) asks(w Witness) bool {
	if !slices.ContainsFunc(q.q.Actions, func(a string) bool { return strings.EqualFold(a, w.Action) }) {
		return false
	}
	in := slices.ContainsFunc(q.q.Resources.globs, func(g string) bool { return globHas(g, w.Resource) })
	if q.q.Resources.kind == under && !in || q.q.Resources.kind == except && in {
		return false
	}
	for key, values := range q.q.Context {
		if !slices.Equal(values, w.Context[key]) {
			return false
		}
	}
	return true
}

// globHas is the plainest way to match a glob: by trying.
func globHas(glob, text string) bool {
	switch {
	case glob == "":
		return text == ""
	case glob[0] == '*':
		for i := 0; i <= len(text); i++ {
			if globHas(glob[1:], text[i:]) {
				return true
			}
		}
		return false
	}
	return text != "" && (glob[0] == '?' || glob[0] == text[0]) && globHas(glob[1:], text[1:])
}

// randomQuestion asks for some actions, on some resources, in some contexts.
func randomQuestion(c judgetest.Chooser) question {
	var q Question
	for range 1 + c.IntN(3) {
		q.Actions = append(q.Actions, askedActions[c.IntN(len(askedActions))])
	}
	globs := []string{"arn:aws:s3:::slot/p/*", "arn:aws:s3:::slot/*", "arn:aws:s3:::slot", "arn:aws:s3:::*/a", "arn:aws:s3:::slot/?*a", judgetest.Point + "/*", judgetest.Role, "*"}
	for range 1 + c.IntN(2) {
		q.Resources.globs = append(q.Resources.globs, globs[c.IntN(len(globs))])
	}
	q.Resources.kind = []resourceKind{except, under}[c.IntN(2)]
	if c.IntN(3) == 0 {
		q.Context = map[string][]string{"aws:securetransport": {"true"}}
	}
	if c.IntN(4) == 0 {
		q.Context = map[string][]string{"s3:if-none-match": [][]string{{}, {"*"}}[c.IntN(2)]}
	}
	return question{q: q}
}

func (n *count) check(t *testing.T, seed uint64, set *policy.Set, oracle *decide.Evaluator, q *question) {
	t.Helper()
	a := q.a
	switch a.Kind {
	case Found:
		n.found++
		w := a.Witness
		if !q.asks(w) {
			t.Fatalf("seed %d: the witness %+v isn't asked for by %+v\n%s", seed, w, q.q, describe(set))
		}
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

func compare(t *testing.T, n *count, seed uint64, set *policy.Set, e *Engine, oracle *decide.Evaluator, questions []question, req judgetest.Asked) {
	t.Helper()
	w := Witness{Action: req.Action, Resource: req.Resource, Bucket: req.Bucket, Context: req.Context}
	n.pairs++
	got := oracle.Decide(decide.Request(req))
	var sure, maybe, possible bool
	if !e.within(func() {
		sure, possible = e.contains(e.narrowView(), w)
		var wide bool
		maybe, wide = e.contains(e.wideView(), w)
		possible = possible && wide // a statement of one view may ask for a key that every request has
	}) {
		if e.budget != DefaultBudget {
			return
		}
		t.Fatalf("seed %d: over budget for %+v\n%s", seed, w, describe(set))
	}
	if !possible {
		n.impossible++
		// What other accounts own has no place where the principal's stands for it. (A
		// request without that key can't occur whatever it is for.)
		foreign := accountIn(w.Resource) != "" && accountIn(w.Resource) != set.Subject.Account && w.Context["aws:securetransport"] != nil
		if foreign && got.Outcome == decide.Allowed && e.resourceClassOf(e.askedOf(w.Action), w) == nil {
			for _, q := range questions {
				if q.a.Kind == Nothing && len(q.q.Resources.globs) == 0 && q.asks(w) {
					t.Fatalf("seed %d: reach finds nothing for %+v, and decide allows %+v by %v\n%s", seed, q.q, w, got.Because, describe(set))
				}
			}
		}
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
	if !allowed {
		return
	}
	for _, q := range questions {
		if q.a.Kind == Nothing && q.asks(w) {
			t.Fatalf("seed %d: reach finds nothing for %+v, and decide allows %+v by %v\n%s", seed, q.q, w, got.Because, describe(set))
		}
		if q.a.Kind == Found && q.asks(w) && !slices.ContainsFunc(q.a.Actions, func(a string) bool { return a == w.Action }) && len(q.a.Doubts) == 0 {
			t.Fatalf("seed %d: reach finds %+v for %+v, without the action of %+v that decide allows\n%s", seed, q.a.Actions, q.q, w, describe(set))
		}
	}
}
