package audit

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/reach"
	"buzon/agent/policy"
)

// Details of open-trust.
const (
	DetailAnyAccount  = "any-account"   // anybody at AWS
	DetailOwnAccount  = "own-account"   // anybody in the role's account
	DetailOther       = "other-account" // anybody in another account that is named whole
	DetailFederated   = "federated"     // anybody whom an identity provider vouches for
	DetailTrustAnchor = "trust-anchor"  // any certificate of any trust anchor
)

// strangerARNs stand for those who are not named in any trust policy. The
// names are of a kind that nobody uses.
const (
	strangerName    = "zz-nobody-in-particular"
	strangerAccount = "999999999999"
)

// askOpenTrust: (role) nobody may assume it beyond the service, trust anchor or
// principal that its trust policy names. Two strangers, one of the role's own
// account and one of another, who may assume every role as far as their own
// policies go, are held against the trust policy.
func askOpenTrust(q *inquiry) {
	subject := q.s.Set.Subject
	if subject.Type != policy.Role {
		return
	}
	for i, src := range q.s.Set.Sources {
		if src.Kind != policy.Trust || src.Attached != subject.ARN || src.Document == nil {
			continue
		}
		q.stranger(i, subject.Account, DetailOwnAccount)
		q.stranger(i, strangerAccount, DetailAnyAccount)
		for _, account := range namedAccounts(src.Document) {
			if account != subject.Account {
				q.stranger(i, account, DetailOther)
			}
		}
		q.vouched(i)
	}
}

// namedAccounts are the accounts that a trust policy lets in as a whole.
func namedAccounts(doc *policy.Document) []string {
	var out []string
	for _, st := range doc.Statements {
		for _, p := range st.Principals {
			account := p.Value
			if part := policy.Segments(p.Value); len(part) == 6 && part[5] == "root" {
				account = part[4]
			}
			if p.Kind == policy.PrincipalAWS && !strings.ContainsAny(account, ":/") && !strings.HasPrefix(account, "A") && !slices.Contains(out, account) {
				out = append(out, account)
			}
		}
	}
	return out
}

// stranger asks whether somebody who isn't named may assume the role.
func (q *inquiry) stranger(source int, account, detail string) {
	set := q.s.Set
	trust := set.Sources[source]
	set.Subject = policy.Subject{
		Type: policy.User, Partition: set.Subject.Partition, Account: account, Path: "/", Name: strangerName,
		ARN: "arn:" + set.Subject.Partition + ":iam::" + account + ":user/" + strangerName, TagsKnown: true,
	}
	set.Sources = []policy.Source{
		{Kind: policy.UserInline, Name: strangerName, Document: &policy.Document{
			Version: "2012-10-17",
			Statements: []policy.Statement{{
				Effect: policy.Allow, Actions: []policy.Text{{Value: "sts:*"}}, Resources: []policy.Text{{Value: "*"}},
			}},
		}},
		trust,
	}
	engine := reach.New(&set, reach.Options{Budget: q.judge.opts.Budget, Now: q.judge.opts.Now, Space: q.judge.space})
	a := engine.Find(reach.Question{Actions: []string{"sts:AssumeRole"}, Resources: reach.Under(trust.Attached)})
	refs := make([]policy.Reference, 0, len(a.Because))
	for _, r := range a.Because {
		if r.Source == 1 {
			refs = append(refs, policy.Reference{Source: source, Statement: r.Statement})
		}
	}
	switch a.Kind {
	case reach.Nothing:
	case reach.Unknown:
		for _, d := range a.Doubts {
			ref := policy.Reference{Source: -1, Statement: -1}
			if d.Reference.Source == 1 {
				ref = policy.Reference{Source: source, Statement: d.Reference.Statement}
			}
			q.doubts([]reach.Doubt{{Reason: d.Reason, Reference: ref}})
		}
	case reach.Found:
		if !q.allows(&set, a.Witness) {
			q.open(Undecided{Reason: ReasonInternal, What: q.s.Show(a.Witness.Action + " " + a.Witness.Resource), Source: -1})
			return
		}
		w := q.witness(a.Witness, false)
		w.Context["aws:principalarn"] = []string{q.s.Show(set.Subject.ARN)}
		q.find(Finding{Actions: []string{a.Witness.Action}, Witness: w, Because: q.because(refs), Detail: detail})
	}
}

// vouched looks at what services and identity providers are trusted without a
// condition that says whom they may vouch for.
func (q *inquiry) vouched(source int) {
	doc := q.s.Set.Sources[source].Document
	for j, st := range doc.Statements {
		if st.Effect != policy.Allow {
			continue
		}
		for _, p := range st.Principals {
			detail := ""
			switch {
			case p.Kind == policy.PrincipalFederated && !bound(st, "aud", "sub", "amr", "saml:"):
				detail = DetailFederated
			case p.Kind == policy.PrincipalService && strings.HasPrefix(p.Value, "rolesanywhere.") && !bound(st, "aws:sourcearn", "aws:principaltag/"):
				detail = DetailTrustAnchor
			default:
				continue
			}
			q.find(Finding{
				Actions: named(values(st.Actions)), Detail: detail,
				Because: q.because([]policy.Reference{{Source: source, Statement: j}}),
			})
		}
	}
}

func values(texts []policy.Text) []string {
	out := make([]string, 0, len(texts))
	for _, t := range texts {
		out = append(out, t.Value)
	}
	return out
}

// bound reports whether a statement has a positive condition on a key that ends
// in, or begins with, one of the parts, and that leaves out somebody.
func bound(st policy.Statement, parts ...string) bool {
	positive := []policy.Test{policy.StringEquals, policy.StringLike, policy.StringEqualsIgnoreCase, policy.ArnEquals, policy.ArnLike}
	for _, c := range st.Conditions {
		key := strings.ToLower(c.Key)
		if c.Operator.IfExists || c.Operator.Quantifier == policy.ForAllValues || !slices.Contains(positive, c.Operator.Test) {
			continue
		}
		if slices.ContainsFunc(c.Values, func(v policy.Text) bool { return strings.Trim(v.Value, "*") == "" }) {
			continue
		}
		for _, p := range parts {
			if strings.HasPrefix(key, p) || strings.HasSuffix(key, ":"+p) {
				return true
			}
		}
	}
	return false
}
