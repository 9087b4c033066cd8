package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudtrail"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// newTrail records who touched which object: CloudTrail's data events of the
// bucket, in a log bucket of their own.
func newTrail(stack awscdk.Stack, bucket awss3.Bucket, s *Settings) {
	removal := awscdk.RemovalPolicy_RETAIN
	if !s.Retain {
		removal = awscdk.RemovalPolicy_DESTROY
	}
	logs := awss3.NewBucket(stack, jsii.String("TrailLogs"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		MinimumTLSVersion: jsii.Number(1.2),
		Versioned:         jsii.Bool(true),
		RemovalPolicy:     removal,
	})
	logs.Policy().ApplyRemovalPolicy(removal)
	waiveFor(logs.Node().DefaultChild().(awss3.CfnBucket), waiveLogsOfLogs)
	trail := awscloudtrail.NewTrail(stack, jsii.String("Trail"), &awscloudtrail.TrailProps{
		Bucket:                     logs,
		EnableFileValidation:       jsii.Bool(true),
		IsMultiRegionTrail:         jsii.Bool(false),
		IncludeGlobalServiceEvents: jsii.Bool(false),
		ManagementEvents:           awscloudtrail.ReadWriteType_NONE,
	})
	trail.AddS3EventSelector(&[]*awscloudtrail.S3EventSelector{{Bucket: bucket}}, &awscloudtrail.AddEventSelectorOptions{
		IncludeManagementEvents: jsii.Bool(false),
		ReadWriteType:           awscloudtrail.ReadWriteType_ALL,
	})
}

// canaryPart is the part of a key that only the gate's canaries have.
const canaryPart = ".buzon/"

// newArrivals gives what arrives to whoever processes it: an event bus on which
// each object created under the upload prefix is an event, the gate's canaries
// left out.
func newArrivals(stack awscdk.Stack, bucket awss3.Bucket, s *Settings) {
	bus := awsevents.NewEventBus(stack, jsii.String("Arrivals"), &awsevents.EventBusProps{
		Description: jsii.String("Buzon: objects that uploaders sent"),
	})
	awsevents.NewRule(stack, jsii.String("ArrivalsRule"), &awsevents.RuleProps{
		EventPattern: &awsevents.EventPattern{
			Source:     jsii.Strings("aws.s3"),
			DetailType: jsii.Strings("Object Created"),
			Detail: &map[string]any{
				"bucket": map[string]any{"name": []any{*bucket.BucketName()}},
				"object": map[string]any{"key": []any{
					map[string]any{"anything-but": map[string]any{"wildcard": s.UploadPrefix + "*/" + canaryPart + "*"}},
				}},
			},
		},
		Targets: &[]awsevents.IRuleTarget{awseventstargets.NewEventBus(bus, nil)},
	})
}
