package reach

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"buzon/agent/internal/judge/catalogue"
	"buzon/agent/internal/judge/reach/strset"
)

// translations are the lists of names that were asked for, with the numbers of
// the actions. The same long lists are asked for again and again, whole or with
// some names left out; comparing them is cheaper than looking each name up.
type translations struct {
	mu    sync.Mutex
	lists []translated
}

type translated struct {
	names   []string
	numbers []int32 // -1 where the catalogue doesn't know the name
}

// askedBefore are the lists of this process. It is safe for several goroutines.
var askedBefore translations

// translationsKept is how many lists are remembered; short ones never are.
const (
	translationsKept = 32
	shortList        = 100
)

// numbersOf turns names into numbers.
func numbersOf(names []string) []int32 {
	if len(names) > shortList {
		if numbers := askedBefore.find(names); numbers != nil {
			return numbers
		}
	}
	x := actionIndex()
	t := translated{slices.Clone(names), make([]int32, len(names))}
	next := int32(0) // of the catalogue's action after the last, which a list in its order goes on with
	for i, name := range names {
		n := next
		if int(n) >= len(x.actions) || x.actions[n].Name != name {
			n = x.number(lower(name))
		}
		if t.numbers[i] = n; n >= 0 {
			next = n + 1
		}
	}
	if len(names) > shortList {
		askedBefore.keep(t)
	}
	return t.numbers
}

func (l *translations) find(names []string) []int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.lists {
		if t := l.lists[i]; len(t.names) == len(names) && slices.Equal(t.names, names) {
			copy(l.lists[1:], l.lists[:i]) // those that are asked for most stay in front
			l.lists[0] = t
			return t.numbers
		}
	}
	for i := range l.lists {
		if numbers := l.lists[i].partly(names); numbers != nil {
			return numbers
		}
	}
	return nil
}

func (l *translations) keep(t translated) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lists) == translationsKept {
		l.lists = l.lists[:translationsKept-1]
	}
	l.lists = append(l.lists, t)
}

// partly finds names in their order among those of a longer list; nil where they
// aren't all there.
func (t *translated) partly(names []string) []int32 {
	if len(names) > len(t.names) {
		return nil
	}
	out := make([]int32, len(names))
	at := 0
	for i, name := range names {
		for at < len(t.names) && t.names[at] != name {
			at++
		}
		if at == len(t.names) {
			return nil
		}
		out[i] = t.numbers[at]
		at++
	}
	return out
}

// ask turns the names of a question into actions; names that nothing allows are
// left out.
func (v *view) ask(names []string) []asked {
	x := actionIndex()
	if names == nil {
		var list []asked
		for i := range x.actions {
			if v.mayAllow(int32(i)) {
				list = append(list, x.asked(int32(i)))
			}
		}
		for _, service := range catalogue.Services() {
			list = append(list, v.tomorrow(service)...)
		}
		return append(list, v.tomorrow("")...)
	}
	numbers := numbersOf(names)
	known := 0 // most questions are about twenty thousand, of which few are left
	for _, n := range numbers {
		if n >= 0 && v.mayAllow(n) {
			known++
		}
	}
	list := make([]asked, 0, known)
	for i, n := range numbers {
		switch name := names[i]; {
		case n >= 0:
			if v.mayAllow(n) {
				list = append(list, x.asked(n))
			}
		case name == catalogue.UnknownService:
			list = append(list, v.tomorrow("")...)
		case strings.HasSuffix(name, ":~"):
			list = append(list, v.tomorrow(strings.TrimSuffix(name, ":~"))...)
		default:
			list = append(list, asked{name: name, lower: lower(name), shown: name, number: -1})
		}
	}
	return list
}

// mayAllow tells whether some Allow matches an action of the catalogue.
func (v *view) mayAllow(i int32) bool {
	return v.allows.known != nil && v.allows.has(i) || v.e.root
}

