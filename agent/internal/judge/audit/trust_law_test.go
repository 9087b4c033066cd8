package audit

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/reach"
	"buzon/agent/policy"
)

// provider is somebody outside IAM who vouches for callers, with what a stranger's token
// may say: a second table beside issuers, written apart from it, by what strangers can
// choose and not by what binds. Ours are acme's.
type provider struct {
	principal string // of the trust policy
	action    string
	prefix    string // of its condition keys
	claims    []claimed
}

// claimed is a claim with what a stranger's token can hold in it: whatever may matches and
// ours doesn't, in whatever case.
type claimed struct {
	key       string   // whole where it has a colon
	may, ours string   // regular expressions of whole values
	samples   []string // of which conditions are made, ours and others
	optional  bool     // a token may lack it
}

const (
	free  = `(?s).*`
	never = `[^\s\S]`
)

// The providers' pages: GitHub "OpenID Connect reference", GitLab "ID token
// authentication", HashiCorp "Workload identity tokens", CircleCI "OIDC tokens",
// Buildkite "OIDC", Google "Verify the ID token", Cognito "Using roles ... trust",
// Kubernetes "Service account tokens", Microsoft "ID token claims".
var providers = []provider{
	{federated(gh), withWebIdentity, gh, []claimed{
		{"aud", free, "", []string{"sts.amazonaws.com", "https://github.com/acme"}, false},
		{"sub", `repo:[\w.-]+(@\d+)?/[\w.-]+(@\d+)?:.+`, `repo:acme(@1)?/.*`, []string{"repo:acme/app:ref:refs/heads/main", "repo:acme/*", "repo:acme@1/app@2:environment:prod"}, false},
		{"repository", `[\w.-]+/[\w.-]+`, `acme/.*`, []string{"acme/app"}, false},
		{"repository_owner", `[\w.-]+`, `acme`, []string{"acme"}, false},
		{"repository_id", `\d+`, `17`, []string{"17"}, false},
		{"job_workflow_ref", `.+`, "", []string{"acme/app/.github/workflows/deploy.yml@refs/heads/main"}, false},
		{"ref", `refs/.+`, "", []string{"refs/heads/main"}, false},
		{"environment", `.+`, "", []string{"production"}, true},
		{"actor", `[\w-]+`, "", []string{"octocat"}, false},
	}},
	{federated("gitlab.com"), withWebIdentity, "gitlab.com", []claimed{
		{"aud", free, "", []string{"https://gitlab.com", "sts.amazonaws.com"}, false},
		{"sub", `project_path:[\w.-]+(/[\w.-]+)+:ref_type:(branch|tag):ref:.+`, `project_path:acme/.*`, []string{"project_path:acme/app:ref_type:branch:ref:main", "project_path:acme/*"}, false},
	}},
	{federated("app.terraform.io"), withWebIdentity, "app.terraform.io", []claimed{
		{"aud", free, "", []string{"aws.workload.identity"}, false},
		{"sub", `organization:[\w-]+:project:[^:]+:workspace:[^:]+:run_phase:(plan|apply)`, `organization:acme:.*`, []string{"organization:acme:project:app:workspace:prod:run_phase:apply", "organization:acme:*"}, false},
	}},
	{federated("agent.buildkite.com"), withWebIdentity, "agent.buildkite.com", []claimed{
		{"aud", free, "", []string{"sts.amazonaws.com"}, false},
		{"sub", `organization:[\w-]+:pipeline:[\w-]+:ref:.+`, `organization:acme:.*`, []string{"organization:acme:pipeline:app:ref:refs/heads/main:commit:1:step:s"}, false},
	}},
	{"cognito-identity.amazonaws.com", withWebIdentity, "cognito-identity.amazonaws.com", []claimed{
		{"aud", `[\w-]+:[\w-]+`, "", []string{"eu-west-1:0a1b"}, false}, // whoever never signed in has one of this very pool
		{"amr", `unauthenticated`, "", []string{"unauthenticated", "authenticated"}, false},
		{"sub", `eu-west-1:[0-9a-f-]+`, `eu-west-1:77`, []string{"eu-west-1:77"}, false},
	}},
	{"accounts.google.com", withWebIdentity, "accounts.google.com", []claimed{
		{"aud", `[\w.-]+`, `66\.apps\.googleusercontent\.com|106`, []string{"66.apps.googleusercontent.com", "106"}, false},
		{"oaud", free, "", []string{"https://acme.example"}, false},
		{"sub", `\d+`, `106`, []string{"106"}, false},
		{"email", `[\w.+-]+@[\w.-]+`, `app@acme\.iam\.gserviceaccount\.com`, []string{"app@acme.iam.gserviceaccount.com"}, true},
	}},
	{federated("oidc.circleci.com/org/aa-11"), withWebIdentity, "oidc.circleci.com/org/aa-11", []claimed{
		// Of this organisation alone: no stranger gets a token here but its colleagues.
		{"aud", never, "", []string{"aa-11"}, false},
		{"sub", never, "", []string{"org/aa-11/project/bb-22/user/cc-33"}, false},
	}},
	{federated("oidc.eks.eu-west-1.amazonaws.com/id/0A1B"), withWebIdentity, "oidc.eks.eu-west-1.amazonaws.com/id/0a1b", []claimed{
		{"aud", `sts\.amazonaws\.com`, "", []string{"sts.amazonaws.com"}, false},
		{"sub", `system:serviceaccount:[a-z0-9-]+:[a-z0-9.-]+`, `system:serviceaccount:uploads:.*`, []string{"system:serviceaccount:uploads:vm", "system:serviceaccount:uploads:*", "system:serviceaccount:*:vm"}, false},
	}},
	{federated("sts.windows.net/0a1b/"), withWebIdentity, "sts.windows.net/0a1b/", []claimed{
		{"aud", `.+`, "", []string{"api://acme"}, false}, // any identity of the tenant
		{"sub", `[0-9a-f-]+`, `77-88`, []string{"77-88"}, false},
	}},
	{"arn:aws:iam::111122223333:saml-provider/acme", withSAML, "saml", []claimed{
		{"sub_type", `persistent|transient`, "", []string{"persistent"}, false},
		{"iss", `https://idp\.acme\.example`, "", []string{"https://idp.acme.example"}, false},
		{"aud", `https://other\.example/saml`, "", []string{"https://signin.aws.amazon.com/saml"}, false}, // asserted for another service
		{"sub", `.+`, `vm-01@acme\.example`, []string{"vm-01@acme.example"}, false},
	}},
	{"rolesanywhere.amazonaws.com", "sts:AssumeRole", "", []claimed{
		{"aws:SourceArn", `arn:aws:rolesanywhere:[\w-]+:111122223333:trust-anchor/[\w-]+`, `.*trust-anchor/4a2f`, []string{"arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/4a2f", "arn:aws:rolesanywhere:*:*:trust-anchor/*"}, false},
		{"aws:PrincipalTag/x509Subject/CN", `.+`, `[vV].*`, []string{"vm-01"}, false}, // the authority gives acme's machines names that begin so
		{"aws:PrincipalTag/x509Subject/OU", `.+`, "", []string{"uploads"}, false},
	}},
}

