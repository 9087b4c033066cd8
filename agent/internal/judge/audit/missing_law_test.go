package audit

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// noSafer holds an answer about less against the one about the whole: where the user can,
// or may, do more than write in the whole, something stands against it in the less, or
// the report says of one of the topics that it wasn't read, which is undecided with
// Strict. (That it can't write is no harm: what isn't read may always forbid it.)
func noSafer(whole, less answer, topics ...sources.Topic) bool {
	return !whole.more || !less.good() || slices.ContainsFunc(topics, func(t sources.Topic) bool { return slices.Contains(less.lacking, t) })
}

// told are the documents of a set by what would be missing without them.
var told = []struct {
	kinds []policy.Kind
	topic sources.Topic
}{
	{[]policy.Kind{policy.UserInline, policy.UserManaged, policy.RoleInline, policy.RoleManaged}, sources.TopicUserPolicies},
	{[]policy.Kind{policy.GroupInline, policy.GroupManaged}, sources.TopicGroupPolicies},
	{[]policy.Kind{policy.BucketPolicy}, sources.TopicBucketPolicy},
	{[]policy.Kind{policy.AccessPoint}, sources.TopicAccessPoint},
	{[]policy.Kind{policy.Trust}, sources.TopicRoleTrust},
	{[]policy.Kind{policy.KeyPolicy}, sources.TopicOtherResources},
	{[]policy.Kind{policy.Boundary, policy.Session, policy.SCP, policy.RCP}, ""},
}

// looseSet writes a set as loose documents: the first of a kind of which there is but one.
func looseSet(set *policy.Set) (sources.Selection, map[string]string) {
	sel := sources.Selection{
		Principals: []string{set.Subject.ARN}, PrincipalID: set.Subject.UniqueID, Bucket: judgetest.Bucket, Prefix: "p/",
		BucketAccount: set.BucketAccount, Region: "eu-west-1",
	}
	for name, value := range set.Subject.Tags {
		sel.Tags = append(sel.Tags, name+"="+value)
	}
	texts := map[string]string{}
	for i, src := range set.Sources {
		doc := sources.Document{Kind: src.Kind, Level: src.Level, File: fmt.Sprintf("%s %d", src.Kind, i)}
		switch src.Kind {
		case policy.UserManaged, policy.RoleInline, policy.RoleManaged:
			doc.Kind = policy.UserInline
		case policy.GroupManaged:
			doc.Kind = policy.GroupInline
		case policy.KeyPolicy, policy.Trust, policy.AccessPoint:
			doc.On = src.Attached
		case policy.ResourcePolicy:
			continue // no flag gives it
		default:
		}
		texts[doc.File] = string(src.Document.JSON())
		sel.Documents = append(sel.Documents, doc)
	}
	return sel, texts
}

func loadLoose(t *testing.T, sel sources.Selection, texts map[string]string) *sources.Found {
	t.Helper()
	found, err := sources.Load(t.Context(), sel, sources.Access{ReadFile: func(name string) ([]byte, error) { return []byte(texts[name]), nil }})
	if err != nil {
		t.Fatalf("%v: %v", err, texts)
	}
	return found
}

func judgeLoose(t *testing.T, sel sources.Selection, texts map[string]string) answer {
	t.Helper()
	return answerIn(Judge(t.Context(), loadLoose(t, sel, texts), Options{Now: judgetest.Now, Budget: lawBudget}))
}

// refusedByS3: a bucket's policy speaks of resources of the bucket alone.
func refusedByS3(src policy.Source) bool {
	return src.Kind == policy.BucketPolicy && slices.ContainsFunc(src.Document.Statements, func(st policy.Statement) bool {
		return slices.ContainsFunc(st.Resources, func(r policy.Text) bool { return r.Value == "*" })
	})
}

