package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v4"
)

// The examples for CI are YAML of the shape that their services read, and their commands
// run here: those that call agent, as they are written.
func TestTheExamplesForCIWork(t *testing.T) {
	commands := map[string][]string{}
	for _, name := range []string{"github", "gitlab", "pre-commit"} {
		text, err := os.ReadFile(filepath.Join("..", "docs", "ci", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Jobs struct { // GitHub's
				Audit struct{ Steps []struct{ Run string } }
			}
			Audit struct{ Script []string }                  // GitLab's
			Repos []struct{ Hooks []struct{ Entry string } } // pre-commit's
		}
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found := file.Audit.Script
		for _, step := range file.Jobs.Audit.Steps {
			found = append(found, step.Run)
		}
		for _, repo := range file.Repos {
			for _, hook := range repo.Hooks {
				found = append(found, hook.Entry)
			}
		}
		for _, command := range found {
			if strings.Contains(command, "agent audit-policy") {
				commands[name] = append(commands[name], command)
			}
		}
		if len(commands[name]) != 1 {
			t.Fatalf("%s: %d commands call agent", name, len(commands[name]))
		}
	}
	testscript.Run(t, testscript.Params{
		Files:               []string{filepath.Join("testdata", "ci.txtar")},
		RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, "HOME="+env.WorkDir, "LC_ALL=C", "COLUMNS=400")
			for name, list := range commands {
				script := list[0]
				if name == "pre-commit" {
					script += ` "$@"` // it hands over the files
				}
				if err := os.WriteFile(filepath.Join(env.WorkDir, name+".sh"), []byte(script+"\n"), 0o600); err != nil {
					return err
				}
			}
			return nil
		},
	})
}
