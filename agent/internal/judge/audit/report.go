package audit

import (
	"strings"
	"time"

	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// Verdict on a principal, or on all of them.
type Verdict string

// The verdicts, from best to worst as a report counts them.
const (
	WriteOnly Verdict = "write-only"
	Waived    Verdict = "waived"
	NoVerdict Verdict = "undecided"
	NoAccess  Verdict = "no-access"
	Violation Verdict = "violation"
)

// verdicts in the order of a report: it takes the worst, which is the first.
var verdicts = []Verdict{Violation, NoAccess, NoVerdict, Waived, WriteOnly}

// Severity of a finding.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Report is the result of an audit. It is made of values alone, and holds nothing
// that could not be computed again from the same documents, options and time; report
// prints it.
type Report struct {
	Generated time.Time // UTC
	Tool      Tool
	Verdict   Verdict
	Strict    bool // see Options
	NotJudged int
	// Account and Partition are those of the principals, "" where they differ.
	Account, Partition string
	Region             string // of the bucket; "" where it wasn't said: every Region
	Caller             string // whose credentials read live sources
	Command            []string
	Parameters         map[string]string // of templates, as they may be shown
	Notes              []Note            // that concern all principals
	Findings           []Finding         // of nobody: waivers for whom there is no principal
	Principals         []Principal       // one entry each, the worst first
}

// Tool is what made the report.
type Tool struct {
	Version   string
	Catalogue string
}

// Principal is what was found about one principal.
type Principal struct {
	ARN, Bucket, Prefix string
	// Account is the principal's, Owner the bucket's; "" where that isn't known.
	Account, Owner, Partition string
	// Verdict is that of the worst outcome of what templates leave open.
	Verdict Verdict
	// Outcomes is how many there are, 1 where nothing is open.
	Outcomes    int
	Sources     []Source // of all outcomes, each once
	Grants      []Grant
	Allowed     []string // what Options.Allow accepted, and it has
	Assumptions []Assumption
	Undecided   []Undecided
	Findings    []Finding
	// Environment is what must hold around a request for the whole prefix to be
	// writable, one example value for each key; empty where it always holds.
	Environment map[string][]string
	// Notes are what a reader should know besides, and no finding.
	Notes []Note
	// Actions is how many actions were asked about, and Checked how many sample requests
	// a second evaluator refused likewise.
	Actions, Checked int
	// Simulated counts what AWS's simulator was asked; nil where it wasn't.
	Simulated *Simulated

	subject *sources.Subject // of the worst outcome
	when    string           // that outcome, while it is alone
	part    bool             // it can write only part of its prefix
}

// Subject is what was judged, in its worst outcome.
func (p *Principal) Subject() *sources.Subject { return p.subject }

// Source is one document that was read.
type Source struct {
	Kind    policy.Kind
	Name    string
	ARN     string
	Version string
	SHA256  string // of its text, in hex
	File    string // "" for live documents
	Address string // of the resource in a plan
	AsOf    string // the day of data that the program brings along, YYYY-MM-DD
	Line    int    // where it starts in File

	document *policy.Source
}

// Document is the document itself, to show lines of it.
func (s *Source) Document() *policy.Source { return s.document }

// Grant is one line of what is granted in effect. With NotAction or NotResource
// the pattern is what is left out.
type Grant struct {
	Action      string
	Resource    string
	Conditions  map[string]map[string][]string // operator, key, values as written
	NotAction   bool
	NotResource bool
	When        []string // see Finding
	Because     Because
}

// Assumption is something that could add rights and was not read.
type Assumption struct {
	What sources.Topic
	Why  sources.Why
}

// Note is something that a document tells besides what it allows.
type Note struct {
	What   string
	Source int // -1: none, or one that was not to be had
	Name   string
}

// Notes besides those of sources.
const (
	// NoteQuarantined: AWS attached its quarantine policy, because an access key of
	// the user was found in public.
	NoteQuarantined = "key-quarantined"
	// NoteMoreGrants: more is granted in effect than is listed.
	NoteMoreGrants = "more-grants"
)

// NoteKeyDenied tells that the principal may not use the KMS key of the bucket, Name,
// without which S3 refuses what it writes.
const NoteKeyDenied = "key-not-allowed"

// quarantine recognises AWS's policy for compromised keys, by its ARN in any
// version and partition.
func quarantine(arn string) bool {
	_, name, ok := strings.Cut(arn, ":iam::aws:policy/")
	return ok && strings.HasPrefix(name, "AWSCompromisedKeyQuarantine")
}

// Undecided is a question that stayed open.
type Undecided struct {
	Reason     string
	What       string
	Rule       RuleID
	Permission string
	Call       string // the live read that failed, with its error's Code
	Code       string
	Because           // Source is -1 where no single statement is the cause
	File       string // of Line and Column, where Source is -1
	When       []string
}

// Reasons of open questions, besides those of sources.GapReason and reach.Reason.
const (
	ReasonAssumption = "assumption" // with Strict
	ReasonInternal   = "witness-refused"
	ReasonCanceled   = "canceled"
	// ReasonNotCompared: with Compare, what a template says of the topic What could
	// not be held against what is deployed, which was not read.
	ReasonNotCompared = "not-compared"
)

// Finding is one broken rule.
type Finding struct {
	Rule     RuleID
	Severity Severity
	Actions  []string
	Witness  *Witness
	// Because are all statements that grant it, those of the witness first; Through
	// what lets the witness pass in boundary, session and SCP.
	Because, Through []Because
	// Stops are what keeps a latent witness from being allowed today.
	Stops []Stop
	// Lacks are, for drift, statements of a template that are not deployed; with
	// DetailAbsent, the resource that declares the principal.
	Lacks []Lack
	// Missing is, for cannot-write, an object that can't be written.
	Missing string
	// Needs are, for cannot-write, conditions of an Allow that the agent's requests
	// don't meet: "operator key value".
	Needs  []string
	Detail string // a kind of the rule, of its own list; or a key's age
	// Environment is what must hold around the witness that the caller doesn't choose.
	Environment map[string][]string
	// When lists the outcomes of what templates leave open under which it stands,
	// each "${Stage} = prod, ${Region} ≠ x"; empty where it stands in all.
	When   []string
	Waived *Waiver
	Fix    Fix
}

// Fix says what would mend a finding; report puts it into words.
type Fix struct {
	ID   string
	Args map[string]string
}

// Witness is one concrete request that would be allowed. Keys are spelled as AWS
// writes them.
type Witness struct {
	Action   string
	Resource string
	Context  map[string][]string
	// Latent: allowed only if what Stops names were not there.
	Latent bool
	// Unknown: the catalogue has no such action; AWS may add one.
	Unknown bool
}

// Because is a statement that a finding rests on.
type Because struct {
	Source    int // of Principal.Sources, -1 for none
	Statement int // from 1, 0 for none
	Sid       string
	Line      int
	Column    int

	ref policy.Reference // in the set of its outcome
	of  *sources.Subject
}

// In gives the document and the statement of a reason; nil where there is none.
func (b *Because) In() (*policy.Source, *policy.Statement) {
	if b.of == nil || b.ref.Source < 0 || b.ref.Source >= len(b.of.Set.Sources) {
		return nil, nil
	}
	src := &b.of.Set.Sources[b.ref.Source]
	if src.Document == nil || b.ref.Statement < 0 || b.ref.Statement >= len(src.Document.Statements) {
		return src, nil
	}
	return src, &src.Document.Statements[b.ref.Statement]
}

// Stop is what stops a latent witness: a Deny statement, or a layer that does not
// allow it.
type Stop struct {
	Layer policy.Kind
	Because
}

// Lack is a statement of a template, by its Sid or number, or a resource of it
// by its logical id, with its place.
type Lack struct {
	Statement string
	File      string
	Line      int
	Column    int
}

// Waiver is somebody's acceptance of a finding.
type Waiver struct {
	Reason string
	Who    string
	Until  string // the last day, UTC: YYYY-MM-DD
}

// conclude computes a principal's verdict by the design's rule.
func (p *Principal) conclude() Verdict {
	violation, cannotWrite, waived := p.part, false, false
	for _, f := range p.Findings {
		switch {
		case f.Severity != Error:
		case f.Waived != nil:
			waived = true
		case f.Rule == RuleCannotWrite:
			cannotWrite = true
		default:
			violation = true
		}
	}
	switch {
	case violation:
		return Violation
	case len(p.Undecided) > 0:
		return NoVerdict
	case cannotWrite:
		return NoAccess
	case waived:
		return Waived
	}
	return WriteOnly
}

// conclude takes the worst verdict of all principals. A report on nobody is
// undecided: nothing was proven.
func (r *Report) conclude() {
	r.Verdict = NoVerdict
	if len(r.Principals) == 0 {
		return
	}
	r.Verdict = WriteOnly
	for _, v := range verdicts {
		for i := range r.Principals {
			if r.Principals[i].Verdict == v {
				r.Verdict = v
				return
			}
		}
	}
}

// Undecided reports whether any principal is undecided, or nobody was judged.
func (r *Report) Undecided() bool {
	for i := range r.Principals {
		if r.Principals[i].Verdict == NoVerdict {
			return true
		}
	}
	return len(r.Principals) == 0
}

// Refused reports whether the answer for any principal is no; with strict an unwaived
// warning is one too.
func (r *Report) Refused(strict bool) bool {
	if strict && len(r.Findings) > 0 {
		return true
	}
	for i := range r.Principals {
		p := &r.Principals[i]
		if p.Verdict == Violation || p.Verdict == NoAccess {
			return true
		}
		for _, f := range p.Findings {
			if strict && f.Severity == Warning && f.Waived == nil {
				return true
			}
		}
	}
	return false
}
