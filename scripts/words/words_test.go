package words

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

func TestSentences(t *testing.T) {
	b := Load(fstest.MapFS{
		"en.json": {Data: []byte(`{"here": "{name} is in {path}: {error}", "plain": "{name} {other} {{name}}"}`)},
		"es.json": {Data: []byte(`{"here": "{path} contiene {name}: {error}", "plain": "¡{name} {other} {{name}}!"}`)},
	})
	if faults := b.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
	args := []any{"name", "a\x1b[2Jb", "path", "x\ny", "error", errors.New("{name}")}
	for lang, want := range map[string]string{
		"en": "a\\x1b[2Jb is in x\ny: {name}", "es": "x\ny contiene a\\x1b[2Jb: {name}", "fr": "a\\x1b[2Jb is in x\ny: {name}",
	} {
		if got := b.Text(lang, "here", args...); got != want {
			t.Errorf("%s: %q, want %q", lang, got, want)
		}
	}
	if got := b.Text("en", "plain", "name", 7); got != "7 {other} {name}" {
		t.Error(got)
	}
}

func TestWhatIsNotInBothLanguagesIsNamed(t *testing.T) {
	b := Book{
		"en": {"one": "x", "same": "x", "args": "{a} {b}", "run": "scripts/try it", "good": "x {a}"},
		"es": {"two": "x", "same": "x", "args": "{b}", "run": "scripts/cdk eso", "good": "y {a}"},
	}
	told := strings.Join(b.Faults(), "\n")
	for _, id := range []string{"one", "two", "same", "args", "run"} {
		if !strings.Contains(told, id) {
			t.Errorf("%s is not named:\n%s", id, told)
		}
	}
	if strings.Contains(told, "good") {
		t.Error(told)
	}
}

func TestTheLanguageIsTheReaders(t *testing.T) {
	for _, row := range []struct {
		flag string
		env  map[string]string
		want string
	}{
		{"", nil, "en"},
		{"", map[string]string{"LANG": "es_ES.UTF-8"}, "es"},
		{"", map[string]string{"LANG": "es_ES.UTF-8", "LC_ALL": "C"}, "en"},
		{"", map[string]string{"LANG": "C", "LC_MESSAGES": "ES"}, "es"},
		{"en", map[string]string{"LC_ALL": "es"}, "en"},
		{"es", nil, "es"},
		{"fr", map[string]string{"LC_ALL": "es"}, "en"},
	} {
		if got := Detect(row.flag, func(name string) string { return row.env[name] }); got != row.want {
			t.Errorf("%q with %v is spoken to in %s", row.flag, row.env, got)
		}
	}
}
