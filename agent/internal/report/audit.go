package report

import (
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/locale"
	"buzon/agent/policy"
)

// Audit writes an audit as text: the verdict first; then for each principal its
// findings, each with its witness, the statements with their lines of source,
// what stops it, and the fix. texts holds the files that the documents came
// from, by name.
func Audit(w io.Writer, p *locale.Printer, r *audit.Report, texts map[string][]byte, color bool) error {
	a := &auditPrinter{p: p, texts: texts, files: map[string]*sourceText{}, color: color}
	means := "report.audit-means-" + string(r.Verdict)
	if drifted(r) {
		means = "report.audit-rule-drift"
	}
	a.line(a.verdict(r.Verdict), p.Text(means))
	a.line("", p.Text("report.audit-judged", "n", len(r.Principals)))
	if r.NotJudged > 0 {
		a.line("", p.Text("report.audit-left", "n", r.NotJudged))
	}
	if r.Strict && r.Refused(true) && !r.Refused(false) {
		a.line("", p.Text("report.audit-strict"))
	}
	for i := range r.Principals {
		a.principal(&r.Principals[i])
	}
	_, err := io.WriteString(w, a.b.String())
	return err
}

// drifted reports whether drift alone makes the verdict a violation.
func drifted(r *audit.Report) bool {
	if r.Verdict != audit.Violation {
		return false
	}
	for i := range r.Principals {
		for _, f := range r.Principals[i].Findings {
			if f.Severity == audit.Error && f.Waived == nil && f.Rule != audit.RuleDrift {
				return false
			}
		}
	}
	return true
}

type auditPrinter struct {
	p     *locale.Printer
	texts map[string][]byte
	files map[string]*sourceText
	color bool
	b     strings.Builder
}

func (a *auditPrinter) paint(code, s string) string {
	if !a.color || s == "" {
		return s
	}
	return code + s + "\x1b[0m"
}

const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
)

func (a *auditPrinter) verdict(v audit.Verdict) string {
	code := red
	switch v {
	case audit.WriteOnly, audit.Waived:
		code = green
	case audit.NoVerdict:
		code = yellow
	case audit.NoAccess, audit.Violation:
	}
	return a.paint(bold+code, string(v))
}

func (a *auditPrinter) line(head, rest string) {
	if head != "" && rest != "" {
		head += "  "
	}
	a.b.WriteString(head + rest + "\n")
}

// indented writes a text of one or more lines, the later ones under the first.
func (a *auditPrinter) indented(n int, text string) {
	for _, line := range strings.Split(text, "\n") {
		a.b.WriteString(strings.Repeat(" ", n) + line + "\n")
	}
}

func (a *auditPrinter) principal(p *audit.Principal) {
	t := a.p.Text
	a.b.WriteByte('\n')
	a.line(a.verdict(p.Verdict), a.paint(bold, locale.Clean(p.ARN)))
	a.indented(2, t("report.audit-held-to", "bucket", p.Bucket, "prefix", p.Prefix))
	for i := range p.Findings {
		a.finding(p, &p.Findings[i])
	}
	strict := false
	for i := range p.Undecided {
		if p.Undecided[i].Reason == audit.ReasonAssumption {
			strict = true // all of them are shown at once
			continue
		}
		a.undecided(p, &p.Undecided[i])
	}
	if strict {
		a.b.WriteByte('\n')
		a.indented(2, a.paint(yellow, "? undecided")+"  "+t("report.audit-open-assumption"))
		a.assumptions(p, 6)
	}
	a.notes(p)
	if !strict && len(p.Assumptions) > 0 {
		a.b.WriteByte('\n')
		a.indented(2, t("report.audit-assumed"))
		a.assumptions(p, 4)
	}
}

func (a *auditPrinter) finding(p *audit.Principal, f *audit.Finding) {
	t := a.p.Text
	code, mark := red, "✗"
	if f.Severity == audit.Warning {
		code, mark = yellow, "!"
	}
	a.b.WriteByte('\n')
	title := t("report.audit-rule-" + string(f.Rule))
	if f.Detail != "" {
		if id := "report.audit-detail-" + string(f.Rule) + "-" + f.Detail; a.p.Has(id) {
			title = t(id)
		} else {
			title = t("report.audit-rule-"+string(f.Rule)) + " (" + locale.Clean(f.Detail) + ")"
		}
	}
	a.indented(2, a.paint(code, mark+" "+string(f.Rule))+"  "+title)
	if len(f.When) > 0 {
		a.indented(6, t("report.audit-when", "conditions", strings.Join(f.When, "; ")))
	}
	if f.Missing != "" {
		a.indented(6, t("report.audit-missing", "resource", f.Missing))
	}
	action, because := "s3:PutObject", "report.audit-because"
	if f.Witness != nil {
		a.witness(f.Witness)
		action = f.Witness.Action
		if f.Witness.Latent {
			because = "report.audit-latent-because"
		}
	}
	if f.Rule == audit.RuleDrift {
		action, because = "", "report.audit-drift-added"
	}
	for _, l := range f.Lacks {
		id := "report.audit-drift-lacks"
		if f.Detail == audit.DetailAbsent {
			id = "report.audit-drift-declared"
		}
		a.indented(6, t(id, "statement", l.Statement, "place", Place(l.File, policy.Position{Line: l.Line, Column: l.Column})))
	}
	for i := range f.Because {
		a.statement(because, &f.Because[i], action)
	}
	if f.Rule != audit.RuleCannotWrite {
		a.actions(f.Actions, action)
	}
	for i := range f.Stops {
		stop := &f.Stops[i]
		if stop.Statement == 0 {
			if stop.Layer.Grammar() == policy.Identity && stop.Layer != policy.Boundary && stop.Layer != policy.Session {
				a.indented(6, t("report.audit-stop-own"))
			} else {
				a.indented(6, t("report.audit-stop-layer", "layer", t("report.audit-kind-"+string(stop.Layer))))
			}
			continue
		}
		a.statement("report.audit-stop", &stop.Because, action)
	}
	a.indented(6, a.paint(bold, t("report.audit-fix"))+" "+fix(a.p, p, f))
}

