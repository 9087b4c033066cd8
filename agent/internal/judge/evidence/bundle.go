package evidence

import (
	"context"
	"time"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/judge/reach"
	"buzon/agent/internal/judge/sources"
)

// Schema is the form of a bundle.
const Schema = "buzon/evidence/v1"

// Bundle is an audit as it is filed.
type Bundle struct {
	Manifest Manifest
	Found    *sources.Found
	// Report is the recorded report, buzon/audit/v1.
	Report []byte
}

// Manifest is what a bundle says of itself. Its JSON form is a contract, which
// docs/schemas describes.
type Manifest struct {
	Schema    string        `json:"schema"`
	Generated time.Time     `json:"generated"`
	Verdict   audit.Verdict `json:"verdict"`
	Tool      Tool          `json:"tool"`
	Language  string        `json:"language"` // of the sentences in audit-report.json
	Caller    string        `json:"caller"`
	Region    string        `json:"region"`
	Command   []string      `json:"command"`
	// Previous is the SHA-256 of the evidence before this one, "" where there is none.
	Previous  string     `json:"previous"`
	Options   Options    `json:"options"`
	Inputs    []Input    `json:"inputs"`
	Requests  []Request  `json:"requests"`
	Documents []Document `json:"documents"`
	Files     []File     `json:"files"`
}

// Tool is what made a bundle.
type Tool struct {
	Version   string `json:"version"`
	Catalogue string `json:"catalogue"`
}

// Options are those of the audit.
type Options struct {
	Allow   []string `json:"allow"`
	Strict  bool     `json:"strict"`
	Waivers []Waiver `json:"waivers"`
	// Budget is what bounded the work: states and boxes of a question, and both of a
	// principal. They are the same on every machine; the seconds are not, and bound
	// nothing when the verdict is computed again.
	Budget Budget `json:"budget"`
}

// Budget bounds an audit.
type Budget struct {
	States           int     `json:"states"`
	Boxes            int     `json:"boxes"`
	Work             int     `json:"work"`
	PrincipalSeconds float64 `json:"principal_seconds"`
	TotalSeconds     float64 `json:"total_seconds"`
}

// fit reports whether an audit may be bounded so: nobody's bundle may keep a reader busy
// for ever.
func (b Budget) fit() bool {
	within := func(n, usual int) bool { return n > 0 && n <= 10*usual }
	return within(b.States, reach.DefaultBudget.States) && within(b.Boxes, reach.DefaultBudget.Boxes) && within(b.Work, reach.DefaultWork)
}

// Waiver is a waiver as it was given.
type Waiver struct {
	Rule      audit.RuleID `json:"rule"`
	Principal string       `json:"principal"`
	Actions   []string     `json:"actions"` // empty is any
	Resource  string       `json:"resource"`
	Reason    string       `json:"reason"`
	Who       string       `json:"who"`
	Until     string       `json:"until"`
	File      string       `json:"file"`
	Line      int          `json:"line"`
	Column    int          `json:"column"`
}

// Input is a file that was read, by what it is told from any other.
type Input struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

// Request is an answer of AWS.
type Request = sources.Request

// Document is one that bears on somebody.
type Document struct {
	Path string `json:"path"` // in the bundle
	// AsRead: it is the text that was read. Else, of what a template or an export
	// writes in its own form, it is the policy that was made of it.
	AsRead bool `json:"as_read"`
	// Parsed: reading the text gives what was judged, which is looked at again.
	Parsed bool   `json:"parsed"`
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	ARN    string `json:"arn"`
	// Version of a managed policy.
	Version string `json:"version"`
	SHA256  string `json:"sha256"` // of what was read
}

// File is one file of a bundle besides the manifest.
type File struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

// New makes the bundle of an audit. report is its recorded form in a language.
func New(found *sources.Found, opts audit.Options, result *audit.Report, report []byte, language, previous string) *Bundle {
	b := &Bundle{Found: found, Report: report}
	b.Manifest = Manifest{
		Schema: Schema, Generated: result.Generated, Verdict: result.Verdict, Tool: Tool(result.Tool), Language: language,
		Caller: result.Caller, Region: result.Region, Command: list(result.Command), Previous: previous,
		Options: Options{
			Allow: list(opts.Allow), Strict: opts.Strict, Waivers: []Waiver{},
			Budget: Budget{
				States: or(opts.Budget.States, reach.DefaultBudget.States), Boxes: or(opts.Budget.Boxes, reach.DefaultBudget.Boxes),
				Work: or(opts.Work, reach.DefaultWork), PrincipalSeconds: opts.Time.Seconds(), TotalSeconds: opts.TotalTime.Seconds(),
			},
		},
		Requests: list(found.Requests), Inputs: []Input{},
	}
	for _, w := range opts.Waivers {
		b.Manifest.Options.Waivers = append(b.Manifest.Options.Waivers, Waiver{
			Rule: w.Rule, Principal: w.Principal, Actions: list(w.Actions), Resource: w.Resource,
			Reason: w.Reason, Who: w.Who, Until: w.Until, File: w.File, Line: w.Pos.Line, Column: w.Pos.Column,
		})
	}
	for _, name := range sortedKeys(found.Texts) {
		b.Manifest.Inputs = append(b.Manifest.Inputs, Input{name, Digest(found.Texts[name]), len(found.Texts[name])})
	}
	return b
}

// Judge computes the verdict again, as of a time. What bounds it is work alone, so that
// it is the same on every machine.
func (b *Bundle) Judge(ctx context.Context, at time.Time, version string) *audit.Report {
	o := b.Manifest.Options
	opts := audit.Options{
		Allow: o.Allow, Strict: o.Strict, Now: at, Version: version, Region: b.Manifest.Region, Caller: b.Manifest.Caller,
		Command: b.Manifest.Command, Budget: reach.Budget{States: o.Budget.States, Boxes: o.Budget.Boxes}, Work: o.Budget.Work,
	}
	for _, w := range o.Waivers {
		rule := audit.WaiverRule{Rule: w.Rule, Principal: w.Principal, Resource: w.Resource, File: w.File}
		if len(w.Actions) > 0 { // without any, all are meant
			rule.Actions = w.Actions
		}
		rule.Reason, rule.Who, rule.Until = w.Reason, w.Who, w.Until
		rule.Pos.Line, rule.Pos.Column = w.Line, w.Column
		opts.Waivers = append(opts.Waivers, rule)
	}
	return audit.Judge(ctx, b.Found, opts)
}

// list is a list that is written as one even where it is empty.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
