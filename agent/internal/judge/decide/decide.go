package decide

import (
	"strings"
	"unicode/utf8"

	"buzon/agent/policy"
)

// Request is one request that the set's principal makes.
type Request struct {
	Action   string // "s3:PutObject"
	Resource string // an ARN, or "*" for a call that names no resource
	// Bucket is the ARN of the bucket behind a request through an access
	// point, or of the object in it; "" where it isn't known.
	Bucket string
	// ResourceAccount owns the resource; "" means: as the ARN or the set tells.
	ResourceAccount string
	// Context holds the condition keys of the request, in lower case. A key
	// that is missing, or has no values, is absent. Keys that follow from the
	// principal and the resource are filled in unless they are given here.
	Context map[string][]string
}

// Outcome is the answer to a request.
type Outcome uint8

// The outcomes.
const (
	ImplicitDeny Outcome = iota // nothing allows it
	ExplicitDeny                // a Deny matches
	Allowed
	Unclear // it hangs on something that isn't understood
)

// String names the outcome in tests and logs.
func (o Outcome) String() string {
	switch o {
	case ImplicitDeny:
		return "implicit deny"
	case ExplicitDeny:
		return "explicit deny"
	case Allowed:
		return "allowed"
	case Unclear:
		return "unclear"
	}
	return "?"
}

// Result is the answer with the statements that made it: the denying ones, the
// allowing ones of every layer, or the unclear ones. An implicit deny has none.
type Result struct {
	Outcome Outcome
	Because []policy.Reference
}

// Decide answers one request. Whoever asks several of the same set is faster
// with New.
func Decide(set *policy.Set, req Request) Result { return New(set).Decide(req) }

// truth is the answer of a part of the rules; the order is that of "and" as
// the least and "or" as the greatest.
type truth uint8

const (
	no truth = iota
	maybe
	yes
)

