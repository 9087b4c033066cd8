package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/locale"
	"buzon/agent/policy"
)

//go:embed audit.css
var auditCSS string

// AuditHTML writes an audit as one page that needs nothing else. texts holds the files
// that the documents came from, by name.
func AuditHTML(w io.Writer, p *locale.Printer, r *audit.Report, texts map[string][]byte) error {
	v := newAuditView(p, r, texts)
	page := p.Text("report.audit-page")
	return writePage(w, p.Lang(), page+": "+string(v.Verdict), auditCSS, h.Main(
		h.H1(g.Text(page+": "), tag(string(v.Verdict), string(v.Verdict))),
		paragraphs("", v.Means),
		h.Dl(g.Map(v.Head, func(row [2]string) g.Node {
			return g.Group{h.Dt(g.Text(row[0])), h.Dd(g.Text(row[1]))}
		})),
		paragraphs("warning", v.Notes...),
		principalTable(p, v.Principals),
		g.Map(v.Principals, func(of principalView) g.Node { return principalSection(p, &of) }),
		documentList(p, v.Documents),
		h.H2(g.Text(p.Text("report.audit-no-proof"))), bullets(v.Limits),
	))
}

func tag(class, text string) g.Node { return h.Span(h.Class("tag "+class), g.Text(text)) }

func bullets(texts []string) g.Node {
	return h.Ul(g.Map(texts, func(text string) g.Node { return h.Li(g.Text(text)) }))
}

// scrolled is a table that scrolls by itself where the screen is narrow, by keyboard too.
func scrolled(name, caption string, head, rows g.Node) g.Node {
	return h.Div(h.Class("scroll"), h.TabIndex("0"), h.Role("region"), h.Aria("label", name),
		h.Table(h.Caption(g.Text(caption)), head, h.TBody(rows)))
}

func principalTable(p *locale.Printer, list []principalView) g.Node {
	caption := p.Text("report.audit-page-principals")
	return scrolled(caption, caption,
		heads(p.Text("report.audit-page-verdict"), p.Text("report.audit-page-principal"), p.Text("report.audit-page-found")),
		g.Map(list, func(of principalView) g.Node {
			return h.Tr(h.Td(h.Class("tag "+of.Verdict), g.Text(of.Verdict)), h.Td(h.A(h.Href("#"+of.ID), g.Text(of.ARN))),
				h.Td(g.Text(cmp.Or(of.Summary, "–"))))
		}))
}

func principalSection(p *locale.Printer, of *principalView) g.Node {
	return g.Group{
		h.H2(h.ID(of.ID), tag(of.Verdict, of.Verdict), g.Text(" "+of.ARN)),
		paragraphs("", of.HeldTo, of.Holds, of.Simulated, of.Environment),
		paragraphs("warning pre", of.Notes...),
		g.Map(of.Groups, func(group groupView) g.Node { return groupSection(p, &group) }),
		g.Map(of.Open, openSection),
		grantTable(p, of),
		g.Iff(len(of.Assumptions) > 0, func() g.Node {
			return h.Section(h.Class("finding undecided"), h.H3(g.Text(p.Text("report.audit-assumed"))), bullets(of.Assumptions))
		}),
	}
}

func groupSection(p *locale.Printer, group *groupView) g.Node {
	class := "finding " + group.Severity
	if group.Waived {
		class += " is-waived"
	}
	statements := g.Map(group.Statements, excerpt)
	if group.Together == "" {
		return h.Section(h.Class(class), g.Map(group.Findings, func(f findingView) g.Node { return findingNodes(p, h.H3, &f, statements) }))
	}
	return h.Section(h.Class(class),
		h.H3(g.Text(group.Together)), paragraphs("", group.When), statements,
		g.Map(group.Findings, func(f findingView) g.Node { return findingNodes(p, h.H4, &f, nil) }),
		fixParagraph(p, group.Fix),
	)
}

func findingNodes(p *locale.Printer, heading func(...g.Node) g.Node, f *findingView, statements g.Node) g.Node {
	return g.Group{
		heading(tag(f.Severity, f.Rule+" ("+f.Severity+")"), g.Text(" "+f.Title)),
		paragraphs("", f.Waived, f.When, f.Witness, f.Missing),
		g.Iff(len(f.Actions) > 1, func() g.Node {
			var names g.Group
			for i, action := range f.Actions {
				names = append(names, g.If(i > 0, g.Text(", ")), h.Code(g.Text(action)))
			}
			return h.Details(h.Summary(g.Text(f.Count)), h.P(names))
		}),
		paragraphs("", f.Places...),
		statements,
		paragraphs("", f.Stops...),
		fixParagraph(p, f.Fix),
	}
}

