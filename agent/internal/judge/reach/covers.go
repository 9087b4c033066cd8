package reach

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"buzon/agent/internal/judge/reach/strset"
	"buzon/agent/policy"
)

// environments is how many environments are tried at most.
const environments = 4096

// Covers tells whether there is one environment in which every resource of the
// glob, but for those of the globs in except, is allowed for each of the calls.
func (e *Engine) Covers(glob string, calls []Call, except ...string) Coverage {
	var out Coverage
	if !e.within(func() { out = e.covers(glob, calls, except) }) {
		return Coverage{Kind: Open, Doubts: []Doubt{e.gaveUp()}}
	}
	return out
}

func (e *Engine) covers(glob string, calls []Call, except []string) Coverage {
	target := e.target(glob, except)
	certain := e.narrowView().cover(target, calls)
	if certain.best.Kind == Full || len(certain.doubts) == 0 && !certain.cut {
		return certain.best
	}
	if certain.cut {
		return Coverage{Kind: Open, Doubts: []Doubt{{OverBudget, nowhere}}}
	}
	perhaps := e.wideView().cover(target, calls)
	if !perhaps.cut && perhaps.best.Kind == certain.best.Kind {
		return certain.best
	}
	return Coverage{Kind: Open, Doubts: distinct(slices.Concat(certain.doubts, perhaps.doubts))}
}

// target is the resources of a glob, but for those of others. What they all begin with
// is put before the rest: for every prefix of a bucket the rest is the same.
func (e *Engine) target(glob string, except []string) *strset.Set {
	front := glob
	if i := strings.IndexAny(glob, "*?"); i >= 0 {
		front = glob[:i]
	}
	for _, g := range except {
		for !strings.HasPrefix(g, front) {
			_, last := utf8.DecodeLastRuneInString(front)
			front = front[:len(front)-last]
		}
	}
	rest := e.space.glob(glob[len(front):])
	for _, g := range except {
		rest = e.space.Minus(rest, e.space.glob(g[len(front):]))
	}
	return e.space.Concat(front, rest)
}

// cover is a search for the best environment.
type cover struct {
	v      *view
	target *strset.Set
	calls  []callAt
	dims   []*dim
	best   Coverage
	doubts []Doubt
	tried  int
	cut    bool // not every environment was tried
}

// callAt is one of the calls, on the classes of resources that the target has.
type callAt struct {
	asked   *asked
	stmts   []int
	classes []*resourceClass
	given   map[string][]string
}

func (v *view) cover(target *strset.Set, calls []Call) *cover {
	s := v.e.space
	c := &cover{v: v, target: target, best: Coverage{Kind: None}}
	preds := map[string][]*pred{}
	for _, call := range calls {
		at := callAt{asked: v.e.askedOf(call.Action)}
		at.stmts = v.matching(at.asked)
		at.given, _ = normalised(call.Context)
		at.given = v.unsent(at.given)
		for _, p := range v.e.classesOf(at.asked) {
			if s.Disjoint(p.lang(), target) {
				continue
			}
			at.classes = append(at.classes, p)
			cell := v.makeCell(at.asked, at.stmts, p, at.given)
			c.doubts = append(c.doubts, cell.doubts...)
			for _, d := range cell.dims {
				list := preds[d.key]
				for _, p := range d.preds {
					if !slices.Contains(list, p) {
						list = append(list, p)
					}
				}
				preds[d.key] = list
			}
		}
		c.calls = append(c.calls, at)
	}
	for _, key := range slices.Sorted(maps.Keys(preds)) {
		c.dims = append(c.dims, v.dimension(key, preds[key]))
	}
	c.doubts = distinct(c.doubts)
	c.walk(nil)
	if c.best.Kind == Full {
		c.best.Environment = c.needed(c.best.Environment)
	}
	return c
}

// environmental are the s3: keys that a request has from its surroundings; all
// others are headers and parameters that the caller chooses.
var environmental = map[string]bool{
	"s3:tlsversion": true, "s3:authtype": true, "s3:signatureversion": true, "s3:signatureage": true,
	"s3:x-amz-content-sha256": true, "s3:resourceaccount": true, "s3:dataaccesspointaccount": true,
	"s3:dataaccesspointarn": true, "s3:accesspointnetworkorigin": true, "s3:accessgrantsinstancearn": true,
}

// unsent adds to what a call holds that it sends nothing else.
func (v *view) unsent(given map[string][]string) map[string][]string {
	out := maps.Clone(given)
	if out == nil {
		out = map[string][]string{}
	}
	absent := func(key string) {
		sent := strings.HasPrefix(key, "s3:") && !environmental[key] && !strings.HasPrefix(key, "s3:buckettag/") ||
			strings.HasPrefix(key, "aws:requesttag/") || key == "aws:tagkeys" || key == "aws:referer"
		if _, named := out[key]; sent && !named {
			out[key] = nil
		}
	}
	for _, st := range v.stmts {
		for _, cd := range st.conds {
			absent(cd.key)
		}
		for _, key := range variablesOf(st.st) {
			absent(key)
		}
	}
	return out
}

