package sources

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"buzon/agent/internal/judge/sources/terraform"
	"buzon/agent/policy"
)

// The faults of templates and exports, besides those of the documents in them.
const (
	NotYAML          policy.Code = "not-yaml"
	YAMLAlias        policy.Code = "yaml-alias"
	YAMLTag          policy.Code = "yaml-tag"
	NotATemplate     policy.Code = "not-a-template"
	NotAnExport      policy.Code = "not-an-export"
	BadIntrinsic     policy.Code = "bad-intrinsic"
	UnknownReference policy.Code = "unknown-reference"
	WrongShape       policy.Code = "wrong-shape"
	Circular         policy.Code = "circular"
	BadEncoding      policy.Code = "bad-encoding"
	UnknownPart      policy.Code = "unknown-part"
	TwoDocuments     policy.Code = "two-documents"
	NotAllowed       policy.Code = "not-allowed"
	WrittenTwice     policy.Code = "written-twice"
)

// Codes lists every fault that this package adds to those of policy.
func Codes() []policy.Code {
	return append(terraform.Codes(), []policy.Code{
		NotYAML, YAMLAlias, YAMLTag, NotATemplate, NotAnExport, BadIntrinsic, UnknownReference,
		WrongShape, Circular, BadEncoding, UnknownPart, TwoDocuments, NotAllowed, WrittenTwice,
	}...)
}

func fault(file string, at policy.Position, code policy.Code, args ...string) *policy.Error {
	e := &policy.Error{File: file, Pos: at, Code: code, Args: map[string]string{}}
	for i := 0; i+1 < len(args); i += 2 {
		text := args[i+1]
		if len(text) > 80 {
			text = strings.ToValidUTF8(text[:80], "") + "…"
		}
		e.Args[args[i]] = text
	}
	return e
}

// readTree reads JSON or YAML into the tree that the policy parser takes. YAML's
// short tags (!Ref, !Sub …) become the long form of JSON. Of a key that stands twice
// in an object the last counts, as to CloudFormation.
func readTree(file string, text []byte) (*policy.Node, error) {
	trimmed := strings.TrimLeft(string(text[:min(len(text), 4096)]), " \t\r\n")
	if strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") || strings.HasPrefix(trimmed, "\uFEFF") || trimmed == "" {
		return policy.ReadJSONLastWins(file, text)
	}
	return readYAML(file, text)
}

// readYAML reads one YAML document with the place of every value. It takes the
// reader that keeps YAML's rules for colons: in "{aws:SecureTransport: true}" the
// key is aws:SecureTransport.
func readYAML(file string, text []byte) (*policy.Node, error) {
	start := policy.Position{Line: 1, Column: 1}
	if len(text) > policy.MaxFile {
		return nil, policy.Errors{fault(file, start, policy.TooLong, "limit", strconv.Itoa(policy.MaxFile))}
	}
	if strings.ContainsFunc(string(text), policy.IsSymbol) {
		return nil, policy.Errors{fault(file, start, policy.ReservedCharacter)}
	}
	documents := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	if err := documents.Decode(&first); err != nil {
		return nil, policy.Errors{syntax(file, text, err)}
	}
	if err := documents.Decode(&second); !errors.Is(err, io.EOF) || len(first.Content) != 1 {
		return nil, policy.Errors{fault(file, start, NotATemplate)}
	}
	y := &yamlReader{file: file}
	node := y.node(first.Content[0], 0)
	if len(y.faults) > 0 {
		return nil, sorted(y.faults)
	}
	node.KeepLast()
	return node, nil
}

// syntax is the fault of a text that is not YAML.
func syntax(file string, text []byte, err error) *policy.Error {
	var told *yaml.LoadError
	switch {
	case errors.Is(err, io.EOF):
		return fault(file, policy.Position{Line: 1, Column: 1}, NotATemplate)
	case !errors.As(err, &told):
		return fault(file, policy.Position{Line: 1, Column: 1}, NotYAML, "why", err.Error())
	case told.Mark.Line > 0:
		return fault(file, PlaceOf(text, told), NotYAML, "why", told.Message)
	}
	// Of a byte that no text has the reader tells no place.
	bad := bytes.IndexFunc(text, func(r rune) bool {
		return r == utf8.RuneError || unicode.IsControl(r) && !strings.ContainsRune("\t\r\n\u0085", r)
	})
	before := text[:max(bad, 0)]
	return fault(file, policy.Position{
		Line: 1 + bytes.Count(before, []byte("\n")), Column: 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]),
	}, NotYAML, "why", told.Message)
}

