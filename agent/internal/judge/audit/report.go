package audit

import (
	"strings"
	"time"

	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// Schema names the JSON form of a Report.
const Schema = "buzon/audit/v1"

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

// Report is the result of an audit. Its JSON form is a contract of the design.
type Report struct {
	Schema     string      `json:"schema"`
	Generated  time.Time   `json:"generated"`
	Tool       Tool        `json:"tool"`
	Verdict    Verdict     `json:"verdict"`
	Strict     bool        `json:"strict,omitempty"` // see Options
	NotJudged  int         `json:"not_judged"`
	Principals []Principal `json:"principals"`
}

// Tool is what made the report.
type Tool struct {
	Version   string `json:"version"`
	Catalogue string `json:"catalogue"`
}

// Principal is what was found about one principal.
type Principal struct {
	ARN     string  `json:"arn"`
	Bucket  string  `json:"bucket"`
	Prefix  string  `json:"prefix"`
	Verdict Verdict `json:"verdict"`
	// When is under which outcome of a template's conditions.
	When        []string     `json:"when,omitempty"`
	Sources     []Source     `json:"sources"`
	Grants      []Grant      `json:"grants"`
	Allowed     []string     `json:"allowed"`
	Assumptions []Assumption `json:"assumptions"`
	Undecided   []Undecided  `json:"undecided"`
	Findings    []Finding    `json:"findings"`
	// Environment is what must hold around a request for the whole prefix to be
	// writable, one example value for each key; empty where it always holds.
	Environment map[string][]string `json:"environment,omitempty"`
	// Notes are what a reader should know besides, and no finding.
	Notes []Note `json:"notes,omitempty"`

	subject *sources.Subject
	part    bool // it can write only part of its prefix
}

// Subject is what was judged, for showing lines of it.
func (p *Principal) Subject() *sources.Subject { return p.subject }

// Source is one document that was read.
type Source struct {
	Kind    policy.Kind `json:"kind"`
	Name    string      `json:"name"`
	ARN     string      `json:"arn,omitempty"`
	Version string      `json:"version,omitempty"`
	SHA256  string      `json:"sha256"`
}

// Grant is one line of what is granted in effect. With NotAction or NotResource
// the pattern is what is left out.
type Grant struct {
	Action      string                         `json:"action"`
	Resource    string                         `json:"resource"`
	Conditions  map[string]map[string][]string `json:"conditions"`
	NotAction   bool                           `json:"not_action,omitempty"`
	NotResource bool                           `json:"not_resource,omitempty"`
}

// Assumption is something that could add rights and was not read.
type Assumption struct {
	What sources.Topic `json:"what"`
	Why  sources.Why   `json:"why"`
}

// Note is something that a document tells besides what it allows.
type Note struct {
	What   string `json:"what"`
	Source int    `json:"source"` // -1: a document that was not to be had
	Name   string `json:"name,omitempty"`
}

// NoteQuarantined tells that AWS attached its quarantine policy, because an access key of
// the user was found in public.
const NoteQuarantined = "key-quarantined"

// quarantine recognises AWS's policy for compromised keys, by its ARN in any
// version and partition.
func quarantine(arn string) bool {
	_, name, ok := strings.Cut(arn, ":iam::aws:policy/")
	return ok && strings.HasPrefix(name, "AWSCompromisedKeyQuarantine")
}

// Undecided is a question that stayed open.
type Undecided struct {
	Reason     string `json:"reason"`
	What       string `json:"what,omitempty"`
	Rule       RuleID `json:"rule,omitempty"`
	Permission string `json:"permission,omitempty"`
	Call       string `json:"call,omitempty"` // the live read that failed, with its error's Code
	Code       string `json:"code,omitempty"`
	Source     int    `json:"source"` // -1: no single document
	Statement  string `json:"statement,omitempty"`
	File       string `json:"file,omitempty"` // of line and column, where source is -1
	Line       int    `json:"line,omitempty"`
	Column     int    `json:"column,omitempty"`

	ref policy.Reference
}

// Reference is the statement that the question hangs on; Source is -1 where
// there is none.
func (u *Undecided) Reference() policy.Reference { return u.ref }

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
	Rule     RuleID    `json:"rule"`
	Severity Severity  `json:"severity"`
	Actions  []string  `json:"actions"`
	Witness  *Witness  `json:"witness"`
	Because  []Because `json:"because"`
	// Stops are what keeps a latent witness from being allowed today.
	Stops []Stop `json:"stops,omitempty"`
	// Lacks are, for drift, statements of a template that are not deployed; with
	// DetailAbsent, the resource that declares the principal.
	Lacks []Lack `json:"lacks,omitempty"`
	// Missing is, for cannot-write, an object that can't be written.
	Missing string  `json:"missing,omitempty"`
	Detail  string  `json:"detail,omitempty"` // of findings without a witness: a key's age, a kind of credential
	Waived  *Waiver `json:"waived"`
	// Args are what the sentences of Detail and Fix name.
	Args map[string]string `json:"-"`
	Fix  string            `json:"fix"` // the fix's id here; whoever prints puts it into words
}

// Witness is one concrete request that would be allowed.
type Witness struct {
	Action   string              `json:"action"`
	Resource string              `json:"resource"`
	Context  map[string][]string `json:"context"`
	// Latent: allowed only if what Stops names were not there.
	Latent bool `json:"latent"`
	// Unknown: the catalogue has no such action; AWS may add one.
	Unknown bool `json:"unknown,omitempty"`
}

// Because is a statement that a finding rests on.
type Because struct {
	Source    int    `json:"source"`
	Statement string `json:"statement"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`

	ref policy.Reference
}

// Reference is the statement's place in the subject's set.
func (b *Because) Reference() policy.Reference { return b.ref }

// Stop is what stops a latent witness: a Deny statement, or a layer that does not
// allow it.
type Stop struct {
	Layer policy.Kind `json:"layer"`
	Because
}

// Lack is a statement of a template, by its Sid or number, or a resource of it
// by its logical id, with its place.
type Lack struct {
	Statement string `json:"statement"`
	File      string `json:"file"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
}

// Waiver is somebody's acceptance of a finding.
type Waiver struct {
	Reason string `json:"reason"`
	Who    string `json:"who"`
	Until  string `json:"until"`
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

// Open reports whether any principal has an open question.
func (r *Report) Open() bool {
	for i := range r.Principals {
		if r.Principals[i].Verdict == NoVerdict {
			return true
		}
	}
	return len(r.Principals) == 0
}

// No reports whether the answer for any principal is no; with strict an unwaived
// warning is one too.
func (r *Report) No(strict bool) bool {
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
