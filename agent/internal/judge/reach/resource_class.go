package reach

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/reach/strset"
	"buzon/agent/policy"
)

// resourceClass is a kind of resource that an action can have, as far as documents tell
// it apart: whose it is, and which policies hang on it.
type resourceClass struct {
	shape *strset.Set
	later func() *strset.Set // makes shape when it is asked for
	sure  bool               // it isn't empty
	hints []string           // members that are easy to read
	rank  int                // what to show first: the bucket in question before all others

	owner string // account; "" where it isn't known

	bucket      string // ARN of the bucket at the end; "" where there is none or it isn't known
	bucketOwner string
	anyBucket   bool // some bucket whose policies aren't in the set

	point    bool   // through an access point
	pointARN string // the one whose policies are in the set

	attached     string      // the key, role or other resource whose policies are in the set
	attachedKind policy.Kind // of those policies

	foreign bool // by its ARN another account's

	family family // of the actions
}

// family is the services whose calls on a resource a policy that hangs on it
// answers for.
type family int32

const (
	anyFamily family = iota
	s3Family
	stsFamily
	kmsFamily
	iamFamily
)

// familyOf is the family of an action, by its name in lower case.
func familyOf(action string) family {
	service, _, _ := strings.Cut(action, ":")
	switch service {
	case "s3":
		return s3Family
	case "sts":
		return stsFamily
	case "kms":
		return kmsFamily
	case "iam":
		return iamFamily
	}
	return anyFamily
}

// answers tells whether policies of a kind have a say in a family's calls. To
// take a role is STS's call, and the one that its trust policy answers; to
// change, pass or delete it is IAM's, a right of identities alone (IAM User Guide,
// "Roles terms and concepts", "Grant a user permissions to pass a role to an AWS
// service"; KMS Developer Guide, "Key policies in AWS KMS").
func answers(k policy.Kind, f family) bool {
	switch k {
	case policy.BucketPolicy, policy.ACL, policy.AccessPoint:
		return f == s3Family
	case policy.Trust:
		return f == stsFamily
	case policy.KeyPolicy, policy.KMSGrant:
		return f == kmsFamily
	case policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged, policy.RoleInline,
		policy.RoleManaged, policy.Boundary, policy.Session, policy.SCP, policy.RCP, policy.ResourcePolicy, policy.LambdaPermission:
	}
	return true
}

// pointState is what is known of one of the keys that only requests through an
// access point hold.
func (p *resourceClass) pointState(key string) keyState {
	switch {
	case !p.point:
		return keyState{fixed: true}
	case key == "s3:dataaccesspointarn" && p.pointARN != "":
		return keyState{true, []string{p.pointARN}}
	case key == "s3:dataaccesspointaccount" && p.owner != "":
		return keyState{true, []string{p.owner}}
	}
	return keyState{}
}

// holds tells of a key whose value isn't known that every request of the class holds it:
// somebody owns what is another's, and what is asked through an access point is asked
// through that one.
func (p *resourceClass) holds(key string) bool {
	return p.foreign && isOwnerKey(key) || p.point && (key == "s3:dataaccesspointarn" || key == "s3:dataaccesspointaccount")
}

// example is a resource of the class that lies in a set, if one is known without
// making the whole of it.
func (p *resourceClass) example(res *strset.Set) (string, bool) {
	if p.sure {
		for _, hint := range p.hints {
			if res.Has(hint) {
				return hint, true
			}
		}
	}
	return "", false
}

// lang is the resources of the class.
func (p *resourceClass) lang() *strset.Set {
	if p.shape == nil {
		p.shape = p.later()
	}
	return p.shape
}

// knownBuckets are the ARNs of the buckets that the set knows something about.
func (e *Engine) knownBuckets() []string {
	var list []string
	add := func(arn string) {
		if arn != "" && !slices.Contains(list, arn) {
			list = append(list, arn)
		}
	}
	add(e.bucket)
	for _, src := range e.set.Sources {
		switch {
		case src.Document == nil || e.leftOut(src.Kind):
		case src.Kind == policy.BucketPolicy, src.Kind == policy.ACL:
			add(src.Attached)
		case src.Kind == policy.AccessPoint:
			add(src.Bucket)
		}
	}
	return list
}

// knownPoints are the access points whose policies are in the set, with the
// bucket behind each.
func (e *Engine) knownPoints() (arns []string, bucket map[string]string) {
	bucket = map[string]string{}
	for _, src := range e.set.Sources {
		if src.Document == nil || e.leftOut(src.Kind) || src.Kind != policy.AccessPoint || src.Attached == "" {
			continue
		}
		if !slices.Contains(arns, src.Attached) {
			arns = append(arns, src.Attached)
		}
		if src.Bucket != "" {
			bucket[src.Attached] = src.Bucket
		}
	}
	return arns, bucket
}

