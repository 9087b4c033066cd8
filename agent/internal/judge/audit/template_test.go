package audit

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// writer is a template's user that holds the contract for acme-uploads; more goes
// among its statements.
func writer(more ...string) string {
	statements := append([]string{`{Effect: Allow, Action: "s3:PutObject", Resource: "arn:aws:s3:::acme-uploads/uploads/vm-01/*"}`}, more...)
	return `  U:
    Type: AWS::IAM::User
    Properties:
      Path: /buzon/
      UserName: vm-01
      Policies:
        - PolicyName: w
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - ` + strings.Join(statements, "\n              - ") + "\n"
}

// stackCase is templates in YAML: each begins with its sections but Resources,
// if it has any, and goes on with resources.
type stackCase struct {
	name       string
	sections   string
	resources  string
	others     []string // whole templates besides
	parameters []string
	region     string
	verdict    Verdict
	rules      string // broken
	reasons    string // of what is undecided, each once
}

func (c stackCase) judge(t *testing.T) *Report {
	t.Helper()
	found, err := c.load(t)
	if err != nil {
		t.Fatal(err)
	}
	return Judge(t.Context(), found, Options{})
}

func (c stackCase) load(t *testing.T) (*sources.Found, error) {
	t.Helper()
	texts := map[string]string{"t.yaml": c.sections + "\nResources:\n" + c.resources}
	sel := sources.Selection{
		Bucket: "acme-uploads", Prefix: "uploads/{name}/", Templates: []string{"t.yaml"}, Parameters: c.parameters, Region: c.region,
	}
	for i, text := range c.others {
		name := "other" + string(rune('1'+i)) + ".yaml"
		texts[name] = text
		sel.Templates = append(sel.Templates, name)
	}
	return sources.Load(t.Context(), sel, sources.Access{ReadFile: func(name string) ([]byte, error) {
		if text, ok := texts[name]; ok {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}})
}

func (c stackCase) run(t *testing.T) {
	t.Run(c.name, func(t *testing.T) {
		report := c.judge(t)
		var broken, reasons []string
		for i := range report.Principals {
			p := &report.Principals[i]
			for _, f := range p.Findings {
				if f.Rule != RuleOutlivesKey { // a test of its own
					broken = append(broken, string(f.Rule))
				}
			}
			for _, u := range p.Undecided {
				reasons = append(reasons, u.Reason)
			}
		}
		slices.Sort(broken)
		slices.Sort(reasons)
		if report.Verdict == NoVerdict { // what it can't do isn't known either
			broken = slices.DeleteFunc(broken, func(r string) bool { return r == string(RuleCannotWrite) })
		}
		gotRules, gotReasons := strings.Join(slices.Compact(broken), " "), strings.Join(slices.Compact(reasons), " ")
		if report.Verdict != c.verdict || gotRules != c.rules || gotReasons != c.reasons {
			t.Errorf("%s, broken %q, open %q; want %s, %q, %q", report.Verdict, gotRules, gotReasons, c.verdict, c.rules, c.reasons)
			for i := range report.Principals {
				for _, u := range report.Principals[i].Undecided {
					t.Logf("%s %v: %s %s %s at %d:%d", report.Principals[i].ARN, u.When, u.Reason, u.What, u.Rule, u.Line, u.Column)
				}
			}
		}
	})
}

const open = string(sources.GapUnresolved)

func TestADynamicReferenceIsOpenWhereverItStands(t *testing.T) {
	read := `{Effect: Allow, Action: "s3:GetObject", Resource: "arn:aws:s3:::acme-uploads/*"`
	for _, c := range []stackCase{
		{name: "users of a policy", resources: writer() + `  P:
    Type: AWS::IAM::Policy
    Properties: {PolicyName: x, Users: ["{{resolve:ssm:/uploader}}"], PolicyDocument: {Version: "2012-10-17", Statement: [` + read + `}]}}
`, verdict: NoVerdict, reasons: open},
		{name: "the user of an inline policy", resources: writer() + `  P:
    Type: AWS::IAM::UserPolicy
    Properties: {PolicyName: x, UserName: "{{resolve:ssm-secure:/u:1}}", PolicyDocument: {Version: "2012-10-17", Statement: [` + read + `}]}}
`, verdict: NoVerdict, reasons: open},
		{name: "a condition", resources: writer(read + `, Condition: {StringEquals: {"aws:username": "{{resolve:ssm:/who}}"}}}`), verdict: NoVerdict, reasons: open},
		{name: "what a Deny leaves out", resources: writer(`{Effect: Allow, Action: "s3:GetObject", Resource: "*"}`, `{Effect: Deny, Action: "s3:GetObject", NotResource: "arn:aws:s3:::{{resolve:ssm:/bucket}}/*"}`),
			verdict: NoVerdict, reasons: open},
		{name: "a bucket that is read", resources: writer(`{Effect: Allow, Action: "s3:GetObject", Resource: "arn:aws:s3:::{{resolve:ssm:/bucket}}/*"}`),
			verdict: Violation, rules: "read-object"},
		{name: "a key under the prefix that is written", resources: writer(`{Effect: Allow, Action: "s3:PutObject", Resource: "arn:aws:s3:::acme-uploads/uploads/vm-01/{{resolve:ssm:/day}}/*"}`),
			verdict: WriteOnly},
		{name: "a bucket that is written", resources: writer(`{Effect: Allow, Action: "s3:PutObject", Resource: "arn:aws:s3:::{{resolve:secretsmanager:b:SecretString:name}}/uploads/vm-01/*"}`),
			verdict: NoVerdict, reasons: open},
		{name: "an action", resources: writer(`{Effect: Allow, Action: "{{resolve:ssm:/action}}", Resource: "arn:aws:s3:::acme-uploads/*"}`), verdict: NoVerdict, reasons: open},
		{name: "put together by Join", resources: writer(read + `, Condition: {StringEquals: {"aws:username": !Join ["", ["{{resolve:ssm:", "/who", "}}"]]}}}`),
			verdict: NoVerdict, reasons: open},
		{name: "users that Join puts together", resources: writer() + `  P:
    Type: AWS::IAM::Policy
    Properties: {PolicyName: x, Users: [!Join ["", ["{{resolve:ssm:", "/who", "}}"]]], PolicyDocument: {Version: "2012-10-17", Statement: [` + read + `}]}}
`, verdict: NoVerdict, reasons: open},
		{name: "an end that no reference begins", resources: writer(read + `, Condition: {StringEquals: {"aws:username": "vm-01}}"}}}`), verdict: WriteOnly},
		{name: "a beginning that nothing ends", resources: writer(read + `, Condition: {StringEquals: {"aws:username": "{{resolve:ssm:/who"}}}`), verdict: WriteOnly},
		{name: "put together by Sub", resources: writer(read + `, Condition: {StringEquals: {"aws:username": !Sub ["{{resolve:ssm:/${who}}}", {who: me}]}}}`),
			verdict: NoVerdict, reasons: open},
		{name: "the user of a trust policy", resources: writer() + `  R:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:user/buzon/{{resolve:ssm:/trusted}}"}, Action: "sts:AssumeRole"}]}
`, verdict: NoVerdict, reasons: open},
		{name: "the effect", resources: writer(`{Effect: "{{resolve:ssm:/effect}}", Action: "s3:GetObject", Resource: "*"}`), verdict: NoVerdict, reasons: open},
		{name: "what speaks of no right", resources: writer() + `  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: "{{resolve:ssm:/queue}}"}}
`, verdict: WriteOnly},
	} {
		c.run(t)
	}
}

func TestTwoUnknownValuesAreTwo(t *testing.T) {
	allow := `!If [A, {Effect: Allow, Action: "s3:GetObject", Resource: "arn:aws:s3:::acme-uploads/*"}, !Ref AWS::NoValue]`
	never := func(a, b string) string {
		return "Parameters: {L: {Type: CommaDelimitedList}, P: {Type: String}}\nConditions: {A: !Equals [" + a + ", " + b + "]}"
	}
	for _, c := range []stackCase{
		{name: "two maps by one key", sections: `Parameters: {Env: {Type: String, AllowedValues: [prod, dev]}}
Mappings: {M: {prod: {read: "true", deny: "false"}, dev: {read: "false", deny: "true"}}}
Conditions: {A: !Equals [!FindInMap [M, !Ref Env, read], "true"], D: !Equals [!FindInMap [M, !Ref Env, deny], "true"]}`,
			resources: writer(allow, `!If [D, {Effect: Deny, Action: "s3:GetObject", Resource: "*"}, !Ref AWS::NoValue]`), verdict: Violation, rules: "read-object"},
		{name: "Select", sections: never("!Select [0, !Ref L]", "!Select [1, !Ref L]"), resources: writer(allow), verdict: Violation, rules: "read-object"},
		{name: "Join", sections: never(`!Join ["-", !Ref L]`, `!Join ["+", !Ref L]`), resources: writer(allow), verdict: Violation, rules: "read-object"},
		{name: "Split", sections: never(`!Select [0, !Split ["-", !Ref P]]`, `!Select [0, !Split ["+", !Ref P]]`), resources: writer(allow), verdict: Violation, rules: "read-object"},
		{name: "Base64", sections: never("!Base64 a", "!Base64 b"), resources: writer(allow), verdict: Violation, rules: "read-object"},
		{name: "imports", sections: never("!ImportValue a", "!ImportValue b"), resources: writer(allow), verdict: Violation, rules: "read-object"},
		{name: "attributes", sections: never("!GetAtt Q.Arn", "!GetAtt Q.QueueName"), resources: writer(allow) + "  Q: {Type: AWS::SQS::Queue}\n", verdict: Violation, rules: "read-object"},
		{name: "references", sections: never(`"{{resolve:ssm:/a}}"`, `"{{resolve:ssm:/b}}"`), resources: writer(allow), verdict: Violation, rules: "read-object"},
		{name: "of another part of AWS", sections: "Conditions: {A: !Equals [!Ref AWS::Partition, aws-cn]}",
			resources: writer(`!If [A, {Effect: Allow, Action: "s3:GetObject", Resource: "*"}, !Ref AWS::NoValue]`), verdict: Violation, rules: "cannot-write read-object"},
		{name: "in a known Region", region: "eu-west-1", sections: "Conditions: {A: !Equals [!Ref AWS::Partition, aws-cn]}",
			resources: writer(`!If [A, {Effect: Allow, Action: "s3:GetObject", Resource: "*"}, !Ref AWS::NoValue]`), verdict: WriteOnly},
		{name: "the same is one", sections: "Parameters: {L: {Type: CommaDelimitedList}}\nConditions: {A: !Not [!Equals [!Select [0, !Ref L], !Select [0, !Ref L]]]}",
			resources: writer(allow), verdict: WriteOnly},
	} {
		c.run(t)
	}
}

func TestAValueThatAParameterHasExcludesTheOthers(t *testing.T) {
	put := `{Effect: Allow, Action: "s3:PutObject", Resource: "arn:aws:s3:::acme-uploads/uploads/vm-01/*"}`
	user := func(statements ...string) string {
		return strings.Replace(writer(statements...), "              - "+put+"\n", "", 1)
	}
	either := []string{"!If [IsProd, " + put + ", !Ref AWS::NoValue]", "!If [IsDev, " + put + ", !Ref AWS::NoValue]"}
	conditions := "\nConditions: {IsProd: !Equals [!Ref Env, prod], IsDev: !Equals [!Ref Env, dev]}"
	var many, uses []string
	for _, v := range strings.Split("abcdefghi", "") {
		many = append(many, v+": !Equals [!Ref P, "+v+"]")
		uses = append(uses, `!If [`+v+`, {Effect: Allow, Action: "s3:PutObject", Resource: "arn:aws:s3:::acme-uploads/uploads/vm-01/`+v+`/*"}, !Ref AWS::NoValue]`)
	}
	for _, c := range []stackCase{
		{name: "a list of values is closed", sections: "Parameters: {Env: {Type: String, AllowedValues: [prod, dev]}}" + conditions, resources: user(either...), verdict: WriteOnly},
		{name: "another value can't be deployed", sections: "Parameters: {Env: {Type: String}}" + conditions, resources: user(either...), verdict: WriteOnly},
		{name: "nine values are ten outcomes", sections: "Parameters: {P: {Type: String}}\nConditions: {" + strings.Join(many, ", ") + "}", resources: writer(uses...), verdict: WriteOnly},
		{name: "a value of the list that is bad", sections: "Parameters: {Env: {Type: String, AllowedValues: [uploads, '*']}}",
			resources: writer(`{Effect: Allow, Action: "s3:PutObject", Resource: !Sub "arn:aws:s3:::acme-uploads/${Env}/vm-01/*"}`), verdict: Violation, rules: "write-elsewhere"},
		{name: "no value of the list is bad", sections: "Parameters: {Env: {Type: String, AllowedValues: [a, b]}}",
			resources: writer(`{Effect: Allow, Action: "s3:PutObject", Resource: !Sub "arn:aws:s3:::acme-uploads/uploads/vm-01/${Env}/*"}`), verdict: WriteOnly},
		{name: "given", sections: "Parameters: {Env: {Type: String}}" + conditions, parameters: []string{"Env=prod"},
			resources: writer(`!If [IsProd, !Ref AWS::NoValue, {Effect: Allow, Action: "s3:GetObject", Resource: "*"}]`), verdict: WriteOnly},
		{name: "given otherwise", sections: "Parameters: {Env: {Type: String}}" + conditions, parameters: []string{"Env=dev"},
			resources: writer(`!If [IsProd, !Ref AWS::NoValue, {Effect: Allow, Action: "s3:GetObject", Resource: "*"}]`), verdict: Violation, rules: "read-object"},
	} {
		c.run(t)
	}
}

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

func TestAStatementOfWhichNothingIsKnownIsNoFinding(t *testing.T) {
	parameter := "Parameters: {P: {Type: String}}"
	for _, c := range []stackCase{
		{name: "a macro in the list", resources: writer(`{"Fn::Transform": {Name: AWS::Include, Parameters: {Location: "s3://b/x"}}}`), verdict: NoVerdict, reasons: open},
		{name: "a parameter in the list", sections: parameter, resources: writer(`!Ref P`), verdict: NoVerdict, reasons: open},
		{name: "beside one that reads", sections: parameter, resources: writer(`!Ref P`, `{Effect: Allow, Action: "s3:GetObject", Resource: "*"}`), verdict: Violation, rules: "read-object", reasons: open},
		{name: "every value breaks a rule", sections: parameter, resources: writer(`{Effect: Allow, Action: "sts:AssumeRole", Resource: !Ref P}`), verdict: Violation, rules: "escalate"},
		{name: "some values do", sections: parameter, resources: writer(`{Effect: Allow, Action: "s3:PutObject", Resource: !Sub "arn:aws:s3:::acme-uploads/${P}/*"}`), verdict: NoVerdict, reasons: open},
		{name: "none does", sections: parameter, resources: writer(`{Effect: Allow, Action: "s3:PutObject", Resource: !Sub "arn:aws:s3:::acme-uploads/uploads/vm-01/${P}/*"}`), verdict: WriteOnly},
		{name: "a Deny may stop the writing", sections: parameter, resources: writer(`{Effect: Deny, Action: "s3:PutObject", Resource: !Ref P}`), verdict: NoVerdict, reasons: open},
		{name: "a Deny that may not", sections: parameter, resources: writer(`{Effect: Deny, Action: "s3:GetObject", Resource: !Ref P}`), verdict: WriteOnly},
		{name: "a Deny whose condition is open", sections: parameter, resources: writer(`{Effect: Deny, Action: "*", Resource: "*", Condition: {StringNotEquals: {"aws:PrincipalOrgID": !Ref P}}}`),
			verdict: NoVerdict, reasons: open},
		{name: "an open trust", sections: parameter, resources: strings.Replace(writer(), "AWS::IAM::User\n", "AWS::IAM::Role\n", 1), verdict: NoVerdict, reasons: open},
	} {
		if c.name == "an open trust" {
			c.resources = strings.NewReplacer("UserName: vm-01", `RoleName: vm-01
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {AWS: !Ref P}, Action: "sts:AssumeRole"}]}`).Replace(c.resources)
		}
		c.run(t)
	}
}

func TestAnyResourceWithAPolicyCounts(t *testing.T) {
	const modelled = string(sources.GapNotModelled)
	hung := func(kind, property, policy string, more ...string) string {
		return writer() + "  R:\n    Type: " + kind + "\n    Properties:\n      " + property + ": " + policy + "\n" + strings.Join(more, "")
	}
	lets := func(who, action, resource string, more ...string) string {
		return `{Version: "2012-10-17", Statement: [{Effect: Allow, Principal: ` + who + `, Action: "` + action + `", Resource: ` + resource + strings.Join(more, "") + `}]}`
	}
	const user = "{AWS: !GetAtt U.Arn}"
	queue := `!GetAtt Q.Arn`
	for _, c := range []stackCase{
		{name: "a directory bucket", resources: hung("AWS::S3Express::BucketPolicy", "PolicyDocument", lets(user, "s3express:CreateSession", `"*"`)), verdict: Violation, rules: "read-object"},
		{name: "a secret", resources: hung("AWS::SecretsManager::ResourcePolicy", "ResourcePolicy", lets(user, "secretsmanager:GetSecretValue", `"*"`)), verdict: Violation, rules: "escalate"},
		{name: "a queue", resources: hung("AWS::SQS::QueuePolicy", "PolicyDocument", lets(user, "sqs:SendMessage", queue), "  Q: {Type: AWS::SQS::Queue}\n"), verdict: Violation, rules: "other-service"},
		{name: "a queue by its name", resources: hung("AWS::SQS::QueuePolicy", "PolicyDocument", lets(`{AWS: "arn:aws:iam::111122223333:user/buzon/vm-01"}`, "sqs:*", `"arn:aws:sqs:eu-west-1:111122223333:q"`)), verdict: Violation, rules: "other-service"},
		{name: "a table bucket", resources: hung("AWS::S3Tables::TableBucketPolicy", "ResourcePolicy", lets(user, "s3tables:GetTableData", `"*"`)), verdict: Violation, rules: "read-object"},
		{name: "an access point of several Regions", resources: hung("AWS::S3::MultiRegionAccessPointPolicy", "Policy", lets(user, "s3:GetObject", `"arn:aws:s3::111122223333:accesspoint/m.mrap/object/*"`)), verdict: Violation, rules: "read-object"},
		{name: "a function", resources: writer() + "  P: {Type: AWS::Lambda::Permission, Properties: {FunctionName: f, Action: 'lambda:InvokeFunction', Principal: !GetAtt U.Arn}}\n", verdict: Violation, rules: "escalate"},
		{name: "a function for a service", resources: writer() + "  P: {Type: AWS::Lambda::Permission, Properties: {FunctionName: f, Action: 'lambda:InvokeFunction', Principal: s3.amazonaws.com}}\n", verdict: WriteOnly},
		{name: "a repository's text", resources: hung("AWS::ECR::Repository", "RepositoryPolicyText", `{Version: "2012-10-17", Statement: [{Effect: Allow, Principal: `+user+`, Action: "ecr:BatchGetImage"}]}`), verdict: Violation, rules: "other-service"},
		{name: "a text in JSON", resources: hung("AWS::Logs::ResourcePolicy", "PolicyDocument", `!Sub '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "${U.Arn}"}, "Action": "logs:GetLogEvents", "Resource": "*"}]}'`), verdict: Violation, rules: "other-service"},
		{name: "deep in a type that nobody here knows", resources: hung("AWS::Tomorrow::Thing", "A", "{B: [{C: "+lets(user, "sns:Publish", `"arn:aws:sns:eu-west-1:111122223333:t"`)+"}]}"), verdict: Violation, rules: "other-service"},
		{name: "a vault", resources: hung("AWS::Backup::BackupVault", "AccessPolicy", lets(user, "backup:StartRestoreJob", `"*"`)), verdict: NoVerdict, reasons: modelled},
		{name: "everybody, through another service", resources: hung("AWS::SQS::QueuePolicy", "PolicyDocument", lets(`"*"`, "sqs:SendMessage", queue, `, Condition: {ArnEquals: {"aws:SourceArn": "arn:aws:sns:eu-west-1:111122223333:t"}}`), "  Q: {Type: AWS::SQS::Queue}\n"), verdict: WriteOnly},
		{name: "everybody", resources: hung("AWS::SNS::TopicPolicy", "PolicyDocument", lets(`"*"`, "sns:Publish", `"*"`)), verdict: Violation, rules: "other-service"},
		{name: "another user", resources: hung("AWS::SQS::QueuePolicy", "PolicyDocument", lets(`{AWS: "arn:aws:iam::111122223333:user/buzon/vm-02"}`, "sqs:*", `"*"`)), verdict: WriteOnly},
		{name: "the account", resources: hung("AWS::SQS::QueuePolicy", "PolicyDocument", lets(`{AWS: !Sub "arn:aws:iam::${AWS::AccountId}:root"}`, "sqs:*", `"*"`)), verdict: WriteOnly},
		{name: "a service", resources: hung("AWS::SNS::TopicPolicy", "PolicyDocument", lets(`{Service: events.amazonaws.com}`, "sns:Publish", `"*"`)), verdict: WriteOnly},
		{name: "an endpoint only narrows", resources: hung("AWS::EC2::VPCEndpoint", "PolicyDocument", lets(`"*"`, "*", `"*"`)), verdict: WriteOnly},
		{name: "an open document", sections: "Parameters: {P: {Type: String}}", resources: hung("AWS::SQS::QueuePolicy", "PolicyDocument", "!Ref P"), verdict: NoVerdict, reasons: open},
		{name: "a lake's permission", resources: writer() + "  L: {Type: AWS::LakeFormation::Permissions, Properties: {DataLakePrincipal: {DataLakePrincipalIdentifier: !GetAtt U.Arn}, Permissions: [SELECT]}}\n", verdict: NoVerdict, reasons: modelled},
		{name: "another's permission", resources: writer() + "  L: {Type: AWS::LakeFormation::Permissions, Properties: {DataLakePrincipal: {DataLakePrincipalIdentifier: 'arn:aws:iam::111122223333:role/r'}, Permissions: [SELECT]}}\n", verdict: WriteOnly},
		{name: "a replica of a key", resources: hung("AWS::KMS::ReplicaKey", "KeyPolicy", lets(user, "kms:Decrypt", `"*"`)), verdict: Violation, rules: "other-service"},
		{name: "a rule of a firewall is none", resources: hung("AWS::WAFv2::WebACL", "Rules", "[{Name: a, Statement: {GeoMatchStatement: {CountryCodes: [ES]}}}]"), verdict: WriteOnly},
	} {
		c.run(t)
	}
}

func TestWhatWritesATemplateIsNamed(t *testing.T) {
	serverless := "Transform: AWS::Serverless-2016-10-31"
	macro := func(user string) string {
		return strings.Replace(writer(), "    Type: AWS::IAM::User\n", "    Type: AWS::IAM::User\n"+user, 1)
	}
	for _, c := range []stackCase{
		{name: "a macro beside the properties", resources: macro("    Fn::Transform: {Name: PolicyAdder}\n"), verdict: NoVerdict, reasons: open},
		{name: "a macro in an inline policy", resources: strings.Replace(writer(), "- PolicyName: w\n", "- PolicyName: w\n          Fn::Transform: {Name: AWS::Include}\n", 1), verdict: NoVerdict, reasons: open},
		{name: "a macro in a statement", resources: writer(`{Effect: Allow, Action: "s3:PutObject", "Fn::Transform": {Name: M}}`), verdict: NoVerdict, reasons: open},
		{name: "a macro beside another resource's type", resources: writer() + "  Q: {Type: AWS::SQS::Queue, Fn::Transform: {Name: M}}\n", verdict: NoVerdict, reasons: open},
		{name: "a macro in a queue's properties", resources: writer() + "  Q: {Type: AWS::SQS::Queue, Properties: {Fn::Transform: {Name: M}}}\n", verdict: WriteOnly},
		{name: "a macro in a mapping", sections: "Mappings: {M: {Fn::Transform: {Name: AWS::Include}}}", resources: writer(), verdict: WriteOnly},
		{name: "a macro in a mapping that is used", sections: "Mappings: {M: {Fn::Transform: {Name: AWS::Include}}}",
			resources: writer(`{Effect: Allow, Action: "s3:GetObject", Resource: "*", Condition: {StringEquals: {"aws:username": !FindInMap [M, a, b]}}}`), verdict: NoVerdict, reasons: open},
		{name: "conditions from a macro", sections: "Conditions: {Fn::Transform: {Name: AWS::Include}}",
			resources: writer(`!If [A, {Effect: Allow, Action: "s3:GetObject", Resource: "*"}, !Ref AWS::NoValue]`), verdict: Violation, rules: "read-object", reasons: open},
		{name: "a module", resources: writer() + "  M: {Type: 'Acme::Iam::Uploader::MODULE', Properties: {UserName: !Ref U}}\n", verdict: NoVerdict, reasons: open},
		{name: "a function that makes a role", sections: serverless, resources: `  F: {Type: AWS::Serverless::Function, Properties: {Policies: [{S3CrudPolicy: {BucketName: acme-uploads}}]}}
`, verdict: NoVerdict, reasons: open},
		{name: "what it makes is referred to", sections: serverless, resources: writer() + "  F: {Type: AWS::Serverless::Function}\n  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: p, Roles: [!Ref FRole], PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Action: 's3:GetObject', Resource: '*'}]}}}\n",
			verdict: NoVerdict, reasons: open},
		{name: "a section and a property of the macro's own", sections: "Transform: [Builder]\nPermissions: {a: b}", resources: strings.Replace(writer(), "      UserName: vm-01\n", "      UserName: vm-01\n      Permissions: [a]\n", 1),
			verdict: NoVerdict, reasons: open},
		{name: "functions of the language", sections: "Transform: AWS::LanguageExtensions", resources: writer(), verdict: WriteOnly},
		{name: "a version of a custom resource", resources: writer() + "  C: {Type: 'Custom::X', Version: '1.0', Properties: {ServiceToken: 'arn:aws:lambda:eu-west-1:111122223333:function:f'}}\n", verdict: WriteOnly},
		{name: "other stacks", resources: writer() + "  S: {Type: AWS::CloudFormation::StackSet, Properties: {TemplateBody: '{}'}}\n  P: {Type: 'Acme::Iam::User', Properties: {}}\n", verdict: WriteOnly},
		{name: "nobody but what another stack makes", resources: "  S: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: x}}\n", verdict: NoVerdict, reasons: string(sources.GapNotModelled)},
	} {
		c.run(t)
	}
	found, err := stackCase{resources: writer() + "  S: {Type: AWS::CloudFormation::StackSet}\n  P: {Type: 'Acme::Iam::User'}\n"}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []sources.Topic{sources.TopicOtherStack, sources.TopicPrivateType} {
		if !slices.ContainsFunc(found.Subjects[0].Assumptions, func(a sources.Assumption) bool { return a.What == topic }) {
			t.Errorf("no assumption %s", topic)
		}
	}
}

func TestLoopsAreWrittenOut(t *testing.T) {
	loop := func(list, action string) string {
		return `  Fn::ForEach::Users:
    - Name
    - ` + list + `
    - "User${Name}":
        Type: AWS::IAM::User
        Properties:
          Path: /buzon/
          UserName: !Ref Name
          Policies: [{PolicyName: w, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "` + action + `", Resource: !Sub "arn:aws:s3:::acme-uploads/uploads/${Name}/*"}]}}]
`
	}
	names := "Parameters: {Names: {Type: CommaDelimitedList}}"
	for _, c := range []stackCase{
		{name: "a list that is written", resources: loop("[vm01, vm02]", "s3:PutObject"), verdict: WriteOnly},
		{name: "one that reads", resources: loop("[vm01, vm02]", "s3:*Object"), verdict: Violation, rules: "delete-object other-service read-object"},
		{name: "a list that is given", sections: names, parameters: []string{"Names=vm01, vm02"}, resources: loop("!Ref Names", "s3:PutObject"), verdict: WriteOnly},
		{name: "a list that is given reads", sections: names, parameters: []string{"Names=vm01"}, resources: loop("!Ref Names", "s3:GetObject"), verdict: Violation, rules: "cannot-write read-object"},
		{name: "a list that is open", sections: names, resources: loop("!Ref Names", "s3:PutObject"), verdict: NoVerdict, reasons: open},
		{name: "a list of a mapping", sections: "Mappings: {M: {all: {names: [vm01]}}}", resources: loop("!FindInMap [M, all, names]", "s3:PutObject"), verdict: WriteOnly},
		{name: "a loop in a loop", resources: `  Fn::ForEach::Outer:
    - Group
    - [a, b]
    - Fn::ForEach::Inner:
        - Name
        - ["x.1", y]
        - "P${Group}&{Name}":
            Type: AWS::IAM::User
            Properties:
              Path: /buzon/
              UserName: !Sub "${Group}-${Name}"
              Policies: [{PolicyName: w, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:PutObject", Resource: !Sub "arn:aws:s3:::acme-uploads/uploads/${Group}-${Name}/*"}]}}]
`, verdict: WriteOnly},
		{name: "a loop of properties", resources: writer() + `  Q:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Fn::ForEach::Parts:
        - Part
        - [PolicyDocument]
        - "${Part}": {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {AWS: !GetAtt U.Arn}, Action: "sqs:SendMessage", Resource: "*"}]}
`, verdict: Violation, rules: "other-service"},
	} {
		c.run(t)
	}
}

func TestWhatWasGivenBelongsTogether(t *testing.T) {
	const head = "Resources:\n"
	reads := `PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:GetObject", Resource: "*"}]}`
	bucketPolicy := func(who string) string {
		return head + `  BP:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: acme-uploads
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {AWS: ` + who + `}, Action: "s3:GetObject", Resource: "arn:aws:s3:::acme-uploads/*"}]}
`
	}
	for _, c := range []stackCase{
		{name: "the bucket's policy", others: []string{bucketPolicy(`!Sub "arn:aws:iam::${AWS::AccountId}:user/buzon/vm-01"`)}, verdict: Violation, rules: "read-object"},
		{name: "the bucket's policy by an account", others: []string{bucketPolicy(`"arn:aws:iam::111122223333:user/buzon/vm-01"`)}, verdict: NoVerdict, reasons: "unsure-member"},
		{name: "somebody else's", others: []string{bucketPolicy(`!Sub "arn:aws:iam::${AWS::AccountId}:user/buzon/vm-02"`)}, verdict: WriteOnly},
		{name: "a policy for the user", others: []string{head + "  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: x, Users: [vm-01], " + reads + "}}\n"}, verdict: Violation, rules: "read-object"},
		{name: "a policy for a user in other letters", others: []string{head + "  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: x, Users: [VM-01], " + reads + "}}\n"}, verdict: NoVerdict, reasons: open},
		{name: "a policy for another", others: []string{head + "  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: x, Users: [vm-02], " + reads + "}}\n"}, verdict: WriteOnly},
		{name: "a managed policy", others: []string{head + "  P: {Type: AWS::IAM::ManagedPolicy, Properties: {Users: [vm-01], " + reads + "}}\n"}, verdict: Violation, rules: "read-object"},
		{name: "a group and who is in it", others: []string{
			head + "  G: {Type: AWS::IAM::Group, Properties: {GroupName: g, Policies: [{PolicyName: x, " + reads + "}]}}\n",
			head + "  A: {Type: AWS::IAM::UserToGroupAddition, Properties: {GroupName: g, Users: [vm-01]}}\n",
		}, verdict: Violation, rules: "read-object"},
		{name: "a role that trusts the user", others: []string{head + `  R:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {AWS: !Sub "arn:aws:iam::${AWS::AccountId}:user/buzon/vm-01"}, Action: "sts:AssumeRole"}]}
`}, verdict: Violation, rules: "escalate"},
		{name: "an export that another imports", others: []string{
			head + "  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: x, Users: [!ImportValue uploader], " + reads + "}}\nOutputs: {A: {Value: b, Export: {Name: a}}}\n",
			head + "  Q: {Type: AWS::SQS::Queue}\nOutputs: {N: {Value: vm-01, Export: {Name: uploader}}}\n",
		}, verdict: Violation, rules: "read-object"},
		{name: "an export of another", others: []string{
			head + "  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: x, Users: [!ImportValue uploader], " + reads + "}}\n",
			head + "  Q: {Type: AWS::SQS::Queue}\nOutputs: {N: {Value: vm-02, Export: {Name: uploader}}}\n",
		}, verdict: WriteOnly},
		{name: "the same twice is one", others: []string{head + writer()}, verdict: WriteOnly},
	} {
		if c.resources == "" {
			c.resources = writer()
		}
		c.run(t)
	}
}

func TestOneThingHasOneDocument(t *testing.T) {
	twice := "        - PolicyName: w\n          PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Deny, Action: 's3:GetObject', Resource: '*'}]}\n"
	policyOf := func(action string) string {
		return `Resources:
  BP:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: acme-uploads
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Deny, Principal: "*", Action: "` + action + `", Resource: "arn:aws:s3:::acme-uploads/*"}]}
`
	}
	for _, c := range []struct {
		name string
		in   stackCase
		want string
	}{
		{"two inline policies of one name", stackCase{resources: writer() + twice}, "t.yaml:15:27 two-documents"},
		{"the user in two templates", stackCase{resources: writer(), others: []string{"Resources:\n" + writer(`{Effect: Deny, Action: "s3:GetObject", Resource: "*"}`)}}, "other1.yaml:10:13 two-documents"},
		{"the bucket's policy", stackCase{resources: writer(), others: []string{policyOf("s3:GetObject"), policyOf("s3:DeleteObject")}}, "other2.yaml:6:23 two-documents"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.in.load(t)
			var faults policy.Errors
			if !errors.As(err, &faults) {
				t.Fatalf("got %v", err)
			}
			e := faults[0]
			if got := fmt.Sprintf("%s:%d:%d %s", e.File, e.Pos.Line, e.Pos.Column, e.Code); got != c.want || e.Args["other"] == "" {
				t.Errorf("got %s, other %s; want %s", got, e.Args["other"], c.want)
			}
		})
	}
}

