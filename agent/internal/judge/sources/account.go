package sources

import (
	"strings"

	"buzon/agent/policy"
)

// account is what one source of many principals holds, before it is cut into a
// set for each of them. Templates, exports and live reads all fill one in.
type account struct {
	principals []*principal
	groups     map[string]*holder        // by name
	managed    map[string]*policy.Source // by ARN; Kind is set where it is used
	trusts     []policy.Source           // of the account's roles
	resources  []policy.Source           // of bucket, access points, key
	gaps       []Gap                     // that concern every principal
	topics     []Assumption              // that concern every principal
	bucket     string
	owner      string // the bucket's account, "" where it is the principal's
	owns       bool   // the bucket is made here
	key        string // ARN of the key that encrypts the bucket, if it is made here
	prefix     string // may hold {name}
	versioning Versioning
	symbols    policy.Symbols
}

// holder is whatever policies hang on: a user, a role or a group.
type holder struct {
	inline   []policy.Source
	attached []string // ARNs of managed policies
	gaps     []Gap
}

type principal struct {
	holder
	subject  policy.Subject
	groups   []string
	boundary string // ARN, "" for none
	keys     *Credentials
	named    bool         // by the selection: judged whatever its path
	declared Declared     // of a template
	unnamed  bool         // by the template: CloudFormation makes its name
	topics   []Assumption // besides the account's
}

func newAccount() *account {
	return &account{
		groups:  map[string]*holder{},
		managed: map[string]*policy.Source{},
	}
}

// readManaged is the permission that gives a managed policy's document, AWS's
// own included.
const readManaged = "iam:GetPolicyVersion"

// subject cuts the account down to what bears on one principal.
func (a *account) subject(p *principal) Subject {
	s := Subject{
		Set: policy.Set{
			Subject: p.subject, Bucket: a.bucket, BucketAccount: a.owner, Symbols: a.symbols,
		},
		Prefix: a.prefix, Versioning: a.versioning, Credentials: p.keys,
		Assumptions: append(append([]Assumption(nil), p.topics...), a.topics...),
	}
	inline, managed := policy.UserInline, policy.UserManaged
	if p.subject.Type == policy.Role {
		inline, managed = policy.RoleInline, policy.RoleManaged
	}
	a.add(&s, &p.holder, inline, managed)
	for _, name := range p.groups {
		g, ok := a.groups[name]
		if !ok {
			s.Gaps = append(s.Gaps, Gap{Reason: GapUnknownGroup, What: s.Show(name), Permission: "iam:ListGroupPolicies", Source: -1})
			continue
		}
		a.add(&s, g, policy.GroupInline, policy.GroupManaged)
	}
	if p.boundary != "" {
		a.attach(&s, p.boundary, policy.Boundary)
	}
	s.Set.Subject.Pinned = pinned(&p.subject, a.trusts)
	// A role's trust policy bears on whoever may assume it, and on the role itself.
	s.Set.Sources = append(s.Set.Sources, a.trusts...)
	s.Set.Sources = append(s.Set.Sources, a.resources...)
	s.Gaps = append(s.Gaps, a.gaps...)
	return s
}

func (a *account) add(s *Subject, h *holder, inline, managed policy.Kind) {
	for _, src := range h.inline {
		src.Kind = inline
		s.Set.Sources = append(s.Set.Sources, src)
	}
	for _, arn := range h.attached {
		a.attach(s, arn, managed)
	}
	s.Gaps = append(s.Gaps, h.gaps...)
}

func (a *account) attach(s *Subject, arn string, kind policy.Kind) {
	src, ok := a.managed[arn]
	if !ok {
		// A boundary that isn't known only narrows, but without it nothing can be
		// said either: what it would stop may be all that stands in the way.
		s.Gaps = append(s.Gaps, Gap{Reason: GapUnknownPolicy, What: arn, Permission: readManaged, Source: -1})
		return
	}
	if src == nil {
		return // a gap of its own says why
	}
	copied := *src
	copied.Kind = kind
	s.Set.Sources = append(s.Set.Sources, copied)
}

// cut makes a subject for each principal that is picked. Places of gaps are in
// the file, "" for what is live.
func (l *loader) cut(a *account, file string, named func(*principal) bool) []Subject {
	var out []Subject
	for _, p := range a.principals {
		if !named(p) && !l.picks(p.subject.Path) {
			continue
		}
		s := a.subject(p)
		for i := range s.Gaps {
			if s.Gaps[i].Pos.Line > 0 {
				s.Gaps[i].File = file
			}
		}
		out = append(out, s)
	}
	return out
}

// means reports whether an ARN that was given is the subject's. An account that
// only deployment will know is any.
func means(arn string, s *policy.Subject) bool {
	if arn == s.ARN {
		return true
	}
	given, ok := subjectOf(arn)
	return ok && policy.HasSymbol(s.Account) && given.Type == s.Type && given.Partition == s.Partition &&
		given.Path == s.Path && given.Name == s.Name
}

// parsed is an ARN of IAM taken apart.
type parsed struct {
	partition, service, region, account, resource string
}

func parseARN(arn string) (parsed, bool) {
	part := strings.SplitN(arn, ":", 6)
	if len(part) != 6 || part[0] != "arn" {
		return parsed{}, false
	}
	return parsed{part[1], part[2], part[3], part[4], part[5]}, true
}

// subjectOf makes a subject of a principal's ARN: a user, a role, a session of
// a role, a federated user or the account's root.
func subjectOf(arn string) (policy.Subject, bool) {
	p, ok := parseARN(arn)
	if !ok || (p.service != "iam" && p.service != "sts") {
		return policy.Subject{}, false
	}
	s := policy.Subject{ARN: arn, Partition: p.partition, Account: p.account, Path: "/"}
	kind, rest, _ := strings.Cut(p.resource, "/")
	switch {
	case p.service == "iam" && p.resource == "root":
		s.Type, s.Name = policy.Root, "root"
		return s, true
	case p.service == "iam" && kind == "user":
		s.Type = policy.User
	case p.service == "iam" && kind == "role":
		s.Type = policy.Role
	case p.service == "sts" && kind == "assumed-role":
		role, _, ok := strings.Cut(rest, "/")
		s.Type, s.Name = policy.RoleSession, role
		return s, ok
	case p.service == "sts" && kind == "federated-user":
		s.Type, s.Name = policy.FederatedUser, rest
		return s, rest != ""
	default:
		return policy.Subject{}, false
	}
	at := strings.LastIndexByte(rest, '/')
	s.Path, s.Name = "/"+rest[:at+1], rest[at+1:]
	return s, s.Name != ""
}
