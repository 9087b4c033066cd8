package reach

import (
	"maps"
	"slices"
	"strings"
	"time"

	"buzon/agent/policy"
)

// Contains tells whether a request lies in the set of what is allowed for
// certain, and whether such a request can occur at all (a condition key that the
// action never has, two keys that exclude each other). For tests.
func (e *Engine) Contains(w Witness) (inside, possible bool) {
	e.within(func() { inside, possible = e.contains(e.narrowView(), w) })
	return inside, possible
}

func (e *Engine) contains(v *view, w Witness) (inside, possible bool) {
	a := e.askedOf(w.Action)
	p := e.resourceClassOf(a, w)
	if p == nil {
		return false, false
	}
	context, _ := normalised(w.Context)
	if context == nil {
		context = map[string][]string{}
	}
	if account := accountIn(w.Resource); p.owner == "" && account != "" {
		if p.foreign {
			context["aws:resourceaccount"] = []string{account}
		}
		if p.foreign && p.family == s3Family {
			context["s3:resourceaccount"] = []string{account}
		}
		if p.point && context["s3:dataaccesspointaccount"] == nil {
			context["s3:dataaccesspointaccount"] = []string{account}
		}
	}
	if arn, _, _ := strings.Cut(w.Resource, "/object/"); p.point && p.pointARN == "" && context["s3:dataaccesspointarn"] == nil {
		context["s3:dataaccesspointarn"] = []string{arn}
	}
	given := map[string][]string{}
	for _, st := range v.stmts {
		if st.variables {
			for _, key := range variablesOf(st.st) {
				e.give(given, key, context)
			}
		}
	}
	stmts := v.matching(a)
	c := v.makeCell(a, stmts, p, given)
	if !c.can(context) {
		return false, false
	}
	b := box{res: e.space.text(w.Resource), keys: make([]keyset, len(c.dims))}
	for i, d := range c.dims {
		values, ok := context[d.key]
		if fill, has := e.defaultOf(d.key); !ok && has {
			values = []string{fill}
		}
		if b.keys[i], ok = d.exactly(values, e.now); !ok {
			return false, false
		}
	}
	return c.has(b), true
}

// askedOf is one action by name.
func (e *Engine) askedOf(name string) *asked {
	return &asked{name: name, lower: lower(name), shown: name, number: actionIndex().number(lower(name))}
}

// resourceClassOf is where a request happens, nil where it can't be.
func (e *Engine) resourceClassOf(a *asked, w Witness) *resourceClass {
	for _, p := range e.classesOf(a) {
		if !p.lang().Has(w.Resource) {
			continue
		}
		if !p.point {
			return p
		}
		_, key, _ := strings.Cut(w.Resource, "/object/")
		if w.Bucket == p.bucket || p.bucket != "" && w.Bucket == p.bucket+"/"+key {
			return p
		}
	}
	return nil
}

// give fixes a key to what a context holds, or is filled in with.
func (e *Engine) give(given map[string][]string, key string, context map[string][]string) {
	if _, fixed := e.fixed[key]; fixed {
		return
	}
	values, ok := context[key]
	if fill, has := e.defaultOf(key); !ok && has {
		values = []string{fill}
	}
	if !ok && (key == "aws:resourceaccount" || key == "s3:resourceaccount") {
		return // the class of the resource tells
	}
	given[key] = values
}

// can tells whether a request can have a context: no key that is fixed to
// another value, none that the action never has, no two that exclude each other.
func (c *cell) can(context map[string][]string) bool {
	for key, values := range context {
		if _, given := c.scope.given[key]; given {
			if len(values) > 0 && neverThere(key, c.scope.action) {
				return false
			}
			continue
		}
		if state := c.scope.state(key); state.fixed && !slices.Equal(state.values, values) {
			return false
		}
	}
	for _, pair := range exclusive {
		if len(context[pair[0]]) > 0 && len(context[pair[1]]) > 0 {
			return false
		}
	}
	return true
}

// exactly is the keyset of the one list of values; false if a request can't hold
// it.
func (d *dim) exactly(values []string, now time.Time) (keyset, bool) {
	if len(values) == 0 {
		return keyset{absent: true}, d.full.absent
	}
	var all bits
	var some []bits
	for _, v := range values {
		if d.key == clock {
			if t, ok := policy.ParseDate(v); !ok || t.Before(now) {
				return keyset{}, false
			}
		}
		n, ok := d.atomOf(v)
		if !ok {
			return keyset{}, false
		}
		var b bits
		b.set(n)
		all.set(n)
		some = append(some, b)
	}
	if len(values) == 1 {
		return keyset{one: all}, true
	}
	return keyset{many: &several{all: all, some: some}}, d.full.many != nil
}

// has tells whether all of a box is allowed, of which every statement holds all or
// nothing.
func (c *cell) has(b box) bool {
	s := c.v.e.space
	in := func(j int) bool { return s.inside(b, c.boxes[j]) }
	if slices.ContainsFunc(c.denies, in) {
		return false
	}
	for _, w := range c.paths {
		if !slices.ContainsFunc(w, func(l layer) bool { return !slices.ContainsFunc(l.stmts, in) }) {
			return true
		}
	}
	return false
}

// Stopped tells what keeps a request from being allowed; empty if it is allowed.
func (e *Engine) Stopped(w Witness) Stops {
	var out Stops
	e.within(func() { out = e.stopped(w) })
	return out
}

func (e *Engine) stopped(w Witness) Stops {
	v := e.wideView()
	a := e.askedOf(w.Action)
	p := e.resourceClassOf(a, w)
	if p == nil {
		return Stops{Layers: []policy.Kind{e.identityKind()}}
	}
	c := v.makeCell(a, v.matching(a), p, e.settled(v, w.Context))
	b := box{res: e.space.text(w.Resource)}
	in := func(j int) bool { return e.space.inside(b, c.boxes[j]) }
	var stops Stops
	for _, j := range c.denies {
		if in(j) {
			stops.Denies = append(stops.Denies, v.stmts[j].ref)
		}
	}
	for i, w := range c.paths {
		var layers []policy.Kind
		for _, l := range w {
			if !slices.ContainsFunc(l.stmts, in) && !slices.Contains(layers, l.kind) {
				layers = append(layers, l.kind)
			}
		}
		if i == 0 || len(layers) == 0 {
			stops.Layers = layers
		}
	}
	return stops
}

// settled fixes every key that the set names to what a context holds.
func (e *Engine) settled(v *view, context map[string][]string) map[string][]string {
	full, _ := normalised(context)
	given := map[string][]string{}
	for _, st := range v.stmts {
		for _, cd := range st.conds {
			e.give(given, cd.key, full)
		}
		for _, key := range variablesOf(st.st) {
			e.give(given, key, full)
		}
	}
	maps.Copy(given, full)
	return given
}
