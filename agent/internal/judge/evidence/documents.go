package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// judged is judged.json: who was judged, and by which documents. It is this program's
// own form; the documents themselves are there to be read.
type judged struct {
	NotJudged  int
	Parameters map[string]string
	Sources    []source // each once
	Subjects   []subject
}

// source is a policy.Source whose text is a file of the bundle.
type source struct {
	policy.Source
	Path string // "" where there is no text
}

type subject struct {
	sources.Subject
	Documents []int      // of judged.Sources, in place of those of the set
	Should    [][]should // in place of Expected; nil where that is nil
}

// should is a sources.ExpectedPart.
type should struct {
	Documents  []int
	Symbols    policy.Symbols
	OwnsBucket bool
}

// packer puts documents into a bundle, each once.
type packer struct {
	judged judged
	at     map[string]int // of judged.Sources, by what they say
	files  map[string][]byte
	paths  map[string]string // by text
	listed []Document
	fault  error
}

func pack(found *sources.Found) (*packer, error) {
	p := &packer{at: map[string]int{}, files: map[string][]byte{}, paths: map[string]string{}}
	p.judged.NotJudged, p.judged.Parameters = found.NotJudged, found.Parameters
	for i := range found.Subjects {
		s := subject{Subject: found.Subjects[i]}
		s.Set.Subject.Tags, s.Set.Subject.Pinned = p.named(&s.Set, s.Set.Subject.Tags), p.named(&s.Set, s.Set.Subject.Pinned)
		s.Documents = p.documents(s.Set.Sources)
		if s.Expected != nil {
			s.Should = [][]should{}
		}
		for _, e := range s.Expected {
			parts := []should{}
			for _, part := range e {
				parts = append(parts, should{p.documents(part.Sources), part.Symbols, part.OwnsBucket})
			}
			s.Should = append(s.Should, parts)
		}
		s.Set.Sources, s.Expected = nil, nil
		p.judged.Subjects = append(p.judged.Subjects, s)
	}
	return p, p.fault
}

// named are the tags that a document speaks of. The others bear on nothing, and may hold
// what is nobody's business.
func (p *packer) named(set *policy.Set, tags map[string]string) map[string]string {
	if len(tags) == 0 {
		return tags
	}
	out := map[string]string{}
	for key, value := range tags {
		spoken := strings.ToLower("principaltag/" + key)
		if slices.ContainsFunc(set.Sources, func(src policy.Source) bool {
			return src.Document != nil && strings.Contains(strings.ToLower(string(src.Document.JSON())), spoken)
		}) {
			out[key] = value
		}
	}
	return out
}

func (p *packer) documents(list []policy.Source) []int {
	out := []int{}
	for i := range list {
		out = append(out, p.document(&list[i]))
	}
	return out
}

func (p *packer) document(src *policy.Source) int {
	plain := source{Source: *src}
	plain.Raw = nil
	text, err := json.Marshal(plain)
	if err != nil {
		p.fault = fmt.Errorf("write document %s: %w", src.Name, err)
		return 0
	}
	key := string(text) + string(src.Raw)
	if n, there := p.at[key]; there {
		return n
	}
	n := len(p.judged.Sources)
	p.at[key] = n
	shown, asRead, parsed := showing(src)
	plain.Path = p.paths[string(shown)]
	if plain.Path == "" {
		plain.Path = fmt.Sprintf("documents/%06d.json", len(p.paths)+1)
		p.paths[string(shown)] = plain.Path
		p.files[plain.Path] = shown
	}
	p.judged.Sources = append(p.judged.Sources, plain)
	p.listed = append(p.listed, Document{
		Path: plain.Path, AsRead: asRead, Parsed: parsed, Kind: string(src.Kind), Name: src.Name, ARN: src.ARN, Version: src.Version, SHA256: src.SHA256,
	})
	return n
}

// showing is the text of a document: as it was read, if reading that gives what was judged;
// else the document that was made of it, without what stood around it.
func showing(src *policy.Source) (text []byte, asRead, parsed bool) {
	if says(src.Raw, src) {
		return src.Raw, Digest(src.Raw) == src.SHA256, true
	}
	if src.Document == nil {
		return []byte("null\n"), false, false
	}
	text = src.Document.JSON()
	return text, false, says(text, src)
}

// says reports whether a text reads as the document that was judged, its places aside.
func says(text []byte, src *policy.Source) bool {
	if len(text) == 0 || src.Document == nil {
		return false
	}
	opts := policy.ParseOptions{Grammar: src.Kind.Grammar(), Lenient: true, Symbols: true}
	doc, err := policy.Parse(src.Name, text, opts)
	return err == nil && placeless(doc) == placeless(src.Document)
}

