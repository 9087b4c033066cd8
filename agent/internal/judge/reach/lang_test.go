package reach

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// tokensOf reads "*" and "?" of a test's pattern.
func tokensOf(pattern string) []token {
	var list []token
	for _, r := range pattern {
		switch r {
		case '*':
			list = append(list, token{kind: run})
		case '?':
			list = append(list, token{kind: one})
		case '!': // any but "b"
			list = append(list, token{kind: one, but: "b"})
		default:
			list = append(list, token{kind: char, r: r})
		}
	}
	return list
}

// globMatches is the plainest way to match a pattern: by trying.
func globMatches(p []token, text []rune) bool {
	if len(p) == 0 {
		return len(text) == 0
	}
	if p[0].kind == run {
		for i := 0; i <= len(text); i++ {
			if globMatches(p[1:], text[i:]) {
				return true
			}
		}
		return false
	}
	if len(text) == 0 || p[0].kind == char && p[0].r != text[0] || p[0].kind == one && strings.ContainsRune(p[0].but, text[0]) {
		return false
	}
	return globMatches(p[1:], text[1:])
}

// allTexts lists every text over an alphabet up to a length.
func allTexts(alphabet string, longest int) []string {
	texts := []string{""}
	for last := texts; longest > 0; longest-- {
		var next []string
		for _, t := range last {
			for _, r := range alphabet {
				next = append(next, t+string(r))
			}
		}
		texts = append(texts, next...)
		last = next
	}
	return texts
}

func randomPattern(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(6) {
		b.WriteByte("aabbc**??!"[r.IntN(10)])
	}
	return b.String()
}

func TestSetsOfTextsAgreeWithMatchingByHand(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	texts := allTexts("abcz", 5)
	s := NewSpace()
	n := 0
	for range 400 {
		p, q := randomPattern(r), randomPattern(r)
		a, b := s.build([][]token{tokensOf(p)}, false), s.build([][]token{tokensOf(q)}, false)
		and, or, minus, not := s.and(a, b), s.or(a, b), s.minus(a, b), s.not(a)
		both := s.build([][]token{tokensOf(p), tokensOf(q)}, false)
		if both != or {
			t.Fatalf("%q and %q built together differ from their union", p, q)
		}
		if s.not(not) != a || s.or(s.and(a, b), s.minus(a, b)) != a || s.not(or) != s.and(s.not(a), s.not(b)) {
			t.Fatalf("the laws of sets fail for %q and %q", p, q)
		}
		for _, text := range texts {
			n++
			x, y := globMatches(tokensOf(p), []rune(text)), globMatches(tokensOf(q), []rune(text))
			if a.has(text) != x || b.has(text) != y || and.has(text) != (x && y) || or.has(text) != (x || y) ||
				minus.has(text) != (x && !y) || not.has(text) == x {
				t.Fatalf("%q, %q: wrong about %q", p, q, text)
			}
		}
		for _, l := range []*lang{a, and, or, minus, not} {
			if w, ok := s.word(l); ok == l.empty() || ok && !l.has(w) {
				t.Fatalf("%q, %q: the word %q, %v of a set that is empty: %v", p, q, w, ok, l.empty())
			}
		}
	}
	t.Logf("%d comparisons", n)
}

func TestAWordIsShortestAndPlain(t *testing.T) {
	s := NewSpace()
	for pattern, want := range map[string]string{
		"*": "", "?*": "x", "a?c*": "axc", "*?b": "xb",
	} {
		if got, _ := s.word(s.build([][]token{tokensOf(pattern)}, false)); got != want {
			t.Errorf("the word of %q is %q, want %q", pattern, got, want)
		}
	}
	if got, _ := s.word(s.minus(s.build([][]token{tokensOf("?")}, false), s.build([][]token{chars("x")}, false))); got != "a" {
		t.Errorf("one character but x: %q", got)
	}
}

func TestFoldingMatchesEitherCase(t *testing.T) {
	s := NewSpace()
	l := s.build([][]token{append(chars("Ab"), token{kind: run})}, true)
	for text, want := range map[string]bool{"ab": true, "AB": true, "aBx": true, "b": false, "": false} {
		if l.has(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestTooManyStatesAreRefused(t *testing.T) {
	defer func() {
		if _, ok := recover().(givenUp); !ok {
			t.Error("no end to the states")
		}
	}()
	s := NewSpace()
	s.build([][]token{tokensOf("*a" + strings.Repeat("?", 30))}, false)
}
