package reach

import (
	"slices"
	"strings"

	"buzon/agent/policy"
)

// others are accounts besides the principal's. What belongs to them can be
// reached where the identity policies allow it and its owner agrees: of resources
// whose policies aren't in the set nobody knows that he doesn't.
type others struct {
	account string   // one account, or "" for all but those in but
	but     []string // accounts
	owner   string   // what aws:ResourceAccount is; "" where it may be any
	sample  string   // an account that is easy to read
}

// noDigits are the characters that witnesses are made of and accounts are not.
const noDigits = " !\"#$%&'()*+,-./:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

// in makes the ARNs of these accounts by those of an account.
func (o *others) in(s *Space, arns func(account []token) *lang) *lang {
	if o.account != "" {
		return arns(chars(o.account))
	}
	any := make([]token, 12)
	for i := range any {
		any[i] = token{kind: one, but: noDigits}
	}
	l := arns(any)
	for _, account := range o.but {
		l = s.minus(l, arns(chars(account)))
	}
	return l
}

// otherAccounts lists the accounts that documents can tell from the principal's;
// none where to each of them every account is like another.
func (e *Engine) otherAccounts() []others {
	own := e.set.Subject.Account
	told, anyOwner := false, false
	named := []string{own}
	for i := range e.set.Sources {
		src := &e.set.Sources[i]
		if src.Document == nil || src.Kind.Grammar() == policy.TrustGrammar {
			continue
		}
		for j := range src.Document.Statements {
			st := &src.Document.Statements[j]
			for _, r := range st.Resources {
				told = told || tellsAccounts(r.Value)
			}
			told = told || slices.ContainsFunc(variablesOf(st), isOwnerKey)
			for _, c := range st.Conditions {
				if !isOwnerKey(lower(c.Key)) {
					continue
				}
				told = true
				for _, v := range c.Values {
					switch {
					case v.Value == "${aws:PrincipalAccount}" && src.Document.Variables():
					case strings.ContainsAny(v.Value, "*?$"):
						anyOwner = true
					case !slices.Contains(named, v.Value) && policy.IsAccount(v.Value):
						named = append(named, v.Value)
					}
				}
			}
		}
	}
	if !told || own == "" {
		return nil
	}
	rest := others{but: named}
	for _, sample := range []string{"999999999999", "888888888888", "777777777777"} {
		if !slices.Contains(named, sample) {
			rest.sample = sample
			break
		}
	}
	if rest.sample == "" || anyOwner {
		return []others{{but: named[:1], sample: "999999999999"}}
	}
	rest.owner = rest.sample
	list := []others{rest}
	for _, account := range named[1:] {
		list = append(list, others{account: account, owner: account, sample: account})
	}
	return list
}

func isOwnerKey(key string) bool { return key == "aws:resourceaccount" || key == "s3:resourceaccount" }

// tellsAccounts reports whether a pattern may match the resources of one account
// and not those of another.
func tellsAccounts(pattern string) bool {
	parts := policy.Segments(pattern)
	for i, part := range parts {
		part, whole := strings.CutSuffix(part, "*")
		switch {
		case i == 4 && len(parts) == 6:
			return part != ""
		case strings.ContainsAny(part, "*?"), whole && part != "" && i < len(parts)-1:
			return true // a wildcard may cross the colons
		}
	}
	return false
}
