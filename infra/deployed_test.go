package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"buzon/scripts/aws/localaws"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// A site is a local AWS into which templates are deployed, and the agent that
// judges what is there.
type site struct {
	t      *testing.T
	aws    *localaws.AWS
	agent  string
	config aws.Config
	cfn    *cloudformation.Client
	iam    *iam.Client
	s3     *s3.Client
}

func newSite(t *testing.T) *site {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED with -short: the local AWS takes seconds")
	}
	s := &site{t: t, aws: localaws.ForTest(t), agent: filepath.Join(t.TempDir(), "agent")}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", s.agent, "../agent").CombinedOutput(); err != nil {
		t.Fatalf("build the agent: %v\n%s", err, out)
	}
	for _, pair := range s.aws.Env() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	var err error
	if s.config, err = config.LoadDefaultConfig(t.Context(), config.WithRetryMaxAttempts(1)); err != nil {
		t.Fatal(err)
	}
	s.cfn, s.iam, s.s3 = cloudformation.NewFromConfig(s.config), iam.NewFromConfig(s.config), s3.NewFromConfig(s.config)
	return s
}

// in is the same site, for a test in the test.
func (s *site) in(t *testing.T) *site {
	here := *s
	here.t = t
	return &here
}

// deploys makes or changes the stacks of a synthesis, but for what only the CDK's
// own command line needs of them.
func (s *site) deploys(made *synthesis) {
	s.t.Helper()
	for i, document := range made.documents {
		template := maps.Clone(document)
		delete(template, "Rules")
		delete(template, "Parameters")
		text, err := json.Marshal(template)
		if err != nil {
			s.t.Fatal(err)
		}
		body, name := aws.String(string(text)), made.stacks[i].StackName()
		able := []cfntypes.Capability{cfntypes.CapabilityCapabilityNamedIam}
		_, err = s.cfn.CreateStack(s.t.Context(), &cloudformation.CreateStackInput{StackName: name, TemplateBody: body, Capabilities: able})
		var exists *cfntypes.AlreadyExistsException
		if errors.As(err, &exists) {
			_, err = s.cfn.UpdateStack(s.t.Context(), &cloudformation.UpdateStackInput{StackName: name, TemplateBody: body, Capabilities: able})
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if status := s.settled(*name); status != cfntypes.StackStatusCreateComplete && status != cfntypes.StackStatusUpdateComplete {
			events, err := s.cfn.DescribeStackEvents(s.t.Context(), &cloudformation.DescribeStackEventsInput{StackName: name})
			if err != nil {
				s.t.Fatal(err)
			}
			for _, e := range events.StackEvents {
				s.t.Log(aws.ToString(e.LogicalResourceId), e.ResourceStatus, aws.ToString(e.ResourceStatusReason))
			}
			s.t.Fatalf("%s is %s", *name, status)
		}
	}
}

// settled waits until nothing goes on with a stack; "" is one that is gone.
func (s *site) settled(name string) cfntypes.StackStatus {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), time.Minute)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		out, err := s.cfn.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
		switch {
		case err != nil && strings.Contains(err.Error(), "does not exist"):
			return ""
		case err != nil:
			s.t.Fatal(err)
		case !strings.HasSuffix(string(out.Stacks[0].StackStatus), "_IN_PROGRESS"):
			return out.Stacks[0].StackStatus
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("%s does not settle", name)
		case <-tick.C:
		}
	}
}

// removes takes the stacks away again, and the buckets that outlive them.
func (s *site) removes(made *synthesis) {
	s.t.Helper()
	ctx := context.WithoutCancel(s.t.Context())
	for _, name := range made.settings.Uploaders {
		keys, err := s.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &name})
		for i := 0; err == nil && i < len(keys.AccessKeyMetadata); i++ { // a role has none
			_, err = s.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &name, AccessKeyId: keys.AccessKeyMetadata[i].AccessKeyId})
		}
	}
	for _, stack := range slices.Backward(made.stacks) {
		if _, err := s.cfn.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: stack.StackName()}); err != nil {
			s.t.Fatal(err)
		}
		if status := s.settled(*stack.StackName()); status != "" && status != cfntypes.StackStatusDeleteComplete {
			s.t.Errorf("%s is %s at the end", *stack.StackName(), status)
		}
	}
	all, err := s.s3.ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, b := range all.Buckets {
		if _, err := s.s3.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: b.Name}); err != nil {
			s.t.Error(err)
		}
		objects, err := s.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: b.Name})
		if err != nil {
			s.t.Fatal(err)
		}
		for _, o := range objects.Versions {
			if _, err := s.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b.Name, Key: o.Key, VersionId: o.VersionId}); err != nil {
				s.t.Error(err)
			}
		}
		if _, err := s.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: b.Name}); err != nil {
			s.t.Error(err)
		}
	}
}

