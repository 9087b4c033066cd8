package policy

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of the JSON reader. IAM's own are far lower (10 KB to 32 KB of text
// for a document, and no document nests deeper than eight).
const (
	MaxDocument = 1 << 20   // bytes of one document, Parse
	MaxFile     = 256 << 20 // bytes of a file that holds documents, ReadJSON
	MaxDepth    = 100       // arrays and objects inside one another
)

// NodeKind is the type of a JSON value.
type NodeKind uint8

// The types of JSON values.
const (
	NullNode NodeKind = iota + 1
	BoolNode
	NumberNode
	StringNode
	ArrayNode
	ObjectNode
)

// String names the type as a person who writes JSON does.
func (k NodeKind) String() string {
	switch k {
	case NullNode:
		return "null"
	case BoolNode:
		return "boolean"
	case NumberNode:
		return "number"
	case StringNode:
		return "string"
	case ArrayNode:
		return "array"
	case ObjectNode:
		return "object"
	}
	return "nothing"
}

// Node is one JSON value with its place.
type Node struct {
	Kind NodeKind
	// Pos is the place of the value's first character: of a string its
	// opening quote.
	Pos Position
	// Text is the decoded text of a string, and a number, true, false or null
	// as written.
	Text    string
	Items   []*Node  // of an array
	Members []Member // of an object, in their order
	// Lost are the members of an object whose key stands again further on, where
	// KeepLast took them out.
	Lost []Member
}

// Member is one key of an object with its value.
type Member struct {
	Key   string
	Pos   Position // of the key's opening quote
	Value *Node
}

// Get returns the value of an object's key, or nil where there is none.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for i := range n.Members {
		if n.Members[i].Key == key {
			return n.Members[i].Value
		}
	}
	return nil
}

// ReadJSON reads one JSON text (RFC 8259) and keeps the place of every value.
// A byte order mark, invalid UTF-8, a key twice in one object, text after the
// value, more than MaxFile bytes or MaxDepth levels, and a character that is
// kept for symbols are errors. The error is Errors; the node is then nil.
func ReadJSON(file string, data []byte) (*Node, error) {
	node, errs := readJSON(file, data, MaxFile, false)
	if len(errs) > 0 {
		return nil, errs
	}
	return node, nil
}

// ReadJSONWithSymbols is ReadJSON for a text made from a template, in which
// characters stand for symbols.
func ReadJSONWithSymbols(file string, data []byte) (*Node, error) {
	node, errs := readJSON(file, data, MaxFile, true)
	if len(errs) > 0 {
		return nil, errs
	}
	return node, nil
}

// ReadJSONLastWins is ReadJSON for a text in which a key may stand twice in an
// object: the last one counts, and the others are the node's Lost.
func ReadJSONLastWins(file string, data []byte) (*Node, error) {
	node, errs := readJSON(file, data, MaxFile, false)
	if node == nil {
		return nil, errs
	}
	node.KeepLast()
	return node, nil
}

// KeepLast leaves one of the members with the same key in every object of a tree,
// the last; the others become its Lost.
func (n *Node) KeepLast() {
	last := map[string]int{}
	for i, m := range n.Members {
		last[m.Key] = i
		m.Value.KeepLast()
	}
	for _, item := range n.Items {
		item.KeepLast()
	}
	if len(last) == len(n.Members) {
		return
	}
	var kept []Member
	for i, m := range n.Members {
		if last[m.Key] == i {
			kept = append(kept, m)
		} else {
			n.Lost = append(n.Lost, m)
		}
	}
	n.Members = kept
}

// readJSON returns the tree together with what is wrong with it. The tree is
// nil where the text isn't JSON, and whole where only keys are repeated.
func readJSON(file string, data []byte, limit int, symbols bool) (*Node, Errors) {
	r := &reader{file: file, data: data, pos: Position{1, 1}, symbols: symbols}
	if len(data) > limit {
		return nil, Errors{r.fault(r.pos, TooLong, "limit", strconv.Itoa(limit))}
	}
	if strings.HasPrefix(string(data[:min(3, len(data))]), "\uFEFF") {
		return nil, Errors{r.fault(r.pos, ByteOrderMark)}
	}
	node, err := r.document()
	if err != nil {
		return nil, append(r.repeated, err)
	}
	return node, r.repeated
}

// reader walks over the bytes and knows the line and column of the next one.
type reader struct {
	file     string
	data     []byte
	off      int
	pos      Position
	depth    int
	symbols  bool
	repeated Errors // keys written twice: reading goes on after them
}