func federated(host string) string { return "arn:aws:iam::111122223333:oidc-provider/" + host }

func (p *provider) key(c claimed) string {
	if strings.Contains(c.key, ":") {
		return c.key
	}
	return p.prefix + ":" + c.key
}

// holds reports whether a stranger's token can hold a value.
func (c claimed) holds(value string) bool {
	return whole(c.may, value) && (c.ours == "" || !whole("(?i)"+c.ours, value))
}

var compiled = map[string]*regexp.Regexp{}

func whole(pattern, value string) bool {
	if compiled[pattern] == nil {
		compiled[pattern] = regexp.MustCompile("^(?:" + pattern + ")$")
	}
	return compiled[pattern].MatchString(value)
}

// bent is a sample as a condition may ask for it: whole, cut, or with something open. It
// never names somebody else, who then would be meant.
func bent(rng *rand.Rand, sample string) string {
	at := rng.IntN(len(sample) + 1)
	switch rng.IntN(8) {
	case 0:
		return sample[:at] + "*"
	case 1:
		return "*" + sample[at:]
	case 2:
		return sample[:at] + "*" + sample[min(len(sample), at+rng.IntN(4)):]
	case 3:
		return sample[:at] + "?" + sample[min(len(sample), at+1):]
	case 4:
		return pick(rng, "*", "?*", "**", "", strings.ToUpper(sample), sample+"*", "${aws:PrincipalTag/x}", "${aws:PrincipalTag/x, '"+sample+"'}")
	}
	return sample
}

