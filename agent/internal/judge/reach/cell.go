package reach

import (
	"encoding/binary"
	"slices"

	"buzon/agent/internal/judge/reach/strset"
	"buzon/agent/policy"
)

// cell is an action (or many that nothing tells apart) on a class of resources: there, every
// statement is one box, and keys that are known are settled.
type cell struct {
	v      *view
	scope  *scope
	dims   []*dim
	boxes  []box       // of each statement of the view, where it is in it
	paths  []grantPath // of being allowed; the identity policies' first
	denies []int
	doubts []Doubt // statements that are inexact here
	// divided: some statement tells resources of the class apart. Where none does,
	// they stand for the whole of it unmade, as the set of all texts.
	divided bool
}

// grantPath is a list of layers that must all allow; of a layer's statements one is
// enough.
type grantPath []layer

type layer struct {
	kind  policy.Kind
	stmts []int
}

// open tells whether every layer has a statement.
func (w grantPath) open() bool {
	return !slices.ContainsFunc(w, func(l layer) bool { return len(l.stmts) == 0 })
}

// cellKey names a cell.
type cellKey struct {
	class *resourceClass
	stmts string // that match the action
	keys  string // which of the set's s3: keys the action can't have
	given string // what the question fixes
}

// group is the actions of a question that no statement tells apart, and that
// have the same classes of resources and keys.
type group struct {
	stmts   []int
	key     cellKey
	actions []int // indices of the question's
	sample  *asked
	rank    int // of the sample, as an example
}

// groupKey is what the actions of a group have in common.
type groupKey struct {
	low   uint64 // the first statements that match
	rest  string
	kinds int32
	keys  string
	own   string // set where an action stands alone
}

// actionClass is what the actions of a group have in common, worked out once for a view.
type actionClass struct {
	stmts []int
	key   cellKey
}

// groups divides the actions of a question.
func (v *view) groups(list []asked, given string) []*group {
	var seen []*group // by class
	var out []*group
	for i := range list {
		a := &list[i]
		n := v.classOf(a)
		if missing := int(n) + 1 - len(seen); missing > 0 {
			seen = append(seen, make([]*group, missing)...)
		}
		g, rank := seen[n], exampleRank(a)
		if g == nil {
			c := v.actionClasses[n]
			g = &group{sample: a, rank: rank, stmts: c.stmts, key: c.key}
			g.key.given = given
			seen[n] = g
			out = append(out, g)
		}
		g.actions = append(g.actions, i)
		if rank < g.rank {
			g.sample, g.rank = a, rank
		}
	}
	return out
}

// pageSize is for how many actions of the catalogue a view makes room at once: most
// views are about few.
const pageSize = 256

// classOf is the number of an action's class.
func (v *view) classOf(a *asked) int32 {
	if a.number >= 0 {
		page := &v.numbers[a.number/pageSize]
		if *page == nil {
			*page = new([pageSize]int32)
		}
		if n := (*page)[a.number%pageSize]; n > 0 {
			return n - 1
		}
	}
	v.e.meter.count(1 + len(v.stmts)/32)
	k, more := v.keyOf(a)
	n, ok := v.classNumber[k]
	if !ok {
		n = int32(len(v.actionClasses))
		v.classNumber[k] = n
		v.actionClasses = append(v.actionClasses, v.newActionClass(k, more))
	}
	if a.number >= 0 {
		v.numbers[a.number/pageSize][a.number%pageSize] = n + 1
	}
	return n
}

// keyOf is what tells an action's class; more are the statements beyond the first 64.
func (v *view) keyOf(a *asked) (k groupKey, more []byte) {
	x := actionIndex()
	for j, st := range v.stmts {
		switch {
		case !st.actions.matches(a):
		case j < 64:
			k.low |= 1 << j
		default:
			more = binary.AppendUvarint(more, uint64(j))
		}
	}
	k.rest = string(more)
	switch {
	case a.number >= 0:
		k.kinds = x.kinds[a.number]
		if len(v.s3keys) > 0 {
			n := x.keys[a.number]
			s, ok := v.absent[n]
			if !ok {
				s = v.absentKeys(a)
				v.absent[n] = s
			}
			k.keys = s
		}
	default:
		k.kinds = -1 - int32(familyOf(a.lower))
	}
	if v.naming || v.e.root && recoversPolicy(a.lower) {
		k.own = a.lower
	}
	return k, more
}

