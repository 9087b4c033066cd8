package audit

import (
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/sources"
)

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
