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
	include, exclude []pattern
}

// pattern is a pattern with what of it can be compared without walking through
// it: every rescan holds every name against all of them.
type pattern struct {
	text   string
	whole  bool   // has a slash
	any    bool   // "**"
	prefix string // a name that matches begins so
	suffix string // and, with simple, ends so
	simple bool   // prefix, at most one star, suffix: that is all of it
	star   bool
}

func compile(text string) pattern {
	p := pattern{text: text, any: text == "**", whole: strings.Contains(text, "/")}
	if p.whole || strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return p
	}
	const special = `*?[]{}\`
	i := strings.IndexAny(text, special)
	if i < 0 {
		p.prefix, p.simple = text, true
		return p
	}
	p.prefix = text[:i]
	if rest := text[i+1:]; text[i] == '*' && !strings.ContainsAny(rest, special) {
		p.suffix, p.star, p.simple = rest, true, true
	}
	return p
}

// match holds a pattern against a path and the last part of it.
func (p *pattern) match(rel, name string) bool {
	switch {
	case p.any:
		return true
	case p.whole:
		return doublestar.MatchUnvalidated(p.text, rel)
	case p.simple && !p.star:
		return name == p.prefix
	case !strings.HasPrefix(name, p.prefix):
		return false
	case p.simple:
		return len(name) >= len(p.prefix)+len(p.suffix) && strings.HasSuffix(name, p.suffix)
	}
	return doublestar.MatchUnvalidated(p.text, name)
}

func newMatcher(include, exclude []string) (matcher, error) {
	all := slices.Clone(BuiltinExcludes)
	for _, p := range exclude {
		if builtin, off := strings.CutPrefix(p, "!"); off {
			i := slices.Index(all, builtin)
			if i < 0 {
				return matcher{}, fmt.Errorf("exclude %q: no built-in pattern is %q", p, builtin)
			}
			all = slices.Delete(all, i, i+1)
			continue
		}
		all = append(all, p)
	}
	for _, p := range slices.Concat(include, all) {
		if !doublestar.ValidatePattern(p) {
			return matcher{}, fmt.Errorf("pattern %q: %w", p, doublestar.ErrBadPattern)
		}
	}
	m := matcher{}
	for _, p := range include {
		m.include = append(m.include, compile(p))
	}
	for _, p := range all {
		m.exclude = append(m.exclude, compile(p))
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

func matches(patterns []pattern, rel string) bool {
	name := path.Base(rel)
	for i := range patterns {
		if patterns[i].match(rel, name) {
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