func (s *site) bucket(stack string) string {
	s.t.Helper()
	out, err := s.cfn.DescribeStacks(s.t.Context(), &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, o := range out.Stacks[0].Outputs {
		if aws.ToString(o.OutputKey) == "BucketName" {
			return aws.ToString(o.OutputValue)
		}
	}
	s.t.Fatalf("the outputs of %s name no bucket", stack)
	return ""
}

// judged asks the agent, and gives the verdict with all that it said.
func (s *site) judged(args ...string) (verdict, said string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), s.agent, append([]string{"audit-policy", "--config", os.DevNull, "--format", "json"}, args...)...)
	cmd.Env = localaws.CommandEnv(s.aws.Env())
	var out, noise bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &noise
	_ = cmd.Run() // its code says the verdict once more
	var report struct{ Verdict string }
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		s.t.Fatalf("audit-policy %q: %v\n%s%s", args, err, &out, &noise)
	}
	return report.Verdict, out.String()
}

// Each setting alone, and all together: the templates are judged write-only, the
// local AWS deploys them, and what is there then is judged write-only too.
func TestEverySettingDeploysWriteOnly(t *testing.T) {
	s := newSite(t)
	if _, err := s.iam.CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: aws.String("boundary"), Path: aws.String("/organisation/"), PolicyDocument: aws.String(everything)}); err != nil {
		t.Fatal(err)
	}
	for _, variant := range slices.Sorted(maps.Keys(variants)) {
		if strings.HasPrefix(variant, "fleet") || variant == "own key" {
			continue // scripts/aws/e2e deploys fleets; the key is below
		}
		t.Run(variant, func(t *testing.T) {
			s := s.in(t)
			made := synth(t, variant)
			s.deploys(made)
			defer s.removes(made)
			if len(made.settings.Uploaders) == 0 {
				return // there is nobody to judge
			}
			prefix := made.settings.UploadPrefix + "{name}/"
			args := append([]string{"--all", "--path", made.settings.Path, "--bucket", s.bucket(made.settings.StackName), "--prefix", prefix}, kmsAllowed(&made.settings)...)
			if verdict, said := s.judged(args...); verdict != "write-only" {
				t.Errorf("live it is %s\n%s", verdict, said)
			}
			for i := range made.documents {
				if verdict, said := s.judgedOffline(made, i); verdict != "write-only" {
					t.Errorf("template %d is %s\n%s", i+1, verdict, said)
				}
			}
		})
	}
}

// judgedOffline asks the agent about a template, with what the app tells it.
func (s *site) judgedOffline(made *synthesis, i int) (verdict, said string) {
	s.t.Helper()
	dir := s.t.TempDir()
	template, boundary := filepath.Join(dir, "template.json"), filepath.Join(dir, "boundary.json")
	text, err := json.Marshal(made.documents[i])
	if err := errors.Join(err, os.WriteFile(template, text, 0o600), os.WriteFile(boundary, []byte(everything), 0o600)); err != nil {
		s.t.Fatal(err)
	}
	args := append([]string{"--template", template, "--path", made.settings.Path}, kmsAllowed(&made.settings)...)
	if made.settings.PermissionsBoundary != "" {
		args = append(args, "--managed-policy", orgBoundary+"="+boundary)
	}
	return s.judged(args...)
}

const everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// kmsAllowed is what the app itself has the auditor told.
func kmsAllowed(s *Settings) []string {
	if s.Encryption == "kms" {
		return []string{"--allow", "kms:Decrypt", "--allow", "kms:GenerateDataKey"}
	}
	return nil
}

// synthNow synthesizes settings that no variant has, such as the ARN of a key that
// was just made.
func synthNow(t *testing.T, extra object) *synthesis {
	t.Helper()
	synth(t, "default") // or it is skipped here
	return synthesize(t, extra, t.TempDir())
}