func (v *view) newActionClass(k groupKey, more []byte) *actionClass {
	c := &actionClass{}
	for j := range min(64, len(v.stmts)) {
		if k.low>>j&1 == 1 {
			c.stmts = append(c.stmts, j)
		}
	}
	for len(more) > 0 {
		j, n := binary.Uvarint(more)
		c.stmts, more = append(c.stmts, int(j)), more[n:]
	}
	var b []byte
	for _, j := range c.stmts {
		b = binary.AppendUvarint(b, uint64(j))
	}
	c.key = cellKey{stmts: string(b), keys: k.keys + k.own}
	return c
}

// matching lists the statements that match one action.
func (v *view) matching(a *asked) []int {
	var list []int
	for j, st := range v.stmts {
		if st.actions.matches(a) {
			list = append(list, j)
		}
	}
	return list
}

// absentKeys names those of the set's s3: keys that an action never has.
func (v *view) absentKeys(a *asked) string {
	entry := a.entry()
	b := []byte{'-'}
	if entry.Service == "s3" {
		b[0] = 's'
	}
	for i, key := range v.s3keys {
		if neverThere(key, entry) {
			b = binary.AppendUvarint(b, uint64(i))
		}
	}
	return string(b)
}

// recoversPolicy tells whether an action is one of those that the root user of a bucket's
// account can always do, whatever the bucket's policy says (S3 API Reference,
// PutBucketPolicy).
func recoversPolicy(action string) bool {
	switch action {
	case "s3:getbucketpolicy", "s3:putbucketpolicy", "s3:deletebucketpolicy":
		return true
	}
	return false
}

// mostKept is how many boxes of statements are kept for questions to come.
const mostKept = 100_000

// cellOf makes the cell of a group on a class of resources.
func (v *view) cellOf(g *group, p *resourceClass, given map[string][]string) *cell {
	key := g.key
	key.class = p
	if c, ok := v.cells[key]; ok {
		return c
	}
	c := v.makeCell(g.sample, g.stmts, p, given)
	if v.kept += len(v.stmts); v.kept > mostKept {
		v.kept = 0
		clear(v.cells)
	}
	v.cells[key] = c
	return c
}

// here tells whether a statement speaks on a class of resources.
func (p *resourceClass) here(st *stmt) bool {
	if !answers(st.kind, p.family) {
		return false
	}
	switch st.kind {
	case policy.BucketPolicy, policy.ACL:
		return p.bucket != "" && (st.attached == "" || st.attached == p.bucket) || p.anyBucket && st.attached == ""
	case policy.AccessPoint:
		return st.attached != "" && p.pointARN == st.attached
	case policy.KeyPolicy, policy.KMSGrant, policy.Trust, policy.ResourcePolicy, policy.LambdaPermission:
		return p.attached == st.attached
	case policy.RCP:
		return !p.foreign && !p.anyBucket // they bind the resources of one organization
	case policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged, policy.RoleInline,
		policy.RoleManaged, policy.Boundary, policy.Session, policy.SCP:
	}
	return true
}

// makeCell reads the statements that match an action on a class of resources.
func (v *view) makeCell(a *asked, stmts []int, p *resourceClass, given map[string][]string) *cell {
	v.e.meter.count(len(stmts))
	sc := &scope{view: v, class: p, action: a.entry(), given: given}
	c := &cell{v: v, scope: sc}
	o := openKeys{scope: sc, number: map[string]int{}}
	mended := v.e.root && recoversPolicy(a.lower) && p.owner == v.e.set.Subject.Account
	var left []int
	for _, j := range stmts {
		st := v.stmts[j]
		if st.gone || !p.here(st) || mended && !st.allow && st.kind == policy.BucketPolicy {
			continue
		}
		if sc.at = j; o.read(st) {
			left = append(left, j)
		}
	}
	for d, key := range o.keys {
		c.dims = append(c.dims, v.dimension(key, o.preds[d]))
	}
	c.boxes = make([]box, len(v.stmts))
	for _, j := range left {
		sc.at = j
		c.boxes[j] = c.boxOf(v.stmts[j], o.of(j))
	}
	c.arrange(left)
	c.note(stmts)
	return c
}

// openKeys gathers the conditions of a cell's statements on keys that aren't fixed.
type openKeys struct {
	scope  *scope
	list   []openKey
	keys   []string       // a dimension each
	number map[string]int // of each dimension
	preds  [][]*pred      // of each dimension
}

// openKey is a condition on a key that isn't fixed.
type openKey struct {
	stmt int
	cond *cond
	dim  int
	pred int // -1: presence alone
}

