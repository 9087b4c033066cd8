package mailbox

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newTrail records who touched which object: CloudTrail's data events of the
// bucket, in a log bucket of their own.
//
// The trail is written by its type alone: the CDK's package for it needs fifty
// others, most of the time that this app once took to compile.
func newTrail(scope constructs.Construct, bucket awss3.Bucket, p *Props) {
	removal := p.removal()
	logs := awss3.NewBucket(scope, jsii.String("TrailLogs"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		MinimumTLSVersion: jsii.Number(1.2),
		Versioned:         jsii.Bool(true),
		LifecycleRules:    logLifecycle(p),
		RemovalPolicy:     removal,
	})
	logs.Policy().ApplyRemovalPolicy(removal)
	waiveFor(logs.Node().DefaultChild().(awss3.CfnBucket), waiveLogsOfLogs)
	letTrailWrite(logs)

	properties := map[string]any{
		"S3BucketName": *logs.BucketName(), "IsLogging": true, "EnableLogFileValidation": true,
		"IsMultiRegionTrail": false, "IncludeGlobalServiceEvents": false,
		"EventSelectors": []any{map[string]any{
			"IncludeManagementEvents": false, "ReadWriteType": "All",
			"DataResources": []any{map[string]any{"Type": "AWS::S3::Object", "Values": []any{*bucket.BucketArn() + "/"}}},
		}},
	}
	after := []constructs.IDependable{logs.Policy()}
	if p.Alarms != nil {
		watch := constructs.NewConstruct(scope, jsii.String("Alarms"))
		group, role := newTrailLogs(watch)
		properties["CloudWatchLogsLogGroupArn"], properties["CloudWatchLogsRoleArn"] = *arnOf(group), *role.RoleArn()
		after = append(after, role.Node().FindChild(jsii.String("DefaultPolicy"))) // CloudTrail tries at once
		newAlarms(watch, group, p)
	}
	trail := constructs.NewConstruct(scope, jsii.String("Trail"))
	resource(trail, "Resource", "AWS::CloudTrail::Trail", properties).Node().AddDependency(after...)
}

// logLifecycle lets the log files expire, if they may, and then what versioning
// keeps of them.
func logLifecycle(p *Props) *[]*awss3.LifecycleRule {
	if p.TrailDays == 0 {
		return nil
	}
	return &[]*awss3.LifecycleRule{{
		Id: jsii.String("ExpireLogs"), Expiration: days(p.TrailDays), NoncurrentVersionExpiration: days(30),
		AbortIncompleteMultipartUploadAfter: days(7),
	}}
}

// letTrailWrite gives CloudTrail what it asks for before it takes a bucket
// (CloudTrail User Guide, "Amazon S3 bucket policy for CloudTrail").
func letTrailWrite(logs awss3.Bucket) {
	stack := awscdk.Stack_Of(logs)
	account := *stack.Account()
	// CloudTrail writes for whoever asks it; only trails of this account and Region
	// are meant. CloudFormation makes the trail's own name, after this policy.
	ours := map[string]any{"aws:SourceArn": fmt.Sprintf("arn:%s:cloudtrail:%s:%s:trail/*", *stack.Partition(), *stack.Region(), account)}
	service := &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("cloudtrail.amazonaws.com"), nil)}
	logs.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: service, Actions: jsii.Strings("s3:GetBucketAcl"), Resources: jsii.Strings(*logs.BucketArn()),
		Conditions: &map[string]any{"ArnLike": ours},
	}))
	logs.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: service, Actions: jsii.Strings("s3:PutObject"),
		Resources:  jsii.Strings(fmt.Sprintf("%s/AWSLogs/%s/*", *logs.BucketArn(), account)),
		Conditions: &map[string]any{"ArnLike": ours, "StringEquals": map[string]any{"s3:x-amz-acl": "bucket-owner-full-control"}},
	}))
}
