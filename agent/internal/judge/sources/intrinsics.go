package sources

import (
	"slices"
	"strconv"
	"strings"

	"buzon/agent/internal/judge/sources/terraform"
	"buzon/agent/policy"
)

// resolver computes the values of a template as far as synthesis can know
// them, under one outcome of what it leaves open. What only deployment knows
// becomes a symbol: a closed one for a name that CloudFormation or the account
// gives, an open one for whatever may be any text.
type resolver struct {
	file       string
	parameters map[string]*parameter
	mappings   *policy.Node
	conditions *policy.Node
	resources  map[string]*resource
	removed    map[string]bool // resources whose condition is false
	order      []string        // logical ids, as written
	written    bool            // by a macro, in part: what is referred to may come from there

	// target is the logical id of the bucket that uploaders write to, and named
	// its name where the caller knows it; maybe are buckets that may be that one.
	target, named string
	maybe         map[rune]bool
	region        string
	id            string // of the account, "" where it isn't known

	*names
	choices
	stacks *stacks

	faults  policy.Errors
	pending map[string]bool // logical ids and conditions being resolved
	asking  bool            // the value of a condition is being found
	steps   int             // spent; a template that refers to itself in layers can ask for very many
}

type resource struct {
	id, kind   string
	condition  string
	known      string // its ARN, where a plan knows it
	properties *policy.Node
	node       *policy.Node
	pos        policy.Position
}

const (
	maxText  = 1 << 20 // of one resolved value
	maxSteps = 5 << 20 // of one template
)

func (r *resolver) fault(at policy.Position, code policy.Code, args ...string) {
	r.faults = append(r.faults, fault(r.file, at, code, args...))
}

// symbol gives the character that stands for a value of the template; key tells
// it from all others of it.
func (r *resolver) symbol(key, name string, open bool) string {
	c, ok := r.names.symbol(r.file+"\x00"+key, name, open)
	if !ok {
		r.fault(policy.Position{Line: 1, Column: 1}, policy.TooLong, "limit", strconv.Itoa(int(policy.LastSymbol-policy.FirstSymbol)))
	}
	return c
}

func text(s string, at policy.Position) *policy.Node {
	return &policy.Node{Kind: policy.StringNode, Pos: at, Text: s}
}

// unknown is a value that only deployment knows. Two are one where the function
// and all its arguments are the same.
func (r *resolver) unknown(name string, arg *policy.Node, at policy.Position) *policy.Node {
	args := r.render(arg, 0)
	shown := showSymbols(r.symbols, args)
	if len(shown) > 60 {
		shown = strings.ToValidUTF8(shown[:60], "") + "…"
	}
	return text(r.symbol(name+"("+args+")", "${"+name+" "+shown+"}", true), at)
}

// somewhere is a value of which nothing tells that it is the same as another.
func (r *resolver) somewhere(name string, at policy.Position) *policy.Node {
	return text(r.symbol(name+" at "+placeOf("", at), "${"+name+"}", true), at)
}

