package sources

import (
	"buzon/agent/internal/judge/sources/terraform"
	"buzon/agent/policy"
)

// readPlan reads a Terraform plan, which from there on is a template.
func (l *loader) readPlan(file string) (*templateFile, error) {
	raw, err := l.read(file)
	if err != nil {
		return nil, err
	}
	p, err := terraform.Read(file, raw)
	if err != nil {
		return nil, err
	}
	l.secrets = append(l.secrets, p.Secrets...)
	return &templateFile{name: file, root: p.Template, plan: p}, nil
}

// fromPlan adds what a template has no place for.
func (t *template) fromPlan(p *terraform.Plan) {
	a := t.out
	for _, what := range p.Open {
		a.gaps = append(a.gaps, Gap{Reason: GapUnresolved, What: what, Source: -1, File: t.file})
	}
	for at := range a.topics {
		if a.topics[at].Why == Outside {
			a.topics[at].Why = OutsidePlan
		}
	}
	a.beyond = append(a.beyond, Assumption{TopicOutsidePlan, NotGiven})
	if p.Partial {
		a.beyond = append(a.beyond, Assumption{TopicPlanPartial, NotGiven})
	}
}

// asWritten puts the places of a policy that stands as a text in a plan into that text,
// which has lines of its own.
func (t *template) asWritten(src *policy.Source, n *policy.Node) {
	if w, ok := t.textOf(n); ok {
		src.File, src.First, src.Address, src.Raw = "", policy.Position{}, w.Address, w.Raw
		src.SHA256 = digest(src.Raw)
	}
}

// textOf tells of a policy that stands as a text in a plan.
func (t *template) textOf(n *policy.Node) (terraform.Text, bool) {
	if t.plan == nil {
		return terraform.Text{}, false
	}
	w, ok := t.plan.Documents[n]
	return w, ok
}

// planAccount is the account that the ARNs of a plan name, "" where they name none
// or several.
func planAccount(p *terraform.Plan) string {
	found := map[string]bool{}
	for _, arn := range p.ARNs {
		if a, ok := parseARN(arn); ok && isAccount(a.account) {
			found[a.account] = true
		}
	}
	if len(found) != 1 {
		return ""
	}
	return sortedKeys(found)[0]
}
