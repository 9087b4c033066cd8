package sources

import (
	"slices"
	"strings"

	"buzon/agent/policy"
)

// joined is everything that was given, put together: by account, by the names
// that IAM gives inside of it, and by ARNs.
type joined struct {
	parts      []*account
	principals []*principal
	groups     map[string]*holder // by account and name
	whole      map[string]bool    // the groups of which a source tells
	managed    map[string]*policy.Source
	unread     map[string][]Gap
	trusts     []policy.Source
	resources  []policy.Source
	gaps       []Gap
	symbols    policy.Symbols
	conflicts  policy.Errors
}

// join puts the sources together. What one of them tells twice is told once; two
// different documents of one thing are conflicts.
func join(parts []*account, symbols policy.Symbols) *joined {
	j := &joined{parts: parts, groups: map[string]*holder{}, whole: map[string]bool{}, managed: map[string]*policy.Source{}, unread: map[string][]Gap{}, symbols: symbols}
	for _, a := range parts {
		j.gaps = append(j.gaps, a.gaps...)
		for arn, src := range a.managed {
			j.policy(arn, src)
		}
		for arn, gaps := range a.unread {
			j.unread[arn] = append(j.unread[arn], gaps...)
		}
		for name, g := range a.groups {
			j.holder(j.group(a.id, name), g)
			j.whole[a.id+"/"+name] = true
		}
		for _, p := range a.principals {
			j.principal(a, p)
		}
		for _, src := range a.trusts {
			j.trusts = j.once(j.trusts, src)
		}
		for _, src := range a.resources {
			j.resources = j.once(j.resources, src)
		}
	}
	for _, a := range parts {
		for _, g := range a.given {
			j.give(a, g)
		}
		for _, m := range a.members {
			j.enroll(a, m)
		}
		for _, c := range a.credentials {
			sure, perhaps := j.named(policy.User, a.id, c.user)
			for _, p := range append(sure, perhaps...) {
				if p.keys == nil {
					p.keys = &Credentials{}
				}
				p.keys.Keys = append(slices.Clone(p.keys.Keys), c.key)
			}
		}
	}
	return j
}

func (j *joined) policy(arn string, src *policy.Source) {
	old, there := j.managed[arn]
	switch {
	case !there || old == nil:
		j.managed[arn] = src
	case src != nil && !same(old, src):
		j.conflict(arn, old, src)
	}
}

// group is the holder of a group's policies; it is made where none is known.
func (j *joined) group(account, name string) *holder {
	key := account + "/" + name
	if j.groups[key] == nil {
		j.groups[key] = &holder{}
	}
	return j.groups[key]
}

func (j *joined) holder(into, from *holder) {
	for _, src := range from.inline {
		j.inline(into, src)
	}
	for _, arn := range from.attached {
		into.attach(arn)
	}
	into.gaps = append(into.gaps, from.gaps...)
}

func (h *holder) attach(arn string) {
	if !slices.Contains(h.attached, arn) {
		h.attached = append(h.attached, arn)
	}
}

// inline hangs on an inline policy: one holder has one of a name.
func (j *joined) inline(h *holder, src policy.Source) {
	for i := range h.inline {
		old := &h.inline[i]
		if old.Name != src.Name || src.Name == "" {
			continue
		}
		if !same(old, &src) {
			j.conflict(src.Name, old, &src)
		}
		return
	}
	h.inline = append(h.inline, src)
}

