package sources

import (
	"regexp"
	"slices"
	"strings"

	"buzon/agent/policy"
)

// placeholder stands in a prefix for the principal's name.
const placeholder = "{name}"

// uniqueID is the form of the ids that IAM gives to users and roles (IAM User
// Guide, "IAM identifiers", unique identifiers).
var uniqueID = regexp.MustCompile(`^A[A-Z0-9]{15,127}$`)

// Check refuses a selection whose parts don't fit.
func (s Selection) Check() error {
	for _, arn := range s.Principals {
		subject, ok := subjectOf(arn)
		switch {
		case !ok:
			return &UsageError{Code: UsagePrincipal, Got: arn}
		case !isAccount(subject.Account):
			return &UsageError{Code: UsageAccount, Got: subject.Account}
		}
	}
	if err := s.checkNamed(); err != nil {
		return err
	}
	if s.BucketAccount != "" && !isAccount(s.BucketAccount) {
		return &UsageError{Code: UsageAccount, Got: s.BucketAccount}
	}
	if err := s.checkDocuments(); err != nil {
		return err
	}
	return checkPrefix(s.Prefix)
}

// checkPrefix refuses a prefix with another placeholder than {name}.
func checkPrefix(prefix string) error {
	if strings.ContainsAny(strings.ReplaceAll(prefix, placeholder, ""), "{}") {
		return &UsageError{Code: UsagePlaceholder, Got: prefix}
	}
	return nil
}

// checkDocuments refuses what is said of loose documents, or of their principal,
// and can't be.
func (s Selection) checkDocuments() error {
	role := slices.ContainsFunc(s.Principals, func(arn string) bool {
		p, _ := subjectOf(arn)
		return p.Type == policy.Role || p.Type == policy.RoleSession
	})
	for _, d := range s.Documents {
		at, ok := parseARN(d.On)
		fits := true
		switch d.Kind {
		case policy.UserManaged:
			fits = ok && at.service == "iam" && strings.HasPrefix(at.resource, "policy/")
		case policy.Trust:
			fits = ok && at.service == "iam" && strings.HasPrefix(at.resource, "role/")
			if d.On == "" {
				fits = role || len(s.Principals) == 0
			}
		case policy.KeyPolicy:
			fits = d.On == "" || ok && at.service == "kms" && strings.HasPrefix(at.resource, "key/")
		case policy.AccessPoint:
			fits = d.On == "" || ok && strings.HasPrefix(at.service, "s3") && strings.HasPrefix(at.resource, "accesspoint/")
		default:
		}
		if !fits {
			return &UsageError{Code: UsageHook, Got: d.On, Flag: d.Flag}
		}
	}
	if len(s.Tags) == 0 && s.PrincipalID == "" {
		return nil
	}
	if len(s.Principals) != 1 {
		return &UsageError{Code: UsageOnePrincipal}
	}
	for _, tag := range s.Tags {
		if name, _, ok := strings.Cut(tag, "="); !ok || name == "" {
			return &UsageError{Code: UsageTag, Got: tag}
		}
	}
	if s.PrincipalID != "" && !uniqueID.MatchString(s.PrincipalID) {
		return &UsageError{Code: UsageID, Got: s.PrincipalID}
	}
	return nil
}

// tags are the principal's, as they were given.
func (s Selection) tags() map[string]string {
	out := map[string]string{}
	for _, tag := range s.Tags {
		name, value, _ := strings.Cut(tag, "=")
		out[name] = value
	}
	return out
}
