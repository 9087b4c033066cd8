package policy

// Position is a place in a source text; both numbers start at 1, and Column
// counts characters, not bytes. The zero Position means "no place".
type Position struct {
	Line, Column int
}

// Text is a string of a document as it was written, wildcards and variables
// included, with the place of its first character.
type Text struct {
	Value string
	Pos   Position
}

// Effect is what a statement does to the requests that it matches.
type Effect uint8

// The two effects; the zero Effect is neither.
const (
	Allow Effect = iota + 1
	Deny
)

// Document is one IAM policy document.
type Document struct {
	// Version as written: "2012-10-17", "2008-10-17", or "" where it is absent,
	// which means 2008 and leaves "${…}" as plain text.
	Version    string
	ID         string
	Statements []Statement
	Pos        Position
}

// Variables reports whether "${…}" in this document is a policy variable.
func (d *Document) Variables() bool { return d.Version == "2012-10-17" }

// Statement is one statement of a document.
type Statement struct {
	Index  int // from 0
	Sid    string
	Effect Effect

	// Principals is empty in identity policies. With NotPrincipal the statement
	// matches everybody but them.
	Principals   []Principal
	NotPrincipal bool

	// Actions are patterns such as "s3:Put*", or "*". With NotAction the
	// statement matches every other action.
	Actions   []Text
	NotAction bool

	// Resources are patterns of ARNs, or "*". Empty only in trust policies.
	// With NotResource the statement matches every other resource.
	Resources   []Text
	NotResource bool

	Conditions []Condition
	Pos        Position

	// Unclear is set where AWS accepted the document (live, exports) and this
	// parser did not understand a part of the statement: whoever judges must
	// answer "undecided" for it. Always nil after a strict parse.
	Unclear *Error
	// UnclearConditions is set beside Unclear where only the Condition wasn't
	// understood: the statement then applies to no more than its principals,
	// actions and resources say.
	UnclearConditions bool
}

// PrincipalKind says how a principal is named in a statement.
type PrincipalKind uint8

// The kinds of principals that a policy can name.
const (
	PrincipalEveryone  PrincipalKind = iota + 1 // "*", or {"AWS": "*"}: the same meaning
	PrincipalAWS                                // an account id, an ARN, or a unique id such as AIDA…
	PrincipalService                            // {"Service": "s3.amazonaws.com"}
	PrincipalFederated                          // {"Federated": …}
	PrincipalCanonical                          // {"CanonicalUser": 64 hex digits}
)

// Principal is one entry of a Principal or NotPrincipal element.
type Principal struct {
	Kind PrincipalKind
	Text
}

// Condition is one operator with one key: all of a statement's conditions must
// hold; of Values any one (for a negated operator: none) must match.
type Condition struct {
	Operator Operator
	Key      string // as written; keys are matched without case
	Values   []Text
	Pos      Position // of the key
}

// Quantifier is the prefix of an operator over a key with several values.
type Quantifier uint8

// The quantifiers; Single is an operator without a prefix.
const (
	Single Quantifier = iota
	ForAllValues
	ForAnyValue
)

// Operator is a condition operator taken apart, as in
// "ForAllValues:StringLikeIfExists".
type Operator struct {
	Quantifier Quantifier
	Test       Test
	IfExists   bool
}

// Test is the comparison that an operator makes.
type Test uint8

// The tests of IAM's grammar.
const (
	StringEquals Test = iota + 1
	StringNotEquals
	StringEqualsIgnoreCase
	StringNotEqualsIgnoreCase
	StringLike
	StringNotLike
	NumericEquals
	NumericNotEquals
	NumericLessThan
	NumericLessThanEquals
	NumericGreaterThan
	NumericGreaterThanEquals
	DateEquals
	DateNotEquals
	DateLessThan
	DateLessThanEquals
	DateGreaterThan
	DateGreaterThanEquals
	Bool
	BinaryEquals
	IPAddress
	NotIPAddress
	ArnEquals
	ArnLike
	ArnNotEquals
	ArnNotLike
	Null
)
