package sources

import (
	"strconv"
	"strings"

	"buzon/agent/policy"
)

// resolver computes the values of a template as far as synthesis can know
// them, under one assignment of its conditions. What only deployment knows
// becomes a symbol: a closed one for a name that CloudFormation or the account
// gives, an open one for whatever may be any text.
type resolver struct {
	file       string
	parameters map[string]bool
	mappings   *policy.Node
	conditions *policy.Node
	resources  map[string]*resource
	removed    map[string]bool // resources whose condition is false
	order      []string        // logical ids, as written

	// target is the logical id of the bucket that uploaders write to, and named
	// its name where the caller knows it.
	target, named string
	region        string

	symbols policy.Symbols
	runes   map[string]rune

	assigned map[string]bool // of comparisons that synthesis can't make
	open     []string        // comparisons met that are not assigned
	faults   policy.Errors
	pending  map[string]bool // logical ids and conditions being resolved
	steps    int             // spent; a template that refers to itself in layers can ask for very many
}

type resource struct {
	id, kind   string
	condition  string
	properties *policy.Node
	pos        policy.Position
}

const (
	maxText  = 1 << 20 // of one resolved value
	maxSteps = 5 << 20 // of one template
)

func (r *resolver) fault(at policy.Position, code policy.Code, args ...string) {
	r.faults = append(r.faults, fault(r.file, at, code, args...))
}

// symbol gives the character that stands for a value of that name.
func (r *resolver) symbol(name string, open bool) string {
	c, ok := r.runes[name]
	if !ok {
		c = policy.FirstSymbol + rune(len(r.runes)) //nolint:gosec // few
		if c > policy.LastSymbol {
			c, open = policy.LastSymbol, true
		}
		r.runes[name] = c
		r.symbols[c] = policy.Symbol{Name: name, Open: open}
	}
	return string(c)
}

func text(s string, at policy.Position) *policy.Node {
	return &policy.Node{Kind: policy.StringNode, Pos: at, Text: s}
}

func (r *resolver) unknown(name string, at policy.Position) *policy.Node {
	return text(r.symbol(name, true), at)
}

// intrinsic takes {"Fn::X": value} apart.
func intrinsic(n *policy.Node) (string, *policy.Node, bool) {
	if n.Kind != policy.ObjectNode || len(n.Members) != 1 {
		return "", nil, false
	}
	m := n.Members[0]
	if m.Key == "Ref" || strings.HasPrefix(m.Key, "Fn::") {
		return m.Key, m.Value, true
	}
	return "", nil, false
}

// resolve returns the value of a node, or nil for AWS::NoValue.
func (r *resolver) resolve(n *policy.Node) *policy.Node {
	if n == nil {
		return nil
	}
	if r.steps++; r.steps > maxSteps {
		if r.steps == maxSteps+1 {
			r.fault(n.Pos, policy.TooLong, "limit", strconv.Itoa(maxSteps))
		}
		return r.unknown("${…}", n.Pos)
	}
	if name, arg, ok := intrinsic(n); ok {
		return r.call(name, arg, n.Pos)
	}
	switch n.Kind {
	case policy.ObjectNode:
		out := &policy.Node{Kind: policy.ObjectNode, Pos: n.Pos}
		for _, m := range n.Members {
			if v := r.resolve(m.Value); v != nil {
				out.Members = append(out.Members, policy.Member{Key: m.Key, Pos: m.Pos, Value: v})
			}
		}
		return out
	case policy.ArrayNode:
		out := &policy.Node{Kind: policy.ArrayNode, Pos: n.Pos}
		for _, item := range n.Items {
			if v := r.resolve(item); v != nil {
				out.Items = append(out.Items, v)
			}
		}
		return out
	case policy.StringNode, policy.NumberNode, policy.BoolNode, policy.NullNode:
		return n
	}
	return n
}

