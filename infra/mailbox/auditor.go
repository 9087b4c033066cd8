package mailbox

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// auditorPath is the IAM path of the auditor's policy and role: not the
// uploaders', whom the guard would let do nothing here.
const auditorPath = "/buzon-audit/"

// What `agent audit-policy` asks about the account and the bucket. All of it
// reads rules; none of it reads data or changes anything. A test of the agent
// holds it to the calls that an audit makes.
var (
	// Of the account: IAM's documents, and access points, which have no list for
	// one bucket.
	auditAccount = []string{
		"iam:GenerateCredentialReport", "iam:GetCredentialReport", "iam:GetAccountAuthorizationDetails",
		"iam:GetGroupPolicy", "iam:GetLoginProfile", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy",
		"iam:GetUser", "iam:GetUserPolicy", "iam:ListAccessKeys", "iam:ListAttachedGroupPolicies",
		"iam:ListAttachedRolePolicies", "iam:ListAttachedUserPolicies", "iam:ListGroupPolicies",
		"iam:ListGroupsForUser", "iam:ListRolePolicies", "iam:ListRoles", "iam:ListServiceSpecificCredentials",
		"iam:ListSigningCertificates", "iam:ListSSHPublicKeys", "iam:ListUserPolicies", "iam:SimulatePrincipalPolicy",
		"s3:GetAccessPointPolicy", "s3:GetAccessGrantsInstanceResourcePolicy", "s3:GetAccountPublicAccessBlock",
		"s3:ListAccessGrantsInstances", "s3:ListAccessPoints",
	}
	// Of the bucket.
	auditBucket = []string{
		"s3:GetBucketAcl", "s3:GetBucketOwnershipControls", "s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock",
		"s3:GetBucketVersioning", "s3:GetEncryptionConfiguration",
	}
	// Of every bucket, for --all-buckets.
	auditBuckets = []string{"s3:GetBucketPolicy", "s3:ListAllMyBuckets"}
	// Of its key.
	auditKey = []string{"kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"}
)

// newAuditor makes the policy with which a reviewer runs `agent audit-policy`
// live, and a role that holds it where the settings name who may assume it.
func newAuditor(scope constructs.Construct, bucket awss3.Bucket, p *Props) awsiam.ManagedPolicy {
	allow := func(sid string, actions []string, resource string) awsiam.PolicyStatement {
		return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String(sid), Actions: jsii.Strings(actions...), Resources: jsii.Strings(resource),
		})
	}
	statements := []awsiam.PolicyStatement{
		allow("ReadTheRules", auditAccount, "*"),
		allow("ReadTheBucketsRules", auditBucket, *bucket.BucketArn()),
	}
	if p.AuditAccount {
		statements = append(statements, allow("ReadEveryBucketsPolicy", auditBuckets, "*"))
	}
	if key := bucket.EncryptionKey(); key != nil {
		statements = append(statements, allow("ReadTheKeysRules", auditKey, *key.KeyArn()))
	}
	document := awsiam.NewManagedPolicy(scope, jsii.String("AuditorPolicy"), &awsiam.ManagedPolicyProps{
		Description: jsii.String("Buzon: lets a reviewer run agent audit-policy, and no more"),
		Path:        jsii.String(auditorPath), Statements: &statements,
	})
	waiveFor(document.Node().DefaultChild().(awsiam.CfnManagedPolicy), waiveAuditorReads)
	if len(p.Auditors) == 0 {
		return document
	}
	var who []awsiam.IPrincipal
	for _, arn := range p.Auditors {
		who = append(who, awsiam.NewArnPrincipal(jsii.String(arn)))
	}
	awsiam.NewRole(scope, jsii.String("AuditorRole"), &awsiam.RoleProps{
		Description: jsii.String(fmt.Sprintf("Buzon: reviews the uploaders under %s", p.Path)),
		Path:        jsii.String(auditorPath),
		AssumedBy:   awsiam.NewCompositePrincipal(who...), ManagedPolicies: &[]awsiam.IManagedPolicy{document},
	})
	return document
}
