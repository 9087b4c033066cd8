package strset

// Set is a regular set of texts, as the minimal deterministic automaton over
// characters. Numbering is canonical, so that a Space holds each set once and equal
// sets are equal pointers.
type Set struct {
	automaton
	id uint32
}

// Empty tells whether a set holds nothing.
func (l *Set) Empty() bool { return len(l.states) == 0 }

// Has tells whether a text is in the set.
func (l *Set) Has(text string) bool {
	if l.Empty() {
		return false
	}
	at := int32(0)
	for _, r := range text {
		if at = l.next(at, r); at == dead {
			return false
		}
	}
	return l.states[at].accept
}

// Space keeps sets of texts, what was computed with them, and the patterns that
// they were made from. It may not be used by two goroutines at once.
type Space struct {
	limit    int // of states before minimisation
	spent    int // states made since the work began
	tick     func(work int)
	sets     uint32 // made so far, each with a number
	held     int    // states in interned, and what else is remembered
	interned map[string]*Set
	memo     map[memoKey]*Set
	empty    map[memoKey]bool // whether a result is, where it wasn't made
	globs    map[string]*Set
	named    map[string]*Set
	examples map[*Set]example

	None, Any *Set // the empty set, and that of all texts

	// Room for what is made and thrown away, again and again.
	key                     []byte
	combined, trimmed, made automaton
	pairs                   product
	refine                  refinement
}

type memoKey struct {
	op   operation
	a, b uint32
}

type operation uint8

const (
	opAnd operation = iota
	opOr
	opMinus
)

// lost tells whether nothing can be accepted any more from a pair of states.
func (op operation) lost(p pair) bool {
	switch op {
	case opAnd:
		return p.a == dead || p.b == dead
	case opOr:
		return p.a == dead && p.b == dead
	case opMinus:
	}
	return p.a == dead
}

// accepts combines whether two states accept.
func (op operation) accepts(a, b bool) bool {
	switch op {
	case opAnd:
		return a && b
	case opOr:
		return a || b
	case opMinus:
	}
	return a && !b
}

// OverBudget is what a computation panics with that would grow beyond the limit:
// whoever asks recovers it, and has no answer.
type OverBudget struct{}

// fullAutomata is how many automata of the full size a piece of work may build in
// all, or as many states in smaller ones.
const fullAutomata = 50

// Begin starts a piece of work: no automaton may have more states than limit before
// it is minimised, and all together not more than fifty such. Every state is told to
// tick, which may panic to end the work.
func (s *Space) Begin(limit int, tick func(work int)) { s.limit, s.spent, s.tick = limit, 0, tick }

// spend counts one more state beside those that an automaton has.
func (s *Space) spend(states int) {
	if s.tick != nil {
		s.tick(1)
	}
	if s.spent++; states >= s.limit || s.spent > fullAutomata*s.limit {
		panic(OverBudget{})
	}
}

// defaultLimit is the limit of a space of which no work was begun.
const defaultLimit = 20_000

// New makes an empty space.
func New() *Space {
	s := &Space{limit: defaultLimit, None: &Set{}, Any: &Set{id: 1}, sets: 2}
	s.Any.add(true, 0)
	s.forget()
	return s
}

// mostHeld is how many states, results and patterns a space holds in all before it
// forgets them: ten to twenty megabytes.
const mostHeld = 200_000

// hold counts what is about to be remembered.
func (s *Space) hold(n int) {
	if s.held += n; s.held > mostHeld {
		s.forget()
		s.held = n
	}
}

// forget leaves what was computed to whoever still uses it, so that a space doesn't
// grow for ever. Sets of before and after stay good for one another: only the same
// set made twice, before and after, is two pointers.
func (s *Space) forget() {
	s.held = 0
	s.interned, s.memo, s.empty = map[string]*Set{}, map[memoKey]*Set{}, map[memoKey]bool{}
	s.globs, s.named, s.examples = map[string]*Set{}, map[string]*Set{}, map[*Set]example{}
	for _, l := range []*Set{s.None, s.Any} {
		s.interned[string(l.appendKey(nil))] = l
	}
}

// intern returns the one Set with this automaton, which must be minimal and in
// canonical order. It keeps a copy.
func (s *Space) intern(a *automaton) *Set {
	s.key = a.appendKey(s.key[:0])
	if l, ok := s.interned[string(s.key)]; ok {
		return l
	}
	s.hold(1 + len(a.states))
	l := &Set{a.copied(), s.sets}
	s.sets++
	s.interned[string(s.key)] = l
	return l
}

