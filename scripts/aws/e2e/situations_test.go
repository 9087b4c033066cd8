package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"buzon/scripts/aws/localaws"
)

// situation is something that somebody did to an account.
type situation struct {
	name    string
	make    func(t *testing.T, s *scene)
	flags   []string // of the live audit, besides
	verdict string
	rules   []string // of the report, among others
	// export is what an export of the account gives, with the bucket's policy as a
	// file; "" is the same as live, "-" is not asked, with the reason in name or make.
	export string
	// try is what the user's own key is tried with; the rule is broken if it may.
	try  func(ctx context.Context, s *scene, key aws.Config) error
	rule string
}

// scene is where a situation plays.
type scene struct {
	*world
	user, bucket string
}

const (
	sceneUser   = "situated"
	sceneBucket = "situated-bucket"
	sceneRole   = "arn:aws:iam::" + localaws.Account + ":role/strong"
	sceneARN    = "arn:aws:iam::" + localaws.Account + ":user/buzon/" + sceneUser
	readsAll    = `{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::situated-bucket/*"}`
	writesOwn   = `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::situated-bucket/uploads/situated/*"}`
)

func (s *scene) holds(t *testing.T, statements ...string) {
	t.Helper()
	s.putInline(t, s.user, policyOf(append([]string{writesOwn}, statements...)...))
}

// role makes a role with that trust policy until the test ends.
func (s *scene) role(t *testing.T, principal string) {
	t.Helper()
	name := aws.String("strong")
	trust := policyOf(`{"Effect": "Allow", "Principal": ` + principal + `, "Action": "sts:AssumeRole"}`)
	if _, err := s.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: &trust}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		// What the situation let the user put on it, too.
		_, _ = s.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("more")})
		if _, err := s.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}); err != nil {
			t.Error(err)
		}
	})
}

// encrypted makes a key and has the bucket encrypted with it, named in that way.
func (s *scene) encrypted(t *testing.T, named func(arn string) string) (*kms.Client, string) {
	t.Helper()
	keys := kms.NewFromConfig(s.config)
	made, err := keys.CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	arn := *made.KeyMetadata.Arn
	if _, err := s.s3.PutBucketEncryption(t.Context(), &s3.PutBucketEncryptionInput{Bucket: &s.bucket,
		ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{Rules: []s3types.ServerSideEncryptionRule{{
			ApplyServerSideEncryptionByDefault: &s3types.ServerSideEncryptionByDefault{SSEAlgorithm: s3types.ServerSideEncryptionAwsKms, KMSMasterKeyID: aws.String(named(arn))},
		}}}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := s.s3.DeleteBucketEncryption(context.WithoutCancel(t.Context()), &s3.DeleteBucketEncryptionInput{Bucket: &s.bucket}); err != nil {
			t.Error(err)
		}
	})
	return keys, arn
}

func putKeyPolicy(t *testing.T, keys *kms.Client, arn string) {
	t.Helper()
	document := policyOf(`{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::`+localaws.Account+`:root"}, "Action": "kms:*", "Resource": "*"}`,
		`{"Effect": "Allow", "Principal": {"AWS": "`+sceneARN+`"}, "Action": ["kms:Decrypt", "kms:PutKeyPolicy"], "Resource": "*"}`)
	if _, err := keys.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &arn, Policy: &document}); err != nil {
		t.Fatal(err)
	}
}

func assume(ctx context.Context, _ *scene, key aws.Config) error {
	_, err := sts.NewFromConfig(key).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(sceneRole), RoleSessionName: aws.String("x")})
	return err
}

// read reads the object that every plain bucket holds.
func read(ctx context.Context, s *scene, key aws.Config) error {
	got, err := s3.NewFromConfig(key).GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String("secret")})
	if err != nil {
		return err
	}
	return got.Body.Close()
}

func putRolePolicy(ctx context.Context, _ *scene, key aws.Config) error {
	_, err := iam.NewFromConfig(key).PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: aws.String("strong"), PolicyName: aws.String("more"), PolicyDocument: aws.String(policyOf(writesOwn)),
	})
	return err
}

