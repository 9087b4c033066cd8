package sources

import (
	"strings"

	"buzon/agent/policy"
)

// close takes open symbols out of a document, so that it can only reach more
// than what will be deployed: in an Allow such a value is everything, in a Deny
// nothing. It is false where no statement is left.
func (t *template) close(doc *policy.Node) (*policy.Node, bool) {
	out := &policy.Node{Kind: policy.ObjectNode, Pos: doc.Pos}
	left := true
	for _, m := range doc.Members {
		if m.Key == "Statement" {
			list := m.Value
			if list.Kind == policy.ObjectNode {
				list = &policy.Node{Kind: policy.ArrayNode, Pos: list.Pos, Items: []*policy.Node{list}}
			}
			if list.Kind == policy.ArrayNode {
				kept := &policy.Node{Kind: policy.ArrayNode, Pos: list.Pos}
				for _, s := range list.Items {
					if s = t.closeStatement(s); s != nil {
						kept.Items = append(kept.Items, s)
					}
				}
				left = len(kept.Items) > 0 || len(list.Items) == 0
				m.Value = kept
			}
		}
		out.Members = append(out.Members, m)
	}
	return out, left
}

// closeStatement returns nil for a Deny that may come to match nothing.
func (t *template) closeStatement(s *policy.Node) *policy.Node {
	if s.Kind == policy.StringNode && t.hasOpen(s.Text) {
		// A whole statement that only deployment knows may allow everything.
		return everything(s.Pos)
	}
	if s.Kind != policy.ObjectNode || !t.anyOpen(s) {
		return s
	}
	effect := s.Get("Effect")
	if effect == nil {
		return s
	}
	deny := effect.Text == "Deny"
	out := &policy.Node{Kind: policy.ObjectNode, Pos: s.Pos}
	for _, m := range s.Members {
		if t.anyOpen(m.Value) {
			var keep bool
			if deny {
				m, keep = t.closeDeny(m)
				if !keep {
					return nil
				}
			} else if m, keep = t.closeAllow(m); !keep {
				continue
			}
		}
		out.Members = append(out.Members, m)
	}
	return out
}

func everything(at policy.Position) *policy.Node {
	return &policy.Node{Kind: policy.ObjectNode, Pos: at, Members: []policy.Member{
		{Key: "Effect", Pos: at, Value: text("Allow", at)},
		{Key: "Action", Pos: at, Value: text("*", at)},
		{Key: "Resource", Pos: at, Value: text("*", at)},
	}}
}

// closeAllow widens one element; false drops it.
func (t *template) closeAllow(m policy.Member) (policy.Member, bool) {
	at := m.Value.Pos
	switch m.Key {
	case "Effect":
		m.Value = text("Allow", at)
	case "Action":
		m.Value = t.widen(m.Value, func(string) string { return "*" })
	case "Resource":
		m.Value = t.widen(m.Value, t.wideARN)
	case "NotAction", "NotResource":
		// What isn't known is not excluded.
		if m.Value = t.drop(m.Value); m.Value == nil {
			m.Key, m.Value = strings.TrimPrefix(m.Key, "Not"), text("*", at)
		}
	case "Principal", "NotPrincipal":
		m.Key, m.Value = "Principal", text("*", at)
	case "Condition":
		m.Value = t.dropConditions(m.Value)
		return m, m.Value != nil
	default: // Sid
		m.Value = text("", at)
		return m, false
	}
	return m, true
}

// closeDeny narrows one element; false means that the statement may match
// nothing.
func (t *template) closeDeny(m policy.Member) (policy.Member, bool) {
	switch m.Key {
	case "Action", "Resource":
		m.Value = t.drop(m.Value)
		return m, m.Value != nil
	case "Sid":
		m.Value = text("Unknown", m.Value.Pos)
		return m, true
	default:
		return m, false
	}
}

func (t *template) anyOpen(n *policy.Node) bool {
	if n.Kind == policy.StringNode {
		return t.hasOpen(n.Text)
	}
	for _, item := range n.Items {
		if t.anyOpen(item) {
			return true
		}
	}
	for _, m := range n.Members {
		if t.anyOpen(m.Value) {
			return true
		}
	}
	return false
}

func (t *template) widen(n *policy.Node, wide func(string) string) *policy.Node {
	if n.Kind == policy.StringNode && t.hasOpen(n.Text) {
		return text(wide(n.Text), n.Pos)
	}
	out := *n
	out.Items = nil
	for _, item := range n.Items {
		out.Items = append(out.Items, t.widen(item, wide))
	}
	return &out
}

// wideARN puts "*" for what isn't known; where that isn't inside the last
// segment, the whole is "*".
func (t *template) wideARN(s string) string {
	segments := policy.Segments(s)
	if len(segments) < 6 || segments[0] != "arn" || t.hasOpen(strings.Join(segments[:5], ":")) {
		return "*"
	}
	return strings.Map(func(c rune) rune {
		if t.symbols[c].Open {
			return '*'
		}
		return c
	}, s)
}

// drop leaves out what isn't known; nil where nothing is left.
func (t *template) drop(n *policy.Node) *policy.Node {
	if n.Kind == policy.StringNode && t.hasOpen(n.Text) {
		return nil
	}
	if n.Kind != policy.ArrayNode {
		return n
	}
	out := *n
	out.Items = nil
	for _, item := range n.Items {
		if item = t.drop(item); item != nil {
			out.Items = append(out.Items, item)
		}
	}
	if len(out.Items) == 0 && len(n.Items) > 0 {
		return nil
	}
	return &out
}

// dropConditions leaves out the conditions that hang on what isn't known.
func (t *template) dropConditions(n *policy.Node) *policy.Node {
	if n.Kind != policy.ObjectNode {
		return nil
	}
	out := &policy.Node{Kind: policy.ObjectNode, Pos: n.Pos}
	for _, operator := range n.Members {
		if operator.Value.Kind != policy.ObjectNode {
			if !t.anyOpen(operator.Value) {
				out.Members = append(out.Members, operator)
			}
			continue
		}
		kept := &policy.Node{Kind: policy.ObjectNode, Pos: operator.Value.Pos}
		for _, key := range operator.Value.Members {
			if !t.anyOpen(key.Value) {
				kept.Members = append(kept.Members, key)
			}
		}
		if len(kept.Members) > 0 {
			operator.Value = kept
			out.Members = append(out.Members, operator)
		}
	}
	if len(out.Members) == 0 {
		return nil
	}
	return out
}
