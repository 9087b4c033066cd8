package report

import (
	"slices"
	"strconv"
	"strings"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/internal/locale"
	"buzon/agent/policy"
)

// Fault is what is wrong with a document, in words, without its place.
func Fault(p *locale.Printer, e *policy.Error) string {
	var args []any
	for name, value := range e.Args {
		if name == "want" || name == "got" && (e.Code == policy.WrongType || e.Code == sources.WrongShape) {
			value = grammarWords(p, value)
		}
		args = append(args, name, value)
	}
	if slices.Contains(sources.Codes(), e.Code) {
		return p.Text("sources."+string(e.Code), args...)
	}
	if slices.Contains(audit.WaiverCodes(), e.Code) {
		return p.Text("audit."+string(e.Code), args...)
	}
	return p.Text("policy."+string(e.Code), args...)
}

// grammarWords writes the parser's own names of what may stand somewhere ("key", "string,
// array") in the language of the printer; any other text stays.
func grammarWords(p *locale.Printer, list string) string {
	words := strings.Split(list, ", ")
	for i, w := range words {
		if id := "policy.word-" + w; p.Has(id) {
			words[i] = p.Text(id)
		}
	}
	return strings.Join(words, ", ")
}

// Place is file:line:column, as editors take it; standard input is called so.
func Place(p *locale.Printer, file string, pos policy.Position) string {
	if file == "-" {
		file = p.Text("report.stdin")
	}
	return file + ":" + strconv.Itoa(pos.Line) + ":" + strconv.Itoa(pos.Column)
}
