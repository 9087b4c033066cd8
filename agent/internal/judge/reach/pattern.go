package reach

import (
	"strconv"
	"strings"

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
func (c *scope) tokens(text string, r reading) (list []token, ok bool) {
	pieces, understood := policy.Pieces(text, r.variables)
	if !understood {
		return []token{{kind: run}}, r.b == may
	}
	for _, p := range pieces {
		switch p.Kind {
		case policy.Literal:
			if list, ok = c.literal(list, p.Text, r); !ok {
				return nil, false
			}
		case policy.AnyRun:
			if r.plain {
				list = append(list, token{kind: char, r: '*'})
			} else {
				list = append(list, token{kind: run})
			}
		case policy.AnyOne:
			switch {
			case r.plain:
				list = append(list, token{kind: char, r: '?'})
			case r.b == must:
				// Of how many characters a symbol will be isn't known.
				list = append(list, token{kind: one, but: c.view.e.symbolChars})
			default:
				list = append(list, token{kind: one})
			}
		case policy.Variable:
			key := strings.ToLower(p.Key)
			state := c.state(key)
			switch {
			case !state.fixed, len(state.values) > 1:
				c.unfixed(key)
				if r.b == must {
					return nil, false
				}
				list = append(list, token{kind: run})
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
func (c *scope) literal(list []token, text string, r reading) ([]token, bool) {
	if r.expand && r.b == may {
		return append(list, c.view.e.symbolTokens(text)...), true
	}
	for _, ch := range text {
		if policy.IsSymbol(ch) && c.view.e.set.Symbols[ch].Open {
			switch {
			case r.allow && r.b == may:
				list = append(list, token{kind: run})
				continue
			case !r.allow && r.b == must:
				return nil, false
			}
		}
		list = append(list, token{kind: char, r: ch})
	}
	return list, true
}

// bySegment rewrites tokens so that wildcards don't cross the first five colons;
// false if the text hasn't six segments.
func bySegment(list []token) ([]token, bool) {
	out := make([]token, len(list))
	colons := 0
	for i, t := range list {
		if colons < 5 {
			switch {
			case t.kind == char && t.r == ':':
				colons++
			case t.kind != char:
				t.but += ":"
			}
		}
		out[i] = t
	}
	return out, colons == 5
}

// glob makes the set of one token list, and remembers it.
func (s *Space) glob(list []token, fold bool) *lang {
	key := make([]byte, 0, 2*len(list)+8)
	if fold {
		key = append(key, 'f')
	}
	for _, t := range list {
		switch t.kind {
		case char:
			if t.r == 0 || t.r == 1 || t.r == 2 {
				key = append(key, 2)
			}
			key = append(key, string(t.r)...)
		case one, run:
			key = append(key, byte(t.kind-one))
			key = strconv.AppendInt(key, int64(len(t.but)), 10)
			key = append(key, t.but...)
		}
	}
	if l, ok := s.globs[string(key)]; ok {
		return l
	}
	l := s.build([][]token{list}, fold)
	s.globs[string(key)] = l
	return l
}

// resources is the set of resources that a statement's Resource or NotResource
// matches, under a reading.
func (c *scope) resources(st *stmt) *lang {
	s := c.view.e.space
	if st.all || st.kind == policy.Trust {
		return s.any
	}
	if st.res != nil {
		return st.res
	}
	r := reading{b: st.b, allow: st.allow, variables: st.variables, segments: st.allow == st.st.NotResource}
	if st.st.NotResource {
		r.b = may + must - r.b
	}
	list := make([]*lang, 0, len(st.st.Resources))
	for _, text := range st.st.Resources {
		if !st.allow && st.st.NotResource && st.b == must && c.void(text.Value, r) {
			// The page on variables has it that the statement may not be valid.
			return s.none
		}
		list = append(list, c.resource(text.Value, st.kind, r))
	}
	l := s.union(list)
	if st.st.NotResource {
		l = s.not(l)
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
func (c *scope) resource(text string, kind policy.Kind, r reading) *lang {
	s := c.view.e.space
	if text == "*" {
		return s.any
	}
	whole := policy.CompleteARN(text)
	if r.segments && kind.OfResource() && len(policy.Segments(text)) < 6 && !strings.ContainsAny(text, "*?") {
		return s.none
	}
	list, ok := c.tokens(whole, r)
	if !ok {
		return s.none
	}
	l := s.glob(list, false)
	if whole != text && !r.segments {
		// The wildcards of a short ARN may run on past the colons it seems to lack.
		if short, ok := c.tokens(text, r); ok {
			l = s.or(l, s.glob(short, false))
		}
	}
	if r.segments {
		parts, ok := bySegment(list)
		if !ok {
			return s.none
		}
		l = s.and(l, s.glob(parts, false))
	}
	if r.b == may {
		l = c.view.e.symbolic(l, c.place)
	}
	return l
}
