package reach

import (
	"slices"
	"strings"
	"testing"

	"buzon/agent/policy"
)

// trap is a set of documents, a question, and the answer.
type trap struct {
	name    string
	subject *policy.Subject // the user, unless given
	docs    []doc
	owner   string // of the bucket, unless it is the user's account
	ask     Question
	want    Kind
	holds   string // what the witness, as text, has to hold
	reason  Reason // of an Unknown
}

func asking(action string) Question { return Question{Actions: []string{action}} }

func on(action string, globs ...string) Question {
	return Question{Actions: []string{action}, Resources: Under(globs...)}
}

func elsewhere(action string, globs ...string) Question {
	return Question{Actions: []string{action}, Resources: Except(globs...)}
}

func allows(elements string) []doc {
	return []doc{{"user-inline", `{"Effect": "Allow", ` + elements + `}`}}
}

func denies(elements string) []doc {
	return []doc{{"user-inline", allowAll + `, {"Effect": "Deny", ` + elements + `}`}}
}

func with(conditions string) string {
	return `"Action": "s3:*", "Resource": "*", "Condition": {` + conditions + `}`
}

func inBucket(statements ...string) doc {
	return doc{"bucket-policy " + bucket, strings.Join(statements, ",")}
}

func grantTo(principal string) string {
	return `{"Effect": "Allow", "Principal": ` + principal + `, "Action": "s3:*", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"]}`
}

func aws(name string) string { return `{"AWS": "` + name + `"}` }

func check(t *testing.T, traps []trap) {
	t.Helper()
	for _, tr := range traps {
		t.Run(tr.name, func(t *testing.T) {
			subject := theUser()
			if tr.subject != nil {
				subject = *tr.subject
			}
			set := makeSet(t, subject, tr.docs...)
			if tr.owner != "" {
				set.BucketAccount = tr.owner
			}
			a := find(t, set, tr.ask)
			if a.Kind != tr.want {
				t.Fatalf("%d, want %d: %+v", a.Kind, tr.want, a)
			}
			if text := shown(a.Witness); !strings.Contains(text, tr.holds) {
				t.Errorf("the witness %q doesn't hold %q", text, tr.holds)
			}
			if tr.reason != "" && !slices.ContainsFunc(a.Doubts, func(d Doubt) bool { return d.Reason == tr.reason }) {
				t.Errorf("the doubts are %+v, not for %s", a.Doubts, tr.reason)
			}
		})
	}
}

// shown writes a witness as one text, its context in order.
func shown(w Witness) string {
	var b strings.Builder
	b.WriteString(w.Action + " " + w.Resource)
	if w.Bucket != "" {
		b.WriteString(" at " + w.Bucket)
	}
	keys := make([]string, 0, len(w.Context))
	for k := range w.Context {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		b.WriteString(" " + k + "=" + strings.Join(w.Context[k], ","))
	}
	return b.String()
}

