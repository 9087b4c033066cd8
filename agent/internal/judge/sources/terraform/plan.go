// Package terraform puts a Terraform plan into the form of a CloudFormation
// template, so that one reader judges both alike: what stands after the plan are the
// template's resources, their addresses its logical ids, and what is known after
// apply only is a value that only deployment knows.
//
// It knows the resources of the provider aws that bear on rights. Of any other it
// looks for policies in the attributes, and names what may give rights and is not
// known. It judges nothing.
package terraform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"buzon/agent/policy"
)

// Plan is a Terraform plan in the form of a template.
type Plan struct {
	// Template has a resource for each that stands after the plan and bears on rights:
	// its logical id is the address. All its places are those of nothing (1:1), save in
	// Documents.
	Template  *policy.Node
	ARNs      map[string]string     // that are known, by address
	Documents map[*policy.Node]Text // the policies that stand as texts in it
	Attached  map[string]string     // the ARN of what a resource's policy hangs on, where an attribute tells
	Open      []string              // addresses of what may give rights and isn't known, with the attribute
	Partial   bool                  // not all that will stand is in it
	Secrets   []string              // the texts that the plan calls sensitive; no policy is one of them
}

// Text is a policy as it stands in an attribute of a resource. Places in it are its
// own.
type Text struct {
	Address string // of the resource, with the attribute
	Raw     []byte
}

// KnownAfterApply is the function of Template that stands for a value which nobody
// knows before the plan is applied; its argument is where it stands.
const KnownAfterApply = "Fn::KnownAfterApply"

// Attachment is the kind of resource in Template for what CloudFormation has no
// resource for: the managed policy PolicyArn, on Users, Roles and Groups.
const Attachment = Own + "PolicyAttachment"

// KMSGrant is the kind of resource in Template for another such: its GranteePrincipal
// gets a right on a key. The kinds of all that CloudFormation has no type for begin
// with Own.
const (
	KMSGrant = Own + "KMSGrant"
	Own      = "Terraform::"
)

// The faults of plans, besides those of the documents in them.
const (
	NotAPlan       policy.Code = "not-a-plan"
	BinaryPlan     policy.Code = "binary-plan"
	StateNotPlan   policy.Code = "state-not-plan"
	UnreadablePlan policy.Code = "unreadable-plan"
)

// Codes lists every fault that this package adds to those of policy.
func Codes() []policy.Code { return []policy.Code{NotAPlan, BinaryPlan, StateNotPlan, UnreadablePlan} }

// plan is a plan while it is read.
type plan struct {
	file    string
	tf      *tfjson.Plan
	values  map[string]*tfjson.StateResource // after the plan, by address
	byKind  map[string][]string              // their addresses, in order, by type
	changes map[string]*tfjson.ResourceChange
	changed map[string][]*tfjson.ResourceChange // by type
	faults  policy.Errors
	out     Plan
}

// Read reads what `terraform show -json` prints of a plan (Terraform: "JSON Output
// Format"). Its errors are policy.Errors.
func Read(file string, raw []byte) (*Plan, error) {
	refuse := func(code policy.Code, args map[string]string) (*Plan, error) {
		return nil, policy.Errors{{File: file, Pos: nowhere, Code: code, Args: args}}
	}
	if bytes.HasPrefix(raw, []byte("PK")) {
		return refuse(BinaryPlan, map[string]string{"file": file})
	}
	// The library tells no places, so what isn't JSON at all is told here.
	root, err := policy.ReadJSON(file, raw)
	if err != nil {
		return nil, err
	}
	if root.Get("planned_values") == nil && root.Get("resource_changes") == nil {
		if root.Get("values") != nil && root.Get("format_version") != nil {
			return refuse(StateNotPlan, nil)
		}
		return refuse(NotAPlan, nil)
	}
	p := &plan{
		file: file, tf: &tfjson.Plan{}, values: map[string]*tfjson.StateResource{}, changes: map[string]*tfjson.ResourceChange{},
		byKind: map[string][]string{}, changed: map[string][]*tfjson.ResourceChange{},
		out: Plan{ARNs: map[string]string{}, Documents: map[*policy.Node]Text{}, Attached: map[string]string{}},
	}
	p.tf.UseJSONNumber(true)
	if err := p.tf.UnmarshalJSON(raw); err != nil {
		return refuse(UnreadablePlan, map[string]string{"reason": err.Error()})
	}
	errored := root.Get("errored") // the library doesn't keep it
	p.out.Partial = errored != nil && errored.Text == "true" ||
		p.tf.Complete != nil && !*p.tf.Complete || len(p.tf.DeferredChanges) > 0
	p.gather()
	p.translate()
	if len(p.faults) > 0 {
		return nil, p.faults
	}
	if p.out.Secrets, err = sensitive(p.tf); err != nil {
		return refuse(UnreadablePlan, map[string]string{"reason": err.Error()})
	}
	return &p.out, nil
}