// Named is the set of a name, made when it is first asked for.
func (s *Space) Named(name string, build func() *Set) *Set {
	l, ok := s.named[name]
	if !ok {
		l = build()
		s.hold(1 + len(name)/16)
		s.named[name] = l
	}
	return l
}

// And is what both sets hold.
func (s *Space) And(a, b *Set) *Set {
	switch {
	case a == b || b == s.Any:
		return a
	case a == s.Any:
		return b
	case a.Empty() || b.Empty():
		return s.None
	}
	if a.id > b.id {
		a, b = b, a
	}
	return s.combine(opAnd, a, b)
}

// Or is what one of two sets holds.
func (s *Space) Or(a, b *Set) *Set {
	switch {
	case a == b || b.Empty():
		return a
	case a.Empty():
		return b
	case a == s.Any || b == s.Any:
		return s.Any
	}
	if a.id > b.id {
		a, b = b, a
	}
	return s.combine(opOr, a, b)
}

// Minus is what a holds and b does not.
func (s *Space) Minus(a, b *Set) *Set {
	switch {
	case a == b || a.Empty() || b == s.Any:
		return s.None
	case b.Empty():
		return a
	}
	return s.combine(opMinus, a, b)
}

// Not is every text that a set does not hold.
func (s *Space) Not(a *Set) *Set { return s.Minus(s.Any, a) }

// Union joins many sets, the small ones first.
func (s *Space) Union(list []*Set) *Set {
	for len(list) > 1 {
		var half []*Set
		for i := 0; i+1 < len(list); i += 2 {
			half = append(half, s.Or(list[i], list[i+1]))
		}
		if len(list)%2 == 1 {
			half = append(half, list[len(list)-1])
		}
		list = half
	}
	if len(list) == 0 {
		return s.None
	}
	return list[0]
}

// combine runs two automata side by side.
func (s *Space) combine(op operation, a, b *Set) *Set {
	key := memoKey{op, a.id, b.id}
	if l, ok := s.memo[key]; ok {
		return l
	}
	l := s.sideBySide(op, a, b)
	s.hold(1)
	s.memo[key] = l
	return l
}

func (s *Space) sideBySide(op operation, a, b *Set) *Set {
	pairs := &s.pairs
	pairs.begin(len(a.states), len(b.states))
	none, isA, isB := true, true, true // the result is nothing, or one of the two
	find := func(p pair) int32 {
		lost := op.lost(p)
		isA, isB = isA && lost == (p.a == dead), isB && lost == (p.b == dead)
		if lost {
			return dead
		}
		n, ok := pairs.find(p)
		if !ok {
			s.spend(len(pairs.todo))
			n = pairs.add(p)
		}
		return n
	}
	out := &s.combined
	out.empty()
	find(pair{0, 0})
	for i := 0; i < len(pairs.todo); i++ {
		p := pairs.todo[i]
		x, y := a.accepts(p.a), b.accepts(p.b)
		accept := op.accepts(x, y)
		none, isA, isB = none && !accept, isA && accept == x, isB && accept == y
		step := stepsOf(a, b, p)
		out.add(accept, find(step.to))
		for step.next() {
			out.lead(step.r, find(step.to))
		}
	}
	switch {
	case none:
		return s.None
	case isA:
		return a
	case isB:
		return b
	}
	return s.minimal(out)
}

// lacks tells whether the result of an operation is empty, without making it.
func (s *Space) lacks(op operation, a, b *Set) bool {
	key := memoKey{op, a.id, b.id}
	if l, ok := s.memo[key]; ok {
		return l.Empty()
	}
	if is, ok := s.empty[key]; ok {
		return is
	}
	is := s.findsNone(op, a, b)
	s.hold(1)
	s.empty[key] = is
	return is
}

func (s *Space) findsNone(op operation, a, b *Set) bool {
	pairs := &s.pairs
	pairs.begin(len(a.states), len(b.states))
	some := false
	visit := func(p pair) {
		if op.lost(p) {
			return
		}
		if _, ok := pairs.find(p); ok {
			return
		}
		s.spend(len(pairs.todo))
		pairs.add(p)
		// From every state something is accepted.
		some = some || op == opMinus && p.b == dead || op.accepts(a.accepts(p.a), b.accepts(p.b))
	}
	visit(pair{0, 0})
	for i := 0; i < len(pairs.todo) && !some; i++ {
		step := stepsOf(a, b, pairs.todo[i])
		visit(step.to)
		for !some && step.next() {
			visit(step.to)
		}
	}
	return !some
}

