package strset

import (
	"encoding/binary"
	"slices"
)

// Set is a regular set of texts, as the minimal deterministic automaton over
// characters. Every state names the characters it treats apart; all others,
// infinitely many, go one way. Numbering is canonical, so that a Space holds each
// set once and equal sets are equal pointers.
type Set struct {
	id     uint32
	states []state // the first is the start; none at all is the empty set
}

type state struct {
	accept bool
	other  int32  // where a character without an edge leads; dead or a state
	edges  []edge // sorted by character; none leads where other leads
}

type edge struct {
	r  rune
	to int32
}

// dead is the state from which nothing is accepted.
const dead int32 = -1

func (s *state) next(r rune) int32 {
	i, ok := slices.BinarySearchFunc(s.edges, r, func(e edge, r rune) int { return int(e.r) - int(r) })
	if ok {
		return s.edges[i].to
	}
	return s.other
}

// Empty tells whether a set holds nothing.
func (l *Set) Empty() bool { return len(l.states) == 0 }

// Has tells whether a text is in the set.
func (l *Set) Has(text string) bool {
	if l.Empty() {
		return false
	}
	at := int32(0)
	for _, r := range text {
		if at = l.states[at].next(r); at == dead {
			return false
		}
	}
	return l.states[at].accept
}

// Space keeps sets of texts, what was computed with them, and the patterns that
// they were made from. It grows with every new pattern; a program that asks much
// keeps one per goroutine. It may not be used by two at once.
type Space struct {
	limit    int // of states before minimisation
	spent    int // states made since the work began
	tick     func(work int)
	interned map[string]*Set
	memo     map[memoKey]*Set
	globs    map[string]*Set
	words    map[*Set]word

	None, Any *Set // the empty set, and that of all texts

	// Room for what is made and thrown away, again and again.
	key            []byte
	combined, made draft
	pairs          product
}

type memoKey struct {
	op   operation
	a, b uint32
}

type operation uint8

const (
	opAnd operation = iota
	opOr
	opMinus
)

// lost tells whether nothing can be accepted any more from a pair of states.
func (op operation) lost(p pair) bool {
	switch op {
	case opAnd:
		return p.a == dead || p.b == dead
	case opOr:
		return p.a == dead && p.b == dead
	case opMinus:
	}
	return p.a == dead
}

// accepts combines whether two states accept.
func (op operation) accepts(a, b bool) bool {
	switch op {
	case opAnd:
		return a && b
	case opOr:
		return a || b
	case opMinus:
	}
	return a && !b
}

// OverBudget is what a computation panics with that would grow beyond the limit:
// whoever asks recovers it, and has no answer.
type OverBudget struct{}

// fullAutomata is how many automata of the full size a piece of work may build in
// all, or as many states in smaller ones.
const fullAutomata = 50

// Begin starts a piece of work: no automaton may have more states than limit before
// it is minimised, and all together not more than fifty such. Every state is told to
// tick, which may panic to end the work.
func (s *Space) Begin(limit int, tick func(work int)) { s.limit, s.spent, s.tick = limit, 0, tick }

// spend counts one more state beside those that an automaton has.
func (s *Space) spend(states int) {
	if s.tick != nil {
		s.tick(1)
	}
	if s.spent++; states >= s.limit || s.spent > fullAutomata*s.limit {
		panic(OverBudget{})
	}
}

// defaultLimit is the limit of a space of which no work was begun.
const defaultLimit = 20_000

// New makes an empty space.
func New() *Space {
	s := &Space{
		limit:    defaultLimit,
		interned: map[string]*Set{},
		memo:     map[memoKey]*Set{},
		globs:    map[string]*Set{},
		words:    map[*Set]word{},
	}
	s.None = s.intern(nil)
	s.Any = s.intern([]state{{accept: true, other: 0}})
	return s
}

// intern returns the one Set with these states, which must be minimal and in
// canonical order. It keeps a copy.
func (s *Space) intern(states []state) *Set {
	key := s.key[:0]
	for i := range states {
		st := &states[i]
		flag := uint64(len(st.edges)) << 1
		if st.accept {
			flag |= 1
		}
		key = binary.AppendUvarint(key, flag)
		key = binary.AppendUvarint(key, uint64(st.other+1))
		for _, e := range st.edges {
			key = binary.AppendUvarint(key, uint64(e.r))
			key = binary.AppendUvarint(key, uint64(e.to+1))
		}
	}
	s.key = key
	if l, ok := s.interned[string(key)]; ok {
		return l
	}
	l := &Set{id: uint32(len(s.interned)), states: kept(states)}
	s.interned[string(key)] = l
	return l
}

// kept copies states, with the edges of all in one array.
func kept(states []state) []state {
	n := 0
	for i := range states {
		n += len(states[i].edges)
	}
	edges := make([]edge, 0, n)
	out := slices.Clone(states)
	for i := range out {
		first := len(edges)
		edges = append(edges, out[i].edges...)
		out[i].edges = edges[first:len(edges):len(edges)]
	}
	return out
}

// And is what both sets hold.
func (s *Space) And(a, b *Set) *Set {
	switch {
	case a == b || b == s.Any:
		return a
	case a == s.Any:
		return b
	case a.Empty() || b.Empty():
		return s.None
	}
	if a.id > b.id {
		a, b = b, a
	}
	return s.combine(opAnd, a, b)
}

// Or is what one of two sets holds.
func (s *Space) Or(a, b *Set) *Set {
	switch {
	case a == b || b.Empty():
		return a
	case a.Empty():
		return b
	case a == s.Any || b == s.Any:
		return s.Any
	}
	if a.id > b.id {
		a, b = b, a
	}
	return s.combine(opOr, a, b)
}

