package audit

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// repository is the way to the repository's own files.
var repository = filepath.Join("..", "..", "..", "..")

func globbed(t *testing.T, parts ...string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(append([]string{repository}, parts...)...))
	if err != nil || len(files) == 0 {
		t.Fatalf("no %v: %v", parts, err)
	}
	return files
}

// fixtureDocuments are the policies of identities that the repository's tests and tools
// bring along, by their files.
func fixtureDocuments(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	add := func(name string, text []byte) {
		if _, err := policy.Parse(name, text, policy.ParseOptions{}); err == nil {
			out[name] = string(text)
		}
	}
	for _, file := range globbed(t, "scripts", "tools", "compare-auditors", "policies", "*.json") {
		text, err := os.ReadFile(file) //nolint:gosec // a file of the repository
		if err != nil {
			t.Fatal(err)
		}
		add(filepath.Base(file), text)
	}
	for _, file := range globbed(t, "agent", "testdata", "script", "audit_*.txtar") {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			add(filepath.Base(file)+" "+f.Name, f.Data)
		}
	}
	return out
}

// judgeDocuments judges the user by documents; each is a kind and its text.
func judgeDocuments(t *testing.T, docs ...doc) (*Report, answer) {
	t.Helper()
	sel := lawSelection()
	texts := map[string]string{}
	for i, d := range docs {
		name := string(d.kind) + string(rune('0'+i))
		texts[name] = d.text
		of := sources.Document{Kind: d.kind, File: name}
		if d.kind == policy.Trust {
			of.On = judgetest.Role
		}
		sel.Documents = append(sel.Documents, of)
	}
	found, err := sources.Load(t.Context(), sel, sources.Access{ReadFile: func(name string) ([]byte, error) { return []byte(texts[name]), nil }})
	if err != nil {
		t.Fatalf("%v: %v", err, docs)
	}
	report := Judge(t.Context(), found, Options{Now: now, Budget: lawBudget})
	return report, answerIn(report)
}

// errorsOf are the broken rules with their actions that a further Allow can't mend.
func errorsOf(report *Report) []string {
	var out []string
	for _, f := range report.Principals[0].Findings {
		if f.Severity == Error && f.Rule != RuleCannotWrite {
			for _, a := range f.Actions {
				out = append(out, string(f.Rule)+" "+a)
			}
		}
	}
	return out
}

// furtherAllows are Allows besides, in each kind of document.
var furtherAllows = []doc{
	{policy.UserInline, document(allow("s3:GetObject", lawBucket+"/uploads/*"))},
	{policy.GroupInline, document(allow("s3:*", "*"))},
	{policy.BucketPolicy, document(`{"Effect": "Allow", "Principal": {"AWS": "` + lawUser + `"}, "Action": "s3:*", "Resource": ["` + lawBucket + `", "` + lawBucket + `/*"]}`)},
	{policy.Trust, document(`{"Effect": "Allow", "Principal": {"AWS": "` + lawUser + `"}, "Action": "sts:AssumeRole"}`)},
}

// The laws hold of every policy that the repository holds: where it stands doesn't
// matter, a further Allow takes no finding away, and what is shown as allowed is.
func TestTheLawsHoldOfEveryFixture(t *testing.T) {
	n := newTally()
	documents := fixtureDocuments(t)
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		text := documents[name]
		report, base := judgeDocuments(t, doc{policy.UserInline, text})
		n.cases++
		n.seen[string(base.verdict)]++
		if base.over {
			n.over++
			continue
		}
		witnessed(t, name, &report.Principals[0])
		empty := doc{policy.UserInline, document(deny("sqs:SendMessage", "arn:aws:sqs:*:*:nobody"))}
		if _, got := judgeDocuments(t, empty, doc{policy.GroupInline, text}); got.String() != base.String() {
			t.Errorf("%s: %v as a group's policy, %v as an inline one", name, got, base)
		}
		for _, more := range furtherAllows {
			after, a := judgeDocuments(t, doc{policy.UserInline, text}, more)
			had := errorsOf(after)
			for _, e := range errorsOf(report) {
				service, _, _ := strings.Cut(e, ":")
				rule, _, _ := strings.Cut(e, " ")
				if !a.over && !slices.Contains(had, e) && !slices.Contains(had, service+":*") && !slices.Contains(had, rule+" *") {
					t.Errorf("%s: %s is gone with a further %s: %s", name, e, more.kind, more.text)
				}
			}
			if !a.over && base.more && !a.more {
				t.Errorf("%s: %v, and %v with a further %s: %s", name, base, a, more.kind, more.text)
			}
		}
	}
	n.done(t)
	n.least(t, string(Violation), 30)
}

