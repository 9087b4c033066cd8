package sources

import (
	"slices"
	"strings"

	"buzon/agent/policy"
)

// closed is a document in which nothing is open any more, read twice: most can
// only reach more than what will be deployed (in an Allow an open value is
// everything, in a Deny nothing), and surely is what holds whatever the values
// turn out to be.
type closed struct {
	most, surely     *policy.Node
	sample, blocking []int // statements of surely; see policy.Surely
	open             map[int]policy.Opening
}

// statement is one statement, closed.
type statement struct {
	most     *policy.Node // nil where none is left
	surely   []*policy.Node
	sample   int  // how many of the last of surely stand for one value of many
	blocking bool // surely only may be there to forbid
	open     policy.Opening
}

// perhaps is the statement of a document that may be another bucket's.
func (st statement) perhaps(s *policy.Node, bucket string) statement {
	st.open.Bucket = bucket
	st.sample = 0
	if effect := s.Get("Effect"); effect != nil && effect.Text == "Deny" {
		st.most = nil
	} else if !st.blocking {
		st.surely = nil
	}
	return st
}

// close takes what is open out of a document. Where unsure names what it hangs on,
// it is only perhaps a document of that: what it allows counts among the most, and
// what it denies among what may forbid.
func (t *template) close(doc *policy.Node, kind policy.Kind, unsure string) closed {
	t.anything = "*"
	if kind == policy.BucketPolicy {
		t.anything = t.bucketARN("*") // S3 takes no other there
	}
	c := closed{most: &policy.Node{Kind: policy.ObjectNode, Pos: doc.Pos}, surely: &policy.Node{Kind: policy.ObjectNode, Pos: doc.Pos}}
	for _, m := range doc.Members {
		most, surely := m, m
		if m.Key == "Statement" {
			list := m.Value
			if list.Kind != policy.ArrayNode {
				list = &policy.Node{Kind: policy.ArrayNode, Pos: list.Pos, Items: []*policy.Node{list}}
			}
			most.Value, surely.Value = c.statements(t, list, kind, unsure)
		}
		c.most.Members = append(c.most.Members, most)
		c.surely.Members = append(c.surely.Members, surely)
	}
	return c
}

func (c *closed) statements(t *template, list *policy.Node, kind policy.Kind, unsure string) (most, surely *policy.Node) {
	most = &policy.Node{Kind: policy.ArrayNode, Pos: list.Pos}
	surely = &policy.Node{Kind: policy.ArrayNode, Pos: list.Pos}
	for _, s := range list.Items {
		st := t.closeStatement(s, kind)
		if unsure != "" {
			st = st.perhaps(s, unsure)
		}
		at := -1
		if st.most != nil {
			at = len(most.Items)
			most.Items = append(most.Items, st.most)
		}
		if st.open != (policy.Opening{}) {
			if c.open == nil {
				c.open = map[int]policy.Opening{}
			}
			c.open[at] = st.open
		}
		for i, n := range st.surely {
			if i >= len(st.surely)-st.sample {
				c.sample = append(c.sample, len(surely.Items))
			}
			if st.blocking {
				c.blocking = append(c.blocking, len(surely.Items))
			}
			surely.Items = append(surely.Items, n)
		}
	}
	return most, surely
}

