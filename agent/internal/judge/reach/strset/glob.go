package strset

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Token is one step of a pattern.
type Token struct {
	Kind tokenKind
	R    rune   // of a char
	But  string // characters that one and run don't match
}

// tokenKind says what a step of a pattern matches.
type tokenKind uint8

// The steps.
const (
	Char tokenKind = iota + 1 // exactly r (with fold: in any case)
	One                       // one character
	Run                       // any number of characters, also none
)

// Chars are the tokens of a literal text.
func Chars(text string) []Token {
	list := make([]Token, 0, len(text))
	for _, r := range text {
		list = append(list, Token{Kind: Char, R: r})
	}
	return list
}

// Build makes the set of texts that match one of the token lists; fold makes
// letters match in either case.
func (s *Space) Build(lists [][]Token, fold bool) *Set {
	b := builder{space: s, fold: fold, number: map[string]int32{}}
	for _, list := range lists {
		b.starts = append(b.starts, int32(len(b.tokens)))
		b.tokens = append(b.tokens, list...)
		b.tokens = append(b.tokens, Token{}) // the end of this list
	}
	return s.minimal(b.automaton())
}

// builder is the subset construction; a place is an index into tokens.
type builder struct {
	space  *Space
	fold   bool
	tokens []Token
	starts []int32
	number map[string]int32
	todo   [][]int32
	places []int32 // room for those of one step
	key    []byte
}

// find numbers a set of places, first adding those that are reached by letting a
// run match nothing.
func (b *builder) find(places []int32) int32 {
	for i := 0; i < len(places); i++ {
		if b.tokens[places[i]].Kind == Run {
			places = append(places, places[i]+1)
		}
	}
	if len(places) == 0 {
		return dead
	}
	slices.Sort(places)
	places = slices.Compact(places)
	key := b.key[:0]
	for _, p := range places {
		key = binary.AppendUvarint(key, uint64(p))
	}
	b.key = key
	n, ok := b.number[string(key)]
	if !ok {
		b.space.spend(len(b.todo))
		n = int32(len(b.todo))
		b.number[string(key)] = n
		b.todo = append(b.todo, slices.Clone(places))
	}
	return n
}

func (b *builder) automaton() *automaton {
	out := &b.space.combined
	out.empty()
	if len(b.starts) == 0 {
		return out
	}
	b.find(slices.Clone(b.starts))
	var named []rune
	for i := 0; i < len(b.todo); i++ {
		places := b.todo[i]
		named = named[:0]
		accept := false
		for _, p := range places {
			switch t := b.tokens[p]; t.Kind {
			case Char:
				named = append(named, t.R)
				if b.fold {
					for r := unicode.SimpleFold(t.R); r != t.R; r = unicode.SimpleFold(r) {
						named = append(named, r)
					}
				}
			case One, Run:
				for _, r := range t.But {
					named = append(named, r)
				}
			default:
				accept = true
			}
		}
		slices.Sort(named)
		named = slices.Compact(named)
		out.add(accept, b.find(b.step(places, dead)))
		for _, r := range named {
			out.lead(r, b.find(b.step(places, r)))
		}
	}
	return out
}

// step lists where the places lead on a character; on dead, which is none, on
// every character that isn't named. The next step overwrites the list.
func (b *builder) step(places []int32, r rune) []int32 {
	to := b.places[:0]
	for _, p := range places {
		switch t := &b.tokens[p]; t.Kind {
		case Char:
			if r == t.R || b.fold && r != dead && sameFold(r, t.R) {
				to = append(to, p+1)
			}
		case One, Run:
			if r != dead && strings.ContainsRune(t.But, r) {
				continue
			}
			if t.Kind == One {
				to = append(to, p+1)
			} else {
				to = append(to, p)
			}
		}
	}
	b.places = to
	return to
}

func sameFold(a, b rune) bool {
	for r := unicode.SimpleFold(a); r != a; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return a == b
}

// Glob makes the set of one token list, and remembers it.
func (s *Space) Glob(list []Token, fold bool) *Set {
	key := make([]byte, 0, 2*len(list)+8)
	if fold {
		key = append(key, 'f')
	}
	for _, t := range list {
		switch t.Kind {
		case Char:
			if t.R == 0 || t.R == 1 || t.R == 2 {
				key = append(key, 2)
			}
			key = append(key, string(t.R)...)
		case One, Run:
			key = append(key, byte(t.Kind-One))
			key = strconv.AppendInt(key, int64(len(t.But)), 10)
			key = append(key, t.But...)
		}
	}
	if l, ok := s.globs[string(key)]; ok {
		return l
	}
	l := s.Build([][]Token{list}, fold)
	s.hold(1 + len(key)/16)
	s.globs[string(key)] = l
	return l
}

// WordsOf is the set of texts of one or more of these letters.
func (s *Space) WordsOf(letters string) *Set {
	sorted := []rune(letters)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	var out automaton
	for i := range 2 {
		out.add(i == 1, dead)
		for _, r := range sorted {
			out.lead(r, 1)
		}
	}
	return s.minimal(&out)
}
