package policy

import (
	"strings"
	"testing"
)

// What IAM accepts is accepted, and prints in its one canonical form.
func TestWhatIAMAcceptsIsAccepted(t *testing.T) {
	const allow = `"Effect": "Allow", "Action": "s3:*", "Resource": "*"`
	for _, row := range []struct {
		name    string
		grammar Grammar
		text    string
		want    string
	}{
		{"one statement without a list", Identity, `{"Statement": {` + allow + `}}`,
			`{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`},
		{"elements in any order", Identity, `{"Statement": [{"Resource": ["*"], "Action": ["s3:*"], "Effect": "Allow", "Sid": "A1"}], "Version": "2008-10-17"}`,
			`{"Version":"2008-10-17","Statement":[{"Sid":"A1","Effect":"Allow","Action":"s3:*","Resource":"*"}]}`},
		{"lists are sets", Identity, `{"Statement": {"Effect": "Deny", "NotAction": ["s3:b", "s3:a", "s3:b"], "NotResource": ["arn:aws:s3:::b/*", "arn:aws:s3:::a"]}}`,
			`{"Statement":[{"Effect":"Deny","NotAction":["s3:a","s3:b"],"NotResource":["arn:aws:s3:::a","arn:aws:s3:::b/*"]}]}`},
		{"numbers and Booleans without quotes", Identity, when(`{"NumericEquals": {"s3:max-keys": [1, 2.5, "3"]}, "Bool": {"aws:SecureTransport": true}}`),
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"},"NumericEquals":{"s3:max-keys":["1","2.5","3"]}}}]}`},
		{"escapes", Identity, `{"\u0053tatement": {"Effect": "Allow", "Action": "s3:\u002a", "Resource": "arn:aws:s3:::b\/\ud83d\ude00"}}`,
			`{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/😀"}]}`},
		{"an empty condition", Identity, identity(`"Condition": {}`),
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]}`},
		{"every way to name everybody", Resource, bucket(`"Principal": {"AWS": "*"}`),
			`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}`},
		{"every type of principal", Resource, bucket(`"Principal": {"Service": "s3.amazonaws.com", "AWS": ["AIDAEXAMPLEEXAMPLE01", "111122223333", "arn:aws:sts::111122223333:assumed-role/r/s"], "CanonicalUser": "` + strings.Repeat("0f", 32) + `", "Federated": "accounts.google.com"}`),
			`{"Statement":[{"Effect":"Allow","Principal":{"AWS":["111122223333","AIDAEXAMPLEEXAMPLE01","arn:aws:sts::111122223333:assumed-role/r/s"],"CanonicalUser":"` + strings.Repeat("0f", 32) + `","Federated":"accounts.google.com","Service":"s3.amazonaws.com"},"Action":"s3:*","Resource":"*"}]}`},
		{"an identity of CloudFront, as S3 hands it back", BucketGrammar, `{"Version": "2008-10-17", "Statement": [{"Sid": "1", "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity EH1HDMB1FH2TC", "AROAEXAMPLEEXAMPLE01"]}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}]}`,
			`{"Version":"2008-10-17","Statement":[{"Sid":"1","Effect":"Allow","Principal":{"AWS":["AROAEXAMPLEEXAMPLE01","arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity EH1HDMB1FH2TC"]},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}`},
		{"an id and a sid with spaces in a bucket policy", Resource, `{"Id": "my policy", "Statement": {"Sid": "no reads", "Principal": "*", ` + allow + `}}`,
			`{"Id":"my policy","Statement":[{"Sid":"no reads","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}`},
		{"a trust policy without resources", TrustGrammar, `{"Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}}`,
			`{"Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`},
		{"AWS's own RCP", RCPGrammar, `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}`,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`},
		{"text that looks like a variable in the old version", Identity, `{"Version": "2008-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/${aws:"}}`,
			`{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:"}]}`},
		{"the one policy of an uploader", Identity, string(WriteOnly("arn:aws:s3:::b/uploads/vm-01/*").JSON()),
			`{"Version":"2012-10-17","Statement":[{"Sid":"WriteUnderPrefix","Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/uploads/vm-01/*"}]}`},
		{"the same with a key", Identity, string(WriteOnlyWithKey("arn:aws:s3:::b/p/*", "arn:aws:kms:eu-west-1:111122223333:key/k", "s3.eu-west-1.amazonaws.com").JSON()),
			`{"Version":"2012-10-17","Statement":[{"Sid":"WriteUnderPrefix","Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/p/*"},{"Sid":"EncryptUnderPrefix","Effect":"Allow","Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":"arn:aws:kms:eu-west-1:111122223333:key/k","Condition":{"StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"},"StringLike":{"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::b/p/*"}}}]}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			doc, err := Parse("p.json", []byte(row.text), ParseOptions{Grammar: row.grammar})
			if err != nil {
				t.Fatal(err)
			}
			if got := compact(doc.JSON()); got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
}

// compact takes the line feeds and indents of the canonical form out.
func compact(printed []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(printed)) {
		b.WriteString(strings.TrimLeft(strings.TrimSuffix(line, "\n"), " "))
	}
	return strings.ReplaceAll(b.String(), `": `, `":`)
}

// Positions are of the characters, whatever stands before them.
func TestEveryElementKnowsItsPlace(t *testing.T) {
	doc, err := Parse("p.json", []byte("{\"Version\": \"2012-10-17\",\n \"Statement\": [\n  {\"Sid\": \"A\", \"Effect\": \"Allow\",\n"+
		"   \"Action\": [\"s3:PutObject\", \"s3:Get*\"], \"Resource\": \"arn:aws:s3:::b/ñ😀\", \"Condition\": {\"StringLike\": {\"aws:x\": [\"ñ\", \"b\"]}}}]}"), ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	st := doc.Statements[0]
	for _, row := range []struct {
		what string
		got  Position
		want Position
	}{
		{"document", doc.Pos, Position{1, 1}}, {"statement", st.Pos, Position{3, 3}}, {"second action", st.Actions[1].Pos, Position{4, 31}},
		{"resource", st.Resources[0].Pos, Position{4, 55}}, {"condition", st.Conditions[0].Pos, Position{4, 105}},
		{"second value", st.Conditions[0].Values[1].Pos, Position{4, 120}},
	} {
		if row.got != row.want {
			t.Errorf("%s at %v, want %v", row.what, row.got, row.want)
		}
	}
	moved, err := Parse("p.json", []byte("{\"Statement\":\n {\"Effect\": \"Allow\", \"Action\": \"s3:*\", \"Resource\": \"*\"}}"), ParseOptions{At: Position{10, 5}})
	if err != nil || moved.Pos != (Position{10, 5}) || moved.Statements[0].Pos != (Position{11, 2}) {
		t.Errorf("%v: a document in a file is at %v, its statement at %v", err, moved.Pos, moved.Statements[0].Pos)
	}
}

// What AWS accepted keeps its statements; those that aren't understood say so.
func TestLenientReadingMarksWhatItDoesNotUnderstand(t *testing.T) {
	doc, err := Parse("p.json", []byte(`{"Version": "2012-10-17", "Statement": [
 {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"},
 {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringIs": {"aws:x": "y"}}},
 {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Scope": "all"}]}`), ParseOptions{Lenient: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ unclear, conditions bool }{{false, false}, {true, true}, {true, false}} {
		st := doc.Statements[i]
		if (st.Unclear != nil) != want.unclear || st.UnclearConditions != want.conditions {
			t.Errorf("statement %d: %v, conditions alone: %v", i, st.Unclear, st.UnclearConditions)
		}
	}
	doc, err = Parse("p.json", []byte(`{"Version": "2030-01-01", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}`), ParseOptions{Lenient: true})
	if err != nil || doc.Statements[0].Unclear == nil {
		t.Errorf("a version of tomorrow: %v", err)
	}
}

// A sealed policy says its own limits: it parses, and what it allows is as before.
func TestASealedPolicyDeniesAllElse(t *testing.T) {
	for _, doc := range []*Document{
		WriteOnly("arn:aws:s3:::b/uploads/vm-01/*"),
		WriteOnlyWithKey("arn:aws:s3:::b/uploads/vm-01/*", "arn:aws:kms:eu-west-1:111122223333:key/k", "s3.eu-west-1.amazonaws.com"),
	} {
		sealed, err := Parse("sealed.json", Sealed(doc).JSON(), ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		n := len(doc.Statements)
		if len(sealed.Statements) != 2*n+1 {
			t.Fatalf("%d statements of %d", len(sealed.Statements), n)
		}
		for i, st := range sealed.Statements {
			if st.Index != i || (st.Effect == Allow) != (i < n) {
				t.Errorf("statement %d has the index %d and the effect %v", i, st.Index, st.Effect)
			}
			if i >= n && st.NotAction == st.NotResource {
				t.Errorf("statement %d denies %v", i, st)
			}
		}
	}
}
