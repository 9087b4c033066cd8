package mailbox

import (
	"regexp"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// Waiver is a control of cdk-nag's AwsSolutions that the mailbox doesn't meet, on
// purpose. Waivers stand in the template's metadata, where cdk-nag looks for them
// and a reviewer finds them; docs/en/controls.md tells the same at length.
type Waiver struct {
	Rule    string
	Since   string // the day on which it was argued, 2006-01-02
	Reason  string
	Finding any // what of the rule's findings it covers; nil: all of the resource
}

// Waivers by what they are about.
var (
	waiveAccessLogs = Waiver{
		Rule: "AwsSolutions-S1", Since: "2026-11-24",
		Reason: "Server access logs are delivered with best effort, so they prove nothing by their silence. " +
			"Who needs a record of every call sets cloudTrail, which is complete and has validated files.",
	}
	waiveLogsOfLogs = Waiver{
		Rule: "AwsSolutions-S1", Since: "2026-11-24",
		Reason: "It is the log bucket of the trail: logs of its own accesses would need a log bucket too, and so on without end.",
	}
	waiveAuditorReads = Waiver{
		Rule: "AwsSolutions-IAM5", Since: "2026-11-24", Finding: "Resource::*",
		Reason: "The auditor reads the rules of the whole account, because any policy in it may give an uploader rights. " +
			"Most of these actions have no resource to name; all of them read rules, and none reads data or changes anything.",
	}
)

var waiveReaders = Waiver{
	Rule: "AwsSolutions-IAM5", Since: "2026-11-29", Finding: map[string]any{"regex": `/^Resource::[^/]+/\*$/`},
	Reason: "A reader reads what every uploader sends, so its policy names all objects of the one bucket. " +
		"Its actions get and list; none writes, deletes or changes a rule.",
}

// waivePrefixes is about the objects under the uploaders' prefixes. It stands
// once on the stack: on each uploader it would grow with the fleet.
func waivePrefixes(prefix string) Waiver {
	return Waiver{
		Rule: "AwsSolutions-IAM5", Since: "2026-11-24",
		Finding: map[string]any{"regex": `/^Resource::[^/]+/` + regexp.QuoteMeta(prefix) + `.+/\*$/`},
		Reason: "An uploader chooses the names of its objects, so the policy names its prefix with all below it. " +
			"The one action on it is s3:PutObject; the guard holds the same prefix from the other side.",
	}
}

// Waivers are all that a mailbox can need.
func Waivers(uploadPrefix string) []Waiver {
	return []Waiver{waiveAccessLogs, waiveLogsOfLogs, waiveAuditorReads, waiveReaders, waivePrefixes(uploadPrefix)}
}

// WaivePrefixes puts on a stack, for all its uploaders at once, why cdk-nag's
// finding about their prefixes is meant. Who doesn't run cdk-nag needs it not.
func (p *Props) WaivePrefixes(stack awscdk.Stack) {
	stack.AddMetadata(jsii.String("cdk_nag"), nagMetadata(waivePrefixes(p.WithDefaults().UploadPrefix)))
}

// nag is the waiver as cdk-nag reads it.
func (w Waiver) nag() map[string]any {
	rule := map[string]any{"id": w.Rule, "reason": w.Since + ": " + w.Reason}
	if w.Finding != nil {
		rule["applies_to"] = []any{w.Finding}
	}
	return rule
}

func nagMetadata(waivers ...Waiver) map[string]any {
	var rules []any
	for _, w := range waivers {
		rules = append(rules, w.nag())
	}
	return map[string]any{"rules_to_suppress": rules}
}

// waiveFor puts waivers on one resource of the template.
func waiveFor(resource awscdk.CfnResource, waivers ...Waiver) {
	resource.AddMetadata(jsii.String("cdk_nag"), nagMetadata(waivers...))
}
