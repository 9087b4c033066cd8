package sources

import (
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

func (r *resolver) hasOpen(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return r.symbols[c].Open })
}
