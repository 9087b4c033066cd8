package decide

import (
	"net/netip"
	"strings"
	"time"

	"buzon/agent/policy"
)

// Evaluator is a set made ready for many requests. It changes no more after
// New; the set must not either.
type Evaluator struct {
	subject       *policy.Subject
	symbols       policy.Symbols
	bucket        string // the ARN of the bucket in question, "" where there is none
	bucketAccount string
	fixed         map[string][]string
	sources       []source

	bounded bool   // there is a permissions boundary
	role    string // the ARN of the role, of whose sessions one asks
	account string // the ARN of the account
}

// source is one document made ready.
type source struct {
	kind       policy.Kind
	attached   string
	level      string
	statements []statement
}

// ofResource reports whether the document hangs on a resource, and so names
// principals that it allows.
func (s *source) ofResource() bool {
	switch s.kind {
	case policy.BucketPolicy, policy.ACL, policy.AccessPoint, policy.KeyPolicy, policy.KMSGrant,
		policy.Trust, policy.ResourcePolicy, policy.LambdaPermission:
		return true
	case policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged, policy.RoleInline,
		policy.RoleManaged, policy.Boundary, policy.Session, policy.SCP, policy.RCP:
	}
	return false
}

// statement is one statement made ready.
type statement struct {
	ref         policy.Reference
	effect      policy.Effect
	principals  []policy.Principal
	notPrinc    bool
	actions     []pattern
	notAction   bool
	resources   []pattern
	notResource bool
	conditions  []condition
	// unclear: not understood; conditionsOnly: the rest of it is.
	unclear, conditionsOnly bool
}

// condition is one condition made ready.
type condition struct {
	op     policy.Operator
	key    string
	values []value
}

// value is one value of a condition, read as its operator needs it.
type value struct {
	text    string
	pattern pattern
	number  float64
	instant time.Time
	block   netip.Prefix
	truth   bool
	ok      bool // it could be read
}

// New makes a set ready. A source without a document says nothing.
func New(set *policy.Set) *Evaluator {
	s := &set.Subject
	e := &Evaluator{subject: s, symbols: set.Symbols, bucketAccount: set.BucketAccount, fixed: fixedKeys(s)}
	partition := s.Partition
	if partition == "" {
		partition = "aws"
	}
	if set.Bucket != "" {
		e.bucket = "arn:" + partition + ":s3:::" + set.Bucket
	}
	e.account = "arn:" + partition + ":iam::" + s.Account + ":root"
	if s.Type == policy.Role || s.Type == policy.RoleSession {
		e.role = principalARN(s)
	}
	for i := range set.Sources {
		src := &set.Sources[i]
		if src.Document == nil {
			continue
		}
		e.bounded = e.bounded || src.Kind == policy.Boundary
		ready := source{kind: src.Kind, attached: src.Attached, level: src.Level}
		if src.Kind == policy.BucketPolicy && ready.attached == "" {
			ready.attached = e.bucket
		}
		variables := src.Document.Variables()
		for j := range src.Document.Statements {
			st := e.statement(&src.Document.Statements[j], src.Kind, variables)
			st.ref = policy.Reference{Source: i, Statement: j}
			ready.statements = append(ready.statements, st)
		}
		e.sources = append(e.sources, ready)
	}
	return e
}

func (e *Evaluator) statement(st *policy.Statement, kind policy.Kind, variables bool) statement {
	out := statement{
		effect: st.Effect, principals: st.Principals, notPrinc: st.NotPrincipal,
		notAction: st.NotAction, notResource: st.NotResource,
		unclear: st.Unclear != nil, conditionsOnly: st.UnclearConditions,
	}
	for _, a := range st.Actions {
		text := strings.ToLower(a.Value)
		if text == "*:*" {
			text = "*"
		}
		out.actions = append(out.actions, e.pattern(text, false))
	}
	for _, r := range st.Resources {
		out.resources = append(out.resources, e.resourcePattern(r.Value, kind, variables))
		if len(policy.Segments(r.Value)) < 6 && r.Value != "*" {
			// Read widely, the wildcards of a short ARN may run on past the colons
			// that it seems to lack.
			asWritten := e.pattern(r.Value, variables)
			asWritten.wide = true
			out.resources = append(out.resources, asWritten)
		}
	}
	for _, c := range st.Conditions {
		ready := condition{op: c.Operator, key: strings.ToLower(c.Key)}
		for _, v := range c.Values {
			ready.values = append(ready.values, e.value(c.Operator.Test, v.Value, variables))
		}
		out.conditions = append(out.conditions, ready)
	}
	return out
}

// resourcePattern makes an ARN's pattern ready: as a whole, and in segments
// for where a Deny is read narrowly.
func (e *Evaluator) resourcePattern(text string, kind policy.Kind, variables bool) pattern {
	if text == "*" {
		return e.pattern(text, false)
	}
	short := len(policy.Segments(text)) < 6
	p := e.pattern(policy.CompleteARN(text), variables)
	p.parts = segments(p.pieces)
	// A page says that the policies of resources are completed too, an open
	// evaluator that they are so only with a wildcard: a Deny doesn't count on it.
	if short && kind.OfResource() && !strings.ContainsAny(text, "*?") {
		p.wide = true
	}
	return p
}

func (e *Evaluator) value(t policy.Test, text string, variables bool) value {
	v := value{text: text}
	switch t {
	case policy.StringEquals, policy.StringNotEquals, policy.StringEqualsIgnoreCase, policy.StringNotEqualsIgnoreCase:
		v.pattern = e.pattern(text, variables)
		v.pattern.plain()
	case policy.StringLike, policy.StringNotLike:
		v.pattern = e.pattern(text, variables)
	case policy.ArnEquals, policy.ArnLike, policy.ArnNotEquals, policy.ArnNotLike:
		v.pattern = e.pattern(text, variables)
		v.pattern.parts = segments(v.pattern.pieces)
	case policy.NumericEquals, policy.NumericNotEquals, policy.NumericLessThan, policy.NumericLessThanEquals,
		policy.NumericGreaterThan, policy.NumericGreaterThanEquals:
		v.number, v.ok = policy.ParseNumber(text)
	case policy.DateEquals, policy.DateNotEquals, policy.DateLessThan, policy.DateLessThanEquals,
		policy.DateGreaterThan, policy.DateGreaterThanEquals:
		v.instant, v.ok = policy.ParseDate(text)
	case policy.IPAddress, policy.NotIPAddress:
		v.block, v.ok = policy.ParseIP(text)
	case policy.Bool, policy.Null:
		v.truth, v.ok = policy.ParseBool(text)
	case policy.BinaryEquals:
		v.ok = true
	}
	return v
}
