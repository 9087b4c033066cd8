package config

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// reader walks the tree of one file and fills a Config, collecting faults.
type reader struct {
	c      *Config
	file   string
	faults Errors
}

// read parses data, the content of file, into c.
func (c *Config) read(file string, data []byte) Errors {
	r := &reader{c: c, file: file}
	documents := yaml.NewDecoder(bytes.NewReader(data))
	for i := 0; ; i++ {
		var document yaml.Node
		err := documents.Decode(&document)
		if errors.Is(err, io.EOF) {
			return r.faults
		}
		if err != nil {
			return append(r.faults, r.syntax(data, err))
		}
		switch body := document.Content[0]; {
		case i == 0:
			r.root(body)
		case !null(body):
			r.fault(body, CodeSyntax, "reason", "a second document")
		}
	}
}

// syntax is the fault of a text that is not YAML.
func (r *reader) syntax(data []byte, err error) *Error {
	e := &Error{File: r.file, Code: CodeSyntax, Args: []any{"reason", err.Error()}, err: err}
	var told *yaml.LoadError
	if errors.As(err, &told) {
		e.Args = []any{"reason", told.Message}
		e.Line, e.Column = told.Mark.Line, told.Mark.Column
		if lines := bytes.Split(data, []byte("\n")); e.Line > 0 && e.Line <= len(lines) && bytes.HasPrefix(bytes.TrimLeft(lines[e.Line-1], " "), []byte("\t")) {
			e.Code = CodeTab
		}
	}
	return e
}

func (r *reader) fault(at *yaml.Node, code Code, args ...any) {
	r.faults = append(r.faults, &Error{File: r.file, Line: at.Line, Column: at.Column, Code: code, Args: args})
}

// null says that a value is not set.
func null(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" && plain(n) }

// plain says that a node has no anchor and no tag of its own, and is not an alias or a merge.
func plain(n *yaml.Node) bool {
	return n.Kind != yaml.AliasNode && n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 && n.Tag != "!!merge"
}

func (r *reader) bad(at *yaml.Node, key string, want Want) {
	r.fault(at, CodeBadValue, "key", key, "got", source(at), "want", want)
}

// source is a value as the file spells it, short enough for a message.
func source(at *yaml.Node) string {
	switch {
	case at.Kind == yaml.MappingNode:
		return "{…}"
	case at.Kind == yaml.SequenceNode:
		return "[…]"
	case null(at):
		return "null"
	case at.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return "|…"
	case at.Value == "":
		return `""`
	}
	if r := []rune(at.Value); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return at.Value
}

// mostFaults is how many faults are looked into: who gets that many does not read them.
const mostFaults = 200

// pair is one key of a mapping with its value.
type pair struct {
	name  string
	key   *yaml.Node
	value *yaml.Node
}

// pairs are the entries of a mapping whose full key is path; a key that is
// there twice is a fault.
func (r *reader) pairs(n *yaml.Node, path string) ([]pair, bool) {
	switch {
	case !plain(n):
		r.fault(n, CodeNotPlain)
		return nil, false
	case null(n):
		return nil, true
	case n.Kind != yaml.MappingNode:
		if path == "" {
			path = r.file
		}
		r.bad(n, path, WantMapping)
		return nil, false
	}
	var list []pair
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || !plain(key) {
			r.fault(key, CodeNotPlain)
			continue
		}
		if line, twice := first[key.Value]; twice {
			r.fault(key, CodeDuplicate, "key", join(path, key.Value), "first", line)
			continue
		}
		first[key.Value] = key.Line
		list = append(list, pair{key.Value, key, n.Content[i+1]})
	}
	return list, true
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (r *reader) root(body *yaml.Node) {
	entries, _ := r.pairs(body, "")
	for _, p := range entries {
		switch {
		case p.name == "outboxes":
			r.tried("outboxes", p.value)
			r.outboxes(p.value)
		case slices.Contains(sections, p.name):
			r.section(p.name, p.value)
		default:
			r.single("", p)
		}
	}
}

func (r *reader) section(name string, body *yaml.Node) {
	entries, _ := r.pairs(body, name)
	for _, p := range entries {
		if name == "object" && p.name == "tags" {
			r.tags(p.value)
			continue
		}
		r.single(name, p)
	}
}

// single reads a key of the table.
func (r *reader) single(section string, p pair) {
	name := join(section, p.name)
	i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		r.unknown(section, p)
		return
	}
	text, ok := r.scalar(p.value, name, keys[i].Want)
	r.tried(name, p.value)
	if !ok || text == nil {
		return // null is "not set"
	}
	if strings.Contains(*text, placeholderText) {
		r.fault(p.value, CodePlaceholder, "key", name, "got", source(p.value))
		return
	}
	if !keys[i].set(r.c, *text) {
		code, args := CodeBadValue, []any{"key", name, "got", source(p.value), "want", keys[i].Want}
		r.fault(p.value, code, args...)
		return
	}
	r.c.from[name] = r.origin(p.value)
}