var situations = []situation{
	{name: "clean", make: func(t *testing.T, s *scene) { s.holds(t) }, verdict: "write-only", try: assume, rule: "escalate"},
	{name: "a bucket policy for everybody", make: func(t *testing.T, s *scene) {
		s.holds(t)
		s.unblocked(t)
		s.bucketPolicy(t, s.bucket, policyOf(`{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::situated-bucket/*"}`))
	}, verdict: "violation", rules: []string{"read-object"}},
	{name: "a bucket policy for the account, which IAM must confirm", make: func(t *testing.T, s *scene) {
		s.holds(t)
		s.bucketPolicy(t, s.bucket, policyOf(`{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::`+localaws.Account+`:root"}, "Action": "s3:*", "Resource": ["arn:aws:s3:::situated-bucket", "arn:aws:s3:::situated-bucket/*"]}`))
	}, verdict: "write-only"},
	{name: "a bucket policy for another user", make: func(t *testing.T, s *scene) {
		s.holds(t)
		s.bucketPolicy(t, s.bucket, policyOf(`{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::`+localaws.Account+`:user/somebody"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::situated-bucket/*"}`))
	}, verdict: "write-only"},
	{name: "a role that trusts the user", make: func(t *testing.T, s *scene) {
		s.holds(t) // the local AWS asks the user's own policy besides, so that it is no judge here
		s.role(t, `{"AWS": "`+sceneARN+`"}`)
	}, verdict: "violation", rules: []string{"escalate"}},
	{name: "a role that trusts a service", make: func(t *testing.T, s *scene) {
		s.holds(t)
		s.role(t, `{"Service": "ec2.amazonaws.com"}`)
	}, verdict: "write-only", try: assume, rule: "escalate"},
	{name: "a role that trusts the account, and sts:AssumeRole on it", make: func(t *testing.T, s *scene) {
		s.holds(t, `{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "`+sceneRole+`"}`)
		s.role(t, `{"AWS": "arn:aws:iam::`+localaws.Account+`:root"}`)
	}, verdict: "violation", rules: []string{"escalate"}, try: assume, rule: "escalate"},
	{name: "iam:PassRole on a role whose trust policy is known", make: func(t *testing.T, s *scene) {
		s.holds(t, `{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "`+sceneRole+`"}`)
		s.role(t, `{"Service": "lambda.amazonaws.com"}`)
	}, verdict: "violation", rules: []string{"escalate"}},
	{name: "iam:PutRolePolicy on one", make: func(t *testing.T, s *scene) {
		s.holds(t, `{"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": "`+sceneRole+`"}`)
		s.role(t, `{"Service": "lambda.amazonaws.com"}`)
	}, verdict: "violation", rules: []string{"escalate"}, try: putRolePolicy, rule: "escalate"},
	{name: "no iam:PutRolePolicy", make: func(t *testing.T, s *scene) {
		s.holds(t)
		s.role(t, `{"Service": "lambda.amazonaws.com"}`)
	}, verdict: "write-only", try: putRolePolicy, rule: "escalate"},
	{name: "iam:* behind a Deny of it", make: func(t *testing.T, s *scene) {
		s.holds(t, `{"Effect": "Allow", "Action": "iam:*", "Resource": "*"}`, `{"Effect": "Deny", "Action": "iam:*", "Resource": "*"}`)
		s.role(t, `{"Service": "lambda.amazonaws.com"}`)
	}, verdict: "write-only", try: putRolePolicy, rule: "escalate"},
	{name: "a policy of AWS", make: func(t *testing.T, s *scene) {
		s.holds(t)
		attach(t, s.world, s.user, "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
	}, verdict: "violation", rules: []string{"read-object", "list"}},
	{name: "two keys", make: func(t *testing.T, s *scene) {
		s.holds(t)
		s.key(t, s.user)
		s.key(t, s.user)
	}, verdict: "write-only", rules: []string{"two-keys"}, export: "- no export tells of keys"},
	{name: "a password", make: func(t *testing.T, s *scene) {
		s.holds(t)
		if _, err := s.iam.CreateLoginProfile(t.Context(), &iam.CreateLoginProfileInput{UserName: &s.user, Password: aws.String("correct-horse-9-Battery")}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := s.iam.DeleteLoginProfile(context.WithoutCancel(t.Context()), &iam.DeleteLoginProfileInput{UserName: &s.user}); err != nil {
				t.Error(err)
			}
		})
	}, verdict: "write-only", rules: []string{"console-access"}, export: "- nor of passwords"},
	{name: "a key of the bucket that names the user, by its ARN", make: func(t *testing.T, s *scene) {
		s.holds(t)
		keys, arn := s.encrypted(t, func(arn string) string { return arn })
		putKeyPolicy(t, keys, arn)
	}, verdict: "violation", rules: []string{"escalate", "other-service"}, export: "- nor of keys' policies"},
	{name: "the same by its id", make: func(t *testing.T, s *scene) {
		s.holds(t)
		keys, arn := s.encrypted(t, func(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] })
		putKeyPolicy(t, keys, arn)
	}, verdict: "violation", rules: []string{"escalate", "other-service"}, export: "-"},
	{name: "the same by an alias", make: func(t *testing.T, s *scene) {
		s.holds(t)
		keys, arn := s.encrypted(t, func(string) string { return "alias/situated" })
		if _, err := keys.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: aws.String("alias/situated"), TargetKeyId: &arn}); err != nil {
			t.Fatal(err)
		}
		putKeyPolicy(t, keys, arn)
	}, verdict: "violation", rules: []string{"escalate", "other-service"}, export: "-"},
	{name: "a grant of the bucket's key", make: func(t *testing.T, s *scene) {
		s.holds(t)
		keys, arn := s.encrypted(t, func(arn string) string { return arn })
		if _, err := keys.CreateGrant(t.Context(), &kms.CreateGrantInput{KeyId: &arn, GranteePrincipal: aws.String(sceneARN), Operations: []kmstypes.GrantOperation{"Decrypt", "CreateGrant"}}); err != nil {
			t.Fatal(err)
		}
	}, verdict: "violation", rules: []string{"escalate", "other-service"}, export: "-"},
	{name: "a grant of it to somebody else", make: func(t *testing.T, s *scene) {
		s.holds(t)
		keys, arn := s.encrypted(t, func(arn string) string { return arn })
		if _, err := keys.CreateGrant(t.Context(), &kms.CreateGrantInput{KeyId: &arn, GranteePrincipal: aws.String("arn:aws:iam::" + localaws.Account + ":user/somebody"), Operations: []kmstypes.GrantOperation{"Decrypt"}}); err != nil {
			t.Fatal(err)
		}
	}, verdict: "write-only", export: "-"},
	{name: "an ACL for everybody", make: func(t *testing.T, s *scene) {
		s.holds(t)
		s.unblocked(t)
		s.acl(t, s3types.BucketCannedACLPublicRead)
	}, verdict: "violation", rules: []string{"list"}, export: "- nor of ACLs"},
	{name: "inline s3:*", make: func(t *testing.T, s *scene) {
		s.holds(t, `{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}`)
	}, verdict: "violation", rules: []string{"read-object", "delete-object", "list"}, try: read, rule: "read-object"},
	{name: "NotAction", make: func(t *testing.T, s *scene) {
		s.holds(t, `{"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"}`)
	}, verdict: "violation", rules: []string{"read-object", "other-service"}, try: read, rule: "read-object"},
	{name: "the second version of a managed policy", make: func(t *testing.T, s *scene) {
		s.holds(t)
		attach(t, s.world, s.user, s.managed(t, "situated-second", policyOf(writesOwn), policyOf(writesOwn, readsAll)))
	}, verdict: "violation", rules: []string{"read-object"}, try: read, rule: "read-object"},
	{name: "a group's inline policy", make: func(t *testing.T, s *scene) {
		s.holds(t)
		s.group(t, "situated-readers", s.user)
		inlineGroup(t, s.world, "situated-readers", policyOf(readsAll))
	}, verdict: "violation", rules: []string{"read-object"}, try: read, rule: "read-object"},
	{name: "a group's managed policy", make: func(t *testing.T, s *scene) {
		s.holds(t)
		s.group(t, "situated-group", s.user)
		attachGroup(t, s.world, "situated-group", s.managed(t, "situated-reads", policyOf(readsAll)))
	}, verdict: "violation", rules: []string{"read-object"}, try: read, rule: "read-object"},
	{name: "a boundary over a broad policy", make: func(t *testing.T, s *scene) {
		s.holds(t, readsAll)
		s.fence(t, s.user, s.managed(t, "situated-fence", policyOf(writesOwn)))
	}, verdict: "write-only", rules: []string{"broad-policy"}, export: "- the local AWS's export tells of no boundaries", try: read, rule: "read-object"},
	{name: "a bucket policy that names the user, under a boundary", make: func(t *testing.T, s *scene) {
		s.holds(t)
		s.fence(t, s.user, s.managed(t, "situated-fence", policyOf(writesOwn)))
		s.bucketPolicy(t, s.bucket, policyOf(`{"Effect": "Allow", "Principal": {"AWS": "`+sceneARN+`"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::situated-bucket/*"}`))
	}, verdict: "violation", rules: []string{"read-object"}, try: read, rule: "read-object"},
	{name: "another bucket whose policy names the user", make: func(t *testing.T, s *scene) {
		s.holds(t)
		s.plain(t, "situated-other")
		s.bucketPolicy(t, "situated-other", policyOf(`{"Effect": "Allow", "Principal": {"AWS": "`+sceneARN+`"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::situated-other/*"}`))
	}, flags: []string{"--all-buckets"}, verdict: "violation", rules: []string{"read-object"}, export: "- no export tells of buckets"},
	{name: "another bucket whose policy names somebody else", make: func(t *testing.T, s *scene) {
		s.holds(t)
		s.plain(t, "situated-other")
		s.bucketPolicy(t, "situated-other", policyOf(`{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::`+localaws.Account+`:user/somebody"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::situated-other/*"}`))
	}, flags: []string{"--all-buckets"}, verdict: "write-only", export: "-"},
	{name: "sessions of the user's key are denied", make: func(t *testing.T, s *scene) {
		s.holds(t)
		s.bucketPolicy(t, s.bucket, policyOf(`{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::situated-bucket/*", "Condition": {"Null": {"aws:TokenIssueTime": "false"}}}`))
	}, verdict: "write-only"},
	{name: "only a part of the prefix", make: func(t *testing.T, s *scene) {
		s.putInline(t, s.user, policyOf(strings.Replace(writesOwn, "situated/*", "situated/a/*", 1)))
	}, verdict: "violation", rules: []string{"cannot-write"}},
	{name: "nothing at all", make: func(*testing.T, *scene) {}, verdict: "no-access", rules: []string{"cannot-write"}, try: read, rule: "read-object"},
	{name: "an ACL for log delivery", make: func(t *testing.T, s *scene) {
		s.holds(t)
		s.acl(t, "log-delivery-write")
	}, verdict: "write-only", export: "-"},
}

