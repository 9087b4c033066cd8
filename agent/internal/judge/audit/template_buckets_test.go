package audit

import (
	"errors"
	"strings"
	"testing"

	"buzon/agent/policy"
)

func TestWhoseBucketIsKnownOrAsked(t *testing.T) {
	reads := strings.Replace(writer(), `Action: "s3:PutObject"`, `Action: ["s3:PutObject", "s3:GetObject"]`, 1)
	bucket := func(properties string) string {
		return "  Logs: {Type: AWS::S3::Bucket, Properties: {" + properties + "}}\n"
	}
	guard := func(of string) string {
		return `  Guard:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: ` + of + `
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Deny, Principal: "*", Action: "s3:GetObject", Resource: !Sub "${Logs.Arn}/*"}]}
`
	}
	output := "Outputs: {BucketName: {Value: !Ref Logs}}"
	named := "Parameters: {Name: {Type: String}}"
	for _, c := range []stackCase{
		{name: "another's guard", resources: reads + bucket("BucketName: some-other-bucket") + guard("!Ref Logs"), verdict: Violation, rules: "read-object"},
		{name: "its own guard", resources: reads + bucket("BucketName: acme-uploads") + guard("!Ref Logs"), verdict: WriteOnly, rules: "broad-policy overwrite"},
		{name: "the outputs name it", sections: output, resources: reads + bucket("") + guard("!Ref Logs"), verdict: WriteOnly, rules: "broad-policy overwrite"},
		{name: "the outputs name another", sections: output, resources: reads + bucket("BucketName: some-other-bucket") + guard("!Ref Logs"), verdict: Violation, rules: "read-object"},
		{name: "a name that isn't known", resources: reads + bucket("") + guard("!Ref Logs"), verdict: NoVerdict, reasons: ReasonBucket},
		{name: "a name from a parameter", sections: named, resources: reads + bucket("BucketName: !Ref Name") + guard("!Ref Logs"), verdict: NoVerdict, reasons: ReasonBucket},
		{name: "the parameter is given", sections: named, parameters: []string{"Name=acme-uploads"}, resources: reads + bucket("BucketName: !Ref Name") + guard("!Ref Logs"),
			verdict: WriteOnly, rules: "broad-policy overwrite"},
		{name: "the parameter is another's", sections: named, parameters: []string{"Name=other"}, resources: reads + bucket("BucketName: !Ref Name") + guard("!Ref Logs"),
			verdict: Violation, rules: "read-object"},
		{name: "a guard of a parameter's", sections: named, resources: reads + bucket("BucketName: acme-uploads") + guard("!Ref Name"), verdict: NoVerdict, reasons: ReasonBucket, rules: "overwrite"},
		{name: "writes to another", resources: writer(`{Effect: Allow, Action: "s3:PutObject", Resource: !Sub "${Logs.Arn}/uploads/vm-01/*"}`) + bucket("BucketName: some-other-bucket"),
			verdict: Violation, rules: "write-elsewhere"},
		{name: "writes to one that may be it", resources: writer(`{Effect: Allow, Action: "s3:PutObject", Resource: !Sub "${Logs.Arn}/uploads/vm-01/*"}`) + bucket(""),
			verdict: NoVerdict, reasons: ReasonBucket},
		{name: "reads one that may be it", resources: writer(`{Effect: Allow, Action: "s3:GetObject", Resource: !Sub "${Logs.Arn}/*"}`) + bucket(""),
			verdict: Violation, rules: "read-object"},
		{name: "nothing hangs on it", resources: writer() + bucket(""), verdict: WriteOnly},
		{name: "its policy may let the user read", resources: writer() + bucket("") + strings.Replace(strings.Replace(guard("!Ref Logs"), "Deny", "Allow", 1), `Principal: "*"`, "Principal: {AWS: !GetAtt U.Arn}", 1),
			verdict: NoVerdict, reasons: ReasonBucket},
	} {
		c.run(t)
	}
}

