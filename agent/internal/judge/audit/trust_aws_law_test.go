package audit

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/policy"
)

const (
	neighbour = "444455556666" // whose account trust policies speak of
	anybody   = "999999999999" // in which a stranger gives every name
)

// ofAWS are the keys that a principal of AWS brings along, with values that trust
// policies ask for.
var ofAWS = []struct {
	key     string
	samples []string
	chosen  bool // a stranger chooses it: it is no secret, or a tag of the stranger's own
}{
	{"aws:PrincipalArn", []string{lawUser, account + "role/ci", "arn:aws:iam::" + neighbour + ":role/ci", "arn:aws:iam::*:role/ci", "arn:aws:iam::*:user/*", "arn:aws:iam::" + neighbour + ":*"}, false},
	{"aws:PrincipalAccount", []string{"111122223333", neighbour, "*"}, false},
	{"aws:PrincipalType", []string{"User", "AssumedRole"}, false},
	{"aws:username", []string{"vm-01"}, false},
	{"aws:userid", []string{"AROAEXAMPLEEXAMPLE01:*", "AIDAEXAMPLEEXAMPLE009", "*:vm-01"}, false},
	{"aws:PrincipalTag/team", []string{"uploads"}, true},
	{"aws:PrincipalOrgID", []string{"o-abcdefghij"}, true}, // a colleague in the organisation is a stranger
	{"sts:ExternalId", []string{"17"}, true},
	{"sts:RoleSessionName", []string{"vm-01"}, true},
	{"aws:SourceIp", []string{"10.0.0.0/8"}, true},
	{"aws:MultiFactorAuthPresent", []string{"true"}, true},
}

// trustsAWS is a trust policy that names principals of AWS.
func trustsAWS(rng *rand.Rand) node {
	demanded := func(denies bool) node {
		block := node{}
		for range 1 + rng.IntN(2) {
			k := ofAWS[rng.IntN(len(ofAWS))]
			op := pick(rng, lawOperators...)
			value := bent(rng, pick(rng, k.samples...))
			switch {
			case k.key == "aws:SourceIp":
				op, value = pick(rng, "IpAddress", "NotIpAddress"), k.samples[0]
			case k.key == "aws:MultiFactorAuthPresent":
				op, value = pick(rng, "Bool", "BoolIfExists"), pick(rng, "true", "false")
			case denies:
				op = pick(rng, "StringNotLike", "StringNotEquals", "StringLike", "ArnNotLike")
			}
			if op == "Null" {
				value = pick(rng, "true", "false")
			}
			block[op] = with1(block[op], k.key, []any{value})
		}
		return block
	}
	who := pick[any](rng, "*", node{"AWS": "*"}, node{"AWS": "111122223333"}, node{"AWS": account + "root"}, node{"AWS": neighbour},
		node{"AWS": lawUser}, node{"AWS": []any{lawUser, "arn:aws:iam::" + neighbour + ":role/ci"}})
	st := node{"Effect": "Allow", "Principal": who, "Action": pick(rng, "sts:AssumeRole", "sts:*", "sts:Assume*")}
	if rng.IntN(4) > 0 {
		st["Condition"] = demanded(false)
	}
	statements := []any{st}
	if rng.IntN(4) == 0 {
		statements = append(statements, node{"Effect": "Deny", "Principal": pick[any](rng, "*", node{"AWS": "*"}), "Action": "sts:*", "Condition": demanded(true)})
	}
	return document1(statements...)
}