func fixParagraph(p *locale.Printer, fix string) g.Node {
	if fix == "" {
		return nil
	}
	return h.P(h.Class("pre"), h.Strong(g.Text(p.Text("report.audit-fix"))), g.Text(" "+fix))
}

func openSection(o openView) g.Node {
	return h.Section(h.Class("finding undecided"),
		h.H3(h.Class("undecided pre"), g.Text(o.Text)),
		paragraphs("", o.Place),
		g.Iff(o.Statement != nil, func() g.Node { return excerpt(*o.Statement) }),
	)
}

func grantTable(p *locale.Printer, of *principalView) g.Node {
	if len(of.Rows) == 0 {
		return nil
	}
	caption := p.Text("report.audit-page-grants")
	return scrolled(caption+": "+of.ARN, caption,
		heads(p.Text("report.audit-page-action"), p.Text("report.audit-page-resource"), p.Text("report.audit-page-by"), p.Text("report.audit-page-stops")),
		g.Map(of.Rows, func(row rowView) g.Node {
			return h.Tr(h.Td(h.Code(g.Text(row.Action))), h.Td(h.Code(g.Text(row.Resource))), h.Td(g.Text(row.By)), h.Td(g.Text(row.Stops)))
		}))
}

func documentList(p *locale.Printer, list []documentView) g.Node {
	if len(list) == 0 {
		return nil
	}
	return g.Group{
		h.H2(g.Text(p.Text("report.audit-documents"))),
		h.Ul(g.Map(list, func(d documentView) g.Node {
			return h.Li(g.Text(d.Name), h.Br(), h.Span(h.Class("sha"), g.Text("sha256 "+d.SHA256)))
		})),
	}
}

// excerpt is a statement in its document, marked.
func excerpt(s statementView) g.Node {
	return h.Figure(h.FigCaption(g.Text(s.Name)),
		h.Pre(h.TabIndex("0"), h.Role("group"), h.Aria("label", s.Name), g.Map(s.Lines, func(line lineView) g.Node {
			text := g.Group{h.Span(h.Class("n"), g.Text(fmt.Sprintf("%5d ", line.Number))), g.Text(line.Text)}
			if line.Mark {
				return g.Group{h.Mark(text...), g.Text("\n")}
			}
			return append(text, g.Text("\n"))
		})))
}

// The views are what the page shows, in words.
type auditView struct {
	Verdict    audit.Verdict
	Means      string
	Head       [][2]string
	Notes      []string
	Principals []principalView
	Documents  []documentView
	Limits     []string
}

type principalView struct {
	ID, ARN, Verdict, Summary, HeldTo, Holds, Simulated, Environment string
	Groups                                                           []groupView
	Open                                                             []openView
	Rows                                                             []rowView
	Assumptions, Notes                                               []string
}

// groupView are findings that rest on the same statements, which are shown once.
type groupView struct {
	Together, Severity, When, Fix string // Together and Fix where there are several
	Waived                        bool
	Findings                      []findingView
	Statements                    []statementView
}

type findingView struct {
	Rule, Severity, Title, When, Witness, Missing, Fix, Waived, Count string
	Actions                                                           []string
	Places, Stops                                                     []string
}

type statementView struct {
	Name  string
	Lines []lineView
}

type lineView struct {
	Number int
	Text   string
	Mark   bool
}

type openView struct {
	Text      string
	Statement *statementView
	Place     string
}

// rowView is one way from a statement to an action, and what stops it.
type rowView struct{ Action, Resource, By, Stops string }

type documentView struct {
	Name, SHA256 string
}

func newAuditView(p *locale.Printer, r *audit.Report, texts map[string][]byte) *auditView {
	v := &auditView{Verdict: r.Verdict, Means: p.Text("report.audit-means-" + string(r.Verdict)), Head: headRows(p, r), Limits: limitsOf(p)}
	if r.Strict && r.Refused(true) && !r.Refused(false) {
		v.Means += " " + p.Text("report.audit-strict")
	}
	x := &excerpts{texts: texts, files: map[string]*sourceText{}}
	for _, n := range r.Notes {
		v.Notes = append(v.Notes, note(p, nil, n))
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		v.Notes = append(v.Notes, title(p, f)+" "+strings.Join(lackTexts(p, f), " "))
	}
	for i := range r.Principals {
		v.Principals = append(v.Principals, newPrincipalView(p, &r.Principals[i], i, x))
	}
	list, _ := documentsOf(r)
	for i, s := range list {
		v.Documents = append(v.Documents, documentView{documentLine(p, i+1, s), s.SHA256})
	}
	return v
}