var lawOperators = []string{
	"StringEquals", "StringEquals", "StringEquals", "StringLike", "StringLike", "StringLike", "StringEqualsIgnoreCase", "ForAnyValue:StringLike",
	"ForAnyValue:StringEquals", "ForAllValues:StringLike", "StringEqualsIfExists", "StringLikeIfExists", "StringNotEquals", "StringNotLike", "Null", "ArnLike", "ArnEquals",
}

// demanded is a condition block of one to three demands.
func (p *provider) demanded(rng *rand.Rand, denies bool) node {
	block := node{}
	for range 1 + rng.IntN(3) {
		c := p.claims[rng.IntN(len(p.claims))]
		op := pick(rng, lawOperators...)
		if denies {
			op = pick(rng, "StringNotLike", "StringNotEquals", "StringNotLike", "StringLike", "ForAnyValue:StringNotLike", "StringNotEqualsIfExists")
		}
		var values []any
		for range 1 + rng.IntN(2)*rng.IntN(2) {
			values = append(values, bent(rng, pick(rng, c.samples...)))
		}
		if op == "Null" {
			values = []any{pick(rng, "true", "false")}
		}
		block[op] = with1(block[op], p.key(c), values)
	}
	return block
}

// trusts is a trust policy that lets the provider's callers in; the same with everybody
// for the provider is what decide can be asked about.
func (p *provider) trusts(rng *rand.Rand) (doc, plain node) {
	who := node{"Federated": p.principal}
	if strings.HasSuffix(p.principal, "anywhere.amazonaws.com") {
		who = node{"Service": p.principal}
	}
	statements := []any{node{"Effect": "Allow", "Principal": who, "Action": p.action}}
	if rng.IntN(15) > 0 {
		statements[0].(node)["Condition"] = p.demanded(rng, false)
	}
	if rng.IntN(4) == 0 {
		statements = append(statements, node{
			"Effect": "Deny", "Principal": pick[any](rng, "*", who), "Action": pick(rng, "sts:*", p.action, "sts:TagSession"), "Condition": p.demanded(rng, true),
		})
	}
	var open []any
	for _, st := range statements {
		st = maps.Clone(st.(node))
		st.(node)["Principal"] = "*"
		open = append(open, st)
	}
	return document1(statements...), document1(open...)
}

// fills stand for a wildcard in what a stranger tries.
var fills = []string{"", "z", "-z", "z/z", "-z/z:z", "/z:z", "z/z:ref:z", "z:z", "7", "-7", "z@z.z", "eu-west-1", "111122223333"}

// tries are the values that a stranger tries for a claim: those of the policy, with its
// wildcards filled, samples with something changed, and none.
func (c claimed) tries(rng *rand.Rand, asked []string) [][]string {
	var out [][]string
	if c.optional {
		out = append(out, nil)
	}
	add := func(v string) {
		if c.holds(v) && len(out) < 12 {
			out = append(out, []string{v})
		}
	}
	var filled func(v string, left int)
	filled = func(v string, left int) {
		at := strings.IndexAny(v, "*?")
		if at < 0 || left == 0 {
			add(v)
			return
		}
		for _, i := range rng.Perm(len(fills)) {
			if v[at] == '*' || len(fills[i]) == 1 {
				filled(v[:at]+fills[i]+v[at+1:], left-1)
			}
		}
	}
	for _, v := range append(slices.Clone(asked), c.samples...) {
		filled(v, 3)
	}
	for _, v := range c.samples {
		for _, other := range []string{strings.Replace(v, "acme", "acme-z", 1), strings.Replace(v, "acme", "z", 1), strings.Replace(v, "uploads", "z", 1), "z" + v, v + "z", "7" + v, v + "7"} {
			filled(other, 2)
		}
	}
	return out
}

