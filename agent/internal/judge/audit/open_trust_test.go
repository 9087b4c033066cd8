package audit

import (
	"slices"
	"strings"
	"testing"

	"buzon/agent/policy"
)

const (
	roleARN = "arn:aws:iam::111122223333:role/buzon/vm-01"
	gh      = "token.actions.githubusercontent.com"
)

// trusted judges a role with the contract and this trust policy.
func trusted(t *testing.T, symbols policy.Symbols, statements ...string) *Principal {
	t.Helper()
	found := case1{principal: roleARN, docs: []doc{identity(contract)}}.load(t)
	document, err := policy.Parse("trust", []byte(document(statements...)), policy.ParseOptions{Grammar: policy.TrustGrammar, Symbols: symbols != nil})
	if err != nil {
		t.Fatal(err)
	}
	set := &found.Subjects[0].Set
	set.Symbols = symbols
	set.Sources = append(set.Sources, policy.Source{Kind: policy.Trust, Name: "vm-01", Attached: roleARN, Document: document})
	return judgeFound(t, found, Options{})
}

// trust is one statement of a trust policy.
func trust(principal, action string, conditions ...string) string {
	out := `{"Effect": "Allow", "Principal": ` + principal + `, "Action": "` + action + `"`
	if len(conditions) > 0 {
		out += `, "Condition": {` + strings.Join(conditions, ", ") + `}`
	}
	return out + "}"
}

func web(host string, conditions ...string) string {
	provider := "arn:aws:iam::111122223333:oidc-provider/" + host
	switch host {
	case "accounts.google.com", "cognito-identity.amazonaws.com", "www.amazon.com", "graph.facebook.com":
		provider = host
	}
	return trust(`{"Federated": "`+provider+`"}`, withWebIdentity, conditions...)
}

// is writes a condition.
func is(operator, key string, values ...string) string {
	return `"` + operator + `": {"` + key + `": ["` + strings.Join(values, `", "`) + `"]}`
}

func openings(p *Principal) []string {
	var out []string
	for _, f := range p.Findings {
		if f.Rule == RuleOpenTrust {
			out = append(out, f.Detail)
		}
	}
	return out
}

// details judges each row; a detail of "" is a role without a finding.
func details(t *testing.T, rows []struct{ name, detail, statement string }) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := trusted(t, nil, row.statement)
			got := openings(p)
			if row.detail == "" && len(got)+len(p.Undecided) > 0 || row.detail != "" && !slices.Contains(got, row.detail) {
				t.Errorf("%s %q %v, want %q; undecided %+v", p.Verdict, rules(p), got, row.detail, p.Undecided)
			}
		})
	}
}

// What the stack itself deploys for a machine that isn't a user.
func TestTheStacksOwnRolesAreOpenToNobody(t *testing.T) {
	anywhere := `{"Effect": "Allow", "Principal": {"Service": "rolesanywhere.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
		"Condition": {"StringEquals": {"aws:PrincipalTag/x509Subject/CN": "vm-01"}, "ArnEquals": {"aws:SourceArn": "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/4a2f"}}}`
	details(t, []struct{ name, detail, statement string }{
		{"an EC2 role", "", trust(`{"Service": "ec2.amazonaws.com"}`, "sts:AssumeRole")},
		{"Roles Anywhere", "", anywhere},
	})
}