// gather finds the resources that stand after the plan.
func (p *plan) gather() {
	var walk func(m *tfjson.StateModule)
	walk = func(m *tfjson.StateModule) {
		if m == nil {
			return
		}
		for _, r := range m.Resources {
			if r.Mode == tfjson.ManagedResourceMode && r.DeposedKey == "" {
				p.values[r.Address] = r
			}
		}
		for _, child := range m.ChildModules {
			walk(child)
		}
	}
	if p.tf.PlannedValues != nil {
		walk(p.tf.PlannedValues.RootModule)
	}
	for _, c := range p.tf.ResourceChanges {
		if c.Change == nil {
			continue
		}
		p.changed[c.Type] = append(p.changed[c.Type], c)
		p.forget(c)
		if c.DeposedKey == "" {
			p.changes[c.Address] = c
		}
	}
	for _, address := range sorted(p.values) {
		kind := p.values[address].Type
		p.byKind[kind] = append(p.byKind[kind], address)
	}
}

// nowhere is where things of a plan stand: it has no lines that anybody wrote.
var nowhere = policy.Position{Line: 1, Column: 1}

// place is how a text inside of the plan is named in messages, before its line.
func (p *plan) place(address, attribute string) string {
	return p.file + ": " + address + "." + attribute
}

// A planned is one resource of the plan.
type planned struct {
	*plan
	address string
	kind    string
	values  map[string]any
	unknown map[string]any
}

func (p *plan) resource(address string) planned {
	r := planned{plan: p, address: address, kind: p.values[address].Type, values: p.values[address].AttributeValues}
	if c := p.changes[address]; c != nil && c.Change != nil {
		r.unknown, _ = c.Change.AfterUnknown.(map[string]any)
	}
	return r
}

// has reports whether an attribute says anything, known or not.
func (r planned) has(attribute string) bool {
	return r.open(attribute) || !isEmpty(r.values[attribute])
}

// open reports whether the whole attribute is known after apply only.
func (r planned) open(attribute string) bool { return r.unknown[attribute] == true }

func isEmpty(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case string:
		return x == ""
	case []any:
		return len(x) == 0
	case map[string]any:
		return len(x) == 0
	}
	return false
}

// value is an attribute as a template's node; nil where it says nothing.
func (r planned) value(attribute string) *policy.Node {
	if r.open(attribute) {
		if id, name, ok := r.refers(attribute); ok {
			if n := reference(r.plan, id, name); n != nil {
				return n
			}
		}
	}
	return r.own(attribute)
}

// own is value for what may be built of that to which it refers, such as the name of
// the resource itself: no other's value is the same.
func (r planned) own(attribute string) *policy.Node {
	return r.node(r.values[attribute], r.unknown[attribute], attribute)
}

func (r planned) node(v, unknown any, where string) *policy.Node {
	if unknown == true {
		return call(KnownAfterApply, text(r.address+"."+where, nowhere))
	}
	switch x := v.(type) {
	case string:
		if x == "" {
			return nil
		}
		return text(x, nowhere)
	case bool:
		return &policy.Node{Kind: policy.BoolNode, Pos: nowhere, Text: strconv.FormatBool(x)}
	case json.Number:
		return &policy.Node{Kind: policy.NumberNode, Pos: nowhere, Text: x.String()}
	case []any:
		list := &policy.Node{Kind: policy.ArrayNode, Pos: nowhere}
		unknown, _ := unknown.([]any)
		for i, item := range x {
			var open any
			if i < len(unknown) {
				open = unknown[i]
			}
			if n := r.node(item, open, fmt.Sprintf("%s[%d]", where, i)); n != nil {
				list.Items = append(list.Items, n)
			}
		}
		return list
	case map[string]any:
		unknown, _ := unknown.(map[string]any)
		object := &policy.Node{Kind: policy.ObjectNode, Pos: nowhere}
		for _, key := range sorted(x) {
			if n := r.node(x[key], unknown[key], where+"."+key); n != nil {
				object.Members = append(object.Members, policy.Member{Key: key, Pos: nowhere, Value: n})
			}
		}
		for _, key := range sorted(unknown) {
			if _, there := x[key]; !there && unknown[key] == true {
				object.Members = append(object.Members, policy.Member{Key: key, Pos: nowhere, Value: r.node(nil, true, where+"."+key)})
			}
		}
		return object
	}
	return nil
}

