package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"buzon/scripts/aws/localaws"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

// second is a stack of its own, which this story may break, change and destroy.
type second struct {
	*world
	t *testing.T
}

const secondBucket = "second-slot"

func (s *second) cdk(command, uploaders string, more ...string) (string, error) {
	args := slices.Concat([]string{
		command, "--output", filepath.Join(s.dir, "second.out"), "-c", "uploaders=" + uploaders, "-c", "stackName=Second",
		"-c", "path=/second/", "-c", "bucketName=" + secondBucket, "-c", "terminationProtection=false",
	}, more)
	return s.run(s.t.Context(), append(s.aws.Env(), "BUZON_AGENT="+s.agent), filepath.Join(s.root, "scripts", "cdk"), args...)
}

func (s *second) deploy(uploaders string, more ...string) string {
	s.t.Helper()
	out, err := s.cdk("deploy", uploaders, append([]string{"--require-approval", "never"}, more...)...)
	if err != nil {
		s.t.Fatalf("cdk deploy: %v\n%s", err, out)
	}
	return out
}

// resources gives the stack's resources: what each is, by its logical id.
func (s *second) resources() map[string]string {
	s.t.Helper()
	out, err := cloudformation.NewFromConfig(s.config).DescribeStackResources(s.t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: aws.String("Second")})
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string]string{}
	for _, r := range out.StackResources {
		all[*r.LogicalResourceId] = aws.ToString(r.ResourceType) + " " + aws.ToString(r.PhysicalResourceId)
	}
	return all
}

func (s *second) guard() string {
	s.t.Helper()
	out, err := s.s3.GetBucketPolicy(s.t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String(secondBucket)})
	if err != nil {
		s.t.Fatal(err)
	}
	return *out.Policy
}

