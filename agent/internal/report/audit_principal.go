package report

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/locale"
	"buzon/agent/policy"
)

// principal is everything about one principal; numbers are those of its documents.
func (a *auditPrinter) principal(p *audit.Principal, numbers []int) {
	t := a.p.Text
	a.gap()
	a.say(0, 2, a.verdict(p.Verdict)+"  "+a.paint(bold, locale.Name(p.ARN)))
	a.say(2, 2, t("report.audit-held-to", "bucket", p.Bucket, "prefix", p.Prefix))
	if len(a.r.Principals) > 1 && len(numbers) > 0 {
		a.say(2, 4, t("report.audit-its-documents", "numbers", spans(numbers)))
	}
	a.holds(p)
	if text := simulatedText(a.p, p); text != "" {
		a.gap()
		a.say(2, 4, text)
	}
	for _, g := range groups(p) {
		a.group(p, g)
	}
	a.questions(p)
	for _, n := range p.Notes {
		a.gap()
		a.say(2, 4, a.paint(yellow, "! ")+note(a.p, p, n))
	}
	a.granted(p)
	if len(a.r.Principals) < 2 || !sameAssumptions(a.r) {
		a.assumptions(p, t("report.audit-assumed"), 2)
	}
}

// spans writes numbers with runs in short: 1-4, 7.
func spans(list []int) string {
	list = slices.Compact(slices.Sorted(slices.Values(list)))
	var out []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		if text := fmt.Sprint(list[i]); j > i+1 {
			out = append(out, text+"-"+fmt.Sprint(list[j]))
			i = j + 1
		} else {
			out = append(out, text)
			i++
		}
	}
	return strings.Join(out, ", ")
}

// holds says why a verdict holds that is good.
func (a *auditPrinter) holds(p *audit.Principal) {
	if p.Verdict != audit.WriteOnly && p.Verdict != audit.Waived {
		return
	}
	a.gap()
	text := holdsText(a.p, p)
	if who := a.before("holds "+text, p); who != "" {
		text = a.p.Text("report.audit-holds-too", "principal", who)
	}
	a.say(2, 4, text)
}

// before tells at which principal the same was said already, "" where it wasn't or all is
// to be said each time: a fleet has one reason many times.
func (a *auditPrinter) before(what string, p *audit.Principal) string {
	if a.o.Verbose || p == nil {
		return ""
	}
	who, there := a.said[what]
	if !there {
		a.said[what] = a.short(p.ARN)
	}
	return who
}

// holdsText is why it holds: what was asked, of what, what refuses the rest, and that
// it was decided twice.
func holdsText(p *locale.Printer, of *audit.Principal) string {
	text := p.Text("report.audit-holds", "actions", of.Actions, "n", len(of.Sources))
	var stops []string
	for _, f := range of.Findings {
		for i := range f.Stops {
			if s := p.Text("report.audit-kind-" + string(f.Stops[i].Layer)); !slices.Contains(stops, s) {
				stops = append(stops, s)
			}
		}
	}
	if len(stops) > 0 {
		text += " " + p.Text("report.audit-holds-by", "layers", stops)
	} else {
		text += " " + p.Text("report.audit-holds-alone")
	}
	if of.Checked > 0 {
		text += " " + p.Text("report.audit-holds-twice", "n", of.Checked)
	}
	return text
}

// simulatedText is what AWS's simulator was asked; "" where it wasn't.
func simulatedText(p *locale.Printer, of *audit.Principal) string {
	s := of.Simulated
	if s == nil {
		return ""
	}
	return p.Text("report.audit-simulated", "n", s.Asked, "agreed", s.Agreed, "disagree", s.Disagree, "skipped", s.Skipped)
}