func (r *resolver) call(name string, arg *policy.Node, at policy.Position) *policy.Node {
	bad := func() *policy.Node {
		r.fault(at, BadIntrinsic, "function", name)
		return r.unknown("${"+name+"}", at)
	}
	switch name {
	case "Ref":
		if arg.Kind != policy.StringNode {
			return bad()
		}
		return r.ref(arg.Text, at)
	case "Fn::GetAtt":
		parts := arg
		if arg.Kind == policy.StringNode {
			id, attribute, _ := strings.Cut(arg.Text, ".")
			parts = &policy.Node{Items: []*policy.Node{text(id, at), text(attribute, at)}}
		}
		if len(parts.Items) != 2 || parts.Items[0].Kind != policy.StringNode {
			return bad()
		}
		attribute := r.string(parts.Items[1])
		return r.attribute(parts.Items[0].Text, attribute, at)
	case "Fn::Join":
		if len(arg.Items) != 2 {
			return bad()
		}
		return r.join(arg, at)
	case "Fn::Sub":
		return r.sub(arg, at)
	case "Fn::If":
		if len(arg.Items) != 3 || arg.Items[0].Kind != policy.StringNode {
			return bad()
		}
		if r.condition(arg.Items[0].Text, arg.Items[0].Pos) {
			return r.resolve(arg.Items[1])
		}
		return r.resolve(arg.Items[2])
	case "Fn::Select":
		if len(arg.Items) != 2 {
			return bad()
		}
		list := r.resolve(arg.Items[1])
		i, err := strconv.Atoi(r.string(arg.Items[0]))
		if list == nil || list.Kind != policy.ArrayNode || err != nil {
			return r.unknown("${Fn::Select}", at)
		}
		if i < 0 || i >= len(list.Items) {
			return bad()
		}
		return list.Items[i]
	case "Fn::Split":
		if len(arg.Items) != 2 {
			return bad()
		}
		return r.split(arg, at)
	case "Fn::FindInMap":
		if len(arg.Items) < 3 {
			return bad()
		}
		return r.find(arg, at)
	case "Fn::ImportValue":
		return r.unknown("${import "+r.string(arg)+"}", at)
	default:
		// Everything else (Base64, Cidr, GetAZs, Transform …) has a value that
		// nothing here knows.
		return r.unknown("${"+name+"}", at)
	}
}

// string is the text of a value, with an open symbol where it isn't one.
func (r *resolver) string(n *policy.Node) string {
	v := r.resolve(n)
	if v == nil {
		return ""
	}
	switch v.Kind {
	case policy.StringNode, policy.NumberNode, policy.BoolNode:
		return v.Text
	case policy.NullNode:
		return ""
	case policy.ArrayNode, policy.ObjectNode:
	}
	return r.symbol("${"+v.Kind.String()+"}", true)
}

func (r *resolver) join(arg *policy.Node, at policy.Position) *policy.Node {
	between := r.string(arg.Items[0])
	list := r.resolve(arg.Items[1])
	if list == nil || list.Kind != policy.ArrayNode {
		return r.unknown("${Fn::Join}", at)
	}
	var parts []string
	size := 0
	for _, item := range list.Items {
		s := r.string(item)
		if size += len(s) + len(between); size > maxText {
			r.fault(at, policy.TooLong, "limit", strconv.Itoa(maxText))
			break
		}
		parts = append(parts, s)
	}
	return text(strings.Join(parts, between), at)
}

func (r *resolver) split(arg *policy.Node, at policy.Position) *policy.Node {
	between, whole := r.string(arg.Items[0]), r.string(arg.Items[1])
	if between == "" || r.hasOpen(whole) {
		// The parts of an unknown text are unknown, and so is their number.
		return r.unknown("${Fn::Split}", at)
	}
	out := &policy.Node{Kind: policy.ArrayNode, Pos: at}
	for _, s := range strings.Split(whole, between) {
		out.Items = append(out.Items, text(s, at))
	}
	return out
}

func (r *resolver) find(arg *policy.Node, at policy.Position) *policy.Node {
	var path [3]string
	for i := range path {
		path[i] = r.string(arg.Items[i])
		if policy.HasSymbol(path[i]) {
			return r.unknown("${Fn::FindInMap}", at)
		}
	}
	v := r.mappings.Get(path[0]).Get(path[1]).Get(path[2])
	if v == nil {
		if len(arg.Items) > 3 { // {"DefaultValue": …} of the language extensions
			return r.resolve(arg.Items[3].Get("DefaultValue"))
		}
		r.fault(at, UnknownReference, "name", strings.Join(path[:], "."))
		return r.unknown("${Fn::FindInMap}", at)
	}
	return v
}