func TestTrapsOfActionsAndResources(t *testing.T) {
	check(t, []trap{
		{name: "NotAction allows all but what it names", docs: allows(`"NotAction": "s3:GetObject", "Resource": "*"`), ask: asking("iam:CreateUser"), want: Found},
		{name: "NotAction mostCompared out what it names", docs: allows(`"NotAction": "s3:Get*", "Resource": "*"`), ask: asking("s3:GetObject"), want: Nothing},
		{name: "NotAction allows the actions of tomorrow", docs: allows(`"NotAction": "s3:*", "Resource": "*"`), ask: asking("ec2:~"), want: Found, holds: "ec2:ActionOfTomorrow"},
		{name: "… and of services of tomorrow", docs: allows(`"NotAction": "s3:*", "Resource": "*"`), ask: asking("~:~"), want: Found, holds: "service-of-tomorrow:"},
		{name: "… but not of the service that it names", docs: allows(`"NotAction": "s3:*", "Resource": "*"`), ask: asking("s3:~"), want: Nothing},
		{name: "a wildcard allows actions of tomorrow", docs: allows(`"Action": "s3:PutObject*", "Resource": "*"`), ask: asking("s3:~"), want: Found, holds: "s3:PutObjectTomorrow"},
		{name: "a name allows none", docs: allows(`"Action": "s3:PutObject", "Resource": "*"`), ask: asking("s3:~"), want: Nothing},
		{name: "a Deny of actions that it names stops none of tomorrow", docs: denies(`"NotAction": ["s3:PutObject", "s3:Get*"], "Resource": "*"`), ask: asking("s3:~"), want: Found, holds: "s3:GetTomorrow"},
		{name: "a Deny of all stops those of tomorrow", docs: denies(`"NotAction": "s3:PutObject", "Resource": "*"`), ask: asking("s3:~"), want: Nothing},
		{name: "the case of an action means nothing", docs: allows(`"Action": "S3:pUTobject", "Resource": "*"`), ask: asking("s3:PutObject"), want: Found},
		{name: "a name that isn't an action grants nothing", docs: allows(`"Action": "s3:HeadObject", "Resource": "*"`), ask: Question{Actions: []string{"s3:GetObject", "s3:~"}}, want: Found, holds: "s3:HeadObject"},

		{name: "objects are not buckets", docs: allows(`"Action": "s3:*", "Resource": "arn:aws:s3:::slot/*"`), ask: asking("s3:ListBucket"), want: Nothing},
		{name: "buckets are not objects", docs: allows(`"Action": "s3:*", "Resource": "arn:aws:s3:::slot"`), ask: asking("s3:GetObject"), want: Nothing},
		{name: "a star after a bucket is its objects too", docs: allows(`"Action": "s3:*", "Resource": "arn:aws:s3:::slot*"`), ask: asking("s3:GetObject"), want: Found, holds: "arn:aws:s3:::slot/x"},
		{name: "… and other buckets", docs: allows(`"Action": "s3:*", "Resource": "arn:aws:s3:::slot*"`), ask: elsewhere("s3:PutObject", "arn:aws:s3:::slot/*"), want: Found, holds: "arn:aws:s3:::slot"},
		{name: "a prefix without its slash is more", docs: allows(`"Action": "s3:PutObject", "Resource": "arn:aws:s3:::slot/uploads/vm-01*"`), ask: elsewhere("s3:PutObject", prefix), want: Found, holds: "slot/uploads/vm-01"},
		{name: "a star in the middle crosses into keys", docs: allows(`"Action": "s3:GetObject", "Resource": "arn:aws:s3:::*sagemaker*"`), ask: on("s3:GetObject", "arn:aws:s3:::slot/*"), want: Found, holds: "slot/sagemaker"},
		{name: "a call without a resource wants the star", docs: allows(`"Action": "s3:*", "Resource": "arn:aws:s3:::*"`), ask: asking("s3:ListAllMyBuckets"), want: Nothing},
		{name: "the star is that resource", docs: allows(`"Action": "s3:*", "Resource": "*"`), ask: asking("s3:ListAllMyBuckets"), want: Found, holds: "s3:ListAllMyBuckets *"},
		{name: "NotResource mostCompared everything else", docs: allows(`"Action": "s3:GetObject", "NotResource": "arn:aws:s3:::other/*"`), ask: asking("s3:GetObject"), want: Found, holds: "slot/x"},
		{name: "NotResource mostCompared calls without a resource", docs: allows(`"Action": "s3:*", "NotResource": "arn:aws:s3:::slot/*"`), ask: asking("s3:ListAllMyBuckets"), want: Found},
		{name: "NotResource mostCompared out what it names", docs: allows(`"Action": "s3:*", "NotResource": "arn:aws:s3:::slot/*"`), ask: on("s3:GetObject", "arn:aws:s3:::slot/*"), want: Nothing},
		{name: "a Deny of NotResource saves the prefix alone", docs: denies(`"Action": "s3:*", "NotResource": "arn:aws:s3:::slot/uploads/vm-01/*"`), ask: elsewhere("s3:PutObject", prefix), want: Nothing},
		{name: "… and nothing else is stopped by it", docs: denies(`"Action": "s3:*", "NotResource": "arn:aws:s3:::slot/uploads/vm-01/*"`), ask: asking("iam:CreateUser"), want: Found},
		{name: "a Deny counts segment by segment", docs: denies(`"Action": "s3:*", "Resource": "arn:aws:s3:*:slot/*"`), ask: on("s3:GetObject", "arn:aws:s3:::slot/*"), want: Found},
		{name: "an Allow counts as one glob", docs: allows(`"Action": "s3:*", "Resource": "arn:aws:s3:*:slot/*"`), ask: on("s3:GetObject", "arn:aws:s3:::slot/*"), want: Found},
		{name: "two Denies that share the keys between them", docs: []doc{{"user-inline", allowAll + `,
			{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::*/a*"},
			{"Effect": "Deny", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::*/a*"}`}}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "all reads at once, one of them open", docs: denies(`"Action": ["s3:Get*", "s3:List*"], "Resource": "*"`), ask: Question{Actions: []string{"s3:GetObject", "s3:GetBucketAcl", "s3:ListBucket", "s3:DescribeJob"}}, want: Found, holds: "s3:DescribeJob"},
		{name: "access points are another door", docs: allows(`"Action": "s3:GetObject", "NotResource": "arn:aws:s3:::*"`), ask: asking("s3:GetObject"), want: Found, holds: ":accesspoint/"},
	})
}

