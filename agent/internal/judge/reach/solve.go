package reach

import (
	"slices"

	"buzon/agent/internal/judge/reach/strset"
)

// allowedBox is a box of requests that are allowed, with the statements that allow it.
type allowedBox struct {
	box  box
	used []int
}

// search walks over boxes that are allowed and don't fall to a Deny, within a
// box; yield ends it by answering false.
func (c *cell) search(within box, yield func(allowedBox) bool) {
	for _, w := range c.paths {
		if w.open() && !c.intersectLayers(within, w, nil, yield) {
			return
		}
	}
}

// intersectLayers takes one layer after the other.
func (c *cell) intersectLayers(b box, w grantPath, used []int, yield func(allowedBox) bool) bool {
	c.v.e.look()
	if len(w) == 0 {
		return c.subtractDenies(b, c.denies, func(rest box) bool { return yield(allowedBox{rest, used}) })
	}
	s := c.v.e.space
	used = used[:len(used):len(used)]
	for _, j := range w[0].stmts {
		if s.inside(b, c.boxes[j]) {
			return c.intersectLayers(b, w[1:], append(used, j), yield)
		}
	}
	for _, j := range w[0].stmts {
		if part, ok := s.intersect(b, c.boxes[j]); ok && !c.intersectLayers(part, w[1:], append(used, j), yield) {
			return false
		}
	}
	return true
}

// subtractDenies takes the denies out of a box: first those that leave the least.
func (c *cell) subtractDenies(b box, denies []int, yield func(box) bool) bool {
	c.v.e.look()
	s := c.v.e.space
	var left []int
	best, least := -1, 0
	for _, j := range denies {
		if s.disjoint(b, c.boxes[j]) {
			continue
		}
		n := s.excess(b, c.boxes[j])
		if n == 0 {
			return true // nothing is left
		}
		if best < 0 || n < least {
			best, least = j, n
		}
		left = append(left, j)
	}
	if best < 0 {
		return yield(b)
	}
	left = slices.DeleteFunc(left, func(j int) bool { return j == best })
	for _, part := range s.subtract(b, c.boxes[best]) {
		if !c.subtractDenies(part, left, yield) {
			return false
		}
	}
	return true
}

// inside tells whether a box is part of another.
func (s *Space) inside(a, b box) bool {
	for i := range a.keys {
		if !a.keys[i].within(b.keys[i]) {
			return false
		}
	}
	return s.Within(a.res, b.res)
}

// within is the part of the class that lies in a set. Where nothing tells its
// resources apart it is an example, or all texts for the whole of it.
func (c *cell) within(res *strset.Set) *strset.Set {
	if !c.divided {
		if res == c.v.e.space.Any {
			return res
		}
		if text, ok := c.scope.class.example(res); ok {
			return c.v.e.space.text(text) // what holds of one holds of all
		}
	}
	return c.v.e.space.And(c.scope.class.lang(), res)
}

// start is the box of everything that a question asks of a cell.
func (c *cell) start(q ask) box {
	b := box{res: c.within(q.res), keys: make([]keyset, len(c.dims))}
	for _, key := range q.present {
		if state := c.scope.state(key); state.fixed && len(state.values) == 0 {
			b.res = c.v.e.space.None // no request holds it
		}
	}
	for d := range c.dims {
		b.keys[d] = c.dims[d].full
		if slices.Contains(q.present, c.dims[d].key) {
			b.keys[d].absent = false
		}
		if c.scope.class.holds(c.dims[d].key) {
			b.keys[d].absent = false
		}
	}
	return b
}
