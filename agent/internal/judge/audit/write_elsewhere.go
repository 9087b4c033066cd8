package audit

import "buzon/agent/internal/judge/reach"

// askWriteElsewhere: nothing may be written outside the prefix, or in another
// bucket. What else may be written inside it is asked by other-service.
func askWriteElsewhere(q *inquiry) {
	q.forbidden([]string{putObject}, reach.Except(q.objects...))
	q.forbidden(parts().actions[RuleWriteElsewhere], reach.Except(q.objects...))
}
