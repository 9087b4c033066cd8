package mailbox

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Alarms says who is told what the trail shows of uploaders.
type Alarms struct {
	Topic       string // ARN of an SNS topic; "" makes one
	SilentAfter int    // hours without a new object; 0: silence is no alarm
}

// namespace is where the metrics stand.
const namespace = "Buzon"

// logDays is how long CloudWatch keeps its copy of the trail; the trail's own
// bucket keeps the original.
const logDays = 90

// resource makes one by its type alone: the packages of the CDK for logs, metrics
// and topics would be twelve more to compile.
func resource(scope constructs.Construct, id, kind string, properties map[string]any) awscdk.CfnResource {
	return awscdk.NewCfnResource(scope, jsii.String(id), &awscdk.CfnResourceProps{Type: jsii.String(kind), Properties: &properties})
}

// newTrailLogs makes the place in CloudWatch Logs to which the trail also writes,
// and the role with which it does.
func newTrailLogs(scope constructs.Construct) (group awscdk.CfnResource, role awsiam.Role) {
	group = resource(scope, "LogGroup", "AWS::Logs::LogGroup", map[string]any{"RetentionInDays": logDays})
	role = awsiam.NewRole(scope, jsii.String("LogRole"), &awsiam.RoleProps{
		Description: jsii.String("Buzon: CloudTrail writes what it records where alarms look"),
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("cloudtrail.amazonaws.com"), nil),
	})
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("logs:CreateLogStream", "logs:PutLogEvents"), Resources: jsii.Strings(*arnOf(group)),
	}))
	return group, role
}

func arnOf(r awscdk.CfnResource) *string {
	return awscdk.Token_AsString(r.GetAtt(jsii.String("Arn"), ""), nil)
}

// An alarm and the filter behind it.
type alarm struct {
	id, metric, filter, description string
	silent                          int // hours without the metric; 0: one is too many
}

// alarms are what is watched for. A filter's wildcards stand for any text
// (CloudWatch Logs User Guide, "Filter pattern syntax").
func (p *Props) alarms() []alarm {
	who := fmt.Sprintf(`(($.userIdentity.arn = "*:user%s*") || ($.userIdentity.sessionContext.sessionIssuer.arn = "*:role%s*"))`, p.Path, p.Path)
	list := []alarm{
		{
			id: "Denied", metric: "DeniedCalls",
			filter:      fmt.Sprintf(`{ ($.errorCode = "AccessDenied") && ($.userAgent != "*buzon-probe*") && %s }`, who),
			description: "Buzon: a call of an uploader on the bucket was denied, and it was no probe of the agent's",
		},
		{
			id: "ProbeAllowed", metric: "ProbesAllowed",
			filter:      fmt.Sprintf(`{ ($.userAgent = "*buzon-probe*") && (($.errorCode NOT EXISTS) || ($.errorCode != "AccessDenied")) && %s }`, who),
			description: "Buzon: a probe was not denied: an uploader can do more than write",
		},
	}
	if elsewhere := p.elsewhere(); elsewhere != "" {
		list = append(list, alarm{
			id: "Elsewhere", metric: "CallsFromElsewhere", filter: fmt.Sprintf(`{ %s && %s }`, elsewhere, who),
			description: "Buzon: an uploader called from another address or endpoint than it may, denied or not",
		})
	}
	if p.Alarms.SilentAfter > 0 {
		list = append(list, alarm{
			id: "Silence", metric: "NewObjects", silent: p.Alarms.SilentAfter,
			filter: fmt.Sprintf(`{ (($.eventName = "PutObject") || ($.eventName = "CompleteMultipartUpload")) && ($.errorCode NOT EXISTS) && `+
				`($.requestParameters.key != "*/%s") && %s }`, canaryKey, who),
			description: fmt.Sprintf("Buzon: no new object for %d hours", p.Alarms.SilentAfter),
		})
	}
	return list
}

// elsewhere is the calls from beyond the sources that uploaders may call from; ""
// where they may call from anywhere. The guard denies such calls; the alarm goes by
// the source alone, so that it also tells when the guard is not there.
func (p *Props) elsewhere() string {
	var not []string
	for _, block := range p.SourceIPs {
		not = append(not, fmt.Sprintf(`($.sourceIPAddress != "%s")`, addressPattern(block)))
	}
	for _, endpoint := range p.SourceVPCEs {
		not = append(not, fmt.Sprintf(`(($.vpcEndpointId NOT EXISTS) || ($.vpcEndpointId != "%s"))`, endpoint))
	}
	return strings.Join(not, " && ")
}

