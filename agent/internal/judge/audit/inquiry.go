package audit

import (
	"slices"
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
	meter  *reach.Meter // of all engines
	// asked is engine without the statement that widens the contract.
	asked   *reach.Engine
	widened []policy.Reference
	rule    Rule
	out     Principal
	// objects are the globs of everything that the principal may write.
	objects []string
	// reached are the actions for which something outside the contract is
	// allowed today.
	reached reached
	// sure and least are what a template's documents surely say, for findings and for
	// cannot-write; nil where nothing is open. surely answers for sure.
	sure, least     *surely
	surely          *reach.Engine
	weighed, opened bool
	oracle          *decide.Evaluator // of the subject's own set, once it was asked
}

// reached is a set of actions, made of lists when it is asked for the first time: for many
// principals nobody asks.
type reached struct {
	lists [][]string
	names map[string]bool
}

func (r *reached) add(actions []string) { r.lists = append(r.lists, actions) }

func (r *reached) has(action string) bool {
	if r.names == nil {
		r.names = map[string]bool{}
	}
	for _, list := range r.lists {
		for _, name := range list {
			r.names[name] = true
		}
	}
	r.lists = nil
	return r.names[action]
}

func (r *reached) none() bool { return len(r.lists) == 0 && len(r.names) == 0 }

func newInquiry(j *judge, s *sources.Subject, meter *reach.Meter) *inquiry {
	q := &inquiry{
		judge: j, s: s, out: newPrincipal(s), meter: meter,
	}
	q.engine = reach.New(&s.Set, q.options(reach.Without{}))
	q.asked = q.engine
	q.objects = []string{q.object("")}
	if ref, ok := q.widening(); ok {
		q.widened = []policy.Reference{ref}
		q.asked = reach.New(&s.Set, q.options(reach.Without{Statements: q.widened}))
	}
	for _, src := range s.Set.Sources {
		if src.Kind == policy.AccessPoint && src.Bucket != "" && src.Bucket == q.bucketARN() {
			q.objects = append(q.objects, src.Attached+"/object/"+s.Prefix+"*")
		}
	}
	return q
}

// options are those of an engine of this inquiry.
func (q *inquiry) options(without reach.Without) reach.Options {
	j := q.judge
	return reach.Options{Budget: j.opts.Budget, Now: j.opts.Now, Space: j.space, Meter: q.meter, Without: without}
}

func newPrincipal(s *sources.Subject) Principal {
	set := &s.Set
	p := Principal{
		ARN: s.Show(set.Subject.ARN), Bucket: s.Show(set.Bucket), Prefix: s.Show(s.Prefix),
		Account: s.Show(set.Subject.Account), Owner: s.Show(set.BucketAccount), Partition: set.Subject.Partition,
		Outcomes: 1, subject: s, when: strings.Join(s.When, ", "),
	}
	for i := range set.Sources {
		src := &set.Sources[i]
		p.Sources = append(p.Sources, Source{
			Kind: src.Kind, Name: s.Show(src.Name), ARN: s.Show(src.ARN), Version: src.Version, SHA256: src.SHA256,
			File: src.File, Address: src.Address, AsOf: src.AsOf, Line: src.First.Line, document: src,
		})
		if quarantine(src.ARN) {
			p.Notes = append(p.Notes, Note{What: NoteQuarantined, Source: i})
		}
	}
	for _, a := range s.Assumptions {
		p.Assumptions = append(p.Assumptions, Assumption{What: a.What, Why: a.Why})
	}
	for _, n := range s.Notes {
		p.Notes = append(p.Notes, Note{What: string(n.What), Source: n.Source, Name: s.Show(n.Name)})
	}
	for _, g := range s.Gaps {
		if quarantine(g.What) {
			p.Notes = append(p.Notes, Note{What: NoteQuarantined, Source: -1})
		}
		u := question(string(g.Reason), s.Show(g.What))
		u.Permission, u.Call, u.Code, u.Source, u.File = g.Permission, g.Call, g.Code, g.Source, g.File
		u.Line, u.Column = g.Pos.Line, g.Pos.Column
		if !s.Live && (g.Reason == sources.GapUnknownPolicy || g.Reason == sources.GapUnknownGroup) {
			u.Permission = "" // no right of the auditor's gives a file what it doesn't hold
		}
		p.Undecided = append(p.Undecided, u)
	}
	return p
}

