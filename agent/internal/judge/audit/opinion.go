package audit

import (
	"strings"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/reach"
)

// opinion asks the second evaluator, which was written apart, for sample requests beyond
// the contract of a principal of whom nothing was found. It counts those that it refuses;
// one that it allows opens a question.
func (q *inquiry) opinion() {
	if q.out.Verdict != WriteOnly && q.out.Verdict != Waived {
		return
	}
	oracle := decide.New(&q.s.Set)
	for _, action := range leading {
		if q.reached.has(action) || q.judge.allowed[action] {
			continue
		}
		for _, resource := range q.samples(action) {
			got := oracle.Decide(decide.Request{Action: action, Resource: resource, Context: lowerKeys(overTLS)})
			if got.Outcome == decide.Allowed && len(q.s.Set.Symbols) > 0 {
				continue // a name that only deployment will know may be this one
			}
			if got.Outcome == decide.Allowed {
				q.disagree(reach.Witness{Action: action, Resource: resource})
				q.out.Verdict = q.out.conclude()
				return
			}
			q.out.Checked++
		}
	}
}

// samples are resources beyond the contract for an action.
func (q *inquiry) samples(action string) []string {
	bucket, arn := q.bucketARN(), q.s.Set.Subject.ARN
	own := strings.TrimSuffix(q.object(""), "*") + "x"
	switch action {
	case "s3:GetObject", "s3:DeleteObject":
		return []string{own, bucket + "/x", bucket + "-2/" + q.s.Prefix + "x"}
	case putObject:
		if q.s.Prefix == "/" || q.s.Prefix == "" {
			return []string{bucket + "-2/x"}
		}
		return []string{bucket + "/zz-elsewhere/x", strings.TrimSuffix(own, "/x") + "-2/x", bucket + "-2/" + q.s.Prefix + "x"}
	case "s3:ListBucket", "s3:PutBucketPolicy", "s3:PutBucketAcl", "s3:PutLifecycleConfiguration":
		return []string{bucket, bucket + "-2"}
	case "sts:AssumeRole", "iam:PassRole":
		return []string{strings.Replace(arn[:strings.LastIndexByte(arn, ':')+1], ":sts:", ":iam:", 1) + "role/zz-any"}
	}
	return []string{arn}
}
