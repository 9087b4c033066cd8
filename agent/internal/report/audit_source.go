package report

import (
	"strings"
	"unicode/utf8"
)

// sourceText finds lines and columns of a text. An export of an account is one
// line of some megabytes, of which many places are shown.
type sourceText struct {
	text  string
	found []*sourceLine // by number, from 1
}

type sourceLine struct {
	text string
	// marks are the offsets of every markEvery-th character.
	marks []int
}

const markEvery = 1024

// line gives a line by its number from 1.
func (s *sourceText) line(n int) (*sourceLine, bool) {
	if s.found == nil {
		s.found = []*sourceLine{nil}
		for _, line := range strings.Split(s.text, "\n") {
			s.found = append(s.found, &sourceLine{text: strings.TrimSuffix(line, "\r")})
		}
	}
	if n < 1 || n >= len(s.found) {
		return nil, false
	}
	return s.found[n], true
}

// from is the line without its first n characters.
func (l *sourceLine) from(n int) string {
	if l.marks == nil {
		i := 0
		for at := range l.text {
			if i%markEvery == 0 {
				l.marks = append(l.marks, at)
			}
			i++
		}
		l.marks = append(l.marks, len(l.text))
	}
	k := min(n/markEvery, len(l.marks)-1)
	rest := l.text[l.marks[k]:]
	for skip := n - k*markEvery; skip > 0 && rest != ""; skip-- {
		_, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
	}
	return rest
}
