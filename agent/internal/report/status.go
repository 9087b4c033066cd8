package report

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"buzon/agent/internal/locale"
	"buzon/agent/internal/send/courier"
	"buzon/agent/internal/send/gate"
)

// StatusText writes a status as text: what runs, how many files stand where, what is wrong, and the quarantine with
// its reasons.
func StatusText(w io.Writer, p *locale.Printer, s courier.Status, color bool) error {
	paint := func(code, text string) string {
		if !color {
			return text
		}
		return code + text + "\x1b[0m"
	}
	var b strings.Builder
	gap := false // an empty line before the next
	line := func(text string) {
		if gap {
			b.WriteByte('\n')
		}
		gap = false
		fmt.Fprintln(&b, text)
	}
	say := func(id string, args ...any) { line(p.Text(id, args...)) }
	bad := func(id string, args ...any) { line(paint("\x1b[31m", p.Text(id, args...))) }
	if s.Running {
		say("status.running", "command", "agent "+s.Command, "pid", fmt.Sprint(s.PID), "since", s.Started)
	} else {
		bad("status.not-running", "since", s.Started)
	}
	if s.Bucket != "" {
		say("status.where", "bucket", s.Bucket, "prefix", s.Prefix, "state", s.Folder)
	}
	gap = true
	width := 0
	for _, state := range courier.Stages() {
		width = max(width, utf8.RuneCountInString(p.Text("status.state-"+state)))
	}
	for _, state := range courier.Stages() {
		n, name := s.Counts[state], p.Text("status.state-"+state)
		row := fmt.Sprintf("%s%s  %9s  %s", name, strings.Repeat(" ", width-utf8.RuneCountInString(name)), p.Number(n.Files), p.Size(n.Bytes))
		if state == "quarantined" && n.Files > 0 {
			row = paint("\x1b[31m", row)
		}
		line(row)
	}
	gap = true
	if s.Oldest != nil {
		say("status.oldest", "age", s.Generated.Sub(*s.Oldest), "at", *s.Oldest)
	}
	if s.LastSent != nil {
		say("status.last-sent", "at", *s.LastSent)
	}
	if s.Inferred > 0 {
		say("status.inferred", "n", s.Inferred)
	}
	if s.Conflicts > 0 {
		say("status.conflicts", "n", s.Conflicts)
	}
	statusTrouble(p, s, say, bad)
	if len(s.Quarantine) > 0 {
		gap = true
		bad("status.quarantine", "n", s.Quarantined())
		for _, q := range s.Quarantine {
			fmt.Fprintf(&b, "  %s (%s, %s)\n", failedLine(p, courier.Failed{Path: q.Path, Reason: courier.ReasonCode(q.Reason), Detail: q.Detail}), p.Size(q.Size), p.Time(q.At))
		}
		if s.More > 0 {
			fmt.Fprintln(&b, "  "+p.Text("upload.more", "n", s.More))
		}
		say("status.retry")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// statusTrouble says what is wrong beyond single files.
func statusTrouble(p *locale.Printer, s courier.Status, say, bad func(id string, args ...any)) {
	if g := s.Gate; g != nil && g.Report != nil {
		switch first := g.Report.First(); {
		case g.Open:
			say("status.gate-passed", "at", g.Report.Time)
		case first != nil:
			bad("status.gate-shut", "since", since(g), "why", locale.Raw(sentence(p, *g.Report, *first)))
		default:
			say("status.gate-again")
		}
	}
	for _, o := range s.Outboxes {
		if o.Error != "" {
			bad("status.outbox-unseen", "path", o.Path, "reason", o.Error)
		}
	}
	if s.Away != "" {
		bad("status.away", "time", s.Away)
	}
	if t := s.Trouble; t != nil {
		say("status.trouble", "at", t.At, "class", t.Class, "code", t.Code, "message", t.Message)
	}
	if s.Journal != "" {
		bad("status.journal", "reason", s.Journal)
	}
	if s.Lost != nil {
		bad("courier.lost-memory", "conflicts", s.Lost.Conflicts, "files", s.Lost.Files, "state", s.Folder)
	}
}

func since(g *courier.GateStatus) time.Time {
	if g.Since != nil {
		return *g.Since
	}
	return g.Report.Time
}

// statusJSON is buzon/status/v1.
type statusJSON struct {
	courier.Status
	Gate *gateJSON `json:"gate,omitempty"` // instead of the gate's own report
}

type gateJSON struct {
	Open    bool       `json:"open"`
	Passed  bool       `json:"passed"` // the last time that it was asked
	Checked time.Time  `json:"checked"`
	Since   *time.Time `json:"trouble_since,omitempty"`
	// Checks are those that failed or warn.
	Checks []checkJSONLine `json:"checks"`
}

// StatusJSON writes a status as buzon/status/v1.
func StatusJSON(w io.Writer, p *locale.Printer, s courier.Status) error {
	return indented(w, statusOf(p, s))
}

func statusOf(p *locale.Printer, s courier.Status) statusJSON {
	out := statusJSON{Status: s}
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
