package report

import (
	_ "embed"
	"html/template"
	"io"

	"buzon/agent/internal/locale"
	"buzon/agent/internal/send/courier"
)

//go:embed status.html
var statusHTML string

var statusTemplate = template.Must(template.New("status").Parse(statusHTML))

// statusView is what the page shows. It names no file, folder or key: whoever is logged in on the VM may look at it.
type statusView struct {
	Lang, Other, OtherName string
	Title, State, Sentence string
	Good                   string // the class of the state: good, warn or bad
	Problems               []problemView
	ProblemsHead           string
	NoProblems             string
	CountsHead             string
	Heads                  [3]string // of the table of counts
	Counts                 [][3]string
	KeyHead                string
	Key                    []string
	HourHead, Hour         string
	Begin, End             string // below the drawing
	Bars                   []bar
	Foot                   string
}

type problemView struct{ Mark, Text, Since, Kind string }

// bar is one minute of the drawing, in its units.
type bar struct{ X, Y, Height int }

// The drawing of the last hour.
const (
	barWidth   = 10
	drawHeight = 100
)

// StatusHTML writes a status as a page for a browser, with the bytes that left in each minute of the last hour.
func StatusHTML(w io.Writer, p *locale.Printer, s courier.Status, minutes [60]int64, version string) error {
	v := statusView{
		Lang: p.Lang(), Title: p.Text("status.page-title"), State: p.Text("status.page-state-" + string(s.State)), Sentence: StateSentence(p, s),
		ProblemsHead: p.Text("status.page-problems"), CountsHead: p.Text("status.page-counts"), KeyHead: p.Text("status.page-key"),
		HourHead: p.Text("status.page-hour"), Begin: p.Text("status.page-hour-ago"), End: p.Text("status.page-now"),
		Heads: [3]string{p.Text("status.page-what"), p.Text("status.page-files"), p.Text("status.page-size")},
		Foot:  p.Text("status.page-foot", "at", s.Generated, "since", s.Started, "version", version),
	}
	for _, lang := range locale.Languages {
		if lang != p.Lang() {
			v.Other, v.OtherName = lang, locale.Load(lang).Text("status.page-language")
		}
	}
	v.Good = map[string]string{red: "bad", yellow: "warn", green: "good"}[stateColor(s)]
	v.Problems = problemViews(p, s)
	if len(v.Problems) == 0 {
		v.NoProblems = p.Text("status.page-no-problems")
	}
	for _, stage := range courier.Stages() {
		n := s.Counts[stage]
		v.Counts = append(v.Counts, [3]string{p.Text("status.state-" + stage), p.Number(n.Files), p.Size(n.Bytes)})
	}
	v.Key = keyTexts(p, s)
	v.Hour, v.Bars = hourOf(p, minutes)
	return statusTemplate.Execute(w, v)
}

// problemViews are the problems by their kinds, without what they are about.
func problemViews(p *locale.Printer, s courier.Status) (list []problemView) {
	seen := map[courier.ProblemKind]bool{}
	for _, problem := range s.Problems {
		if seen[problem.Kind] {
			continue
		}
		seen[problem.Kind] = true
		mark := "warning"
		if problem.Kind.Person() {
			mark = "failed"
		}
		list = append(list, problemView{
			Mark: mark, Kind: string(problem.Kind), Text: p.Text("status.why-" + string(problem.Kind)),
			Since: p.Text("status.since", "since", problem.Since, "time", max(0, s.Generated.Sub(problem.Since))),
		})
	}
	return list
}

// keyTexts are how the credentials stand.
func keyTexts(p *locale.Printer, s courier.Status) []string {
	texts := []string{p.Text("status.page-key-" + string(s.Credential()))}
	if g := s.Gate; g != nil && g.Report != nil {
		texts = append(texts, p.Text("status.page-key-asked", "at", g.Report.Time))
	}
	if s.LastSent != nil {
		texts = append(texts, p.Text("status.last-sent", "at", *s.LastSent))
	}
	return texts
}

// hourOf is the throughput of an hour in a sentence, and drawn.
func hourOf(p *locale.Printer, minutes [60]int64) (sentence string, bars []bar) {
	var sum, most int64
	for _, n := range minutes {
		sum, most = sum+n, max(most, n)
	}
	for i, n := range minutes {
		if n == 0 {
			continue
		}
		height := max(1, int(float64(n)/float64(most)*drawHeight))
		bars = append(bars, bar{X: i * barWidth, Y: drawHeight - height, Height: height})
	}
	if sum == 0 {
		return p.Text("status.page-hour-nothing"), nil
	}
	return p.Text("status.page-hour-sum", "sum", locale.Size(sum), "most", locale.Size(most)), bars
}
