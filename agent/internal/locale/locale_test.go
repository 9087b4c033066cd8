package locale

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// with is a printer of its own texts.
func with(lang string, texts map[string]any) *Printer {
	p := Load(lang)
	return &Printer{lang: p.lang, tag: p.tag, texts: texts}
}

func TestTextFillsInArgumentsByName(t *testing.T) {
	p := with("en", map[string]any{
		"x.plain":   "{path} has {size}, {n} times {{path}}",
		"x.stray":   "a { b",
		"x.missing": "{gone}",
	})
	for _, c := range []struct {
		id   string
		args []any
		want string
	}{
		{"x.plain", []any{"n", 12345, "path", "/a b", "size", Size(64 << 20)}, "/a b has 64 MiB, 12,345 times {path}"},
		{"x.stray", nil, "a { b"},
		{"x.missing", nil, "{gone}"},
		{"x.unknown", []any{"a", 1}, "[x.unknown]a 1"},
	} {
		if got := p.Text(c.id, c.args...); !strings.HasPrefix(got, strings.TrimSuffix(c.want, "a 1")) {
			t.Errorf("Text(%s) = %q, want %q", c.id, got, c.want)
		}
	}
}

func TestPluralFollowsTheLanguage(t *testing.T) {
	forms := map[string]any{"x.n": map[string]any{"one": "{n} file", "other": "{n} files"}}
	for _, lang := range Languages {
		p := with(lang, forms)
		for n, want := range map[int]string{0: "0 files", 1: "1 file", 2: "2 files"} {
			if got := p.Text("x.n", "n", n); got != want {
				t.Errorf("%s: %d gives %q, want %q", lang, n, got, want)
			}
		}
	}
}

func TestAFileNameCannotMoveTheCursor(t *testing.T) {
	p := with("en", map[string]any{"x.p": "{path}"})
	for in, want := range map[string]string{
		"a\nb":          `a\nb`,
		"\x1b[2Jx":      `\x1b[2Jx`,
		"bad\xff":       `bad\xff`,
		"\u202egnp.exe": `\u202egnp.exe`,
		"café ☕":        "café ☕",
	} {
		if got := p.Text("x.p", "path", in); got != want {
			t.Errorf("%q is written %q, want %q", in, got, want)
		}
		if got := p.Text("x.p", "path", errors.New(in)); got != want {
			t.Errorf("error %q is written %q, want %q", in, got, want)
		}
	}
	if got := p.Text("x.p", "path", Raw("a\nb")); got != "a\nb" {
		t.Errorf("Raw is changed to %q", got)
	}
}

func TestValuesAreWrittenTheWayOfTheLanguage(t *testing.T) {
	zone := time.Local
	time.Local = time.FixedZone("", 2*3600)
	t.Cleanup(func() { time.Local = zone })
	en, es := Load("en"), Load("es")
	for _, c := range []struct {
		value  any
		en, es string
	}{
		{0, "0", "0"},
		{-1234, "-1,234", "-1234"},
		{12345678, "12,345,678", "12.345.678"},
		{uint16(7), "7", "7"},
		{1.5, "1.5", "1,5"},
		{Size(0), "0 B", "0 B"},
		{Size(1023), "1023 B", "1023 B"},
		{Size(1536), "1.5 KiB", "1,5 KiB"},
		{Size(4 << 30), "4 GiB", "4 GiB"},
		{Rate(10 << 20), "10 MiB/s", "10 MiB/s"},
		{250 * time.Millisecond, "250 ms", "250 ms"},
		{2500 * time.Millisecond, "2.5 s", "2,5 s"},
		{42 * time.Second, "42 s", "42 s"},
		{200 * time.Second, "3 min 20 s", "3 min 20 s"},
		{2 * time.Hour, "2 h", "2 h"},
		{99 * time.Hour, "4 d 3 h", "4 d 3 h"},
		{time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), "2026-11-24 14:00:00 +02:00", "2026-11-24 14:00:00 +02:00"},
		{time.Time{}, "–", "–"},
		{[]string{"a", "b"}, "a, b", "a, b"},
		{nil, "", ""},
	} {
		if got := en.Value(c.value); got != c.en {
			t.Errorf("en: %v is written %q, want %q", c.value, got, c.en)
		}
		if got := es.Value(c.value); got != c.es {
			t.Errorf("es: %v is written %q, want %q", c.value, got, c.es)
		}
	}
}

func TestTheLanguageIsDetected(t *testing.T) {
	for _, c := range []struct {
		flag string
		env  map[string]string
		want string
	}{
		{"", nil, "en"},
		{"", map[string]string{"LANG": "es_ES.UTF-8"}, "es"},
		{"", map[string]string{"LANG": "es"}, "es"},
		{"", map[string]string{"LANG": "es_MX.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"},
		{"", map[string]string{"LANG": "en_US.UTF-8", "LC_ALL": "es_AR@euro"}, "es"},
		{"", map[string]string{"LANG": "es_ES.UTF-8", "LC_ALL": "C"}, "en"},
		{"", map[string]string{"LANG": "de_DE.UTF-8"}, "en"},
		{"", map[string]string{"LANG": "."}, "en"},
		{"es", map[string]string{"LC_ALL": "en_US"}, "es"},
		{"en", map[string]string{"LC_ALL": "es_ES"}, "en"},
	} {
		if got := Detect(c.flag, func(k string) string { return c.env[k] }); got != c.want {
			t.Errorf("Detect(%q, %v) = %s, want %s", c.flag, c.env, got, c.want)
		}
	}
}

func FuzzTextNeverLeaksControlCharacters(f *testing.F) {
	p := with("es", map[string]any{"x.p": "{path}"})
	f.Add("a\x00b")
	f.Add("\x9b2J")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range p.Text("x.p", "path", s) {
			if r < 0x20 || (r >= 0x7f && r < 0xa0) {
				t.Fatalf("%q leaks %q", s, r)
			}
		}
	})
}
