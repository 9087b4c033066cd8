package cli

import (
	"os"
	"strings"
	"testing"

	"buzon/scripts/load/s3server"
)

// TestAnAgentThatRunsAnswersWhateverTheConfigurationOnDiskIs: it goes on with an earlier one, and the fault is told after
// its answer.
func TestAnAgentThatRunsAnswersWhateverTheConfigurationOnDiskIs(t *testing.T) {
	h := newHost(t, s3server.Options{})
	h.start("")
	h.write("out/a.txt", "a", 0o644)
	h.until("the file is sent", func() bool { _, s := h.status(); return s.Counts["settled"].Files == 1 })
	file := h.file("agent.yaml")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	state := "--state=" + h.file("state")
	for name, c := range map[string]struct {
		text  string
		flags []string
	}{
		"a key that there is not":           {string(good) + "nonsense: 1\n", nil},
		"a value that can't be":             {strings.Replace(string(good), "quiet: 50ms", "quiet: soon", 1), nil},
		"no YAML":                           {string(good) + "outboxes: [\n", nil},
		"a tab":                             {string(good) + "\tx: 1\n", nil},
		"nothing, and the folder is said":   {"", []string{state}},
		"no YAML, and the folder is said":   {"{", []string{state}},
		"no outbox, which only run refuses": {strings.Split(string(good), "outboxes:")[0], nil},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		valid := name == "no outbox, which only run refuses" || name == "nothing, and the folder is said"
		for _, args := range [][]string{{"status"}, {"status", "--format", "json"}, {"retry"}, {"receipts", "export"}} {
			code, out, errs := h.run("en", append(append(args, "--config", file), c.flags...)...)
			want := map[string]string{"status": "idle", "retry": "No file", "receipts": `"key":"` + prefix + `a.txt"`}[args[0]]
			if args[0] == "status" && len(args) == 1 {
				want = "Idle: nothing waits"
			}
			if !strings.Contains(out, want) || (code == 2) == valid || (errs == "") != valid {
				t.Errorf("%s: %v ends with %d\n%s%s", name, args, code, out, errs)
			}
		}
	}
}

// TestAFaultyConfigurationIsAllThereIsToSayWhereNothingRuns: the journal of a folder that may be another is not read.
func TestAFaultyConfigurationIsAllThereIsToSayWhereNothingRuns(t *testing.T) {
	h := newHost(t, s3server.Options{})
	h.settings("nonsense: 1\n")
	for _, args := range [][]string{{"status"}, {"retry"}, {"receipts", "export"}} {
		if code, out, errs := h.run("en", append(args, "--config", h.file("agent.yaml"))...); code != 2 || out != "" || !strings.Contains(errs, "nonsense") {
			t.Errorf("%v ends with %d\n%s%s", args, code, out, errs)
		}
	}
}
