// Package locale holds every sentence that a person reads, in English and
// Spanish, and the ways in which numbers, sizes and times are written.
//
// Load gives a Printer; its Text takes a message id and named arguments:
//
//	p.Text("outbox.waiting", "n", 3, "path", "/srv/outbox")
//
// The texts live in en.json and es.json: a string, or an object of plural
// forms chosen by the argument n. {name} is replaced, {{name}} stays {name}.
// A test holds both files to the same ids and arguments, and to what the code
// uses. Only cli and report call Text; inner rooms return ids and values.
// Fit, Cut, Name and Shell make a text fit its line, or a shell.
//
// It does not translate what other programs say (AWS error codes, errno).
package locale

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

//go:embed en.json es.json
var texts embed.FS

// Languages are those that a Printer can be loaded for; the first is spoken
// where none is asked for.
var Languages = [...]string{"en", "es"}

// Known reports whether Load has texts in this language.
func Known(lang string) bool {
	for _, l := range Languages {
		if l == lang {
			return true
		}
	}
	return false
}

// Printer writes in one language. It never changes after Load, so it may be
// used from many goroutines.
type Printer struct {
	lang  string
	tag   language.Tag
	texts map[string]any // a string, or map[string]any of plural forms
	with  []any          // arguments of every text, in pairs
	ascii bool           // of signs, those of ASCII alone
}

// signs are what stands for our signs where only ASCII can be shown. Letters stay: a language has those that it has.
var signs = strings.NewReplacer("✗ (", "(", "✗", "x", "✓", "+", "“", `"`, "”", `"`, "«", `"`, "»", `"`, "’", "'", "…", "...", "–", "-", "→", "->",
	"│", "|", "·", "-", "≥", ">=", "Buzón", "Buzon")

// ASCII is the same printer with no signs but those of ASCII in what it says; arguments stay as they are.
func (p *Printer) ASCII() *Printer {
	plain := *p
	plain.ascii = true
	return &plain
}

// Signs is a text of ours with the signs that can be shown.
func (p *Printer) Signs(text string) string {
	if p.ascii {
		return signs.Replace(text)
	}
	return text
}

// With is the same printer with arguments that every text may name.
func (p *Printer) With(args ...any) *Printer {
	with := *p
	with.with = append(slices.Clone(args), p.with...)
	return &with
}

// Load reads the texts of one language. An unknown one is English. It panics
// only where the embedded file is broken, which a test excludes.
func Load(lang string) *Printer {
	if !Known(lang) {
		lang = Languages[0]
	}
	p := &Printer{lang: lang, tag: language.English}
	if lang == "es" {
		p.tag = language.Spanish
	}
	data, err := texts.ReadFile(lang + ".json")
	if err == nil {
		err = json.Unmarshal(data, &p.texts)
	}
	if err != nil {
		panic("locale: read embedded " + lang + ".json: " + err.Error())
	}
	return p
}

// Lang is the language's code: en or es.
func (p *Printer) Lang() string { return p.lang }

// Has reports whether there is a text of that id.
func (p *Printer) Has(id string) bool { _, ok := p.texts[id]; return ok }

// Detect chooses the language: the flag, else LC_ALL, LC_MESSAGES, LANG, the
// first of them that is set; what it can't speak is English.
func Detect(flag string, getenv func(string) string) string {
	for _, v := range []string{flag, getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG")} {
		if v == "" {
			continue
		}
		if lang := strings.ToLower(v[:len(v)-len(strings.TrimLeft(v, letters))]); Known(lang) {
			return lang
		}
		break
	}
	return Languages[0]
}

// Preferred is the language that an Accept-Language header (RFC 9110, 12.5.4) likes best of those that there are.
func Preferred(header string) string {
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil || len(tags) == 0 {
		return Languages[0]
	}
	_, i, _ := matcher.Match(tags...)
	return Languages[i]
}