// witnessed holds the witnesses of errors against decide.
func witnessed(t *testing.T, name string, p *Principal) {
	t.Helper()
	for _, f := range p.Findings {
		if f.Severity != Error || f.Witness == nil {
			continue
		}
		got := decide.Decide(&p.Subject().Set, decide.Request{Action: f.Witness.Action, Resource: f.Witness.Resource, Context: lowered(f.Witness.Context)})
		if got.Outcome != decide.Allowed {
			t.Errorf("%s: %s shows %+v, which is %v", name, f.Rule, f.Witness, got.Outcome)
		}
	}
}

// place is a text in a template that may be unknown.
type place struct {
	path string
	set  func(any)
}

// placesIn are the texts of resources at which CloudFormation takes a function.
func placesIn(v any, path string, set func(any), add func(place)) {
	switch v := v.(type) {
	case string:
		add(place{path, set})
	case []any:
		for i := range v {
			placesIn(v[i], path+"[]", func(x any) { v[i] = x }, add)
		}
	case node:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if strings.HasPrefix(key, "Fn::") || key == "Ref" || key == "Version" {
				add(place{path, set})
				return
			}
			placesIn(v[key], path+"."+key, func(x any) { v[key] = x }, add)
		}
	}
}

// givenMore gives a template's first uploader something more, without the boundary and
// the Denies that would stop it, and tells its path.
func givenMore(t *testing.T, root node) string {
	t.Helper()
	resources := root["Resources"].(node)
	for _, id := range slices.Sorted(maps.Keys(resources)) {
		kind, holders := resources[id].(node)["Type"], ""
		properties, _ := resources[id].(node)["Properties"].(node)
		switch {
		case kind == "AWS::IAM::User":
			holders = "Users"
		case kind == "AWS::IAM::Role":
			holders = "Roles"
		}
		if holders == "" || !strings.HasPrefix(id, "Uploaders") {
			continue
		}
		delete(properties, "PermissionsBoundary")
		delete(properties, "Policies")
		resources["ZZ"] = node{"Type": "AWS::IAM::Policy", "Properties": node{
			"PolicyName": "zz", holders: []any{node{"Ref": id}}, "PolicyDocument": document1(node{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}),
		}}
		return properties["Path"].(string)
	}
	t.Fatal("no uploader")
	return ""
}

// The stack's own templates, with one uploader that can do more: whatever else of them
// isn't known, that isn't lost.
func TestAnUnknownValueOfTheStackIsNeverSafer(t *testing.T) {
	n := newTally()
	each := max(1, lawCases()/25)
	for _, file := range globbed(t, "agent", "testdata", "stack", "*.template.json") {
		raw, err := os.ReadFile(file) //nolint:gosec // a file of the repository
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(uint64(len(raw)), 20)) //nolint:gosec // repeatable
		for i := range each + 1 {
			var root node
			if err := json.Unmarshal(raw, &root); err != nil {
				t.Fatal(err)
			}
			path := givenMore(t, root)
			hidden := "nothing"
			if i > 0 {
				hidden = hideOne(rng, root)
			}
			text := encoded(root)
			found, err := sources.Load(t.Context(), sources.Selection{Path: path, Templates: []string{"t"}}, sources.Access{ReadFile: func(string) ([]byte, error) { return text, nil }})
			a := answerOf(t, found, err)
			n.cases++
			n.seen[string(a.verdict)]++
			if a.over {
				n.over++
			} else if a.good() || i == 0 && a.verdict != Violation {
				t.Fatalf("%s: %v with %s unknown", filepath.Base(file), a, hidden)
			}
		}
	}
	n.done(t)
	n.least(t, string(Violation), 50)
}

// hideOne makes one text of a template's resources unknown.
func hideOne(rng *rand.Rand, root node) string {
	var all []place
	for id, r := range root["Resources"].(node) {
		placesIn(r.(node)["Properties"], id, func(any) {}, func(p place) { all = append(all, p) })
	}
	slices.SortStableFunc(all, func(a, b place) int { return strings.Compare(a.path, b.path) })
	at := all[rng.IntN(len(all))]
	switch rng.IntN(3) {
	case 0:
		at.set("{{resolve:ssm:/hidden}}")
	case 1:
		root["Parameters"] = with1(root["Parameters"], "Hidden", node{"Type": "String"})
		at.set(node{"Ref": "Hidden"})
	default:
		at.set(node{"Fn::Transform": node{"Name": "Hidden"}})
	}
	return at.path
}
