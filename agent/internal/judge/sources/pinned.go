package sources

import (
	"maps"
	"strings"

	"buzon/agent/policy"
)

const (
	tagSession    = "sts:TagSession"
	rolesAnywhere = "rolesanywhere.amazonaws.com"
	certificate   = "aws:principaltag/x509"
)

// pinned gives the tags of a role that no session can change. Sessions bring
// tags only where the trust policy allows sts:TagSession (IAM User Guide, "Pass
// session tags in AWS STS"): without it the role's own tags stand. IAM Roles
// Anywhere makes tags of the certificate's fields, and a trust policy that asks
// for one of them lets in no other (IAM Roles Anywhere User Guide, "Trust
// policy"). Whatever is put in another way pins nothing.
func pinned(s *policy.Subject, trusts []policy.Source) map[string]string {
	if s.Type != policy.Role {
		return nil
	}
	var allows []policy.Statement
	found := false
	for _, t := range trusts {
		if t.Kind != policy.Trust || t.Attached != s.ARN || t.Document == nil {
			continue
		}
		found = true
		for _, st := range t.Document.Statements {
			if st.Unclear != nil {
				return nil
			}
			if st.Effect == policy.Allow {
				allows = append(allows, st)
			}
		}
	}
	if !found {
		return nil
	}
	tagged := false
	for _, st := range allows {
		tagged = tagged || mayTag(st)
	}
	if !tagged {
		return maps.Clone(s.Tags)
	}
	var all map[string]string
	for i, st := range allows {
		asked := certified(st)
		if i == 0 {
			all = asked
			continue
		}
		maps.DeleteFunc(all, func(key, value string) bool { return asked[key] != value })
	}
	return all
}

// mayTag reports whether a statement could allow sts:TagSession.
func mayTag(st policy.Statement) bool {
	if st.NotAction {
		return true
	}
	for _, a := range st.Actions {
		if strings.ContainsAny(a.Value, "*?") || strings.EqualFold(a.Value, tagSession) {
			return true
		}
	}
	return false
}

// certified gives the fields of the certificate that a statement asks for, each
// with the one value that it may have. Only what IAM Roles Anywhere vouches for
// counts: of another caller the same key would mean its own tags.
func certified(st policy.Statement) map[string]string {
	if st.NotPrincipal || len(st.Principals) != 1 || st.Principals[0].Kind != policy.PrincipalService || st.Principals[0].Value != rolesAnywhere {
		return nil
	}
	asked := map[string]string{}
	for _, c := range st.Conditions {
		key := strings.ToLower(c.Key)
		if c.Operator == (policy.Operator{Test: policy.StringEquals}) && len(c.Values) == 1 && strings.HasPrefix(key, certificate) &&
			!strings.Contains(c.Values[0].Value, "${") {
			asked[c.Key[len("aws:PrincipalTag/"):]] = c.Values[0].Value
		}
	}
	return asked
}
