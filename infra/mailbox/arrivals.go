package mailbox

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// canaryKey is where the gate writes its canary, under each uploader's prefix.
const canaryKey = ".buzon/canary"

// arrived is the keys that make events: all but the canaries. A wildcard crosses
// slashes, so that the first alternative alone would drop every key that ends
// like a canary's; the second takes back those of folders below the prefix.
func (p *Props) arrived() []any {
	return []any{
		map[string]any{"anything-but": map[string]any{"wildcard": p.UploadPrefix + "*/" + canaryKey}},
		map[string]any{"wildcard": p.UploadPrefix + "*/*/" + canaryKey},
	}
}

// newArrivals gives what arrives to whoever processes it: an event bus on which
// each object created in the bucket is an event, the gate's canaries left out.
//
// The rule is written without the CDK's package of targets, which needs a
// hundred and thirty others.
func newArrivals(scope constructs.Construct, bucket awss3.Bucket, p *Props) {
	bus := awsevents.NewEventBus(scope, jsii.String("Arrivals"), &awsevents.EventBusProps{
		Description: jsii.String("Buzon: objects that uploaders sent"),
	})
	rule := constructs.NewConstruct(scope, jsii.String("ArrivalsRule"))
	role := awsiam.NewRole(rule, jsii.String("EventsRole"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil),
	})
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("events:PutEvents"), Resources: jsii.Strings(*bus.EventBusArn()),
	}))
	awsevents.NewCfnRule(rule, jsii.String("Resource"), &awsevents.CfnRuleProps{
		State: jsii.String("ENABLED"),
		EventPattern: map[string]any{
			"source": []any{"aws.s3"}, "detail-type": []any{"Object Created"},
			"detail": map[string]any{
				"bucket": map[string]any{"name": []any{*bucket.BucketName()}},
				"object": map[string]any{"key": p.arrived()},
			},
		},
		Targets: []any{&awsevents.CfnRule_TargetProperty{
			Id: jsii.String("Target0"), Arn: bus.EventBusArn(), RoleArn: role.RoleArn(),
		}},
	})
}
