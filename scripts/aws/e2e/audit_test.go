package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"buzon/scripts/aws/localaws"
)

// audited is what a test looks at of the agent's report.
type audited struct {
	Verdict    string
	NotJudged  int `json:"not_judged"`
	Principals []struct {
		ARN, Verdict string
		Sources      []struct{ Kind, Name, ARN, Version string }
		Undecided    []struct{ Reason, What, Permission, Call, Code string }
		Assumptions  []struct{ What string }
		Findings     []struct {
			Rule, Detail string
			Witness      *struct {
				Action string
				Latent bool
			}
			Stops []struct{ Layer string }
		}
	}
}

func (a *audited) rules() []string {
	var out []string
	for _, p := range a.Principals {
		for _, f := range p.Findings {
			out = append(out, f.Rule)
		}
	}
	return out
}

// details are those of drift and open-trust.
func (a *audited) details() []string {
	var out []string
	for _, p := range a.Principals {
		for _, f := range p.Findings {
			if f.Rule == "drift" || f.Rule == "open-trust" {
				out = append(out, f.Detail)
			}
		}
	}
	return out
}

// sources lists "kind name version" of the first principal.
func (a *audited) sources() string {
	var out []string
	for _, s := range a.Principals[0].Sources {
		if s.Kind != "trust" { // of all roles of the account
			out = append(out, strings.TrimSpace(s.Kind+" "+s.Name+" "+s.Version))
		}
	}
	return strings.Join(out, ", ")
}

// audit runs the agent as the platform team, or with the given environment.
func (w *world) audit(t *testing.T, env []string, args ...string) (*audited, int) {
	t.Helper()
	if env == nil {
		env = w.aws.Env()
	}
	stdout, stderr, code := w.runAgent(t, env, append([]string{"audit-policy", "--format", "json"}, args...)...)
	report := &audited{}
	if err := json.Unmarshal([]byte(stdout), report); err != nil {
		t.Fatalf("exit %d, %v\n%s%s", code, err, stdout, stderr)
	}
	return report, code
}

// plain is a bucket without a guard, with an object in it.
func (w *world) plain(t *testing.T, name string) {
	t.Helper()
	if _, err := w.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	w.putPlain(t, name)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		list, err := w.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &name})
		if err != nil {
			t.Error(err)
			return
		}
		for _, o := range list.Contents {
			if _, err := w.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &name, Key: o.Key}); err != nil {
				t.Error(err)
			}
		}
		if _, err := w.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name}); err != nil {
			t.Error(err)
		}
	})
}

func (w *world) putPlain(t *testing.T, bucket string) {
	t.Helper()
	if _, err := w.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("secret"), Body: strings.NewReader("x")}); err != nil {
		t.Fatal(err)
	}
}

// can asks the server itself, with the user's own key, what the user may do.
func (w *world) can(t *testing.T, user, bucket string) map[string]bool {
	t.Helper()
	c := w.as(t, user)
	secret := aws.String("secret")
	calls := []struct {
		rule string
		do   func() error
	}{
		{"read-object", func() error {
			_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: secret})
			return err
		}},
		{"list", func() error {
			_, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
			return err
		}},
		{"write-elsewhere", func() error {
			_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("elsewhere"), Body: bytes.NewReader(nil)})
			return err
		}},
		{"delete-object", func() error {
			_, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: secret})
			return err
		}},
		{"write", func() error {
			_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("uploads/" + user + "/x"), Body: bytes.NewReader(nil)})
			return err
		}},
	}
	out := map[string]bool{}
	for _, call := range calls {
		err := call.do()
		if err != nil && !denied(err) {
			t.Errorf("%s: %v", call.rule, err)
		}
		out[call.rule] = err == nil
	}
	return out
}

// putInline puts an inline policy on a user until the test ends.
func (w *world) putInline(t *testing.T, user, document string) {
	t.Helper()
	name := aws.String("inline")
	if _, err := w.iam.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &user, PolicyName: name, PolicyDocument: &document}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := w.iam.DeleteUserPolicy(context.WithoutCancel(t.Context()), &iam.DeleteUserPolicyInput{UserName: &user, PolicyName: name}); err != nil {
			t.Error(err)
		}
	})
}

