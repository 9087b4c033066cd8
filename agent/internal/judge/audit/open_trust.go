package audit

import (
	"regexp"
	"slices"
	"strings"

	"buzon/agent/internal/judge/reach"
	"buzon/agent/policy"
)

// Details of open-trust.
const (
	DetailAnyAccount   = "any-account"     // anybody at AWS
	DetailOwnAccount   = "own-account"     // anybody in the role's account
	DetailOther        = "other-account"   // anybody in another account that is named whole
	DetailOrganization = "organization"    // anybody in an organisation
	DetailFederated    = "federated"       // anybody whom an identity provider vouches for
	DetailUnsigned     = "unauthenticated" // anybody, without signing in
	DetailTrustAnchor  = "trust-anchor"    // any certificate of any trust anchor
)

// ReasonIssuer says that whether a trust policy binds anybody hangs on whether others share
// the identity provider What.
const ReasonIssuer = "issuer-unknown"

// askOpenTrust: (role) nobody may assume it beyond the service, trust anchor or
// principal that its trust policy names.
func askOpenTrust(q *inquiry) {
	subject := q.s.Set.Subject
	if subject.Type != policy.Role {
		return
	}
	for i, src := range q.s.Set.Sources {
		if src.Kind != policy.Trust || src.Attached != subject.ARN || src.Document == nil {
			continue
		}
		for _, s := range strangers(&subject, src.Document) {
			if q.lets(i, s) {
				continue
			}
			s.subject.Type = policy.Role // of users no more; of a role's sessions perhaps
			s.subject.ARN = strings.Replace(s.subject.ARN, ":user/", ":role/", 1)
			q.lets(i, s)
		}
		q.vouched(i)
	}
}

// strangerName and strangerAccount are of a kind that nobody uses.
const (
	strangerName    = "zz-nobody-in-particular"
	strangerAccount = "999999999999"
	strangerID      = "ZZZZZZZZZZZZZZZZZ"
)

// stranger is somebody who isn't named in a trust policy.
type stranger struct {
	subject policy.Subject
	detail  string
}

// strangers are one of the role's own account, one of any other, one of each account
// that the trust policy speaks of, and those whom a pattern of ARNs lets in without
// saying whose they are.
func strangers(role *policy.Subject, doc *policy.Document) []stranger {
	of := func(account string) policy.Subject {
		return policy.Subject{
			Type: policy.User, Partition: role.Partition, Account: account, Path: "/", Name: strangerName, UniqueID: "AIDA" + strangerID,
			ARN: "arn:" + role.Partition + ":iam::" + account + ":user/" + strangerName,
		}
	}
	list := []stranger{{of(role.Account), DetailOwnAccount}, {of(strangerAccount), DetailAnyAccount}}
	for _, account := range accounts(doc) {
		if account != role.Account && account != strangerAccount {
			list = append(list, stranger{of(account), DetailOther})
		}
	}
	for _, account := range openAccounts(doc) {
		list = append(list, stranger{of(account), DetailAnyAccount})
	}
	for _, tail := range openARNs(doc) {
		account, name, _ := strings.Cut(tail, ":")
		s := of(account)
		s.ARN = "arn:" + role.Partition + ":iam::" + tail
		kind, path, _ := strings.Cut(name, "/")
		if kind == "role" {
			s.Type = policy.Role
		}
		at := strings.LastIndexByte(path, '/')
		s.Path, s.Name = "/"+path[:at+1], path[at+1:]
		list = append(list, stranger{s, DetailAnyAccount})
	}
	return list
}

// fill puts a word into the place of each wildcard.
func fill(pattern string) string {
	return strings.NewReplacer("**", "zz", "*", "zz", "?", "z").Replace(pattern)
}

var accountID = regexp.MustCompile(`\b[0-9]{12}\b`)

