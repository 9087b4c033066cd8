package sources

import (
	"testing"

	"buzon/agent/policy"

	"github.com/google/go-cmp/cmp"
)

func TestPinnedTags(t *testing.T) {
	const (
		arn     = "arn:aws:iam::111122223333:role/buzon/vm-01"
		service = `"Principal":{"Service":"ec2.amazonaws.com"}`
		anchor  = `"Principal":{"Service":"rolesanywhere.amazonaws.com"}`
		three   = `"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]`
		own     = "buzon-uploader=vm-01"
	)
	asks := func(operator, key, value string) string {
		return `"Condition":{"` + operator + `":{"` + key + `":` + value + `}}`
	}
	cn := asks("StringEquals", "aws:PrincipalTag/x509Subject/CN", `"vm-01"`)
	for _, test := range []struct {
		name, statements string
		want             string // KEY=VALUE, or "" for none
	}{
		{"no session tags", `{"Effect":"Allow",` + service + `,"Action":"sts:AssumeRole"}`, own},
		{"session tags", `{"Effect":"Allow",` + service + `,"Action":["sts:AssumeRole","sts:TagSession"]}`, ""},
		{"in another case", `{"Effect":"Allow",` + service + `,"Action":["sts:assumerole","STS:tagsession"]}`, ""},
		{"by a wildcard", `{"Effect":"Allow",` + service + `,"Action":"sts:*"}`, ""},
		{"by negation", `{"Effect":"Allow",` + service + `,"NotAction":"sts:GetFederationToken"}`, ""},
		{"in another statement", `{"Effect":"Allow",` + service + `,"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":"*","Action":"sts:TagSession"}`, ""},
		{"denied only", `{"Effect":"Allow",` + service + `,"Action":"sts:AssumeRole"},{"Effect":"Deny","Principal":"*","Action":"sts:TagSession"}`, own},
		{"the certificate's name", `{"Effect":"Allow",` + anchor + `,` + three + `,` + cn + `}`, "x509Subject/CN=vm-01"},
		{"any certificate", `{"Effect":"Allow",` + anchor + `,` + three + `}`, ""},
		{"two names", `{"Effect":"Allow",` + anchor + `,` + three + `,` + asks("StringEquals", "aws:PrincipalTag/x509Subject/CN", `["vm-01","vm-02"]`) + `}`, ""},
		{"a pattern", `{"Effect":"Allow",` + anchor + `,` + three + `,` + asks("StringLike", "aws:PrincipalTag/x509Subject/CN", `"vm-*"`) + `}`, ""},
		{"if there is one", `{"Effect":"Allow",` + anchor + `,` + three + `,` + asks("StringEqualsIfExists", "aws:PrincipalTag/x509Subject/CN", `"vm-01"`) + `}`, ""},
		{"of another caller", `{"Effect":"Allow","Principal":{"AWS":"111122223333"},` + three + `,` + cn + `}`, ""},
		{"another door", `{"Effect":"Allow",` + anchor + `,` + three + `,` + cn + `},{"Effect":"Allow",` + service + `,"Action":"sts:AssumeRole"}`, ""},
		{"no field of a certificate", `{"Effect":"Allow",` + anchor + `,` + three + `,` + asks("StringEquals", "aws:PrincipalTag/team", `"data"`) + `}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			doc, err := policy.Parse("trust", []byte(`{"Version":"2012-10-17","Statement":[`+test.statements+`]}`), policy.ParseOptions{Grammar: policy.TrustGrammar})
			if err != nil {
				t.Fatal(err)
			}
			role := policy.Subject{Type: policy.Role, ARN: arn, Tags: map[string]string{"buzon-uploader": "vm-01"}, TagsKnown: true}
			got := ""
			for key, value := range pinned(&role, []policy.Source{{Kind: policy.Trust, Attached: arn, Document: doc}}) {
				got += key + "=" + value
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	role := policy.Subject{Type: policy.Role, ARN: arn, Tags: map[string]string{"a": "b"}}
	if got := pinned(&role, nil); got != nil {
		t.Errorf("without its trust policy: %v", got)
	}
}
