package audit

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// Details of drift besides the layers that differ.
const (
	// DetailUnknown: the templates have no such principal.
	DetailUnknown = "unknown"
	// DetailAbsent: a template declares the principal, and nobody is there.
	DetailAbsent = "absent"
)

// layers are the documents that are compared as one: what a principal holds
// itself, by whatever policy, and what stands around it.
var layers = []struct {
	name  string
	kinds []policy.Kind
	topic sources.Topic // what is not known where they were not read
}{
	{"identity", []policy.Kind{
		policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged, policy.RoleInline, policy.RoleManaged,
	}, ""},
	{string(policy.Boundary), []policy.Kind{policy.Boundary}, ""},
	{string(policy.BucketPolicy), []policy.Kind{policy.BucketPolicy}, sources.TopicBucketPolicy},
	{string(policy.AccessPoint), []policy.Kind{policy.AccessPoint}, sources.TopicAccessPoint},
	{string(policy.KeyPolicy), []policy.Kind{policy.KeyPolicy}, sources.TopicKeyPolicy},
	{string(policy.Trust), []policy.Kind{policy.Trust}, ""},
}

// askDrift: what is deployed is what the templates say, statement by statement;
// in which policy a statement stands, its order and its Sid don't matter. Of
// several outcomes of their conditions the nearest counts.
func askDrift(q *inquiry) {
	switch at := q.s.Absent; {
	case at != nil:
		q.find(Finding{Detail: DetailAbsent, Fix: Fix{ID: "drift-absent"}, Lacks: []Lack{{Statement: at.Name, File: at.File, Line: at.Pos.Line, Column: at.Pos.Column}}})
		return
	case q.s.Expected == nil, len(q.s.Gaps) > 0: // what wasn't read is undecided already
		return
	case len(q.s.Expected) == 0:
		q.find(Finding{Detail: DetailUnknown, Fix: Fix{ID: "drift-unknown"}})
		return
	}
	var best *comparison
	for _, e := range q.s.Expected {
		c := &comparison{q: q, expected: e}
		c.run()
		if best == nil || differences(c.found) < differences(best.found) {
			best = c
		}
	}
	for _, f := range best.found {
		q.find(f)
	}
	for _, topic := range best.unread {
		q.open(question(ReasonNotCompared, string(topic)))
	}
}

func differences(found []Finding) int {
	n := 0
	for _, f := range found {
		n += len(f.Because) + len(f.Lacks)
	}
	return n
}

// comparison holds a subject against one outcome of the templates.
type comparison struct {
	q        *inquiry
	expected sources.Expected
	found    []Finding
	unread   []sources.Topic // what the templates speak of and was not read
}

// placed is a statement with where it stands.
type placed struct {
	st        *policy.Statement
	variables bool
	file      string
	ref       policy.Reference
	symbols   policy.Symbols
}

func (c *comparison) run() {
	for _, layer := range layers {
		var want []placed
		owned := layer.topic == ""
		for _, part := range c.expected {
			want = append(want, statements(part.Sources, part.Symbols, layer.kinds, "")...)
			owned = owned || part.OwnsBucket && layer.topic != sources.TopicKeyPolicy
		}
		got := statements(c.q.s.Set.Sources, nil, layer.kinds, c.q.s.Set.Subject.ARN)
		switch {
		case !owned && len(want) == 0:
			continue // the templates don't speak of it
		case layer.topic != "" && !c.q.s.Live && len(got) == 0:
			if len(want) > 0 {
				c.unread = append(c.unread, layer.topic)
			}
			continue
		}
		f := Finding{Detail: layer.name, Fix: Fix{ID: "drift-" + layer.name}}
		for _, g := range got {
			if !slices.ContainsFunc(want, func(w placed) bool { return c.same(w, g) }) {
				f.Because = append(f.Because, c.q.reference(g.ref))
			}
		}
		for _, w := range want {
			if !slices.ContainsFunc(got, func(g placed) bool { return c.same(w, g) }) {
				name := w.st.Sid
				if name == "" {
					name = strconv.Itoa(w.st.Index)
				}
				f.Lacks = append(f.Lacks, Lack{Statement: name, File: w.file, Line: w.st.Pos.Line, Column: w.st.Pos.Column})
			}
		}
		if len(f.Because)+len(f.Lacks) > 0 {
			c.found = append(c.found, f)
		}
	}
}

