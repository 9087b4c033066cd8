package client

import (
	"bytes"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// document is what is needed of an answer in XML.
type document struct {
	root string
	text map[string]string // of the elements right below the root, or below its Error
}

var errNoDocument = errors.New("no whole document")

// decoder reads XML leniently: only what is needed has to be right.
func decoder(body []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(body))
	d.Strict = false
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	return d
}

// rootOf is the name of a document's root element; "" if there is none.
func rootOf(body []byte) string {
	d := decoder(body)
	for {
		token, err := d.RawToken()
		if err != nil {
			return ""
		}
		switch t := token.(type) {
		case xml.StartElement:
			return t.Name.Local
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return ""
			}
		}
	}
}

// read takes a document apart. One that is not whole is none.
func read(body []byte) (document, error) {
	doc := document{text: map[string]string{}}
	d := decoder(body)
	var path []string
	var text strings.Builder
	for {
		token, err := d.Token()
		if err != nil {
			return doc, errNoDocument
		}
		switch t := token.(type) {
		case xml.StartElement:
			path = append(path, t.Name.Local)
			text.Reset()
			if len(path) == 1 {
				doc.root = t.Name.Local
			}
		case xml.CharData:
			if len(path) == 0 && len(bytes.TrimSpace(t)) > 0 {
				return doc, errNoDocument
			}
			text.Write(t)
		case xml.EndElement:
			name := path[len(path)-1]
			if len(path) == 2 || len(path) == 3 && path[1] == "Error" {
				if _, twice := doc.text[name]; !twice {
					doc.text[name] = strings.TrimSpace(text.String())
				}
			}
			text.Reset()
			if path = path[:len(path)-1]; len(path) == 0 {
				return doc, nil
			}
		}
	}
}

// plain writes a document again, of which a strict parser takes all.
func (d document) plain() []byte {
	var b bytes.Buffer
	put := func(name, text string) {
		b.WriteString("<" + name + ">")
		_ = xml.EscapeText(&b, []byte(text)) // a Buffer does not fail
		b.WriteString("</" + name + ">")
	}
	b.WriteString("<" + d.root + ">")
	for name, text := range d.text {
		put(name, text)
	}
	b.WriteString("</" + d.root + ">")
	return b.Bytes()
}

// reference is a character by its number.
var reference = regexp.MustCompile(`&#(?:x[0-9A-Fa-f]+|[0-9]+);`)

// Listed is a key as it reads in a list that isn't URL-encoded: what XML can't hold is U+FFFD, and every end of a line a
// line feed (W3C, "Extensible Markup Language 1.0", 2.11).
func Listed(key string) string {
	key = strings.ReplaceAll(strings.ReplaceAll(key, "\r\n", "\n"), "\r", "\n")
	return strings.Map(func(r rune) rune {
		if !legal(r) {
			return unicode.ReplacementChar
		}
		return r
	}, key)
}

// legible puts U+FFFD in the place of what XML 1.0 can't hold. Keys may hold every character, and S3 writes them into
// its answers as they are or by their number; no parser takes that, and what is needed stands beside it.
func legible(body []byte) []byte {
	if bytes.IndexFunc(body, func(r rune) bool { return !legal(r) }) >= 0 || !utf8.Valid(body) {
		body = bytes.Map(func(r rune) rune {
			if !legal(r) {
				return unicode.ReplacementChar
			}
			return r
		}, body)
	}
	if !bytes.Contains(body, []byte("&#")) {
		return body
	}
	return reference.ReplaceAllFunc(body, func(ref []byte) []byte {
		digits, base := string(ref[2:len(ref)-1]), 10
		if digits[0] == 'x' {
			digits, base = digits[1:], 16
		}
		if n, err := strconv.ParseUint(digits, base, 32); err == nil && n <= unicode.MaxRune && legal(rune(n)) {
			return ref
		}
		return []byte(string(unicode.ReplacementChar))
	})
}

// legal tells the characters of XML 1.0 (W3C, "Extensible Markup Language 1.0", 2.2).
func legal(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// page tells an answer that was made for people.
func page(h http.Header, body []byte) bool {
	start := strings.ToLower(string(bytes.TrimSpace(body[:min(len(body), 64)])))
	return strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "text/html") && len(body) > 0 ||
		strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html")
}

var (
	unsaid = regexp.MustCompile(`(?is)<(script|style|svg|head)\b.*?</(?:script|style|svg|head)>|<!--.*?-->|<[^>]*>`)
	titled = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)
)

const (
	mostWords = 160     // runes that are quoted
	mostPage  = 8 << 10 // bytes in which they are looked for
)

// words are the first ones that an answer says to people.
func words(h http.Header, body []byte) string {
	text := string(body[:min(len(body), mostPage)])
	said := unsaid.ReplaceAllString(text, " ")
	if title := titled.FindStringSubmatch(text); title != nil && !strings.Contains(said, title[1]) {
		said = title[1] + " " + said
	}
	said = strings.Join(strings.FieldsFunc(html.UnescapeString(said), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar
	}), " ")
	if server := h.Get("Server"); server != "" && !strings.Contains(said, server) {
		said = strings.TrimSpace(said + " [" + server + "]")
	}
	return cut(said, mostWords)
}

// cut is a text of at most so many runes, in which no control character is left.
func cut(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