// tlsOnly is a bucket of a template whose policy asks for TLS, as tools that write
// templates give to every bucket; statements go into the policy besides.
func tlsOnly(id, properties string, statements ...string) string {
	all := append([]string{
		`{Effect: Deny, Principal: "*", Action: "s3:*", Resource: [!GetAtt ` + id + `.Arn, !Sub "${` + id + `.Arn}/*"], Condition: {Bool: {"aws:SecureTransport": "false"}}}`,
	}, statements...)
	return `  ` + id + `: {Type: AWS::S3::Bucket` + properties + `}
  ` + id + `Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref ` + id + `
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - ` + strings.Join(all, "\n          - ") + "\n"
}

// A bucket that surely isn't the one in question takes nothing away from the
// contract and adds nothing to it, whatever of its name only deployment knows.
func TestABucketThatIsAnotherIsAnother(t *testing.T) {
	named := func(name string) string { return ", Properties: {BucketName: " + name + "}" }
	main := "  Main: {Type: AWS::S3::Bucket" + named("acme-uploads, VersioningConfiguration: {Status: Enabled}") + "}\n"
	reads := func(id string) string {
		return `{Effect: Allow, Principal: {AWS: !GetAtt U.Arn}, Action: "s3:GetObject", Resource: !Sub "${` + id + `.Arn}/*"}`
	}
	parameter := "Parameters: {P: {Type: String}}"
	for _, c := range []stackCase{
		{name: "it ends otherwise", sections: parameter, resources: writer() + tlsOnly("Logs", named(`!Sub "${P}-logs"`)), verdict: WriteOnly},
		{name: "it begins otherwise", sections: parameter, resources: writer() + tlsOnly("Logs", named(`!Join ["-", [logs, !Ref P, !Ref AWS::Region]]`)), verdict: WriteOnly},
		{name: "the one in question is beside it", resources: writer() + main + tlsOnly("Logs", ""), verdict: WriteOnly},
		{name: "its policy names it by a text", sections: parameter, resources: writer() + main + `  LogsPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Sub "${P}-logs"
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Deny, Principal: "*", Action: "s3:PutObject", Resource: !Sub "arn:aws:s3:::${P}-logs/*"}]}
`, verdict: WriteOnly},
		{name: "outputs name the other", sections: "Outputs: {BucketName: {Value: !Ref Main}}", resources: writer() + main + tlsOnly("Logs", ""), verdict: WriteOnly},
		{name: "it is read", resources: writer() + main + tlsOnly("Logs", "", reads("Logs")), verdict: Violation, rules: "read-object"},
		{name: "it is read, with a part of its name", sections: parameter, resources: writer() + tlsOnly("Logs", named(`!Sub "${P}-logs"`), reads("Logs")),
			verdict: Violation, rules: "read-object"},
		{name: "a pattern of the user's covers it", sections: parameter,
			resources: writer(`{Effect: Allow, Action: "s3:PutObject", Resource: "arn:aws:s3:::acme-*/uploads/vm-01/*"}`) + tlsOnly("Logs", named(`!Sub "acme-${P}-logs"`)),
			verdict:   Violation, rules: "write-elsewhere"},
	} {
		c.run(t)
	}
}

// Several buckets may be the one in question: each policy is one that it may have,
// and none speaks against another.
func TestPoliciesOfBucketsThatMayBeTheOneInQuestion(t *testing.T) {
	denies := func(id, action string) string {
		return `{Effect: Deny, Principal: "*", Action: "` + action + `", Resource: !Sub "${` + id + `.Arn}/*"}`
	}
	for _, c := range []stackCase{
		{name: "none is in the way", resources: writer() + tlsOnly("A", "") + tlsOnly("B", ""), verdict: WriteOnly},
		{name: "the first forbids", resources: writer() + tlsOnly("A", "", denies("A", "s3:PutObject")) + tlsOnly("B", ""),
			verdict: NoVerdict, reasons: "bucket-unsure"},
		{name: "the last forbids", resources: writer() + tlsOnly("A", "") + tlsOnly("B", "") + tlsOnly("C", "", denies("C", "s3:Put*")),
			verdict: NoVerdict, reasons: "bucket-unsure"},
		{name: "two statements of one Sid", resources: writer() + tlsOnly("A", "", strings.Replace(denies("A", "s3:GetObject"), "{", "{Sid: S, ", 1), strings.Replace(denies("A", "s3:DeleteObject"), "{", "{Sid: S, ", 1)), verdict: WriteOnly},
		{name: "one lets read", resources: writer() + tlsOnly("A", "") + tlsOnly("B", "", `{Effect: Allow, Principal: "*", Action: "s3:GetObject", Resource: !Sub "${B.Arn}/*"}`),
			verdict: NoVerdict, reasons: "bucket-unsure"},
		{name: "beside the policy that it has", resources: writer() + tlsOnly("A", "", denies("A", "s3:GetObject")), others: []string{`Resources:
  Known:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: acme-uploads
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Deny, Principal: "*", Action: "s3:DeleteObject", Resource: "arn:aws:s3:::acme-uploads/*"}]}
`}, verdict: WriteOnly},
	} {
		c.run(t)
	}
}

