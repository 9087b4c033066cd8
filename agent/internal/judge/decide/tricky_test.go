package decide

import (
	"testing"

	"buzon/agent/policy"
)

// row is one request with its documents and the answer that AWS's pages ask
// for. All rows but the private ones are part of the corpus as well.
type row struct {
	name    string
	subject *policy.Subject // the user, unless given
	docs    []doc
	owner   string // of the bucket, unless it is the user's account
	action  string
	on      string
	context map[string][]string
	want    Outcome
	private bool
}

func (r row) set(t testing.TB) *policy.Set {
	subject := theUser()
	if r.subject != nil {
		subject = *r.subject
	}
	set := makeSet(t, subject, r.docs...)
	if r.owner != "" {
		set.BucketAccount = r.owner
	}
	return set
}

func (r row) check(t *testing.T) {
	t.Helper()
	got := Decide(r.set(t), Request{Action: r.action, Resource: r.on, Context: r.context})
	if got.Outcome != r.want {
		t.Errorf("%s: got %v, want %v", r.name, got.Outcome, r.want)
	}
}

// allows is an identity policy of one Allow with these elements.
func allows(elements string) []doc {
	return []doc{{"user-inline", `{"Effect": "Allow", ` + elements + `}`}}
}

// denies is the same beside an Allow of everything.
func denies(elements string) []doc {
	return []doc{{"user-inline", allowAll + `, {"Effect": "Deny", ` + elements + `}`}}
}

func acting(action string) string { return `"Action": "` + action + `", "Resource": "*"` }

func context(pairs ...string) map[string][]string {
	m := make(map[string][]string)
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = append(m[pairs[i]], pairs[i+1])
	}
	return m
}

func version(v, statement string) doc {
	return doc{"user-inline", `{"Version": "` + v + `", "Statement": ` + statement + `}`}
}