// groups are findings that rest on the same statements, in the order of the rules.
func groups(p *audit.Principal) [][]*audit.Finding {
	var out [][]*audit.Finding
	key := func(f *audit.Finding) string {
		if len(f.Because) == 0 || f.Waived != nil || f.Rule == audit.RuleDrift || f.Rule == audit.RuleCannotWrite {
			return ""
		}
		parts := []string{fmt.Sprint(f.Severity, f.Witness != nil && f.Witness.Latent)}
		for _, b := range f.Because {
			parts = append(parts, fmt.Sprint(b.Source, b.Statement))
		}
		slices.Sort(parts[1:])
		return strings.Join(append(parts, f.When...), " ")
	}
	at := map[string]int{}
	for i := range p.Findings {
		f := &p.Findings[i]
		k := key(f)
		if n, there := at[k]; there && k != "" {
			out[n] = append(out[n], f)
			continue
		}
		at[k] = len(out)
		out = append(out, []*audit.Finding{f})
	}
	return out
}

// few is up to how many findings of a group have a fix each.
const few = 2

// group shows findings of the same statements: the statements once, with their lines,
// then each finding with its witness, then what would mend them.
func (a *auditPrinter) group(p *audit.Principal, list []*audit.Finding) {
	if len(list) == 1 {
		a.finding(p, list[0], 2)
		return
	}
	t := a.p.Text
	a.gap()
	a.say(2, 4, a.mark(list[0])+t("report.audit-together", "n", len(list)))
	a.when(list[0], 4)
	action := ""
	if list[0].Witness != nil {
		action = list[0].Witness.Action
	}
	a.because(list[0], action, 4)
	for _, f := range list {
		a.say(4, 6, a.paint(bold, string(f.Rule))+"  "+title(a.p, f))
		a.evidence(f, 6)
	}
	if len(list) > few {
		a.say(4, 6, a.paint(bold, t("report.audit-fix"))+" "+groupFix(a.p, p))
		return
	}
	for _, f := range list {
		a.say(4, 6, a.paint(bold, t("report.audit-fix"))+" "+fix(a.p, p, f))
	}
}

// groupFix is what mends a statement that breaks many rules.
func groupFix(p *locale.Printer, of *audit.Principal) string {
	f := audit.Finding{Fix: audit.Fix{ID: "statement"}}
	return fix(p, of, &f)
}

func (a *auditPrinter) mark(f *audit.Finding) string {
	switch {
	case f.Waived != nil:
		return a.paint(dim, a.p.Signs("– "))
	case f.Severity == audit.Warning:
		return a.paint(yellow, "! ")
	}
	return a.paint(red, a.p.Signs("✗ "))
}

func (a *auditPrinter) when(f *audit.Finding, left int) {
	if len(f.When) > 0 {
		a.say(left, left+2, a.p.Text("report.audit-when", "conditions", strings.Join(f.When, "; ")))
	}
}

// finding is one finding alone; p is nil where it is nobody's.
func (a *auditPrinter) finding(p *audit.Principal, f *audit.Finding, left int) {
	t := a.p.Text
	a.gap()
	a.say(left, left+2, a.mark(f)+a.paint(bold, string(f.Rule))+"  "+title(a.p, f))
	if f.Severity == audit.Warning && f.Waived == nil && len(f.Lacks) == 0 && len(f.When) == 0 {
		if who := a.before(string(f.Rule)+" "+f.Detail, p); who != "" {
			a.say(left+2, left+4, t("report.audit-as-above", "principal", who))
			return
		}
	}
	if f.Waived != nil {
		a.say(left+2, left+4, t("report.audit-waived", "who", f.Waived.Who, "until", f.Waived.Until, "reason", f.Waived.Reason))
	}
	a.when(f, left+2)
	action := "s3:PutObject"
	if f.Witness != nil {
		action = f.Witness.Action
	}
	if f.Rule == audit.RuleDrift {
		action = ""
	}
	if f.Missing != "" {
		a.say(left+2, left+4, t("report.audit-missing", "resource", f.Missing))
	}
	a.because(f, action, left+2)
	for _, lack := range lackTexts(a.p, f) {
		a.say(left+2, left+4, lack)
	}
	a.evidence(f, left+2)
	if f.Waived != nil {
		return
	}
	a.say(left+2, left+4, a.paint(bold, t("report.audit-fix"))+" "+fix(a.p, p, f))
}

