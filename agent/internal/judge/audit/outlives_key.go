package audit

import "buzon/agent/internal/judge/reach"

// askOutlivesKey: (user) write with a session that outlives the key that it came from.
// GetSessionToken needs no right and can't be denied; its sessions carry
// aws:TokenIssueTime and last up to 36 hours, whatever becomes of the key (STS API,
// GetSessionToken; IAM User Guide, "aws:TokenIssueTime"). Roles have sessions only.
func askOutlivesKey(q *inquiry) {
	if q.s.Set.Subject.Type != "User" {
		return
	}
	question := reach.Question{Actions: []string{putObject}, Resources: reach.Under(q.objects...), Present: []string{"aws:tokenissuetime"}}
	a := q.engine.Find(question)
	if a.Kind != reach.Found {
		return // what stays open here is no right that anybody has
	}
	if !q.allows(&q.s.Set, a.Witness) {
		q.disagree(a.Witness)
		return
	}
	grants, through := q.granting(reply{question: question, engine: q.engine}, a.Because)
	q.find(Finding{
		Actions: a.Actions, Witness: q.witness(a.Witness, false), Environment: q.environment(a.Witness), Because: grants, Through: through,
	})
}