func TestARoleIsAssumedByNobodyButWhomItIsFor(t *testing.T) {
	details(t, []struct{ name, detail, statement string }{
		{"one user", "", trust(`{"AWS": "`+vm+`"}`, "sts:AssumeRole")},
		{"its account, one of them", "", trust(`{"AWS": "111122223333"}`, "sts:AssumeRole", is("ArnEquals", "aws:PrincipalArn", vm))},
		{"its account, a kind of them", "", trust(`{"AWS": "111122223333"}`, "sts:AssumeRole", is("ArnLike", "aws:PrincipalArn", "arn:aws:iam::111122223333:role/ci-*"))},
		{"everybody, one of them", "", trust(`"*"`, "sts:AssumeRole", is("StringEquals", "aws:PrincipalArn", vm))},
		{"everybody, by a unique id", "", trust(`"*"`, "sts:AssumeRole", is("StringLike", "aws:userid", "AROAEXAMPLEEXAMPLE01:*"))},
		{"what is no account", "", trust(`"*"`, "sts:AssumeRole", is("StringLike", "aws:PrincipalAccount", "o-*"))},
		{"another account, one of them", "", trust(`{"AWS": "444455556666"}`, "sts:AssumeRole", is("ArnEquals", "aws:PrincipalArn", "arn:aws:iam::444455556666:role/ci"))},

		{"everybody", DetailAnyAccount, trust(`"*"`, "sts:AssumeRole")},
		{"everybody in a list", DetailAnyAccount, trust(`{"AWS": ["*"]}`, "sts:*")},
		{"its whole account", DetailOwnAccount, trust(`{"AWS": "arn:aws:iam::111122223333:root"}`, "sts:AssumeRole")},
		{"another account", DetailOther, trust(`{"AWS": "444455556666"}`, "sts:AssumeRole")},
		{"another account with an external id, which is no secret", DetailOther, trust(`{"AWS": "444455556666"}`, "sts:AssumeRole", is("StringEquals", "sts:ExternalId", "17"))},
		{"everybody of an account in a condition", DetailOther, trust(`"*"`, "sts:AssumeRole", is("StringEquals", "aws:PrincipalAccount", "444455556666"))},
		{"everybody with an external id", DetailAnyAccount, trust(`"*"`, "sts:AssumeRole", is("StringEquals", "sts:ExternalId", "17"))},
		{"an organisation", DetailOrganization, trust(`"*"`, "sts:AssumeRole", is("StringEquals", "aws:PrincipalOrgID", "o-abcdefghij"))},
		{"a part of an organisation", DetailOrganization, trust(`"*"`, "sts:AssumeRole", is("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", "o-abcdefghij/r-ab12/*"))},
		{"a name in any account", DetailAnyAccount, trust(`"*"`, "sts:AssumeRole", is("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/deploy"))},
		{"a user's name in any account", DetailAnyAccount, trust(`"*"`, "sts:AssumeRole", is("StringLike", "aws:PrincipalArn", "arn:aws:iam::*:user/ops/*"))},
		{"a name in some accounts", DetailAnyAccount, trust(`"*"`, "sts:AssumeRole", is("ArnLike", "aws:PrincipalArn", "arn:aws:iam::4444*:role/deploy"))},
		{"everybody in some accounts, by ARN", DetailAnyAccount, trust(`"*"`, "sts:AssumeRole", is("StringLike", "aws:PrincipalArn", "arn:aws:iam::4444????6666:*"))},
		{"everybody in some accounts, whatever the ARN", DetailAnyAccount, trust(`"*"`, "sts:AssumeRole", is("StringLike", "aws:PrincipalArn", "*55556666:*"))},
		{"a kind of roles in some accounts, whatever the ARN", DetailAnyAccount, trust(`"*"`, "sts:AssumeRole", is("StringLike", "aws:PrincipalArn", "*:4444*:role/ops/*"))},
		{"everybody in some accounts", DetailAnyAccount, trust(`"*"`, "sts:AssumeRole", is("StringLike", "aws:PrincipalAccount", "4444*"))},
		{"everybody in accounts that end so", DetailAnyAccount, trust(`{"AWS": "*"}`, "sts:*", is("ForAnyValue:StringLike", "aws:PrincipalAccount", "*66?6"))},
		{"a tag that anybody can wear", DetailAnyAccount, trust(`"*"`, "sts:AssumeRole", is("StringEquals", "aws:PrincipalTag/team", "ops"))},
		{"a session's name", DetailAnyAccount, trust(`"*"`, "sts:AssumeRole", is("StringLike", "aws:userid", "*:vm-01"))},
		{"roles only", DetailAnyAccount, trust(`"*"`, "sts:AssumeRole", is("StringEquals", "aws:PrincipalType", "AssumedRole"))},
		{"an address", DetailOwnAccount, trust(`{"AWS": "111122223333"}`, "sts:AssumeRole", `"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}`)},
		{"everybody but one", DetailAnyAccount, trust(`"*"`, "sts:AssumeRole", is("StringNotEquals", "aws:PrincipalArn", vm))},
		{"everybody who has no organisation", DetailAnyAccount, trust(`"*"`, "sts:AssumeRole", is("StringEqualsIfExists", "aws:PrincipalOrgID", "o-abcdefghij"))},
	})
}