// render writes the arguments of a function, each after it is resolved.
func (r *resolver) render(n *policy.Node, depth int) string {
	if depth == 0 {
		n = r.resolve(n)
	}
	if n == nil {
		return "AWS::NoValue"
	}
	var parts []string
	switch n.Kind {
	case policy.ArrayNode:
		for _, item := range n.Items {
			parts = append(parts, r.render(item, depth+1))
		}
		if depth == 0 {
			return strings.Join(parts, ", ")
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case policy.ObjectNode:
		for _, m := range n.Members {
			parts = append(parts, strconv.Quote(m.Key)+": "+r.render(m.Value, depth+1))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case policy.StringNode:
		if strings.ContainsAny(n.Text, `,"[]{}`) {
			return `"` + strings.ReplaceAll(n.Text, `"`, `\"`) + `"`
		}
	case policy.NumberNode, policy.BoolNode, policy.NullNode:
	}
	return n.Text
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
		return r.somewhere("…", n.Pos)
	}
	if name, arg, ok := intrinsic(n); ok {
		return r.call(name, arg, n.Pos)
	}
	switch n.Kind {
	case policy.ObjectNode:
		out := &policy.Node{Kind: policy.ObjectNode, Pos: n.Pos}
		for _, m := range n.Members {
			if isMacro(m.Key) {
				return r.somewhere(m.Key, n.Pos) // it may rewrite all that stands beside it
			}
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
	case policy.StringNode:
		return r.dynamic(n.Text, n.Pos)
	case policy.NumberNode, policy.BoolNode, policy.NullNode:
		return n
	}
	return n
}

const dynamicReference = "{{resolve:"

// dynamic puts symbols for dynamic references: CloudFormation replaces them when
// it deploys, in any property (CloudFormation User Guide, "Get values stored in
// other services using dynamic references").
func (r *resolver) dynamic(s string, at policy.Position) *policy.Node {
	if !strings.Contains(s, dynamicReference) {
		return text(s, at)
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, dynamicReference)
		b.WriteString(before)
		if !ok {
			break
		}
		name, after, closed := strings.Cut(rest, "}}")
		if !closed { // none, unless what is joined to it ends it
			b.WriteString(dynamicReference + rest)
			break
		}
		for strings.HasPrefix(after, "}") {
			name, after = name+"}", after[1:]
		}
		b.WriteString(r.symbol("resolve "+name, dynamicReference+showSymbols(r.symbols, name)+"}}", true))
		s = after
	}
	return text(b.String(), at)
}

// isMacro tells the keys of what a program writes when the template is deployed.
func isMacro(key string) bool {
	return key == "Fn::Transform" || strings.HasPrefix(key, "Fn::ForEach")
}

func (r *resolver) call(name string, arg *policy.Node, at policy.Position) *policy.Node {
	bad := func() *policy.Node {
		r.fault(at, BadIntrinsic, "function", name)
		return r.somewhere(name, at)
	}
	switch name {
	case "Ref":
		if arg.Kind != policy.StringNode {
			return bad()
		}
		return r.ref(arg.Text, at)
	case "Fn::GetAtt":
		return r.getAtt(arg, at)
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
		return r.choose(arg, at)
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
		name := r.string(arg)
		if value, ok := r.stacks.exported(name); ok {
			return text(value, at)
		}
		return text(r.symbol("import "+name, "${import "+showSymbols(r.symbols, name)+"}", true), at)
	case "Fn::Length":
		if list := r.resolve(arg); list != nil && list.Kind == policy.ArrayNode {
			return text(strconv.Itoa(len(list.Items)), at)
		}
		return r.unknown(name, arg, at)
	case "Fn::Transform":
		return r.somewhere(name, at)
	case terraform.KnownAfterApply:
		return text(r.symbol(arg.Text, "${"+arg.Text+"}", true), at)
	default:
		// Everything else (Base64, Cidr, GetAZs, ToJsonString …) has a value that
		// nothing here knows.
		return r.unknown(name, arg, at)
	}
}

func (r *resolver) getAtt(arg *policy.Node, at policy.Position) *policy.Node {
	var id, attribute string
	switch {
	case arg.Kind == policy.StringNode:
		id, attribute, _ = strings.Cut(arg.Text, ".")
	case len(arg.Items) == 2:
		id, attribute = r.string(arg.Items[0]), r.string(arg.Items[1])
	default:
		r.fault(at, BadIntrinsic, "function", "Fn::GetAtt")
		return r.somewhere("Fn::GetAtt", at)
	}
	if policy.HasSymbol(id) {
		return r.unknown("Fn::GetAtt", arg, at)
	}
	return r.attribute(id, attribute, at)
}

func (r *resolver) choose(arg *policy.Node, at policy.Position) *policy.Node {
	list := r.resolve(arg.Items[1])
	i, err := strconv.Atoi(r.string(arg.Items[0]))
	if list == nil || list.Kind != policy.ArrayNode || err != nil {
		return r.unknown("Fn::Select", arg, at)
	}
	if i < 0 || i >= len(list.Items) {
		r.fault(at, BadIntrinsic, "function", "Fn::Select")
		return r.somewhere("Fn::Select", at)
	}
	return list.Items[i]
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
	return r.symbol(v.Kind.String()+" "+r.render(&policy.Node{Kind: policy.ArrayNode, Items: []*policy.Node{v}}, 1), "${"+v.Kind.String()+"}", true)
}

func (r *resolver) join(arg *policy.Node, at policy.Position) *policy.Node {
	between := r.string(arg.Items[0])
	list := r.resolve(arg.Items[1])
	if list == nil || list.Kind != policy.ArrayNode {
		return r.unknown("Fn::Join", arg, at)
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
	return r.dynamic(strings.Join(parts, between), at)
}

func (r *resolver) split(arg *policy.Node, at policy.Position) *policy.Node {
	between, whole := r.string(arg.Items[0]), r.string(arg.Items[1])
	if between == "" || r.hasOpen(whole) || policy.HasSymbol(between) {
		// The parts of an unknown text are unknown, and so is their number.
		return r.unknown("Fn::Split", arg, at)
	}
	out := &policy.Node{Kind: policy.ArrayNode, Pos: at}
	for _, s := range strings.Split(whole, between) {
		out.Items = append(out.Items, text(s, at))
	}
	return out
}

func (r *resolver) find(arg *policy.Node, at policy.Position) *policy.Node {
	var fallback *policy.Node // {"DefaultValue": …} of the language extensions
	if len(arg.Items) > 3 {
		fallback = arg.Items[3].Get("DefaultValue")
	}
	v := r.mappings
	var path []string
	chosen := ""
	for _, item := range arg.Items[:3] {
		key := r.string(item)
		if policy.HasSymbol(key) {
			value, known := r.is[key]
			if !known {
				r.askKey(key, v, fallback != nil)
				return r.unknown("Fn::FindInMap", arg, at)
			}
			key = value
		}
		for _, value := range r.is {
			if value == key {
				chosen = key
			}
		}
		path = append(path, key)
		if v != nil && slices.ContainsFunc(v.Members, func(m policy.Member) bool { return isMacro(m.Key) }) {
			return r.unknown("Fn::FindInMap", arg, at)
		}
		v = v.Get(key)
	}
	switch {
	case v != nil:
		return r.resolve(v)
	case fallback != nil:
		return r.resolve(fallback)
	case r.written:
		return r.unknown("Fn::FindInMap", arg, at)
	}
	r.fault(at, UnknownReference, "name", strings.Join(path, "."), "got", chosen)
	return r.somewhere("Fn::FindInMap", at)
}

// askKey asks which key of a mapping a text is. Without a default CloudFormation
// refuses any other.
func (r *resolver) askKey(key string, mapping *policy.Node, others bool) {
	if mapping == nil || mapping.Kind != policy.ObjectNode {
		return
	}
	q := question{text: key, closed: !others, about: r.about(key)}
	if values, ok := r.allowed(key); ok {
		q.values, q.closed = values, true
	} else {
		for _, m := range mapping.Members {
			if !slices.Contains(r.not[key], m.Key) {
				q.values = append(q.values, m.Key)
			}
		}
	}
	if len(q.values) > 0 {
		r.stacks.ask(q, r.asking)
	}
}

// allowed are the values that a parameter may have, where a text is nothing but
// one that has a list of them.
func (r *resolver) allowed(s string) ([]string, bool) {
	for _, p := range r.parameters {
		if p.symbol == s && len(p.allowed) > 0 {
			return p.allowed, true
		}
	}
	return nil, false
}

// about names what would have to be given to know a text.
func (r *resolver) about(s string) []string {
	var out []string
	for _, c := range s {
		if symbol, ok := r.symbols[c]; ok {
			out = append(out, symbol.Name)
		}
	}
	for _, name := range sortedKeys(r.parameters) {
		if p := r.parameters[name]; strings.Contains(s, p.symbol) && !slices.Contains(out, "${"+name+"}") {
			out = append(out, "${"+name+"}")
		}
	}
	return out
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
		return r.somewhere("Fn::Sub", at)
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
	return r.dynamic(b.String(), pattern.Pos)
}

func (r *resolver) hasOpen(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return r.symbols[c].Open })
}

