package strset

import (
	"encoding/binary"
	"slices"
	"strings"
)

// Widen adds to a set the texts that hold one of some symbols where a member has a
// name: one character or more, none of those in but, and none that skip tells. Only
// the part before the first "/" is read so.
func (s *Space) Widen(l *Set, symbols []rune, but string, skip func(rune) bool) *Set {
	w := widening{l: l, symbols: symbols, but: but, skip: skip, space: s, number: map[string]int32{}}
	return s.minimal(w.automaton())
}

// widening is the subset construction over the states of a set, in which reading
// a symbol is reading a name.
type widening struct {
	l       *Set
	symbols []rune
	but     string          // characters that a name doesn't hold
	skip    func(rune) bool // nor these
	space   *Space
	number  map[string]int32
	todo    [][]int32 // states; those after the first "/" are counted on from the set's own
}

func (w *widening) find(places []int32) int32 {
	if len(places) == 0 {
		return dead
	}
	slices.Sort(places)
	places = slices.Compact(places)
	var key []byte
	for _, p := range places {
		key = binary.AppendUvarint(key, uint64(p))
	}
	n, ok := w.number[string(key)]
	if !ok {
		w.space.spend(len(w.todo))
		n = int32(len(w.todo))
		w.number[string(key)] = n
		w.todo = append(w.todo, places)
	}
	return n
}

// next is where a state leads on a character; on dead, on one that isn't named.
func (w *widening) next(p int32, r rune) int32 {
	n := int32(len(w.l.states))
	to := w.l.other(p % n)
	if r != dead {
		to = w.l.next(p%n, r)
	}
	if to == dead {
		return dead
	}
	if p >= n || r == '/' {
		return to + n
	}
	return to
}

// named lists the states that a name leads to.
func (w *widening) named(p int32) []int32 {
	var found []int32
	todo := []int32{p}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		tos := []int32{w.l.other(at)}
		for _, e := range w.l.of(at) {
			if !strings.ContainsRune(w.but, e.r) && !w.skip(e.r) {
				tos = append(tos, e.to)
			}
		}
		for _, to := range tos {
			if to != dead && !slices.Contains(found, to) {
				found = append(found, to)
				todo = append(todo, to)
			}
		}
	}
	return found
}

func (w *widening) automaton() *automaton {
	n := int32(len(w.l.states))
	w.find([]int32{0})
	var out automaton
	for i := 0; i < len(w.todo); i++ {
		places := w.todo[i]
		runes := append([]rune{'/'}, w.symbols...)
		accept := false
		for _, p := range places {
			accept = accept || w.l.accepts(p%n)
			for _, e := range w.l.of(p % n) {
				runes = append(runes, e.r)
			}
		}
		slices.Sort(runes)
		step := func(r rune) []int32 {
			var to []int32
			for _, p := range places {
				if q := w.next(p, r); q != dead {
					to = append(to, q)
				}
				if p < n && slices.Contains(w.symbols, r) {
					to = append(to, w.named(p)...)
				}
			}
			return to
		}
		out.add(accept, w.find(step(dead)))
		for _, r := range slices.Compact(runes) {
			out.lead(r, w.find(step(r)))
		}
	}
	return &out
}
