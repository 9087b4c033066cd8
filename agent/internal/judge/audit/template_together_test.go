package audit

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

func TestWhatWasGivenBelongsTogether(t *testing.T) {
	const head = "Resources:\n"
	reads := `PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:GetObject", Resource: "*"}]}`
	bucketPolicy := func(who string) string {
		return head + `  BP:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: acme-uploads
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {AWS: ` + who + `}, Action: "s3:GetObject", Resource: "arn:aws:s3:::acme-uploads/*"}]}
`
	}
	for _, c := range []stackCase{
		{name: "the bucket's policy", others: []string{bucketPolicy(`!Sub "arn:aws:iam::${AWS::AccountId}:user/buzon/vm-01"`)}, verdict: Violation, rules: "read-object"},
		{name: "the bucket's policy by an account", others: []string{bucketPolicy(`"arn:aws:iam::111122223333:user/buzon/vm-01"`)}, verdict: NoVerdict, reasons: "unsure-member"},
		{name: "somebody else's", others: []string{bucketPolicy(`!Sub "arn:aws:iam::${AWS::AccountId}:user/buzon/vm-02"`)}, verdict: WriteOnly},
		{name: "a policy for the user", others: []string{head + "  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: x, Users: [vm-01], " + reads + "}}\n"}, verdict: Violation, rules: "read-object"},
		{name: "a policy for a user in other letters", others: []string{head + "  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: x, Users: [VM-01], " + reads + "}}\n"}, verdict: NoVerdict, reasons: open},
		{name: "a policy for another", others: []string{head + "  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: x, Users: [vm-02], " + reads + "}}\n"}, verdict: WriteOnly},
		{name: "a managed policy", others: []string{head + "  P: {Type: AWS::IAM::ManagedPolicy, Properties: {Users: [vm-01], " + reads + "}}\n"}, verdict: Violation, rules: "read-object"},
		{name: "a group and who is in it", others: []string{
			head + "  G: {Type: AWS::IAM::Group, Properties: {GroupName: g, Policies: [{PolicyName: x, " + reads + "}]}}\n",
			head + "  A: {Type: AWS::IAM::UserToGroupAddition, Properties: {GroupName: g, Users: [vm-01]}}\n",
		}, verdict: Violation, rules: "read-object"},
		{name: "a role that trusts the user", others: []string{head + `  R:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {AWS: !Sub "arn:aws:iam::${AWS::AccountId}:user/buzon/vm-01"}, Action: "sts:AssumeRole"}]}
`}, verdict: Violation, rules: "escalate"},
		{name: "an export that another imports", others: []string{
			head + "  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: x, Users: [!ImportValue uploader], " + reads + "}}\nOutputs: {A: {Value: b, Export: {Name: a}}}\n",
			head + "  Q: {Type: AWS::SQS::Queue}\nOutputs: {N: {Value: vm-01, Export: {Name: uploader}}}\n",
		}, verdict: Violation, rules: "read-object"},
		{name: "an export of another", others: []string{
			head + "  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: x, Users: [!ImportValue uploader], " + reads + "}}\n",
			head + "  Q: {Type: AWS::SQS::Queue}\nOutputs: {N: {Value: vm-02, Export: {Name: uploader}}}\n",
		}, verdict: WriteOnly},
		{name: "the same twice is one", others: []string{head + writer()}, verdict: WriteOnly},
	} {
		if c.resources == "" {
			c.resources = writer()
		}
		c.run(t)
	}
}

func TestOneThingHasOneDocument(t *testing.T) {
	twice := "        - PolicyName: w\n          PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Deny, Action: 's3:GetObject', Resource: '*'}]}\n"
	policyOf := func(action string) string {
		return `Resources:
  BP:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: acme-uploads
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Deny, Principal: "*", Action: "` + action + `", Resource: "arn:aws:s3:::acme-uploads/*"}]}
`
	}
	for _, c := range []struct {
		name string
		in   stackCase
		want string
	}{
		{"two inline policies of one name", stackCase{resources: writer() + twice}, "t.yaml:15:27 two-documents"},
		{"the user in two templates", stackCase{resources: writer(), others: []string{"Resources:\n" + writer(`{Effect: Deny, Action: "s3:GetObject", Resource: "*"}`)}}, "other1.yaml:10:13 two-documents"},
		{"the bucket's policy", stackCase{resources: writer(), others: []string{policyOf("s3:GetObject"), policyOf("s3:DeleteObject")}}, "other2.yaml:6:23 two-documents"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.in.load(t)
			var faults policy.Errors
			if !errors.As(err, &faults) {
				t.Fatalf("got %v", err)
			}
			e := faults[0]
			if got := fmt.Sprintf("%s:%d:%d %s", e.File, e.Pos.Line, e.Pos.Column, e.Code); got != c.want || e.Args["other"] == "" {
				t.Errorf("got %s, other %s; want %s", got, e.Args["other"], c.want)
			}
		})
	}
}

