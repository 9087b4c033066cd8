package audit

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"buzon/agent/internal/judge/catalogue"
	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/reach"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// inquiry is the judging of one principal.
type inquiry struct {
	judge  *judge
	s      *sources.Subject
	engine *reach.Engine
	// asked is engine without the statement that widens the contract.
	asked   *reach.Engine
	widened []policy.Reference
	rule    Rule
	out     Principal
	// objects are the globs of everything that the principal may write.
	objects []string
	// reached are the actions for which something outside the contract is
	// allowed today.
	reached map[string]bool
	// sure and least are what a template's documents surely say, for findings and for
	// cannot-write; nil where nothing is open. surely answers for sure.
	sure, least     *surely
	surely          *reach.Engine
	weighed, opened bool
}

func newInquiry(j *judge, s *sources.Subject) *inquiry {
	q := &inquiry{
		judge: j, s: s, out: newPrincipal(s), reached: map[string]bool{},
		engine: reach.New(&s.Set, reach.Options{Budget: j.opts.Budget, Now: j.opts.Now, Space: j.space}),
	}
	q.asked = q.engine
	q.objects = []string{q.object("")}
	if ref, ok := q.widening(); ok {
		q.widened = []policy.Reference{ref}
		q.asked = reach.New(&s.Set, reach.Options{
			Budget: j.opts.Budget, Now: j.opts.Now, Space: j.space, Without: reach.Without{Statements: q.widened},
		})
	}
	for _, src := range s.Set.Sources {
		if src.Kind == policy.AccessPoint && src.Bucket != "" && src.Bucket == q.bucketARN() {
			q.objects = append(q.objects, src.Attached+"/object/"+s.Prefix+"*")
		}
	}
	return q
}

func newPrincipal(s *sources.Subject) Principal {
	p := Principal{
		ARN: s.Show(s.Set.Subject.ARN), Bucket: s.Show(s.Set.Bucket), Prefix: s.Show(s.Prefix), When: s.When,
		Sources: []Source{}, Grants: []Grant{}, Allowed: []string{}, Assumptions: []Assumption{},
		Undecided: []Undecided{}, Findings: []Finding{}, subject: s,
	}
	for _, src := range s.Set.Sources {
		p.Sources = append(p.Sources, Source{
			Kind: src.Kind, Name: s.Show(src.Name), ARN: s.Show(src.ARN), Version: src.Version, SHA256: src.SHA256,
		})
	}
	for _, a := range s.Assumptions {
		p.Assumptions = append(p.Assumptions, Assumption{What: a.What, Why: a.Why})
	}
	for _, n := range s.Notes {
		p.Notes = append(p.Notes, Note{What: string(n.What), Source: n.Source, Name: s.Show(n.Name)})
	}
	for i, src := range s.Set.Sources {
		if quarantine(src.ARN) {
			p.Notes = append(p.Notes, Note{What: NoteQuarantined, Source: i})
		}
	}
	for _, g := range s.Gaps {
		if quarantine(g.What) {
			p.Notes = append(p.Notes, Note{What: NoteQuarantined, Source: -1})
		}
		p.Undecided = append(p.Undecided, Undecided{
			Reason: string(g.Reason), What: s.Show(g.What), Permission: g.Permission, Call: g.Call, Code: g.Code, Source: g.Source, File: g.File,
			Line: g.Pos.Line, Column: g.Pos.Column, ref: policy.Reference{Source: -1, Statement: -1},
		})
	}
	return p
}

func (q *inquiry) bucketARN() string {
	partition := q.s.Set.Subject.Partition
	if partition == "" {
		partition = "aws"
	}
	return "arn:" + partition + ":s3:::" + q.s.Set.Bucket
}

// object is the glob of all keys under the prefix that begin with start.
func (q *inquiry) object(start string) string {
	return q.bucketARN() + "/" + q.s.Prefix + start + "*"
}

