package sources

import (
	"slices"
	"strings"

	"buzon/agent/policy"
)

// sections and attributes are the parts of a template and of a resource in it
// (CloudFormation User Guide, "Template sections", "Resource attributes").
var (
	sections = []string{
		"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions",
		"Transform", "Globals", "Hooks", "Resources", "Outputs",
	}
	attributes = []string{
		"Type", "Properties", "Condition", "DependsOn", "Metadata", "DeletionPolicy", "UpdateReplacePolicy",
		"CreationPolicy", "UpdatePolicy", "ResourceTypeVersion",
	}
)

// properties are those of the resources that give rights: a misspelled one
// would hide a policy (CloudFormation Template Reference).
var properties = map[string][]string{
	"AWS::IAM::User":                {"Groups", "LoginProfile", "ManagedPolicyArns", "Path", "PermissionsBoundary", "Policies", "Tags", "UserName"},
	"AWS::IAM::Role":                {"AssumeRolePolicyDocument", "Description", "ManagedPolicyArns", "MaxSessionDuration", "Path", "PermissionsBoundary", "Policies", "RoleName", "Tags"},
	"AWS::IAM::Group":               {"GroupName", "ManagedPolicyArns", "Path", "Policies"},
	"AWS::IAM::ManagedPolicy":       {"Description", "Groups", "ManagedPolicyName", "Path", "PolicyDocument", "Roles", "Tags", "Users"},
	"AWS::IAM::Policy":              {"Groups", "PolicyDocument", "PolicyName", "Roles", "Users"},
	"AWS::IAM::UserPolicy":          {"PolicyDocument", "PolicyName", "UserName"},
	"AWS::IAM::RolePolicy":          {"PolicyDocument", "PolicyName", "RoleName"},
	"AWS::IAM::GroupPolicy":         {"PolicyDocument", "PolicyName", "GroupName"},
	"AWS::IAM::UserToGroupAddition": {"GroupName", "Users"},
	"AWS::S3::BucketPolicy":         {"Bucket", "PolicyDocument"},
}

// checkShape holds a template against the grammar of CloudFormation, as far as
// a fault could hide something that gives rights.
func checkShape(file string, root *policy.Node) policy.Errors {
	var faults policy.Errors
	known := func(n *policy.Node, names []string) {
		for _, m := range n.Members {
			if !slices.Contains(names, m.Key) && !strings.HasPrefix(m.Key, "Fn::") {
				faults = append(faults, fault(file, m.Pos, UnknownPart, "name", m.Key))
			}
		}
	}
	shape := func(n *policy.Node, name string, kind policy.NodeKind) bool {
		if n == nil || n.Kind == kind {
			return n != nil
		}
		faults = append(faults, fault(file, n.Pos, WrongShape, "name", name, "want", kind.String()))
		return false
	}
	known(root, sections)
	for _, name := range []string{"Parameters", "Mappings", "Conditions", "Outputs"} {
		shape(root.Get(name), name, policy.ObjectNode)
	}
	for _, m := range root.Get("Resources").Members {
		if strings.HasPrefix(m.Key, "Fn::") || !shape(m.Value, m.Key, policy.ObjectNode) {
			continue
		}
		known(m.Value, attributes)
		shape(m.Value.Get("Condition"), m.Key+".Condition", policy.StringNode)
		kind := m.Value.Get("Type")
		if kind == nil {
			faults = append(faults, fault(file, m.Value.Pos, policy.MissingElement, "element", "Type"))
			continue
		}
		if !shape(kind, m.Key+".Type", policy.StringNode) || !shape(m.Value.Get("Properties"), m.Key+".Properties", policy.ObjectNode) {
			continue
		}
		if names := properties[kind.Text]; names != nil {
			known(m.Value.Get("Properties"), names)
		}
	}
	return faults
}

// macros are the parts of a template that are written by a program when it is
// deployed: they may put anything in.
func (t *template) macros() []Gap {
	var gaps []Gap
	add := func(name string, at policy.Position) {
		gaps = append(gaps, Gap{Reason: GapUnresolved, What: name, Source: -1, File: t.file, Pos: at})
	}
	if v := t.root.Get("Transform"); v != nil {
		for _, item := range append([]*policy.Node{v}, v.Items...) {
			// The language extensions only add functions (CloudFormation User Guide,
			// "AWS::LanguageExtensions transform").
			if item.Kind == policy.StringNode && item.Text != "AWS::LanguageExtensions" {
				add("Transform "+item.Text, item.Pos)
			} else if item.Kind == policy.ObjectNode {
				add("Transform", item.Pos)
			}
		}
	}
	function := func(n *policy.Node) {
		if n == nil {
			return
		}
		for _, m := range n.Members {
			if strings.HasPrefix(m.Key, "Fn::") {
				add(m.Key, m.Pos)
			}
		}
	}
	function(t.root)
	function(t.root.Get("Resources"))
	for _, id := range t.order {
		if res := t.resources[id]; res != nil && properties[res.kind] != nil {
			function(res.properties)
		}
	}
	return gaps
}

// beyond notes the resources whose effects the template doesn't show.
func (t *template) beyond(res *resource) {
	topic := Topic("")
	switch {
	case res.kind == "AWS::CloudFormation::Stack":
		topic = TopicNestedStack
	case strings.HasPrefix(res.kind, "Custom::"), res.kind == "AWS::CloudFormation::CustomResource":
		topic = TopicCustomResource
	default:
		return
	}
	if a := (Assumption{topic, NotRead}); !slices.Contains(t.out.beyond, a) {
		t.out.beyond = append(t.out.beyond, a)
	}
}

// must is a property without which CloudFormation refuses the resource.
func (t *template) must(res *resource, name string) *policy.Node {
	if res.properties == nil {
		t.fault(res.pos, policy.MissingElement, "element", name)
		return nil
	}
	return t.need(res.properties, res.id, name)
}

func (t *template) need(n *policy.Node, owner, name string) *policy.Node {
	if n.Kind == policy.StringNode && t.hasOpen(n.Text) {
		return n // nobody knows yet what it will hold
	}
	v := n.Get(name)
	if v == nil && !slices.ContainsFunc(n.Members, func(m policy.Member) bool { return strings.HasPrefix(m.Key, "Fn::") }) {
		t.fault(n.Pos, policy.MissingElement, "element", owner+"."+name)
	}
	return v
}

// writtenByMacro reports whether a program writes a part of the template when it
// is deployed. The language extensions only add functions (CloudFormation User
// Guide, "AWS::LanguageExtensions transform").
func writtenByMacro(root *policy.Node) bool {
	if v := root.Get("Transform"); v != nil {
		for _, item := range append([]*policy.Node{v}, v.Items...) {
			if item.Kind == policy.ObjectNode || item.Kind == policy.StringNode && item.Text != languageExtensions {
				return true
			}
		}
	}
	return false
}

const languageExtensions = "AWS::LanguageExtensions"

// bears tells the resources that can bear on rights.
func (t *template) bears(res *resource) bool { return true }