func (t *template) closeStatement(s *policy.Node, kind policy.Kind) statement {
	if !t.anyOpen(s) {
		return statement{most: s, surely: []*policy.Node{s}}
	}
	st := statement{open: t.whatIsOpen(s)}
	effect := s.Get("Effect")
	switch {
	case s.Kind != policy.ObjectNode:
		// It may allow everything, and it may forbid everything.
		st.most, st.surely, st.blocking = t.everything("Allow", kind, s.Pos), []*policy.Node{t.everything("Deny", kind, s.Pos)}, true
	case effect != nil && t.anyOpen(effect):
		st.most = t.rebuild(with(s, "Effect", "Allow"), t.widest)
		st.surely, st.blocking = []*policy.Node{t.rebuild(with(s, "Effect", "Deny"), t.widest)}, true
	case effect != nil && effect.Text == "Deny":
		st.most = t.rebuild(s, t.narrowest)
		st.surely = []*policy.Node{t.rebuild(t.bucketFor(s), t.widest)}
	default:
		st.most = t.rebuild(s, t.widest)
		if known := t.rebuild(s, t.narrowest); known != nil {
			st.surely = append(st.surely, known)
		}
		if sample := t.sampleOf(s); sample != nil {
			sample.Members = slices.DeleteFunc(sample.Members, func(m policy.Member) bool { return m.Key == "Sid" }) // the known part has it
			st.surely, st.sample = append(st.surely, sample), 1
		}
	}
	return st
}

// with is a statement with another value of one element.
func with(s *policy.Node, key, value string) *policy.Node {
	out := *s
	out.Members = slices.Clone(s.Members)
	for i, m := range out.Members {
		if m.Key == key {
			out.Members[i].Value = text(value, m.Value.Pos)
		}
	}
	return &out
}

// everything is a statement on all that a policy of that kind can speak of.
func (t *template) everything(effect string, kind policy.Kind, at policy.Position) *policy.Node {
	out := &policy.Node{Kind: policy.ObjectNode, Pos: at}
	add := func(key, value string) {
		out.Members = append(out.Members, policy.Member{Key: key, Pos: at, Value: text(value, at)})
	}
	add("Effect", effect)
	grammar := kind.Grammar()
	if grammar != policy.Identity {
		add("Principal", "*")
	}
	if grammar == policy.TrustGrammar {
		add("Action", "sts:*")
		return out
	}
	add("Action", "*")
	add("Resource", t.anything)
	return out
}

// fate is what becomes of an element that is open.
type fate uint8

const (
	kept   fate = iota
	gone        // the statement goes on without it
	nobody      // the statement may match nothing
)

// rebuild closes the elements of a statement that are open; nil where it may match
// nothing.
func (t *template) rebuild(s *policy.Node, element func(policy.Member) (policy.Member, fate)) *policy.Node {
	out := &policy.Node{Kind: policy.ObjectNode, Pos: s.Pos}
	for _, m := range s.Members {
		if t.anyOpen(m.Value) {
			var f fate
			switch m, f = element(m); f {
			case gone:
				continue
			case nobody:
				return nil
			case kept:
			}
		}
		out.Members = append(out.Members, m)
	}
	return out
}

// widest makes an element match at least what it will.
func (t *template) widest(m policy.Member) (policy.Member, fate) {
	at := m.Value.Pos
	switch m.Key {
	case "Action":
		m.Value = t.widen(m.Value, func(string) []string { return []string{"*"} })
	case "Resource":
		m.Value = t.widen(m.Value, t.wideARN)
	case "NotAction", "NotResource", "NotPrincipal":
		// What isn't known is not excluded.
		if m.Value = t.drop(m.Value); m.Value == nil {
			m.Key, m.Value = strings.TrimPrefix(m.Key, "Not"), text("*", at)
			if m.Key == "Resource" {
				m.Value.Text = t.anything
			}
		}
	case "Principal":
		m.Value = t.anybody(m.Value)
	case "Condition":
		if m.Value = t.dropConditions(m.Value); m.Value == nil {
			return m, gone
		}
	default: // Sid
		return m, gone
	}
	return m, kept
}

// anybody widens principals. A service that isn't known is none of ours.
func (t *template) anybody(n *policy.Node) *policy.Node {
	if n.Kind != policy.ObjectNode {
		return text("*", n.Pos)
	}
	out := *n
	out.Members = nil
	for _, m := range n.Members {
		if t.anyOpen(m.Value) {
			if m.Key != "Service" {
				return text("*", n.Pos)
			}
			m.Value = t.widen(m.Value, func(string) []string { return []string{"unknown.amazonaws.com"} })
		}
		out.Members = append(out.Members, m)
	}
	return &out
}

