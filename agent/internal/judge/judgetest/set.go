package judgetest

import (
	"fmt"
	"math/rand/v2"

	"buzon/agent/policy"

	"pgregory.net/rapid"
)

// Chooser draws a number from 0 to n-1.
type Chooser interface{ IntN(n int) int }

// Rapid draws from a rapid test, which then shrinks what fails.
func Rapid(t *rapid.T) Chooser { return rapidChooser{t} }

type rapidChooser struct{ t *rapid.T }

func (c rapidChooser) IntN(n int) int { return rapid.IntRange(0, n-1).Draw(c.t, "n") }

// Seeded draws the same for the same seed, faster than rapid.
func Seeded(seed uint64) Chooser { return rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15)) }

// pick takes one of a list.
func pick[T any](c Chooser, from ...T) T { return from[c.IntN(len(from))] }

// chance is true n times of a hundred.
func chance(c Chooser, n int) bool { return c.IntN(100) >= 100-n }

// The names that sets and requests are made of.
const (
	Account  = "111122223333"
	Stranger = "444455556666"
	Bucket   = "slot"
	Point    = "arn:aws:s3:eu-west-1:111122223333:accesspoint/door"
	Key      = "arn:aws:kms:eu-west-1:111122223333:key/k1"
	Role     = "arn:aws:iam::111122223333:role/strong"
	Queue    = "arn:aws:sqs:eu-west-1:111122223333:jobs"
	bucketID = "arn:aws:s3:::slot"

	theirPoint = "arn:aws:s3:eu-west-1:444455556666:accesspoint/gate"
	theirKey   = "arn:aws:kms:eu-west-1:444455556666:key/k1"
	theirRole  = "arn:aws:iam::444455556666:role/weak"
	theirQueue = "arn:aws:sqs:eu-west-1:444455556666:jobs"
)

// Set makes a principal with its documents.
func Set(c Chooser) *policy.Set {
	set := &policy.Set{Subject: subject(c), Bucket: Bucket, BucketAccount: Account}
	if chance(c, 15) {
		set.BucketAccount = Stranger
	}
	add := func(kind policy.Kind, attached, level string) {
		set.Sources = append(set.Sources, policy.Source{
			Kind: kind, Name: string(kind), Attached: attached, Level: level, Document: document(c, &set.Subject, kind),
		})
	}
	isUser := set.Subject.Type == policy.User
	for range 1 + c.IntN(2) {
		switch {
		case !isUser:
			add(pick(c, policy.RoleInline, policy.RoleManaged), "", "")
		default:
			add(pick(c, policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged), "", "")
		}
	}
	if chance(c, 30) {
		add(policy.Boundary, "", "")
	}
	if chance(c, 50) {
		add(policy.BucketPolicy, bucketID, "")
	}
	if !isUser && chance(c, 30) {
		add(policy.Session, "", "")
	}
	if chance(c, 20) {
		for _, level := range []string{"root", "ou", "ou"}[:1+c.IntN(3)] {
			add(policy.SCP, "", level)
		}
	}
	if chance(c, 10) {
		add(policy.RCP, "", "")
	}
	if chance(c, 15) {
		add(policy.AccessPoint, Point, "")
		set.Sources[len(set.Sources)-1].Bucket = pick(c, bucketID, bucketID, "")
	}
	if chance(c, 10) {
		add(policy.KeyPolicy, Key, "")
	}
	if chance(c, 10) {
		add(policy.Trust, Role, "")
	}
	if chance(c, 8) {
		add(policy.ResourcePolicy, Queue, "")
	}
	return set
}

// Small makes a set of at most four documents, one of them the principal's own.
func Small(c Chooser) *policy.Set {
	set := Set(c)
	for len(set.Sources) > 4 {
		i := 1 + c.IntN(len(set.Sources)-1)
		set.Sources = append(set.Sources[:i], set.Sources[i+1:]...)
	}
	return set
}

// More makes a document of one Allow of a kind, which a set can have besides: of a
// policy that hangs on a resource, of the one that Set knows.
func More(c Chooser, set *policy.Set, kind policy.Kind) policy.Source {
	d := &policy.Document{Version: "2012-10-17"}
	st := statement(c, &set.Subject, kind, 0, true)
	st.Effect = policy.Allow
	d.Statements = append(d.Statements, st)
	parsed, err := policy.Parse(string(kind)+".json", d.JSON(), policy.ParseOptions{Grammar: Grammar(kind)})
	if err != nil {
		panic(fmt.Sprintf("judgetest made what isn't valid: %v\n%s", err, d.JSON()))
	}
	src := policy.Source{Kind: kind, Name: "more", SHA256: "x", Document: parsed}
	switch kind {
	case policy.BucketPolicy:
		src.Attached = bucketID
	case policy.Trust:
		src.Attached = Role
	case policy.KeyPolicy:
		src.Attached = Key
	case policy.ResourcePolicy:
		src.Attached = Queue
	case policy.AccessPoint:
		src.Attached, src.Bucket = Point, bucketID
	case policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged, policy.RoleInline, policy.RoleManaged,
		policy.Boundary, policy.Session, policy.SCP, policy.RCP, policy.KMSGrant, policy.LambdaPermission, policy.ACL:
	}
	return src
}

