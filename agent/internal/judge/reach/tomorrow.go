package reach

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/catalogue"
)

// namesKey finds a list of names again that was asked for before.
type namesKey struct {
	n           int
	first, last string
}

// translated is a list of names with the numbers of the actions; -1 where the
// catalogue doesn't know the name.
type translated struct {
	names   []string
	numbers []int32
}

// numbersOf turns names into numbers. The same long lists are asked for again
// and again, and comparing them is cheaper than looking each name up.
func (s *Space) numbersOf(names []string) []int32 {
	if len(names) == 0 {
		return nil
	}
	key := namesKey{len(names), names[0], names[len(names)-1]}
	for _, t := range s.names[key] {
		if slices.Equal(t.names, names) {
			return t.numbers
		}
	}
	x := actionIndex()
	t := translated{slices.Clone(names), make([]int32, len(names))}
	for i, name := range names {
		n, ok := x.number[lower(name)]
		if !ok {
			n = -1
		}
		t.numbers[i] = n
	}
	if len(s.names) > 64 {
		clear(s.names)
	}
	s.names[key] = append(s.names[key], t)
	return t.numbers
}

// ask turns the names of a question into actions; names that nothing allows are
// left out.
func (v *view) ask(names []string) []asked {
	x := actionIndex()
	var list []asked
	known := func(i int32) {
		if v.allows.known != nil && v.allows.has(i) || v.e.root {
			name := x.actions[i].Name
			list = append(list, asked{name: name, lower: x.lower[i], shown: name, number: i})
		}
	}
	if names == nil {
		for i := range x.actions {
			known(int32(i))
		}
		for _, service := range catalogue.Services() {
			list = append(list, v.tomorrow(service)...)
		}
		return append(list, v.tomorrow("")...)
	}
	for i, n := range v.e.space.numbersOf(names) {
		switch name := names[i]; {
		case n >= 0:
			known(n)
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

// futures are the patterns of all statements that part the names of a service
// which the catalogue doesn't know.
type futures struct {
	sweeping bool                // some Allow covers every service
	whole    map[string]bool     // services that some Allow covers wholly
	parts    map[string][]future // by service
	across   []future            // over several services
}

type future struct {
	tokens []token
	sample string // what a name of its kind could be, without the service
	allow  bool
}

func (v *view) futuresOf() *futures {
	if v.futures != nil {
		return v.futures
	}
	f := &futures{whole: map[string]bool{}, parts: map[string][]future{}}
	v.futures = f
	for _, st := range v.stmts {
		allow := st.allow && !st.gone
		if allow && (st.all || st.actions.not) {
			f.sweeping = true
		}
		for k, p := range st.actions.patterns {
			prefix, rest, colon := strings.Cut(tokenText(p), ":")
			wild := strings.ContainsAny(rest, "*?")
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
			case !wild && knownAction(prefix+":"+rest):
				continue // no name of tomorrow
			}
			_, shown, _ := strings.Cut(st.actions.shown[k], ":")
			part := future{tokens: p, sample: strings.NewReplacer("*", "Tomorrow", "?", "X").Replace(shown), allow: allow}
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
	_, ok := actionIndex().number[name]
	return ok
}

// tomorrow invents an action for every class of names that the catalogue doesn't
// know and that the statements treat alike: of one service, or, with "", of a
// service that isn't in the catalogue.
func (v *view) tomorrow(service string) []asked {
	f := v.futuresOf()
	symbol, first := catalogue.Tomorrow(service), service
	parts := slices.Concat(f.across, f.parts[service])
	sweeping := f.sweeping || f.whole[service] || v.e.root
	if service == "" {
		symbol, first = catalogue.UnknownService, "service-of-tomorrow"
		for name, list := range f.parts {
			if _, known := actionIndex().ranges[name]; !known {
				parts = append(parts, list...)
			}
		}
		slices.SortStableFunc(parts, func(a, b future) int { return strings.Compare(tokenText(a.tokens), tokenText(b.tokens)) })
	}
	if !sweeping && !slices.ContainsFunc(parts, func(p future) bool { return p.allow }) {
		return nil
	}
	plain := first + ":ActionOfTomorrow"
	if len(parts) == 0 {
		return []asked{{name: symbol, lower: lower(plain), shown: plain, number: -1}}
	}
	s := v.e.space
	// All names, divided by the patterns; of each class one that isn't known.
	type class struct {
		l       *lang
		samples []string
	}
	classes := []class{{s.anyName(service), []string{plain}}}
	seen := map[*lang]bool{}
	for _, p := range parts {
		l := s.glob(p.tokens, false)
		if seen[l] {
			continue
		}
		seen[l] = true
		name := first
		if service == "" {
			if prefix, _, _ := strings.Cut(tokenText(p.tokens), ":"); !strings.ContainsAny(prefix, "*?") {
				name = prefix
			}
		}
		var next []class
		for _, c := range classes {
			if in := s.and(c.l, l); !in.empty() {
				next = append(next, class{in, append([]string{name + ":" + p.sample}, c.samples...)})
			}
			if out := s.minus(c.l, l); !out.empty() {
				next = append(next, class{out, c.samples})
			}
		}
		if classes = next; len(classes) > 4*maxAtoms {
			panic(overBudget{})
		}
	}
	var list []asked
	for _, c := range classes {
		if shown, ok := s.newName(c.l, c.samples, service == ""); ok {
			list = append(list, asked{name: symbol, lower: lower(shown), shown: shown, number: -1})
		}
	}
	return list
}

// newName picks a name that the catalogue doesn't know.
func (s *Space) newName(l *lang, samples []string, newService bool) (string, bool) {
	x := actionIndex()
	fresh := func(name string) bool {
		service, _, _ := strings.Cut(name, ":")
		if _, known := x.ranges[service]; newService && known {
			return false
		}
		return !knownAction(name)
	}
	for _, name := range samples {
		if l.has(lower(name)) && fresh(lower(name)) {
			return name, true
		}
	}
	// A pattern without "*" can have few names, and all of them known.
	for range 1000 {
		name, ok := s.word(l)
		if !ok {
			return "", false
		}
		if fresh(name) {
			return name, true
		}
		l = s.minus(l, s.glob(chars(name), false))
		if newService {
			service, _, _ := strings.Cut(name, ":")
			l = s.minus(l, s.glob(append(chars(service+":"), token{kind: run}), false))
		}
	}
	panic(overBudget{})
}

func tokenText(list []token) string {
	var b strings.Builder
	for _, t := range list {
		switch t.kind {
		case run:
			b.WriteByte('*')
		case one:
			b.WriteByte('?')
		case char:
			b.WriteRune(t.r)
		}
	}
	return b.String()
}

// nameChars are what the name of an action is made of.
const nameChars = "abcdefghijklmnopqrstuvwxyz0123456789"

// anyName is every name, in lower case, that an action of a service could have;
// with "", of any service.
func (s *Space) anyName(service string) *lang {
	key := "names of " + service
	if l, ok := s.shapes[key]; ok {
		return l
	}
	// A word: one state that loops on each of its letters.
	word := func(more string) *lang {
		letters := []rune(nameChars + more)
		slices.Sort(letters)
		states := []state{{other: dead}, {other: dead, accept: true}}
		for _, r := range letters {
			states[0].edges = append(states[0].edges, edge{r, 1})
			states[1].edges = append(states[1].edges, edge{r, 1})
		}
		return s.minimal(states)
	}
	var l *lang
	if service != "" {
		l = s.concat(service+":", word("-_."))
	} else {
		l = s.join(word("-"), ':', word("-_."))
	}
	s.shapes[key] = l
	return l
}
