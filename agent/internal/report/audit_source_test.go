package report

import (
	"strings"
	"testing"

	"buzon/agent/internal/locale"
	"buzon/agent/policy"
)

func TestALineOfSourceIsShownWithItsCaret(t *testing.T) {
	long := strings.Repeat("ñ", 5000)
	for _, row := range []struct {
		name, text   string
		line, column int
		want         string
	}{
		{"the first", "{\"a\": 1}", 1, 2, "          1 │ {\"a\": 1}\n            │  ^\n"},
		{"after tabs", "x\n\t\t{", 2, 3, "          2 │ \t\t{\n            │ \t\t^\n"},
		{"with a carriage return", "{\r\n}\r\n", 2, 1, "          2 │ }\n            │ ^\n"},
		{"after wide characters", "ñ😀{", 1, 3, "          1 │ ñ😀{\n            │    ^\n"},
		{"control characters", "{\x1b[2J}", 1, 1, "          1 │ {" + locale.Clean("\x1b") + "[2J}\n            │ ^\n"},
		{"far into a long line", long + "{" + long, 1, 5001, "          1 │ " + strings.Repeat("ñ", 16) + "{" + strings.Repeat("ñ", 79) + "\n            │ " + strings.Repeat(" ", 16) + "^\n"},
		{"beyond the text", "{}", 2, 1, ""},
		{"nowhere", "{}", 0, 0, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := &auditPrinter{p: locale.Load("en"), excerpts: &excerpts{texts: map[string][]byte{"f": []byte(row.text)}, files: map[string]*sourceText{}}}
			a.quote(&policy.Source{File: "f"}, policy.Position{Line: row.line, Column: row.column}, 6)
			if got := a.b.String(); got != row.want {
				t.Errorf("got\n%q\nwant\n%q", got, row.want)
			}
			b := &auditPrinter{p: locale.Load("en"), excerpts: &excerpts{texts: map[string][]byte{"f": []byte(row.text)}, files: map[string]*sourceText{}}}
			b.quote(&policy.Source{Raw: []byte(row.text)}, policy.Position{Line: row.line, Column: row.column}, 6)
			if got := b.b.String(); got != row.want {
				t.Errorf("a live document: got\n%q\nwant\n%q", got, row.want)
			}
		})
	}
}
