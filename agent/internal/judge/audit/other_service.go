package audit

import "buzon/agent/internal/judge/reach"

// askOtherService: nothing else, in S3 or outside, that was not accepted by name.
// Actions that the catalogue doesn't know are among what it asks for, and so is
// what may be written inside the prefix besides the object itself.
func askOtherService(q *inquiry) {
	others, otherAllowed := q.judge.split(parts().actions[RuleOtherService])
	inside, insideAllowed := q.judge.split(parts().actions[RuleWriteElsewhere])
	q.forbidden(others, reach.Everything())
	q.forbidden(inside, reach.Under(q.objects...))
	q.accepted(otherAllowed, reach.Everything())
	q.accepted(insideAllowed, reach.Under(q.objects...))
}

// split takes the actions that --allow accepts out of a list.
func (j *judge) split(actions []string) (rest, allowed []string) {
	if len(j.allowed) == 0 {
		return actions, nil
	}
	for _, a := range actions {
		if j.allowed[a] {
			allowed = append(allowed, a)
		} else {
			rest = append(rest, a)
		}
	}
	return rest, allowed
}

// accepted notes which of the accepted actions the principal really has.
func (q *inquiry) accepted(actions []string, on reach.Resources) {
	if len(actions) == 0 {
		return
	}
	a := q.asked.Find(reach.Question{Actions: actions, Resources: on})
	if a.Kind == reach.Found {
		q.out.Allowed = append(q.out.Allowed, a.Actions...)
	}
}