func TestTheCredentialsThatATemplateMakes(t *testing.T) {
	key := "  K%: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref U}}\n"
	one, two := strings.ReplaceAll(key, "%", "1"), strings.ReplaceAll(key, "%", "2")
	for _, c := range []stackCase{
		{name: "one key", resources: writer() + one, verdict: WriteOnly},
		{name: "two keys", resources: writer() + one + two, verdict: WriteOnly, rules: "two-keys"},
		{name: "one of them inactive", resources: writer() + one + strings.Replace(two, "!Ref U", "vm-01, Status: Inactive", 1), verdict: WriteOnly},
		{name: "a password", resources: strings.Replace(writer(), "UserName: vm-01\n", "UserName: vm-01\n      LoginProfile: {Password: '{{resolve:ssm-secure:/p:1}}'}\n", 1), verdict: WriteOnly, rules: "console-access"},
		{name: "keys of another", resources: writer() + one + strings.Replace(two, "!Ref U", "vm-02", 1), verdict: WriteOnly},
	} {
		c.run(t)
	}
}

func TestParametersAreGiven(t *testing.T) {
	sections := "Parameters: {Env: {Type: String}, Secret: {Type: String, NoEcho: true}}"
	found, err := stackCase{sections: sections, resources: writer(), parameters: []string{"Env=prod", "Secret=hush"}}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	if got := found.Parameters; got["Env"] != "prod" || got["Secret"] == "hush" || got["Secret"] == "" {
		t.Errorf("shown: %v", got)
	}
	for _, row := range []struct {
		parameter string
		code      sources.Usage
	}{{"Env", sources.UsageParameter}, {"=x", sources.UsageParameter}, {"None=x", sources.UsageNoParameter}} {
		_, err := stackCase{sections: sections, resources: writer(), parameters: []string{row.parameter}}.load(t)
		var usage *sources.UsageError
		if !errors.As(err, &usage) || usage.Code != row.code {
			t.Errorf("%s: %v", row.parameter, err)
		}
	}
}

