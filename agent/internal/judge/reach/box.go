package reach

import (
	"buzon/agent/internal/judge/reach/strset"
)

// bits is a set of classes of values of one condition key.
type bits [4]uint64

// maxAtoms is how many classes a key may have; more is over budget.
const maxAtoms = 256

func (b bits) and(c bits) bits {
	return bits{b[0] & c[0], b[1] & c[1], b[2] & c[2], b[3] & c[3]}
}

func (b bits) minus(c bits) bits {
	return bits{b[0] &^ c[0], b[1] &^ c[1], b[2] &^ c[2], b[3] &^ c[3]}
}

func (b bits) empty() bool { return b == bits{} }

func (b bits) has(i int) bool { return b[i/64]>>(i%64)&1 == 1 }

func (b *bits) set(i int) { b[i/64] |= 1 << (i % 64) }

// keyset is a set of what a request may hold under one condition key: nothing
// (or an empty list, which is the same to IAM), one value, or several values.
type keyset struct {
	absent bool
	one    bits
	many   *several // nil: no list of two or more
}

// several is a set of lists of two or more values, given by the classes that
// occur in them: all of them in all, and of each of some at least one.
type several struct {
	all  bits
	some []bits
}

func (m *several) empty() bool {
	if m == nil || m.all.empty() {
		return true
	}
	for _, b := range m.some {
		if b.and(m.all).empty() {
			return true
		}
	}
	return false
}

func (k keyset) empty() bool {
	return !k.absent && k.one.empty() && k.many.empty()
}

func (k keyset) and(o keyset) keyset {
	out := keyset{absent: k.absent && o.absent, one: k.one.and(o.one)}
	if k.many != nil && o.many != nil {
		m := &several{all: k.many.all.and(o.many.all)}
		m.some = append(append(m.some, k.many.some...), o.many.some...)
		if !m.empty() {
			out.many = m
		}
	}
	return out
}

// minus is what is in k and not in o, in parts that don't overlap.
func (k keyset) minus(o keyset) []keyset {
	var parts []keyset
	rest := keyset{absent: k.absent && !o.absent, one: k.one.minus(o.one)}
	if k.many != nil && o.many == nil {
		rest.many = k.many
	}
	if !rest.empty() {
		parts = append(parts, rest)
	}
	if k.many == nil || o.many == nil {
		return parts
	}
	add := func(m *several) {
		if !m.empty() {
			parts = append(parts, keyset{many: m})
		}
	}
	with := func(some []bits, b bits) []bits { return append(some[:len(some):len(some)], b) }
	// A list is outside o if it holds a value that o doesn't have …
	add(&several{all: k.many.all, some: with(k.many.some, k.many.all.minus(o.many.all))})
	// … or none of those of which o must have one.
	left := several{all: k.many.all.and(o.many.all), some: k.many.some}
	for _, b := range o.many.some {
		add(&several{all: left.all.minus(b), some: left.some})
		left.some = with(left.some, b)
	}
	return parts
}

// within tells whether every member of k is in o.
func (k keyset) within(o keyset) bool { return len(k.minus(o)) == 0 }

// box is a product: resources × one keyset for each key of its cell.
type box struct {
	res  *strset.Set
	keys []keyset
}

// and cuts two boxes; false if nothing is left.
func (s *Space) intersect(a, b box) (box, bool) {
	out := box{res: s.And(a.res, b.res)}
	if out.res.Empty() {
		return out, false
	}
	out.keys = make([]keyset, len(a.keys))
	for i := range a.keys {
		out.keys[i] = a.keys[i].and(b.keys[i])
		if out.keys[i].empty() {
			return out, false
		}
	}
	return out, true
}

// disjoint tells whether two boxes have nothing in common.
func (s *Space) disjoint(a, b box) bool {
	for i := range a.keys {
		if a.keys[i].and(b.keys[i]).empty() {
			return true
		}
	}
	return s.Disjoint(a.res, b.res)
}

// excess counts the dimensions in which a isn't within b.
func (s *Space) excess(a, b box) int {
	n := 0
	for i := range a.keys {
		if !a.keys[i].within(b.keys[i]) {
			n++
		}
	}
	if !s.Within(a.res, b.res) {
		n++
	}
	return n
}

// subtract divides what is in a and not in b into boxes that don't overlap. The
// conditions come first, so that the resources of the first boxes stay whole.
func (s *Space) subtract(a, b box) []box {
	var parts []box
	rest := box{res: a.res, keys: append([]keyset(nil), a.keys...)}
	for i := range a.keys {
		for _, k := range rest.keys[i].minus(b.keys[i]) {
			part := box{res: rest.res, keys: append([]keyset(nil), rest.keys...)}
			part.keys[i] = k
			parts = append(parts, part)
		}
		if rest.keys[i] = rest.keys[i].and(b.keys[i]); rest.keys[i].empty() {
			return parts
		}
	}
	if res := s.Minus(rest.res, b.res); !res.Empty() {
		parts = append(parts, box{res: res, keys: rest.keys})
	}
	return parts
}
