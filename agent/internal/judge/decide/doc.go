// Package decide answers one concrete request of one principal as IAM would:
// Allowed, ExplicitDeny or ImplicitDeny, with the statements responsible, or
// Unclear where a document holds something that isn't understood and that would
// change the answer.
//
//	result := decide.New(set).Decide(decide.Request{Action: "s3:PutObject", Resource: "arn:aws:s3:::b/k"})
//
// It follows IAM's rules statement by statement and knows no sets of requests;
// package reach does, and is written apart, so that tests can set one against
// the other. Where AWS's own pages leave a matter open, an Allow is read widely
// and a Deny narrowly, never the reverse: docs/decisions/reading-iam.md lists these matters.
//
// It sees only the documents of the set. VPC endpoint policies, ACLs and the
// public access block are not modelled; what a service itself refuses is not
// either.
package decide
