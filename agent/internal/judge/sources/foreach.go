package sources

import (
	"strings"

	"buzon/agent/policy"
)

const forEach = "Fn::ForEach::"

// loops writes the loops of a template out (CloudFormation Template Reference,
// "Fn::ForEach"): of lists that are written in it, and of those that parameters
// give. What hangs on anything else stays, and macros names it.
type loops struct {
	parameters map[string]string
	mappings   *policy.Node
	left       int // nodes that may still be made
}

// written gives a node with the loops in it written out.
func (l *loops) written(n *policy.Node) *policy.Node {
	if n == nil || !hasLoop(n) {
		return n
	}
	out := *n
	out.Items, out.Members = nil, nil
	for _, item := range n.Items {
		out.Items = append(out.Items, l.written(item))
	}
	for _, m := range n.Members {
		if strings.HasPrefix(m.Key, forEach) {
			if made, ok := l.loop(m); ok {
				out.Members = append(out.Members, made...)
				continue
			}
		} else {
			m.Value = l.written(m.Value)
		}
		out.Members = append(out.Members, m)
	}
	return &out
}

func hasLoop(n *policy.Node) bool {
	for _, m := range n.Members {
		if strings.HasPrefix(m.Key, forEach) || hasLoop(m.Value) {
			return true
		}
	}
	for _, item := range n.Items {
		if hasLoop(item) {
			return true
		}
	}
	return false
}

// loop writes one loop out; false where its list isn't known.
func (l *loops) loop(m policy.Member) ([]policy.Member, bool) {
	part := m.Value.Items
	if len(part) != 3 || part[0].Kind != policy.StringNode || part[2].Kind != policy.ObjectNode {
		return nil, false
	}
	values, ok := l.collection(part[1])
	if !ok {
		return nil, false
	}
	var out []policy.Member
	for _, value := range values {
		for _, body := range part[2].Members {
			made, ok := l.put(body, part[0].Text, value)
			if !ok {
				return nil, false
			}
			if strings.HasPrefix(made.Key, forEach) {
				inner, ok := l.loop(made)
				if !ok {
					return nil, false
				}
				out = append(out, inner...)
				continue
			}
			made.Value = l.written(made.Value)
			out = append(out, made)
		}
	}
	return out, true
}

// collection lists the values of a loop.
func (l *loops) collection(n *policy.Node) ([]string, bool) {
	if name, arg, ok := intrinsic(n); ok {
		if name == "Fn::FindInMap" && len(arg.Items) == 3 {
			v := l.mappings
			for _, key := range arg.Items {
				if name, of, ok := intrinsic(key); ok && name == "Ref" {
					given, known := l.parameters[of.Text]
					if !known {
						return nil, false
					}
					key = text(given, key.Pos)
				}
				v = v.Get(key.Text)
			}
			if v != nil && v.Kind == policy.ArrayNode {
				return l.collection(v)
			}
			return nil, false
		}
		given, known := l.parameters[arg.Text]
		if name != "Ref" || !known {
			return nil, false
		}
		var out []string
		for _, value := range strings.Split(given, ",") {
			out = append(out, strings.TrimSpace(value))
		}
		return out, true
	}
	if n.Kind != policy.ArrayNode {
		return nil, false
	}
	var out []string
	for _, item := range n.Items {
		switch {
		case item.Kind == policy.StringNode, item.Kind == policy.NumberNode, item.Kind == policy.BoolNode:
			out = append(out, item.Text)
		default:
			more, ok := l.collection(item)
			if !ok {
				return nil, false
			}
			out = append(out, more...)
		}
	}
	return out, true
}

// put puts a value in for the name of a loop: "${Name}" anywhere, and "&{Name}" for
// its letters and digits alone.
func (l *loops) put(m policy.Member, name, value string) (policy.Member, bool) {
	m.Key = put(m.Key, name, value)
	v, ok := l.putIn(m.Value, name, value)
	m.Value = v
	return m, ok
}

func put(s, name, value string) string {
	if !strings.Contains(s, "{"+name+"}") {
		return s
	}
	plain := strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return c
		}
		return -1
	}, value)
	return strings.NewReplacer("${"+name+"}", value, "&{"+name+"}", plain).Replace(s)
}

func (l *loops) putIn(n *policy.Node, name, value string) (*policy.Node, bool) {
	if l.left--; l.left < 0 {
		return n, false
	}
	if function, arg, ok := intrinsic(n); ok && function == "Ref" && arg.Text == name {
		return text(value, n.Pos), true
	}
	out := *n
	out.Text = put(n.Text, name, value)
	out.Items, out.Members = nil, nil
	for _, item := range n.Items {
		made, ok := l.putIn(item, name, value)
		if !ok {
			return n, false
		}
		out.Items = append(out.Items, made)
	}
	for _, m := range n.Members {
		made, ok := l.put(m, name, value)
		if !ok {
			return n, false
		}
		out.Members = append(out.Members, made)
	}
	return &out, true
}
