package audit

import (
	"cmp"
	"slices"
	"strings"

	"buzon/agent/internal/judge/reach"
	"buzon/agent/policy"
)

// latent asks what would be allowed if some of what narrows the set were not
// there, leaving out what is allowed today, and reports it with what stops it.
func (q *inquiry) latent(without reach.Without) {
	if !narrows(&q.s.Set, without) {
		return
	}
	without.Statements = append(slices.Clone(without.Statements), q.widened...)
	engine := reach.New(&q.s.Set, q.options(without))
	var found *Finding
	ask := func(actions []string, on reach.Resources) {
		if !q.reached.none() {
			actions = slices.DeleteFunc(slices.Clone(actions), func(a string) bool { return q.reached.has(a) })
		}
		if len(actions) == 0 {
			return
		}
		a := engine.Find(reach.Question{Actions: actions, Resources: on})
		if a.Kind != reach.Found {
			return // what stays open here is no right that anybody has
		}
		a = q.plainest(a, func(action string) reach.Answer {
			return engine.Find(reach.Question{Actions: []string{action}, Resources: on})
		})
		grants, through := q.granting(reply{question: reach.Question{Actions: a.Actions, Resources: on}, engine: engine}, a.Because)
		if found != nil {
			found.Actions = append(found.Actions, a.Actions...)
			found.Because = unite(found.Because, grants)
			return
		}
		if !q.allows(reduced(&q.s.Set, without), a.Witness) {
			q.disagree(a.Witness)
			return
		}
		found = &Finding{
			Actions: a.Actions, Witness: q.witness(a.Witness, true), Because: grants, Through: through,
			Stops: q.stops(q.engine.Stopped(a.Witness)),
		}
	}
	for _, rule := range forbidding {
		actions, _ := q.judge.split(parts().actions[rule])
		if rule == RuleWriteElsewhere {
			ask(append([]string{putObject}, actions...), reach.Except(q.objects...))
			ask([]string{abortUpload}, reach.Except(q.objects...))
			ask(actions, reach.Under(q.objects...))
		} else {
			ask(actions, reach.Everything())
		}
	}
	if found != nil {
		slices.SortFunc(found.Actions, func(a, b string) int {
			return cmp.Or(strings.Compare(serviceOf(a), serviceOf(b)), strings.Compare(a, b))
		})
		found.Actions = compress(slices.Compact(found.Actions), parts().everything())
		q.find(*found)
	}
}

// narrows reports whether the set holds anything of what is to be left out: else
// nothing can be latent, and most sets hold nothing.
func narrows(set *policy.Set, without reach.Without) bool {
	if len(without.Statements) > 0 || len(without.Denies) > 0 {
		return true
	}
	for _, src := range set.Sources {
		if slices.Contains(without.Kinds, src.Kind) {
			return true
		}
		if !without.AllDenies || src.Document == nil {
			continue
		}
		if slices.ContainsFunc(src.Document.Statements, func(st policy.Statement) bool { return st.Effect != policy.Allow }) {
			return true
		}
	}
	return false
}

func (q *inquiry) stops(s reach.Stops) []Stop {
	var out []Stop
	for _, r := range s.Denies {
		stop := Stop{Because: q.reference(r)}
		if r.Source >= 0 && r.Source < len(q.s.Set.Sources) {
			stop.Layer = q.s.Set.Sources[r.Source].Kind
		}
		out = append(out, stop)
	}
	for _, k := range s.Layers {
		out = append(out, Stop{Layer: k, Because: Because{Source: q.sourceOf(k), ref: nowhere.ref}})
	}
	return out
}

func (q *inquiry) sourceOf(k policy.Kind) int {
	return slices.IndexFunc(q.s.Set.Sources, func(s policy.Source) bool { return s.Kind == k })
}

// reduced is the set without what an engine left out, to replay its witness.
func reduced(set *policy.Set, without reach.Without) *policy.Set {
	out := *set
	out.Sources = nil
	for i, src := range set.Sources {
		if slices.Contains(without.Kinds, src.Kind) {
			continue
		}
		if src.Document != nil {
			doc := *src.Document
			doc.Statements = nil
			for j, st := range src.Document.Statements {
				ref := policy.Reference{Source: i, Statement: j}
				if st.Effect == policy.Deny && (without.AllDenies || slices.Contains(without.Denies, i)) ||
					slices.Contains(without.Statements, ref) {
					continue
				}
				doc.Statements = append(doc.Statements, st)
			}
			src.Document = &doc
		}
		out.Sources = append(out.Sources, src)
	}
	return &out
}

// changeable are the condition keys whose value somebody can change without
// touching a policy: by renaming or moving the principal, by tagging, by leaving
// the organization, by sending from elsewhere.
func changeable(key string) bool {
	key = strings.ToLower(key)
	switch key {
	case "aws:username", "aws:userid", "aws:principalarn", "aws:principalorgid", "aws:principalorgpaths",
		"aws:resourceorgid", "aws:resourceorgpaths", "aws:sourceip", "aws:vpcsourceip", "aws:sourcevpc",
		"aws:sourcevpce", "aws:sourcevpcarn", "aws:useragent", "aws:referer", "aws:viaawsservice", "aws:calledvia",
		"aws:calledviafirst", "aws:calledvialast", "aws:requestedregion", "s3:dataaccesspointarn", "s3:dataaccesspointaccount":
		return true
	}
	for _, family := range []string{"aws:principaltag/", "aws:resourcetag/", "aws:requesttag/", "s3:existingobjecttag/", "s3:buckettag/"} {
		if strings.HasPrefix(key, family) {
			return true
		}
	}
	return false
}
