package audit

import "buzon/agent/internal/judge/reach"

// askEscalate: no way to more rights, by IAM, STS, a role that is passed on, a
// grant on a key, or another service that acts for the caller. sts:AssumeRole is
// also allowed by the trust policy of a role that names the principal.
func askEscalate(q *inquiry) {
	q.forbidden(parts().actions[RuleEscalate], reach.Everything())
}
