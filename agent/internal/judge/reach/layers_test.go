package reach

import (
	"strings"
	"testing"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/policy"
)

const (
	aRole    = "arn:aws:iam::111122223333:role/admin"
	anyRole  = "arn:aws:iam::111122223333:role/*"
	theirs   = "arn:aws:iam::444455556666:role/weak"
	aKey     = "arn:aws:kms:eu-west-1:111122223333:key/k1"
	aQueue   = "arn:aws:sqs:eu-west-1:111122223333:jobs"
	aSecret  = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x"
	aVersion = aSecret + "-AbCdEf"
)

// grantOf is a statement that allows actions on a resource.
func grantOf(actions, resource string) string {
	return `{"Effect": "Allow", "Action": [` + actions + `], "Resource": "` + resource + `"}`
}

// toPrincipal is a statement of a resource's policy.
func toPrincipal(effect, principal, actions, more string) string {
	return `{"Effect": "` + effect + `", "Principal": ` + principal + `, "Action": [` + actions + `]` + more + `}`
}

func trustOf(role, principal string) doc {
	return doc{"trust " + role, toPrincipal("Allow", principal, `"sts:AssumeRole"`, "")}
}

func keyOf(principal, actions string) doc {
	return doc{"key-policy " + aKey, toPrincipal("Allow", principal, actions, `, "Resource": "*"`)}
}

func hangsOn(resource, effect, principal, actions string) doc {
	return doc{"resource-policy " + resource, toPrincipal(effect, principal, actions, `, "Resource": "*"`)}
}

// layerCase asks whether an action on a resource is allowed.
type layerCase struct {
	name     string
	subject  policy.Subject
	docs     []doc
	action   string
	resource string
	want     bool
}