// options are what a request can hold under a key: nothing, if that can be, or
// one value of each class.
func (d *dim) options() [][]string {
	var list [][]string
	if d.full.absent {
		list = append(list, nil)
	}
	for _, a := range d.atoms {
		if a.sure {
			list = append(list, []string{a.sample})
		}
	}
	return list
}

// walk tries environments, those with the fewest keys first as far as the order
// of the keys allows, until one is full.
func (c *cover) walk(env []option) bool {
	if len(env) == len(c.dims) {
		if c.tried++; c.tried > environments {
			c.cut = true
			return false
		}
		c.try(env)
		return c.best.Kind != Full
	}
	d := c.dims[len(env)]
	for _, values := range d.options() {
		if !excluded(env, d.key, values) && !c.walk(append(env[:len(env):len(env)], option{d.key, values})) {
			return false
		}
	}
	return true
}

type option struct {
	key    string
	values []string
}

// excluded tells whether a key can't be there beside those of an environment.
func excluded(env []option, key string, values []string) bool {
	if len(values) == 0 {
		return false
	}
	for _, o := range env {
		for _, pair := range exclusive {
			if len(o.values) > 0 && (o.key == pair[0] && key == pair[1] || o.key == pair[1] && key == pair[0]) {
				return true
			}
		}
	}
	return false
}

// try works out what is allowed in an environment, and keeps the best.
func (c *cover) try(env []option) {
	missing, because := c.missing(env)
	if missing.Empty() {
		c.best = Coverage{Kind: Full, Because: because, Environment: map[string][]string{}}
		for _, o := range env {
			if len(o.values) > 0 {
				c.best.Environment[o.key] = o.values
			}
		}
		return
	}
	kind := None
	if missing != c.target && !c.v.e.space.Within(c.target, missing) {
		kind = Part
	}
	if c.best.Missing == "" || c.best.Kind == None && kind == Part {
		text, _ := c.v.e.space.Shortest(missing)
		c.best = Coverage{Kind: kind, Missing: text, Because: because}
	}
}

// missing is what of the target isn't allowed for all calls, and the statements
// that grant.
func (c *cover) missing(env []option) (*strset.Set, []policy.Reference) {
	s := c.v.e.space
	missing := s.None
	var because []policy.Reference
	for _, call := range c.calls {
		given := maps.Clone(call.given)
		for _, o := range env {
			given[o.key] = o.values
		}
		if at, ok := given[clock]; ok && at != nil {
			given["aws:epochtime"] = epochs(at)
		}
		got := s.None
		for _, p := range call.classes {
			cell := c.v.makeCell(call.asked, call.stmts, p, given)
			allowed, used := cell.resourcesAllowed(c.target)
			got = s.Or(got, allowed)
			for _, j := range used {
				if ref := c.v.stmts[j].ref; !slices.Contains(because, ref) {
					because = append(because, ref)
				}
			}
		}
		missing = s.Or(missing, s.Minus(c.target, got))
	}
	return missing, because
}

// resourcesAllowed is what of a target a cell without open keys allows, and the
// statements that do.
func (c *cell) resourcesAllowed(target *strset.Set) (*strset.Set, []int) {
	s := c.v.e.space
	got := s.None
	var used []int
	union := func(stmts []int) *strset.Set {
		l := s.None
		for _, j := range stmts {
			l = s.Or(l, c.boxes[j].res)
		}
		return l
	}
	for _, w := range c.paths {
		if !w.open() {
			continue
		}
		rest := s.And(c.scope.class.lang(), target)
		for _, l := range w {
			rest = s.And(rest, union(l.stmts))
		}
		if rest.Empty() {
			continue
		}
		got = s.Or(got, rest)
		for _, l := range w {
			for _, j := range l.stmts {
				if !s.Disjoint(rest, c.boxes[j].res) && !slices.Contains(used, j) {
					used = append(used, j)
				}
			}
		}
	}
	return s.Minus(got, union(c.denies)), used
}

// needed leaves out of a full environment what makes no difference.
func (c *cover) needed(env map[string][]string) map[string][]string {
	var full []option
	for _, d := range c.dims {
		full = append(full, option{d.key, env[d.key]})
	}
	out := map[string][]string{}
	for i, d := range c.dims {
		matters := false
		for _, values := range d.options() {
			other := slices.Clone(full)
			other[i].values = nil
			if excluded(other, d.key, values) {
				continue
			}
			other[i].values = values
			if missing, _ := c.missing(other); !missing.Empty() {
				matters = true
				break
			}
		}
		if matters && len(env[d.key]) > 0 {
			out[d.key] = env[d.key]
		}
	}
	return out
}