func TestATrustAnchorIsNamedWhole(t *testing.T) {
	anywhere := func(conditions ...string) string {
		return trust(`{"Service": "rolesanywhere.amazonaws.com"}`, "sts:AssumeRole", conditions...)
	}
	const anchor = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/4a2f"
	details(t, []struct{ name, detail, statement string }{
		{"one anchor", "", anywhere(is("ArnEquals", "aws:SourceArn", anchor))},
		{"one anchor by its text", "", anywhere(is("StringEquals", "aws:SourceArn", anchor))},
		{"one of two", "", anywhere(is("ArnLike", "aws:SourceArn", anchor, anchor+"b"))},
		{"one name", "", anywhere(is("StringEquals", "aws:PrincipalTag/x509Subject/CN", "vm-01"))},
		{"a name's domain", "", anywhere(is("StringLike", "aws:PrincipalTag/x509SAN/DNS", "vm-01.*"))},

		{"no condition", DetailTrustAnchor, anywhere()},
		{"every anchor", DetailTrustAnchor, anywhere(is("ArnLike", "aws:SourceArn", "arn:aws:rolesanywhere:*:*:trust-anchor/*"))},
		{"every anchor of the account", DetailTrustAnchor, anywhere(is("ArnEquals", "aws:SourceArn", "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/*"))},
		{"one and every", DetailTrustAnchor, anywhere(is("ArnLike", "aws:SourceArn", anchor, "arn:aws:rolesanywhere:*"))},
		{"any name", DetailTrustAnchor, anywhere(is("StringLike", "aws:PrincipalTag/x509Subject/CN", "?*"))},
		{"all but one name", DetailTrustAnchor, anywhere(is("StringNotEquals", "aws:PrincipalTag/x509Subject/CN", "vm-02"))},
		{"a name if there is one", DetailTrustAnchor, anywhere(is("StringEqualsIfExists", "aws:PrincipalTag/x509Subject/CN", "vm-01"))},
		{"a country", DetailTrustAnchor, anywhere(is("StringEquals", "aws:PrincipalTag/x509Subject/C", "ES"))},
		{"an account", DetailTrustAnchor, anywhere(is("StringEquals", "aws:SourceAccount", "111122223333"))},
	})
}

