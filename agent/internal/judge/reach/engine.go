package reach

import "buzon/agent/policy"

// Engine answers questions about one set. It may not be used by two goroutines
// at once.
type Engine struct {
	set  *policy.Set
	opts Options
}

// Space keeps automata and compiled patterns between engines.
type Space struct{}

// NewSpace makes an empty Space.
func NewSpace() *Space { return &Space{} }

// New makes an engine for a set. The set may not change afterwards.
func New(set *policy.Set, opts Options) *Engine { return &Engine{set: set, opts: opts} }

// Find looks for an allowed request.
func (e *Engine) Find(q Question) Answer {
	return Answer{Kind: Unknown, Doubts: []Doubt{{Reason: NotModelled, Reference: policy.Reference{Source: -1, Statement: -1}}}}
}

// Covers tells whether there is one environment in which every resource of the
// glob is allowed for each of the calls.
func (e *Engine) Covers(glob string, calls []Call) Coverage {
	return Coverage{Kind: Open, Doubts: []Doubt{{Reason: NotModelled, Reference: policy.Reference{Source: -1, Statement: -1}}}}
}

// Grants lists what the Allow statements grant in effect.
func (e *Engine) Grants() []Grant { return nil }

// Stopped tells what keeps a request from being allowed; empty if it is allowed.
func (e *Engine) Stopped(w Witness) Stops { return Stops{} }

// Contains tells whether a request lies in the set of what is allowed, and
// whether such a request can occur at all (a condition key that the action never
// has, two keys that exclude each other). For tests.
func (e *Engine) Contains(w Witness) (inside, possible bool) { return true, true }
