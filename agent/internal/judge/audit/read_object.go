package audit

import "buzon/agent/internal/judge/reach"

// askReadObject: no bytes, versions, attributes, tags or ACLs of any object, in
// this bucket or any other.
func askReadObject(q *inquiry) {
	q.forbidden(parts().actions[RuleReadObject], reach.Everything())
}