func (r *reader) fault(at Position, code Code, args ...string) *Error {
	return newError(r.file, at, code, args...)
}

// document reads the one value of the text.
func (r *reader) document() (*Node, *Error) {
	if err := r.space(); err != nil {
		return nil, err
	}
	if r.off == len(r.data) {
		return nil, r.fault(r.pos, EmptyText)
	}
	node, err := r.value()
	if err != nil {
		return nil, err
	}
	if err := r.space(); err != nil {
		return nil, err
	}
	if r.off < len(r.data) {
		return nil, r.fault(r.pos, TrailingText, "got", r.seen())
	}
	return node, nil
}

// space skips white space and refuses bytes that aren't UTF-8 where a token
// would begin.
func (r *reader) space() *Error {
	for r.off < len(r.data) {
		switch r.data[r.off] {
		case ' ', '\t', '\r':
			r.pos.Column++
		case '\n':
			r.pos.Line++
			r.pos.Column = 1
		default:
			if c, size := utf8.DecodeRune(r.data[r.off:]); c == utf8.RuneError && size == 1 {
				return r.fault(r.pos, BadUTF8)
			}
			return nil
		}
		r.off++
	}
	return nil
}

// seen is the character that stands next, for a message.
func (r *reader) seen() string {
	c, size := utf8.DecodeRune(r.data[r.off:])
	if c == utf8.RuneError && size <= 1 {
		return "?"
	}
	if c < ' ' {
		return strconv.QuoteRune(c)
	}
	return string(c)
}

// unexpected is the fault of a token that can't stand here.
func (r *reader) unexpected(want string) *Error {
	if r.off >= len(r.data) {
		return r.fault(r.pos, UnexpectedEnd, "want", want)
	}
	return r.fault(r.pos, UnexpectedText, "got", r.seen(), "want", want)
}

// next skips white space and tells the byte of the next token, 0 at the end.
func (r *reader) next() (byte, *Error) {
	if err := r.space(); err != nil {
		return 0, err
	}
	if r.off == len(r.data) {
		return 0, nil
	}
	return r.data[r.off], nil
}

// step goes past one byte that is a character of its own.
func (r *reader) step() {
	r.off++
	r.pos.Column++
}

func (r *reader) value() (*Node, *Error) {
	at := r.pos
	if r.off == len(r.data) {
		return nil, r.unexpected("value")
	}
	switch c := r.data[r.off]; {
	case c == '{' || c == '[':
		if r.depth++; r.depth > MaxDepth {
			return nil, r.fault(at, TooDeep, "limit", strconv.Itoa(MaxDepth))
		}
		defer func() { r.depth-- }()
		if c == '{' {
			return r.object()
		}
		return r.array()
	case c == '"':
		text, err := r.text()
		if err != nil {
			return nil, err
		}
		return &Node{Kind: StringNode, Pos: at, Text: text}, nil
	case c == '-' || c >= '0' && c <= '9':
		return r.number()
	case c >= 'a' && c <= 'z':
		return r.word()
	}
	return nil, r.unexpected("value")
}

func (r *reader) object() (*Node, *Error) {
	node := &Node{Kind: ObjectNode, Pos: r.pos}
	r.step()
	var names map[string]bool
	for {
		c, err := r.next()
		if err != nil {
			return nil, err
		}
		if c == '}' && len(node.Members) == 0 {
			break
		}
		if c != '"' {
			return nil, r.unexpected("key")
		}
		at := r.pos
		key, err := r.text()
		if err != nil {
			return nil, err
		}
		if names == nil {
			names = make(map[string]bool)
		}
		if names[key] {
			r.repeated = append(r.repeated, r.fault(at, DuplicateKey, "key", key))
		}
		names[key] = true
		if c, err = r.next(); err != nil {
			return nil, err
		}
		if c != ':' {
			return nil, r.unexpected(":")
		}
		r.step()
		if err := r.space(); err != nil {
			return nil, err
		}
		value, err := r.value()
		if err != nil {
			return nil, err
		}
		node.Members = append(node.Members, Member{Key: key, Pos: at, Value: value})
		if c, err = r.next(); err != nil {
			return nil, err
		}
		if c == '}' {
			break
		}
		if c != ',' {
			return nil, r.unexpected("},")
		}
		r.step()
	}
	r.step()
	return node, nil
}

