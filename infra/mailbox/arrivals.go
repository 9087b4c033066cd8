package mailbox

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// canaryPart is the part of a key that only the gate's canaries have.
const canaryPart = ".buzon/"

// newArrivals gives what arrives to whoever processes it: an event bus on which
// each object created under the upload prefix is an event, the gate's canaries
// left out.
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
				"object": map[string]any{"key": []any{
					map[string]any{"anything-but": map[string]any{"wildcard": p.UploadPrefix + "*/" + canaryPart + "*"}},
				}},
			},
		},
		Targets: []any{&awsevents.CfnRule_TargetProperty{
			Id: jsii.String("Target0"), Arn: bus.EventBusArn(), RoleArn: role.RoleArn(),
		}},
	})
}
