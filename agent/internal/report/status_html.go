package report

import (
	_ "embed"
	"fmt"
	"io"
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"buzon/agent/internal/locale"
	"buzon/agent/internal/send/courier"
)

//go:embed status.css
var statusCSS string

// StatusHTML writes a status as a page for a browser, with the bytes that left in each minute of the last hour. It names
// no file, folder or key: whoever is logged in on the VM may look at it.
func StatusHTML(w io.Writer, p *locale.Printer, s courier.Status, minutes [60]int64, version string) error {
	text := func(id string, args ...any) g.Node { return g.Text(p.Text("status.page-"+id, args...)) }
	state := p.Text("status.page-state-" + string(s.State))
	class := map[string]string{red: "bad", yellow: "warn", green: "good"}[stateColor(s)]
	return writePage(w, p.Lang(), state+" · "+p.Text("status.page-title"), statusCSS,
		h.Header(h.Span(text("title")), otherLanguages(p)),
		h.Main(
			h.H1(h.Class(class), g.Text(state)),
			paragraphs("lead", StateSentence(p, s)),
			h.H2(text("problems")), problemList(p, s),
			h.H2(text("counts")), countTable(p, s),
			h.H2(text("key")), paragraphs("", keyTexts(p, s)...),
			h.H2(text("hour")), drawnHour(p, minutes),
		),
		h.Footer(text("foot", "at", s.Generated, "since", s.Started, "version", version)),
	)
}

// otherLanguages are links to the same page in each of them.
func otherLanguages(p *locale.Printer) g.Node {
	return g.Map(locale.Languages[:], func(lang string) g.Node {
		if lang == p.Lang() {
			return nil
		}
		return h.A(h.Href("?lang="+lang), h.Lang(lang), g.Attr("hreflang", lang), g.Text(locale.Load(lang).Text("status.page-language")))
	})
}

// problemList is the problems by their kinds, without what they are about.
func problemList(p *locale.Printer, s courier.Status) g.Node {
	if len(s.Problems) == 0 {
		return paragraphs("", p.Text("status.page-no-problems"))
	}
	seen := map[courier.ProblemKind]bool{}
	return h.Ul(g.Map(s.Problems, func(problem courier.Problem) g.Node {
		if seen[problem.Kind] {
			return nil
		}
		seen[problem.Kind] = true
		class := "warning"
		if problem.Kind.Person() {
			class = "failed"
		}
		since := p.Text("status.since", "since", problem.Since, "time", max(0, s.Generated.Sub(problem.Since)))
		return h.Li(h.Class(class), h.Strong(g.Text(string(problem.Kind))), g.Text(" "),
			h.Span(g.Text(p.Text("status.why-"+string(problem.Kind)))), g.Text(" "), h.Small(g.Text(since)))
	}))
}

func countTable(p *locale.Printer, s courier.Status) g.Node {
	return h.Table(
		heads(p.Text("status.page-what"), p.Text("status.page-files"), p.Text("status.page-size")),
		h.TBody(g.Map(courier.Stages(), func(stage string) g.Node {
			n := s.Counts[stage]
			return h.Tr(h.Th(h.Scope("row"), g.Text(p.Text("status.state-"+stage))), h.Td(g.Text(p.Number(n.Files))), h.Td(g.Text(p.Size(n.Bytes))))
		})),
	)
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

// The drawing of the last hour, in its own units.
const (
	barWidth   = 10
	drawHeight = 100
)

// drawnHour is the throughput of an hour, in a sentence and drawn.
func drawnHour(p *locale.Printer, minutes [60]int64) g.Node {
	var sum, most int64
	for _, n := range minutes {
		sum, most = sum+n, max(most, n)
	}
	if sum == 0 {
		return paragraphs("", p.Text("status.page-hour-nothing"))
	}
	var bars g.Group
	for i, n := range minutes {
		if n == 0 {
			continue
		}
		height := max(1, int(float64(n)/float64(most)*drawHeight))
		bars = append(bars, g.El("rect", g.Attr("x", strconv.Itoa(i*barWidth)), g.Attr("y", strconv.Itoa(drawHeight-height)),
			h.Width(strconv.Itoa(barWidth-1)), h.Height(strconv.Itoa(height))))
	}
	return g.Group{
		h.P(h.ID("hour"), g.Text(p.Text("status.page-hour-sum", "sum", locale.Size(sum), "most", locale.Size(most)))),
		h.Figure(
			h.SVG(g.Attr("viewBox", fmt.Sprintf("0 0 %d %d", len(minutes)*barWidth, drawHeight)), g.Attr("preserveAspectRatio", "none"),
				h.Role("img"), h.Aria("labelledby", "hour"), bars),
			h.FigCaption(h.Span(g.Text(p.Text("status.page-hour-ago"))), h.Span(g.Text(p.Text("status.page-now")))),
		),
	}
}
