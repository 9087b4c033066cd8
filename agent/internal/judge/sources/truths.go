package sources

import (
	"slices"
	"strings"

	"buzon/agent/policy"
)

func (r *resolver) partition() string {
	region := r.theRegion()
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	case strings.HasPrefix(region, "eusc-"):
		return "aws-eusc"
	}
	if value, ok := r.is[r.ours("AWS::Partition")]; ok && r.region == "" {
		return value
	}
	return "aws"
}

// account is that of the stack: the same for all that are given.
func (r *resolver) account() string {
	if r.id != "" {
		return r.id
	}
	s, _ := r.names.symbol("AWS::AccountId", "${AWS::AccountId}", false)
	if value, ok := r.is[s]; ok {
		return value
	}
	return s
}

// nameProperty is the property that gives a resource its physical name.
var nameProperty = map[string]string{
	"AWS::IAM::User": "UserName", "AWS::IAM::Role": "RoleName", "AWS::IAM::Group": "GroupName",
	"AWS::S3::Bucket": "BucketName", "AWS::S3::AccessPoint": "Name",
	"AWS::IAM::ManagedPolicy": "ManagedPolicyName", "AWS::IAM::InstanceProfile": "InstanceProfileName",
	"AWS::IAM::SAMLProvider": "Name",
}

// name is the physical name of a resource: as its property says, else a symbol.
func (r *resolver) name(res *resource) string {
	own := r.symbol("resource "+res.id, "${"+res.id+"}", false)
	if res.id == r.target && r.named != "" {
		return r.named
	}
	if strings.ContainsFunc(own, func(c rune) bool { return r.maybe[c] }) {
		return own
	}
	name := r.writtenName(res)
	if name != "" && !r.hasOpen(name) {
		return name
	}
	if not := r.theOther(res); not != "" {
		own, _ = r.names.other(r.file+"\x00resource "+res.id, "${"+res.id+"}", not)
	}
	return own
}

// theOther is the name of the bucket in question, of a bucket that surely isn't it.
func (r *resolver) theOther(res *resource) string {
	target := r.resources[r.target]
	switch {
	case res.kind != "AWS::S3::Bucket" || res == target:
		return ""
	case r.named != "":
		return r.named
	case target == nil:
		return ""
	}
	if name := r.writtenName(target); !policy.HasSymbol(name) {
		return name
	}
	return ""
}

// writtenName is the name that the template gives a resource, with what is open
// in it; "" where it gives none.
func (r *resolver) writtenName(res *resource) string {
	property := nameProperty[res.kind]
	given := res.properties.Get(property)
	if property == "" || given == nil {
		return ""
	}
	if r.pending[res.id] {
		r.fault(res.pos, Circular, "name", res.id)
		return ""
	}
	r.pending[res.id] = true
	defer delete(r.pending, res.id)
	return r.string(given)
}

func (r *resolver) truth(expr *policy.Node, name string) bool {
	if expr.Kind == policy.ObjectNode && len(expr.Members) == 1 {
		m := expr.Members[0]
		switch m.Key {
		case "Condition":
			if m.Value.Kind == policy.StringNode {
				return r.condition(m.Value.Text, m.Pos)
			}
		case "Fn::Not":
			if len(m.Value.Items) == 1 {
				return !r.truth(m.Value.Items[0], name)
			}
		case "Fn::And", "Fn::Or":
			// Every part is looked at, so that every comparison is met.
			and := m.Key == "Fn::And"
			out := and
			for _, part := range m.Value.Items {
				if t := r.truth(part, name); t != and {
					out = !and
				}
			}
			return out
		case "Fn::Equals":
			if len(m.Value.Items) == 2 {
				was := r.asking
				r.asking = true
				a, b := r.string(m.Value.Items[0]), r.string(m.Value.Items[1])
				r.asking = was
				return r.equal(a, b)
			}
		}
	}
	r.fault(expr.Pos, BadIntrinsic, "function", name)
	return false
}

// equal compares; where synthesis can't, by the outcome. A text that has one value
// has no other.
func (r *resolver) equal(a, b string) bool {
	a, b = r.value(a), r.value(b)
	switch {
	case a == b:
		return true
	case !mayBe(a, b):
		return false
	case !policy.HasSymbol(a):
		a, b = b, a
	}
	for _, s := range []string{a, b} {
		if r.askEach(s) {
			return false
		}
	}
	if policy.HasSymbol(b) {
		pair := [2]string{min(a, b), max(a, b)}
		truth, ok := r.same[pair]
		if !ok {
			r.stacks.ask(question{text: pair[0], other: pair[1], about: append(r.about(a), r.about(b)...)}, true)
		}
		return truth
	}
	if slices.Contains(r.not[a], b) {
		return false
	}
	q := question{text: a, values: []string{b}, about: r.about(a)}
	if a == r.ours("AWS::Partition") {
		q.values, q.closed = []string{"aws", "aws-cn", "aws-us-gov"}, true
		if !slices.Contains(q.values, b) {
			q.values = append(q.values, b)
		}
	}
	r.stacks.ask(q, true)
	return false
}

// value is what the outcome says that a text is.
func (r *resolver) value(s string) string {
	if v, ok := r.is[s]; ok {
		return v
	}
	return s
}

// askEach asks about the parameters in a text that have a list of values, and
// reports whether there are any.
func (r *resolver) askEach(s string) bool {
	for _, c := range s {
		if values, ok := r.allowed(string(c)); ok {
			r.stacks.ask(question{text: string(c), values: values, closed: true, about: r.about(string(c))}, true)
			return true
		}
	}
	return false
}

// showSymbols writes a text with the names of its symbols.
func showSymbols(symbols policy.Symbols, s string) string {
	if len(symbols) == 0 || !policy.HasSymbol(s) {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		if sym, ok := symbols[c]; ok {
			b.WriteString(sym.Name)
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

// Show writes a text of the subject's documents as a person would: symbols by
// their names.
func (s *Subject) Show(text string) string { return showSymbols(s.Set.Symbols, text) }
