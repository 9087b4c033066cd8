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
	// Ended is the id of what ended it before everything was tried, and says why: a gate that is not
	// passed, for instance; "" if nothing did.
	Ended string
	// Messages are the sentences that go with it.
	Messages []string
}

// Complete reports whether every file that was to be sent has its receipt. Of a
// folder that may not be read nobody knows.
func (s Sent) Complete() bool {
	return s.Ended == "" && s.Unread == 0 && s.Quarantined == 0 && s.Pending == 0 && s.Busy == 0 && len(s.Failed) == 0
}

// mostShown bounds each list on the screen; JSON holds all that the courier keeps.
const mostShown = 20

// SentText writes the end of an upload as text: what was sent, then what was not, and why.
func SentText(w io.Writer, p *locale.Printer, s Sent, screen Screen) error {
	var b strings.Builder
	say := func(id string, args ...any) { screen.say(&b, p.Text(id, args...)) }
	item := func(text string) { screen.indent(&b, text, 2) }
	switch {
	case s.Sent > 0:
		took := max(s.Took, time.Millisecond)
		say("upload.sent", "n", s.Sent, "size", locale.Size(s.SentBytes), "bucket", s.Bucket, "prefix", s.Prefix,
			"time", s.Took, "rate", locale.Rate(float64(s.SentBytes)/took.Seconds()))
	case s.Ended != "" || !s.Complete():
		say("upload.none")
	default:
		say("upload.nothing")
	}
	line := func(id string, n int64) {
		if n > 0 {
			say(id, "n", n)
		}
	}
	line("upload.known", s.Known)
	line("upload.inferred", s.Inferred)
	line("upload.conflicts", s.Conflicts)
	if len(s.Failed) > 0 || s.Quarantined > 0 {
		screen.say(&b, screen.paint(red, p.Text("upload.failed", "n", max(s.Quarantined, int64(len(s.Failed))))))
		for _, f := range first(s.Failed) {
			item(failedLine(p, f, screen))
		}
		more(&b, p, len(s.Failed))
	}
	if s.Busy > 0 {
		say("upload.writing", "n", s.Busy)
		for _, path := range first(s.Writing) {
			item(screen.name(path))
		}
		more(&b, p, len(s.Writing))
	}
	if s.Skipped > 0 {
		say("upload.skipped", "n", s.Skipped)
		for _, skip := range first(s.Skips) {
			item(screen.name(skip.Path) + ": " + p.Text("outbox.skip-"+skip.Why))
		}
		more(&b, p, len(s.Skips))
	}
	switch {
	case s.Interrupted && s.Pending > 0:
		say("upload.interrupted", "n", s.Pending)
	case s.Pending > 0 && s.Ended == "":
		say("upload.pending", "n", s.Pending)
	}
	if s.Quarantined > 0 {
		say("upload.retry")
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
func failedLine(p *locale.Printer, f courier.Failed, screen Screen) string {
	line := screen.name(f.Path) + ": " + p.Text("courier.reason-"+string(f.Reason))
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
	Ended       string       `json:"ended,omitempty"` // gate, input or stopped: why not everything was tried
	Messages    []string     `json:"messages"`
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

type skippedJSON struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
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
		Seconds: s.Took.Seconds(), Complete: s.Complete(), Interrupted: s.Interrupted, Ended: s.Ended, Messages: append([]string{}, s.Messages...), Sent: countJSON{s.Sent, s.SentBytes},
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

// JSON writes a value as this package writes its own.
func JSON(w io.Writer, v any) error { return indented(w, v) }

// indented writes JSON for people and programs.
func indented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// compact writes JSON as one line of many.
func compact(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// PlanText writes what an upload would do as text: a line for each file that would be sent, then the counts.
func PlanText(w io.Writer, p *locale.Printer, bucket string, plan courier.Plan, screen Screen) error {
	var b strings.Builder
	for _, f := range plan.Files {
		key := f.Key
		if key == "" {
			key = p.Signs("…")
		}
		fmt.Fprintf(&b, "%s %s %s  %s\n", screen.name(f.Path), screen.arrow(), screen.name("s3://"+bucket+"/"+key), p.Size(f.Size))
	}
	mark := func(status, text string) {
		m := screen.mark(p, status)
		all := screen.lines(text, locale.Columns(m)+1)
		b.WriteString(m + " " + strings.TrimLeft(strings.Join(all, "\n"), " ") + "\n")
	}
	for _, f := range plan.Barred {
		mark("failed", failedLine(p, f, screen))
	}
	for _, path := range plan.Writing {
		mark("unproven", screen.name(path)+": "+p.Text("upload.has-writer"))
	}
	for _, s := range plan.Skips {
		mark("unproven", screen.name(s.Path)+": "+p.Text("outbox.skip-"+s.Why))
	}
	screen.say(&b, p.Text("upload.would-send", "n", len(plan.Files), "size", locale.Size(plan.Bytes)))
	if plan.Known > 0 {
		screen.say(&b, p.Text("upload.known", "n", plan.Known))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// planJSON is buzon/plan/v1.
type planJSON struct {
	Schema    string        `json:"schema"`
	Generated string        `json:"generated"`
	Bucket    string        `json:"bucket"`
	Bytes     int64         `json:"bytes"` // of those that would be sent
	Known     int64         `json:"known"` // sent before
	Files     []plannedJSON `json:"files"`
	Barred    []failedJSON  `json:"barred"`  // what would be, or is, in quarantine
	Writing   []string      `json:"writing"` // somebody still writes them
	Skipped   []skippedJSON `json:"skipped"`
}

type plannedJSON struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
	Key  string `json:"key,omitempty"` // where it takes the content to tell, there is none
}

// PlanJSON writes what an upload would do as buzon/plan/v1.
func PlanJSON(w io.Writer, bucket string, plan courier.Plan) error {
	out := planJSON{
		Schema: "buzon/plan/v1", Generated: time.Now().UTC().Format(time.RFC3339), Bucket: bucket, Bytes: plan.Bytes, Known: plan.Known,
		Files: []plannedJSON{}, Barred: failures(plan.Barred), Writing: append([]string{}, plan.Writing...), Skipped: []skippedJSON{},
	}
	for _, f := range plan.Files {
		out.Files = append(out.Files, plannedJSON{f.Path, f.Size, f.Key})
	}
	for _, s := range plan.Skips {
		out.Skipped = append(out.Skipped, skippedJSON{s.Path, s.Why})
	}
	return indented(w, out)
}