func TestTrapsOfConditions(t *testing.T) {
	tags := func(operator, value string) string {
		return with(`"` + operator + `": {"aws:TagKeys": "` + value + `"}`)
	}
	check(t, []trap{
		{name: "a Deny on a positive operator is avoided without the key", docs: denies(with(`"StringEquals": {"s3:x-amz-acl": "public-read"}`)), ask: asking("s3:PutObject"), want: Found, holds: "slot/x"},
		{name: "a Deny on a negated operator holds without the key", docs: denies(with(`"StringNotEquals": {"s3:x-amz-acl": "private"}`)), ask: asking("s3:PutObject"), want: Found, holds: "s3:x-amz-acl=private"},
		{name: "… and for actions that never have it", docs: denies(with(`"StringNotEquals": {"s3:x-amz-acl": "private"}`)), ask: asking("s3:GetObject"), want: Nothing},
		{name: "… but is avoided by IfExists", docs: denies(with(`"StringEqualsIfExists": {"s3:x-amz-acl": "public-read"}`)), ask: asking("s3:PutObject"), want: Found, holds: "s3:x-amz-acl="},
		{name: "an Allow on a negated operator is open without the key", docs: allows(with(`"StringNotEquals": {"aws:UserAgent": "x"}`)), ask: asking("s3:GetObject"), want: Found, holds: "s3:GetObject arn:aws:s3:::slot/x"},
		{name: "an Allow with IfExists is open without the key", docs: allows(with(`"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1"}`)), ask: asking("s3:GetObject"), want: Found},
		{name: "an Allow on an address shows one", docs: allows(with(`"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}`)), ask: asking("s3:GetObject"), want: Found, holds: "aws:sourceip=198.51.100.0"},
		{name: "a Deny outside an address mostCompared it", docs: denies(with(`"NotIpAddress": {"aws:SourceIp": "198.51.100.7"}`)), ask: asking("s3:GetObject"), want: Found, holds: "aws:sourceip=198.51.100.7"},
		{name: "two blocks that don't meet", docs: []doc{{"user-inline", `{"Effect": "Allow", ` + with(`"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}`) + `}, {"Effect": "Deny", ` + with(`"IpAddress": {"aws:SourceIp": ["10.0.0.0/9", "10.128.0.0/9"]}`) + `}`}}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "a gap between two blocks", docs: []doc{{"user-inline", `{"Effect": "Allow", ` + with(`"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}`) + `}, {"Effect": "Deny", ` + with(`"IpAddress": {"aws:SourceIp": ["10.0.0.0/9", "10.129.0.0/16", "10.130.0.0/15", "10.132.0.0/14", "10.136.0.0/13", "10.144.0.0/12", "10.160.0.0/11", "10.192.0.0/10"]}`) + `}`}}, ask: asking("s3:GetObject"), want: Found, holds: "aws:sourceip=10.128."},
		{name: "an address beside an endpoint can't be", docs: allows(with(`"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "StringEquals": {"aws:SourceVpce": "vpce-1"}`)), ask: asking("s3:GetObject"), want: Unknown, reason: TiedKeys},
		{name: "TLS can be left out", docs: denies(with(`"Bool": {"aws:SecureTransport": "true"}`)), ask: asking("s3:GetObject"), want: Found, holds: "aws:securetransport=false"},
		{name: "TLS is there in every request", docs: denies(with(`"Null": {"aws:SecureTransport": "false"}`)), ask: asking("s3:GetObject"), want: Nothing},
		{name: "Bool doesn't hold for an absent key", docs: denies(with(`"Bool": {"aws:MultiFactorAuthPresent": "false"}`)), ask: asking("s3:GetObject"), want: Found, holds: "s3:GetObject arn:aws:s3:::slot/x"},
		{name: "BoolIfExists does", docs: denies(with(`"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}`)), ask: asking("s3:GetObject"), want: Found, holds: "aws:multifactorauthpresent=true"},
		{name: "Null and its opposite leave nothing", docs: []doc{{"user-inline", allowAll + `, {"Effect": "Deny", ` + with(`"Null": {"aws:UserAgent": "true"}`) + `}, {"Effect": "Deny", ` + with(`"Null": {"aws:UserAgent": "false"}`) + `}`}}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "ForAllValues of an Allow is open without the key", docs: allows(tags("ForAllValues:StringEquals", "x")), ask: asking("s3:GetObject"), want: Found, holds: "s3:GetObject arn:aws:s3:::slot/x"},
		{name: "ForAllValues of a Deny stops without the key", docs: denies(tags("ForAllValues:StringEquals", "x")), ask: asking("s3:GetObject"), want: Found, holds: "aws:tagkeys="},
		{name: "ForAnyValue of a Deny is avoided without the key", docs: denies(tags("ForAnyValue:StringEquals", "x")), ask: asking("s3:GetObject"), want: Found, holds: "s3:GetObject arn:aws:s3:::slot/x"},
		{name: "one value among several", docs: []doc{{"user-inline", `{"Effect": "Allow", ` + tags("ForAnyValue:StringEquals", "x") + `}, {"Effect": "Deny", ` + tags("StringEquals", "x") + `}`}}, ask: asking("s3:GetObject"), want: Found, holds: "aws:tagkeys=x,"},
		{name: "all values, some value: never both", docs: []doc{{"user-inline", `{"Effect": "Allow", ` + tags("ForAnyValue:StringEquals", "x") + `}, {"Effect": "Deny", ` + tags("ForAnyValue:StringLike", "*") + `}`}}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "the past is over", docs: allows(with(`"DateLessThan": {"aws:CurrentTime": "2025-01-01T00:00:00Z"}`)), ask: asking("s3:GetObject"), want: Nothing},
		{name: "the future comes", docs: allows(with(`"DateGreaterThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}`)), ask: asking("s3:GetObject"), want: Found, holds: "aws:currenttime=2030"},
		{name: "there is one clock", docs: []doc{{"user-inline", `{"Effect": "Allow", ` + with(`"DateGreaterThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}`) + `}, {"Effect": "Deny", ` + with(`"NumericGreaterThan": {"aws:EpochTime": "1800000000"}`) + `}`}}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "numbers leave a gap", docs: []doc{{"user-inline", `{"Effect": "Allow", ` + with(`"NumericGreaterThan": {"s3:max-keys": "10"}`) + `}, {"Effect": "Deny", ` + with(`"NumericGreaterThanEquals": {"s3:max-keys": "11"}`) + `}`}}, ask: asking("s3:ListBucket"), want: Found, holds: "s3:max-keys=10.5"},
		{name: "numbers leave none", docs: []doc{{"user-inline", `{"Effect": "Allow", ` + with(`"NumericGreaterThan": {"s3:max-keys": "10"}`) + `}, {"Effect": "Deny", ` + with(`"NumericNotEquals": {"s3:max-keys": "10"}`) + `}`}}, ask: asking("s3:ListBucket"), want: Nothing},
		{name: "a key of the principal is known", docs: allows(with(`"StringNotEquals": {"aws:username": "vm-01"}`)), ask: asking("s3:GetObject"), want: Nothing},
		{name: "its ARN is known", docs: denies(with(`"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/buzon/*"}`)), ask: asking("s3:GetObject"), want: Nothing},
		{name: "its tags are known", docs: denies(with(`"StringEquals": {"aws:PrincipalTag/team": "mail"}`)), ask: asking("s3:GetObject"), want: Nothing},
		{name: "the tags of a role's session aren't", subject: ptr(theRole()), docs: []doc{{"role-inline", allowAll + `, {"Effect": "Deny", ` + with(`"StringEquals": {"aws:PrincipalTag/team": "mail"}`) + `}`}}, ask: asking("s3:GetObject"), want: Found, holds: "aws:principaltag/team="},
		{name: "a value in either case", docs: []doc{{"user-inline", `{"Effect": "Allow", ` + with(`"StringEqualsIgnoreCase": {"aws:UserAgent": "Ab"}`) + `}, {"Effect": "Deny", ` + with(`"StringEquals": {"aws:UserAgent": ["ab", "AB", "aB"]}`) + `}`}}, ask: asking("s3:GetObject"), want: Found, holds: "aws:useragent=Ab"},
		{name: "the append-only guard asks for the header", docs: []doc{{"user-inline", allowPut}, inBucket(`{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::slot/*", "Condition": {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}}`)},
			ask: Question{Actions: []string{"s3:PutObject"}, Context: map[string][]string{"s3:if-none-match": {}, "s3:objectcreationoperation": {"true"}}}, want: Nothing},
	})
}

