package main

import (
	"regexp"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// waiver is a control of cdk-nag's AwsSolutions that this stack doesn't meet,
// on purpose. Waivers stand in the template's metadata, where cdk-nag looks for
// them and a reviewer finds them; docs/en/controls.md tells the same at length.
type waiver struct {
	rule    string
	since   string // the day on which it was argued, 2006-01-02
	reason  string
	finding any // what of the rule's findings it covers; nil: all of the resource
}

// Waivers by what they are about.
var (
	waiveAccessLogs = waiver{
		rule: "AwsSolutions-S1", since: "2026-11-24",
		reason: "Server access logs are delivered with best effort, so they prove nothing by their silence. " +
			"Who needs a record of every call sets cloudTrail, which is complete and has validated files.",
	}
	waiveLogsOfLogs = waiver{
		rule: "AwsSolutions-S1", since: "2026-11-24",
		reason: "It is the log bucket of the trail: logs of its own accesses would need a log bucket too, and so on without end.",
	}
	waiveAuditorReads = waiver{
		rule: "AwsSolutions-IAM5", since: "2026-11-24", finding: "Resource::*",
		reason: "The auditor reads the rules of the whole account, because any policy in it may give an uploader rights. " +
			"Most of these actions have no resource to name; all of them read rules, and none reads data or changes anything.",
	}
)

// waivePrefixes is about the objects under the uploaders' prefixes. It stands
// once on the stack: on each uploader it would grow with the fleet.
func waivePrefixes(prefix string) waiver {
	return waiver{
		rule: "AwsSolutions-IAM5", since: "2026-11-24",
		finding: map[string]any{"regex": `/^Resource::[^/]+/` + regexp.QuoteMeta(prefix) + `.+/\*$/`},
		reason: "An uploader chooses the names of its objects, so the policy names its prefix with all below it. " +
			"The one action on it is s3:PutObject; the guard holds the same prefix from the other side.",
	}
}

// nag is the waiver as cdk-nag reads it.
func (w waiver) nag() map[string]any {
	rule := map[string]any{"id": w.rule, "reason": w.since + ": " + w.reason}
	if w.finding != nil {
		rule["applies_to"] = []any{w.finding}
	}
	return rule
}

func nagMetadata(waivers ...waiver) map[string]any {
	var rules []any
	for _, w := range waivers {
		rules = append(rules, w.nag())
	}
	return map[string]any{"rules_to_suppress": rules}
}

// waiveFor puts waivers on one resource of the template.
func waiveFor(resource awscdk.CfnResource, waivers ...waiver) {
	resource.AddMetadata(jsii.String("cdk_nag"), nagMetadata(waivers...))
}

// waiveIn puts waivers on a whole stack.
func waiveIn(stack awscdk.Stack, waivers ...waiver) {
	stack.AddMetadata(jsii.String("cdk_nag"), nagMetadata(waivers...))
}