// accounts are those that a document's principals and conditions speak of.
func accounts(doc *policy.Document) []string {
	var out []string
	add := func(text string) {
		for _, id := range accountID.FindAllString(text, -1) {
			if !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	for _, st := range doc.Statements {
		for _, p := range st.Principals {
			if p.Kind == policy.PrincipalAWS {
				add(p.Value)
			}
		}
		for _, c := range st.Conditions {
			for _, v := range c.Values {
				add(v.Value)
			}
		}
	}
	return out
}

// valuesOf are the values that a document's conditions hold a key against.
func valuesOf(doc *policy.Document, key string) []string {
	var out []string
	for _, st := range doc.Statements {
		for _, c := range st.Conditions {
			if strings.EqualFold(c.Key, key) {
				for _, v := range c.Values {
					out = append(out, v.Value)
				}
			}
		}
	}
	return out
}

// openARNs are the ends, from the account on, of ARNs that patterns for aws:PrincipalArn
// may mean although they don't name an account whole.
func openARNs(doc *policy.Document) []string {
	var out []string
	for _, pattern := range valuesOf(doc, "aws:PrincipalArn") {
		part := policy.Segments(pattern)
		last := pattern[strings.LastIndexByte(pattern, ':')+1:]
		accounts := []string{strangerAccount}
		switch {
		case !strings.ContainsAny(pattern, "*?") || strings.Contains(last, "$"):
			continue
		case len(part) != 6: // a wildcard runs over the colons
			for _, digits := range someDigits.FindAllString(pattern, -1) {
				accounts = append(accounts, accountLike("*"+digits), accountLike(digits+"*"))
			}
		case strings.ContainsAny(part[4], "*?"):
			last, accounts = part[5], []string{accountLike(part[4])}
		default:
			continue
		}
		names := []string{"user/" + strangerName, "role/" + strangerName}
		if name := fill(last); strings.HasPrefix(name, "user/") || strings.HasPrefix(name, "role/") {
			names = append(names, name)
		}
		for _, account := range accounts {
			for _, name := range names {
				if account != "" && !slices.Contains(out, account+":"+name) {
					out = append(out, account+":"+name)
				}
			}
		}
	}
	return out
}

// someDigits may be a part of an account in a pattern.
var someDigits = regexp.MustCompile(`[0-9?]*[0-9][0-9?]*`)

// openAccounts are accounts of those that a pattern for aws:PrincipalAccount leaves open.
func openAccounts(doc *policy.Document) []string {
	var out []string
	for _, v := range valuesOf(doc, "aws:PrincipalAccount") {
		if account := accountLike(v); strings.ContainsAny(v, "*?") && account != "" {
			out = append(out, account)
		}
	}
	return out
}

// accountLike is an account that a pattern matches, "" where there is none.
func accountLike(pattern string) string {
	before, after, _ := strings.Cut(strings.ReplaceAll(pattern, "?", "9"), "*")
	after = strings.ReplaceAll(after, "*", "")
	account := before + strings.Repeat("9", max(0, len(strangerAccount)-len(before)-len(after))) + after
	if accountID.FindString(account) != account {
		return ""
	}
	return account
}

// lets asks whether a stranger who may assume every role, as far as the stranger's own
// policies go, may assume this one; it reports the finding.
func (q *inquiry) lets(source int, s stranger) bool {
	set := q.s.Set
	trust := set.Sources[source]
	set.Subject = s.subject
	kind := policy.UserInline
	if s.subject.Type == policy.Role {
		kind = policy.RoleInline
	}
	set.Sources = []policy.Source{
		{Kind: kind, Name: strangerName, Document: &policy.Document{
			Version: "2012-10-17",
			Statements: []policy.Statement{{
				Effect: policy.Allow, Actions: []policy.Text{{Value: "sts:*"}}, Resources: []policy.Text{{Value: "*"}},
			}},
		}},
		trust,
	}
	engine := reach.New(&set, q.options(reach.Without{}))
	a := engine.Find(reach.Question{Actions: []string{"sts:AssumeRole"}, Resources: reach.Under(trust.Attached), Context: ownID(trust.Document, &s.subject)})
	switch a.Kind {
	case reach.Nothing:
		return false
	case reach.Unknown:
		for _, d := range a.Doubts {
			ref := policy.Reference{Source: -1, Statement: -1}
			if d.Reference.Source == 1 {
				ref = policy.Reference{Source: source, Statement: d.Reference.Statement}
			}
			q.doubts([]reach.Doubt{{Reason: d.Reason, Reference: ref}})
		}
		return false
	case reach.Found:
	}
	if !q.allows(&set, a.Witness) {
		q.disagree(a.Witness)
		return true
	}
	refs := make([]policy.Reference, 0, len(a.Because))
	for _, r := range a.Because {
		if r.Source == 1 {
			refs = append(refs, policy.Reference{Source: source, Statement: r.Statement})
		}
	}
	if q.isOpen(refs) {
		q.openings(refs)
		return true
	}
	w := q.witness(a.Witness, false)
	w.Context["aws:PrincipalArn"] = []string{q.s.Show(set.Subject.ARN)}
	if s.detail == DetailAnyAccount && (len(w.Context["aws:PrincipalOrgID"]) > 0 || len(w.Context["aws:PrincipalOrgPaths"]) > 0) {
		s.detail = DetailOrganization
	}
	q.find(Finding{Actions: []string{a.Witness.Action}, Witness: w, Because: q.because(refs), Detail: s.detail})
	return true
}

// ownID gives a role's session, whose name the caller chooses, its own unique id, where
// every value that the trust policy asks of it begins with somebody's.
func ownID(doc *policy.Document, s *policy.Subject) map[string][]string {
	if s.Type != policy.Role {
		return nil
	}
	for _, st := range doc.Statements {
		for _, c := range st.Conditions {
			if !strings.EqualFold(c.Key, "aws:userid") {
				continue
			}
			if slices.ContainsFunc(c.Values, func(v policy.Text) bool { return strings.IndexAny(v.Value+"*", "*?$") < len("AROA") }) {
				return nil
			}
		}
	}
	return map[string][]string{"aws:userid": {"AROA" + strangerID + ":" + strangerName}}
}

// vouched looks at what identity providers and trust anchors are trusted without a
// condition that says whom they may vouch for.
func (q *inquiry) vouched(source int) {
	doc := q.s.Set.Sources[source].Document
	for j := range doc.Statements {
		st := &doc.Statements[j]
		if st.Effect != policy.Allow {
			continue
		}
		ref := policy.Reference{Source: source, Statement: j}
		for _, d := range doors(st) {
			list := append(demands(st.Conditions, doc.Variables(), q.s.Set.Symbols), q.refused(doc, d)...)
			if st.Unclear != nil {
				q.doubts([]reach.Doubt{{Reason: reach.Unclear, Reference: ref}})
				continue
			}
			q.through(d, list, ref)
		}
	}
}

// door is a call by which those get in whom somebody outside IAM vouches for.
type door struct {
	action string
	who    policy.PrincipalKind
	name   string // of a provider or service; "" is any
}

const (
	withWebIdentity = "sts:AssumeRoleWithWebIdentity"
	withSAML        = "sts:AssumeRoleWithSAML"
)

// doors are those that a statement opens, each once.
func doors(st *policy.Statement) []door {
	var out []door
	add := func(d door) {
		if speaksOf(st, d.action) && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	if st.NotPrincipal || slices.ContainsFunc(st.Principals, func(p policy.Principal) bool { return p.Kind == policy.PrincipalEveryone }) {
		add(door{withWebIdentity, policy.PrincipalEveryone, ""})
		return out
	}
	for _, p := range st.Principals {
		switch {
		case p.Kind == policy.PrincipalFederated:
			if !strings.Contains(p.Value, ":saml-provider/") {
				add(door{withWebIdentity, p.Kind, p.Value})
			}
			if strings.Contains(p.Value, ":saml-provider/") || policy.HasSymbol(p.Value) {
				add(door{withSAML, p.Kind, p.Value})
			}
		case p.Kind == policy.PrincipalService && strings.HasPrefix(p.Value, "rolesanywhere."):
			add(door{"sts:AssumeRole", p.Kind, p.Value})
		}
	}
	return out
}

// speaksOf reports whether a statement's actions cover one.
func speaksOf(st *policy.Statement, action string) bool {
	covers := slices.ContainsFunc(st.Actions, func(a policy.Text) bool {
		return matches(strings.ToLower(textOf(a.Value, true, false, nil).value), strings.ToLower(action))
	})
	return covers != st.NotAction
}

// refused are the demands that Denies of the document make of whoever comes through.
func (q *inquiry) refused(doc *policy.Document, d door) []demand {
	var out []demand
	for i := range doc.Statements {
		st := &doc.Statements[i]
		if st.Effect != policy.Deny || st.Unclear != nil || st.NotPrincipal || !speaksOf(st, d.action) {
			continue
		}
		if slices.ContainsFunc(st.Principals, func(p policy.Principal) bool {
			return p.Kind == policy.PrincipalEveryone || d.name != "" && p.Kind == d.who && p.Value == d.name
		}) {
			out = append(out, refusals(st.Conditions, doc.Variables(), q.s.Set.Symbols)...)
		}
	}
	return out
}

// through reports what is open at a door.
func (q *inquiry) through(d door, list []demand, ref policy.Reference) {
	f := Finding{Actions: []string{d.action}, Detail: DetailFederated, Because: q.because([]policy.Reference{ref})}
	var bound certainty
	var ask issuer
	if d.who == policy.PrincipalService {
		f.Detail, ask = DetailTrustAnchor, issuer{key: "aws:SourceArn", example: "arn:aws:rolesanywhere:REGION:ACCOUNT:trust-anchor/ID"}
		bound = anchored(list)
	} else {
		bound, ask = q.provided(d, list)
	}
	f.Fix = Fix{ID: "open-trust-claim", Args: map[string]string{"key": ask.key, "example": ask.example}}
	if ask.host != "" && !strings.Contains(ask.key, ":") {
		f.Fix.Args["key"] = q.s.Show(ask.host) + ":" + ask.key
	}
	switch bound {
	case yes:
	case perhaps:
		q.doubts([]reach.Doubt{{Reason: reach.OpenSymbol, Reference: ref}})
	case no:
		if q.isOpen([]policy.Reference{ref}) {
			q.openings([]policy.Reference{ref})
			return
		}
		if ask.key == "amr" {
			f.Detail = DetailUnsigned
		}
		q.find(f)
	}
}

// provided asks what binds those whom an identity provider vouches for. A condition
// on a key of another provider than the one that is named lets nobody in.
func (q *inquiry) provided(d door, list []demand) (certainty, issuer) {
	hosts := hostsOf(d, list)
	ask, known := issuerOf(hosts[0])
	ask.host = hosts[0]
	best := no
	for _, of := range list {
		if of.host == "aws" && slices.Contains(keysOfCallers, of.claim) {
			best = yes
		}
	}
	for _, h := range hosts {
		row, _ := issuerOf(h)
		own := slices.DeleteFunc(slices.Clone(list), func(of demand) bool { return of.host != h && of.host != "sts" })
		best = max(best, row.boundBy(own))
	}
	if best == no && !known && slices.ContainsFunc(list, func(of demand) bool { return of.host == ask.host && of.claim == "aud" && of.fixed(exact) != no }) {
		q.open(question(ReasonIssuer, q.s.Show(ask.host)))
		return yes, ask
	}
	return best, ask
}

// keysOfCallers are there only where a principal of AWS calls: who comes with a token
// has none yet (IAM User Guide, "AWS global condition context keys").
var keysOfCallers = []string{"principalarn", "principalaccount", "principalorgid", "principalorgpaths", "username", "userid"}

// hostsOf are the providers whose claims count at a door: the one that is named, and
// those of which conditions speak.
func hostsOf(d door, list []demand) []string {
	var hosts []string
	if host := hostOf(d); host != "" && !policy.HasSymbol(host) {
		hosts = append(hosts, host)
	}
	for _, of := range list {
		if of.host != "" && of.host != "aws" && of.host != "sts" && !slices.Contains(hosts, of.host) {
			hosts = append(hosts, of.host)
		}
	}
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	return hosts
}

// hostOf is how the condition keys of a door begin.
func hostOf(d door) string {
	if d.action == withSAML {
		return "saml"
	}
	_, host, ok := strings.Cut(d.name, ":oidc-provider/")
	if !ok {
		host = d.name
	}
	return strings.ToLower(strings.TrimSuffix(host, "/"))
}

// anchored reports whether a trust anchor is named whole, or the certificate's name.
func anchored(list []demand) certainty {
	best := no
	for _, d := range list {
		switch key := d.host + ":" + d.claim; {
		case key == "aws:sourcearn":
			best = max(best, d.fixed(func(text string) bool {
				part := policy.Segments(text)
				return exact(text) && (len(part) != 6 || strings.Contains(part[5], "trust-anchor/"))
			}))
		case strings.HasPrefix(key, "aws:principaltag/x509subject/cn"), strings.HasPrefix(key, "aws:principaltag/x509san/"):
			best = max(best, d.fixed(begun))
		}
	}
	return best
}