// around makes a small set around the contract: documents of the kinds of one row of
// told, and now and then one of another.
func around(c judgetest.Chooser, contract *policy.Document) (*policy.Set, int) {
	for {
		set := judgetest.Set(c)
		at := c.IntN(len(told))
		var others []policy.Source
		kept := []policy.Source{{Kind: policy.UserInline, Document: contract}}
		for _, src := range set.Sources {
			switch {
			case refusedByS3(src):
			case slices.Contains(told[at].kinds, src.Kind):
				kept = append(kept, src)
			case src.Kind != policy.ResourcePolicy: // no flag gives it
				others = append(others, src)
			}
		}
		if len(kept) == 1 || set.Subject.Type == policy.RoleSession {
			continue
		}
		if len(others) > 0 && c.IntN(3) == 0 {
			kept = append(kept, others[c.IntN(len(others))])
		}
		set.Sources = kept[:min(len(kept), 3)]
		return set, at
	}
}

// A document that isn't given counts as the worst that it may be: none of those that it
// could have been gives a worse verdict. Of a set of documents, around the contract, all
// of one kind are left out.
func TestAMissingDocumentIsTheWorstItMayBe(t *testing.T) {
	contract, err := policy.Parse("contract", []byte(document(allow("s3:PutObject", "arn:aws:s3:::"+judgetest.Bucket+"/p/*"))), policy.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n := newTally()
	for i := range lawCases() {
		set, at := around(judgetest.Seeded(uint64(i)+5_000_000), contract)
		sel, texts := looseSet(set)
		without := sel
		without.Documents = slices.DeleteFunc(slices.Clone(sel.Documents), func(d sources.Document) bool {
			return slices.ContainsFunc(told[at].kinds, func(k policy.Kind) bool { return strings.HasPrefix(d.File, string(k)+" ") })
		})
		if told[at].topic == sources.TopicUserPolicies {
			without.Documents = []sources.Document{{Kind: policy.SCP, File: "all"}}
			texts["all"] = document(everythingText)
		}
		n.cases++
		lacking := loadLoose(t, without, texts).Subjects[0].Assumptions
		if slices.ContainsFunc(lacking, func(a sources.Assumption) bool { return a.What == told[at].topic }) {
			n.seen["named as not read"]++
			continue
		}
		less := judgeLoose(t, without, texts)
		if !less.good() && !less.over {
			n.seen["not safer by itself"]++
			continue
		}
		whole := judgeLoose(t, sel, texts)
		n.seen[string(whole.verdict)]++
		if whole.over || less.over {
			n.over++
		} else if !noSafer(whole, less) {
			t.Fatalf("case %d: %v; without %v %v, and nothing says so: %v\n%v", i, whole, told[at].kinds, less, less.lacking, texts)
		}
	}
	n.done(t)
	n.least(t, "named as not read", 40)
}

const everythingText = `{"Effect": "Allow", "Action": "*", "Resource": "*"}`

// lacks are what a template that doesn't hold a resource says of it.
var lacks = map[string]sources.Topic{
	"P": sources.TopicUserPolicies, "G": sources.TopicGroupPolicies, "A": sources.TopicGroupPolicies, "BP": sources.TopicBucketPolicy,
	"Q": sources.TopicOtherResources, "R": sources.TopicRoleTrust, "F": "",
}

// The same of templates: a resource that isn't in them is named as not read, or what it
// may be counts.
func TestAMissingResourceIsTheWorstItMayBe(t *testing.T) {
	n := newTally()
	for i := range lawCases() {
		rng := rand.New(rand.NewPCG(uint64(i), 17)) //nolint:gosec // repeatable
		resources := newLawSet(rng).resources(pick(rng, "inline", "policy", "managed", "attached", "group"), "")
		at := rng.IntN(len(resources))
		id := slices.Collect(maps.Keys(resources[at]))[0]
		topic, may := lacks[id]
		if !may { // the user itself
			continue
		}
		whole := judgeTemplates(t, templateOf(resources...))
		less := judgeTemplates(t, templateOf(slices.Delete(slices.Clone(resources), at, at+1)...))
		n.cases++
		n.seen[string(whole.verdict)]++
		if whole.over || less.over {
			n.over++
		} else if !noSafer(whole, less, topic) {
			t.Fatalf("case %d: %v; without %s %v, and nothing says so: %v\n%s", i, whole, id, less, less.lacking, templateOf(resources...))
		}
	}
	n.done(t)
	n.least(t, string(Violation), 20)
}

// cuts are the ways in which an export holds a part of its account; each gives false
// where it has nothing to cut.
var cuts = map[string]func(rng *rand.Rand, export node) bool{
	// --max-items ends a list somewhere, and those that follow are empty.
	"NextToken": func(rng *rand.Rand, export node) bool {
		if len(behind(rng, export)) == 0 {
			return false
		}
		export["NextToken"] = "eyJNYXJrZXIiOiBudWxsfQ=="
		return true
	},
	// The same as the API itself answers.
	"Marker": func(rng *rand.Rand, export node) bool {
		if len(behind(rng, export)) == 0 {
			return false
		}
		export["IsTruncated"], export["Marker"] = true, "ABC"
		return true
	},
	// --filter leaves the other lists empty.
	"filter": func(rng *rand.Rand, export node) bool {
		for _, key := range exportLists[:3] {
			if rng.IntN(2) == 0 {
				export[key] = []any{}
			}
		}
		return true
	},
	// Lists that somebody cut out with jq.
	"jq": func(rng *rand.Rand, export node) bool {
		for _, key := range exportLists[:3] {
			if rng.IntN(2) == 0 {
				delete(export, key)
			}
		}
		return true
	},
	// A policy of which another version is told.
	"version": func(rng *rand.Rand, export node) bool {
		policies := export["Policies"].([]any)
		if len(policies) == 0 {
			return false
		}
		p := policies[rng.IntN(len(policies))].(node)
		p["PolicyVersionList"] = []any{node{"VersionId": "v2", "IsDefaultVersion": rng.IntN(2) == 0, "Document": document1(contractOf())}}
		return true
	},
	// A principal or group of which not all is told.
	"member": func(rng *rand.Rand, export node) bool {
		list := export[pick(rng, exportLists...)].([]any)
		if len(list) == 0 {
			return false
		}
		for _, key := range []string{"UserPolicyList", "GroupPolicyList", "AttachedManagedPolicies", "GroupList", "PolicyVersionList", "AssumeRolePolicyDocument"} {
			delete(list[rng.IntN(len(list))].(node), key)
		}
		return true
	},
}

// exportLists in the order in which they are cut; the user's own is the last.
var exportLists = []string{"Policies", "RoleDetailList", "GroupDetailList", "UserDetailList"}

// behind takes away what stands behind some point of the lists, and gives it back.
func behind(rng *rand.Rand, export node) []any {
	var gone []any
	for _, key := range exportLists[:1+rng.IntN(3)] {
		list := export[key].([]any)
		if len(list) > 0 {
			at := rng.IntN(len(list))
			gone = append(gone, list[at:]...)
			export[key] = list[:at]
		}
	}
	return gone
}

// A part of an export is never safer than the whole: what it doesn't hold is an open
// question, or named as not read.
func TestAPartOfAnExportIsNeverSafer(t *testing.T) {
	n := newTally()
	for i := range lawCases() {
		rng := rand.New(rand.NewPCG(uint64(i), 18)) //nolint:gosec // repeatable
		s := newLawSet(rng)
		s.role = rng.IntN(2) == 0
		export := s.export(pick(rng, "inline", "managed", "group"))
		whole := s.load(t, sources.Selection{Exports: []string{"export"}}, map[string]any{"export": export})
		way := pick(rng, slices.Sorted(maps.Keys(cuts))...)
		was, err := json.Marshal(export)
		if err != nil {
			t.Fatal(err)
		}
		n.cases++
		if !cuts[way](rng, export) {
			continue
		}
		n.seen[way]++
		n.seen[string(whole.verdict)]++
		less := s.load(t, sources.Selection{Exports: []string{"export"}}, map[string]any{"export": export})
		var more []sources.Topic
		for _, topic := range less.lacking {
			if !slices.Contains(whole.lacking, topic) {
				more = append(more, topic)
			}
		}
		if whole.over || less.over {
			n.over++
		} else if !noSafer(whole, less, more...) {
			t.Fatalf("case %d, %s: %v; of a part %v, and nothing says so: %v\n%s", i, way, whole, less, less.lacking, was)
		}
	}
	n.done(t)
	n.least(t, string(Violation), 20)
}
