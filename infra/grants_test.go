package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"buzon/infra/mailbox"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/cxapi"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"
)

// The auditor's rights, written out once more: whoever adds one does so twice.
const auditorReads = `iam:GenerateCredentialReport iam:GetAccountAuthorizationDetails iam:GetCredentialReport
iam:GetGroupPolicy iam:GetLoginProfile iam:GetPolicy iam:GetPolicyVersion iam:GetRole iam:GetRolePolicy iam:GetUser iam:GetUserPolicy
iam:ListAccessKeys iam:ListAttachedGroupPolicies iam:ListAttachedRolePolicies iam:ListAttachedUserPolicies iam:ListGroupPolicies
iam:ListGroupsForUser iam:ListRolePolicies iam:ListRoles iam:ListSSHPublicKeys iam:ListServiceSpecificCredentials
iam:ListSigningCertificates iam:ListUserPolicies iam:SimulatePrincipalPolicy
s3:GetAccessGrantsInstanceResourcePolicy s3:GetAccessPointPolicy s3:GetAccountPublicAccessBlock s3:GetBucketAcl
s3:GetBucketOwnershipControls s3:GetBucketPolicy s3:GetBucketPublicAccessBlock s3:GetBucketVersioning s3:GetEncryptionConfiguration
s3:ListAccessGrantsInstances s3:ListAccessPoints`

// Everything that any document in a template allows to anybody, by the type of
// the resource that carries it.
func TestTheExactSetOfGrantedActions(t *testing.T) {
	auditor := strings.Fields(auditorReads)
	withKey := []string{"kms:Decrypt", "kms:GenerateDataKey", "s3:PutObject"}
	auditKMS := []string{"kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"}
	write := []string{"s3:PutObject"}
	managed := func(write []string, more ...string) []string {
		all := slices.Concat(auditor, write, more)
		slices.Sort(all)
		return all
	}
	reads := []string{
		"s3:GetBucketLocation", "s3:GetObject", "s3:GetObjectAttributes", "s3:GetObjectVersion", "s3:GetObjectVersionAttributes",
		"s3:ListBucket", "s3:ListBucketVersions",
	}
	anywhere := []string{"s3:PutObject", "sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"}
	for variant, want := range map[string]map[string][]string{
		"default": {"AWS::IAM::User": write, "AWS::IAM::ManagedPolicy": managed(write)},
		"group": {
			"AWS::IAM::Group": withKey, "AWS::IAM::ManagedPolicy": managed(withKey, auditKMS...),
			"AWS::KMS::Key": {"kms:*"}, "AWS::IAM::Role": {"sts:AssumeRole"},
		},
		"role":           {"AWS::IAM::Role": {"s3:PutObject", "sts:AssumeRole"}, "AWS::IAM::ManagedPolicy": managed(write)},
		"roles-anywhere": {"AWS::IAM::Role": anywhere, "AWS::IAM::ManagedPolicy": managed(write)},
		"all": {
			"AWS::IAM::User": withKey, "AWS::KMS::Key": {"kms:*"},
			"AWS::IAM::ManagedPolicy": managed(withKey, append([]string{"s3:ListAllMyBuckets"}, auditKMS...)...),
			// The trail may write its logs into its own bucket, and the rule hand events to its bus.
			"AWS::S3::BucketPolicy": {"s3:GetBucketAcl", "s3:PutObject"},
			"AWS::IAM::Role":        {"sts:AssumeRole"},
			"AWS::IAM::Policy":      {"events:PutEvents", "logs:CreateLogStream", "logs:PutLogEvents"},
			"AWS::SNS::TopicPolicy": {"sns:Publish"},
		},
		"readers": {
			"AWS::IAM::User": withKey, "AWS::IAM::ManagedPolicy": managed(withKey, auditKMS...), "AWS::KMS::Key": {"kms:*", "kms:Decrypt"},
			"AWS::S3::BucketPolicy": reads, "AWS::IAM::Role": {"sts:AssumeRole"}, "AWS::IAM::Policy": append([]string{"kms:Decrypt"}, reads...),
		},
		"fleet": {"AWS::IAM::ManagedPolicy": auditor},
	} {
		template := synth(t, variant).documents[0]
		got := map[string][]string{}
		for _, r := range template["Resources"].(object) {
			kind := r.(object)["Type"].(string)
			for _, s := range statements(r) {
				if s["Effect"] != "Allow" {
					continue
				}
				if s["NotAction"] != nil || s["NotResource"] != nil || s["NotPrincipal"] != nil {
					t.Errorf("%s: %s allows by negation: %v", variant, kind, s)
				}
				got[kind] = append(got[kind], texts(s["Action"])...)
			}
		}
		for kind := range got {
			slices.Sort(got[kind])
			got[kind] = slices.Compact(got[kind])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", variant, diff)
		}
	}
}

