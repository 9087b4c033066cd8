package audit

import (
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"buzon/agent/internal/judge/reach"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// docs/decisions/laws.md tells which law catches which fault.

// lawCases is how many cases each law here is tried on.
func lawCases() int {
	switch {
	case os.Getenv("BUZON_TEST") == "long":
		return 10_000
	case testing.Short():
		return 15
	}
	return 500
}

// lawBudget is what a question of a law may cost; what is over it proves nothing.
var lawBudget = reach.Budget{States: 2_000, Boxes: 300}

// tally counts what a law met.
type tally struct {
	cases, over int
	seen        map[string]int
}

func newTally() *tally { return &tally{seen: map[string]int{}} }

func (n *tally) done(t *testing.T) {
	t.Helper()
	t.Logf("%d cases, %d over budget: %v", n.cases, n.over, n.seen)
	if n.over > n.cases/20 {
		t.Errorf("%d of %d cases are over budget: the law has grown blind", n.over, n.cases)
	}
}

// least says how many cases must have met something, of a hundred.
func (n *tally) least(t *testing.T, what string, percent int) {
	t.Helper()
	if n.seen[what]*100 < n.cases*percent {
		t.Errorf("only %d of %d cases met %q", n.seen[what], n.cases, what)
	}
}

// node is a value of a template.
type node = map[string]any

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

const (
	lawBucket = "arn:aws:s3:::acme-uploads"
	lawUser   = "arn:aws:iam::111122223333:user/buzon/vm-01"
)

var (
	lawActions    = []any{"s3:PutObject", "s3:GetObject", "s3:*", "sqs:SendMessage"}
	lawResources  = []any{lawBucket + "/uploads/vm-01/*", lawBucket + "/*", "arn:aws:s3:::other/*", "*"}
	lawPrincipals = []any{lawUser, "arn:aws:iam::111122223333:user/buzon/vm-02", "arn:aws:iam::111122223333:root"}
)

func contractOf() node {
	return node{"Effect": "Allow", "Action": "s3:PutObject", "Resource": lawBucket + "/uploads/vm-01/*"}
}

func document1(statements ...any) node {
	return node{"Version": "2012-10-17", "Statement": statements}
}

func templateOf(resources ...node) string {
	all := node{}
	for _, r := range resources {
		maps.Copy(all, r)
	}
	raw, err := json.Marshal(node{"Resources": all})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// lawSelection is what the user of all laws is held to.
func lawSelection() sources.Selection {
	return sources.Selection{Bucket: "acme-uploads", Prefix: "uploads/{name}/", Region: "eu-west-1", Principals: []string{lawUser}}
}

func loadTexts(t *testing.T, texts ...string) (*sources.Found, error) {
	t.Helper()
	sel := lawSelection()
	for i := range texts {
		sel.Templates = append(sel.Templates, strconv.Itoa(i))
	}
	return sources.Load(t.Context(), sel, sources.Access{ReadFile: func(name string) ([]byte, error) {
		i, err := strconv.Atoi(name)
		if err != nil {
			return nil, err
		}
		return []byte(texts[i]), nil
	}})
}

// answer is what a law asks of a judgement.
type answer struct {
	verdict Verdict // "" where the input is refused
	broken  string  // each broken rule with its actions
	over    bool    // a question was over budget
	more    bool    // an error besides cannot-write, or an open question
	lacking []sources.Topic
}

// good: nothing stands against the user.
func (a answer) good() bool { return a.verdict == WriteOnly || a.verdict == Waived }

// bad: something does, or may.
func (a answer) bad() bool { return a.verdict != "" && !a.good() }

func (a answer) String() string {
	if a.verdict == "" {
		return "refused"
	}
	return string(a.verdict) + ": " + a.broken
}

// answerOf judges the user of what was found.
func answerOf(t *testing.T, found *sources.Found, err error) answer {
	t.Helper()
	if err != nil {
		var faults policy.Errors
		var usage *sources.UsageError
		var nobody *sources.NobodyError
		if !errors.As(err, &faults) && !errors.As(err, &usage) && !errors.As(err, &nobody) {
			t.Fatal(err)
		}
		return answer{}
	}
	return answerIn(Judge(t.Context(), found, Options{Now: now, Budget: lawBudget}))
}

// answerIn takes the answer out of a report: of the user, or of whoever else may be it.
func answerIn(report *Report) answer {
	a := answer{verdict: report.Verdict}
	var broken []string
	for i := range report.Principals {
		p := &report.Principals[i]
		if p.ARN == lawUser {
			a.verdict = p.Verdict
			for _, f := range p.Findings {
				a.more = a.more || f.Severity == Error && f.Rule != RuleCannotWrite
				for _, action := range f.Actions {
					broken = append(broken, string(f.Rule)+" "+action)
				}
			}
		}
		for _, u := range p.Undecided {
			a.more = true
			a.over = a.over || u.Reason == string(reach.OverBudget)
		}
		for _, lack := range p.Assumptions {
			a.lacking = append(a.lacking, lack.What)
		}
	}
	slices.Sort(broken)
	a.broken = strings.Join(slices.Compact(broken), ", ")
	return a
}

// judgeTemplates judges the user by templates.
func judgeTemplates(t *testing.T, texts ...string) answer {
	t.Helper()
	found, err := loadTexts(t, texts...)
	return answerOf(t, found, err)
}
