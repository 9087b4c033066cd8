package audit

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// DetailUnknown is drift of a principal that the template doesn't have. The other
// details of drift are the layers that differ.
const DetailUnknown = "unknown"

// layers are the documents that are compared as one: what a principal holds
// itself, by whatever policy, and what stands around it.
var layers = []struct {
	name  string
	kinds []policy.Kind
}{
	{"identity", []policy.Kind{
		policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged, policy.RoleInline, policy.RoleManaged,
	}},
	{string(policy.Boundary), []policy.Kind{policy.Boundary}},
	{string(policy.BucketPolicy), []policy.Kind{policy.BucketPolicy}},
	{string(policy.Trust), []policy.Kind{policy.Trust}},
}

// askDrift: what is deployed is what the template says, statement by statement;
// in which policy a statement stands, its order and its Sid don't matter. Of
// several outcomes of the template's conditions the nearest counts.
func askDrift(q *inquiry) {
	switch {
	case q.s.Expected == nil, len(q.s.Gaps) > 0: // what wasn't read is undecided already
		return
	case len(q.s.Expected) == 0:
		q.find(Finding{Detail: DetailUnknown})
		return
	}
	var best []Finding
	for i := range q.s.Expected {
		c := &comparison{q: q, expected: &q.s.Expected[i]}
		found := c.run()
		if i == 0 || differences(found) < differences(best) {
			best = found
		}
	}
	for _, f := range best {
		q.find(f)
	}
}

func differences(found []Finding) int {
	n := 0
	for _, f := range found {
		n += len(f.Because) + len(f.Lacks)
	}
	return n
}

// comparison holds a subject against one outcome of a template.
type comparison struct {
	q        *inquiry
	expected *sources.Expected
}

// placed is a statement with where it stands.
type placed struct {
	st        *policy.Statement
	variables bool
	ref       policy.Reference
}

func (c *comparison) run() []Finding {
	var out []Finding
	for _, layer := range layers {
		want := statements(c.expected.Sources, layer.kinds, "")
		got := statements(c.q.s.Set.Sources, layer.kinds, c.q.s.Set.Subject.ARN)
		f := Finding{Detail: layer.name}
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
				f.Lacks = append(f.Lacks, Lack{Statement: name, File: c.expected.File, Line: w.st.Pos.Line, Column: w.st.Pos.Column})
			}
		}
		if len(f.Because)+len(f.Lacks) > 0 {
			out = append(out, f)
		}
	}
	return out
}

// statements are those of the sources of some kinds; of trust policies only the
// one of the principal itself, where it is given.
func statements(list []policy.Source, kinds []policy.Kind, own string) []placed {
	var out []placed
	for i, src := range list {
		if src.Document == nil || !slices.Contains(kinds, src.Kind) || src.Kind == policy.Trust && own != "" && src.Attached != own {
			continue
		}
		for j := range src.Document.Statements {
			out = append(out, placed{
				st: &src.Document.Statements[j], variables: src.Document.Variables(), ref: policy.Reference{Source: i, Statement: j},
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
		c.sameSet(lower(values(a.Actions)), lower(values(b.Actions))) && c.sameSet(values(a.Resources), values(b.Resources)) &&
		c.sameSet(c.principals(a), c.principals(b)) && c.sameConditions(a.Conditions, b.Conditions)
}

func lower(list []string) []string {
	for i, s := range list {
		list[i] = strings.ToLower(s)
	}
	return list
}

// principals writes the account's id as AWS stores it: as the ARN of its root.
func (c *comparison) principals(st *policy.Statement) []string {
	subject := c.q.s.Set.Subject
	var out []string
	for _, p := range st.Principals {
		value := c.known(p.Value)
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

func (c *comparison) sameConditions(want, got []policy.Condition) bool {
	equal := func(a, b policy.Condition) bool {
		return a.Operator == b.Operator && strings.EqualFold(a.Key, b.Key) && c.sameSet(values(a.Values), values(b.Values))
	}
	return len(want) == len(got) &&
		!slices.ContainsFunc(want, func(a policy.Condition) bool {
			return !slices.ContainsFunc(got, func(b policy.Condition) bool { return equal(a, b) })
		})
}

// sameSet compares texts of the template with deployed ones, as sets.
func (c *comparison) sameSet(want, got []string) bool {
	matchers := make([]func(string) bool, 0, len(want))
	for _, w := range want {
		m := c.matcher(w)
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
func (c *comparison) known(text string) string {
	for r, symbol := range c.expected.Symbols {
		if symbol.Name == "${AWS::AccountId}" {
			text = strings.ReplaceAll(text, string(r), c.q.s.Set.Subject.Account)
		}
	}
	return text
}

// matcher compares with a text of the template: a symbol stands for the name
// that CloudFormation gave.
func (c *comparison) matcher(text string) func(string) bool {
	text = c.known(text)
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
