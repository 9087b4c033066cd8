package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// node is a value of a template.
type node = map[string]any

// lawCases is how many cases each law here is tried on.
func lawCases() int {
	switch {
	case os.Getenv("BUZON_TEST") == "long":
		return 10_000
	case testing.Short():
		return 15
	}
	return 500
}

// spot is a value of a template that may be unknown, with others that it could have.
type spot struct {
	set    func(any)
	values []any
}

// scenario is a random template about one user, and the values in it.
type scenario struct {
	rng       *rand.Rand
	resources node
	sections  node // besides the resources
	spots     []spot
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

// value is a spot in a map.
func (s *scenario) value(in node, key string, values ...any) {
	in[key] = pick(s.rng, values...)
	s.spots = append(s.spots, spot{func(v any) { in[key] = v }, values})
}

// item is a spot in a list of one.
func (s *scenario) item(in node, key string, values ...any) {
	list := []any{pick(s.rng, values...)}
	in[key] = list
	s.spots = append(s.spots, spot{func(v any) { list[0] = v }, values})
}

const lawBucket = "arn:aws:s3:::acme-uploads"

var (
	lawActions    = []any{"s3:PutObject", "s3:GetObject", "s3:*", "sqs:SendMessage"}
	lawResources  = []any{lawBucket + "/uploads/vm-01/*", lawBucket + "/*", "arn:aws:s3:::other/*", "*"}
	lawPrincipals = []any{lawUser, "arn:aws:iam::111122223333:user/buzon/vm-02", "arn:aws:iam::111122223333:root"}
)

const lawUser = "arn:aws:iam::111122223333:user/buzon/vm-01"

func contractOf() node {
	return node{"Effect": "Allow", "Action": "s3:PutObject", "Resource": lawBucket + "/uploads/vm-01/*"}
}

// statement is one whose values are spots.
func (s *scenario) statement() any {
	st := node{}
	s.value(st, "Effect", "Allow", "Allow", "Deny")
	s.value(st, "Action", lawActions...)
	key := pick(s.rng, "Resource", "Resource", "Resource", "NotResource")
	s.item(st, key, lawResources...)
	if s.rng.IntN(3) == 0 {
		c := node{}
		s.value(c, "aws:username", "vm-01", "vm-02")
		st["Condition"] = node{pick(s.rng, "StringEquals", "StringNotEquals"): c}
	}
	if s.rng.IntN(4) > 0 {
		return st
	}
	name := "C" + strconv.Itoa(len(s.spots))
	pair := []any{"a", "b"}
	for i := range pair {
		s.spots = append(s.spots, spot{func(v any) { pair[i] = v }, []any{"a", "b"}})
	}
	s.sections["Conditions"].(node)[name] = node{"Fn::Equals": pair}
	return node{"Fn::If": []any{name, st, node{"Ref": "AWS::NoValue"}}}
}

func document1(statements ...any) node {
	return node{"Version": "2012-10-17", "Statement": statements}
}

// newScenario makes a user with the contract, and one or two things about it.
func newScenario(rng *rand.Rand) *scenario {
	s := &scenario{rng: rng, resources: node{}, sections: node{"Conditions": node{"Always": node{"Fn::Equals": []any{"x", "x"}}}}}
	user := node{"UserName": "vm-01", "Path": "/buzon/"}
	s.resources["U"] = node{"Type": "AWS::IAM::User", "Properties": user}
	own := []any{contractOf()}
	if rng.IntN(2) == 0 {
		own = append(own, s.statement())
	}
	user["Policies"] = []any{node{"PolicyName": "own", "PolicyDocument": document1(own...)}}
	for range 1 + rng.IntN(2) {
		s.thing(user)
	}
	return s
}

func (s *scenario) thing(user node) {
	id := "R" + strconv.Itoa(len(s.resources))
	add := func(kind string, properties node) { s.resources[id] = node{"Type": kind, "Properties": properties} }
	p := node{}
	switch s.rng.IntN(8) {
	case 0:
		p["PolicyName"], p["PolicyDocument"] = id, document1(s.statement())
		s.item(p, "Users", "vm-01", "vm-02")
		add("AWS::IAM::Policy", p)
	case 1:
		p["PolicyName"], p["PolicyDocument"] = id, document1(s.statement())
		s.value(p, "UserName", "vm-01", "vm-02")
		add("AWS::IAM::UserPolicy", p)
	case 2:
		p["PolicyDocument"] = document1(s.statement())
		s.item(p, "Users", "vm-01", "vm-02")
		add("AWS::IAM::ManagedPolicy", p)
	case 3:
		s.resources["G"] = node{"Type": "AWS::IAM::Group", "Properties": node{
			"GroupName": "g", "Policies": []any{node{"PolicyName": "g", "PolicyDocument": document1(s.statement())}},
		}}
		p["GroupName"] = "g"
		s.item(p, "Users", "vm-01", "vm-02")
		add("AWS::IAM::UserToGroupAddition", p)
	case 4:
		who := node{}
		s.value(who, "AWS", lawPrincipals...)
		p["AssumeRolePolicyDocument"] = document1(node{"Effect": "Allow", "Principal": who, "Action": "sts:AssumeRole"})
		add("AWS::IAM::Role", p)
	case 5:
		s.bucket(id)
	case 6:
		who := node{}
		s.value(who, "AWS", lawPrincipals...)
		st := node{"Effect": "Allow", "Principal": who, "Resource": "arn:aws:sqs:eu-west-1:111122223333:q"}
		s.value(st, "Action", "sqs:SendMessage", "sqs:*")
		p["PolicyDocument"], p["Queues"] = document1(st), []any{"https://sqs.eu-west-1.amazonaws.com/111122223333/q"}
		add("AWS::SQS::QueuePolicy", p)
	case 7:
		user["PermissionsBoundary"] = node{"Ref": id}
		p["PolicyDocument"] = document1(s.statement(), contractOf())
		add("AWS::IAM::ManagedPolicy", p)
	}
}

// bucket is a bucket that may be the one in question, with its policy.
func (s *scenario) bucket(id string) {
	bucket := node{}
	s.value(bucket, "BucketName", "acme-uploads", "other")
	s.resources["B"] = node{"Type": "AWS::S3::Bucket", "Properties": bucket}
	st := node{}
	s.value(st, "Effect", "Allow", "Deny")
	s.value(st, "Action", "s3:GetObject", "s3:PutObject", "s3:*")
	who := node{}
	s.value(who, "AWS", lawPrincipals...)
	st["Principal"] = who
	st["Resource"] = node{"Fn::Sub": "${B.Arn}/*"}
	p := node{"PolicyDocument": document1(st), "Bucket": node{"Ref": "B"}}
	s.resources[id] = node{"Type": "AWS::S3::BucketPolicy", "Properties": p}
}

// unknownForms are the ways in which a value can be unknown; n tells two apart.
var unknownForms = []func(s *scenario, n string, values []any) any{
	func(s *scenario, n string, _ []any) any { return s.parameter("P"+n, node{"Type": "String"}) },
	func(s *scenario, n string, values []any) any {
		return s.parameter("P"+n, node{"Type": "String", "AllowedValues": values})
	},
	func(s *scenario, n string, _ []any) any {
		s.parameter("P"+n, node{"Type": "String"})
		return node{"Fn::Sub": "${P" + n + "}"}
	},
	func(_ *scenario, n string, _ []any) any { return "{{resolve:ssm:/" + n + "}}" },
	func(_ *scenario, n string, _ []any) any {
		return node{"Fn::Join": []any{"", []any{"{{resolve:secretsmanager:", n, "}}"}}}
	},
	func(s *scenario, n string, values []any) any {
		keys := node{}
		for i, v := range values {
			keys["k"+strconv.Itoa(i)] = node{"v" + n: v}
		}
		s.sections["Mappings"] = with1(s.sections["Mappings"], "M"+n, keys)
		return node{"Fn::FindInMap": []any{"M" + n, s.parameter("K"+n, node{"Type": "String"}), "v" + n}}
	},
	func(s *scenario, n string, _ []any) any {
		return node{"Fn::Select": []any{n, s.parameter("L", node{"Type": "CommaDelimitedList"})}}
	},
	func(s *scenario, n string, _ []any) any {
		return node{"Fn::Select": []any{n, node{"Fn::Split": []any{"|", s.parameter("S", node{"Type": "String"})}}}}
	},
	func(s *scenario, n string, _ []any) any {
		return node{"Fn::Join": []any{"", s.parameter("J"+n, node{"Type": "CommaDelimitedList"})}}
	},
	func(_ *scenario, n string, _ []any) any { return node{"Fn::ImportValue": "i" + n} },
	func(s *scenario, n string, _ []any) any {
		s.resources["Custom"] = node{"Type": "Custom::X", "Properties": node{"ServiceToken": "t"}}
		return node{"Fn::GetAtt": []any{"Custom", "A" + n}}
	},
	func(s *scenario, n string, values []any) any {
		out := values[0]
		for i, v := range values[1:] {
			name := "If" + n + "x" + strconv.Itoa(i)
			s.sections["Conditions"].(node)[name] = node{"Fn::Equals": []any{s.parameter("P"+n, node{"Type": "String"}), "v" + strconv.Itoa(i)}}
			out = node{"Fn::If": []any{name, v, out}}
		}
		return out
	},
	func(_ *scenario, n string, _ []any) any { return node{"Fn::Transform": node{"Name": "M" + n}} },
}

func with1(in any, key string, v any) node {
	out, _ := in.(node)
	if out == nil {
		out = node{}
	}
	out[key] = v
	return out
}

func (s *scenario) parameter(name string, declared node) node {
	s.sections["Parameters"] = with1(s.sections["Parameters"], name, declared)
	return node{"Ref": name}
}

func (s *scenario) text() string {
	root := maps.Clone(s.sections)
	root["Resources"] = s.resources
	raw, err := json.Marshal(root)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// verdictOf judges templates; "" where they are refused.
func verdictOf(t *testing.T, texts ...string) Verdict {
	t.Helper()
	found, err := loadTexts(t, texts...)
	if err != nil {
		var faults policy.Errors
		if !errors.As(err, &faults) {
			t.Fatal(err)
		}
		return ""
	}
	return Judge(t.Context(), found, Options{Now: now}).Verdict
}

func loadTexts(t *testing.T, texts ...string) (*sources.Found, error) {
	t.Helper()
	sel := sources.Selection{Bucket: "acme-uploads", Prefix: "uploads/{name}/", Region: "eu-west-1", Principals: []string{lawUser}}
	for i := range texts {
		sel.Templates = append(sel.Templates, strconv.Itoa(i))
	}
	return sources.Load(t.Context(), sel, sources.Access{ReadFile: func(name string) ([]byte, error) {
		i, err := strconv.Atoi(name)
		if err != nil {
			return nil, err
		}
		return []byte(texts[i]), nil
	}})
}

func good(v Verdict) bool { return v == WriteOnly || v == Waived }

// Where a value of a template isn't known, the verdict is no better than with the
// worst value that it could have.
func TestAnUnknownValueIsNeverSafer(t *testing.T) {
	seen := map[string]int{}
	for n := range lawCases() {
		rng := rand.New(rand.NewPCG(uint64(n), 14)) //nolint:gosec // repeatable
		s := newScenario(rng)
		if len(s.spots) == 0 {
			continue
		}
		chosen := []spot{s.spots[rng.IntN(len(s.spots))]}
		if at := rng.IntN(len(s.spots)); len(s.spots) > 1 && rng.IntN(2) == 0 {
			chosen = append(chosen, s.spots[at])
		}
		worst := Verdict("")
		for _, v := range chosen[0].values {
			chosen[0].set(v)
			rest := []any{nil}
			if len(chosen) > 1 {
				rest = chosen[1].values
			}
			for _, w := range rest {
				if w != nil {
					chosen[1].set(w)
				}
				if got := verdictOf(t, s.text()); got != "" && !good(got) {
					worst = got
				}
			}
		}
		form := rng.IntN(len(unknownForms))
		for i, c := range chosen {
			c.set(unknownForms[form](s, strconv.Itoa(i), c.values))
		}
		got := verdictOf(t, s.text())
		seen[fmt.Sprintf("%s→%s", worst, got)]++
		if worst != "" && good(got) {
			t.Errorf("case %d, form %d: %s with some value, %s with an unknown one:\n%s", n, form, worst, got, s.text())
		}
		if t.Failed() && n > 2_000 {
			break
		}
	}
	t.Logf("%d cases: %v", lawCases(), seen)
}

// broken is the verdict with each broken rule and its actions.
func brokenBy(t *testing.T, found *sources.Found, err error) string {
	t.Helper()
	if err != nil {
		return "refused"
	}
	report := Judge(t.Context(), found, Options{Now: now})
	var out []string
	for i := range report.Principals {
		p := &report.Principals[i]
		if p.ARN != lawUser {
			continue
		}
		for _, f := range p.Findings {
			for _, a := range f.Actions {
				out = append(out, string(f.Rule)+" "+a)
			}
		}
		slices.Sort(out)
		return string(p.Verdict) + ": " + strings.Join(slices.Compact(out), ", ")
	}
	return "nobody"
}

// lawSet is documents about one user, to be told in many ways.
type lawSet struct {
	own, boundary []any // statements; no boundary is none
	bucket        []any
	role          bool // one that trusts the user
	hung          []any
}

func newLawSet(rng *rand.Rand) lawSet {
	statement := func() node {
		st := node{"Effect": pick(rng, "Allow", "Allow", "Deny"), "Action": pick(rng, lawActions...), pick(rng, "Resource", "Resource", "NotResource"): pick(rng, lawResources[:3]...)}
		if rng.IntN(3) == 0 {
			st["Condition"] = node{pick(rng, "StringEquals", "StringNotEquals"): node{"aws:username": pick(rng, "vm-01", "vm-02")}}
		}
		return st
	}
	s := lawSet{own: []any{contractOf()}, role: rng.IntN(6) == 0}
	for range rng.IntN(3) {
		s.own = append(s.own, statement())
	}
	if rng.IntN(3) == 0 {
		s.boundary = []any{contractOf(), statement()}
	}
	if rng.IntN(2) == 0 {
		s.bucket = []any{node{
			"Effect": pick(rng, "Allow", "Deny"), "Principal": node{"AWS": pick(rng, lawPrincipals...)},
			"Action": pick(rng, "s3:GetObject", "s3:PutObject", "s3:*"), "Resource": []any{lawBucket, lawBucket + "/*"},
		}}
	}
	if rng.IntN(3) == 0 {
		s.hung = []any{node{
			"Effect": "Allow", "Principal": node{"AWS": pick(rng, lawPrincipals...)}, "Action": pick(rng, "sqs:SendMessage", "sqs:*"),
			"Resource": "arn:aws:sqs:eu-west-1:111122223333:q",
		}}
	}
	return s
}

// resources are those of the set, one by one; how says where the user's own
// statements stand.
func (s lawSet) resources(how string, prefix string) []node {
	user := node{"UserName": "vm-01", "Path": "/buzon/"}
	var out []node
	add := func(id, kind string, properties node) {
		out = append(out, node{prefix + id: node{"Type": kind, "Properties": properties}})
	}
	switch how {
	case "inline":
		user["Policies"] = []any{node{"PolicyName": "own", "PolicyDocument": document1(s.own...)}}
	case "policy":
		add("P", "AWS::IAM::Policy", node{"PolicyName": "own", "Users": []any{"vm-01"}, "PolicyDocument": document1(s.own...)})
	case "managed":
		add("P", "AWS::IAM::ManagedPolicy", node{"ManagedPolicyName": "own", "Users": []any{"vm-01"}, "PolicyDocument": document1(s.own...)})
	case "attached":
		add("P", "AWS::IAM::ManagedPolicy", node{"ManagedPolicyName": "own", "PolicyDocument": document1(s.own...)})
		user["ManagedPolicyArns"] = []any{node{"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:policy/own"}}
	case "group":
		add("G", "AWS::IAM::Group", node{"GroupName": "g"})
		add("P", "AWS::IAM::GroupPolicy", node{"PolicyName": "own", "GroupName": "g", "PolicyDocument": document1(s.own...)})
		add("A", "AWS::IAM::UserToGroupAddition", node{"GroupName": "g", "Users": []any{"vm-01"}})
	}
	if s.boundary != nil {
		add("F", "AWS::IAM::ManagedPolicy", node{"ManagedPolicyName": "fence", "PolicyDocument": document1(s.boundary...)})
		user["PermissionsBoundary"] = "arn:aws:iam::111122223333:policy/fence"
	}
	if s.bucket != nil {
		add("BP", "AWS::S3::BucketPolicy", node{"Bucket": "acme-uploads", "PolicyDocument": document1(s.bucket...)})
	}
	if s.hung != nil {
		add("Q", "AWS::SQS::QueuePolicy", node{"PolicyDocument": document1(s.hung...), "Queues": []any{"q"}})
	}
	if s.role {
		add("R", "AWS::IAM::Role", node{"RoleName": "r", "AssumeRolePolicyDocument": document1(trustOfUser())})
	}
	add("U", "AWS::IAM::User", user)
	return out
}

func trustOfUser() node {
	return node{"Effect": "Allow", "Principal": node{"AWS": lawUser}, "Action": "sts:AssumeRole"}
}

func templateOf(resources ...node) string {
	all := node{}
	for _, r := range resources {
		maps.Copy(all, r)
	}
	raw, err := json.Marshal(node{"Resources": all})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// unrelated bear on nobody here.
func unrelated() []node {
	return []node{
		{"ZQ": node{"Type": "AWS::SQS::Queue"}},
		{"ZB": node{"Type": "AWS::S3::Bucket", "Properties": node{"BucketName": "quite-another"}}},
		{"ZU": node{"Type": "AWS::IAM::User", "Properties": node{"UserName": "zz", "Path": "/z/", "Policies": []any{node{"PolicyName": "z", "PolicyDocument": document1(node{"Effect": "Allow", "Action": "*", "Resource": "*"})}}}}},
		{"ZR": node{"Type": "AWS::IAM::Role", "Properties": node{"RoleName": "zr", "AssumeRolePolicyDocument": document1(node{"Effect": "Allow", "Principal": node{"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})}}},
		{"ZT": node{"Type": "AWS::SNS::TopicPolicy", "Properties": node{"Topics": []any{"t"}, "PolicyDocument": document1(node{"Effect": "Allow", "Principal": node{"Service": "events.amazonaws.com"}, "Action": "sns:Publish", "Resource": "*"})}}},
	}
}

// Where something stands doesn't matter: inline, managed or of a group; in one
// template, in several, in documents or in an export; under which name, in which order,
// beside what.
func TestWhereItStandsDoesNotMatter(t *testing.T) {
	seen := map[string]int{}
	for n := range lawCases() {
		rng := rand.New(rand.NewPCG(uint64(n), 15)) //nolint:gosec // repeatable
		s := newLawSet(rng)
		judgeTexts := func(texts ...string) string {
			found, err := loadTexts(t, texts...)
			return brokenBy(t, found, err)
		}
		want := judgeTexts(templateOf(s.resources("inline", "")...))
		verdict, _, _ := strings.Cut(want, ":")
		seen[verdict]++
		ways := map[string]func() string{
			"over templates": func() string {
				parts := make([][]node, 3)
				for _, r := range append(s.resources(pick(rng, "policy", "managed", "group"), ""), unrelated()...) {
					i := rng.IntN(len(parts))
					parts[i] = append(parts[i], r)
				}
				var texts []string
				for _, p := range parts {
					texts = append(texts, templateOf(p...))
				}
				return judgeTexts(texts...)
			},
			"beside others": func() string { return judgeTexts(templateOf(append(s.resources("inline", "X"), unrelated()...)...)) },
			"elsewhere": func() string {
				return judgeTexts(templateOf(s.resources(pick(rng, "policy", "managed", "attached", "group"), "")...))
			},
			"an export": func() string { return s.exported(t, pick(rng, "inline", "managed", "group")) },
			"documents": func() string { return s.documents(t) },
			"its own policy": func() string {
				moved := s
				st := maps.Clone(s.hung[0].(node))
				delete(st, "Principal")
				moved.own, moved.hung = append(slices.Clone(s.own), st), nil
				return judgeTexts(templateOf(moved.resources("inline", "")...))
			},
		}
		for _, name := range slices.Sorted(maps.Keys(ways)) {
			if name == "documents" && s.role || name == "its own policy" && !s.plain() {
				continue // trust policies of others are given in other ways
			}
			if got := ways[name](); got != want {
				t.Errorf("case %d, %s:\ngot  %s\nwant %s\n%s", n, name, got, want, templateOf(s.resources("inline", "")...))
			}
		}
		if t.Failed() && n > 1_000 {
			break
		}
	}
	t.Logf("%d cases: %v", lawCases(), seen)
}

// plain reports whether what a resource's policy gives the user, its own could give
// as well: nothing else narrows that.
func (s lawSet) plain() bool {
	if s.hung == nil || s.boundary != nil || s.hung[0].(node)["Principal"].(node)["AWS"] != lawUser {
		return false
	}
	return !slices.ContainsFunc(s.own, func(st any) bool { return st.(node)["Effect"] == "Deny" })
}

func (s lawSet) load(t *testing.T, sel sources.Selection, texts map[string]any) string {
	t.Helper()
	sel.Bucket, sel.Prefix, sel.Region, sel.Principals = "acme-uploads", "uploads/{name}/", "eu-west-1", []string{lawUser}
	if s.bucket != nil {
		texts["bucket"] = document1(s.bucket...)
		sel.Documents = append(sel.Documents, sources.Document{Kind: policy.BucketPolicy, File: "bucket"})
	}
	if s.hung != nil {
		texts["hung"] = node{"Resources": s.resources("", "")[s.hungAt()]}
		sel.Templates = append(sel.Templates, "hung")
	}
	found, err := sources.Load(t.Context(), sel, sources.Access{ReadFile: func(name string) ([]byte, error) { return json.Marshal(texts[name]) }})
	return brokenBy(t, found, err)
}

func (s lawSet) hungAt() int {
	return slices.IndexFunc(s.resources("", ""), func(r node) bool { return r["Q"] != nil })
}

func (s lawSet) documents(t *testing.T) string {
	sel := sources.Selection{Documents: []sources.Document{{Kind: policy.UserInline, File: "own"}}}
	texts := map[string]any{"own": document1(s.own...), "boundary": document1(s.boundary...)}
	if s.boundary != nil {
		sel.Documents = append(sel.Documents, sources.Document{Kind: policy.Boundary, File: "boundary"})
	}
	return s.load(t, sel, texts)
}

func (s lawSet) exported(t *testing.T, how string) string {
	const fence, own = "arn:aws:iam::111122223333:policy/fence", "arn:aws:iam::111122223333:policy/own"
	version := func(name, arn string, statements []any) node {
		return node{"PolicyName": name, "Arn": arn, "DefaultVersionId": "v1", "PolicyVersionList": []any{
			node{"VersionId": "v1", "IsDefaultVersion": true, "Document": document1(statements...)},
		}}
	}
	user := node{"Arn": lawUser, "UserName": "vm-01", "Path": "/buzon/", "GroupList": []any{}, "AttachedManagedPolicies": []any{}}
	policies, groups := []any{}, []any{}
	inline := []any{node{"PolicyName": "own", "PolicyDocument": document1(s.own...)}}
	switch how {
	case "inline":
		user["UserPolicyList"] = inline
	case "managed":
		policies = append(policies, version("own", own, s.own))
		user["AttachedManagedPolicies"] = []any{node{"PolicyName": "own", "PolicyArn": own}}
	case "group":
		groups = append(groups, node{"GroupName": "g", "Arn": "arn:aws:iam::111122223333:group/g", "GroupPolicyList": inline})
		user["GroupList"] = []any{"g"}
	}
	if s.boundary != nil {
		policies = append(policies, version("fence", fence, s.boundary))
		user["PermissionsBoundary"] = node{"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": fence}
	}
	trust := document1(node{"Effect": "Allow", "Principal": node{"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
	if s.role {
		trust = document1(trustOfUser())
	}
	roles := []any{node{"Arn": "arn:aws:iam::111122223333:role/r", "RoleName": "r", "Path": "/", "AssumeRolePolicyDocument": trust}}
	return s.load(t, sources.Selection{Exports: []string{"export"}}, map[string]any{"export": node{
		"UserDetailList": []any{user}, "GroupDetailList": groups, "RoleDetailList": roles, "Policies": policies,
	}})
}
