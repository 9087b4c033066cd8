package report

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/locale"
	"buzon/agent/policy"
)

// AuditSchema names the JSON form of an audit; docs/schemas/audit-v1.json describes it.
const AuditSchema = "buzon/audit/v1"

// AuditJSON writes an audit as buzon/audit/v1. Fixes, remedies and notes are in the
// language of the printer; all else is the same in both.
func AuditJSON(w io.Writer, p *locale.Printer, r *audit.Report) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(newAuditJSON(p, r))
}

// The types below are the contract of the design, field by field. Lists are never null.
type auditJSON struct {
	Schema     string            `json:"schema"`
	Generated  time.Time         `json:"generated"`
	Tool       toolJSON          `json:"tool"`
	Verdict    audit.Verdict     `json:"verdict"`
	Strict     bool              `json:"strict"`
	Account    string            `json:"account"`
	Region     string            `json:"region"`
	Partition  string            `json:"partition"`
	Caller     string            `json:"caller"`
	Command    []string          `json:"command"`
	Parameters map[string]string `json:"parameters"`
	Notes      []noteJSON        `json:"notes"`
	Findings   []findingJSON     `json:"findings"` // of no principal
	NotJudged  int               `json:"not_judged"`
	Principals []principalJSON   `json:"principals"`
}

type toolJSON struct {
	Version   string `json:"version"`
	Catalogue string `json:"catalogue"`
}

type principalJSON struct {
	ARN         string              `json:"arn"`
	Account     string              `json:"account"`
	Bucket      string              `json:"bucket"`
	BucketOwner string              `json:"bucket_owner"`
	Prefix      string              `json:"prefix"`
	Verdict     audit.Verdict       `json:"verdict"`
	Outcomes    int                 `json:"outcomes"`
	Sources     []sourceJSON        `json:"sources"`
	Grants      []grantJSON         `json:"grants"`
	Allowed     []string            `json:"allowed"`
	Assumptions []assumptionJSON    `json:"assumptions"`
	Undecided   []undecidedJSON     `json:"undecided"`
	Findings    []findingJSON       `json:"findings"`
	Environment map[string][]string `json:"environment"`
	Notes       []noteJSON          `json:"notes"`
	Simulated   *simulatedJSON      `json:"simulated,omitempty"`
}

// simulatedJSON counts what AWS's simulator was asked.
type simulatedJSON struct {
	Asked    int `json:"asked"`
	Agreed   int `json:"agreed"`
	Skipped  int `json:"skipped"`
	Disagree int `json:"disagree"`
}

type sourceJSON struct {
	Kind    policy.Kind `json:"kind"`
	Name    string      `json:"name"`
	ARN     string      `json:"arn,omitempty"`
	Version string      `json:"version,omitempty"`
	SHA256  string      `json:"sha256"`
	File    string      `json:"file,omitempty"`
	Address string      `json:"address,omitempty"`
	AsOf    string      `json:"as_of,omitempty"`
}

type grantJSON struct {
	Action      string                         `json:"action"`
	Resource    string                         `json:"resource"`
	Conditions  map[string]map[string][]string `json:"conditions"`
	NotAction   bool                           `json:"not_action,omitempty"`
	NotResource bool                           `json:"not_resource,omitempty"`
	When        []string                       `json:"when,omitempty"`
}

type assumptionJSON struct {
	What   string `json:"what"`
	Why    string `json:"why"`
	Remedy string `json:"remedy"`
}

type noteJSON struct {
	What   string `json:"what"`
	Source int    `json:"source"`
	Text   string `json:"text"`
}

type becauseJSON struct {
	Source    int    `json:"source"`
	Statement int    `json:"statement,omitempty"`
	Sid       string `json:"sid,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
}

type undecidedJSON struct {
	Reason     string       `json:"reason"`
	What       string       `json:"what,omitempty"`
	Rule       audit.RuleID `json:"rule,omitempty"`
	Permission string       `json:"permission,omitempty"`
	Call       string       `json:"call,omitempty"`
	Code       string       `json:"code,omitempty"`
	File       string       `json:"file,omitempty"`
	becauseJSON
	When []string `json:"when,omitempty"`
}

type findingJSON struct {
	Rule        audit.RuleID        `json:"rule"`
	Severity    audit.Severity      `json:"severity"`
	Actions     []string            `json:"actions"`
	Witness     *witnessJSON        `json:"witness"`
	Because     []becauseJSON       `json:"because"`
	Through     []becauseJSON       `json:"through,omitempty"`
	Stops       []stopJSON          `json:"stops,omitempty"`
	Lacks       []lackJSON          `json:"lacks,omitempty"`
	Missing     string              `json:"missing,omitempty"`
	Needs       []string            `json:"needs,omitempty"`
	Detail      string              `json:"detail,omitempty"`
	Environment map[string][]string `json:"environment,omitempty"`
	When        []string            `json:"when,omitempty"`
	Waived      *waiverJSON         `json:"waived"`
	Fix         string              `json:"fix"`
}

type witnessJSON struct {
	Action   string              `json:"action"`
	Resource string              `json:"resource"`
	Context  map[string][]string `json:"context"`
	Latent   bool                `json:"latent"`
	Unknown  bool                `json:"unknown,omitempty"`
}

type stopJSON struct {
	Layer policy.Kind `json:"layer"`
	becauseJSON
}

type lackJSON struct {
	Statement string `json:"statement"`
	File      string `json:"file"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
}

