package mailbox

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Mailbox is the construct. Its parts are there when New returns; uploaders come
// one by one.
type Mailbox struct {
	constructs.Construct
	props     Props
	bucket    awss3.Bucket
	auditor   awsiam.ManagedPolicy
	reader    string     // the ARN of the reader's role; "" without
	uploaders *Uploaders // nil until there is one
}

// New makes a mailbox without uploaders. It panics with props that can't be.
//
// The id "Default" leaves no trace in the logical ids of what is inside: with it
// a stack holds one mailbox, and its resources are called as if they stood in
// the stack themselves.
func New(scope constructs.Construct, id *string, props *Props) *Mailbox {
	p := Props{}
	if props != nil {
		p = *props
	}
	p = p.WithDefaults()
	refuse(p.Faults())
	m := &Mailbox{props: p}
	// So that it can itself be a scope, or what others depend on.
	constructs.NewConstruct_Override(m, scope, id)
	m.bucket = newBucket(m, &p)
	if len(p.ReaderRole) > 0 {
		m.reader = newReaderRole(m, m.bucket, &p)
	}
	if p.GrantReaders {
		letReadersRead(m.bucket, &p)
	}
	guard(m.bucket, m.reader, &p)
	m.auditor = newAuditor(m, m.bucket, &p)
	if p.CloudTrail {
		newTrail(m, m.bucket, &p)
	}
	if p.EventBridge {
		newArrivals(m, m.bucket, &p)
	}
	return m
}

// Bucket is the bucket, with the guard in its policy. Grant methods of the CDK
// give more than write-only; what they gave, the audit of the template tells.
func (m *Mailbox) Bucket() awss3.Bucket { return m.bucket }

// AuditorPolicy is the policy with which a reviewer runs `agent audit-policy`.
func (m *Mailbox) AuditorPolicy() awsiam.ManagedPolicy { return m.auditor }

// AddUploader makes the identity of one machine, which may write under its own
// prefix and nothing else. It panics with a name that can't be, or that is there
// already.
func (m *Mailbox) AddUploader(name string) *Uploader {
	if m.uploaders == nil {
		key := ""
		if k := m.bucket.EncryptionKey(); k != nil {
			key = *k.KeyArn()
		}
		to := newDestination(awscdk.Stack_Of(m), *m.bucket.BucketArn(), key)
		m.uploaders = newUploaders(m, jsii.String("Uploaders"), to, &m.props)
		// The guard stands before there is anybody to be guarded from.
		m.uploaders.Node().AddDependency(m.bucket.Policy())
	}
	return m.uploaders.Add(name)
}

// AddOutputs gives the mailbox's stack the outputs that AddOutputs names.
func (m *Mailbox) AddOutputs() {
	AddOutputs(awscdk.Stack_Of(m), *m.bucket.BucketName(), &m.props)
}

// AddOutputs gives a stack the outputs that scripts/agent-config, the key
// scripts and `agent audit-policy --template` read. They are called the same in
// every stack, and their number doesn't grow with the uploaders.
func AddOutputs(stack awscdk.Stack, bucket string, props *Props) {
	p := props.WithDefaults()
	for _, o := range []struct{ name, value, description string }{
		{"BucketName", bucket, "The bucket that uploaders write to"},
		{"Region", *stack.Region(), "The bucket's Region"},
		{"Account", *stack.Account(), "The account that owns the bucket"},
		{"PrefixPattern", p.UploadPrefix + "{name}/", "The prefix of each uploader; {name} is its name"},
		{"UploaderPath", p.Path, "The IAM path of the uploaders"},
	} {
		awscdk.NewCfnOutput(stack, jsii.String(o.name), &awscdk.CfnOutputProps{
			Value: jsii.String(o.value), Description: jsii.String(o.description),
		})
	}
}

// BucketNameIn is the bucket's name as a stack can write it that doesn't hold the
// bucket; "" where CloudFormation makes the name.
func (p *Props) BucketNameIn(stack awscdk.Stack) string {
	if p.AccountRegional {
		return fmt.Sprintf("%s-%s-%s-an", p.BucketName, *stack.Account(), *stack.Region())
	}
	return p.BucketName
}