// origin is the place of a value.
func (r *reader) origin(n *yaml.Node) Origin {
	return Origin{Kind: FromFile, File: r.file, Line: n.Line, Column: n.Column}
}

// placeholderText stands in a configuration that was begun and not filled in.
const placeholderText = "CHANGE-ME"

// tried notes that a key has a value, right or not.
func (r *reader) tried(name string, value *yaml.Node) {
	if !null(value) && r.c.tried != nil {
		r.c.tried[name] = true
	}
}

// scalar is the text of a plain value, as written (an account may begin with 0); nil for null.
func (r *reader) scalar(n *yaml.Node, key string, want Want) (*string, bool) {
	switch {
	case !plain(n):
		r.fault(n, CodeNotPlain)
		return nil, false
	case null(n):
		return nil, true
	case n.Kind != yaml.ScalarNode:
		r.bad(n, key, want)
		return nil, false
	}
	s := n.Value
	if secretValue.MatchString(s) {
		r.fault(n, CodeSecret, "key", key)
		return nil, false
	}
	return &s, true
}

// Names that a secret would have, and values that are one: access key ids, and
// a password in a URL.
var (
	secretName  = regexp.MustCompile(`(?i)secret|passw|token|credential|access_?key|api_?key|private_?key`)
	secretValue = regexp.MustCompile(`(AKIA|ASIA)[A-Z2-7]{16}|://[^/\s@]*:[^/\s@]*@`)
)

// unknown reports a key that isn't one, with the nearest that is.
func (r *reader) unknown(section string, p pair) {
	name := join(section, p.name)
	if secretName.MatchString(p.name) {
		r.fault(p.key, CodeSecret, "key", name)
		return
	}
	var known []string
	for _, k := range keys {
		known = append(known, k.Name)
	}
	known = append(known, "outboxes", "object.tags")
	known = append(known, sections...)
	r.unknownOf(name, p.key, known)
}

func (r *reader) unknownOf(name string, at *yaml.Node, known []string) {
	if len(r.faults) >= mostFaults {
		known = nil
	}
	if near := Nearest(name, known); near != "" {
		if r.c.tried != nil {
			r.c.tried[near] = true // it was meant
		}
		r.fault(at, CodeUnknownNear, "key", name, "near", near)
		return
	}
	r.fault(at, CodeUnknownKey, "key", name)
}

func (r *reader) tags(body *yaml.Node) {
	entries, ok := r.pairs(body, "object.tags")
	if !ok || entries == nil {
		return
	}
	r.c.Object.Tags = map[string]string{}
	for _, p := range entries {
		text, ok := r.scalar(p.value, "object.tags."+p.name, WantTags)
		if !ok {
			continue
		}
		if text == nil || len(entries) > 10 || len(p.name) > 128 || p.name == "" || len(*text) > 256 || strings.HasPrefix(p.name, "aws:") {
			r.bad(p.value, "object.tags."+p.name, WantTags)
			continue
		}
		r.c.Object.Tags[p.name] = *text
		r.c.from["object.tags"] = r.origin(p.value)
	}
}

func (r *reader) outboxes(body *yaml.Node) {
	if null(body) {
		return
	}
	if body.Kind != yaml.SequenceNode {
		r.bad(body, "outboxes", WantOutboxes)
		return
	}
	r.c.from["outboxes"] = r.origin(body)
	for _, n := range body.Content {
		r.outbox(n)
	}
}

