package sources

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func inBraces(rest string) string {
	return `{` + rest + `}`
}

// details is an account as get-account-authorization-details prints it, with
// documents as objects and percent-encoded.
var details = inBraces(`
 "UserDetailList": [
  {"Path": "/buzon/", "UserName": "vm-01", "UserId": "AIDAEXAMPLEEXAMPLE01", "Arn": "arn:aws:iam::111122223333:user/buzon/vm-01",
   "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": ` + writes + `}, {"PolicyName": "coded", "PolicyDocument": "` + url.PathEscape(writes) + `"}],
   "GroupList": ["ops"], "AttachedManagedPolicies": [{"PolicyName": "m", "PolicyArn": "arn:aws:iam::111122223333:policy/m"}],
   "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/fence"},
   "Tags": [{"Key": "buzon-uploader", "Value": "vm-01"}]},
  {"Path": "/", "UserName": "admin", "UserId": "AIDAEXAMPLEEXAMPLE02", "Arn": "arn:aws:iam::111122223333:user/admin",
   "AttachedManagedPolicies": [{"PolicyName": "AdministratorAccess", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}]}
 ],
 "GroupDetailList": [{"GroupName": "ops", "Arn": "arn:aws:iam::111122223333:group/ops",
  "GroupPolicyList": [{"PolicyName": "inline", "PolicyDocument": ` + writes + `}],
  "AttachedManagedPolicies": [{"PolicyName": "m", "PolicyArn": "arn:aws:iam::111122223333:policy/m"}]}],
 "RoleDetailList": [{"Path": "/buzon/", "RoleName": "vm-03", "RoleId": "AROAEXAMPLEEXAMPLE03", "Arn": "arn:aws:iam::111122223333:role/buzon/vm-03",
  "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
  "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": ` + writes + `}]}],
 "Policies": [
  {"PolicyName": "m", "Arn": "arn:aws:iam::111122223333:policy/m", "DefaultVersionId": "v2", "PolicyVersionList": [
   {"VersionId": "v2", "IsDefaultVersion": true, "Document": ` + writes + `}, {"VersionId": "v1", "IsDefaultVersion": false, "Document": {"Statement": []}}]},
  {"PolicyName": "fence", "Arn": "arn:aws:iam::111122223333:policy/fence", "DefaultVersionId": "v1", "PolicyVersionList": [
   {"VersionId": "v1", "IsDefaultVersion": true, "Document": ` + writes + `}]}
 ], "IsTruncated": false`)

func TestAnExportGivesEachPrincipalWhatBearsOnIt(t *testing.T) {
	found := files{"x": details}.load(t, Selection{Bucket: "b", Prefix: "uploads/{name}/", Exports: []string{"x"}})
	want := map[string]string{
		"vm-01": "user-inline own, user-inline coded, user-managed m, group-inline inline, group-managed m, boundary fence, trust vm-03",
		"vm-03": "role-inline own, trust vm-03",
	}
	if len(found.Subjects) != len(want) || found.NotJudged != 1 {
		t.Fatalf("%d judged, %d not", len(found.Subjects), found.NotJudged)
	}
	for i := range found.Subjects {
		s := &found.Subjects[i]
		name := s.Set.Subject.Name
		if got := documents(s); got != want[name] {
			t.Errorf("%s: %s\nwant %s", name, got, want[name])
		}
		if s.Prefix != "uploads/"+name+"/" || gaps(s) != "" || !s.Set.Subject.TagsKnown || s.Set.Subject.UniqueID == "" {
			t.Errorf("%s: prefix %s, gaps %s, %+v", name, s.Prefix, gaps(s), s.Set.Subject)
		}
		if got := topics(s); got != "bucket-policy acl access-point access-grants other-resources versioning bucket-owner" {
			t.Errorf("%s: assumptions %s", name, got)
		}
	}
	s := &found.Subjects[1]
	if s.Set.Subject.Name != "vm-01" {
		s = &found.Subjects[0]
	}
	if s.Set.Subject.Tags["buzon-uploader"] != "vm-01" {
		t.Errorf("tags %v", s.Set.Subject.Tags)
	}
	for _, src := range s.Set.Sources {
		if src.Name == "m" && (src.Version != "v2" || src.ARN != "arn:aws:iam::111122223333:policy/m") {
			t.Errorf("m is %s %s", src.ARN, src.Version)
		}
		if src.Name == "coded" && string(src.Raw) != writes {
			t.Errorf("decoded to %s", src.Raw)
		}
	}
}

func TestAnExportWithAllPathsAndWithNames(t *testing.T) {
	all := files{"x": details}.load(t, target(Selection{Exports: []string{"x"}, Path: "/"}))
	if len(all.Subjects) != 3 || all.NotJudged != 0 {
		t.Errorf("all: %d judged, %d not", len(all.Subjects), all.NotJudged)
	}
	one := files{"x": details}.load(t, target(Selection{Exports: []string{"x"}, Path: "/none/", Principals: []string{"arn:aws:iam::111122223333:user/admin"}}))
	if len(one.Subjects) != 1 || one.NotJudged != 2 {
		t.Fatalf("one: %d judged, %d not", len(one.Subjects), one.NotJudged)
	}
	if got := documents(&one.Subjects[0]); got != "user-managed AdministratorAccess, trust vm-03" {
		t.Error(got)
	}
	_, err := Load(t.Context(), target(Selection{Exports: []string{"x"}, Principals: []string{"arn:aws:iam::111122223333:user/nobody"}}), files{"x": details}.access())
	if err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("somebody who isn't there: %v", err)
	}
}

