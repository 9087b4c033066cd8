package audit

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/catalogue"
	"buzon/agent/internal/judge/reach"
	"buzon/agent/policy"
)

// effect lists what is granted in effect: each pattern of an Allow, narrowed to those
// of its actions and to that part of its resources of which something is left after
// boundary, session, SCPs and Denies. What it can't narrow within the budget stays as
// it is written.
func (q *inquiry) effect() {
	grants := q.engine.Grants()
	if q.engine.GrantsCut() {
		q.out.Notes = append(q.out.Notes, Note{What: NoteMoreGrants, Source: -1})
	}
	var of policy.Reference // the statement of conditions, which its grants share
	var conditions map[string]map[string][]string
	for i, g := range grants {
		if delegates(&q.s.Set, g.Because) {
			continue
		}
		left := []narrow{{g.Action, g.Resource, g.NotAction, g.NotResource}}
		if i < looked && q.meter.Over() == "" {
			left = q.narrowed(g)
		}
		if of != g.Because || conditions == nil {
			of, conditions = g.Because, q.conditions(g.Conditions)
		}
		for _, n := range left {
			if n.resource == "" {
				n.resource = q.s.Set.Sources[g.Because.Source].Attached // a trust policy names no resource
			}
			q.grant(Grant{
				Action: q.s.Show(n.action), Resource: q.s.Show(n.resource), Conditions: conditions,
				NotAction: n.notAction, NotResource: n.notResource, Because: q.reference(g.Because),
			})
		}
	}
	q.out.Grants = slices.Clone(q.out.Grants) // of the very size: many principals have many
}

func (q *inquiry) grant(g Grant) {
	if !slices.ContainsFunc(q.out.Grants, func(old Grant) bool { return old.same(&g) }) {
		q.out.Grants = append(q.out.Grants, g)
	}
}

// delegates reports whether a statement on a resource names accounts alone: it leaves
// to the identity policies of an account what it allows, and gives nothing itself
// (IAM User Guide, "AWS JSON policy elements: Principal", on account principals).
func delegates(set *policy.Set, ref policy.Reference) bool {
	src := &set.Sources[ref.Source]
	st := &src.Document.Statements[ref.Statement]
	if src.Kind.Grammar() == policy.Identity || st.NotPrincipal || set.Subject.Type == policy.Root {
		return false
	}
	return !slices.ContainsFunc(st.Principals, func(p policy.Principal) bool {
		part := policy.Segments(p.Value)
		return p.Kind != policy.PrincipalAWS || len(part) == 6 && part[5] != "root" || len(part) == 1 && strings.HasPrefix(p.Value, "A")
	})
}

// narrow is a grant in effect.
type narrow struct {
	action, resource       string
	notAction, notResource bool
}

const (
	looked = 12 // grants that are narrowed; as many as are shown
	most   = 40 // candidates that are tried for the resources of one grant
	single = 12 // actions that are narrowed one by one
)

// narrowed is what is left of a pair of patterns.
func (q *inquiry) narrowed(g reach.Grant) []narrow {
	n := narrow{g.Action, g.Resource, g.NotAction, g.NotResource}
	if !g.NotAction && !strings.ContainsAny(g.Action, "*?") {
		return []narrow{q.held(g, n, []string{g.Action})}
	}
	within := reach.Everything()
	if !g.NotResource && g.Resource != "" && !strings.Contains(g.Resource, "${") {
		within = reach.Under(g.Resource)
	}
	of := q.actionsOf(g)
	a := q.engine.Find(reach.Question{Actions: of, Resources: within})
	if a.Kind != reach.Found || len(a.Doubts) > 0 {
		return []narrow{n}
	}
	if len(a.Actions) == len(of) {
		return []narrow{q.held(g, n, of)}
	}
	n.notAction = false
	var out []narrow
	if len(a.Actions) <= single {
		for _, action := range a.Actions {
			n.action = named([]string{action})[0]
			out = append(out, q.held(g, n, []string{action}))
		}
		return out
	}
	for _, action := range compress(a.Actions, parts().everything()) {
		n.action = action
		out = append(out, n)
	}
	n = q.held(g, n, a.Actions)
	for i := range out {
		out[i].resource, out[i].notResource = n.resource, n.notResource
	}
	return out
}

