package reach

import (
	"strings"
	"testing"

	"buzon/agent/policy"
)

// templateSet makes a set as a template gives it: B is the bucket and C the
// account, which nobody knows before deployment; P is a parameter.
func templateSet(t *testing.T, docs ...doc) *policy.Set {
	t.Helper()
	const b, c, p = "\U000F0000", "\U000F0001", "\U000F0002"
	spell := strings.NewReplacer("<B>", b, "<C>", c, "<P>", p)
	subject := theUser()
	subject.ARN, subject.Account, subject.UniqueID = spell.Replace("arn:aws:iam::<C>:user/buzon/vm-01"), c, ""
	set := &policy.Set{
		Subject: subject, Bucket: b, BucketAccount: c,
		Symbols: policy.Symbols{
			[]rune(b)[0]: {Name: "${Bucket}"}, []rune(c)[0]: {Name: "${AWS::AccountId}"}, []rune(p)[0]: {Name: "${Parameter}", Open: true},
		},
	}
	for _, d := range docs {
		kind, rest, _ := strings.Cut(d[0], " ")
		k := policy.Kind(kind)
		text := spell.Replace(`{"Version": "2012-10-17", "Statement": [` + d[1] + `]}`)
		parsed, err := policy.Parse(d[0], []byte(text), policy.ParseOptions{Grammar: k.Grammar(), Symbols: true})
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		set.Sources = append(set.Sources, policy.Source{Kind: k, Attached: spell.Replace(rest), Document: parsed})
	}
	return set
}

func TestTrapsOfTemplates(t *testing.T) {
	const own = "arn:aws:s3:::\U000F0000/uploads/vm-01/*"
	put := doc{"user-inline", `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::<B>/uploads/vm-01/*"}`}
	all := doc{"user-inline", allowAll}
	guard := func(principal string) doc {
		return doc{"bucket-policy arn:aws:s3:::<B>", `{"Effect": "Deny", "Principal": "*", "NotAction": "s3:PutObject", "Resource": ["arn:aws:s3:::<B>", "arn:aws:s3:::<B>/*"], "Condition": {"ArnLike": {"aws:PrincipalArn": "` + principal + `"}}}`}
	}
	allow := func(elements string) doc { return doc{"user-inline", `{"Effect": "Allow", ` + elements + `}`} }
	for _, tr := range []struct {
		name   string
		docs   []doc
		ask    Question
		want   Kind
		reason Reason
	}{
		{name: "the stack's own policy reaches nothing else", docs: []doc{put}, ask: Question{Resources: Except(own)}, want: Nothing},
		{name: "… and its prefix", docs: []doc{put}, ask: on("s3:PutObject", own), want: Found},
		{name: "another bucket's name may be this one's", docs: []doc{allow(`"Action": "s3:GetObject", "Resource": "arn:aws:s3:::slot/*"`)}, ask: on("s3:GetObject", "arn:aws:s3:::\U000F0000/*"), want: Found},
		{name: "… by a pattern too", docs: []doc{allow(`"Action": "s3:GetObject", "Resource": "arn:aws:s3:::sl*t/p/*"`)}, ask: on("s3:GetObject", "arn:aws:s3:::\U000F0000/p/*"), want: Found},
		{name: "… but not its key", docs: []doc{allow(`"Action": "s3:GetObject", "Resource": "arn:aws:s3:::slot/p/*"`)}, ask: on("s3:GetObject", "arn:aws:s3:::\U000F0000/q/*"), want: Nothing},
		{name: "a Deny of another name stops nothing", docs: []doc{all, {"user-inline", `{"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::slot/*"}`}}, ask: on("s3:GetObject", "arn:aws:s3:::\U000F0000/*"), want: Found},
		{name: "a Deny of its own name stops", docs: []doc{all, {"user-inline", `{"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::<B>/*"}`}}, ask: on("s3:GetObject", "arn:aws:s3:::\U000F0000/*"), want: Nothing},
		{name: "a guard by the account's symbol stops", docs: []doc{all, guard("arn:aws:iam::<C>:user/buzon/*")}, ask: on("s3:GetObject", "arn:aws:s3:::\U000F0000/*"), want: Nothing},
		{name: "a guard by some account's number may not be ours", docs: []doc{all, guard("arn:aws:iam::111122223333:user/buzon/*")}, ask: on("s3:GetObject", "arn:aws:s3:::\U000F0000/*"), want: Found},
		{name: "an Allow for some account may be ours", docs: []doc{allow(with(`"StringEquals": {"aws:PrincipalAccount": "111122223333"}`))}, ask: asking("s3:GetObject"), want: Found},
		{name: "an Allow for all but some account", docs: []doc{allow(with(`"StringNotEquals": {"aws:PrincipalAccount": "<C>"}`))}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "an Allow for a name with a slash can't be ours", docs: []doc{allow(with(`"StringEquals": {"aws:PrincipalAccount": "11/22"}`))}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "a parameter of an Allow may be everything", docs: []doc{allow(`"Action": "s3:GetObject", "Resource": "arn:aws:s3:::<P>/*"`)}, ask: on("s3:GetObject", "arn:aws:s3:::\U000F0000/*"), want: Unknown, reason: OpenSymbol},
		{name: "a parameter of a Deny may be nothing", docs: []doc{all, {"user-inline", `{"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::<P>/*"}`}}, ask: on("s3:GetObject", "arn:aws:s3:::\U000F0000/*"), want: Found},
	} {
		t.Run(tr.name, func(t *testing.T) {
			a := find(t, templateSet(t, tr.docs...), tr.ask)
			if a.Kind != tr.want {
				t.Fatalf("%d, want %d: %+v", a.Kind, tr.want, a)
			}
			if tr.reason != "" && (len(a.Doubts) != 1 || a.Doubts[0].Reason != tr.reason) {
				t.Errorf("the doubts are %+v", a.Doubts)
			}
		})
	}
	named := templateSet(t, doc{"user-inline", `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::slot/uploads/vm-01/*"}`})
	named.Bucket = "slot"
	if a := find(t, named, elsewhere("s3:PutObject", prefix)); a.Kind != Nothing {
		t.Errorf("a bucket with a name, in an account that isn't known: %+v", a)
	}
	if c := engine(templateSet(t, put, guard("arn:aws:iam::<C>:user/buzon/*"))).Covers(own, AgentCalls()); c.Kind != Full {
		t.Errorf("covers: %+v", c)
	}
}
