package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const good = "bucket: acme-uploads\nprefix: uploads/vm-01/\n"

// loadFile loads a file and gives the code of its first fault, or "".
func loadFile(t *testing.T, path string, again bool) Code {
	t.Helper()
	began := time.Now()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Load(Request{Path: path, Again: again})
	runtime.ReadMemStats(&after)
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<30 {
		t.Errorf("it took %d MiB of memory in all", took>>20)
	}
	var faults Errors
	if errors.As(err, &faults) {
		return faults[0].Code
	}
	return ""
}

// Whatever stands where a configuration should, it is read within bounds or refused, and nobody waits.
func TestAConfigurationIsReadWithinBounds(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	fifo := func(name, text string, writer bool) string {
		path := filepath.Join(dir, name)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if writer {
			go func() { // it opens once somebody reads
				if f, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
					_, _ = f.WriteString(text)
					_ = f.Close()
				}
			}()
		}
		return path
	}
	for _, c := range []struct {
		name, path string
		again      bool
		want       Code
	}{
		{"a file", file("good", good), true, ""},
		{"a link to a file", link(t, dir, "link", "good"), true, ""},
		{"an empty file", file("empty", ""), true, ""},
		{"nothing", "/dev/null", false, ""},
		{"a folder", dir, false, CodeFolder},
		{"zeros for ever", "/dev/zero", false, CodeTooLarge},
		{"a device that is read again", "/dev/zero", true, CodeNotRegular},
		{"a pipe", fifo("pipe", good, true), false, ""},
		{"a pipe that is read again", fifo("again", good, true), true, CodeNotRegular},
		{"a pipe without end", fifo("endless", many("#"+many("x", 1000)+"\n", 1000), true), false, CodeTooLarge},
		{"a pipe that nobody writes", fifo("silent", "", false), false, CodeSilent},
		{"a pipe that nobody writes, again", fifo("silent2", "", false), true, CodeNotRegular},
		{"too large", file("large", many("# a comment\n", mostBytes)), true, CodeTooLarge},
		{"brackets", file("brackets", many("[", 60_000)), true, CodeSyntax},
		{"braces", file("braces", many("{a: ", 15_000)), true, CodeSyntax},
		{"dashes", file("dashes", many("- ", 30_000)), true, CodeSyntax},
		{"questions", file("questions", many("? ", 30_000)), true, CodeSyntax},
		{"steps", file("steps", func() string {
			var b strings.Builder
			for i := range 340 {
				b.WriteString(many(" ", i) + "a:\n")
			}
			return b.String()
		}()), true, CodeUnknownKey},
		{"unknown keys", file("unknown", func() string {
			var b strings.Builder
			for i := range 7_000 {
				fmt.Fprintf(&b, "k%d: 1\n", i)
			}
			return b.String()
		}()), true, CodeUnknownKey},
		{"many outboxes", file("outboxes", good+"outboxes:\n"+many("  - path: /srv/out\n", 3000)), true, CodeNested},
		{"a long line", file("line", "bucket: "+many("x", 60_000)), true, CodeBadValue},
		{"anchors", file("anchors", "a: &a [x]\n"+many("b: [*a, *a]\n", 4000)), true, CodeUnknownKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := loadFile(t, c.path, c.again); got != c.want {
				t.Errorf("it is %q, want %q", got, c.want)
			}
		})
	}
}

