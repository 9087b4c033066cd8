package policy

import "strings"

// PieceKind says what a piece of a pattern stands for.
type PieceKind uint8

// The pieces of a pattern.
const (
	Literal  PieceKind = iota + 1 // its Text, and nothing else
	AnyRun                        // "*": any run of characters, also none
	AnyOne                        // "?": one character
	Variable                      // "${key}": the value of a condition key
)

// Piece is one piece of a pattern.
type Piece struct {
	Kind PieceKind
	// Text is what a literal stands for; of other pieces it is the text as
	// written, as an operator without wildcards needs it.
	Text string
	// Key of a variable, as written, and the text that it gives where the
	// request doesn't have the key.
	Key        string
	Default    string
	HasDefault bool
}

// Pieces takes a text apart into literals, wildcards and, where variables is
// set (Document.Variables), policy variables; "${*}", "${?}" and "${$}" are
// literals. It is false where a "${" doesn't begin a variable of IAM's grammar;
// the pieces are then nil.
func Pieces(text string, variables bool) ([]Piece, bool) {
	var pieces []Piece
	literal := func(s string) {
		if s == "" {
			return
		}
		if n := len(pieces); n > 0 && pieces[n-1].Kind == Literal {
			pieces[n-1].Text += s
			return
		}
		pieces = append(pieces, Piece{Kind: Literal, Text: s})
	}
	for text != "" {
		at := strings.IndexAny(text, "*?$")
		if at < 0 {
			literal(text)
			break
		}
		literal(text[:at])
		text = text[at:]
		switch {
		case text[0] == '*':
			pieces = append(pieces, Piece{Kind: AnyRun, Text: "*"})
			text = text[1:]
		case text[0] == '?':
			pieces = append(pieces, Piece{Kind: AnyOne, Text: "?"})
			text = text[1:]
		case variables && strings.HasPrefix(text, "${"):
			piece, length := variable(text)
			if length == 0 {
				return nil, false
			}
			if piece.Kind == Literal {
				literal(piece.Text)
			} else {
				pieces = append(pieces, piece)
			}
			text = text[length:]
		default:
			literal("$")
			text = text[1:]
		}
	}
	return pieces, true
}

// variable reads the variable that the text begins with; length 0 where it
// isn't one. A default is written in single quotes after a comma and may hold
// any character but a quote (IAM User Guide, "IAM policy elements: Variables
// and tags").
func variable(text string) (p Piece, length int) {
	end := strings.IndexByte(text, '}')
	if end < 0 {
		return Piece{}, 0
	}
	switch inner := text[2:end]; inner {
	case "*", "?", "$":
		return Piece{Kind: Literal, Text: inner}, end + 1
	}
	key := text[2:end]
	if comma := strings.IndexByte(text, ','); comma > 0 && comma < end {
		key = text[2:comma]
		rest := strings.TrimLeft(text[comma+1:], " ")
		if !strings.HasPrefix(rest, "'") {
			return Piece{}, 0
		}
		value, after, ok := strings.Cut(rest[1:], "'")
		if !ok {
			return Piece{}, 0
		}
		after = strings.TrimLeft(after, " ")
		if !strings.HasPrefix(after, "}") {
			return Piece{}, 0
		}
		end = len(text) - len(after)
		p.Default, p.HasDefault = value, true
	}
	key = strings.Trim(key, " ")
	if !validKey(key) {
		return Piece{}, 0
	}
	p.Kind, p.Key, p.Text = Variable, key, text[:end+1]
	return p, end + 1
}

// validKey reports whether a text has the shape of a condition key,
// "service:name" or "service:name/tag".
func validKey(s string) bool {
	colon := strings.IndexByte(s, ':')
	if colon <= 0 || colon == len(s)-1 {
		return false
	}
	for _, c := range s[:colon] {
		known := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			strings.ContainsRune("-._/", c) || IsSymbol(c)
		if !known {
			return false
		}
	}
	return !strings.ContainsAny(s[colon:], "*?${}'\"\\\n\r\t,")
}

// IsSymbol reports whether a character stands for a symbol of a template.
func IsSymbol(c rune) bool { return c >= FirstSymbol && c <= LastSymbol }

// HasSymbol reports whether a text holds a symbol of a template.
func HasSymbol(s string) bool { return strings.IndexFunc(s, IsSymbol) >= 0 }

// CompleteARN adds the parts that a pattern of fewer than six leaves out, as
// "*" each: IAM fills them in (IAM User Guide, "IAM JSON policy elements:
// Resource"). Colons inside "${…}" divide nothing. Any other text, "*"
// included, comes back as it is.
func CompleteARN(pattern string) string {
	if !strings.HasPrefix(pattern, "arn:") {
		return pattern
	}
	for n := len(Segments(pattern)); n < 6; n++ {
		pattern += ":*"
	}
	return pattern
}

// Segments divides an ARN, or a pattern of one, at its first five colons;
// colons inside "${…}" divide nothing.
func Segments(pattern string) []string {
	parts := make([]string, 0, 6)
	start, depth := 0, 0
	for i := 0; i < len(pattern) && len(parts) < 5; i++ {
		switch pattern[i] {
		case '{':
			if i > 0 && pattern[i-1] == '$' {
				depth = 1
			}
		case '}':
			depth = 0
		case ':':
			if depth == 0 {
				parts = append(parts, pattern[start:i])
				start = i + 1
			}
		}
	}
	return append(parts, pattern[start:])
}

// IsAccount reports whether a segment of an ARN names an account: twelve digits,
// or a symbol that may turn out to be an account.
func IsAccount(s string) bool { return accountID.MatchString(s) || HasSymbol(s) }
