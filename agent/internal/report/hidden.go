package report

import (
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
)

// Hidden stands for a value that its source calls secret.
const Hidden = "HIDDEN"

// Spellings are the forms in which a text may stand in a report: as it is, in JSON, in
// HTML, in a URL. The longest come first.
func Spellings(s string) []string {
	quoted, _ := json.Marshal(s) // of a string it never fails
	plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(quoted))
	forms := []string{s, string(quoted[1 : len(quoted)-1]), plain[1 : len(plain)-1], html.EscapeString(s), url.QueryEscape(s), url.PathEscape(s)}
	slices.SortFunc(forms, func(a, b string) int {
		if n := len(b) - len(a); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(forms)
}