// unblocked lets public policies and ACLs onto the bucket until the test ends.
func (s *scene) unblocked(t *testing.T) {
	t.Helper()
	if _, err := s.s3.DeletePublicAccessBlock(t.Context(), &s3.DeletePublicAccessBlockInput{Bucket: &s.bucket}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		yes := aws.Bool(true)
		if _, err := s.s3.PutPublicAccessBlock(context.WithoutCancel(t.Context()), &s3.PutPublicAccessBlockInput{Bucket: &s.bucket,
			PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{
				BlockPublicAcls: yes, BlockPublicPolicy: yes, IgnorePublicAcls: yes, RestrictPublicBuckets: yes}}); err != nil {
			t.Error(err)
		}
	})
}

// acl puts an ACL in force on the bucket until the test ends.
func (s *scene) acl(t *testing.T, canned s3types.BucketCannedACL) {
	t.Helper()
	own := func(ctx context.Context, how s3types.ObjectOwnership) error {
		_, err := s.s3.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{Bucket: &s.bucket,
			OwnershipControls: &s3types.OwnershipControls{Rules: []s3types.OwnershipControlsRule{{ObjectOwnership: how}}}})
		return err
	}
	if err := own(t.Context(), s3types.ObjectOwnershipBucketOwnerPreferred); err != nil {
		t.Fatal(err)
	}
	if _, err := s.s3.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{Bucket: &s.bucket, ACL: canned}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if _, err := s.s3.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: &s.bucket, ACL: s3types.BucketCannedACLPrivate}); err != nil {
			t.Error(err)
		}
		if err := own(ctx, s3types.ObjectOwnershipBucketOwnerEnforced); err != nil {
			t.Error(err)
		}
	})
}

