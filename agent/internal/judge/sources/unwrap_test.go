package sources

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"buzon/agent/policy"
)

const opens = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}`

// A document is the same, however a command of the AWS CLI printed it.
func TestDocumentsAsTheAWSCLIPrintsThem(t *testing.T) {
	const role = "arn:aws:iam::111122223333:role/buzon/vm-03"
	for _, row := range []struct {
		name        string
		kind        policy.Kind
		text, notes string
	}{
		{"bare", policy.UserInline, writes, ""},
		{"get-policy-version", policy.UserInline, `{"PolicyVersion": {"Document": ` + writes + `, "VersionId": "v3", "IsDefaultVersion": true}}`, "unwrapped f"},
		{"get-policy-version of an old one", policy.UserInline, `{"PolicyVersion": {"Document": ` + writes + `, "VersionId": "v1", "IsDefaultVersion": false}}`, "unwrapped f, old-version f: v1"},
		{"get-policy-version of the API", policy.UserInline, `{"PolicyVersion": {"Document": "` + url.PathEscape(writes) + `", "VersionId": "v3"}}`, "unwrapped f"},
		{"get-user-policy", policy.UserInline, `{"UserName": "vm-01", "PolicyName": "own", "PolicyDocument": ` + writes + `}`, "unwrapped f"},
		{"get-group-policy", policy.GroupInline, `{"GroupName": "ops", "PolicyName": "own", "PolicyDocument": ` + writes + `}`, "unwrapped f"},
		{"get-role-policy", policy.UserInline, `{"RoleName": "vm-03", "PolicyName": "own", "PolicyDocument": ` + writes + `}`, "unwrapped f"},
		{"get-role", policy.Trust, `{"Role": {"RoleName": "vm-03", "Arn": "` + role + `", "AssumeRolePolicyDocument": ` + opens + `}}`, "unwrapped f"},
		{"get-bucket-policy", policy.BucketPolicy, `{"Policy": ` + fmt.Sprintf("%q", denies) + `}`, "unwrapped f"},
		{"get-key-policy", policy.KeyPolicy, `{"Policy": ` + fmt.Sprintf("%q", ownerAccess) + `, "PolicyName": "default"}`, "unwrapped f"},
		{"get-access-point-policy", policy.AccessPoint, `{"Policy": ` + fmt.Sprintf("%q", strings.Replace(denies, "arn:aws:s3:::b/*", "arn:aws:s3:eu-west-1:111122223333:accesspoint/door/object/*", 1)) + `}`, "unwrapped f"},
		{"describe-policy of an SCP", policy.SCP, `{"Policy": {"PolicySummary": {"Id": "p-1"}, "Content": ` + fmt.Sprintf("%q", writes) + `}}`, "unwrapped f"},
		{"percent-encoded", policy.UserInline, url.PathEscape(writes), "unwrapped f"},
		{"a text of JSON", policy.UserInline, fmt.Sprintf("%q", writes), "unwrapped f"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := files{"f": row.text}.one(t, target(Selection{Principals: []string{role}, Documents: []Document{document(row.kind, "f")}}))
			if len(s.Set.Sources) != 1 {
				t.Fatalf("%d documents", len(s.Set.Sources))
			}
			src := s.Set.Sources[0]
			if len(src.Document.Statements) != 1 || src.Document.Statements[0].Unclear != nil {
				t.Errorf("%+v", src.Document)
			}
			var notes []string
			for _, n := range s.Notes {
				notes = append(notes, string(n.What)+" "+n.Name)
			}
			if got := strings.Join(notes, ", "); got != row.notes {
				t.Errorf("notes %q, want %q", got, row.notes)
			}
			if src.Kind == policy.Trust && src.Attached != role {
				t.Errorf("attached to %q", src.Attached)
			}
		})
	}
	for _, row := range []struct{ name, text, want string }{
		{"no policy in it", `{"Policy": {"Arn": "arn:aws:iam::aws:policy/X", "DefaultVersionId": "v1"}}`, "f:1:12 missing-element\nf:1:13 unknown-element\nf:1:49 unknown-element"},
		{"a text that is none", `{"Policy": "hello"}`, "f:1:12 unexpected-text"},
		{"a broken encoding", `%7`, "f:1:1 unexpected-text"},
		{"a broken encoding of one", `%7B%7`, "f:1:1 bad-encoding"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := files{"f": row.text}.faults(t, target(Selection{Documents: []Document{document(policy.UserInline, "f")}}))
			if got != row.want {
				t.Errorf("got\n%s\nwant\n%s", got, row.want)
			}
		})
	}
}

// What hangs on something with an ARN hangs on what was said, on what the policy
// says, or on what is judged.
func TestLooseDocumentsHangOnTheirResource(t *testing.T) {
	const (
		user, role = "arn:aws:iam::111122223333:user/buzon/vm-01", "arn:aws:iam::111122223333:role/buzon/vm-03"
		point      = "arn:aws:s3:eu-west-1:111122223333:accesspoint/door"
	)
	onPoint := strings.Replace(denies, "arn:aws:s3:::b/*", point+"/object/*", 1)
	onKey := strings.Replace(ownerAccess, `"Resource":"*"`, `"Resource":"`+keyARN+`"`, 1)
	everywhere := strings.Replace(denies, `"arn:aws:s3:::b/*"`, `"*"`, 1)
	for _, row := range []struct {
		name, principal string
		kind            policy.Kind
		on, text, want  string
	}{
		{"the judged role's trust", role, policy.Trust, "", opens, role},
		{"the trust of a session's role", "arn:aws:sts::111122223333:assumed-role/vm-03/i-1", policy.Trust, "", opens, "arn:aws:iam::111122223333:role/vm-03"},
		{"another role's trust", user, policy.Trust, "arn:aws:iam::111122223333:role/other", opens, "arn:aws:iam::111122223333:role/other"},
		{"a trust, and a user", user, policy.Trust, "", opens, "bad-hook"},
		{"a trust on a user", user, policy.Trust, user, opens, "bad-hook"},
		{"a key, as said", user, policy.KeyPolicy, keyARN, ownerAccess, keyARN},
		{"a key, as its policy says", user, policy.KeyPolicy, "", onKey, keyARN},
		{"the bucket's key", user, policy.KeyPolicy, "", ownerAccess, "arn:aws:kms:${Region}:111122223333:key/${Key}"},
		{"a key by its alias", user, policy.KeyPolicy, "arn:aws:kms:eu-west-1:111122223333:alias/k", ownerAccess, "bad-hook"},
		{"an access point, as said", user, policy.AccessPoint, point, onPoint, point},
		{"an access point, as its policy says", user, policy.AccessPoint, "", onPoint, point},
		{"an access point that nobody names", user, policy.AccessPoint, "", everywhere, "needs-arn"},
		{"a managed policy", user, policy.UserManaged, "arn:aws:iam::111122223333:policy/m", writes, "arn:aws:iam::111122223333:policy/m"},
		{"a managed policy without ARN", user, policy.UserManaged, "", writes, "bad-hook"},
	} {
		t.Run(row.name, func(t *testing.T) {
			sel := target(Selection{Principals: []string{row.principal}, Documents: []Document{{Kind: row.kind, On: row.on, File: "f"}}})
			err := sel.Check()
			var found *Found
			if err == nil {
				found, err = Load(t.Context(), sel, files{"f": row.text}.access())
			}
			if err != nil {
				if !strings.Contains(err.Error(), row.want) {
					t.Errorf("%v, want %s", err, row.want)
				}
				return
			}
			s := &found.Subjects[0]
			src := s.Set.Sources[0]
			if got := s.Show(src.Attached + src.ARN); got != row.want {
				t.Errorf("on %s, want %s", got, row.want)
			}
			if src.Kind == policy.AccessPoint && src.Bucket != "arn:aws:s3:::b" {
				t.Errorf("bucket %q", src.Bucket)
			}
		})
	}
}

// A managed policy that was given is what others hold, and held by somebody.
func TestManagedPoliciesThatWereGiven(t *testing.T) {
	const arn, other = "arn:aws:iam::111122223333:policy/m", "arn:aws:iam::111122223333:policy/other"
	export := inBraces(`"UserDetailList": [{"UserName": "u", "Arn": "arn:aws:iam::111122223333:user/buzon/u", "AttachedManagedPolicies": [{"PolicyArn": "` + arn + `"}]}]`)
	given := func(arn string) Selection {
		return target(Selection{Exports: []string{"x"}, Documents: []Document{{Kind: policy.UserManaged, On: arn, File: "w"}}})
	}
	if s := (files{"x": export, "w": writes}).one(t, given(arn)); documents(s) != "user-managed w" || gaps(s) != "" {
		t.Errorf("%s | %s", documents(s), gaps(s))
	}
	_, err := Load(t.Context(), given(other), files{"x": export, "w": writes}.access())
	var use *UsageError
	if !errors.As(err, &use) || use.Code != UsageUnheld {
		t.Errorf("a policy that nobody holds: %v", err)
	}
	whole := strings.Replace(export, `"UserDetailList"`, `"Policies": [{"PolicyName": "m", "Arn": "`+arn+`", "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true, "Document": `+opensNot+`}]}], "UserDetailList"`, 1)
	if got := (files{"x": whole, "w": writes}).faults(t, given(arn)); !strings.Contains(got, string(TwoDocuments)) {
		t.Errorf("two documents of one policy: %s", got)
	}
}

const opensNot = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}`

// Tags and the id of the one principal that was named are its own.
func TestTagsAndIDOfThePrincipal(t *testing.T) {
	const user = "arn:aws:iam::111122223333:user/buzon/vm-01"
	base := target(Selection{Principals: []string{user}, Documents: []Document{document(policy.UserInline, "w")}})
	sel := base
	sel.Tags, sel.PrincipalID = []string{"team=a=b", "empty="}, "AIDAEXAMPLEEXAMPLE01"
	if err := sel.Check(); err != nil {
		t.Fatal(err)
	}
	p := files{"w": writes}.one(t, sel).Set.Subject
	if !p.TagsKnown || p.Tags["team"] != "a=b" || len(p.Tags) != 2 || p.UniqueID != "AIDAEXAMPLEEXAMPLE01" {
		t.Errorf("%+v", p)
	}
	if p := (files{"w": writes}).one(t, base).Set.Subject; p.TagsKnown || p.UniqueID != "" {
		t.Errorf("without: %+v", p)
	}
	for code, change := range map[Usage]func(*Selection){
		UsageTag:          func(s *Selection) { s.Tags = []string{"team"} },
		UsageID:           func(s *Selection) { s.PrincipalID = "vm-01" },
		UsageOnePrincipal: func(s *Selection) { s.Tags, s.Principals = []string{"a=b"}, nil },
		UsageAccount:      func(s *Selection) { s.Principals = []string{"arn:aws:iam::1111:user/x"} },
		UsagePrincipal:    func(s *Selection) { s.Principals = []string{"vm-01"} },
	} {
		sel := base
		change(&sel)
		var use *UsageError
		if err := sel.Check(); !errors.As(err, &use) || use.Code != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
}

// {name} stands for a name, and nothing else stands in braces.
func TestPlaceholdersOfThePrefix(t *testing.T) {
	const user = "arn:aws:iam::111122223333:user/buzon/vm-01"
	for _, row := range []struct{ prefix, principal, want string }{
		{"uploads/{name}/", user, "uploads/vm-01/"},
		{"{name}/{name}/", user, "vm-01/vm-01/"},
		{"uploads/", "", "uploads/"},
		{"uploads/{name}/", "", "nameless"},
		{"uploads/{nombre}/", user, "bad-placeholder"},
		{"uploads/{Name}/", user, "bad-placeholder"},
		{"uploads/{name/", user, "bad-placeholder"},
		{"uploads/name}/", "", "bad-placeholder"},
		{"uploads/{}/", user, "bad-placeholder"},
	} {
		sel := Selection{Bucket: "b", Prefix: row.prefix, Documents: []Document{document(policy.UserInline, "w")}}
		if row.principal != "" {
			sel.Principals = []string{row.principal}
		}
		got := ""
		if err := sel.Check(); err != nil {
			got = err.Error()
		} else if found, err := Load(t.Context(), sel, files{"w": writes}.access()); err != nil {
			got = err.Error()
		} else {
			got = found.Subjects[0].Prefix
		}
		if !strings.Contains(got, row.want) {
			t.Errorf("%s for %q: %s, want %s", row.prefix, row.principal, got, row.want)
		}
	}
}
