package sources

import (
	"slices"
	"strconv"
	"strings"

	"buzon/agent/policy"
)

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
