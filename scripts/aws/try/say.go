package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// widest is how much of a line that a program printed is shown.
const widest = 118

func (s *story) paint(code, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// heading begins a step: its number, what it is and what happens in it.
func (s *story) heading(id string) {
	s.step++
	fmt.Fprintf(s.out, "\n%s\n%s\n", s.paint("1;36", fmt.Sprintf("%d  %s", s.step, s.words(id))), s.words(id+"-about"))
}

// command shows what a user would type, in one or more lines.
func (s *story) command(lines ...string) {
	fmt.Fprintln(s.out)
	for _, line := range lines {
		fmt.Fprintf(s.out, "%s %s\n", s.paint("2", "$"), s.paint("1", line))
	}
}

// quote shows the first and the last lines of what a program printed.
func (s *story) quote(text string, head, tail int) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if left := len(lines) - head - tail; left > 1 {
		lines = append(append(append([]string(nil), lines[:head]...), s.paint("2", s.words("more-lines", "n", left))), lines[len(lines)-tail:]...)
	}
	for _, line := range lines {
		if !s.color && utf8.RuneCountInString(line) > widest {
			line = string([]rune(line)[:widest-1]) + "…"
		}
		fmt.Fprintln(s.out, strings.TrimRight("  "+line, " "))
	}
}

// expect says whether what must be is so, and counts.
func (s *story) expect(met bool, id string, args ...any) {
	s.expected++
	if met {
		fmt.Fprintf(s.out, "%s %s\n", s.paint("32", "✓"), s.words(id, args...))
		return
	}
	s.unmet++
	fmt.Fprintf(s.out, "%s %s\n", s.paint("1;31", "✗ "+s.words("unmet")), s.words(id, args...))
}

// expectExit says whether a command ended with the exit code that it must.
func (s *story) expectExit(got, want int) {
	if got == want {
		s.expect(true, "exit", "code", want, "meaning", s.words(fmt.Sprintf("exit-%d", want)))
		return
	}
	s.expect(false, "exit-other", "want", want, "code", got)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
