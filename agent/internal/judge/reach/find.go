package reach

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"buzon/agent/internal/judge/reach/strset"
	"buzon/agent/policy"
)

// Find looks for an allowed request.
func (e *Engine) Find(q Question) Answer {
	var f finding
	if !e.within(func() { f = e.find(q) }) {
		return Answer{Kind: Unknown, Doubts: []Doubt{e.gaveUp()}, Actions: e.spelled(q.Actions)}
	}
	return f.answer()
}

// spelled is how an answer names the actions of a question of which nothing else
// is known.
func (e *Engine) spelled(names []string) []string {
	out := make([]string, 0, len(names))
	x := actionIndex()
	for i, n := range numbersOf(names) {
		if n >= 0 {
			out = append(out, x.actions[n].Name)
		} else {
			out = append(out, names[i])
		}
	}
	return out
}

// finding is what came of a question, group by group.
type finding struct {
	asked []asked
	kinds []Kind // of each of asked; 0 is Nothing
	found []*found
	open  []Doubt
	given map[string][]string

	present []string
}

// found is a group for which something is allowed.
type found struct {
	cell    *cell
	allowed allowedBox
	action  *asked
	keys    int // that a witness has to hold
	order   int
}

// patience is how many groups of a question may go over the budget before the
// rest isn't tried: what is hard is so for most.
const patience = 8

func (e *Engine) find(q Question) finding {
	v := e.wideView()
	given, signature := normalised(q.Context)
	f := finding{asked: v.ask(q.Actions), given: given, present: q.Present}
	f.kinds = make([]Kind, len(f.asked))
	asks := ask{res: e.resources(q.Resources), given: given, present: q.Present}
	over := 0
	for i, g := range v.groups(f.asked, signature) {
		var o outcome
		if over == patience || !e.within(func() { o = e.solve(g, asks) }) {
			o = outcome{kind: Unknown, doubts: []Doubt{e.gaveUp()}}
			over = min(over+1, patience)
		}
		for _, a := range g.actions {
			f.kinds[a] = o.kind
		}
		switch o.kind {
		case Found:
			f.found = append(f.found, &found{cell: o.cell, allowed: o.allowed, action: g.sample, keys: o.keys, order: i})
		case Unknown:
			f.open = append(f.open, o.doubts...)
		case Nothing:
		}
		if q.First && len(f.found) > 0 {
			break
		}
	}
	return f
}

// answer sums the groups up.
func (f *finding) answer() Answer {
	a := Answer{Kind: Nothing, Doubts: distinct(f.open)}
	want := Nothing
	switch {
	case len(f.found) > 0:
		best := slices.MinFunc(f.found, func(x, y *found) int {
			return cmp.Or(
				cmp.Compare(x.cell.scope.class.rank, y.cell.scope.class.rank), cmp.Compare(x.keys, y.keys),
				cmp.Compare(exampleRank(x.action), exampleRank(y.action)), cmp.Compare(x.order, y.order))
		})
		a.Kind, want = Found, Found
		a.Witness, _ = best.cell.witness(best.action, best.allowed)
		best.cell.hold(&a.Witness, f.present)
		for _, j := range best.allowed.used {
			a.Because = append(a.Because, best.cell.v.stmts[j].ref)
		}
	case len(f.open) > 0:
		a.Kind, want = Unknown, Unknown
	}
	seen, n := "", 0
	for _, kind := range f.kinds {
		if kind == want && want != Nothing {
			n++
		}
	}
	a.Actions = slices.Grow(a.Actions, n)
	for i := range f.asked {
		if f.kinds[i] == want && want != Nothing && (f.asked[i].number >= 0 || f.asked[i].name != seen) {
			seen = f.asked[i].name
			a.Actions = append(a.Actions, seen)
		}
	}
	return a
}

// resources is the set of the resources of a question.
func (e *Engine) resources(r Resources) *strset.Set {
	s := e.space
	list := make([]*strset.Set, 0, len(r.globs))
	for _, g := range r.globs {
		list = append(list, s.glob(g))
	}
	switch r.kind {
	case under:
		return s.Union(list)
	case except:
		return s.Not(s.Union(list))
	case everything:
	}
	return s.Any
}

// outcome is the answer for one group.
type outcome struct {
	kind    Kind
	cell    *cell
	allowed allowedBox
	keys    int
	doubts  []Doubt
}

// ask is what a question says of requests, besides their actions.
type ask struct {
	res     *strset.Set
	given   map[string][]string
	present []string
}

