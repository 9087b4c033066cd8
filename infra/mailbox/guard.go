package mailbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

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

// and adds what must hold as well. No operator is asked for twice.
func (c condition) and(operator, key string, values any) condition {
	if _, twice := c[operator]; twice {
		panic("guard: " + operator + " twice in one statement")
	}
	c[operator] = map[string]any{key: values}
	return c
}

// statement denies something to everybody for whom its condition holds.
type statement struct {
	sid                     string
	actions, notActions     []string
	resources, notResources []string
	when                    condition
}

// guardian writes the guard of one bucket.
type guardian struct {
	*Props
	bucketARN, keyARN string   // keyARN: "" where S3 keeps the keys
	users, roles      string   // patterns of the uploaders' ARNs
	federated         string   // pattern of the sessions of GetFederationToken
	readers           []string // patterns; none: the account decides
	deployers         []string
}

func newGuardian(p *Props, partition, account, bucketARN, keyARN string) *guardian {
	iam := fmt.Sprintf("arn:%s:iam::%s:", partition, account)
	return &guardian{
		Props: p, bucketARN: bucketARN, keyARN: keyARN,
		users: iam + "user" + p.Path + "*", roles: iam + "role" + p.Path + "*",
		federated: fmt.Sprintf("arn:%s:sts::%s:federated-user/*", partition, account),
		readers:   p.Readers,
	}
}

// statements are those that hold even when an identity's own policies are too
// broad. Their size doesn't depend on the number of uploaders. All of them deny;
// what they can't stop stands in docs/en/guard.md.
func (g *guardian) statements() []statement {
	all := append([]statement{g.onlyWrite()}, g.onlyUnderTheirPrefix()...)
	all = append(all, g.signInHeaders(), g.noSessions())
	if !g.FederatedUsers {
		all = append(all, g.noFederatedUsers())
	}
	if len(g.SourceIPs)+len(g.SourceVPCEs) > 0 {
		all = append(all, g.onlyFromTheseSources())
	}
	all = append(all, g.plainKeys(), g.onlyTheseClasses())
	if g.Encryption == EncryptionKMS {
		all = append(all, g.onlyThisEncryption()...)
	}
	if *g.AppendOnly {
		all = append(all, g.appendOnly())
	}
	if len(g.readers) > 0 {
		all = append(all, g.onlyReaders(), g.onlyDeployers())
	}
	return all
}

// guard puts the statements into the bucket's policy.
func guard(bucket awss3.Bucket, readerRole string, p *Props) {
	stack := awscdk.Stack_Of(bucket)
	keyARN := ""
	if key := bucket.EncryptionKey(); key != nil {
		keyARN = *key.KeyArn()
	}
	g := newGuardian(p, *stack.Partition(), *stack.Account(), *bucket.BucketArn(), keyARN)
	g.deployers = p.deployers(stack)
	if readerRole != "" && len(p.Readers) > 0 {
		g.readers = append(slices.Clone(p.Readers), readerRole)
	}
	for _, st := range g.statements() {
		conditions := map[string]any(st.when)
		bucket.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String(st.sid), Effect: awsiam.Effect_DENY, Principals: &[]awsiam.IPrincipal{awsiam.NewStarPrincipal()},
			Actions: some(st.actions), NotActions: some(st.notActions),
			Resources: some(st.resources), NotResources: some(st.notResources),
			Conditions: &conditions,
		}))
	}
	if p.GuardRevision > 0 {
		// CloudFormation compares templates, not what is there: a guard that somebody
		// replaced by hand it writes again only when the template's is another.
		policy := bucket.Policy().Node().DefaultChild().(awss3.CfnBucketPolicy)
		policy.AddPropertyOverride(jsii.String("PolicyDocument.Id"), jsii.String(fmt.Sprintf("guard-%d", p.GuardRevision)))
	}
}

// some is a list for the CDK, or nothing.
func some(list []string) *[]*string {
	if len(list) == 0 {
		return nil
	}
	return jsii.Strings(list...)
}

// most is how long a bucket's policy may be (S3 User Guide, "Adding a bucket
// policy": 20 KB), without the two statements about TLS, which the CDK adds.
const most = 20_480 - 800

