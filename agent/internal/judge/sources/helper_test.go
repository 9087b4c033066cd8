package sources

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"buzon/agent/policy"
)

// files is a folder in memory.
type files map[string]string

func (f files) access() Access {
	return Access{ReadFile: func(name string) ([]byte, error) {
		text, ok := f[name]
		if !ok {
			return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
		}
		return []byte(text), nil
	}}
}

func (f files) load(t *testing.T, sel Selection) *Found {
	t.Helper()
	found, err := Load(t.Context(), sel, f.access())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// one loads what must hold one subject.
func (f files) one(t *testing.T, sel Selection) *Subject {
	t.Helper()
	found := f.load(t, sel)
	if len(found.Subjects) != 1 {
		t.Fatalf("%d subjects, want one", len(found.Subjects))
	}
	return &found.Subjects[0]
}

// faults loads what must be malformed, and gives "file:line:column code" of each
// fault.
func (f files) faults(t *testing.T, sel Selection) string {
	t.Helper()
	found, err := Load(t.Context(), sel, f.access())
	var faults policy.Errors
	if !errors.As(err, &faults) || found != nil {
		t.Fatalf("got %v, %v; want faults", found, err)
	}
	var out []string
	for _, e := range faults {
		out = append(out, fmt.Sprintf("%s:%d:%d %s", e.File, e.Pos.Line, e.Pos.Column, e.Code))
	}
	return strings.Join(out, "\n")
}

// documents lists a subject's sources as "kind name level", with symbols by
// name.
func documents(s *Subject) string {
	var out []string
	for _, src := range s.Set.Sources {
		out = append(out, strings.TrimSpace(string(src.Kind)+" "+s.Show(src.Name)+" "+src.Level))
	}
	return strings.Join(out, ", ")
}

func topics(s *Subject) string {
	var out []string
	for _, a := range s.Assumptions {
		out = append(out, string(a.What))
	}
	return strings.Join(out, " ")
}

func gaps(s *Subject) string {
	var out []string
	for _, g := range s.Gaps {
		text := string(g.Reason) + " " + s.Show(g.What)
		if g.Permission != "" {
			text += " needs " + g.Permission
		}
		if g.Pos.Line > 0 {
			text += fmt.Sprintf(" at %s:%d:%d", g.File, g.Pos.Line, g.Pos.Column)
		}
		out = append(out, text)
	}
	return strings.Join(out, "\n")
}

const (
	writes = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/p/*"}}`
	denies = `{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}}`
)

// target is what most selections here are held to.
func target(sel Selection) Selection {
	sel.Bucket, sel.Prefix = "b", "p/"
	return sel
}