// least is how many situations there must be.
const least = 30

// AWS's simulator, as the local AWS plays it, disagrees with no verdict of a situation that
// it can judge, and is asked with the stack's own sample.
func (s *scene) simulated(t *testing.T, aim []string) {
	t.Helper()
	report, _ := s.audit(t, nil, append([]string{"--user", sceneUser, "--simulate"}, aim...)...)
	if slices.Contains(report.rules(), "simulator-disagrees") {
		t.Errorf("the simulator disagrees: %+v", report.Principals)
	}
}

// Whatever somebody does to an account shows live and, as far as an export tells
// of it, there; and where the local AWS decides, it decides the same.
func TestSituationsOfAnAccount(t *testing.T) {
	w := bare(t)
	if len(situations) < least {
		t.Errorf("%d situations, and %d are to be shown", len(situations), least)
	}
	w.plain(t, sceneBucket)
	for _, row := range situations {
		t.Run(row.name, func(t *testing.T) {
			s := &scene{world: w, user: sceneUser, bucket: sceneBucket}
			w.user(t, sceneUser, "/buzon/", "")
			row.make(t, s)
			aim := []string{"--bucket", sceneBucket, "--prefix", "uploads/{name}/"}
			live, _ := w.audit(t, nil, slices.Concat([]string{"--user", sceneUser}, aim, row.flags)...)
			s.shows(t, "live", live, row)
			s.simulated(t, aim)
			if !strings.HasPrefix(row.export, "-") {
				exported, _ := w.audit(t, nil, append(s.exported(t), aim...)...)
				s.shows(t, "export", exported, row)
			}
			if row.try == nil {
				return
			}
			id, secret := w.key(t, sceneUser)
			key, err := w.load(t.Context(), id, secret)
			if err != nil {
				t.Fatal(err)
			}
			err = row.try(t.Context(), s, key)
			if may := err == nil; may != slices.Contains(live.rules(), row.rule) {
				t.Errorf("the server says %v, the audit %v", err, live.rules())
			}
		})
	}
}