// length is how long the guard is at most, wherever it is deployed.
func (p *Props) guardLength() int {
	longest := newGuardian(p, "aws-us-gov", "111122223333", "arn:aws-us-gov:s3:::"+strings.Repeat("b", longestBucket),
		"arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/"+strings.Repeat("k", 40))
	longest.deployers = append(slices.Clone(p.Deployers), strings.Repeat("d", 140))
	if len(p.Readers) > 0 {
		longest.readers = append(slices.Clone(p.Readers), strings.Repeat("r", 140))
	}
	n := len(`{"Version":"2012-10-17","Id":"guard-1000000","Statement":[]}`)
	for _, st := range longest.statements() {
		text, err := json.Marshal(map[string]any{
			"Sid": st.sid, "Effect": "Deny", "Principal": "*", "Condition": st.when,
			"NotAction": append(st.actions, st.notActions...), "NotResource": append(st.resources, st.notResources...),
		})
		if err != nil {
			panic(err) // they are texts
		}
		n += len(text) + 1
	}
	return n
}

// everything is the bucket and all that is in it.
func (g *guardian) everything() []string {
	return []string{g.bucketARN, g.bucketARN + "/*"}
}

// objects are those under the upload prefix whose names go on so.
func (g *guardian) objects(rest string) []string {
	return []string{g.bucketARN + "/" + g.UploadPrefix + rest}
}

func is(arns ...string) condition {
	return condition{}.and("ArnLike", "aws:PrincipalArn", arns)
}

func (g *guardian) uploader() condition { return is(g.users, g.roles) }

// An uploader may put; that it may also abort is what S3 lets the initiator of
// an upload do by default, and harms nothing that is complete.
func writes() []string { return []string{"s3:PutObject", "s3:AbortMultipartUpload"} }

func (g *guardian) onlyWrite() statement {
	return statement{sid: "UploadersOnlyWrite", notActions: writes(), resources: g.everything(), when: g.uploader()}
}

func (g *guardian) onlyUnderTheirPrefix() []statement {
	tag := "aws:PrincipalTag/" + g.roleTag()
	return []statement{
		{sid: "UsersOnlyUnderTheirPrefix", actions: writes(), notResources: g.objects(userVariable + "/*"), when: is(g.users)},
		{sid: "RolesOnlyUnderTheirPrefix", actions: writes(), notResources: g.objects("${" + tag + "}/*"), when: is(g.roles)},
		{sid: "RolesNeedTheirTag", actions: writes(), resources: g.everything(), when: is(g.roles).and("Null", tag, "true")},
	}
}

// signInHeaders: a signature in a URL or a form can be handed on; one in a header
// is made for each request by whoever holds the key.
func (g *guardian) signInHeaders() statement {
	return statement{
		sid: "UploadersSignInHeaders", actions: []string{"s3:*"}, resources: g.everything(),
		when: g.uploader().and("StringEquals", "s3:authType", []string{"POST", "REST-QUERY-STRING"}),
	}
}

// noSessions: with a user's key anybody gets a session of 36 hours
// (GetSessionToken asks for no permission), which outlives the key. An uploader
// signs with the key itself, so a session is a thief's. Roles have sessions only,
// and none of a user's ARN (IAM User Guide, "aws:TokenIssueTime": there only with
// temporary credentials).
func (g *guardian) noSessions() statement {
	return statement{
		sid: "NoSessionsOfUsers", actions: []string{"s3:*"}, resources: g.everything(),
		when: is(g.users).and("Null", "aws:TokenIssueTime", "false"),
	}
}

// noFederatedUsers: a session of GetFederationToken has an ARN of its own,
// without the user's path, and would slip past the other statements.
func (g *guardian) noFederatedUsers() statement {
	return statement{sid: "NoFederatedUsers", actions: []string{"s3:*"}, resources: g.everything(), when: is(g.federated)}
}