// placeless is a document without its places, to be compared.
func placeless(doc *policy.Document) string {
	text, err := json.Marshal(doc)
	if err != nil {
		return err.Error()
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return err.Error()
	}
	var strip func(any)
	strip = func(v any) {
		switch x := v.(type) {
		case map[string]any:
			delete(x, "Pos")
			delete(x, "File") // of what was not understood
			for _, value := range x {
				strip(value)
			}
		case []any:
			for _, item := range x {
				strip(item)
			}
		}
	}
	strip(tree)
	text, err = json.Marshal(tree)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// unpack gives back what was judged.
func unpack(text []byte, files map[string][]byte, listed []Document) (*sources.Found, error) {
	var j judged
	if err := decode(text, &j); err != nil {
		return nil, &FormError{Unreadable, judgedFile, err.Error()}
	}
	if len(listed) != len(j.Sources) {
		return nil, &FormError{Code: Unlisted, File: manifestFile}
	}
	all := make([]policy.Source, len(j.Sources))
	for i := range j.Sources {
		src, d := j.Sources[i].Source, listed[i]
		shown, there := files[j.Sources[i].Path]
		same := Document{
			Path: j.Sources[i].Path, AsRead: d.AsRead, Parsed: d.Parsed, Kind: string(src.Kind), Name: src.Name, ARN: src.ARN, Version: src.Version, SHA256: src.SHA256,
		}
		if !there || same != d || !whole(&src) || d.Parsed && !says(shown, &src) || d.AsRead && Digest(shown) != src.SHA256 {
			return nil, &FormError{Code: NotJudged, File: j.Sources[i].Path}
		}
		src.Raw = shown
		all[i] = src
	}
	found := &sources.Found{NotJudged: j.NotJudged, Parameters: j.Parameters, Texts: map[string][]byte{}}
	for i := range j.Subjects {
		s := j.Subjects[i].Subject
		var err error
		if s.Set.Sources, err = pick(all, j.Subjects[i].Documents); err != nil {
			return nil, err
		}
		if !refers(&s) {
			return nil, &FormError{Unreadable, judgedFile, s.Set.Subject.ARN}
		}
		if j.Subjects[i].Should != nil {
			s.Expected = []sources.Expected{}
		}
		for _, parts := range j.Subjects[i].Should {
			e := sources.Expected{}
			for _, part := range parts {
				documents, err := pick(all, part.Documents)
				if err != nil {
					return nil, err
				}
				e = append(e, sources.ExpectedPart{Sources: documents, Symbols: part.Symbols, OwnsBucket: part.OwnsBucket})
			}
			s.Expected = append(s.Expected, e)
		}
		found.Subjects = append(found.Subjects, s)
	}
	return found, nil
}

// whole reports whether a document is one that an audit can be made of.
func whole(src *policy.Source) bool {
	if src.Document == nil {
		return false
	}
	if src.Surely == nil {
		return true
	}
	if src.Surely.Document == nil {
		return false
	}
	within := func(list []int, doc *policy.Document) bool {
		return !slices.ContainsFunc(list, func(n int) bool { return n < 0 || n >= len(doc.Statements) })
	}
	return within(src.Surely.Sample, src.Surely.Document) && within(src.Surely.Blocking, src.Surely.Document)
}

// refers reports whether gaps and notes of a subject speak of documents that it has.
func refers(s *sources.Subject) bool {
	within := func(n int) bool { return n >= -1 && n < len(s.Set.Sources) }
	return !slices.ContainsFunc(s.Gaps, func(g sources.Gap) bool { return !within(g.Source) }) &&
		!slices.ContainsFunc(s.Notes, func(n sources.Note) bool { return !within(n.Source) })
}

func pick(all []policy.Source, numbers []int) ([]policy.Source, error) {
	var out []policy.Source
	for _, n := range numbers {
		if n < 0 || n >= len(all) {
			return nil, &FormError{Unreadable, judgedFile, fmt.Sprint(n)}
		}
		out = append(out, all[n])
	}
	return out, nil
}

var errTrailing = errors.New("more follows")

// decode reads JSON that has no more than what is asked for.
func decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errTrailing
	}
	return nil
}

// Conceal puts a word in place of each secret, wherever it stands.
func Conceal(found *sources.Found, hide func(string) string) {
	seen := map[uintptr]bool{}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() { //nolint:exhaustive // of all others there is none that holds a text
		case reflect.Pointer:
			if !v.IsNil() && !seen[v.Pointer()] {
				seen[v.Pointer()] = true
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if f := v.Field(i); f.CanSet() {
					walk(f)
				}
			}
		case reflect.Slice, reflect.Array:
			if v.Type() == reflect.TypeFor[[]byte]() {
				if text := string(v.Bytes()); hide(text) != text {
					v.SetBytes([]byte(hide(text)))
				}
				return
			}
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				value := reflect.New(v.Type().Elem()).Elem()
				value.Set(v.MapIndex(key))
				walk(value)
				v.SetMapIndex(key, value)
			}
		case reflect.String:
			if v.CanSet() {
				v.SetString(hide(v.String()))
			}
		}
	}
	walk(reflect.ValueOf(&found.Subjects))
}

// Digest is the SHA-256 of a text, in hex.
func Digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