// Foreign makes the policy of something that another account owns, as its ARN says.
func Foreign(c Chooser, set *policy.Set) policy.Source {
	kind := pick(c, policy.KeyPolicy, policy.Trust, policy.ResourcePolicy)
	src := policy.Source{Kind: kind, Name: "theirs", SHA256: "x", Document: document(c, &set.Subject, kind)}
	switch kind {
	case policy.KeyPolicy:
		src.Attached = theirKey
	case policy.Trust:
		src.Attached = theirRole
	default:
		src.Attached = theirQueue
	}
	return src
}

// Others are principals that a statement may name.
func Others(c Chooser, set *policy.Set) []policy.Principal {
	var out []policy.Principal
	for range 1 + c.IntN(2) {
		out = append(out, principal(c, &set.Subject))
	}
	return out
}

// Grants are the kinds of documents whose Allows give rights to a principal.
func Grants(s *policy.Subject) []policy.Kind {
	own := []policy.Kind{policy.RoleInline, policy.RoleManaged}
	if s.Type == policy.User {
		own = []policy.Kind{policy.UserInline, policy.GroupInline, policy.GroupManaged}
	}
	return append(own, policy.BucketPolicy, policy.Trust, policy.KeyPolicy, policy.ResourcePolicy)
}

func subject(c Chooser) policy.Subject {
	s := policy.Subject{
		Type: policy.User, ARN: "arn:aws:iam::111122223333:user/buzon/a", Partition: "aws", Account: Account,
		Path: "/buzon/", Name: "a", UniqueID: "AIDAEXAMPLEEXAMPLE001", TagsKnown: true,
		Tags: map[string]string{"team": pick(c, "p", "P", "*")},
	}
	switch c.IntN(6) {
	case 4:
		s.Type, s.ARN, s.UniqueID = policy.Role, "arn:aws:iam::111122223333:role/buzon/a", "AROAEXAMPLEEXAMPLE001"
	case 5:
		s.Type, s.ARN, s.UniqueID = policy.RoleSession, "arn:aws:sts::111122223333:assumed-role/a/i-1", "AROAEXAMPLEEXAMPLE001"
	}
	return s
}

// document makes a document, prints it and reads it again, so that it has
// places like any other.
func document(c Chooser, s *policy.Subject, kind policy.Kind) *policy.Document {
	g := Grammar(kind)
	d := &policy.Document{Version: pick(c, "2012-10-17", "2012-10-17", "2012-10-17", "2012-10-17", "2008-10-17", "")}
	if g == policy.SCPGrammar {
		d.Version = "2012-10-17"
	}
	if g == policy.Resource && chance(c, 10) {
		d.ID = "an id"
	}
	for i := range 1 + c.IntN(3) {
		d.Statements = append(d.Statements, statement(c, s, kind, i, d.Variables()))
	}
	parsed, err := policy.Parse(string(kind)+".json", d.JSON(), policy.ParseOptions{Grammar: g})
	if err != nil {
		panic(fmt.Sprintf("judgetest made what isn't valid: %v\n%s", err, d.JSON()))
	}
	return parsed
}

func statement(c Chooser, s *policy.Subject, kind policy.Kind, index int, variables bool) policy.Statement {
	g := Grammar(kind)
	st := policy.Statement{Index: index, Effect: policy.Allow}
	if chance(c, 20) {
		st.Sid = fmt.Sprintf("S%d", index)
	}
	if chance(c, 30) || g == policy.RCPGrammar {
		st.Effect = policy.Deny
	}
	st.NotAction = g != policy.RCPGrammar && chance(c, 12)
	for range 1 + c.IntN(2) {
		st.Actions = append(st.Actions, text(action(c, kind)))
	}
	if g != policy.TrustGrammar {
		st.NotResource = chance(c, 12)
		for range 1 + c.IntN(2) {
			st.Resources = append(st.Resources, text(resource(c, kind, variables)))
		}
	}
	switch g {
	case policy.Resource, policy.BucketGrammar, policy.TrustGrammar:
		st.NotPrincipal = chance(c, 10)
		for range 1 + c.IntN(2) {
			st.Principals = append(st.Principals, principal(c, s))
		}
	case policy.RCPGrammar:
		st.Principals = []policy.Principal{{Kind: policy.PrincipalEveryone, Text: text("*")}}
	case policy.Identity, policy.SCPGrammar:
	}
	seen := make(map[string]bool)
	for range pick(c, 0, 0, 0, 1, 1, 2) {
		if cond := condition(c, variables); !seen[cond.Operator.String()+cond.Key] {
			seen[cond.Operator.String()+cond.Key] = true
			st.Conditions = append(st.Conditions, cond)
		}
	}
	return st
}