// steps goes through the characters that one of two states names. Before the first, to
// is where all others lead.
type steps struct {
	x, y  []edge
	other pair
	r     rune
	to    pair
}

func stepsOf(a, b *Set, p pair) steps {
	other := pair{a.other(p.a), b.other(p.b)}
	return steps{x: a.of(p.a), y: b.of(p.b), other: other, to: other}
}

func (s *steps) next() bool {
	s.to = s.other
	switch {
	case len(s.x) == 0 && len(s.y) == 0:
		return false
	case len(s.y) == 0 || len(s.x) > 0 && s.x[0].r < s.y[0].r:
		s.r, s.to.a = s.x[0].r, s.x[0].to
		s.x = s.x[1:]
	case len(s.x) == 0 || s.y[0].r < s.x[0].r:
		s.r, s.to.b = s.y[0].r, s.y[0].to
		s.y = s.y[1:]
	default:
		s.r, s.to.a, s.to.b = s.x[0].r, s.x[0].to, s.y[0].to
		s.x, s.y = s.x[1:], s.y[1:]
	}
	return true
}

// Disjoint tells whether no text is in both sets, without building what they
// share.
func (s *Space) Disjoint(a, b *Set) bool {
	if a.Empty() || b.Empty() {
		return true
	}
	if a == b || a == s.Any || b == s.Any {
		return false
	}
	if a.id > b.id {
		a, b = b, a
	}
	return s.lacks(opAnd, a, b)
}

// Within tells whether a is part of b, without building what is not.
func (s *Space) Within(a, b *Set) bool {
	if a == b || a.Empty() || b == s.Any {
		return true
	}
	return !b.Empty() && s.lacks(opMinus, a, b)
}

// Concat is the set of texts that begin with a prefix and go on with a member.
func (s *Space) Concat(prefix string, l *Set) *Set {
	if l.Empty() {
		return l
	}
	var out automaton
	n := int32(0)
	for _, r := range prefix {
		n++
		out.add(false, dead)
		out.lead(r, n)
	}
	out.shifted(&l.automaton)
	return s.minimal(&out)
}

// shifted appends the states of another automaton, moving their numbers.
func (a *automaton) shifted(b *automaton) {
	by := int32(len(a.states))
	move := func(to int32) int32 {
		if to == dead {
			return dead
		}
		return to + by
	}
	for i := range b.states {
		a.add(b.states[i].accept, move(b.states[i].other))
		for _, e := range b.of(int32(i)) {
			a.lead(e.r, move(e.to))
		}
	}
}

// Join is the set of texts of a member of a, a character that no member of a
// holds, and a member of b.
func (s *Space) Join(a *Set, r rune, b *Set) *Set {
	var out automaton
	n := int32(len(a.states))
	for i := range a.states {
		st := &a.states[i]
		out.add(false, st.other)
		led := !st.accept
		for _, e := range a.of(int32(i)) {
			if !led && e.r > r {
				out.lead(r, n)
				led = true
			}
			out.lead(e.r, e.to)
		}
		if !led {
			out.lead(r, n)
		}
	}
	out.shifted(&b.automaton)
	return s.minimal(&out)
}

// After is the set of texts that follow a prefix in the members of a set.
func (s *Space) After(prefix string, l *Set) *Set {
	if l.Empty() {
		return l
	}
	at := int32(0)
	for _, r := range prefix {
		if at = l.next(at, r); at == dead {
			return s.None
		}
	}
	if at == 0 {
		return l
	}
	// Turn the numbering round so that the walk starts here; what isn't reached
	// from here is left behind by the walk.
	swap := func(to int32) int32 {
		switch to {
		case 0:
			return at
		case at:
			return 0
		}
		return to
	}
	var out automaton
	for i := range l.states {
		from := swap(int32(i))
		out.add(l.states[from].accept, swap(l.states[from].other))
		for _, e := range l.of(from) {
			out.lead(e.r, swap(e.to))
		}
	}
	return s.minimal(&out)
}
