package audit

import "buzon/agent/internal/judge/reach"

// askDeleteObject: no object or version may be deleted, no retention bypassed.
// To abort uploads under the prefix is tolerated: the initiator may do it anyway
// (S3 User Guide, "Multipart upload API and permissions").
func askDeleteObject(q *inquiry) {
	q.forbidden(parts().actions[RuleDeleteObject], reach.Everything())
	q.forbidden([]string{abortUpload}, reach.Except(q.objects...))
}
