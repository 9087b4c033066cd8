package report

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/locale"
)

// VerificationSchema names the JSON form of what came of an evidence file.
const VerificationSchema = "buzon/verification/v1"

// Origin tells how it is known who made an evidence file.
type Origin string

// The origins.
const (
	OriginSigned Origin = "signature"
	OriginHash   Origin = "sha256"
	OriginOpen   Origin = "not-proven"
)

// Verification is what came of an evidence file: what was recorded, and the two answers
// that its documents give again.
type Verification struct {
	File, SHA256 string
	Origin       Origin
	Signer       string // the fingerprint of its key
	Previous     string // SHA-256 of the evidence before it; "" where it names none
	Followed     bool   // that evidence was given, and is it

	Recorded Recorded
	// Then is computed again as of the recorded time, Now as of the present.
	Then, Now *audit.Report
	// Same: Then decides what was recorded. Where it doesn't, another version of the
	// program or of the catalogue does it, or the clock ended the recorded audit (Timed).
	Same, Timed bool
}

// Recorded is what an evidence file says of itself.
type Recorded struct {
	Generated time.Time
	Verdict   audit.Verdict
	Tool      audit.Tool
}

// changed are the principals of whom the two answers are not the same, with both.
func (v *Verification) changed() (out [][3]string) {
	then := map[string]audit.Verdict{}
	for i := range v.Then.Principals {
		then[v.Then.Principals[i].ARN] = v.Then.Principals[i].Verdict
	}
	for i := range v.Now.Principals {
		p := &v.Now.Principals[i]
		if was := then[p.ARN]; was != p.Verdict {
			out = append(out, [3]string{p.ARN, string(was), string(p.Verdict)})
		}
	}
	return out
}

// VerificationText writes what came of an evidence file: how far it is to be trusted, the
// two answers, and the report as of the recorded time.
func VerificationText(w io.Writer, p *locale.Printer, v *Verification, o AuditOptions) error {
	t := p.Text
	var b strings.Builder
	say := func(left, hang int, text string) {
		b.WriteString(strings.Repeat(" ", left) + locale.FitColumn(text, o.Width, hang) + "\n")
	}
	say(0, 0, t("report.evidence-"+string(v.Origin), "signer", v.Signer))
	b.WriteByte('\n')
	tool := func(of audit.Tool) string {
		return t("report.audit-tool", "version", of.Version, "catalogue", of.Catalogue)
	}
	rows := [][2]string{
		{t("report.evidence-file"), locale.Name(v.File) + ", sha256 " + v.SHA256},
		{t("report.evidence-recorded"), string(v.Recorded.Verdict) + ", " + p.Time(v.Recorded.Generated) + ", " + tool(v.Recorded.Tool)},
		{t("report.evidence-then"), string(v.Then.Verdict) + ", " + tool(v.Then.Tool)},
		{t("report.evidence-now"), string(v.Now.Verdict) + ", " + p.Time(v.Now.Generated)},
	}
	if v.Previous != "" {
		text := "sha256 " + v.Previous
		if v.Followed {
			text += ", " + t("report.evidence-followed")
		}
		rows = append(rows, [2]string{t("report.evidence-previous"), text})
	}
	width := 0
	for _, row := range rows {
		width = max(width, locale.Columns(row[0]))
	}
	for _, row := range rows {
		say(0, width+2, row[0]+strings.Repeat(" ", width+2-locale.Columns(row[0]))+row[1])
	}
	for _, text := range v.remarks(p) {
		say(0, 2, "! "+text)
	}
	b.WriteByte('\n')
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	return Audit(w, p, v.Then, o)
}

// remarks are what a reader of both answers must know.
func (v *Verification) remarks(p *locale.Printer) (out []string) {
	switch {
	case v.Same:
	case v.Timed:
		out = append(out, p.Text("report.evidence-timed"))
	default:
		out = append(out, p.Text("report.evidence-otherwise", "was", v.Recorded.Tool.Version+" ("+v.Recorded.Tool.Catalogue+")",
			"is", v.Then.Tool.Version+" ("+v.Then.Tool.Catalogue+")"))
	}
	for _, c := range v.changed() {
		out = append(out, p.Text("report.evidence-changed", "principal", c[0], "was", c[1], "is", c[2]))
	}
	return out
}

// verificationJSON is buzon/verification/v1.
type verificationJSON struct {
	Schema   string       `json:"schema"`
	Evidence evidenceJSON `json:"evidence"`
	Recorded answerJSON   `json:"recorded"`
	Then     answerJSON   `json:"then"`
	Now      answerJSON   `json:"now"`
	Same     bool         `json:"same"`  // then decides what was recorded
	Timed    bool         `json:"timed"` // the clock ended the recorded audit
	Changed  []changeJSON `json:"changed"`
	Report   *auditJSON   `json:"report"` // as of the recorded time
}

type evidenceJSON struct {
	File     string `json:"file"`
	SHA256   string `json:"sha256"`
	Origin   Origin `json:"origin"`
	Signer   string `json:"signer"`
	Previous string `json:"previous"`
	Followed bool   `json:"followed"`
}

type answerJSON struct {
	Generated time.Time     `json:"generated"`
	Verdict   audit.Verdict `json:"verdict"`
	Tool      toolJSON      `json:"tool"`
}

type changeJSON struct {
	Principal string `json:"principal"`
	Then      string `json:"then"`
	Now       string `json:"now"`
}

// VerificationJSON writes what came of an evidence file as buzon/verification/v1.
func VerificationJSON(w io.Writer, p *locale.Printer, v *Verification) error {
	answer := func(r *audit.Report) answerJSON { return answerJSON{r.Generated, r.Verdict, toolJSON(r.Tool)} }
	out := verificationJSON{
		Schema: VerificationSchema, Evidence: evidenceJSON{v.File, v.SHA256, v.Origin, v.Signer, v.Previous, v.Followed},
		Recorded: answerJSON{v.Recorded.Generated, v.Recorded.Verdict, toolJSON(v.Recorded.Tool)}, Then: answer(v.Then), Now: answer(v.Now),
		Same: v.Same, Timed: v.Timed, Changed: []changeJSON{}, Report: newAuditJSON(p, v.Then),
	}
	for _, c := range v.changed() {
		out.Changed = append(out.Changed, changeJSON{c[0], c[1], c[2]})
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