// because names the statements that a finding rests on, each with its line, once in a
// report.
func (a *auditPrinter) because(f *audit.Finding, action string, left int) {
	id := "report.audit-because"
	switch {
	case f.Rule == audit.RuleDrift:
		id = "report.audit-drift-added"
	case f.Rule == audit.RuleCannotWrite && len(f.Needs) > 0:
		id = "report.audit-needs"
	case f.Rule == audit.RuleCannotWrite && f.Detail == audit.DetailPart:
		return // they allow the other part
	case f.Rule == audit.RuleCannotWrite:
		id = "report.audit-latent-because"
	case f.Witness != nil && f.Witness.Latent:
		id = "report.audit-latent-because"
	}
	shown := len(f.Because)
	if !a.o.Verbose && shown > shownStatements {
		shown = shownStatements
	}
	for i := range f.Because[:shown] {
		a.statement(id, &f.Because[i], action, left, "conditions", strings.Join(f.Needs, "; "))
	}
	if rest := len(f.Because) - shown; rest > 0 {
		a.say(left, left+2, a.p.Text("report.audit-statements-more", "n", rest))
	}
}

// shownStatements are how many statements of a finding are named without Verbose.
const shownStatements = 6

// evidence is a finding's witness, its other actions, and what stops it.
func (a *auditPrinter) evidence(f *audit.Finding, left int) {
	t := a.p.Text
	if w := f.Witness; w != nil {
		id := "report.audit-witness"
		if w.Latent {
			id = "report.audit-latent"
		}
		line := t(id, "action", w.Action, "resource", w.Resource)
		if len(w.Context) > 0 {
			line += ", " + t("report.audit-context", "context", contextText(w.Context))
		}
		if w.Unknown {
			line += " " + t("report.audit-unknown")
		}
		a.say(left, left+2, line)
		a.actions(f.Actions, w.Action, left)
	}
	for i := range f.Stops {
		if f.Rule == audit.RuleCannotWrite && len(f.Needs) > 0 && f.Stops[i].Statement == 0 {
			continue // it is there, with a condition
		}
		a.say(left, left+2, stopText(a.p, &f.Stops[i]))
	}
}

// shownActions are how many actions of a finding are named without Verbose.
const shownActions = 4

// actions names what a rule is broken with besides the witness.
func (a *auditPrinter) actions(list []string, witness string, left int) {
	rest := actionNames(a.p, slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == witness }))
	switch more := len(rest) - shownActions; {
	case len(rest) == 0:
	case more > 1 && !a.o.Verbose:
		a.say(left, left+2, a.p.Text("report.audit-actions", "actions", strings.Join(rest[:shownActions], ", "), "n", more))
	default:
		a.say(left, left+2, a.p.Text("report.audit-actions-all", "actions", rest))
	}
}

