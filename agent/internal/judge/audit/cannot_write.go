package audit

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/reach"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// askCannotWrite: the principal must be able to write every key under its prefix
// that the agent can make, with the requests that it sends, in one environment.
// Only a part of the prefix is a violation of its own: the policy says something
// else than it seems to.
func askCannotWrite(q *inquiry) {
	c := q.engine.Covers(q.object(""), reach.AgentCalls(), q.oddKeys()...)
	q.doubts(c.Doubts)
	switch c.Kind {
	case reach.Full:
		q.surelyWrites(&c)
		q.encrypts()
		if len(c.Environment) > 0 {
			q.out.Environment = q.context(c.Environment)
		}
	case reach.Part, reach.None:
		if slices.ContainsFunc(q.s.Gaps, sources.Gap.MayAllow) {
			return // what wasn't read may be what allows it; that is undecided already
		}
		f := Finding{Actions: []string{putObject}, Because: q.because(c.Because), Detail: DetailNone}
		if c.Kind == reach.Part {
			f.Detail, q.out.part = DetailPart, true
		}
		if c.Missing != "" {
			// The request that should be allowed and isn't.
			stops := q.engine.Stopped(reach.Witness{Action: putObject, Resource: c.Missing, Context: reach.AgentCalls()[0].Context})
			f.Missing = q.s.Show(c.Missing)
			f.Stops = q.stops(stops)
			if c.Kind == reach.Part || len(c.Because) == 0 {
				q.needs(&f, c.Missing)
			}
		}
		q.find(f)
	case reach.Open:
		if len(c.Doubts) == 0 {
			q.doubts([]reach.Doubt{{Reason: reach.NotModelled, Reference: nowhere.ref}})
		}
	}
}

// encrypts notes a principal that may write and not use the bucket's key: S3 asks
// for kms:GenerateDataKey in its name (S3 User Guide, "Required permissions for
// Amazon S3 API operations"), and its writes would be refused.
func (q *inquiry) encrypts() {
	if q.s.Key == "" {
		return
	}
	a := q.engine.Find(reach.Question{Actions: []string{"kms:GenerateDataKey"}, Resources: reach.Under(q.s.Key)})
	if a.Kind == reach.Nothing {
		q.out.Notes = append(q.out.Notes, Note{What: NoteKeyDenied, Source: -1, Name: q.s.Show(q.s.Key)})
	}
}

// needs names what Allows of the principal's own ask of a request that would write an
// object, and the agent's doesn't hold: without it the object looks granted.
func (q *inquiry) needs(f *Finding, object string) {
	var because []Because
	for i, src := range q.s.Set.Sources {
		if src.Document == nil || !q.gives(policy.Reference{Source: i}) {
			continue
		}
		for j := range src.Document.Statements {
			st := &src.Document.Statements[j]
			if st.Effect != policy.Allow || st.NotAction || st.NotResource || len(st.Conditions) == 0 || !speaksOf(st, putObject) {
				continue
			}
			if !slices.ContainsFunc(st.Resources, func(r policy.Text) bool {
				return matches(textOf(r.Value, true, src.Document.Variables(), q.s.Set.Symbols).value, object)
			}) {
				continue
			}
			for _, c := range st.Conditions {
				f.Needs = append(f.Needs, q.s.Show(c.Key+" "+c.Operator.String()+" "+strings.Join(values(c.Values), ", ")))
			}
			because = append(because, q.reference(policy.Reference{Source: i, Statement: j}))
		}
	}
	if len(f.Needs) > 0 {
		f.Because = because
		f.Fix = Fix{ID: "cannot-write-condition", Args: map[string]string{"conditions": strings.Join(f.Needs, "; ")}}
	}
}

// oddKeys are the globs of keys under the prefix with a part that is empty or .
// or .., which leads whoever copies objects into files elsewhere. The agent makes
// no such key, and a guard may refuse them.
func (q *inquiry) oddKeys() []string {
	globs := []string{q.object("/"), q.object("*//")}
	for _, part := range []string{".", ".."} {
		for _, front := range []string{"", "*/"} {
			whole := strings.TrimSuffix(q.object(front+part), "*")
			globs = append(globs, whole, whole+"/*")
		}
	}
	return globs
}

// surelyWrites asks the same of what surely is deployed.
func (q *inquiry) surelyWrites(c *reach.Coverage) {
	if q.certain() == nil {
		return
	}
	engine := reach.New(&q.least.set, reach.Options{Budget: q.judge.opts.Budget, Now: q.judge.opts.Now, Space: q.judge.space})
	if least := engine.Covers(q.object(""), reach.AgentCalls(), q.oddKeys()...); least.Kind != reach.Full {
		q.openings(nil)
	} else {
		c.Environment = least.Environment
	}
}

// Details of cannot-write.
const (
	DetailNone = "none"
	DetailPart = "part"
)
