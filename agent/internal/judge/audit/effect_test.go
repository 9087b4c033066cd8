package audit

import (
	"slices"
	"strings"
	"testing"

	"buzon/agent/policy"
)

// What is granted in effect is what is left of the documents, whatever the verdict.
func TestOnlyWhatIsLeftIsGrantedInEffect(t *testing.T) {
	const objects = "arn:aws:s3:::b/p/*"
	boundary := doc{policy.Boundary, document(contract)}
	guard := doc{policy.BucketPolicy, document(
		`{"Effect": "Deny", "Principal": "*", "NotAction": "s3:PutObject", "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]}`,
		`{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "NotResource": "`+objects+`"}`)}
	keyPolicy := func(principal string) doc {
		return doc{policy.KeyPolicy, document(`{"Effect": "Allow", "Principal": {"AWS": "` + principal + `"}, "Action": "kms:*", "Resource": "*"}`)}
	}
	deployed := doc{policy.UserInline, string(policy.WriteOnlyWithKey(objects, keyARN, "s3.eu-west-1.amazonaws.com").JSON())}
	for _, row := range []struct {
		name string
		docs []doc
		opts Options
		want []string
	}{
		{"the contract", []doc{identity(contract)}, Options{}, []string{"s3:PutObject " + objects}},
		{"all of S3 behind a boundary", []doc{identity(allow("s3:*", "*")), boundary}, Options{}, []string{"s3:PutObject " + objects}},
		{"the same in a violation", []doc{identity(allow("s3:*", "*"), allow("sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q")),
			{policy.Boundary, document(contract, allow("sqs:SendMessage", "*"))}}, Options{},
			[]string{"s3:PutObject " + objects, "sqs:SendMessage arn:aws:sqs:eu-west-1:111122223333:q"}},
		{"the same with --allow", []doc{identity(allow("s3:*", "*")), boundary}, Options{Allow: []string{"kms:*"}}, []string{"s3:PutObject " + objects}},
		{"the same behind a guard", []doc{identity(allow("s3:*", "arn:aws:s3:::b/*")), guard}, Options{}, []string{"s3:PutObject " + objects}},
		{"one action everywhere, behind a boundary", []doc{identity(allow("s3:PutObject", "*")), boundary}, Options{}, []string{"s3:PutObject " + objects}},
		{"NotAction behind a boundary", []doc{identity(`{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}`), boundary}, Options{}, []string{"s3:PutObject " + objects}},
		{"a part of another bucket", []doc{identity(allow("s3:*", "*")), {policy.Boundary, document(contract, allow("s3:GetObject", "arn:aws:s3:::c/x/*"))}}, Options{},
			[]string{"s3:GetObject arn:aws:s3:::c/x/*", "s3:PutObject " + objects}},
		{"all of S3", []doc{identity(allow("s3:*", "*"))}, Options{}, []string{"s3:* *"}},
		{"a key that leaves it to the account", []doc{deployed, keyPolicy("arn:aws:iam::111122223333:root")}, Options{},
			[]string{"s3:PutObject " + objects, "kms:Decrypt " + keyARN, "kms:GenerateDataKey " + keyARN}},
		{"a bucket that leaves it to the account", []doc{identity(contract), {policy.BucketPolicy, document(allow("s3:GetObject", "arn:aws:s3:::b/*", `"Principal": {"AWS": "111122223333"}`))}}, Options{},
			[]string{"s3:PutObject " + objects}},
		{"nothing", []doc{identity(contract, deny("*", "*"))}, Options{}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			found := case1{docs: row.docs}.load(t)
			for i := range found.Subjects[0].Set.Sources {
				if src := &found.Subjects[0].Set.Sources[i]; src.Kind == policy.KeyPolicy {
					src.Attached = keyARN
				}
			}
			p := judgeFound(t, found, row.opts)
			var got []string
			for _, g := range p.Grants {
				if g.NotAction || g.NotResource || g.Because.Statement == 0 {
					t.Errorf("%+v", g)
				}
				got = append(got, g.Action+" "+g.Resource)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

// A trust policy that names the principal grants its role.
func TestAGrantOfATrustPolicyNamesItsRole(t *testing.T) {
	found := case1{docs: []doc{identity(contract)}}.load(t)
	document, err := policy.Parse("trust", []byte(document(trust(`{"AWS": "`+vm+`"}`, "sts:AssumeRole"))), policy.ParseOptions{Grammar: policy.TrustGrammar})
	if err != nil {
		t.Fatal(err)
	}
	set := &found.Subjects[0].Set
	set.Sources = append(set.Sources, policy.Source{Kind: policy.Trust, Name: "r", Attached: "arn:aws:iam::111122223333:role/r", Document: document})
	p := judgeFound(t, found, Options{})
	if len(p.Grants) != 2 || p.Grants[1].Action != "sts:AssumeRole" || p.Grants[1].Resource != "arn:aws:iam::111122223333:role/r" {
		t.Errorf("%+v", p.Grants)
	}
}

// Of several statements that grant what a rule forbids each is named.
func TestAFindingNamesEveryStatementThatGrants(t *testing.T) {
	p := case1{docs: []doc{
		identity(contract, allow("s3:GetObject", "*", `"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}`), allow("s3:GetObject", "arn:aws:s3:::b/p/${aws:username}/*")),
		{policy.GroupInline, document(allow("s3:Get*", "arn:aws:s3:::b/q/*"))},
		{policy.BucketPolicy, document(allow("s3:GetObjectVersion", "arn:aws:s3:::b/*", `"Principal": {"AWS": "`+vm+`"}`))},
		{policy.Boundary, document(contract, allow("s3:Get*", "*"))},
	}}.judge(t)
	var got []string
	f := finding(t, p, RuleReadObject)
	for _, b := range f.Because {
		got = append(got, string(p.Sources[b.Source].Kind)+" "+string(rune('0'+b.Statement)))
	}
	slices.Sort(got)
	if strings.Join(got, ", ") != "bucket-policy 1, group-inline 1, user-inline 2, user-inline 3" {
		t.Errorf("%q", got)
	}
	if _, st := f.Because[0].In(); st == nil || st.Pos.Line != f.Because[0].Line {
		t.Errorf("%+v", f.Because[0])
	}
}
