package audit

import (
	"fmt"
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

// driftOther is a bucket policy without the guard.
const driftOther = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:DeleteBucket","Resource":"arn:aws:s3:::b"}]}`

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
		{"another policy in the place of the guard", deployed("vm-01", driftWrite, driftWrite), driftOther, "bucket-policy", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := &compared(t, row.export, row.guard, driftTemplate).Principals[0]
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

// compared judges what an export holds against templates.
func compared(t *testing.T, export, guard string, templates ...string) *Report {
	t.Helper()
	texts := map[string]string{"x": export, "g": guard}
	sel := sources.Selection{Bucket: "b", Prefix: "p/", Exports: []string{"x"}}
	for i, text := range templates {
		name := fmt.Sprint("t", i)
		texts[name] = text
		sel.Compare = append(sel.Compare, name)
	}
	if guard != "" {
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
	return Judge(t.Context(), found, Options{})
}

// drifts lists every drift as "name:detail".
func drifts(r *Report) string {
	var out []string
	for i := range r.Principals {
		for _, f := range r.Principals[i].Findings {
			if f.Rule == RuleDrift {
				_, name, _ := strings.Cut(r.Principals[i].ARN, "/buzon/")
				out = append(out, name+":"+f.Detail)
			}
		}
	}
	return strings.Join(out, " ")
}

// declared is a user in a template.
func declared(id, more string) string {
	return `"` + id + `": {"Type": "AWS::IAM::User", ` + more + ` "Path": "/buzon/", "PermissionsBoundary": "arn:aws:iam::111122223333:policy/buzon/fence-1",
 "Policies": [{"PolicyName": "write", "PolicyDocument": {"Version": "2012-10-17", "Statement": [` + driftWrite + `]}}]}}`
}

// One policy of AWS is the same in the account and in the template: what is known of it
// here may be older, and holds no Deny.
func TestAPolicyOfAWSIsTheSameOnBothSides(t *testing.T) {
	const denyAll = "arn:aws:iam::aws:policy/AWSDenyAll"
	template := `{"Resources": {"U": {"Type": "AWS::IAM::User", "Properties": {"UserName": "vm-01", "Path": "/buzon/", "ManagedPolicyArns": ["` + denyAll + `"]}}}}`
	export := func(attached, documents string) string {
		return `{"UserDetailList": [{"UserName": "vm-01", "Arn": "arn:aws:iam::111122223333:user/buzon/vm-01", "AttachedManagedPolicies": [` + attached + `]}], "Policies": [` + documents + `]}`
	}
	const (
		attached = `{"PolicyName": "AWSDenyAll", "PolicyArn": "` + denyAll + `"}`
		document = `{"PolicyName": "AWSDenyAll", "Arn": "` + denyAll + `", "PolicyVersionList": [{"VersionId": "v9", "IsDefaultVersion": true, "Document": {"Version": "2012-10-17", "Statement": [
  {"Effect": "Deny", "Action": "*", "Resource": "*"}, {"Effect": "Allow", "Action": "s3:GetTomorrow", "Resource": "*"}]}}]}`
	)
	for _, row := range []struct{ name, export, template, want string }{
		{"exported with its document", export(attached, document), template, ""},
		{"exported without it", export(attached, ""), template, ""},
		{"attached by hand", export(attached, document), strings.Replace(template, denyAll, "arn:aws:iam::111122223333:policy/none", 1), "vm-01:identity"},
		{"another in its place", export(strings.ReplaceAll(attached, "AWSDenyAll", "AdministratorAccess"), ""), strings.Replace(template, "AWSDenyAll", "ReadOnlyAccess", 1), "vm-01:identity"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := drifts(compared(t, row.export, "", row.template)); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestWhoIsOnOneSideAloneIsDrift(t *testing.T) {
	const (
		named   = `"Properties": {"UserName": "vm-01",`
		unnamed = `"Properties": {`
		either  = `"Condition": "Maybe", "Properties": {"UserName": "vm-01",`
	)
	stack := func(resources string) string {
		return `{"Parameters": {"Stage": {"Type": "String"}}, "Conditions": {"Maybe": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}},
 "Resources": {"Fence": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": ` + document(driftWrite) + `}}, ` + resources + `}}`
	}
	onlyRoles := `{"RoleDetailList": [{"RoleName": "other", "Arn": "arn:aws:iam::111122223333:role/other",
  "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}}}]}`
	for _, row := range []struct{ name, export, template, want string }{
		{"another name", deployed("vm-09", driftWrite, driftWrite), driftTemplate, "vm-01:absent vm-09:unknown"},
		{"the name that CloudFormation made", deployed("Buzon-Vm-1ABC", driftWrite, driftWrite), strings.Replace(driftTemplate, `"UserName": "vm-01", `, "", 1), ""},
		{"a name that it never makes", deployed("vm-01", driftWrite, driftWrite), strings.Replace(driftTemplate, `"UserName": "vm-01", `, "", 1), "vm-01:unknown ${Vm}:absent"},
		{"a name that a parameter gives", deployed("vm-01", driftWrite, driftWrite), strings.Replace(driftTemplate, `"vm-01"`, `{"Fn::Sub": "vm-${AWS::StackName}"}`, 1), ""},
		{"gone", deployed("vm-02", driftWrite, driftWrite), stack(declared("A", named) + "," + declared("B", `"Properties": {"UserName": "vm-02",`)), "vm-01:absent vm-02:boundary"},
		{"perhaps never deployed", deployed("vm-02", driftWrite, driftWrite), stack(declared("A", either) + "," + declared("B", `"Properties": {"UserName": "vm-02",`)), "vm-02:boundary"},
		{"under another path", deployed("vm-02", driftWrite, driftWrite), stack(strings.Replace(declared("A", named), "/buzon/", "/else/", 1) + "," + declared("B", `"Properties": {"UserName": "vm-02",`)), "vm-02:boundary"},
		{"without a name", deployed("vm-02", driftWrite, driftWrite), stack(declared("A", unnamed) + "," + declared("B", `"Properties": {"UserName": "vm-02",`)), "vm-02:boundary ${A}:absent"},
		{"of a kind that the export leaves out", onlyRoles, stack(declared("A", named)), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := compared(t, row.export, driftGuard, row.template)
			if got := drifts(r); got != row.want {
				t.Fatalf("got %q, want %q", got, row.want)
			}
			for i := range r.Principals {
				p := &r.Principals[i]
				if p.Subject().Absent == nil {
					continue
				}
				f := p.Findings[0]
				if len(p.Findings) != 1 || p.Verdict != Violation || len(f.Lacks) != 1 || f.Lacks[0].Line == 0 || f.Lacks[0].File != "t0" ||
					!strings.HasPrefix(p.ARN, "arn:aws:iam::111122223333:user/buzon/") || p.Bucket != "b" {
					t.Errorf("%+v", p)
				}
			}
		})
	}
}

func TestTemplatesAreComparedTogether(t *testing.T) {
	shard := `{"Resources": {` + declared("Second", `"Properties": {"UserName": "vm-02",`) + `}}`
	both := strings.Replace(deployed("vm-01", driftWrite, driftWrite), `"UserDetailList": [`, `"UserDetailList": [{"UserName": "vm-02", "Arn": "arn:aws:iam::111122223333:user/buzon/vm-02",
  "UserPolicyList": [{"PolicyName": "w", "PolicyDocument": `+document(driftWrite)+`}]},`, 1)
	shard = strings.Replace(shard, ` "PermissionsBoundary": "arn:aws:iam::111122223333:policy/buzon/fence-1",`, "", 1)
	if got := drifts(compared(t, both, driftGuard, driftTemplate)); got != "vm-02:unknown" {
		t.Errorf("the first alone: %q", got)
	}
	if got := drifts(compared(t, both, driftGuard, driftTemplate, shard)); got != "" {
		t.Errorf("both: %q", got)
	}
	if got := drifts(compared(t, both, driftOther, driftTemplate, shard)); got != "vm-01:bucket-policy vm-02:bucket-policy" {
		t.Errorf("both, without the guard: %q", got)
	}
}

// What a template defines and nobody read is not the same as what is not there.
func TestWhatWasNotReadIsNotCompared(t *testing.T) {
	const more = `{"Resources": {
 "Door": {"Type": "AWS::S3::AccessPoint", "Properties": {"Name": "door", "Bucket": {"Ref": "Box"}, "Policy": {"Version": "2012-10-17", "Statement": [
  {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]}}},
 "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Principal": {"AWS": {"Ref": "AWS::AccountId"}}, "Action": "kms:*", "Resource": "*"}]}}},
 "Unused": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}]}}},
 "Box": {"Type": "AWS::S3::Bucket", "Properties": {"BucketEncryption": {"ServerSideEncryptionConfiguration": [
  {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Fn::GetAtt": ["Key", "Arn"]}}}]}}},`
	template := strings.Replace(strings.Replace(driftTemplate, `{"Resources": {
 "Box": {"Type": "AWS::S3::Bucket"},`, more, 1), "\n", "\n", 1)
	open := func(r *Report) string {
		var out []string
		for _, u := range r.Principals[0].Undecided {
			out = append(out, u.Reason+" "+u.What)
		}
		return strings.Join(out, ", ")
	}
	export := deployed("vm-01", driftWrite, driftWrite)
	r := compared(t, export, driftGuard, template)
	if got := open(r); got != "not-compared access-point, not-compared key-policy" || drifts(r) != "" || r.Verdict != NoVerdict {
		t.Errorf("%s: %q, %q", r.Verdict, got, drifts(r))
	}
	if got := open(compared(t, export, "", driftTemplate)); got != "not-compared bucket-policy" {
		t.Errorf("without the bucket's policy: %q", got)
	}

	// As live reads would hold them.
	const (
		door = `{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}`
		key  = `{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}`
	)
	for _, row := range []struct{ name, door, key, want string }{
		{"as they were deployed", door, key, ""},
		{"an access point that lets read", strings.Replace(door, "Deny", "Allow", 1), key, "vm-01:access-point"},
		{"no access point any more", "", key, "vm-01:access-point"},
		{"a key for everybody", door, strings.Replace(key, `"arn:aws:iam::111122223333:root"`, `"*"`, 1), "vm-01:key-policy"},
		{"no key any more", door, "", "vm-01:key-policy"},
	} {
		t.Run(row.name, func(t *testing.T) {
			texts := map[string]string{"x": export, "g": driftGuard, "t": template}
			found, err := sources.Load(t.Context(), sources.Selection{
				Bucket: "b", Prefix: "p/", Exports: []string{"x"}, Compare: []string{"t"}, Documents: []sources.Document{{Kind: policy.BucketPolicy, File: "g"}},
			}, sources.Access{ReadFile: func(name string) ([]byte, error) { return []byte(texts[name]), nil }})
			if err != nil {
				t.Fatal(err)
			}
			s := &found.Subjects[0]
			s.Live = true
			add := func(kind policy.Kind, attached, statement string) {
				if statement == "" {
					return
				}
				doc, err := policy.Parse("live", []byte(document(statement)), policy.ParseOptions{Grammar: kind.Grammar()})
				if err != nil {
					t.Fatal(err)
				}
				s.Set.Sources = append(s.Set.Sources, policy.Source{Kind: kind, Attached: attached, Bucket: "arn:aws:s3:::b", Document: doc})
			}
			add(policy.AccessPoint, "arn:aws:s3:eu-west-1:111122223333:accesspoint/door", row.door)
			add(policy.KeyPolicy, "arn:aws:kms:eu-west-1:111122223333:key/1", row.key)
			r := Judge(t.Context(), found, Options{})
			if got := drifts(r); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}
