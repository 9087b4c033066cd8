package config

import (
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// reader walks the tree of one file and fills a Config, collecting faults.
type reader struct {
	c      *Config
	file   string
	faults Errors
}

// read parses data, the content of file, into c.
func (c *Config) read(file string, data []byte) Errors {
	data = []byte(strings.TrimPrefix(string(data), "\ufeff"))
	r := &reader{c: c, file: file}
	if nested(data) {
		return Errors{{File: file, Code: CodeTooDeep}}
	}
	tree, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		e := &Error{File: file, Code: CodeSyntax, Args: []any{"reason", err.Error()}, err: err}
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) {
			e.Args = []any{"reason", syntax.Message}
			if strings.Contains(syntax.Message, "'\t'") {
				e.Code = CodeTab
			}
			e.Line, e.Column = syntax.Token.Position.Line, syntax.Token.Position.Column
		}
		return Errors{e}
	}
	for i, doc := range tree.Docs {
		switch {
		case doc.Body == nil:
		case i > 0:
			r.fault(doc.Body, CodeSyntax, "reason", "a second document")
		default:
			r.root(doc.Body)
		}
	}
	return r.faults
}

func (r *reader) fault(at ast.Node, code Code, args ...any) {
	p := at.GetToken().Position
	r.faults = append(r.faults, &Error{File: r.file, Line: p.Line, Column: p.Column, Code: code, Args: args})
}

func (r *reader) bad(at ast.Node, key string, want Want) {
	r.fault(at, CodeBadValue, "key", key, "got", source(at), "want", want)
}

// source is a value as the file spells it, short enough for a message.
func source(at ast.Node) string {
	switch n := at.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "{…}"
	case *ast.SequenceNode:
		return "[…]"
	case *ast.NullNode:
		return "null"
	case *ast.LiteralNode:
		return "|…"
	case *ast.StringNode:
		if n.Value == "" {
			return `""`
		}
	}
	s := at.GetToken().Value
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}

// mostFaults is how many faults are looked into: who gets that many does not read them.
const mostFaults = 200

// pair is one key of a mapping with its value.
type pair struct {
	name  string
	key   ast.Node
	value ast.Node
}

// pairs are the entries of a mapping whose full key is path; a key that is
// there twice is a fault.
func (r *reader) pairs(n ast.Node, path string) ([]pair, bool) {
	var entries []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	case *ast.NullNode:
		return nil, true
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		r.fault(n, CodeNotPlain)
		return nil, false
	default:
		if path == "" {
			r.bad(n, r.file, WantMapping)
		} else {
			r.bad(n, path, WantMapping)
		}
		return nil, false
	}
	var list []pair
	first := map[string]int{}
	for _, e := range entries {
		key, ok := e.Key.(ast.Node)
		if s, isString := key.(*ast.StringNode); ok && isString {
			name := s.Value
			if line, twice := first[name]; twice {
				r.fault(key, CodeDuplicate, "key", join(path, name), "first", line)
				continue
			}
			first[name] = key.GetToken().Position.Line
			list = append(list, pair{name, key, e.Value})
			continue
		}
		r.fault(e, CodeNotPlain)
	}
	return list, true
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (r *reader) root(body ast.Node) {
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

func (r *reader) section(name string, body ast.Node) {
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
	pos := p.value.GetToken().Position
	r.c.from[name] = Origin{Kind: FromFile, File: r.file, Line: pos.Line, Column: pos.Column}
}

// placeholderText stands in a configuration that was begun and not filled in.
const placeholderText = "CHANGE-ME"

// tried notes that a key has a value, right or not.
func (r *reader) tried(name string, value ast.Node) {
	if _, null := value.(*ast.NullNode); !null && r.c.tried != nil {
		r.c.tried[name] = true
	}
}

// scalar is the text of a plain value; nil for null.
func (r *reader) scalar(n ast.Node, key string, want Want) (*string, bool) {
	var s string
	switch n := n.(type) {
	case *ast.NullNode:
		return nil, true
	case *ast.StringNode:
		s = n.Value
	case *ast.LiteralNode:
		s = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		s = n.GetToken().Value // as written: an account may begin with 0
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		r.fault(n, CodeNotPlain)
		return nil, false
	default:
		r.bad(n, key, want)
		return nil, false
	}
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

func (r *reader) unknownOf(name string, at ast.Node, known []string) {
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

func (r *reader) tags(body ast.Node) {
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
		pos := p.value.GetToken().Position
		r.c.from["object.tags"] = Origin{Kind: FromFile, File: r.file, Line: pos.Line, Column: pos.Column}
	}
}

func (r *reader) outboxes(body ast.Node) {
	if _, null := body.(*ast.NullNode); null {
		return
	}
	list, ok := body.(*ast.SequenceNode)
	if !ok {
		r.bad(body, "outboxes", WantOutboxes)
		return
	}
	pos := body.GetToken().Position
	r.c.from["outboxes"] = Origin{Kind: FromFile, File: r.file, Line: pos.Line, Column: pos.Column}
	for _, n := range list.Values {
		r.outbox(n)
	}
}

func (r *reader) outbox(n ast.Node) {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		r.bad(n, "outboxes", WantOutboxes)
		return
	}
	entries, ok := r.pairs(n, "outboxes")
	if !ok {
		return
	}
	o := Outbox{Line: n.GetToken().Position.Line}
	if len(entries) > 0 {
		o.Line = entries[0].key.GetToken().Position.Line
	}
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
func (r *reader) globs(name string, n ast.Node) []string {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		if _, null := n.(*ast.NullNode); !null {
			r.bad(n, name, WantGlobs)
		}
		return nil
	}
	globs := []string{}
	for _, v := range list.Values {
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
