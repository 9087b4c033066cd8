package report

import (
	"fmt"
	"io"
	"maps"
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
	a := &auditPrinter{p: p, texts: texts, color: color}
	a.line(a.verdict(r.Verdict), p.Text("report.audit-means-"+string(r.Verdict)))
	a.line("", p.Text("report.audit-judged", "n", len(r.Principals), "left", r.NotJudged))
	for i := range r.Principals {
		a.principal(&r.Principals[i])
	}
	_, err := io.WriteString(w, a.b.String())
	return err
}

type auditPrinter struct {
	p     *locale.Printer
	texts map[string][]byte
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
	if len(p.When) > 0 {
		a.indented(2, t("report.audit-when", "conditions", p.When))
	}
	for i := range p.Findings {
		a.finding(p, &p.Findings[i])
	}
	for i := range p.Undecided {
		a.undecided(p, &p.Undecided[i])
	}
	a.notes(p)
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
	if len(f.Actions) > 0 && f.Rule != audit.RuleCannotWrite {
		if more := len(f.Actions) - 6; more > 0 {
			a.indented(6, t("report.audit-actions", "actions", few(f.Actions, 6), "n", more))
		} else {
			a.indented(6, t("report.audit-actions-all", "actions", f.Actions))
		}
	}
	if f.Missing != "" {
		a.indented(6, t("report.audit-missing", "resource", f.Missing))
	}
	if f.Witness != nil {
		a.witness(f.Witness)
	}
	for i := range f.Because {
		a.statement("report.audit-because", p, f.Because[i].Source, f.Because[i].Statement, f.Because[i].Reference())
	}
	for i := range f.Stops {
		stop := &f.Stops[i]
		if stop.Reference().Source < 0 {
			a.indented(6, t("report.audit-stop-layer", "layer", t("report.audit-kind-"+string(stop.Layer))))
			continue
		}
		a.statement("report.audit-stop", p, stop.Source, stop.Statement, stop.Reference())
	}
	a.indented(6, a.paint(bold, t("report.audit-fix"))+" "+t("report.audit-fix-"+f.Fix))
}

// few joins the first n of a list.
func few(list []string, n int) string {
	return strings.Join(list[:min(n, len(list))], ", ")
}

func (a *auditPrinter) witness(w *audit.Witness) {
	id := "report.audit-witness"
	if w.Latent {
		id = "report.audit-latent"
	}
	a.indented(6, a.p.Text(id, "action", w.Action, "resource", w.Resource))
	for _, key := range slices.Sorted(maps.Keys(w.Context)) {
		a.indented(8, a.p.Text("report.audit-context", "key", key, "value", strings.Join(w.Context[key], ", ")))
	}
}

// statement names a statement and shows the line where it begins.
func (a *auditPrinter) statement(id string, p *audit.Principal, source int, name string, ref policy.Reference) {
	t := a.p.Text
	set := &p.Subject().Set
	if source < 0 || source >= len(set.Sources) {
		return
	}
	src := &set.Sources[source]
	var pos policy.Position
	if src.Document != nil && ref.Statement >= 0 && ref.Statement < len(src.Document.Statements) {
		pos = src.Document.Statements[ref.Statement].Pos
	}
	where := src.File
	if where == "" {
		where = p.Subject().Show(src.Name)
	}
	a.indented(6, t(id, "statement", name, "kind", t("report.audit-kind-"+string(src.Kind)),
		"place", fmt.Sprintf("%s:%d:%d", where, pos.Line, pos.Column)))
	a.source(src, pos)
}

// widest is how much of a line of source is shown.
const widest = 96

// source shows one line of a document, with a caret under the column.
func (a *auditPrinter) source(src *policy.Source, pos policy.Position) {
	text := src.Raw
	if src.File != "" {
		if whole, ok := a.texts[src.File]; ok {
			text = whole
		}
	}
	line, ok := lineOf(text, pos.Line)
	if !ok {
		return
	}
	column := min(max(pos.Column, 1), utf8.RuneCountInString(line)+1)
	runes := []rune(strings.TrimRight(line, "\r"))
	start := 0
	if column > widest-16 {
		start = column - 17
	}
	start = min(start, len(runes))
	shown := runes[start:min(len(runes), start+widest)]
	number := fmt.Sprintf("%5d", pos.Line)
	// A tab is as wide in the line as under it.
	under := make([]rune, 0, column)
	for _, c := range runes[start:min(len(runes), column-1)] {
		if c == '\t' {
			under = append(under, '\t')
		} else {
			under = append(under, ' ')
		}
	}
	clean := make([]rune, 0, len(shown))
	for _, c := range shown {
		if c == '\t' {
			clean = append(clean, c)
			continue
		}
		clean = append(clean, []rune(locale.Clean(string(c)))...)
	}
	a.b.WriteString("      " + a.paint(dim, number+" │ ") + string(clean) + "\n")
	a.b.WriteString("      " + a.paint(dim, strings.Repeat(" ", len(number))+" │ ") + string(under) + a.paint(bold, "^") + "\n")
}

func lineOf(text []byte, n int) (string, bool) {
	if n < 1 {
		return "", false
	}
	rest := string(text)
	for i := 1; ; i++ {
		line, after, more := strings.Cut(rest, "\n")
		if i == n {
			return line, line != "" || more
		}
		if !more {
			return "", false
		}
		rest = after
	}
}

func (a *auditPrinter) undecided(p *audit.Principal, u *audit.Undecided) {
	t := a.p.Text
	what := u.What
	if u.Reason == audit.ReasonAssumption {
		what = t("report.audit-topic-" + u.What)
	}
	if what == "" {
		what = string(u.Rule)
	}
	a.b.WriteByte('\n')
	a.indented(2, a.paint(yellow, "? undecided")+"  "+t("report.audit-open-"+u.Reason, "what", what))
	if u.Permission != "" {
		a.indented(6, t("report.audit-permission", "permission", u.Permission))
	}
	if ref := u.Reference(); ref.Source >= 0 {
		a.statement("report.audit-hangs-on", p, u.Source, u.Statement, ref)
	}
}

// notes are what a principal's verdict rests on.
func (a *auditPrinter) notes(p *audit.Principal) {
	t := a.p.Text
	var notes []string
	if len(p.Environment) > 0 {
		var list []string
		for _, key := range slices.Sorted(maps.Keys(p.Environment)) {
			list = append(list, key+" = "+strings.Join(p.Environment[key], ", "))
		}
		notes = append(notes, t("report.audit-environment", "conditions", strings.Join(list, "; ")))
	}
	if len(p.Allowed) > 0 {
		notes = append(notes, t("report.audit-accepted", "actions", p.Allowed))
	}
	if len(p.Assumptions) > 0 {
		var list []string
		for _, s := range p.Assumptions {
			list = append(list, t("report.audit-topic-"+string(s.What))+
				" ("+t("report.audit-why-"+strings.ReplaceAll(string(s.Why), " ", "-"))+")")
		}
		notes = append(notes, t("report.audit-assumed", "list", strings.Join(list, "; ")))
	}
	if len(notes) > 0 {
		a.b.WriteByte('\n')
	}
	for _, n := range notes {
		a.indented(2, n)
	}
}
