package strset

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// tokensOf reads "*" and "?" of a test's pattern.
func tokensOf(pattern string) []Token {
	var list []Token
	for _, r := range pattern {
		switch r {
		case '*':
			list = append(list, Token{Kind: Run})
		case '?':
			list = append(list, Token{Kind: One})
		case '!': // any but "b"
			list = append(list, Token{Kind: One, But: "b"})
		default:
			list = append(list, Token{Kind: Char, R: r})
		}
	}
	return list
}

// globMatches is the plainest way to match a pattern: by trying.
func globMatches(p []Token, text []rune) bool {
	if len(p) == 0 {
		return len(text) == 0
	}
	if p[0].Kind == Run {
		for i := 0; i <= len(text); i++ {
			if globMatches(p[1:], text[i:]) {
				return true
			}
		}
		return false
	}
	if len(text) == 0 || p[0].Kind == Char && p[0].R != text[0] || p[0].Kind == One && strings.ContainsRune(p[0].But, text[0]) {
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

// same tells whether two sets hold the same, though a space forgot between them.
func (s *Space) same(a, b *Set) bool { return s.intern(&a.automaton) == s.intern(&b.automaton) }

func TestSetsOfTextsAgreeWithMatchingByHand(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	texts := allTexts("abcz", 5)
	s := New()
	n := 0
	for i := range 400 {
		p, q := randomPattern(r), randomPattern(r)
		a, b := s.Build([][]Token{tokensOf(p)}, false), s.Build([][]Token{tokensOf(q)}, false)
		apart, within := s.Disjoint(a, b), s.Within(a, b) // before what they save is made
		if i%3 == 0 {
			s.forget()
		}
		and, or, minus, not := s.And(a, b), s.Or(a, b), s.Minus(a, b), s.Not(a)
		both := s.Build([][]Token{tokensOf(p), tokensOf(q)}, false)
		if !s.same(both, or) {
			t.Fatalf("%q and %q built together differ from their union", p, q)
		}
		if !s.same(s.Not(not), a) || !s.same(s.Or(s.And(a, b), s.Minus(a, b)), a) || !s.same(s.Not(or), s.And(s.Not(a), s.Not(b))) {
			t.Fatalf("the laws of sets fail for %q and %q", p, q)
		}
		if apart != and.Empty() || within != minus.Empty() {
			t.Fatalf("%q and %q: disjoint %v, within %v, against what is built", p, q, apart, within)
		}
		for _, text := range texts {
			n++
			x, y := globMatches(tokensOf(p), []rune(text)), globMatches(tokensOf(q), []rune(text))
			if a.Has(text) != x || b.Has(text) != y || and.Has(text) != (x && y) || or.Has(text) != (x || y) ||
				minus.Has(text) != (x && !y) || not.Has(text) == x {
				t.Fatalf("%q, %q: wrong about %q", p, q, text)
			}
		}
		for _, l := range []*Set{a, and, or, minus, not} {
			if w, ok := s.Shortest(l); ok == l.Empty() || ok && !l.Has(w) {
				t.Fatalf("%q, %q: the word %q, %v of a set that is empty: %v", p, q, w, ok, l.Empty())
			}
		}
	}
	t.Logf("%d comparisons", n)
}

func TestAWordIsShortestAndPlain(t *testing.T) {
	s := New()
	for pattern, want := range map[string]string{
		"*": "", "?*": "x", "a?c*": "axc", "*?b": "xb",
	} {
		if got, _ := s.Shortest(s.Build([][]Token{tokensOf(pattern)}, false)); got != want {
			t.Errorf("the word of %q is %q, want %q", pattern, got, want)
		}
	}
	if got, _ := s.Shortest(s.Minus(s.Build([][]Token{tokensOf("?")}, false), s.Build([][]Token{Chars("x")}, false))); got != "a" {
		t.Errorf("one character but x: %q", got)
	}
}

func TestFoldingMatchesEitherCase(t *testing.T) {
	s := New()
	l := s.Build([][]Token{append(Chars("Ab"), Token{Kind: Run})}, true)
	for text, want := range map[string]bool{"ab": true, "AB": true, "aBx": true, "b": false, "": false} {
		if l.Has(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestTooManyStatesAreRefused(t *testing.T) {
	defer func() {
		if _, ok := recover().(OverBudget); !ok {
			t.Error("no end to the states")
		}
	}()
	s := New()
	s.Build([][]Token{tokensOf("*a" + strings.Repeat("?", 30))}, false)
}

func TestASpaceForgets(t *testing.T) {
	s := New()
	r := rand.New(rand.NewPCG(3, 4))
	before := s.Glob(Chars("kept"), false)
	for range 4 * mostHeld / 50 {
		a := s.Glob(append(Chars(strings.Repeat(string('a'+rune(r.IntN(26))), 40)), Chars(randomPattern(r))...), false)
		s.Or(a, before)
		if s.held > mostHeld {
			t.Fatalf("%d states are held", s.held)
		}
	}
	if n := len(s.interned) + len(s.memo) + len(s.empty) + len(s.globs); n > mostHeld {
		t.Errorf("%d sets and results are held", n)
	}
	// What was made before still goes together with what is made now.
	if now := s.Glob(Chars("kept"), false); !s.Within(now, before) || !s.Within(before, now) || !before.Has("kept") {
		t.Error("sets of before and after differ")
	}
}