// result closes the inquiry.
func (q *inquiry) result() Principal {
	p := &q.out
	if q.judge.opts.Strict {
		for _, a := range p.Assumptions {
			p.Undecided = append(p.Undecided, Undecided{
				Reason: ReasonAssumption, What: string(a.What), Source: -1, ref: policy.Reference{Source: -1, Statement: -1},
			})
		}
	}
	slices.Sort(p.Allowed)
	p.Allowed = slices.Compact(p.Allowed)
	sortFindings(p.Findings)
	p.Verdict = p.conclude()
	q.grants()
	return *p
}

// grants lists what is granted in effect. Of a pattern that is wider than the
// contract, where all else is stopped, only the contract is left.
func (q *inquiry) grants() {
	p := &q.out
	add := func(g Grant) {
		same := func(old Grant) bool {
			return old.Action == g.Action && old.Resource == g.Resource && old.NotAction == g.NotAction &&
				old.NotResource == g.NotResource && reflect.DeepEqual(old.Conditions, g.Conditions)
		}
		if !slices.ContainsFunc(p.Grants, same) {
			p.Grants = append(p.Grants, g)
		}
	}
	proven := p.Verdict == WriteOnly
	for _, g := range q.engine.Grants() {
		conditions := q.conditions(g.Conditions)
		if wide := g.NotAction || strings.ContainsAny(g.Action, "*?"); !wide || !proven || len(p.Allowed) > 0 {
			add(Grant{
				Action: q.s.Show(g.Action), Resource: q.s.Show(g.Resource), NotAction: g.NotAction, NotResource: g.NotResource,
				Conditions: conditions,
			})
			continue
		}
		for _, action := range []string{putObject, abortUpload} {
			for _, objects := range q.objects {
				a := q.engine.Find(reach.Question{Actions: []string{action}, Resources: reach.Under(objects)})
				if a.Kind == reach.Found && slices.Contains(a.Because, g.Because) {
					add(Grant{Action: action, Resource: q.s.Show(objects), Conditions: conditions})
				}
			}
		}
	}
}

func (q *inquiry) conditions(in map[string]map[string][]string) map[string]map[string][]string {
	out := make(map[string]map[string][]string, len(in))
	for operator, keys := range in {
		out[operator] = make(map[string][]string, len(keys))
		for key, values := range keys {
			out[operator][key] = showAll(q.s, values)
		}
	}
	return out
}

// forbidden asks for anything allowed of these actions on these resources, and
// reports what it finds as a finding of the rule.
func (q *inquiry) forbidden(actions []string, on reach.Resources) {
	q.ask(reach.Question{Actions: actions, Resources: on})
}

// leading are the actions that show a rule broken most plainly; others are
// witnesses only where none of these is allowed as simply.
var leading = []string{
	"s3:GetObject", "s3:DeleteObject", "s3:ListBucket", putObject, "s3:PutBucketPolicy", "s3:PutBucketAcl",
	"s3:PutLifecycleConfiguration", "iam:PutUserPolicy", "iam:AttachUserPolicy", "iam:CreateAccessKey", "sts:AssumeRole", "iam:PassRole",
}

// plainest puts the witness of a leading action in the place of another's.
func (q *inquiry) plainest(a reach.Answer, find func(action string) reach.Answer) reach.Answer {
	if a.Kind != reach.Found {
		return a
	}
	plain := slices.DeleteFunc(slices.Clone(leading), func(action string) bool { return !slices.Contains(a.Actions, action) })
	if _, known := catalogue.Lookup(a.Witness.Action); !known {
		// Rather an action that AWS has today than one of tomorrow.
		for _, action := range a.Actions {
			if _, known := catalogue.Lookup(action); known {
				plain = append(plain, action)
				break
			}
		}
	}
	for _, action := range plain {
		if b := find(action); b.Kind == reach.Found && len(b.Witness.Context) <= len(a.Witness.Context) {
			a.Witness, a.Because = b.Witness, b.Because
			return a
		}
	}
	return a
}

