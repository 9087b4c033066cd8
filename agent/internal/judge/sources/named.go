package sources

import (
	"regexp"
	"strings"

	"buzon/agent/policy"
)

// named is a principal as --user or --role names it: by its name, its path and
// name, or its ARN.
type named struct {
	given string
	name  string
	path  string // "" where it wasn't given
	arn   string // "" where it wasn't given
}

// iamName is what IAM takes as the name of a user or a role (IAM User Guide,
// "IAM and AWS STS quotas", name requirements).
var iamName = regexp.MustCompile(`^[A-Za-z0-9+=,.@_-]{1,64}$`)

// parseNamed takes apart what was given for a user or a role; false where it
// can't be one.
func parseNamed(t policy.Type, given string) (named, bool) {
	n := named{given: given, name: given}
	if strings.HasPrefix(given, "arn:") {
		s, ok := subjectOf(given)
		if !ok || s.Type != t || !isAccount(s.Account) {
			return n, false
		}
		n.name, n.path, n.arn = s.Name, s.Path, given
	} else if at := strings.LastIndexByte(given, '/'); at >= 0 {
		n.name, n.path = given[at+1:], "/"+strings.TrimPrefix(given[:at+1], "/")
	}
	return n, iamName.MatchString(n.name)
}

// means reports whether a principal that was read is the one that was named.
func (n named) means(s *policy.Subject) bool {
	switch {
	case !strings.EqualFold(n.name, s.Name): // AWS doesn't tell names apart by case
		return false
	case n.arn != "":
		given, _ := subjectOf(n.arn)
		return given.Partition == s.Partition && given.Account == s.Account && given.Path == s.Path
	}
	return n.path == "" || n.path == s.Path
}

// checkNamed refuses users and roles that can't be what they are named as.
func (s Selection) checkNamed() error {
	for _, given := range s.Users {
		if _, ok := parseNamed(policy.User, given); !ok {
			return &UsageError{Code: UsageUser, Got: given}
		}
	}
	for _, given := range s.Roles {
		if _, ok := parseNamed(policy.Role, given); !ok {
			return &UsageError{Code: UsageRole, Got: given}
		}
	}
	return nil
}
