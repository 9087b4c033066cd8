package report

import (
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"buzon/agent/internal/locale"
	"buzon/agent/internal/send/courier"
	"buzon/agent/internal/send/gate"
)

// StatusText writes a status as text: the state in a sentence, what is wrong with the command to type,
// the counts, what waits longest, and the quarantine with its reasons.
func StatusText(w io.Writer, p *locale.Printer, s courier.Status, screen Screen) error {
	t := statusText{p: p, s: s, screen: screen}
	t.say(stateText(p, s), stateColor(s))
	t.where()
	for _, problem := range s.Problems {
		t.problem(problem)
	}
	if len(s.Counts) > 0 {
		t.counts()
	}
	t.waits()
	t.facts()
	t.quarantine()
	_, err := io.WriteString(w, t.b.String())
	return err
}

// statusText is a status that is being written.
type statusText struct {
	b      strings.Builder
	p      *locale.Printer
	s      courier.Status
	screen Screen
}

func (t *statusText) say(text, color string) {
	first, rest, more := strings.Cut(text, "\n")
	text = t.screen.paint(color, first)
	if more {
		text += "\n" + rest
	}
	t.screen.say(&t.b, text)
}

// gap leaves a line empty.
func (t *statusText) gap() { t.b.WriteByte('\n') }

func stateColor(s courier.Status) string {
	switch s.State {
	case courier.StateStopped, courier.StateNotRunning:
		return red
	case courier.StateWaiting:
		return yellow
	case courier.StateSending, courier.StateIdle:
	}
	return green
}

// StateSentence is the state of a status in one line.
func StateSentence(p *locale.Printer, s courier.Status) string {
	return strings.ReplaceAll(stateText(p, s), "\n", " ")
}

// stateText is what the agent is doing, and for some states what to do, on lines of their own.
func stateText(p *locale.Printer, s courier.Status) string {
	why := ""
	if s.Reason != "" {
		why = p.Text("status.why-" + string(s.Reason))
	}
	args := []any{"n", unsent(s), "since", s.Since, "why", locale.Raw(why), "folder", s.Folder}
	switch {
	case s.State == courier.StateStopped && why == "", s.State == courier.StateWaiting && why == "":
		return p.Text("status.is-"+string(s.State)+"-bare", args...)
	default:
		return p.Text("status.is-"+string(s.State), args...)
	}
}

// unsent is how many files wait to be sent.
func unsent(s courier.Status) int64 { return s.Counts["pending"].Files + s.Counts["sending"].Files }

// where is who runs, and where to.
func (t *statusText) where() {
	s := t.s
	if s.Running && s.Command != "" {
		t.say(t.p.Text("status.running", "command", "agent "+s.Command, "pid", locale.Raw(plainNumber(s.PID)), "since", s.Started), "")
	}
	if s.Bucket != "" {
		t.say(t.p.Text("status.where", "bucket", s.Bucket, "prefix", s.Prefix, "state", s.Folder), "")
	}
}

// problem is one thing that is wrong: its kind, what it is about, since when, and what to type.
func (t *statusText) problem(problem courier.Problem) {
	t.gap()
	status := "warning"
	if problem.Kind.Person() {
		status = "failed"
	}
	mark := t.screen.mark(t.p, status) + " "
	text := string(problem.Kind) + ": " + problemText(t.p, t.s, problem) + " " +
		t.p.Text("status.since", "since", problem.Since, "time", max(0, t.s.Generated.Sub(problem.Since)))
	if problem.Until != nil {
		text += " " + t.p.Text("status.until", "until", *problem.Until)
	}
	if remedy := Remedy(t.p, t.s, problem); remedy != "" {
		text += "\n  " + remedy
	}
	lines := t.screen.lines(text, locale.Columns(mark))
	t.b.WriteString(mark + strings.TrimLeft(lines[0], " ") + "\n")
	for _, line := range lines[1:] {
		t.b.WriteString(line + "\n")
	}
}

