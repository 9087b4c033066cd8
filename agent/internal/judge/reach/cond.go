package reach

import (
	"strings"

	"buzon/agent/policy"
)

// cond is a condition made ready.
type cond struct {
	*policy.Condition
	key    string // in lower case
	allow  bool   // of an Allow
	static bool   // its values hold no variables
	pred   *pred  // where static
	fixed  *pred  // the same, for a key that is fixed
}

// prepare makes the conditions of a statement ready, and looks where it holds
// variables.
func (st *stmt) prepare() {
	variable := func(list []policy.Text) bool {
		if !st.variables {
			return false
		}
		for _, t := range list {
			if strings.Contains(t.Value, "${") {
				return true
			}
		}
		return false
	}
	st.plain = !variable(st.st.Resources)
	if st.skipConditions {
		return
	}
	for i := range st.st.Conditions {
		c := &st.st.Conditions[i]
		st.conds = append(st.conds, &cond{Condition: c, key: lower(c.Key), allow: st.allow, static: !variable(c.Values)})
	}
}

// predOf is the set of a condition's values on a class of resources.
func (c *scope) predOf(st *stmt, cd *cond) *pred {
	if cd.pred != nil {
		return cd.pred
	}
	c.at = st.index
	p := c.pred(cd.Condition, reading{b: st.b, allow: st.allow, variables: st.variables})
	if cd.static {
		cd.pred = p
	}
	return p
}

// predOfFixed is the same for a key whose value is known; of a template it may
// hold symbols, and so may the condition.
func (c *scope) predOfFixed(st *stmt, cd *cond) *pred {
	if c.view.e.symbolChars == "" {
		return c.predOf(st, cd)
	}
	if cd.fixed != nil {
		return cd.fixed
	}
	c.at = st.index
	p := c.pred(cd.Condition, reading{b: st.b, allow: st.allow, variables: st.variables, expand: true})
	if cd.static {
		cd.fixed = p
	}
	return p
}

// null tells of a Null condition whether it holds for an absent key and for one
// that is there.
func (cd *cond) null(b bound) (absent, present bool) {
	for _, v := range cd.Values {
		switch want, ok := policy.ParseBool(v.Value); {
		case !ok:
			absent, present = absent || b == may, present || b == may
		case want:
			absent = true
		default:
			present = true
		}
	}
	return absent, present
}

// missing tells whether the condition holds where the key is absent (IAM User
// Guide, "IAM JSON policy elements: Condition operators"). One page lets every
// IfExists hold, another every ForAnyValue fail: a Deny doesn't count on it.
func (cd *cond) missing() bool {
	op := cd.Operator
	switch {
	case op.IfExists:
		return cd.allow || op.Quantifier != policy.ForAnyValue
	case op.Quantifier == policy.ForAllValues:
		return true
	case op.Quantifier == policy.ForAnyValue:
		return false
	}
	return op.Test.Negated()
}

// holds tells whether the condition holds for the values of a key that is fixed.
func (cd *cond) holds(p *pred, b bound, values []string) bool {
	if cd.Operator.Test == policy.Null {
		absent, present := cd.null(b)
		return len(values) == 0 && absent || len(values) > 0 && present
	}
	if len(values) == 0 {
		return cd.missing()
	}
	negated := cd.Operator.Test.Negated()
	meets := 0
	for _, v := range values {
		if p.has(v) != negated {
			meets++
		}
	}
	switch cd.Operator.Quantifier {
	case policy.ForAllValues:
		return meets == len(values)
	case policy.ForAnyValue:
		return meets > 0
	case policy.Single:
	}
	return len(values) == 1 && meets == 1
}

// keyset is what of a dimension passes the condition; in are the classes of
// values that equal one of the condition's.
func (cd *cond) keyset(d *dim, in bits, b bound) keyset {
	if cd.Operator.Test == policy.Null {
		absent, present := cd.null(b)
		k := keyset{absent: absent}
		if present {
			k.one, k.many = d.values, &several{all: d.values}
		}
		return k
	}
	if cd.Operator.Test.Negated() {
		in = d.values.minus(in)
	}
	k := keyset{absent: cd.missing(), one: in}
	switch cd.Operator.Quantifier {
	case policy.ForAllValues:
		k.many = &several{all: in}
	case policy.ForAnyValue:
		k.many = &several{all: d.values, some: []bits{in}}
	case policy.Single:
	}
	if k.many.empty() {
		k.many = nil
	}
	return k
}
