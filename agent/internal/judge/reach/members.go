package reach

import (
	"strings"

	"buzon/agent/internal/judge/reach/strset"
	"buzon/agent/policy"
)

// principalMatch is how a statement of a resource policy names the principal.
type principalMatch uint8

const (
	nobody    principalMatch = iota
	asAccount                // its account: a delegation to the identity policies
	asRole                   // its role: still under boundary and session policy
	everyone
	named // the user itself, or the very session
)

// bound says which of two readings of a statement is meant: may holds every
// request that it could match, must only those that it matches for certain.
type bound uint8

const (
	must bound = iota
	may
)

// matchOf tells how a statement of a resource policy names the subject, under a
// reading. A Deny with NotPrincipal spares for certain only whom it names with
// the account (IAM User Guide, "AWS JSON policy elements: NotPrincipal").
func (e *Engine) matchOf(st *policy.Statement, b bound) principalMatch {
	best := nobody
	var user, role, session, account bool
	inner := b
	if st.NotPrincipal {
		inner = may + must - b
	}
	for _, p := range st.Principals {
		n := e.names(p, inner, st.Effect == policy.Allow && !st.NotPrincipal)
		best = max(best, n)
		switch n {
		case named:
			user = true
			if _, _, ok := sessionOf(p.Value); ok {
				session = true
			}
		case asRole:
			role = true
		case asAccount:
			account = true
		case nobody, everyone:
		}
	}
	if !st.NotPrincipal {
		return best
	}
	if st.Effect == policy.Deny && e.limits.boundary {
		switch e.set.Subject.Type {
		case policy.User, policy.Role, policy.RoleSession:
			// Whoever has a boundary is always denied, whatever the element names (IAM
			// User Guide, "Permissions boundaries for IAM entities").
			return everyone
		case policy.FederatedUser, policy.Root:
		}
	}
	if best == everyone {
		return nobody
	}
	if st.Effect == policy.Allow {
		if best <= asAccount {
			return everyone
		}
		return nobody
	}
	listed := user
	if e.role != "" {
		listed = role && session
	}
	switch {
	case listed && account:
		return nobody
	case best == nobody || b == may:
		return everyone
	}
	return nobody
}

// unsureMember tells whether the two readings of matchOf differ.
func (e *Engine) unsureMember(st *policy.Statement) bool {
	return e.matchOf(st, may) != e.matchOf(st, must)
}

// names tells how one entry names the subject. In an Allow it is enough that one
// session of a role is meant.
func (e *Engine) names(p policy.Principal, b bound, allow bool) principalMatch {
	s := &e.set.Subject
	switch p.Kind {
	case policy.PrincipalEveryone:
		return everyone
	case policy.PrincipalAWS:
		switch {
		case policy.OriginAccessIdentity(p.Value):
			return nobody
		case e.same(p.Value, s.Account, b), e.same(p.Value, e.account, b):
			if s.Type == policy.Root {
				return named
			}
			return asAccount
		case e.role != "" && (e.same(p.Value, e.role, b) || s.UniqueID != "" && p.Value == s.UniqueID):
			return asRole
		case e.same(p.Value, s.ARN, b), s.UniqueID != "" && p.Value == s.UniqueID:
			return named
		}
		switch {
		case b == must:
		case s.Type == policy.FederatedUser && strings.HasPrefix(p.Value, "arn:"+s.Partition+":iam::"+s.Account+":user/"):
			return asRole // any user of the account may have asked for this session
		case s.UniqueID == "" && s.Type == policy.User && strings.HasPrefix(p.Value, "AIDA"):
			return named
		case s.UniqueID == "" && e.role != "" && strings.HasPrefix(p.Value, "AROA"):
			return asRole
		}
		// The subject is any session of the role, so perhaps this one.
		if role, _, ok := sessionOf(p.Value); ok && s.Type == policy.Role && (allow || b == may) && role == s.Name &&
			strings.HasPrefix(p.Value, "arn:"+s.Partition+":sts::"+s.Account+":") {
			return named
		}
	case policy.PrincipalCanonical:
		if b == may { // the account's canonical id isn't part of a set
			return asAccount
		}
	case policy.PrincipalService, policy.PrincipalFederated:
	}
	return nobody
}

// same compares a name with the subject's; symbols of a template are themselves,
// and may be any other name.
func (e *Engine) same(pattern, text string, b bound) bool {
	if text == "" {
		return false
	}
	if pattern == text {
		return b == may || !e.hasOpen(pattern)
	}
	if b == must || !policy.HasSymbol(pattern) && !policy.HasSymbol(text) {
		return false
	}
	s := e.space
	l := s.Build([][]strset.Token{e.symbolTokens(pattern)}, false)
	r := s.Build([][]strset.Token{e.symbolTokens(text)}, false)
	return !s.Disjoint(l, r)
}
