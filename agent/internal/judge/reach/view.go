package reach

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/reach/strset"
	"buzon/agent/policy"
)

// view is the set under one reading. The wide view holds every request that may
// be allowed: Allows are read widely and Denies narrowly. The narrow view holds
// only those that are allowed for certain. They are the same where every
// statement is exact.
type view struct {
	e    *Engine
	wide bool

	stmts []*stmt
	cells map[cellKey]*cell
	kept  int // boxes in the cells

	actionClasses []*actionClass
	classNumber   map[groupKey]int32
	numbers       []*[pageSize]int32 // one more than the class of each action of the catalogue; 0: not known yet
	absent        map[int32]string   // by the number of an action's list of keys

	dims  map[string]*dim
	preds int // numbered so far

	allows  actionSet // actions that some Allow matches
	s3keys  []string  // the s3: keys that the set names, which an action may never have
	naming  bool      // the name of some action holds a symbol
	futures *futures
}

// stmt is one statement under a view: an Allow or a Deny.
type stmt struct {
	index     int
	ref       policy.Reference
	kind      policy.Kind
	level     string
	attached  string
	st        *policy.Statement
	variables bool
	allow     bool
	b         bound
	match     principalMatch // of a resource policy

	all            bool // not understood: may match every request
	skipConditions bool // its conditions aren't understood
	doubt          *Doubt
	gone           bool // not in this view: it is here for its doubt alone

	actions actionSet
	conds   []*cond
	plain   bool        // no variables in its resources
	res     *strset.Set // of its resources, where they are plain
}

func (e *Engine) newView(wide bool) *view {
	v := &view{
		e: e, wide: wide, cells: map[cellKey]*cell{}, dims: map[string]*dim{},
		classNumber: map[groupKey]int32{}, absent: map[int32]string{},
		numbers: make([]*[pageSize]int32, (len(actionIndex().actions)+pageSize-1)/pageSize),
	}
	keys := map[string]bool{}
	for i := range e.set.Sources {
		src := &e.set.Sources[i]
		if src.Document == nil || e.leftOut(src.Kind) {
			continue
		}
		for j := range src.Document.Statements {
			st := &src.Document.Statements[j]
			ref := policy.Reference{Source: i, Statement: j}
			if e.omitted[ref] {
				continue
			}
			noDeny := e.opts.Without.AllDenies || e.noDenies[i]
			if st.Effect != policy.Deny && src.Kind != policy.RCP {
				v.add(src, st, ref, true)
			}
			if st.Effect != policy.Allow && !noDeny {
				v.add(src, st, ref, false)
			}
			ofS3(st, src.Document.Variables(), keys)
		}
	}
	for key := range keys {
		v.s3keys = append(v.s3keys, key)
	}
	slices.Sort(v.s3keys)
	return v
}

// ofS3 adds the s3: keys that a statement names.
func ofS3(st *policy.Statement, variables bool, keys map[string]bool) {
	add := func(key string) {
		if strings.HasPrefix(key, "s3:") {
			keys[key] = true
		}
	}
	for _, c := range st.Conditions {
		add(lower(c.Key))
	}
	if variables {
		for _, key := range variablesOf(st) {
			add(key)
		}
	}
}

// add puts a statement into the view, as an Allow or as a Deny.
func (v *view) add(src *policy.Source, st *policy.Statement, ref policy.Reference, allow bool) {
	b := must
	if v.wide == allow {
		b = may
	}
	s := &stmt{
		index: len(v.stmts), ref: ref, kind: src.Kind, level: src.Level, attached: src.Attached,
		st: st, variables: src.Document.Variables(), allow: allow, b: b,
	}
	if src.Kind == policy.BucketPolicy && s.attached == "" {
		s.attached = v.e.bucket
	}
	doubt := func(r Reason) {
		if s.doubt == nil {
			s.doubt = &Doubt{r, ref}
		}
	}
	if st.Effect == 0 || st.Unclear != nil {
		doubt(Unclear)
		s.gone = b == must
		s.all = st.Unclear != nil && !st.UnclearConditions
		s.skipConditions = true
	}
	if s.all {
		s.match = everyone
	} else if ofResource(src.Kind) {
		if v.e.unsureMember(st) {
			doubt(UnsureMember)
		}
		if s.match = v.e.matchOf(st, b); s.match == nobody {
			if s.doubt == nil {
				return
			}
			s.gone = true
		}
	}
	if v.e.openIn(st) {
		doubt(OpenSymbol)
	}
	s.prepare()
	for _, a := range st.Actions {
		v.naming = v.naming || policy.HasSymbol(a.Value)
	}
	s.actions = v.e.space.actionsOf(s)
	if allow && !s.gone {
		v.allows.join(s.actions)
	}
	v.stmts = append(v.stmts, s)
}

// ofResource tells whether a kind of document hangs on a resource and names
// principals.
func ofResource(k policy.Kind) bool {
	switch k {
	case policy.BucketPolicy, policy.ACL, policy.AccessPoint, policy.KeyPolicy, policy.KMSGrant,
		policy.Trust, policy.ResourcePolicy, policy.LambdaPermission:
		return true
	case policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged, policy.RoleInline,
		policy.RoleManaged, policy.Boundary, policy.Session, policy.SCP, policy.RCP:
	}
	return false
}

// openIn tells whether a statement holds a symbol that may be any text.
func (e *Engine) openIn(st *policy.Statement) bool {
	if e.set.Symbols == nil {
		return false
	}
	for _, list := range [][]policy.Text{st.Actions, st.Resources} {
		for _, t := range list {
			if e.hasOpen(t.Value) {
				return true
			}
		}
	}
	for _, c := range st.Conditions {
		for _, t := range c.Values {
			if e.hasOpen(t.Value) {
				return true
			}
		}
	}
	return false
}

// wideView is the view that holds whatever may be allowed; it is made on first
// use.
func (e *Engine) wideView() *view {
	if e.wide == nil {
		e.wide = e.newView(true)
	}
	return e.wide
}

// narrowView is the view that holds only what is allowed for certain.
func (e *Engine) narrowView() *view {
	if e.narrow == nil {
		e.narrow = e.newView(false)
	}
	return e.narrow
}

// grantsRights tells of a kind of document whether its Allows give anything, and
// not only let it pass.
func grantsRights(k policy.Kind) bool {
	switch k {
	case policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged, policy.RoleInline, policy.RoleManaged,
		policy.BucketPolicy, policy.ACL, policy.AccessPoint, policy.KeyPolicy, policy.KMSGrant,
		policy.Trust, policy.ResourcePolicy, policy.LambdaPermission:
		return true
	case policy.Boundary, policy.Session, policy.SCP, policy.RCP:
	}
	return false
}