// CloudFormation takes the last of a key that stands twice. Where no right hangs on
// it, that is nobody's business here.
func TestAKeyThatStandsTwice(t *testing.T) {
	for _, c := range []stackCase{
		{name: "in a queue", resources: writer() + "  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: a, QueueName: b}}\n", verdict: WriteOnly},
		{name: "two queues", resources: writer() + "  Q: {Type: AWS::SQS::Queue}\n  Q: {Type: AWS::SQS::Queue}\n", verdict: WriteOnly},
		{name: "in metadata", sections: "Metadata: {A: 1, A: 2}", resources: writer(), verdict: WriteOnly},
	} {
		c.run(t)
	}
	for _, c := range []struct {
		name string
		in   stackCase
	}{
		{"a statement's action", stackCase{resources: writer(`{Effect: Allow, Action: "s3:GetObject", Action: "s3:PutObject", Resource: "arn:aws:s3:::acme-uploads/uploads/vm-01/*"}`)}},
		{"the document of a queue's policy", stackCase{resources: writer() + `  P:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [q]
      PolicyDocument: {Statement: [{Effect: Allow, Principal: "*", Action: "sqs:*", Resource: "*"}], Statement: []}
`}},
		{"a user and what takes its place", stackCase{resources: writer() + "  U: {Type: AWS::SQS::Queue}\n"}},
		{"a mapping's key", stackCase{sections: "Mappings: {M: {a: {x: '1', x: '2'}}}", resources: writer()}},
		{"a condition", stackCase{sections: "Conditions: {C: !Equals [a, a], C: !Equals [a, b]}", resources: writer()}},
		{"a section", stackCase{sections: "Parameters: {}\nParameters: {}", resources: writer()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.in.load(t)
			var faults policy.Errors
			if !errors.As(err, &faults) || faults[0].Code != "written-twice" {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What a template may hold beside resources, and the functions that stand there
// only, are no reason to refuse it.
func TestTheSectionRules(t *testing.T) {
	for _, c := range []stackCase{
		{name: "with the functions that stand there alone", sections: `Parameters: {V: {Type: "AWS::EC2::VPC::Id"}, S: {Type: "List<AWS::EC2::Subnet::Id>"}}
Rules:
  InTheVPC:
    RuleCondition: !Not [!Contains [[""], !Ref V]]
    Assertions:
      - Assert: !EachMemberIn [!ValueOfAll ["AWS::EC2::Subnet::Id", VpcId], !RefAll "AWS::EC2::VPC::Id"]
      - Assert: !EachMemberEquals [!ValueOf [S, Tags.Name], a]
        AssertDescription: all of them are in the VPC`, resources: writer(), verdict: WriteOnly},
		{name: "sections without a line", sections: "Parameters:\nMappings:\nConditions:\nOutputs:", resources: writer(), verdict: WriteOnly},
		{name: "an output of another stack", resources: writer(`{Effect: Allow, Action: "s3:GetObject", Resource: !Sub ["arn:aws:s3:::${b}/*", {b: !GetStackOutput {StackName: s, OutputName: o}}]}`),
			verdict: Violation, rules: "read-object"},
		{name: "a service that isn't called amazonaws", resources: writer() + `  P: {Type: AWS::Lambda::Permission, Properties: {FunctionName: f, Action: "lambda:InvokeFunction", Principal: alexa-appkit.amazon.com}}
`, verdict: WriteOnly},
		{name: "anybody", resources: writer() + `  P: {Type: AWS::Lambda::Permission, Properties: {FunctionName: f, Action: "lambda:InvokeFunction", Principal: "*"}}
`, verdict: Violation, rules: "escalate"},
	} {
		c.run(t)
	}
}
