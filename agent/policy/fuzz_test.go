package policy

import (
	"bytes"
	"errors"
	"testing"
)

// grammars are all that a text can be read as.
var grammars = []Grammar{Identity, Resource, TrustGrammar, SCPGrammar, RCPGrammar}

// FuzzParse reads any text by every grammar: it must not panic, every fault has
// a place in the text, and what is accepted prints as a document that is
// accepted again and prints alike.
func FuzzParse(f *testing.F) {
	for _, row := range faults {
		f.Add([]byte(row.text))
	}
	f.Add(WriteOnly("arn:aws:s3:::b/${aws:username}/*").JSON())
	f.Add([]byte(when(`{"ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["a*", "${aws:username, 'x'}"]}, "Null": {"aws:x": true}}`)))
	f.Add([]byte(bucket(`"NotPrincipal": {"AWS": ["111122223333", "arn:aws:iam::111122223333:user/a"], "Service": "s3.amazonaws.com"}`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := bytes.Count(text, []byte("\n")) + 1
		for _, g := range grammars {
			doc, err := Parse("f", text, ParseOptions{Grammar: g})
			if err == nil {
				printed := doc.JSON()
				again, err := Parse("printed", printed, ParseOptions{Grammar: g})
				if err != nil {
					t.Fatalf("%v\nof what was printed for %q:\n%s", err, text, printed)
				}
				if !bytes.Equal(again.JSON(), printed) {
					t.Fatalf("printed again, it is another:\n%s\n%s", printed, again.JSON())
				}
			} else {
				checkFaults(t, err, lines)
			}
			// What AWS accepted is read with its faults marked.
			lenient, err := Parse("f", text, ParseOptions{Grammar: g, Lenient: true})
			if err != nil {
				checkFaults(t, err, lines)
				continue
			}
			if doc != nil && len(lenient.Statements) != len(doc.Statements) {
				t.Fatalf("read leniently it has %d statements, else %d", len(lenient.Statements), len(doc.Statements))
			}
			for _, st := range lenient.Statements {
				if doc != nil && st.Unclear != nil {
					t.Fatalf("unclear, though the grammar has it: %v", st.Unclear)
				}
			}
		}
	})
}

func checkFaults(t *testing.T, err error, lines int) {
	t.Helper()
	var errs Errors
	if !errors.As(err, &errs) || len(errs) == 0 {
		t.Fatalf("not Errors: %v", err)
	}
	for _, e := range errs {
		if e.Pos.Line < 1 || e.Pos.Line > lines || e.Pos.Column < 1 {
			t.Fatalf("a fault outside the text: %v", e)
		}
	}
}

func FuzzPieces(f *testing.F) {
	for _, s := range []string{"", "*", "a${aws:username}b?", "${*}${?}${$}", "${aws:x, 'y'}", "${", "$"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, variables := range []bool{false, true} {
			pieces, ok := Pieces(text, variables)
			if !ok && (pieces != nil || !variables) {
				t.Fatalf("%q: %v", text, pieces)
			}
			for i, p := range pieces {
				if p.Kind == Literal && (p.Text == "" || i > 0 && pieces[i-1].Kind == Literal) {
					t.Fatalf("%q: an empty or divided literal in %+v", text, pieces)
				}
			}
		}
		if parts := Segments(text); len(parts) < 1 || len(parts) > 6 {
			t.Fatalf("%q: %d segments", text, len(parts))
		}
		if c := CompleteARN(text); CompleteARN(c) != c {
			t.Fatalf("%q: completed twice it is another", text)
		}
	})
}