// PlaceOf is where a text stops being YAML: where the reader noticed; of a bracket that isn't closed and of a key without
// a colon, which it notices later, where that begins; of what is missing at the end, the last character.
func PlaceOf(text []byte, e *yaml.LoadError) policy.Position {
	at := e.Mark
	if strings.Contains(e.ContextMsg, "flow") || strings.Contains(e.ContextMsg, "simple key") {
		at = e.ContextMark
	}
	lines := strings.Split(strings.TrimRightFunc(string(text), unicode.IsSpace), "\n")
	if last := len(lines); at.Line > last {
		return policy.Position{Line: last, Column: max(utf8.RuneCountInString(lines[last-1]), 1)}
	}
	return policy.Position{Line: max(at.Line, 1), Column: max(at.Column, 1)}
}

type yamlReader struct {
	file   string
	faults policy.Errors
}

func (y *yamlReader) fault(at policy.Position, code policy.Code, args ...string) *policy.Node {
	y.faults = append(y.faults, fault(y.file, at, code, args...))
	return &policy.Node{Kind: policy.NullNode, Pos: at, Text: "null"}
}

func (y *yamlReader) node(n *yaml.Node, depth int) *policy.Node {
	at := policy.Position{Line: n.Line, Column: n.Column}
	if depth > policy.MaxDepth {
		return y.fault(at, policy.TooDeep, "limit", strconv.Itoa(policy.MaxDepth))
	}
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return y.fault(at, YAMLAlias)
	}
	var out *policy.Node
	switch n.Kind {
	case yaml.MappingNode:
		out = y.object(n, at, depth)
	case yaml.SequenceNode:
		out = &policy.Node{Kind: policy.ArrayNode, Pos: at}
		for _, item := range n.Content {
			out.Items = append(out.Items, y.node(item, depth+1))
		}
	case yaml.ScalarNode:
		// A number such as an account's id is a text to CloudFormation.
		out = text(n.Value, at)
		switch n.Tag {
		case "!!bool":
			out.Kind, out.Text = policy.BoolNode, strings.ToLower(n.Value)
		case "!!null":
			out.Kind, out.Text = policy.NullNode, "null"
		}
	case yaml.DocumentNode, yaml.StreamNode, yaml.AliasNode:
		return y.fault(at, NotYAML, "why", "")
	}
	return y.tag(n, out)
}

func (y *yamlReader) object(n *yaml.Node, at policy.Position, depth int) *policy.Node {
	out := &policy.Node{Kind: policy.ObjectNode, Pos: at}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		keyAt := policy.Position{Line: key.Line, Column: key.Column}
		switch {
		case key.Kind == yaml.AliasNode, key.Anchor != "", key.Tag == "!!merge":
			y.fault(keyAt, YAMLAlias)
			continue
		case key.Kind != yaml.ScalarNode:
			y.fault(keyAt, WrongShape, "name", "key", "want", policy.StringNode.String())
			continue
		}
		out.Members = append(out.Members, policy.Member{Key: key.Value, Pos: keyAt, Value: y.node(n.Content[i+1], depth+1)})
	}
	return out
}

// tag turns "!Sub text" into {"Fn::Sub": "text"}.
func (y *yamlReader) tag(n *yaml.Node, value *policy.Node) *policy.Node {
	if strings.HasPrefix(n.Tag, "!!") && n.Tag != "!!binary" {
		return value
	}
	name := strings.TrimPrefix(n.Tag, "!")
	switch name {
	case "Ref", "Condition":
	case "GetAtt":
		name = "Fn::GetAtt"
	case "Sub", "Join", "If", "Select", "Split", "FindInMap", "ImportValue", "And", "Or", "Not",
		"Equals", "Base64", "Cidr", "GetAZs", "Transform", "Length", "ToJsonString", "ForEach", "GetStackOutput",
		// of the section Rules
		"Contains", "EachMemberEquals", "EachMemberIn", "RefAll", "ValueOf", "ValueOfAll":
		name = "Fn::" + name
	default:
		return y.fault(value.Pos, YAMLTag, "tag", n.Tag)
	}
	return &policy.Node{Kind: policy.ObjectNode, Pos: value.Pos, Members: []policy.Member{{Key: name, Pos: value.Pos, Value: value}}}
}
