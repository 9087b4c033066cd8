package sources

import (
	"maps"
	"slices"
	"strings"

	"buzon/agent/policy"
)

// parameters are the values given for parameters of templates, by name.
type parameters struct {
	given   map[string]string
	used    map[string]bool
	hidden  map[string]bool // NoEcho in a template
	silent  []string        // their default values
	refused policy.Errors   // values that a template doesn't take
}

// hiddenValue stands in reports for the value of a parameter with NoEcho.
const hiddenValue = "****"

// readParameters takes the values given one by one and in files. The files are
// what `aws cloudformation deploy` and `create-stack` take: a list of objects with
// ParameterKey and ParameterValue, a list of NAME=VALUE, or an object (AWS CLI
// Command Reference, "deploy", --parameter-overrides).
func (l *loader) readParameters() error {
	l.parameters = parameters{given: map[string]string{}, used: map[string]bool{}, hidden: map[string]bool{}}
	for _, file := range l.sel.ParameterFiles {
		text, err := l.read(file)
		if err != nil {
			return err
		}
		root, err := policy.ReadJSON(file, text)
		if err != nil {
			return err
		}
		if err := l.parameterFile(file, root); err != nil {
			return err
		}
	}
	for _, text := range l.sel.Parameters {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return &UsageError{Code: UsageParameter, Got: text}
		}
		l.parameters.given[name] = value
	}
	return nil
}

func (l *loader) parameterFile(file string, root *policy.Node) error {
	bad := func(n *policy.Node) error {
		return policy.Errors{fault(file, n.Pos, WrongShape, "name", "parameter", "want", "ParameterKey, ParameterValue")}
	}
	scalar := func(n *policy.Node) bool {
		return n != nil && (n.Kind == policy.StringNode || n.Kind == policy.NumberNode || n.Kind == policy.BoolNode)
	}
	if wrapped := root.Get("Parameters"); root.Kind == policy.ObjectNode && wrapped != nil && wrapped.Kind == policy.ObjectNode {
		root = wrapped
	}
	switch root.Kind {
	case policy.ObjectNode:
		for _, m := range root.Members {
			if !scalar(m.Value) {
				return bad(m.Value)
			}
			l.parameters.given[m.Key] = m.Value.Text
		}
		return nil
	case policy.ArrayNode:
	default:
		return bad(root)
	}
	for _, n := range root.Items {
		name, value := n.Get("ParameterKey"), n.Get("ParameterValue")
		if n.Kind == policy.StringNode {
			key, text, ok := strings.Cut(n.Text, "=")
			if !ok || key == "" {
				return bad(n)
			}
			l.parameters.given[key] = text
			continue
		}
		if previous := n.Get("UsePreviousValue"); value == nil && name != nil && previous != nil && previous.Text == "true" {
			continue // it stays open
		}
		if !scalar(name) || !scalar(value) {
			return bad(n)
		}
		l.parameters.given[name.Text] = value.Text
	}
	return nil
}

// shown are the values as a report may hold them.
func (p *parameters) shown() map[string]string {
	if len(p.given) == 0 {
		return nil
	}
	out := maps.Clone(p.given)
	for name := range p.hidden {
		if _, ok := out[name]; ok {
			out[name] = hiddenValue
		}
	}
	return out
}

// secrets are the values that no report may hold.
func (p *parameters) secrets() []string {
	out := slices.Clone(p.silent)
	for name := range p.hidden {
		out = append(out, p.given[name])
	}
	return out
}

// unused is a value that no template takes: its name is in none, or the value isn't in
// the list of a template that has it.
func (p *parameters) unused() error {
	if len(p.refused) > 0 {
		return sorted(p.refused)
	}
	for _, name := range sortedKeys(p.given) {
		if !p.used[name] {
			return &UsageError{Code: UsageNoParameter, Got: name}
		}
	}
	return nil
}

// parameter is one parameter of a template.
type parameter struct {
	list, ssm bool
	allowed   []string
	symbol    string
	value     *string // given
	at        policy.Position
}

// declared reads the section Parameters.
func (l *loader) declared(file string, root *policy.Node) map[string]*parameter {
	out := map[string]*parameter{}
	section := root.Get("Parameters")
	if section == nil {
		return out
	}
	for _, m := range section.Members {
		kind := ""
		if t := m.Value.Get("Type"); t != nil {
			kind = t.Text
		}
		p := &parameter{
			ssm: strings.HasPrefix(kind, "AWS::SSM::Parameter::Value<"), at: m.Pos,
			list: kind == "CommaDelimitedList" || strings.Contains(kind, "List<"),
		}
		if values := m.Value.Get("AllowedValues"); values != nil && !p.ssm && !p.list {
			for _, v := range values.Items {
				p.allowed = append(p.allowed, v.Text)
			}
		}
		if hide := m.Value.Get("NoEcho"); hide != nil && strings.EqualFold(hide.Text, "true") {
			l.parameters.hidden[m.Key] = true
			if d := m.Value.Get("Default"); d != nil {
				l.parameters.silent = append(l.parameters.silent, d.Text)
			}
		}
		if value, ok := l.parameters.given[m.Key]; ok {
			l.parameters.used[m.Key] = true
			if len(p.allowed) > 0 && !slices.Contains(p.allowed, value) {
				l.parameters.refused = append(l.parameters.refused, fault(file, m.Pos, NotAllowed, "name", m.Key))
			}
			if !p.ssm { // there the value given is the name under which the store holds it
				p.value = &value
			}
		}
		p.symbol, _ = l.names.symbol(file+"\x00parameter "+m.Key, "${"+m.Key+"}", true)
		out[m.Key] = p
	}
	return out
}

// node is the value that was given, as Ref gives it.
func (p *parameter) node(at policy.Position) *policy.Node {
	if !p.list {
		return text(*p.value, at)
	}
	out := &policy.Node{Kind: policy.ArrayNode, Pos: at}
	for _, item := range strings.Split(*p.value, ",") {
		out.Items = append(out.Items, text(strings.TrimSpace(item), at))
	}
	return out
}
