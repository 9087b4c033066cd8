package audit

import "buzon/agent/internal/judge/reach"

// askChangePermissions: no policy, ACL, public access block, access point or
// ownership setting may be changed.
func askChangePermissions(q *inquiry) {
	q.forbidden(parts().actions[RuleChangePermissions], reach.Everything())
}
