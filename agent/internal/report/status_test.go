package report

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"buzon/agent/internal/locale"
	"buzon/agent/internal/send/courier"
	"buzon/agent/internal/send/journal"
)

func statusWith(problems ...courier.Problem) courier.Status {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	s := courier.Status{
		Schema: courier.StatusSchema, Generated: now, State: courier.StateWaiting, Since: now.Add(-time.Hour), Started: now.Add(-2 * time.Hour),
		Running: true, Command: "run", PID: 4321, Bucket: "inbox", Prefix: "uploads/vm-01/", Folder: "/var/lib/my state",
		Counts: map[string]courier.Count{"pending": {Files: 2, Bytes: 2048}}, Problems: problems, Waits: []courier.Waits{},
		Outboxes: []courier.BoxStatus{}, Quarantine: []courier.Aside{}, Lost: &courier.LostMemory{Conflicts: 20, Files: 100},
	}
	if len(problems) > 0 {
		s.Reason = problems[0].Kind
	}
	return s
}

// Every problem is told in both languages with what it is about, since when, and what to type; as text
// and as JSON.
func TestEveryKindOfProblemIsTold(t *testing.T) {
	since := time.Date(2026, 3, 4, 5, 1, 7, 0, time.UTC)
	for _, lang := range locale.Languages {
		p := locale.Load(lang).With("with_config", locale.Raw(" --config /etc/b.yaml"), "with_state", locale.Raw(" --config /etc/b.yaml"), "with_all", locale.Raw(" --config /etc/b.yaml"))
		for _, kind := range courier.ProblemKinds {
			t.Run(lang+"/"+string(kind), func(t *testing.T) {
				s := statusWith(courier.Problem{Kind: kind, Outbox: "/srv/out box", Path: "/srv/out box/sub/it's", Since: since, Files: 1, Detail: "what the system says"})
				var text strings.Builder
				if err := StatusText(&text, p, s, Screen{}); err != nil {
					t.Fatal(err)
				}
				said := text.String()
				lines := strings.Split(said, "\n")
				if strings.Contains(said, "{") || strings.Contains(said, "[status.") {
					t.Errorf("an argument or a text is missing:\n%s", said)
				}
				if strings.Contains(lines[0], "{") || !strings.Contains(lines[0], ":") {
					t.Errorf("the first line is no state: %s", lines[0])
				}
				if !strings.Contains(said, string(kind)+": ") || !strings.Contains(said, "5 min") || !strings.Contains(said, p.Time(since)) {
					t.Errorf("kind or time is not told:\n%s", said)
				}
				remedy := Remedy(p, s, s.Problems[0])
				if remedy == "" || !strings.Contains(said, "\n    "+remedy+"\n") {
					t.Errorf("the command %q is not told:\n%s", remedy, said)
				}
				if strings.Contains(remedy, "out box") && !strings.Contains(remedy, "'/srv/out box") {
					t.Errorf("the command is not quoted: %s", remedy)
				}
				var data strings.Builder
				if err := StatusJSON(&data, p, s, true); err != nil {
					t.Fatal(err)
				}
				var got struct {
					State, Reason string
					Problems      []struct{ Kind, Remedy, Since string }
				}
				if err := json.Unmarshal([]byte(data.String()), &got); err != nil || strings.Count(data.String(), "\n") != 1 {
					t.Fatalf("%v\n%s", err, data.String())
				}
				if len(got.Problems) != 1 || got.Problems[0].Kind != string(kind) || got.Problems[0].Remedy != remedy || got.Problems[0].Since != "2026-03-04T05:01:07Z" {
					t.Errorf("JSON says %+v", got)
				}
			})
		}
		for _, state := range courier.States {
			for _, reason := range append([]courier.ProblemKind{""}, courier.ProblemKinds[:]...) {
				s := statusWith()
				s.State, s.Reason = state, reason
				var text strings.Builder
				if err := StatusText(&text, p, s, Screen{}); err != nil || strings.ContainsAny(text.String(), "{[") {
					t.Errorf("%s for %q: %v\n%s", state, reason, err, text.String())
				}
			}
		}
	}
}

