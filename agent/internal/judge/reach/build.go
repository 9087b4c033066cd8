package reach

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode"
)

// token is one step of a pattern.
type token struct {
	kind tokenKind
	r    rune   // of a char
	but  string // characters that one and run don't match
}

type tokenKind uint8

const (
	char tokenKind = iota + 1 // exactly r (with fold: in any case)
	one                       // one character
	run                       // any number of characters, also none
)

// chars are the tokens of a literal text.
func chars(text string) []token {
	list := make([]token, 0, len(text))
	for _, r := range text {
		list = append(list, token{kind: char, r: r})
	}
	return list
}

// build makes the set of texts that match one of the token lists; fold makes
// letters match in either case.
func (s *Space) build(lists [][]token, fold bool) *lang {
	b := builder{space: s, fold: fold, number: map[string]int32{}}
	for _, list := range lists {
		b.starts = append(b.starts, int32(len(b.tokens)))
		b.tokens = append(b.tokens, list...)
		b.tokens = append(b.tokens, token{}) // the end of this list
	}
	return s.minimal(b.states())
}

// builder is the subset construction; a place is an index into tokens.
type builder struct {
	space  *Space
	fold   bool
	tokens []token
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
		if b.tokens[places[i]].kind == run {
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

func (b *builder) states() []state {
	if len(b.starts) == 0 {
		return nil
	}
	b.find(slices.Clone(b.starts))
	var out []state
	var named []rune
	for i := 0; i < len(b.todo); i++ {
		places := b.todo[i]
		named = named[:0]
		var st state
		for _, p := range places {
			switch t := b.tokens[p]; t.kind {
			case char:
				named = append(named, t.r)
				if b.fold {
					for r := unicode.SimpleFold(t.r); r != t.r; r = unicode.SimpleFold(r) {
						named = append(named, r)
					}
				}
			case one, run:
				for _, r := range t.but {
					named = append(named, r)
				}
			default:
				st.accept = true
			}
		}
		slices.Sort(named)
		named = slices.Compact(named)
		st.other = b.find(b.step(places, dead))
		for _, r := range named {
			if to := b.find(b.step(places, r)); to != st.other {
				st.edges = append(st.edges, edge{r, to})
			}
		}
		out = append(out, st)
	}
	return out
}

// step lists where the places lead on a character; on dead, which is none, on
// every character that isn't named. The next step overwrites the list.
func (b *builder) step(places []int32, r rune) []int32 {
	to := b.places[:0]
	for _, p := range places {
		switch t := &b.tokens[p]; t.kind {
		case char:
			if r == t.r || b.fold && r != dead && sameFold(r, t.r) {
				to = append(to, p+1)
			}
		case one, run:
			if r != dead && strings.ContainsRune(t.but, r) {
				continue
			}
			if t.kind == one {
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
