package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"buzon/agent/internal/locale"
	"buzon/agent/internal/send/courier"
)

// Sent is how an upload ended.
type Sent struct {
	courier.Summary
	Bucket, Prefix string
	Took           time.Duration
	Interrupted    bool
}

// Complete reports whether every file that was to be sent has its receipt. Of a
// folder that may not be read nobody knows.
func (s Sent) Complete() bool {
	return s.Unread == 0 && s.Quarantined == 0 && s.Pending == 0 && s.Busy == 0 && len(s.Failed) == 0
}

// mostShown bounds each list on the screen; JSON holds all that the courier keeps.
const mostShown = 20

// SentText writes the end of an upload as text: what was sent, then what was not, and why.
func SentText(w io.Writer, p *locale.Printer, s Sent, color bool) error {
	paint := func(code, text string) string {
		if !color {
			return text
		}
		return code + text + "\x1b[0m"
	}
	var b strings.Builder
	switch {
	case s.Sent > 0:
		took := max(s.Took, time.Millisecond)
		fmt.Fprintln(&b, p.Text("upload.sent", "n", s.Sent, "size", locale.Size(s.SentBytes), "bucket", s.Bucket, "prefix", s.Prefix,
			"time", s.Took, "rate", locale.Rate(float64(s.SentBytes)/took.Seconds())))
	case s.Complete():
		fmt.Fprintln(&b, p.Text("upload.nothing"))
	}
	line := func(id string, n int64) {
		if n > 0 {
			fmt.Fprintln(&b, p.Text(id, "n", n))
		}
	}
	line("upload.known", s.Known)
	line("upload.inferred", s.Inferred)
	line("upload.conflicts", s.Conflicts)
	if len(s.Failed) > 0 || s.Quarantined > 0 {
		fmt.Fprintln(&b, paint("\x1b[31m", p.Text("upload.failed", "n", max(s.Quarantined, int64(len(s.Failed))))))
		for _, f := range first(s.Failed) {
			fmt.Fprintln(&b, "  "+failedLine(p, f))
		}
		more(&b, p, len(s.Failed))
	}
	if s.Busy > 0 {
		fmt.Fprintln(&b, p.Text("upload.writing", "n", s.Busy))
		for _, path := range first(s.Writing) {
			fmt.Fprintln(&b, "  "+locale.Clean(path))
		}
		more(&b, p, len(s.Writing))
	}
	if s.Skipped > 0 {
		fmt.Fprintln(&b, p.Text("upload.skipped", "n", s.Skipped))
		for _, skip := range first(s.Skips) {
			fmt.Fprintln(&b, "  "+locale.Clean(skip.Path)+": "+p.Text("outbox.skip-"+skip.Why))
		}
		more(&b, p, len(s.Skips))
	}
	switch {
	case s.Interrupted && s.Pending > 0:
		fmt.Fprintln(&b, p.Text("upload.interrupted", "n", s.Pending))
	case s.Pending > 0:
		fmt.Fprintln(&b, p.Text("upload.pending", "n", s.Pending))
	}
	if s.Quarantined > 0 {
		fmt.Fprintln(&b, p.Text("upload.retry"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func first[T any](list []T) []T { return list[:min(len(list), mostShown)] }

func more(b *strings.Builder, p *locale.Printer, n int) {
	if n > mostShown {
		fmt.Fprintln(b, "  "+p.Text("upload.more", "n", n-mostShown))
	}
}

// failedLine is a file that was not sent, and why.
func failedLine(p *locale.Printer, f courier.Failed) string {
	line := locale.Clean(f.Path) + ": " + p.Text("courier.reason-"+string(f.Reason))
	if f.Detail != "" {
		line += " [" + locale.Clean(f.Detail) + "]"
	}
	return line
}

// sentJSON is buzon/upload/v1.
type sentJSON struct {
	Schema      string       `json:"schema"`
	Generated   string       `json:"generated"`
	Bucket      string       `json:"bucket"`
	Prefix      string       `json:"prefix"`
	Seconds     float64      `json:"seconds"`
	Complete    bool         `json:"complete"`
	Interrupted bool         `json:"interrupted"`
	Sent        countJSON    `json:"sent"`
	Known       int64        `json:"known"` // sent before
	Inferred    int64        `json:"inferred"`
	Conflicts   int64        `json:"conflicts"`
	Quarantined int64        `json:"quarantined"`
	Pending     int64        `json:"pending"`
	Writing     int64        `json:"writing"`
	Skipped     int64        `json:"skipped"`
	Requests    int64        `json:"attempts"`
	Failed      []failedJSON `json:"failed"`
}

type countJSON struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

type failedJSON struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"`
}

// SentJSON writes the end of an upload as buzon/upload/v1.
func SentJSON(w io.Writer, s Sent) error {
	out := sentJSON{
		Schema: "buzon/upload/v1", Generated: time.Now().UTC().Format(time.RFC3339), Bucket: s.Bucket, Prefix: s.Prefix,
		Seconds: s.Took.Seconds(), Complete: s.Complete(), Interrupted: s.Interrupted, Sent: countJSON{s.Sent, s.SentBytes},
		Known: s.Known, Inferred: s.Inferred, Conflicts: s.Conflicts, Quarantined: s.Quarantined, Pending: s.Pending,
		Writing: s.Busy, Skipped: s.Skipped, Requests: s.Requests, Failed: failures(s.Failed),
	}
	return indented(w, out)
}

func failures(list []courier.Failed) []failedJSON {
	out := make([]failedJSON, 0, len(list))
	for _, f := range list {
		out = append(out, failedJSON{f.Path, string(f.Reason), f.Detail})
	}
	return out
}

// indented writes JSON for people and programs.
func indented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// PlanText writes what an upload would do as text: a line for each file that would be sent, then the counts.
func PlanText(w io.Writer, p *locale.Printer, bucket string, plan courier.Plan) error {
	var b strings.Builder
	for _, f := range plan.Files {
		key := f.Key
		if key == "" {
			key = "…"
		}
		fmt.Fprintf(&b, "%s → s3://%s/%s  %s\n", locale.Clean(f.Path), bucket, locale.Clean(key), p.Size(f.Size))
	}
	for _, f := range plan.Barred {
		fmt.Fprintln(&b, "✗ "+failedLine(p, f))
	}
	for _, path := range plan.Writing {
		fmt.Fprintln(&b, "– "+locale.Clean(path)+": "+p.Text("upload.has-writer"))
	}
	for _, s := range plan.Skips {
		fmt.Fprintln(&b, "– "+locale.Clean(s.Path)+": "+p.Text("outbox.skip-"+s.Why))
	}
	fmt.Fprintln(&b, p.Text("upload.would-send", "n", len(plan.Files), "size", locale.Size(plan.Bytes)))
	if plan.Known > 0 {
		fmt.Fprintln(&b, p.Text("upload.known", "n", plan.Known))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// PlanJSON writes what an upload would do as buzon/plan/v1.
func PlanJSON(w io.Writer, bucket string, plan courier.Plan) error {
	type fileJSON struct {
		Path string `json:"path"`
		Size int64  `json:"size"`
		Key  string `json:"key,omitempty"`
	}
	out := struct {
		Schema  string       `json:"schema"`
		Bucket  string       `json:"bucket"`
		Bytes   int64        `json:"bytes"`
		Known   int64        `json:"known"`
		Files   []fileJSON   `json:"files"`
		Barred  []failedJSON `json:"barred"`
		Writing []string     `json:"writing"`
	}{"buzon/plan/v1", bucket, plan.Bytes, plan.Known, []fileJSON{}, failures(plan.Barred), append([]string{}, plan.Writing...)}
	for _, f := range plan.Files {
		out.Files = append(out.Files, fileJSON{f.Path, f.Size, f.Key})
	}
	return indented(w, out)
}
