package report

import (
	"io"
	"slices"
	"strings"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/locale"
)

// AuditOptions say how an audit is written as text.
type AuditOptions struct {
	// Texts holds the files that the documents came from, by name, to show lines of them.
	Texts map[string][]byte
	Color bool
	// Width of the screen in columns; 0 is without limit.
	Width int
	// Verbose names all actions and grants, and lists every document.
	Verbose bool
}

// Audit writes an audit as text: the verdict with what was audited, when and with
// what; a line for each principal; what holds or breaks the contract of each, by the
// statement at fault; what was not read; the documents; and what it is no proof of.
func Audit(w io.Writer, p *locale.Printer, r *audit.Report, o AuditOptions) error {
	a := &auditPrinter{p: p, o: o, r: r, excerpts: &excerpts{texts: o.Texts, files: map[string]*sourceText{}}, shown: map[string]bool{}, said: map[string]string{}}
	a.head()
	a.table()
	list, numbers := documentsOf(r)
	for i := range r.Principals {
		a.principal(&r.Principals[i], numbers[i])
	}
	a.common()
	a.documents(list)
	a.limits()
	_, err := io.WriteString(w, a.b.String())
	return err
}

type auditPrinter struct {
	p        *locale.Printer
	o        AuditOptions
	r        *audit.Report
	excerpts *excerpts
	shown    map[string]bool   // places whose line was quoted
	said     map[string]string // what was said once, and of whom
	b        strings.Builder
}

const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
)

func (a *auditPrinter) paint(code, s string) string {
	if !a.o.Color || s == "" {
		return s
	}
	return code + s + "\x1b[0m"
}

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

// say writes a text whose first line stands at a column and every further one at
// another, fitted to the screen.
func (a *auditPrinter) say(left, hang int, text string) {
	for i, line := range strings.Split(text, "\n") {
		at := left
		if i > 0 {
			at = hang
		}
		a.b.WriteString(strings.Repeat(" ", at))
		if strings.HasPrefix(line, "  ") { // a command to type: never broken
			a.b.WriteString(line)
		} else {
			a.b.WriteString(locale.FitHanging(line, a.o.Width, at, hang))
		}
		a.b.WriteByte('\n')
	}
}

func (a *auditPrinter) gap() { a.b.WriteByte('\n') }

// head is the verdict, and a line for each thing that one must know of an audit.
func (a *auditPrinter) head() {
	t := a.p.Text
	means := "report.audit-means-" + string(a.r.Verdict)
	if drifted(a.r) {
		means = "report.audit-rule-drift"
	}
	a.say(0, 0, a.verdict(a.r.Verdict)+"  "+t(means))
	if a.r.Strict && a.r.Refused(true) && !a.r.Refused(false) {
		a.say(0, 0, t("report.audit-strict"))
	}
	a.gap()
	rows := headRows(a.p, a.r)
	width := 0
	for _, row := range rows {
		width = max(width, locale.Columns(row[0]))
	}
	for _, row := range rows {
		a.say(0, width+2, a.paint(dim, row[0])+strings.Repeat(" ", width+2-locale.Columns(row[0]))+row[1])
	}
	for _, n := range a.r.Notes {
		a.say(0, 2, a.paint(yellow, "! ")+note(a.p, nil, n))
	}
	for i := range a.r.Findings {
		a.finding(nil, &a.r.Findings[i], 0)
	}
}

// headRows are the names and values of the head.
func headRows(p *locale.Printer, r *audit.Report) [][2]string {
	t := p.Text
	assumed := func(value, id string) string { return value + " " + t(id) }
	var rows [][2]string
	add := func(id, value string) {
		if value != "" {
			rows = append(rows, [2]string{t("report.audit-head-" + id), value})
		}
	}
	add("when", p.Time(r.Generated))
	if len(r.Command) > 0 {
		words := make([]string, 0, len(r.Command))
		for _, w := range r.Command {
			words = append(words, locale.Shell(w))
		}
		add("command", "agent "+strings.Join(words, " "))
	}
	add("caller", r.Caller)
	catalogue := r.Tool.Catalogue
	if day := catalogueDay(catalogue); day != "" {
		catalogue += " " + t("report.audit-of-day", "day", day)
	}
	add("tool", t("report.audit-tool", "version", r.Tool.Version, "catalogue", catalogue))
	add("account", r.Account)
	if r.Partition != "" {
		add("partition", r.Partition)
	}
	region := r.Region
	if region == "" {
		region = t("report.audit-every-region")
	}
	add("region", region)
	if bucket, owner, same := oneBucket(r); same {
		if owner == "" {
			bucket += ", " + assumed(t("report.audit-owner", "account", r.Account), "report.audit-assumed-owner")
		} else {
			bucket += ", " + t("report.audit-owner", "account", owner)
		}
		add("bucket", bucket)
	}
	judged := t("report.audit-judged", "n", len(r.Principals))
	if r.NotJudged > 0 {
		judged += " " + t("report.audit-left", "n", r.NotJudged)
	}
	add("judged", judged)
	if len(r.Parameters) > 0 {
		var list []string
		for name, value := range r.Parameters {
			list = append(list, name+" = "+value)
		}
		slices.Sort(list)
		add("parameters", strings.Join(list, ", "))
	}
	return rows
}

// catalogueDay is the date in the catalogue's version, YYYY-MM-DD.
func catalogueDay(version string) string {
	at := strings.LastIndexByte(version, '.')
	day := version[at+1:]
	if len(day) < 8 || strings.Trim(day[:8], "0123456789") != "" {
		return ""
	}
	return day[:4] + "-" + day[4:6] + "-" + day[6:8]
}

