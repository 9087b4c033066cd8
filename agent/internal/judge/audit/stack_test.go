package audit_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// These tests judge the stack itself, as infra synthesizes it: the templates in
// agent/testdata/stack, which infra's own tests hold to the letter.

const (
	s3FullAccess = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","s3-object-lambda:*"],"Resource":"*"}]}`
	adminAccess  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
)

func stack(t *testing.T, name, path string) *sources.Found {
	t.Helper()
	file := filepath.Join("..", "..", "..", "testdata", "stack", name+".template.json")
	found, err := sources.Load(t.Context(), sources.Selection{Path: path, Templates: []string{file}}, sources.Access{ReadFile: os.ReadFile})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Subjects) == 0 {
		t.Fatalf("%s holds no uploader under %s", name, path)
	}
	return found
}

// uploader is the first of a stack.
func uploader(t *testing.T, name, path string) *policy.Set {
	t.Helper()
	return &stack(t, name, path).Subjects[0].Set
}

// with is a set changed by hand, as somebody might err.
func with(set *policy.Set, changes ...func(*policy.Set)) *policy.Set {
	changed := *set
	changed.Sources = slices.Clone(set.Sources)
	for _, change := range changes {
		change(&changed)
	}
	return &changed
}

func attached(t *testing.T, document string) func(*policy.Set) {
	t.Helper()
	doc, err := policy.Parse("attached.json", []byte(document), policy.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return func(set *policy.Set) {
		kind := policy.UserManaged
		if set.Subject.Type == policy.Role {
			kind = policy.RoleManaged
		}
		set.Sources = append(set.Sources, policy.Source{Kind: kind, Name: "attached", Document: doc})
	}
}

func withoutBoundary(set *policy.Set) {
	set.Sources = slices.DeleteFunc(set.Sources, func(s policy.Source) bool { return s.Kind == policy.Boundary })
}

// moved is the uploader under another path, where the guard doesn't mean it.
func moved(set *policy.Set) {
	set.Subject.ARN = strings.Replace(set.Subject.ARN, "/buzon/", "/other/", 1)
	set.Subject.Path = "/other/"
}

// federated is a session of GetFederationToken, with all that its user may do.
func federated(set *policy.Set) {
	set.Subject = policy.Subject{
		Type: policy.FederatedUser, Partition: set.Subject.Partition, Account: set.Subject.Account, Path: "/", Name: "vm-01",
		ARN: fmt.Sprintf("arn:%s:sts::%s:federated-user/vm-01", set.Subject.Partition, set.Subject.Account),
	}
	doc, err := policy.Parse("session.json", []byte(adminAccess), policy.ParseOptions{})
	if err != nil {
		panic(err) // it is a constant
	}
	set.Sources = append(set.Sources, policy.Source{Kind: policy.Session, Name: "session", Document: doc})
}

// ask is a request as a client of today makes it: over TLS 1.3, signed in its
// headers, and a PUT with If-None-Match.
func ask(set *policy.Set, action, resource string, more ...string) decide.Request {
	r := decide.Request{Action: action, Resource: resource, Context: map[string][]string{
		"aws:securetransport": {"true"}, "s3:tlsversion": {"1.3"}, "s3:authtype": {"REST-HEADER"}, "s3:signatureversion": {"AWS4-HMAC-SHA256"},
	}}
	if action == "s3:PutObject" {
		r.Context["s3:if-none-match"], r.Context["s3:objectcreationoperation"] = []string{"*"}, []string{"true"}
	}
	for _, pair := range more {
		key, value, ok := strings.Cut(pair, "=")
		if r.Context[key] = []string{value}; !ok {
			delete(r.Context, key)
		}
	}
	if strings.HasPrefix(resource, "/") || resource == "" {
		r.Resource = "arn:aws:s3:::" + set.Bucket + resource
	}
	return r
}

// answer is the outcome, with the names of the statements that made a denial.
func answer(set *policy.Set, r decide.Request) string {
	result := decide.Decide(set, r)
	if result.Outcome != decide.ExplicitDeny {
		return result.Outcome.String()
	}
	var sids []string
	for _, ref := range result.Because {
		st := set.Sources[ref.Source].Document.Statements[ref.Statement]
		sid := st.Sid
		if sid == "" {
			sid = "TLS"
		}
		sids = append(sids, sid)
	}
	slices.Sort(sids)
	return strings.Join(slices.Compact(sids), " ")
}

// What an uploader can and can't do in every state of the stack, decided from the
// synthesized documents. The columns: its own policy; AmazonS3FullAccess behind
// boundary and guard; behind the guard alone; behind the boundary alone (the
// user moved to another path); behind neither.
func TestWhatEachStateLetsThrough(t *testing.T) {
	own := uploader(t, "users", "/buzon/")
	full := attached(t, s3FullAccess)
	states := []*policy.Set{own, with(own, full), with(own, full, withoutBoundary), with(own, full, moved), with(own, full, withoutBoundary, moved)}
	const (
		ok   = "allowed"
		none = "implicit deny"
		only = "UploadersOnlyWrite"
		pre  = "UsersOnlyUnderTheirPrefix"
	)
	mine := "/uploads/vm-01/x"
	for _, test := range []struct {
		what, action, resource string
		context                []string
		want                   [5]string
	}{
		{"put", "s3:PutObject", mine, nil, [5]string{ok, ok, ok, ok, ok}},
		{"put deep below", "s3:PutObject", "/uploads/vm-01/a/b/c", nil, [5]string{ok, ok, ok, ok, ok}},
		{"start or send a part", "s3:PutObject", mine, []string{"s3:objectcreationoperation=false", "s3:if-none-match"}, [5]string{ok, ok, ok, ok, ok}},
		{"put over an object", "s3:PutObject", mine, []string{"s3:if-none-match"}, [5]string{"AppendOnly", "AppendOnly", "AppendOnly", "AppendOnly", "AppendOnly"}},
		{"put at the top", "s3:PutObject", "/x", nil, [5]string{pre, pre, pre, none, ok}},
		{"put beside the uploaders", "s3:PutObject", "/uploads/x", nil, [5]string{pre, pre, pre, none, ok}},
		{"put as the prefix without its slash", "s3:PutObject", "/uploads/vm-01", nil, [5]string{pre, pre, pre, none, ok}},
		{"put under a longer name", "s3:PutObject", "/uploads/vm-010/x", nil, [5]string{pre, pre, pre, none, ok}},
		{"put under another's prefix", "s3:PutObject", "/uploads/vm-02/x", nil, [5]string{pre, pre, pre, none, ok}},
		{"abort its own", "s3:AbortMultipartUpload", mine, nil, [5]string{none, none, ok, none, ok}},
		{"abort another's", "s3:AbortMultipartUpload", "/uploads/vm-02/x", nil, [5]string{pre, pre, pre, none, ok}},
		{"get", "s3:GetObject", mine, nil, [5]string{only, only, only, none, ok}},
		{"get a version", "s3:GetObjectVersion", mine, nil, [5]string{only, only, only, none, ok}},
		{"attributes", "s3:GetObjectAttributes", mine, nil, [5]string{only, only, only, none, ok}},
		{"get ACL", "s3:GetObjectAcl", mine, nil, [5]string{only, only, only, none, ok}},
		{"put ACL", "s3:PutObjectAcl", mine, nil, [5]string{only, only, only, none, ok}},
		{"tag", "s3:PutObjectTagging", mine, nil, [5]string{only, only, only, none, ok}},
		{"get tags", "s3:GetObjectTagging", mine, nil, [5]string{only, only, only, none, ok}},
		{"delete", "s3:DeleteObject", mine, nil, [5]string{only, only, only, none, ok}},
		{"delete a version", "s3:DeleteObjectVersion", mine, nil, [5]string{only, only, only, none, ok}},
		{"list", "s3:ListBucket", "", nil, [5]string{only, only, only, none, ok}},
		{"list versions", "s3:ListBucketVersions", "", nil, [5]string{only, only, only, none, ok}},
		{"list uploads", "s3:ListBucketMultipartUploads", "", nil, [5]string{only, only, only, none, ok}},
		{"list parts", "s3:ListMultipartUploadParts", mine, nil, [5]string{only, only, only, none, ok}},
		{"change the bucket's policy", "s3:PutBucketPolicy", "", nil, [5]string{only, only, only, none, ok}},
		{"delete the bucket's policy", "s3:DeleteBucketPolicy", "", nil, [5]string{only, only, only, none, ok}},
		{"suspend versioning", "s3:PutBucketVersioning", "", nil, [5]string{only, only, only, none, ok}},
		{"set a lifecycle", "s3:PutLifecycleConfiguration", "", nil, [5]string{only, only, only, none, ok}},
		// Without TLS nobody, whoever he is.
		{"put without TLS", "s3:PutObject", mine, []string{"aws:securetransport=false", "s3:tlsversion"}, [5]string{"TLS", "TLS", "TLS", "TLS", "TLS"}},
		{"put over TLS 1.1", "s3:PutObject", mine, []string{"s3:tlsversion=1.1"}, [5]string{"TLS", "TLS", "TLS", "TLS", "TLS"}},
		// A signature that can be handed on.
		{"put by a signed URL", "s3:PutObject", mine, []string{"s3:authtype=REST-QUERY-STRING"}, [5]string{"UploadersSignInHeaders", "UploadersSignInHeaders", "UploadersSignInHeaders", ok, ok}},
		{"put by a form", "s3:PutObject", mine, []string{"s3:authtype=POST"}, [5]string{"UploadersSignInHeaders", "UploadersSignInHeaders", "UploadersSignInHeaders", ok, ok}},
		// Elsewhere the guard has no say.
		{"another bucket", "s3:GetObject", "arn:aws:s3:::other/x", nil, [5]string{none, none, ok, none, ok}},
		{"list the buckets", "s3:ListAllMyBuckets", "*", nil, [5]string{none, none, ok, none, ok}},
	} {
		for i, want := range test.want {
			if got := answer(states[i], ask(states[i], test.action, test.resource, test.context...)); got != want {
				t.Errorf("%s, state %d: %s, want %s", test.what, i+1, got, want)
			}
		}
	}
}

// What the guard can't stop and only the boundary does: docs/en/guard.md tells
// the same. An administrator's policy on an uploader, with the guard alone and
// with both.
func TestWhatTheGuardCannotStop(t *testing.T) {
	own := uploader(t, "users", "/buzon/")
	guard := with(own, attached(t, adminAccess), withoutBoundary)
	both := with(own, attached(t, adminAccess))
	user := own.Subject.ARN
	account := func(service, resource string) string {
		return "arn:aws:" + service + "::" + own.Subject.Account + ":" + resource
	}
	for _, test := range []struct{ action, resource string }{
		{"sts:AssumeRole", account("iam", "role/admin")},
		{"iam:UpdateUser", user},
		{"iam:PutUserPolicy", user},
		{"iam:AttachUserPolicy", user},
		{"iam:DeleteUserPermissionsBoundary", user},
		{"iam:CreateAccessKey", account("iam", "user/somebody")},
		{"iam:CreateUser", account("iam", "user/somebody")},
		{"iam:PassRole", account("iam", "role/admin")},
		{"s3:GetObject", "arn:aws:s3:::other/x"},
		{"s3:ListAllMyBuckets", "*"},
		{"s3:CreateJob", "*"},
		{"s3:PutAccountPublicAccessBlock", "*"},
		{"ec2:RunInstances", "*"},
	} {
		if got := answer(guard, ask(guard, test.action, test.resource)); got != "allowed" {
			t.Errorf("%s with the guard alone: %s; the page says that the guard can't stop it", test.action, got)
		}
		if got := answer(both, ask(both, test.action, test.resource)); got == "allowed" {
			t.Errorf("%s is allowed in spite of the boundary", test.action)
		}
	}
	// Having moved itself to another path, it reads; behind the boundary it doesn't.
	away := with(guard, moved)
	if got := answer(away, ask(away, "s3:GetObject", "/uploads/vm-02/x")); got != "allowed" {
		t.Errorf("moved away, it reads: %s", got)
	}
	held := with(both, moved)
	if got := answer(held, ask(held, "s3:GetObject", "/uploads/vm-02/x")); got == "allowed" {
		t.Error("moved away, it reads in spite of the boundary")
	}
	// What it makes to get around the guard, it still can't read through here.
	through := decide.Request{
		Action: "s3:GetObject", Resource: "arn:aws:s3:eu-west-1:" + own.Subject.Account + ":accesspoint/back-door/object/uploads/vm-02/x",
		Bucket: "arn:aws:s3:::" + own.Bucket + "/uploads/vm-02/x", Context: ask(guard, "s3:GetObject", "/x").Context,
	}
	if got := answer(guard, through); got != "UploadersOnlyWrite" {
		t.Errorf("through an access point of its own: %s", got)
	}
}

// The other way round: a bucket policy that names the uploader is an Allow that
// no boundary limits. Only the guard stops it.
func TestOnlyTheGuardStopsAGrantByName(t *testing.T) {
	own := uploader(t, "users", "/buzon/")
	grant := func(set *policy.Set) {
		for i, src := range set.Sources {
			if src.Kind == policy.BucketPolicy {
				doc := *src.Document
				doc.Statements = append(slices.Clone(doc.Statements), policy.Statement{
					Index: len(doc.Statements), Sid: "ByName", Effect: policy.Allow,
					Principals: []policy.Principal{{Kind: policy.PrincipalAWS, Text: policy.Text{Value: set.Subject.ARN}}},
					Actions:    []policy.Text{{Value: "s3:*"}}, Resources: []policy.Text{{Value: "arn:aws:s3:::" + set.Bucket + "/*"}},
				})
				set.Sources[i].Document = &doc
			}
		}
	}
	named := with(own, grant)
	if got := answer(named, ask(named, "s3:GetObject", "/uploads/vm-02/x")); got != "UploadersOnlyWrite" {
		t.Errorf("with boundary and guard: %s", got)
	}
	away := with(own, moved, grant)
	if got := answer(away, ask(away, "s3:GetObject", "/uploads/vm-02/x")); got != "allowed" {
		t.Errorf("with the boundary alone: %s; the page says that it is allowed", got)
	}
}

func TestAFederatedSessionGetsNothingHere(t *testing.T) {
	session := with(uploader(t, "users", "/buzon/"), attached(t, adminAccess), withoutBoundary, federated)
	for _, action := range []string{"s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload"} {
		if got := answer(session, ask(session, action, "/uploads/vm-01/x")); !strings.Contains(got, "NoFederatedUsers") {
			t.Errorf("%s: %s", action, got)
		}
	}
	for _, action := range []string{"s3:ListBucket", "s3:PutBucketPolicy"} {
		if got := answer(session, ask(session, action, "")); got != "NoFederatedUsers" {
			t.Errorf("%s: %s", action, got)
		}
	}
}

// Roles are held by their tag, or by the name in the certificate; one without
// either, made by hand under the path, may write nothing.
func TestRolesAreHeldToTheirOwnPrefix(t *testing.T) {
	for _, name := range []string{"roles", "roles-anywhere"} {
		own := uploader(t, name, "/buzon/")
		broad := with(own, attached(t, adminAccess), withoutBoundary)
		bare := with(broad, func(set *policy.Set) { set.Subject.Tags, set.Subject.Pinned = nil, nil })
		for _, test := range []struct {
			set                    *policy.Set
			action, resource, want string
		}{
			{own, "s3:PutObject", "/uploads/vm-01/x", "allowed"},
			{own, "s3:PutObject", "/uploads/vm-02/x", "RolesOnlyUnderTheirPrefix"},
			{broad, "s3:PutObject", "/uploads/vm-01/x", "allowed"},
			{broad, "s3:PutObject", "/uploads/vm-02/x", "RolesOnlyUnderTheirPrefix"},
			{broad, "s3:GetObject", "/uploads/vm-01/x", "UploadersOnlyWrite"},
			{bare, "s3:PutObject", "/uploads/vm-01/x", "RolesNeedTheirTag"},
			{bare, "s3:PutObject", "/uploads//x", "RolesNeedTheirTag"},
		} {
			if got := answer(test.set, ask(test.set, test.action, test.resource)); got != test.want {
				t.Errorf("%s: %s on %s: %s, want %s", name, test.action, test.resource, got, test.want)
			}
		}
	}
}

// The key is lent through S3, for objects under the prefix, and in no other way.
func TestTheKeyIsLentForThePrefixAlone(t *testing.T) {
	own := uploader(t, "group-kms", "/buzon/")
	key := ""
	for _, src := range own.Sources {
		if src.Kind == policy.KeyPolicy {
			key = src.Attached
		}
	}
	if key == "" {
		t.Fatal("the template's key has no policy")
	}
	via, context := "", ""
	for _, src := range own.Sources {
		for _, st := range src.Document.Statements {
			for _, c := range st.Conditions {
				if strings.EqualFold(c.Key, "kms:ViaService") {
					via = c.Values[0].Value
				}
			}
		}
	}
	context = "kms:encryptioncontext:aws:s3:arn=arn:aws:s3:::" + own.Bucket + "/uploads/"
	for _, test := range []struct {
		what, action string
		more         []string
		want         string
	}{
		{"its own object", "kms:GenerateDataKey", []string{"kms:viaservice=" + via, context + "vm-01/x"}, "allowed"},
		{"its own parts", "kms:Decrypt", []string{"kms:viaservice=" + via, context + "vm-01/x"}, "allowed"},
		{"another's object", "kms:Decrypt", []string{"kms:viaservice=" + via, context + "vm-02/x"}, "implicit deny"},
		{"not through S3", "kms:Decrypt", []string{context + "vm-01/x"}, "implicit deny"},
		{"without its context", "kms:Decrypt", []string{"kms:viaservice=" + via}, "implicit deny"},
		{"another action", "kms:Encrypt", []string{"kms:viaservice=" + via, context + "vm-01/x"}, "implicit deny"},
	} {
		if got := answer(own, ask(own, test.action, key, test.more...)); got != test.want {
			t.Errorf("%s: %s, want %s", test.what, got, test.want)
		}
	}
}

// With readers, nobody else reads or deletes, an administrator neither; the
// account's root can still mend the policy.
func TestOnlyReadersRead(t *testing.T) {
	set := uploader(t, "everything", "/drop/")
	as := func(kind policy.Type, arn string) *policy.Set {
		return with(set, withoutBoundary, func(s *policy.Set) {
			s.Sources = slices.DeleteFunc(s.Sources, func(src policy.Source) bool { return src.Kind == policy.UserInline })
			s.Subject = policy.Subject{Type: kind, ARN: arn, Partition: "aws", Account: set.Subject.Account, Path: "/", Name: "x", TagsKnown: true}
		}, attached(t, adminAccess))
	}
	reader := as(policy.Role, "arn:aws:iam::111122223333:role/analysis/reader")
	admin := as(policy.User, "arn:aws:iam::"+set.Subject.Account+":user/admin")
	for _, test := range []struct {
		who                    *policy.Set
		action, resource, want string
	}{
		{reader, "s3:GetObject", "/in/box/vm-01/x", "allowed"},
		{reader, "s3:ListBucket", "", "allowed"},
		{reader, "s3:DeleteObjectVersion", "/in/box/vm-01/x", "allowed"},
		{admin, "s3:GetObject", "/in/box/vm-01/x", "OnlyReadersReadOrDelete"},
		{admin, "s3:GetObjectVersion", "/in/box/vm-01/x", "OnlyReadersReadOrDelete"},
		{admin, "s3:DeleteObject", "/in/box/vm-01/x", "OnlyReadersReadOrDelete"},
		{admin, "s3:ListBucketVersions", "", "OnlyReadersReadOrDelete"},
		{admin, "s3:PutBucketPolicy", "", "allowed"},
		{admin, "s3:PutObject", "/in/box/vm-01/x", "allowed"},
	} {
		if got := answer(test.who, ask(test.who, test.action, test.resource)); got != test.want {
			t.Errorf("%s: %s on %s: %s, want %s", test.who.Subject.ARN, test.action, test.resource, got, test.want)
		}
	}
}

// Every uploader of every kind of stack is write-only, and what makes it so can
// be taken away on paper: then it isn't.
func TestTheStackIsWriteOnly(t *testing.T) {
	withKey := []string{"kms:Decrypt", "kms:GenerateDataKey"}
	stacks := map[string]struct {
		path  string
		allow []string
	}{
		"users": {"/buzon/", nil}, "roles": {"/buzon/", nil}, "roles-anywhere": {"/buzon/", nil},
		"group-kms": {"/buzon/", withKey}, "everything": {"/drop/", withKey}, "readers": {"/buzon/", withKey},
	}
	for _, name := range slices.Sorted(maps.Keys(stacks)) {
		t.Run(name, func(t *testing.T) {
			found := stack(t, name, stacks[name].path)
			report := audit.Judge(t.Context(), found, audit.Options{Allow: stacks[name].allow})
			if report.Verdict != audit.WriteOnly {
				t.Errorf("the verdict is %s", report.Verdict)
			}
			for _, p := range report.Principals {
				for _, f := range p.Findings {
					t.Errorf("%s: %s %v", p.ARN, f.Rule, f.Actions)
				}
			}
			full := attached(t, s3FullAccess)
			for i := range found.Subjects {
				found.Subjects[i].Set = *with(&found.Subjects[i].Set, full, withoutBoundary)
			}
			if report := audit.Judge(t.Context(), found, audit.Options{Allow: stacks[name].allow}); report.Verdict != audit.Violation {
				t.Errorf("with AmazonS3FullAccess and without the boundary the verdict is %s", report.Verdict)
			}
		})
	}
}
