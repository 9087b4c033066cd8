package audit

import (
	"os"
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/sources"
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
