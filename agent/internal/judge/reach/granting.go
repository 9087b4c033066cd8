package reach

import (
	"cmp"
	"slices"

	"buzon/agent/policy"
)

// Granting lists every statement that grants a request of a question by itself: of
// whose Allow something is left after the layers that have to allow as well, and
// after every Deny. They are in the order of the sources. whole is false where
// the budget didn't reach for all of them.
//
// What may grant and what grants for certain are told apart as in Find: only the
// latter is listed.
func (e *Engine) Granting(q Question) (refs []policy.Reference, whole bool) {
	whole = e.within(func() {
		v := e.wideView()
		given, signature := normalised(q.Context)
		asks := ask{res: e.resources(q.Resources), given: given, present: q.Present}
		over, all := 0, 0
		for _, st := range v.stmts {
			if st.allow && !st.gone && grantsRights(st.kind) {
				all++
			}
		}
		for _, g := range v.groups(v.ask(q.Actions), signature) {
			if len(refs) == all {
				break // no other is left
			}
			for _, p := range e.classesOf(g.sample) {
				if !v.unlisted(g, refs) {
					break
				}
				if over < patience && !e.within(func() { refs = e.granting(refs, g, p, asks) }) {
					over++
				}
			}
		}
		if over > 0 {
			panic(givenUp{e.reason})
		}
	})
	slices.SortFunc(refs, func(a, b policy.Reference) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Statement, b.Statement))
	})
	return refs, whole
}

// unlisted tells whether some statement that may grant an action of a group isn't in a
// list.
func (v *view) unlisted(g *group, refs []policy.Reference) bool {
	return slices.ContainsFunc(g.stmts, func(j int) bool {
		st := v.stmts[j]
		return st.allow && !st.gone && grantsRights(st.kind) && !slices.Contains(refs, st.ref)
	})
}

// addGrant adds the statement that grants, the first of those that allow a box, if there is
// one and it isn't there yet.
func (c *cell) addGrant(refs []policy.Reference, used []int) []policy.Reference {
	if len(used) == 0 {
		return refs // root needs none
	}
	if st := c.v.stmts[used[0]]; grantsRights(st.kind) && !slices.Contains(refs, st.ref) {
		return append(refs, st.ref)
	}
	return refs
}

// granting adds the statements that grant an action of a group on a class of resources.
func (e *Engine) granting(refs []policy.Reference, g *group, p *resourceClass, q ask) []policy.Reference {
	if !e.meets(p, q.res) {
		return refs
	}
	c := e.wideView().cellOf(g, p, q.given)
	if len(c.doubts) > 0 {
		// Of variables over keys that aren't fixed some values are tried, as in Find.
		if o := c.best(q); o.kind == Found {
			if o = e.certain(g, c, o, q); o.kind == Found {
				refs = o.cell.addGrant(refs, o.allowed.used)
			}
		}
		c = e.narrowView().makeCell(g.sample, e.narrowView().matching(g.sample), p, q.given)
	}
	start := c.start(q)
	if start.res.Empty() {
		return refs
	}
	for _, w := range c.paths {
		if len(w) == 0 || !w.open() { // root needs no statement
			continue
		}
		for _, j := range w[0].stmts {
			st := c.v.stmts[j]
			if !grantsRights(st.kind) || slices.Contains(refs, st.ref) {
				continue
			}
			part, ok := e.space.intersect(start, c.boxes[j])
			if ok && !c.intersectLayers(part, w[1:], nil, func(l allowedBox) bool {
				_, sure := c.choose(l.box)
				return !sure
			}) {
				refs = append(refs, st.ref)
			}
		}
	}
	return refs
}