func (s *scene) shows(t *testing.T, source string, report *audited, row situation) {
	t.Helper()
	// An export holds the users of other tests too.
	verdict := ""
	for i := range report.Principals {
		if p := &report.Principals[i]; strings.HasSuffix(p.ARN, "/"+sceneUser) {
			verdict = p.Verdict
		}
	}
	if verdict != row.verdict {
		t.Errorf("%s: %q, want %s: %+v", source, verdict, row.verdict, report.Principals)
	}
	for _, rule := range row.rules {
		if !slices.Contains(report.rules(), rule) {
			t.Errorf("%s: no %s among %v", source, rule, report.rules())
		}
	}
}

// exported are the flags for an export of the account, with the bucket's policy.
func (s *scene) exported(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	got, err := s.iam.GetAccountAuthorizationDetails(t.Context(), &iam.GetAccountAuthorizationDetailsInput{MaxItems: aws.Int32(1000)})
	if err != nil || got.IsTruncated {
		t.Fatalf("%v, truncated %v", err, got != nil && got.IsTruncated)
	}
	// As the AWS CLI prints it: without AWS's own policies, unless somebody has them.
	printed, err := json.Marshal(map[string]any{
		"UserDetailList": got.UserDetailList, "GroupDetailList": got.GroupDetailList, "RoleDetailList": got.RoleDetailList, "Policies": got.Policies,
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "account.json")
	if err := os.WriteFile(file, printed, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--authorization-details", file}
	p, err := s.s3.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: &s.bucket})
	if err == nil {
		wrapped, _ := json.Marshal(map[string]string{"Policy": *p.Policy}) //nolint:errchkjson // texts
		file := filepath.Join(dir, "bucket.json")
		if err := os.WriteFile(file, wrapped, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--bucket-policy", file)
	}
	return args
}

// auditorNeeds are the rights without each of which the verdict on a user stays
// open, or something is assumed and said.
var auditorNeeds = []string{
	"iam:GetUser", "iam:ListUserPolicies", "iam:GetUserPolicy", "iam:ListAttachedUserPolicies", "iam:ListGroupsForUser", "iam:ListGroupPolicies",
	"iam:GetGroupPolicy", "iam:ListAttachedGroupPolicies", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListRoles",
	"s3:GetBucketPolicy", "s3:GetBucketOwnershipControls", "s3:GetEncryptionConfiguration", "s3:ListAccessPoints",
	"kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants",
}

// An auditor without one of its rights says which, and gives no verdict.
func TestAnAuditorWithoutOneRight(t *testing.T) {
	w := bare(t)
	s := &scene{world: w, user: sceneUser, bucket: sceneBucket}
	w.plain(t, sceneBucket)
	w.user(t, sceneUser, "/buzon/", "")
	s.holds(t)
	own := w.managed(t, "situated-own", policyOf(writesOwn))
	attach(t, w, sceneUser, own)
	w.group(t, "situated-group", sceneUser)
	inlineGroup(t, w, "situated-group", policyOf(writesOwn))
	s.encrypted(t, func(arn string) string { return arn })
	w.user(t, "half-auditor", "/", "")
	id, secret := w.key(t, "half-auditor")
	env := append(w.aws.ClientEnv(), "AWS_ACCESS_KEY_ID="+id, "AWS_SECRET_ACCESS_KEY="+secret)
	all := `{"Effect": "Allow", "Action": ["iam:Get*", "iam:List*", "s3:Get*", "s3:List*", "kms:Describe*", "kms:Get*", "kms:List*", "sts:*"], "Resource": "*"}`
	question := []string{"--user", sceneUser, "--bucket", sceneBucket, "--prefix", "uploads/{name}/"}
	t.Run("with all", func(t *testing.T) {
		w.putInline(t, "half-auditor", policyOf(all))
		if report, _ := w.audit(t, env, question...); report.Verdict != "write-only" {
			t.Fatalf("%s: %+v", report.Verdict, report.Principals)
		}
	})
	for _, right := range auditorNeeds {
		t.Run(right, func(t *testing.T) {
			w.putInline(t, "half-auditor", policyOf(all, `{"Effect": "Deny", "Action": "`+right+`", "Resource": "*"}`))
			report, code := w.audit(t, env, question...)
			var lacks []string
			for _, u := range report.Principals[0].Undecided {
				lacks = append(lacks, u.Permission)
			}
			if code != 4 || report.Verdict != "undecided" || !slices.Contains(lacks, right) {
				t.Errorf("exit %d, %s, lacks %v", code, report.Verdict, lacks)
			}
			if slices.Contains(report.rules(), "cannot-write") {
				t.Errorf("though it wasn't read: %v", report.rules())
			}
		})
	}
}
