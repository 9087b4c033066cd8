package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"buzon/scripts/aws/localaws"
)

var (
	named = regexp.MustCompile(`(?m)^Everything lives in (\S+)\.$`)
	// ends is what a page says of how its block ends.
	ends = regexp.MustCompile(`ends with ([1-4])\b`)
)

// TestTheStartPageIsTrue runs every block of docs/en/start.md as it stands: the first plays the tour and names a
// folder, the others work in it.
func TestTheStartPageIsTrue(t *testing.T) {
	w := bare(t)
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("SKIPPED, " + errNoNPM.Error())
	}
	text, err := os.ReadFile(filepath.Join(w.root, "docs", "en", "start.md"))
	if err != nil {
		t.Fatal(err)
	}
	folder, ran := "", 0
	shell := func(block string, want int) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", block)
		cmd.Dir = w.root
		cmd.Env = append(localaws.CommandEnv(nil), "LC_ALL=C.UTF-8", "COLUMNS=100", "XDG_CONFIG_HOME="+t.TempDir(), "CONFIGURATION_DIRECTORY="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if m := named.FindStringSubmatch(string(out)); m != nil && folder == "" {
			folder = m[1] // also of a tour that fails, so that it is cleaned up
		}
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Fatalf("%s\nends with %d, want %d: %v\n%s", block, code, want, err, out)
		}
		return string(out)
	}
	t.Cleanup(func() {
		if folder == "" {
			return
		}
		if _, err := os.Stat(folder); err == nil { // a block failed before the page's own end
			_ = exec.Command(filepath.Join(w.root, "scripts", "aws", "stop"), folder).Run()
			_ = os.RemoveAll(folder)
		}
	})
	for _, b := range blocks(string(text)) {
		ran++
		if strings.Contains(b.code, "TRY=") {
			continue // the folder is named by the tour
		}
		if folder != "" {
			b.code = "TRY='" + folder + "'\n" + b.code
		}
		out := shell(b.code, b.ends)
		for _, want := range map[string][]string{
			"outbox/hello.txt": {"The gate is passed", "Sent 1 file", "1 file was sent before", `"key":"uploads/vm-01/hello.txt"`},
			"--user vm-01":     {"write-only", "broad-policy"},
			"--user old-vm":    {"violation", "witness:"},
		}[mark(b.code)] {
			if !strings.Contains(out, want) {
				t.Errorf("%s\ndoesn't say %q:\n%s", b.code, want, out)
			}
		}
	}
	if _, err := os.Stat(folder); folder == "" || err == nil {
		t.Errorf("after the page's end %q is still there", folder)
	}
	if ran < 6 {
		t.Errorf("the page has %d blocks only", ran)
	}
}

// mark is by what a block is known.
func mark(code string) string {
	for _, m := range []string{"outbox/hello.txt", "--user vm-01", "--user old-vm"} {
		if strings.Contains(code, m) {
			return m
		}
	}
	return ""
}

// block is one block of code of a page, and the code that it ends with by the words that follow it.
type block struct {
	code string
	ends int
}

func blocks(page string) []block {
	var all []block
	inside := false
	for line := range strings.Lines(page) {
		switch code, ok := strings.CutPrefix(line, "    "); {
		case ok && inside:
			all[len(all)-1].code += code
		case ok:
			all, inside = append(all, block{code: code}), true
		case strings.TrimSpace(line) != "":
			if m := ends.FindStringSubmatch(line); m != nil && len(all) > 0 && strings.HasPrefix(line, "That ends with") {
				all[len(all)-1].ends = int(m[1][0] - '0')
			}
			inside = false
		}
	}
	return all
}