// read takes the conditions of a statement; false where one on a fixed key doesn't
// hold, so that the statement matches nothing here.
func (o *openKeys) read(st *stmt) bool {
	from := len(o.list)
	for _, cd := range st.conds {
		state := o.scope.state(cd.key)
		if !state.fixed {
			o.add(st, cd)
			continue
		}
		var pr *pred
		if len(state.values) > 0 && cd.Operator.Test != policy.Null {
			pr = o.scope.predOfFixed(st, cd)
		}
		if !cd.holds(pr, st.b, state.values) {
			o.list = o.list[:from]
			return false
		}
	}
	return true
}

func (o *openKeys) add(st *stmt, cd *cond) {
	dimension := dimensionOf(cd.key)
	d, ok := o.number[dimension]
	if !ok {
		d = len(o.preds)
		o.number[dimension] = d
		o.preds, o.keys = append(o.preds, nil), append(o.keys, dimension)
	}
	k := openKey{st.index, cd, d, -1}
	if cd.Operator.Test != policy.Null {
		pr := o.scope.predOf(st, cd)
		if k.pred = slices.Index(o.preds[d], pr); k.pred < 0 {
			k.pred = len(o.preds[d])
			o.preds[d] = append(o.preds[d], pr)
		}
	}
	o.list = append(o.list, k)
}

// of lists the conditions of one statement; those of all stand in their order.
func (o *openKeys) of(j int) []openKey {
	from, found := slices.BinarySearchFunc(o.list, j, func(k openKey, j int) int { return k.stmt - j })
	if !found {
		return nil
	}
	to := from
	for to < len(o.list) && o.list[to].stmt == j {
		to++
	}
	return o.list[from:to]
}

// boxOf is the requests that a statement matches here; the zero box for none.
func (c *cell) boxOf(st *stmt, open []openKey) box {
	b := box{keys: make([]keyset, len(c.dims))}
	for d := range c.dims {
		b.keys[d] = c.dims[d].full
	}
	for _, o := range open {
		d := c.dims[o.dim]
		var in bits
		if o.pred >= 0 {
			in = d.bits[o.pred]
		}
		b.keys[o.dim] = b.keys[o.dim].and(o.cond.keyset(d, in, st.b))
	}
	if slices.ContainsFunc(b.keys, keyset.empty) {
		return box{}
	}
	if b.res = c.resources(st); b.res != c.v.e.space.Any {
		c.divided = true
		b.res = c.v.e.space.And(c.scope.class.lang(), b.res)
	}
	if b.res.Empty() {
		return box{}
	}
	return b
}

// resources are those of a statement as the class has them.
func (c *cell) resources(st *stmt) *strset.Set { return c.placed(st, c.scope.resources(st)) }

// resource is one of a statement's patterns alone.
func (c *cell) resource(st *stmt, text string) *strset.Set {
	r := reading{b: st.b, allow: st.allow, variables: st.variables, segments: !st.allow}
	return c.placed(st, c.scope.resource(text, st.kind, r))
}

// placed turns resources as a statement sees them into those of the request: a
// bucket's policy sees what is behind the access point.
func (c *cell) placed(st *stmt, l *strset.Set) *strset.Set {
	s, p := c.v.e.space, c.scope.class
	if st.kind != policy.BucketPolicy || !p.point || l == s.Any {
		return l
	}
	through := s.Concat(p.pointARN+"/object/", s.After(p.bucket+"/", l))
	if l.Has(p.bucket) {
		whole := s.Glob(append(strset.Chars(p.pointARN+"/object/"), strset.Token{Kind: strset.Run}), false)
		through = s.Or(through, s.Minus(s.Any, whole))
	}
	return through
}

// dimension makes a dimension, or finds it made.
func (v *view) dimension(key string, preds []*pred) *dim {
	id := []byte(key)
	for _, p := range preds {
		if p.number == 0 {
			v.preds++
			p.number = v.preds
		}
		id = append(id, 0)
		id = binary.AppendUvarint(id, uint64(p.number))
	}
	if d, ok := v.dims[string(id)]; ok {
		return d
	}
	d := &dim{key: key, kind: typeOf(key), preds: preds}
	d.divide(v.e.space, v.e.now, v.e.present(key))
	v.dims[string(id)] = d
	return d
}

// note gathers why the cell isn't exact.
func (c *cell) note(stmts []int) {
	for _, j := range stmts {
		st := c.v.stmts[j]
		if st.doubt != nil && c.scope.class.here(st) {
			c.doubts = append(c.doubts, *st.doubt)
		} else if c.scope.touched[st.index] {
			c.doubts = append(c.doubts, Doubt{FreeVariable, st.ref})
		}
	}
}
