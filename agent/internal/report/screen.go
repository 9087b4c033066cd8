package report

import (
	"strings"

	"buzon/agent/internal/locale"
)

// Screen is what a report is shown on.
type Screen struct {
	Color bool
	Width int  // in columns; 0 is without limit
	ASCII bool // marks of the screen's character set can't be relied on
}

// paint colours a text.
func (s Screen) paint(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return code + text + "\x1b[0m"
}

// lines fits a sentence with its hints: words whole, commands to type bold and on a line of their
// own. Every line begins left columns from the edge.
func (s Screen) lines(text string, left int) []string {
	all := strings.Split(locale.FitColumn(text, s.Width, left), "\n")
	pad := strings.Repeat(" ", left)
	for i, line := range all {
		bare := strings.TrimPrefix(line, pad)
		if i == 0 {
			bare = line
		}
		if strings.HasPrefix(bare, "  ") {
			bare = s.paint(bold, bare)
		}
		all[i] = pad + bare
	}
	return all
}

// say writes a sentence with its hints from the edge on.
func (s Screen) say(b *strings.Builder, text string) { s.indent(b, text, 0) }

// indent is say with every line moved to the right.
func (s Screen) indent(b *strings.Builder, text string, left int) {
	for _, line := range s.lines(text, left) {
		b.WriteString(line + "\n")
	}
}

// name is a path as a line can hold it, and as a shell takes it back; one that would fill the screen is cut in its
// middle, and one that isn't text is shown with its codes. JSON has it whole.
func (s Screen) name(path string) string {
	codes := strings.Contains(path, `\x`) // of bytes that are no UTF-8: in quotes they would be letters
	if locale.Clean(path) == path && !codes && (s.Width == 0 || locale.Columns(path) <= 3*s.Width) {
		return locale.Isolated(locale.Shell(path))
	}
	return locale.Isolated(locale.Cut(locale.Clean(path), 3*s.Width))
}

// arrow leads from one name to another.
func (s Screen) arrow() string {
	if s.ASCII {
		return "->"
	}
	return "→"
}

// mark is how the end of something is shown; where signs can't be, it is the word.
func (s Screen) mark(p *locale.Printer, status string) string {
	m := statusMarks[status]
	if !s.ASCII {
		return s.paint(m.color, m.sign)
	}
	width := 0
	for other := range statusMarks {
		width = max(width, locale.Columns(p.Text("report.mark-"+other)))
	}
	word := p.Text("report.mark-" + status)
	return s.paint(m.color, word+strings.Repeat(" ", width-locale.Columns(word)))
}

// word is mark for who can't see the sign or its colour; it stands at the end of the line.
func (s Screen) word(p *locale.Printer, status string) string {
	if s.ASCII {
		return ""
	}
	return " " + s.paint(dim, "("+p.Text("report.mark-"+status)+")")
}

// statusMarks are the signs, by the status of gate's checks.
var statusMarks = map[string]struct{ sign, color string }{
	"ok":       {"✓", green},
	"failed":   {"✗", red},
	"warning":  {"!", yellow},
	"unproven": {"–", dim},
}
