package cli

import (
	"bytes"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"buzon/agent/internal/locale"
)

// TestWindowsDoesWhatSendsNothing: every command is decided, and one that can't work says so instead of trying.
func TestWindowsDoesWhatSendsNothing(t *testing.T) {
	a := &app{words: locale.Load("en"), system: "windows", stderr: &bytes.Buffer{}, getenv: os.Getenv, secrets: newSecrets()}
	root := newRoot(a, nil)
	var works, not []string
	var each func(*cobra.Command)
	each = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			each(c)
		}
		if name := strings.TrimPrefix(cmd.CommandPath(), "agent "); cmd.HasSubCommands() {
			return
		} else if worksOn("windows", cmd) {
			works = append(works, name)
		} else {
			not = append(not, name)
		}
		if !worksOn("linux", cmd) || !worksOn("darwin", cmd) {
			t.Errorf("%s doesn't work where it must", cmd.CommandPath())
		}
	}
	each(root)
	slices.Sort(works)
	slices.Sort(not)
	if want := []string{"audit-policy", "completion", "receipts verify", "version"}; !slices.Equal(works, want) {
		t.Errorf("on Windows work %q, not %q", works, want)
	}
	if !slices.Contains(not, "run") || !slices.Contains(not, "receipts import") {
		t.Errorf("on Windows don't work %q", not)
	}
	run, _, err := root.Find([]string{"run"})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.prepare(run); err == nil || !strings.Contains(a.sentences(err)[0], "agent run") {
		t.Errorf("agent run on Windows: %v", err)
	}
	a.system = runtime.GOOS
	if err := a.prepare(run); err != nil {
		t.Error(err)
	}
}
