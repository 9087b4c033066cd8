package audit

import (
	"buzon/agent/internal/judge/reach"
	"buzon/agent/internal/judge/sources"
)

// askOverwrite: an object that exists must not be replaced, unless versioning
// keeps what was there. A guard that asks for If-None-Match on the step that
// makes the object prevents it (S3 User Guide, "Enforce conditional writes on
// Amazon S3 buckets"). Where versioning isn't known, that stands among the
// assumptions.
func askOverwrite(q *inquiry) {
	if q.s.Versioning != sources.VersioningOff {
		return
	}
	q.forbiddenIn(map[string][]string{
		"s3:if-none-match": {}, "s3:objectcreationoperation": {"true"}, "aws:securetransport": {"true"},
	}, []string{putObject}, reach.Under(q.objects...))
}

// forbiddenIn is forbidden for requests with a given context.
func (q *inquiry) forbiddenIn(context map[string][]string, actions []string, on reach.Resources) {
	q.ask(reach.Question{Actions: actions, Resources: on, Context: context})
}
