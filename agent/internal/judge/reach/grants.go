package reach

import (
	"slices"

	"buzon/agent/policy"
)

// mostGrants is how many grants are listed; nobody reads more.
const mostGrants = 1_000

// Grants lists what the Allow statements grant in effect, in the order of the
// sources: at most the first thousand (see GrantsCut). What may be left counts as
// left.
func (e *Engine) Grants() []Grant {
	var out []Grant
	var v *view
	if !e.within(func() { v = e.wideView() }) {
		e.grantsCut = true
		return nil
	}
	for j, st := range v.stmts {
		if !st.allow || st.gone || !grantsRights(st.kind) {
			continue
		}
		r := &remains{v: v, index: j, st: st}
		conditions := conditionsOf(st.st)
		if !e.within(func() { r.prepare() }) {
			r.all = true
		}
		for _, a := range st.st.Actions {
			for _, res := range orOne(st.st.Resources) {
				left := true
				if !e.within(func() { left = r.of(a.Value, res.Value) }) {
					left, r.all = true, true
				}
				if !left {
					continue
				}
				if len(out) == mostGrants {
					e.grantsCut = true
					return out
				}
				out = append(out, Grant{
					Action: a.Value, Resource: res.Value, NotAction: st.st.NotAction, NotResource: st.st.NotResource,
					Conditions: conditions, Because: st.ref,
				})
			}
		}
	}
	return out
}

// GrantsCut tells whether Grants left some out.
func (e *Engine) GrantsCut() bool { return e.grantsCut }

// orOne is the resources of a statement, or one empty where it has none.
func orOne(list []policy.Text) []policy.Text {
	if len(list) == 0 {
		return []policy.Text{{}}
	}
	return list
}

func conditionsOf(st *policy.Statement) map[string]map[string][]string {
	out := map[string]map[string][]string{}
	for _, c := range st.Conditions {
		op := c.Operator.String()
		if out[op] == nil {
			out[op] = map[string][]string{}
		}
		values := make([]string, 0, len(c.Values))
		for _, v := range c.Values {
			values = append(values, v.Value)
		}
		out[op][c.Key] = values
	}
	return out
}

// remains looks what is left of the patterns of one Allow statement.
type remains struct {
	v      *view
	index  int
	st     *stmt
	all    bool // over budget: everything counts as left
	groups []*group
	of1    map[int32]int // the group of an action of the catalogue
	others map[string]int
	known  map[remainsKey]bool
}

type remainsKey struct {
	group    int
	resource string
}

func (r *remains) prepare() {
	x := actionIndex()
	r.of1, r.others, r.known = map[int32]int{}, map[string]int{}, map[remainsKey]bool{}
	var list []asked
	n := 0
	r.st.actions.each(func(int32) { n++ })
	list = slices.Grow(list, n)
	r.st.actions.each(func(i int32) { list = append(list, x.asked(i)) })
	for k, p := range r.st.actions.patterns {
		text := tokenText(p)
		if len(r.v.e.space.matching(text)) == 0 {
			list = append(list, asked{name: r.st.actions.shown[k], lower: text, shown: r.st.actions.shown[k], number: -1})
		}
	}
	r.groups = r.v.groups(list, "")
	if r.st.st.NotAction {
		return
	}
	for g, group := range r.groups {
		for _, i := range group.actions {
			if a := &list[i]; a.number >= 0 {
				r.of1[a.number] = g
			} else {
				r.others[a.lower] = g
			}
		}
	}
}

// of tells whether something is left of one pattern of actions on one of
// resources.
func (r *remains) of(action, resource string) bool {
	if r.all || r.st.all {
		return true
	}
	if r.st.st.NotAction {
		for g := range r.groups {
			if r.left(g, resource) {
				return true
			}
		}
		return false
	}
	if policy.HasSymbol(action) {
		return true
	}
	text := lower(action)
	if text == "*:*" {
		text = "*"
	}
	if g, ok := r.others[text]; ok {
		return r.left(g, resource)
	}
	seen := map[int]bool{}
	for _, i := range r.v.e.space.matching(text) {
		g, ok := r.of1[i]
		if !ok || seen[g] {
			continue
		}
		if seen[g] = true; r.left(g, resource) {
			return true
		}
	}
	return false
}

func (r *remains) left(g int, resource string) bool {
	r.v.e.look()
	key := remainsKey{g, resource}
	left, ok := r.known[key]
	if !ok {
		left = r.search(r.groups[g], resource)
		r.known[key] = left
	}
	return left
}

func (r *remains) search(g *group, resource string) bool {
	e := r.v.e
	for _, p := range e.classesOf(g.sample) {
		c := r.v.cellOf(g, p, nil)
		if c.boxes[r.index].res == nil {
			continue
		}
		b := c.boxes[r.index]
		if len(r.st.st.Resources) > 1 && !r.st.st.NotResource {
			b.res = e.space.And(b.res, c.resource(r.st, resource))
		}
		if b.res = c.within(b.res); b.res.Empty() || !e.meets(p, e.space.Any) {
			continue
		}
		left := false
		c.search(b, func(allowedBox) bool {
			left = true
			return false
		})
		if left {
			return true
		}
	}
	return false
}