func (q *inquiry) report(a reach.Answer) {
	for _, name := range a.Actions {
		if a.Kind == reach.Found {
			q.reached[name] = true
		}
	}
	q.doubts(a.Doubts)
	switch a.Kind {
	case reach.Nothing:
	case reach.Unknown:
		if len(a.Doubts) == 0 {
			q.doubts([]reach.Doubt{{Reason: reach.NotModelled, Reference: policy.Reference{Source: -1, Statement: -1}}})
		}
	case reach.Found:
		if !q.allows(&q.s.Set, a.Witness) && (q.sure == nil || !q.allows(&q.sure.set, a.Witness)) {
			q.open(Undecided{Reason: ReasonInternal, What: q.s.Show(a.Witness.Action + " " + a.Witness.Resource), Source: -1})
			return
		}
		q.find(Finding{
			Actions: compress(a.Actions, parts().others()), Witness: q.witness(a.Witness, false), Because: q.because(a.Because),
		})
	}
}

// find adds a finding of the rule that is being asked. Two of one rule (on
// different resources) become one, with the actions of both.
func (q *inquiry) find(f Finding) {
	f.Rule, f.Severity, f.Fix = q.rule.ID, q.rule.Severity, string(q.rule.ID)
	if f.Actions == nil {
		f.Actions = []string{}
	}
	if f.Because == nil {
		f.Because = []Because{}
	}
	for i := range q.out.Findings {
		old := &q.out.Findings[i]
		if old.Rule == f.Rule && old.Detail == f.Detail && old.Witness != nil && f.Witness != nil && old.Witness.Latent == f.Witness.Latent {
			for _, a := range f.Actions {
				if !covered(old.Actions, a) {
					old.Actions = append(old.Actions, a)
				}
			}
			return
		}
	}
	q.out.Findings = append(q.out.Findings, f)
}

func (q *inquiry) doubts(doubts []reach.Doubt) {
	for _, d := range doubts {
		u := Undecided{Reason: string(d.Reason), Source: -1, ref: d.Reference}
		if d.Reference.Source >= 0 {
			b := q.reference(d.Reference)
			u.Source, u.Statement, u.Line, u.Column = b.Source, b.Statement, b.Line, b.Column
		}
		q.open(u)
	}
}

// open adds an open question, once.
func (q *inquiry) open(u Undecided) {
	if u.Source < 0 {
		u.ref = policy.Reference{Source: -1, Statement: -1}
		u.Rule = q.rule.ID
	}
	for _, old := range q.out.Undecided {
		if old == u {
			return
		}
	}
	q.out.Undecided = append(q.out.Undecided, u)
}

// allows replays a witness.
func (q *inquiry) allows(set *policy.Set, w reach.Witness) bool {
	got := decide.Decide(set, decide.Request{Action: w.Action, Resource: w.Resource, Bucket: w.Bucket, Context: w.Context})
	return got.Outcome == decide.Allowed
}

func (q *inquiry) witness(w reach.Witness, latent bool) *Witness {
	_, known := catalogue.Lookup(w.Action)
	return &Witness{
		Action: q.s.Show(w.Action), Resource: q.s.Show(w.Resource), Context: showContext(q.s, w.Context), Latent: latent, Unknown: !known,
	}
}

func (q *inquiry) because(refs []policy.Reference) []Because {
	out := make([]Because, 0, len(refs))
	for _, r := range refs {
		out = append(out, q.reference(r))
	}
	return out
}

// reference names a statement by its Sid, else by its number from 0.
func (q *inquiry) reference(r policy.Reference) Because {
	b := Because{Source: r.Source, Statement: strconv.Itoa(r.Statement), ref: r}
	if r.Source < 0 || r.Source >= len(q.s.Set.Sources) {
		return b
	}
	doc := q.s.Set.Sources[r.Source].Document
	if doc == nil || r.Statement < 0 || r.Statement >= len(doc.Statements) {
		return b
	}
	st := doc.Statements[r.Statement]
	if st.Sid != "" {
		b.Statement = st.Sid
	}
	b.Line, b.Column = st.Pos.Line, st.Pos.Column
	return b
}
