package reach

import (
	"slices"
	"strconv"
	"strings"

	"buzon/agent/internal/judge/reach/strset"
	"buzon/agent/policy"
)

// choice is what a request holds under the keys of a cell: for each dimension a
// list of values, none for absent.
type choice [][]string

// choose picks a value for every key of a box: absent where that will do. It is
// false where only values are left of which nobody knows whether they exist, or
// where two keys would be there that exclude each other.
func (c *cell) choose(b box) (choice, bool) {
	out := make(choice, len(c.dims))
	present := map[string]bool{}
	for i, d := range c.dims {
		k := b.keys[i]
		if fill, ok := c.v.e.defaultOf(d.key); ok {
			if n, found := d.atomOf(fill); found && k.one.has(n) {
				out[i] = []string{fill}
				continue
			}
		}
		if k.absent {
			continue
		}
		present[d.key] = true
		if out[i] = d.pick(k); out[i] == nil {
			return nil, false
		}
	}
	for _, pair := range exclusive {
		if present[pair[0]] && present[pair[1]] || present[pair[0]] && c.givenValue(pair[1]) || present[pair[1]] && c.givenValue(pair[0]) {
			return nil, false
		}
	}
	return out, true
}

func (c *cell) givenValue(key string) bool { return len(c.scope.given[key]) > 0 }

// pick chooses values of a keyset that is not absent; nil where none is sure.
func (d *dim) pick(k keyset) []string {
	for i, a := range d.atoms {
		if a.sure && k.one.has(i) {
			return []string{a.sample}
		}
	}
	if k.many.empty() {
		return nil
	}
	var sure bits
	for i, a := range d.atoms {
		if a.sure {
			sure.set(i)
		}
	}
	first := func(b bits) (string, bool) {
		b = b.and(sure).and(k.many.all)
		for i, a := range d.atoms {
			if b.has(i) {
				return a.sample, true
			}
		}
		return "", false
	}
	var values []string
	for _, b := range k.many.some {
		v, ok := first(b)
		if !ok {
			return nil
		}
		if !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	for len(values) < 2 {
		v, ok := first(k.many.all)
		if !ok {
			return nil
		}
		values = append(values, v)
	}
	return values
}

// atomOf is the class of a value.
func (d *dim) atomOf(value string) (int, bool) {
	if d.kind == boolKey && value != "true" && value != "false" {
		return 0, false
	}
	var in bits
	for i := range d.atoms {
		in.set(i)
	}
	for i, p := range d.preds {
		if p.has(value) {
			in = in.and(d.bits[i])
		} else {
			in = in.minus(d.bits[i])
		}
	}
	for i := range d.atoms {
		if in.has(i) {
			return i, true
		}
	}
	return 0, false
}

// witness makes a request of an allowed box.
func (c *cell) witness(a *asked, l allowedBox) (Witness, bool) {
	chosen, ok := c.choose(l.box)
	if !ok {
		return Witness{}, false
	}
	w := Witness{Action: a.shown, Context: map[string][]string{}}
	p := c.scope.class
	if l.box.res == c.v.e.space.Any {
		l.box.res = p.lang()
	}
	if w.Resource, ok = c.readable(l.box.res); !ok {
		return Witness{}, false
	}
	if p.point && p.bucket != "" {
		w.Bucket = p.bucket
		if _, key, found := strings.Cut(w.Resource, "/object/"); found {
			w.Bucket += "/" + key
		}
	}
	for key, values := range c.scope.given {
		if len(values) > 0 || len(c.filled(key)) > 0 {
			w.Context[key] = values
		}
	}
	for i, d := range c.dims {
		switch {
		case d.key == clock:
			c.tellTime(&w, chosen[i])
		case len(chosen[i]) > 0 || len(c.filled(d.key)) > 0:
			if !slices.Equal(chosen[i], c.filled(d.key)) {
				w.Context[d.key] = chosen[i]
			}
		}
	}
	return w, true
}

// hold gives a request a value under keys that the question wants to be there and
// no condition is about.
func (c *cell) hold(w *Witness, present []string) {
	for _, key := range present {
		if len(w.Context[key]) == 0 && len(c.filled(key)) == 0 {
			d := c.v.dimension(key, nil)
			w.Context[key] = []string{d.atoms[0].sample}
		}
	}
}

// filled is what a request holds under a key that it doesn't name.
func (c *cell) filled(key string) []string {
	if v, ok := c.v.e.fixed[key]; ok {
		return v
	}
	if v, ok := c.v.e.defaultOf(key); ok {
		return []string{v}
	}
	if (key == "aws:resourceaccount" || key == "s3:resourceaccount" && c.scope.class.family == s3Family) && c.scope.class.owner != "" {
		return []string{c.scope.class.owner}
	}
	if slices.Contains(pointKeys, key) {
		return c.scope.class.pointState(key).values
	}
	return nil
}

// tellTime writes the clock under those of its two keys that documents name.
func (c *cell) tellTime(w *Witness, values []string) {
	for key := range c.clocks() {
		if key == clock || len(values) != 1 {
			w.Context[key] = values
			continue
		}
		if t, ok := policy.ParseDate(values[0]); ok {
			w.Context[key] = []string{strconv.FormatFloat(instantOf(t), 'f', -1, 64)}
		}
	}
}

// clocks are the keys of the clock that the set names.
func (c *cell) clocks() map[string]bool {
	keys := map[string]bool{}
	for _, st := range c.v.stmts {
		for _, cd := range st.conds {
			if dimensionOf(cd.key) == clock {
				keys[cd.key] = true
			}
		}
	}
	return keys
}

// readable is a text of a set that is easy to read: a hint of the class, or else
// the shortest.
func (c *cell) readable(res *strset.Set) (string, bool) {
	for _, hint := range c.scope.class.hints {
		if res.Has(hint) {
			return hint, true
		}
	}
	text, ok := c.v.e.space.Shortest(res)
	if file := text + "x"; strings.HasSuffix(text, "/") && res.Has(file) {
		text = file // an object, not a folder
	}
	return text, ok
}