// futures are the patterns of all statements that part the names of a service
// which the catalogue doesn't know.
type futures struct {
	sweeping bool                // some Allow covers every service
	whole    map[string]bool     // services that some Allow covers wholly
	parts    map[string][]future // by service
	across   []future            // over several services
}

// future is a pattern of one statement.
type future struct {
	stmt   int
	tokens []strset.Token
	text   string
	sample string // what a name of its kind could be, without the service
}

func (v *view) futuresOf() *futures {
	if v.futures != nil {
		return v.futures
	}
	f := &futures{whole: map[string]bool{}, parts: map[string][]future{}}
	v.futures = f
	for j, st := range v.stmts {
		allow := st.allow && !st.gone
		if allow && (st.all || st.actions.not) {
			f.sweeping = true
		}
		for k, p := range st.actions.patterns {
			text := tokenText(p)
			prefix, rest, colon := strings.Cut(text, ":")
			switch {
			case !colon:
				f.sweeping = f.sweeping || allow // "*": every name alike
				continue
			case strings.ContainsAny(prefix, "*?"):
			case strings.Trim(rest, "*") == "":
				f.whole[prefix] = f.whole[prefix] || allow
				if _, known := actionIndex().ranges[prefix]; known {
					continue // every name of the service alike
				}
			case !strings.ContainsAny(rest, "*?") && knownAction(text):
				continue // no name of tomorrow
			}
			_, shown, _ := strings.Cut(st.actions.shown[k], ":")
			part := future{stmt: j, tokens: p, text: text, sample: strings.NewReplacer("*", "Tomorrow", "?", "X").Replace(shown)}
			if strings.Trim(rest, "*") == "" {
				part.sample = "ActionOfTomorrow"
			}
			if strings.ContainsAny(prefix, "*?") {
				f.across = append(f.across, part)
			} else {
				f.parts[prefix] = append(f.parts[prefix], part)
			}
		}
	}
	return f
}

func knownAction(name string) bool {
	return actionIndex().number(name) >= 0
}

// tomorrow invents an action for every class of names that the catalogue doesn't
// know and that the statements treat alike: of one service, or, with "", of a
// service that isn't in the catalogue. Classes that no Allow matches are left
// out.
func (v *view) tomorrow(service string) []asked {
	f := v.futuresOf()
	symbol, first := catalogue.Tomorrow(service), service
	parts := slices.Concat(f.across, f.parts[service])
	if service == "" {
		symbol, first = catalogue.UnknownService, "service-of-tomorrow"
		for name, list := range f.parts {
			if _, known := actionIndex().ranges[name]; !known {
				parts = append(parts, list...)
			}
		}
		slices.SortStableFunc(parts, func(a, b future) int {
			return cmp.Or(cmp.Compare(a.stmt, b.stmt), strings.Compare(a.text, b.text))
		})
	}
	allows := func(p future) bool { return v.stmts[p.stmt].allow && !v.stmts[p.stmt].gone }
	if !f.sweeping && !f.whole[service] && !v.e.root && !slices.ContainsFunc(parts, allows) {
		return nil
	}
	var list []asked
	for _, shown := range v.newNames(service, first, parts) {
		a := asked{name: symbol, lower: lower(shown), shown: shown, number: -1}
		if v.e.root || slices.ContainsFunc(v.stmts, func(st *stmt) bool {
			return st.allow && !st.gone && st.actions.matches(&a)
		}) {
			list = append(list, a)
		}
	}
	return list
}