// addressPattern is a block of addresses as the filters have it, by the front of
// their text: a block that doesn't end with a part of it is widened to one that
// does, for an alarm must not tell of what is allowed. "*" is no use to anybody.
func addressPattern(block string) string {
	if one, err := netip.ParseAddr(block); err == nil {
		return one.String()
	}
	prefix := netip.MustParsePrefix(block) // checked before
	bits, point := 8, "."
	if prefix.Addr().Is6() {
		bits, point = 16, ":"
	}
	if prefix.IsSingleIP() {
		return prefix.Addr().String()
	}
	parts := strings.Split(prefix.Addr().StringExpanded(), point)[:prefix.Bits()/bits]
	for i, part := range parts {
		if parts[i] = strings.TrimLeft(part, "0"); parts[i] == "" && point == ":" {
			// Zeros may be written as "::", and what follows them anywhere.
			parts = parts[:i]
			break
		}
		parts[i] = cmp.Or(parts[i], "0")
	}
	return strings.Join(append(parts, "*"), point)
}

func newAlarms(scope constructs.Construct, group awscdk.CfnResource, p *Props) {
	topic := p.Alarms.Topic
	if topic == "" {
		topic = newTopic(scope)
	}
	for _, a := range p.alarms() {
		filter := resource(scope, a.id+"Filter", "AWS::Logs::MetricFilter", map[string]any{
			"LogGroupName": *group.Ref(), "FilterPattern": a.filter,
			"MetricTransformations": []any{map[string]any{
				"MetricNamespace": namespace, "MetricName": *awscdk.Stack_Of(scope).StackName() + "-" + a.metric, "MetricValue": "1",
			}},
		})
		properties := map[string]any{
			"AlarmDescription": a.description, "AlarmActions": []any{topic},
			"Namespace": namespace, "MetricName": *awscdk.Stack_Of(scope).StackName() + "-" + a.metric, "Statistic": "Sum", "Threshold": 1,
			"Period": 300, "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "notBreaching",
		}
		if a.silent > 0 {
			properties["Period"], properties["EvaluationPeriods"] = 3600, a.silent
			properties["ComparisonOperator"], properties["TreatMissingData"] = "LessThanThreshold", "breaching"
		}
		resource(scope, a.id, "AWS::CloudWatch::Alarm", properties).Node().AddDependency(filter)
	}
}

// newTopic makes the topic, to which CloudWatch alone publishes, for alarms of
// this account. Alarms hold no file's name, so it is not encrypted with a key.
func newTopic(scope constructs.Construct) string {
	topic := resource(scope, "Topic", "AWS::SNS::Topic", map[string]any{"DisplayName": "Buzon alarms"})
	resource(scope, "TopicPolicy", "AWS::SNS::TopicPolicy", map[string]any{
		"Topics": []any{*topic.Ref()},
		"PolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{
			map[string]any{
				"Sid": "AlarmsPublish", "Effect": "Allow", "Principal": map[string]any{"Service": "cloudwatch.amazonaws.com"},
				"Action": "sns:Publish", "Resource": *topic.Ref(),
				"Condition": map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": *awscdk.Stack_Of(scope).Account()}},
			},
			map[string]any{
				"Sid": "OnlyOverTLS", "Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": *topic.Ref(),
				"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
			},
		}},
	})
	return *topic.Ref()
}

func (p *Props) checkAlarms(f *faults) {
	if p.Alarms == nil {
		return
	}
	if !p.CloudTrail {
		f.add("alarms", "need cloudTrail: they look at what it records")
	}
	if p.Alarms.Topic != "" && !topicARN.MatchString(p.Alarms.Topic) {
		f.add("alarms", "topic %q must be the ARN of an SNS topic", p.Alarms.Topic)
	}
	if n := p.Alarms.SilentAfter; n < 0 || n > longestSilence {
		f.add("alarms", "silentAfter must be from 0 to %d hours, not %d", longestSilence, n)
	}
}

// longestFilter is how long the pattern of a metric filter may be (CloudWatch Logs
// API Reference, PutMetricFilter).
const longestFilter = 1024

// checkElsewhere runs once the sources themselves are found right.
func (p *Props) checkElsewhere(f *faults) {
	if p.Alarms == nil {
		return
	}
	for _, block := range p.SourceIPs {
		if addressPattern(block) == "*" {
			f.add("sourceIps", "%q is too large a block for the alarm Elsewhere, which goes by the front of an address: name smaller ones", block)
		}
	}
	longest := slices.MaxFunc(p.alarms(), func(a, b alarm) int { return cmp.Compare(len(a.filter), len(b.filter)) })
	if n := len(longest.filter); n > longestFilter {
		f.add("alarms", "the filter of %s has %d characters, and %d are possible: give path and uploadPrefix fewer letters, or sourceIps and sourceVpces fewer entries",
			longest.id, n, longestFilter)
	}
}

// longestSilence is how far back an alarm looks at most, in hours (CloudWatch User
// Guide, "Create a CloudWatch alarm based on a static threshold": 7 days).
const longestSilence = 168
