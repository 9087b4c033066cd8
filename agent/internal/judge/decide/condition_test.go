package decide

import (
	"fmt"
	"strings"
	"testing"

	"buzon/agent/policy"
)

// sample is what a test is tried with: a key that suits it, the value in the
// policy, and values that the positive form takes and doesn't take.
type sample struct {
	test             string
	key, value       string
	takes, takesNot  string
	anotherThatTakes string
}

var samples = []sample{
	{"StringEquals", "aws:TagKeys", "ab", "ab", "aB", "ab"},
	{"StringEquals", "aws:TagKeys", "a*", "a*", "ab", "a*"},
	{"StringEquals", "aws:TagKeys", "${aws:username}", "vm-01", "VM-01", "vm-01"},
	{"StringNotEquals", "aws:TagKeys", "ab", "ab", "aB", "ab"},
	{"StringEqualsIgnoreCase", "aws:TagKeys", "ab", "aB", "abc", "AB"},
	{"StringNotEqualsIgnoreCase", "aws:TagKeys", "ab", "aB", "abc", "AB"},
	{"StringLike", "aws:TagKeys", "a*b?", "axxbc", "axxb", "abb"},
	{"StringLike", "aws:TagKeys", "${*}${?}", "*?", "ab", "*?"},
	{"StringNotLike", "aws:TagKeys", "a*b?", "axxbc", "axxb", "abb"},
	{"NumericEquals", "s3:max-keys", "10", "10.0", "11", "10"},
	{"NumericNotEquals", "s3:max-keys", "10", "10", "11", "10"},
	{"NumericLessThan", "s3:max-keys", "10", "9", "10", "-1"},
	{"NumericLessThanEquals", "s3:max-keys", "10", "10", "11", "9"},
	{"NumericGreaterThan", "s3:max-keys", "10", "11", "10", "10.5"},
	{"NumericGreaterThanEquals", "s3:max-keys", "10", "10", "9", "11"},
	{"DateEquals", "aws:CurrentTime", "2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-01-01T00:00:01Z", "2027-01-01T00:00:00Z"},
	{"DateNotEquals", "aws:CurrentTime", "2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-01-01T00:00:01Z", "2027-01-01T00:00:00Z"},
	{"DateLessThan", "aws:CurrentTime", "2027-01-01T00:00:00Z", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z", "2020-01-01T00:00:00Z"},
	{"DateLessThanEquals", "aws:CurrentTime", "2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-01-01T00:00:01Z", "2020-01-01T00:00:00Z"},
	{"DateGreaterThan", "aws:CurrentTime", "2027-01-01T00:00:00Z", "2027-01-01T00:00:01Z", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"},
	{"DateGreaterThanEquals", "aws:CurrentTime", "2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2026-12-31T23:59:59Z", "2028-01-01T00:00:00Z"},
	{"Bool", "aws:SecureTransport", "true", "true", "false", "true"},
	{"Bool", "aws:SecureTransport", "false", "false", "true", "false"},
	{"BinaryEquals", "aws:TagKeys", "YWI=", "YWI=", "YWM=", "YWI="},
	{"IpAddress", "aws:SourceIp", "10.0.0.0/8", "10.255.255.255", "11.0.0.0", "10.0.0.0"},
	{"IpAddress", "aws:SourceIp", "10.1.2.3", "10.1.2.3", "10.1.2.4", "10.1.2.3"},
	{"IpAddress", "aws:SourceIp", "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::", "2001:db8::"},
	{"NotIpAddress", "aws:SourceIp", "10.0.0.0/8", "10.255.255.255", "9.255.255.255", "10.0.0.0"},
	{"ArnEquals", "aws:SourceArn", "arn:aws:s3:::b*", "arn:aws:s3:::b:c/d", "arn:aws:s3:::c", "arn:aws:s3:::b"},
	{"ArnLike", "aws:SourceArn", "arn:aws:sns:*:111122223333:t", "arn:aws:sns:eu-west-1:111122223333:t", "arn:aws:sns:eu-west-1:444455556666:t", "arn:aws:sns::111122223333:t"},
	{"ArnLike", "aws:SourceArn", "arn:aws:sns:*:t", "arn:aws:sns:a:t:x:t", "arn:aws:sns:a:b:t", "arn:aws:sns:a:t::"},
	{"ArnNotEquals", "aws:SourceArn", "arn:aws:s3:::b*", "arn:aws:s3:::b/d", "arn:aws:s3:::c", "arn:aws:s3:::b"},
	{"ArnNotLike", "aws:SourceArn", "arn:aws:s3:::?", "arn:aws:s3:::b", "arn:aws:s3:::bc", "arn:aws:s3:::c"},
}

// table says for each form of an operator, first of a positive test and then of
// a negated one, what it makes of a key that is absent; that has a value which
// the positive form takes; one that it doesn't take; both at once; and two that
// it takes.
var table = []struct{ form, positive, negated string }{
	{"%s", "ftfff", "tftff"},
	{"%sIfExists", "ttfff", "tftff"},
	{"ForAllValues:%s", "ttfft", "tftff"},
	{"ForAnyValue:%s", "ftftt", "ffttf"},
	{"ForAllValues:%sIfExists", "ttfft", "tftff"},
	{"ForAnyValue:%sIfExists", "ttftt", "tfttf"},
}

// skip leaves the ARN of too few parts out: its own test has it.
func (s sample) short() bool { return s.value == "arn:aws:sns:*:t" }

func conditionRows() (rows []row) {
	for _, s := range samples {
		if s.short() {
			continue
		}
		for _, line := range table {
			op := fmt.Sprintf(line.form, s.test)
			parsed, _ := policy.ParseOperator(op)
			want := line.positive
			if parsed.Test.Negated() {
				want = line.negated
			}
			for i, values := range [][]string{nil, {s.takes}, {s.takesNot}, {s.takes, s.takesNot}, {s.takes, s.anotherThatTakes}} {
				r := row{
					name:    fmt.Sprintf("%s %s %q over %q", op, s.key, s.value, values),
					docs:    []doc{{"user-inline", fmt.Sprintf(`{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*", "Condition": {%q: {%q: %q}}}`, op, s.key, s.value)}},
					action:  "s3:ListBucket",
					on:      slot,
					context: map[string][]string{},
					want:    ImplicitDeny,
					private: len(values) > 1 && s.key != "aws:TagKeys", // no real key has two of these
				}
				if values != nil {
					r.context[strings.ToLower(s.key)] = values
				}
				if want[i] == 't' {
					r.want = Allowed
				}
				rows = append(rows, r)
			}
		}
	}
	return rows
}

func TestEveryOperatorOverKeysThatAreAbsentPresentAndMultiValued(t *testing.T) {
	tried := make(map[policy.Test]bool)
	for _, s := range samples {
		op, ok := policy.ParseOperator(s.test)
		if !ok {
			t.Fatal(s.test)
		}
		tried[op.Test] = true
	}
	for _, test := range policy.Tests() {
		if !tried[test] && test != policy.Null {
			t.Errorf("no sample for %v", test)
		}
	}
	for _, r := range conditionRows() {
		r.check(t)
	}
}

func TestAnArnOperatorOverAShortPatternGrantsAndDeniesNothingForCertain(t *testing.T) {
	for _, value := range []string{"arn:aws:sns:*:t", "*", "arn:*"} {
		for _, test := range []string{"ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals"} {
			elements := fmt.Sprintf(`"Action": "*", "Resource": "*", "Condition": {%q: {"aws:SourceArn": %q}}`, test, value)
			for _, docs := range [][]doc{allows(elements), denies(elements)} {
				row{name: test + " " + value, docs: docs, action: "s3:ListBucket", on: slot,
					context: map[string][]string{"aws:sourcearn": {"arn:aws:sns:a:b:t"}}, want: Allowed}.check(t)
			}
		}
	}
	row{name: "a short pattern that doesn't match as a glob either", docs: allows(`"Action": "*", "Resource": "*", "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sqs:*"}}`),
		action: "s3:ListBucket", on: slot, context: map[string][]string{"aws:sourcearn": {"arn:aws:sns:a:b:t"}}, want: ImplicitDeny}.check(t)
}

func TestADenyForAnyValueIfExistsIsNotCountedOnWithoutTheKey(t *testing.T) {
	elements := acting("s3:*") + `, "Condition": {"ForAnyValue:StringLikeIfExists": {"aws:TagKeys": "a*"}}`
	row{name: "an Allow", docs: allows(elements), action: "s3:PutObject", on: object, want: Allowed}.check(t)
	row{name: "a Deny", docs: denies(elements), action: "s3:PutObject", on: object, want: Allowed}.check(t)
	row{name: "a Deny with the key", docs: denies(elements), action: "s3:PutObject", on: object, context: context("aws:tagkeys", "ab"), want: ExplicitDeny}.check(t)
}
