package locale

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// load gives the texts of a language; each has at least one form.
func load(t *testing.T, lang string) map[string]map[string]string {
	t.Helper()
	data, err := texts.ReadFile(lang + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]string{}
	for id, text := range raw {
		var one string
		if json.Unmarshal(text, &one) == nil {
			all[id] = map[string]string{"": one}
			continue
		}
		forms := map[string]string{}
		if err := json.Unmarshal(text, &forms); err != nil {
			t.Errorf("%s.json: %s is neither a text nor plural forms", lang, id)
		}
		all[id] = forms
	}
	return all
}

var idPattern = regexp.MustCompile(`^[a-z]+\.[a-z0-9]+(-[a-z0-9]+)*$`)
var argPattern = regexp.MustCompile(`\{\{[^{}]*\}\}|\{([a-zA-Z0-9_]+)\}`)

// arguments are the names of the arguments in any form of a text.
func arguments(forms map[string]string) []string {
	set := map[string]bool{}
	for _, text := range forms {
		for _, m := range argPattern.FindAllStringSubmatch(text, -1) {
			if m[1] != "" {
				set[m[1]] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func TestBothLanguagesSayTheSame(t *testing.T) {
	en, es := load(t, "en"), load(t, "es")
	for id := range es {
		if _, ok := en[id]; !ok {
			t.Errorf("%s is in es.json alone", id)
		}
	}
	for id, forms := range en {
		if !idPattern.MatchString(id) {
			t.Errorf("%s: an id is room.kebab-id", id)
		}
		other, ok := es[id]
		if !ok {
			t.Errorf("%s is in en.json alone", id)
			continue
		}
		if a, b := arguments(forms), arguments(other); !slices.Equal(a, b) {
			t.Errorf("%s: en takes %v, es takes %v", id, a, b)
		}
		for lang, f := range map[string]map[string]string{"en": forms, "es": other} {
			for form, text := range f {
				if strings.TrimSpace(text) == "" {
					t.Errorf("%s.json: %s is empty", lang, id)
				}
				if form != "" && !slices.Contains([]string{"zero", "one", "two", "few", "many", "other"}, form) {
					t.Errorf("%s.json: %s: %q is no plural form", lang, id, form)
				}
			}
			if _, single := f[""]; !single && f["other"] == "" {
				t.Errorf("%s.json: %s has no form other", lang, id)
			}
		}
	}
}

// use is where an id, or the beginning of ids, stands in the code.
type use struct {
	place  string
	prefix bool // "policy." + code
}

// uses finds the ids in the Go code of the agent: every string that is shaped
// like an id of a known room, and the beginnings of ids that are put together.
func uses(t *testing.T, rooms map[string]bool) map[string]use {
	t.Helper()
	found := map[string]use{}
	fset := token.NewFileSet()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		joined := map[ast.Node]bool{}
		ast.Inspect(file, func(n ast.Node) bool {
			if b, ok := n.(*ast.BinaryExpr); ok && b.Op == token.ADD {
				joined[b.X] = true
			}
			if call, ok := n.(*ast.CallExpr); ok && named(call.Fun, "Failpoint") { // a kill point, not a sentence
				return false
			}
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			room, _, dotted := strings.Cut(text, ".")
			if err != nil || !dotted || !rooms[room] {
				return true
			}
			place := fset.Position(lit.Pos()).String()
			switch {
			case joined[lit] && regexp.MustCompile(`^[a-z]+\.([a-z0-9-]*-)?$`).MatchString(text):
				found[text] = use{place, true}
			case idPattern.MatchString(text) && !notIDs[text]:
				found[text] = use{place, false}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// named tells whether an expression is a function or method of that name.
func named(fun ast.Expr, name string) bool {
	switch f := fun.(type) {
	case *ast.Ident:
		return f.Name == name
	case *ast.SelectorExpr:
		return f.Sel.Name == name
	}
	return false
}

// notIDs are strings of the code that only look like ids: keys of the
// configuration, file names.
var notIDs = map[string]bool{
	"agent.yaml": true, "journal.db": true,
}

func TestEveryTextIsUsedAndEveryUseHasAText(t *testing.T) {
	en := load(t, "en")
	rooms := map[string]bool{}
	for id := range en {
		room, _, _ := strings.Cut(id, ".")
		rooms[room] = true
	}
	found := uses(t, rooms)
	used := func(id string) bool {
		if _, ok := found[id]; ok {
			return true
		}
		for prefix, u := range found {
			if u.prefix && strings.HasPrefix(id, prefix) {
				return true
			}
		}
		return false
	}
	for id := range en {
		if !used(id) {
			t.Errorf("%s is used nowhere: take it out with loc del", id)
		}
	}
	for id, u := range found {
		if u.prefix {
			continue
		}
		if _, ok := en[id]; !ok {
			t.Errorf("%s: %q has no text", u.place, id)
		}
	}
}

// A word that stands for a value is the reader's, and sentences have one word for one thing.
func TestSpanishIsSpanish(t *testing.T) {
	foreign := regexp.MustCompile(`\b(FILE|NAME|FOLDER|KEY|PATH|TIME|VALUE|RATE|USER|ACCOUNT|ACTION|HOST|COPY|READER)\b`)
	synonym := regexp.MustCompile(`(?i)\b(petici[oó]n|peticiones|fichero|comando|por omisi[oó]n|sustitu\p{L}+|esta m[aá]quina|deduc\p{L}+|usted(es)? puedes|tu|tus|t[uú])\b`)
	pages, err := filepath.Glob("../../../docs/es/*.md")
	if err != nil || len(pages) < 10 {
		t.Fatal(pages, err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		inPages := regexp.MustCompile(`(?i)\b(petici[oó]n|peticiones|fichero|por omisi[oó]n|sustitu\p{L}+|deduc\p{L}+)\b`)
		for n, line := range strings.Split(string(text), "\n") {
			if m := inPages.FindString(line); m != "" {
				t.Errorf("%s:%d: %q has another word in the table of words", page, n+1, m)
			}
		}
	}
	for id, forms := range load(t, "es") {
		for _, text := range forms {
			if m := foreign.FindString(text); m != "" {
				t.Errorf("%s: %s isn't the reader's", id, m)
			}
			if m := synonym.FindString(text); m != "" {
				t.Errorf("%s: %q has another word in the table of words (docs/es/architecture.md)", id, m)
			}
		}
	}
}

// Of a sentence that is there twice one would be lost without a word.
func TestNoSentenceIsThereTwice(t *testing.T) {
	for _, file := range []string{"en.json", "es.json"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^ "([^"]+)":`).FindAllSubmatch(text, -1) {
			if key := string(m[1]); seen[key] {
				t.Errorf("%s: %s is there twice", file, key)
			} else {
				seen[key] = true
			}
		}
	}
}
