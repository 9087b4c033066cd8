package policy

import "strings"

// Grammar says which elements a document may hold.
type Grammar uint8

// The grammars. A boundary, a session policy and the policies of users, groups
// and roles are Identity; those of buckets, access points and keys Resource.
const (
	Identity Grammar = iota
	Resource
	TrustGrammar
	SCPGrammar
	RCPGrammar
	BucketGrammar // Resource, but for "*": S3 takes ARNs of the bucket alone
)

// Grammar tells which grammar the documents of a kind follow.
func (k Kind) Grammar() Grammar {
	switch k {
	case UserInline, UserManaged, GroupInline, GroupManaged, RoleInline, RoleManaged, Boundary, Session:
		return Identity
	case BucketPolicy:
		return BucketGrammar
	case AccessPoint, KeyPolicy, KMSGrant, ACL, ResourcePolicy, LambdaPermission:
		return Resource
	case Trust:
		return TrustGrammar
	case SCP:
		return SCPGrammar
	case RCP:
		return RCPGrammar
	}
	return Identity
}

// ParseOptions say how a document is to be read.
type ParseOptions struct {
	Grammar Grammar
	// Lenient is for what AWS accepted (live, exports): a fault of a statement
	// sets its Unclear, a fault of the document's head sets that of every
	// statement. What isn't JSON, or has no statements at all, stays an error.
	Lenient bool
	// Symbols allows the characters that stand for symbols of a template.
	Symbols bool
	// At is where the document starts in a larger file, for Parse; zero means
	// at its beginning.
	At Position
}

// Parse reads one document. The error is Errors: all faults, in the order of
// their places, each with its line and column in the file.
func Parse(file string, data []byte, opts ParseOptions) (*Document, error) {
	node, errs := readJSON(file, data, MaxDocument, opts.Symbols)
	p := parser{file: file, opts: opts}
	var doc *Document
	if node != nil {
		doc = p.document(node, errs)
	} else {
		p.errs = errs
	}
	if opts.At != (Position{}) {
		p.shift(doc)
	}
	if len(p.errs) > 0 {
		p.errs.sort()
		return nil, p.errs
	}
	return doc, nil
}

// ParseNode reads a document that ReadJSON, or whoever resolved a template,
// has already taken apart. Places are those of the nodes.
func ParseNode(file string, node *Node, opts ParseOptions) (*Document, error) {
	p := parser{file: file, opts: opts}
	doc := p.document(node, nil)
	if len(p.errs) > 0 {
		p.errs.sort()
		return nil, p.errs
	}
	return doc, nil
}

// parser collects the faults of one document.
type parser struct {
	file string
	opts ParseOptions
	errs Errors
	// outside counts the faults that lie outside conditions.
	outside int
	sids    map[string]bool
	// expands is set where the document's Version makes "${…}" a variable.
	expands bool
}

func (p *parser) fault(at Position, code Code, args ...string) {
	p.errs = append(p.errs, newError(p.file, at, code, args...))
	p.outside++
}

// document reads the head and the statements; head are faults that were found
// before.
func (p *parser) document(node *Node, head Errors) *Document {
	p.errs = append(p.errs, head...)
	doc := &Document{Pos: node.Pos}
	if node.Kind != ObjectNode {
		p.fault(node.Pos, WrongType, "element", "document", "got", node.Kind.String(), "want", "object")
		return doc
	}
	p.expands = node.Get("Version") != nil && node.Get("Version").Text == "2012-10-17"
	var statements *Node
	for _, m := range node.Members {
		switch m.Key {
		case "Version":
			doc.Version = p.version(m)
		case "Id":
			if doc.ID = p.text(m); p.opts.Grammar == Identity && !p.opts.Lenient {
				p.fault(m.Pos, ForbiddenElement, "element", "Id", "grammar", p.opts.Grammar.String())
			}
		case "Statement":
			statements = m.Value
		default:
			p.unknown(m, "Version", "Id", "Statement")
		}
	}
	if statements == nil {
		p.fault(node.Pos, MissingElement, "element", "Statement")
		return doc
	}
	above := p.errs
	p.errs = nil
	p.statements(doc, statements)
	if !p.opts.Lenient || len(doc.Statements) == 0 {
		p.errs = append(above, p.errs...)
		return doc
	}
	if above.sort(); len(above) > 0 {
		for i := range doc.Statements {
			doc.Statements[i].Unclear, doc.Statements[i].UnclearConditions = above[0], false
		}
	}
	return doc
}

func (p *parser) version(m Member) string {
	v := p.text(m)
	if m.Value.Kind == StringNode && v != "2012-10-17" && v != "2008-10-17" {
		p.fault(m.Value.Pos, UnknownVersion, "got", v)
	}
	return v
}

func (p *parser) statements(doc *Document, node *Node) {
	items := []*Node{node}
	switch node.Kind {
	case ArrayNode:
		if items = node.Items; len(items) == 0 && !p.opts.Lenient {
			p.fault(node.Pos, EmptyElement, "element", "Statement")
		}
	case ObjectNode:
	case NullNode, BoolNode, NumberNode, StringNode:
		p.fault(node.Pos, WrongType, "element", "Statement", "got", node.Kind.String(), "want", "object, array")
		return
	}
	for i, item := range items {
		before, outside := len(p.errs), p.outside
		st := p.statement(i, item)
		if faults := p.errs[before:]; p.opts.Lenient && len(faults) > 0 {
			faults.sort()
			st.Unclear, st.UnclearConditions = faults[0], p.outside == outside
			p.errs = p.errs[:before:before]
		}
		doc.Statements = append(doc.Statements, st)
	}
}