func text(s string) policy.Text { return policy.Text{Value: s} }

func action(c Chooser, kind policy.Kind) string {
	switch {
	case kind == policy.Trust:
		return pick(c, "sts:AssumeRole", "sts:*", "sts:TagSession", "STS:Assume*")
	case kind == policy.KeyPolicy:
		return pick(c, "kms:Decrypt", "kms:*", "kms:GenerateDataKey", "kms:PutKeyPolicy")
	case kind == policy.ResourcePolicy:
		return pick(c, "sqs:SendMessage", "sqs:*", "sqs:Get*")
	case kind != policy.RCP && chance(c, 15):
		return "*"
	}
	return pick(c, "s3:PutObject", "s3:PutObject", "s3:GetObject", "s3:*", "s3:*", "s3:Get*", "s3:?etObject",
		"S3:putobject", "s3:*Object", "s3:ListBucket", "s3:List*", "s3:ListAllMyBuckets", "s3:DeleteObject",
		"s3:PutObjectAcl", "sts:AssumeRole", "sts:*", "kms:Decrypt", "kms:*", "iam:*User*",
		"iam:PassRole", "iam:*Role*", "kms:PutKeyPolicy", "sqs:*", "s3:PutTomorrow", "s3:Put*")
}

func resource(c Chooser, kind policy.Kind, variables bool) string {
	if chance(c, 20) || kind == policy.KeyPolicy && chance(c, 60) {
		return "*"
	}
	if kind == policy.AccessPoint {
		return pick(c, Point+"/object/*", Point+"/object/p/*", Point, Point+"*")
	}
	if kind == policy.KeyPolicy {
		return pick(c, Key, "arn:aws:kms:*:111122223333:key/*")
	}
	if kind == policy.ResourcePolicy {
		return pick(c, Queue, "*")
	}
	switch c.IntN(13) {
	case 12:
		return pick(c, Queue, "arn:aws:sqs:*:*:*", bucketID+"/", Role)
	case 0:
		return pick(c, Role, "arn:aws:iam::*:role/*", "arn:aws:iam::111122223333:role/s?rong", theirRole, "arn:aws:iam::4*:role/*")
	case 1:
		return pick(c, Key, "arn:aws:kms:*:*:key/k?", theirKey, "arn:aws:kms:*:444455556666:*")
	case 2:
		return pick(c, Point+"/object/p/*", "arn:aws:s3:*:*:accesspoint/*", theirPoint+"/object/*")
	case 3:
		if kind != policy.SCP && kind != policy.RCP { // they want whole ARNs
			return pick(c, "arn:aws:s3", "arn:aws:s3:*", "arn:aws:s3:::*", "arn:*:s3:::slot/*")
		}
	case 4:
		return "arn:aws:s3:::slot"
	case 5, 6:
		return pick(c, "arn:aws:s3:::slot/*", "arn:aws:s3:::slot/p/*", "arn:aws:s3:::slot/p/a/*")
	}
	out := "arn:aws:s3:::"
	pieces := []string{"slot", "slot/", "s", "*", "*", "?", "/", "p/", "a", "A", "p", ":", "*"}
	if variables {
		pieces = append(pieces, "${aws:username}", "${aws:username, 'p'}", "${$}", "${*}", "${?}",
			"${aws:PrincipalTag/team}", "${s3:x-amz-acl, 'a'}")
	} else {
		pieces = append(pieces, "${aws:username}")
	}
	for range 1 + c.IntN(5) {
		out += pick(c, pieces...)
	}
	return out
}

func principal(c Chooser, s *policy.Subject) policy.Principal {
	everyone := policy.Principal{Kind: policy.PrincipalEveryone, Text: text("*")}
	named := func(kind policy.PrincipalKind, name string) policy.Principal {
		return policy.Principal{Kind: kind, Text: text(name)}
	}
	switch c.IntN(12) {
	case 0, 1, 2:
		return everyone
	case 3:
		return named(policy.PrincipalAWS, Account)
	case 4:
		return named(policy.PrincipalAWS, "arn:aws:iam::111122223333:root")
	case 5:
		return named(policy.PrincipalAWS, "arn:aws:iam::111122223333:user/buzon/b")
	case 6:
		return named(policy.PrincipalAWS, pick(c, s.UniqueID, "AIDAEXAMPLEEXAMPLE002", Stranger))
	case 7:
		return named(policy.PrincipalAWS, "arn:aws:iam::111122223333:role/buzon/a")
	case 8:
		return pick(c, named(policy.PrincipalService, "s3.amazonaws.com"),
			named(policy.PrincipalFederated, "cognito-identity.amazonaws.com"),
			named(policy.PrincipalAWS, "arn:aws:sts::111122223333:assumed-role/a/i-1"))
	}
	return named(policy.PrincipalAWS, s.ARN)
}