// strangersTo are users and roles that a trust policy doesn't name: of its own account and
// of a neighbour's under a name that nobody asks for, of anybody's under any.
func strangersTo(asked map[string][]string) []policy.Subject {
	var out []policy.Subject
	add := func(of, kind, path string) {
		at := strings.LastIndexByte(path, '/') + 1
		s := policy.Subject{
			Type: policy.User, Partition: "aws", Account: of, Path: "/" + path[:at], Name: path[at:], UniqueID: "AIDAZZZZZZZZZZZZZZZZZ",
			ARN: "arn:aws:iam::" + of + ":" + kind + "/" + path, TagsKnown: true,
		}
		if kind == "role" {
			s.Type, s.UniqueID = policy.Role, "AROAZZZZZZZZZZZZZZZZZ"
		}
		if s.Name != "" {
			out = append(out, s)
		}
	}
	for _, of := range []string{"111122223333", neighbour, anybody} {
		add(of, "user", "zz")
		add(of, "role", "zz")
	}
	for _, pattern := range asked["aws:principalarn"] {
		parts := policy.Segments(pattern)
		if len(parts) != 6 || !globbedBy(parts[4], anybody) {
			continue
		}
		for _, fill := range []string{"z", "zz/z"} {
			kind, path, ok := strings.Cut(strings.NewReplacer("*", fill, "?", "z").Replace(parts[5]), "/")
			if ok && (kind == "user" || kind == "role") {
				add(anybody, kind, path)
			}
		}
	}
	return out
}

// globbedBy is the plainest way to match a glob.
func globbedBy(glob, text string) bool {
	switch {
	case glob == "":
		return text == ""
	case glob[0] == '*':
		return globbedBy(glob[1:], text) || text != "" && globbedBy(glob, text[1:])
	}
	return text != "" && (glob[0] == '?' || glob[0] == text[0]) && globbedBy(glob[1:], text[1:])
}

// letsInOfAWS looks for a stranger that the trust policy lets in, with any right of its own.
func letsInOfAWS(t *testing.T, doc *policy.Document) (string, bool) {
	t.Helper()
	own, err := policy.Parse("own", []byte(document(allow("sts:*", "*"))), policy.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string][]string{}
	for _, st := range doc.Statements {
		for _, c := range st.Conditions {
			for _, v := range c.Values {
				asked[strings.ToLower(c.Key)] = append(asked[strings.ToLower(c.Key)], v.Value)
			}
		}
	}
	for _, s := range strangersTo(asked) {
		set := &policy.Set{Subject: s, Sources: []policy.Source{
			{Kind: policy.UserInline, Document: own}, {Kind: policy.Trust, Attached: roleARN, Document: doc},
		}}
		context := map[string][]string{"aws:sourceip": {"10.1.2.3"}}
		if s.Type == policy.Role {
			set.Sources[0].Kind = policy.RoleInline
			context["aws:userid"] = []string{s.UniqueID + ":vm-01"} // a session under any name
		}
		oracle := decide.New(set)
		var try func(at int) bool
		try = func(at int) bool {
			if at == len(ofAWS) {
				r := decide.Request{Action: "sts:AssumeRole", Resource: roleARN, ResourceAccount: "111122223333", Context: context}
				return oracle.Decide(r).Outcome == decide.Allowed
			}
			key := strings.ToLower(ofAWS[at].key)
			if !ofAWS[at].chosen || asked[key] == nil {
				return try(at + 1)
			}
			for _, v := range append(slices.Clone(asked[key]), "z", "11.0.0.1", "10.1.2.3", "") {
				value := strings.NewReplacer("*", "z", "?", "z").Replace(v)
				if context[key] = []string{value}; value == "" {
					if key == "sts:rolesessionname" {
						continue // STS wants one
					}
					context[key] = []string{}
				}
				if try(at + 1) {
					return true
				}
			}
			return false
		}
		if try(0) {
			return fmt.Sprintf("%s with %v", s.ARN, maps.Clone(context)), true
		}
	}
	return "", false
}

// The same of principals of AWS.
func TestWhoIsLetInFromAWSIsTold(t *testing.T) {
	n := newTally()
	for i := range lawCases() {
		rng := rand.New(rand.NewPCG(uint64(i), 21)) //nolint:gosec // repeatable
		trusting := trustsAWS(rng)
		doc, err := policy.Parse("trust", encoded(trusting), policy.ParseOptions{Grammar: policy.TrustGrammar})
		if err != nil {
			t.Fatal(err)
		}
		who, in := letsInOfAWS(t, doc)
		told := openness(t, trusting)
		n.cases++
		n.seen[fmt.Sprintf("in %v, told %v", in, told)]++
		if in && !told {
			t.Fatalf("case %d: %s is let in, and nothing says so:\n%s", i, who, encoded(trusting))
		}
	}
	n.done(t)
	n.least(t, "in true, told true", 20)
	n.least(t, "in false, told false", 10)
}