// principal adds a principal, or what another source tells about one that is
// there.
func (j *joined) principal(a *account, p *principal) {
	at := slices.IndexFunc(j.principals, func(old *principal) bool { return old.subject.ARN == p.subject.ARN })
	if at < 0 {
		own := *p
		own.home = a
		own.holder = holder{}
		own.groups = slices.Clone(p.groups)
		if p.keys != nil {
			keys := *p.keys
			own.keys = &keys
		}
		j.holder(&own.holder, &p.holder)
		j.principals = append(j.principals, &own)
		return
	}
	old := j.principals[at]
	j.holder(&old.holder, &p.holder)
	for _, g := range p.groups {
		old.enroll(g)
	}
	switch {
	case old.boundary == "":
		old.boundary = p.boundary
	case p.boundary != "" && p.boundary != old.boundary:
		j.fault(a.file, p.declared.Pos, p.subject.ARN, old.home.file, old.declared.Pos)
	}
	if old.keys == nil {
		old.keys = p.keys
	}
	old.named = old.named || p.named
	old.topics = append(old.topics, p.topics...)
	old.notes = append(old.notes, p.notes...)
}

func (p *principal) enroll(group string) {
	if !slices.Contains(p.groups, group) {
		p.groups = append(p.groups, group)
	}
}

// once adds a policy of a resource; the same resource has one of a kind. Several may
// be there that only perhaps are that one's, of which none speaks against another.
func (j *joined) once(list []policy.Source, src policy.Source) []policy.Source {
	for i := range list {
		old := &list[i]
		if old.Kind != src.Kind || old.Attached != src.Attached || !single(src.Kind) || old.Attached == "" {
			continue
		}
		if same(old, &src) {
			return list
		}
		if perhaps(old) == "" && perhaps(&src) == "" {
			j.conflict(src.Attached, old, &src)
			return list
		}
	}
	return append(list, src)
}

// single tells the kinds of which a resource has one.
func single(k policy.Kind) bool {
	switch k {
	case policy.Trust, policy.BucketPolicy, policy.AccessPoint, policy.KeyPolicy, policy.Boundary:
		return true
	default:
		return false
	}
}

// perhaps names the bucket of a template that a policy hangs on, where that isn't
// known to be the one in question.
func perhaps(src *policy.Source) string {
	if src.Surely == nil {
		return ""
	}
	return src.Surely.Perhaps
}

// same reports whether two sources hold the same document, what is open in it
// included.
func same(a, b *policy.Source) bool {
	if (a.Surely == nil) != (b.Surely == nil) || perhaps(a) != perhaps(b) {
		return false
	}
	if a.Surely != nil && string(a.Surely.Document.JSON()) != string(b.Surely.Document.JSON()) {
		return false
	}
	return a.SHA256 == b.SHA256 || a.Document != nil && b.Document != nil && string(a.Document.JSON()) == string(b.Document.JSON())
}

func (j *joined) conflict(name string, a, b *policy.Source) {
	if b.File == "" {
		a, b = b, a
	}
	j.fault(b.File, b.First, name, a.File, a.First)
}

func (j *joined) fault(file string, at policy.Position, name, otherFile string, other policy.Position) {
	j.conflicts = append(j.conflicts, fault(file, at, TwoDocuments, "name", showSymbols(j.symbols, name), "other", placeOf(otherFile, other)))
}

// find gives what of the holders a name means: surely, and perhaps.
func find[H any](name string, all []H, names func(H) []string, may func(H) bool) (sure, perhaps []H) {
	for _, h := range all {
		if slices.Contains(names(h), name) {
			sure = append(sure, h)
		}
	}
	if len(sure) > 0 {
		return sure, nil
	}
	for _, h := range all {
		if may(h) {
			perhaps = append(perhaps, h)
		}
	}
	return nil, perhaps
}

// named finds the principals of a type that a name of an account means.
func (j *joined) named(t policy.Type, account, name string) (sure, perhaps []*principal) {
	var all []*principal
	for _, p := range j.principals {
		if p.subject.Type == t && mayBe(p.subject.Account, account) {
			all = append(all, p)
		}
	}
	return find(name, all,
		func(p *principal) []string { return []string{p.subject.Name, p.written} },
		func(p *principal) bool { return p.mayBe(name) })
}

