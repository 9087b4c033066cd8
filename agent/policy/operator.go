package policy

import "strings"

// tests are the names of the comparisons, in the order of their constants.
var tests = [...]string{
	StringEquals:              "StringEquals",
	StringNotEquals:           "StringNotEquals",
	StringEqualsIgnoreCase:    "StringEqualsIgnoreCase",
	StringNotEqualsIgnoreCase: "StringNotEqualsIgnoreCase",
	StringLike:                "StringLike",
	StringNotLike:             "StringNotLike",
	NumericEquals:             "NumericEquals",
	NumericNotEquals:          "NumericNotEquals",
	NumericLessThan:           "NumericLessThan",
	NumericLessThanEquals:     "NumericLessThanEquals",
	NumericGreaterThan:        "NumericGreaterThan",
	NumericGreaterThanEquals:  "NumericGreaterThanEquals",
	DateEquals:                "DateEquals",
	DateNotEquals:             "DateNotEquals",
	DateLessThan:              "DateLessThan",
	DateLessThanEquals:        "DateLessThanEquals",
	DateGreaterThan:           "DateGreaterThan",
	DateGreaterThanEquals:     "DateGreaterThanEquals",
	Bool:                      "Bool",
	BinaryEquals:              "BinaryEquals",
	IPAddress:                 "IpAddress",
	NotIPAddress:              "NotIpAddress",
	ArnEquals:                 "ArnEquals",
	ArnLike:                   "ArnLike",
	ArnNotEquals:              "ArnNotEquals",
	ArnNotLike:                "ArnNotLike",
	Null:                      "Null",
}

// String is the test's name in IAM's grammar.
func (t Test) String() string {
	if t == 0 || int(t) >= len(tests) {
		return "?"
	}
	return tests[t]
}

// Negated reports whether the test holds where none of the values matches,
// and so where the key is absent.
func (t Test) Negated() bool {
	switch t {
	case StringNotEquals, StringNotEqualsIgnoreCase, StringNotLike, NumericNotEquals,
		DateNotEquals, NotIPAddress, ArnNotEquals, ArnNotLike:
		return true
	case StringEquals, StringEqualsIgnoreCase, StringLike, NumericEquals, NumericLessThan,
		NumericLessThanEquals, NumericGreaterThan, NumericGreaterThanEquals, DateEquals,
		DateLessThan, DateLessThanEquals, DateGreaterThan, DateGreaterThanEquals, Bool,
		BinaryEquals, IPAddress, ArnEquals, ArnLike, Null:
	}
	return false
}

// Variables reports whether a value of this test may hold a policy variable:
// strings and ARNs only (IAM User Guide, "IAM policy elements: Variables and
// tags").
func (t Test) Variables() bool {
	switch t {
	case StringEquals, StringNotEquals, StringEqualsIgnoreCase, StringNotEqualsIgnoreCase,
		StringLike, StringNotLike, ArnEquals, ArnLike, ArnNotEquals, ArnNotLike:
		return true
	case NumericEquals, NumericNotEquals, NumericLessThan, NumericLessThanEquals,
		NumericGreaterThan, NumericGreaterThanEquals, DateEquals, DateNotEquals, DateLessThan,
		DateLessThanEquals, DateGreaterThan, DateGreaterThanEquals, Bool, BinaryEquals,
		IPAddress, NotIPAddress, Null:
	}
	return false
}

// Tests lists every comparison of IAM's grammar.
func Tests() []Test {
	all := make([]Test, 0, len(tests)-1)
	for t := StringEquals; t <= Null; t++ {
		all = append(all, t)
	}
	return all
}

// ParseOperator takes an operator apart. The names are compared with their
// case. Null knows neither a quantifier nor IfExists.
func ParseOperator(s string) (Operator, bool) {
	var op Operator
	if rest, ok := strings.CutPrefix(s, "ForAllValues:"); ok {
		op.Quantifier, s = ForAllValues, rest
	} else if rest, ok := strings.CutPrefix(s, "ForAnyValue:"); ok {
		op.Quantifier, s = ForAnyValue, rest
	}
	s, op.IfExists = strings.CutSuffix(s, "IfExists")
	for t := StringEquals; t <= Null; t++ {
		if tests[t] == s {
			op.Test = t
			return op, t != Null || op == Operator{Test: Null}
		}
	}
	return Operator{}, false
}

// String writes the operator as IAM's grammar does.
func (o Operator) String() string {
	s := o.Test.String()
	if o.IfExists {
		s += "IfExists"
	}
	switch o.Quantifier {
	case ForAllValues:
		return "ForAllValues:" + s
	case ForAnyValue:
		return "ForAnyValue:" + s
	case Single:
	}
	return s
}

// similarOperator finds the operator that somebody meant who wrote another
// case; "" where there is none.
func similarOperator(s string) string {
	for t := StringEquals; t <= Null; t++ {
		for _, q := range []Quantifier{Single, ForAllValues, ForAnyValue} {
			for _, e := range []bool{false, true} {
				want := Operator{q, t, e}.String()
				if _, ok := ParseOperator(want); ok && strings.EqualFold(s, want) {
					return want
				}
			}
		}
	}
	return ""
}