func trickyRows() []row {
	session := theSession()
	const put, get, list = "s3:PutObject", "s3:GetObject", "s3:ListBucket"
	on := func(resource string) string { return `"Action": "s3:*", "Resource": "` + resource + `"` }
	inUsers := `{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::slot/${aws:username}/*"}`
	return []row{
		// actions
		{name: "the case of an action means nothing", docs: allows(acting("S3:pUTobject")), action: put, on: object, want: Allowed},
		{name: "a star at the end of an action", docs: allows(acting("s3:Put*")), action: "s3:PutObjectAcl", on: object, want: Allowed},
		{name: "a star in the middle of an action", docs: allows(acting("s3:*Object")), action: get, on: object, want: Allowed},
		{name: "a star in the middle takes no more than it says", docs: allows(acting("s3:*Object")), action: "s3:PutObjectAcl", on: object, want: ImplicitDeny},
		{name: "a question mark is one character", docs: allows(acting("s3:?etObject")), action: get, on: object, want: Allowed},
		{name: "a question mark is not none", docs: allows(acting("s3:?PutObject")), action: put, on: object, want: ImplicitDeny},
		{name: "another service", docs: allows(acting("s3-object-lambda:*")), action: get, on: object, want: ImplicitDeny},
		{name: "everything", docs: allows(acting("*")), action: get, on: object, want: Allowed},
		{name: "NotAction of another service", docs: allows(`"NotAction": "iam:*", "Resource": "*"`), action: get, on: object, want: Allowed},
		{name: "NotAction of this one", docs: allows(`"NotAction": ["iam:*", "s3:get*"], "Resource": "*"`), action: get, on: object, want: ImplicitDeny},
		{name: "a Deny of all but the one", docs: denies(`"NotAction": "s3:PutObject", "Resource": "*"`), action: get, on: object, want: ExplicitDeny},
		{name: "a Deny of all but the one spares it", docs: denies(`"NotAction": "s3:PutObject", "Resource": "*"`), action: put, on: object, want: Allowed},

		// resources
		{name: "a star crosses slashes", docs: allows(on("arn:aws:s3:::slot/*/a")), action: put, on: object, want: Allowed},
		{name: "the case of a key counts", docs: allows(on("arn:aws:s3:::slot/Uploads/*")), action: put, on: object, want: ImplicitDeny},
		{name: "objects aren't the bucket", docs: allows(on("arn:aws:s3:::slot/*")), action: list, on: slot, want: ImplicitDeny},
		{name: "the bucket isn't its objects", docs: allows(on("arn:aws:s3:::slot")), action: put, on: object, want: ImplicitDeny},
		{name: "a bucket's name that begins alike", docs: allows(on("arn:aws:s3:::sl*")), action: put, on: object, want: Allowed},
		{name: "without the slash a sibling is covered", docs: allows(on("arn:aws:s3:::slot/uploads/vm-01*")), action: put, on: "arn:aws:s3:::slot/uploads/vm-011/a", want: Allowed},
		{name: "with the slash it isn't", docs: allows(on("arn:aws:s3:::slot/uploads/vm-01/*")), action: put, on: "arn:aws:s3:::slot/uploads/vm-011/a", want: ImplicitDeny},
		{name: "the empty rest", docs: allows(on("arn:aws:s3:::slot/uploads/vm-01/*")), action: put, on: "arn:aws:s3:::slot/uploads/vm-01/", want: Allowed},
		{name: "colons in a key", docs: allows(on("arn:aws:s3:::slot/a:b:*")), action: put, on: "arn:aws:s3:::slot/a:b:c:d", want: Allowed},
		{name: "a question mark in a key", docs: allows(on("arn:aws:s3:::slot/uploads/vm-0?/a")), action: put, on: object, want: Allowed},
		{name: "NotResource of another bucket", docs: allows(`"Action": "s3:*", "NotResource": "arn:aws:s3:::other/*"`), action: put, on: object, want: Allowed},
		{name: "NotResource of this one", docs: allows(`"Action": "s3:*", "NotResource": ["arn:aws:s3:::other/*", "arn:aws:s3:::slot/*"]`), action: put, on: object, want: ImplicitDeny},
		{name: "a Deny outside the prefix", docs: denies(`"Action": "s3:*", "NotResource": "arn:aws:s3:::slot/uploads/vm-01/*"`), action: put, on: "arn:aws:s3:::slot/x", want: ExplicitDeny},
		{name: "a Deny outside the prefix spares the prefix", docs: denies(`"Action": "s3:*", "NotResource": "arn:aws:s3:::slot/uploads/vm-01/*"`), action: put, on: object, want: Allowed},
		{name: "a call without a resource under a star", docs: allows(acting("s3:*")), action: "s3:ListAllMyBuckets", on: "*", want: Allowed},
		{name: "a call without a resource under an ARN", docs: allows(on("arn:aws:s3:::*")), action: "s3:ListAllMyBuckets", on: "*", want: ImplicitDeny},
		{name: "a short ARN is completed", docs: allows(on("arn:aws:s3")), action: put, on: object, want: Allowed},
		{name: "a star that would have to run past colons", docs: allows(on("arn:aws:s3:*:slot/uploads/*")), action: put, on: object, want: Allowed},
		{name: "a partition's wildcard", docs: allows(on("arn:*:s3:::slot/*")), action: put, on: object, want: Allowed},

		// variables
		{name: "the user's name", docs: allows(on("arn:aws:s3:::slot/uploads/${aws:username}/*")), action: put, on: object, want: Allowed},
		{name: "the user's name isn't another's", docs: allows(on("arn:aws:s3:::slot/uploads/${aws:username}/*")), action: put, on: "arn:aws:s3:::slot/uploads/vm-02/a", want: ImplicitDeny},
		{name: "a variable's key has no case", docs: allows(on("arn:aws:s3:::slot/uploads/${AWS:UserName}/*")), action: put, on: object, want: Allowed},
		{name: "a session has no user name", subject: &session, docs: []doc{{"role-inline", inUsers}}, action: put, on: "arn:aws:s3:::slot//a", want: ImplicitDeny},
		{name: "the default where there is no name", subject: &session, docs: []doc{{"role-inline", `{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::slot/${aws:username, 'nobody'}/*"}`}}, action: put, on: "arn:aws:s3:::slot/nobody/a", want: Allowed},
		{name: "no default where there is a name", docs: allows(on("arn:aws:s3:::slot/${aws:username, 'nobody'}/*")), action: put, on: "arn:aws:s3:::slot/nobody/a", want: ImplicitDeny},
		{name: "a tag with a star in it is text", docs: allows(on("arn:aws:s3:::slot/${aws:PrincipalTag/dir}/*")), action: put, on: object, context: context("aws:principaltag/dir", "*"), want: ImplicitDeny},
		{name: "a tag with a star in it is itself", docs: allows(on("arn:aws:s3:::slot/${aws:PrincipalTag/dir}/*")), action: put, on: "arn:aws:s3:::slot/*/a", context: context("aws:principaltag/dir", "*"), want: Allowed},
		{name: "a star as a literal", docs: allows(on("arn:aws:s3:::slot/${*}/a")), action: put, on: "arn:aws:s3:::slot/*/a", want: Allowed},
		{name: "a star as a literal is no wildcard", docs: allows(on("arn:aws:s3:::slot/${*}/a")), action: put, on: "arn:aws:s3:::slot/x/a", want: ImplicitDeny},
		{name: "a question mark as a literal", docs: allows(on("arn:aws:s3:::slot/${?}")), action: put, on: "arn:aws:s3:::slot/x", want: ImplicitDeny},
		{name: "a dollar as a literal", docs: allows(on("arn:aws:s3:::slot/${$}{x}")), action: put, on: "arn:aws:s3:::slot/${x}", want: Allowed},
		{name: "in the version of 2008 a variable is text", docs: []doc{version("2008-10-17", inUsers)}, action: put, on: "arn:aws:s3:::slot/vm-01/a", want: ImplicitDeny},
		{name: "in the version of 2008 it is that text", docs: []doc{version("2008-10-17", inUsers)}, action: put, on: "arn:aws:s3:::slot/${aws:username}/a", want: Allowed},
		{name: "no version is that of 2008", docs: []doc{{"user-inline", `{"Statement": ` + inUsers + `}`}}, action: put, on: "arn:aws:s3:::slot/vm-01/a", want: ImplicitDeny},
		{name: "a Deny of a resource without a value", subject: &session, docs: []doc{{"role-inline", allowAll + `, {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::slot/${aws:username}*"}`}}, action: put, on: object, want: Allowed},
		{name: "a Deny outside a resource without a value", subject: &session, docs: []doc{{"role-inline", allowAll + `, {"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::slot/${aws:username}*"}`}}, action: put, on: object, want: Allowed},
		{name: "an Allow outside a resource without a value", subject: &session, docs: []doc{{"role-inline", `{"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::slot/${aws:username}*"}`}}, action: put, on: object, want: Allowed},
		{name: "a value from another key", docs: allows(acting("s3:*") + `, "Condition": {"StringEquals": {"s3:x-amz-acl": "${aws:PrincipalTag/acl}"}}`), action: put, on: object, context: context("s3:x-amz-acl", "private", "aws:principaltag/acl", "private"), want: Allowed},
		{name: "a value from a key without one", docs: allows(acting("s3:*") + `, "Condition": {"StringEquals": {"s3:x-amz-acl": "${aws:PrincipalTag/acl}"}}`), action: put, on: object, context: context("s3:x-amz-acl", "private"), want: ImplicitDeny},
		{name: "a negated value from a key without one", docs: allows(acting("s3:*") + `, "Condition": {"StringNotEquals": {"s3:x-amz-acl": "${aws:PrincipalTag/acl}"}}`), action: put, on: object, context: context("s3:x-amz-acl", "private"), want: Allowed},

		// conditions
		{name: "all operators must hold", docs: allows(acting("s3:*") + `, "Condition": {"StringEquals": {"s3:x-amz-acl": "private"}, "Bool": {"aws:SecureTransport": true}}`), action: put, on: object, context: context("s3:x-amz-acl", "private", "aws:securetransport", "false"), want: ImplicitDeny},
		{name: "all keys must hold", docs: allows(acting("s3:*") + `, "Condition": {"StringEquals": {"s3:x-amz-acl": "private", "s3:x-amz-storage-class": "STANDARD"}}`), action: put, on: object, context: context("s3:x-amz-acl", "private"), want: ImplicitDeny},
		{name: "any value will do", docs: allows(acting("s3:*") + `, "Condition": {"StringEquals": {"s3:x-amz-acl": ["public-read", "private"]}}`), action: put, on: object, context: context("s3:x-amz-acl", "private"), want: Allowed},
		{name: "negated, no value may match", docs: allows(acting("s3:*") + `, "Condition": {"StringNotEquals": {"s3:x-amz-acl": ["public-read", "private"]}}`), action: put, on: object, context: context("s3:x-amz-acl", "private"), want: ImplicitDeny},
		{name: "a condition key has no case", docs: allows(acting("s3:*") + `, "Condition": {"StringEquals": {"S3:X-AMZ-ACL": "private"}}`), action: put, on: object, context: context("s3:x-amz-acl", "private"), want: Allowed},
		{name: "Null true wants the key absent", docs: allows(acting("s3:*") + `, "Condition": {"Null": {"s3:x-amz-acl": "true"}}`), action: put, on: object, want: Allowed},
		{name: "Null true refuses it", docs: allows(acting("s3:*") + `, "Condition": {"Null": {"s3:x-amz-acl": true}}`), action: put, on: object, context: context("s3:x-amz-acl", "private"), want: ImplicitDeny},
		{name: "Null false wants the key", docs: allows(acting("s3:*") + `, "Condition": {"Null": {"s3:x-amz-acl": "false"}}`), action: put, on: object, context: context("s3:x-amz-acl", "private"), want: Allowed},
		{name: "Null false refuses its absence", docs: allows(acting("s3:*") + `, "Condition": {"Null": {"s3:x-amz-acl": "false"}}`), action: put, on: object, want: ImplicitDeny},
		{name: "a Deny without MFA that long-term keys slip past", docs: denies(acting("s3:*") + `, "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}`), action: put, on: object, want: Allowed},
		{name: "a Deny without MFA that they don't", docs: denies(acting("s3:*") + `, "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}`), action: put, on: object, want: ExplicitDeny},
		{name: "a Deny by address that an endpoint slips past", docs: denies(acting("s3:*") + `, "Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}`), action: put, on: object, want: Allowed},
		{name: "a Deny outside an address holds without one", docs: denies(acting("s3:*") + `, "Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}`), action: put, on: object, want: ExplicitDeny},
		{name: "an address by IPv6 against a block by IPv4", docs: allows(acting("s3:*") + `, "Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}`), action: put, on: object, context: context("aws:sourceip", "2001:db8::1"), want: ImplicitDeny},
		{name: "seconds since 1970", docs: allows(acting("s3:*") + `, "Condition": {"NumericLessThan": {"aws:EpochTime": "1798761600"}}`), action: put, on: object, context: context("aws:epochtime", "1798761599"), want: Allowed},
		{name: "a date of the day alone", docs: allows(acting("s3:*") + `, "Condition": {"DateLessThan": {"aws:CurrentTime": "2027-01-01"}}`), action: put, on: object, context: context("aws:currenttime", "2026-12-31T23:59:59Z"), want: Allowed},
		{name: "a date with an offset", docs: allows(acting("s3:*") + `, "Condition": {"DateEquals": {"aws:CurrentTime": "2027-01-01T01:00:00+01:00"}}`), action: put, on: object, context: context("aws:currenttime", "2027-01-01T00:00:00Z"), want: Allowed},
		{name: "the principal's own ARN", docs: denies(acting("s3:*") + `, "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/buzon/*"}}`), action: put, on: object, want: ExplicitDeny},
		{name: "a star that doesn't cross the colon", docs: denies(acting("s3:*") + `, "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*/buzon/*"}}`), action: put, on: object, want: Allowed},
		{name: "in a string it does", docs: denies(acting("s3:*") + `, "Condition": {"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*/buzon/*"}}`), action: put, on: object, want: ExplicitDeny},
		{name: "a session's ARN is its role's", subject: &session, docs: []doc{{"role-inline", allowAll + `, {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/buzon/vm-01"}}}`}}, action: put, on: object, want: ExplicitDeny},

		{name: "bytes that are spelt another way", docs: allows(acting("s3:*") + `, "Condition": {"BinaryEquals": {"aws:UserAgent": "Ya=="}}`), action: put, on: object, context: context("aws:useragent", "YQ=="), want: Allowed},
		{name: "bytes that a request doesn't spell so", docs: allows(acting("s3:*") + `, "Condition": {"BinaryEquals": {"aws:UserAgent": "YQ=="}}`), action: put, on: object, context: context("aws:useragent", "Ya=="), want: ImplicitDeny},

		// the guard and append-only
		{name: "append-only without the header", docs: []doc{{"user-inline", allowPut}, {"bucket-policy", appendOnly}}, action: put, on: object, context: context("s3:objectcreationoperation", "true"), want: ExplicitDeny},
		{name: "append-only with the header", docs: []doc{{"user-inline", allowPut}, {"bucket-policy", appendOnly}}, action: put, on: object, context: context("s3:objectcreationoperation", "true", "s3:if-none-match", "*"), want: Allowed},
		{name: "append-only and a part", docs: []doc{{"user-inline", allowPut}, {"bucket-policy", appendOnly}}, action: put, on: object, context: context("s3:objectcreationoperation", "false"), want: Allowed},
		{name: "the guard against a broad policy", docs: []doc{{"user-inline", allowAll}, {"bucket-policy", guard}}, action: get, on: object, want: ExplicitDeny},
		{name: "the guard lets the uploader write", docs: []doc{{"user-inline", allowAll}, {"bucket-policy", guard}}, action: put, on: object, want: Allowed},
		{name: "the guard and a neighbour's prefix", docs: []doc{{"user-inline", allowAll}, {"bucket-policy", guard}}, action: put, on: "arn:aws:s3:::slot/uploads/vm-02/a", want: ExplicitDeny},
		{name: "the guard and another bucket", docs: []doc{{"user-inline", allowAll}, {"bucket-policy", guard}}, action: get, on: "arn:aws:s3:::other/a", want: Allowed},
		{name: "AmazonS3FullAccess", docs: allows(`"Action": ["s3:*", "s3-object-lambda:*"], "Resource": "*"`), action: get, on: "arn:aws:s3:::any/thing", want: Allowed},
	}
}