// managed makes a managed policy; further documents become its newer versions,
// the last one its default.
func (w *world) managed(t *testing.T, name string, documents ...string) string {
	t.Helper()
	made, err := w.iam.CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: &name, PolicyDocument: &documents[0]})
	if err != nil {
		t.Fatal(err)
	}
	arn := made.Policy.Arn
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		versions, err := w.iam.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: arn})
		if err != nil {
			t.Error(err)
			return
		}
		for _, v := range versions.Versions {
			if !v.IsDefaultVersion {
				if _, err := w.iam.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: arn, VersionId: v.VersionId}); err != nil {
					t.Error(err)
				}
			}
		}
		if _, err := w.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn}); err != nil {
			t.Error(err)
		}
	})
	for _, d := range documents[1:] {
		if _, err := w.iam.CreatePolicyVersion(t.Context(), &iam.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: &d, SetAsDefault: true}); err != nil {
			t.Fatal(err)
		}
	}
	return *arn
}

// group makes a group with the user in it.
func (w *world) group(t *testing.T, name, user string) {
	t.Helper()
	if _, err := w.iam.CreateGroup(t.Context(), &iam.CreateGroupInput{GroupName: &name}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := w.iam.DeleteGroup(context.WithoutCancel(t.Context()), &iam.DeleteGroupInput{GroupName: &name}); err != nil {
			t.Error(err)
		}
	})
	if _, err := w.iam.AddUserToGroup(t.Context(), &iam.AddUserToGroupInput{GroupName: &name, UserName: &user}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := w.iam.RemoveUserFromGroup(context.WithoutCancel(t.Context()), &iam.RemoveUserFromGroupInput{GroupName: &name, UserName: &user}); err != nil {
			t.Error(err)
		}
	})
}

func policyOf(statements ...string) string {
	return `{"Version": "2012-10-17", "Statement": [` + strings.Join(statements, ", ") + `]}`
}

// The audit of live users, with the server itself as the second judge.
func TestTheAuditAgreesWithTheServer(t *testing.T) {
	w := open(t)
	const bucket, user = "audited-bucket", "audited"
	const (
		write = `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::audited-bucket/uploads/audited/*"}`
		read  = `{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::audited-bucket/*"}`
		all   = `{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}`
		none  = `{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}`
	)
	w.plain(t, bucket)
	for _, row := range []struct {
		name    string
		make    func(t *testing.T)
		code    int
		verdict string
		rules   []string // among others
		sources string
	}{
		{"clean", func(t *testing.T) { w.putInline(t, user, policyOf(write)) }, 0, "write-only", nil, "user-inline inline"},
		{"the second version of a managed policy reads", func(t *testing.T) {
			attach(t, w, user, w.managed(t, "widened", policyOf(write), policyOf(write, read)))
		}, 1, "violation", []string{"read-object"}, "user-managed widened v2"},
		{"inline s3:*", func(t *testing.T) { w.putInline(t, user, policyOf(all)) }, 1, "violation",
			[]string{"read-object", "delete-object", "list", "write-elsewhere"}, "user-inline inline"},
		{"NotAction", func(t *testing.T) { w.putInline(t, user, policyOf(none)) }, 1, "violation",
			[]string{"read-object", "delete-object", "list", "write-elsewhere", "other-service"}, "user-inline inline"},
		{"a managed policy of a group", func(t *testing.T) {
			w.putInline(t, user, policyOf(write))
			w.group(t, "readers", user)
			arn := w.managed(t, "reading", policyOf(read))
			attachGroup(t, w, "readers", arn)
		}, 1, "violation", []string{"read-object"}, "user-inline inline, group-managed reading v1"},
		{"an inline policy of a group", func(t *testing.T) {
			w.putInline(t, user, policyOf(write))
			w.group(t, "listers", user)
			inlineGroup(t, w, "listers", policyOf(`{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::audited-bucket"}`))
		}, 1, "violation", []string{"list"}, "user-inline inline, group-inline inline"},
		{"AmazonS3FullAccess", func(t *testing.T) { attach(t, w, user, fullAccess) }, 1, "violation",
			[]string{"read-object", "delete-object", "list", "write-elsewhere", "change-permissions", "destroy-by-configuration"}, "user-managed AmazonS3FullAccess v1"},
		{"AmazonS3FullAccess behind a boundary", func(t *testing.T) {
			attach(t, w, user, fullAccess)
			w.fence(t, user, w.managed(t, "fence", policyOf(write)))
		}, 0, "write-only", []string{"broad-policy"}, "user-managed AmazonS3FullAccess v1, boundary fence v1"},
		{"a bucket policy that names the user passes the boundary", func(t *testing.T) {
			w.putInline(t, user, policyOf(write))
			w.fence(t, user, w.managed(t, "fence", policyOf(write)))
			w.bucketPolicy(t, bucket, policyOf(`{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::`+localaws.Account+`:user/buzon/audited"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::audited-bucket/*"}`))
		}, 1, "violation", []string{"read-object"}, "user-inline inline, boundary fence v1, bucket-policy audited-bucket"},
		{"a Deny in the bucket's policy", func(t *testing.T) {
			w.putInline(t, user, policyOf(write, read))
			w.bucketPolicy(t, bucket, policyOf(`{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::audited-bucket/*"}`))
		}, 0, "write-only", []string{"broad-policy"}, "user-inline inline, bucket-policy audited-bucket"},
		{"nothing", func(*testing.T) {}, 1, "no-access", []string{"cannot-write"}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.user(t, user, "/buzon/", "")
			row.make(t)
			report, code := w.audit(t, nil, "--user", user, "--bucket", bucket, "--prefix", "uploads/{name}/")
			if code != row.code || report.Verdict != row.verdict {
				t.Errorf("exit %d, %s; want %d, %s: %+v", code, report.Verdict, row.code, row.verdict, report.Principals[0])
			}
			for _, rule := range row.rules {
				if !slices.Contains(report.rules(), rule) {
					t.Errorf("no %s among %v", rule, report.rules())
				}
			}
			if got := report.sources(); got != row.sources {
				t.Errorf("read %q, want %q", got, row.sources)
			}
			can := w.can(t, user, bucket)
			for rule, allowed := range can {
				if rule != "write" && allowed != slices.Contains(report.rules(), rule) {
					t.Errorf("%s: the server says %v, the audit %v", rule, allowed, report.rules())
				}
			}
			if cannot := slices.Contains(report.rules(), "cannot-write"); can["write"] == cannot {
				t.Errorf("writing: the server says %v, the audit %v", can["write"], report.rules())
			}
			w.putPlain(t, bucket) // may be deleted
		})
	}
}