// elements are the parts of a statement.
var elements = []string{
	"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}

func (p *parser) statement(index int, node *Node) Statement {
	st := Statement{Index: index, Pos: node.Pos}
	if node.Kind != ObjectNode {
		p.fault(node.Pos, WrongType, "element", "Statement", "got", node.Kind.String(), "want", "object")
		return st
	}
	has := make(map[string]Position, len(node.Members))
	meant := make(map[string]bool) // misspelled: reported, so not missed as well
	for _, m := range node.Members {
		if other := opposite(m.Key); other != "" {
			if _, both := has[other]; both {
				p.fault(m.Pos, BothElements, "element", m.Key, "other", other)
				continue
			}
		}
		switch m.Key {
		case "Sid":
			st.Sid = p.sid(m)
		case "Effect":
			st.Effect = p.effect(m)
		case "Principal", "NotPrincipal":
			st.NotPrincipal = m.Key == "NotPrincipal"
			st.Principals = p.principals(m)
		case "Action", "NotAction":
			st.NotAction = m.Key == "NotAction"
			st.Actions = p.list(m)
			for _, a := range st.Actions {
				p.action(a)
			}
		case "Resource", "NotResource":
			st.NotResource = m.Key == "NotResource"
			st.Resources = p.list(m)
		case "Condition":
			st.Conditions = p.conditions(m)
		default:
			meant[p.unknown(m, elements...)] = true
			continue
		}
		has[m.Key] = m.Pos
	}
	p.shape(&st, has, meant)
	return st
}

// opposite is the element that can't stand beside this one.
func opposite(element string) string {
	switch element {
	case "Principal", "Action", "Resource":
		return "Not" + element
	case "NotPrincipal", "NotAction", "NotResource":
		return element[3:]
	}
	return ""
}

// unknown reports an element that isn't of the grammar, with the one that was
// meant where it is near: another case, an "s" too many.
func (p *parser) unknown(m Member, known ...string) (meant string) {
	plain := func(s string) string { return strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), "s") }
	for _, want := range known {
		if plain(m.Key) == plain(want) {
			p.fault(m.Pos, MisspelledElement, "got", m.Key, "want", want)
			return want
		}
	}
	p.fault(m.Pos, UnknownElement, "element", m.Key)
	return ""
}

func (p *parser) effect(m Member) Effect {
	text := p.text(m)
	switch {
	case text == "Allow":
		return Allow
	case text == "Deny":
		return Deny
	case m.Value.Kind == StringNode:
		p.fault(m.Value.Pos, BadEffect, "got", text)
	}
	return 0
}

// sid holds a Sid against its grammar: letters and digits, in the policies of
// resources almost anything. IAM takes no two alike in one document; S3 does, and AWS
// publishes bucket policies that have them.
func (p *parser) sid(m Member) string {
	text := p.text(m)
	if m.Value.Kind != StringNode || p.opts.Lenient {
		return text
	}
	for _, c := range text {
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || p.opts.Symbols && IsSymbol(c)
		if !plain && (!p.opts.Grammar.ofResource() && p.opts.Grammar != TrustGrammar || c < ' ') {
			p.fault(m.Value.Pos, BadSid, "got", text)
			break
		}
	}
	if p.sids[text] && !p.opts.Grammar.ofResource() {
		p.fault(m.Value.Pos, DuplicateSid, "got", text)
	}
	if p.sids == nil {
		p.sids = make(map[string]bool)
	}
	p.sids[text] = text != ""
	return text
}

// text wants one string.
func (p *parser) text(m Member) string {
	if m.Value.Kind != StringNode {
		p.fault(m.Value.Pos, WrongType, "element", m.Key, "got", m.Value.Kind.String(), "want", "string")
		return ""
	}
	return m.Value.Text
}

// list wants a string or an array of them.
func (p *parser) list(m Member) []Text {
	switch m.Value.Kind {
	case StringNode:
		return []Text{{m.Value.Text, m.Value.Pos}}
	case ArrayNode:
		if len(m.Value.Items) == 0 {
			p.fault(m.Value.Pos, EmptyElement, "element", m.Key)
		}
		all := make([]Text, 0, len(m.Value.Items))
		for _, item := range m.Value.Items {
			if item.Kind != StringNode {
				p.fault(item.Pos, WrongType, "element", m.Key, "got", item.Kind.String(), "want", "string")
				continue
			}
			all = append(all, Text{item.Text, item.Pos})
		}
		return all
	case NullNode, BoolNode, NumberNode, ObjectNode:
	}
	p.fault(m.Value.Pos, WrongType, "element", m.Key, "got", m.Value.Kind.String(), "want", "string, array")
	return nil
}

// shift moves every place from the document to the file that it lies in.
func (p *parser) shift(doc *Document) {
	move := func(at *Position) {
		if *at == (Position{}) {
			return
		}
		if at.Line == 1 {
			at.Column += p.opts.At.Column - 1
		}
		at.Line += p.opts.At.Line - 1
	}
	for _, e := range p.errs {
		move(&e.Pos)
	}
	if doc == nil {
		return
	}
	move(&doc.Pos)
	moved := make(map[*Error]bool)
	for i := range doc.Statements {
		st := &doc.Statements[i]
		move(&st.Pos)
		for j := range st.Principals {
			move(&st.Principals[j].Pos)
		}
		for j := range st.Actions {
			move(&st.Actions[j].Pos)
		}
		for j := range st.Resources {
			move(&st.Resources[j].Pos)
		}
		for j := range st.Conditions {
			move(&st.Conditions[j].Pos)
			for k := range st.Conditions[j].Values {
				move(&st.Conditions[j].Values[k].Pos)
			}
		}
		if st.Unclear != nil && !moved[st.Unclear] {
			moved[st.Unclear] = true
			move(&st.Unclear.Pos)
		}
	}
}