func TestAValueThatATemplateDoesNotTakeIsRefused(t *testing.T) {
	c := stackCase{sections: "Parameters: {Env: {Type: String, AllowedValues: [dev, prod]}}", resources: writer(), parameters: []string{"Env=test"}}
	_, err := c.load(t)
	var faults policy.Errors
	if !errors.As(err, &faults) || len(faults) != 1 || faults[0].Code != sources.NotAllowed || faults[0].Pos.Line != 1 {
		t.Errorf("got %v", err)
	}
	c.parameters = []string{"Env=dev"}
	if _, err := c.load(t); err != nil {
		t.Error(err)
	}
}

func TestAFileOfParameters(t *testing.T) {
	texts := map[string]string{"t.yaml": "Parameters: {Env: {Type: String}}\nConditions: {A: !Equals [!Ref Env, prod]}\nResources:\n" +
		writer(`!If [A, {Effect: Allow, Action: "s3:GetObject", Resource: "*"}, !Ref AWS::NoValue]`)}
	for _, row := range []struct {
		name, text string
		verdict    Verdict
	}{
		{"as create-stack takes it", `[{"ParameterKey": "Env", "ParameterValue": "dev"}]`, WriteOnly},
		{"as deploy takes it", `["Env=prod"]`, Violation},
		{"by name", `{"Env": "dev"}`, WriteOnly},
		{"in an object", `{"Parameters": {"Env": "prod"}}`, Violation},
		{"the one that is there", `[{"ParameterKey": "Env", "UsePreviousValue": true}]`, Violation},
		{"a list of numbers", `[1]`, ""},
		{"no value", `[{"ParameterKey": "Env"}]`, ""},
		{"a text", `"Env"`, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			texts["p.json"] = row.text
			sel := sources.Selection{Bucket: "acme-uploads", Prefix: "uploads/{name}/", Templates: []string{"t.yaml"}, ParameterFiles: []string{"p.json"}}
			found, err := sources.Load(t.Context(), sel, sources.Access{ReadFile: func(name string) ([]byte, error) { return []byte(texts[name]), nil }})
			var faults policy.Errors
			switch {
			case row.verdict == "" && !errors.As(err, &faults):
				t.Errorf("got %v", err)
			case row.verdict != "" && err != nil:
				t.Error(err)
			case row.verdict != "":
				if got := Judge(t.Context(), found, Options{}).Verdict; got != row.verdict {
					t.Errorf("%s, want %s", got, row.verdict)
				}
			}
		})
	}
}

