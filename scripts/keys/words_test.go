package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var verb = regexp.MustCompile(`%(?:\[(\d+)\])?([a-z])`)

// verbs are the arguments of a sentence with how each is written.
func verbs(sentence string) []string {
	set := map[string]bool{}
	at := 0
	for _, m := range verb.FindAllStringSubmatch(sentence, -1) {
		if at++; m[1] != "" {
			at, _ = strconv.Atoi(m[1])
		}
		set[strconv.Itoa(at)+m[2]] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func TestBothLanguagesSayTheSame(t *testing.T) {
	for id, s := range sentences {
		if s[0] == "" || s[1] == "" || s[0] == s[1] {
			t.Errorf("%s: %q is not in both languages", id, s[0])
		}
		if a, b := verbs(s[0]), verbs(s[1]); !slices.Equal(a, b) {
			t.Errorf("%s: en takes %v, es takes %v", id, a, b)
		}
		for _, command := range regexp.MustCompile(`scripts/[a-z-]+`).FindAllString(s[0], -1) {
			if !strings.Contains(s[1], command) {
				t.Errorf("%s: es leaves out %s", id, command)
			}
		}
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
	for id := range sentences {
		if !said[id] {
			t.Errorf("%s is never said", id)
		}
	}
	for id := range said {
		if _, ok := sentences[id]; !ok {
			t.Errorf("there is no sentence %s", id)
		}
	}
}

func TestTheLanguageIsTheReaders(t *testing.T) {
	for _, row := range []struct {
		args []string
		env  map[string]string
		want string
	}{
		{nil, nil, "en"},
		{nil, map[string]string{"LANG": "es_ES.UTF-8"}, "es"},
		{nil, map[string]string{"LANG": "es_ES.UTF-8", "LC_ALL": "C"}, "en"},
		{nil, map[string]string{"LANG": "C", "LC_MESSAGES": "ES"}, "es"},
		{[]string{"issue-key", "--lang", "es"}, nil, "es"},
		{[]string{"issue-key", "-lang=es", "vm-01"}, nil, "es"},
		{[]string{"issue-key", "vm-01", "--lang=en"}, map[string]string{"LC_ALL": "es"}, "en"},
		{[]string{"issue-key", "lang", "es"}, nil, "en"},
		{[]string{"issue-key", "--lang"}, nil, "en"},
	} {
		if got := languages[speak(row.args, func(name string) string { return row.env[name] })]; got != row.want {
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
		k := &keys{lang: 1, log: &bytes.Buffer{}}
		if err := k.run(t.Context(), strings.Fields(row.args)); err == nil || err.Error() != row.want {
			t.Errorf("%s: %v", row.args, err)
		}
	}
	var help bytes.Buffer
	_ = (&keys{lang: 1, log: &help}).run(t.Context(), []string{"rotate-key", "--help"})
	if got := help.String(); !strings.HasPrefix(got, "Uso: scripts/rotate-key NOMBRE ") ||
		!strings.Contains(got, "  --timeout tiempo\n        tiempo de espera del primer uso de la clave nueva; con 0 solo se mira (por defecto, 10m0s)\n") {
		t.Error(got)
	}
}