func ptr[T any](v T) *T { return &v }

func TestTrapsOfVariables(t *testing.T) {
	home := `"Action": "s3:*", "Resource": "arn:aws:s3:::slot/${aws:username}/*"`
	role := ptr(theRole())
	check(t, []trap{
		{name: "a variable of the principal is its value", docs: allows(home), ask: elsewhere("s3:GetObject", "arn:aws:s3:::slot/vm-01/*"), want: Nothing},
		{name: "… and reaches there", docs: allows(home), ask: on("s3:GetObject", "arn:aws:s3:::slot/vm-01/*"), want: Found},
		{name: "a role has no user name", subject: role, docs: []doc{{"role-inline", `{"Effect": "Allow", ` + home + `}`}}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "an old version knows no variables", docs: []doc{{"user-inline", `{"Version": "2008-10-17", "Statement": {"Effect": "Allow", ` + home + `}}`}}, ask: asking("s3:GetObject"), want: Found, holds: "slot/${aws:username}/x"},
		{name: "a variable with a default", subject: role, docs: []doc{{"role-inline", `{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::slot/${aws:username, 'nobody'}/*"}`}}, ask: asking("s3:GetObject"), want: Found, holds: "slot/nobody/x"},
		{name: "a value of the session can be any", subject: role, docs: []doc{{"role-inline", `{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::slot/${aws:userid}/*"}`}}, ask: on("s3:GetObject", "arn:aws:s3:::slot/uploads/*"), want: Found, holds: "aws:userid=uploads"},
		{name: "a Deny on such a value can be avoided", subject: role, docs: []doc{{"role-inline", allowAll + `, {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::${aws:userid}/*"}`}}, ask: asking("s3:GetObject"), want: Found},
		{name: "a dollar is a dollar", docs: allows(`"Action": "s3:*", "Resource": "arn:aws:s3:::slot/${$}${*}${?}"`), ask: asking("s3:GetObject"), want: Found, holds: "slot/$*?"},
		{name: "a wildcard in a value is a character", docs: []doc{{"user-inline", `{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::slot/${aws:PrincipalTag/team}/*"}`}}, subject: ptr(tagged("*")), ask: elsewhere("s3:GetObject", "arn:aws:s3:::slot/*/*"), want: Nothing},
	})
}

