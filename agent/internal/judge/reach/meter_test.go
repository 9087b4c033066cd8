package reach

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// wide is a statement of many patterns, each of which crosses with all others.
func wide(effect string, actions, resources int) string {
	var as, rs []string
	for i := range actions {
		as = append(as, fmt.Sprintf(`"s3:*%d*"`, i))
	}
	for i := range resources {
		rs = append(rs, fmt.Sprintf(`"arn:aws:s3:::*%d*/*%d*"`, i, i))
	}
	return `{"Effect": "` + effect + `", "Action": [` + strings.Join(as, ", ") + `], "Resource": [` + strings.Join(rs, ", ") + `]}`
}

// TestEveryQuestionEnds: whatever the documents hold, the work is bounded, and what
// it didn't reach is Unknown. No clock is asked.
func TestEveryQuestionEnds(t *testing.T) {
	for name, docs := range map[string][]doc{
		"one wide statement": {{"user-inline", wide("Allow", 2000, 300)}},
		"wide Denies":        {{"user-inline", allowAll + "," + wide("Deny", 300, 200)}},
		"crossing layers":    {{"user-inline", wide("Allow", 50, 100)}, {"boundary", wide("Allow", 50, 90)}, inBucket(strings.Replace(wide("Deny", 20, 60), `{`, `{"Principal": "*", `, 1))},
	} {
		t.Run(name, func(t *testing.T) {
			meter := NewMeter(t.Context(), 300_000)
			set := makeSet(t, theUser(), docs...)
			e := New(set, Options{Now: engine(set).now, Meter: meter})
			for range 3 {
				a := e.Find(Question{Resources: Except("arn:aws:s3:::slot/uploads/vm-01/*")})
				if a.Kind == Unknown && len(a.Doubts) == 0 {
					t.Error("unknown without a reason")
				}
				e.Covers(prefix, AgentCalls())
				e.Granting(Question{})
				if len(e.Grants()) > mostGrants {
					t.Error("grants without an end")
				}
			}
			if meter.left > 0 && meter.over != "" || meter.left < -100_000 {
				t.Errorf("%d left, over: %q", meter.left, meter.over)
			}
			// What has run out begins nothing.
			if meter.Over() != "" {
				if a := e.Find(on("s3:PutObject", prefix)); a.Kind != Unknown || a.Doubts[0].Reason != OverBudget {
					t.Errorf("over, and yet %+v", a)
				}
			}
		})
	}
}

// TestTimeIsTheLastResort: where the context ends, so does the work, by its own
// name; the same engine stays usable for nothing.
func TestTimeIsTheLastResort(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	set := makeSet(t, theUser(), doc{"user-inline", wide("Allow", 20, 100)})
	e := New(set, Options{Now: engine(set).now, Meter: NewMeter(ctx, 0)})
	if a := e.Find(on("s3:PutObject", prefix)); a.Kind != Nothing {
		t.Fatalf("%+v", a)
	}
	end()
	for range 2 {
		a := e.Find(Question{Resources: Except(prefix)})
		if a.Kind != Unknown || a.Doubts[0].Reason != OverTime {
			t.Errorf("%+v", a)
		}
	}
	if c := e.Covers(prefix, AgentCalls()); c.Kind != Open || c.Doubts[0].Reason != OverTime {
		t.Errorf("%+v", c)
	}
}
