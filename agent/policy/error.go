package policy

import "fmt"

// Code names a fault of a document. The sentence for it, in each language, is
// the locale's message "policy.<code>".
type Code string

// Error is one fault of a document, with its place. It is a value to be put
// into words by whoever shows it; Error() is for logs and tests.
type Error struct {
	File string
	Pos  Position
	Code Code
	Args map[string]string // what the sentence names: "element", "got", "want"
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s %v", e.File, e.Pos.Line, e.Pos.Column, e.Code, e.Args)
}