func sure(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth { return yes - t }

// Decide answers one request of the set's principal. It may be called from
// several goroutines.
func (e *Evaluator) Decide(req Request) Result {
	r := e.request(req)
	v := votes{}
	for i := range e.sources {
		e.vote(r, &e.sources[i], &v)
	}
	allow := e.combine(r, &v)
	switch {
	case len(v.denies) > 0:
		return Result{ExplicitDeny, v.denies}
	case allow == yes && len(v.unclearDenies) == 0:
		return Result{Allowed, v.allows}
	case allow == yes:
		return Result{Unclear, v.unclearDenies}
	case allow == maybe:
		return Result{Unclear, append(v.unclearAllows, v.unclearDenies...)}
	}
	return Result{Outcome: ImplicitDeny}
}

// votes is what the documents of each layer say.
type votes struct {
	identity, boundary, session truth
	hasBoundary, hasSession     bool
	levels                      map[string]truth // SCPs
	bucket, point, other        grants           // resource policies: of the bucket, the access point, any other resource

	denies, allows, unclearDenies, unclearAllows []policy.Reference
}

// grants is what one resource's policies allow, by how the principal is named.
type grants struct {
	there bool // a policy of this resource is in the set
	// explicit: the resource is a key or a role, which must allow by its own
	// policy; that may leave it to the identity policies of its account.
	explicit bool
	free     truth // as the user, the session, or everybody: final by itself
	role     truth // as the role: still under boundary and session policy
	account  truth // as its account: a delegation to the identity policies
}

func (g grants) any() truth { return max(g.free, g.role, g.account) }

// add takes what one statement of the resource's policies allows.
func (g *grants) add(match truth, who standing) {
	g.free = max(g.free, min(match, max(who[named], who[everyone])))
	g.role = max(g.role, min(match, who[asRole]))
	g.account = max(g.account, min(match, who[asAccount]))
}

// vote lets the statements of one document speak.
func (e *Evaluator) vote(r *request, src *source, v *votes) {
	if !answers(src.kind, r.action) {
		return
	}
	resource, g := v.hear(r, src)
	if resource == "" {
		return
	}
	if g != nil {
		// A grant of a key and an ACL stand beside the policy.
		g.there = g.there || src.kind != policy.KMSGrant && src.kind != policy.ACL
		g.explicit = g.explicit || src.kind == policy.KeyPolicy || src.kind == policy.Trust
	}
	for i := range src.statements {
		st := &src.statements[i]
		match, who := e.matches(r, src, st, resource)
		total := match
		if src.ofResource() {
			total = min(match, who.best())
		}
		if total == no {
			continue
		}
		if st.effect != policy.Allow {
			v.deny(e, r, src, st, total)
		}
		if st.effect != policy.Deny {
			if st.effect == 0 {
				match = maybe
			}
			v.allow(src, st, g, match, who)
		}
	}
}

// hear notes that a document is there, and tells the resource as it sees it ("": it
// isn't about that) and, of one that hangs on a resource, where its grants go.
func (v *votes) hear(r *request, src *source) (resource string, g *grants) {
	resource = r.Resource
	switch src.kind {
	case policy.Boundary:
		v.hasBoundary = true
	case policy.Session:
		v.hasSession = true
	case policy.SCP:
		if v.levels == nil {
			v.levels = make(map[string]truth)
		}
		v.levels[src.level] += 0
	case policy.BucketPolicy, policy.ACL:
		if resource = r.bucket(src); resource == "" {
			return "", nil
		}
		g = &v.bucket
	case policy.AccessPoint:
		if resource = r.under(src.attached); resource == "" {
			return "", nil
		}
		g = &v.point
	case policy.KeyPolicy, policy.KMSGrant, policy.Trust:
		if r.Resource != src.attached {
			return "", nil
		}
		g = &v.other
	case policy.ResourcePolicy, policy.LambdaPermission:
		if !below(r.Resource, src.attached) {
			return "", nil
		}
		g = &v.other
	case policy.RCP:
		// They bind the resources of one organization.
		if r.foreign || r.bucketARN != "" && r.bucketAccount == "" {
			return "", nil
		}
	case policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged,
		policy.RoleInline, policy.RoleManaged:
	}
	return resource, g
}

// answers tells whether policies of a kind have a say in an action (in lower
// case). The trust policy of a role says who may take the role, and nothing of
// who may change, pass or delete it (IAM User Guide, "Roles terms and concepts",
// "Grant a user permissions to pass a role to an AWS service"); a key's policy
// speaks of KMS's calls on the key, a bucket's of S3's.
func answers(k policy.Kind, action string) bool {
	switch k {
	case policy.Trust:
		return strings.HasPrefix(action, "sts:")
	case policy.KeyPolicy, policy.KMSGrant:
		return strings.HasPrefix(action, "kms:")
	case policy.BucketPolicy, policy.ACL, policy.AccessPoint:
		return strings.HasPrefix(action, "s3:")
	case policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged, policy.RoleInline,
		policy.RoleManaged, policy.Boundary, policy.Session, policy.SCP, policy.RCP, policy.ResourcePolicy, policy.LambdaPermission:
	}
	return true
}

// below tells whether a resource is the one given, or a part or version of it.
// The ARN of a secret ends in six characters that its name lacks (Secrets Manager
// User Guide, "Secrets Manager ARN").
func below(resource, attached string) bool {
	rest, ok := strings.CutPrefix(resource, attached)
	switch {
	case !ok || attached == "":
		return false
	case rest == "" || rest[0] == '/' || rest[0] == ':':
		return true
	}
	return strings.Contains(attached, ":secretsmanager:") && rest[0] == '-' && utf8.RuneCountInString(rest) == 7
}

// allow notes an Allow that matches, surely or perhaps.
func (v *votes) allow(src *source, st *statement, g *grants, match truth, who standing) {
	if match == yes && (g == nil || who.best() == yes) {
		v.allows = append(v.allows, st.ref)
	} else {
		v.unclearAllows = append(v.unclearAllows, st.ref)
	}
	switch src.kind {
	case policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged,
		policy.RoleInline, policy.RoleManaged:
		v.identity = max(v.identity, match)
	case policy.Boundary:
		v.boundary = max(v.boundary, match)
	case policy.Session:
		v.session = max(v.session, match)
	case policy.SCP:
		v.levels[src.level] = max(v.levels[src.level], match)
	case policy.RCP: // AWS's own Allow of everything is always there
	case policy.BucketPolicy, policy.ACL, policy.AccessPoint, policy.KeyPolicy, policy.KMSGrant,
		policy.Trust, policy.ResourcePolicy, policy.LambdaPermission:
		g.add(match, who)
	}
}

// deny notes a Deny that matches, surely or perhaps. The root user of the
// account that owns a bucket can always mend its policy, whatever the policy
// says (S3 API Reference, PutBucketPolicy).
func (v *votes) deny(e *Evaluator, r *request, src *source, st *statement, match truth) {
	if e.subject.Type == policy.Root && src.kind == policy.BucketPolicy && r.account == e.subject.Account {
		switch r.action {
		case "s3:getbucketpolicy", "s3:putbucketpolicy", "s3:deletebucketpolicy":
			return
		}
	}
	if match == yes && st.effect == policy.Deny {
		v.denies = append(v.denies, st.ref)
		return
	}
	v.unclearDenies = append(v.unclearDenies, st.ref)
}

// combine joins the layers (IAM User Guide, "How AWS enforcement code logic
// evaluates requests to allow or deny access").
func (e *Evaluator) combine(r *request, v *votes) truth {
	identity := v.identity
	if e.subject.Type == policy.Root {
		identity = yes
	}
	limits := yes
	if v.hasBoundary {
		limits = min(limits, v.boundary)
	}
	if v.hasSession {
		limits = min(limits, v.session)
	}
	// side is what one resource's owner and the principal's account decide
	// together.
	side := func(g grants, owner string) truth {
		if owner != "" && owner != e.subject.Account {
			if r.foreign && !g.there && !strings.HasPrefix(r.action, "iam:") {
				// Nobody knows that its owner doesn't agree. IAM lets in nobody from
				// outside.
				return min(identity, limits)
			}
			return min(identity, limits, g.any())
		}
		own := identity
		if g.explicit {
			own = min(own, g.account)
		}
		return max(g.free, min(max(own, g.role), limits))
	}
	var allow truth
	switch {
	case r.point && r.bucketARN == "":
		allow = side(v.point, r.account)
	case r.point:
		allow = min(side(v.point, r.account), side(v.bucket, r.bucketAccount))
	case strings.HasPrefix(r.action, "s3:"):
		allow = side(v.bucket, r.account)
	default:
		// A key or role whose policy isn't in the set is taken to leave it to IAM.
		allow = side(v.other, r.account)
	}
	for _, level := range v.levels {
		allow = min(allow, level)
	}
	return allow
}