func tagged(team string) policy.Subject {
	s := theUser()
	s.Tags = map[string]string{"team": team}
	return s
}

func TestTrapsOfLayers(t *testing.T) {
	identity := doc{"user-inline", allowS3}
	narrow := doc{"boundary", allowPut}
	session := ptr(theSession())
	check(t, []trap{
		{name: "a boundary limits", docs: []doc{identity, narrow}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "a boundary doesn't limit what a bucket grants to the user", docs: []doc{narrow, inBucket(grantTo(aws(user)))}, ask: asking("s3:GetObject"), want: Found},
		{name: "… nor to everybody", docs: []doc{narrow, inBucket(grantTo(`"*"`))}, ask: asking("s3:GetObject"), want: Found},
		{name: "… but what it grants to the account", docs: []doc{narrow, inBucket(grantTo(aws(account)))}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "a Deny in a boundary limits all", docs: []doc{{"boundary", allowAll + `, {"Effect": "Deny", "Action": "s3:Get*", "Resource": "*"}`}, inBucket(grantTo(aws(user)))}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "the account delegates", docs: []doc{inBucket(grantTo(aws("arn:aws:iam::111122223333:root")))}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "another user is granted", docs: []doc{inBucket(grantTo(aws("arn:aws:iam::111122223333:user/buzon/vm-02")))}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "a role of another account may let us in", docs: allows(`"Action": "sts:AssumeRole", "Resource": "arn:aws:iam::444455556666:role/x"`), ask: asking("sts:AssumeRole"), want: Found, holds: "role/x"},
		{name: "… also where a Deny names our own account", docs: denies(`"Action": "sts:*", "Resource": "arn:aws:iam::111122223333:*"`), ask: asking("sts:AssumeRole"), want: Found, holds: "arn:aws:iam::999999999999:role/"},
		{name: "… and where one spares our own alone", docs: denies(`"Action": "sts:AssumeRole", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceAccount": ["111122223333", "999999999999"]}}`), ask: asking("sts:AssumeRole"), want: Found, holds: "arn:aws:iam::888888888888:role/"},
		{name: "nothing is reached of other accounts behind a perimeter", docs: []doc{{"user-inline", `{"Effect": "Allow", "Action": "kms:*", "Resource": "arn:aws:kms:eu-west-1:444455556666:key/*"},
			{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:ResourceAccount": "111122223333"}}}`}}, ask: asking("kms:Decrypt"), want: Nothing},
		{name: "nor where its key's policy is known and doesn't name us", docs: append(allows(`"Action": "kms:*", "Resource": "arn:aws:kms:eu-west-1:444455556666:key/k"`),
			doc{"key-policy arn:aws:kms:eu-west-1:444455556666:key/k", grantTo(aws("arn:aws:iam::444455556666:root"))}), ask: asking("kms:Decrypt"), want: Nothing},
		{name: "an RCP binds no role of another account", docs: append(allows(`"Action": "sts:AssumeRole", "Resource": "*"`),
			doc{"rcp", `{"Effect": "Deny", "Principal": "*", "Action": "sts:*", "Resource": "*"}`}), ask: asking("sts:AssumeRole"), want: Found, holds: "999999999999:role/"},
		{name: "IAM lets in nobody from outside", docs: allows(`"Action": "iam:*", "Resource": "arn:aws:iam::444455556666:*"`), ask: asking("iam:CreateAccessKey"), want: Nothing},
		{name: "an access point of another account", docs: allows(`"Action": "s3:GetObject", "Resource": "arn:aws:s3:*:4444*:accesspoint/*"`), ask: asking("s3:GetObject"), want: Found, holds: "accesspoint/"},
		{name: "an action of tomorrow on another account", docs: allows(`"Action": "sqs:Tomorrow*", "Resource": "arn:aws:sqs:eu-west-1:444455556666:q"`), ask: asking("sqs:~"), want: Found, holds: "444455556666:q"},
		{name: "a boundary that knows our account alone stops them", docs: []doc{{"user-inline", allowAll}, {"boundary", `{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:kms:eu-west-1:111122223333:*"}`}},
			ask: on("kms:Decrypt", "arn:aws:kms:eu-west-1:444455556666:key/*"), want: Nothing},
		{name: "a bucket in another account has to allow", docs: []doc{identity}, owner: stranger, ask: on("s3:GetObject", bucket+"/*"), want: Nothing},
		{name: "… and the user's own account", docs: []doc{inBucket(grantTo(aws(user)))}, owner: stranger, ask: asking("s3:GetObject"), want: Nothing},
		{name: "both do", docs: []doc{identity, inBucket(grantTo(aws(account)))}, owner: stranger, ask: on("s3:GetObject", bucket+"/*"), want: Found},
		{name: "an SCP limits", docs: []doc{identity, {"scp root", allowAll}, {"scp ou", allowPut}}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "SCPs of one level unite", docs: []doc{identity, {"scp", allowAll}, {"scp", allowPut}}, ask: asking("s3:GetObject"), want: Found},
		{name: "an SCP limits a bucket's grant", docs: []doc{inBucket(grantTo(aws(user))), {"scp", allowPut}}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "an RCP denies", docs: []doc{identity, {"rcp", `{"Effect": "Deny", "Principal": "*", "Action": "s3:Get*", "Resource": "*"}`}}, ask: on("s3:GetObject", bucket+"/*"), want: Nothing},
		{name: "… and binds no bucket that may be somebody else's", docs: []doc{identity, {"rcp", `{"Effect": "Deny", "Principal": "*", "Action": "s3:Get*", "Resource": "*"}`}}, ask: asking("s3:GetObject"), want: Found, holds: "another-bucket"},
		{name: "a session policy limits", subject: session, docs: []doc{{"role-inline", allowS3}, {"session", allowPut}}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "… also what is granted to the role", subject: session, docs: []doc{{"session", allowPut}, inBucket(grantTo(aws(role)))}, ask: asking("s3:GetObject"), want: Nothing},
		{name: "… but not to the session", subject: session, docs: []doc{{"session", allowPut}, inBucket(grantTo(aws("arn:aws:sts::111122223333:assumed-role/vm-01/i-1")))}, ask: asking("s3:GetObject"), want: Found},
		{name: "a guard by name stops a broad policy", docs: []doc{identity, inBucket(`{"Effect": "Deny", "Principal": "*", "NotAction": "s3:PutObject", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"], "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/buzon/*"}}}`)}, ask: on("s3:GetObject", bucket+"/*"), want: Nothing},
		{name: "… in its own bucket alone", docs: []doc{identity, inBucket(`{"Effect": "Deny", "Principal": "*", "NotAction": "s3:PutObject", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"]}`)}, ask: asking("s3:GetObject"), want: Found, holds: "arn:aws:s3:::another-bucket/x"},
		{name: "an access point of unknown bucket passes the guard", docs: []doc{identity, inBucket(`{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"]}`)}, ask: elsewhere("s3:GetObject", "arn:aws:s3:::*"), want: Found, holds: ":accesspoint/x/object/x"},
		{name: "an access point of the bucket doesn't", docs: []doc{identity, {"access-point " + door + " " + bucket, `{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}`}, inBucket(`{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::slot/a*"]}`)}, ask: on("s3:GetObject", door+"/object/a*"), want: Nothing},
		{name: "… where the guard is silent it is open", docs: []doc{identity, {"access-point " + door + " " + bucket, `{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}`}, inBucket(`{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::slot/a*"]}`)}, ask: on("s3:GetObject", door+"/object/b*"), want: Found, holds: "at arn:aws:s3:::slot/b"},
		{name: "both policies of an access point grant", docs: []doc{{"access-point " + door + " " + bucket, `{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "` + door + `/object/p/*"}`}, inBucket(grantTo(`"*"`))}, ask: on("s3:GetObject", door+"/*"), want: Found, holds: "slot/p/x"},
		{name: "a trust policy that names the user is enough", docs: []doc{{"trust arn:aws:iam::111122223333:role/strong", `{"Effect": "Allow", "Principal": {"AWS": "` + user + `"}, "Action": "sts:AssumeRole"}`}}, ask: asking("sts:AssumeRole"), want: Found, holds: "role/strong"},
		{name: "one that names the account wants an identity policy", docs: []doc{{"trust arn:aws:iam::111122223333:role/strong", `{"Effect": "Allow", "Principal": {"AWS": "` + account + `"}, "Action": "sts:AssumeRole"}`}}, ask: asking("sts:AssumeRole"), want: Nothing},
		{name: "a key's policy has to allow as well", docs: []doc{{"user-inline", allowAll}, {"key-policy " + key, `{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/admin"}, "Action": "kms:*", "Resource": "*"}`}}, ask: on("kms:Decrypt", key), want: Nothing},
		{name: "NotPrincipal of a Deny that names us and the account", docs: []doc{identity, inBucket(`{"Effect": "Deny", "NotPrincipal": {"AWS": ["` + user + `", "` + account + `"]}, "Action": "s3:*", "Resource": "*"}`)}, ask: on("s3:GetObject", bucket+"/*"), want: Found},
		{name: "NotPrincipal of a Deny that names us alone", docs: []doc{identity, inBucket(`{"Effect": "Deny", "NotPrincipal": {"AWS": "` + user + `"}, "Action": "s3:*", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"]}`)}, ask: on("s3:GetObject", bucket+"/*"), want: Unknown, reason: UnsureMember},
		{name: "NotPrincipal of an Allow is everybody else", docs: []doc{inBucket(`{"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:user/admin"}, "Action": "s3:*", "Resource": "arn:aws:s3:::slot/*"}`)}, ask: asking("s3:GetObject"), want: Found},
		{name: "a canonical id may be the account", docs: []doc{identity, inBucket(strings.Replace(grantTo(`{"CanonicalUser": "`+strings.Repeat("0a", 32)+`"}`), `"arn:aws:s3:::slot", `, "", 1))}, owner: stranger, ask: on("s3:GetObject", bucket+"/*"), want: Unknown, reason: UnsureMember},
		{name: "a session of a role that a bucket names", subject: ptr(theRole()), docs: []doc{inBucket(grantTo(aws("arn:aws:sts::111122223333:assumed-role/vm-01/i-9")))}, ask: asking("s3:GetObject"), want: Found},
		{name: "the root user can mend a bucket's policy", subject: ptr(theRoot()), docs: []doc{inBucket(`{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"]}`)}, ask: on("s3:PutBucketPolicy", bucket), want: Found},
		{name: "… and nothing else that it denies", subject: ptr(theRoot()), docs: []doc{inBucket(`{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"]}`)}, ask: on("s3:GetObject", bucket+"/*"), want: Nothing},
	})
}

func theRoot() policy.Subject {
	return policy.Subject{
		Type: policy.Root, ARN: "arn:aws:iam::111122223333:root", Partition: "aws", Account: account, Name: "root", TagsKnown: true,
	}
}