// sub fills "${Name}", "${Name.Attribute}" and "${AWS::Name}"; "${!Name}" is
// the text "${Name}" (CloudFormation User Guide, "Fn::Sub").
func (r *resolver) sub(arg *policy.Node, at policy.Position) *policy.Node {
	pattern, own := arg, (*policy.Node)(nil)
	if arg.Kind == policy.ArrayNode && len(arg.Items) == 2 {
		pattern, own = arg.Items[0], arg.Items[1]
	}
	if pattern.Kind != policy.StringNode {
		r.fault(at, BadIntrinsic, "function", "Fn::Sub")
		return r.unknown("${Fn::Sub}", at)
	}
	var b strings.Builder
	rest := pattern.Text
	for {
		before, after, ok := strings.Cut(rest, "${")
		b.WriteString(before)
		if !ok {
			break
		}
		name, tail, ok := strings.Cut(after, "}")
		if !ok {
			b.WriteString("${" + after)
			break
		}
		rest = tail
		trimmed := strings.TrimSpace(name)
		switch {
		case strings.HasPrefix(name, "!"):
			b.WriteString("${" + name[1:] + "}")
		case own.Get(trimmed) != nil:
			b.WriteString(r.string(own.Get(trimmed)))
		case strings.Contains(trimmed, ".") && !strings.HasPrefix(trimmed, "AWS::"):
			id, attribute, _ := strings.Cut(trimmed, ".")
			b.WriteString(r.string(r.attribute(id, attribute, pattern.Pos)))
		default:
			b.WriteString(r.string(r.ref(trimmed, pattern.Pos)))
		}
		if b.Len() > maxText {
			r.fault(at, policy.TooLong, "limit", strconv.Itoa(maxText))
			break
		}
	}
	return text(b.String(), pattern.Pos)
}

func (r *resolver) hasOpen(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return r.symbols[c].Open })
}

// ref is the value of {"Ref": id}; nil for AWS::NoValue.
func (r *resolver) ref(id string, at policy.Position) *policy.Node {
	switch id {
	case "AWS::NoValue":
		return nil
	case "AWS::Partition":
		return text(r.partition(), at)
	case "AWS::Region":
		if r.region != "" {
			return text(r.region, at)
		}
		return text(r.symbol("${AWS::Region}", false), at)
	case "AWS::URLSuffix":
		if r.partition() == "aws-cn" {
			return text("amazonaws.com.cn", at)
		}
		return text("amazonaws.com", at)
	case "AWS::AccountId":
		return text(r.account(), at)
	case "AWS::StackName":
		return text(r.symbol("${AWS::StackName}", false), at)
	case "AWS::StackId", "AWS::NotificationARNs":
		return r.unknown("${"+id+"}", at)
	}
	if r.parameters[id] {
		return r.unknown("${"+id+"}", at)
	}
	res, ok := r.resources[id]
	if !ok {
		return r.dangling(id, at)
	}
	switch res.kind {
	case "AWS::IAM::User", "AWS::IAM::Role", "AWS::IAM::Group", "AWS::S3::Bucket", "AWS::S3::AccessPoint",
		"AWS::IAM::InstanceProfile", "AWS::KMS::Key":
		return text(r.name(res), at)
	case "AWS::IAM::ManagedPolicy":
		return text(r.arn(res), at)
	}
	return r.unknown("${"+id+"}", at)
}

func (r *resolver) attribute(id, attribute string, at policy.Position) *policy.Node {
	res, ok := r.resources[id]
	if !ok {
		return r.dangling(id, at)
	}
	if arn := r.arn(res); attribute == "Arn" && arn != "" {
		return text(arn, at)
	}
	if attribute == "PolicyArn" && res.kind == "AWS::IAM::ManagedPolicy" {
		return text(r.arn(res), at)
	}
	return r.unknown("${"+id+"."+attribute+"}", at)
}

// dangling is a reference to nothing: a fault, unless a condition took away what
// it refers to. CloudFormation refuses to deploy that.
func (r *resolver) dangling(id string, at policy.Position) *policy.Node {
	if !r.removed[id] {
		r.fault(at, UnknownReference, "name", id)
	}
	return r.unknown("${"+id+"}", at)
}

