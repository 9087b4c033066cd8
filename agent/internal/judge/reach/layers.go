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
func (g *grants) add(j int, who naming) {
	switch who {
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
	e, p := c.v.e, c.scope.place
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
			l.bucket.add(j, st.who)
		case policy.AccessPoint:
			l.point.add(j, st.who)
		case policy.KeyPolicy, policy.KMSGrant, policy.Trust, policy.ResourcePolicy, policy.LambdaPermission:
			l.other.add(j, st.who)
		case policy.RCP: // AWS's own Allow of everything is always there
		}
	}
	return l
}

// arrange builds the ways of being allowed, as the layers of IAM decide together
// (IAM User Guide, "How AWS enforcement code logic evaluates requests to allow or
// deny access").
func (c *cell) arrange(left []int) {
	e, p, l := c.v.e, c.scope.place, c.sort(left)
	own := way{{e.identityKind(), l.identity}}
	if e.root {
		own = nil // it needs no identity policy
	}
	var limits way
	if e.limits.boundary {
		limits = append(limits, layer{policy.Boundary, l.boundary})
	}
	if e.limits.session {
		limits = append(limits, layer{policy.Session, l.session})
	}
	// side is what one resource's owner and the principal's account decide
	// together.
	side := func(g grants, owner string) []way {
		abroad := owner != "" && owner != e.set.Subject.Account
		if p.foreign && !g.there && (abroad || owner == "") {
			return []way{slices.Concat(own, limits)} // nobody knows that its owner doesn't agree
		}
		if abroad {
			any := slices.Concat(g.free, g.role, g.account)
			return []way{slices.Concat(own, way{{g.kind, any}}, limits)}
		}
		var ways []way
		switch {
		case g.there && (g.kind == policy.KeyPolicy || g.kind == policy.Trust): // they must allow by themselves
			ways = append(ways, slices.Concat(own, way{{g.kind, g.account}}, limits), slices.Concat(way{{g.kind, g.role}}, limits))
		case e.root:
			ways = append(ways, limits)
		default:
			ways = append(ways, slices.Concat(way{{e.identityKind(), slices.Concat(l.identity, g.role)}}, limits))
		}
		return append(ways, way{{g.kind, g.free}})
	}
	var ways []way
	switch {
	case p.point && p.bucket == "":
		ways = side(l.point, p.owner)
	case p.point:
		for _, a := range side(l.point, p.owner) {
			for _, b := range side(l.bucket, p.bucketOwner) {
				ways = append(ways, slices.Concat(a, b))
			}
		}
	case p.family == s3Family:
		ways = side(l.bucket, p.owner)
	default:
		ways = side(l.other, p.owner)
	}
	for _, w := range ways {
		for _, level := range l.levels {
			w = append(w[:len(w):len(w)], layer{policy.SCP, level})
		}
		c.ways = append(c.ways, w.distinct())
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
func (w way) distinct() way {
	var out way
	for _, l := range w {
		if !slices.ContainsFunc(out, func(o layer) bool { return o.kind == l.kind && slices.Equal(l.stmts, o.stmts) }) {
			out = append(out, l)
		}
	}
	return out
}
