package sources

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/sources/terraform"
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
// a fault could hide something that gives rights. Of a template that a macro writes
// in part only what it writes must be well formed.
func checkShape(file string, root *policy.Node) policy.Errors {
	c := grammar{file: file, written: writtenByMacro(root)}
	c.known(root, sections)
	c.once(root.Lost)
	for _, name := range []string{"Parameters", "Mappings", "Conditions", "Outputs"} {
		if section := root.Get(name); section != nil && section.Kind != policy.NullNode { // no line under its head
			c.shape(section, name, policy.ObjectNode)
			c.onceWithin(section)
		}
	}
	resources := root.Get("Resources")
	c.once(slices.DeleteFunc(slices.Clone(resources.Lost), func(m policy.Member) bool {
		return !givesRights(m.Value) && !givesRights(resources.Get(m.Key))
	}))
	for _, m := range resources.Members {
		if !strings.HasPrefix(m.Key, "Fn::") && c.shape(m.Value, m.Key, policy.ObjectNode) {
			c.resource(m)
		}
	}
	return c.faults
}

// givesRights reports whether a resource, as it is written, can bear on rights.
func givesRights(n *policy.Node) bool {
	res := &resource{properties: n.Get("Properties")}
	if kind := n.Get("Type"); kind != nil {
		res.kind = kind.Text
	}
	return bears(res)
}

// once refuses keys that stand again further on. CloudFormation takes the last of
// them and says nothing, so that whoever reads the first is misled; where no right
// hangs on it, that is none of the auditor's business.
func (c *grammar) once(lost []policy.Member) {
	for _, m := range lost {
		c.faults = append(c.faults, fault(c.file, m.Pos, WrittenTwice, "key", m.Key))
	}
}

// onceWithin is once for every object in a value.
func (c *grammar) onceWithin(n *policy.Node) {
	c.once(n.Lost)
	for _, m := range n.Members {
		c.onceWithin(m.Value)
	}
	for _, item := range n.Items {
		c.onceWithin(item)
	}
}

type grammar struct {
	file    string
	written bool
	faults  policy.Errors
}

func (c *grammar) known(n *policy.Node, names []string) {
	if n == nil || c.written {
		return
	}
	for _, m := range n.Members {
		if !slices.Contains(names, m.Key) && !strings.HasPrefix(m.Key, "Fn::") {
			c.faults = append(c.faults, fault(c.file, m.Pos, UnknownPart, "name", m.Key))
		}
	}
}

func (c *grammar) shape(n *policy.Node, name string, kind policy.NodeKind) bool {
	if n == nil || n.Kind == kind {
		return n != nil
	}
	c.faults = append(c.faults, fault(c.file, n.Pos, WrongShape, "name", name, "want", kind.String()))
	return false
}

// resource checks one resource. What it may hold matters only of those that give
// rights.
func (c *grammar) resource(m policy.Member) {
	kind := m.Value.Get("Type")
	switch {
	case kind == nil && c.written:
		return
	case kind == nil:
		c.faults = append(c.faults, fault(c.file, m.Value.Pos, policy.MissingElement, "element", "Type"))
		return
	case !c.shape(kind, m.Key+".Type", policy.StringNode):
		return
	}
	names := properties[kind.Text]
	if names != nil {
		c.known(m.Value, attributes)
	}
	if givesRights(m.Value) {
		c.onceWithin(m.Value)
	}
	c.shape(m.Value.Get("Condition"), m.Key+".Condition", policy.StringNode)
	given := m.Value.Get("Properties")
	if given == nil {
		return
	}
	if _, _, open := intrinsic(given); open || !c.shape(given, m.Key+".Properties", policy.ObjectNode) {
		return
	}
	if names != nil {
		c.known(given, names)
	}
}

// macros are the parts of a template that are written by a program when it is
// deployed: they may put anything in, and rewrite what stands beside them
// (CloudFormation User Guide, "Perform custom processing on CloudFormation templates
// with template macros").
func (t *template) macros() {
	if v := t.root.Get("Transform"); v != nil {
		for _, item := range append([]*policy.Node{v}, v.Items...) {
			if item.Kind == policy.StringNode && item.Text != languageExtensions {
				t.gap("Transform "+item.Text, item.Pos)
			} else if item.Kind == policy.ObjectNode {
				t.gap("Transform", item.Pos)
			}
		}
	}
	for _, m := range t.root.Members {
		switch {
		case isMacro(m.Key):
			t.gap(m.Key, m.Pos)
		case m.Key == "Resources":
			t.macrosAt(m.Value, 1)
		case m.Key == "Conditions", m.Key == "Parameters":
			t.macrosAt(m.Value, 1)
		}
	}
	t.eachResource(func(res *resource) {
		t.macrosAt(res.node, 1)
		if res.properties != nil && (properties[res.kind] != nil || permissions[res.kind] != nil || slices.Contains(readApart, res.kind)) {
			t.macrosAt(res.properties, policy.MaxDepth)
		}
	})
}

// macrosAt notes the macros in a value, so many levels down.
func (t *template) macrosAt(n *policy.Node, depth int) {
	for _, m := range n.Members {
		if isMacro(m.Key) {
			t.gap(m.Key, m.Pos)
		} else if depth > 1 {
			t.macrosAt(m.Value, depth-1)
		}
	}
	for _, item := range n.Items {
		if depth > 1 {
			t.macrosAt(item, depth-1)
		}
	}
}

// beyond notes the resources whose effects the template doesn't show: other stacks,
// code that runs, and types that AWS doesn't make. A module is written out into this
// very stack (CloudFormation User Guide, "Create reusable resource configurations ...
// with modules"), so that nobody knows what it holds.
func (t *template) beyond(res *resource) {
	topic := Topic("")
	switch {
	case strings.HasSuffix(res.kind, "::MODULE"):
		t.gap(res.id+" ("+res.kind+")", res.pos)
		return
	case strings.HasPrefix(res.kind, "AWS::Serverless::"), strings.HasPrefix(res.kind, terraform.Own):
		return // its Transform says so; it is of a plan
	case res.kind == "AWS::CloudFormation::Stack":
		topic = TopicNestedStack
	case res.kind == "AWS::CloudFormation::StackSet", res.kind == "AWS::ServiceCatalog::CloudFormationProvisionedProduct":
		topic = TopicOtherStack
	case strings.HasPrefix(res.kind, "Custom::"), res.kind == "AWS::CloudFormation::CustomResource":
		topic = TopicCustomResource
	case res.kind != "" && !strings.HasPrefix(res.kind, "AWS::"):
		topic = TopicPrivateType
	default:
		return
	}
	t.out.makers = append(t.out.makers, Gap{
		Reason: GapNotModelled, What: res.id + " (" + res.kind + ")", Source: -1, File: t.file, Pos: res.pos,
	})
	if a := (Assumption{topic, NotRead}); !slices.Contains(t.out.beyond, a) {
		t.out.beyond = append(t.out.beyond, a)
	}
}

// must is a property without which CloudFormation refuses the resource.
func (t *template) must(res *resource, name string) *policy.Node {
	if res.properties == nil && t.written {
		return nil
	}
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
	if v == nil && !t.written && !slices.ContainsFunc(n.Members, func(m policy.Member) bool { return strings.HasPrefix(m.Key, "Fn::") }) {
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
	included := func(n *policy.Node) bool {
		return n != nil && slices.ContainsFunc(n.Members, func(m policy.Member) bool { return isMacro(m.Key) })
	}
	return included(root) || included(root.Get("Resources")) || included(root.Get("Conditions"))
}

const languageExtensions = "AWS::LanguageExtensions"
