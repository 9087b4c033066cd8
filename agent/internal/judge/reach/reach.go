package reach

import (
	"slices"
	"time"

	"buzon/agent/policy"
)

// Options say how an Engine works. The zero value is the whole set, the default
// budget, and a clock that starts now.
type Options struct {
	Budget  Budget
	Without Without

	// Meter bounds the work of several engines together; nil gives the engine one of
	// its own, with DefaultWork and no end of time.
	Meter *Meter

	// Now is the earliest instant at which a request can be made; aws:CurrentTime
	// runs from here on. The zero time is the present.
	Now time.Time

	// Space keeps compiled patterns from one set to the next. It may not be used
	// by two goroutines at once; nil gives the engine one of its own.
	Space *Space
}

// Budget bounds the work of one question. Zero fields take the default.
type Budget struct {
	States int // of one automaton before it is minimised
	Boxes  int // looked at in the search for one witness
}

// Without leaves parts of the set out, to find latent witnesses (what would be
// allowed if this were not there) and what stops them.
type Without struct {
	// Kinds of sources that are left out wholly: with policy.Boundary there is no
	// boundary, with policy.BucketPolicy neither its grants nor its denies count.
	Kinds []policy.Kind
	// Denies of these sources (indices of Set.Sources) don't count; their Allows do.
	Denies []int
	// AllDenies leaves every Deny of every source out.
	AllDenies bool
	// Statements are left out one by one.
	Statements []policy.Reference
}

// Question asks whether some request of a kind is allowed.
type Question struct {
	// Actions are names of the catalogue ("s3:GetObject", any case), or the
	// symbols catalogue.Tomorrow("s3") and catalogue.UnknownService. A name that
	// the catalogue doesn't know is asked as it stands, on any resource. Nil asks
	// for all actions of the catalogue with all symbols.
	Actions   []string
	Resources Resources
	// Context fixes keys (lower case): one value, several, or none for "absent".
	// Keys that aren't named are free.
	Context map[string][]string
	// Present are keys (lower case) that a request must hold, whatever their value.
	Present []string
	// First ends the search with the first action for which something is found; the
	// answer names no others.
	First bool
}

// Resources say on what: see Everything, Except and Under.
type Resources struct {
	kind  resourceKind
	globs []string
}

type resourceKind uint8

const (
	everything resourceKind = iota
	except
	under
)

// Everything is every resource that the action can have.
func Everything() Resources { return Resources{} }

// Except is every resource but those that match one of the globs (ARNs with "*"
// and "?").
func Except(globs ...string) Resources { return Resources{except, globs} }

// Under is every resource that matches one of the globs.
func Under(globs ...string) Resources { return Resources{under, globs} }

// Has tells whether a resource is among them.
func (r Resources) Has(arn string) bool {
	in := slices.ContainsFunc(r.globs, func(g string) bool { return globs(globTokens(g), arn) })
	return r.kind == everything || in == (r.kind == under)
}

// Kind of an answer.
type Kind uint8

// The kinds of answers.
const (
	// Nothing: no request of the question is allowed. Proven.
	Nothing Kind = iota + 1
	// Found: the witness is allowed.
	Found
	// Unknown: no witness was found, and its absence isn't proven; see Doubts.
	Unknown
)

// Answer to a question.
type Answer struct {
	Kind    Kind
	Witness Witness
	// Because are the statements that together allow the witness: the grant
	// first, then what lets it pass in boundary, session, SCP.
	Because []policy.Reference
	// Actions are all those of the question for which some request is allowed (or,
	// in an Unknown answer, may be), in the catalogue's spelling and the
	// question's order. The symbols of tomorrow stand as in the question.
	Actions []string
	// Doubts say why the answer is Unknown. With Found they are what else stayed
	// open for other actions of the question.
	Doubts []Doubt
}

// Witness is one concrete request.
type Witness struct {
	Action   string // for an action of tomorrow: an invented name
	Resource string // an ARN, or "*" for calls that have no resource
	// Bucket is the ARN of the bucket (or object in it) that an access-point
	// request ends at; "" elsewhere and where it isn't known.
	Bucket string
	// Context holds the keys that must be there for it to be allowed, in lower
	// case; every other key is absent, or fixed by the principal.
	Context map[string][]string
}

// Doubt is a reason why something couldn't be decided, with the statement that
// it hangs on.
type Doubt struct {
	Reason    Reason
	Reference policy.Reference // {-1,-1} where no single statement is the cause
}

// Reason of a doubt. Its text is stable: it is part of reports.
type Reason string

// The reasons.
const (
	OverBudget   Reason = "over-budget"   // too many states or boxes
	OverTime     Reason = "over-time"     // the time given ran out first
	FreeVariable Reason = "free-variable" // a policy variable over a key that isn't fixed
	TiedKeys     Reason = "tied-keys"     // only for a combination of values that wasn't shown to occur
	Unclear      Reason = "unclear"       // AWS accepted the statement, this parser doesn't understand it
	OpenSymbol   Reason = "open-symbol"   // a parameter or import of a template may hold any text
	UnsureMember Reason = "unsure-member" // NotPrincipal or a principal that can't be told
	NotModelled  Reason = "not-modelled"  // in the grammar, but not in this engine
)

// Coverage is the answer to "can it write all of its prefix?".
type Coverage struct {
	Kind Cover
	// Environment is what must hold around the request for the whole to be
	// allowed (address, endpoint, time …), one example value for each key that
	// matters; empty when it holds always.
	Environment map[string][]string
	// Missing is, for Part and None, a resource under the glob that can't be
	// written (in the best environment that was found).
	Missing string
	Because []policy.Reference
	Doubts  []Doubt
}

// Cover is how much is covered.
type Cover uint8

// The kinds of coverage.
const (
	None Cover = iota + 1
	Part
	Full
	Open // could not be told; see Doubts
)

// Call is one request that must be possible on every resource of a glob. A key
// of Context with no values is absent, and so is every key that the caller
// itself would have to send and that isn't named.
type Call struct {
	Action  string
	Context map[string][]string
}

// AgentCalls are the requests that the agent sends for one file: the whole
// object at once or the last step of a multipart upload, and the steps before.
func AgentCalls() []Call {
	tls := []string{"true"}
	return []Call{
		{Action: "s3:PutObject", Context: map[string][]string{
			"aws:securetransport": tls, "s3:if-none-match": {"*"}, "s3:objectcreationoperation": {"true"}}},
		{Action: "s3:PutObject", Context: map[string][]string{
			"aws:securetransport": tls, "s3:if-none-match": {}, "s3:objectcreationoperation": {"false"}}},
	}
}

// Grant is one line of what is granted in effect: a pair of patterns of an Allow
// statement of which something is left after boundary, SCPs and denies.
type Grant struct {
	Action                 string
	Resource               string
	NotAction, NotResource bool
	Conditions             map[string]map[string][]string // operator, key, values as written
	Because                policy.Reference
}

// Stops is what keeps a request from being allowed.
type Stops struct {
	Denies []policy.Reference // Deny statements that match it
	Layers []policy.Kind      // layers that don't allow it: boundary, session, scp …
}

// DefaultBudget is what a zero Budget means.
var DefaultBudget = Budget{States: 20_000, Boxes: 50_000}