// mayBe reports whether a principal's name may turn out to be that name. Names
// of IAM are not told apart by case.
func (p *principal) mayBe(name string) bool {
	if p.unnamed && !policy.HasSymbol(name) {
		return strings.Contains(name, "-"+p.declared.Name+"-")
	}
	own := p.subject.Name
	if p.written != "" {
		own = p.written
	}
	return mayBe(strings.ToLower(own), strings.ToLower(name))
}

// give hangs a policy on those whom its source names.
func (j *joined) give(a *account, g gift) {
	to := func(h *holder) {
		if g.inline != nil {
			j.inline(h, *g.inline)
		} else {
			h.attach(g.managed)
		}
	}
	people := func(t policy.Type, names []string) {
		for _, name := range names {
			sure, perhaps := j.named(t, a.id, name)
			for _, p := range sure {
				to(&p.holder)
			}
			for _, p := range perhaps {
				p.gaps = append(p.gaps, j.unsure(g.from, name))
			}
		}
	}
	people(policy.User, g.users)
	people(policy.Role, g.roles)
	for _, name := range g.groups {
		if !policy.HasSymbol(name) || j.groups[a.id+"/"+name] != nil {
			to(j.group(a.id, name))
			continue
		}
		// A group that isn't told by its name may be any.
		for _, p := range j.principals {
			if p.subject.Type == policy.User && len(p.groups) > 0 {
				p.gaps = append(p.gaps, j.unsure(g.from, name))
			}
		}
	}
}

func (j *joined) enroll(a *account, m membership) {
	for _, name := range m.users {
		sure, perhaps := j.named(policy.User, a.id, name)
		for _, p := range sure {
			p.enroll(m.group)
		}
		for _, p := range perhaps {
			p.gaps = append(p.gaps, j.unsure(m.from, name))
		}
	}
}

// unsure is an attachment to a name that only deployment knows.
func (j *joined) unsure(from Declared, name string) Gap {
	return Gap{
		Reason: GapUnresolved, What: from.Name + ": " + showSymbols(j.symbols, name), Source: -1, File: from.File, Pos: from.Pos,
	}
}

// subject cuts down what was joined to what bears on one principal.
func (j *joined) subject(p *principal) Subject {
	s := Subject{
		Set:         policy.Set{Subject: p.subject, Symbols: j.symbols},
		Credentials: p.keys, Live: p.home.live, Assumptions: append(slices.Clone(p.topics), j.topics(p)...), Notes: slices.Clone(p.notes),
	}
	for _, a := range append([]*account{p.home}, j.parts...) {
		if s.Set.Bucket == "" {
			s.Set.Bucket, s.Set.BucketAccount = a.bucket, a.owner
		}
		if s.Prefix == "" {
			s.Prefix = a.prefix
		}
		s.makesBucket = s.makesBucket || a.owns
		if a.live {
			s.Key = a.key
		}
		if s.Versioning == VersioningUnknown {
			s.Versioning = a.versioning
		}
	}
	inline, managed := policy.UserInline, policy.UserManaged
	if p.subject.Type == policy.Role {
		inline, managed = policy.RoleInline, policy.RoleManaged
	}
	j.add(&s, &p.holder, inline, managed)
	for _, name := range p.groups {
		key := p.home.id + "/" + name
		if !j.whole[key] {
			s.Gaps = append(s.Gaps, Gap{Reason: GapUnknownGroup, What: s.Show(name), Source: -1})
		}
		if g := j.groups[key]; g != nil {
			j.add(&s, g, policy.GroupInline, policy.GroupManaged)
		}
	}
	if p.boundary != "" {
		j.attach(&s, p.boundary, policy.Boundary)
	}
	j.around(&s)
	return s
}

// around adds what bears on every principal: a role's trust policy on whoever may
// assume it, and on the role itself; the policies of resources; and what isn't
// known.
func (j *joined) around(s *Subject) {
	for _, a := range j.parts {
		s.Notes = append(s.Notes, a.notes...)
	}
	s.Set.Sources = append(s.Set.Sources, j.trusts...)
	s.Set.Sources = append(s.Set.Sources, j.resources...)
	s.Gaps = append(s.Gaps, j.claimed(&s.Set.Subject)...)
	s.Gaps = append(s.Gaps, j.gaps...)
}

