package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestBothLanguagesSayTheSame(t *testing.T) {
	for _, fault := range sentences.Faults() {
		t.Error(fault)
	}
}

func TestEverySentenceIsSaid(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`k\.(?:text|say|fault|misuse)\("([a-z-]+)"`).FindAllSubmatch(text, -1) {
			said[string(m[1])] = true
		}
		for _, m := range regexp.MustCompile(`k\.(?:text|say|fault|misuse)\("([a-z-]+)"(.*)`).FindAllSubmatch(text, -1) {
			for _, a := range regexp.MustCompile(`\{([a-z]+)\}`).FindAllStringSubmatch(sentences["en"][string(m[1])], -1) {
				if !strings.Contains(string(m[2]), `"`+a[1]+`", `) {
					t.Errorf("%s: %s is said without its %s", f, m[1], a[1])
				}
			}
		}
		if m := regexp.MustCompile(`(?:errors\.New|fmt\.Errorf|usageError)[({]"`).Find(text); m != nil {
			t.Errorf("%s: %s… speaks English only", f, m)
		}
	}
	for name := range commands {
		said["usage-"+name] = true
	}
	for _, m := range regexp.MustCompile(`return "(remedy-[a-z]+)"`).FindAllStringSubmatch(read(t, "errors.go"), -1) {
		said[m[1]] = true
	}
	for id := range sentences["en"] {
		if !said[id] {
			t.Errorf("%s is never said", id)
		}
	}
	for id := range said {
		if sentences["en"][id] == "" {
			t.Errorf("there is no sentence %s", id)
		}
	}
}

func TestTheFlagOfTheLanguageStandsAnywhere(t *testing.T) {
	for _, row := range []struct {
		args []string
		env  map[string]string
		want string
	}{
		{nil, nil, "en"},
		{nil, map[string]string{"LANG": "es_ES.UTF-8"}, "es"},
		{[]string{"issue-key", "--lang", "es"}, nil, "es"},
		{[]string{"issue-key", "-lang=es", "vm-01"}, nil, "es"},
		{[]string{"issue-key", "vm-01", "--lang=en"}, map[string]string{"LC_ALL": "es"}, "en"},
		{[]string{"issue-key", "lang", "es"}, nil, "en"},
		{[]string{"issue-key", "--lang"}, nil, "en"},
	} {
		if got := speak(row.args, func(name string) string { return row.env[name] }); got != row.want {
			t.Errorf("%q with %v is spoken to in %s", row.args, row.env, got)
		}
	}
}

func TestWrongUsageIsSaidInSpanishToo(t *testing.T) {
	for _, row := range []struct{ args, want string }{
		{"issue-key --nope", "scripts/issue-key: no existe la opción --nope.\nPara ver sus opciones:  scripts/issue-key --help"},
		{"issue-key a b", `scripts/issue-key: "b" es un argumento de más`},
		{"revoke-key", "¿de qué remitente?  scripts/revoke-key NOMBRE, o bien  scripts/revoke-key --all"},
		{"issue-key --lang fr a", `--lang admite en o es, no "fr"`},
	} {
		k := &keys{lang: "es", log: &bytes.Buffer{}}
		if err := k.run(t.Context(), strings.Fields(row.args)); err == nil || err.Error() != row.want {
			t.Errorf("%s: %v", row.args, err)
		}
	}
	var help bytes.Buffer
	_ = (&keys{lang: "es", log: &help}).run(t.Context(), []string{"rotate-key", "--help"})
	if got := help.String(); !strings.HasPrefix(got, "Uso: scripts/rotate-key NOMBRE ") ||
		!strings.Contains(got, "  --timeout tiempo\n        tiempo de espera del primer uso de la clave nueva; con 0 solo se mira (por defecto, 10m0s)\n") {
		t.Error(got)
	}
}