// blocks are the nested blocks of a name, each with what of it is unknown.
func (r planned) blocks(name string) []planned {
	list, _ := r.values[name].([]any)
	unknown, _ := r.unknown[name].([]any)
	var out []planned
	for i, item := range list {
		b := planned{plan: r.plan, address: fmt.Sprintf("%s.%s[%d]", r.address, name, i), kind: name}
		b.values, _ = item.(map[string]any)
		if i < len(unknown) {
			b.unknown, _ = unknown[i].(map[string]any)
		}
		out = append(out, b)
	}
	return out
}

// document is a policy that stands as a text in an attribute.
func (r planned) document(attribute string) *policy.Node {
	if r.open(attribute) {
		if address, name, ok := r.refers(attribute); ok && name == "json" {
			if n := r.documentOf(address); n != nil {
				return n
			}
		}
		return r.own(attribute)
	}
	s, _ := r.values[attribute].(string)
	return r.parse(s, attribute)
}

func (r planned) parse(s, attribute string) *policy.Node {
	if s == "" {
		return nil
	}
	n, err := policy.ReadJSON(r.place(r.address, attribute), []byte(s))
	if err != nil {
		var faults policy.Errors
		errors.As(err, &faults)
		r.faults = append(r.faults, faults...)
		return nil
	}
	r.out.Documents[n] = Text{r.address + "." + attribute, []byte(s)}
	return n
}

func call(name string, arg *policy.Node) *policy.Node {
	return &policy.Node{Kind: policy.ObjectNode, Pos: nowhere, Members: []policy.Member{{Key: name, Pos: nowhere, Value: arg}}}
}

func list(items ...*policy.Node) *policy.Node {
	return &policy.Node{Kind: policy.ArrayNode, Pos: nowhere, Items: slices.DeleteFunc(items, func(n *policy.Node) bool { return n == nil })}
}

// with adds members to an object; those without a value are left out.
func with(object *policy.Node, members ...policy.Member) *policy.Node {
	for _, m := range members {
		if m.Value != nil {
			m.Pos = nowhere
			object.Members = append(object.Members, m)
		}
	}
	return object
}

func object(members ...policy.Member) *policy.Node {
	return with(&policy.Node{Kind: policy.ObjectNode, Pos: nowhere}, members...)
}

// reference is a reference to a resource of the plan, as a template writes it; nil
// where the template has no such resource, or nothing that is called so.
func reference(p *plan, address, attribute string) *policy.Node {
	v := p.values[address]
	if v == nil {
		return nil
	}
	ref, arn := call("Ref", text(address, nowhere)), call("Fn::GetAtt", list(text(address, nowhere), text("Arn", nowhere)))
	switch {
	case strings.HasPrefix(v.Type, "aws_s3_bucket_") && (attribute == "bucket" || attribute == "id"):
		return p.resource(address).value("bucket") // it stands beside a bucket, and has its name
	case identified[v.Type] == "":
		return nil
	case attribute == "arn", attribute == "id" && identified[v.Type] == "arn":
		return arn
	case attribute == "id", attribute == identified[v.Type]:
		return ref
	}
	return nil
}

// identified are the resources of a template that others refer to, each with the
// attribute that its id is the same as.
var identified = map[string]string{
	"aws_iam_user": "name", "aws_iam_role": "name", "aws_iam_group": "name", "aws_iam_policy": "arn",
	"aws_iam_openid_connect_provider": "arn", "aws_iam_saml_provider": "arn",
	"aws_s3_bucket": "bucket", "aws_s3_access_point": "name", "aws_kms_key": "key_id",
}

// arnOf notes the ARN of a resource where it is known, and gives its account.
func (p *plan) arnOf(address string) {
	if arn, _ := p.values[address].AttributeValues["arn"].(string); strings.HasPrefix(arn, "arn:") {
		p.out.ARNs[address] = arn
	}
}

// sorted lists the keys of a map in their order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func text(s string, at policy.Position) *policy.Node {
	return &policy.Node{Kind: policy.StringNode, Pos: at, Text: s}
}
