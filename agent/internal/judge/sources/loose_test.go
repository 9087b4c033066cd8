package sources

import (
	"errors"
	"io/fs"
	"testing"

	"buzon/agent/policy"
)

const (
	vm01 = "arn:aws:iam::111122223333:user/buzon/vm-01"
	vm02 = "arn:aws:iam::111122223333:user/elsewhere/vm-02"
	role = "arn:aws:iam::111122223333:role/buzon/vm-03"
)

func document(kind policy.Kind, file string) Document { return Document{Kind: kind, File: file} }

func TestLooseDocumentsBelongToWhomTheyAreGivenTo(t *testing.T) {
	dir := files{"w": writes, "d": denies}
	identity := document(policy.UserInline, "w")
	for _, row := range []struct {
		name           string
		sel            Selection
		arn, documents string
		topics         string
	}{
		{"nobody named", Selection{Documents: []Document{identity}},
			"arn:aws:iam::${Account}:user/buzon/${User}", "user-inline w",
			"principal group-policies bucket-policy acl access-point access-grants role-trust other-resources versioning bucket-owner"},
		{"nobody named, under another path", Selection{Path: "/", Documents: []Document{identity}},
			"arn:aws:iam::${Account}:user/${User}", "user-inline w",
			"principal group-policies bucket-policy acl access-point access-grants role-trust other-resources versioning bucket-owner"},
		{"a user, whatever its path", Selection{Principals: []string{vm02}, Documents: []Document{identity}},
			vm02, "user-inline w",
			"group-policies bucket-policy acl access-point access-grants role-trust other-resources versioning bucket-owner"},
		{"a role", Selection{Principals: []string{role}, Documents: []Document{identity}},
			role, "role-inline w",
			"bucket-policy acl access-point access-grants role-trust other-resources versioning bucket-owner"},
		{"every kind", Selection{Principals: []string{vm01}, Documents: []Document{
			identity, document(policy.GroupInline, "w"), document(policy.Boundary, "w"), document(policy.Session, "w"),
			document(policy.BucketPolicy, "d"), document(policy.RCP, "d"),
			{Kind: policy.SCP, File: "w", Level: "root"}, {Kind: policy.SCP, File: "w", Level: "ou"},
		}}, vm01, "user-inline w, group-inline w, boundary w, session w, bucket-policy d, rcp d, scp w root, scp w ou",
			"acl access-point access-grants role-trust other-resources versioning bucket-owner"},
		{"only the bucket's policy", Selection{Documents: []Document{document(policy.BucketPolicy, "d")}},
			"arn:aws:iam::${Account}:user/buzon/${User}", "bucket-policy d",
			"principal user-policies group-policies acl access-point access-grants role-trust other-resources versioning bucket-owner"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := dir.one(t, target(row.sel))
			if got := s.Show(s.Set.Subject.ARN); got != row.arn {
				t.Errorf("principal %s, want %s", got, row.arn)
			}
			if got := documents(s); got != row.documents {
				t.Errorf("documents %s\nwant %s", got, row.documents)
			}
			if got := topics(s); got != row.topics {
				t.Errorf("assumptions %s\nwant %s", got, row.topics)
			}
		})
	}
}

func TestEachPrincipalIsHeldToItsOwnPrefix(t *testing.T) {
	found := files{"w": writes}.load(t, Selection{
		Bucket: "b", Prefix: "uploads/{name}/", Principals: []string{vm01, vm02, role},
		Documents: []Document{document(policy.UserInline, "w")},
	})
	want := map[string]string{vm01: "uploads/vm-01/", vm02: "uploads/vm-02/", role: "uploads/vm-03/"}
	for _, s := range found.Subjects {
		if s.Prefix != want[s.Set.Subject.ARN] {
			t.Errorf("%s: %s", s.Set.Subject.ARN, s.Prefix)
		}
	}
	if len(found.Subjects) != 3 || found.NotJudged != 0 {
		t.Errorf("%d judged, %d not", len(found.Subjects), found.NotJudged)
	}
}

func TestABucketPolicyHangsOnTheBucketInQuestion(t *testing.T) {
	s := files{"d": denies}.one(t, Selection{
		Bucket: "b", Prefix: "p/", BucketAccount: "444455556666", Principals: []string{"arn:aws-cn:iam::111122223333:user/vm"},
		Documents: []Document{document(policy.BucketPolicy, "d")},
	})
	if got := s.Set.Sources[0].Attached; got != "arn:aws-cn:s3:::b" || s.Set.BucketAccount != "444455556666" {
		t.Errorf("hangs on %s of %s", got, s.Set.BucketAccount)
	}
}

