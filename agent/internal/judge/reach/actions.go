package reach

import (
	bits64 "math/bits"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"buzon/agent/internal/judge/catalogue"
	"buzon/agent/internal/judge/reach/strset"
	"buzon/agent/policy"
)

// index numbers the actions of the catalogue.
type index struct {
	actions []catalogue.Action
	ranges  map[string][2]int32 // of each service
	kinds   []int32             // of each action: the number of its list of resource types
	keys    []int32             // of each action: the number of its list of condition keys
}

var actionIndex = sync.OnceValue(func() *index {
	x := &index{actions: catalogue.Match("*"), ranges: map[string][2]int32{}}
	for from := 0; from < len(x.actions); {
		service, to := x.actions[from].Service, from+1
		for to < len(x.actions) && x.actions[to].Service == service {
			to++
		}
		x.ranges[service] = [2]int32{int32(from), int32(to)}
		from = to
	}
	x.kinds = numbered(x.actions, func(a *catalogue.Action) *catalogue.ResourceType { return first(a.Resources) })
	x.keys = numbered(x.actions, func(a *catalogue.Action) *string { return first(a.Keys) })
	return x
})

// number finds an action by its name in lower case; -1 where the catalogue doesn't
// know it.
func (x *index) number(lower string) int32 {
	if i, ok := catalogue.Position(lower); ok {
		return int32(i)
	}
	return -1
}

// first tells lists of the catalogue apart, which shares equal ones.
func first[T any](list []T) *T {
	if len(list) == 0 {
		return nil
	}
	return &list[0]
}

// numbered gives the same number to actions that share a list.
func numbered[T any](actions []catalogue.Action, list func(*catalogue.Action) *T) []int32 {
	out := make([]int32, len(actions))
	seen := map[*T]int32{}
	for i := range actions {
		at := list(&actions[i])
		n, ok := seen[at]
		if !ok {
			n = int32(len(seen))
			seen[at] = n
		}
		out[i] = n
	}
	return out
}

// actionSet is a set of actions of the catalogue, and, by patterns, of those that
// it doesn't know.
type actionSet struct {
	known    []uint64
	patterns [][]strset.Token // of a statement: folded, over the whole name
	shown    []string         // the patterns as they are written
	not      bool
	all      bool
}

func (s *actionSet) join(o actionSet) {
	if s.known == nil {
		s.known = make([]uint64, len(o.known))
	}
	for i, w := range o.known {
		s.known[i] |= w
	}
}

// each goes through the known actions in their order.
func (s *actionSet) each(do func(i int32)) {
	for at, word := range s.known {
		for ; word != 0; word &= word - 1 {
			do(int32(at*64 + bits64.TrailingZeros64(word)))
		}
	}
}

func (s *actionSet) has(i int32) bool { return s.known[i/64]>>(i%64)&1 == 1 }

// actionsOf is the set of actions that a statement matches, under its reading. A
// symbol of a template in the name of an action can be any text.
func (s *Space) actionsOf(st *stmt) actionSet {
	x := actionIndex()
	set := actionSet{known: make([]uint64, (len(x.actions)+63)/64), not: st.st.NotAction, all: st.all}
	fill := func() {
		for i := range set.known {
			set.known[i] = ^uint64(0)
		}
		if extra := len(x.actions) % 64; extra > 0 {
			set.known[len(set.known)-1] = 1<<extra - 1
		}
	}
	if st.all {
		fill()
		return set
	}
	b := st.b
	if set.not {
		b = may + must - b
	}
	for _, text := range st.st.Actions {
		pattern := lower(text.Value)
		if pattern == "*:*" {
			pattern = "*"
		}
		if policy.HasSymbol(pattern) {
			if b == must {
				continue
			}
			pattern = strings.Map(func(r rune) rune {
				if policy.IsSymbol(r) {
					return '*'
				}
				return r
			}, pattern)
		}
		set.patterns, set.shown = append(set.patterns, s.tokensOf(pattern)), append(set.shown, text.Value)
		if pattern == "*" {
			fill()
			continue
		}
		for _, i := range s.matching(pattern) {
			set.known[i/64] |= 1 << (i % 64)
		}
	}
	if set.not {
		for i := range set.known {
			set.known[i] = ^set.known[i]
		}
		if extra := len(x.actions) % 64; extra > 0 {
			set.known[len(set.known)-1] &= 1<<extra - 1
		}
	}
	return set
}