func newPrincipalView(p *locale.Printer, of *audit.Principal, n int, x *excerpts) principalView {
	v := principalView{
		ID: "p" + string(rune('a'+n%26)) + strings.Repeat("z", n/26), ARN: locale.Name(of.ARN), Verdict: string(of.Verdict), Summary: summary(p, of),
		HeldTo: p.Text("report.audit-held-to", "bucket", of.Bucket, "prefix", of.Prefix),
	}
	if of.Verdict == audit.WriteOnly || of.Verdict == audit.Waived {
		v.Holds = holdsText(p, of)
	}
	v.Simulated = simulatedText(p, of)
	if len(of.Environment) > 0 {
		v.Environment = p.Text("report.audit-environment", "conditions", contextText(of.Environment))
	}
	for _, list := range groups(of) {
		v.Groups = append(v.Groups, newGroupView(p, of, list, x))
	}
	for i := range of.Undecided {
		u := &of.Undecided[i]
		o := openView{Text: openText(p, u)}
		if _, st := u.In(); st != nil {
			s := x.statement(p, &u.Because, "")
			o.Statement = &s
		} else if u.Line > 0 {
			o.Place = Place(p, u.File, policy.Position{Line: u.Line, Column: u.Column})
		}
		v.Open = append(v.Open, o)
	}
	v.Rows = rowsOf(p, of)
	for _, a := range of.Assumptions {
		v.Assumptions = append(v.Assumptions, assumptionText(p, a))
	}
	for _, n := range of.Notes {
		v.Notes = append(v.Notes, note(p, of, n))
	}
	return v
}

func newGroupView(p *locale.Printer, of *audit.Principal, list []*audit.Finding, x *excerpts) groupView {
	first := list[0]
	v := groupView{Severity: string(first.Severity), Waived: first.Waived != nil}
	action := "s3:PutObject"
	if first.Witness != nil {
		action = first.Witness.Action
	}
	for i := range first.Because {
		if _, st := first.Because[i].In(); st != nil {
			v.Statements = append(v.Statements, x.statement(p, &first.Because[i], action))
		}
	}
	for _, f := range list {
		v.Findings = append(v.Findings, newFindingView(p, of, f))
	}
	if len(list) > 1 {
		v.Together = p.Text("report.audit-together", "n", len(list))
		v.When = v.Findings[0].When
		for i := range v.Findings {
			v.Findings[i].When = ""
		}
	}
	if len(list) > few {
		v.Fix = groupFix(p, of)
		for i := range v.Findings {
			v.Findings[i].Fix = ""
		}
	}
	return v
}

func newFindingView(p *locale.Printer, of *audit.Principal, f *audit.Finding) findingView {
	v := findingView{
		Rule: string(f.Rule), Severity: string(f.Severity), Title: title(p, f), Fix: fix(p, of, f), Actions: actionNames(p, f.Actions), Places: lackTexts(p, f),
		Count: p.Text("report.audit-page-actions", "n", len(f.Actions)),
	}
	if w := f.Witness; w != nil {
		id := "report.audit-witness"
		if w.Latent {
			id = "report.audit-latent"
		}
		v.Witness = p.Text(id, "action", w.Action, "resource", w.Resource)
		if len(w.Context) > 0 {
			v.Witness += ", " + p.Text("report.audit-context", "context", contextText(w.Context))
		}
	}
	if f.Missing != "" {
		v.Missing = p.Text("report.audit-missing", "resource", f.Missing)
	}
	if len(f.When) > 0 {
		v.When = p.Text("report.audit-when", "conditions", strings.Join(f.When, "; "))
	}
	if w := f.Waived; w != nil {
		v.Waived = p.Text("report.audit-waived", "who", w.Who, "until", w.Until, "reason", w.Reason)
	}
	for i := range f.Stops {
		v.Stops = append(v.Stops, stopText(p, &f.Stops[i]))
	}
	return v
}

// lackTexts are the places that a finding names besides statements.
func lackTexts(p *locale.Printer, f *audit.Finding) []string {
	var out []string
	for _, l := range f.Lacks {
		id := "report.audit-drift-lacks"
		switch {
		case f.Rule == audit.RuleWaiverExpired:
			id = "report.audit-waiver-at"
		case f.Detail == audit.DetailAbsent:
			id = "report.audit-drift-declared"
		}
		out = append(out, p.Text(id, "statement", l.Statement, "place", Place(p, l.File, policy.Position{Line: l.Line, Column: l.Column})))
	}
	return out
}