// known is a resource whose policies are in the set, and what kind they are of.
type known struct {
	arn  string
	kind policy.Kind
}

// knownOthers are the keys, roles and resources of other services whose policies
// are in the set.
func (e *Engine) knownOthers() []known {
	var list []known
	for _, src := range e.set.Sources {
		if src.Document == nil || e.leftOut(src.Kind) || src.Attached == "" {
			continue
		}
		switch src.Kind {
		case policy.KeyPolicy, policy.KMSGrant, policy.Trust, policy.ResourcePolicy, policy.LambdaPermission:
			i := slices.IndexFunc(list, func(k known) bool { return k.arn == src.Attached })
			switch {
			case i < 0:
				list = append(list, known{src.Attached, src.Kind})
			case list[i].kind == policy.KMSGrant: // its policy counts for more
				list[i].kind = src.Kind
			}
		case policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged, policy.RoleInline,
			policy.RoleManaged, policy.Boundary, policy.Session, policy.SCP, policy.RCP, policy.BucketPolicy, policy.ACL, policy.AccessPoint:
		}
	}
	return list
}

// shape is the ARNs that the policies of a known resource are about: its own,
// and those of its parts and versions. The ARN of a secret ends in six characters
// that its name lacks (Secrets Manager User Guide, "Secrets Manager ARN").
func (k known) shape(s *Space) *strset.Set {
	own := s.text(k.arn)
	if k.kind != policy.ResourcePolicy && k.kind != policy.LambdaPermission {
		return own
	}
	l := s.Or(own, s.Or(s.Glob(append(strset.Chars(k.arn+"/"), strset.Token{Kind: strset.Run}), false), s.Glob(append(strset.Chars(k.arn+":"), strset.Token{Kind: strset.Run}), false)))
	if strings.Contains(k.arn, ":secretsmanager:") {
		tail := strset.Chars(k.arn + "-")
		for range 6 {
			tail = append(tail, strset.Token{Kind: strset.One})
		}
		l = s.Or(l, s.Glob(tail, false))
	}
	return l
}

// foreign tells of an ARN whether it names another account than the principal's.
func (e *Engine) foreign(arn string) bool {
	account := accountIn(arn)
	return account != "" && e.set.Subject.Account != "" && account != e.set.Subject.Account
}

// hasBucketPolicy tells whether the policy of a bucket is in the set.
func (e *Engine) hasBucketPolicy(bucket string) bool {
	return bucket != "" && slices.ContainsFunc(e.set.Sources, func(src policy.Source) bool {
		return src.Kind == policy.BucketPolicy && src.Document != nil && !e.leftOut(src.Kind) &&
			(src.Attached == bucket || src.Attached == "" && bucket == e.bucket)
	})
}

// ownerOf is the account of a bucket: known of the one in question only.
func (e *Engine) ownerOf(bucket string) string {
	switch {
	case e.bucket == "" || bucket != e.bucket:
		return ""
	case e.set.BucketAccount != "":
		return e.set.BucketAccount
	}
	return e.set.Subject.Account
}

// accountIn is the account in an ARN, where there is one.
func accountIn(arn string) string {
	parts := policy.Segments(arn)
	if len(parts) != 6 || !policy.IsAccount(parts[4]) {
		return ""
	}
	return parts[4]
}

// bucketClasses are buckets (rest is empty) or objects, of the buckets that are
// known and of all others.
func (e *Engine) bucketClasses(rest string) []*resourceClass {
	s := e.space
	tail, hint := placeholders(nil, rest), strings.NewReplacer("${ObjectName}", "x").Replace(rest)
	var list []*resourceClass
	known := e.knownBuckets()
	others := s.Glob(append(append(strset.Chars(e.bucketARN("")), bucketName...), tail...), false)
	for i, b := range known {
		shape := s.Glob(append(strset.Chars(b), tail...), false)
		others = s.Minus(others, shape)
		list = append(list, &resourceClass{
			shape: shape, hints: []string{b + hint}, rank: min(i, 1), owner: e.ownerOf(b), bucket: b, bucketOwner: e.ownerOf(b),
		})
	}
	return append(list, &resourceClass{shape: others, hints: []string{e.bucketARN("another-bucket") + hint}, rank: 2, anyBucket: true})
}