// One row for each provider of the table: what binds, and what only seems to.
func TestAnIdentityProviderVouchesForSomebody(t *testing.T) {
	for _, row := range []struct {
		host        string
		bound, open []string
	}{
		{gh, []string{
			is("StringLike", gh+":sub", "repo:acme/*"), is("StringEquals", gh+":sub", "repo:acme/app:ref:refs/heads/main"),
			is("StringLike", gh+":sub", "repo:acme@1234/app@99:*"), is("StringLike", gh+":sub", "repository_owner:acme:*"),
			is("StringEquals", gh+":repository", "acme/app"), is("StringEquals", gh+":repository_id", "99"),
			is("ForAnyValue:StringLike", gh+":sub", "repo:acme/a:*", "repo:acme/b:*"), is("StringEqualsIgnoreCase", gh+":sub", "repo:Acme/app:environment:prod"),
		}, []string{
			"", is("StringEquals", gh+":aud", "sts.amazonaws.com"), is("StringLike", gh+":sub", "repo:*"), is("StringLike", gh+":sub", "repo:*/*:*"),
			is("StringLike", gh+":sub", "?*"), is("StringLike", gh+":sub", "repo:acme*"), is("StringLike", gh+":sub", "repo:*/app:ref:refs/heads/main"),
			is("StringLike", gh+":sub", "*acme/app*"), is("StringLike", gh+":sub", "repo:acme/*", "repo:*:environment:prod"), is("StringLike", gh+":sub", "repo:?cme/*"),
			is("StringNotLike", gh+":sub", "repo:acme/*"), is("StringLikeIfExists", gh+":sub", "repo:acme/*"), is("ForAllValues:StringLike", gh+":sub", "repo:acme/*"),
			is("StringEquals", gh+":job_workflow_ref", "acme/app/.github/workflows/w.yml@refs/heads/main"), is("StringEquals", gh+":actor", "octocat"),
			is("StringEquals", gh+":ref", "refs/heads/main"), is("StringEquals", gh+":environment", "prod"), `"Null": {"` + gh + `:sub": "false"}`,
			is("StringLike", gh+":repository", "*/app"),
		}},
		{"gitlab.com", []string{is("StringLike", "gitlab.com:sub", "project_path:acme/app:ref_type:branch:ref:main"), is("StringLike", "gitlab.com:sub", "project_path:acme/*")},
			[]string{is("StringEquals", "gitlab.com:aud", "https://gitlab.com"), is("StringLike", "gitlab.com:sub", "project_path:*"), is("StringLike", "gitlab.com:sub", "project_path:acme*")}},
		{"app.terraform.io", []string{is("StringLike", "app.terraform.io:sub", "organization:acme:project:p:workspace:w:run_phase:*")},
			[]string{is("StringEquals", "app.terraform.io:aud", "aws.workload.identity"), is("StringLike", "app.terraform.io:sub", "organization:*:project:p:workspace:w:run_phase:apply")}},
		{"agent.buildkite.com", []string{is("StringLike", "agent.buildkite.com:sub", "organization:acme:pipeline:deploy:*")},
			[]string{is("StringEquals", "agent.buildkite.com:aud", "sts.amazonaws.com"), is("StringLike", "agent.buildkite.com:sub", "organization:acme*")}},
		{"oidc.circleci.com/org/1f2e", []string{is("StringLike", "oidc.circleci.com/org/1f2e:sub", "org/1f2e/project/99aa/*"), is("StringEquals", "oidc.circleci.com/org/1f2e:oidc.circleci.com/project-id", "99aa")},
			[]string{is("StringEquals", "oidc.circleci.com/org/1f2e:aud", "1f2e"), is("StringLike", "oidc.circleci.com/org/1f2e:sub", "org/*")}},
		{"api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc", []string{is("StringLike", "api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc:sub", "{73a1}:*")},
			[]string{is("StringEquals", "api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc:aud", "ari:cloud:bitbucket::workspace/1"), is("StringLike", "api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc:sub", "{*}:*")}},
		{"oidc.eks.eu-west-1.amazonaws.com/id/ABCD", []string{is("StringEquals", "oidc.eks.eu-west-1.amazonaws.com/id/ABCD:sub", "system:serviceaccount:mail:uploader"), is("StringLike", "oidc.eks.eu-west-1.amazonaws.com/id/ABCD:sub", "system:serviceaccount:mail:*")},
			[]string{is("StringEquals", "oidc.eks.eu-west-1.amazonaws.com/id/ABCD:aud", "sts.amazonaws.com"), is("StringLike", "oidc.eks.eu-west-1.amazonaws.com/id/ABCD:sub", "system:serviceaccount:*:uploader"), is("StringLike", "oidc.eks.eu-west-1.amazonaws.com/id/ABCD:sub", "system:*")}},
		{"accounts.google.com", []string{is("StringEquals", "accounts.google.com:aud", "66677788899900pro0"), is("StringEquals", "accounts.google.com:sub", "1094"), is("StringEquals", "accounts.google.com:google/organization_number", "12")},
			[]string{"", is("StringEquals", "accounts.google.com:oaud", "https://sts.amazonaws.com"), is("StringLike", "accounts.google.com:sub", "*")}},
		{"cognito-identity.amazonaws.com", []string{
			is("StringEquals", "cognito-identity.amazonaws.com:aud", "eu-west-1:12345678") + ", " + is("ForAnyValue:StringLike", "cognito-identity.amazonaws.com:amr", "authenticated"),
			is("StringEquals", "cognito-identity.amazonaws.com:sub", "eu-west-1:abcdef")},
			[]string{
				is("StringEquals", "cognito-identity.amazonaws.com:aud", "eu-west-1:12345678"),
				is("StringEquals", "cognito-identity.amazonaws.com:aud", "eu-west-1:12345678") + ", " + is("ForAnyValue:StringLike", "cognito-identity.amazonaws.com:amr", "unauthenticated"),
				is("StringEquals", "cognito-identity.amazonaws.com:aud", "eu-west-1:12345678") + ", " + is("ForAnyValue:StringLike", "cognito-identity.amazonaws.com:amr", "*authenticated"),
				is("ForAnyValue:StringLike", "cognito-identity.amazonaws.com:amr", "authenticated")}},
		{"proidc.upbound.io", []string{is("StringLike", "proidc.upbound.io:sub", "mcp:acme/*"), is("StringEquals", "proidc.upbound.io:sub", "mcp:acme/c:provider:provider-aws")},
			[]string{is("StringEquals", "proidc.upbound.io:aud", "sts.amazonaws.com"), is("StringLike", "proidc.upbound.io:sub", "mcp:*"), is("StringLike", "proidc.upbound.io:sub", "mcp:acme*")}},
		{"rh-oidc.s3.us-east-1.amazonaws.com/22ejnvnnturfmt6km08idd0nt4hekbn7",
			[]string{is("StringEquals", "rh-oidc.s3.us-east-1.amazonaws.com/22ejnvnnturfmt6km08idd0nt4hekbn7:sub", "system:serviceaccount:acme:t8c")},
			[]string{is("StringLike", "rh-oidc.s3.us-east-1.amazonaws.com/22ejnvnnturfmt6km08idd0nt4hekbn7:sub", "system:serviceaccount:*:t8c"), ""}},
		{"mcp.example.com", []string{is("StringLike", "mcp.example.com:sub", "mcp:acme/*")}, []string{is("StringLike", "mcp.example.com:sub", "mcp:*")}},
		{"www.amazon.com", []string{is("StringEquals", "www.amazon.com:app_id", "amzn1.application-oa2-client")}, []string{""}},
		{"sts.windows.net/1111-2222", []string{is("StringEquals", "sts.windows.net/1111-2222:sub", "8f9e")}, []string{is("StringEquals", "sts.windows.net/1111-2222:aud", "api://AzureADTokenExchange")}},
		{"sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d", []string{is("StringEquals", "sts:RoleSessionName", "MicrosoftSentinel_77")},
			[]string{is("StringEquals", "sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d:aud", "api://1462b192")}},
		{"vstoken.dev.azure.com/55", []string{is("StringEquals", "vstoken.dev.azure.com/55:sub", "sc://acme/p/c")}, []string{is("StringEquals", "vstoken.dev.azure.com/55:aud", "api://AzureADTokenExchange")}},
		{"api.pulumi.com/oidc", []string{is("StringEquals", "api.pulumi.com/oidc:aud", "acme"), is("StringLike", "api.pulumi.com/oidc:sub", "pulumi:deploy:org:acme:*")}, []string{is("StringLike", "api.pulumi.com/oidc:sub", "pulumi:deploy:org:*")}},
		{"login.example.com", []string{is("StringEquals", "login.example.com:sub", "vm-01"), is("StringLike", "login.example.com:sub", "vm-*"), is("StringLike", "login.example.com:email", "*@example.com")},
			[]string{"", is("StringLike", "login.example.com:sub", "*"), is("StringLike", "login.example.com:sub", "repo:*"), is("StringLike", "login.example.com:sub", "system:serviceaccount:*"), is("StringLike", "login.example.com:sub", "re*")}},
	} {
		for _, c := range row.bound {
			t.Run(row.host+" bound by "+c, func(t *testing.T) {
				if p := trusted(t, nil, web(row.host, c)); rules(p) != "" || p.Verdict != WriteOnly {
					t.Errorf("%s %v; undecided %+v", p.Verdict, openings(p), p.Undecided)
				}
			})
		}
		for _, c := range row.open {
			t.Run(row.host+" not bound by "+c, func(t *testing.T) {
				s := web(row.host)
				if c != "" {
					s = web(row.host, c)
				}
				p := trusted(t, nil, s)
				if got := openings(p); p.Verdict != Violation || len(got) != 1 || got[0] != DetailFederated && got[0] != DetailUnsigned {
					t.Fatalf("%s %v; undecided %+v", p.Verdict, got, p.Undecided)
				}
				if f := finding(t, p, RuleOpenTrust); f.Fix.Args["key"] == "" || f.Fix.Args["example"] == "" || len(f.Because) != 1 {
					t.Errorf("%+v", f)
				}
			})
		}
	}
}

