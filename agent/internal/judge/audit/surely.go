package audit

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/reach"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// surely is a principal's set with what of a template's documents holds whatever
// their open values turn out to be. The subject's own set is the most that may be
// deployed: what breaks a rule there and not here hangs on those values.
type surely struct {
	set  policy.Set
	back [][]int // of each source: the statement of the subject's own, by its index here; -1 is none
}

// newSurely makes the set; leave names statements that don't count. It is nil
// where nothing is open.
func newSurely(s *sources.Subject, leave func(*policy.Surely) []int) *surely {
	if !slices.ContainsFunc(s.Set.Sources, func(src policy.Source) bool { return src.Surely != nil }) {
		return nil
	}
	out := &surely{set: s.Set}
	out.set.Sources = slices.Clone(s.Set.Sources)
	for i := range out.set.Sources {
		src := &out.set.Sources[i]
		var back []int
		if src.Surely == nil {
			if src.Document != nil {
				for j := range src.Document.Statements {
					back = append(back, j)
				}
			}
			out.back = append(out.back, back)
			continue
		}
		doc := *src.Surely.Document
		doc.Statements = nil
		for j, st := range src.Surely.Document.Statements {
			if slices.Contains(leave(src.Surely), j) {
				continue
			}
			if slices.Contains(src.Surely.Sample, j) {
				st.Resources = filled(st.Resources, s.Set.Subject.Name)
			}
			st.Index = len(doc.Statements)
			doc.Statements = append(doc.Statements, st)
			back = append(back, slices.IndexFunc(src.Document.Statements, func(own policy.Statement) bool { return own.Pos == st.Pos }))
		}
		src.Document = &doc
		out.back = append(out.back, back)
	}
	return out
}

// filled puts the principal's name into samples of what is open.
func filled(texts []policy.Text, name string) []policy.Text {
	out := slices.Clone(texts)
	for i := range out {
		out[i].Value = strings.ReplaceAll(out[i].Value, "{name}", name)
	}
	return out
}

// reference is the subject's own statement for one of this set.
func (s *surely) reference(r policy.Reference) policy.Reference {
	if r.Source >= 0 && r.Source < len(s.back) && r.Statement >= 0 && r.Statement < len(s.back[r.Source]) {
		r.Statement = s.back[r.Source][r.Statement]
	}
	return r
}

// without are the statements of this set for some of the subject's own.
func (s *surely) without(own []policy.Reference) []policy.Reference {
	var out []policy.Reference
	for i, back := range s.back {
		for j, at := range back {
			if slices.Contains(own, policy.Reference{Source: i, Statement: at}) {
				out = append(out, policy.Reference{Source: i, Statement: j})
			}
		}
	}
	return out
}

// certain is the set that a finding must hold in to be one.
func (q *inquiry) certain() *surely {
	if !q.weighed {
		q.weighed = true
		q.sure = newSurely(q.s, func(s *policy.Surely) []int { return s.Blocking })
		q.least = newSurely(q.s, func(s *policy.Surely) []int { return s.Sample })
		if q.sure != nil {
			q.surely = reach.New(&q.sure.set, reach.Options{
				Budget: q.judge.opts.Budget, Now: q.judge.opts.Now, Space: q.judge.space,
				Without: reach.Without{Statements: q.sure.without(q.widened)},
			})
		}
	}
	return q.sure
}

// ask asks a rule's question. What the principal can reach only with some values
// of what a template leaves open is an open question, and no finding.
func (q *inquiry) ask(question reach.Question) {
	asked := question
	a := q.asked.Find(question)
	find := func(action string) reach.Answer {
		question.Actions = []string{action}
		return q.asked.Find(question)
	}
	if a.Kind != reach.Found || q.certain() == nil {
		q.report(reply{asked, q.plainest(a, find), q.asked, nil})
		return
	}
	b := q.surely.Find(question)
	switch b.Kind {
	case reach.Found:
		q.report(reply{asked, q.own(q.plainest(b, func(action string) reach.Answer {
			question.Actions = []string{action}
			return q.surely.Find(question)
		})), q.surely, q.sure.reference})
	case reach.Unknown:
		q.report(reply{asked, q.own(b), q.surely, q.sure.reference})
	case reach.Nothing:
		q.doubts(a.Doubts)
		q.openings(a.Because)
	}
}

// own is an answer of the certain set in the subject's own statements.
func (q *inquiry) own(a reach.Answer) reach.Answer {
	a.Because = slices.Clone(a.Because)
	for i, r := range a.Because {
		a.Because[i] = q.sure.reference(r)
	}
	a.Doubts = slices.Clone(a.Doubts)
	for i := range a.Doubts {
		a.Doubts[i].Reference = q.sure.reference(a.Doubts[i].Reference)
	}
	return a
}

// Reasons of open questions about templates.
const (
	// ReasonBucket: it hangs on whether What is the bucket in question.
	ReasonBucket = "bucket-unsure"
)

// openings opens the question of what these statements leave open; where they
// leave nothing open, of what all others do.
func (q *inquiry) openings(because []policy.Reference) {
	n := len(q.out.Undecided)
	for _, r := range because {
		if src := q.s.Set.Sources[r.Source]; src.Surely != nil {
			q.opening(r, src.Surely.Open[r.Statement])
		}
	}
	if len(q.out.Undecided) > n || q.opened {
		return
	}
	for i, src := range q.s.Set.Sources {
		if src.Surely == nil {
			continue
		}
		for j, o := range src.Surely.Open {
			q.opening(policy.Reference{Source: i, Statement: j}, o)
		}
	}
}

func (q *inquiry) opening(r policy.Reference, o policy.Opening) {
	if o == (policy.Opening{}) {
		return
	}
	u := question(string(sources.GapUnresolved), o.Names)
	if o.Bucket != "" {
		u.Reason, u.What = ReasonBucket, o.Bucket
	}
	if r.Statement >= 0 {
		u.Because = q.reference(r)
	} else {
		src := q.s.Set.Sources[r.Source]
		u.File, u.Line, u.Column = src.File, src.First.Line, src.First.Column
	}
	q.opened = true
	q.open(u)
}

// isOpen reports whether a statement that a finding rests on is open.
func (q *inquiry) isOpen(refs []policy.Reference) bool {
	return slices.ContainsFunc(refs, func(r policy.Reference) bool {
		if r.Source < 0 || r.Source >= len(q.s.Set.Sources) || q.s.Set.Sources[r.Source].Surely == nil {
			return false
		}
		_, open := q.s.Set.Sources[r.Source].Surely.Open[r.Statement]
		return open
	})
}