// pointClasses are access points, or objects through them.
func (e *Engine) pointClasses(segs []string) []*resourceClass {
	s := e.space
	_, rest, objects := strings.Cut(strings.TrimPrefix(segs[5], "accesspoint/"), "/")
	var tail []strset.Token
	hint := ""
	if objects {
		tail, hint = placeholders(strset.Chars("/"), rest), "/"+strings.NewReplacer("${ObjectName}", "x").Replace(rest)
	}
	account := e.set.Subject.Account
	region := []strset.Token{{Kind: strset.Run, But: ":"}} // none for those of several Regions
	head := append(append(strset.Chars("arn:"+e.partition+":s3:"), region...), strset.Token{Kind: strset.Char, R: ':'})
	points := func(account []strset.Token) *strset.Set {
		list := append(append(slices.Clone(head), account...), strset.Chars(":accesspoint/")...)
		return s.Glob(append(append(list, bucketName...), tail...), false)
	}
	others := points(strset.Chars(account))
	var list []*resourceClass
	var known []*strset.Set
	arns, bucket := e.knownPoints()
	for _, a := range arns {
		shape := s.Glob(append(strset.Chars(a), tail...), false)
		known = append(known, shape)
		p := &resourceClass{
			shape: shape, hints: []string{a + hint}, rank: 2, owner: accountIn(a), point: true, pointARN: a,
			bucket: bucket[a], bucketOwner: e.ownerOf(bucket[a]), foreign: e.foreign(a),
		}
		if p.bucket == e.bucket && p.bucket != "" {
			p.rank = 1
		}
		if p.bucketOwner == "" {
			p.bucketOwner = p.owner
		}
		list = append(list, p)
	}
	if account == "" {
		return list
	}
	except := s.Union(known)
	for _, o := range e.others {
		list = append(list, &resourceClass{
			shape: s.Minus(o.in(s, points), except),
			hints: []string{"arn:" + e.partition + ":s3:us-east-1:" + o.sample + ":accesspoint/x" + hint},
			rank:  6, owner: o.owner, point: true, foreign: true,
		})
	}
	return append(list, &resourceClass{
		shape: s.Minus(others, except), hints: []string{"arn:" + e.partition + ":s3:us-east-1:" + account + ":accesspoint/x" + hint},
		rank: 4, owner: account, point: true,
	})
}

// otherClasses are the resources of all other services: those of the principal's
// account and of others, those that belong to no account, and the keys and roles
// whose policies are known.
func (e *Engine) otherClasses(segs []string) []*resourceClass {
	s := e.space
	account, partition := e.set.Subject.Account, e.partition
	shape := func(owner string) *strset.Set {
		parts := slices.Clone(segs)
		parts[1], parts[4] = partition, owner
		return s.Named("template "+strings.Join(parts, ":"), func() *strset.Set { return s.Glob(templateTokens(parts), false) })
	}
	var list []*resourceClass
	var known []*strset.Set
	for _, k := range e.attached {
		parts := policy.Segments(k.arn)
		if len(parts) != 6 || !strings.Contains(segs[4], "${") && parts[4] != segs[4] {
			continue
		}
		one := s.And(k.shape(s), shape(parts[4]))
		if one.Empty() {
			continue
		}
		known = append(known, one)
		list = append(list, e.attachedClass(k, one))
	}
	except := s.Union(known)
	add := func(rank int, owner string, accounts ...string) {
		p := &resourceClass{rank: rank, owner: owner, sure: len(known) == 0}
		for _, a := range accounts {
			parts := slices.Clone(segs)
			parts[1], parts[4] = partition, a
			p.hints = append(p.hints, hintOf(parts))
		}
		p.later = func() *strset.Set {
			var shapes []*strset.Set
			for _, a := range accounts {
				shapes = append(shapes, shape(a))
			}
			return s.Minus(s.Union(shapes), except)
		}
		list = append(list, p)
	}
	switch {
	case !strings.Contains(segs[4], "${"):
		owner := ""
		if policy.IsAccount(segs[4]) {
			owner = segs[4]
		}
		add(3, owner, segs[4])
	case account != "":
		add(3, account, account)
		add(5, "", "aws", "")
		for _, o := range e.others {
			parts := slices.Clone(segs)
			parts[1], parts[4] = partition, o.sample
			p := &resourceClass{rank: 4, owner: o.owner, foreign: true, hints: []string{hintOf(parts)}, sure: len(known) == 0}
			p.later = func() *strset.Set {
				return s.Minus(o.in(s, func(account []strset.Token) *strset.Set { return s.Glob(templateWith(segs, partition, account), false) }), except)
			}
			list = append(list, p)
		}
	default:
		add(5, "", "aws", "")
	}
	return list
}

// attachedClass is a resource with policies of its own.
func (e *Engine) attachedClass(k known, shape *strset.Set) *resourceClass {
	return &resourceClass{
		shape: shape, hints: []string{k.arn}, rank: 3, owner: accountIn(k.arn), attached: k.arn, attachedKind: k.kind,
		foreign: e.foreign(k.arn),
	}
}