// token looks for a token of a stranger that the trust policy lets in.
func (p *provider) token(t *testing.T, rng *rand.Rand, plain node) (map[string][]string, bool) {
	t.Helper()
	doc, err := policy.Parse("trust", encoded(plain), policy.ParseOptions{Grammar: policy.TrustGrammar})
	if err != nil {
		t.Fatal(err)
	}
	set := &policy.Set{
		Subject: policy.Subject{Type: policy.User, Partition: "aws", Account: "111122223333", ARN: account + "user/z", Path: "/", Name: "z", TagsKnown: true},
		Sources: []policy.Source{{Kind: policy.Trust, Attached: roleARN, Document: doc}},
	}
	asked := map[string][]string{}
	for _, st := range doc.Statements {
		for _, c := range st.Conditions {
			for _, v := range c.Values {
				asked[strings.ToLower(c.Key)] = append(asked[strings.ToLower(c.Key)], v.Value)
			}
		}
	}
	// No principal of IAM calls: it has none of the keys of one.
	context := map[string][]string{"aws:principalarn": {}, "aws:principalaccount": {}, "aws:principaltype": {}, "aws:username": {}, "aws:userid": {}, "aws:principaltag/x": {}}
	oracle := decide.New(set)
	var try func(at int) bool
	try = func(at int) bool {
		if at == len(p.claims) {
			return oracle.Decide(decide.Request{Action: p.action, Resource: roleARN, Context: context}).Outcome == decide.Allowed
		}
		key := strings.ToLower(p.key(p.claims[at]))
		tries := p.claims[at].tries(rng, asked[key])
		if asked[key] == nil && len(tries) > 1 {
			tries = tries[:1] // nobody looks at it
		}
		for _, v := range tries {
			context[key] = v
			if try(at + 1) {
				return true
			}
		}
		return false
	}
	found := try(0)
	return context, found
}

func encoded(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

// Who is let in is told: where a token that a stranger can get passes a role's trust
// policy, the audit says that the role is open.
func TestWhoIsLetInIsTold(t *testing.T) {
	n := newTally()
	for i := range 4 * lawCases() {
		rng := rand.New(rand.NewPCG(uint64(i), 19)) //nolint:gosec // repeatable
		p := &providers[rng.IntN(len(providers))]
		doc, plain := p.trusts(rng)
		token, in := p.token(t, rng, plain)
		judged := openness(t, doc)
		n.cases++
		n.seen[fmt.Sprintf("in %v, told %v", in, judged)]++
		if in && !judged {
			t.Fatalf("case %d: %s lets %v in, and nothing says so:\n%s", i, p.principal, token, encoded(doc))
		}
	}
	n.done(t)
	n.least(t, "in true, told true", 20)
	n.least(t, "in false, told false", 10)
}

// openness tells whether the audit says of a role that its trust policy is open.
func openness(t *testing.T, trusting node) bool {
	t.Helper()
	parsed, err := policy.Parse("trust", encoded(trusting), policy.ParseOptions{Grammar: policy.TrustGrammar})
	if err != nil {
		t.Fatal(err)
	}
	found := case1{principal: roleARN, docs: []doc{identity(contract)}}.load(t)
	set := &found.Subjects[0].Set
	set.Sources = append(set.Sources, policy.Source{Kind: policy.Trust, Name: "vm-01", Attached: roleARN, Document: parsed})
	q := newInquiry(newJudge(Options{Now: now, Budget: lawBudget}), &found.Subjects[0], reach.NewMeter(t.Context(), 0))
	q.rule = Rules[slices.IndexFunc(Rules, func(r Rule) bool { return r.ID == RuleOpenTrust })]
	askOpenTrust(q)
	return len(q.out.Findings) > 0
}
