package reach

import (
	"strings"
	"testing"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/policy"
)

const (
	account  = "111122223333"
	stranger = "444455556666"
	user     = "arn:aws:iam::111122223333:user/buzon/vm-01"
	role     = "arn:aws:iam::111122223333:role/buzon/vm-01"
	bucket   = "arn:aws:s3:::slot"
	prefix   = "arn:aws:s3:::slot/uploads/vm-01/*"
	door     = "arn:aws:s3:eu-west-1:111122223333:accesspoint/door"
	key      = "arn:aws:kms:eu-west-1:111122223333:key/k1"

	allowPut = `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::slot/uploads/vm-01/*"}`
	allowAll = `{"Effect": "Allow", "Action": "*", "Resource": "*"}`
	allowS3  = `{"Effect": "Allow", "Action": ["s3:*", "s3-object-lambda:*"], "Resource": "*"}`
)

// doc is one document of a set: its kind, and after a blank what it hangs on, or
// the level of an SCP; its statements.
type doc struct {
	kind       string
	statements string
}

func theUser() policy.Subject {
	return policy.Subject{
		Type: policy.User, ARN: user, Partition: "aws", Account: account, Path: "/buzon/", Name: "vm-01",
		UniqueID: "AIDAEXAMPLEEXAMPLE001", Tags: map[string]string{"team": "mail"}, TagsKnown: true,
	}
}

func theRole() policy.Subject {
	s := theUser()
	s.Type, s.ARN, s.UniqueID = policy.Role, role, "AROAEXAMPLEEXAMPLE001"
	return s
}

func theSession() policy.Subject {
	s := theRole()
	s.Type, s.ARN = policy.RoleSession, "arn:aws:sts::111122223333:assumed-role/vm-01/i-1"
	return s
}

func makeSet(t testing.TB, subject policy.Subject, docs ...doc) *policy.Set {
	t.Helper()
	set := &policy.Set{Subject: subject, Bucket: "slot", BucketAccount: account}
	for _, d := range docs {
		kind, rest, _ := strings.Cut(d.kind, " ")
		text := d.statements
		if !strings.Contains(text, `"Statement"`) {
			text = `{"Version": "2012-10-17", "Statement": [` + text + `]}`
		}
		k := policy.Kind(kind)
		parsed, err := policy.Parse(d.kind, []byte(text), policy.ParseOptions{Grammar: k.Grammar()})
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		src := policy.Source{Kind: k, Document: parsed}
		switch k {
		case policy.SCP:
			src.Level = rest
		case policy.AccessPoint:
			src.Attached, src.Bucket, _ = strings.Cut(rest, " ")
		default:
			src.Attached = rest
		}
		set.Sources = append(set.Sources, src)
	}
	return set
}

func engine(set *policy.Set) *Engine { return New(set, Options{Now: judgetest.Now}) }

// replay asks decide about a witness.
func replay(set *policy.Set, w Witness) decide.Outcome {
	return decide.Decide(set, decide.Request{Action: w.Action, Resource: w.Resource, Bucket: w.Bucket, Context: w.Context}).Outcome
}

// find asks, and replays what is found.
func find(t *testing.T, set *policy.Set, q Question) Answer {
	t.Helper()
	a := engine(set).Find(q)
	if a.Kind == Found {
		if got := replay(set, a.Witness); got != decide.Allowed {
			t.Errorf("the witness %+v is %v", a.Witness, got)
		}
		if len(a.Actions) == 0 {
			t.Errorf("found, but no action")
		}
	}
	if a.Kind == Unknown && len(a.Doubts) == 0 {
		t.Error("unknown without a reason")
	}
	return a
}

func TestAWriteOnlyPolicyReachesNothingElse(t *testing.T) {
	set := makeSet(t, theUser(), doc{"user-inline", allowPut})
	if a := find(t, set, Question{Resources: Except(prefix)}); a.Kind != Nothing {
		t.Errorf("outside the prefix: %+v", a)
	}
	a := find(t, set, Question{})
	if a.Kind != Found || len(a.Actions) != 1 || a.Actions[0] != "s3:PutObject" {
		t.Errorf("everything: %+v", a)
	}
	if c := engine(set).Covers(prefix, AgentCalls()); c.Kind != Full || len(c.Environment) != 0 || len(c.Because) != 1 {
		t.Errorf("covers: %+v", c)
	}
	if g := engine(set).Grants(); len(g) != 1 || g[0].Action != "s3:PutObject" || g[0].Resource != prefix {
		t.Errorf("grants: %+v", g)
	}
}

func TestFullAccessReachesEverything(t *testing.T) {
	set := makeSet(t, theUser(), doc{"user-managed", allowS3})
	for _, action := range []string{"s3:GetObject", "s3:DeleteObject", "s3:ListBucket", "s3:PutBucketPolicy", "s3:CreateJob", "s3:~"} {
		a := find(t, set, Question{Actions: []string{action}})
		if a.Kind != Found || len(a.Witness.Context) != 0 || len(a.Because) != 1 {
			t.Errorf("%s: %+v", action, a)
		}
	}
	if a := find(t, set, Question{Actions: []string{"s3:GetObject"}}); a.Witness.Resource != "arn:aws:s3:::slot/x" {
		t.Errorf("the witness is on %s", a.Witness.Resource)
	}
	if a := find(t, set, Question{Actions: []string{"iam:CreateUser", "ec2:~", "~:~"}}); a.Kind != Nothing {
		t.Errorf("other services: %+v", a)
	}
	if c := engine(set).Covers(prefix, AgentCalls()); c.Kind != Full {
		t.Errorf("covers: %+v", c)
	}
}
