package mailbox

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newBucket makes the bucket, and with encryption "kms" its key. The bucket's
// policy is there when it returns: with the statement that nobody speaks to it
// without TLS 1.2, and retained together with the bucket, for a bucket that
// outlives its guard would be a trap.
func newBucket(scope constructs.Construct, p *Props) awss3.Bucket {
	removal := p.removal()
	props := &awss3.BucketProps{
		BlockPublicAccess:      awss3.BlockPublicAccess_BLOCK_ALL(),
		ObjectOwnership:        awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		EnforceSSL:             jsii.Bool(true),
		MinimumTLSVersion:      jsii.Number(1.2),
		BlockedEncryptionTypes: &[]awss3.BlockedEncryptionType{awss3.BlockedEncryptionType_SSE_C()},
		Versioned:              jsii.Bool(*p.Versioning),
		LifecycleRules:         lifecycle(p),
		RemovalPolicy:          removal,
	}
	switch {
	case p.AccountRegional:
		props.BucketNamespace = awss3.BucketNamespace_ACCOUNT_REGIONAL
		props.BucketNamePrefix = jsii.String(p.BucketName)
	case p.BucketName != "":
		props.BucketName = jsii.String(p.BucketName)
	}
	switch p.Encryption {
	case EncryptionS3:
		props.Encryption = awss3.BucketEncryption_S3_MANAGED
	case EncryptionKMS:
		props.Encryption = awss3.BucketEncryption_KMS
		props.EncryptionKey = newKey(scope, p)
		// With a Bucket Key the encryption context is the bucket, and the policy of
		// an uploader could no longer be held to its prefix (S3 User Guide, "Reducing
		// the cost of SSE-KMS with Amazon S3 Bucket Keys").
		props.BucketKeyEnabled = jsii.Bool(false)
	}
	switch p.ObjectLock {
	case LockNone:
	case LockGovernance:
		props.ObjectLockDefaultRetention = awss3.ObjectLockRetention_Governance(days(p.ObjectLockDays))
	case LockCompliance:
		props.ObjectLockDefaultRetention = awss3.ObjectLockRetention_Compliance(days(p.ObjectLockDays))
	}
	bucket := awss3.NewBucket(scope, jsii.String("Bucket"), props)
	bucket.Policy().ApplyRemovalPolicy(removal)
	resource := bucket.Node().DefaultChild().(awss3.CfnBucket)
	waiveFor(resource, waiveAccessLogs)
	if p.EventBridge {
		// The property of BucketProps would bring a Lambda function with a role that
		// may change the notifications of every bucket.
		resource.SetNotificationConfiguration(&awss3.CfnBucket_NotificationConfigurationProperty{
			EventBridgeConfiguration: &awss3.CfnBucket_EventBridgeConfigurationProperty{EventBridgeEnabled: jsii.Bool(true)},
		})
	}
	return bucket
}

// newKey makes the bucket's key, or names the one that exists.
func newKey(scope constructs.Construct, p *Props) awskms.IKey {
	id := jsii.String("Key")
	if p.KMSKeyARN != "" {
		return awskms.Key_FromKeyArn(scope, id, jsii.String(p.KMSKeyARN))
	}
	return awskms.NewKey(scope, id, &awskms.KeyProps{
		Description:       jsii.String("Buzon: encrypts the bucket " + *awscdk.Stack_Of(scope).StackName()),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     p.removal(),
	})
}

// removal is what becomes of bucket, guard and key without the stack. A first
// deploy that fails takes back what it made: nothing is in it yet, and what stayed
// would be in the way of the second.
func (p *Props) removal() awscdk.RemovalPolicy {
	if *p.Retain {
		return awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
	}
	return awscdk.RemovalPolicy_DESTROY
}

// lifecycle always clears away the parts of uploads that were never completed:
// an uploader may not list them, so nobody else would.
func lifecycle(p *Props) *[]*awss3.LifecycleRule {
	rules := []*awss3.LifecycleRule{{
		Id:                                  jsii.String("AbortIncompleteUploads"),
		AbortIncompleteMultipartUploadAfter: days(p.AbortDays),
	}}
	if len(p.Transitions) > 0 {
		var moves []*awss3.Transition
		for _, m := range p.Transitions {
			moves = append(moves, &awss3.Transition{StorageClass: awss3.NewStorageClass(jsii.String(m.Class)), TransitionAfter: days(m.Days)})
		}
		rules = append(rules, &awss3.LifecycleRule{Id: jsii.String("MoveObjects"), Transitions: &moves})
	}
	if p.ExpireDays > 0 {
		rules = append(rules, &awss3.LifecycleRule{
			Id: jsii.String("ExpireObjects"), Expiration: days(p.ExpireDays),
		})
	}
	if p.NoncurrentDays > 0 {
		rule := &awss3.LifecycleRule{
			Id: jsii.String("ExpireNoncurrentVersions"), NoncurrentVersionExpiration: days(p.NoncurrentDays),
		}
		if p.ExpireDays == 0 {
			rule.ExpiredObjectDeleteMarker = jsii.Bool(true) // S3 takes it only where no expiration in days is set
		}
		rules = append(rules, rule)
	}
	return &rules
}

func days(n int) awscdk.Duration { return awscdk.Duration_Days(jsii.Number(n)) }