type waiverJSON struct {
	Reason string `json:"reason"`
	Who    string `json:"who"`
	Until  string `json:"until"`
}

func newAuditJSON(p *locale.Printer, r *audit.Report) *auditJSON {
	out := &auditJSON{
		Schema: AuditSchema, Generated: r.Generated, Tool: toolJSON(r.Tool), Verdict: r.Verdict, Strict: r.Strict,
		Account: r.Account, Region: r.Region, Partition: r.Partition, Caller: r.Caller,
		Command: listed(r.Command), Findings: mapped(r.Findings, func(f audit.Finding) findingJSON { return newFindingJSON(p, nil, &f) }),
		Parameters: r.Parameters, Notes: notesJSON(p, nil, r.Notes), NotJudged: r.NotJudged, Principals: []principalJSON{},
	}
	if out.Parameters == nil {
		out.Parameters = map[string]string{}
	}
	for i := range r.Principals {
		out.Principals = append(out.Principals, newPrincipalJSON(p, &r.Principals[i]))
	}
	return out
}

func newPrincipalJSON(p *locale.Printer, of *audit.Principal) principalJSON {
	out := principalJSON{
		ARN: of.ARN, Account: of.Account, Bucket: of.Bucket, BucketOwner: of.Owner, Prefix: of.Prefix, Verdict: of.Verdict,
		Outcomes: of.Outcomes, Environment: of.Environment, Notes: notesJSON(p, of, of.Notes), Allowed: listed(of.Allowed),
		Sources: mapped(of.Sources, sourceOf),
		Grants:  mapped(of.Grants, grantOf),
		Assumptions: mapped(of.Assumptions, func(a audit.Assumption) assumptionJSON {
			return assumptionJSON{string(a.What), string(a.Why), remedy(p, a)}
		}),
		Undecided: mapped(of.Undecided, undecidedOf),
		Findings:  mapped(of.Findings, func(f audit.Finding) findingJSON { return newFindingJSON(p, of, &f) }),
	}
	if out.Environment == nil {
		out.Environment = map[string][]string{}
	}
	if of.Simulated != nil {
		s := simulatedJSON(*of.Simulated)
		out.Simulated = &s
	}
	return out
}

func newFindingJSON(p *locale.Printer, of *audit.Principal, f *audit.Finding) findingJSON {
	out := findingJSON{
		Rule: f.Rule, Severity: f.Severity, Actions: listed(f.Actions), Because: mapped(f.Because, becauseOf), Through: mapped(f.Through, becauseOf),
		Stops: mapped(f.Stops, func(s audit.Stop) stopJSON { return stopJSON{s.Layer, becauseOf(s.Because)} }),
		Lacks: mapped(f.Lacks, func(l audit.Lack) lackJSON { return lackJSON(l) }), Missing: f.Missing, Needs: f.Needs,
		Detail: f.Detail, Environment: f.Environment, When: f.When, Fix: strings.Join(strings.Fields(fix(p, of, f)), " "),
	}
	if f.Witness != nil {
		w := witnessJSON(*f.Witness)
		out.Witness = &w
	}
	if f.Waived != nil {
		w := waiverJSON(*f.Waived)
		out.Waived = &w
	}
	return out
}

func sourceOf(s audit.Source) sourceJSON {
	return sourceJSON{s.Kind, s.Name, s.ARN, s.Version, s.SHA256, s.File, s.Address, s.AsOf}
}

func grantOf(g audit.Grant) grantJSON {
	return grantJSON{g.Action, g.Resource, g.Conditions, g.NotAction, g.NotResource, g.When}
}

func becauseOf(b audit.Because) becauseJSON {
	return becauseJSON{b.Source, b.Statement, b.Sid, b.Line, b.Column}
}

func undecidedOf(u audit.Undecided) undecidedJSON {
	return undecidedJSON{u.Reason, u.What, u.Rule, u.Permission, u.Call, u.Code, u.File, becauseOf(u.Because), u.When}
}

func notesJSON(p *locale.Printer, of *audit.Principal, notes []audit.Note) []noteJSON {
	return mapped(notes, func(n audit.Note) noteJSON {
		return noteJSON{n.What, n.Source, strings.Join(strings.Fields(note(p, of, n)), " ")}
	})
}

// mapped is a list of the results of a function, never nil.
func mapped[T, U any](list []T, f func(T) U) []U {
	out := make([]U, 0, len(list))
	for _, v := range list {
		out = append(out, f(v))
	}
	return out
}

func listed(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
