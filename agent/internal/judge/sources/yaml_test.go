package sources

import (
	"strings"
	"testing"

	"buzon/agent/policy"
)

// The same stack in YAML's short forms; the marks are where the fault of each
// row below is put.
const yamlStack = `# A stack in YAML
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Stage: {Type: String}
Conditions:
  Yes: !Equals [a, a]
  No: !Not [!Condition Yes]
  Both: !And [!Condition Yes, !Or [!Condition Yes, !Condition No]]
Mappings:
  By:
    all: {bucket: mapped}
Resources:
  Box:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: acme-uploads
  Vm:
    Type: AWS::IAM::User
    Properties:
      UserName: vm-01
      Path: /buzon/
      Policies:
        - PolicyName: p
          PolicyDocument:
            Version: 2012-10-17
            Statement:
              - Sid: Ñandú
                Effect: Allow
                Action: [s3:PutObject, "s3:Get*"]
                Resource:
                  - !Sub "${Box.Arn}/*"
                  - !Sub
                    - arn:aws:s3:::${b}/x/*
                    - b: !Ref Box
                  - !Join ["", ["arn:aws:s3:::", !Ref Box]]
                  - !GetAtt Box.Arn
                  - !If [Both, "arn:aws:s3:::yes", "arn:aws:s3:::no"]
                  - !Select [1, !Split ["|", "a|arn:aws:s3:::b"]]
                  - Fn::Join: ["", ["arn:aws:s3:::", !FindInMap [By, all, bucket]]]
                  - !ImportValue Other
                  - !Sub arn:aws:s3:::b/${Stage}
                  - >-
                    arn:aws:s3:::folded
                  - 'arn:aws:s3:::quoted'
                Condition:
                  Bool: {aws:SecureTransport: true}
                  NumericLessThan: {s3:max-keys: 10}
                  StringEquals:
                    aws:PrincipalAccount: 012345678901
Outputs:
  BucketName: {Value: !Ref Box}
`

func TestYAMLIsReadAsItsLongForm(t *testing.T) {
	yaml := strings.Replace(yamlStack, "Sid: Ñandú", "Sid: Put", 1)
	s := files{"t.yaml": yaml}.one(t, Selection{Templates: []string{"t.yaml"}, Prefix: "p/"})
	st := s.Set.Sources[0].Document.Statements[0]
	var got []string
	for _, r := range st.Resources {
		got = append(got, s.Show(r.Value))
	}
	want := []string{
		"arn:aws:s3:::acme-uploads/*", "arn:aws:s3:::acme-uploads/x/*", "arn:aws:s3:::acme-uploads", "arn:aws:s3:::acme-uploads",
		"arn:aws:s3:::yes", "arn:aws:s3:::b", "arn:aws:s3:::mapped", "*", "arn:aws:s3:::b/*", "arn:aws:s3:::folded", "arn:aws:s3:::quoted",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	values := map[string]string{}
	for _, c := range st.Conditions {
		values[c.Operator.String()+" "+c.Key] = c.Values[0].Value
	}
	for key, want := range map[string]string{
		"Bool aws:SecureTransport": "true", "NumericLessThan s3:max-keys": "10", "StringEquals aws:PrincipalAccount": "012345678901",
	} {
		if values[key] != want {
			t.Errorf("%s is %q", key, values[key])
		}
	}
	if s.Set.Bucket != "acme-uploads" {
		t.Errorf("held to %s", s.Set.Bucket)
	}
	if st.Pos != (policy.Position{Line: 27, Column: 17}) || st.Actions[1].Pos != (policy.Position{Line: 29, Column: 40}) {
		t.Errorf("the statement is at %v, its second action at %v", st.Pos, st.Actions[1].Pos)
	}
}

func TestEachFaultOfYAMLHasItsPlace(t *testing.T) {
	change := func(from, to string) string {
		if !strings.Contains(yamlStack, from) {
			t.Fatalf("no %q", from)
		}
		return strings.Replace(strings.Replace(yamlStack, "Ñandú", "Put", 1), from, to, 1)
	}
	for _, row := range []struct{ name, text, want string }{
		{"a Sid outside ASCII", yamlStack, "t:27:22 bad-sid"},
		{"a misspelled element", change("Effect: Allow", "Efect: Allow"), "t:27:17 missing-element\nt:28:17 unknown-element"},
		{"an effect in lower case", change("Effect: Allow", "Effect: allow"), "t:28:25 bad-effect"},
		{"an action after others, characters before it", change(`[s3:PutObject, "s3:Get*"]`, `["s3:PutÑ", s3get]`), "t:29:26 bad-action\nt:29:37 bad-action"},
		{"a resource in quotes", change(`'arn:aws:s3:::quoted'`, `'quoted'`), "t:44:21 bad-arn"},
		{"a folded resource", change("arn:aws:s3:::folded", "folded"), "t:42:21 bad-arn"},
		{"a reference to nothing", change("!GetAtt Box.Arn", "!GetAtt Bax.Arn"), "t:36:21 unknown-reference"},
		{"a tag that isn't CloudFormation's", change("!GetAtt Box.Arn", "!Get Box.Arn"), "t:36:21 yaml-tag"},
		{"a key twice", change("UserName: vm-01", "Path: /x/"), "t:20:7 written-twice"},
		{"an anchor", change("!GetAtt Box.Arn", "&a arn:aws:s3:::b"), "t:36:21 yaml-alias"},
		{"an alias of nothing", change("!GetAtt Box.Arn", "*a"), "t:36:21 not-yaml"},
		{"an alias of something", strings.Replace(change("!GetAtt Box.Arn", "*a"), "Sid: Put", "Sid: &a Put", 1), "t:27:22 yaml-alias\nt:36:21 yaml-alias"},
		{"a mapping that isn't one", change("Effect: Allow", "Effect Allow"), "t:28:17 not-yaml"},
		{"a tab", change("      UserName: vm-01", "\tUserName: vm-01"), "t:20:1 not-yaml"},
		{"quotes that never end", change(`"s3:Get*"`, `"s3:Get*`), "t:29:25 not-yaml"},
		{"a bracket that never closes", change(`!ImportValue Other`, `[a`), "t:42:21 not-yaml"},
		{"a character that begins nothing", change("arn:aws:s3:::folded", "arn") + "  Next: @x\n", "t:52:9 not-yaml"},
		{"an indentation between two others", change("      Path: /buzon/", "     Path: /buzon/"), "t:21:6 not-yaml"},
		{"a tag that never ends", change("!GetAtt Box.Arn", "!<"), "t:36:23 not-yaml"},
		{"a byte that is no text", change("vm-01", "vm-é\xff"), "t:20:21 not-yaml"},
		{"text that is no mapping", "hello", "t:1:1 not-a-template"},
		{"two documents", "a: b\n---\nc: d\n", "t:1:1 not-a-template"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := (files{"t": row.text}).faults(t, target(Selection{Templates: []string{"t"}})); got != row.want {
				t.Errorf("got\n%s\nwant\n%s", got, row.want)
			}
		})
	}
}
