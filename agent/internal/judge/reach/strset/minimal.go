package strset

import (
	"encoding/binary"
	"slices"
)

// minimal turns an automaton into the one Set that accepts the same: states
// that can't reach acceptance become dead, states that behave alike become one,
// and what is left is numbered in the order of a walk from the start.
func (s *Space) minimal(states []state) *Set {
	states, before := trim(states)
	if len(states) == 0 {
		return s.None
	}
	class := merge(states, before)

	number := make([]int32, len(states)+2) // there are at most as many classes, and perhaps one without members
	for i := range number {
		number[i] = dead
	}
	var order []int32 // a member of each class, in the order of the walk
	visit := func(to int32) int32 {
		if to == dead {
			return dead
		}
		c := class[to]
		if number[c] == dead {
			number[c] = int32(len(order))
			order = append(order, to)
		}
		return number[c]
	}
	visit(0)
	out, edges := s.made.begin()
	for i := 0; i < len(order); i++ {
		from := &states[order[i]]
		st := state{accept: from.accept}
		first := len(edges)
		for _, e := range from.edges {
			if !sameClass(class, e.to, from.other) {
				edges = append(edges, edge{e.r, visit(e.to)})
			}
		}
		st.edges = edges[first:len(edges):len(edges)]
		st.other = visit(from.other)
		out = append(out, st)
	}
	s.made = draft{out, edges}
	return s.intern(out)
}

func sameClass(class []int32, a, b int32) bool {
	if a == dead || b == dead {
		return a == b
	}
	return class[a] == class[b]
}

// trim drops the states from which nothing is accepted. All states are reachable
// from the first by construction, and stay so: a state on the way to one that is
// kept is kept. It returns the predecessors of those that are left as well.
func trim(states []state) ([]state, reverse) {
	before := predecessors(states)
	live := make([]bool, len(states))
	var todo []int32
	for i := range states {
		if states[i].accept {
			live[i] = true
			todo = append(todo, int32(i))
		}
	}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, p := range before.of(at) {
			if !live[p] {
				live[p] = true
				todo = append(todo, p)
			}
		}
	}
	if len(states) == 0 || !live[0] {
		return nil, reverse{}
	}
	if !slices.Contains(live, false) {
		return states, before
	}
	renamed := make([]int32, len(states))
	n := int32(0)
	for i := range states {
		renamed[i] = dead
		if live[i] {
			renamed[i] = n
			n++
		}
	}
	name := func(to int32) int32 {
		if to == dead {
			return dead
		}
		return renamed[to]
	}
	out := make([]state, 0, n)
	for i := range states {
		if !live[i] {
			continue
		}
		st := state{accept: states[i].accept, other: name(states[i].other)}
		for _, e := range states[i].edges {
			if to := name(e.to); to != st.other {
				st.edges = append(st.edges, edge{e.r, to})
			}
		}
		out = append(out, st)
	}
	return out, predecessors(out)
}

// reverse holds the predecessors of every state in one array.
type reverse struct {
	start []int32
	list  []int32
}

func (r *reverse) of(i int32) []int32 { return r.list[r.start[i]:r.start[i+1]] }

func predecessors(states []state) reverse {
	r := reverse{start: make([]int32, len(states)+1)}
	each := func(do func(from, to int32)) {
		for i := range states {
			if states[i].other != dead {
				do(int32(i), states[i].other)
			}
			for _, e := range states[i].edges {
				if e.to != dead {
					do(int32(i), e.to)
				}
			}
		}
	}
	each(func(_, to int32) { r.start[to+1]++ })
	for i := 1; i < len(r.start); i++ {
		r.start[i] += r.start[i-1]
	}
	r.list = make([]int32, r.start[len(states)])
	at := slices.Clone(r.start)
	each(func(from, to int32) {
		r.list[at[to]] = from
		at[to]++
	})
	return r
}

// merge finds which states behave alike. States from which acceptance is a
// different number of characters away can't: with these classes it begins, and
// splits them until all members of a class lead into the same classes. A class
// that splits keeps its number for the largest part, so that only predecessors of
// the smaller ones have to be looked at again.
func merge(states []state, before reverse) []int32 {
	r := refinement{states: states, marked: make([]bool, len(states)), groups: map[string]int{}}
	r.class, r.members = byDistance(states, before)
	r.pending = make([][]int32, len(r.members), len(states)+1)
	for c, list := range r.members {
		if len(list) > 1 {
			r.pending[c] = slices.Clone(list)
			r.touched = append(r.touched, int32(c))
		}
	}
	for len(r.touched) > 0 {
		slices.Sort(r.touched) // the result doesn't hang on the order of what was found
		var splits []split
		for _, c := range r.touched {
			if parts := r.divide(c); len(parts) > 1 {
				splits = append(splits, split{c, parts})
			}
		}
		r.touched = r.touched[:0]
		var moved []int32
		for _, sp := range splits {
			moved = append(moved, r.rename(sp)...)
		}
		r.look(moved, before)
	}
	return r.class
}

