package reach

import (
	"slices"

	"buzon/agent/policy"
)

// grants are what one resource's policies allow, by how they name the principal.
type grants struct {
	kind                policy.Kind
	there               bool // the set has a policy of this resource
	free, role, account []int
}

// add sorts an Allow of a resource's policy in.
func (g *grants) add(j int, match principalMatch) {
	switch match {
	case named, everyone:
		g.free = append(g.free, j)
	case asRole:
		g.role = append(g.role, j)
	case asAccount:
		g.account = append(g.account, j)
	case nobody:
	}
}

// sorted is the statements of a cell by the layer that they belong to.
type sorted struct {
	identity, boundary, session []int
	levels                      [][]int
	bucket, point, other        grants
}

// sort sorts the statements that are left in a cell.
func (c *cell) sort(left []int) *sorted {
	e, p := c.v.e, c.scope.class
	l := &sorted{
		levels: make([][]int, len(e.limits.levels)),
		bucket: grants{kind: policy.BucketPolicy}, point: grants{kind: policy.AccessPoint}, other: grants{kind: policy.ResourcePolicy},
	}
	l.bucket.there, l.point.there = e.hasBucketPolicy(p.bucket), p.pointARN != ""
	if p.attached != "" {
		l.other = grants{kind: p.attachedKind, there: p.attachedKind != policy.KMSGrant && answers(p.attachedKind, p.family)}
	}
	for _, j := range left {
		if c.boxes[j].res == nil {
			continue
		}
		st := c.v.stmts[j]
		if !st.allow {
			c.denies = append(c.denies, j)
			continue
		}
		switch st.kind {
		case policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged, policy.RoleInline, policy.RoleManaged:
			l.identity = append(l.identity, j)
		case policy.Boundary:
			l.boundary = append(l.boundary, j)
		case policy.Session:
			l.session = append(l.session, j)
		case policy.SCP:
			i := slices.Index(e.limits.levels, st.level)
			l.levels[i] = append(l.levels[i], j)
		case policy.BucketPolicy, policy.ACL:
			l.bucket.add(j, st.match)
		case policy.AccessPoint:
			l.point.add(j, st.match)
		case policy.KeyPolicy, policy.KMSGrant, policy.Trust, policy.ResourcePolicy, policy.LambdaPermission:
			l.other.add(j, st.match)
		case policy.RCP: // AWS's own Allow of everything is always there
		}
	}
	return l
}

// arrange builds the paths of being allowed, as the layers of IAM decide together
// (IAM User Guide, "How AWS enforcement code logic evaluates requests to allow or
// deny access").
func (c *cell) arrange(left []int) {
	e, p, l := c.v.e, c.scope.class, c.sort(left)
	own := grantPath{{e.identityKind(), l.identity}}
	if e.root {
		own = nil // it needs no identity policy
	}
	var limits grantPath
	if e.limits.boundary {
		limits = append(limits, layer{policy.Boundary, l.boundary})
	}
	if e.limits.session {
		limits = append(limits, layer{policy.Session, l.session})
	}
	// side is what one resource's owner and the principal's account decide
	// together.
	side := func(g grants, owner string) []grantPath {
		abroad := owner != "" && owner != e.set.Subject.Account
		if p.foreign && !g.there && (abroad || owner == "") {
			return []grantPath{slices.Concat(own, limits)} // nobody knows that its owner doesn't agree
		}
		if abroad {
			any := slices.Concat(g.free, g.role, g.account)
			return []grantPath{slices.Concat(own, grantPath{{g.kind, any}}, limits)}
		}
		var paths []grantPath
		switch {
		case g.there && (g.kind == policy.KeyPolicy || g.kind == policy.Trust): // they must allow by themselves
			paths = append(paths, slices.Concat(own, grantPath{{g.kind, g.account}}, limits), slices.Concat(grantPath{{g.kind, g.role}}, limits))
		case e.root:
			paths = append(paths, limits)
		default:
			paths = append(paths, slices.Concat(grantPath{{e.identityKind(), slices.Concat(l.identity, g.role)}}, limits))
		}
		return append(paths, grantPath{{g.kind, g.free}})
	}
	var paths []grantPath
	switch {
	case p.point && p.bucket == "":
		paths = side(l.point, p.owner)
	case p.point:
		for _, a := range side(l.point, p.owner) {
			for _, b := range side(l.bucket, p.bucketOwner) {
				paths = append(paths, slices.Concat(a, b))
			}
		}
	case p.family == s3Family:
		paths = side(l.bucket, p.owner)
	default:
		paths = side(l.other, p.owner)
	}
	for _, w := range paths {
		for _, level := range l.levels {
			w = append(w[:len(w):len(w)], layer{policy.SCP, level})
		}
		c.paths = append(c.paths, w.distinct())
	}
}

// identityKind stands for the identity policies as a layer.
func (e *Engine) identityKind() policy.Kind {
	if e.role != "" {
		return policy.RoleInline
	}
	return policy.UserInline
}

// distinct leaves out layers that are there twice; the first, which grants, stays
// the first.
func (w grantPath) distinct() grantPath {
	var out grantPath
	for _, l := range w {
		if !slices.ContainsFunc(out, func(o layer) bool { return o.kind == l.kind && slices.Equal(l.stmts, o.stmts) }) {
			out = append(out, l)
		}
	}
	return out
}