// Minus is what a holds and b does not.
func (s *Space) Minus(a, b *Set) *Set {
	switch {
	case a == b || a.Empty() || b == s.Any:
		return s.None
	case b.Empty():
		return a
	}
	return s.combine(opMinus, a, b)
}

// Not is every text that a set does not hold.
func (s *Space) Not(a *Set) *Set { return s.Minus(s.Any, a) }

// Union joins many sets, the small ones first.
func (s *Space) Union(list []*Set) *Set {
	for len(list) > 1 {
		var half []*Set
		for i := 0; i+1 < len(list); i += 2 {
			half = append(half, s.Or(list[i], list[i+1]))
		}
		if len(list)%2 == 1 {
			half = append(half, list[len(list)-1])
		}
		list = half
	}
	if len(list) == 0 {
		return s.None
	}
	return list[0]
}

// combine runs two automata side by side.
func (s *Space) combine(op operation, a, b *Set) *Set {
	key := memoKey{op, a.id, b.id}
	if l, ok := s.memo[key]; ok {
		return l
	}
	pairs := &s.pairs
	pairs.begin(len(a.states), len(b.states))
	find := func(p pair) int32 {
		if op.lost(p) {
			return dead
		}
		n, ok := pairs.find(p)
		if !ok {
			s.spend(len(pairs.todo))
			n = pairs.add(p)
		}
		return n
	}
	var gone = state{other: dead}
	of := func(l *Set, i int32) *state {
		if i == dead {
			return &gone
		}
		return &l.states[i]
	}
	states, edges := s.combined.begin()
	find(pair{0, 0})
	for i := 0; i < len(pairs.todo); i++ {
		x, y := of(a, pairs.todo[i].a), of(b, pairs.todo[i].b)
		st := state{other: find(pair{x.other, y.other})}
		st.accept = op.accepts(x.accept, y.accept)
		first := len(edges)
		for j, k := 0, 0; j < len(x.edges) || k < len(y.edges); {
			var r rune
			to := pair{x.other, y.other}
			switch {
			case k == len(y.edges) || j < len(x.edges) && x.edges[j].r < y.edges[k].r:
				r, to.a = x.edges[j].r, x.edges[j].to
				j++
			case j == len(x.edges) || y.edges[k].r < x.edges[j].r:
				r, to.b = y.edges[k].r, y.edges[k].to
				k++
			default:
				r, to.a, to.b = x.edges[j].r, x.edges[j].to, y.edges[k].to
				j++
				k++
			}
			if n := find(to); n != st.other {
				edges = append(edges, edge{r, n})
			}
		}
		st.edges = edges[first:len(edges):len(edges)]
		states = append(states, st)
	}
	s.combined = draft{states, edges}
	l := s.minimal(states)
	s.memo[key] = l
	return l
}

// Disjoint tells whether no text is in both sets, without building what they
// share.
func (s *Space) Disjoint(a, b *Set) bool {
	if a.Empty() || b.Empty() {
		return true
	}
	if a == b || a == s.Any || b == s.Any {
		return false
	}
	return s.And(a, b).Empty()
}

// Within tells whether a is part of b.
func (s *Space) Within(a, b *Set) bool { return s.Minus(a, b).Empty() }

// Concat is the set of texts that begin with a prefix and go on with a member.
func (s *Space) Concat(prefix string, l *Set) *Set {
	if l.Empty() {
		return l
	}
	runes := []rune(prefix)
	n := int32(len(runes))
	states := make([]state, 0, len(runes)+len(l.states))
	for i, r := range runes {
		states = append(states, state{other: dead, edges: []edge{{r, int32(i) + 1}}})
	}
	return s.minimal(shift(states, l, n))
}

// shift appends the states of a set to others, moving their numbers.
func shift(states []state, l *Set, by int32) []state {
	move := func(to int32) int32 {
		if to == dead {
			return dead
		}
		return to + by
	}
	for _, st := range l.states {
		moved := state{accept: st.accept, other: move(st.other)}
		for _, e := range st.edges {
			moved.edges = append(moved.edges, edge{e.r, move(e.to)})
		}
		states = append(states, moved)
	}
	return states
}

// Join is the set of texts of a member of a, a character that no member of a
// holds, and a member of b.
func (s *Space) Join(a *Set, r rune, b *Set) *Set {
	states := shift(nil, a, 0)
	n := int32(len(states))
	for i := range states {
		if !states[i].accept {
			continue
		}
		states[i].accept = false
		at, _ := slices.BinarySearchFunc(states[i].edges, r, func(e edge, r rune) int { return int(e.r) - int(r) })
		states[i].edges = slices.Insert(states[i].edges, at, edge{r, n})
	}
	return s.minimal(shift(states, b, n))
}

// After is the set of texts that follow a prefix in the members of a set.
func (s *Space) After(prefix string, l *Set) *Set {
	if l.Empty() {
		return l
	}
	at := int32(0)
	for _, r := range prefix {
		if at = l.states[at].next(r); at == dead {
			return s.None
		}
	}
	if at == 0 {
		return l
	}
	// Turn the numbering round so that the walk starts here; what isn't reached
	// from here is left behind by the walk.
	swap := func(to int32) int32 {
		switch to {
		case 0:
			return at
		case at:
			return 0
		}
		return to
	}
	states := make([]state, len(l.states))
	for i, st := range l.states {
		moved := state{accept: st.accept, other: dead}
		if st.other != dead {
			moved.other = swap(st.other)
		}
		for _, e := range st.edges {
			to := e.to
			if to != dead {
				to = swap(to)
			}
			moved.edges = append(moved.edges, edge{e.r, to})
		}
		states[swap(int32(i))] = moved
	}
	return s.minimal(states)
}
