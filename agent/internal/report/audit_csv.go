package report

import (
	"encoding/csv"
	"io"
	"strings"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/locale"
)

// csvHead are the columns of AuditCSV.
var csvHead = []string{"principal", "verdict", "rule", "severity", "action", "resource", "statement", "source", "waived", "fix"}

// AuditCSV writes an audit as CSV (RFC 4180): one line a finding, and one for each
// principal without any. Open questions have the severity "undecided". A cell that a
// spreadsheet would take for a formula begins with an apostrophe.
func AuditCSV(w io.Writer, p *locale.Printer, r *audit.Report) error {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	rows := [][]string{csvHead}
	for i := range r.Principals {
		of := &r.Principals[i]
		n := len(rows)
		for j := range of.Findings {
			rows = append(rows, csvFinding(p, of, &of.Findings[j]))
		}
		for j := range of.Undecided {
			u := &of.Undecided[j]
			statement, source := csvPlace(p, []audit.Because{u.Because})
			if source == "" {
				source = u.File
			}
			rows = append(rows, []string{of.ARN, string(of.Verdict), string(u.Rule), "undecided", "", "", statement, source, "", oneLine(openText(p, u))})
		}
		if len(rows) == n {
			rows = append(rows, []string{of.ARN, string(of.Verdict), "", "", "", "", "", "", "", ""})
		}
	}
	for i := range r.Findings {
		rows = append(rows, csvFinding(p, nil, &r.Findings[i]))
	}
	for _, row := range rows {
		for i := range row {
			row[i] = harmless(row[i])
		}
		if err := c.Write(row); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

func csvFinding(p *locale.Printer, of *audit.Principal, f *audit.Finding) []string {
	var arn, verdict, action, resource, waived string
	if of != nil {
		arn, verdict = of.ARN, string(of.Verdict)
	}
	action = strings.Join(f.Actions, " ")
	if f.Witness != nil {
		action, resource = f.Witness.Action, f.Witness.Resource
	}
	if f.Missing != "" {
		resource = f.Missing
	}
	if w := f.Waived; w != nil {
		waived = w.Until + " " + w.Who + ": " + w.Reason
	}
	statement, source := csvPlace(p, f.Because)
	if source == "" && len(f.Lacks) > 0 {
		statement, source = f.Lacks[0].Statement, f.Lacks[0].File
	}
	return []string{arn, verdict, string(f.Rule), string(f.Severity), action, resource, statement, source, oneLine(waived), oneLine(fix(p, of, f))}
}

// csvPlace names all statements, and their documents, of a finding.
func csvPlace(p *locale.Printer, list []audit.Because) (statement, source string) {
	var statements, sources []string
	for i := range list {
		if src, st := list[i].In(); st != nil {
			statements = append(statements, statementName(p, &list[i]))
			sources = append(sources, Place(p, fileOf(src), st.Pos))
		}
	}
	return strings.Join(statements, "; "), strings.Join(sources, "; ")
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// harmless keeps a spreadsheet from taking a cell for a formula.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
