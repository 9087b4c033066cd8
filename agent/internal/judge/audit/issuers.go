package audit

import (
	"strings"
	"unicode"
)

// issuer says what binds a caller whom an identity provider vouches for: which of
// the token's claims a stranger can't choose, and what a trust policy has to say of
// them. docs/decisions/open-trust.md gives the reason and the page of each row.
type issuer struct {
	// host is the provider's URL without "https://", as it begins its condition keys;
	// with "*" at the end whatever begins so.
	host string
	// binds are the ways to bind: the claims of one of them, all together.
	binds [][]claim
	// key and example are what a trust policy should ask for.
	key, example string
}

// claim is a claim with what its value must fix. Texts have wild where anything may
// stand.
type claim struct {
	name  string
	fixed func(text string) bool
}

// wild stands in a text for "*", "?" and everything else that may be any text. IAM's
// own texts end at U+00FF.
const wild = "\ue000"

// issuers are those of which it is known what binds. "aud" alone binds only where the
// issuer itself writes the caller's organisation into it: anywhere else whoever gets a
// token chooses it, or all callers send the same.
var issuers = []issuer{
	{"token.actions.githubusercontent.com", github, "sub", "repo:OWNER/REPOSITORY:*"},
	{"vstoken.actions.githubusercontent.com", github, "sub", "repo:OWNER/REPOSITORY:*"},
	{"oidc-configuration.audit-log.githubusercontent.com", oneOf(claim{"sub", exact}), "sub", "https://github.com/OWNER"},
	{"gitlab.com", oneOf(claim{"sub", segment("project_path:", "/")}), "sub", "project_path:GROUP/PROJECT:*"},
	{"app.terraform.io", oneOf(claim{"sub", segment("organization:", ":")}), "sub", "organization:ORGANIZATION:project:PROJECT:workspace:*"},
	{"agent.buildkite.com", oneOf(claim{"sub", segment("organization:", ":")}), "sub", "organization:ORGANIZATION:pipeline:PIPELINE:*"},
	{"oidc.codefresh.io", oneOf(claim{"sub", segment("account:", ":")}), "sub", "account:ACCOUNT:*"},
	{"scalr.io", oneOf(claim{"sub", segment("account:", ":")}), "sub", "account:ACCOUNT:*"},
	{"oidc.vercel.com*", oneOf(claim{"sub", segment("owner:", ":")}, claim{"aud", segment("https://vercel.com/", "/")}), "sub", "owner:TEAM:project:PROJECT:*"},
	{"api.pulumi.com/oidc/v2", oneOf(claim{"sub", segment("pulumi:environments:org:", ":")}), "sub", "pulumi:environments:org:ORGANIZATION:*"},
	{"api.pulumi.com/oidc", oneOf(claim{"sub", segment("pulumi:deploy:org:", ":")}, claim{"sub", segment("pulumi:environments:org:", ":")}, claim{"aud", exact}), "aud", "ORGANIZATION"},
	{"studio.datachain.ai/api", oneOf(claim{"sub", segment("credentials:", "/")}), "sub", "credentials:TEAM/*"},
	{"tokens.cloud.shisho.dev", oneOf(claim{"sub", segment("job:", ":")}), "sub", "job:ORGANIZATION:*"},
	{"proidc.upbound.io", oneOf(claim{"sub", segment("mcp:", "/")}), "sub", "mcp:ORGANIZATION/*"},
	{"sandboxes.cloud", oneOf(claim{"aud", exact}), "aud", "ORGANIZATION"},

	// Six clusters serve all customers of IBM Turbonomic.
	{"rh-oidc.s3.us-east-1.amazonaws.com/22ejnvnnturfmt6km08idd0nt4hekbn7", turbonomic, "sub", cluster},
	{"rh-oidc.s3.us-east-1.amazonaws.com/23e3sd27sju1hoou6ohfs68vbno607tr", turbonomic, "sub", cluster},
	{"rh-oidc.s3.us-east-1.amazonaws.com/23ne21h005qjl3n33d8dui5dlrmv2tmg", turbonomic, "sub", cluster},
	{"rh-oidc.s3.us-east-1.amazonaws.com/24jrf12m5dj7ljlfb4ta2frhrcoadm26", turbonomic, "sub", cluster},
	{"oidc.op1.openshiftapps.com/2f785sojlpb85i7402pk3qogugim5nfb", turbonomic, "sub", cluster},
	{"oidc.op1.openshiftapps.com/2c51blsaqa9gkjt0o9rt11mle8mmropu", turbonomic, "sub", cluster},

	// One tenant of Microsoft's serves all customers of Sentinel.
	{"sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d*", oneOf(claim{"sts:rolesessionname", exact}), "sts:RoleSessionName", "MicrosoftSentinel_WORKSPACE-ID"},
	{"sts.windows.net/*", oneOf(claim{"sub", exact}), "sub", "OBJECT-ID"},
	{"login.microsoftonline.com/*", oneOf(claim{"sub", exact}), "sub", "OBJECT-ID"},
	{"vstoken.dev.azure.com/*", oneOf(claim{"sub", segment("sc://", "/")}), "sub", "sc://ORGANIZATION/PROJECT/CONNECTION"},

	{"oidc.circleci.com/org/*", oneOf(claim{"sub", segment("org/", "/")}, claim{"oidc.circleci.com/project-id", exact}), "sub", "org/ORGANIZATION-ID/project/PROJECT-ID/*"},
	{"api.bitbucket.org/2.0/workspaces/*", oneOf(claim{"sub", segment("{", "}")}), "sub", "{REPOSITORY-UUID}:*"},
	{"oidc.eks.*", oneOf(claim{"sub", segment("system:serviceaccount:", ":")}), "sub", cluster},

	{"cognito-identity.amazonaws.com", [][]claim{
		{{"aud", exact}, {"amr", signedIn}}, {{"sub", exact}},
	}, "amr", "authenticated"},
	// IAM takes azp for Google's aud where the token has it: the client, or the service
	// account. The token's own aud is the key oaud, and the caller's choice.
	{"accounts.google.com", oneOf(claim{"aud", exact}, claim{"sub", exact}, claim{"email", exact}, claim{"google/organization_number", exact}), "aud", "CLIENT-ID"},
	{"graph.facebook.com", oneOf(claim{"app_id", exact}, claim{"id", exact}), "app_id", "APP-ID"},
	{"www.amazon.com", oneOf(claim{"app_id", exact}, claim{"user_id", exact}), "app_id", "APP-ID"},

	// The assertion names the role; saml:aud holds it to AWS's endpoint. The format of a
	// name, and who issued it, are the same for all.
	{"saml", oneOf(
		claim{"aud", something}, claim{"sub", something}, claim{"namequalifier", something}, claim{"doc", something},
		claim{"cn", something}, claim{"commonname", something}, claim{"mail", something}, claim{"uid", something}, claim{"x500uniqueidentifier", something},
		claim{"edupersonaffiliation", something}, claim{"edupersonentitlement", something}, claim{"edupersonprincipalname", something},
		claim{"eduorgidentityauthnpolicyuri", something},
	), "saml:aud", "https://signin.aws.amazon.com/saml"},
}