func link(t *testing.T, dir, name, to string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// What somebody else could change is refused, and what its group could is told; being readable is no
// fault.
func TestWhatSomebodyElseCouldChangeIsRefused(t *testing.T) {
	root := os.Geteuid() == 0
	for _, c := range []struct {
		name  string
		mode  os.FileMode
		owner int // -1: this user
		want  Code
		loose bool
	}{
		{"its user's alone", 0o600, -1, "", false},
		{"readable by all", 0o644, -1, "", false},
		{"writable by its group", 0o664, -1, "", true},
		{"writable by all", 0o666, -1, CodeOpen, false},
		{"writable by others alone", 0o602, -1, CodeOpen, false},
		{"another's", 0o644, 54321, CodeForeign, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.owner >= 0 && !root {
				t.Skip("only root can make one")
			}
			dir := t.TempDir()
			path, state := filepath.Join(dir, "agent.yaml"), filepath.Join(dir, "state")
			if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(state, 0o700); err != nil {
				t.Fatal(err)
			}
			for _, p := range []string{path, state} {
				mode := c.mode
				if p == state {
					mode |= c.mode >> 2 & 0o111 // who may read may enter
				}
				if err := os.Chmod(p, mode); err != nil {
					t.Fatal(err)
				}
				if c.owner >= 0 {
					if err := os.Chown(p, c.owner, c.owner); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, r := range []Request{{Path: path}, {Flags: map[string]string{"state": state, "bucket": "acme-uploads"}, State: true, Search: func() []string { return nil }}} {
				cfg, err := Load(r)
				var faults Errors
				if errors.As(err, &faults); c.want != "" {
					if len(faults) != 1 || faults[0].Code != c.want {
						t.Errorf("%v, want %s", err, c.want)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if (len(cfg.Loose) == 1) != c.loose {
					t.Errorf("loose are %v", cfg.Loose)
				}
			}
		})
	}
}

// Every fault is given at once, by line, with what is missing at the end; a prefix must be said.
func TestFaultsComeInTheOrderOfTheirLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.yaml")
	text := "tries: many\noutboxes:\n  - path: /srv/a\n  - path: /srv/a/b\n  - path: relative\n    settle: move:/srv/a/sent\nstate: /srv/a/state\nretain: 5\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(Request{Path: path, Need: []string{"bucket", "prefix", "state", "outboxes"}})
	var faults Errors
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	var got []string
	for _, f := range faults {
		got = append(got, fmt.Sprintf("%d %s", f.Line, f.Code))
	}
	want := []string{"1 config.bad-value", "4 config.nested", "5 config.move-inside", "5 config.bad-value", "7 config.state-inside", "8 config.bad-value", "0 config.needed-in", "0 config.needed-in"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestAPrefixMustBeSaid(t *testing.T) {
	need := []string{"bucket", "prefix"}
	for _, c := range []struct {
		text, flag string
		want       Code
		whole      bool
	}{
		{"prefix: uploads/vm-01/\n", "", "", false},
		{"prefix: /\n", "", "", true},
		{"prefix: \"\"\n", "", CodeBadValue, false},
		{"prefix:\n", "", CodeNeededIn, false},
		{"", "", CodeNeededIn, false},
		{"prefix: CHANGE-ME/\n", "", CodePlaceholder, false},
		{"prefix: //\n", "", CodeBadValue, false},
		{"", "/", "", true},
		{"prefix: /\n", "uploads/", "", false},
		{"prefix: uploads/\n", "=", CodeBadFlag, false}, // an unset variable of the shell
	} {
		path := filepath.Join(t.TempDir(), "agent.yaml")
		if err := os.WriteFile(path, []byte("bucket: acme-uploads\n"+c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		flags := map[string]string{}
		if c.flag != "" {
			flags["prefix"] = strings.TrimPrefix(c.flag, "=")
		}
		cfg, err := Load(Request{Path: path, Flags: flags, Need: need})
		var faults Errors
		if errors.As(err, &faults); c.want != "" {
			if len(faults) != 1 || faults[0].Code != c.want {
				t.Errorf("%q %q: %v, want %s", c.text, c.flag, err, c.want)
			}
			continue
		}
		if err != nil || cfg.Whole != c.whole || cfg.Whole != (cfg.Prefix == "") {
			t.Errorf("%q %q: %v, whole %v", c.text, c.flag, err, cfg != nil && cfg.Whole)
		}
		if !slices.ContainsFunc(cfg.Lines(), func(l Line) bool { return l.Key == "prefix" && l.Text != "prefix: \"\"" }) {
			t.Errorf("%q %q: it does not read back", c.text, c.flag)
		}
	}
}
