package main

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// uploaderTag is the tag that names the prefix of a role. Only the stack sets
// it: the trust policies don't let a session bring its own.
const uploaderTag = "buzon-uploader"

// Variables that give an uploader's name while a request is judged. Where a
// variable has no value a Resource matches nothing; what a NotResource does then
// the IAM User Guide leaves open ("IAM policy elements: Variables and tags"), so
// the guard doesn't hang on it.
const (
	userVariable        = "${aws:username}"
	roleVariable        = "${aws:PrincipalTag/" + uploaderTag + "}"
	certificateVariable = "${aws:PrincipalTag/" + certificateTag + "}"
)

// certificateTag is the tag in which IAM Roles Anywhere hands on the common name
// of the certificate.
const certificateTag = "x509Subject/CN"

// nameVariable is the variable for uploaders of this kind.
func (s *Settings) nameVariable() string {
	switch s.Identity {
	case IdentityUser:
		return userVariable
	case IdentityRole:
		return roleVariable
	case IdentityRolesAnywhere:
		return certificateVariable
	}
	panic("unchecked settings: identity " + string(s.Identity))
}

// guard adds the statements that hold even when an identity's own policies are
// too broad. Their size doesn't depend on the number of uploaders. All of them
// deny; what they can't stop stands in docs/en/guard.md.
func guard(stack awscdk.Stack, bucket awss3.Bucket, s *Settings) {
	iam := fmt.Sprintf("arn:%s:iam::%s:", *stack.Partition(), *stack.Account())
	sts := fmt.Sprintf("arn:%s:sts::%s:", *stack.Partition(), *stack.Account())
	users, roles := iam+"user"+s.Path+"*", iam+"role"+s.Path+"*"
	uploaders := []string{users, roles}
	everything := []string{*bucket.BucketArn(), *bucket.BucketArn() + "/*"}
	prefixOf := func(variable string) []string {
		return []string{*bucket.BucketArn() + "/" + s.UploadPrefix + variable + "/*"}
	}
	roleTag := uploaderTag
	if s.Identity == IdentityRolesAnywhere {
		roleTag = certificateTag
	}

	deny := func(sid string, p awsiam.PolicyStatementProps, conditions map[string]any) {
		p.Sid, p.Effect = jsii.String(sid), awsiam.Effect_DENY
		p.Principals = &[]awsiam.IPrincipal{awsiam.NewStarPrincipal()}
		p.Conditions = &conditions
		bucket.AddToResourcePolicy(awsiam.NewPolicyStatement(&p))
	}
	is := func(arns ...string) map[string]any {
		return map[string]any{"ArnLike": map[string]any{"aws:PrincipalArn": arns}}
	}

	// An uploader may put; that it may also abort is what S3 lets the initiator
	// of an upload do by default, and harms nothing that is complete.
	writes := jsii.Strings("s3:PutObject", "s3:AbortMultipartUpload")
	deny("UploadersOnlyWrite", awsiam.PolicyStatementProps{
		NotActions: writes, Resources: jsii.Strings(everything...),
	}, is(uploaders...))
	deny("UsersOnlyUnderTheirPrefix", awsiam.PolicyStatementProps{
		Actions: writes, NotResources: jsii.Strings(prefixOf(userVariable)...),
	}, is(users))
	deny("RolesOnlyUnderTheirPrefix", awsiam.PolicyStatementProps{
		Actions: writes, NotResources: jsii.Strings(prefixOf("${aws:PrincipalTag/" + roleTag + "}")...),
	}, is(roles))
	nameless := is(roles)
	nameless["Null"] = map[string]any{"aws:PrincipalTag/" + roleTag: "true"}
	deny("RolesNeedTheirTag", awsiam.PolicyStatementProps{
		Actions: writes, Resources: jsii.Strings(everything...),
	}, nameless)

	// A signature in a URL or a form can be handed on; one in a header is made
	// for each request by whoever holds the key.
	handedOn := is(uploaders...)
	handedOn["StringEquals"] = map[string]any{"s3:authType": []string{"POST", "REST-QUERY-STRING"}}
	deny("UploadersSignInHeaders", awsiam.PolicyStatementProps{
		Actions: jsii.Strings("s3:*"), Resources: jsii.Strings(everything...),
	}, handedOn)

	// A session of GetFederationToken has an ARN of its own, without the user's
	// path, and would slip past the statements above.
	if !s.FederatedUsers {
		deny("NoFederatedUsers", awsiam.PolicyStatementProps{
			Actions: jsii.Strings("s3:*"), Resources: jsii.Strings(everything...),
		}, is(sts+"federated-user/*"))
	}

	// Only the request that creates the object can carry If-None-Match; creating
	// a multipart upload and sending its parts stay possible without (S3 User
	// Guide, "Enforce conditional writes on Amazon S3 buckets").
	if s.AppendOnly {
		deny("AppendOnly", awsiam.PolicyStatementProps{
			Actions: jsii.Strings("s3:PutObject"), Resources: jsii.Strings(*bucket.BucketArn() + "/" + s.UploadPrefix + "*"),
		}, map[string]any{
			"Null": map[string]any{"s3:if-none-match": "true"},
			"Bool": map[string]any{"s3:ObjectCreationOperation": "true"},
		})
	}

	// CloudFormation compares templates, not what is there: a guard that somebody
	// replaced by hand it writes again only when the template's is another.
	if s.GuardRevision > 0 {
		policy := bucket.Policy().Node().DefaultChild().(awss3.CfnBucketPolicy)
		policy.AddPropertyOverride(jsii.String("PolicyDocument.Id"), jsii.String(fmt.Sprintf("guard-%d", s.GuardRevision)))
	}

	// Whoever may change this policy can still change it: only reading and
	// deleting is kept to the readers.
	if len(s.Readers) > 0 {
		deny("OnlyReadersReadOrDelete", awsiam.PolicyStatementProps{
			Actions: jsii.Strings("s3:GetObject*", "s3:DeleteObject*", "s3:ListBucket*", "s3:ListMultipartUploadParts",
				"s3:BypassGovernanceRetention", "s3:DeleteBucket"),
			Resources: jsii.Strings(everything...),
		}, map[string]any{"ArnNotLike": map[string]any{"aws:PrincipalArn": s.Readers}})
	}
}