// statement names a statement and quotes the line in which it speaks of the action.
func (a *auditPrinter) statement(id string, b *audit.Because, action string, left int, more ...any) {
	src, st := b.In()
	if st == nil {
		return
	}
	pos := about(st, action)
	place := Place(a.p, fileOf(src), pos)
	args := append([]any{"statement", statementName(a.p, b), "kind", a.p.Text("report.audit-kind-" + string(src.Kind)), "place", place}, more...)
	a.say(left, left+2, a.p.Text(id, args...))
	if key := place + "\x00" + src.ARN; !a.shown[key] {
		a.shown[key] = true
		a.quote(src, pos, left)
	}
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

// widest is how much of a line of a document is quoted where nothing bounds it.
const widest = 96

// quote shows one line of a document, with a caret under the column.
func (a *auditPrinter) quote(src *policy.Source, pos policy.Position, left int) {
	line, ok := a.excerpts.lines(src).line(pos.Line)
	if !ok {
		return
	}
	number := fmt.Sprintf("%5d", pos.Line)
	room := widest
	if a.o.Width > 0 {
		room = max(min(widest, a.o.Width-left-len(number)-3), 24)
	}
	start := 0
	if pos.Column > room-room/6 {
		start = pos.Column - 1 - room/6
	}
	var shown, under strings.Builder
	i, n := 0, 0
	for _, c := range line.from(start) {
		piece := string(c)
		if c != '\t' {
			piece = locale.Clean(piece)
		}
		width := max(locale.Columns(piece), 1)
		if n += width; n > room {
			break
		}
		shown.WriteString(piece)
		switch {
		case start+i >= pos.Column-1:
		case c == '\t':
			under.WriteByte('\t') // as wide in the line as under it
		default:
			under.WriteString(strings.Repeat(" ", width))
		}
		i++
	}
	indent := strings.Repeat(" ", left)
	a.b.WriteString(indent + a.paint(dim, number+a.p.Signs(" │ ")) + shown.String() + "\n")
	a.b.WriteString(indent + a.paint(dim, strings.Repeat(" ", len(number))+a.p.Signs(" │ ")) + under.String() + a.paint(bold, "^") + "\n")
}

// questions are what stayed open. Those that only --strict asks are told with what was
// not read.
func (a *auditPrinter) questions(p *audit.Principal) {
	for i := range p.Undecided {
		u := &p.Undecided[i]
		if u.Reason == audit.ReasonAssumption {
			continue
		}
		a.gap()
		a.say(2, 4, a.paint(yellow, "? undecided")+"  "+openText(a.p, u))
		if len(u.When) > 0 {
			a.say(4, 6, a.p.Text("report.audit-when", "conditions", strings.Join(u.When, "; ")))
		}
		if _, st := u.In(); st != nil {
			a.statement("report.audit-hangs-on", &u.Because, "", 4)
		} else if u.Line > 0 {
			a.say(4, 6, Place(a.p, u.File, policy.Position{Line: u.Line, Column: u.Column}))
		}
	}
}

// shownGrants are how many grants of a principal are shown without Verbose.
const shownGrants = 12

// granted is what is granted in effect, and what was accepted of it.
func (a *auditPrinter) granted(p *audit.Principal) {
	t := a.p.Text
	if len(p.Grants) > 0 {
		a.gap()
		a.say(2, 2, t("report.audit-granted"))
	}
	for i, g := range p.Grants {
		if i == shownGrants && len(p.Grants) > shownGrants+1 && !a.o.Verbose {
			a.say(4, 6, t("report.audit-more", "n", len(p.Grants)-i))
			break
		}
		a.say(4, 6, grantText(a.p, g))
	}
	if len(p.Environment) > 0 {
		a.say(2, 4, t("report.audit-environment", "conditions", contextText(p.Environment)))
	}
	if len(p.Allowed) > 0 {
		a.say(2, 4, t("report.audit-accepted", "actions", p.Allowed))
	}
}

// assumptions lists what was not read, each with why and what would settle it.
func (a *auditPrinter) assumptions(p *audit.Principal, heading string, left int) {
	if len(p.Assumptions) == 0 {
		return
	}
	strict := slices.ContainsFunc(p.Undecided, func(u audit.Undecided) bool { return u.Reason == audit.ReasonAssumption })
	if strict {
		heading = a.paint(yellow, "? undecided") + "  " + a.p.Text("report.audit-open-strict")
	}
	a.gap()
	a.say(left, left+2, heading)
	for _, s := range p.Assumptions {
		a.say(left+2, left+4, "- "+assumptionText(a.p, s))
	}
}

// assumptionText is what was not read, why, and what would settle it.
func assumptionText(p *locale.Printer, s audit.Assumption) string {
	return p.Text("report.audit-assumption", "what", p.Text("report.audit-topic-"+string(s.What)),
		"why", p.Text("report.audit-why-"+strings.ReplaceAll(string(s.Why), " ", "-")), "remedy", remedy(p, s))
}
