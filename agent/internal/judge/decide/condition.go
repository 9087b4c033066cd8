package decide

import (
	"encoding/base64"
	"strings"

	"buzon/agent/policy"
)

// holds reports whether the request meets a condition. With wide, what could
// meet it does.
func (c *condition) holds(r *request, wide bool) truth {
	values := r.values(c.key)
	if c.op.Test == policy.Null {
		for _, v := range c.values {
			if v.ok && v.truth == (len(values) == 0) || !v.ok && wide {
				return yes
			}
		}
		return no
	}
	if len(values) == 0 {
		switch {
		case c.op.IfExists:
			// One page lets every IfExists hold over an absent key, another lets
			// every ForAnyValue fail.
			return sure(wide || c.op.Quantifier != policy.ForAnyValue)
		case c.op.Quantifier == policy.ForAllValues:
			return yes
		case c.op.Quantifier == policy.ForAnyValue:
			return no
		}
		return sure(c.op.Test.Negated())
	}
	switch c.op.Quantifier {
	case policy.ForAllValues:
		all := yes
		for _, v := range values {
			all = min(all, c.meets(v, r, wide))
		}
		return all
	case policy.ForAnyValue:
		some := no
		for _, v := range values {
			some = max(some, c.meets(v, r, wide))
		}
		return some
	case policy.Single:
	}
	if len(values) > 1 {
		return no // an operator without a quantifier compares single values
	}
	return c.meets(values[0], r, wide)
}

// meets holds one value of the request against all values of the condition.
func (c *condition) meets(got string, r *request, wide bool) truth {
	negated := c.op.Test.Negated()
	some := no
	for i := range c.values {
		some = max(some, c.values[i].equals(c.op.Test, got, r, wide != negated))
	}
	if negated {
		return some.not()
	}
	return some
}

// equals compares one value of the request with one of the condition, by the
// test without its negation.
func (v *value) equals(t policy.Test, got string, r *request, wide bool) truth {
	switch t {
	case policy.StringEquals, policy.StringNotEquals, policy.StringLike, policy.StringNotLike:
		return v.pattern.match(got, r, wide, false)
	case policy.StringEqualsIgnoreCase, policy.StringNotEqualsIgnoreCase:
		return v.pattern.fold(got, r, wide)
	case policy.ArnEquals, policy.ArnLike, policy.ArnNotEquals, policy.ArnNotLike:
		return v.pattern.arn(got, r, wide)
	case policy.NumericEquals, policy.NumericNotEquals, policy.NumericLessThan, policy.NumericLessThanEquals,
		policy.NumericGreaterThan, policy.NumericGreaterThanEquals:
		return v.numeric(t, got, wide)
	case policy.DateEquals, policy.DateNotEquals, policy.DateLessThan, policy.DateLessThanEquals,
		policy.DateGreaterThan, policy.DateGreaterThanEquals:
		return v.date(t, got, wide)
	case policy.Bool:
		b, ok := policy.ParseBool(got)
		return v.readable(ok, wide, func() bool { return b == v.truth })
	case policy.BinaryEquals:
		// Of the several texts that decode to the same bytes a request has the
		// canonical one.
		want, err := base64.StdEncoding.DecodeString(v.text)
		return v.readable(true, wide, func() bool { return err == nil && got == base64.StdEncoding.EncodeToString(want) })
	case policy.IPAddress, policy.NotIPAddress:
		p, ok := policy.ParseIP(got)
		return v.readable(ok, wide, func() bool {
			return p.IsSingleIP() && v.block.Contains(p.Addr())
		})
	case policy.Null: // answered by holds
	}
	return no
}

// readable compares where both sides are of the operator's type. A symbol of a
// template may turn out to be any value; anything else that can't be read
// equals nothing.
func (v *value) readable(got, wide bool, equal func() bool) truth {
	if v.ok && got {
		return sure(equal())
	}
	return sure(wide && policy.HasSymbol(v.text))
}

func (v *value) numeric(t policy.Test, got string, wide bool) truth {
	n, ok := policy.ParseNumber(got)
	return v.readable(ok, wide, func() bool { return ordered(t, compare(n, v.number)) })
}

func (v *value) date(t policy.Test, got string, wide bool) truth {
	d, ok := policy.ParseDate(got)
	return v.readable(ok, wide, func() bool { return ordered(t, d.Compare(v.instant)) })
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// ordered tells whether an order of two values passes the test.
func ordered(t policy.Test, order int) bool {
	switch t {
	case policy.NumericLessThan, policy.DateLessThan:
		return order < 0
	case policy.NumericLessThanEquals, policy.DateLessThanEquals:
		return order <= 0
	case policy.NumericGreaterThan, policy.DateGreaterThan:
		return order > 0
	case policy.NumericGreaterThanEquals, policy.DateGreaterThanEquals:
		return order >= 0
	default:
		return order == 0
	}
}

// fold compares without case.
func (p *pattern) fold(got string, r *request, wide bool) truth {
	if !wide && p.open {
		return no
	}
	pieces, t := p.expand(r)
	if t != yes {
		return t
	}
	var want strings.Builder
	for _, piece := range pieces {
		want.WriteString(piece.Text)
	}
	if strings.EqualFold(want.String(), got) {
		return yes
	}
	if wide && (p.symbol || policy.HasSymbol(got)) {
		lower := []policy.Piece{{Kind: policy.Literal, Text: strings.ToLower(want.String())}}
		return sure(p.of.overlap(lower, strings.ToLower(got)))
	}
	return no
}