// newNames finds a name for each class.
func (v *view) newNames(service, first string, parts []future) []string {
	plain := first + ":ActionOfTomorrow"
	if len(parts) == 0 {
		return []string{plain}
	}
	samples := []string{plain}
	stmts := 1
	for i, p := range parts {
		name := first
		if service == "" {
			if prefix, _, _ := strings.Cut(p.text, ":"); !strings.ContainsAny(prefix, "*?") {
				name = prefix
			}
		}
		samples = append(samples, name+":"+p.sample)
		if i > 0 && p.stmt != parts[i-1].stmt {
			stmts++
		}
	}
	if stmts == 1 {
		// One statement makes two classes; an example of each is easily found.
		if in, out := v.example(parts, samples, service == "", true), v.example(parts, samples, service == "", false); in != "" && out != "" {
			return []string{in, out}
		}
	}
	s := v.e.space
	var names []string
	for _, c := range s.divided(s.anyName(service), parts) {
		if name, ok := s.newName(c, samples, service == ""); ok {
			names = append(names, name)
		}
	}
	return names
}

// divided are the classes of names between which no statement's patterns can tell.
func (s *Space) divided(all *strset.Set, parts []future) []*strset.Set {
	classes := []*strset.Set{all}
	for from := 0; from < len(parts); {
		to := from
		var lists [][]strset.Token
		for ; to < len(parts) && parts[to].stmt == parts[from].stmt; to++ {
			lists = append(lists, parts[to].tokens)
		}
		from = to
		var ls []*strset.Set
		for _, l := range lists {
			ls = append(ls, s.Glob(l, false))
		}
		l := s.Union(ls)
		var next []*strset.Set
		for _, c := range classes {
			for _, half := range []*strset.Set{s.And(c, l), s.Minus(c, l)} {
				if !half.Empty() {
					next = append(next, half)
				}
			}
		}
		if classes = next; len(classes) > 4*maxAtoms {
			panic(givenUp{OverBudget})
		}
	}
	return classes
}

// example is a sample that the catalogue doesn't know and that one of the patterns
// covers, or none.
func (v *view) example(parts []future, samples []string, newService, covered bool) string {
	for _, name := range samples {
		low := lower(name)
		if fresh(low, newService) && slices.ContainsFunc(parts, func(p future) bool { return globs(p.tokens, low) }) == covered {
			return name
		}
	}
	return ""
}

// fresh tells whether the catalogue doesn't know a name (in lower case) or, where
// that is asked, not even its service.
func fresh(name string, newService bool) bool {
	service, _, _ := strings.Cut(name, ":")
	if _, known := actionIndex().ranges[service]; newService && known {
		return false
	}
	return !knownAction(name)
}

// newName picks a name that the catalogue doesn't know.
func (s *Space) newName(l *strset.Set, samples []string, newService bool) (string, bool) {
	for _, name := range samples {
		if l.Has(lower(name)) && fresh(lower(name), newService) {
			return name, true
		}
	}
	// A pattern without "*" can have few names, and all of them known.
	for range 1000 {
		name, ok := s.Shortest(l)
		if !ok {
			return "", false
		}
		if fresh(name, newService) {
			return name, true
		}
		l = s.Minus(l, s.Glob(strset.Chars(name), false))
		if newService {
			service, _, _ := strings.Cut(name, ":")
			l = s.Minus(l, s.Glob(append(strset.Chars(service+":"), strset.Token{Kind: strset.Run}), false))
		}
	}
	panic(givenUp{OverBudget})
}

func tokenText(list []strset.Token) string {
	var b strings.Builder
	for _, t := range list {
		switch t.Kind {
		case strset.Run:
			b.WriteByte('*')
		case strset.One:
			b.WriteByte('?')
		case strset.Char:
			b.WriteRune(t.R)
		}
	}
	return b.String()
}

// nameChars are what the name of an action is made of.
const nameChars = "abcdefghijklmnopqrstuvwxyz0123456789"

// anyName is every name, in lower case, that an action of a service could have;
// with "", of any service.
func (s *Space) anyName(service string) *strset.Set {
	return s.Named("names of "+service, func() *strset.Set {
		word := func(more string) *strset.Set { return s.WordsOf(nameChars + more) }
		if service != "" {
			return s.Concat(service+":", word("-_."))
		}
		return s.Join(word("-"), ':', word("-_."))
	})
}