// problemText is a problem in a sentence.
func problemText(p *locale.Printer, s courier.Status, problem courier.Problem) string {
	id := "status.problem-" + string(problem.Kind)
	if problem.Kind == courier.ProblemNotRunning && problem.Files == 0 {
		id = "status.problem-not-running-idle"
	}
	return strings.TrimRight(p.Text(id, problemArgs(p, s, problem)...), " ")
}

func problemArgs(p *locale.Printer, s courier.Status, problem courier.Problem) []any {
	detail := problem.Detail
	if detail == "" {
		detail = p.Signs("–")
	}
	what := problem.Path
	if what == "" {
		what = problem.Outbox
	}
	folder := problem.Outbox
	if problem.Path != "" {
		folder = path.Dir(problem.Path)
	}
	why := ""
	if g := s.Gate; problem.Kind == courier.ProblemGate && g != nil && g.Report != nil && g.Report.First() != nil {
		why, _, _ = strings.Cut(sentence(p, *g.Report, *g.Report.First()), "\n")
	}
	args := []any{
		"n", problem.Files, "outbox", problem.Outbox, "path", what, "parent", folder, "detail", detail, "why", locale.Raw(why),
		"pid", locale.Raw(plainNumber(s.PID)), "folder", s.Folder,
	}
	if s.Lost != nil {
		args = append(args, "conflicts", s.Lost.Conflicts, "files", s.Lost.Files)
	}
	return append(args, "conflicts", problem.Files, "files", "100") // the first of a name wins
}

// Remedy is the command to type against a problem.
func Remedy(p *locale.Printer, s courier.Status, problem courier.Problem) string {
	return strings.TrimSpace(p.Text("status.remedy-"+string(problem.Kind), problemArgs(p, s, problem)...))
}

func (t *statusText) counts() {
	t.gap()
	width := 0
	for _, stage := range courier.Stages() {
		width = max(width, locale.Columns(t.p.Text("status.state-"+stage)))
	}
	for _, stage := range courier.Stages() {
		n, name := t.s.Counts[stage], t.p.Text("status.state-"+stage)
		files := t.p.Number(n.Files)
		row := name + strings.Repeat(" ", width-locale.Columns(name)+2+max(0, 9-len(files))) + files + "  " + t.p.Size(n.Bytes)
		if stage == "quarantined" && n.Files > 0 {
			row = t.screen.paint(red, row)
		}
		t.b.WriteString(row + "\n")
	}
}

// waits are the files that wait longest.
func (t *statusText) waits() {
	if len(t.s.Waits) == 0 {
		if t.s.Oldest != nil {
			t.gap()
			t.say(t.p.Text("status.oldest", "age", t.s.Generated.Sub(*t.s.Oldest), "at", *t.s.Oldest), "")
		}
		return
	}
	t.gap()
	t.say(t.p.Text("status.waits", "n", len(t.s.Waits)), "")
	for _, w := range t.s.Waits {
		line := t.screen.name(w.Path) + " (" + t.p.Size(w.Size) + ", " + t.p.Text("status.accepted", "age", t.s.Generated.Sub(w.Accepted))
		if w.Attempts > 0 {
			line += ", " + t.p.Text("status.attempts", "n", w.Attempts)
		}
		line += ")"
		if id := "courier.reason-" + w.Reason; w.Reason != "" && t.p.Has(id) {
			line += ": " + t.p.Text(id)
		}
		t.screen.indent(&t.b, line, 2)
	}
}

// facts are what else is known.
func (t *statusText) facts() {
	s, p := t.s, t.p
	var facts []string
	if g := s.Gate; g != nil && g.Open && g.Report != nil {
		facts = append(facts, p.Text("status.gate-passed", "at", g.Report.Time))
	}
	if s.LastSent != nil {
		facts = append(facts, p.Text("status.last-sent", "at", *s.LastSent))
	}
	if s.Inferred > 0 {
		facts = append(facts, p.Text("status.inferred", "n", s.Inferred))
	}
	if s.Conflicts > 0 {
		facts = append(facts, p.Text("status.conflicts", "n", s.Conflicts))
	}
	if s.Trouble != nil {
		facts = append(facts, t.trouble(*s.Trouble))
	}
	if len(facts) > 0 {
		t.gap()
	}
	for _, fact := range facts {
		t.say(fact, "")
	}
}