func (r *reader) array() (*Node, *Error) {
	node := &Node{Kind: ArrayNode, Pos: r.pos}
	r.step()
	for {
		c, err := r.next()
		if err != nil {
			return nil, err
		}
		if c == ']' && len(node.Items) == 0 {
			break
		}
		item, err := r.value()
		if err != nil {
			return nil, err
		}
		node.Items = append(node.Items, item)
		if c, err = r.next(); err != nil {
			return nil, err
		}
		if c == ']' {
			break
		}
		if c != ',' {
			return nil, r.unexpected("],")
		}
		r.step()
	}
	r.step()
	return node, nil
}

// word reads true, false or null.
func (r *reader) word() (*Node, *Error) {
	at, start := r.pos, r.off
	for r.off < len(r.data) && r.data[r.off] >= 'a' && r.data[r.off] <= 'z' {
		r.step()
	}
	node := &Node{Pos: at, Text: string(r.data[start:r.off])}
	switch node.Text {
	case "true", "false":
		node.Kind = BoolNode
	case "null":
		node.Kind = NullNode
	default:
		return nil, r.fault(at, UnexpectedText, "got", clip(node.Text), "want", "value")
	}
	return node, nil
}

func (r *reader) number() (*Node, *Error) {
	at, start := r.pos, r.off
	for r.off < len(r.data) && strings.IndexByte("+-.0123456789eE", r.data[r.off]) >= 0 {
		r.step()
	}
	text := string(r.data[start:r.off])
	if !isNumber(text) {
		return nil, r.fault(at, BadNumber, "got", clip(text))
	}
	return &Node{Kind: NumberNode, Pos: at, Text: text}, nil
}

// isNumber holds a text against JSON's grammar of numbers.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	digits := func() bool {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	if strings.HasPrefix(s, "0") {
		s = s[1:]
	} else if !digits() {
		return false
	}
	if strings.HasPrefix(s, ".") {
		if s = s[1:]; !digits() {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		return digits() && s == ""
	}
	return s == ""
}

// text reads a string from its opening quote to past its closing one.
func (r *reader) text() (string, *Error) {
	r.step()
	var b []byte
	start := r.off
	for {
		if r.off == len(r.data) {
			return "", r.fault(r.pos, UnexpectedEnd, "want", `"`)
		}
		c := r.data[r.off]
		switch {
		case c == '"':
			b = append(b, r.data[start:r.off]...)
			r.step()
			return string(b), nil
		case c < ' ':
			return "", r.fault(r.pos, ControlCharacter, "got", strconv.QuoteRune(rune(c)))
		case c == '\\':
			b = append(b, r.data[start:r.off]...)
			at := r.pos
			decoded, err := r.escape()
			if err != nil {
				return "", err
			}
			if err := r.check(decoded, at); err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, decoded)
			start = r.off
		case c < utf8.RuneSelf:
			r.step()
		default:
			decoded, size := utf8.DecodeRune(r.data[r.off:])
			if decoded == utf8.RuneError && size == 1 {
				return "", r.fault(r.pos, BadUTF8)
			}
			if err := r.check(decoded, r.pos); err != nil {
				return "", err
			}
			r.off += size
			r.pos.Column++
		}
	}
}

// check refuses the characters that stand for symbols where the text isn't
// ours: else a file could pretend to hold one.
func (r *reader) check(c rune, at Position) *Error {
	if c >= FirstSymbol && c <= LastSymbol && !r.symbols {
		return r.fault(at, ReservedCharacter, "got", strconv.QuoteRuneToASCII(c))
	}
	return nil
}

// escape reads one escape, both halves of a surrogate pair included.
func (r *reader) escape() (rune, *Error) {
	at := r.pos
	if c, ok := r.escaped(); ok {
		if !utf16.IsSurrogate(c) {
			return c, nil
		}
		if low, ok := r.escaped(); ok {
			if whole := utf16.DecodeRune(c, low); whole != utf8.RuneError {
				return whole, nil
			}
		}
	}
	return 0, r.fault(at, BadEscape)
}

// escaped reads a backslash and what belongs to it.
func (r *reader) escaped() (rune, bool) {
	if r.off+1 >= len(r.data) || r.data[r.off] != '\\' {
		return 0, false
	}
	c := r.data[r.off+1]
	if at := strings.IndexByte(`"\/bfnrt`, c); at >= 0 {
		r.step()
		r.step()
		return rune("\"\\/\b\f\n\r\t"[at]), true
	}
	if c != 'u' || r.off+6 > len(r.data) {
		return 0, false
	}
	code, err := strconv.ParseUint(string(r.data[r.off+2:r.off+6]), 16, 16)
	if err != nil {
		return 0, false
	}
	for range 6 {
		r.step()
	}
	return rune(code), true
}

// clip keeps a text that goes into a message short.
func clip(s string) string {
	const most = 80
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
