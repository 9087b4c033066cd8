package reach

import (
	"testing"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/policy"
)

const (
	account  = judgetest.Account
	stranger = judgetest.Stranger
	user     = judgetest.TheUser
	role     = judgetest.TheRole
	bucket   = "arn:aws:s3:::slot"
	prefix   = "arn:aws:s3:::slot/uploads/vm-01/*"
	door     = "arn:aws:s3:eu-west-1:111122223333:accesspoint/door"
	key      = "arn:aws:kms:eu-west-1:111122223333:key/k1"

	allowPut = `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::slot/uploads/vm-01/*"}`
	allowAll = `{"Effect": "Allow", "Action": "*", "Resource": "*"}`
	allowS3  = `{"Effect": "Allow", "Action": ["s3:*", "s3-object-lambda:*"], "Resource": "*"}`
)

type doc = judgetest.Doc

func theUser() policy.Subject    { return judgetest.Subject(user) }
func theRole() policy.Subject    { return judgetest.Subject(role) }
func theSession() policy.Subject { return judgetest.Subject(judgetest.TheSession) }

func makeSet(t testing.TB, subject policy.Subject, docs ...doc) *policy.Set {
	t.Helper()
	return judgetest.Make(t, subject, docs...)
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