// Each uploader: under the path, behind the boundary, under its own prefix and
// not before the guard.
func TestUploaders(t *testing.T) {
	for variant := range variants {
		s := synth(t, variant)
		documents := s.documents
		if s.settings.Shards > 0 {
			documents = documents[1:]
		}
		seen := map[string]bool{}
		for _, template := range documents {
			kind, nameOf := "AWS::IAM::User", "UserName"
			if s.settings.Identity != mailbox.IdentityUser {
				kind, nameOf = "AWS::IAM::Role", "RoleName"
			}
			for id, r := range resources(template, kind) {
				p := r["Properties"].(object)
				name, _ := p[nameOf].(string)
				if !slices.Contains(s.settings.Uploaders, name) {
					continue // the auditor's role
				}
				seen[name] = true
				if p["Path"] != s.settings.Path {
					t.Errorf("%s: %s is under %v", variant, id, p["Path"])
				}
				if boundary := plain(p["PermissionsBoundary"]); !strings.HasPrefix(boundary, "${UploadersBoundary") && boundary != s.settings.PermissionsBoundary {
					t.Errorf("%s: the boundary of %s is %s", variant, id, boundary)
				}
				if depends := strings.Join(texts(r["DependsOn"]), " "); s.settings.Shards == 0 && !strings.Contains(depends, "BucketPolicy") {
					t.Errorf("%s: %s doesn't wait for the guard, only for %q", variant, id, depends)
				}
				for _, key := range []string{"LoginProfile", "ManagedPolicyArns"} {
					if p[key] != nil {
						t.Errorf("%s: %s has %s", variant, id, key)
					}
				}
				if s.settings.Attach == mailbox.AttachGroup {
					if own, _ := p["Policies"].([]any); len(own) > 0 || len(p["Groups"].([]any)) != 1 {
						t.Errorf("%s: %s has the policies %v and the groups %v", variant, id, own, p["Groups"])
					}
					continue
				}
				for _, st := range statements(p["Policies"]) {
					if st["Effect"] == "Deny" {
						continue
					}
					resource := plain(st["Resource"])
					if action := plain(st["Action"]); action == "s3:PutObject" && !strings.HasSuffix(resource, "/"+s.settings.UploadPrefix+name+"/*") {
						t.Errorf("%s: %s may put %s", variant, id, resource)
					}
				}
			}
		}
		if len(seen) != len(s.settings.Uploaders) {
			t.Errorf("%s: %d uploaders were made of %d", variant, len(seen), len(s.settings.Uploaders))
		}
	}
}

// With a KMS key one more statement, on that key, through S3, for the prefix.
func TestTheKeyIsLentForThePrefixAlone(t *testing.T) {
	policies := only(t, synth(t, "all").documents[0], "AWS::IAM::User")["Properties"].(object)["Policies"]
	both := statements(policies)
	if len(both) != 2 {
		t.Fatalf("there are %d statements, want 2", len(both))
	}
	lends := both[1]
	if resource := plain(lends["Resource"]); !strings.HasPrefix(resource, "${Key") {
		t.Errorf("it lends %s", resource)
	}
	conditions := lends["Condition"].(object)
	via := plain(conditions["StringEquals"].(object)["kms:ViaService"])
	if via != "s3.${AWS::Region}.${AWS::URLSuffix}" {
		t.Errorf("it lends it through %s", via)
	}
	lentFor := plain(conditions["StringLike"].(object)["kms:EncryptionContext:aws:s3:arn"])
	if !strings.HasSuffix(lentFor, "/in/box/vm-01/*") {
		t.Errorf("it lends it for %s", lentFor)
	}
}