const (
	appendOnly = `{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::slot/uploads/*",
		"Condition": {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}}`
	guard = `{"Effect": "Deny", "Principal": "*", "NotAction": ["s3:PutObject", "s3:AbortMultipartUpload"], "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"],
		"Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/buzon/*"}}},
		{"Effect": "Deny", "Principal": "*", "Action": ["s3:PutObject", "s3:AbortMultipartUpload"], "NotResource": "arn:aws:s3:::slot/uploads/${aws:username}/*",
		"Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/buzon/*"}}}`
)

func TestTrickyRequests(t *testing.T) {
	for _, r := range trickyRows() {
		r.check(t)
	}
}

func TestADenyIsReadNarrowlyWhereAWildcardWouldCrossAColon(t *testing.T) {
	for _, r := range []row{
		{name: "the star of a segment stays in it", docs: denies(`"Action": "s3:*", "Resource": "arn:aws:s3:*:slot/*"`), action: "s3:GetObject", on: object, want: Allowed},
		{name: "… and is the rest in the last", docs: denies(`"Action": "s3:*", "Resource": "arn:aws:s3:::*"`), action: "s3:GetObject", on: "arn:aws:s3:::slot/a:b", want: ExplicitDeny},
		{name: "NotResource of an Allow is narrow too", docs: allows(`"Action": "s3:*", "NotResource": "arn:aws:s3:*:slot/*"`), action: "s3:GetObject", on: object, want: Allowed},
		{name: "NotResource of a Deny is wide", docs: denies(`"Action": "s3:*", "NotResource": "arn:aws:s3:*:slot/*"`), action: "s3:GetObject", on: object, want: Allowed},
		{name: "a short ARN of a resource policy", docs: []doc{{"user-inline", allowAll}, {"bucket-policy", `{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3"}`}}, action: "s3:GetObject", on: object, want: Allowed},
		{name: "a short ARN with a wildcard", docs: []doc{{"user-inline", allowAll}, {"bucket-policy", `{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:*"}`}}, action: "s3:GetObject", on: object, want: ExplicitDeny},
	} {
		r.check(t)
	}
}
