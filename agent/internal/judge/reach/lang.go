package reach

import (
	"encoding/binary"
	"slices"
)

// lang is a regular set of texts, as the minimal deterministic automaton over
// characters. Every state names the characters it treats apart; all others,
// infinitely many, go one way. Numbering is canonical, so that a Space holds each
// set once and equal sets are equal pointers.
type lang struct {
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

func (l *lang) empty() bool { return len(l.states) == 0 }

// has tells whether a text is in the set.
func (l *lang) has(text string) bool {
	if l.empty() {
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
// they were made from. It grows with every new pattern; a program that judges
// many sets shares one per goroutine.
type Space struct {
	limit    int // of states before minimisation
	spent    int // states made since the work began
	meter    *Meter
	interned map[string]*lang
	memo     map[memoKey]*lang
	globs    map[string]*lang
	shapes   map[string]*lang
	words    map[*lang]word
	actions  map[string][]int32
	worlds   map[string]*world

	none, any *lang

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

// fullAutomata is how many automata of the full size a piece of work may build in
// all, or as many states in smaller ones.
const fullAutomata = 50

// spend counts one more state beside those that an automaton has.
func (s *Space) spend(states int) {
	s.count(1)
	if s.spent++; states >= s.limit || s.spent > fullAutomata*s.limit {
		panic(givenUp{OverBudget})
	}
}

// count takes work off the meter of the engine that is at work.
func (s *Space) count(work int) {
	if s.meter != nil {
		s.meter.count(work)
	}
}

// NewSpace makes an empty Space.
func NewSpace() *Space {
	s := &Space{
		limit:    DefaultBudget.States,
		interned: map[string]*lang{},
		memo:     map[memoKey]*lang{},
		globs:    map[string]*lang{},
		shapes:   map[string]*lang{},
		words:    map[*lang]word{},
		actions:  map[string][]int32{},
		worlds:   map[string]*world{},
	}
	s.none = s.intern(nil)
	s.any = s.intern([]state{{accept: true, other: 0}})
	return s
}

// intern returns the one lang with these states, which must be minimal and in
// canonical order. It keeps a copy.
func (s *Space) intern(states []state) *lang {
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
	l := &lang{id: uint32(len(s.interned)), states: kept(states)}
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

func (s *Space) and(a, b *lang) *lang {
	switch {
	case a == b || b == s.any:
		return a
	case a == s.any:
		return b
	case a.empty() || b.empty():
		return s.none
	}
	if a.id > b.id {
		a, b = b, a
	}
	return s.combine(opAnd, a, b)
}

func (s *Space) or(a, b *lang) *lang {
	switch {
	case a == b || b.empty():
		return a
	case a.empty():
		return b
	case a == s.any || b == s.any:
		return s.any
	}
	if a.id > b.id {
		a, b = b, a
	}
	return s.combine(opOr, a, b)
}

func (s *Space) minus(a, b *lang) *lang {
	switch {
	case a == b || a.empty() || b == s.any:
		return s.none
	case b.empty():
		return a
	}
	return s.combine(opMinus, a, b)
}

func (s *Space) not(a *lang) *lang { return s.minus(s.any, a) }

// union joins many sets, the small ones first.
func (s *Space) union(list []*lang) *lang {
	for len(list) > 1 {
		var half []*lang
		for i := 0; i+1 < len(list); i += 2 {
			half = append(half, s.or(list[i], list[i+1]))
		}
		if len(list)%2 == 1 {
			half = append(half, list[len(list)-1])
		}
		list = half
	}
	if len(list) == 0 {
		return s.none
	}
	return list[0]
}

// combine runs two automata side by side.
func (s *Space) combine(op operation, a, b *lang) *lang {
	key := memoKey{op, a.id, b.id}
	if l, ok := s.memo[key]; ok {
		return l
	}
	pairs := &s.pairs
	pairs.begin(len(a.states), len(b.states))
	find := func(p pair) int32 {
		switch op {
		case opAnd:
			if p.a == dead || p.b == dead {
				return dead
			}
		case opOr:
			if p.a == dead && p.b == dead {
				return dead
			}
		case opMinus:
			if p.a == dead {
				return dead
			}
		}
		n, ok := pairs.find(p)
		if !ok {
			s.spend(len(pairs.todo))
			n = pairs.add(p)
		}
		return n
	}
	var gone = state{other: dead}
	of := func(l *lang, i int32) *state {
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
		switch op {
		case opAnd:
			st.accept = x.accept && y.accept
		case opOr:
			st.accept = x.accept || y.accept
		case opMinus:
			st.accept = x.accept && !y.accept
		}
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

// disjoint tells whether no text is in both sets, without building what they
// share.
func (s *Space) disjoint(a, b *lang) bool {
	if a.empty() || b.empty() {
		return true
	}
	if a == b || a == s.any || b == s.any {
		return false
	}
	return s.and(a, b).empty()
}

// within tells whether a is part of b.
func (s *Space) within(a, b *lang) bool { return s.minus(a, b).empty() }

// concat is the set of texts that begin with a prefix and go on with a member.
func (s *Space) concat(prefix string, l *lang) *lang {
	if l.empty() {
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

// shift appends the states of a lang to others, moving their numbers.
func shift(states []state, l *lang, by int32) []state {
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

// join is the set of texts of a member of a, a character that no member of a
// holds, and a member of b.
func (s *Space) join(a *lang, r rune, b *lang) *lang {
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

// after is the set of texts that follow a prefix in the members of a set.
func (s *Space) after(prefix string, l *lang) *lang {
	if l.empty() {
		return l
	}
	at := int32(0)
	for _, r := range prefix {
		if at = l.states[at].next(r); at == dead {
			return s.none
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
