package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The first "→" of a text marks the place of its fault; it is not part of it.
func unmark(t *testing.T, text string) (string, Position) {
	t.Helper()
	before, after, ok := strings.Cut(text, "→")
	if !ok {
		t.Fatalf("no mark in %q", text)
	}
	line := strings.Count(before, "\n") + 1
	return before + after, Position{line, len([]rune(before[strings.LastIndex(before, "\n")+1:])) + 1}
}

// A statement around an element, so that each row shows its one fault only.
func identity(element string) string {
	return `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
  "Action": "s3:PutObject", "Resource": "*", ` + element + `}]}`
}

func with(resource string) string {
	return `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": ` + resource + `}}`
}

func acts(action string) string {
	return `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Resource": "*", "Action": ` + action + `}}`
}

func when(condition string) string { return identity(`"Condition": ` + condition) }

func bucket(principal string) string {
	return `{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*", ` + principal + `}}`
}

func control(rest string) string {
	return `{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Resource": "*", ` + rest + `}}`
}

var faults = []struct {
	name    string
	grammar Grammar
	text    string
	code    Code
}{
	// JSON
	{"nothing at all", Identity, `→`, EmptyText},
	{"white space alone", Identity, " \n\t→", EmptyText},
	{"byte order mark", Identity, "→\uFEFF{}", ByteOrderMark},
	{"text after the document", Identity, with(`"*"`) + "\n→{}", TrailingText},
	{"a comma too many in an object", Identity, `{"Version": "2012-10-17",→}`, UnexpectedText},
	{"a comma too many in an array", Identity, acts(`["a:b",→]`), UnexpectedText},
	{"a colon that lacks", Identity, `{"Version" →"2012-10-17"}`, UnexpectedText},
	{"a comma that lacks", Identity, `{"Version": "2012-10-17" →"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`, UnexpectedText},
	{"a comment", Identity, "{→// why\n}", UnexpectedText},
	{"single quotes", Identity, `{→'Version': 1}`, UnexpectedText},
	{"a word that isn't JSON", Identity, `{"Statement": →nil}`, UnexpectedText},
	{"an end too soon", Identity, "{\n\"Statement\": [→", UnexpectedEnd},
	{"a string without an end", Identity, `{"Version→`, UnexpectedEnd},
	{"a line feed in a string", Identity, "{\"Ver→\nsion\": 1}", ControlCharacter},
	{"an unknown escape", Identity, `{"Ver→\sion": 1}`, BadEscape},
	{"half of a surrogate pair", Identity, `{"Ver→\ud800x": 1}`, BadEscape},
	{"the wrong half", Identity, `{"é→\udc00": 1}`, BadEscape},
	{"too few hex digits", Identity, `{"→\u12": 1}`, BadEscape},
	{"a signed escape", Identity, `{"→\u+123": 1}`, BadEscape},
	{"not UTF-8 in a string", Identity, "{\"é→\xff\": 1}", BadUTF8},
	{"not UTF-8 outside", Identity, "{→\xff}", BadUTF8},
	{"a number with a leading zero", Identity, when(`{"NumericEquals": {"s3:x": →01}}`), BadNumber},
	{"a number that ends in a point", Identity, when(`{"NumericEquals": {"s3:x": →1.}}`), BadNumber},
	{"a symbol in a file", Identity, with("\"arn:aws:s3:::→\U000F0001\""), ReservedCharacter},
	{"an escaped symbol in a file", Identity, with(`"arn:aws:s3:::→\udb80\udc01"`), ReservedCharacter},
	{"a key twice in the head", Identity, `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}, →"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`, DuplicateKey},
	{"a key twice in a statement", Identity, identity(`→"Effect": "Allow"`), DuplicateKey},
	{"a key twice through an escape", Identity, identity(`→"\u0045ffect": "Allow"`), DuplicateKey},
	{"an operator twice", Identity, when(`{"Bool": {"aws:a": true}, →"Bool": {"aws:b": true}}`), DuplicateKey},
	{"arrays without end", Identity, strings.Repeat("[", MaxDepth) + "→[", TooDeep},

	// the head
	{"an array at the top", Identity, `→[]`, WrongType},
	{"a string at the top", Identity, "\n →\"x\"", WrongType},
	{"no statement", Identity, `→{"Version": "2012-10-17"}`, MissingElement},
	{"an empty list of statements", Identity, `{"Statement": →[]}`, EmptyElement},
	{"statements that are a string", Identity, `{"Statement": →"x"}`, WrongType},
	{"a statement that is null", Identity, `{"Statement": [→null]}`, WrongType},
	{"an unknown version", Identity, `{"Version": →"2012-10-18", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`, UnknownVersion},
	{"a version that is a number", Identity, `{"Version": →2012, "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`, WrongType},
	{"an id in an identity policy", Identity, `{→"Id": "x", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`, ForbiddenElement},
	{"a head in lower case", Identity, `{→"version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`, MisspelledElement},
	{"an element that isn't in the head", Identity, `{→"Effect": "Allow", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`, UnknownElement},

	// statements
	{"no effect", Identity, `{"Statement": →{"Action": "*", "Resource": "*"}}`, MissingElement},
	{"no action", Identity, `{"Statement": →{"Effect": "Allow", "Resource": "*"}}`, MissingElement},
	{"no resource", Identity, `{"Statement": →{"Effect": "Allow", "Action": "*"}}`, MissingElement},
	{"action and its opposite", Identity, identity(`→"NotAction": "s3:GetObject"`), BothElements},
	{"resource and its opposite", Identity, identity(`→"NotResource": "*"`), BothElements},
	{"principal and its opposite", Resource, bucket(`"NotPrincipal": "*", →"Principal": "*"`), BothElements},
	{"an effect in lower case", Identity, `{"Statement": {"Effect": →"allow", "Action": "*", "Resource": "*"}}`, BadEffect},
	{"an effect that is a list", Identity, `{"Statement": {"Effect": →["Allow"], "Action": "*", "Resource": "*"}}`, WrongType},
	{"an unknown element", Identity, identity(`→"Comment": "x"`), UnknownElement},
	{"an element in lower case", Identity, identity(`→"condition": {}`), MisspelledElement},
	{"an element in the plural", Identity, identity(`→"Conditions": {}`), MisspelledElement},
	{"a sid with a space", Identity, identity(`"Sid": →"Put objects"`), BadSid},
	{"a sid that is a number", Identity, identity(`"Sid": →1`), WrongType},
	{"a sid twice", Identity, `{"Statement": [{"Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*"},
  {"Sid": →"A", "Effect": "Allow", "Action": "*", "Resource": "*"}]}`, DuplicateSid},

	// actions
	{"an action without a service", Identity, acts(`→"PutObject"`), BadAction},
	{"an action without a name", Identity, acts(`→"s3:"`), BadAction},
	{"an action with two colons", Identity, acts(`→"s3:Put:Object"`), BadAction},
	{"an action with a space", Identity, acts(`["s3:Get*", →" s3:PutObject"]`), BadAction},
	{"a wildcard in the service", Identity, acts(`→"s*:PutObject"`), BadAction},
	{"an action that is empty", Identity, acts(`→""`), BadAction},
	{"no action in the list", Identity, acts(`→[]`), EmptyElement},
	{"an action that is a number", Identity, acts(`["s3:Get*", →3]`), WrongType},
	{"actions in an object", Identity, acts(`→{"s3": "Get*"}`), WrongType},

	// resources
	{"a resource that is a name", Identity, with(`→"my-bucket"`), BadARN},
	{"a resource of another scheme", Identity, with(`→"ARN:aws:s3:::b/*"`), BadARN},
	{"a wildcard in the service of an ARN", Identity, with(`→"arn:aws:s*:::b/*"`), BadARN},
	{"no service in an ARN", Identity, with(`→"arn:aws::::b/*"`), BadARN},
	{"an ARN of two parts", Identity, with(`→"arn:*"`), BadARN},
	{"a star and more", Identity, with(`→"**"`), BadARN},
	{"an ARN that ends in a colon", Identity, with(`→"arn:aws:s3:::"`), BadARN},
	{"a variable before the fifth colon", Identity, with(`→"arn:aws:s3::${aws:PrincipalAccount}:x"`), MisplacedVariable},
	{"a variable without an end", Identity, with(`→"arn:aws:s3:::b/${aws:username/*"`), BadVariable},
	{"a variable without a name", Identity, with(`→"arn:aws:s3:::b/${}"`), BadVariable},
	{"a default without quotes", Identity, with(`→"arn:aws:s3:::b/${aws:username, x}"`), BadVariable},
	{"a default without an end", Identity, with(`→"arn:aws:s3:::b/${aws:username, 'x}"`), BadVariable},
	{"a short ARN in an SCP", SCPGrammar, with(`→"arn:aws:s3"`), BadARN},

	// principals
	{"a principal in an identity policy", Identity, identity(`→"Principal": "*"`), ForbiddenElement},
	{"no principal in a bucket policy", Resource, `{"Statement": →{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}`, MissingElement},
	{"every resource in a bucket policy", BucketGrammar, `{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::b", →"*"]}}`, BucketWildcard},
	{"every other resource in a bucket policy", BucketGrammar, `{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "NotResource": →"*"}}`, BucketWildcard},
	{"an identity of CloudFront without its id", BucketGrammar, `{"Statement": {"Effect": "Allow", "Principal": {"AWS": →"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity"}, "Action": "s3:*", "Resource": "arn:aws:s3:::b"}}`, BadPrincipal},
	{"a principal that is a bare ARN", Resource, bucket(`"Principal": →"arn:aws:iam::111122223333:user/a"`), BadPrincipal},
	{"a principal that is a list", Resource, bucket(`"Principal": →["*"]`), WrongType},
	{"nobody", Resource, bucket(`"Principal": →{}`), EmptyElement},
	{"an empty list of principals", Resource, bucket(`"Principal": {"AWS": →[]}`), EmptyElement},
	{"an unknown type of principal", Resource, bucket(`"Principal": {→"Aws": "*"}`), UnknownPrincipal},
	{"an account of eleven digits", Resource, bucket(`"Principal": {"AWS": →"11112222333"}`), BadPrincipal},
	{"a wildcard in a principal", Resource, bucket(`"Principal": {"AWS": →"arn:aws:iam::111122223333:user/*"}`), BadPrincipal},
	{"a group as principal", Resource, bucket(`"Principal": {"AWS": →"arn:aws:iam::111122223333:group/a"}`), BadPrincipal},
	{"a bare service", Resource, bucket(`"Principal": {"Service": →"s3"}`), BadPrincipal},
	{"every service", Resource, bucket(`"Principal": {"Service": →"*"}`), BadPrincipal},
	{"a short canonical id", Resource, bucket(`"Principal": {"CanonicalUser": →"79a5"}`), BadPrincipal},
	{"a resource in a trust policy", TrustGrammar, `{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole", →"Resource": "*"}}`, ForbiddenElement},
	{"no principal in a trust policy", TrustGrammar, `{"Statement": →{"Effect": "Allow", "Action": "sts:AssumeRole"}}`, MissingElement},

	// organizations
	{"a principal in an SCP", SCPGrammar, control(`"Action": "s3:*", →"Principal": "*"`), ForbiddenElement},
	{"a principal by name in an RCP", RCPGrammar, control(`"Action": "s3:*", "Principal": {"AWS": →"111122223333"}`), BadPrincipal},
	{"nobody named in an RCP", RCPGrammar, `{"Statement": →{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}`, MissingElement},
	{"NotAction in an RCP", RCPGrammar, control(`"Principal": "*", →"NotAction": "s3:*"`), ForbiddenElement},
	{"every action in an RCP", RCPGrammar, control(`"Principal": "*", "Action": →"*"`), ForbiddenWildcard},
	{"an Allow in an RCP", RCPGrammar, `{"Statement": {→"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}}`, ForbiddenAllow},

	// conditions
	{"a condition that is a list", Identity, when(`→[]`), WrongType},
	{"an unknown operator", Identity, when(`{→"StringMatches": {"aws:x": "a"}}`), UnknownOperator},
	{"an operator in lower case", Identity, when(`{→"stringEquals": {"aws:x": "a"}}`), MisspelledOperator},
	{"an unknown quantifier", Identity, when(`{→"ForSomeValues:StringEquals": {"aws:x": "a"}}`), UnknownOperator},
	{"Null with IfExists", Identity, when(`{→"NullIfExists": {"aws:x": true}}`), UnknownOperator},
	{"a quantified Null", Identity, when(`{→"ForAnyValue:Null": {"aws:x": true}}`), UnknownOperator},
	{"an operator over a string", Identity, when(`{"StringEquals": →"aws:x"}`), WrongType},
	{"a key without a service", Identity, when(`{"StringEquals": {→"SourceIp": "a"}}`), BadConditionKey},
	{"a key with a wildcard", Identity, when(`{"StringEquals": {→"aws:*": "a"}}`), BadConditionKey},
	{"no values", Identity, when(`{"StringEquals": {"aws:x": →[]}}`), EmptyElement},
	{"a value that is null", Identity, when(`{"StringEquals": {"aws:x": →null}}`), WrongType},
	{"a value that is an object", Identity, when(`{"StringEquals": {"aws:x": ["a", →{}]}}`), WrongType},
	{"a number that isn't one", Identity, when(`{"NumericLessThan": {"s3:max-keys": →"ten"}}`), BadValue},
	{"a date that isn't one", Identity, when(`{"DateLessThan": {"aws:CurrentTime": →"tomorrow"}}`), BadValue},
	{"a Boolean that isn't one", Identity, when(`{"Bool": {"aws:SecureTransport": →"yes"}}`), BadValue},
	{"a Null that isn't Boolean", Identity, when(`{"Null": {"aws:x": →"maybe"}}`), BadValue},
	{"an address with a wildcard", Identity, when(`{"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", →"10.*"]}}`), BadValue},
	{"a mask too long", Identity, when(`{"IpAddress": {"aws:SourceIp": →"10.0.0.0/33"}}`), BadValue},
	{"binary that isn't base64", Identity, when(`{"BinaryEquals": {"aws:x": →"!"}}`), BadValue},
	{"a variable in a date", Identity, when(`{"DateLessThan": {"aws:CurrentTime": →"${aws:x}"}}`), MisplacedVariable},
	{"a broken variable in a value", Identity, when(`{"StringLike": {"aws:x": →"${aws:x"}}`), BadVariable},
}

