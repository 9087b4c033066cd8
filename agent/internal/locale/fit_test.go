package locale

import (
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestColumns(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
	}{
		{"", 0},
		{"plain", 5},
		{"ñandú", 5},
		{"n\u0303", 1}, // a letter with a mark of its own
		{"日本語", 6},
		{"한글", 4},
		{"ﾊﾝｶｸ", 4}, // halfwidth
		{"📮", 2},
		{"\x1b[1;31mred\x1b[0m", 3},
		{"\u2068שלום\u2069", 4},
		{"– … “”", 6},
	} {
		if got := Columns(c.text); got != c.want {
			t.Errorf("%q takes %d columns, not %d", c.text, got, c.want)
		}
	}
}

func TestFitKeepsWordsAndCommandsWhole(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"one two three", 0, "one two three"},
		{"one two three", 13, "one two three"},
		{"one two three", 12, "one two\nthree"},
		{"日本 日本 日本", 9, "日本 日本\n日本"},
		{"a /very/long/path/that/is/wider b", 10, "a\n/very/long/path/that/is/wider\nb"},
		{"Look again:\n  agent check --config /etc/buzon/agent.yaml", 20, "Look again:\n  agent check --config /etc/buzon/agent.yaml"},
		{"\x1b[31mone two\x1b[0m three", 8, "\x1b[31mone two\x1b[0m\nthree"},
	} {
		if got := Fit(c.text, c.width); got != c.want {
			t.Errorf("Fit(%q, %d) is %q, not %q", c.text, c.width, got, c.want)
		}
	}
	if got, want := FitColumn("one two three four five six\n  type this", 30, 8), "one two three four\n        five six\n          type this"; got != want {
		t.Errorf("FitColumn gives %q, not %q", got, want)
	}
}

// However a text is broken, its words are the same, in order, and only a line of one word is wider.
func TestFitLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("aé語📮-")), 1, 12, -1), 1, 30).Draw(t, "words")
		width := rapid.IntRange(1, 60).Draw(t, "width")
		text := strings.Join(words, " ")
		got := Fit(text, width)
		if strings.ReplaceAll(got, "\n", " ") != text {
			t.Fatalf("%q became %q", text, got)
		}
		for _, line := range strings.Split(got, "\n") {
			if Columns(line) > width && strings.Contains(line, " ") {
				t.Fatalf("the line %q is wider than %d", line, width)
			}
		}
	})
}

func TestCutKeepsBothEnds(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"/srv/outbox/a.csv", 0, "/srv/outbox/a.csv"},
		{"/srv/outbox/a.csv", 17, "/srv/outbox/a.csv"},
		{"/srv/outbox/a.csv", 11, "/srv/…a.csv"},
		{"日本日本日本", 7, "日…本"},
	} {
		if got := Cut(c.text, c.width); got != c.want {
			t.Errorf("Cut(%q, %d) is %q, not %q", c.text, c.width, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text, width := rapid.String().Draw(t, "text"), rapid.IntRange(4, 40).Draw(t, "width")
		if got := Cut(text, width); Columns(got) > width || !utf8.ValidString(got) {
			t.Fatalf("Cut(%q, %d) is %q", text, width, got)
		}
	})
}

func TestANameThatIsWrittenFromRightToLeftIsIsolated(t *testing.T) {
	for text, want := range map[string]string{
		"plain.csv":       "plain.csv",
		"日本.csv":          "日本.csv",
		"שלום.csv":        "\u2068שלום.csv\u2069",
		"تقرير":           "\u2068تقرير\u2069",
		"evil\u202egnp":   `evil\u202egnp`, // not a letter but an order: shown
		"two\nlines\x1b[": `two\nlines\x1b[`,
	} {
		if got := Name(text); got != want {
			t.Errorf("Name(%q) is %q, not %q", text, got, want)
		}
	}
}

func TestShellGivesTheWordBack(t *testing.T) {
	for word, want := range map[string]string{
		"":              "''",
		"/srv/a-b_c.d":  "/srv/a-b_c.d",
		"my files/":     "'my files/'",
		"it's":          `'it'\''s'`,
		"$HOME;rm -r *": `'$HOME;rm -r *'`,
		"~/x":           "'~/x'",
		"ñandú":         "ñandú",
		"a\nb":          `$'a\x0ab'`,
		"\xff":          `$'\xff'`,
		"\u202ex":       `$'\xe2\x80\xaex'`,
	} {
		if got := Shell(word); got != want {
			t.Errorf("Shell(%q) is %s, not %s", word, got, want)
		}
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash to ask")
	}
	for _, word := range []string{"a b", "it's \\ \"x\"", "x\x01\ny'\xfe", "!$`&|<>()#*?[]{}~", "\u202eשלום"} {
		out, err := exec.Command(bash, "-c", "printf %s "+Shell(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("bash reads %s as %q (%v), not %q", Shell(word), out, err, word)
		}
	}
}