func TestASelectionThatDoesNotFitIsRefused(t *testing.T) {
	dir := files{"w": writes}
	identity := []Document{document(policy.UserInline, "w")}
	for _, row := range []struct {
		name string
		sel  Selection
		code Usage
	}{
		{"no bucket", Selection{Prefix: "p/", Documents: identity}, UsageNoBucket},
		{"no prefix", Selection{Bucket: "b", Documents: identity}, UsageNoPrefix},
		{"a prefix without its slash", Selection{Bucket: "b", Prefix: "p", Documents: identity}, UsagePrefix},
		{"a prefix with a wildcard", Selection{Bucket: "b", Prefix: "p*/", Documents: identity}, UsagePrefix},
		{"a group", Selection{Bucket: "b", Prefix: "p/", Documents: identity, Principals: []string{"arn:aws:iam::111122223333:group/g"}}, UsagePrincipal},
		{"a name", Selection{Bucket: "b", Prefix: "p/", Documents: identity, Principals: []string{"vm-01"}}, UsagePrincipal},
		{"an account that isn't one", Selection{Bucket: "b", Prefix: "p/", Documents: identity, BucketAccount: "11112222333"}, UsageAccount},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := row.sel.Check()
			if err == nil {
				_, err = Load(t.Context(), row.sel, dir.access())
			}
			var usage *UsageError
			if !errors.As(err, &usage) || usage.Code != row.code {
				t.Errorf("got %v, want %s", err, row.code)
			}
		})
	}
	_, err := Load(t.Context(), target(Selection{Documents: []Document{document(policy.UserInline, "none")}}), dir.access())
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestTheFaultsOfAllFilesAreToldAtOnce(t *testing.T) {
	dir := files{"a": "{\n \"Version\": \"2012\"\n}", "b": writes, "c": `{"Statement": [}`}
	got := dir.faults(t, target(Selection{Documents: []Document{
		document(policy.UserInline, "a"), document(policy.UserInline, "b"), document(policy.BucketPolicy, "c"),
	}}))
	want := "a:1:1 missing-element\na:2:13 unknown-version\nc:1:16 unexpected-text"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestStandardInputIsReadOnce(t *testing.T) {
	reads := 0
	found, err := Load(t.Context(), target(Selection{Documents: []Document{
		document(policy.UserInline, "-"), document(policy.Boundary, "-"),
	}}), Access{ReadFile: func(string) ([]byte, error) { reads++; return []byte(writes), nil }})
	if err != nil || reads != 1 || len(found.Subjects[0].Set.Sources) != 2 {
		t.Errorf("%v, %d reads", err, reads)
	}
}

func TestPrincipalsAreTakenApart(t *testing.T) {
	for _, row := range []struct {
		arn  string
		kind policy.Type
		path string
		name string
	}{
		{"arn:aws:iam::111122223333:user/a", policy.User, "/", "a"},
		{"arn:aws:iam::111122223333:user/x/y/a", policy.User, "/x/y/", "a"},
		{"arn:aws-us-gov:iam::111122223333:role/x/a", policy.Role, "/x/", "a"},
		{"arn:aws:sts::111122223333:assumed-role/a/session", policy.RoleSession, "/", "a"},
		{"arn:aws:sts::111122223333:federated-user/a", policy.FederatedUser, "/", "a"},
		{"arn:aws:iam::111122223333:root", policy.Root, "/", "root"},
		{"arn:aws:iam::111122223333:user/", "", "", ""},
		{"arn:aws:sts::111122223333:assumed-role/a", "", "", ""},
		{"arn:aws:s3:::b", "", "", ""},
		{"user/a", "", "", ""},
	} {
		s, ok := subjectOf(row.arn)
		if ok != (row.kind != "") || ok && (s.Type != row.kind || s.Path != row.path || s.Name != row.name) {
			t.Errorf("%s: %+v, %v", row.arn, s, ok)
		}
	}
}

// Standard input has a name where a place is shown, and is read once.
func TestStandardInputHasAName(t *testing.T) {
	dir := files{"-": `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]}`}
	access := dir.access()
	access.Stdin = "standard input"
	for _, sel := range []Selection{
		{Documents: []Document{document(policy.UserInline, "-")}}, {Exports: []string{"-"}}, {Templates: []string{"-"}},
	} {
		_, err := Load(t.Context(), target(sel), access)
		var faults policy.Errors
		if !errors.As(err, &faults) || faults[0].File != "standard input" {
			t.Errorf("%v", err)
		}
	}
	dir["-"] = writes
	found, err := Load(t.Context(), target(Selection{Documents: []Document{document(policy.UserInline, "-"), document(policy.Boundary, "-")}}), access)
	if err != nil || documents(&found.Subjects[0]) != "user-inline standard input, boundary standard input" {
		t.Errorf("%v, %v", found, err)
	}
	if string(found.Texts["standard input"]) != writes {
		t.Errorf("texts %v", found.Texts)
	}
}