// What can't be read is said, with the permission that lacks, and is no verdict.
func TestTheAuditFailsClosed(t *testing.T) {
	w := open(t)
	const bucket = "unread-bucket"
	w.plain(t, bucket)
	w.user(t, "unread", "/buzon/", "")
	w.putInline(t, "unread", policyOf(`{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::unread-bucket/uploads/unread/*"}`))
	question := []string{"--user", "unread", "--bucket", bucket, "--prefix", "uploads/{name}/"}

	t.Run("a policy that nobody can read", func(t *testing.T) {
		const unknown = "arn:aws:iam::aws:policy/OfTomorrow"
		attach(t, w, "unread", unknown)
		report, code := w.audit(t, nil, question...)
		open := report.Principals[0].Undecided
		if code != 4 || report.Verdict != "undecided" || len(open) != 1 || open[0].What != unknown || open[0].Call != "iam:GetPolicy" || open[0].Code != "NoSuchEntity" {
			t.Errorf("exit %d, %s: %+v", code, report.Verdict, open)
		}
	})
	w.user(t, "auditor", "/", "")
	id, secret := w.key(t, "auditor")
	env := append(w.aws.ClientEnv(), "AWS_ACCESS_KEY_ID="+id, "AWS_SECRET_ACCESS_KEY="+secret)
	missing := func(report *audited) (out []string) {
		for _, u := range report.Principals[0].Undecided {
			out = append(out, u.Permission)
		}
		return out
	}
	t.Run("an auditor without rights", func(t *testing.T) {
		report, code := w.audit(t, env, question...)
		if code != 4 || report.Verdict != "undecided" || !slices.Contains(missing(report), "iam:GetUser") || !slices.Contains(missing(report), "s3:GetBucketPolicy") {
			t.Errorf("exit %d, %s, lacks %v", code, report.Verdict, missing(report))
		}
		all, code := w.audit(t, env, "--all", "--bucket", bucket, "--prefix", "uploads/{name}/")
		if code != 4 || !slices.Contains(missing(all), "iam:GetAccountAuthorizationDetails") {
			t.Errorf("all: exit %d, %s, lacks %v", code, all.Verdict, missing(all))
		}
	})
	t.Run("an auditor who may not read inline policies", func(t *testing.T) {
		w.putInline(t, "auditor", policyOf(`{"Effect": "Allow", "Action": ["iam:Get*", "iam:List*", "s3:Get*", "s3:List*"], "Resource": "*"}`,
			`{"Effect": "Deny", "Action": "iam:GetUserPolicy", "Resource": "*"}`))
		report, code := w.audit(t, env, question...)
		if code != 4 || report.Verdict != "undecided" || !slices.Contains(missing(report), "iam:GetUserPolicy") || slices.Contains(missing(report), "iam:GetUser") {
			t.Errorf("exit %d, %s, lacks %v", code, report.Verdict, missing(report))
		}
	})
	t.Run("a key that nobody knows", func(t *testing.T) {
		_, stderr, code := w.runAgent(t, append(w.aws.ClientEnv(), "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=x"), append([]string{"audit-policy"}, question...)...)
		if code != 3 || stderr == "" {
			t.Errorf("exit %d\n%s", code, stderr)
		}
	})
	t.Run("a user who isn't there", func(t *testing.T) {
		_, stderr, code := w.runAgent(t, w.aws.Env(), "audit-policy", "--user", "nobody", "--bucket", bucket, "--prefix", "p/")
		if code != 2 || !strings.Contains(stderr, "There is no user nobody") {
			t.Errorf("exit %d\n%s", code, stderr)
		}
	})
	t.Run("a bucket that isn't there", func(t *testing.T) {
		_, stderr, code := w.runAgent(t, w.aws.Env(), "audit-policy", "--user", "unread", "--bucket", "no-such-bucket", "--prefix", "p/")
		if code != 2 || !strings.Contains(stderr, "There is no bucket no-such-bucket") {
			t.Errorf("exit %d\n%s", code, stderr)
		}
	})
}