// solve looks for an allowed request of a group, class by class of resources.
func (e *Engine) solve(g *group, q ask) outcome {
	out := outcome{kind: Nothing}
	for _, p := range e.classesOf(g.sample) {
		if !e.meets(p, q.res) {
			continue
		}
		c := e.wideView().cellOf(g, p, q.given)
		o := c.best(q)
		if o.kind == Found && len(c.doubts) > 0 {
			o = e.certain(g, c, o, q)
		}
		switch o.kind {
		case Found:
			return o
		case Unknown:
			out.kind = Unknown
			out.doubts = append(out.doubts, o.doubts...)
		case Nothing:
		}
	}
	return out
}

// ordinary tells whether a key says nothing of note about a request: nearly all
// hold this value.
func (e *Engine) ordinary(key, value string) bool {
	return key == "aws:securetransport" && value == "true" || key == "aws:viaawsservice" && value == "false" ||
		key == "aws:tokenissuetime" && e.present(key)
}

// mostCompared is how many boxes are compared to find the one with the fewest keys.
const mostCompared = 24

// best looks for the box whose requests have to hold the fewest keys.
func (c *cell) best(q ask) outcome {
	out := outcome{kind: Nothing}
	start := c.start(q)
	if start.res.Empty() {
		return out
	}
	n := 0
	c.search(start, func(l allowedBox) bool {
		n++
		chosen, ok := c.choose(l.box)
		if !ok {
			if out.kind == Nothing {
				out = outcome{kind: Unknown, doubts: []Doubt{{TiedKeys, c.granted(l)}}}
			}
			return true
		}
		keys := 0
		for i, values := range chosen {
			if len(values) > 0 && !c.v.e.ordinary(c.dims[i].key, values[0]) {
				keys++
			}
		}
		if out.kind != Found || keys < out.keys {
			l.used = slices.Clone(l.used)
			out = outcome{kind: Found, cell: c, allowed: l, keys: keys}
		}
		return keys > 0 && n < mostCompared || out.kind != Found
	})
	return out
}

// granted is the statement that allows a box; none for what root may without one.
func (c *cell) granted(l allowedBox) policy.Reference {
	if len(l.used) == 0 {
		return policy.Reference{Source: -1, Statement: -1}
	}
	return c.v.stmts[l.used[0]].ref
}

// certain looks for a request that is allowed for certain where the wide view
// has one that only may be: by what is exact, or by giving the keys of variables
// a value.
func (e *Engine) certain(g *group, wide *cell, o outcome, q ask) outcome {
	nv := e.narrowView()
	ng := *g
	ng.stmts = nv.matching(g.sample)
	try := func(given map[string][]string) (outcome, bool) {
		c := nv.makeCell(g.sample, ng.stmts, wide.scope.class, given)
		got := c.best(q)
		return got, got.kind == Found
	}
	if got, ok := try(q.given); ok {
		return got
	}
	for _, more := range e.guesses(wide, o.allowed) {
		tried := maps.Clone(q.given)
		if tried == nil {
			tried = map[string][]string{}
		}
		maps.Copy(tried, more)
		if got, ok := try(tried); ok {
			got.keys += len(more)
			return got
		}
	}
	return outcome{kind: Unknown, doubts: wide.doubts}
}

// guesses are values to try for the variables of a cell: none, a plain one, those
// that conditions name, and what stands in their place in a resource of the box.
func (e *Engine) guesses(c *cell, l allowedBox) []map[string][]string {
	keys := slices.Sorted(maps.Keys(c.scope.free))
	if len(keys) == 0 {
		return nil
	}
	var list []map[string][]string
	add := func(values ...string) {
		m := map[string][]string{}
		for _, k := range keys {
			m[k] = values
		}
		list = append(list, m)
	}
	add("x")
	add()
	for _, d := range c.dims {
		if !c.scope.free[d.key] {
			continue
		}
		for _, a := range d.atoms {
			if a.sure && len(list) < 8 {
				add(a.sample)
			}
		}
	}
	if text, ok := e.space.Shortest(l.box.res); ok {
		for _, j := range l.used {
			for _, v := range standIns(c.v.stmts[j], text) {
				if len(list) < 80 {
					add(v)
				}
			}
		}
	}
	return list
}

// standIns are the texts that can stand in the place of a statement's first
// variable where its resource is the one given.
func standIns(st *stmt, text string) []string {
	var out []string
	for _, r := range st.st.Resources {
		before, _, found := strings.Cut(r.Value, "${")
		if !found || strings.ContainsAny(before, "*?") {
			continue
		}
		rest, ok := strings.CutPrefix(text, before)
		for i := range rest {
			if ok && i > 0 {
				out = append(out, rest[:i])
			}
		}
		if ok && rest != "" {
			out = append(out, rest)
		}
	}
	return out
}
