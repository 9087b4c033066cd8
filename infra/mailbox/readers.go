package mailbox

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// readerPath is the IAM path of the reader's role: not the uploaders'.
const readerPath = "/buzon-readers/"

// What a reader may: see what is there, and get it, with old versions. It is
// what `agent receipts verify` needs, and no more.
var (
	readBucket  = []string{"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketVersions"}
	readObjects = []string{"s3:GetObject", "s3:GetObjectAttributes", "s3:GetObjectVersion", "s3:GetObjectVersionAttributes"}
)

// grantRead lets principals read: with none named, the one that the policy is
// attached to.
func grantRead(bucket awss3.Bucket, who *[]awsiam.IPrincipal) []awsiam.PolicyStatement {
	return []awsiam.PolicyStatement{
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String("ReadersList"), Principals: who, Actions: jsii.Strings(readBucket...), Resources: jsii.Strings(*bucket.BucketArn()),
		}),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String("ReadersRead"), Principals: who, Actions: jsii.Strings(readObjects...),
			Resources: jsii.Strings(*bucket.BucketArn() + "/*"),
		}),
	}
}

// decrypt lets principals use the bucket's key, through S3 alone.
func decrypt(stack awscdk.Stack, resource string, who *[]awsiam.IPrincipal) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("ReadersDecrypt"), Principals: who, Actions: jsii.Strings("kms:Decrypt"), Resources: jsii.Strings(resource),
		Conditions: &map[string]any{"StringEquals": map[string]any{
			"kms:ViaService": fmt.Sprintf("s3.%s.%s", *stack.Region(), *stack.UrlSuffix()),
		}},
	})
}

// letReadersRead names the readers in the bucket's policy, and in the policy of
// the key that the mailbox made. In the bucket's own account that is enough; a
// reader of another account needs its own account's consent as well (IAM User
// Guide, "Cross-account policy evaluation logic").
func letReadersRead(bucket awss3.Bucket, p *Props) {
	var who []awsiam.IPrincipal
	for _, arn := range p.Readers {
		who = append(who, awsiam.NewArnPrincipal(jsii.String(arn)))
	}
	for _, st := range grantRead(bucket, &who) {
		bucket.AddToResourcePolicy(st)
	}
	if p.Encryption == EncryptionKMS && p.KMSKeyARN == "" {
		bucket.EncryptionKey().AddToResourcePolicy(decrypt(awscdk.Stack_Of(bucket), "*", &who), nil)
	}
}

// newReaderRole makes the role with which those who may assume it read. It gives
// the role's ARN, for the guard.
func newReaderRole(scope constructs.Construct, bucket awss3.Bucket, p *Props) string {
	var who []awsiam.IPrincipal
	for _, arn := range p.ReaderRole {
		who = append(who, awsiam.NewArnPrincipal(jsii.String(arn)))
	}
	role := awsiam.NewRole(scope, jsii.String("ReaderRole"), &awsiam.RoleProps{
		Description: jsii.String(fmt.Sprintf("Buzon: reads what uploaders under %s sent", p.Path)),
		Path:        jsii.String(readerPath), AssumedBy: awsiam.NewCompositePrincipal(who...),
	})
	for _, st := range grantRead(bucket, nil) {
		role.AddToPolicy(st)
	}
	if key := bucket.EncryptionKey(); key != nil {
		role.AddToPolicy(decrypt(awscdk.Stack_Of(bucket), *key.KeyArn(), nil))
	}
	policy := role.Node().FindChild(jsii.String("DefaultPolicy")).Node().DefaultChild().(awsiam.CfnPolicy)
	waiveFor(policy, waiveReaders)
	return *role.RoleArn()
}

// deployers are the patterns of who may configure the bucket: those that the props
// name, else the role with which CloudFormation deploys for the CDK.
func (p *Props) deployers(stack awscdk.Stack) []string {
	if len(p.Deployers) > 0 {
		return p.Deployers
	}
	qualifier := "hnb659fds"
	if q := stack.Synthesizer().BootstrapQualifier(); q != nil {
		qualifier = *q
	}
	return []string{fmt.Sprintf("arn:%s:iam::%s:role/cdk-%s-cfn-exec-role-%s-%s",
		*stack.Partition(), *stack.Account(), qualifier, *stack.Account(), *stack.Region())}
}

func (p *Props) checkReaders(f *faults) {
	for prop, list := range map[string][]string{"readers": p.Readers, "deployers": p.Deployers} {
		for _, arn := range list {
			switch {
			case strings.Contains(arn, ":assumed-role/"):
				f.add(prop, "%q would never match: AWS compares the ARN of the role, not of its session", arn)
			case !principalARN.MatchString(arn):
				f.add(prop, "%q is not the ARN, or a pattern of ARNs, of users or roles", arn)
			case strings.Contains(arn, ":user"+p.Path) || strings.Contains(arn, ":role"+p.Path):
				f.add(prop, "%q is an uploader, whom the guard lets read nothing", arn)
			}
		}
	}
	for _, arn := range p.ReaderRole {
		if !exactARN.MatchString(arn) {
			f.add("readerRole", "%q is not the ARN of a user or role", arn)
		}
	}
	if len(p.Deployers) > 0 && len(p.Readers) == 0 {
		f.add("deployers", "has a meaning only with readers")
	}
	if !p.GrantReaders {
		return
	}
	if len(p.Readers) == 0 {
		f.add("grantReaders", "needs readers")
	}
	for _, arn := range p.Readers {
		if principalARN.MatchString(arn) && !exactARN.MatchString(arn) {
			f.add("grantReaders", "can't give anything to the pattern %q: a bucket's policy names users and roles one by one", arn)
		}
	}
}