// ref is the value of {"Ref": id}; nil for AWS::NoValue.
func (r *resolver) ref(id string, at policy.Position) *policy.Node {
	if strings.HasPrefix(id, "AWS::") {
		return r.pseudo(id, at)
	}
	if p := r.parameters[id]; p != nil {
		if p.value != nil {
			return p.node(at)
		}
		if value, ok := r.is[p.symbol]; ok {
			return text(value, at)
		}
		if len(p.allowed) > 0 {
			r.stacks.ask(question{text: p.symbol, values: p.allowed, closed: true, about: []string{"${" + id + "}"}}, r.asking)
		}
		return text(p.symbol, at)
	}
	res, ok := r.resources[id]
	if !ok {
		return r.dangling(id, "", at)
	}
	switch res.kind {
	case "AWS::IAM::User", "AWS::IAM::Role", "AWS::IAM::Group", "AWS::S3::Bucket", "AWS::S3::AccessPoint",
		"AWS::IAM::InstanceProfile", "AWS::KMS::Key", "AWS::KMS::ReplicaKey":
		return text(r.name(res), at)
	case "AWS::IAM::ManagedPolicy", "AWS::IAM::OIDCProvider", "AWS::IAM::SAMLProvider":
		return text(r.arn(res), at)
	}
	return text(r.symbol("resource "+id, "${"+id+"}", true), at)
}

