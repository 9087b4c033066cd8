package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"buzon/agent/internal/cli"
)

// TestMain makes the test binary be `agent` when a story calls it, or a test that kills processes.
func TestMain(m *testing.M) {
	if os.Getenv(asAgent) != "" {
		mortal()
	}
	testscript.Main(m, map[string]func(){
		"agent": func() {
			os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
		},
	})
}

// TestStories runs testdata/script: one user story a file. Each has a home of
// its own, speaks English unless it says otherwise, and reaches no AWS.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"store": store, "exits": exits},
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			if err := os.MkdirAll(home, 0o700); err != nil {
				return err
			}
			env.Vars = append(env.Vars,
				"HOME="+home,
				"CONFIGURATION_DIRECTORY="+filepath.Join(env.WorkDir, "etc"),
				"XDG_CONFIG_HOME=", "XDG_STATE_HOME=",
				"LANG=C", "LC_ALL=", "LC_MESSAGES=",
				"TZ=UTC",
				"AWS_EC2_METADATA_DISABLED=true",
			)
			env.Values[storeKey{}] = &held{}
			return nil
		},
	})
}
