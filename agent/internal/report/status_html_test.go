package report

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"buzon/agent/internal/locale"
	"buzon/agent/internal/send/courier"
	"buzon/agent/internal/send/gate"

	parser "golang.org/x/net/html"
)

// pageOf is the page of a status, as the reader sees its text, and its source.
func pageOf(t *testing.T, lang string, s courier.Status, minutes [60]int64) (text, source string) {
	t.Helper()
	var page strings.Builder
	if err := StatusHTML(&page, locale.Load(lang), s, minutes, "1.2.3"); err != nil {
		t.Fatal(err)
	}
	return html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page.String(), " ")), page.String()
}

// TestThePageNamesNoFile: every kind of problem is told by what it is, and nothing of what it is about.
func TestThePageNamesNoFile(t *testing.T) {
	since := time.Date(2026, 3, 4, 5, 1, 7, 0, time.UTC)
	for _, lang := range locale.Languages {
		for _, kind := range courier.ProblemKinds {
			s := statusWith(courier.Problem{Kind: kind, Outbox: "/srv/SECRET", Path: "/srv/SECRET/SECRET.txt", Since: since, Detail: "SECRET said"})
			s.Waits = []courier.Waits{{Path: "/srv/SECRET/wait.txt"}}
			s.Quarantine = []courier.Aside{{Path: "/srv/SECRET/bad.txt", Detail: "SECRET"}}
			s.Outboxes = []courier.BoxStatus{{Path: "/srv/SECRET", Error: "SECRET"}}
			s.Trouble = &courier.Trouble{Message: "SECRET", RequestID: "SECRET"}
			text, source := pageOf(t, lang, s, [60]int64{})
			if strings.Contains(source, "SECRET") || strings.Contains(source, s.Folder) || strings.Contains(source, s.Prefix) {
				t.Errorf("%s %s: it names what it is about:\n%s", lang, kind, source)
			}
			if why := locale.Load(lang).Text("status.why-" + string(kind)); !strings.Contains(text, why) || !strings.Contains(text, string(kind)) {
				t.Errorf("%s: it doesn't tell %s:\n%s", lang, kind, text)
			}
			if strings.ContainsAny(text, "{[") && strings.Contains(text, "[status.") {
				t.Errorf("%s %s: a text or an argument is missing:\n%s", lang, kind, text)
			}
		}
	}
}

// TestThePageNeedsNothingElse: no script, no address but its own other language.
func TestThePageNeedsNothingElse(t *testing.T) {
	minutes := [60]int64{3: 1, 59: 1 << 20}
	for _, lang := range locale.Languages {
		_, source := pageOf(t, lang, statusWith(), minutes)
		doc, err := parser.Parse(strings.NewReader(source))
		if err != nil {
			t.Fatal(err)
		}
		var bars int
		for n := range doc.Descendants() {
			if slices.Contains([]string{"script", "img", "link", "iframe", "form"}, n.Data) {
				t.Errorf("%s: there is a %s", lang, n.Data)
			}
			if n.Data == "rect" {
				bars++
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || (a.Key == "href" || a.Key == "src") && !strings.HasPrefix(a.Val, "?lang=") {
					t.Errorf("%s: %s has %s=%q", lang, n.Data, a.Key, a.Val)
				}
			}
		}
		if bars != 2 {
			t.Errorf("%s: %d minutes are drawn, not 2", lang, bars)
		}
	}
}

func TestThePageSaysHowItIs(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, c := range []struct {
		lang    string
		gate    *courier.GateStatus
		minutes [60]int64
		says    []string
	}{
		{"en", nil, [60]int64{}, []string{"Waiting since", "Nothing was sent in the last hour.", "not known", "2 KiB"}},
		{"en", &courier.GateStatus{Open: true, Report: &gate.Report{Passed: true, Time: at}}, [60]int64{58: 1 << 20, 59: 3 << 20},
			[]string{"They passed the gate", "4 MiB were sent", "at most 3 MiB"}},
		{"es", &courier.GateStatus{Report: &gate.Report{Time: at}}, [60]int64{}, []string{"En espera", "No superaron el control", "agent check"}},
		{"es", &courier.GateStatus{Report: &gate.Report{Time: at, Undecided: true}}, [60]int64{}, []string{"No se sabe"}},
		{"es", &courier.GateStatus{Report: &gate.Report{Time: at, Passed: true}}, [60]int64{}, []string{"No se sabe"}}, // shut by a doubt
	} {
		s := statusWith()
		s.Gate = c.gate
		text, _ := pageOf(t, c.lang, s, c.minutes)
		for _, want := range c.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s: it doesn't say %q:\n%s", c.lang, want, text)
			}
		}
	}
}
