package outbox

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
)

// BuiltinExcludes are the names that programs give to files that are not yet
// whole, or are their own. They are excluded at every depth; "!PATTERN" among
// the excludes takes one of them out.
var BuiltinExcludes = []string{
	".[!.]*", "*.tmp", "*.temp", "*.part", "*.partial", "*.filepart", "*.crdownload", "*.download",
	"*.swp", "*.swo", "*.swx", "*~", "~$*", "#*#", ".~lock*", "lost+found",
}

const (
	maxName  = 1024     // S3 User Guide, "Naming Amazon S3 objects": bytes of UTF-8
	reserved = ".buzon" // the canary's folder
)

// matcher decides by name. A pattern without a slash is held against the last
// part of a path, at every depth; one with a slash against the whole path.
type matcher struct {
	include, exclude []string
}

func newMatcher(include, exclude []string) (matcher, error) {
	m := matcher{include: include, exclude: slices.Clone(BuiltinExcludes)}
	for _, p := range exclude {
		if builtin, off := strings.CutPrefix(p, "!"); off {
			i := slices.Index(m.exclude, builtin)
			if i < 0 {
				return m, fmt.Errorf("exclude %q: no built-in pattern is %q", p, builtin)
			}
			m.exclude = slices.Delete(m.exclude, i, i+1)
			continue
		}
		m.exclude = append(m.exclude, p)
	}
	for _, p := range append(slices.Clone(m.include), m.exclude...) {
		if !doublestar.ValidatePattern(p) {
			return m, fmt.Errorf("pattern %q: %w", p, doublestar.ErrBadPattern)
		}
	}
	return m, nil
}

// included reports whether a file is one of those to send; with no pattern, all
// are.
func (m matcher) included(rel string) bool {
	return len(m.include) == 0 || matches(m.include, rel)
}

// excluded reports whether a file, or a folder with all that is in it, is left
// out.
func (m matcher) excluded(rel string) bool { return matches(m.exclude, rel) }

func matches(patterns []string, rel string) bool {
	for _, p := range patterns {
		name := rel
		if !strings.Contains(p, "/") {
			if p == "**" {
				return true
			}
			name = path.Base(rel)
		}
		if doublestar.MatchUnvalidated(p, name) {
			return true
		}
	}
	return false
}

// nameFault is why S3 can't take the name, or "".
func nameFault(rel string) Reason {
	switch {
	case !utf8.ValidString(rel):
		return NameEncoding
	case len(rel) > maxName:
		return NameTooLong
	case rel == reserved || strings.HasPrefix(rel, reserved+"/"):
		return NameReserved
	}
	return ""
}
