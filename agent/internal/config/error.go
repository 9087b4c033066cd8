package config

import (
	"fmt"
	"strings"
)

// Code names a fault of a configuration; it is also the id of its sentence.
type Code string

// The faults.
const (
	CodeNone           Code = "config.none"             // neither file nor flags
	CodeNoFile         Code = "config.no-file"          // the named file is missing
	CodeFileDenied     Code = "config.file-denied"      // may not be read
	CodeFileUnreadable Code = "config.file-unreadable"  // {reason}
	CodeFolder         Code = "config.folder"           // it is a folder
	CodeNotRegular     Code = "config.not-regular"      // it will be read again, and is a pipe or a device
	CodeTooLarge       Code = "config.too-large"        // beyond the bounds
	CodeSilent         Code = "config.silent"           // a pipe that nobody wrote to its end
	CodeForeign        Code = "config.foreign"          // {path} is another user's
	CodeOpen           Code = "config.open"             // everybody may write {path}
	CodeSyntax         Code = "config.syntax"           // not YAML: {reason}
	CodeTab            Code = "config.tab"              // a tab where blanks must stand
	CodePlaceholder    Code = "config.placeholder"      // {key} still says CHANGE-ME
	CodeUnknownKey     Code = "config.unknown-key"      // {key}
	CodeUnknownNear    Code = "config.unknown-key-near" // {key}, {near}
	CodeDuplicate      Code = "config.duplicate-key"    // {key}, {first}
	CodeSecret         Code = "config.secret"           // {key}
	CodeBadValue       Code = "config.bad-value"        // {key}, {got}, {want}
	CodeBadFlag        Code = "config.bad-flag"         // {flag}, {got}, {want}
	CodeNotPlain       Code = "config.not-plain"        // anchors, aliases, tags
	CodeNeeded         Code = "config.needed"           // {key}
	CodeNeededIn       Code = "config.needed-in"        // {key}, with a file
	CodeNeededState    Code = "config.needed-state"
	CodeNeededOutboxes Code = "config.needed-outboxes"
	CodeOutboxPath     Code = "config.outbox-path"  // an outbox without path
	CodeSameKey        Code = "config.same-key"     // {a}, {b}
	CodeNested         Code = "config.nested"       // outbox {a} inside outbox {b}
	CodeStateInside    Code = "config.state-inside" // {state} inside {outbox}
	CodeMoveInside     Code = "config.move-inside"  // {target} inside {outbox}
)

// Want names what would have been right; the sentence for it has the id that
// TextID gives.
type Want string

// TextID is the id of the sentence that says what was expected.
func (w Want) TextID() string { return "config.want-" + string(w) }

// What may be expected of a value.
const (
	WantBucket      Want = "bucket"
	WantAccount     Want = "account"
	WantPrefix      Want = "prefix"
	WantRegion      Want = "region"
	WantEndpoint    Want = "endpoint"
	WantAddressing  Want = "addressing"
	WantPath        Want = "path"
	WantTemplate    Want = "template"
	WantConflict    Want = "conflict"
	WantSettle      Want = "settle"
	WantDuration    Want = "duration"
	WantCount       Want = "count"
	WantAutoCount   Want = "auto-count"
	WantSize        Want = "size"
	WantPartSize    Want = "part-size"
	WantRate        Want = "rate"
	WantBool        Want = "bool"
	WantClass       Want = "class"
	WantProfile     Want = "profile"
	WantExpect      Want = "expect"
	WantMethod      Want = "method"
	WantProblem     Want = "problem"
	WantOverpowered Want = "overpowered"
	WantListen      Want = "listen"
	WantGlobs       Want = "globs"
	WantTags        Want = "tags"
	WantOutboxes    Want = "outboxes"
	WantMapping     Want = "mapping"
)

// Error is one fault with its place. It is put into words by cli, through
// Message; Error() is for logs and tests.
type Error struct {
	File         string
	Line, Column int    // 0 where the fault has no place in the file
	Flag         string // the flag that holds it, instead of a place
	Code         Code
	Args         []any // pairs of name and value
	err          error
}

// Message is the id of the sentence and its arguments, among them place.
func (e *Error) Message() (string, []any) {
	return string(e.Code), append([]any{"place", e.Place(), "file", e.File}, e.Args...)
}

// Place is file:line:column, the file, or the flag.
func (e *Error) Place() string {
	switch {
	case e.Flag != "":
		return e.Flag
	case e.Line > 0:
		return fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
	}
	return e.File
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Place(), e.Code)
	for i := 0; i+1 < len(e.Args); i += 2 {
		fmt.Fprintf(&b, " %v=%v", e.Args[i], e.Args[i+1])
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.err }

// Errors are all the faults of one configuration, in the order of the file.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, f := range e {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "; ")
}

// Unwrap gives the single faults.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, f := range e {
		errs[i] = f
	}
	return errs
}