// TestRightsOnRolesAndKeys: a trust policy answers for STS's calls on its role, a
// key's policy for KMS's calls on its key, and neither for anybody else's.
func TestRightsOnRolesAndKeys(t *testing.T) {
	user, session := theUser(), theSession()
	lambda, account := `{"Service": "lambda.amazonaws.com"}`, `{"AWS": "111122223333"}`
	me, other := `{"AWS": "`+user.ARN+`"}`, `{"AWS": "arn:aws:iam::111122223333:user/x"}`
	mayAll := func(actions, on string) doc { return doc{"user-inline", grantOf(actions, on)} }
	cases := []layerCase{
		{
			name: "passing a role that a service may take", subject: user, want: true,
			docs:   []doc{mayAll(`"iam:PassRole"`, aRole), trustOf(aRole, lambda)},
			action: "iam:PassRole", resource: aRole,
		},
		{
			name: "changing who may take a role", subject: user, want: true,
			docs:   []doc{mayAll(`"iam:Update*"`, anyRole), trustOf(aRole, lambda)},
			action: "iam:UpdateAssumeRolePolicy", resource: aRole,
		},
		{
			name: "a role with a policy, its account trusted", subject: user, want: true,
			docs:   []doc{mayAll(`"iam:*"`, aRole), trustOf(aRole, account)},
			action: "iam:PutRolePolicy", resource: aRole,
		},
		{
			name: "a session passes a role", subject: session, want: true,
			docs:   []doc{{"role-inline", grantOf(`"iam:PassRole"`, aRole)}, trustOf(aRole, lambda)},
			action: "iam:PassRole", resource: aRole,
		},
		{
			name: "a trust policy of everything gives no right of IAM's", subject: user,
			docs:   []doc{{"trust " + aRole, toPrincipal("Allow", me, `"*"`, "")}},
			action: "iam:PassRole", resource: aRole,
		},
		{
			name: "a Deny in a trust policy stops no right of IAM's", subject: user, want: true,
			docs:   []doc{mayAll(`"iam:PassRole"`, aRole), {"trust " + aRole, toPrincipal("Deny", `"*"`, `"*"`, "")}},
			action: "iam:PassRole", resource: aRole,
		},
		{
			name: "a role of another account can't be passed", subject: user,
			docs:   []doc{mayAll(`"iam:*"`, "*"), trustOf(theirs, `{"AWS": "`+user.ARN+`"}`)},
			action: "iam:PassRole", resource: theirs,
		},
		{
			name: "taking a role that trusts somebody else", subject: user,
			docs:   []doc{mayAll(`"sts:*", "iam:GetRole"`, "*"), trustOf(aRole, lambda)},
			action: "sts:AssumeRole", resource: aRole,
		},
		{
			name: "taking a role that trusts the user", subject: user, want: true,
			docs:   []doc{trustOf(aRole, me)},
			action: "sts:AssumeRole", resource: aRole,
		},
		{
			name: "a key's policy that mostCompared a user out", subject: user,
			docs:   []doc{mayAll(`"kms:*"`, "*"), keyOf(other, `"kms:*"`)},
			action: "kms:ScheduleKeyDeletion", resource: aKey,
		},
		{
			name: "a key's policy that lets a user change it", subject: user, want: true,
			docs:   []doc{keyOf(me, `"kms:PutKeyPolicy"`)},
			action: "kms:PutKeyPolicy", resource: aKey,
		},
		{
			name: "a key's policy that mostCompared it to IAM", subject: user, want: true,
			docs:   []doc{mayAll(`"kms:DisableKey"`, aKey), keyOf(account, `"kms:*"`)},
			action: "kms:DisableKey", resource: aKey,
		},
		{
			name: "calls without a key are rights of identities", subject: user, want: true,
			docs:   []doc{mayAll(`"kms:CreateKey"`, "*"), keyOf(other, `"kms:*"`)},
			action: "kms:CreateKey", resource: "*",
		},
		{
			name: "another service's call on a key", subject: user, want: true,
			docs:   []doc{mayAll(`"kinesis:*"`, "*"), keyOf(other, `"kms:*"`)},
			action: "kinesis:StartStreamEncryption", resource: aKey,
		},
		{
			name: "a bucket's policy stops S3's calls alone", subject: user, want: true,
			docs: []doc{mayAll(`"ssm:*"`, "*"), {"bucket-policy", `{"Effect": "Deny", "Principal": "*",
				"NotAction": "s3:PutObject", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"]}`}},
			action: "ssm:SendCommand", resource: "arn:aws:s3:::slot",
		},
		{
			name: "a queue's policy grants", subject: user, want: true,
			docs:   []doc{hangsOn(aQueue, "Allow", me, `"sqs:ReceiveMessage"`), {"boundary", allowPut}},
			action: "sqs:ReceiveMessage", resource: aQueue,
		},
		{
			name: "… on that queue alone", subject: user,
			docs:   []doc{hangsOn(aQueue, "Allow", me, `"sqs:ReceiveMessage"`)},
			action: "sqs:ReceiveMessage", resource: aQueue + "-2",
		},
		{
			name: "a queue's policy for the account grants nothing by itself", subject: user,
			docs:   []doc{hangsOn(aQueue, "Allow", account, `"sqs:*"`)},
			action: "sqs:ReceiveMessage", resource: aQueue,
		},
		{
			name: "a queue without a grant is a right of identities", subject: user, want: true,
			docs:   []doc{mayAll(`"sqs:*"`, aQueue), hangsOn(aQueue, "Allow", other, `"sqs:*"`)},
			action: "sqs:SendMessage", resource: aQueue,
		},
		{
			name: "a queue's policy stops", subject: user,
			docs:   []doc{mayAll(`"sqs:*"`, aQueue), hangsOn(aQueue, "Deny", `"*"`, `"sqs:*"`)},
			action: "sqs:SendMessage", resource: aQueue,
		},
		{
			name: "a secret's ARN ends in what nobody chose", subject: user, want: true,
			docs:   []doc{hangsOn(aSecret, "Allow", me, `"secretsmanager:GetSecretValue"`)},
			action: "secretsmanager:GetSecretValue", resource: aVersion,
		},
	}
	for _, on := range []string{"user/x", "group/g", "policy/p"} {
		arn := "arn:aws:iam::111122223333:" + on
		kind, _, _ := strings.Cut(on, "/")
		cases = append(cases, layerCase{
			name: "everything on a " + kind, subject: user, want: true,
			docs:   []doc{mayAll(`"iam:*"`, arn), trustOf(aRole, lambda)},
			action: "iam:Delete" + strings.ToUpper(kind[:1]) + kind[1:], resource: arn,
		})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.check(t, makeSet(t, c.subject, c.docs...)) })
	}
}

func (c *layerCase) check(t *testing.T, set *policy.Set) {
	t.Helper()
	want, outcome := Nothing, decide.ImplicitDeny
	if c.want {
		want, outcome = Found, decide.Allowed
	}
	got := engine(set).Find(on(c.action, c.resource))
	if got.Kind != want {
		t.Errorf("reach answers %d, want %d: %+v", got.Kind, want, got)
	}
	if c.want && got.Witness.Resource != c.resource {
		t.Errorf("the witness is on %s", got.Witness.Resource)
	}
	if got := decide.Decide(set, decide.Request{Action: c.action, Resource: c.resource}); got.Outcome != outcome && got.Outcome != decide.ExplicitDeny ||
		c.want != (got.Outcome == decide.Allowed) {
		t.Errorf("decide answers %v", got.Outcome)
	}
}

// TestRightsOnRolesOfTemplates: the same where names and account are open.
func TestRightsOnRolesOfTemplates(t *testing.T) {
	const role = "arn:aws:iam::<C>:role/<B>"
	for _, resource := range []string{role, "arn:aws:iam::<C>:role/*", "*"} {
		set := templateSet(t, doc{"user-inline", grantOf(`"iam:PassRole"`, resource)}, trustOf(role, `{"Service": "ec2.amazonaws.com"}`))
		if a := engine(set).Find(Question{Actions: []string{"iam:PassRole"}}); a.Kind != Found {
			t.Errorf("%s: %+v", resource, a)
		}
		if a := engine(set).Find(Question{Actions: []string{"sts:AssumeRole"}}); a.Kind != Nothing {
			t.Errorf("%s: taking it: %+v", resource, a)
		}
	}
}
