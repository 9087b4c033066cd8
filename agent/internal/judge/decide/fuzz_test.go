package decide_test

import (
	"strings"
	"testing"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/policy"
)

// FuzzDecide asks any request of any documents that parse: it must not panic,
// it must answer the same twice, and an Allow or an explicit Deny must name
// statements with that effect.
func FuzzDecide(f *testing.F) {
	const document = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Put*", "Resource": "arn:aws:s3:::b/${aws:username}/*"},
 {"Effect": "Deny", "NotAction": "s3:PutObject", "NotResource": "arn:aws:s3:::b", "Condition": {"ForAnyValue:StringLikeIfExists": {"aws:x": ["a*", "${aws:y, 'z'}"]}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}]}`
	const guard = `{"Statement": {"Effect": "Deny", "Principal": {"AWS": "111122223333"}, "Action": "s3:*", "Resource": "*", "Condition": {"DateLessThan": {"aws:CurrentTime": "2027-01-01"}, "ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/buzon/*"}}}}`
	f.Add(document, guard, "s3:PutObject", "arn:aws:s3:::b/u/x", "aws:x", "abc")
	f.Add(document, guard, "s3:GetObject", "arn:aws:s3:eu-west-1:111122223333:accesspoint/a/object/k", "aws:sourceip", "10.1.2.3")
	f.Add(guard, document, "", "*", "", "")
	f.Fuzz(func(t *testing.T, identity, bucket, action, resource, key, value string) {
		set := &policy.Set{
			Subject: policy.Subject{
				Type: policy.User, ARN: "arn:aws:iam::111122223333:user/buzon/u", Partition: "aws", Account: "111122223333",
				Path: "/buzon/", Name: "u", UniqueID: "AIDAEXAMPLEEXAMPLE01", TagsKnown: true,
			},
			Bucket: "b",
		}
		for kind, text := range map[policy.Kind]string{policy.UserInline: identity, policy.BucketPolicy: bucket} {
			doc, err := policy.Parse("f", []byte(text), policy.ParseOptions{Grammar: judgetest.Grammar(kind), Lenient: true})
			if err == nil {
				set.Sources = append(set.Sources, policy.Source{Kind: kind, Document: doc})
			}
		}
		req := decide.Request{Action: action, Resource: resource, Context: map[string][]string{strings.ToLower(key): {value}}}
		got := decide.Decide(set, req)
		if again := decide.Decide(set, req); again.Outcome != got.Outcome || len(again.Because) != len(got.Because) {
			t.Fatalf("answered %v, then %v", got, again)
		}
		want := map[decide.Outcome]policy.Effect{decide.Allowed: policy.Allow, decide.ExplicitDeny: policy.Deny}[got.Outcome]
		if want == 0 {
			return
		}
		if len(got.Because) == 0 {
			t.Fatalf("%v without a statement", got.Outcome)
		}
		for _, ref := range got.Because {
			if st := set.Sources[ref.Source].Document.Statements[ref.Statement]; st.Effect != want {
				t.Fatalf("%v because of %+v", got.Outcome, st)
			}
		}
	})
}
