package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary be `agent` when a story calls it, or a test that kills processes.
func TestMain(m *testing.M) {
	if os.Getenv(asAgent) != "" {
		mortal()
	}
	if os.Getenv(asServer) != "" {
		serveAlone()
	}
	testscript.Main(m, map[string]func(){"agent": mortal})
}

// TestStories runs testdata/script: one user story a file. Each has a home of
// its own, speaks English unless it says otherwise, and reaches no AWS.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"store": store, "expand": expand, "exits": exits, "until": untilSays},
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("there is no condition %q", name)
		},
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			if err := os.MkdirAll(home, 0o700); err != nil {
				return err
			}
			env.Vars = append(env.Vars,
				"HOME="+home,
				"CONFIGURATION_DIRECTORY="+filepath.Join(env.WorkDir, "etc"),
				"XDG_CONFIG_HOME=", "XDG_STATE_HOME=",
				"LANG=C", "LC_ALL=", "LC_MESSAGES=", "COLUMNS=1000", // a sentence is one line, unless the story is about that
				"TZ=UTC",
				"AWS_EC2_METADATA_DISABLED=true",
			)
			env.Values[storeKey{}] = &held{}
			return nil
		},
	})
}

// expand is "expand FILE…": $WORK in a file becomes the story's folder.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		path := ts.MkAbs(name)
		ts.Check(os.WriteFile(path, []byte(strings.ReplaceAll(ts.ReadFile(name), "$WORK", ts.Getenv("WORK"))), 0o600))
	}
}

// untilSays is "until PATTERN PROGRAM ARG…": the program is run until its output matches.
func untilSays(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile("(?m)" + args[0])
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); ; <-tick.C {
		_ = ts.Exec(args[1], args[2:]...) // its code may change on the way
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s never says %s", strings.Join(args[1:], " "), args[0])
		}
	}
}