// Documents beside an export belong to whom they name, once.
func TestLooseDocumentsJoinTheExport(t *testing.T) {
	s := files{"x": details, "w": writes, "d": denies}.one(t, target(Selection{
		Exports: []string{"x"}, Path: "/none/", Principals: []string{"arn:aws:iam::111122223333:role/buzon/vm-03"},
		Documents: []Document{document("session", "w"), document("bucket-policy", "d"), document("scp", "w")},
	}))
	if got := documents(s); got != "role-inline own, trust vm-03, session w, bucket-policy d, scp w" {
		t.Error(got)
	}
	if strings.Contains(topics(s), "bucket-policy") {
		t.Errorf("assumptions %s", topics(s))
	}
}

func TestWhatAnExportLacksIsAGap(t *testing.T) {
	user := func(rest string) string {
		return inBraces(`"UserDetailList": [{"UserName": "u", "Arn": "arn:aws:iam::111122223333:user/buzon/u"` + rest + `}]`)
	}
	for _, row := range []struct{ name, text, want string }{
		{"the rest of the account", inBraces(`"UserDetailList": [{"UserName": "u", "Arn": "arn:aws:iam::111122223333:user/buzon/u"}], "IsTruncated": true, "Marker": "m"`),
			"truncated x at x:1:105"},
		{"a group", user(`, "GroupList": ["ops"]`), "group-unknown ops"},
		{"a boundary", user(`, "PermissionsBoundary": {"PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/fence"}`),
			"policy-unknown arn:aws:iam::111122223333:policy/fence"},
		{"an inline document", user(`, "UserPolicyList": [{"PolicyName": "p"}]`), "policy-unknown arn:aws:iam::111122223333:user/buzon/u/p at x:1:107"},
		{"a version", inBraces(`"Policies": [{"Arn": "arn:aws:iam::111122223333:policy/m", "PolicyVersionList": []}], "UserDetailList": [
			{"UserName": "u", "Arn": "arn:aws:iam::111122223333:user/buzon/u", "AttachedManagedPolicies": [{"PolicyArn": "arn:aws:iam::111122223333:policy/m"}]}]`),
			"policy-unknown arn:aws:iam::111122223333:policy/m"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := gaps(files{"x": row.text}.one(t, target(Selection{Exports: []string{"x"}}))); got != row.want {
				t.Errorf("got\n%s\nwant\n%s", got, row.want)
			}
		})
	}
}

// What AWS accepted and this parser doesn't understand stays in the set, marked.
func TestAnExportIsReadLeniently(t *testing.T) {
	s := files{"x": inBraces(`"UserDetailList": [{"UserName": "u", "Arn": "arn:aws:iam::111122223333:user/buzon/u", "UserPolicyList": [
 {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"},
  {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringIs": {"aws:a": "b"}}}]}}]}]`)}.
		one(t, target(Selection{Exports: []string{"x"}}))
	st := s.Set.Sources[0].Document.Statements
	if len(st) != 2 || st[0].Unclear != nil || st[1].Unclear == nil || st[1].Unclear.Pos.Line != 4 {
		t.Errorf("%+v", st)
	}
}

func TestAMalformedExportIsRefusedWithItsPlaces(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"a policy", writes, "x:1:1 not-an-export"},
		{"a list", `[]`, "x:1:1 not-an-export"},
		{"no JSON", "{\n\"UserDetailList\": [", "x:2:20 unexpected-end"},
		{"a list that is a text", `{"UserDetailList": [], "Policies": "x"}`, "x:1:36 wrong-shape"},
		{"a user that is a text", `{"UserDetailList": ["u"]}`, "x:1:21 wrong-shape"},
		{"a user without an ARN", `{"UserDetailList": [{"UserName": "u"}]}`, "x:1:21 missing-element"},
		{"a user with a role's ARN", `{"UserDetailList": [{"Arn": "arn:aws:iam::111122223333:role/r"}]}`, "x:1:29 bad-arn"},
		{"a name that is a number", `{"Policies": [{"Arn": 7}]}`, "x:1:15 missing-element\nx:1:23 wrong-shape"},
		{"a document that is a list", `{"UserDetailList": [{"Arn": "arn:aws:iam::111122223333:user/u", "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": []}]}]}`, "x:1:122 wrong-shape"},
		{"a document that is no document", `{"UserDetailList": [{"Arn": "arn:aws:iam::111122223333:user/u", "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": "%7B%7D"}]}]}`, "x:1:122 missing-element"},
		{"a broken encoding", `{"UserDetailList": [{"Arn": "arn:aws:iam::111122223333:user/u", "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": "%7"}]}]}`, "x:1:122 bad-encoding"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := (files{"x": row.text}).faults(t, target(Selection{Exports: []string{"x"}})); got != row.want {
				t.Errorf("got\n%s\nwant\n%s", got, row.want)
			}
		})
	}
}