// turbonomic: the customer is the name space of the service account.
var turbonomic = oneOf(claim{"sub", segment("system:serviceaccount:", ":")})

// cluster is how a cluster's service accounts are called.
const cluster = "system:serviceaccount:NAMESPACE:NAME"

// github are the claims that name whose repository a workflow runs in. Not among
// them: job_workflow_ref (anybody may call a public workflow), actor (who can be made
// to start somebody else's workflow), ref, workflow, environment and aud.
var github = oneOf(
	claim{"sub", segment("repo:", "/")}, claim{"sub", segment("repository:", "/")},
	claim{"sub", segment("repository_owner:", ":")}, claim{"sub", segment("repository_owner_id:", ":")}, claim{"sub", segment("repository_id:", ":")},
	claim{"repository", segment("", "/")}, claim{"repository_id", exact},
	claim{"repository_owner", exact}, claim{"repository_owner_id", exact}, claim{"enterprise_id", exact},
)

// anyIssuer is what binds at an issuer that isn't in the table. Whether others share
// it can't be told, so an audience alone leaves the question open.
var anyIssuer = issuer{binds: oneOf(claim{"sub", begun}, claim{"email", begun}), key: "sub", example: "SUBJECT"}

func oneOf(claims ...claim) [][]claim {
	out := make([][]claim, 0, len(claims))
	for _, c := range claims {
		out = append(out, []claim{c})
	}
	return out
}

// issuerOf is the row of a host in lower case, and whether there is one.
func issuerOf(host string) (issuer, bool) {
	for _, i := range issuers {
		if start, open := strings.CutSuffix(i.host, "*"); i.host == host || open && strings.HasPrefix(host, start) {
			return i, true
		}
	}
	return anyIssuer, false
}

// exact: the whole value is said.
func exact(text string) bool { return telling(text) && !strings.Contains(text, wild) }

// something: a part of the value is said.
func something(text string) bool { return telling(text) }

// telling reports whether a text holds a letter or a digit of its own.
func telling(text string) bool {
	return strings.ContainsFunc(strings.ReplaceAll(text, wild, ""), func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

// segment: after the prefix, which all values of the issuer share, stands a name that
// is said to its end.
func segment(prefix, end string) func(string) bool {
	return func(text string) bool {
		rest, ok := strings.CutPrefix(text, prefix)
		said, _, open := strings.Cut(rest, wild)
		name, _, ended := strings.Cut(said, end)
		return ok && telling(name) && (ended || !open)
	}
}

// forms are beginnings of subjects that tell nobody from anybody, with what ends the
// name after them; other installations of the same software write them too.
var forms = [][2]string{
	{"repo:", "/"}, {"project_path:", "/"}, {"organization:", ":"}, {"system:serviceaccount:", ":"}, {"account:", ":"},
	{"owner:", ":"}, {"org/", "/"}, {"sc://", "/"}, {"mcp:", "/"}, {"credentials:", "/"}, {"job:", ":"},
	{"repository:", "/"}, {"repository_owner:", ":"}, {"pulumi:deploy:org:", ":"}, {"pulumi:environments:org:", ":"},
}

// begun: the value's beginning is said, beyond what all values of such a form share; of
// an address its domain will do.
func begun(text string) bool {
	said, _, open := strings.Cut(text, wild)
	for _, f := range forms {
		switch {
		case strings.HasPrefix(text, f[0]):
			return segment(f[0], f[1])(text)
		case open && strings.HasPrefix(f[0], said):
			_, domain, ok := strings.Cut(text, "@")
			return ok && exact(domain)
		}
	}
	return telling(said)
}

// signedIn: not those who never signed in.
func signedIn(text string) bool {
	return telling(text) && !matches(text, "unauthenticated")
}

// matches reports whether a text can be a word.
func matches(text, word string) bool {
	first, rest, open := strings.Cut(text, wild)
	if !open {
		return text == word
	}
	if !strings.HasPrefix(word, first) {
		return false
	}
	word = word[len(first):]
	for i := range len(word) + 1 {
		if matches(rest, word[i:]) {
			return true
		}
	}
	return false
}
