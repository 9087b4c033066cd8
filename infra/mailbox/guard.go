package mailbox

import (
	"fmt"
	"maps"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// UploaderTag is the tag that names the prefix of a role. Only the stack sets
// it: the trust policies don't let a session bring its own.
const UploaderTag = "buzon-uploader"

// Variables that give an uploader's name while a request is judged. Where a
// variable has no value a Resource matches nothing; what a NotResource does then
// the IAM User Guide leaves open ("IAM policy elements: Variables and tags"), so
// the guard doesn't hang on it.
const (
	userVariable        = "${aws:username}"
	roleVariable        = "${aws:PrincipalTag/" + UploaderTag + "}"
	certificateVariable = "${aws:PrincipalTag/" + certificateTag + "}"
)

// certificateTag is the tag in which IAM Roles Anywhere hands on the common name
// of the certificate.
const certificateTag = "x509Subject/CN"

// nameVariable is the variable for uploaders of this kind.
func (p *Props) nameVariable() string {
	switch p.Identity {
	case IdentityUser:
		return userVariable
	case IdentityRole:
		return roleVariable
	case IdentityRolesAnywhere:
		return certificateVariable
	}
	panic("unchecked props: identity " + string(p.Identity))
}

// roleTag is the tag that names the prefix of a role's sessions.
func (p *Props) roleTag() string {
	if p.Identity == IdentityRolesAnywhere {
		return certificateTag
	}
	return UploaderTag
}

// condition is the Condition of a statement: operator, key, values.
type condition map[string]any

// and joins conditions that name different operators: all must hold.
func (c condition) and(more condition) condition {
	both := maps.Clone(c)
	maps.Copy(both, more)
	return both
}

// guardian adds statements to the policy of one bucket.
type guardian struct {
	*Props
	bucket       awss3.Bucket
	iam, sts     string // the front of this account's ARNs
	users, roles string // patterns of the uploaders' ARNs
}

// guard adds the statements that hold even when an identity's own policies are
// too broad. Their size doesn't depend on the number of uploaders. All of them
// deny; what they can't stop stands in docs/en/guard.md.
func guard(bucket awss3.Bucket, p *Props) {
	stack := awscdk.Stack_Of(bucket)
	g := guardian{Props: p, bucket: bucket}
	g.iam = fmt.Sprintf("arn:%s:iam::%s:", *stack.Partition(), *stack.Account())
	g.sts = fmt.Sprintf("arn:%s:sts::%s:", *stack.Partition(), *stack.Account())
	g.users, g.roles = g.iam+"user"+p.Path+"*", g.iam+"role"+p.Path+"*"
	g.onlyWrite()
	g.onlyUnderTheirPrefix()
	g.signInHeaders()
	if !p.FederatedUsers {
		g.noFederatedUsers()
	}
	if *p.AppendOnly {
		g.appendOnly()
	}
	if p.GuardRevision > 0 {
		g.revision()
	}
	if len(p.Readers) > 0 {
		g.onlyReaders()
	}
}

func (g *guardian) deny(sid string, p awsiam.PolicyStatementProps, when condition) {
	conditions := map[string]any(when)
	p.Sid, p.Effect = jsii.String(sid), awsiam.Effect_DENY
	p.Principals = &[]awsiam.IPrincipal{awsiam.NewStarPrincipal()}
	p.Conditions = &conditions
	g.bucket.AddToResourcePolicy(awsiam.NewPolicyStatement(&p))
}

// everything is the bucket and all that is in it.
func (g *guardian) everything() *[]*string {
	return jsii.Strings(*g.bucket.BucketArn(), *g.bucket.BucketArn()+"/*")
}

// objects are those under the upload prefix whose names go on so.
func (g *guardian) objects(rest string) *[]*string {
	return jsii.Strings(*g.bucket.BucketArn() + "/" + g.UploadPrefix + rest)
}

func is(arns ...string) condition {
	return condition{"ArnLike": map[string]any{"aws:PrincipalArn": arns}}
}

func (g *guardian) uploader() condition { return is(g.users, g.roles) }

// An uploader may put; that it may also abort is what S3 lets the initiator of
// an upload do by default, and harms nothing that is complete.
func writes() *[]*string { return jsii.Strings("s3:PutObject", "s3:AbortMultipartUpload") }

func (g *guardian) onlyWrite() {
	g.deny("UploadersOnlyWrite", awsiam.PolicyStatementProps{
		NotActions: writes(), Resources: g.everything(),
	}, g.uploader())
}

func (g *guardian) onlyUnderTheirPrefix() {
	g.deny("UsersOnlyUnderTheirPrefix", awsiam.PolicyStatementProps{
		Actions: writes(), NotResources: g.objects(userVariable + "/*"),
	}, is(g.users))
	tag := "aws:PrincipalTag/" + g.roleTag()
	g.deny("RolesOnlyUnderTheirPrefix", awsiam.PolicyStatementProps{
		Actions: writes(), NotResources: g.objects("${" + tag + "}/*"),
	}, is(g.roles))
	g.deny("RolesNeedTheirTag", awsiam.PolicyStatementProps{
		Actions: writes(), Resources: g.everything(),
	}, is(g.roles).and(condition{"Null": map[string]any{tag: "true"}}))
}

// signInHeaders: a signature in a URL or a form can be handed on; one in a header
// is made for each request by whoever holds the key.
func (g *guardian) signInHeaders() {
	g.deny("UploadersSignInHeaders", awsiam.PolicyStatementProps{
		Actions: jsii.Strings("s3:*"), Resources: g.everything(),
	}, g.uploader().and(condition{"StringEquals": map[string]any{"s3:authType": []string{"POST", "REST-QUERY-STRING"}}}))
}

// noFederatedUsers: a session of GetFederationToken has an ARN of its own,
// without the user's path, and would slip past the statements above.
func (g *guardian) noFederatedUsers() {
	g.deny("NoFederatedUsers", awsiam.PolicyStatementProps{
		Actions: jsii.Strings("s3:*"), Resources: g.everything(),
	}, is(g.sts+"federated-user/*"))
}

// appendOnly: only the request that creates the object can carry If-None-Match;
// creating a multipart upload and sending its parts stay possible without (S3
// User Guide, "Enforce conditional writes on Amazon S3 buckets").
func (g *guardian) appendOnly() {
	g.deny("AppendOnly", awsiam.PolicyStatementProps{
		Actions: jsii.Strings("s3:PutObject"), Resources: g.objects("*"),
	}, condition{
		"Null": map[string]any{"s3:if-none-match": "true"},
		"Bool": map[string]any{"s3:ObjectCreationOperation": "true"},
	})
}

// revision: CloudFormation compares templates, not what is there. A guard that
// somebody replaced by hand it writes again only when the template's is another.
func (g *guardian) revision() {
	policy := g.bucket.Policy().Node().DefaultChild().(awss3.CfnBucketPolicy)
	policy.AddPropertyOverride(jsii.String("PolicyDocument.Id"), jsii.String(fmt.Sprintf("guard-%d", g.GuardRevision)))
}

// onlyReaders: whoever may change this policy can still change it; only reading
// and deleting is kept to the readers.
func (g *guardian) onlyReaders() {
	g.deny("OnlyReadersReadOrDelete", awsiam.PolicyStatementProps{
		Actions: jsii.Strings("s3:GetObject*", "s3:DeleteObject*", "s3:ListBucket*", "s3:ListMultipartUploadParts",
			"s3:BypassGovernanceRetention", "s3:DeleteBucket"),
		Resources: g.everything(),
	}, condition{"ArnNotLike": map[string]any{"aws:PrincipalArn": g.Readers}})
}
