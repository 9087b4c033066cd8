package strset

import (
	"container/heap"
	"slices"
)

// example is the most readable text of a set; ok is false for the empty set.
type example struct {
	text string
	ok   bool
}

// Shortest finds a cheapest text: few characters, and plain ones. Each state's way to
// acceptance is settled in the order of its cost, from the end backwards.
func (s *Space) Shortest(l *Set) (string, bool) {
	if w, ok := s.examples[l]; ok {
		return w.text, w.ok
	}
	w := cheapest(l)
	s.examples[l] = w
	return w.text, w.ok
}

func cheapest(l *Set) example {
	if l.Empty() {
		return example{}
	}
	n := len(l.states)
	type step struct {
		r  rune
		to int32
	}
	best := make([]int, n)
	way := make([]step, n)
	done := make([]bool, n)
	queue := &costs{}
	for i := range l.states {
		best[i] = -1
		if l.states[i].accept {
			best[i] = 0
			way[i].to = dead
			heap.Push(queue, cost{0, int32(i)})
		}
	}
	before := predecessors(&l.automaton)
	for queue.Len() > 0 {
		c := heap.Pop(queue).(cost)
		if done[c.state] {
			continue
		}
		done[c.state] = true
		for _, from := range before.of(c.state) {
			r, price := l.cheapestTo(from, c.state)
			if total := c.cost + price; best[from] < 0 || total < best[from] {
				best[from] = total
				way[from] = step{r, c.state}
				heap.Push(queue, cost{total, from})
			}
		}
	}
	var text []rune
	for at := int32(0); ; {
		if best[at] == 0 && l.states[at].accept {
			break
		}
		text = append(text, way[at].r)
		at = way[at].to
	}
	return example{string(text), true}
}

// cheapestTo is the plainest character that leads to a state.
func (a *automaton) cheapestTo(from, to int32) (rune, int) {
	var r rune
	price := -1
	offer := func(c rune) {
		if p := priceOf(c); price < 0 || p < price {
			r, price = c, p
		}
	}
	for _, e := range a.of(from) {
		if e.to == to {
			offer(e.r)
		}
	}
	if a.other(from) == to {
		if c, ok := unnamed(a.of(from)); ok {
			offer(c)
		}
	}
	return r, price
}

// plain are the characters to choose from where any will do, the best first.
const plain = "xabcdefghijklmnopqrstuvwyz0123456789-_.ABCDEFGHIJKLMNOPQRSTUVWXYZ/ :=+@,;!#%&()~éñøßабв"

// unnamed is a character that has no edge among some.
func unnamed(edges []edge) (rune, bool) {
	named := func(c rune) bool {
		_, ok := slices.BinarySearchFunc(edges, c, func(e edge, r rune) int { return int(e.r) - int(r) })
		return ok
	}
	for _, c := range plain {
		if !named(c) {
			return c, true
		}
	}
	for c := rune(0x4e00); c < 0x9fff; c++ { // more than a budget's worth of letters
		if !named(c) {
			return c, true
		}
	}
	return 0, false
}

func priceOf(r rune) int {
	switch {
	case r == 'x':
		return 10
	case r >= 'a' && r <= 'z':
		return 11
	case r >= '0' && r <= '9':
		return 12
	case r == '-' || r == '/' || r == '.' || r == '_' || r == ':':
		return 13
	case r >= 'A' && r <= 'Z':
		return 14
	case r >= 0xF0000:
		return 11
	case r == '*' || r == '?' || r < ' ' || r == 0x7f:
		return 90
	case r < 0x7f:
		return 25
	default:
		return 50
	}
}

type cost struct {
	cost  int
	state int32
}

// costs is a heap of states by the cost of their way to acceptance.
type costs []cost

func (c costs) Len() int           { return len(c) }
func (c costs) Less(i, j int) bool { return c[i].cost < c[j].cost }
func (c costs) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }

// Push adds a cost, for container/heap.
func (c *costs) Push(x any) { *c = append(*c, x.(cost)) }

// Pop removes the last, for container/heap.
func (c *costs) Pop() any {
	old := *c
	x := old[len(old)-1]
	*c = old[:len(old)-1]
	return x
}