// question is an open question that hangs on no single statement.
func question(reason, what string) Undecided {
	return Undecided{Reason: reason, What: what, Because: nowhere}
}

// nowhere is no statement.
var nowhere = Because{Source: -1, ref: policy.Reference{Source: -1, Statement: -1}}

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
			p.Undecided = append(p.Undecided, question(ReasonAssumption, string(a.What)))
		}
	}
	slices.Sort(p.Allowed)
	p.Allowed = slices.Compact(p.Allowed)
	sortFindings(p.Findings)
	p.Verdict = p.conclude()
	p.Actions = len(parts().all) - len(catalogue.Services()) - 1 // without those of tomorrow
	if q.s.Absent == nil {
		q.effect()
		q.opinion()
	}
	return *p
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

// plain is how many keys the request of a leading action may need besides, and still be
// the plainer one: a guard asks for TLS, or for a path, of all calls on its bucket.
const plain = 3

// plainest puts the witness of a leading action in the place of another's.
func (q *inquiry) plainest(a reach.Answer, find func(action string) reach.Answer) reach.Answer {
	if a.Kind != reach.Found {
		return a
	}
	first := slices.DeleteFunc(slices.Clone(leading), func(action string) bool { return !slices.Contains(a.Actions, action) })
	if _, known := catalogue.Lookup(a.Witness.Action); !known {
		// Rather an action that AWS has today than one of tomorrow.
		for _, action := range a.Actions {
			if _, known := catalogue.Lookup(action); known {
				first = append(first, action)
				break
			}
		}
	}
	best := a
	for _, action := range first {
		b := find(action)
		if b.Kind != reach.Found || len(b.Witness.Context) > max(len(a.Witness.Context), plain) {
			continue
		}
		if best.Witness.Action == a.Witness.Action || !odd(b.Witness.Resource) {
			best = b
		}
		if !odd(best.Witness.Resource) {
			break
		}
	}
	a.Witness, a.Because = best.Witness, best.Because
	return a
}

// odd tells an ARN of IAM that nobody gives: a pattern such as arn:aws:iam::*:role/x has
// led into a path.
func odd(arn string) bool {
	segments := policy.Segments(arn)
	return len(segments) == 6 && segments[2] == "iam" && strings.Contains(segments[5], ":")
}

// reply is a question of a rule with its answer, whose statements are the subject's
// own; engine gave it, of whose statements own gives the subject's.
type reply struct {
	question reach.Question
	answer   reach.Answer
	engine   *reach.Engine
	own      func(policy.Reference) policy.Reference
}

func (q *inquiry) report(b reply) {
	a := b.answer
	if a.Kind == reach.Found {
		q.reached.add(a.Actions)
	}
	q.doubts(a.Doubts)
	switch a.Kind {
	case reach.Nothing:
	case reach.Unknown:
		if len(a.Doubts) == 0 {
			q.doubts([]reach.Doubt{{Reason: reach.NotModelled, Reference: nowhere.ref}})
		}
	case reach.Found:
		if !q.allows(&q.s.Set, a.Witness) && (q.sure == nil || !q.allows(&q.sure.set, a.Witness)) {
			q.disagree(a.Witness)
			return
		}
		b.question.Actions = a.Actions
		grants, through := q.granting(b, a.Because)
		q.find(Finding{
			Actions: compress(a.Actions, parts().others()), Witness: q.witness(a.Witness, false),
			Environment: q.environment(a.Witness), Because: grants, Through: through,
		})
	}
}

// disagree notes a witness that decide refuses.
func (q *inquiry) disagree(w reach.Witness) {
	q.open(question(ReasonInternal, q.s.Show(w.Action+" "+w.Resource)))
}

// find adds a finding of the rule that is being asked. Two of one rule (on
// different resources) become one, with the actions and reasons of both.
func (q *inquiry) find(f Finding) {
	f.Rule, f.Severity = q.rule.ID, q.rule.Severity
	if f.Fix.ID == "" {
		f.Fix.ID = string(q.rule.ID)
	}
	for i := range q.out.Findings {
		old := &q.out.Findings[i]
		if old.Rule != f.Rule || old.Detail != f.Detail || old.Witness == nil || f.Witness == nil || old.Witness.Latent != f.Witness.Latent {
			continue
		}
		for _, a := range f.Actions {
			if !covered(old.Actions, a) {
				old.Actions = append(old.Actions, a)
			}
		}
		old.Because = unite(old.Because, f.Because)
		return
	}
	q.out.Findings = append(q.out.Findings, f)
}