func (r *resolver) partition() string {
	switch {
	case strings.HasPrefix(r.region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(r.region, "us-gov-"):
		return "aws-us-gov"
	case strings.HasPrefix(r.region, "eusc-"):
		return "aws-eusc"
	}
	return "aws"
}

func (r *resolver) account() string { return r.symbol("${AWS::AccountId}", false) }

// name is the physical name of a resource: as its property says, else a symbol.
func (r *resolver) name(res *resource) string {
	own := "${" + res.id + "}"
	if res.id == r.target && r.named != "" {
		return r.named
	}
	property := map[string]string{
		"AWS::IAM::User": "UserName", "AWS::IAM::Role": "RoleName", "AWS::IAM::Group": "GroupName",
		"AWS::S3::Bucket": "BucketName", "AWS::S3::AccessPoint": "Name",
		"AWS::IAM::ManagedPolicy": "ManagedPolicyName", "AWS::IAM::InstanceProfile": "InstanceProfileName",
	}[res.kind]
	given := res.properties.Get(property)
	if property == "" || given == nil {
		return r.symbol(own, false)
	}
	if r.pending[res.id] {
		r.fault(res.pos, Circular, "name", res.id)
		return r.symbol(own, false)
	}
	r.pending[res.id] = true
	defer delete(r.pending, res.id)
	name := r.string(given)
	if name == "" || r.hasOpen(name) {
		return r.symbol(own, false)
	}
	return name
}

// path is the IAM path of a user, role, group or policy.
func (r *resolver) path(res *resource) string {
	given := res.properties.Get("Path")
	if given == nil {
		return "/"
	}
	if r.pending[res.id+" path"] {
		r.fault(res.pos, Circular, "name", res.id)
		return "/"
	}
	r.pending[res.id+" path"] = true
	defer delete(r.pending, res.id+" path")
	if p := r.string(given); strings.HasPrefix(p, "/") && strings.HasSuffix(p, "/") && !r.hasOpen(p) {
		return p
	}
	return "/" + r.symbol("${"+res.id+".Path}", false) + "/"
}

// arn of the resources whose ARN's shape is known; "" of any other.
func (r *resolver) arn(res *resource) string {
	iam := func(kind string) string {
		return "arn:" + r.partition() + ":iam::" + r.account() + ":" + kind + r.path(res) + r.name(res)
	}
	region := r.string(r.ref("AWS::Region", res.pos))
	switch res.kind {
	case "AWS::IAM::User":
		return iam("user")
	case "AWS::IAM::Role":
		return iam("role")
	case "AWS::IAM::Group":
		return iam("group")
	case "AWS::IAM::ManagedPolicy":
		return iam("policy")
	case "AWS::IAM::InstanceProfile":
		return iam("instance-profile")
	case "AWS::S3::Bucket":
		return "arn:" + r.partition() + ":s3:::" + r.name(res)
	case "AWS::S3::AccessPoint":
		return "arn:" + r.partition() + ":s3:" + region + ":" + r.account() + ":accesspoint/" + r.name(res)
	case "AWS::KMS::Key":
		return "arn:" + r.partition() + ":kms:" + region + ":" + r.account() + ":key/" + r.name(res)
	}
	return ""
}

// condition is the truth of a named condition under the assignment.
func (r *resolver) condition(name string, at policy.Position) bool {
	expr := r.conditions.Get(name)
	if expr == nil {
		r.fault(at, UnknownReference, "name", name)
		return false
	}
	key := "condition " + name
	if r.pending[key] {
		r.fault(at, Circular, "name", name)
		return false
	}
	r.pending[key] = true
	defer delete(r.pending, key)
	return r.truth(expr, name)
}

func (r *resolver) truth(expr *policy.Node, name string) bool {
	if expr.Kind == policy.ObjectNode && len(expr.Members) == 1 {
		m := expr.Members[0]
		switch m.Key {
		case "Condition":
			if m.Value.Kind == policy.StringNode {
				return r.condition(m.Value.Text, m.Pos)
			}
		case "Fn::Not":
			if len(m.Value.Items) == 1 {
				return !r.truth(m.Value.Items[0], name)
			}
		case "Fn::And", "Fn::Or":
			// Every part is looked at, so that every comparison is met.
			and := m.Key == "Fn::And"
			out := and
			for _, part := range m.Value.Items {
				if t := r.truth(part, name); t != and {
					out = !and
				}
			}
			return out
		case "Fn::Equals":
			if len(m.Value.Items) == 2 {
				return r.equal(r.string(m.Value.Items[0]), r.string(m.Value.Items[1]))
			}
		}
	}
	r.fault(expr.Pos, BadIntrinsic, "function", name)
	return false
}

// equal compares; where synthesis can't, by the assignment.
func (r *resolver) equal(a, b string) bool {
	if a == b {
		return true
	}
	if !policy.HasSymbol(a) && !policy.HasSymbol(b) {
		return false
	}
	key := showSymbols(r.symbols, a) + " = " + showSymbols(r.symbols, b)
	truth, ok := r.assigned[key]
	if !ok {
		r.open = append(r.open, key)
	}
	return truth
}

// showSymbols writes a text with the names of its symbols.
func showSymbols(symbols policy.Symbols, s string) string {
	if len(symbols) == 0 || !policy.HasSymbol(s) {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		if sym, ok := symbols[c]; ok {
			b.WriteString(sym.Name)
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

// Show writes a text of the subject's documents as a person would: symbols by
// their names.
func (s *Subject) Show(text string) string { return showSymbols(s.Set.Symbols, text) }
