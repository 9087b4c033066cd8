package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
)

// Placeholders are what a key template may hold in braces; sha256 may be cut:
// {sha256:12}.
var Placeholders = []string{"path", "name", "ext", "host", "outbox", "yyyy", "mm", "dd", "hh", "sha256"}

var placeholder = regexp.MustCompile(`\{([^{}]*)\}`)
var placeholderName = regexp.MustCompile(`^(path|name|ext|host|outbox|yyyy|mm|dd|hh|sha256|sha256:([1-9]|[1-5][0-9]|6[0-4]))$`)

// CheckTemplate tells what is wrong with a key template: an unknown placeholder,
// a stray brace, an absolute path, or a part that leads upwards.
func CheckTemplate(t string) error {
	if !utf8.ValidString(t) || t == "" || len(t) > 512 {
		return fmt.Errorf("empty, too long or not UTF-8")
	}
	for _, m := range placeholder.FindAllStringSubmatch(t, -1) {
		if !placeholderName.MatchString(m[1]) {
			return fmt.Errorf("unknown placeholder %q", m[0])
		}
	}
	plain := placeholder.ReplaceAllString(t, "x")
	if strings.ContainsAny(plain, "{}") {
		return fmt.Errorf("stray brace")
	}
	if plain == t {
		return fmt.Errorf("no placeholder: all files would have one key")
	}
	for _, part := range strings.Split(plain, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("empty, \".\" or \"..\" part")
		}
	}
	if strings.HasPrefix(plain, ".buzon/") {
		return fmt.Errorf("reserved name")
	}
	return nil
}

// EmptyParts are the key templates in use that give some files, those without an extension, a key with an empty part:
// they end in quarantine.
func (c *Config) EmptyParts() []string {
	used := []string{c.Key}
	if len(c.Outboxes) > 0 {
		used = nil
		for _, o := range c.Outboxes {
			used = append(used, o.Key)
		}
	}
	var all []string
	for _, t := range used {
		for part := range strings.SplitSeq(t, "/") {
			if strings.ReplaceAll(part, "{ext}", "") == "" && !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

func validGlob(s string) bool {
	return s != "" && doublestar.ValidatePattern(s) && !strings.HasPrefix(s, "/")
}

// mayCollide reports whether two outboxes could give two files the same key. It
// says no only where the fixed beginnings, or the fixed ends, of the two
// templates already differ.
func mayCollide(a, b Outbox) bool {
	headA, tailA := fixedEnds(a)
	headB, tailB := fixedEnds(b)
	apart := func(x, y string, begins func(string, string) bool) bool { return !begins(x, y) && !begins(y, x) }
	return !apart(headA, headB, strings.HasPrefix) && !apart(tailA, tailB, strings.HasSuffix)
}

// fixedEnds are the text before the first and after the last placeholder that
// differs from file to file.
func fixedEnds(o Outbox) (head, tail string) {
	t := strings.ReplaceAll(o.Key, "{outbox}", filepath.Base(o.Path))
	loc := placeholder.FindAllStringIndex(t, -1)
	if len(loc) == 0 {
		return t, t
	}
	return t[:loc[0][0]], t[loc[len(loc)-1][1]:]
}

// Nearest is the candidate that name was probably meant to be: the one with the
// fewest edits, at most two and not half of it, or the only one that it begins; ""
// if none is near.
func Nearest(name string, candidates []string) string {
	best, least := "", min(2, (len(name)-1)/2)+1
	for _, c := range candidates {
		if d := distance(name, c); d < least {
			best, least = c, d
		}
	}
	if best != "" || len(name) < 4 {
		return best
	}
	for _, c := range candidates {
		if strings.HasPrefix(c, name) {
			if best != "" {
				return ""
			}
			best = c
		}
	}
	return best
}

// distance counts the edits between two words; two neighbours swapped are one.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(x)][len(y)]
}
