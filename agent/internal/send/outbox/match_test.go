package outbox

import (
	"path"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"
)

// slowly is what a pattern means, without any of its shortcuts.
func slowly(pattern, rel string) bool {
	if !strings.Contains(pattern, "/") && pattern != "**" {
		rel = path.Base(rel)
	}
	return doublestar.MatchUnvalidated(pattern, rel)
}

// someNames and somePatterns are those whose shortcuts could go wrong.
var (
	someNames = []string{
		"a", "a.tmp", ".tmp", "tmp", ".hidden", "..", "~$x", "~", "#x#", "#", "#x", ".~lock.x#", "lost+found", "lost+found2", "d/a.part", "d/.x",
		"x/y/z", "ab", "aab", "a.b.c", "*", "a*b", "\xff.tmp", "é.tmp", "{a}", `a\b`, "[a]", "a]b", "d/**",
	}
	somePatterns = append([]string{
		"**", "*", "a*", "*b", "a*b", "a?b", "a**b", "**/x", "x/**", "[a-c]*", "{a,b}*", `\**`, `a\*`, "é*", "*\xff", "a]*", "x/*", "*}", "***",
	}, BuiltinExcludes...)
)

// meansTheSame holds a compiled pattern against the library that defines it.
func meansTheSame(t *testing.T, p, rel string) {
	t.Helper()
	if c, want := compile(p), slowly(p, rel); c.match(rel, path.Base(rel)) != want {
		t.Errorf("%q against %q: %v, must be %v (%+v)", p, rel, !want, want, c)
	}
}

func TestPatternsMeanTheSameWithTheirShortcuts(t *testing.T) {
	for _, p := range somePatterns {
		for _, n := range someNames {
			meansTheSame(t, p, n)
		}
	}
}

func FuzzPatternsMeanTheSameWithTheirShortcuts(f *testing.F) {
	for i, p := range somePatterns {
		f.Add(p, someNames[i%len(someNames)])
	}
	f.Fuzz(func(t *testing.T, p, rel string) {
		if doublestar.ValidatePattern(p) && rel != "" && path.Clean(rel) == rel {
			meansTheSame(t, p, rel)
		}
	})
}
