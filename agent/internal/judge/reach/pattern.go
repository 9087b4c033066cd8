package reach

import (
	"strings"

	"buzon/agent/internal/judge/reach/strset"
	"buzon/agent/policy"
)

// reading is how a text of a statement is to be read: whose statement it is,
// which bound is wanted, and whether "*" and "?" are wildcards.
type reading struct {
	b         bound
	allow     bool
	variables bool
	plain     bool
	segments  bool // an ARN counts only where it matches segment by segment as well
	expand    bool // a symbol is what it could stand for
}

// tokens takes a text apart. It is false where nothing can match: a variable
// without a value, or one that is not known where only the certain counts.
// vague reports a variable that isn't fixed, or a text that isn't understood.
func (c *scope) tokens(text string, r reading) (list []strset.Token, ok bool) {
	if !strings.Contains(text, "$") {
		return c.plainTokens(text, r)
	}
	pieces, understood := policy.Pieces(text, r.variables)
	if !understood {
		return []strset.Token{{Kind: strset.Run}}, r.b == may
	}
	for _, p := range pieces {
		switch p.Kind {
		case policy.Literal:
			if list, ok = c.literal(list, p.Text, r); !ok {
				return nil, false
			}
		case policy.AnyRun:
			list = append(list, c.wildcard('*', r))
		case policy.AnyOne:
			list = append(list, c.wildcard('?', r))
		case policy.Variable:
			key := strings.ToLower(p.Key)
			state := c.state(key)
			switch {
			case !state.fixed, len(state.values) > 1:
				c.unfixed(key)
				if r.b == must {
					return nil, false
				}
				list = append(list, strset.Token{Kind: strset.Run})
				continue
			case len(state.values) == 1:
				list, ok = c.literal(list, state.values[0], r)
			case p.HasDefault:
				list, ok = c.literal(list, p.Default, r)
			default:
				return nil, false
			}
			if !ok {
				return nil, false
			}
		}
	}
	return list, true
}

// plainTokens are those of a text without variables.
func (c *scope) plainTokens(text string, r reading) (list []strset.Token, ok bool) {
	list = make([]strset.Token, 0, len(text))
	for text != "" {
		at := strings.IndexAny(text, "*?")
		if at < 0 {
			return c.literal(list, text, r)
		}
		if list, ok = c.literal(list, text[:at], r); !ok {
			return nil, false
		}
		list = append(list, c.wildcard(rune(text[at]), r))
		text = text[at+1:]
	}
	return list, true
}

// wildcard is "*" or "?" as a reading has it.
func (c *scope) wildcard(char rune, r reading) strset.Token {
	switch {
	case r.plain:
		return strset.Token{Kind: strset.Char, R: char}
	case char == '*':
		return strset.Token{Kind: strset.Run}
	case r.b == must:
		// Of how many characters a symbol will be isn't known.
		return strset.Token{Kind: strset.One, But: c.view.e.symbolChars}
	}
	return strset.Token{Kind: strset.One}
}

// void tells whether a text holds a variable that may have neither a value nor a
// default.
func (c *scope) void(text string, r reading) bool {
	pieces, _ := policy.Pieces(text, r.variables)
	for _, p := range pieces {
		if p.Kind != policy.Variable || p.HasDefault {
			continue
		}
		key := lower(p.Key)
		if state := c.state(key); !state.fixed {
			c.unfixed(key)
			return true
		} else if len(state.values) == 0 {
			return true
		}
	}
	return false
}

// literal spells a text out. A symbol is itself; an open one is anything where
// an Allow is read widely, and nothing where a Deny is read narrowly.
func (c *scope) literal(list []strset.Token, text string, r reading) ([]strset.Token, bool) {
	if r.expand && r.b == may {
		return append(list, c.view.e.symbolTokens(text)...), true
	}
	for _, ch := range text {
		if policy.IsSymbol(ch) && c.view.e.set.Symbols[ch].Open {
			switch {
			case r.allow && r.b == may:
				list = append(list, strset.Token{Kind: strset.Run})
				continue
			case !r.allow && r.b == must:
				return nil, false
			}
		}
		list = append(list, strset.Token{Kind: strset.Char, R: ch})
	}
	return list, true
}

// bySegment rewrites tokens so that wildcards don't cross the first five colons;
// false if the text hasn't six segments.
func bySegment(list []strset.Token) ([]strset.Token, bool) {
	out := make([]strset.Token, len(list))
	colons := 0
	for i, t := range list {
		if colons < 5 {
			switch {
			case t.Kind == strset.Char && t.R == ':':
				colons++
			case t.Kind != strset.Char:
				t.But += ":"
			}
		}
		out[i] = t
	}
	return out, colons == 5
}

// resources is the set of resources that a statement's Resource or NotResource
// matches, under a reading.
func (c *scope) resources(st *stmt) *strset.Set {
	s := c.view.e.space
	if st.all || st.kind == policy.Trust {
		return s.Any
	}
	if st.res != nil {
		return st.res
	}
	r := reading{b: st.b, allow: st.allow, variables: st.variables, segments: st.allow == st.st.NotResource}
	if st.st.NotResource {
		r.b = may + must - r.b
	}
	list := make([]*strset.Set, 0, len(st.st.Resources))
	for _, text := range st.st.Resources {
		if !st.allow && st.st.NotResource && st.b == must && c.void(text.Value, r) {
			// The page on variables has it that the statement may not be valid.
			return s.None
		}
		list = append(list, c.resource(text.Value, st.kind, r))
	}
	l := s.Union(list)
	if st.st.NotResource {
		l = s.Not(l)
	}
	if st.plain && c.view.e.symbolChars == "" {
		st.res = l
	}
	return l
}

// resource is the set of one pattern. An Allow counts as one glob over the whole
// ARN, a Deny only where it matches segment by segment as well (IAM User Guide,
// "IAM JSON policy elements: Resource": a wildcard that ends a segment can run
// on past the next colons).
func (c *scope) resource(text string, kind policy.Kind, r reading) *strset.Set {
	s := c.view.e.space
	if text == "*" {
		return s.Any
	}
	if c.view.e.symbolChars == "" && !strings.Contains(text, "$") {
		// Nothing but the text tells what it is: many sets have the same.
		name := "resource " + text
		if r.segments {
			name = "by segment " + text
		}
		if kind.OfResource() {
			name = "of " + name
		}
		return s.Named(name, func() *strset.Set { return c.pattern(text, kind, r) })
	}
	return c.pattern(text, kind, r)
}

// pattern makes the set of resource.
func (c *scope) pattern(text string, kind policy.Kind, r reading) *strset.Set {
	s := c.view.e.space
	whole := policy.CompleteARN(text)
	if r.segments && kind.OfResource() && len(policy.Segments(text)) < 6 && !strings.ContainsAny(text, "*?") {
		return s.None
	}
	list, ok := c.tokens(whole, r)
	if !ok {
		return s.None
	}
	l := s.Glob(list, false)
	if whole != text && !r.segments {
		// The wildcards of a short ARN may run on past the colons it seems to lack.
		if short, ok := c.tokens(text, r); ok {
			l = s.Or(l, s.Glob(short, false))
		}
	}
	if r.segments {
		parts, ok := bySegment(list)
		if !ok {
			return s.None
		}
		l = s.And(l, s.Glob(parts, false))
	}
	if r.b == may {
		l = c.view.e.symbolic(l, c.class)
	}
	return l
}