func (q *inquiry) doubts(doubts []reach.Doubt) {
	for _, d := range doubts {
		u := question(string(d.Reason), "")
		if d.Reference.Source >= 0 {
			u.Because = q.reference(d.Reference)
		}
		q.open(u)
	}
}

// open adds an open question, once.
func (q *inquiry) open(u Undecided) {
	u.Rule = q.rule.ID
	if u.Source >= 0 {
		u.Rule = "" // one statement, whatever asks
	}
	for _, old := range q.out.Undecided {
		if old.same(&u) {
			return
		}
	}
	q.out.Undecided = append(q.out.Undecided, u)
}

// allows replays a witness.
func (q *inquiry) allows(set *policy.Set, w reach.Witness) bool {
	oracle := q.oracle
	switch {
	case set != &q.s.Set:
		oracle = decide.New(set)
	case oracle == nil:
		oracle = decide.New(set)
		q.oracle = oracle
	}
	got := oracle.Decide(decide.Request{Action: w.Action, Resource: w.Resource, Bucket: w.Bucket, Context: w.Context})
	return got.Outcome == decide.Allowed
}

func (q *inquiry) witness(w reach.Witness, latent bool) *Witness {
	_, known := catalogue.Lookup(w.Action)
	return &Witness{
		Action: q.s.Show(w.Action), Resource: q.s.Show(w.Resource), Context: q.context(w.Context), Latent: latent, Unknown: !known,
	}
}

// context writes a request's keys as AWS does, without those that are absent.
func (q *inquiry) context(in map[string][]string) map[string][]string {
	out := make(map[string][]string, len(in))
	for k, v := range in {
		if len(v) > 0 {
			out[q.keyName(k)] = showAll(q.s, v)
		}
	}
	return out
}

// environment is what of a witness the caller doesn't choose.
func (q *inquiry) environment(w reach.Witness) map[string][]string {
	out := map[string][]string{}
	for k, v := range w.Context {
		if len(v) > 0 && surrounds(k) {
			out[q.keyName(k)] = showAll(q.s, v)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// granting tells the statements that grant any request of a question, those of the
// witness first, from those that only let the witness pass.
func (q *inquiry) granting(b reply, witness []policy.Reference) (grants, through []Because) {
	all, _ := b.engine.Granting(b.question)
	if b.own != nil {
		for i, r := range all {
			all[i] = b.own(r)
		}
	}
	var first, rest []policy.Reference
	for _, r := range witness {
		if slices.Contains(all, r) || q.gives(r) {
			first = append(first, r)
		} else {
			rest = append(rest, r)
		}
	}
	for _, r := range all {
		if !slices.Contains(first, r) {
			first = append(first, r)
		}
	}
	return q.because(first), q.because(rest)
}

// gives reports whether a statement stands in a document whose Allows give rights, and
// not only let them pass.
func (q *inquiry) gives(r policy.Reference) bool {
	switch q.s.Set.Sources[r.Source].Kind {
	case policy.Boundary, policy.Session, policy.SCP, policy.RCP:
		return false
	case policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged, policy.RoleInline, policy.RoleManaged, policy.Trust,
		policy.BucketPolicy, policy.AccessPoint, policy.KeyPolicy, policy.KMSGrant, policy.ACL, policy.ResourcePolicy, policy.LambdaPermission:
	}
	return true
}

func (q *inquiry) because(refs []policy.Reference) []Because {
	out := make([]Because, 0, len(refs))
	for _, r := range refs {
		out = append(out, q.reference(r))
	}
	return out
}

// reference names a statement by its place, its number from 1 and its Sid.
func (q *inquiry) reference(r policy.Reference) Because {
	b := Because{Source: r.Source, Statement: r.Statement + 1, ref: r, of: q.s}
	if _, st := b.In(); st != nil {
		b.Sid, b.Line, b.Column = q.s.Show(st.Sid), st.Pos.Line, st.Pos.Column
	}
	return b
}
