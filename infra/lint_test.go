package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// written writes the templates of every variant, and gives the files.
func written(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	var files []string
	for variant := range variants {
		for i, document := range synth(t, variant).documents {
			text, err := json.MarshalIndent(document, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, fmt.Sprintf("%s-%d.template.json", strings.ReplaceAll(variant, " ", "-"), i+1))
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	return files
}

// linter is a program that scripts/test installs, pinned, and names.
func linter(t *testing.T, variable string) string {
	t.Helper()
	program := os.Getenv(variable)
	if program == "" {
		t.Skipf("SKIPPED: %s names no linter; scripts/test installs it", variable)
	}
	return program
}

// cfn-lint knows what each property may be, of names and patterns too, and what
// CloudFormation would refuse only when it deploys.
func TestTheTemplatesPassCfnLint(t *testing.T) {
	program := linter(t, "BUZON_CFN_LINT")
	out, err := exec.CommandContext(t.Context(), program, append([]string{"--"}, written(t)...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// checkov's findings are mended, or controls.md says why not.
func TestTheTemplatesPassCheckovOrSayWhy(t *testing.T) {
	program := linter(t, "BUZON_CHECKOV")
	explained, err := os.ReadFile("../docs/en/controls.md")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--framework", "cloudformation", "--quiet", "--compact", "--output", "json", "--soft-fail"}
	for _, file := range written(t) {
		args = append(args, "--file", file)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	var report struct {
		Results struct {
			Failed []struct {
				ID       string `json:"check_id"`
				Name     string `json:"check_name"`
				Resource string
			} `json:"failed_checks"`
		}
		Summary struct{ Passed int }
	}
	if err := json.Unmarshal(out, &report); err != nil || report.Summary.Passed == 0 {
		t.Fatalf("%v\n%.2000s", err, out)
	}
	told := map[string]bool{}
	for _, f := range report.Results.Failed {
		if !told[f.ID] && !bytes.Contains(explained, []byte(f.ID)) {
			t.Errorf("%s (%s) on %s is neither mended nor in controls.md", f.ID, f.Name, f.Resource)
		}
		told[f.ID] = true
	}
}