// oneBucket is the bucket of all principals, if that is one.
func oneBucket(r *audit.Report) (bucket, owner string, same bool) {
	for i := range r.Principals {
		p := &r.Principals[i]
		if i > 0 && (p.Bucket != bucket || p.Owner != owner) {
			return "", "", false
		}
		bucket, owner = p.Bucket, p.Owner
	}
	return bucket, owner, bucket != ""
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

// table is a line for each principal, the worst first; of one it would say nothing new.
func (a *auditPrinter) table() {
	if len(a.r.Principals) < 2 {
		return
	}
	a.gap()
	rows := make([][2]string, 0, len(a.r.Principals))
	width := 0
	for i := range a.r.Principals {
		p := &a.r.Principals[i]
		name := a.short(p.ARN)
		if a.o.Width > 0 {
			name = locale.Cut(name, max(a.o.Width/2-6, 16))
		}
		rows = append(rows, [2]string{name, summary(a.p, p)})
		width = max(width, locale.Columns(name))
	}
	for i, row := range rows {
		v := a.r.Principals[i].Verdict
		line := a.verdict(v) + strings.Repeat(" ", max(12-len(v), 1)) + row[0] + strings.Repeat(" ", width+2-locale.Columns(row[0])) + row[1]
		a.say(0, width+14, strings.TrimRight(line, " "))
	}
}

// short is an ARN without what the head says already.
func (a *auditPrinter) short(arn string) string {
	name := locale.Name(arn)
	if a.r.Account == "" {
		return name
	}
	for _, service := range []string{"iam", "sts"} {
		if rest, ok := strings.CutPrefix(name, "arn:"+a.r.Partition+":"+service+"::"+a.r.Account+":"); ok {
			return rest
		}
	}
	return name
}

// summary is what broke of a principal, in few words.
func summary(p *locale.Printer, of *audit.Principal) string {
	count := map[string]int{}
	for _, f := range of.Findings {
		switch {
		case f.Waived != nil:
			count["waived"]++
		default:
			count[string(f.Severity)]++
		}
	}
	count["open"] = len(of.Undecided)
	var parts []string
	for _, kind := range []string{"error", "warning", "waived", "open"} {
		if count[kind] > 0 {
			parts = append(parts, p.Text("report.audit-count-"+kind, "n", count[kind]))
		}
	}
	return strings.Join(parts, ", ")
}

// common is what holds of all principals alike: what was not read, said once.
func (a *auditPrinter) common() {
	if len(a.r.Principals) < 2 || !sameAssumptions(a.r) {
		return
	}
	a.assumptions(&a.r.Principals[0], a.p.Text("report.audit-assumed-all"), 0)
}

// sameAssumptions reports whether all principals have one list of what was not read.
func sameAssumptions(r *audit.Report) bool {
	for i := range r.Principals {
		if !slices.Equal(r.Principals[i].Assumptions, r.Principals[0].Assumptions) {
			return false
		}
	}
	return true
}

// documents lists what was read, each once, with its version and hash.
func (a *auditPrinter) documents(list []audit.Source) {
	if len(list) == 0 {
		return
	}
	a.gap()
	a.say(0, 0, a.paint(bold, a.p.Text("report.audit-documents")))
	for i, s := range list {
		a.say(2, 6, documentLine(a.p, i+1, s))
		a.say(6, 6, a.paint(dim, "sha256 "+s.SHA256))
	}
}

// documentLine names a document: its number, kind, name, version and place.
func documentLine(p *locale.Printer, n int, s audit.Source) string {
	line := p.Text("report.audit-document", "n", n, "kind", p.Text("report.audit-kind-"+string(s.Kind)), "name", s.Name)
	if s.Version != "" {
		line += " " + s.Version
	}
	if s.ARN != "" && s.ARN != s.Name {
		line += ", " + locale.Name(s.ARN)
	}
	if s.File != "" && s.File != s.Name {
		line += ", " + locale.Name(s.File)
	}
	if s.Address != "" {
		line += ", " + locale.Name(s.Address)
	}
	if s.AsOf != "" {
		line += " " + p.Text("report.audit-of-day", "day", s.AsOf)
	}
	return line
}

// documentsOf are the documents of all principals, each once, and the numbers of each
// principal's own, from 1.
func documentsOf(r *audit.Report) (list []audit.Source, numbers [][]int) {
	type key struct{ kind, name, arn, sha, file, address string }
	seen := map[key]int{}
	for i := range r.Principals {
		var own []int
		for _, s := range r.Principals[i].Sources {
			k := key{string(s.Kind), s.Name, s.ARN, s.SHA256, s.File, s.Address}
			n, there := seen[k]
			if !there {
				list = append(list, s)
				n = len(list)
				seen[k] = n
			}
			own = append(own, n)
		}
		numbers = append(numbers, own)
	}
	return list, numbers
}

// limits is what an audit is no proof of.
func (a *auditPrinter) limits() {
	a.gap()
	a.say(0, 0, a.paint(bold, a.p.Text("report.audit-no-proof")))
	for _, text := range limitsOf(a.p) {
		a.say(2, 4, "- "+text)
	}
}

func limitsOf(p *locale.Printer) []string {
	return []string{
		p.Text("report.audit-limit-root"), p.Text("report.audit-limit-sessions"), p.Text("report.audit-limit-services"), p.Text("report.audit-limit-narrow"),
	}
}