// Somebody attached AmazonS3FullAccess to the stack's own uploader.
func TestTheAuditNamesWhatHoldsTheStacksUploader(t *testing.T) {
	w := open(t)
	question := []string{"--user", forOthers, "--bucket", w.bucket, "--prefix", "uploads/{name}/"}
	report, code := w.audit(t, nil, question...)
	if code != 0 || report.Verdict != "write-only" || len(report.rules()) != 0 {
		t.Errorf("as deployed: exit %d, %s: %+v", code, report.Verdict, report.Principals[0])
	}
	compare := append(question, "--compare", filepath.Join(w.dir, "cdk.out", "Buzon.template.json"))
	if report, code := w.audit(t, nil, compare...); code != 0 || len(report.rules()) != 0 {
		t.Errorf("against its template: exit %d, %s: %+v", code, report.Verdict, report.Principals[0])
	}
	attach(t, w, forOthers, fullAccess)
	if report, code := w.audit(t, nil, compare...); code != 1 || !slices.Contains(report.details(), "identity") {
		t.Errorf("with another policy: exit %d, drift of %v", code, report.details())
	}
	report, code = w.audit(t, nil, question...)
	if code != 0 || report.Verdict != "write-only" || !slices.Contains(report.rules(), "broad-policy") {
		t.Fatalf("exit %d, %s: %+v", code, report.Verdict, report.Principals[0])
	}
	for _, f := range report.Principals[0].Findings {
		var layers []string
		for _, s := range f.Stops {
			layers = append(layers, s.Layer)
		}
		if f.Rule == "broad-policy" && (f.Witness == nil || !f.Witness.Latent || !slices.Contains(layers, "boundary") || !slices.Contains(layers, "bucket-policy")) {
			t.Errorf("stopped by %v", layers)
		}
	}
	if _, code := w.audit(t, nil, append(question, "--strict")...); code != 1 {
		t.Errorf("strictly: exit %d", code)
	}
	all, code := w.audit(t, nil, "--all", "--bucket", w.bucket, "--prefix", "uploads/{name}/")
	if code != 0 || all.Verdict != "write-only" || len(all.Principals) < 4 || all.NotJudged == 0 {
		t.Errorf("all: exit %d, %s, %d not judged: %+v", code, all.Verdict, all.NotJudged, all.Principals)
	}
	t.Run("with the stack's policy for auditors", func(t *testing.T) {
		policies, err := w.iam.ListPolicies(t.Context(), &iam.ListPoliciesInput{PathPrefix: aws.String("/buzon-audit/")})
		if err != nil || len(policies.Policies) != 1 {
			t.Fatalf("%v: %+v", err, policies)
		}
		w.user(t, "reviewer", "/", "")
		attach(t, w, "reviewer", *policies.Policies[0].Arn)
		id, secret := w.key(t, "reviewer")
		env := append(w.aws.ClientEnv(), "AWS_ACCESS_KEY_ID="+id, "AWS_SECRET_ACCESS_KEY="+secret)
		for _, source := range [][]string{{"--user", forOthers}, {"--all"}} {
			report, code := w.audit(t, env, append(source, "--bucket", w.bucket, "--prefix", "uploads/{name}/")...)
			if code != 0 || report.Verdict != "write-only" {
				t.Errorf("%s: exit %d, %s: %+v", source, code, report.Verdict, report.Principals)
			}
		}
	})
}