var matcher = language.NewMatcher([]language.Tag{language.English, language.Spanish}) // as Languages

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// Text is the message of that id with its arguments, given in pairs of name
// and value as to slog. Numbers, sizes, durations, times and errors are written
// the way the language does. Control characters in strings are escaped, so that
// a file's name can't move the cursor; a Raw string is left alone. An unknown
// id gives the id and its arguments, so that nothing is ever hidden. A value with
// a method TextID() string is written as the text of that id. In a line that begins
// with two blanks, which is a command to type, strings are quoted for the shell.
func (p *Printer) Text(id string, args ...any) string {
	var text string
	switch t := p.texts[id].(type) {
	case string:
		text = t
	case map[string]any:
		text = p.form(t, args)
	default:
		return "[" + id + "]" + fmt.Sprint(args...)
	}
	text = p.Signs(text)
	if !strings.Contains(text, "{") {
		return text
	}
	var b strings.Builder
	command := false
	for {
		i := strings.IndexByte(text, '{')
		if i < 0 {
			break
		}
		if line := strings.LastIndexByte(text[:i], '\n'); line >= 0 || b.Len() == 0 {
			command = strings.HasPrefix(text[line+1:], "  ")
		}
		b.WriteString(text[:i])
		text = text[i:]
		if strings.HasPrefix(text, "{{") {
			if end := strings.Index(text, "}}"); end > 0 {
				b.WriteString(text[1 : end+1])
				text = text[end+2:]
				continue
			}
		}
		end := strings.IndexByte(text, '}')
		if end < 0 {
			break
		}
		b.WriteString(p.argument(text[1:end], args, command))
		text = text[end+1:]
	}
	b.WriteString(text)
	return b.String()
}

// form picks the plural form by the argument n.
func (p *Printer) form(forms map[string]any, args []any) string {
	name := "other"
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == "n" {
			if n, ok := integer(args[i+1]); ok {
				if n < 0 {
					n = -n
				}
				name = formNames[plural.Cardinal.MatchPlural(p.tag, int(n%10_000_000), 0, 0, 0, 0)]
			}
		}
	}
	if s, ok := forms[name].(string); ok {
		return s
	}
	s, _ := forms["other"].(string)
	return s
}

var formNames = map[plural.Form]string{
	plural.Other: "other", plural.Zero: "zero", plural.One: "one",
	plural.Two: "two", plural.Few: "few", plural.Many: "many",
}

// argument writes one argument. What a text names and nobody gave stays as it is.
func (p *Printer) argument(name string, args []any, command bool) string {
	for _, list := range [...][]any{args, p.with} {
		for i := 0; i+1 < len(list); i += 2 {
			if list[i] != name {
				continue
			}
			if word, ok := list[i+1].(string); ok && command && word != "–" && word != "…" {
				return Shell(word)
			}
			return p.Value(list[i+1])
		}
	}
	return "{" + name + "}"
}

// Raw is text that is already made for the screen: Text leaves it alone.
type Raw string

// Size is a number of bytes; it is written as 64 MiB.
type Size int64

// Rate is bytes in a second; it is written as 10 MiB/s.
type Rate float64

// Value writes one argument the way the language does.
func (p *Printer) Value(v any) string {
	if n, ok := integer(v); ok {
		switch v := v.(type) {
		case Size:
			return p.Size(int64(v))
		case interface{ TextID() string }:
			return p.Text(v.TextID())
		case time.Duration:
			return p.Duration(v)
		case fmt.Stringer:
			return v.String()
		}
		return p.Number(n)
	}
	switch v := v.(type) {
	case nil:
		return ""
	case Raw:
		return string(v)
	case string:
		return Name(v)
	case []byte:
		return Name(string(v))
	case []string:
		return Name(strings.Join(v, ", "))
	case Rate:
		return p.Size(int64(v)) + "/s"
	case float64:
		return p.decimal(v, 1)
	case time.Time:
		return p.Time(v)
	case interface{ TextID() string }:
		return p.Text(v.TextID())
	case error:
		return Clean(v.Error())
	}
	return Clean(fmt.Sprint(v))
}

// Clean escapes what would not be one plain piece of a line: control
// characters, line ends, characters that turn the writing direction, and bytes
// that are not UTF-8.
func Clean(s string) string {
	bad := func(r rune) bool {
		return unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
	}
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n <= 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x80 && bad(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case bad(r) && r != utf8.RuneError:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}
