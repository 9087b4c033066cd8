package sources

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"buzon/agent/policy"
)

// account is what one source tells of one account: a template under one outcome
// of what it leaves open, an export, or the live APIs. join puts them together.
type account struct {
	file        string // "" for what is live
	id          string // twelve digits, or the symbol of a template's account
	principals  []*principal
	groups      map[string]*holder        // by name
	managed     map[string]*policy.Source // by ARN; Kind is set where it is used
	unread      map[string][]Gap          // by ARN, why one of managed is nil
	given       []gift                    // to holders that are named, in this source or another
	members     []membership
	credentials []madeKey
	trusts      []policy.Source // of the account's roles
	resources   []policy.Source // of bucket, access points, keys, anything
	claims      []claim
	gaps        []Gap        // that concern every principal
	topics      []Assumption // what this source doesn't tell; another may
	makers      []Gap        // what may make principals of which nothing is told
	beyond      []Assumption // what this source shows to be there and doesn't tell
	bucket      string
	owner       string // the bucket's account, "" where it is the principal's
	owns        bool   // the bucket is made here
	key         string // ARN of the key that encrypts the bucket, if it is made here
	prefix      string // may hold {name}
	versioning  Versioning
	notes       []Note
	live        bool
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
	written  string       // the name as a template writes it, with what is open in it
	path     string       // the path likewise, where something is open in it
	topics   []Assumption // besides the account's
	notes    []Note       // likewise
	home     *account     // the source that told of it first
}

// gift is a policy for holders that are named: an inline one, or the ARN of a
// managed one.
type gift struct {
	inline               *policy.Source
	managed              string
	users, roles, groups []string
	from                 Declared
}

// membership puts users into a group.
type membership struct {
	group string
	users []string
	from  Declared
}

// madeKey is an access key that a template makes.
type madeKey struct {
	user string
	key  Key
	from Declared
}

func newAccount(file string) *account {
	return &account{
		file: file, groups: map[string]*holder{}, managed: map[string]*policy.Source{}, unread: map[string][]Gap{},
	}
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

func (p parsed) String() string {
	return strings.Join([]string{"arn", p.partition, p.service, p.region, p.account, p.resource}, ":")
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

// placeOf is file:line:column, or line:column alone.
func placeOf(file string, at policy.Position) string {
	out := strconv.Itoa(at.Line) + ":" + strconv.Itoa(at.Column)
	if file != "" {
		out = file + ":" + out
	}
	return out
}

// sortedKeys lists the keys of a map in their order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
