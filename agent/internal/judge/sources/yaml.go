package sources

import (
	"errors"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

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
)

// Codes lists every fault that this package adds to those of policy.
func Codes() []policy.Code {
	return []policy.Code{
		NotYAML, YAMLAlias, YAMLTag, NotATemplate, NotAnExport, BadIntrinsic, UnknownReference,
		WrongShape, Circular, BadEncoding, UnknownPart,
	}
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
// short tags (!Ref, !Sub …) become the long form of JSON.
func readTree(file string, text []byte) (*policy.Node, error) {
	trimmed := strings.TrimLeft(string(text[:min(len(text), 4096)]), " \t\r\n")
	if strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") || strings.HasPrefix(trimmed, "\uFEFF") || trimmed == "" {
		return policy.ReadJSON(file, text)
	}
	return readYAML(file, text)
}

func readYAML(file string, text []byte) (node *policy.Node, err error) {
	start := policy.Position{Line: 1, Column: 1}
	// The library's parser is not proof against every text; a template that
	// breaks it is a malformed template.
	defer func() {
		if recover() != nil {
			node, err = nil, policy.Errors{fault(file, start, NotYAML, "why", "")}
		}
	}()
	if len(text) > policy.MaxFile {
		return nil, policy.Errors{fault(file, start, policy.TooLong, "limit", strconv.Itoa(policy.MaxFile))}
	}
	if strings.ContainsFunc(string(text), policy.IsSymbol) {
		return nil, policy.Errors{fault(file, start, policy.ReservedCharacter)}
	}
	if tooDeep(text) {
		return nil, policy.Errors{fault(file, start, policy.TooDeep, "limit", "100")}
	}
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		e := fault(file, start, NotYAML, "why", "")
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) {
			e.Args["why"] = syntax.Message
			if syntax.Token != nil && syntax.Token.Position != nil {
				e.Pos = place(syntax.Token)
			}
		}
		return nil, policy.Errors{e}
	}
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		return nil, policy.Errors{fault(file, start, NotATemplate)}
	}
	y := &yamlReader{file: file}
	node = y.node(tree.Docs[0].Body, 0)
	if len(y.faults) > 0 {
		return nil, y.faults
	}
	return node, nil
}

// tooDeep spares the library texts that nest without end.
func tooDeep(text []byte) bool {
	depth, deepest := 0, 0
	for _, c := range text {
		switch c {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		}
	}
	return deepest > 10*policy.MaxDepth
}

type yamlReader struct {
	file   string
	faults policy.Errors
}

func (y *yamlReader) fault(at policy.Position, code policy.Code, args ...string) *policy.Node {
	y.faults = append(y.faults, fault(y.file, at, code, args...))
	return &policy.Node{Kind: policy.NullNode, Pos: at, Text: "null"}
}

func place(t *token.Token) policy.Position {
	if t == nil || t.Position == nil {
		return policy.Position{Line: 1, Column: 1}
	}
	return policy.Position{Line: t.Position.Line, Column: t.Position.Column}
}

func (y *yamlReader) node(n ast.Node, depth int) *policy.Node {
	if n == nil {
		return &policy.Node{Kind: policy.NullNode, Text: "null"}
	}
	at := place(n.GetToken())
	if depth > policy.MaxDepth {
		return y.fault(at, policy.TooDeep, "limit", "100")
	}
	scalar := func(kind policy.NodeKind) *policy.Node {
		return &policy.Node{Kind: kind, Pos: at, Text: n.GetToken().Value}
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return y.object(n.Values, at, depth)
	case *ast.MappingValueNode:
		return y.object([]*ast.MappingValueNode{n}, at, depth)
	case *ast.SequenceNode:
		out := &policy.Node{Kind: policy.ArrayNode, Pos: at}
		for _, v := range n.Values {
			out.Items = append(out.Items, y.node(v, depth+1))
		}
		return out
	case *ast.StringNode:
		return &policy.Node{Kind: policy.StringNode, Pos: at, Text: n.Value}
	case *ast.LiteralNode:
		return &policy.Node{Kind: policy.StringNode, Pos: place(n.Value.GetToken()), Text: n.Value.Value}
	case *ast.IntegerNode, *ast.FloatNode:
		// A number such as an account's id is a text to CloudFormation.
		return scalar(policy.StringNode)
	case *ast.InfinityNode, *ast.NanNode:
		return scalar(policy.StringNode)
	case *ast.BoolNode:
		out := scalar(policy.BoolNode)
		out.Text = strings.ToLower(out.Text)
		return out
	case *ast.NullNode:
		return &policy.Node{Kind: policy.NullNode, Pos: at, Text: "null"}
	case *ast.TagNode:
		return y.tag(n, depth)
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return y.fault(at, YAMLAlias)
	default:
		return y.fault(at, NotYAML, "why", n.Type().String())
	}
}

func (y *yamlReader) object(values []*ast.MappingValueNode, at policy.Position, depth int) *policy.Node {
	out := &policy.Node{Kind: policy.ObjectNode, Pos: at}
	if len(values) > 0 {
		out.Pos = place(values[0].Key.GetToken())
	}
	seen := map[string]bool{}
	for _, v := range values {
		keyAt := place(v.Key.GetToken())
		var key string
		switch k := v.Key.(type) {
		case *ast.StringNode:
			key = k.Value
		case *ast.MergeKeyNode, *ast.AliasNode, *ast.AnchorNode:
			y.fault(keyAt, YAMLAlias)
			continue
		default:
			key = k.GetToken().Value
		}
		if seen[key] {
			y.fault(keyAt, policy.DuplicateKey, "key", key)
			continue
		}
		seen[key] = true
		out.Members = append(out.Members, policy.Member{Key: key, Pos: keyAt, Value: y.node(v.Value, depth+1)})
	}
	return out
}

// tag turns "!Sub text" into {"Fn::Sub": "text"}.
func (y *yamlReader) tag(n *ast.TagNode, depth int) *policy.Node {
	at := place(n.Start)
	value := y.node(n.Value, depth+1)
	name := strings.TrimPrefix(n.Start.Value, "!")
	switch name {
	case "!str":
		value.Kind = policy.StringNode
		return value
	case "Ref", "Condition":
	case "GetAtt":
		name = "Fn::GetAtt"
		if value.Kind == policy.StringNode {
			resource, attribute, _ := strings.Cut(value.Text, ".")
			value = &policy.Node{Kind: policy.ArrayNode, Pos: value.Pos, Items: []*policy.Node{
				{Kind: policy.StringNode, Pos: value.Pos, Text: resource},
				{Kind: policy.StringNode, Pos: value.Pos, Text: attribute},
			}}
		}
	case "Sub", "Join", "If", "Select", "Split", "FindInMap", "ImportValue", "And", "Or", "Not",
		"Equals", "Base64", "Cidr", "GetAZs", "Transform", "Length", "ToJsonString", "ForEach":
		name = "Fn::" + name
	default:
		return y.fault(at, YAMLTag, "tag", n.Start.Value)
	}
	return &policy.Node{Kind: policy.ObjectNode, Pos: at, Members: []policy.Member{{Key: name, Pos: at, Value: value}}}
}