func TestTooManyOutcomesAreNamed(t *testing.T) {
	sections, conditions := "Parameters:\n", "Conditions:\n"
	var uses []string
	for i := range 9 {
		p := "P" + string(rune('a'+i))
		sections += "  " + p + ": {Type: String}\n"
		conditions += "  " + p + "On: !Equals [!Ref " + p + ", yes]\n"
		uses = append(uses, "!If ["+p+`On, {Effect: Allow, Action: "s3:PutObject", Resource: "arn:aws:s3:::acme-uploads/uploads/vm-01/`+p+`/*"}, !Ref AWS::NoValue]`)
	}
	report := stackCase{sections: sections + conditions, resources: writer(uses...)}.judge(t)
	if report.Verdict != NoVerdict {
		t.Errorf("%s", report.Verdict)
	}
	named := false
	for _, u := range report.Principals[0].Undecided {
		named = named || u.Reason == string(sources.GapOutcomes) && strings.Contains(u.What, "${P")
	}
	if !named {
		t.Errorf("open: %+v", report.Principals[0].Undecided)
	}
	// One parameter given is enough.
	stackCase{name: "one given", sections: sections + conditions, resources: writer(uses...), parameters: []string{"Pa=no"}, verdict: WriteOnly}.run(t)
}

// What is deployed and what is designed, and documents beside them, are one account.
func TestSourcesOfEachKindBelongTogether(t *testing.T) {
	const vm01 = "arn:aws:iam::111122223333:user/buzon/vm-01"
	export := `{"UserDetailList": [{"Arn": "` + vm01 + `", "UserName": "vm-01", "Path": "/buzon/", "UserPolicyList": [{"PolicyName": "w", "PolicyDocument": ` + writesUploads + `}]}],
 "GroupDetailList": [], "Policies": [], "RoleDetailList": [{"Arn": "arn:aws:iam::111122223333:role/r", "RoleName": "r", "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}]}`
	texts := map[string]string{
		"export": export, "id": writesUploads,
		"trust":  "Resources:\n  R:\n    Type: AWS::IAM::Role\n    Properties:\n      AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {AWS: !Sub 'arn:aws:iam::${AWS::AccountId}:user/buzon/vm-01'}, Action: 'sts:AssumeRole'}]}\n",
		"reads":  "Resources:\n  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: x, Users: [vm-01], PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Action: 's3:GetObject', Resource: '*'}]}}}\n",
		"bucket": "Resources:\n  BP: {Type: AWS::S3::BucketPolicy, Properties: {Bucket: acme-uploads, PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {AWS: !Sub 'arn:aws:iam::${AWS::AccountId}:user/buzon/vm-01'}, Action: 's3:GetObject', Resource: 'arn:aws:s3:::acme-uploads/*'}]}}}\n",
		"user":   "Resources:\n" + writer(),
	}
	for _, row := range []struct {
		name    string
		sel     sources.Selection
		verdict Verdict
		rules   string
	}{
		{"an export alone", sources.Selection{Exports: []string{"export"}}, WriteOnly, ""},
		{"an export and a role of a template", sources.Selection{Exports: []string{"export"}, Templates: []string{"trust"}}, Violation, "escalate"},
		{"an export and a policy of a template", sources.Selection{Exports: []string{"export"}, Templates: []string{"reads"}}, Violation, "read-object"},
		{"an export and a bucket of a template", sources.Selection{Exports: []string{"export"}, Templates: []string{"bucket"}}, Violation, "read-object"},
		{"an export and the same user of a template", sources.Selection{Exports: []string{"export"}, Templates: []string{"user"}}, WriteOnly, ""},
		{"a document and a bucket of a template", sources.Selection{
			Documents: []sources.Document{{Kind: policy.UserInline, File: "id"}}, Principals: []string{vm01}, Templates: []string{"bucket"},
		}, Violation, "read-object"},
		{"a document and a role of a template", sources.Selection{
			Documents: []sources.Document{{Kind: policy.UserInline, File: "id"}}, Principals: []string{vm01}, Templates: []string{"trust"},
		}, Violation, "escalate"},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.sel.Bucket, row.sel.Prefix = "acme-uploads", "uploads/vm-01/"
			found, err := sources.Load(t.Context(), row.sel, sources.Access{ReadFile: func(name string) ([]byte, error) { return []byte(texts[name]), nil }})
			if err != nil {
				t.Fatal(err)
			}
			report := Judge(t.Context(), found, Options{})
			if len(report.Principals) != 1 || report.Verdict != row.verdict || rules(&report.Principals[0]) != row.rules {
				t.Errorf("%d principals, %s %s; want %s %s", len(report.Principals), report.Verdict, rules(&report.Principals[0]), row.verdict, row.rules)
			}
		})
	}
}

const writesUploads = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::acme-uploads/uploads/vm-01/*"}]}`
