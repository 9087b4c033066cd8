package report

import (
	"encoding/json"
	"io"
	"slices"
	"strings"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/locale"
)

// AuditJSON writes an audit as buzon/audit/v1. The fixes are in the language of
// the printer; all else is the same in both.
func AuditJSON(w io.Writer, p *locale.Printer, r *audit.Report) error {
	out := *r
	out.Principals = slices.Clone(r.Principals)
	for i := range out.Principals {
		findings := slices.Clone(out.Principals[i].Findings)
		for j := range findings {
			findings[j].Fix = strings.Join(strings.Fields(fix(p, &out.Principals[i], &findings[j])), " ")
		}
		out.Principals[i].Findings = findings
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(&out)
}
