package audit

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

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

// unrelated bear on nobody here: a queue, a bucket with its own guard, a stranger with all
// rights and a role of a service among them.
func unrelated() []node {
	guard := node{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": []any{node{"Fn::GetAtt": "ZB.Arn"}, node{"Fn::Sub": "${ZB.Arn}/*"}}}
	return []node{
		{"ZQ": node{"Type": "AWS::SQS::Queue"}},
		{"ZB": node{"Type": "AWS::S3::Bucket", "Properties": node{"BucketName": "quite-another"}},
			"ZG": node{"Type": "AWS::S3::BucketPolicy", "Properties": node{"Bucket": node{"Ref": "ZB"}, "PolicyDocument": document1(guard)}}},
		{"ZU": node{"Type": "AWS::IAM::User", "Properties": node{"UserName": "zz", "Path": "/z/", "Policies": []any{node{"PolicyName": "z", "PolicyDocument": document1(everything)}}}}},
		{"ZR": node{"Type": "AWS::IAM::Role", "Properties": node{"RoleName": "zr", "AssumeRolePolicyDocument": document1(node{"Effect": "Allow", "Principal": node{"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})}}},
		{"ZT": node{"Type": "AWS::SNS::TopicPolicy", "Properties": node{"Topics": []any{"t"}, "PolicyDocument": document1(node{"Effect": "Allow", "Principal": node{"Service": "events.amazonaws.com"}, "Action": "sns:Publish", "Resource": "*"})}}},
	}
}

// overTemplates spreads resources over so many templates.
func overTemplates(t *testing.T, rng *rand.Rand, resources []node, count int) answer {
	t.Helper()
	parts := make([][]node, count)
	for _, r := range resources {
		i := rng.IntN(len(parts))
		parts[i] = append(parts[i], r)
	}
	var texts []string
	for _, p := range parts {
		texts = append(texts, templateOf(p...))
	}
	return judgeTemplates(t, texts...)
}

// shuffled is the set in another order, with a statement about somebody else.
func (s lawSet) shuffled(rng *rand.Rand) lawSet {
	mixed := func(list []any) []any {
		list = slices.Clone(list)
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list
	}
	s.own, s.boundary = mixed(s.own), mixed(s.boundary)
	if s.bucket != nil {
		s.bucket = mixed(append(slices.Clone(s.bucket), node{
			"Effect": "Allow", "Principal": node{"AWS": "arn:aws:iam::111122223333:user/buzon/vm-09"}, "Action": "s3:*", "Resource": []any{lawBucket, lawBucket + "/*"},
		}))
	}
	return s
}

// ways tell the same set in other ways.
func (s lawSet) ways(t *testing.T, rng *rand.Rand) map[string]func() answer {
	all := map[string]func() answer{
		"over three templates": func() answer {
			return overTemplates(t, rng, append(s.resources(pick(rng, "policy", "managed", "group"), ""), unrelated()...), 3)
		},
		"over two templates": func() answer {
			return overTemplates(t, rng, s.resources(pick(rng, "policy", "managed", "group"), "X"), 2)
		},
		"beside others": func() answer {
			return judgeTemplates(t, templateOf(append(s.resources("inline", "X"), unrelated()...)...))
		},
		"in another order": func() answer { return judgeTemplates(t, templateOf(s.shuffled(rng).resources("inline", "")...)) },
		"elsewhere": func() answer {
			return judgeTemplates(t, templateOf(s.resources(pick(rng, "policy", "managed", "attached", "group"), "")...))
		},
		"an export": func() answer { return s.exported(t, pick(rng, "inline", "managed", "group")) },
		"a plan":    func() answer { return s.planned(t, pick(rng, "inline", "managed", "group")) },
	}
	if !s.role { // trust policies of others are given in other ways
		all["documents"] = func() answer { return s.documents(t) }
	}
	if s.plain() {
		all["its own policy"] = func() answer {
			moved := s
			st := maps.Clone(s.hung[0].(node))
			delete(st, "Principal")
			moved.own, moved.hung = append(slices.Clone(s.own), st), nil
			return judgeTemplates(t, templateOf(moved.resources("inline", "")...))
		}
	}
	return all
}

// Where something stands doesn't matter: inline, managed or of a group; in one
// template, in several, in documents, in a plan or in an export; under which name, in
// which order, beside what. (Deployed ones: everywhere_test.go.)
func TestWhereItStandsDoesNotMatter(t *testing.T) {
	n := newTally()
	for i := range lawCases() {
		rng := rand.New(rand.NewPCG(uint64(i), 15)) //nolint:gosec // repeatable
		s := newLawSet(rng)
		want := judgeTemplates(t, templateOf(s.resources("inline", "")...))
		n.cases++
		n.seen[string(want.verdict)]++
		ways := s.ways(t, rng)
		over := want.over
		for _, name := range slices.Sorted(maps.Keys(ways)) {
			got := ways[name]()
			if over = over || got.over; !over && got.String() != want.String() {
				t.Fatalf("case %d, %s:\ngot  %s\nwant %s\n%s", i, name, got, want, templateOf(s.resources("inline", "")...))
			}
		}
		if over {
			n.over++
		}
	}
	n.done(t)
	n.least(t, string(WriteOnly), 10)
	n.least(t, string(Violation), 10)
}

// plain reports whether what a resource's policy gives the user, its own could give
// as well: nothing else narrows that.
func (s lawSet) plain() bool {
	if s.hung == nil || s.boundary != nil || s.hung[0].(node)["Principal"].(node)["AWS"] != lawUser {
		return false
	}
	return !slices.ContainsFunc(s.own, func(st any) bool { return st.(node)["Effect"] == "Deny" })
}

// load judges a set of which a part is told otherwise; what a document can't hold is
// given as a template.
func (s lawSet) load(t *testing.T, sel sources.Selection, texts map[string]any) answer {
	t.Helper()
	held := lawSelection()
	sel.Bucket, sel.Prefix, sel.Region, sel.Principals = held.Bucket, held.Prefix, held.Region, held.Principals
	if s.bucket != nil {
		texts["bucket"] = document1(s.bucket...)
		sel.Documents = append(sel.Documents, sources.Document{Kind: policy.BucketPolicy, File: "bucket"})
	}
	if s.hung != nil {
		texts["hung"] = node{"Resources": s.resources("", "")[s.hungAt()]}
		sel.Templates = append(sel.Templates, "hung")
	}
	found, err := sources.Load(t.Context(), sel, sources.Access{ReadFile: func(name string) ([]byte, error) { return json.Marshal(texts[name]) }})
	return answerOf(t, found, err)
}

func (s lawSet) hungAt() int {
	return slices.IndexFunc(s.resources("", ""), func(r node) bool { return r["Q"] != nil })
}

func (s lawSet) documents(t *testing.T) answer {
	sel := sources.Selection{Documents: []sources.Document{{Kind: policy.UserInline, File: "own"}}}
	texts := map[string]any{"own": document1(s.own...), "boundary": document1(s.boundary...)}
	if s.boundary != nil {
		sel.Documents = append(sel.Documents, sources.Document{Kind: policy.Boundary, File: "boundary"})
	}
	return s.load(t, sel, texts)
}

func (s lawSet) exported(t *testing.T, how string) answer {
	return s.load(t, sources.Selection{Exports: []string{"export"}}, map[string]any{"export": s.export(how)})
}

// export is the set as the account's authorization details tell it.
func (s lawSet) export(how string) node {
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
	ec2 := document1(node{"Effect": "Allow", "Principal": node{"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
	roles := []any{
		node{"Arn": account + "role/machines", "RoleName": "machines", "Path": "/", "AssumeRolePolicyDocument": ec2},
		node{"Arn": account + "role/r", "RoleName": "r", "Path": "/", "AssumeRolePolicyDocument": ec2},
	}
	if s.role {
		roles[1].(node)["AssumeRolePolicyDocument"] = document1(trustOfUser())
	}
	return node{"UserDetailList": []any{user}, "GroupDetailList": groups, "RoleDetailList": roles, "Policies": policies}
}

// planned is the set as a plan of Terraform tells it.
func (s lawSet) planned(t *testing.T, how string) answer {
	text := func(statements []any) string {
		raw, err := json.Marshal(document1(statements...))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	managed := func(name string, statements []any) thing {
		return thing{address: "aws_iam_policy." + name, values: object{"name": name, "path": "/", "policy": text(statements), "arn": account + "policy/" + name}}
	}
	user := object{"name": "vm-01", "path": "/buzon/", "arn": lawUser}
	var things []thing
	switch how {
	case "inline":
		things = append(things, thing{address: "aws_iam_user_policy.own", values: object{"user": "vm-01", "name": "own", "policy": text(s.own)}})
	case "managed":
		things = append(things, managed("own", s.own), thing{address: "aws_iam_user_policy_attachment.own", values: object{"user": "vm-01", "policy_arn": account + "policy/own"}})
	case "group":
		things = append(things, thing{address: "aws_iam_group.g", values: object{"name": "g", "path": "/", "arn": account + "group/g"}},
			thing{address: "aws_iam_group_policy.own", values: object{"group": "g", "name": "own", "policy": text(s.own)}},
			thing{address: "aws_iam_group_membership.g", values: object{"name": "m", "group": "g", "users": []string{"vm-01"}}})
	}
	if s.boundary != nil {
		user["permissions_boundary"] = account + "policy/fence"
		things = append(things, managed("fence", s.boundary))
	}
	if s.bucket != nil {
		things = append(things, thing{address: "aws_s3_bucket_policy.b", values: object{"bucket": "acme-uploads", "policy": text(s.bucket)}})
	}
	if s.hung != nil {
		things = append(things, thing{address: "aws_sqs_queue_policy.q", values: object{"queue_url": "q", "policy": text(s.hung)}})
	}
	if s.role {
		things = append(things, thing{address: "aws_iam_role.r", values: object{
			"name": "r", "path": "/", "arn": account + "role/r", "assume_role_policy": text([]any{trustOfUser()}),
		}})
	}
	things = append(things, thing{address: "aws_iam_user.u", values: user})
	sel := lawSelection()
	sel.Plans = []string{"plan.json"}
	found, err := sources.Load(t.Context(), sel, sources.Access{ReadFile: func(string) ([]byte, error) { return []byte(planOf(t, things...)), nil }})
	return answerOf(t, found, err)
}
