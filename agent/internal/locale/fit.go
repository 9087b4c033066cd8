package locale

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/width"
)

// DefaultWidth is how many columns a screen has where nothing tells.
const DefaultWidth = 80

// Columns is how many columns of a screen a text takes: letters of East Asia and pictures take
// two, marks that stand on another letter and escape sequences for colour none.
func Columns(s string) int {
	n := 0
	for len(s) > 0 {
		if k := escape(s); k > 0 {
			s = s[k:]
			continue
		}
		r, k := utf8.DecodeRuneInString(s)
		n += columns(r)
		s = s[k:]
	}
	return n
}

func columns(r rune) int {
	if r < 0x300 {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0xad {
			return 0
		}
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) || r >= 0x1160 && r <= 0x11ff {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	case width.Neutral, width.EastAsianAmbiguous, width.EastAsianNarrow, width.EastAsianHalfwidth:
	}
	return 1
}

// escape is the length of the escape sequence (ECMA-48, "control sequence") that a text begins
// with; 0 if it begins with none.
func escape(s string) int {
	if !strings.HasPrefix(s, "\x1b[") {
		return 0
	}
	for i := 2; i < len(s); i++ {
		if s[i] >= 0x40 && s[i] <= 0x7e {
			return i + 1
		}
	}
	return len(s)
}

// Fit breaks the lines of a text at blanks so that none is wider than width columns; 0 is without
// limit. A line goes on below its own first word. Words stay whole, even one that is wider, and so
// does a line that begins with two blanks: it is a command to type.
func Fit(text string, width int) string {
	if width <= 0 {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "  ") {
			lines[i] = fill(line, width, 0)
		}
	}
	return strings.Join(lines, "\n")
}

// leastColumn is the narrowest column that is filled: a narrower one reads worse than one that the screen breaks.
const leastColumn = 20

// FitColumn is Fit for a text whose first line begins left columns from the edge: every line after
// it is moved there.
func FitColumn(text string, width, left int) string {
	room := 0
	if width > 0 {
		room = max(width-left, leastColumn)
	}
	return strings.ReplaceAll(Fit(text, room), "\n", "\n"+strings.Repeat(" ", left))
}

// FitHanging is Fit for one line that begins left columns from the edge and goes on hang columns from it.
func FitHanging(line string, width, left, hang int) string {
	if width <= 0 {
		return line
	}
	return strings.ReplaceAll(fill(line, max(width-left, leastColumn), max(hang-left, 0)), "\n", "\n"+strings.Repeat(" ", left))
}

// fill breaks one line. Its further lines begin with hang blanks.
func fill(line string, width, hang int) string {
	if Columns(line) <= width {
		return line
	}
	var b strings.Builder
	at := 0 // columns of this line so far
	for i, word := range strings.Split(line, " ") {
		n := Columns(word)
		switch {
		case i == 0:
		case at+1+n > width && at > hang:
			b.WriteString("\n" + strings.Repeat(" ", hang))
			at = hang
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}

// Cut shortens a text to width columns, with … in its middle: of a path both ends tell most. A text
// that fits, and every text where width is 0, stays as it is.
func Cut(s string, width int) string {
	if width <= 0 || Columns(s) <= width {
		return s
	}
	runes := []rune(s)
	room := max(width-1, 2)
	head, tail := len(runes), len(runes)
	for i, n := 0, 0; i < len(runes); i++ {
		if n += columns(runes[i]); n > room/2 {
			head = i
			break
		}
	}
	for i, n := len(runes)-1, 0; i >= head; i-- {
		if n += columns(runes[i]); n > room-room/2 {
			break
		}
		tail = i
	}
	for tail < len(runes) && columns(runes[tail]) == 0 { // a mark without its letter
		tail++
	}
	return string(runes[:head]) + "…" + string(runes[tail:])
}

// Isolated is a text that is already clean, kept from turning the writing direction of what stands
// beside it (Unicode Standard Annex 9, "Explicit Directional Isolates"): a name in Hebrew or
// Arabic stays where it is in its sentence. Any other text is left alone.
func Isolated(s string) string {
	rightToLeft := func(r rune) bool {
		if r < 0x590 {
			return false
		}
		p, _ := bidi.LookupRune(r)
		return p.Class() == bidi.R || p.Class() == bidi.AL || p.Class() == bidi.AN
	}
	if strings.IndexFunc(s, rightToLeft) < 0 {
		return s
	}
	return "\u2068" + s + "\u2069"
}

// Name is a path or another's word as a line can hold it: Clean and Isolated.
func Name(s string) string { return Isolated(Clean(s)) }

// Shell is a word as a shell takes it back (POSIX, "Quoting"): as it is where that is plain, else in
// single quotes; with control characters in $'…', which bash, zsh and ksh read.
func Shell(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:=@%,", r) ||
			r >= 0xa1 && r != utf8.RuneError && unicode.IsLetter(r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 && s[0] != '=' {
		return s
	}
	if Clean(s) == s {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for len(s) > 0 {
		_, n := utf8.DecodeRuneInString(s)
		switch piece := s[:n]; {
		case piece == "'" || piece == `\`:
			b.WriteString(`\` + piece)
		case Clean(piece) == piece:
			b.WriteString(piece)
		default:
			for _, c := range []byte(piece) {
				b.WriteString(`\x` + hex(c))
			}
		}
		s = s[n:]
	}
	b.WriteString("'")
	return b.String()
}

func hex(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}
