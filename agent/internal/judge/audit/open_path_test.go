package audit

import (
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/sources"
)

// A principal whose path is open may be one of those to judge, and is judged as one.
func TestAnOpenPathIsJudged(t *testing.T) {
	const sections = `Parameters: {Path: {Type: String}, Team: {Type: String}}`
	user := func(path string) string {
		return strings.Replace(writer(`{Effect: Allow, Action: "s3:GetObject", Resource: "*"}`), "Path: /buzon/", "Path: "+path, 1)
	}
	for _, c := range []struct {
		name, path string
		parameters []string
		judged     bool
		assumed    bool
	}{
		{name: "a parameter", path: "!Ref Path", judged: true, assumed: true},
		{name: "a dynamic reference", path: `"{{resolve:ssm:/path}}"`, judged: true, assumed: true},
		{name: "below it, wherever", path: `!Sub "/buzon/${Team}/"`, judged: true, assumed: true},
		{name: "it may be below", path: `!Sub "/${Team}/"`, judged: true, assumed: true},
		{name: "surely elsewhere", path: `!Sub "/readers/${Team}/"`},
		{name: "given", path: "!Ref Path", parameters: []string{"Path=/buzon/x/"}, judged: true},
		{name: "given, and elsewhere", path: "!Ref Path", parameters: []string{"Path=/readers/"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := stackCase{sections: sections, resources: user(c.path), parameters: c.parameters}.load(t)
			if len(c.parameters) == 0 && err != nil {
				t.Fatal(err)
			}
			if judged := err == nil && len(found.Subjects) == 1; judged != c.judged {
				t.Fatalf("judged %v: %v", judged, err)
			}
			if !c.judged {
				return
			}
			report := Judge(t.Context(), found, Options{})
			if report.Verdict != Violation {
				t.Errorf("%s", report.Verdict)
			}
			if a := (Assumption{sources.TopicPath, sources.NotGiven}); slices.Contains(report.Principals[0].Assumptions, a) != c.assumed {
				t.Errorf("assumed %v", report.Principals[0].Assumptions)
			}
		})
	}
}
