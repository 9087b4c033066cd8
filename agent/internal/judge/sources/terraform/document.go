package terraform

import (
	"strings"

	"buzon/agent/policy"
)

// documentOf makes what it can of a policy that a data source will write when the
// plan is applied (aws_iam_policy_document): its Allows, with what is open in them.
// Its Denies are left out, and a gap stays, for whoever uses it may still change
// it. It is nil where nothing of it is known.
func (p *plan) documentOf(address string) *policy.Node {
	c := p.changes[address]
	if c == nil || c.Type != "aws_iam_policy_document" || c.Change == nil {
		return nil
	}
	d := planned{plan: p, address: address, kind: c.Type}
	d.values, _ = c.Change.After.(map[string]any)
	d.unknown, _ = c.Change.AfterUnknown.(map[string]any)
	if d.open("statement") || d.has("source_json") || d.has("override_json") ||
		d.has("source_policy_documents") || d.has("override_policy_documents") {
		return nil
	}
	statements := list()
	for _, s := range d.blocks("statement") {
		if effect, _ := s.values["effect"].(string); effect == "Deny" && !s.open("effect") {
			continue
		}
		statements.Items = append(statements.Items, s.statement())
	}
	p.notKnown(address, "json")
	if len(statements.Items) == 0 {
		return nil
	}
	version := "2012-10-17"
	if v, _ := d.values["version"].(string); v != "" {
		version = v
	}
	return object(m("Version", text(version, nowhere)), m("Statement", statements))
}

// statement is one block of the data source. It writes variables of policies as
// &{…}, for ${…} is Terraform's own.
func (r planned) statement() *policy.Node {
	effect := r.value("effect")
	if effect == nil {
		effect = text("Allow", nowhere)
	}
	out := object(m("Effect", effect))
	for _, e := range []struct{ attribute, element string }{
		{"actions", "Action"}, {"not_actions", "NotAction"}, {"resources", "Resource"}, {"not_resources", "NotResource"},
	} {
		if v := variables(r.value(e.attribute)); v != nil && (v.Kind != policy.ArrayNode || len(v.Items) > 0) {
			with(out, m(e.element, v))
		}
	}
	for _, e := range []struct{ attribute, element string }{{"principals", "Principal"}, {"not_principals", "NotPrincipal"}} {
		attribute, element := e.attribute, e.element
		if r.open(attribute) {
			with(out, m(element, r.value(attribute)))
			continue
		}
		who := object()
		for _, b := range r.blocks(attribute) {
			kind, _ := b.values["type"].(string)
			if kind == "*" {
				kind = "AWS"
			}
			with(who, m(kind, b.value("identifiers")))
		}
		if len(who.Members) > 0 {
			with(out, m(element, who))
		}
	}
	conditions := object()
	for _, b := range r.blocks("condition") {
		test, _ := b.values["test"].(string)
		variable, _ := b.values["variable"].(string)
		operator := conditions.Get(test)
		if operator == nil {
			operator = object()
			with(conditions, m(test, operator))
		}
		with(operator, m(variable, variables(b.value("values"))))
	}
	if r.open("condition") {
		with(out, m("Condition", r.value("condition")))
	} else if len(conditions.Members) > 0 {
		with(out, m("Condition", conditions))
	}
	return out
}

func variables(n *policy.Node) *policy.Node {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case policy.StringNode:
		return text(strings.ReplaceAll(n.Text, "&{", "${"), n.Pos)
	case policy.ArrayNode:
		out := list()
		for _, item := range n.Items {
			out.Items = append(out.Items, variables(item))
		}
		return out
	case policy.ObjectNode, policy.NumberNode, policy.BoolNode, policy.NullNode:
	}
	return n
}
