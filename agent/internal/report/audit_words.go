package report

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/locale"
	"buzon/agent/policy"
)

// fix is what to do about a finding, with the names to type.
func fix(words *locale.Printer, p *audit.Principal, f *audit.Finding) string {
	if p == nil {
		return words.Text("report.audit-fix-" + f.Fix.ID)
	}
	s := p.Subject()
	partition := s.Set.Subject.Partition
	if partition == "" {
		partition = "aws"
	}
	args := []any{"name", s.Show(s.Set.Subject.Name), "objects", pasted("arn:" + partition + ":s3:::" + p.Bucket + "/" + p.Prefix + "*")}
	if f.Rule == audit.RuleDrift {
		args = append(args, "commands", driftCommands(p, f))
	}
	for k, v := range f.Fix.Args {
		args = append(args, k, v)
	}
	return words.Text("report.audit-fix-"+f.Fix.ID, args...)
}

// pasted is a text that somebody may paste into a policy: what a template leaves open
// would be a variable there, and a malformed one.
func pasted(text string) string {
	return openValue.ReplaceAllString(text, "<$1>")
}

var openValue = regexp.MustCompile(`\$\{([^}]*)\}`)

// driftCommands are those that take away what was done by hand to a principal, each on
// its line.
func driftCommands(p *audit.Principal, f *audit.Finding) string {
	s := p.Subject()
	kind, name := "user", locale.Shell(s.Show(s.Set.Subject.Name))
	if s.Set.Subject.Type != policy.User {
		kind = "role"
	}
	var out []string
	add := func(command string) {
		if !slices.Contains(out, command) {
			out = append(out, command)
		}
	}
	for i := range f.Because {
		src, _ := f.Because[i].In()
		if src == nil {
			continue
		}
		document := locale.Shell(src.Name)
		switch src.Kind {
		case policy.UserInline, policy.RoleInline:
			add("aws iam delete-" + kind + "-policy --" + kind + "-name " + name + " --policy-name " + document)
		case policy.UserManaged, policy.RoleManaged:
			add("aws iam detach-" + kind + "-policy --" + kind + "-name " + name + " --policy-arn " + locale.Shell(src.ARN))
		case policy.GroupInline, policy.GroupManaged:
			add("aws iam list-groups-for-user --user-name " + name)
			add("aws iam remove-user-from-group --user-name " + name + " --group-name GROUP")
		case policy.Boundary:
			add("aws iam put-" + kind + "-permissions-boundary --" + kind + "-name " + name + " --permissions-boundary ARN")
		default:
		}
	}
	if len(f.Lacks) > 0 && len(out) == 0 {
		add("scripts/cdk deploy")
	}
	text := ""
	for _, command := range out {
		text += "\n  " + command
	}
	return text
}

// remedy is what would settle an assumption.
func remedy(words *locale.Printer, a audit.Assumption) string {
	if id := "report.audit-remedy-" + string(a.What); words.Has(id) {
		return words.Text(id)
	}
	return words.Text("report.audit-remedy-live")
}

// note is a note in words; p is nil where it concerns all principals.
func note(words *locale.Printer, p *audit.Principal, n audit.Note) string {
	name := n.Name
	if name == "" && p != nil {
		name = p.Subject().Show(p.Subject().Set.Subject.Name)
	}
	return words.Text("report.audit-note-"+n.What, "name", name)
}

// title is what a finding says in a sentence.
func title(p *locale.Printer, f *audit.Finding) string {
	text := p.Text("report.audit-rule-" + string(f.Rule))
	if f.Detail == "" {
		return text
	}
	if id := "report.audit-detail-" + string(f.Rule) + "-" + f.Detail; p.Has(id) {
		return p.Text(id)
	}
	return text + " (" + locale.Clean(f.Detail) + ")"
}

// actionNames writes what AWS may add tomorrow as a person reads it.
func actionNames(p *locale.Printer, list []string) []string {
	out := slices.Clone(list)
	for i, s := range out {
		if service, ok := strings.CutSuffix(s, ":(tomorrow)"); ok {
			out[i] = p.Text("report.audit-tomorrow", "service", service)
		} else if s == "(tomorrow)" {
			out[i] = p.Text("report.audit-tomorrow-service")
		}
	}
	return out
}

// statementName is a statement as a sentence names it.
func statementName(p *locale.Printer, b *audit.Because) string {
	if b.Sid != "" {
		return locale.Name(b.Sid)
	}
	return p.Text("report.audit-number", "n", b.Statement)
}

// fileOf is where a document stands: its file, else its name.
func fileOf(src *policy.Source) string {
	if src.File != "" {
		return src.File
	}
	return src.Name
}

// openText is an open question in words, without its place.
func openText(p *locale.Printer, u *audit.Undecided) string {
	what := u.What
	if u.Reason == audit.ReasonNotCompared || u.Reason == audit.ReasonAssumption {
		what = p.Text("report.audit-topic-" + u.What)
	}
	switch {
	case what != "":
	case u.Rule != "":
		what = p.Text("report.audit-the-rule", "rule", string(u.Rule))
	default:
		what = p.Text("report.audit-the-verdict")
	}
	text := p.Text("report.audit-open-"+u.Reason, "what", what)
	if u.Permission != "" {
		text += "\n" + p.Text("report.audit-permission", "permission", u.Permission)
	}
	if u.Call != "" && u.Code != "" {
		id := "report.audit-code-" + u.Code
		if !p.Has(id) {
			id = "report.audit-call"
		}
		text += "\n" + p.Text(id, "call", u.Call, "code", u.Code)
	}
	return text
}

// stopText is what stops a latent witness, in words.
func stopText(p *locale.Printer, s *audit.Stop) string {
	if src, st := s.In(); st != nil {
		return p.Text("report.audit-stop", "statement", statementName(p, &s.Because),
			"kind", p.Text("report.audit-kind-"+string(src.Kind)), "place", Place(p, fileOf(src), st.Pos))
	}
	if s.Layer.Grammar() == policy.Identity && s.Layer != policy.Boundary && s.Layer != policy.Session {
		return p.Text("report.audit-stop-own")
	}
	return p.Text("report.audit-stop-layer", "layer", p.Text("report.audit-kind-"+string(s.Layer)))
}

// grantText is one line of what is granted: the action, on what, under which conditions.
func grantText(p *locale.Printer, g audit.Grant) string {
	action, resource := g.Action, g.Resource
	if g.NotAction {
		action = p.Text("report.audit-all-but", "what", action)
	}
	if g.NotResource {
		resource = p.Text("report.audit-all-but", "what", resource)
	}
	line := p.Text("report.audit-grant", "action", action, "resource", resource)
	if len(g.Conditions) > 0 {
		line += ", " + p.Text("report.audit-if", "conditions", strings.Join(conditions(g), "; "))
	}
	if len(g.When) > 0 {
		line += ", " + p.Text("report.audit-when", "conditions", strings.Join(g.When, "; "))
	}
	return line
}

// conditions are those of a grant as a person reads them: key, operator, values.
func conditions(g audit.Grant) []string {
	var out []string
	for _, operator := range slices.Sorted(maps.Keys(g.Conditions)) {
		for _, key := range slices.Sorted(maps.Keys(g.Conditions[operator])) {
			out = append(out, key+" "+operator+" "+strings.Join(g.Conditions[operator][key], ", "))
		}
	}
	return out
}

// contextText writes keys and values of a request.
func contextText(context map[string][]string) string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(context)) {
		list = append(list, key+" = "+strings.Join(context[key], ", "))
	}
	return strings.Join(list, "; ")
}
