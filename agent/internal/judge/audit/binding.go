package audit

import (
	"strings"

	"buzon/agent/policy"
)

// certainty of an answer about a policy.
type certainty uint8

const (
	no certainty = iota
	perhaps
	yes
)

// demand is a condition that a caller must meet: the value of its key is one of the
// texts, or none is there and the request is refused.
type demand struct {
	host, claim string // of the key, in lower case
	texts       []text
}

// text is a value with wild for whatever may be any text.
type text struct {
	value string
	open  bool // a template leaves a part of it open, which may say more than value does
}

// demands are those of a statement that callers must meet one and all: positive, not
// only if the key is there, and not of every value of an empty list.
func demands(conditions []policy.Condition, variables bool, symbols policy.Symbols) []demand {
	var out []demand
	for _, c := range conditions {
		pattern, ok := positive(c.Operator.Test)
		if !ok || c.Operator.IfExists || c.Operator.Quantifier == policy.ForAllValues {
			continue
		}
		out = append(out, newDemand(c, pattern, variables, symbols))
	}
	return out
}

// refusals are the same of a Deny that hangs on one negated condition alone: whoever
// doesn't meet it is refused, and who hasn't the key as well (a negated operator
// matches an absent key, but not under ForAnyValue).
func refusals(conditions []policy.Condition, variables bool, symbols policy.Symbols) []demand {
	if len(conditions) != 1 {
		return nil
	}
	c := conditions[0]
	opposite := map[policy.Test]policy.Test{
		policy.StringNotEquals: policy.StringEquals, policy.StringNotEqualsIgnoreCase: policy.StringEqualsIgnoreCase,
		policy.StringNotLike: policy.StringLike, policy.ArnNotEquals: policy.ArnEquals, policy.ArnNotLike: policy.ArnLike,
	}[c.Operator.Test]
	pattern, ok := positive(opposite)
	if !ok || c.Operator.Quantifier != policy.Single {
		return nil
	}
	return []demand{newDemand(c, pattern, variables, symbols)}
}

// positive reports whether a test is true only of a value that is there, and whether
// its values are patterns.
func positive(t policy.Test) (pattern, ok bool) {
	switch t {
	case policy.StringEquals, policy.StringEqualsIgnoreCase:
		return false, true
	case policy.StringLike, policy.ArnEquals, policy.ArnLike:
		return true, true
	default:
		return false, false
	}
}

func newDemand(c policy.Condition, pattern, variables bool, symbols policy.Symbols) demand {
	key := strings.ToLower(c.Key)
	d := demand{claim: key}
	if i := strings.LastIndexByte(key, ':'); i > 0 {
		d.host, d.claim = key[:i], key[i+1:]
	}
	for _, v := range c.Values {
		d.texts = append(d.texts, textOf(v.Value, pattern, variables, symbols))
	}
	return d
}

// textOf reads a value. An open symbol may hold a wildcard, which counts in a pattern
// alone.
func textOf(value string, pattern, variables bool, symbols policy.Symbols) text {
	pieces, ok := policy.Pieces(value, variables)
	if !ok {
		return text{value: wild}
	}
	var out text
	var b strings.Builder
	for _, p := range pieces {
		if p.Kind == policy.Variable || p.Kind != policy.Literal && pattern {
			b.WriteString(wild)
			continue
		}
		for _, r := range p.Text {
			switch {
			case !policy.IsSymbol(r):
				b.WriteRune(r)
			case symbols[r].Open && pattern:
				b.WriteString(wild)
				out.open = true
			default:
				b.WriteByte('x') // a name, whichever it will be
				out.open = out.open || symbols[r].Open
			}
		}
	}
	out.value = b.String()
	return out
}

// boundBy reports whether the demands leave nobody but those whom the claims name.
func (i *issuer) boundBy(list []demand) certainty {
	best := no
	for _, way := range i.binds {
		sure := yes
		for _, c := range way {
			of := no
			for _, d := range list {
				if d.claim == c.name || d.host+":"+d.claim == c.name {
					of = max(of, d.fixed(c.fixed))
				}
			}
			sure = min(sure, of)
		}
		best = max(best, sure)
	}
	return best
}

// fixed reports whether all values of a demand are as the function wants.
func (d *demand) fixed(want func(string) bool) certainty {
	if len(d.texts) == 0 {
		return no
	}
	sure := yes
	for _, t := range d.texts {
		switch {
		case want(t.value):
		case t.open:
			sure = perhaps
		default:
			return no
		}
	}
	return sure
}
