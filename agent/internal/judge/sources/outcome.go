package sources

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"buzon/agent/policy"
)

// maxOutcomes bounds the outcomes of what templates leave open that are looked at
// one by one.
const maxOutcomes = 256

// deployment is what all templates together say under one outcome.
type deployment struct {
	when    []string
	parts   []*account
	account string // as the outcome says
}

// names gives the characters that stand for what only deployment knows: one for
// each value that may differ from the others, over everything that one Load reads.
type names struct {
	symbols policy.Symbols
	runes   map[string]rune
}

func newNames() *names {
	_, symbols := stranger("/")
	n := &names{symbols: symbols, runes: map[string]rune{}}
	for c := range symbols {
		n.runes[string(c)] = c
	}
	return n
}

// symbol gives the character of a value; key tells it from others, and name shows
// it. It is false where there are no characters left.
func (n *names) symbol(key, name string, open bool) (string, bool) {
	c, ok := n.runes[key]
	if !ok {
		c = policy.FirstSymbol + rune(len(n.runes)) //nolint:gosec // few
		if c >= policy.LastSymbol {
			n.symbols[policy.LastSymbol] = policy.Symbol{Name: "${…}", Open: true}
			return string(policy.LastSymbol), false
		}
		n.runes[key] = c
		n.symbols[c] = policy.Symbol{Name: name, Open: open}
	}
	return string(c), true
}

// other is symbol for a name that is surely not that one.
func (n *names) other(key, name, not string) (string, bool) {
	c, ok := n.symbol(key+"\x00not "+not, name, false)
	if ok {
		n.symbols[[]rune(c)[0]] = policy.Symbol{Name: name, Not: not}
	}
	return c, ok
}

// choices is one outcome: what it takes of the texts that only deployment knows.
type choices struct {
	is   map[string]string   // a text with symbols → its value
	not  map[string][]string // a text with symbols → values that it hasn't
	same map[[2]string]bool  // whether two texts with symbols are equal
}

func (c choices) clone() choices {
	return choices{maps.Clone(c.is), maps.Clone(c.not), maps.Clone(c.same)}
}

// question is what an outcome doesn't say and a template hangs on: which of some
// values a text has, or whether it is the text other.
type question struct {
	text   string
	values []string
	closed bool     // it has one of them
	other  string   // in the place of values
	about  []string // names of parameters that would answer it
}

// answers are the choices that a question splits an outcome into.
func (q question) answers(from choices) []choices {
	var out []choices
	if q.other != "" {
		for _, truth := range []bool{true, false} {
			next := from.clone()
			next.same[[2]string{q.text, q.other}] = truth
			out = append(out, next)
		}
		return out
	}
	for _, v := range q.values {
		next := from.clone()
		next.is[q.text] = v
		out = append(out, next)
	}
	if !q.closed {
		next := from.clone()
		next.not[q.text] = append(slices.Clone(next.not[q.text]), q.values...)
		out = append(out, next)
	}
	return out
}