// fix is what to do about a finding, with the names to type.
func fix(words *locale.Printer, p *audit.Principal, f *audit.Finding) string {
	s := p.Subject()
	partition := s.Set.Subject.Partition
	if partition == "" {
		partition = "aws"
	}
	args := []any{"name", s.Show(s.Set.Subject.Name), "objects", "arn:" + partition + ":s3:::" + p.Bucket + "/" + p.Prefix + "*"}
	for k, v := range f.Fix.Args {
		args = append(args, k, v)
	}
	return words.Text("report.audit-fix-"+f.Fix.ID, args...)
}

// remedy is what would settle an assumption.
func remedy(words *locale.Printer, a audit.Assumption) string {
	return words.Text("report.audit-remedy-" + string(a.What))
}

// note is a note in words; p is nil where it concerns all principals.
func note(words *locale.Printer, p *audit.Principal, n audit.Note) string {
	name := n.Name
	if name == "" && p != nil {
		name = p.Subject().Show(p.Subject().Set.Subject.Name)
	}
	return words.Text("report.audit-note-"+n.What, "name", name)
}

// shownActions are how many actions of a finding are named; JSON has them all.
const shownActions = 4

// actions names what a rule is broken with besides the witness.
func (a *auditPrinter) actions(list []string, witness string) {
	rest := slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == witness })
	for i, s := range rest {
		if service, ok := strings.CutSuffix(s, ":(tomorrow)"); ok {
			rest[i] = a.p.Text("report.audit-tomorrow", "service", service)
		}
	}
	switch more := len(rest) - shownActions; {
	case len(rest) == 0:
	case more > 1:
		a.wrapped(6, a.p.Text("report.audit-actions", "actions", strings.Join(rest[:shownActions], ", "), "n", more))
	default:
		a.wrapped(6, a.p.Text("report.audit-actions-all", "actions", rest))
	}
}

func (a *auditPrinter) witness(w *audit.Witness) {
	id := "report.audit-witness"
	if w.Latent {
		id = "report.audit-latent"
	}
	a.indented(6, a.p.Text(id, "action", w.Action, "resource", w.Resource))
	if w.Unknown {
		a.indented(8, a.p.Text("report.audit-unknown"))
	}
	for _, key := range slices.Sorted(maps.Keys(w.Context)) {
		a.indented(8, a.p.Text("report.audit-context", "key", key, "value", strings.Join(w.Context[key], ", ")))
	}
}

// statement names a statement and shows the line in which it speaks of the
// action.
func (a *auditPrinter) statement(id string, b *audit.Because, action string) {
	t := a.p.Text
	src, st := b.In()
	if st == nil {
		return
	}
	where := src.File
	if where == "" {
		where = src.Name
	}
	name := b.Sid
	if name == "" {
		name = t("report.audit-number", "n", b.Statement)
	}
	pos := about(st, action)
	a.indented(6, t(id, "statement", name, "kind", t("report.audit-kind-"+string(src.Kind)), "place", Place(where, pos)))
	a.source(src, pos)
}

// about is the place of the pattern by which a statement matches an action; with
// NotAction that of the first.
func about(st *policy.Statement, action string) policy.Position {
	for _, pattern := range st.Actions {
		// No name of an action holds a slash or a bracket.
		ok, err := path.Match(strings.ToLower(pattern.Value), strings.ToLower(action))
		if (ok && err == nil || st.NotAction) && pattern.Pos.Line > 0 {
			return pattern.Pos
		}
	}
	return st.Pos
}

// widest is how much of a line of source is shown.
const widest = 96