// statements are those of the sources of some kinds; of trust policies only the
// one of the principal itself, where it is given.
func statements(list []policy.Source, symbols policy.Symbols, kinds []policy.Kind, own string) []placed {
	var out []placed
	for i, src := range list {
		if src.Document == nil || !slices.Contains(kinds, src.Kind) || src.Kind == policy.Trust && own != "" && src.Attached != own {
			continue
		}
		for j := range src.Document.Statements {
			out = append(out, placed{
				st: &src.Document.Statements[j], variables: src.Document.Variables(), file: src.File,
				ref: policy.Reference{Source: i, Statement: j}, symbols: symbols,
			})
		}
	}
	return out
}

// same reports whether a deployed statement says what the template's says.
func (c *comparison) same(w, g placed) bool {
	a, b := w.st, g.st
	return w.variables == g.variables && b.Unclear == nil && a.Effect == b.Effect &&
		a.NotAction == b.NotAction && a.NotResource == b.NotResource && a.NotPrincipal == b.NotPrincipal &&
		c.sameSet(w.symbols, lower(values(a.Actions)), lower(values(b.Actions))) &&
		c.sameSet(w.symbols, values(a.Resources), values(b.Resources)) &&
		c.sameSet(w.symbols, c.principals(w), c.principals(g)) && c.sameConditions(w.symbols, a.Conditions, b.Conditions)
}

func lower(list []string) []string {
	for i, s := range list {
		list[i] = strings.ToLower(s)
	}
	return list
}

// principals writes the account's id as AWS stores it: as the ARN of its root.
func (c *comparison) principals(of placed) []string {
	subject := c.q.s.Set.Subject
	var out []string
	for _, p := range of.st.Principals {
		value := c.known(of.symbols, p.Value)
		if p.Kind == policy.PrincipalEveryone {
			value = "*"
		} else if p.Kind == policy.PrincipalAWS && isDigits(value) {
			value = "arn:" + subject.Partition + ":iam::" + value + ":root"
		}
		out = append(out, strconv.Itoa(int(p.Kind))+" "+value)
	}
	return out
}

func isDigits(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

func (c *comparison) sameConditions(symbols policy.Symbols, want, got []policy.Condition) bool {
	equal := func(a, b policy.Condition) bool {
		return a.Operator == b.Operator && strings.EqualFold(a.Key, b.Key) && c.sameSet(symbols, values(a.Values), values(b.Values))
	}
	return len(want) == len(got) &&
		!slices.ContainsFunc(want, func(a policy.Condition) bool {
			return !slices.ContainsFunc(got, func(b policy.Condition) bool { return equal(a, b) })
		})
}

// sameSet compares texts of the template with deployed ones, as sets.
func (c *comparison) sameSet(symbols policy.Symbols, want, got []string) bool {
	matchers := make([]func(string) bool, 0, len(want))
	for _, w := range want {
		m := c.matcher(symbols, w)
		if !slices.ContainsFunc(got, m) {
			return false
		}
		matchers = append(matchers, m)
	}
	for _, g := range got {
		if !slices.ContainsFunc(matchers, func(m func(string) bool) bool { return m(g) }) {
			return false
		}
	}
	return true
}

// known puts the account in for its symbol.
func (c *comparison) known(symbols policy.Symbols, text string) string {
	for r, symbol := range symbols {
		if symbol.Name == "${AWS::AccountId}" {
			text = strings.ReplaceAll(text, string(r), c.q.s.Set.Subject.Account)
		}
	}
	return text
}

// matcher compares with a text of the template: a symbol stands for the name
// that CloudFormation gave.
func (c *comparison) matcher(symbols policy.Symbols, text string) func(string) bool {
	text = c.known(symbols, text)
	if !policy.HasSymbol(text) {
		return func(s string) bool { return s == text }
	}
	var b strings.Builder
	b.WriteString("^")
	for _, r := range text {
		if policy.IsSymbol(r) {
			b.WriteString(`[^:*?]+`)
		} else {
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	re := regexp.MustCompile(b.String() + "$")
	return re.MatchString
}

func values(texts []policy.Text) []string {
	out := make([]string, 0, len(texts))
	for _, t := range texts {
		out = append(out, t.Value)
	}
	return out
}