// when shows the outcome.
func (c choices) when(symbols policy.Symbols) []string {
	var out []string
	show := func(s string) string {
		if s == "" {
			return `""`
		}
		return showSymbols(symbols, s)
	}
	for text, value := range c.is {
		out = append(out, show(text)+" = "+show(value))
	}
	for text, values := range c.not {
		for _, v := range values {
			out = append(out, show(text)+" ≠ "+show(v))
		}
	}
	for pair, equal := range c.same {
		sign := " ≠ "
		if equal {
			sign = " = "
		}
		out = append(out, show(pair[0])+sign+show(pair[1]))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// deployments reads templates together, in every outcome of what they hang on and
// leave open. Where there are too many outcomes, each that was looked at has a gap
// that says so. As a design they are taken to be of the bucket in question.
func (l *loader) deployments(files []string, plans []*templateFile, design bool) ([]deployment, error) {
	var read []*templateFile
	for _, file := range files {
		src, err := l.readTemplate(file)
		if err != nil {
			return nil, err
		}
		read = append(read, src)
	}
	read = append(read, plans...)
	var out []deployment
	var faults, spared policy.Errors
	queue := []choices{{map[string]string{}, map[string][]string{}, map[[2]string]bool{}}}
	for len(queue) > 0 {
		at := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		s := l.newStacks(read, at, len(out)+len(queue)+1)
		s.design = design
		parts := s.accounts()
		found := s.faults()
		if q := s.asked; q != nil {
			next := q.answers(at)
			if len(out)+len(queue)+len(next) <= maxOutcomes {
				slices.Reverse(next)
				queue = append(queue, next...)
				continue
			}
			gap := Gap{Reason: GapOutcomes, What: strings.Join(q.about, ", "), Source: -1}
			parts[0].gaps = append(parts[0].gaps, gap)
			found = at.deployable(found)
		}
		if rest := at.deployable(found); len(found) > 0 {
			faults, spared = append(faults, rest...), append(spared, found...)
			continue
		}
		account, _ := l.names.symbol("AWS::AccountId", "${AWS::AccountId}", false)
		out = append(out, deployment{when: at.when(l.names.symbols), parts: parts, account: at.is[account]})
	}
	if len(out) == 0 {
		faults = spared
	}
	if len(faults) > 0 {
		return nil, sorted(faults)
	}
	return out, nil
}

// deployable leaves out the faults that only say that this outcome is none: what a
// condition took away leaves an element empty, or a value makes of a text what IAM
// refuses.
func (c choices) deployable(faults policy.Errors) policy.Errors {
	var out policy.Errors
	for _, e := range faults {
		none := e.Code == policy.EmptyElement
		for _, value := range c.is {
			got, shown := e.Args["got"]
			none = none || shown && got != "" && strings.Contains(got, value)
		}
		if !none {
			out = append(out, e)
		}
	}
	return out
}

// fingerprint tells two subjects apart that differ in anything judged.
func fingerprint(s *Subject) string {
	var b strings.Builder
	b.WriteString(s.Set.Subject.ARN + "\x00" + s.Set.Bucket + "\x00" + s.Set.BucketAccount + "\x00" + s.Prefix)
	b.WriteString("\x00" + strconv.Itoa(int(s.Versioning)))
	for _, src := range s.Set.Sources {
		b.WriteString("\x00" + string(src.Kind) + "\x00" + src.Attached + "\x00" + src.SHA256)
		if src.Surely != nil {
			b.WriteString("\x00" + string(src.Surely.Document.JSON()))
		}
	}
	for _, g := range s.Gaps {
		b.WriteString("\x00" + string(g.Reason) + g.What)
	}
	for _, a := range s.Assumptions {
		b.WriteString("\x00" + string(a.What))
	}
	return s.Show(b.String())
}

func sorted(faults policy.Errors) policy.Errors {
	slices.SortStableFunc(faults, func(a, b *policy.Error) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		if a.Pos.Line != b.Pos.Line {
			return a.Pos.Line - b.Pos.Line
		}
		return a.Pos.Column - b.Pos.Column
	})
	return slices.CompactFunc(faults, func(a, b *policy.Error) bool {
		return a.File == b.File && a.Pos == b.Pos && a.Code == b.Code && a.Args["name"] == b.Args["name"]
	})
}

// stacks are the templates under one outcome. What one of them exports another
// may import.
type stacks struct {
	list   []*template
	asked  *question // the first that the outcome doesn't answer
	room   int       // outcomes that there may still be
	design bool      // to compare with
}

func (l *loader) newStacks(read []*templateFile, at choices, outcomes int) *stacks {
	s := &stacks{room: maxOutcomes / 4 / outcomes}
	for _, src := range read {
		s.list = append(s.list, l.newTemplate(src, at, s))
	}
	return s
}

// accounts resolves what of the templates bears on rights.
func (s *stacks) accounts() []*account {
	var out []*account
	for _, t := range s.list {
		out = append(out, t.account())
	}
	return out
}

func (s *stacks) faults() policy.Errors {
	var out policy.Errors
	for _, t := range s.list {
		out = append(out, t.faults...)
	}
	return out
}

// ask notes a question. Of those that only would tell more, the ones with few
// enough answers are asked.
func (s *stacks) ask(q question, must bool) {
	if s.asked == nil && (must || len(q.values) <= s.room) {
		s.asked = &q
	}
}

// exported finds the value that a template of the deployment exports.
func (s *stacks) exported(name string) (string, bool) {
	for _, t := range s.list {
		outputs := t.root.Get("Outputs")
		if outputs == nil {
			continue
		}
		for _, m := range outputs.Members {
			export := m.Value.Get("Export").Get("Name")
			if export == nil || m.Value.Get("Value") == nil || t.string(export) != name {
				continue
			}
			if c := m.Value.Get("Condition"); c != nil && !t.condition(c.Text, c.Pos) {
				continue
			}
			key := "export " + m.Key
			if t.pending[key] {
				return "", false
			}
			t.pending[key] = true
			defer delete(t.pending, key)
			return t.string(m.Value.Get("Value")), true
		}
	}
	return "", false
}