// narrowest makes an element match no more than it surely will.
func (t *template) narrowest(m policy.Member) (policy.Member, fate) {
	switch m.Key {
	case "Action", "Resource", "Principal":
		if m.Value = t.drop(m.Value); m.Value == nil {
			return m, nobody
		}
		return m, kept
	case "Sid":
		return m, gone
	default:
		return m, nobody
	}
}

// sampleOf is an Allow with a value for what is open in its resource, where all
// else is known: the one that breaks no rule, if any does not. What the statement
// allows beyond the contract even so it allows with every value.
func (t *template) sampleOf(s *policy.Node) *policy.Node {
	whole := t.anything // of what can't be in the contract, any resource breaks it
	if mayWrite(s.Get("Action")) {
		whole = t.bucketARN(t.targetName()) + "/" + t.contractPrefix() + "*"
	}
	return t.rebuild(s, func(m policy.Member) (policy.Member, fate) {
		if m.Key != "Resource" {
			return m, nobody
		}
		m.Value = t.widen(t.openOnly(m.Value), func(s string) []string { return []string{t.sampleARN(s, whole)} })
		return m, kept
	})
}

// mayWrite reports whether actions may hold one of the contract.
func mayWrite(actions *policy.Node) bool {
	if actions == nil {
		return true // NotAction
	}
	return slices.ContainsFunc(append([]*policy.Node{actions}, actions.Items...), func(n *policy.Node) bool {
		return n.Kind == policy.StringNode && (matches(n.Text, "s3:putobject") || matches(n.Text, "s3:abortmultipartupload"))
	})
}

// matches holds a pattern of IAM against a text in lower case.
func matches(pattern, s string) bool {
	p := strings.Map(func(c rune) rune {
		if c == '*' {
			return policy.LastSymbol
		}
		return c
	}, strings.ToLower(pattern))
	return mayBe(strings.ReplaceAll(p, "?", string(policy.LastSymbol)), s)
}

// openOnly leaves of a list what is open.
func (t *template) openOnly(n *policy.Node) *policy.Node {
	if n.Kind != policy.ArrayNode {
		return n
	}
	out := *n
	out.Items = slices.DeleteFunc(slices.Clone(n.Items), func(item *policy.Node) bool { return !t.anyOpen(item) })
	return &out
}

// sampleARN puts in for what is open what names the bucket in question, or what is
// under the prefix in it.
func (t *template) sampleARN(s, whole string) string {
	if rest, ok := strings.CutPrefix(s, t.bucketARN("")); ok {
		name, key, object := strings.Cut(rest, "/")
		if strings.ContainsFunc(name, t.isOpen) {
			name = t.targetName()
		}
		if object {
			name += "/" + t.sampleKey(key)
		}
		return t.bucketARN(name)
	}
	if segments := policy.Segments(s); len(segments) == 6 && segments[0] == "arn" {
		return t.fill(s, "x", "x") // whichever: no value of it is in the contract
	}
	return whole
}

// sampleKey puts into a key what keeps it under the prefix.
func (t *template) sampleKey(key string) string {
	at := strings.IndexFunc(key, t.isOpen)
	if at < 0 {
		return key
	}
	if rest, ok := strings.CutPrefix(t.contractPrefix(), key[:at]); ok {
		return t.fill(key, rest, "x")
	}
	return t.fill(key, "x", "x")
}

// fill puts texts for what is open: one for the first, and one for all others.
func (t *template) fill(s, first, others string) string {
	var b strings.Builder
	for _, c := range s {
		if !t.isOpen(c) {
			b.WriteRune(c)
			continue
		}
		b.WriteString(first)
		first = others
	}
	return b.String()
}

// isOpen tells the symbols that may be any text, and those of buckets that only may
// be the one in question.
func (t *template) isOpen(c rune) bool { return t.symbols[c].Open || t.maybe[c] }

func (t *template) anyMaybe(s string) bool {
	return len(t.maybe) > 0 && strings.ContainsFunc(s, func(c rune) bool { return t.maybe[c] })
}

