package reach

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/reach/strset"
	"buzon/agent/policy"
)

// otherAccount is accounts besides the principal's. What belongs to them can be
// reached where the identity policies allow it and its owner agrees: of resources
// whose policies aren't in the set nobody knows that he doesn't.
type otherAccount struct {
	account string   // one account, or "" for all but those in but
	but     []string // accounts
	owner   string   // what aws:ResourceAccount is; "" where it may be any
	sample  string   // an account that is easy to read
}

// noDigits are the characters that witnesses are made of and accounts are not.
const noDigits = " !\"#$%&'()*+,-./:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

// in makes the ARNs of these accounts by those of an account.
func (o *otherAccount) in(s *Space, arns func(account []strset.Token) *strset.Set) *strset.Set {
	if o.account != "" {
		return arns(strset.Chars(o.account))
	}
	any := make([]strset.Token, 12)
	for i := range any {
		any[i] = strset.Token{Kind: strset.One, But: noDigits}
	}
	l := arns(any)
	for _, account := range o.but {
		l = s.Minus(l, arns(strset.Chars(account)))
	}
	return l
}

// otherAccounts lists the accounts that documents can tell from the principal's;
// none where to each statement every account is like another, or the principal's
// own is the one that is allowed more: what can be found is then found there.
func (e *Engine) otherAccounts() []otherAccount {
	points, _ := e.knownPoints()
	l := look{own: e.set.Subject.Account, known: len(points)+len(e.knownOthers()) > 0}
	l.named = []string{l.own}
	for i := range e.set.Sources {
		src := &e.set.Sources[i]
		if src.Document == nil || src.Kind.Grammar() == policy.TrustGrammar {
			continue
		}
		l.told = l.told || src.Kind == policy.RCP // it binds none of them
		for j := range src.Document.Statements {
			l.statement(&src.Document.Statements[j], src.Document.Variables())
		}
	}
	if !l.told || l.own == "" {
		return nil
	}
	return l.accounts()
}

// look is what documents tell of accounts.
type look struct {
	own      string
	known    bool     // some resource of the principal's account has a policy that is known
	told     bool     // accounts are told apart
	anyOwner bool     // by more than their numbers
	named    []string // accounts
}

// statement looks at one statement.
func (l *look) statement(st *policy.Statement, variables bool) {
	allow := st.Effect == policy.Allow && st.Unclear == nil
	deny := st.Effect == policy.Deny && st.Unclear == nil
	gives, takes := allow && !st.NotResource || deny && st.NotResource, deny && !st.NotResource || allow && st.NotResource
	for _, r := range st.Resources {
		switch accountOf(r.Value) {
		case alike:
		case anyOne:
			// In the principal's account that resource may have a policy that is known.
			l.told = l.told || l.known && allow
		case l.own:
			l.told = l.told || !gives
		case notAll:
			l.told = true
		default:
			l.told = l.told || !takes
		}
	}
	l.told = l.told || slices.ContainsFunc(variablesOf(st), isOwnerKey)
	for _, c := range st.Conditions {
		if isOwnerKey(lower(c.Key)) {
			mine := allow && c.Operator.Test == policy.StringEquals || deny && c.Operator.Test == policy.StringNotEquals
			l.owner(c.Values, mine, variables)
		}
	}
}

// owner looks at the values that an owner is held against; mine where the
// principal's own account is allowed more by it.
func (l *look) owner(values []policy.Text, mine, variables bool) {
	for _, v := range values {
		switch {
		case v.Value == l.own, v.Value == "${aws:PrincipalAccount}" && variables:
			l.told = l.told || !mine
			continue
		case strings.ContainsAny(v.Value, "*?$"):
			l.anyOwner = true
		case !slices.Contains(l.named, v.Value) && policy.IsAccount(v.Value):
			l.named = append(l.named, v.Value)
		}
		l.told = true
	}
}

// accounts lists them: each that is named, and all others as one.
func (l *look) accounts() []otherAccount {
	rest := otherAccount{but: l.named}
	for _, sample := range []string{"999999999999", "888888888888", "777777777777"} {
		if !slices.Contains(l.named, sample) {
			rest.sample = sample
			break
		}
	}
	if rest.sample == "" || l.anyOwner {
		return []otherAccount{{but: l.named[:1], sample: "999999999999"}}
	}
	rest.owner = rest.sample
	list := []otherAccount{rest}
	for _, account := range l.named[1:] {
		list = append(list, otherAccount{account: account, owner: account, sample: account})
	}
	return list
}

// What accountOf gives besides an account.
const (
	alike  = ""  // it matches in all accounts, or in none
	anyOne = "*" // it names a resource, in any account
	notAll = "?" // it may match in some
)

// accountOf is the account in which a pattern matches.
func accountOf(pattern string) string {
	parts := policy.Segments(pattern)
	for i, part := range parts {
		rest, whole := strings.CutSuffix(part, "*")
		switch {
		case i == 4 && len(parts) == 6 && (part == "" || part == "aws"):
			return alike
		case i == 4 && len(parts) == 6 && part == "*":
			return anyOne
		case i == 4 && len(parts) == 6 && policy.IsAccount(part):
			return part
		case i == 4 && len(parts) == 6:
			return notAll
		case strings.ContainsAny(rest, "*?"), whole && rest != "" && i < len(parts)-1:
			return notAll // a wildcard may cross the colons
		}
	}
	return alike
}