// Who may share an issuer that the table doesn't have isn't known.
func TestAnAudienceAtAnUnknownIssuerIsAQuestion(t *testing.T) {
	p := trusted(t, nil, web("login.example.com", is("StringEquals", "login.example.com:aud", "client-7")))
	if p.Verdict != NoVerdict || len(p.Findings) != 0 || p.Undecided[0].Reason != ReasonIssuer || p.Undecided[0].What != "login.example.com" {
		t.Errorf("%s %v %+v", p.Verdict, openings(p), p.Undecided)
	}
}

func TestSAMLIsHeldToAWSByItsAudience(t *testing.T) {
	saml := func(conditions ...string) string {
		return trust(`{"Federated": "arn:aws:iam::111122223333:saml-provider/idp"}`, withSAML, conditions...)
	}
	details(t, []struct{ name, detail, statement string }{
		{"audience", "", saml(is("StringEquals", "SAML:aud", "https://signin.aws.amazon.com/saml"))},
		{"regional audience", "", saml(is("StringLike", "saml:aud", "https://*.signin.aws.amazon.com/saml"))},
		{"a person", "", saml(is("StringEquals", "saml:sub", "vm-01"))},
		{"nothing", DetailFederated, saml()},
		{"anything", DetailFederated, saml(is("StringLike", "saml:aud", "*"))},
		{"the kind of name", DetailFederated, saml(is("StringEquals", "saml:sub_type", "persistent"))},
		{"if it is there", DetailFederated, saml(is("StringEqualsIfExists", "saml:aud", "https://signin.aws.amazon.com/saml"))},
	})
}