// trouble is an answer that was no success, in the reader's words and then in the store's.
func (t *statusText) trouble(l courier.Trouble) string {
	p, what := t.p, l.Class
	if id := "status.class-" + l.Class; p.Has(id) {
		what = p.Text(id)
	}
	if said := strings.TrimSpace(l.Code + " " + l.Message); said != "" {
		what = p.Text("status.said", "what", locale.Raw(what), "said", said)
	}
	if l.RequestID != "" {
		what += " (" + p.Text("status.request", "id", l.RequestID) + ")"
	}
	return p.Text("status.trouble", "at", l.At, "path", locale.Raw(t.screen.name(l.Path)), "what", locale.Raw(what))
}

// quarantine lists the files with their reasons, what may be done about each reason, and how to go on.
func (t *statusText) quarantine() {
	s, p := t.s, t.p
	if len(s.Quarantine) == 0 {
		return
	}
	t.gap()
	t.say(p.Text("status.quarantine", "n", s.Total), red)
	var reasons []string
	for _, q := range s.Quarantine {
		line := failedLine(p, courier.Failed{Path: q.Path, Reason: courier.ReasonCode(q.Reason), Detail: q.Detail}, t.screen)
		t.screen.indent(&t.b, line+" ("+p.Size(q.Size)+", "+p.Time(q.At)+")", 2)
		if !slices.Contains(reasons, q.Reason) {
			reasons = append(reasons, q.Reason)
		}
	}
	if s.More > 0 {
		t.screen.indent(&t.b, p.Text("status.more", "n", s.More), 2)
	}
	t.gap()
	for _, reason := range reasons {
		if id := "courier.remedy-" + reason; p.Has(id) {
			t.say(reason+": "+p.Text(id), "")
		}
	}
	t.say(p.Text("status.retry"), "")
}

// plainNumber is a process's number as it is typed.
func plainNumber(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

// statusJSON is buzon/status/v1.
type statusJSON struct {
	courier.Status
	Problems []problemJSON            `json:"problems"`         // with their remedies
	Counts   map[string]courier.Count `json:"counts,omitempty"` // not of an agent that doesn't answer
	Gate     *gateJSON                `json:"gate,omitempty"`   // instead of the gate's own report
}

type problemJSON struct {
	courier.Problem
	Remedy  string `json:"remedy"` // the command to type
	Message string `json:"message"`
}

type gateJSON struct {
	Open    bool       `json:"open"`
	Passed  bool       `json:"passed"` // the last time that it was asked
	Checked time.Time  `json:"checked"`
	Since   *time.Time `json:"trouble_since,omitempty"`
	// Checks are those that failed or warn.
	Checks []checkJSONLine `json:"checks"`
}

// StatusJSON writes a status as buzon/status/v1; as one line of many with lines.
func StatusJSON(w io.Writer, p *locale.Printer, s courier.Status, lines bool) error {
	if lines {
		return compact(w, statusOf(p, s))
	}
	return indented(w, statusOf(p, s))
}

func statusOf(p *locale.Printer, s courier.Status) statusJSON {
	out := statusJSON{Status: s, Problems: []problemJSON{}, Counts: s.Counts}
	for _, problem := range s.Problems {
		out.Problems = append(out.Problems, problemJSON{problem, Remedy(p, s, problem), problemText(p, s, problem)})
	}
	if g := s.Gate; g != nil && g.Report != nil {
		out.Gate = &gateJSON{Open: g.Open, Passed: g.Report.Passed, Checked: g.Report.Time, Since: g.Since, Checks: []checkJSONLine{}}
		for _, c := range g.Report.Checks {
			if c.Status == gate.Failed || c.Status == gate.Warning {
				out.Gate.Checks = append(out.Gate.Checks, checkJSONLine{string(c.ID), string(c.Status), string(c.Outcome), c.Asked, c.Answered, c.Permission, c.Args, sentence(p, *g.Report, c)})
			}
		}
	}
	return out
}