func TestEachFaultHasItsCodeAndItsPlace(t *testing.T) {
	met := make(map[Code]bool)
	for _, row := range faults {
		t.Run(row.name, func(t *testing.T) {
			text, at := unmark(t, row.text)
			doc, err := Parse("p.json", []byte(text), ParseOptions{Grammar: row.grammar})
			var errs Errors
			if !errors.As(err, &errs) || doc != nil {
				t.Fatalf("accepted: %s", text)
			}
			if len(errs) != 1 || errs[0].Code != row.code || errs[0].Pos != at || errs[0].File != "p.json" {
				t.Errorf("got %v, want %s at %v of\n%s", list(errs), row.code, at, text)
			}
			met[row.code] = true
		})
	}
	met[TooLong] = true // its own test
	for _, code := range Codes() {
		if !met[code] {
			t.Errorf("no row for %s", code)
		}
	}
}

func list(errs Errors) (out []string) {
	for _, e := range errs {
		out = append(out, e.Error())
	}
	return out
}

func TestAllFaultsAreReportedAtOnceInTheirOrder(t *testing.T) {
	text := `{
  "Version": "2013-01-01",
  "Statement": [
    {"Sid": "a b", "Effect": "allow", "Action": ["s3PutObject", "s3:Get*"], "Resource": "b"},
    {"effect": "Deny", "NotAction": "s3:*", "Resource": "*", "Condition": {"StringIs": {"aws:x": 1}}},
    7
  ]
}`
	_, err := Parse("p.json", []byte(text), ParseOptions{})
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatal("accepted")
	}
	var got []string
	for _, e := range errs {
		got = append(got, fmt.Sprintf("%d:%d %s", e.Pos.Line, e.Pos.Column, e.Code))
	}
	want := []string{
		"2:14 unknown-version", "4:13 bad-sid", "4:30 bad-effect", "4:50 bad-action", "4:89 bad-arn",
		"5:6 misspelled-element", "5:76 unknown-operator", "6:5 wrong-type",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAnOverlongDocumentIsRefused(t *testing.T) {
	text := with(`"*"`) + strings.Repeat(" ", MaxDocument)
	_, err := Parse("p.json", []byte(text), ParseOptions{})
	var errs Errors
	if !errors.As(err, &errs) || errs[0].Code != TooLong {
		t.Errorf("got %v", err)
	}
}
