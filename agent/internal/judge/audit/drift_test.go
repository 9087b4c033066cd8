package audit

import (
	"os"
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

const driftTemplate = `{"Resources": {
 "Box": {"Type": "AWS::S3::Bucket"},
 "Guard": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": {"Ref": "Box"}, "PolicyDocument": {"Version": "2012-10-17", "Statement": [
  {"Sid": "NoReads", "Effect": "Deny", "Principal": {"AWS": {"Ref": "AWS::AccountId"}}, "Action": ["s3:GetObject", "s3:ListBucket"],
   "Resource": [{"Fn::GetAtt": ["Box", "Arn"]}, {"Fn::Join": ["", [{"Fn::GetAtt": ["Box", "Arn"]}, "/*"]]}],
   "Condition": {"ArnLike": {"aws:PrincipalArn": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:user/buzon/*"}}}}]}}},
 "Fence": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"Path": "/buzon/", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "s3:PutObject", "Resource": {"Fn::Sub": "${Box.Arn}/p/*"}}]}}},
 "Vm": {"Type": "AWS::IAM::User", "Properties": {"UserName": "vm-01", "Path": "/buzon/", "PermissionsBoundary": {"Ref": "Fence"},
  "Policies": [{"PolicyName": "write", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
   {"Effect": "Allow", "Action": "s3:PutObject", "Resource": {"Fn::Sub": "${Box.Arn}/p/*"}}]}}]}}
}}`

const (
	driftWrite = `{"Effect":"Allow","Action":["s3:PutObject"],"Resource":["arn:aws:s3:::b/p/*"]}`
	driftGuard = `{"Version":"2012-10-17","Statement":[{"Sid":"NoReads","Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:root"},
 "Action":["s3:ListBucket","s3:GetObject"],"Resource":["arn:aws:s3:::b/*","arn:aws:s3:::b"],
 "Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/buzon/*"}}}]}`
)

func deployed(name string, own, fence string) string {
	return `{"UserDetailList": [{"UserName": "` + name + `", "Arn": "arn:aws:iam::111122223333:user/buzon/` + name + `",
  "UserPolicyList": [{"PolicyName": "w", "PolicyDocument": {"Version": "2012-10-17", "Statement": [` + own + `]}}],
  "PermissionsBoundary": {"PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/buzon/fence-1"}}],
 "Policies": [{"PolicyName": "fence-1", "Arn": "arn:aws:iam::111122223333:policy/buzon/fence-1", "PolicyVersionList": [
  {"VersionId": "v1", "IsDefaultVersion": true, "Document": {"Version": "2012-10-17", "Statement": [` + fence + `]}}]}]}`
}

func TestWhatIsDeployedIsHeldAgainstTheTemplate(t *testing.T) {
	replace := func(s, from, to string) string {
		if !strings.Contains(s, from) {
			t.Fatalf("no %s", from)
		}
		return strings.Replace(s, from, to, 1)
	}
	for _, row := range []struct {
		name          string
		export, guard string
		details       string
		lacks         int
	}{
		{"as it was deployed", deployed("vm-01", driftWrite, driftWrite), driftGuard, "", 0},
		{"another name of the statement", deployed("vm-01", replace(driftWrite, "{", `{"Sid": "W",`), driftWrite), driftGuard, "", 0},
		{"one statement more", deployed("vm-01", driftWrite+`,{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`, driftWrite), driftGuard, "identity", 0},
		{"a wider resource", deployed("vm-01", replace(driftWrite, "b/p/*", "b/*"), driftWrite), driftGuard, "identity", 1},
		{"a wider boundary", deployed("vm-01", driftWrite, replace(driftWrite, "s3:PutObject", "s3:*")), driftGuard, "boundary", 1},
		{"a guard with another action", deployed("vm-01", driftWrite, driftWrite), replace(driftGuard, `"s3:ListBucket",`, ""), "bucket-policy", 1},
		{"a guard with another condition", deployed("vm-01", driftWrite, driftWrite), replace(driftGuard, "user/buzon/*", "user/other/*"), "bucket-policy", 1},
		{"a guard for somebody else", deployed("vm-01", driftWrite, driftWrite), replace(driftGuard, "111122223333:root", "444455556666:root"), "bucket-policy", 1},
		{"no guard", deployed("vm-01", driftWrite, driftWrite), "", "bucket-policy", 1},
		{"somebody made by hand", deployed("vm-09", driftWrite, driftWrite), driftGuard, "unknown", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			texts := map[string]string{"t": driftTemplate, "x": row.export, "g": row.guard}
			sel := sources.Selection{Bucket: "b", Prefix: "p/", Exports: []string{"x"}, Compare: "t"}
			if row.guard != "" {
				sel.Documents = []sources.Document{{Kind: policy.BucketPolicy, File: "g"}}
			}
			found, err := sources.Load(t.Context(), sel, sources.Access{ReadFile: func(name string) ([]byte, error) {
				if text, ok := texts[name]; ok {
					return []byte(text), nil
				}
				return nil, os.ErrNotExist
			}})
			if err != nil {
				t.Fatal(err)
			}
			p := &Judge(t.Context(), found, Options{}).Principals[0]
			var details []string
			lacks := 0
			for _, f := range p.Findings {
				if f.Rule == RuleDrift {
					details = append(details, f.Detail)
					lacks += len(f.Lacks)
				}
			}
			if strings.Join(details, " ") != row.details || lacks != row.lacks {
				t.Errorf("%v, %d lack; want %q, %d", details, lacks, row.details, row.lacks)
			}
			if drift := slices.Contains(strings.Fields(rules(p)), "drift"); drift != (row.details != "") || drift && p.Verdict != Violation {
				t.Errorf("%s: %q", p.Verdict, rules(p))
			}
		})
	}
}
