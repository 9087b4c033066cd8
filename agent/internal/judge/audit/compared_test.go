package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// TestThePoliciesThatAreComparedGetTheRightVerdict judges the policies of
// docs/en/auditor-compared.md, of which tricky.tsv says what is right.
func TestThePoliciesThatAreComparedGetTheRightVerdict(t *testing.T) {
	const folder = "../../../../scripts/tools/compare-auditors/policies"
	list, err := os.ReadFile(filepath.Join(folder, "tricky.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	judged := 0
	for line := range strings.Lines(string(list)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(cells) != 4 {
			t.Fatalf("%q has %d cells", line, len(cells))
		}
		judged++
		file, want := cells[0], cells[1]
		got := "malformed"
		found, err := sources.Load(t.Context(), sources.Selection{
			Bucket: "acme-uploads", Prefix: "uploads/vm-01/", Principals: []string{"arn:aws:iam::" + accountID + ":user/buzon/vm-01"},
			Documents: []sources.Document{{Kind: policy.UserInline, File: file}},
		}, sources.Access{ReadFile: func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(folder, name)) }})
		if faults := policy.Errors(nil); err != nil && !errors.As(err, &faults) {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if err == nil {
			got = string(audit.Judge(t.Context(), found, audit.Options{Now: now}).Verdict)
		}
		if got != want {
			t.Errorf("%s: %s, want %s: %s", file, got, want, cells[2])
		}
	}
	if judged != 60 {
		t.Errorf("%d policies", judged)
	}
}