func (t *template) anyOpen(n *policy.Node) bool {
	if n.Kind == policy.StringNode {
		return strings.ContainsFunc(n.Text, t.isOpen)
	}
	return slices.ContainsFunc(n.Items, t.anyOpen) ||
		slices.ContainsFunc(n.Members, func(m policy.Member) bool { return t.anyOpen(m.Value) })
}

// whatIsOpen names what is open in a node.
func (t *template) whatIsOpen(n *policy.Node) policy.Opening {
	var names []string
	bucket := ""
	var walk func(*policy.Node)
	walk = func(n *policy.Node) {
		for _, c := range n.Text {
			if name := t.symbols[c].Name; t.isOpen(c) && !slices.Contains(names, name) {
				names = append(names, name)
			}
			if t.maybe[c] {
				bucket = t.symbols[c].Name
			}
		}
		for _, item := range n.Items {
			walk(item)
		}
		for _, m := range n.Members {
			walk(m.Value)
		}
	}
	walk(n)
	return policy.Opening{Names: strings.Join(names, ", "), Bucket: bucket}
}

// widen puts wider texts for what is open.
func (t *template) widen(n *policy.Node, wide func(string) []string) *policy.Node {
	if n.Kind == policy.StringNode {
		if !t.anyOpen(n) {
			return n
		}
		texts := wide(n.Text)
		if len(texts) == 1 {
			return text(texts[0], n.Pos)
		}
		out := &policy.Node{Kind: policy.ArrayNode, Pos: n.Pos}
		for _, s := range texts {
			out.Items = append(out.Items, text(s, n.Pos))
		}
		return out
	}
	out := *n
	out.Items = nil
	for _, item := range n.Items {
		if item = t.widen(item, wide); item.Kind == policy.ArrayNode {
			out.Items = append(out.Items, item.Items...)
		} else {
			out.Items = append(out.Items, item)
		}
	}
	return &out
}

// wideARN puts "*" for what isn't known; where that isn't inside the last
// segment, the whole is "*". A bucket that may be the one in question is both.
func (t *template) wideARN(s string) []string {
	segments := policy.Segments(s)
	if len(segments) < 6 || segments[0] != "arn" || t.hasOpen(strings.Join(segments[:5], ":")) {
		return []string{t.anything}
	}
	out := []string{strings.Map(func(c rune) rune {
		if t.symbols[c].Open {
			return '*'
		}
		return c
	}, s)}
	if t.anyMaybe(s) {
		out = append(out, t.asTarget(out[0]))
	}
	return out
}

// asTarget takes the buckets that may be the one in question as that.
func (t *template) asTarget(s string) string {
	for c := range t.maybe {
		s = strings.ReplaceAll(s, string(c), t.targetName())
	}
	return s
}

// bucketFor is asTarget for a whole statement.
func (t *template) bucketFor(n *policy.Node) *policy.Node {
	if len(t.maybe) == 0 {
		return n
	}
	out := *n
	out.Text, out.Items, out.Members = t.asTarget(n.Text), nil, nil
	for _, item := range n.Items {
		out.Items = append(out.Items, t.bucketFor(item))
	}
	for _, m := range n.Members {
		m.Value = t.bucketFor(m.Value)
		out.Members = append(out.Members, m)
	}
	return &out
}

// drop leaves out what isn't known; nil where nothing is left.
func (t *template) drop(n *policy.Node) *policy.Node {
	if n.Kind == policy.StringNode && t.anyOpen(n) {
		return nil
	}
	switch n.Kind {
	case policy.ArrayNode:
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
	case policy.ObjectNode: // principals
		out := *n
		out.Members = nil
		for _, m := range n.Members {
			if m.Value = t.drop(m.Value); m.Value != nil {
				out.Members = append(out.Members, m)
			}
		}
		if len(out.Members) == 0 && len(n.Members) > 0 {
			return nil
		}
		return &out
	default:
		return n
	}
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