// pseudo is the value of a pseudo parameter (CloudFormation Template Reference,
// "Pseudo parameters reference").
func (r *resolver) pseudo(id string, at policy.Position) *policy.Node {
	switch id {
	case "AWS::NoValue":
		return nil
	case "AWS::Partition":
		if s := r.symbol("AWS::Partition", "${AWS::Partition}", false); r.asking && r.region == "" && r.is[r.ours("AWS::Region")] == "" {
			if value, ok := r.is[s]; ok {
				return text(value, at)
			}
			return text(s, at)
		}
		return text(r.partition(), at)
	case "AWS::Region":
		return text(r.theRegion(), at)
	case "AWS::URLSuffix":
		if r.partition() == "aws-cn" {
			return text("amazonaws.com.cn", at)
		}
		return text("amazonaws.com", at)
	case "AWS::AccountId":
		return text(r.account(), at)
	case "AWS::StackName":
		return text(r.ours(id), at)
	case "AWS::StackId", "AWS::NotificationARNs":
		return text(r.symbol(id, "${"+id+"}", true), at)
	}
	return r.dangling(id, "", at)
}

// ours is the symbol of a name that is one for the whole stack.
func (r *resolver) ours(id string) string { return r.symbol(id, "${"+id+"}", false) }

func (r *resolver) theRegion() string {
	if r.region != "" {
		return r.region
	}
	s := r.ours("AWS::Region")
	if value, ok := r.is[s]; ok {
		return value
	}
	return s
}

func (r *resolver) attribute(id, attribute string, at policy.Position) *policy.Node {
	res, ok := r.resources[id]
	if !ok {
		return r.dangling(id, attribute, at)
	}
	if arn := r.arn(res); attribute == "Arn" && arn != "" {
		return text(arn, at)
	}
	if attribute == "PolicyArn" && res.kind == "AWS::IAM::ManagedPolicy" {
		return text(r.arn(res), at)
	}
	return text(r.symbol("attribute "+id+"."+attribute, "${"+id+"."+showSymbols(r.symbols, attribute)+"}", true), at)
}

// dangling is a reference to nothing: a fault, unless a condition took away what
// it refers to, which CloudFormation refuses to deploy, or a macro may put it in.
func (r *resolver) dangling(id, attribute string, at policy.Position) *policy.Node {
	if !r.removed[id] && !r.written {
		r.fault(at, UnknownReference, "name", id)
	}
	return text(r.symbol("nothing "+id+"."+attribute, "${"+id+"}", true), at)
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
	return "/" + r.symbol("path "+res.id, "${"+res.id+".Path}", false) + "/"
}

// arn of the resources whose ARN's shape is known; "" of any other.
func (r *resolver) arn(res *resource) string {
	if res.known != "" {
		return res.known
	}
	iam := func(kind string) string {
		return "arn:" + r.partition() + ":iam::" + r.account() + ":" + kind + r.path(res) + r.name(res)
	}
	region := r.theRegion()
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
	case "AWS::IAM::SAMLProvider":
		return "arn:" + r.partition() + ":iam::" + r.account() + ":saml-provider/" + r.name(res)
	case "AWS::IAM::OIDCProvider":
		// Its name is its address without the scheme (IAM API Reference,
		// "CreateOpenIDConnectProvider").
		_, host, ok := strings.Cut(r.string(res.properties.Get("Url")), "://")
		if !ok || r.hasOpen(host) {
			host = r.symbol("resource "+res.id, "${"+res.id+"}", false)
		}
		return "arn:" + r.partition() + ":iam::" + r.account() + ":oidc-provider/" + strings.TrimSuffix(host, "/")
	case "AWS::S3::Bucket":
		return "arn:" + r.partition() + ":s3:::" + r.name(res)
	case "AWS::S3::AccessPoint":
		return "arn:" + r.partition() + ":s3:" + region + ":" + r.account() + ":accesspoint/" + r.name(res)
	case "AWS::KMS::Key", "AWS::KMS::ReplicaKey":
		return "arn:" + r.partition() + ":kms:" + region + ":" + r.account() + ":key/" + r.name(res)
	}
	return ""
}

// condition is the truth of a named condition under the assignment.
func (r *resolver) condition(name string, at policy.Position) bool {
	expr := r.conditions.Get(name)
	if expr == nil && r.written {
		return r.equal(r.symbol("condition "+name, "${"+name+"}", true), "true")
	}
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
