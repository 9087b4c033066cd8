package words

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// Screen is w with lines that are broken at blanks where its terminal ends, or at COLUMNS; elsewhere it is w. Lines that
// begin with two blanks stay whole: they are commands to type, or what another program printed; with eight they are the
// meaning of a flag, and go on below it. Every write is of whole lines.
func Screen(w io.Writer, getenv func(string) string) io.Writer {
	width, err := strconv.Atoi(getenv("COLUMNS"))
	if f, ok := w.(*os.File); ok && (err != nil || width <= 0) {
		width, _, err = term.GetSize(int(f.Fd()))
	}
	if err != nil || width <= 0 {
		return w
	}
	return screen{w, max(width, 20)}
}

type screen struct {
	io.Writer
	width int
}

// Write writes whole lines.
func (s screen) Write(text []byte) (int, error) {
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		lines[i] = fill(line, s.width)
	}
	if _, err := io.WriteString(s.Writer, strings.Join(lines, "\n")); err != nil {
		return 0, err
	}
	return len(text), nil
}

// fill breaks a line at blanks; a word that is wider stays whole, and escape sequences for colour take no room.
func fill(line string, width int) string {
	text := strings.TrimLeft(line, " ")
	hang := line[:len(line)-len(text)]
	if n := len(hang); n >= 2 && n < 8 {
		return line
	}
	var b strings.Builder
	b.WriteString(hang)
	at := len(hang)
	for i, word := range strings.Split(text, " ") {
		n := columns(word)
		switch {
		case i == 0:
		case at+1+n > width && at > len(hang):
			b.WriteString("\n" + hang)
			at = len(hang)
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}

func columns(word string) int {
	n := 0
	for word != "" {
		if strings.HasPrefix(word, "\x1b[") {
			if end := strings.IndexByte(word, 'm'); end > 0 {
				word = word[end+1:]
				continue
			}
		}
		_, k := utf8.DecodeRuneInString(word)
		word = word[k:]
		n++
	}
	return n
}