func (r *reader) outbox(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		r.bad(n, "outboxes", WantOutboxes)
		return
	}
	entries, ok := r.pairs(n, "outboxes")
	if !ok {
		return
	}
	o := Outbox{Line: n.Line}
	before := len(r.faults)
	for _, p := range entries {
		r.outboxKey(&o, p)
	}
	if o.Path == "" && len(r.faults) == before {
		r.fault(n, CodeOutboxPath)
	}
	r.c.Outboxes = append(r.c.Outboxes, o)
}

func (r *reader) outboxKey(o *Outbox, p pair) {
	name := "outboxes." + p.name
	switch p.name {
	case "include":
		o.Include = r.globs(name, p.value)
		return
	case "exclude":
		o.Exclude = r.globs(name, p.value)
		return
	}
	i := slices.IndexFunc(outboxScalars, func(k outboxScalar) bool { return k.name == p.name })
	if i < 0 {
		if secretName.MatchString(p.name) {
			r.fault(p.key, CodeSecret, "key", name)
			return
		}
		var known []string
		for _, k := range outboxKeys {
			known = append(known, "outboxes."+k)
		}
		r.unknownOf(name, p.key, known)
		return
	}
	k := outboxScalars[i]
	text, ok := r.scalar(p.value, name, k.want)
	if !ok || text == nil {
		return
	}
	if !k.set(o, *text) {
		r.bad(p.value, name, k.want)
	}
}

type outboxScalar struct {
	name string
	want Want
	set  func(o *Outbox, text string) bool
}

var outboxScalars = []outboxScalar{
	{"path", WantPath, func(o *Outbox, s string) bool {
		if filepath.IsAbs(s) {
			o.Path = filepath.Clean(s)
		}
		return filepath.IsAbs(s)
	}},
	{"quiet", WantDuration, func(o *Outbox, s string) (ok bool) {
		o.Quiet, ok = ParseDuration(s)
		o.QuietSet = ok
		return ok
	}},
	{"settle", WantSettle, func(o *Outbox, s string) bool {
		if target, ok := strings.CutPrefix(s, "move:"); ok {
			if filepath.IsAbs(target) {
				o.Settle, o.MoveTo = SettleMove, filepath.Clean(target)
			}
			return filepath.IsAbs(target)
		}
		o.Settle = Settle(s)
		return o.Settle == SettleKeep || o.Settle == SettleDelete
	}},
	{"key", WantTemplate, func(o *Outbox, s string) bool {
		o.Key = s
		return CheckTemplate(s) == nil
	}},
}

// globs reads a list of patterns; the result is not nil, so that an empty list
// is told from none.
func (r *reader) globs(name string, n *yaml.Node) []string {
	if n.Kind != yaml.SequenceNode {
		if !null(n) {
			r.bad(n, name, WantGlobs)
		}
		return nil
	}
	globs := []string{}
	for _, v := range n.Content {
		text, ok := r.scalar(v, name, WantGlobs)
		if !ok {
			continue
		}
		if text == nil || !validGlob(*text) {
			r.bad(v, name, WantGlobs)
			continue
		}
		globs = append(globs, *text)
	}
	return globs
}

// overlay lays the flags over what the file said.
func (c *Config) overlay(flags map[string]string) Errors {
	var faults Errors
	for _, k := range keys {
		text, ok := flags[k.Name]
		if !ok {
			continue
		}
		flag := "--" + k.Name
		for f, name := range FlagKeys {
			if name == k.Name {
				flag = "--" + f
			}
		}
		if k.Name == "state" {
			if abs, err := filepath.Abs(text); err == nil && text != "" {
				text = abs
			}
		}
		if c.tried != nil {
			c.tried[k.Name] = true
		}
		switch {
		case secretValue.MatchString(text):
			faults = append(faults, &Error{Flag: flag, Code: CodeSecret, Args: []any{"key", flag}})
		case !k.set(c, text):
			faults = append(faults, &Error{Flag: flag, Code: CodeBadFlag, Args: []any{"flag", flag, "got", text, "want", k.Want}})
		default:
			c.from[k.Name] = Origin{Kind: FromFlag, Flag: flag}
		}
	}
	return faults
}