// refinement is the work of merge.
type refinement struct {
	states  []state
	class   []int32   // of each state
	members [][]int32 // of each class
	pending [][]int32 // of each class, the members to look at
	touched []int32   // the classes that have such
	marked  []bool    // states that are among them
	groups  map[string]int
	key     []byte
}

// split is a class with the parts that it falls into.
type split struct {
	of    int32
	parts [][]int32
}

// sign tells into which classes a state leads.
func (r *refinement) sign(i int32) []byte {
	st := &r.states[i]
	c := func(to int32) uint64 {
		if to == dead {
			return 0
		}
		return uint64(r.class[to]) + 1
	}
	other := c(st.other)
	r.key = binary.AppendUvarint(r.key[:0], other)
	for _, e := range st.edges {
		if to := c(e.to); to != other {
			r.key = binary.AppendUvarint(r.key, uint64(e.r))
			r.key = binary.AppendUvarint(r.key, to)
		}
	}
	return r.key
}

// divide parts the members of a class by where they lead, and looks at those alone
// that are pending.
func (r *refinement) divide(c int32) (parts [][]int32) {
	clear(r.groups)
	put := func(sig []byte, i int32) {
		g, ok := r.groups[string(sig)]
		if !ok {
			g = len(parts)
			r.groups[string(sig)] = g
			parts = append(parts, nil)
		}
		parts[g] = append(parts[g], i)
	}
	for _, i := range r.pending[c] {
		r.marked[i] = true
		put(r.sign(i), i)
	}
	if len(r.pending[c]) < len(r.members[c]) {
		// The others still lead where they led: all alike.
		var sig []byte
		for _, i := range r.members[c] {
			if r.marked[i] {
				continue
			}
			if sig == nil {
				sig = slices.Clone(r.sign(i))
			}
			put(sig, i)
		}
	}
	for _, i := range r.pending[c] {
		r.marked[i] = false
	}
	r.pending[c] = r.pending[c][:0]
	return parts
}

// rename gives new numbers to all parts of a class but the largest, and tells the
// states that have one.
func (r *refinement) rename(sp split) (moved []int32) {
	largest := 0
	for i, p := range sp.parts {
		if len(p) > len(sp.parts[largest]) {
			largest = i
		}
	}
	for i, p := range sp.parts {
		if i == largest {
			r.members[sp.of] = p
			continue
		}
		for _, m := range p {
			r.class[m] = int32(len(r.members))
		}
		r.members, r.pending = append(r.members, p), append(r.pending, nil)
		moved = append(moved, p...)
	}
	return moved
}

// look makes those pending that lead to states which have a new number.
func (r *refinement) look(moved []int32, before reverse) {
	for _, m := range moved {
		for _, from := range before.of(m) {
			c := r.class[from]
			if r.marked[from] || len(r.members[c]) == 1 {
				continue
			}
			r.marked[from] = true
			if len(r.pending[c]) == 0 {
				r.touched = append(r.touched, c)
			}
			r.pending[c] = append(r.pending[c], from)
		}
	}
	for _, c := range r.touched {
		for _, i := range r.pending[c] {
			r.marked[i] = false
		}
	}
}

// byDistance divides states by how far acceptance is. All states can reach it.
func byDistance(states []state, before reverse) (class []int32, members [][]int32) {
	class = make([]int32, len(states))
	queue := make([]int32, 0, len(states)) // one class after the other
	for i := range states {
		class[i] = dead
		if states[i].accept {
			class[i] = 0
			queue = append(queue, int32(i))
		}
	}
	members = make([][]int32, 0, len(states)+1)
	for from := 0; from < len(queue); {
		now := queue[from:len(queue):len(queue)]
		from = len(queue)
		members = append(members, now)
		for _, i := range now {
			for _, p := range before.of(i) {
				if class[p] == dead {
					class[p] = int32(len(members))
					queue = append(queue, p)
				}
			}
		}
	}
	return class, members
}
