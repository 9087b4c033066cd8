package reach

import (
	"math"
	"net/netip"
	"time"

	"buzon/agent/internal/judge/reach/strset"
)

// dim is one condition key of a cell: the classes of values between which no
// condition of the cell can tell, and what a request may hold.
type dim struct {
	key    string
	kind   keyType
	preds  []*pred
	atoms  []atom
	bits   []bits // of each pred: the atoms within it
	full   keyset // all that a request may hold
	values bits   // all atoms
}

// atom is a class of values; sample is one of them. Of a class without a sample
// nobody knows whether it has a member: it comes from tests of different kinds on
// one key.
type atom struct {
	sample string
	sure   bool
}

// point is a value that stands for its class in one field.
type point struct {
	text string
	in   []bool      // for each pred of the field
	set  *strset.Set // of texts: the whole class
}

// divide works out the atoms. now bounds the clock.
func (d *dim) divide(s *Space, now time.Time, present bool) {
	var byField [fields][]int
	for i, p := range d.preds {
		byField[p.field] = append(byField[p.field], i)
	}
	readable := func(f field) bool {
		return f == asNumber && d.kind == numberKey || f == asDate && d.kind == dateKey || f == asAddress && d.kind == addressKey
	}
	var parts [][]point // for each field in use, the classes of its values
	var order [][]int   // and the preds that they tell apart
	for f := asText; f < fields; f++ {
		if len(byField[f]) == 0 {
			continue
		}
		var points []point
		if f == asText {
			points = d.textPoints(s, byField[f])
		} else {
			points = d.samplePoints(f, byField[f], readable(f), now)
		}
		parts = append(parts, points)
		order = append(order, byField[f])
	}
	d.bits = make([]bits, len(d.preds))
	add := func(in []bool, a atom) {
		n := len(d.atoms)
		if n >= maxAtoms {
			panic(givenUp{OverBudget})
		}
		d.atoms = append(d.atoms, a)
		d.values.set(n)
		for i, yes := range in {
			if yes {
				d.bits[i].set(n)
			}
		}
	}
	switch len(parts) {
	case 0:
		sample := "x"
		switch d.kind {
		case boolKey:
			sample = "true"
		case numberKey:
			sample = "1"
		case addressKey:
			sample = "203.0.113.1"
		case dateKey:
			sample = now.Format(time.RFC3339)
		case textKey, listKey, unknownKey:
		}
		add(nil, atom{sample, true})
	case 1:
		for _, p := range parts[0] {
			in := make([]bool, len(d.preds))
			for j, i := range order[0] {
				in[i] = p.in[j]
			}
			add(in, atom{p.text, true})
		}
	default:
		d.mixed(parts, order, add)
	}
	d.full.one = d.values
	d.full.absent = !present
	if d.kind == listKey || d.kind == unknownKey {
		d.full.many = &several{all: d.values}
	}
}

// mixed combines the classes of several fields. Those that one of the samples
// lies in are sure; the others may not exist.
func (d *dim) mixed(parts [][]point, order [][]int, add func([]bool, atom)) {
	found := map[string]string{}
	for _, points := range parts {
		for _, p := range points {
			in := make([]byte, len(d.preds))
			for i, pr := range d.preds {
				if pr.has(p.text) {
					in[i] = 1
				}
			}
			if _, ok := found[string(in)]; !ok {
				found[string(in)] = p.text
			}
		}
	}
	at := make([]int, len(parts))
	for {
		in := make([]bool, len(d.preds))
		key := make([]byte, len(d.preds))
		for f, points := range parts {
			for j, i := range order[f] {
				if points[at[f]].in[j] {
					in[i], key[i] = true, 1
				}
			}
		}
		sample, sure := found[string(key)]
		add(in, atom{sample, sure})
		f := 0
		for ; f < len(at); f++ {
			if at[f]++; at[f] < len(parts[f]) {
				break
			}
			at[f] = 0
		}
		if f == len(at) {
			return
		}
	}
}

// textPoints divides texts by the sets that they are held against.
func (d *dim) textPoints(s *Space, preds []int) []point {
	all := s.Any
	if d.kind == boolKey {
		all = s.Build([][]strset.Token{strset.Chars("true"), strset.Chars("false")}, false)
	}
	points := []point{{set: all}}
	for _, i := range preds {
		p := d.preds[i]
		var next []point
		for _, pt := range points {
			yes, no := s.And(pt.set, p.texts), s.Minus(pt.set, p.texts)
			if p.all {
				yes, no = pt.set, s.None
			}
			for k, half := range []*strset.Set{yes, no} {
				if !half.Empty() {
					next = append(next, point{set: half, in: append(pt.in[:len(pt.in):len(pt.in)], k == 0)})
				}
			}
		}
		if points = next; len(points) > maxAtoms {
			panic(givenUp{OverBudget})
		}
	}
	empty := s.Glob(nil, false)
	for i := range points {
		text, ok := s.Shortest(s.Minus(points[i].set, empty))
		if !ok {
			text = ""
		}
		points[i].text = text
	}
	return points
}

// samplePoints picks a value of every class of numbers, instants or addresses,
// and, unless the key can hold nothing else, one that can't be read as such.
func (d *dim) samplePoints(f field, preds []int, readable bool, now time.Time) []point {
	var texts []string
	var spans []span
	var blocks []netip.Prefix
	for _, i := range preds {
		spans = append(spans, d.preds[i].spans...)
		blocks = append(blocks, d.preds[i].blocks...)
	}
	switch f {
	case asNumber:
		from := math.Inf(-1)
		if d.key == clock {
			from = math.Ceil(instantOf(now))
		}
		for _, v := range linePoints(spans, from) {
			texts = append(texts, numberText(v))
		}
	case asDate:
		from := math.Inf(-1)
		if d.key == clock {
			from = math.Ceil(instantOf(now))
		}
		for _, v := range linePoints(spans, from) {
			texts = append(texts, timeOf(v).Format(time.RFC3339Nano))
		}
	case asAddress:
		for _, a := range addressPoints(blocks) {
			texts = append(texts, a.String())
		}
	case asText, fields:
	}
	if !readable {
		texts = append(texts, "x")
	}
	var points []point
	seen := map[string]bool{}
	for _, text := range texts {
		in := make([]bool, len(preds))
		key := make([]byte, len(preds))
		for j, i := range preds {
			if in[j] = d.preds[i].has(text); in[j] {
				key[j] = 1
			}
		}
		if !seen[string(key)] {
			seen[string(key)] = true
			points = append(points, point{text: text, in: in})
		}
	}
	return points
}
