package cli

import (
	"os"
	"strings"
	"testing"

	"buzon/agent/internal/send/courier"
)

// Whoever reads a name in `agent status` finds its heading in the runbook, in both
// languages and in the same order.
func TestTheRunbookHasAHeadingForEachName(t *testing.T) {
	var want []string
	for _, k := range courier.ProblemKinds {
		want = append(want, string(k))
	}
	for _, r := range courier.Reasons {
		want = append(want, string(r))
	}
	for _, lang := range []string{"en", "es"} {
		text, err := os.ReadFile("../../../docs/" + lang + "/runbook.md")
		if err != nil {
			t.Fatal(err)
		}
		var have []string
		for line := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), "### "); ok {
				have = append(have, name)
			}
		}
		if strings.Join(have, " ") != strings.Join(want, " ") {
			t.Errorf("%s has the headings\n%q\nwant\n%q", lang, have, want)
		}
	}
}
