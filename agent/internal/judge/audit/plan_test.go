package audit

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/sources"
	"buzon/agent/internal/judge/sources/terraform"
	"buzon/agent/policy"
)

// object is a JSON object.
type object map[string]any

// A thing is one resource, or data source, of a plan.
type thing struct {
	address string // with its modules and index
	values  object
	unknown object // known after apply
	refers  object // attribute → what the configuration refers to: a list
	data    bool
	gone    bool     // the plan deletes it
	forgot  bool     // the plan stops to manage it, and lets it stand
	before  object   // where the plan changes it
	reads   []string // attributes that the configuration says nothing of: the provider reads them back
}

// planOf writes the plan of a configuration, as `terraform show -json` does.
func planOf(t *testing.T, things ...thing) string {
	t.Helper()
	return planWith(t, nil, things...)
}

func planWith(t *testing.T, more object, things ...thing) string {
	t.Helper()
	var planned, changes, config []any
	modules := map[string][]any{}
	for _, x := range things {
		own := x.address
		module := ""
		if at := strings.LastIndex(own, ".aws_"); strings.HasPrefix(own, "module.") {
			module, own = own[:at], own[at+1:]
		}
		bare := strings.TrimPrefix(own, "data.")
		kind, name, _ := strings.Cut(bare, ".")
		name, _, _ = strings.Cut(name, "[")
		mode, actions := "managed", []string{"create"}
		switch {
		case x.data:
			mode, actions = "data", []string{"read"}
		case x.gone:
			actions = []string{"delete"}
		case x.forgot:
			actions = []string{"forget"}
		case x.before != nil:
			actions = []string{"update"}
		case len(x.unknown) == 0:
			actions = []string{"no-op"}
		}
		change := object{"actions": actions, "before": nil, "after": x.values, "after_unknown": x.unknown}
		if x.before != nil {
			change["before"] = x.before
		}
		if x.gone || x.forgot {
			change["before"], change["after"] = x.values, nil
		}
		common := object{
			"address": x.address, "mode": mode, "type": kind, "name": name, "provider_name": "registry.terraform.io/hashicorp/aws",
		}
		c := object{"change": change}
		v := object{"values": x.values, "schema_version": 0}
		for key, value := range common {
			c[key], v[key] = value, value
		}
		changes = append(changes, c)
		if !x.gone && !x.forgot && !x.data {
			if module == "" {
				planned = append(planned, v)
			} else {
				modules[module] = append(modules[module], v)
			}
		}
		expressions := object{}
		for attribute, to := range x.refers {
			expressions[attribute] = object{"references": to}
		}
		for attribute := range x.values {
			if expressions[attribute] == nil {
				expressions[attribute] = object{}
			}
		}
		for attribute := range x.unknown {
			if expressions[attribute] == nil && attribute != "arn" && attribute != "id" {
				expressions[attribute] = object{"references": []string{"local.of_something"}}
			}
		}
		for _, attribute := range x.reads {
			delete(expressions, attribute)
		}
		if module == "" {
			config = append(config, object{"address": strings.SplitN(own, "[", 2)[0], "mode": mode, "type": kind, "name": name, "expressions": expressions})
		}
	}
	root := object{"resources": planned}
	var children []any
	for _, name := range slices.Sorted(mapsKeys(modules)) {
		children = append(children, object{"address": name, "resources": modules[name]})
	}
	root["child_modules"] = children
	plan := object{
		"format_version": "1.2", "terraform_version": "1.9.0", "planned_values": object{"root_module": root}, "resource_changes": changes,
		"configuration": object{"root_module": object{"resources": config}},
	}
	for key, value := range more {
		plan[key] = value
	}
	b, err := json.MarshalIndent(plan, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func mapsKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

const account = "arn:aws:iam::111122223333:"

// The uploader of a plan that was applied before, with its inline policy.
var (
	planUser   = thing{address: "aws_iam_user.vm", values: object{"name": "vm-01", "path": "/buzon/", "arn": account + "user/buzon/vm-01"}}
	planPolicy = thing{address: "aws_iam_user_policy.vm", values: object{
		"user": "vm-01", "name": "w", "policy": document(allow("s3:PutObject", "arn:aws:s3:::acme-uploads/uploads/vm-01/*")),
	}}
	readAll = document(allow("s3:GetObject", "*"))
)

func managedPolicy(text string) thing {
	return thing{address: "aws_iam_policy.p", values: object{
		"name": "p", "path": "/", "policy": text, "arn": account + "policy/p",
	}}
}

func role(address, trusted string) thing {
	return thing{address: address, values: object{
		"name": "admin", "path": "/", "arn": account + "role/admin",
		"assume_role_policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + trusted + `,"Action":"sts:AssumeRole"}]}`,
	}}
}

func loadPlan(t *testing.T, text string) (*sources.Found, error) {
	t.Helper()
	sel := sources.Selection{Bucket: "acme-uploads", Prefix: "uploads/{name}/", Plans: []string{"plan.json"}}
	return sources.Load(t.Context(), sel, sources.Access{ReadFile: func(name string) ([]byte, error) {
		if name == "plan.json" {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}})
}

// deferred is a data source that is read when the plan is applied.
func deferred(effect, action string, unknownResources bool) thing {
	values := object{"version": "2012-10-17", "statement": []any{object{"effect": effect, "actions": []string{action}, "resources": []string{"*"}}}}
	unknown := object{"json": true, "id": true, "statement": []any{object{"actions": []any{false}, "resources": []any{false}}}}
	if unknownResources {
		values["statement"].([]any)[0].(object)["resources"] = nil
		unknown["statement"].([]any)[0].(object)["resources"] = true
	}
	return thing{address: "data.aws_iam_policy_document.d", data: true, values: values, unknown: unknown}
}

func TestPlans(t *testing.T) {
	ofData := thing{
		address: "aws_iam_user_policy.more", values: object{"user": "vm-01", "name": "more"}, unknown: object{"policy": true},
		refers: object{"policy": []string{"data.aws_iam_policy_document.d.json", "data.aws_iam_policy_document.d"}},
	}
	attached := func(values, unknown, refers object) thing {
		return thing{address: "aws_iam_user_policy_attachment.a", values: values, unknown: unknown, refers: refers}
	}
	onItself := object{"user": "vm-01", "policy_arn": account + "policy/p"}
	for _, test := range []struct {
		name    string
		more    []thing
		verdict Verdict
		rules   string
	}{
		{name: "the contract", verdict: WriteOnly},
		{name: "a resource of another provider", verdict: WriteOnly, more: []thing{{address: "random_id.x", values: object{"hex": "ab"}}}},
		{name: "a managed policy on nobody", verdict: WriteOnly, more: []thing{managedPolicy(readAll)}},
		{
			name: "a managed policy, attached by its known ARN", verdict: Violation, rules: "read-object",
			more: []thing{managedPolicy(readAll), attached(onItself, nil, nil)},
		},
		{
			name: "an attachment that the plan deletes", verdict: WriteOnly,
			more: []thing{managedPolicy(readAll), {address: "aws_iam_user_policy_attachment.a", values: onItself, gone: true}},
		},
		{
			name: "a managed policy that is made now, attached by reference", verdict: Violation, rules: "read-object",
			more: []thing{
				{address: "aws_iam_policy.p", values: object{"name": "p", "path": "/", "policy": readAll}, unknown: object{"arn": true, "id": true}},
				attached(object{"user": "vm-01"}, object{"policy_arn": true}, object{"policy_arn": []string{"aws_iam_policy.p.arn", "aws_iam_policy.p"}}),
			},
		},
		{
			name: "one of two policies that are made now", verdict: NoVerdict,
			more: []thing{
				{address: "aws_iam_policy.p[0]", values: object{"name": "p", "path": "/", "policy": readAll}, unknown: object{"arn": true}},
				{address: "aws_iam_policy.p[1]", values: object{"name": "q", "path": "/", "policy": readAll}, unknown: object{"arn": true}},
				attached(object{"user": "vm-01"}, object{"policy_arn": true}, object{"policy_arn": []string{"aws_iam_policy.p", "count.index"}}),
			},
		},
		{
			name: "an attachment to a user that is known after apply", verdict: NoVerdict,
			more: []thing{managedPolicy(readAll), attached(object{"policy_arn": account + "policy/p"}, object{"user": true}, nil)},
		},
		{
			name: "an attachment of the other form", verdict: Violation, rules: "read-object",
			more: []thing{managedPolicy(readAll), {address: "aws_iam_policy_attachment.a", values: object{
				"name": "a", "users": []string{"vm-01", "vm-02"}, "policy_arn": account + "policy/p",
			}}},
		},
		{
			name: "all policies of a user, said in one place", verdict: Violation, rules: "read-object",
			more: []thing{managedPolicy(readAll), {address: "aws_iam_user_policy_attachments_exclusive.a", values: object{
				"user_name": "vm-01", "policy_arns": []string{account + "policy/p"},
			}}},
		},
		{
			name: "a group of which it is a member", verdict: Violation, rules: "list",
			more: []thing{
				{address: "aws_iam_group.g", values: object{"name": "g", "path": "/", "arn": account + "group/g"}},
				{address: "aws_iam_group_policy.g", values: object{"group": "g", "name": "l", "policy": document(allow("s3:ListBucket", "*"))}},
				{address: "aws_iam_group_membership.g", values: object{"name": "m", "group": "g", "users": []string{"vm-01"}}},
			},
		},
		{
			name: "groups of the user, said from its side", verdict: Violation, rules: "list",
			more: []thing{
				{address: "aws_iam_group.g", values: object{"name": "g", "path": "/", "arn": account + "group/g"}},
				{address: "aws_iam_group_policy.g", values: object{"group": "g", "name": "l", "policy": document(allow("s3:ListBucket", "*"))}},
				{address: "aws_iam_user_group_membership.g", values: object{"user": "vm-01", "groups": []string{"g"}}},
			},
		},
		{
			name: "a policy whose text is known after apply", verdict: NoVerdict,
			more: []thing{{address: "aws_iam_user_policy.x", values: object{"user": "vm-01", "name": "x"}, unknown: object{"policy": true}}},
		},
		{
			name: "a data source that will let it read", verdict: Violation, rules: "read-object",
			more: []thing{deferred("Allow", "s3:GetObject", true), ofData},
		},
		{
			name: "a data source that will let it write somewhere", verdict: NoVerdict,
			more: []thing{deferred("Allow", "s3:PutObject", true), ofData},
		},
		{
			name: "a data source that will forbid", verdict: NoVerdict,
			more: []thing{deferred("Deny", "s3:GetObject", false), ofData},
		},
		{
			name: "the right to pass a role that the plan holds", verdict: Violation, rules: "escalate",
			more: []thing{role("aws_iam_role.admin", `{"Service":"lambda.amazonaws.com"}`), {address: "aws_iam_user_policy.pass", values: object{
				"user": "vm-01", "name": "pass", "policy": document(allow("iam:PassRole", account+"role/admin")),
			}}},
		},
		{
			name: "a role in a module that trusts it", verdict: Violation, rules: "escalate",
			more: []thing{role(`module.roles["a.b"].aws_iam_role.admin`, `{"AWS":"`+account+`user/buzon/vm-01"}`)},
		},
		{
			name: "a bucket policy that names it", verdict: Violation, rules: "read-object",
			more: []thing{
				{address: "aws_s3_bucket.b", values: object{"bucket": "acme-uploads", "arn": "arn:aws:s3:::acme-uploads"}},
				{address: "aws_s3_bucket_policy.b", values: object{"bucket": "acme-uploads", "policy": document(allow("s3:GetObject", "arn:aws:s3:::acme-uploads/*",
					`"Principal":{"AWS":"`+account+`user/buzon/vm-01"}`))}},
			},
		},
		{
			name: "a guard on another bucket", verdict: Violation, rules: "read-object",
			more: []thing{
				{address: "aws_s3_bucket.b", values: object{"bucket": "other", "arn": "arn:aws:s3:::other"}},
				{address: "aws_s3_bucket_policy.b", values: object{"bucket": "other", "policy": document(deny("s3:GetObject", "arn:aws:s3:::other/*", `"Principal":"*"`))}},
				managedPolicy(readAll), attached(onItself, nil, nil),
			},
		},
		{
			name: "a queue that names it", verdict: Violation, rules: "other-service",
			more: []thing{{address: "aws_sqs_queue_policy.q", values: object{
				"queue_url": "https://sqs.eu-west-1.amazonaws.com/111122223333/q",
				"policy": document(allow("sqs:ReceiveMessage", "arn:aws:sqs:eu-west-1:111122223333:q",
					`"Principal":{"AWS":"`+account+`user/buzon/vm-01"}`)),
			}}},
		},
		{
			name: "a topic whose policy says * for itself", verdict: Violation, rules: "other-service",
			more: []thing{{address: "aws_sns_topic.t", values: object{
				"arn":    "arn:aws:sns:eu-west-1:111122223333:t",
				"policy": document(allow("sns:Subscribe", "*", `"Principal":{"AWS":"`+account+`user/buzon/vm-01"}`)),
			}}},
		},
		{
			name: "a policy of something whose ARN is not known", verdict: Violation, rules: "other-service",
			more: []thing{{address: "aws_sns_topic.t", values: object{
				"policy": document(allow("sns:Subscribe", "*", `"Principal":{"AWS":"`+account+`user/buzon/vm-01"}`)),
			}, unknown: object{"arn": true}}},
		},
		{
			name: "a queue that a service may write to", verdict: WriteOnly,
			more: []thing{{address: "aws_sqs_queue_policy.q", values: object{
				"policy": document(allow("sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q", `"Principal":{"Service":"s3.amazonaws.com"}`)),
			}}},
		},
		{
			name: "a secret whose policy is known after apply", verdict: NoVerdict,
			more: []thing{{address: "aws_secretsmanager_secret_policy.s", values: object{}, unknown: object{"policy": true}}},
		},
		{
			name: "stacks of CloudFormation", verdict: NoVerdict,
			more: []thing{{address: "aws_cloudformation_stack.s", values: object{"name": "s"}}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, err := loadPlan(t, planOf(t, append([]thing{planUser, planPolicy}, test.more...)...))
			if err != nil {
				t.Fatal(err)
			}
			p := judgeFound(t, found, Options{})
			var broken []string
			for _, f := range p.Findings {
				if f.Severity == Error && !slices.Contains(broken, string(f.Rule)) {
					broken = append(broken, string(f.Rule))
				}
			}
			if p.Verdict != test.verdict || test.rules != "" && !slices.Contains(broken, test.rules) || test.rules == "" && len(broken) > 0 {
				t.Errorf("%s with %v, want %s with %s\n%+v", p.Verdict, broken, test.verdict, test.rules, p.Undecided)
			}
		})
	}
}

// Where a finding is, is said by the resource's address and the line in its text.
func TestPlacesInAPlanAreInThePolicysText(t *testing.T) {
	more := thing{address: "aws_iam_user_policy.more", values: object{
		"user": "vm-01", "name": "more", "policy": "{\n \"Version\": \"2012-10-17\",\n \"Statement\": [\n  " + allow("s3:GetObject", "*") + "]}",
	}}
	found, err := loadPlan(t, planOf(t, planUser, planPolicy, more))
	if err != nil {
		t.Fatal(err)
	}
	p := judgeFound(t, found, Options{})
	b := finding(t, p, RuleReadObject).Because[0]
	src := p.Subject().Set.Sources[b.Source]
	if b.Line != 4 || src.Address != "aws_iam_user_policy.more.policy" || !strings.Contains(string(src.Raw), "s3:GetObject") {
		t.Errorf("line %d of %q", b.Line, src.Address)
	}
}

func TestWhatAPlanLeavesOutIsAssumed(t *testing.T) {
	for name, test := range map[string]struct {
		more object
		want []sources.Topic
	}{
		"a whole plan":     {nil, []sources.Topic{sources.TopicOutsidePlan}},
		"a targeted one":   {object{"complete": false}, []sources.Topic{sources.TopicOutsidePlan, sources.TopicPlanPartial}},
		"one that failed":  {object{"errored": true}, []sources.Topic{sources.TopicOutsidePlan, sources.TopicPlanPartial}},
		"one that applies": {object{"complete": true, "errored": false}, []sources.Topic{sources.TopicOutsidePlan}},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := loadPlan(t, planWith(t, test.more, planUser, planPolicy))
			if err != nil {
				t.Fatal(err)
			}
			for _, topic := range []sources.Topic{sources.TopicOutsidePlan, sources.TopicPlanPartial} {
				has := slices.ContainsFunc(found.Subjects[0].Assumptions, func(a sources.Assumption) bool { return a.What == topic })
				if has != slices.Contains(test.want, topic) {
					t.Errorf("%s: %v", topic, has)
				}
			}
		})
	}
}

func TestWhatIsNoPlanIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want policy.Code
	}{
		"binary":       {"PK\x03\x04 tfplan", terraform.BinaryPlan},
		"a state":      {`{"format_version":"1.0","terraform_version":"1.9.0","values":{"root_module":{}}}`, terraform.StateNotPlan},
		"anything":     {`{"Resources":{}}`, terraform.NotAPlan},
		"of tomorrow":  {`{"format_version":"9.0","planned_values":{}}`, terraform.UnreadablePlan},
		"of no format": {`{"planned_values":{}}`, terraform.UnreadablePlan},
		"a policy in it that is none": {planOf(t, planUser, thing{address: "aws_iam_user_policy.x", values: object{
			"user": "vm-01", "name": "x", "policy": "{\n \"Statement\": [{\"Effect\": \"Maybe\"}]}",
		}}), policy.BadEffect},
		"a policy in it that is no JSON": {planOf(t, planUser, thing{address: "aws_iam_user_policy.x", values: object{
			"user": "vm-01", "name": "x", "policy": "{\n \"Statement\": [",
		}}), policy.UnexpectedEnd},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadPlan(t, test.text)
			var faults policy.Errors
			if !errors.As(err, &faults) || !slices.ContainsFunc(faults, func(e *policy.Error) bool { return e.Code == test.want }) {
				t.Fatalf("%v, want %s", err, test.want)
			}
			if strings.Contains(name, "in it") && (faults[0].File != "plan.json: aws_iam_user_policy.x.policy" || faults[0].Pos.Line != 2) {
				t.Errorf("its place is %s:%d", faults[0].File, faults[0].Pos.Line)
			}
		})
	}
}
