package decide

import (
	"slices"
	"strings"

	"buzon/agent/policy"
)

// naming is how a statement of a resource policy names the principal.
type naming uint8

const (
	nobody naming = iota
	asAccount
	asRole
	everyone
	named // the user itself, or the very session
)

// standing is how far a statement names the principal, for each way.
type standing [named + 1]truth

func (s standing) best() truth {
	best := no
	for _, t := range s {
		best = max(best, t)
	}
	return best
}

// matches holds a request against one statement. Of two readings it takes the
// one that widens an Allow and narrows a Deny. The standing is empty but for
// the policies of resources, and is not part of the truth.
func (e *Evaluator) matches(r *request, src *source, st *statement, resource string) (truth, standing) {
	var who standing
	if st.unclear && !st.conditionsOnly {
		who[everyone] = yes
		return maybe, who
	}
	wide := st.effect != policy.Deny
	if anyPattern(st.actions, r.action, r, wide != st.notAction, false) == sure(st.notAction) {
		return no, who
	}
	if src.ofResource() {
		if who = e.principal(st); who.best() == no {
			return no, who
		}
	}
	result := yes
	if src.kind != policy.Trust {
		result = anyPattern(st.resources, resource, r, wide != st.notResource, true)
		if st.notResource {
			if !wide && slices.ContainsFunc(st.resources, func(p pattern) bool { return p.void(r) }) {
				// The page on variables has it that a statement may not be valid then.
				result = yes
			}
			result = result.not()
		}
	}
	for i := 0; i < len(st.conditions) && result != no; i++ {
		result = min(result, st.conditions[i].holds(r, wide))
	}
	if st.unclear {
		result = min(result, maybe)
	}
	return result, who
}

// anyPattern reports whether any pattern matches the text.
func anyPattern(patterns []pattern, text string, r *request, wide, arn bool) truth {
	best := no
	for i := range patterns {
		if t := patterns[i].match(text, r, wide, arn); t > best {
			if best = t; best == yes {
				break
			}
		}
	}
	return best
}

// principal tells how a statement of a resource policy names the principal.
func (e *Evaluator) principal(st *statement) standing {
	s := e.subject
	allow := st.effect != policy.Deny
	var who standing
	session := false
	for _, p := range st.principals {
		n, t := e.naming(p, allow != st.notPrinc)
		who[n] = max(who[n], t)
		_, _, is := sessionOf(p.Value)
		session = session || is && n == named
	}
	who[nobody] = no
	if !st.notPrinc {
		return who
	}
	listed := who[named] == yes
	if e.role != "" {
		listed = who[asRole] == yes && session
	}
	var others standing
	switch {
	case !allow && e.bounded && (s.Type == policy.User || s.Type == policy.Role || s.Type == policy.RoleSession):
		// Whoever has a boundary is always denied, whatever the element names (IAM
		// User Guide, "Permissions boundaries for IAM entities").
		others[everyone] = yes
	case who[everyone] != no:
	case allow:
		// Everybody but those named, so also a principal of whom only the
		// account is named.
		others[everyone] = max(who[named], who[asRole]).not()
	case who.best() == no:
		others[everyone] = yes
	case !listed || who[asAccount] != yes:
		// A Deny for all but those named spares the principal for certain
		// only where its account is named as well (and, of a session, its role).
		others[everyone] = maybe
	}
	return others
}

// naming tells how one entry names the principal, and how sure that is. With
// wide, an entry that may mean it does.
func (e *Evaluator) naming(p policy.Principal, wide bool) (naming, truth) {
	s := e.subject
	switch p.Kind {
	case policy.PrincipalEveryone:
		return everyone, yes
	case policy.PrincipalAWS:
		switch {
		case policy.OriginAccessIdentity(p.Value):
			return nobody, no
		case e.same(p.Value, s.Account, wide), e.same(p.Value, e.account, wide):
			if s.Type == policy.Root {
				return named, yes
			}
			return asAccount, yes
		case e.role != "" && (e.same(p.Value, e.role, wide) || s.UniqueID == p.Value):
			return asRole, yes
		case e.same(p.Value, s.ARN, wide), s.UniqueID == p.Value:
			return named, yes
		case !wide:
		case s.UniqueID == "" && strings.HasPrefix(p.Value, "AIDA") && s.Type == policy.User:
			return named, maybe
		case s.UniqueID == "" && strings.HasPrefix(p.Value, "AROA") && e.role != "":
			return asRole, maybe
		case s.Type == policy.Role:
			// A role stands for any of its sessions, so one of them is meant.
			role, _, ok := sessionOf(p.Value)
			if ok && role == s.Name && strings.HasPrefix(p.Value, "arn:"+s.Partition+":sts::"+s.Account+":") {
				return named, yes
			}
		case s.Type == policy.FederatedUser && strings.HasPrefix(p.Value, "arn:"+s.Partition+":iam::"+s.Account+":user/"):
			// Any user of the account may have asked for this session, by any name.
			return asRole, maybe
		}
	case policy.PrincipalCanonical:
		// The canonical id of an account isn't part of a set: it may be ours.
		if wide {
			return asAccount, maybe
		}
	case policy.PrincipalService, policy.PrincipalFederated:
	}
	return nobody, no
}

// same compares a name with the principal's. With wide, a symbol of a template
// may turn out to be the other's text.
func (e *Evaluator) same(name, ours string, wide bool) bool {
	if ours == "" || name == ours {
		return ours != ""
	}
	if !wide || !policy.HasSymbol(name) && !policy.HasSymbol(ours) {
		return false
	}
	p := e.pattern(name, false)
	p.plain()
	return e.overlap(p.pieces, ours)
}