func TestADenyOfTheTrustPolicyBindsToo(t *testing.T) {
	aud := web(gh, is("StringEquals", gh+":aud", "sts.amazonaws.com"))
	denied := func(principal, action, condition string) string {
		return strings.Replace(trust(principal, action, condition), `"Allow"`, `"Deny"`, 1)
	}
	for _, row := range []struct {
		name, deny string
		verdict    Verdict
	}{
		{"all others", denied(`"*"`, "sts:*", is("StringNotLike", gh+":sub", "repo:acme/*")), WriteOnly},
		{"all others of the provider", denied(`{"Federated": "arn:aws:iam::111122223333:oidc-provider/`+gh+`"}`, withWebIdentity, is("StringNotEquals", gh+":sub", "repo:acme/a:*")), WriteOnly},
		{"another call", denied(`"*"`, "sts:AssumeRole", is("StringNotLike", gh+":sub", "repo:acme/*")), Violation},
		{"only some of the others", denied(`"*"`, "sts:*", is("StringNotLike", gh+":sub", "repo:acme/*")+`, "Bool": {"aws:SecureTransport": "false"}`), Violation},
		{"one", denied(`"*"`, "sts:*", is("StringLike", gh+":sub", "repo:evil/*")), Violation},
	} {
		t.Run(row.name, func(t *testing.T) {
			if p := trusted(t, nil, aud, row.deny); p.Verdict != row.verdict {
				t.Errorf("%s %v, want %s", p.Verdict, openings(p), row.verdict)
			}
		})
	}
}

// A value of a template that may hold a wildcard is a question; a name that
// CloudFormation makes is a name.
func TestWhatATemplateLeavesOpenBindsPerhaps(t *testing.T) {
	open := policy.Symbols{policy.FirstSymbol: {Name: "${Owner}", Open: true}, policy.FirstSymbol + 1: {Name: "${Anchor}"}}
	for _, row := range []struct {
		name, statement string
		verdict         Verdict
	}{
		{"in a pattern", web(gh, is("StringLike", gh+":sub", "repo:"+string(policy.FirstSymbol)+"/*")), NoVerdict},
		{"in a text", web(gh, is("StringEquals", gh+":sub", string(policy.FirstSymbol))), NoVerdict},
		{"in a text, behind its form", web(gh, is("StringEquals", gh+":sub", "repo:"+string(policy.FirstSymbol)+"/app:ref:refs/heads/main")), WriteOnly},
		{"a name", trust(`{"Service": "rolesanywhere.amazonaws.com"}`, "sts:AssumeRole", is("ArnEquals", "aws:SourceArn", string(policy.FirstSymbol+1))), WriteOnly},
		{"an anchor that may be any", trust(`{"Service": "rolesanywhere.amazonaws.com"}`, "sts:AssumeRole", is("ArnEquals", "aws:SourceArn", string(policy.FirstSymbol))), NoVerdict},
	} {
		t.Run(row.name, func(t *testing.T) {
			if p := trusted(t, open, row.statement); p.Verdict != row.verdict {
				t.Errorf("%s %v %+v, want %s", p.Verdict, openings(p), p.Undecided, row.verdict)
			}
		})
	}
}

// An issuer's host is written once, and each row says what to ask for.
func TestEveryIssuerSaysWhatBinds(t *testing.T) {
	seen := map[string]bool{}
	for _, i := range issuers {
		if seen[i.host] || i.host != strings.ToLower(i.host) || len(i.binds) == 0 || i.key == "" || i.example == "" {
			t.Errorf("%+v", i)
		}
		seen[i.host] = true
		for _, way := range i.binds {
			for _, c := range way {
				if c.name != strings.ToLower(c.name) || c.fixed(wild) || c.fixed("") {
					t.Errorf("%s: %s is fixed by anything", i.host, c.name)
				}
			}
		}
	}
}
