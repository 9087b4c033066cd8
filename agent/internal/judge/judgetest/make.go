package judgetest

import (
	"strings"
	"testing"

	"buzon/agent/policy"
)

// Doc is one document of a set that a test writes by hand: its kind, after a
// blank what it hangs on (of an access point also its bucket) or the level of an
// SCP; and its statements, or the whole text.
type Doc [2]string

// TheUser, TheRole and TheSession are the principals of hand-written sets.
const (
	TheUser    = "arn:aws:iam::111122223333:user/buzon/vm-01"
	TheRole    = "arn:aws:iam::111122223333:role/buzon/vm-01"
	TheSession = "arn:aws:sts::111122223333:assumed-role/vm-01/i-1"
)

// Subject is the principal of that ARN: TheUser, TheRole or TheSession.
func Subject(arn string) policy.Subject {
	s := policy.Subject{
		Type: policy.User, ARN: arn, Partition: "aws", Account: Account, Path: "/buzon/", Name: "vm-01",
		UniqueID: "AROAEXAMPLEEXAMPLE001", Tags: map[string]string{"team": "mail"}, TagsKnown: true,
	}
	switch arn {
	case TheUser:
		s.UniqueID = "AIDAEXAMPLEEXAMPLE001"
	case TheRole:
		s.Type = policy.Role
	case TheSession:
		s.Type = policy.RoleSession
	}
	return s
}

// Grammar is the grammar of a kind, but that a bucket's policy may name "*": what
// an engine makes of it is asked for too.
func Grammar(k policy.Kind) policy.Grammar {
	if k == policy.BucketPolicy {
		return policy.Resource
	}
	return k.Grammar()
}

// Make makes a set of hand-written documents.
func Make(t testing.TB, subject policy.Subject, docs ...Doc) *policy.Set {
	t.Helper()
	set := &policy.Set{Subject: subject, Bucket: Bucket, BucketAccount: Account}
	for _, d := range docs {
		kind, rest, _ := strings.Cut(d[0], " ")
		text := d[1]
		if !strings.Contains(text, `"Statement"`) {
			text = `{"Version": "2012-10-17", "Statement": [` + text + `]}`
		}
		k := policy.Kind(kind)
		parsed, err := policy.Parse(d[0], []byte(text), policy.ParseOptions{Grammar: Grammar(k)})
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
