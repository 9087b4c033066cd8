package audit

import "buzon/agent/internal/judge/reach"

// askList: no buckets, objects, versions, uploads or parts may be listed.
func askList(q *inquiry) {
	q.forbidden(parts().actions[RuleList], reach.Everything())
}