// ofAccount are the topics that only a source of the principal's own account can
// tell of.
var ofAccount = []Topic{TopicUserPolicies, TopicGroupPolicies, TopicRoleTrust, TopicCredentials}

// topics are what no source tells of, and what any shows to be there untold.
func (j *joined) topics(p *principal) []Assumption {
	var out []Assumption
	for _, t := range p.home.topics {
		told := slices.ContainsFunc(j.parts, func(a *account) bool {
			own := a.id == p.home.id || !slices.Contains(ofAccount, t.What)
			return own && !slices.ContainsFunc(a.topics, func(other Assumption) bool { return other.What == t.What })
		})
		if !told {
			out = append(out, t)
		}
	}
	for _, a := range j.parts {
		for _, t := range a.beyond {
			if !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out
}

func (j *joined) add(s *Subject, h *holder, inline, managed policy.Kind) {
	for _, src := range h.inline {
		src.Kind = inline
		s.Set.Sources = append(s.Set.Sources, src)
	}
	for _, arn := range h.attached {
		j.attach(s, arn, managed)
	}
	s.Gaps = append(s.Gaps, h.gaps...)
}

func (j *joined) attach(s *Subject, arn string, kind policy.Kind) {
	src, ok := j.managed[arn]
	if parsed, is := parseARN(arn); !ok && is && parsed.account != "aws" {
		// It can only be of the principal's own account.
		parsed.account = s.Set.Subject.Account
		src, ok = j.managed[parsed.String()]
	}
	if !ok && kind != policy.Boundary {
		if known, is := knownPolicy(arn); is {
			known.Kind = kind
			s.Set.Sources = append(s.Set.Sources, known)
			s.ofAWS()
			return
		}
	}
	if !ok {
		// A boundary that isn't known only narrows, but without it nothing can be
		// said either: what it would stop may be all that stands in the way.
		s.Gaps = append(s.Gaps, Gap{Reason: GapUnknownPolicy, What: arn, Source: -1})
		return
	}
	if src == nil {
		s.Gaps = append(s.Gaps, j.unread[arn]...)
		return
	}
	copied := *src
	copied.Kind = kind
	s.Set.Sources = append(s.Set.Sources, copied)
}

// ofAWS notes that a policy of AWS is taken as it is known offline.
func (s *Subject) ofAWS() {
	a := Assumption{TopicAWSManaged, NotRead}
	if slices.Contains(s.Assumptions, a) {
		return
	}
	s.Assumptions = append(s.Assumptions, a)
	s.Notes = append(s.Notes, Note{What: NoteAWSManaged, Source: -1, Name: AWSManagedDate()})
}

// cut makes a subject for each principal that is picked.
func (l *loader) cut(j *joined) []Subject {
	var out []Subject
	for _, p := range j.principals {
		if !p.named && !l.named(p) && !l.picks(p) {
			continue
		}
		out = append(out, j.subject(p))
	}
	return out
}

// mayBe reports whether two texts of templates may turn out to be the same: each
// symbol in them stands for any text.
func mayBe(a, b string) bool {
	x, y := []rune(a), []rune(b)
	tried := make([]bool, (len(x)+1)*(len(y)+1))
	var from func(i, j int) bool
	from = func(i, j int) bool {
		if i == len(x) && j == len(y) {
			return true
		}
		at := i*(len(y)+1) + j
		if tried[at] {
			return false
		}
		tried[at] = true
		switch {
		case i < len(x) && policy.IsSymbol(x[i]):
			return from(i+1, j) || j < len(y) && from(i, j+1)
		case j < len(y) && policy.IsSymbol(y[j]):
			return from(i, j+1) || i < len(x) && from(i+1, j)
		}
		return i < len(x) && j < len(y) && x[i] == y[j] && from(i+1, j+1)
	}
	return from(0, 0)
}
