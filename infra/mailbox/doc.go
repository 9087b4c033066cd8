// Package mailbox is a CDK construct: a bucket whose slot only takes, the guard
// in its policy, an identity for each uploader, and the policy of the auditor.
//
//	box := mailbox.New(stack, jsii.String("Uploads"), &mailbox.Props{})
//	box.AddUploader("vm-01")
//
// New refuses props that can't be, by a panic as every construct of the CDK
// does; Props.Faults gives the same faults as values. The zero Props is the
// safest choice of each.
//
// It makes no access key and reads no account. It doesn't promise that what the
// rest of a stack grants leaves an uploader write-only: `agent audit-policy
// --template` judges the template as a whole, and belongs after each synthesis.
package mailbox