// everywhere are the classes of resources of an action that the catalogue doesn't know: every
// resource that there can be.
func (e *Engine) everywhere() []*resourceClass {
	s := e.space
	below := func(arn string) *strset.Set {
		// Also with nothing after the slash: that is no object's name, but of an action
		// that nobody knows it isn't said that it needs one.
		return s.Or(s.text(arn), s.Glob(append(strset.Chars(arn+"/"), strset.Token{Kind: strset.Run}), false))
	}
	tokensOf := func(service, region string, account []strset.Token) *strset.Set {
		list := strset.Chars("arn:" + e.partition + ":")
		for _, part := range []string{service, region} {
			switch part {
			case "*":
				list = append(list, strset.Token{Kind: strset.Run, But: ":/*?"})
			case "any service":
				list = append(list, strset.Token{Kind: strset.One, But: noService + e.symbolChars}, strset.Token{Kind: strset.Run, But: noService + e.symbolChars})
			default:
				list = append(list, strset.Chars(part)...)
			}
			list = append(list, strset.Token{Kind: strset.Char, R: ':'})
		}
		return s.Glob(append(append(append(list, account...), strset.Token{Kind: strset.Char, R: ':'}), some...), false)
	}
	tokens := func(service, region, account string) *strset.Set {
		return tokensOf(service, region, strset.Chars(account))
	}
	account := e.set.Subject.Account
	var list []*resourceClass
	bucketKind := tokens("s3", "", "")
	others := bucketKind
	for i, b := range e.knownBuckets() {
		others = s.Minus(others, below(b))
		list = append(list, &resourceClass{
			shape: below(b), hints: []string{b + "/x", b}, rank: min(i, 1), owner: e.ownerOf(b), bucket: b, bucketOwner: e.ownerOf(b),
		})
	}
	list = append(list, &resourceClass{
		shape: others, hints: []string{e.bucketARN("another-bucket/x"), e.bucketARN("another-bucket")}, rank: 2, anyBucket: true,
	})
	var seen []*strset.Set
	arns, bucket := e.knownPoints()
	for _, a := range arns {
		p := &resourceClass{
			shape: below(a), hints: []string{a + "/object/x", a}, rank: 2, owner: accountIn(a), point: true, pointARN: a,
			bucket: bucket[a], bucketOwner: e.ownerOf(bucket[a]), foreign: e.foreign(a),
		}
		if p.bucketOwner == "" {
			p.bucketOwner = p.owner
		}
		seen = append(seen, p.shape)
		list = append(list, p)
	}
	for _, k := range e.attached {
		one := k.shape(s)
		seen = append(seen, one)
		list = append(list, e.attachedClass(k, one))
	}
	except := s.Union(append(seen, bucketKind))
	if account != "" {
		head := append(strset.Chars("arn:"+e.partition+":s3:"), strset.Token{Kind: strset.Run, But: ":"})
		pointsOf := func(account []strset.Token) *strset.Set {
			list := append(append(slices.Clone(head), strset.Token{Kind: strset.Char, R: ':'}), account...)
			return s.Glob(append(append(list, strset.Chars(":accesspoint/")...), strset.Token{Kind: strset.Run}), false)
		}
		for _, o := range e.others {
			points := s.Minus(o.in(s, pointsOf), except)
			all := o.in(s, func(account []strset.Token) *strset.Set { return tokensOf("any service", "*", account) })
			list = append(list,
				&resourceClass{
					shape: points, hints: []string{"arn:" + e.partition + ":s3:us-east-1:" + o.sample + ":accesspoint/x/object/x"},
					rank: 6, owner: o.owner, point: true, foreign: true,
				},
				&resourceClass{shape: s.Minus(all, s.Or(except, points)), rank: 6, owner: o.owner, foreign: true})
		}
		points := s.Minus(pointsOf(strset.Chars(account)), except)
		list = append(list,
			&resourceClass{
				shape: points, hints: []string{"arn:" + e.partition + ":s3:us-east-1:" + account + ":accesspoint/x/object/x"},
				rank: 4, owner: account, point: true,
			},
			&resourceClass{shape: s.Minus(tokens("any service", "*", account), s.Or(except, points)), rank: 3, owner: account})
	}
	ownerless := s.Union([]*strset.Set{tokens("any service", "*", ""), tokens("any service", "*", "aws"), s.text("*")})
	return append(list, &resourceClass{shape: s.Minus(ownerless, except), hints: []string{"*"}, rank: 2})
}

// noService are the characters that witnesses are made of and names of services
// are not.
const noService = " !\"#$%&'()*+,./:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`{|}~"

// meets tells whether a class of resources has resources of a set; of all, without making what
// is known to be there.
func (e *Engine) meets(p *resourceClass, res *strset.Set) bool {
	if _, ok := p.example(res); ok {
		return true
	}
	return !e.space.Disjoint(p.lang(), res)
}
