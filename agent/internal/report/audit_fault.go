package report

import (
	"slices"
	"strconv"

	"buzon/agent/internal/judge/sources"
	"buzon/agent/internal/locale"
	"buzon/agent/policy"
)

// Fault is what is wrong with a document, in words, without its place.
func Fault(p *locale.Printer, e *policy.Error) string {
	var args []any
	for name, value := range e.Args {
		args = append(args, name, value)
	}
	if slices.Contains(sources.Codes(), e.Code) {
		return p.Text("sources."+string(e.Code), args...)
	}
	return p.Text("policy."+string(e.Code), args...)
}

// Place is file:line:column, as editors take it.
func Place(file string, pos policy.Position) string {
	return file + ":" + strconv.Itoa(pos.Line) + ":" + strconv.Itoa(pos.Column)
}
