package sources

import (
	"errors"
	"strings"
	"testing"

	"buzon/agent/policy"
)

// hold checks what any text may come to: faults that have their places, a wrong
// selection, or subjects that are whole.
func hold(t *testing.T, text string, found *Found, err error) {
	t.Helper()
	var faults policy.Errors
	var usage *UsageError
	switch {
	case err == nil:
		for i := range found.Subjects {
			s := &found.Subjects[i]
			if s.Set.Bucket == "" || !strings.HasSuffix(s.Prefix, "/") {
				t.Errorf("a subject that is held to nothing: %+v", s)
			}
			for _, src := range s.Set.Sources {
				if src.Document == nil || src.SHA256 == "" {
					t.Errorf("a source without a document: %+v", src)
				}
			}
		}
	case errors.As(err, &faults):
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1 // to YAML each ends a line
		for _, e := range faults {
			if e.Pos.Line < 1 || e.Pos.Column < 1 || e.Pos.Line > lines || e.File != "f" {
				t.Errorf("a fault beyond the file: %v", e)
			}
		}
	case errors.As(err, &usage):
	default:
		t.Errorf("unexpected: %v", err)
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add(stack)
	f.Add(yamlStack)
	f.Add(around(`{"Fn::Sub": ["${a}${Box.Arn}${!x}", {"a": {"Fn::Select": ["0", {"Fn::Split": [",", "a,b"]}]}}]}`))
	f.Add("Resources: {U: {Type: AWS::IAM::User, Properties: {Policies: !If [a, *b, !Ref c]}}}")
	f.Fuzz(func(t *testing.T, text string) {
		sel := Selection{Templates: []string{"f"}, Bucket: "b", Prefix: "p/", Path: "/"}
		found, err := Load(t.Context(), sel, files{"f": text}.access())
		hold(t, text, found, err)
	})
}

func FuzzExport(f *testing.F) {
	f.Add(details)
	f.Add(inBraces(`"RoleDetailList": [{"Arn": "arn:aws:iam::1:role/r", "AssumeRolePolicyDocument": "%7B%22Statement%22%3A%7B%7D%7D"}]`))
	f.Fuzz(func(t *testing.T, text string) {
		sel := Selection{Exports: []string{"f"}, Bucket: "b", Prefix: "p/", Path: "/"}
		found, err := Load(t.Context(), sel, files{"f": text}.access())
		hold(t, text, found, err)
	})
}
