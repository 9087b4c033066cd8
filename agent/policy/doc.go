// Package policy holds IAM policy documents: it reads them with the place of
// every element, prints them in one canonical form, and defines the one policy
// that an uploader gets.
//
// Parse is strict. Whatever is outside IAM's grammar is an error with its line
// and column, and all faults of a document are reported at once. With
// ParseOptions.Lenient (for what AWS itself accepted) a statement that is not
// understood is kept and marked Unclear instead. ReadJSON is the reader below
// it; who holds a larger file (a template, an export) reads it once and hands
// the inner document to ParseNode.
//
// The package judges nothing: what a document lets somebody do is the matter
// of the rooms under agent/internal/judge. It doesn't know AWS's actions
// either; an action that doesn't exist parses.
package policy
