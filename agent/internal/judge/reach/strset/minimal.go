package strset

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// minimal turns an automaton into the one Set that accepts the same: states
// that can't reach acceptance become dead, states that behave alike become one,
// and what is left is numbered in the order of a walk from the start.
func (s *Space) minimal(from *automaton) *Set {
	from, before := s.trim(from)
	if len(from.states) == 0 {
		return s.None
	}
	class := s.refine.merge(from, before)

	number := make([]int32, len(from.states)+2) // there are at most as many classes, and perhaps one without members
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
	out := &s.made
	out.empty()
	visit(0)
	for i := 0; i < len(order); i++ {
		at := order[i]
		st := &from.states[at]
		out.add(st.accept, dead)
		for _, e := range from.of(at) {
			if !sameClass(class, e.to, st.other) {
				out.edges = append(out.edges, edge{e.r, visit(e.to)})
			}
		}
		out.states[i].other = visit(st.other) // numbered after those that edges lead to
	}
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
func (s *Space) trim(a *automaton) (*automaton, reverse) {
	before := predecessors(a)
	live := make([]bool, len(a.states))
	var todo []int32
	for i := range a.states {
		if a.states[i].accept {
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
	out := &s.trimmed
	out.empty()
	if len(a.states) == 0 || !live[0] {
		return out, reverse{}
	}
	if !slices.Contains(live, false) {
		return a, before
	}
	renamed := make([]int32, len(a.states))
	n := int32(0)
	for i := range a.states {
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
	for i := range a.states {
		if !live[i] {
			continue
		}
		out.add(a.states[i].accept, name(a.states[i].other))
		for _, e := range a.of(int32(i)) {
			out.lead(e.r, name(e.to))
		}
	}
	return out, predecessors(out)
}

// reverse holds the predecessors of every state in one array.
type reverse struct {
	start []int32
	list  []int32
}

func (r *reverse) of(i int32) []int32 { return r.list[r.start[i]:r.start[i+1]] }

func predecessors(a *automaton) reverse {
	r := reverse{start: make([]int32, len(a.states)+1)}
	each := func(do func(from, to int32)) {
		for i := range a.states {
			if a.states[i].other != dead {
				do(int32(i), a.states[i].other)
			}
			for _, e := range a.of(int32(i)) {
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
	r.list = make([]int32, r.start[len(a.states)])
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
func (r *refinement) merge(of *automaton, before reverse) []int32 {
	r.automaton, r.touched = of, r.touched[:0]
	r.marked = append(r.marked[:0], make([]bool, len(of.states))...)
	r.byDistance(before)
	for c, list := range r.members {
		var all []int32
		if len(list) > 1 {
			all = slices.Clone(list)
			r.touched = append(r.touched, int32(c))
		}
		r.pending = append(r.pending, all)
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

// refinement is the work of merge; its room is used again.
type refinement struct {
	*automaton
	class   []int32   // of each state
	queue   []int32   // states by how far acceptance is
	members [][]int32 // of each class
	pending [][]int32 // of each class, the members to look at
	touched []int32   // the classes that have such
	marked  []bool    // states that are among them
	key     []byte
	first   []byte
	signs   signatures
}

// signatures numbers byte strings in the order in which they are found.
type signatures struct {
	text   []byte // of all
	ends   []int
	number map[string]int // once there are many
}

// few is how many are compared one by one.
const few = 16

func (s *signatures) begin() { s.text, s.ends, s.number = s.text[:0], s.ends[:0], nil }

func (s *signatures) find(sig []byte) int {
	if s.number != nil {
		if n, ok := s.number[string(sig)]; ok {
			return n
		}
		n := len(s.number)
		s.number[string(sig)] = n
		return n
	}
	from := 0
	for n, to := range s.ends {
		if bytes.Equal(s.text[from:to], sig) {
			return n
		}
		from = to
	}
	if len(s.ends) == few {
		s.number = make(map[string]int, 2*few)
		from = 0
		for n, to := range s.ends {
			s.number[string(s.text[from:to])] = n
			from = to
		}
		return s.find(sig)
	}
	s.text = append(s.text, sig...)
	s.ends = append(s.ends, len(s.text))
	return len(s.ends) - 1
}

// split is a class with the parts that it falls into.
type split struct {
	of    int32
	parts [][]int32
}

// sign tells into which classes a state leads.
func (r *refinement) sign(i int32) []byte {
	c := func(to int32) uint64 {
		if to == dead {
			return 0
		}
		return uint64(r.class[to]) + 1
	}
	other := c(r.states[i].other)
	r.key = binary.AppendUvarint(r.key[:0], other)
	for _, e := range r.of(i) {
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
	if r.alike(c) {
		r.pending[c] = r.pending[c][:0]
		return nil
	}
	r.signs.begin()
	put := func(sig []byte, i int32) {
		g := r.signs.find(sig)
		if g == len(parts) {
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

// alike tells whether all members of a class lead into the same classes: most do.
func (r *refinement) alike(c int32) bool {
	first := r.pending[c][0]
	r.first = append(r.first[:0], r.sign(first)...)
	for _, i := range r.pending[c][1:] {
		if !bytes.Equal(r.first, r.sign(i)) {
			return false
		}
	}
	if len(r.pending[c]) == len(r.members[c]) {
		return true
	}
	// The others still lead where they led: one of them stands for all.
	for _, i := range r.pending[c] {
		r.marked[i] = true
	}
	other := slices.IndexFunc(r.members[c], func(i int32) bool { return !r.marked[i] })
	for _, i := range r.pending[c] {
		r.marked[i] = false
	}
	return bytes.Equal(r.first, r.sign(r.members[c][other]))
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
func (r *refinement) byDistance(before reverse) {
	r.class, r.queue = r.class[:0], slices.Grow(r.queue[:0], len(r.states)) // one class after the other
	for i := range r.states {
		c := dead
		if r.states[i].accept {
			c = 0
			r.queue = append(r.queue, int32(i))
		}
		r.class = append(r.class, c)
	}
	r.members, r.pending = r.members[:0], r.pending[:0]
	for from := 0; from < len(r.queue); {
		now := r.queue[from:len(r.queue):len(r.queue)]
		from = len(r.queue)
		r.members = append(r.members, now)
		for _, i := range now {
			for _, p := range before.of(i) {
				if r.class[p] == dead {
					r.class[p] = int32(len(r.members))
					r.queue = append(r.queue, p)
				}
			}
		}
	}
}
