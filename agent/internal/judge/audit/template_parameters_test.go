package audit

import (
	"errors"
	"strings"
	"testing"

	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

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
