package strset

import (
	"encoding/binary"
	"slices"
)

// automaton is a deterministic automaton over characters. Its first state is the
// start; without a state it accepts nothing. The edges of all states stand in one
// list: an automaton holds no pointers, and costs the garbage collector nothing.
type automaton struct {
	states []state
	edges  []edge
}

// state is one state. It names the characters that it treats apart, by edges; all
// others, infinitely many, go one way.
type state struct {
	other  int32 // where a character without an edge leads; dead or a state
	first  int32 // of its edges, which end where those of the next state begin
	accept bool
}

// edge is where a character leads. Those of a state are sorted by character, and none
// leads where the other characters lead.
type edge struct {
	r  rune
	to int32
}

// dead is the state from which nothing is accepted.
const dead int32 = -1

// of lists the edges of a state; dead has none.
func (a *automaton) of(i int32) []edge {
	if i == dead {
		return nil
	}
	if int(i)+1 < len(a.states) {
		return a.edges[a.states[i].first:a.states[i+1].first]
	}
	return a.edges[a.states[i].first:]
}

// other is where a character leads that a state doesn't name.
func (a *automaton) other(i int32) int32 {
	if i == dead {
		return dead
	}
	return a.states[i].other
}

func (a *automaton) accepts(i int32) bool { return i != dead && a.states[i].accept }

// next is where a character leads.
func (a *automaton) next(i int32, r rune) int32 {
	list := a.of(i)
	at, ok := slices.BinarySearchFunc(list, r, func(e edge, r rune) int { return int(e.r) - int(r) })
	if ok {
		return list[at].to
	}
	return a.states[i].other
}

// empty makes room for another automaton.
func (a *automaton) empty() { a.states, a.edges = a.states[:0], a.edges[:0] }

// add begins a state, whose edges lead follows with.
func (a *automaton) add(accept bool, other int32) {
	a.states = append(a.states, state{other: other, first: int32(len(a.edges)), accept: accept})
}

// lead adds an edge to the last state, unless it leads where all others do.
func (a *automaton) lead(r rune, to int32) {
	if to != a.states[len(a.states)-1].other {
		a.edges = append(a.edges, edge{r, to})
	}
}

// copied is a copy of its own.
func (a *automaton) copied() automaton {
	return automaton{append([]state(nil), a.states...), append([]edge(nil), a.edges...)}
}

// appendKey writes an automaton as a text that no other has.
func (a *automaton) appendKey(key []byte) []byte {
	for i := range a.states {
		st, edges := &a.states[i], a.of(int32(i))
		flag := uint64(len(edges)) << 1
		if st.accept {
			flag |= 1
		}
		key = binary.AppendUvarint(key, flag)
		key = binary.AppendUvarint(key, uint64(st.other+1))
		for _, e := range edges {
			key = binary.AppendUvarint(key, uint64(e.r))
			key = binary.AppendUvarint(key, uint64(e.to+1))
		}
	}
	return key
}