// onlyFromTheseSources is one statement: through a VPC endpoint a request has no
// aws:SourceIp, and from the internet no aws:SourceVpce, so that two would refuse
// everybody.
func (g *guardian) onlyFromTheseSources() statement {
	elsewhere := g.uploader()
	if len(g.SourceIPs) > 0 {
		elsewhere.and("NotIpAddress", "aws:SourceIp", g.SourceIPs)
	}
	if len(g.SourceVPCEs) > 0 {
		elsewhere.and("StringNotEquals", "aws:SourceVpce", g.SourceVPCEs)
	}
	return statement{sid: "OnlyFromTheseSources", actions: []string{"s3:*"}, resources: g.everything(), when: elsewhere}
}

// plainKeys: a part . or .. or an empty one leads whoever copies objects into
// files into another folder than the one it stands for. The agent sends none.
func (g *guardian) plainKeys() statement {
	var odd []string
	for _, rest := range []string{"*//*", "*/./*", "*/.", "*/../*", "*/.."} {
		odd = append(odd, g.objects(rest)...)
	}
	return statement{sid: "PlainKeys", actions: []string{"s3:PutObject"}, resources: odd, when: g.uploader()}
}

// onlyTheseClasses: another storage class can cost for a year, and an object in
// an archive can't be read. Where the header isn't sent its key is absent, and
// the negated operator alone would match.
func (g *guardian) onlyTheseClasses() statement {
	const class = "s3:x-amz-storage-class"
	return statement{
		sid: "OnlyTheseClasses", actions: []string{"s3:PutObject"}, resources: g.objects("*"),
		when: g.uploader().and("Null", class, "false").and("StringNotEquals", class, g.StorageClasses),
	}
}

// onlyThisEncryption: the bucket's default holds only for requests that say
// nothing of encryption. One that names an algorithm must name the bucket's, and
// its key: without a key it would get the account's aws/s3. Statements of one
// header each, for conditions in one must all hold.
func (g *guardian) onlyThisEncryption() []statement {
	const algorithm = "s3:x-amz-server-side-encryption"
	named := func() condition { return g.uploader().and("Null", algorithm, "false") }
	put := []string{"s3:PutObject"}
	return []statement{
		{sid: "OnlyThisEncryption", actions: put, resources: g.objects("*"), when: named().and("StringNotEquals", algorithm, "aws:kms")},
		{sid: "OnlyThisKey", actions: put, resources: g.objects("*"), when: named().and("StringNotEquals", algorithm+"-aws-kms-key-id", g.keyARN)},
	}
}

// appendOnly: only the request that creates the object can carry If-None-Match;
// creating a multipart upload and sending its parts stay possible without (S3
// User Guide, "Enforce conditional writes on Amazon S3 buckets").
func (g *guardian) appendOnly() statement {
	return statement{
		sid: "AppendOnly", actions: []string{"s3:PutObject"}, resources: g.objects("*"),
		when: condition{}.and("Null", "s3:if-none-match", "true").and("Bool", "s3:ObjectCreationOperation", "true"),
	}
}

// onlyReaders: whoever may change this policy can still change it; only reading
// and deleting is kept to the readers.
func (g *guardian) onlyReaders() statement {
	return statement{
		sid: "OnlyReadersReadOrDelete",
		actions: []string{
			"s3:GetObject*", "s3:DeleteObject*", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts",
			"s3:ListObject*", "s3:BypassGovernanceRetention", "s3:DeleteBucket", "s3:UpdateObjectEncryption", "s3:InitiateReplication",
		},
		resources: g.everything(), when: condition{}.and("ArnNotLike", "aws:PrincipalArn", g.readers),
	}
}

// onlyDeployers: what reads, reveals or removes by configuration, once and for
// good. CloudFormation itself configures so, and finds out with HeadBucket, which
// is s3:ListBucket, whether the bucket is there.
func (g *guardian) onlyDeployers() statement {
	return statement{
		sid: "OnlyDeployersConfigure",
		actions: []string{
			"s3:ListBucket", "s3:PutInventoryConfiguration", "s3:PutAnalyticsConfiguration", "s3:CreateBucketMetadata*", "s3:UpdateBucketMetadata*",
			"s3:PutLifecycleConfiguration", "s3:PutReplicationConfiguration", "s3:PutBucketLogging", "s3:PutBucketNotification", "s3:PutBucketVersioning",
		},
		resources: g.everything(), when: condition{}.and("ArnNotLike", "aws:PrincipalArn", append(slices.Clone(g.readers), g.deployers...)),
	}
}