// tokensOf are the tokens of a pattern of actions, which many statements share.
func (s *Space) tokensOf(pattern string) []strset.Token {
	list, ok := s.tokens[pattern]
	if !ok {
		list = globTokens(pattern)
		if len(s.tokens) == mostPatterns {
			clear(s.tokens)
		}
		s.tokens[pattern] = list
	}
	return list
}

// matching lists the numbers of the actions that a pattern covers.
func (s *Space) matching(pattern string) []int32 {
	if list, ok := s.actions[pattern]; ok {
		return list
	}
	x := actionIndex()
	list := []int32{}
	prefix, rest, _ := strings.Cut(pattern, ":")
	switch {
	case !strings.ContainsAny(pattern, "*?"):
		if i := x.number(pattern); i >= 0 {
			list = append(list, i)
		}
	case !strings.ContainsAny(prefix, "*?"):
		r, tokens := x.ranges[prefix], globTokens(rest)
		all := strings.Trim(rest, "*") == ""
		plain := rest[:strings.IndexAny(rest, "*?")]
		for i := r[0]; i < r[1]; i++ {
			name := x.actions[i].Lower[len(prefix)+1:]
			if all || strings.HasPrefix(name, plain) && globs(tokens, name) {
				list = append(list, i)
			}
		}
	default:
		tokens := globTokens(pattern)
		s.count(len(x.actions) / 16)
		for i := range x.actions {
			if globs(tokens, x.actions[i].Lower) {
				list = append(list, int32(i))
			}
		}
	}
	if len(s.actions) == mostPatterns {
		clear(s.actions)
	}
	s.actions[pattern] = list
	return list
}

// globs matches a list of tokens against a text, going back to the last run.
func globs(list []strset.Token, text string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(text) {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(text[i:])
		}
		switch {
		case p < len(list) && list[p].Kind == strset.Run:
			star, mark = p, i
			p++
		case p < len(list) && (list[p].Kind == strset.One || list[p].R == r):
			p++
			i += size
		case star >= 0:
			_, size := utf8.DecodeRuneInString(text[mark:])
			mark += size
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(list) && list[p].Kind == strset.Run {
		p++
	}
	return p == len(list)
}

// matches tells whether the set has an action, given by its number or, where the
// catalogue doesn't know it, by its name in lower case.
func (s *actionSet) matches(a *asked) bool {
	if a.number >= 0 {
		return s.has(a.number)
	}
	if s.all {
		return true
	}
	for _, p := range s.patterns {
		if globs(p, a.lower) {
			return !s.not
		}
	}
	return s.not
}

// asked is one action of a question: of the catalogue, or an invented name.
type asked struct {
	name   string // as the question has it, for the answer
	lower  string
	shown  string // as a witness names it
	number int32  // -1 if the catalogue doesn't know it
}

// asked is an action of the catalogue.
func (x *index) asked(i int32) asked {
	a := &x.actions[i]
	return asked{name: a.Name, lower: a.Lower, shown: a.Name, number: i}
}

func (a *asked) entry() *catalogue.Action {
	if a.number < 0 {
		return nil
	}
	return &actionIndex().actions[a.number]
}

// exampleRank ranks actions as examples: the well known ones, then the shortest.
func exampleRank(a *asked) int {
	switch a.shown[0] { // most names are told apart by their first letter
	case 's', 'i', 'k', 'e':
		if i := slices.Index(wellKnown, a.shown); i >= 0 {
			return i - len(wellKnown)
		}
	}
	return len(a.shown)
}

// wellKnown are the actions that tell a reader most, the best first.
var wellKnown = []string{
	"s3:GetObject", "s3:DeleteObject", "s3:ListBucket", "s3:PutObject", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration",
	"iam:AttachUserPolicy", "iam:PutUserPolicy", "iam:PassRole", "sts:AssumeRole", "kms:Decrypt", "ec2:RunInstances",
}