// The order is the state, the problems, the counts, what waits longest, and last the command to type.
func TestAStatusIsInTheOrderInWhichItIsRead(t *testing.T) {
	s := statusWith(courier.Problem{Kind: courier.ProblemQuarantine, Files: 1, Since: time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)})
	s.Waits = []courier.Waits{{Path: "/srv/out/oldest", Size: 10, Accepted: s.Generated.Add(-time.Minute), Attempts: 2, Reason: string(courier.Unanswered)}}
	s.Quarantine = []courier.Aside{{Path: "/srv/out/aside", Reason: string(courier.Conflict), At: s.Generated}}
	s.Total = 1
	p := locale.Load("en").With("with_state", locale.Raw(""))
	var b strings.Builder
	if err := StatusText(&b, p, s, Screen{}); err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, want := range []string{"Waiting since ", "quarantine: ", "\npending ", "/srv/out/oldest (10 B, accepted 1 min ago, 2 attempts)", "/srv/out/aside: there is another object", "conflict: rename the file", "agent retry\n"} {
		i := strings.Index(b.String()[at:], want)
		if i < 0 {
			t.Fatalf("%q does not follow:\n%s", want, b.String())
		}
		at += i
	}
	if !strings.HasSuffix(b.String(), "\n  agent retry\n") {
		t.Errorf("the last line is not the next command:\n%s", b.String())
	}
	for _, stage := range journal.States {
		if !strings.Contains(b.String(), "\n"+stage.String()) {
			t.Errorf("%s is not counted", stage)
		}
	}
}

func TestNoReportIsWiderThanItsScreen(t *testing.T) {
	problems := []courier.Problem{}
	for _, kind := range courier.ProblemKinds {
		problems = append(problems, courier.Problem{Kind: kind, Outbox: "/srv/out", Path: "/srv/out/a", Since: time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC), Files: 3, Detail: "what the system says of it in so many words"})
	}
	for _, lang := range locale.Languages {
		p := locale.Load(lang).With("with_config", locale.Raw(""), "with_state", locale.Raw(""), "with_all", locale.Raw(""))
		for _, width := range []int{60, 80, 120} {
			var b strings.Builder
			if err := StatusText(&b, p, statusWith(problems...), Screen{Width: width, Color: true}); err != nil {
				t.Fatal(err)
			}
			for _, line := range strings.Split(b.String(), "\n") {
				if locale.Columns(line) > width {
					t.Errorf("%s, %d columns: %d in %q", lang, width, locale.Columns(line), line)
				}
			}
		}
	}
}

// Where signs can't be shown, words stand for them; and a word stands beside each sign.
func TestAMarkIsNeverASignAlone(t *testing.T) {
	p := locale.Load("en")
	for status, word := range map[string]string{"ok": "ok", "failed": "fault", "warning": "warning", "unproven": "unproven"} {
		if got := (Screen{ASCII: true}).mark(p, status); strings.TrimSpace(got) != word {
			t.Errorf("%s is %q in ASCII", status, got)
		}
		if got := (Screen{}).word(p, status); got != " ("+word+")" {
			t.Errorf("%s is told as %q", status, got)
		}
	}
}

// A path that would fill the screen is cut in its middle; what tells it from others stays.
func TestALongPathDoesNotFillTheScreen(t *testing.T) {
	path := "/srv/out/" + strings.Repeat("deep/", 220) + "report.csv"
	for _, width := range []int{40, 80} {
		got := Screen{Width: width}.name(path)
		if locale.Columns(got) > 3*width || !strings.HasPrefix(got, "/srv/out/") || !strings.HasSuffix(got, "report.csv") {
			t.Errorf("in %d columns it is %q", width, got)
		}
	}
	if got := (Screen{}).name(path); got != path {
		t.Errorf("without a screen it is %q", got)
	}
	if got := (Screen{Width: 80}).name("/srv/שלום/x\u202e"); got != "\u2068/srv/שלום/x\\u202e\u2069" {
		t.Errorf("a name from right to left is %q", got)
	}
}