// A role is handed out by one service, and its sessions bring no tags of their
// own: the guard goes by the role's.
func TestRolesAreTrustedToOneService(t *testing.T) {
	for variant, want := range map[string]object{
		"role": {"Effect": "Allow", "Action": []any{"sts:AssumeRole"}, "Principal": object{"Service": "ec2.amazonaws.com"}},
		"roles-anywhere": {
			"Effect": "Allow", "Action": []any{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"},
			"Principal": object{"Service": "rolesanywhere.amazonaws.com"},
			"Condition": object{
				"StringEquals": object{"aws:PrincipalTag/x509Subject/CN": "vm-01"}, "ArnEquals": object{"aws:SourceArn": anchor},
			},
		},
	} {
		p := only(t, synth(t, variant).documents[0], "AWS::IAM::Role")["Properties"].(object)
		trust := statements(p["AssumeRolePolicyDocument"])
		if diff := cmp.Diff([]object{want}, trust); diff != "" {
			t.Errorf("%s: %s", variant, diff)
		}
		if diff := cmp.Diff([]any{object{"Key": "buzon-uploader", "Value": "vm-01"}}, p["Tags"]); diff != "" {
			t.Errorf("%s: %s", variant, diff)
		}
	}
}

func TestTheAuditorsRoleIsForWhomTheSettingsName(t *testing.T) {
	var trusted []string
	for _, r := range resources(synth(t, "all").documents[0], "AWS::IAM::Role") {
		p := r["Properties"].(object)
		if p["Path"] == "/buzon-audit/" {
			for _, s := range statements(p["AssumeRolePolicyDocument"]) {
				trusted = append(trusted, texts(s["Principal"].(object)["AWS"])...)
			}
		}
	}
	if diff := cmp.Diff([]string{review}, trusted); diff != "" {
		t.Error(diff)
	}
}

// AwsSolutions finds nothing that is not waived, and every waiver is needed,
// dated and argued.
func TestAwsSolutionsIsClean(t *testing.T) {
	used := map[string]bool{}
	for variant := range variants {
		s := synth(t, variant)
		for i, stack := range s.stacks {
			said := assertions.Annotations_FromStack(stack)
			all, anything := jsii.String("*"), assertions.Match_AnyValue()
			for _, finding := range notes(said.FindError(all, anything), said.FindWarning(all, anything)) {
				t.Errorf("%s, stack %d: %s", variant, i+1, finding)
			}
			for _, text := range notes(said.FindInfo(all, anything)) {
				for _, w := range mailbox.Waivers(s.settings.UploadPrefix) {
					if strings.Contains(text, w.Rule) && strings.Contains(text, w.Reason) {
						used[w.Reason] = true
					}
				}
			}
		}
	}
	for _, w := range mailbox.Waivers("uploads/") {
		if !used[w.Reason] {
			t.Errorf("nothing needs the waiver of %s: %s", w.Rule, w.Reason)
		}
		if day, err := time.Parse(time.DateOnly, w.Since); err != nil || day.After(time.Now()) {
			t.Errorf("the waiver of %s is of %q", w.Rule, w.Since)
		}
		if len(w.Reason) < 80 {
			t.Errorf("the waiver of %s is hardly argued: %s", w.Rule, w.Reason)
		}
	}
}

// notes gives what the CDK noted at constructs, each after the construct's path.
func notes(lists ...*[]*cxapi.SynthesisMessage) []string { //nolint:staticcheck // as below
	var all []string
	for _, list := range lists {
		for _, m := range *list {
			all = append(all, fmt.Sprintf("%s: %v", *m.Id, m.Entry.Data)) //nolint:staticcheck // the module that these fields move to isn't there for Go
		}
	}
	return all
}

// A fleet over two stacks: the bucket and its guard in the first, no resource
// that asks another stack for anything.
func TestAFleetOverTwoStacks(t *testing.T) {
	s := synth(t, "fleet")
	if len(s.stacks) != 3 {
		t.Fatalf("there are %d stacks, want the bucket's and 2", len(s.stacks))
	}
	if n := len(resources(s.documents[0], "AWS::IAM::User")); n != 0 {
		t.Errorf("%d users are beside the bucket", n)
	}
	for i, stack := range s.stacks[1:] {
		template := s.documents[i+1]
		if n := len(resources(template, "AWS::IAM::User")); n < 20 {
			t.Errorf("stack %d has %d of 60 users", i+1, n)
		}
		if n := len(resources(template, "AWS::S3::Bucket")) + len(resources(template, "AWS::S3::BucketPolicy")); n != 0 {
			t.Errorf("stack %d has %d buckets and policies", i+1, n)
		}
		var after []string
		for _, d := range *stack.Dependencies() {
			after = append(after, *d.StackName())
		}
		if diff := cmp.Diff([]string{"Buzon"}, after); diff != "" {
			t.Errorf("stack %d comes after %s", i+1, diff)
		}
		for _, r := range resources(template, "AWS::IAM::User") {
			for _, st := range statements(r) {
				if resource := plain(st["Resource"]); !strings.HasPrefix(resource, "arn:${AWS::Partition}:s3:::acme-uploads/uploads/vm-") {
					t.Errorf("stack %d: %s", i+1, resource)
				}
			}
		}
	}
}