// A key that exists: the audit reads its policy live, and says when that policy
// gives an uploader more than the uploader's own, or leaves it nothing, which is no
// power too many: a note.
func TestTheAuditReadsTheKeyThatExists(t *testing.T) {
	s := newSite(t)
	keys := kms.NewFromConfig(s.config)
	made, err := keys.CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	stack := synthNow(t, object{"encryption": "kms", "kmsKeyArn": *made.KeyMetadata.Arn, "bucketName": "own-key-slot", "uploaders": []any{"vm-01"}})
	s.deploys(stack)
	defer s.removes(stack)
	// The local AWS takes no encryption from a template.
	if _, err := s.s3.PutBucketEncryption(t.Context(), &s3.PutBucketEncryptionInput{
		Bucket: aws.String("own-key-slot"), ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{Rules: []s3types.ServerSideEncryptionRule{{
			ApplyServerSideEncryptionByDefault: &s3types.ServerSideEncryptionByDefault{SSEAlgorithm: s3types.ServerSideEncryptionAwsKms, KMSMasterKeyID: made.KeyMetadata.Arn},
		}}},
	}); err != nil {
		t.Fatal(err)
	}
	root := `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + localaws.Account + `:root"},"Action":"kms:*","Resource":"*"}`
	named := func(user string) string {
		return `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + localaws.Account + `:user/` + user + `"},"Action":"kms:*","Resource":"*"}`
	}
	for _, row := range []struct{ what, statements, verdict, says string }{
		{"as it was made", root, "write-only", ""},
		{"it names the uploader for all", root + "," + named("buzon/vm-01"), "violation", "escalate"},
		{"it lets another alone use it", named("staff/keeper"), "write-only", "key-not-allowed"},
	} {
		policy := `{"Version":"2012-10-17","Statement":[` + row.statements + `]}`
		if _, err := keys.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: made.KeyMetadata.KeyId, Policy: &policy, BypassPolicyLockoutSafetyCheck: true}); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"--user", "vm-01", "--bucket", "own-key-slot", "--prefix", "uploads/vm-01/"}, kmsAllowed(&stack.settings)...)
		verdict, said := s.judged(args...)
		if verdict != row.verdict || !strings.Contains(said, row.says) {
			t.Errorf("%s: %s, want %s with %q\n%s", row.what, verdict, row.verdict, row.says, said)
		}
		if row.verdict == "write-only" && strings.Contains(said, `"kms:*"`) {
			t.Errorf("what the key's policy gives the account is told as the uploader's grant\n%s", said)
		}
		if !strings.Contains(said, *made.KeyMetadata.Arn) {
			t.Errorf("%s: the report doesn't name the key's policy among its sources\n%s", row.what, said)
		}
	}
}

// A reader reads, whoever is none does not, though its own policies let it; and the
// next deploy is not shut out.
func TestReadersReadAndNobodyElse(t *testing.T) {
	s := newSite(t)
	extra := object{
		"bucketName": "readers-slot", "uploaders": []any{"vm-01"}, "grantReaders": true,
		"readers": "arn:aws:iam::" + localaws.Account + ":user/staff/reader", "deployers": "arn:aws:iam::" + localaws.Account + ":user/staff/deployer",
	}
	as := map[string]*s3.Client{}
	for name, policy := range map[string]string{"reader": "", "admin": everything, "deployer": everything} {
		if _, err := s.iam.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name, Path: aws.String("/staff/")}); err != nil {
			t.Fatal(err)
		}
		if policy != "" {
			if _, err := s.iam.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("all"), PolicyDocument: &policy}); err != nil {
				t.Fatal(err)
			}
		}
		as[name] = s.as(name)
	}
	stack := synthNow(t, extra)
	s.deploys(stack)
	defer s.removes(stack)
	as["vm-01"] = s.as("vm-01")
	bucket, key := aws.String("readers-slot"), aws.String("uploads/vm-01/a")
	if _, err := as["vm-01"].PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("x"), IfNoneMatch: aws.String("*")}); err != nil {
		t.Fatal(err)
	}
	for name, reads := range map[string]bool{"reader": true, "admin": false, "deployer": false, "vm-01": false} {
		_, getting := as[name].GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key})
		if reads != (getting == nil) || !reads && !refused(getting) {
			t.Errorf("%s gets an object: %v", name, getting)
		}
		_, listing := as[name].ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket})
		if may := reads || name == "deployer"; may != (listing == nil) || !may && !refused(listing) { // HeadBucket, which it needs, is the same right
			t.Errorf("%s lists: %v", name, listing)
		}
		if _, err := as[name].DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("uploads/vm-01/none")}); !refused(err) {
			t.Errorf("%s deletes: %v", name, err)
		}
	}
	// The deployer changes what the next deploy would; an administrator beside it may not.
	change := &s3.PutBucketVersioningInput{Bucket: bucket, VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled}}
	if _, err := as["deployer"].PutBucketVersioning(t.Context(), change); err != nil {
		t.Errorf("the deployer sets versioning: %v", err)
	}
	if _, err := as["admin"].PutBucketVersioning(t.Context(), change); !refused(err) {
		t.Errorf("an administrator sets versioning: %v", err)
	}
	maps.Copy(extra, object{"guardRevision": 1, "uploaders": []any{"vm-01", "vm-02"}})
	s.deploys(synthNow(t, extra))
	if verdict, said := s.judged("--all", "--path", "/buzon/", "--bucket", *bucket, "--prefix", "uploads/{name}/"); verdict != "write-only" {
		t.Errorf("after the next deploy it is %s\n%s", verdict, said)
	}
}

// as gives S3 with a new key of the user.
func (s *site) as(user string) *s3.Client {
	s.t.Helper()
	made, err := s.iam.CreateAccessKey(s.t.Context(), &iam.CreateAccessKeyInput{UserName: &user})
	if err != nil {
		s.t.Fatal(err)
	}
	cfg := s.config.Copy()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(*made.AccessKey.AccessKeyId, *made.AccessKey.SecretAccessKey, "")
	return s3.NewFromConfig(cfg)
}

func refused(err error) bool {
	var answer smithy.APIError
	return errors.As(err, &answer) && slices.Contains([]string{"AccessDenied", "Forbidden"}, answer.ErrorCode())
}