func (s *second) key(args ...string) string {
	s.t.Helper()
	out, err := s.run(s.t.Context(), s.aws.Env(), filepath.Join(s.root, "scripts", args[0]), append(args[1:], "--path", "/second/")...)
	if err != nil {
		s.t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return out
}

// The life of a stack: deployed twice, one uploader more and one less, its guard
// replaced by hand and mended, and destroyed. What comes after that is on the page
// (TestThePageOfTheEnd).
func TestTheLifeOfAStack(t *testing.T) {
	s := &second{open(t), t}
	if out, err := buildAgent(); err != nil {
		t.Fatalf("build the agent: %v\n%s", err, out)
	}
	s.deploy("one")
	first, guard := s.resources(), s.guard()

	// Somebody replaces the guard by hand. A deploy of the same changes nothing at
	// all, so that it doesn't mend the guard either.
	open := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":%q},"Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/*"}]}`,
		"arn:aws:iam::"+localaws.Account+":root", secondBucket)
	if _, err := s.s3.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(secondBucket), Policy: &open}); err != nil {
		t.Fatal(err)
	}
	if out := s.deploy("one"); !strings.Contains(out, "no changes") {
		t.Errorf("a second deploy says\n%s", out)
	}
	if diff := cmp.Diff(first, s.resources()); diff != "" {
		t.Errorf("a second deploy changed %s", diff)
	}
	if s.guard() == guard {
		t.Error("the guard was mended by a deploy of the same: docs/en/deploying.md says that it isn't")
	}

	// One uploader more is one resource more.
	s.deploy("one,two", "-c", "guardRevision=1")
	more := s.resources()
	var added []string
	for id, is := range more {
		if first[id] == "" {
			added = append(added, is)
		}
	}
	for id, is := range first {
		if more[id] != is {
			t.Errorf("with one uploader more %s is %q, before it was %q", id, more[id], is)
		}
	}
	if diff := cmp.Diff([]string{"AWS::IAM::User two"}, added); diff != "" {
		t.Errorf("one uploader more added %s", diff)
	}
	// The new revision of the guard has mended it.
	if got := s.guard(); !sameStatements(t, guard, got) {
		t.Errorf("after a new revision the guard is\n%s", got)
	}

	// It leaves, its key revoked; with a key the deploy stops before it begins.
	s.key("issue-key", "two", "-o", filepath.Join(t.TempDir(), "two"))
	if out, err := s.cdk("deploy", "one", "--require-approval", "never", "-c", "guardRevision=1"); err == nil || !strings.Contains(out, "two would leave the stack, and has a key") {
		t.Errorf("an uploader with a key leaves: %v\n%s", err, out)
	}
	if diff := cmp.Diff(more, s.resources()); diff != "" {
		t.Errorf("a deploy that was stopped changed %s", diff)
	}
	s.key("revoke-key", "two")
	s.deploy("one", "-c", "guardRevision=1")
	if diff := cmp.Diff(first, s.resources()); diff != "" {
		t.Errorf("when the uploader has left, this is different: %s", diff)
	}

	// With a key the end fails, and the guard stands.
	s.key("issue-key", "one", "-o", filepath.Join(t.TempDir(), "one"))
	if out, err := s.cdk("destroy", "one", "--force"); err == nil {
		t.Errorf("it was destroyed over a key:\n%s", out)
	}
	if got := s.guard(); !sameStatements(t, guard, got) {
		t.Errorf("after an end that failed the guard is\n%s", got)
	}
	s.key("revoke-key", "--all")

	// Bucket and guard outlive the stack, which is said, and hold whoever comes under
	// the path.
	if out, err := s.cdk("destroy", "one", "--force"); err != nil {
		t.Fatalf("cdk destroy: %v\n%s", err, out)
	} else if !strings.Contains(out, "AWS::S3::Bucket "+secondBucket) {
		t.Errorf("what outlived the stack isn't named:\n%s", out)
	}
	if got := s.guard(); !sameStatements(t, guard, got) {
		t.Errorf("after the end the guard is\n%s", got)
	}
	s.user(t, "latecomer", "/second/", "")
	attach(t, s.world, "latecomer", fullAccess)
	c := s.as(t, "latecomer")
	_, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(secondBucket)})
	if !denied(err) {
		t.Errorf("a latecomer lists the bucket: %v", err)
	}
}

// sameStatements holds two policies beside each other, whatever their revision.
func sameStatements(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y struct{ Statement any }
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		t.Fatalf("no policies:\n%s\n%s", a, b)
	}
	return cmp.Equal(x, y)
}

// An issued key, a configuration from the outputs, and the agent: as an operator
// does it, with a file that arrives.
func TestIssuedKeyAndMadeConfigurationWork(t *testing.T) {
	w := open(t)
	dir := t.TempDir()
	scripts := filepath.Join(w.root, "scripts")
	file := filepath.Join(dir, "credentials")
	if out, err := w.run(t.Context(), w.aws.Env(), filepath.Join(scripts, "issue-key"), forKeys, "-o", file); err != nil {
		t.Fatalf("issue-key: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if out, err := w.run(context.WithoutCancel(t.Context()), w.aws.Env(), filepath.Join(scripts, "revoke-key"), forKeys); err != nil {
			t.Errorf("revoke-key: %v\n%s", err, out)
		}
	})
	cmd := exec.CommandContext(t.Context(), filepath.Join(scripts, "agent-config"), forKeys)
	cmd.Env = localaws.CommandEnv(w.aws.Env())
	made, err := cmd.Output()
	if err != nil {
		t.Fatalf("agent-config: %v", err)
	}
	for old, here := range map[string]string{"/var/lib/buzon": filepath.Join(dir, "state"), "/srv/outbox": filepath.Join(dir, "outbox")} {
		if !bytes.Contains(made, []byte(old)) {
			t.Errorf("the configuration says nothing of %s:\n%s", old, made)
		}
		made = bytes.ReplaceAll(made, []byte(old), []byte(here))
	}
	config := filepath.Join(dir, "agent.yaml")
	if err := os.MkdirAll(filepath.Join(dir, "outbox"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, made, 0o600); err != nil {
		t.Fatal(err)
	}
	letter := filepath.Join(dir, "outbox", "letter.txt")
	if err := os.WriteFile(letter, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(w.aws.ClientEnv(), "AWS_SHARED_CREDENTIALS_FILE="+file)
	for _, args := range [][]string{{"config", "validate"}, {"check"}, {"upload", filepath.Join(dir, "outbox")}} {
		if out, said, code := w.runAgent(t, env, append(args, "--config", config)...); code != 0 {
			t.Fatalf("agent %s: code %d\n%s%s", args[0], code, out, said)
		}
	}
	got, err := w.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &w.bucket, Key: aws.String("uploads/" + forKeys + "/letter.txt")})
	if err != nil {
		t.Fatal(err)
	}
	got.Body.Close()
}

// The auditor's policy is enough to judge the stack live, with all its sources.
// One question stays open here that AWS answers: the local AWS has no S3 Access
// Grants.
func TestTheAuditorsPolicyIsEnough(t *testing.T) {
	w := open(t)
	policies := iam.NewListPoliciesPaginator(w.iam, &iam.ListPoliciesInput{PathPrefix: aws.String("/buzon-audit/")})
	arn := ""
	for policies.HasMorePages() {
		page, err := policies.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Policies {
			if aws.ToString(p.Path) == "/buzon-audit/" {
				arn = *p.Arn
			}
		}
	}
	if arn == "" {
		t.Fatal("the stack has no policy for the auditor")
	}
	w.user(t, "reviewer", "/staff/", "")
	attach(t, w, "reviewer", arn)
	id, secret := w.key(t, "reviewer")
	env := append(w.aws.ClientEnv(), "AWS_ACCESS_KEY_ID="+id, "AWS_SECRET_ACCESS_KEY="+secret)
	args := []string{"audit-policy", "--bucket", w.bucket, "--prefix", "uploads/{name}/", "--simulate", "--format", "json"}
	for _, name := range []string{forCalls, forAgent, forKeys, forOthers} {
		args = append(args, "--user", name)
	}
	out, said, code := w.runAgent(t, env, args...)
	var report struct {
		Principals []struct {
			ARN       string
			Findings  []any
			Undecided []struct{ Reason, Permission, What string }
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("code %d: %v\n%s%s", code, err, out, said)
	}
	for _, p := range report.Principals {
		if n := len(p.Findings); n != 0 {
			t.Errorf("%s: %d findings", p.ARN, n)
		}
		for _, u := range p.Undecided {
			if u.Permission != "" || !strings.HasPrefix(u.What, "access grants of ") {
				t.Errorf("%s: %+v", p.ARN, u)
			}
		}
	}
	if len(report.Principals) != 4 || code != 0 && code != 4 {
		t.Errorf("code %d, %d principals\n%s", code, len(report.Principals), said)
	}
}

// A design that gives an uploader more than it may have fails the build, with a
// request that shows why: here s3:GetObject in the one definition.
func TestAWideningFailsTheBuild(t *testing.T) {
	w := open(t)
	if out, err := buildAgent(); err != nil {
		t.Fatalf("build the agent: %v\n%s", err, out)
	}
	dir := t.TempDir()
	replaced := map[string]string{}
	// The guard alone would stop the reading: it is widened with the policy.
	for file, change := range map[string][2]string{
		"agent/policy/writeonly.go": {`texts("s3:PutObject")`, `texts("s3:PutObject", "s3:GetObject")`},
		"infra/mailbox/guard.go":    {`"s3:AbortMultipartUpload"}`, `"s3:AbortMultipartUpload", "s3:GetObject"}`},
	} {
		text, err := os.ReadFile(filepath.Join(w.root, file))
		if err != nil {
			t.Fatal(err)
		}
		wide := bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(wide, text) {
			t.Fatalf("%s is written otherwise: mend this test", file)
		}
		replaced[filepath.Join(w.root, file)] = filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), wide, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(w.aws.ClientEnv(), "BUZON_AGENT="+w.agent, "BUZON_CACHE="+dir, "GOFLAGS=-overlay="+filepath.Join(dir, "overlay.json"), "LC_ALL=en_US.UTF-8")
	out, err := w.run(t.Context(), env, filepath.Join(w.root, "scripts", "cdk"), "synth", "--quiet", "--output", filepath.Join(dir, "cdk.out"),
		"-c", "bucketName=acme-uploads", "-c", "uploaders=vm-01")
	if err == nil {
		t.Fatalf("it is synthesized:\n%s", out)
	}
	for _, want := range []string{"read-object", "s3:GetObject on arn:aws:s3:::acme-uploads/uploads/vm-01/", "WriteUnderPrefix"} {
		if !strings.Contains(out, want) {
			t.Errorf("it doesn't say %q:\n%s", want, out)
		}
	}
}