// A guard that somebody replaced by hand is not mended by the next deploy; the
// audit tells.
func TestTheAuditSeesAGuardThatWasReplaced(t *testing.T) {
	w := open(t)
	guard, err := w.s3.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: &w.bucket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := w.s3.PutBucketPolicy(context.WithoutCancel(t.Context()), &s3.PutBucketPolicyInput{Bucket: &w.bucket, Policy: guard.Policy}); err != nil {
			t.Error(err)
		}
	})
	if _, err := w.s3.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &w.bucket, Policy: aws.String(policyOf(
		`{"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::` + w.bucket + `/*"}`))}); err != nil {
		t.Fatal(err)
	}
	report, code := w.audit(t, nil, "--user", forOthers, "--bucket", w.bucket, "--prefix", "uploads/{name}/",
		"--compare", filepath.Join(w.dir, "cdk.out", "Buzon.template.json"))
	if code != 1 || !slices.Equal(report.details(), []string{"bucket-policy"}) {
		t.Errorf("exit %d, drift of %v", code, report.details())
	}
}

// A role is judged by its policies, and by who may assume it.
func TestTheAuditJudgesRoles(t *testing.T) {
	w := open(t)
	const name, bucket = "audited-role", "role-bucket"
	w.plain(t, bucket)
	for _, row := range []struct {
		name, principal, verdict string
		code                     int
		details                  []string
	}{
		{"of a service", `{"Service": "ec2.amazonaws.com"}`, "write-only", 0, nil},
		{"of everybody in the account", `{"AWS": "arn:aws:iam::` + localaws.Account + `:root"}`, "violation", 1, []string{"own-account"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			role := aws.String(name)
			if _, err := w.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: role, Path: aws.String("/buzon/"),
				AssumeRolePolicyDocument: aws.String(policyOf(`{"Effect": "Allow", "Principal": ` + row.principal + `, "Action": "sts:AssumeRole"}`))}); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				ctx := context.WithoutCancel(t.Context())
				_, err := w.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: role, PolicyName: aws.String("write")})
				if _, err2 := w.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: role}); err != nil || err2 != nil {
					t.Error(err, err2)
				}
			})
			if _, err := w.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: role, PolicyName: aws.String("write"),
				PolicyDocument: aws.String(policyOf(`{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::role-bucket/uploads/audited-role/*"}`))}); err != nil {
				t.Fatal(err)
			}
			report, code := w.audit(t, nil, "--role", name, "--bucket", bucket, "--prefix", "uploads/{name}/")
			if code != row.code || report.Verdict != row.verdict || !slices.Equal(report.details(), row.details) || report.sources() != "role-inline write" {
				t.Errorf("exit %d, %s, %v, read %s: %+v", code, report.Verdict, report.details(), report.sources(), report.Principals[0])
			}
		})
	}
}

// fence sets a user's boundary until the test ends.
func (w *world) fence(t *testing.T, user, arn string) {
	t.Helper()
	if _, err := w.iam.PutUserPermissionsBoundary(t.Context(), &iam.PutUserPermissionsBoundaryInput{UserName: &user, PermissionsBoundary: &arn}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := w.iam.DeleteUserPermissionsBoundary(context.WithoutCancel(t.Context()), &iam.DeleteUserPermissionsBoundaryInput{UserName: &user}); err != nil {
			t.Error(err)
		}
	})
}

func (w *world) bucketPolicy(t *testing.T, bucket, document string) {
	t.Helper()
	if _, err := w.s3.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &document}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := w.s3.DeleteBucketPolicy(context.WithoutCancel(t.Context()), &s3.DeleteBucketPolicyInput{Bucket: &bucket}); err != nil {
			t.Error(err)
		}
	})
}

func attachGroup(t *testing.T, w *world, group, arn string) {
	t.Helper()
	if _, err := w.iam.AttachGroupPolicy(t.Context(), &iam.AttachGroupPolicyInput{GroupName: &group, PolicyArn: &arn}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := w.iam.DetachGroupPolicy(context.WithoutCancel(t.Context()), &iam.DetachGroupPolicyInput{GroupName: &group, PolicyArn: &arn}); err != nil {
			t.Error(err)
		}
	})
}

func inlineGroup(t *testing.T, w *world, group, document string) {
	t.Helper()
	name := aws.String("inline")
	if _, err := w.iam.PutGroupPolicy(t.Context(), &iam.PutGroupPolicyInput{GroupName: &group, PolicyName: name, PolicyDocument: &document}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := w.iam.DeleteGroupPolicy(context.WithoutCancel(t.Context()), &iam.DeleteGroupPolicyInput{GroupName: &group, PolicyName: name}); err != nil {
			t.Error(err)
		}
	})
}
