package judgetest

import (
	"time"

	"buzon/agent/policy"
)

// Now is the instant at which requests begin: no context has an earlier clock.
var Now = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

// alphabet is a condition key with the tests that suit it, values for policies,
// and values for requests (those of policies are used there too).
type alphabet struct {
	key    string
	tests  []policy.Test
	values []string
	more   []string
	multi  bool     // the key may have several values
	only   []string // the actions whose requests can have it; nil: all
}

var (
	stringTests = []policy.Test{
		policy.StringEquals, policy.StringNotEquals, policy.StringEqualsIgnoreCase,
		policy.StringNotEqualsIgnoreCase, policy.StringLike, policy.StringNotLike,
	}
	numericTests = []policy.Test{
		policy.NumericEquals, policy.NumericNotEquals, policy.NumericLessThan,
		policy.NumericLessThanEquals, policy.NumericGreaterThan, policy.NumericGreaterThanEquals,
	}
	dateTests = []policy.Test{
		policy.DateEquals, policy.DateNotEquals, policy.DateLessThan, policy.DateLessThanEquals,
		policy.DateGreaterThan, policy.DateGreaterThanEquals,
	}
	arnTests = []policy.Test{policy.ArnEquals, policy.ArnLike, policy.ArnNotEquals, policy.ArnNotLike}
)

var alphabets = []alphabet{
	{key: "aws:PrincipalArn", tests: append(arnTests, policy.StringLike, policy.StringNotLike), values: []string{
		"arn:aws:iam::111122223333:user/buzon/*", "arn:aws:iam::111122223333:user/buzon/a", "arn:aws:iam::*:role/*",
		"arn:aws:iam::111122223333:user/?uzon/b", "arn:aws:iam:*", "*"}},
	{key: "aws:username", tests: stringTests, values: []string{"a", "A", "b", "*", "?", "a*"}},
	{key: "aws:PrincipalTag/team", tests: stringTests, values: []string{"p", "P", "q", "*", "${*}", "${aws:username}"}},
	{key: "aws:ResourceAccount", tests: stringTests, values: []string{Account, Stranger, "4*", "777788889999"}},
	{key: "aws:SourceIp", tests: []policy.Test{policy.IPAddress, policy.NotIPAddress},
		values: []string{"10.0.0.0/8", "10.1.2.3", "10.1.0.0/16", "0.0.0.0/0", "2001:db8::/32"},
		more:   []string{"10.1.2.4", "10.0.255.255", "11.0.0.0", "2001:db8::1", "2001:db9::"}},
	{key: "aws:SourceVpce", tests: stringTests, values: []string{"vpce-1", "vpce-2", "vpce-*"}},
	{key: "aws:SecureTransport", tests: []policy.Test{policy.Bool}, values: []string{"true", "false"}},
	{key: "aws:CurrentTime", tests: dateTests,
		values: []string{"2027-01-01T00:00:00Z", "2027-06-01T00:00:00Z", "2020-01-01T00:00:00Z", "1798761600"},
		more:   []string{"2026-12-31T23:59:59Z", "2027-01-01T00:00:01Z"}},
	{key: "s3:DataAccessPointAccount", tests: stringTests, values: []string{Account, Stranger}},
	{key: "s3:DataAccessPointArn", tests: append(arnTests, policy.StringLike), values: []string{Point, "arn:aws:s3:*:111122223333:accesspoint/*"}},
	{key: "aws:SourceArn", tests: arnTests, values: []string{bucketID, "arn:aws:s3:::*"}},
	{key: "aws:TokenIssueTime", tests: dateTests, values: []string{"2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z"}},
	{key: "aws:TagKeys", tests: stringTests, values: []string{"x", "y", "X", "x*"}, multi: true},
	{key: "s3:max-keys", tests: numericTests, values: []string{"10", "10.5", "0"}, more: []string{"9", "11"},
		only: []string{"s3:ListBucket"}},
	{key: "s3:prefix", tests: stringTests, values: []string{"p/", "p/*", "", "P/", "${aws:username}/"},
		only: []string{"s3:ListBucket"}},
	{key: "s3:x-amz-acl", tests: stringTests, values: []string{"private", "public-read", "p*", "a"},
		only: []string{"s3:PutObject", "s3:PutObjectAcl"}},
	{key: "s3:if-none-match", tests: stringTests, values: []string{"*", "x", "${*}"}, only: []string{"s3:PutObject"}},
	{key: "aws:UserAgent", tests: append([]policy.Test{policy.BinaryEquals}, stringTests...), values: []string{"YQ==", "YWI="}},
}

func condition(c Chooser, variables bool) policy.Condition {
	a := pick(c, alphabets...)
	cond := policy.Condition{Key: a.key, Operator: policy.Operator{Test: pick(c, a.tests...)}}
	if chance(c, 10) {
		cond.Key = pick(c, "AWS:", "aws:") + a.key[len("aws:"):]
		if a.key[:4] != "aws:" {
			cond.Key = a.key
		}
	}
	if chance(c, 15) {
		cond.Operator.Test = policy.Null
		cond.Values = []policy.Text{text(pick(c, "true", "false"))}
		return cond
	}
	cond.Operator.IfExists = chance(c, 20)
	if a.multi && chance(c, 85) || chance(c, 8) {
		cond.Operator.Quantifier = pick(c, policy.ForAllValues, policy.ForAnyValue)
	}
	for range pick(c, 1, 1, 1, 2) {
		value := pick(c, a.values...)
		if len(value) > 1 && value[:2] == "${" && !variables && cond.Operator.Test.Variables() && chance(c, 50) {
			value = a.values[0]
		}
		cond.Values = append(cond.Values, text(value))
	}
	return cond
}