// rowsOf are the ways from statements to actions: what is granted in effect, and what
// would be if something didn't stop it.
func rowsOf(p *locale.Printer, of *audit.Principal) []rowView {
	by := func(b *audit.Because) string {
		src, st := b.In()
		if st == nil {
			return ""
		}
		return p.Text("report.audit-kind-"+string(src.Kind)) + " " + Place(p, fileOf(src), st.Pos)
	}
	var out []rowView
	for i := range of.Grants {
		g := &of.Grants[i]
		plain := *g
		action, resource := g.Action, g.Resource
		if g.NotAction {
			action = p.Text("report.audit-all-but", "what", action)
		}
		if g.NotResource {
			resource = p.Text("report.audit-all-but", "what", resource)
		}
		if len(g.Conditions) > 0 {
			resource += ", " + p.Text("report.audit-if", "conditions", strings.Join(conditions(plain), "; "))
		}
		out = append(out, rowView{action, resource, by(&g.Because), p.Text("report.audit-stopped-by-nothing")})
	}
	for i := range of.Findings {
		f := &of.Findings[i]
		if f.Witness == nil || !f.Witness.Latent {
			continue
		}
		var from, stops []string
		for j := range f.Because {
			from = append(from, by(&f.Because[j]))
		}
		for j := range f.Stops {
			stops = append(stops, stopText(p, &f.Stops[j]))
		}
		out = append(out, rowView{
			strings.Join(actionNames(p, f.Actions), ", "), f.Witness.Resource, strings.Join(from, "; "), strings.Join(stops, "; "),
		})
	}
	return out
}

// excerpts cuts statements out of their documents.
type excerpts struct {
	texts map[string][]byte
	files map[string]*sourceText
}

// lines are those of the file that a document came from, or of the document; none, where
// the file isn't at hand and holds more than the document.
func (x *excerpts) lines(src *policy.Source) *sourceText {
	whole, ok := x.texts[src.File]
	switch {
	case src.File != "" && !ok && src.First.Line > 0:
		return &sourceText{}
	case src.File == "" || !ok:
		return &sourceText{text: string(src.Raw)}
	case x.files[src.File] == nil:
		x.files[src.File] = &sourceText{text: string(whole)}
	}
	return x.files[src.File]
}

const (
	longest   = 40  // lines of a statement that are shown
	widestRow = 200 // characters of a line
	around    = 1   // lines before and after it
)

// statement is a statement with its lines, and one line around them.
func (x *excerpts) statement(p *locale.Printer, b *audit.Because, action string) statementView {
	src, st := b.In()
	pos := about(st, action)
	v := statementView{Name: p.Text("report.audit-statement", "statement", statementName(p, b),
		"kind", p.Text("report.audit-kind-"+string(src.Kind)), "place", Place(p, fileOf(src), pos))}
	text := x.lines(src)
	first, last := st.Pos.Line, x.end(text, st.Pos)
	if pos.Line > last {
		last = pos.Line
	}
	for n := max(first-around, 1); n <= last+around; n++ {
		line, ok := text.line(n)
		if !ok {
			break
		}
		cut := []rune(locale.Clean(strings.ReplaceAll(line.text, "\t", "    ")))
		if start := pos.Column - widestRow/2; n == pos.Line && start > 0 && len(cut) > widestRow {
			cut = append([]rune("…"), cut[min(start, len(cut)):]...)
		}
		if len(cut) > widestRow {
			cut = append(cut[:widestRow], '…')
		}
		v.Lines = append(v.Lines, lineView{n, string(cut), n >= first && n <= last})
	}
	return v
}

// end is the line in which a statement ends: of JSON that of its brace, of YAML the last
// that is indented as far.
func (x *excerpts) end(text *sourceText, from policy.Position) int {
	line, ok := text.line(from.Line)
	if !ok {
		return from.Line
	}
	if rest := line.from(from.Column - 1); !strings.HasPrefix(rest, "{") {
		last := from.Line
		for n := from.Line + 1; n <= from.Line+longest; n++ {
			next, ok := text.line(n)
			indent := 0
			if ok {
				indent = len(next.text) - len(strings.TrimLeft(next.text, " "))
			}
			if !ok || strings.TrimSpace(next.text) == "" || indent < from.Column-1 {
				break
			}
			last = n
		}
		return last
	}
	depth, quoted, escaped := 0, false, false
	for n := from.Line; n < from.Line+longest; n++ {
		line, ok := text.line(n)
		if !ok {
			return n - 1
		}
		rest := line.text
		if n == from.Line {
			rest = line.from(from.Column - 1)
		}
		for _, c := range rest {
			switch {
			case escaped:
				escaped = false
			case quoted && c == '\\':
				escaped = true
			case c == '"':
				quoted = !quoted
			case quoted:
			case slices.Contains([]rune("{["), c):
				depth++
			case slices.Contains([]rune("}]"), c):
				if depth--; depth == 0 {
					return n
				}
			}
		}
	}
	return from.Line + longest - 1
}
