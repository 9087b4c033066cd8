package audit

import (
	"os"
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/internal/judge/reach"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// inContract reports whether a request is one that every uploader may make.
func inContract(r judgetest.Asked) bool {
	key, ok := strings.CutPrefix(r.Resource, "arn:aws:s3:::"+judgetest.Bucket+"/")
	if !ok && strings.HasPrefix(r.Bucket, "arn:aws:s3:::"+judgetest.Bucket) {
		key, ok = strings.CutPrefix(r.Resource, judgetest.Point+"/object/")
	}
	return ok && r.Action == "s3:PutObject" && strings.HasPrefix(key, "p/")
}

// TestWriteOnlyIsNeverSaidOfMore judges random documents around the contract,
// and asks the concrete evaluator for requests beyond it: where one is allowed,
// the verdict is not write-only.
func TestWriteOnlyIsNeverSaidOfMore(t *testing.T) {
	sets := 60
	switch {
	case os.Getenv("BUZON_TEST") == "long":
		sets = 2_000
	case testing.Short():
		sets = 20
	}
	fence, err := policy.Parse("fence", []byte(document(
		`{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::`+judgetest.Bucket+`/p/*"}`)), policy.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	verdicts := map[Verdict]int{}
	asked, beyond := 0, 0
	// What takes longer is undecided, and proves nothing here.
	budget := reach.Budget{States: 2_000, Boxes: 300}
	found := &sources.Found{}
	choosers := make([]judgetest.Chooser, sets)
	for seed := range choosers {
		c := judgetest.Seeded(uint64(seed) + 1_000_000)
		set := judgetest.Set(c)
		kind := policy.UserInline
		if set.Subject.Type != policy.User {
			kind = policy.RoleInline
		}
		set.Sources = append(set.Sources, policy.Source{Kind: kind, Name: "contract", SHA256: "x", Document: fence})
		if c.IntN(2) == 0 {
			set.Sources = slices.DeleteFunc(set.Sources, func(s policy.Source) bool { return s.Kind == policy.Boundary })
			set.Sources = append(set.Sources, policy.Source{Kind: policy.Boundary, Name: "fence", SHA256: "x", Document: fence})
		}
		found.Subjects = append(found.Subjects, sources.Subject{Set: *set, Prefix: "p/"})
		choosers[seed] = c
	}
	report := Judge(t.Context(), found, Options{Now: judgetest.Now, Budget: budget})
	for seed, c := range choosers {
		p := &report.Principals[seed]
		set := &p.Subject().Set
		replay(t, p)
		verdicts[p.Verdict]++
		if p.Verdict != WriteOnly {
			continue
		}
		oracle := decide.New(set)
		engine := reach.New(set, reach.Options{Now: judgetest.Now})
		for range 50 {
			r := judgetest.Request(c, set)
			asked++
			if inContract(r) {
				continue
			}
			beyond++
			got := oracle.Decide(decide.Request(r))
			if got.Outcome != decide.Allowed && got.Outcome != decide.Unclear {
				continue
			}
			_, possible := engine.Contains(reach.Witness{Action: r.Action, Resource: r.Resource, Bucket: r.Bucket, Context: r.Context})
			if possible {
				t.Errorf("seed %d: write-only, but %+v is answered: %v", seed, r, got.Outcome)
			}
		}
	}
	if verdicts[WriteOnly] == 0 || verdicts[Violation] == 0 || beyond == 0 {
		t.Errorf("too easy: %v", verdicts)
	}
	t.Logf("%d principals %v; %d requests, %d beyond the contract", sets, verdicts, asked, beyond)
}
