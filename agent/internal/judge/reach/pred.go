package reach

import (
	"encoding/base64"
	"net/netip"

	"buzon/agent/internal/judge/reach/strset"
	"buzon/agent/policy"
)

// pred is the set of single values that equal one of a condition's, by its test
// without the negation.
type pred struct {
	field  field
	texts  *strset.Set
	spans  []span
	blocks []netip.Prefix
	all    bool                                   // also everything else: a value isn't known
	may    func(l *strset.Set, value string) bool // set where values and texts hold symbols that may be equal
	number int                                    // in its view, once it is part of a dimension
}

// field is what a test compares.
type field uint8

const (
	asText field = iota
	asNumber
	asDate
	asAddress
	fields
)

func fieldOf(t policy.Test) field {
	switch t {
	case policy.NumericEquals, policy.NumericNotEquals, policy.NumericLessThan, policy.NumericLessThanEquals,
		policy.NumericGreaterThan, policy.NumericGreaterThanEquals:
		return asNumber
	case policy.DateEquals, policy.DateNotEquals, policy.DateLessThan, policy.DateLessThanEquals,
		policy.DateGreaterThan, policy.DateGreaterThanEquals:
		return asDate
	case policy.IPAddress, policy.NotIPAddress:
		return asAddress
	case policy.StringEquals, policy.StringNotEquals, policy.StringEqualsIgnoreCase, policy.StringNotEqualsIgnoreCase,
		policy.StringLike, policy.StringNotLike, policy.Bool, policy.BinaryEquals, policy.ArnEquals, policy.ArnLike,
		policy.ArnNotEquals, policy.ArnNotLike, policy.Null:
	}
	return asText
}

// has tells whether a value is in the set.
func (p *pred) has(value string) bool {
	if p.all {
		return true
	}
	switch p.field {
	case asNumber:
		v, ok := policy.ParseNumber(value)
		return ok && p.inSpan(v)
	case asDate:
		t, ok := policy.ParseDate(value)
		return ok && p.inSpan(instantOf(t))
	case asAddress:
		a, ok := policy.ParseIP(value)
		if !ok || !a.IsSingleIP() {
			return false
		}
		for _, b := range p.blocks {
			if b.Contains(a.Addr()) {
				return true
			}
		}
		return false
	case asText, fields:
	}
	if p.may != nil {
		return p.may(p.texts, value)
	}
	return p.texts.Has(value)
}

func (p *pred) inSpan(v float64) bool {
	for _, s := range p.spans {
		if s.has(v) {
			return true
		}
	}
	return false
}

// pred makes the set of a condition's values, under a reading of the statement.
func (c *scope) pred(cond *policy.Condition, r reading) *pred {
	s := c.view.e.space
	t := cond.Operator.Test
	r.segments = r.allow == t.Negated()
	if t.Negated() {
		r.b = may + must - r.b
	}
	p := &pred{field: fieldOf(t), texts: s.None}
	if r.expand && r.b == may {
		p.may = c.view.e.mayEqual
	}
	if p.field == asNumber && lower(cond.Key) == "aws:epochtime" {
		p.field = asDate // the one clock, in seconds
	}
	var list []*strset.Set
	for _, v := range cond.Values {
		list = append(list, c.valueOf(p, t, v, r)...)
	}
	if len(list) > 0 {
		p.texts = s.Union(list)
	}
	return p
}

// valueOf adds one value of a condition to a set, or gives its texts.
func (c *scope) valueOf(p *pred, t policy.Test, v policy.Text, r reading) (texts []*strset.Set) {
	s := c.view.e.space
	// A symbol where a number, date, address or Boolean should be.
	unknown := func() { p.all = p.all || r.b == may && policy.HasSymbol(v.Value) }
	switch t {
	case policy.StringLike, policy.StringNotLike:
		if tokens, ok := c.tokens(v.Value, r); ok {
			texts = append(texts, s.Glob(tokens, false))
		}
	case policy.StringEquals, policy.StringNotEquals, policy.StringEqualsIgnoreCase, policy.StringNotEqualsIgnoreCase:
		exact := r
		exact.plain = true
		if tokens, ok := c.tokens(v.Value, exact); ok {
			texts = append(texts, s.Glob(tokens, t == policy.StringEqualsIgnoreCase || t == policy.StringNotEqualsIgnoreCase))
		}
	case policy.ArnEquals, policy.ArnLike, policy.ArnNotEquals, policy.ArnNotLike:
		texts = append(texts, c.arns(v.Value, r))
	case policy.Bool:
		if b, ok := policy.ParseBool(v.Value); !ok {
			unknown()
		} else if b {
			texts = append(texts, s.Glob(strset.Chars("true"), true))
		} else {
			texts = append(texts, s.Glob(strset.Chars("false"), true))
		}
	case policy.BinaryEquals:
		if raw, err := base64.StdEncoding.DecodeString(v.Value); err == nil {
			texts = append(texts, s.text(base64.StdEncoding.EncodeToString(raw)))
		}
	case policy.IPAddress, policy.NotIPAddress:
		if b, ok := policy.ParseIP(v.Value); ok {
			p.blocks = append(p.blocks, b)
		} else {
			unknown()
		}
	case policy.NumericEquals, policy.NumericNotEquals, policy.NumericLessThan, policy.NumericLessThanEquals,
		policy.NumericGreaterThan, policy.NumericGreaterThanEquals:
		if n, ok := policy.ParseNumber(v.Value); ok {
			p.spans = append(p.spans, spanOf(t, n))
		} else {
			unknown()
		}
	case policy.DateEquals, policy.DateNotEquals, policy.DateLessThan, policy.DateLessThanEquals,
		policy.DateGreaterThan, policy.DateGreaterThanEquals:
		if d, ok := policy.ParseDate(v.Value); ok {
			p.spans = append(p.spans, spanOf(t, instantOf(d)))
		} else {
			unknown()
		}
	case policy.Null: // answered by presence
	}
	return texts
}

// arns is the set of ARNs that match segment by segment. A pattern that hasn't
// six is a glob where it is read widely, and matches nothing elsewhere. Where a variable could be any text, also one with
// colons, the whole is one glob.
func (c *scope) arns(text string, r reading) *strset.Set {
	s := c.view.e.space
	tokens, ok := c.tokens(text, r)
	if !ok {
		return s.None
	}
	if r.b == may && c.vague(text, r) {
		return s.Glob(tokens, false)
	}
	switch parts, ok := bySegment(tokens); {
	case ok:
		return s.Glob(parts, false)
	case !r.segments:
		return s.Glob(tokens, false)
	}
	return s.None
}

// vague tells whether a text holds something that tokens had to widen.
func (c *scope) vague(text string, r reading) bool {
	if policy.HasSymbol(text) {
		return true
	}
	pieces, ok := policy.Pieces(text, r.variables)
	if !ok {
		return true
	}
	for _, p := range pieces {
		if p.Kind == policy.Variable {
			if st := c.state(lower(p.Key)); !st.fixed || len(st.values) > 1 {
				return true
			}
		}
	}
	return false
}
