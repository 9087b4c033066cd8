package audit

import (
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// simulatedBy judges a subject with AWS's answers: what decide says of the set that the
// simulator is told of, save where say answers otherwise.
func simulatedBy(t *testing.T, set *policy.Set, say map[string]sources.Simulation) (Principal, []sources.Asked) {
	t.Helper()
	set.Bucket, set.BucketAccount = "b", "111122223333"
	found := &sources.Found{Subjects: []sources.Subject{{Set: *set, Prefix: "p/", Live: true, Whose: set.Subject.ARN}}}
	s := &found.Subjects[0]
	asked := ToSimulate(Judge(t.Context(), found, Options{}))(s)
	told := decide.New(sources.Simulated(&s.Set))
	s.Simulations = []sources.Simulation{}
	for _, a := range asked {
		sim := sources.Simulation{Asked: a, Decision: "implicitDeny"}
		if told.Decide(requestOf(a)).Outcome == decide.Allowed {
			sim.Allowed, sim.Decision = true, "allowed"
		}
		if other, ok := say[a.Action]; ok {
			sim.Allowed, sim.Decision, sim.Missing = other.Allowed, other.Decision, other.Missing
		}
		s.Simulations = append(s.Simulations, sim)
	}
	return Judge(t.Context(), found, Options{}).Principals[0], asked
}

func TestTheSimulatorIsHeldAgainstTheAudit(t *testing.T) {
	const (
		user   = "arn:aws:iam::111122223333:user/buzon/vm-01"
		role   = "arn:aws:iam::111122223333:role/buzon/vm-01"
		puts   = `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/p/*"}`
		gets   = `{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}`
		guard  = `{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}`
		grants = `{"Effect": "Allow", "Principal": {"AWS": "` + role + `"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}`
	)
	own := func(kind policy.Kind, statements ...string) judgetest.Doc {
		return judgetest.Doc{string(kind), document(statements...)}
	}
	bucket := func(statement string) judgetest.Doc {
		return judgetest.Doc{"bucket-policy arn:aws:s3:::b", document(statement)}
	}
	allowed, refused := sources.Simulation{Allowed: true, Decision: "allowed"}, sources.Simulation{Decision: "implicitDeny"}
	for _, row := range []struct {
		name      string
		who       string
		docs      []judgetest.Doc
		say       map[string]sources.Simulation
		disagrees []string // actions that AWS allows and the audit refused
		stops     int
		refuses   int // notes
		skipped   bool
	}{
		{name: "both agree", who: user, docs: []judgetest.Doc{own(policy.UserInline, puts)}},
		{name: "both see too much", who: user, docs: []judgetest.Doc{own(policy.UserInline, puts, gets)}},
		{name: "AWS allows more", who: user, docs: []judgetest.Doc{own(policy.UserInline, puts)},
			say: map[string]sources.Simulation{"s3:DeleteObject": allowed}, disagrees: []string{"s3:DeleteObject"}},
		{name: "AWS allows what a Deny forbids", who: user, docs: []judgetest.Doc{own(policy.UserInline, puts, gets), bucket(guard)},
			say: map[string]sources.Simulation{"s3:GetObject": allowed}, disagrees: []string{"s3:GetObject"}, stops: 1},
		{name: "AWS refuses a witness", who: user, docs: []judgetest.Doc{own(policy.UserInline, puts, gets)},
			say: map[string]sources.Simulation{"s3:GetObject": refused}, refuses: 1},
		{name: "a key that follows from the principal was missing", who: user, docs: []judgetest.Doc{own(policy.UserInline, puts)},
			say: map[string]sources.Simulation{"s3:DeleteObject": {Allowed: true, Decision: "allowed", Missing: []string{"aws:PrincipalOrgID"}}}, skipped: true},
		{name: "a role's grant by the bucket isn't told", who: role, docs: []judgetest.Doc{own(policy.RoleInline, puts), bucket(grants)}, skipped: true},
		{name: "an RCP isn't told", who: user, docs: []judgetest.Doc{own(policy.UserInline, puts, gets),
			{"rcp", document(guard)}}, skipped: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, asked := simulatedBy(t, judgetest.Make(t, judgetest.Subject(row.who), row.docs...), row.say)
			var disagrees []string
			stops := 0
			for _, f := range p.Findings {
				if f.Rule == RuleSimulator {
					disagrees = append(disagrees, f.Actions...)
					stops += len(f.Stops)
				}
			}
			refuses := 0
			for _, n := range p.Notes {
				if n.What == NoteSimulatorRefuses {
					refuses++
				}
			}
			s := p.Simulated
			if s == nil || s.Asked != len(asked) || s.Asked != s.Agreed+s.Skipped+s.Disagree || s.Asked < 15 {
				t.Fatalf("asked %d, counted %+v", len(asked), s)
			}
			if !slices.Equal(slices.Compact(disagrees), row.disagrees) || (stops > 0) != (row.stops > 0) || (refuses > 0) != (row.refuses > 0) || (s.Skipped > 0) != row.skipped {
				t.Errorf("disagrees %v, stopped by %d, %d refused, %+v", disagrees, stops, refuses, s)
			}
			if len(disagrees) > 0 && p.Verdict != Violation {
				t.Errorf("the verdict is %s", p.Verdict)
			}
			if !strings.Contains(asked[0].Resource, "b/p/") || asked[0].Action != "s3:PutObject" {
				t.Errorf("the contract isn't asked first: %+v", asked[0])
			}
		})
	}
}

// Where nobody was asked, nothing is said of it.
func TestNoSimulator(t *testing.T) {
	set := judgetest.Make(t, judgetest.Subject("arn:aws:iam::111122223333:user/buzon/vm-01"))
	set.Bucket = "b"
	found := &sources.Found{Subjects: []sources.Subject{{Set: *set, Prefix: "p/"}}}
	if p := Judge(t.Context(), found, Options{}).Principals[0]; p.Simulated != nil {
		t.Errorf("%+v", p.Simulated)
	}
}