// Part of an account is never taken for the whole of it.
func TestAPartOfAnAccountIsSaidToBeOne(t *testing.T) {
	const (
		users  = `"UserDetailList": [{"UserName": "u", "Arn": "arn:aws:iam::111122223333:user/buzon/u", "GroupList": [], "UserPolicyList": [], "AttachedManagedPolicies": []}]`
		groups = `"GroupDetailList": []`
		trusts = `"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}`
		roles  = `"RoleDetailList": [{"RoleName": "r", "Arn": "arn:aws:iam::111122223333:role/r", "RolePolicyList": [], "AttachedManagedPolicies": [], ` + trusts + `}]`
	)
	for _, row := range []struct {
		name, text string
		topics     string // besides those of every export
		gaps       bool
	}{
		{"whole", inBraces(users + "," + groups + "," + roles + `,"Policies": []`), "", false},
		{"whole, and says so", inBraces(users + "," + groups + "," + roles + `,"Policies": [], "IsTruncated": false`), "", false},
		{"no next token", inBraces(users + "," + groups + "," + roles + `,"Policies": [], "NextToken": null`), "", false},
		{"cut by --max-items", inBraces(users + "," + groups + "," + roles + `,"Policies": [], "NextToken": "abc"`), "role-trust", true},
		{"cut by the API", inBraces(users + "," + groups + "," + roles + `,"Policies": [], "IsTruncated": true, "Marker": "abc"`), "role-trust", true},
		{"with a marker alone", inBraces(users + "," + groups + "," + roles + `,"Policies": [], "Marker": "abc"`), "role-trust", true},
		{"filtered", inBraces(users + "," + groups + `,"RoleDetailList": [], "Policies": []`), "role-trust", false},
		{"without its roles", inBraces(users), "role-trust", false},
		{"a role without its trust policy", inBraces(users + `, "RoleDetailList": [{"RoleName": "r", "Arn": "arn:aws:iam::111122223333:role/r", "RolePolicyList": []}]`), "role-trust", false},
		{"a user without its lists", inBraces(`"UserDetailList": [{"UserName": "u", "Arn": "arn:aws:iam::111122223333:user/buzon/u"}],` + roles), "group-policies user-policies", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := files{"x": row.text}.one(t, target(Selection{Exports: []string{"x"}, Path: "/buzon/"}))
			var more []string
			for _, topic := range strings.Fields(topics(s)) {
				if !strings.Contains("bucket-policy acl access-point access-grants other-resources versioning bucket-owner", topic) {
					more = append(more, topic)
				}
			}
			slices.Sort(more)
			if got := strings.Join(more, " "); got != row.topics || (gaps(s) != "") != row.gaps {
				t.Errorf("assumes %q, gaps %q", got, gaps(s))
			}
		})
	}
}

// A policy has one default version, and says twice which.
func TestTheDefaultVersionOfAnExport(t *testing.T) {
	version := func(id, is string) string { return `{"VersionId": "` + id + `"` + is + `, "Document": ` + writes + `}` }
	const yes, no = `, "IsDefaultVersion": true`, `, "IsDefaultVersion": false`
	for _, row := range []struct{ name, id, versions, want string }{
		{"both agree", `"DefaultVersionId": "v2",`, version("v2", yes) + "," + version("v1", no), "user-managed m v2"},
		{"only by its name", `"DefaultVersionId": "v1",`, version("v2", "") + "," + version("v1", ""), "user-managed m v1"},
		{"only by itself", ``, version("v2", no) + "," + version("v1", yes), "user-managed m v1"},
		{"another by its name", `"DefaultVersionId": "v0",`, version("v0", no) + "," + version("v1", yes), "contradicts"},
		{"one that isn't there", `"DefaultVersionId": "v0",`, version("v1", yes), "contradicts"},
		{"two by themselves", ``, version("v2", yes) + "," + version("v1", yes), "contradicts"},
		{"none", `"DefaultVersionId": "v9",`, version("v2", no), "policy-unknown"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := files{"x": inBraces(`"UserDetailList": [{"UserName": "u", "Arn": "arn:aws:iam::111122223333:user/buzon/u", "AttachedManagedPolicies": [{"PolicyArn": "arn:aws:iam::111122223333:policy/m"}]}],
			 "Policies": [{"PolicyName": "m", "Arn": "arn:aws:iam::111122223333:policy/m", ` + row.id + `"PolicyVersionList": [` + row.versions + `]}]`)}.
				one(t, target(Selection{Exports: []string{"x"}}))
			got := documents(s)
			if len(s.Set.Sources) > 0 {
				got += " " + s.Set.Sources[0].Version
			}
			if got += gaps(s); !strings.HasPrefix(got, row.want) {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}
