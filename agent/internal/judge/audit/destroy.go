package audit

import "buzon/agent/internal/judge/reach"

// askDestroyByConfiguration: no setting may be changed that makes data vanish:
// lifecycle, replication, versioning, batch jobs, locks, keys.
func askDestroyByConfiguration(q *inquiry) {
	q.forbidden(parts().actions[RuleDestroyByConfig], reach.Everything())
}
