// Package words gives the programs behind the scripts their sentences, in English
// and Spanish.
//
//	//go:embed en.json es.json
//	var files embed.FS
//	var sentences = words.Load(files)
//
//	sentences.Text("es", "no-folder", "folder", "/srv/outbox")
//
// The files are as those of the agent's own sentences (agent/internal/locale): a
// text for each id, in which {name} is replaced, and {{name}} stays {name}. Plural forms, numbers and times
// are written by the agent alone; here they are as Go prints them.
package words

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Languages are those of the sentences; the first is spoken where none is asked for.
var Languages = []string{"en", "es"}

// Book holds the sentences by language and id.
type Book map[string]map[string]string

// Load reads en.json and es.json. It panics where an embedded file is broken.
func Load(files fs.FS) Book {
	book := Book{}
	for _, lang := range Languages {
		data, err := fs.ReadFile(files, lang+".json")
		var texts map[string]string
		if err == nil {
			err = json.Unmarshal(data, &texts)
		}
		if err != nil {
			panic("words: read " + lang + ".json: " + err.Error())
		}
		book[lang] = texts
	}
	return book
}

// Detect chooses the language as the agent does: the flag, else LC_ALL,
// LC_MESSAGES and LANG, the first of them that is set.
func Detect(flag string, getenv func(string) string) string {
	for _, wanted := range []string{flag, getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG")} {
		if wanted == "" {
			continue
		}
		for _, lang := range Languages {
			if strings.HasPrefix(strings.ToLower(wanted), lang) {
				return lang
			}
		}
		break
	}
	return Languages[0]
}

var argument = regexp.MustCompile(`\{\{[a-z]+\}\}|\{[a-z]+\}`)

// Text is the sentence of that id with its arguments, in pairs of name and value.
func (b Book) Text(lang, id string, args ...any) string {
	texts := b[lang]
	if texts == nil {
		texts = b[Languages[0]]
	}
	return argument.ReplaceAllStringFunc(texts[id], func(name string) string {
		if strings.HasPrefix(name, "{{") {
			return name[1 : len(name)-1]
		}
		for i := 0; i+1 < len(args); i += 2 {
			if name == fmt.Sprintf("{%v}", args[i]) {
				return visible(fmt.Sprint(args[i+1]))
			}
		}
		return name
	})
}

// visible writes control characters, which could move a terminal's cursor, as Go
// does; the ends of lines are ours.
func visible(text string) string {
	bad := func(r rune) bool { return unicode.IsControl(r) && r != '\n' }
	if !strings.ContainsFunc(text, bad) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if bad(r) {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Faults names what is said in one language alone, or of other things: the
// arguments of a sentence and the commands in it are the same in both.
func (b Book) Faults() []string {
	var faults []string
	en, es := b[Languages[0]], b[Languages[1]]
	for id := range es {
		if _, both := en[id]; !both {
			faults = append(faults, id+" is in Spanish alone")
		}
	}
	for id, text := range en {
		other := es[id]
		if text == "" || other == "" || text == other {
			faults = append(faults, fmt.Sprintf("%s: %q is not in both languages", id, text))
			continue
		}
		for _, same := range []*regexp.Regexp{argument, command} {
			if x, y := found(same, text), found(same, other); !slices.Equal(x, y) {
				faults = append(faults, fmt.Sprintf("%s: English has %v, Spanish has %v", id, x, y))
			}
		}
	}
	slices.Sort(faults)
	return faults
}

var command = regexp.MustCompile(`scripts/[a-z-]+`)

func found(what *regexp.Regexp, text string) []string {
	set := map[string]bool{}
	for _, one := range what.FindAllString(text, -1) {
		set[one] = true
	}
	return slices.Sorted(maps.Keys(set))
}
