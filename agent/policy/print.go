package policy

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// JSON prints the document in its one canonical form: elements in the order of
// IAM's grammar, lists that mean sets sorted and without repetition, a list of
// one as a bare value, two spaces of indent, a line feed at the end. Two
// documents that print alike mean the same. Of an Unclear statement it prints
// what was understood.
func (d *Document) JSON() []byte {
	out := object{}
	out.add("Version", d.Version)
	out.add("Id", d.ID)
	statements := make([]object, 0, len(d.Statements))
	for i := range d.Statements {
		statements = append(statements, d.Statements[i].object())
	}
	out = append(out, member{"Statement", statements})
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		panic(err) // only strings, lists and objects of them
	}
	return b.Bytes()
}

// object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	key   string
	value any
}

// add takes a text that isn't empty.
func (o *object) add(key, text string) {
	if text != "" {
		*o = append(*o, member{key, text})
	}
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i, m := range o {
		b.WriteByte("{,"[min(i, 1)])
		if err := enc.Encode(m.key); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := enc.Encode(m.value); err != nil {
			return nil, err
		}
	}
	if len(o) == 0 {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (s *Statement) object() object {
	var out object
	out.add("Sid", s.Sid)
	switch s.Effect {
	case Allow:
		out.add("Effect", "Allow")
	case Deny:
		out.add("Effect", "Deny")
	}
	if len(s.Principals) > 0 {
		out = append(out, member{not(s.NotPrincipal, "Principal"), principals(s.Principals)})
	}
	if len(s.Actions) > 0 {
		out = append(out, member{not(s.NotAction, "Action"), set(s.Actions)})
	}
	if len(s.Resources) > 0 {
		out = append(out, member{not(s.NotResource, "Resource"), set(s.Resources)})
	}
	if len(s.Conditions) > 0 {
		out = append(out, member{"Condition", conditions(s.Conditions)})
	}
	return out
}

func not(negated bool, element string) string {
	if negated {
		return "Not" + element
	}
	return element
}

// set is a list without order or repetition, as grammar writes it.
func set(texts []Text) any {
	values := make([]string, 0, len(texts))
	for _, t := range texts {
		values = append(values, t.Value)
	}
	slices.Sort(values)
	if values = slices.Compact(values); len(values) == 1 {
		return values[0]
	}
	return values
}

// principals prints everybody as "*" where nobody else is named.
func principals(all []Principal) any {
	texts := make(map[PrincipalKind][]Text)
	everyone := true
	for _, p := range all {
		kind := p.Kind
		if kind == PrincipalEveryone {
			kind = PrincipalAWS
		} else {
			everyone = false
		}
		texts[kind] = append(texts[kind], p.Text)
	}
	if everyone {
		return "*"
	}
	var out object
	for _, k := range []struct {
		kind PrincipalKind
		name string
	}{{PrincipalAWS, "AWS"}, {PrincipalCanonical, "CanonicalUser"}, {PrincipalFederated, "Federated"}, {PrincipalService, "Service"}} {
		if len(texts[k.kind]) > 0 {
			out = append(out, member{k.name, set(texts[k.kind])})
		}
	}
	return out
}

// conditions groups the conditions by operator, both sorted by name.
func conditions(all []Condition) object {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b Condition) int {
		if c := strings.Compare(a.Operator.String(), b.Operator.String()); c != 0 {
			return c
		}
		return strings.Compare(a.Key, b.Key)
	})
	var out object
	for i := 0; i < len(sorted); {
		var keys object
		operator := sorted[i].Operator
		for ; i < len(sorted) && sorted[i].Operator == operator; i++ {
			keys = append(keys, member{sorted[i].Key, set(sorted[i].Values)})
		}
		out = append(out, member{operator.String(), keys})
	}
	return out
}
