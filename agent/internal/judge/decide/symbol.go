package decide

import (
	"strings"

	"buzon/agent/policy"
)

// atom is one step of a text of which parts aren't known.
type atom struct {
	char  rune // 0: any
	class bool // any but a separator or a wildcard
	loop  bool // as often as one likes, also never
	// symbol and width: a symbol begins here, and takes so many atoms.
	symbol rune
	width  int
}

// atoms writes literals, wildcards and symbols out. A symbol made by
// CloudFormation is a name, one character at least and without a separator; an
// open one is any text.
func (e *Evaluator) atoms(out []atom, text string) []atom {
	for _, c := range text {
		switch {
		case !policy.IsSymbol(c):
			out = append(out, atom{char: c})
		case e.symbols[c].Open:
			out = append(out, atom{loop: true, symbol: c, width: 1})
		default:
			out = append(out, atom{class: true, symbol: c, width: 2}, atom{class: true, loop: true})
		}
	}
	return out
}

func (a atom) takes(c rune) bool {
	return a.char == c || a.char == 0 && (!a.class || !strings.ContainsRune(":/*?", c))
}

// meets reports whether some character fits both.
func (a atom) meets(b atom) bool {
	switch {
	case a.char != 0:
		return b.takes(a.char)
	case b.char != 0:
		return a.takes(b.char)
	}
	return true
}

// never reports whether the other side has, as a whole segment, the name that a
// symbol surely hasn't.
func (e *Evaluator) never(other []atom, symbol atom) bool {
	name := []rune(e.symbols[symbol.symbol].Not)
	if symbol.symbol == 0 || len(name) == 0 || len(other) < len(name) {
		return false
	}
	for i, c := range name {
		if other[i].char != c {
			return false
		}
	}
	return len(other) == len(name) || other[len(name)].char == '/'
}

// overlap reports whether a pattern and a text, both perhaps with symbols, can
// turn out to match.
func (e *Evaluator) overlap(pieces []policy.Piece, text string) bool {
	var p []atom
	for _, piece := range pieces {
		switch piece.Kind {
		case policy.AnyRun:
			p = append(p, atom{loop: true})
		case policy.AnyOne:
			p = append(p, atom{})
		case policy.Literal, policy.Variable:
			p = e.atoms(p, piece.Text)
		}
	}
	t := e.atoms(nil, text)
	seen := make([]bool, (len(p)+1)*(len(t)+1))
	var walk func(i, j int) bool
	walk = func(i, j int) bool {
		if i == len(p) && j == len(t) {
			return true
		}
		at := i*(len(t)+1) + j
		if seen[at] {
			return false
		}
		seen[at] = true
		if i < len(p) && p[i].loop && walk(i+1, j) || j < len(t) && t[j].loop && walk(i, j+1) {
			return true
		}
		if i == len(p) || j == len(t) {
			return false
		}
		if e.never(p[i:], t[j]) || e.never(t[j:], p[i]) {
			return false
		}
		if p[i].symbol != 0 && p[i].symbol == t[j].symbol && walk(i+p[i].width, j+t[j].width) {
			return true
		}
		if !p[i].meets(t[j]) {
			return false
		}
		next := func(a atom, at int) int {
			if a.loop {
				return at
			}
			return at + 1
		}
		a, b := next(p[i], i), next(t[j], j)
		if a == i && b == j {
			return false // two loops: leaving either was tried
		}
		return walk(a, b)
	}
	return walk(0, 0)
}