func TestTheCredentialsThatATemplateMakes(t *testing.T) {
	key := "  K%: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref U}}\n"
	one, two := strings.ReplaceAll(key, "%", "1"), strings.ReplaceAll(key, "%", "2")
	for _, c := range []stackCase{
		{name: "one key", resources: writer() + one, verdict: WriteOnly},
		{name: "two keys", resources: writer() + one + two, verdict: WriteOnly, rules: "two-keys"},
		{name: "one of them inactive", resources: writer() + one + strings.Replace(two, "!Ref U", "vm-01, Status: Inactive", 1), verdict: WriteOnly},
		{name: "a password", resources: strings.Replace(writer(), "UserName: vm-01\n", "UserName: vm-01\n      LoginProfile: {Password: '{{resolve:ssm-secure:/p:1}}'}\n", 1), verdict: WriteOnly, rules: "console-access"},
		{name: "keys of another", resources: writer() + one + strings.Replace(two, "!Ref U", "vm-02", 1), verdict: WriteOnly},
	} {
		c.run(t)
	}
}

// What is deployed and what is designed, and documents beside them, are one account.
func TestSourcesOfEachKindBelongTogether(t *testing.T) {
	const vm01 = "arn:aws:iam::111122223333:user/buzon/vm-01"
	export := `{"UserDetailList": [{"Arn": "` + vm01 + `", "UserName": "vm-01", "Path": "/buzon/", "UserPolicyList": [{"PolicyName": "w", "PolicyDocument": ` + writesUploads + `}]}],
 "GroupDetailList": [], "Policies": [], "RoleDetailList": [{"Arn": "arn:aws:iam::111122223333:role/r", "RoleName": "r", "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}]}`
	texts := map[string]string{
		"export": export, "id": writesUploads,
		"trust":  "Resources:\n  R:\n    Type: AWS::IAM::Role\n    Properties:\n      AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {AWS: !Sub 'arn:aws:iam::${AWS::AccountId}:user/buzon/vm-01'}, Action: 'sts:AssumeRole'}]}\n",
		"reads":  "Resources:\n  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: x, Users: [vm-01], PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Action: 's3:GetObject', Resource: '*'}]}}}\n",
		"bucket": "Resources:\n  BP: {Type: AWS::S3::BucketPolicy, Properties: {Bucket: acme-uploads, PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {AWS: !Sub 'arn:aws:iam::${AWS::AccountId}:user/buzon/vm-01'}, Action: 's3:GetObject', Resource: 'arn:aws:s3:::acme-uploads/*'}]}}}\n",
		"user":   "Resources:\n" + writer(),
	}
	for _, row := range []struct {
		name    string
		sel     sources.Selection
		verdict Verdict
		rules   string
	}{
		{"an export alone", sources.Selection{Exports: []string{"export"}}, WriteOnly, ""},
		{"an export and a role of a template", sources.Selection{Exports: []string{"export"}, Templates: []string{"trust"}}, Violation, "escalate"},
		{"an export and a policy of a template", sources.Selection{Exports: []string{"export"}, Templates: []string{"reads"}}, Violation, "read-object"},
		{"an export and a bucket of a template", sources.Selection{Exports: []string{"export"}, Templates: []string{"bucket"}}, Violation, "read-object"},
		{"an export and the same user of a template", sources.Selection{Exports: []string{"export"}, Templates: []string{"user"}}, WriteOnly, ""},
		{"a document and a bucket of a template", sources.Selection{
			Documents: []sources.Document{{Kind: policy.UserInline, File: "id"}}, Principals: []string{vm01}, Templates: []string{"bucket"},
		}, Violation, "read-object"},
		{"a document and a role of a template", sources.Selection{
			Documents: []sources.Document{{Kind: policy.UserInline, File: "id"}}, Principals: []string{vm01}, Templates: []string{"trust"},
		}, Violation, "escalate"},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.sel.Bucket, row.sel.Prefix = "acme-uploads", "uploads/vm-01/"
			found, err := sources.Load(t.Context(), row.sel, sources.Access{ReadFile: func(name string) ([]byte, error) { return []byte(texts[name]), nil }})
			if err != nil {
				t.Fatal(err)
			}
			report := Judge(t.Context(), found, Options{})
			if len(report.Principals) != 1 || report.Verdict != row.verdict || rules(&report.Principals[0]) != row.rules {
				t.Errorf("%d principals, %s %s; want %s %s", len(report.Principals), report.Verdict, rules(&report.Principals[0]), row.verdict, row.rules)
			}
		})
	}
}

const writesUploads = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::acme-uploads/uploads/vm-01/*"}]}`