// held is a grant with the narrowest resource that is known to hold all of it.
func (q *inquiry) held(g reach.Grant, n narrow, actions []string) narrow {
	if c, ok := q.part(g, actions); ok {
		n.resource, n.notResource = c, false
	}
	return n
}

// actionsOf are the actions that a grant's pattern covers.
func (q *inquiry) actionsOf(g reach.Grant) []string {
	if !g.NotAction && g.Action == "*" {
		return parts().all
	}
	covered := map[string]map[string]bool{} // by service
	put := func(service, action string) {
		if covered[service] == nil {
			covered[service] = map[string]bool{}
		}
		covered[service][action] = true
	}
	cover := func(pattern string) {
		for _, a := range catalogue.Match(pattern) {
			put(a.Service, a.Name)
		}
		service, name, _ := strings.Cut(strings.ToLower(pattern), ":")
		if name == "*" {
			put(service, catalogue.Tomorrow(service))
		}
	}
	if !g.NotAction {
		cover(g.Action)
	} else {
		st := &q.s.Set.Sources[g.Because.Source].Document.Statements[g.Because.Statement]
		for _, a := range st.Actions {
			cover(a.Value)
		}
	}
	var out []string
	for _, of := range parts().services() {
		service := serviceOf(of[0])
		switch {
		case covered[service] != nil:
			for _, a := range of {
				if covered[service][a] != g.NotAction {
					out = append(out, a)
				}
			}
		case g.NotAction:
			out = append(out, of...)
		}
	}
	return out
}

// part finds a pattern of the set's own that holds everything that is allowed of these
// actions, and is narrower than the grant's.
func (q *inquiry) part(g reach.Grant, actions []string) (string, bool) {
	if slices.Contains(q.objects, g.Resource) && !g.NotResource {
		return "", false
	}
	if !strings.ContainsAny(g.Resource, "*?") && !g.NotResource {
		return "", false
	}
	var held []string // resources of which it is known that they are allowed
	tried := 0
	for _, c := range q.candidates() {
		if c == g.Resource && !g.NotResource || c == "*" {
			continue
		}
		if tried++; tried > most {
			break
		}
		rest := reach.Except(c)
		if slices.ContainsFunc(held, rest.Has) {
			continue
		}
		switch a := q.engine.Find(reach.Question{Actions: actions, Resources: rest, First: true}); a.Kind {
		case reach.Nothing:
			return c, true
		case reach.Found:
			held = append(held, a.Witness.Resource)
		case reach.Unknown:
		}
	}
	return "", false
}

// candidates are the prefix, and every pattern of resources that the set's documents
// hold to, the longest first: they are the narrowest.
func (q *inquiry) candidates() []string {
	list := slices.Clone(q.objects)
	for _, src := range q.s.Set.Sources {
		if src.Document == nil {
			continue
		}
		for i := range src.Document.Statements {
			st := &src.Document.Statements[i]
			if (st.Effect == policy.Allow) == st.NotResource {
				continue
			}
			for _, r := range st.Resources {
				if !strings.Contains(r.Value, "${") && !slices.Contains(list, r.Value) {
					list = append(list, r.Value)
				}
			}
		}
	}
	rest := list[len(q.objects):]
	slices.SortStableFunc(rest, func(a, b string) int { return len(b) - len(a) })
	return list
}

func (q *inquiry) conditions(in map[string]map[string][]string) map[string]map[string][]string {
	out := make(map[string]map[string][]string, len(in))
	for operator, keys := range in {
		out[operator] = make(map[string][]string, len(keys))
		for key, values := range keys {
			out[operator][key] = showAll(q.s, values)
		}
	}
	return out
}
