package audit

import (
	"os"
	"strings"
	"testing"

	"buzon/agent/internal/judge/sources"
)

// outcomes judges a template with a parameter of two values.
func outcomes(t *testing.T, statements string) *Report {
	t.Helper()
	text := `Parameters: {Stage: {Type: String, AllowedValues: [prod, dev]}}
Conditions: {Prod: !Equals [!Ref Stage, prod]}
Resources:
  U:
    Type: AWS::IAM::User
    Properties:
      Path: /buzon/
      UserName: vm-01
      Policies:
        - PolicyName: w
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
` + statements
	found, err := sources.Load(t.Context(), sources.Selection{Bucket: "b", Prefix: "p/", Templates: []string{"t.yaml"}}, sources.Access{
		ReadFile: func(name string) ([]byte, error) {
			if name == "t.yaml" {
				return []byte(text), nil
			}
			return nil, os.ErrNotExist
		}})
	if err != nil {
		t.Fatal(err)
	}
	return Judge(t.Context(), found, Options{Now: now})
}

const (
	ifProd = "              - !If [Prod, "
	ifDev  = "              - !If [Prod, !Ref AWS::NoValue, "
	orNot  = ", !Ref AWS::NoValue]\n"
	write  = "              - {Effect: Allow, Action: 's3:PutObject', Resource: 'arn:aws:s3:::b/p/*'}\n"
	fetch  = "{Effect: Allow, Action: 's3:GetObject', Resource: '*'}"
)

// A principal is one entry, with its worst outcome; what stands in some outcomes alone
// says in which.
func TestAPrincipalIsOneEntryWithItsWorstOutcome(t *testing.T) {
	for _, row := range []struct {
		name, statements string
		verdict          Verdict
		when             map[RuleID]string // of findings; "" is all outcomes
		outcomes         int
	}{
		{"the same in all", write + ifProd + "{Effect: Allow, Action: 's3:PutObject', Resource: 'arn:aws:s3:::b/p/x/*'}" + orNot, WriteOnly, nil, 2},
		{"a read in one", write + ifProd + fetch + orNot, Violation, map[RuleID]string{RuleReadObject: "${Stage} = prod"}, 2},
		{"a read in the other", write + ifDev + fetch + "]\n", Violation, map[RuleID]string{RuleReadObject: "${Stage} = dev"}, 2},
		{"a read in both, at two places", write + "              - !If [Prod, " + fetch + ", " + fetch + "]\n", Violation, map[RuleID]string{RuleReadObject: ""}, 1}, // documents that say the same
		{"a read in both, before what differs", write + "              - " + fetch + "\n" + ifProd + "{Effect: Allow, Action: 's3:ListBucket', Resource: '*'}" + orNot, Violation,
			map[RuleID]string{RuleReadObject: "", RuleList: "${Stage} = prod"}, 2},
		{"a read in both, after what differs", write + ifProd + "{Effect: Allow, Action: 's3:ListBucket', Resource: '*'}" + orNot + "              - " + fetch + "\n", Violation,
			map[RuleID]string{RuleReadObject: "", RuleList: "${Stage} = prod"}, 2},
		{"no write in one", ifProd + "{Effect: Allow, Action: 's3:PutObject', Resource: 'arn:aws:s3:::b/p/*'}, {Effect: Deny, Action: '*', Resource: '*'}]\n", NoAccess,
			map[RuleID]string{RuleCannotWrite: "${Stage} = dev"}, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := outcomes(t, row.statements)
			if len(r.Principals) != 1 || r.Verdict != row.verdict || r.Principals[0].Verdict != row.verdict || r.Principals[0].Outcomes != row.outcomes {
				t.Fatalf("%d entries, %s, %d outcomes: want one, %s, %d", len(r.Principals), r.Verdict, r.Principals[0].Outcomes, row.verdict, row.outcomes)
			}
			p := &r.Principals[0]
			got := map[RuleID]string{}
			for _, f := range p.Findings {
				if f.Rule == RuleOutlivesKey {
					continue
				}
				if old, there := got[f.Rule]; there {
					got[f.Rule] = old + ";" + strings.Join(f.When, ";")
				} else {
					got[f.Rule] = strings.Join(f.When, ";")
				}
				for _, b := range f.Because {
					if src := p.Sources[b.Source]; src.File != "t.yaml" || b.Statement < 1 || b.Line < 13 {
						t.Errorf("%+v", b)
					}
				}
			}
			for rule, when := range row.when {
				if have, there := got[rule]; !there || have != when {
					t.Errorf("%s when %q, want %q", rule, have, when)
				}
			}
			if len(got) != len(row.when) {
				t.Errorf("findings %v, want %v", got, row.when)
			}
		})
	}
}

// A Deny is frail that hangs on what changes without touching a policy; one that hangs on
// nothing, or on what a policy itself says, isn't.
func TestADenyIsFrailThatHangsOnWhatMayChange(t *testing.T) {
	denied := func(condition string) []doc {
		return []doc{identity(contract, allow("s3:GetObject", "*"), deny("s3:GetObject", "*", `"Condition": {`+condition+`}`))}
	}
	for _, row := range []struct {
		name, condition string
		frail           bool
	}{
		{"the path", `"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/buzon/*"}`, true},
		{"the name", `"StringLike": {"aws:username": "vm-*"}`, true},
		{"all that are no key's", `"StringLike": {"aws:PrincipalType": "*"}`, false},
		{"the account", `"StringEquals": {"aws:PrincipalAccount": "111122223333"}`, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := case1{docs: denied(row.condition)}.judge(t)
			if got := strings.Contains(rules(p), "frail-deny"); got != row.frail || p.Verdict != WriteOnly {
				t.Errorf("%s %q", p.Verdict, rules(p))
			}
		})
	}
	for _, key := range []string{
		"aws:SourceIp", "aws:SourceVpce", "aws:SourceVpc", "aws:VpcSourceIp", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:PrincipalTag/x", "aws:username", "aws:PrincipalArn", "aws:userid",
	} {
		if !changeable(key) {
			t.Errorf("a Deny on %s isn't frail", key)
		}
	}
}