// source shows one line of a document, with a caret under the column.
func (a *auditPrinter) source(src *policy.Source, pos policy.Position) {
	line, ok := a.lines(src).line(pos.Line)
	if !ok {
		return
	}
	start := 0
	if pos.Column > widest-16 {
		start = pos.Column - 17
	}
	number := fmt.Sprintf("%5d", pos.Line)
	var shown, under strings.Builder
	n := 0
	for _, c := range line.from(start) {
		if n == widest {
			break
		}
		if start+n < pos.Column-1 {
			// A tab is as wide in the line as under it.
			if c == '\t' {
				under.WriteByte('\t')
			} else {
				under.WriteByte(' ')
			}
		}
		if c == '\t' {
			shown.WriteRune(c)
		} else {
			shown.WriteString(locale.Clean(string(c)))
		}
		n++
	}
	a.b.WriteString("      " + a.paint(dim, number+" │ ") + shown.String() + "\n")
	a.b.WriteString("      " + a.paint(dim, strings.Repeat(" ", len(number))+" │ ") + under.String() + a.paint(bold, "^") + "\n")
}

// lines are those of the file that a document came from, or of the document.
func (a *auditPrinter) lines(src *policy.Source) *sourceText {
	whole, ok := a.texts[src.File]
	if src.File == "" || !ok {
		return &sourceText{text: string(src.Raw)}
	}
	if a.files[src.File] == nil {
		a.files[src.File] = &sourceText{text: string(whole)}
	}
	return a.files[src.File]
}

func (a *auditPrinter) undecided(p *audit.Principal, u *audit.Undecided) {
	t := a.p.Text
	what := u.What
	if u.Reason == audit.ReasonNotCompared {
		what = t("report.audit-topic-" + u.What)
	}
	switch {
	case what != "":
	case u.Rule != "":
		what = t("report.audit-the-rule", "rule", string(u.Rule))
	default:
		what = t("report.audit-the-verdict")
	}
	a.b.WriteByte('\n')
	a.indented(2, a.paint(yellow, "? undecided")+"  "+t("report.audit-open-"+u.Reason, "what", what))
	if u.Permission != "" {
		a.indented(6, t("report.audit-permission", "permission", u.Permission))
	}
	if u.Call != "" && u.Code != "" {
		id := "report.audit-code-" + u.Code
		if !a.p.Has(id) {
			id = "report.audit-call"
		}
		a.indented(6, t(id, "call", u.Call, "code", u.Code))
	}
	if _, st := u.In(); st != nil {
		a.statement("report.audit-hangs-on", &u.Because, "")
	} else if u.Line > 0 {
		a.indented(6, Place(u.File, policy.Position{Line: u.Line, Column: u.Column}))
	}
}

// shownGrants are how many grants of a principal are shown; JSON has them all.
const shownGrants = 12

// notes are what a principal's verdict rests on: what is granted in effect, and
// what was accepted.
func (a *auditPrinter) notes(p *audit.Principal) {
	t := a.p.Text
	for _, n := range p.Notes {
		a.b.WriteByte('\n')
		text := note(a.p, p, n)
		a.indented(2, a.paint(yellow, "! ")+strings.ReplaceAll(text, "\n", "\n  "))
	}
	if len(p.Grants) > 0 {
		a.b.WriteByte('\n')
		a.indented(2, t("report.audit-granted"))
		for i, g := range p.Grants {
			if i == shownGrants && len(p.Grants) > shownGrants+1 {
				a.indented(4, t("report.audit-more", "n", len(p.Grants)-i))
				break
			}
			a.wrapped(4, a.grant(g))
		}
	}
	if len(p.Environment) > 0 {
		var list []string
		for _, key := range slices.Sorted(maps.Keys(p.Environment)) {
			list = append(list, key+" = "+strings.Join(p.Environment[key], ", "))
		}
		a.wrapped(2, t("report.audit-environment", "conditions", strings.Join(list, "; ")))
	}
	if len(p.Allowed) > 0 {
		a.b.WriteByte('\n')
		a.indented(2, t("report.audit-accepted", "actions", p.Allowed))
	}
}

// grant is one line: the action, on what, under which conditions.
func (a *auditPrinter) grant(g audit.Grant) string {
	t := a.p.Text
	action, resource := g.Action, g.Resource
	if g.NotAction {
		action = t("report.audit-all-but", "what", action)
	}
	if g.NotResource {
		resource = t("report.audit-all-but", "what", resource)
	}
	line := t("report.audit-grant", "action", action, "resource", resource)
	if len(g.Conditions) > 0 {
		line += ", " + t("report.audit-if", "conditions", strings.Join(conditions(g), "; "))
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

// assumptions lists what was not read, by why.
func (a *auditPrinter) assumptions(p *audit.Principal, indent int) {
	t := a.p.Text
	said := map[string]bool{}
	for _, first := range p.Assumptions {
		why := string(first.Why)
		if said[why] {
			continue
		}
		said[why] = true
		var list []string
		for _, s := range p.Assumptions {
			if s.Why == first.Why {
				list = append(list, t("report.audit-topic-"+string(s.What)))
			}
		}
		a.wrapped(indent, t("report.audit-why-"+strings.ReplaceAll(why, " ", "-"))+": "+strings.Join(list, ", "))
	}
}

// wrapped writes one paragraph in lines of a readable width.
func (a *auditPrinter) wrapped(n int, text string) {
	const width = 96
	line := strings.Repeat(" ", n)
	empty := true
	for _, word := range strings.Fields(text) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			a.b.WriteString(line + "\n")
			line, empty = strings.Repeat(" ", n+2), true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	a.b.WriteString(line + "\n")
}
