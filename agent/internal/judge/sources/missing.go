package sources

import (
	"strings"

	"buzon/agent/policy"
)

// Topic is something that can add rights to a principal.
type Topic string

// The topics of assumptions.
const (
	TopicPrincipal      Topic = "principal"
	TopicUserPolicies   Topic = "user-policies"
	TopicGroupPolicies  Topic = "group-policies"
	TopicBucketPolicy   Topic = "bucket-policy"
	TopicAccessPoint    Topic = "access-point"
	TopicAccessGrants   Topic = "access-grants"
	TopicRoleTrust      Topic = "role-trust"
	TopicOtherResources Topic = "other-resources"
	TopicACL            Topic = "acl"
	TopicVersioning     Topic = "versioning"
	TopicCredentials    Topic = "credentials"
	TopicKeyPolicy      Topic = "key-policy"
	TopicBucketOwner    Topic = "bucket-owner"
	TopicAWSManaged     Topic = "aws-managed-policy"
	TopicNestedStack    Topic = "nested-stack"
	TopicCustomResource Topic = "custom-resource"

	// TopicPath: a principal's path is open, and taken to be one of those to judge.
	TopicPath Topic = "path"

	TopicOutsidePlan Topic = "outside-the-plan"
	TopicPlanPartial Topic = "plan-partial"
	TopicOtherStack  Topic = "other-stack"
	TopicPrivateType Topic = "private-type"
)

// Why says why a topic was not read.
type Why string

// The reasons of assumptions.
const (
	NotGiven Why = "not given"
	NotRead  Why = "not read"
	Outside  Why = "outside the template"

	OutsidePlan Why = "outside the plan"
)

// Assumption is something that could add rights and was not read.
type Assumption struct {
	What Topic
	Why  Why
}

// GapReason says why a document that should be judged could not be.
type GapReason string

// The reasons of gaps.
const (
	// GapDenied: the reader lacks a permission.
	GapDenied GapReason = "not-permitted"
	// GapFailed: the read failed in another way, again and again.
	GapFailed GapReason = "not-readable"
	// GapUnknownPolicy: a managed policy whose document is nowhere to be had.
	GapUnknownPolicy GapReason = "policy-unknown"
	// GapUnknownGroup: a group whose policies are nowhere to be had.
	GapUnknownGroup GapReason = "group-unknown"
	// GapUnresolved: a part of a template whose value synthesis can't know.
	GapUnresolved GapReason = "template-unresolved"
	// GapOutcomes: what templates leave open has more outcomes than are looked at;
	// What names what would have to be given.
	GapOutcomes GapReason = "too-many-outcomes"
	// GapNotModelled: a way to rights that this judge does not follow to its end.
	GapNotModelled GapReason = "not-modelled"
	// GapTruncated: the export holds only a part of the account.
	GapTruncated GapReason = "truncated"
	// GapContradicts: what the source says of it can't all be so.
	GapContradicts GapReason = "contradicts"
	// GapMalformed: what AWS gave is not a policy document.
	GapMalformed GapReason = "malformed"
)

// Gap is something that must be read for a verdict and could not be.
type Gap struct {
	Reason     GapReason
	What       string // an ARN, a name, an expression
	Permission string // the missing one, if that is why
	Call       string // the live read that failed: "s3:GetBucketAcl"
	Code       string // why it failed: AWS's error code, or a Lost
	Source     int    // index in the set's sources, or -1
	File       string // of Pos
	Pos        policy.Position
}

// MayAllow reports whether what is missing may hold an Allow that the principal
// lives by: a policy of its own, of its groups, or the bucket's.
func (g Gap) MayAllow() bool {
	switch g.Reason {
	case GapUnknownPolicy, GapUnknownGroup, GapTruncated, GapContradicts, GapMalformed, GapUnresolved, GapOutcomes, GapNotModelled:
		return true
	case GapDenied, GapFailed:
		return strings.HasPrefix(g.Call, "iam:") && g.Call != "iam:ListRoles" && g.Call != simulated || g.Call == "s3:GetBucketPolicy"
	}
	return false
}

// Note is something that a reader should know of how the sources were read.
type Note struct {
	What   NoteWhat
	Source int    // index in the set's sources, or -1
	Name   string // what it is about, where that is no source
}

// NoteWhat says what a note tells.
type NoteWhat string

// The notes.
const (
	// NoteGuessedARN: the principal could not be read; its ARN is made of its name.
	NoteGuessedARN NoteWhat = "arn-guessed"
	// NoteOldVersion: the file's version of a managed policy isn't the default one.
	NoteOldVersion NoteWhat = "old-version"
	// NoteAWSManaged: policies of AWS are taken as they were known at the date Name.
	NoteAWSManaged NoteWhat = "aws-managed-policy"
	// NoteACLElsewhere: the bucket's ACL gives something to another account, Name.
	NoteACLElsewhere NoteWhat = "acl-elsewhere"
	// NoteAllBuckets: the policies of all buckets of the account were read, Name of them.
	NoteAllBuckets NoteWhat = "all-buckets"
	// NoteUnwrapped: the file held more than the document, which was taken out of
	// the element Name.
	NoteUnwrapped NoteWhat = "unwrapped"
)
