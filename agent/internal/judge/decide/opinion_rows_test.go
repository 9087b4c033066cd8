package decide

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"buzon/agent/policy"
)

// builder gathers rows into sets: those with the same documents are one line.
type builder struct {
	sets []corpusSet
	at   map[string]int
}

func (b *builder) add(c corpusSet, asks ...corpusAsk) {
	key := c.key()
	i, ok := b.at[key]
	if !ok {
		if b.at == nil {
			b.at = make(map[string]int)
		}
		i = len(b.sets)
		b.at[key] = i
		b.sets = append(b.sets, c)
	}
	for _, a := range asks {
		if len(a.Context) == 0 {
			a.Context = nil
		}
		a.ID = c.id(a)
		if !slices.ContainsFunc(b.sets[i].Asks, func(x corpusAsk) bool { return x.ID == a.ID }) {
			b.sets[i].Asks = append(b.sets[i].Asks, a)
		}
	}
}

func (b *builder) row(t testing.TB, r row) {
	t.Helper()
	subject := theUser()
	if r.subject != nil {
		subject = *r.subject
	}
	c := corpusSet{Principal: subject.ARN, Tags: subject.Tags, Owner: r.owner}
	set := makeSet(t, subject, r.docs...)
	for i, d := range r.docs {
		kind, rest, _ := strings.Cut(d[0], " ")
		out := corpusDocument{Kind: policy.Kind(kind), Policy: compact(set.Sources[i].Document)}
		if out.Kind == policy.SCP {
			out.Level = rest
		} else {
			out.On = rest
		}
		c.Documents = append(c.Documents, out)
	}
	b.add(c, corpusAsk{Action: r.action, Resource: r.on, Context: r.context})
}

// compact prints a document on one line.
func compact(d *policy.Document) json.RawMessage {
	text, err := json.Marshal(json.RawMessage(d.JSON()))
	if err != nil {
		panic(err)
	}
	return text
}

// tableCorpus makes the part of the corpus that is written down in tables: those
// of this package's other tests, and those below.
func tableCorpus(t testing.TB) []corpusSet {
	b := &builder{}
	for _, rows := range [][]row{trickyRows(), conditionRows(), denyRows(), elementRows(), shortRows(), variableRows(),
		arnRows(), layerRows(), principalRows(), levelRows(), resourceRows(),
		groupRows(), roleRows(), keyRows(), limitRows()} {
		for _, r := range rows {
			if !r.private {
				b.row(t, r)
			}
		}
	}
	return b.sets
}

// renewedCorpus makes the tables' part anew, and keeps what else stands in the
// corpus: sets that were made by chance once, with the generator that also sets
// `decide` and `reach` against each other.
func renewedCorpus(t *testing.T) []corpusSet {
	b := &builder{}
	for _, sets := range [][]corpusSet{tableCorpus(t), readCorpus(t)} {
		for _, c := range sets {
			asks := c.Asks
			c.Asks = nil
			b.add(c, asks...)
		}
	}
	return b.sets
}

// denyRows are the samples of the operators, in a Deny.
func denyRows() (rows []row) {
	for _, s := range samples {
		for _, form := range []string{"%s", "%sIfExists", "ForAllValues:%s", "ForAnyValue:%s", "ForAnyValue:%sIfExists"} {
			op := fmt.Sprintf(form, s.test)
			for _, values := range [][]string{nil, {s.takes}, {s.takesNot}} {
				r := row{
					docs:   denies(fmt.Sprintf(`"Action": "*", "Resource": "*", "Condition": {%q: {%q: [%q]}}`, op, s.key, s.value)),
					action: "s3:ListBucket", on: slot, context: map[string][]string{},
				}
				if values != nil {
					r.context[strings.ToLower(s.key)] = values
				}
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// elementRows join every kind of action element with every kind of resource
// element, in an Allow and in a Deny.
func elementRows() (rows []row) {
	for _, action := range []string{`"Action": "s3:Get*"`, `"NotAction": "s3:Get*"`, `"Action": ["s3:PutObject", "s3:list*"]`, `"NotAction": ["iam:*", "s3:PutObject"]`, `"Action": "*"`} {
		for _, resource := range []string{`"Resource": "arn:aws:s3:::slot/uploads/*"`, `"NotResource": "arn:aws:s3:::slot/uploads/*"`,
			`"NotResource": ["arn:aws:s3:::slot", "arn:aws:s3:::*/x"]`, `"Resource": ["arn:aws:s3:::slot", "arn:aws:iam::*:user/*"]`} {
			for _, docs := range [][]doc{allows(action + ", " + resource), denies(action + ", " + resource)} {
				for _, ask := range [][2]string{{"s3:GetObject", object}, {"s3:PutObject", object}, {"s3:PutObject", slot + "/x"},
					{"s3:ListBucket", slot}, {"s3:ListAllMyBuckets", "*"}, {"iam:CreateAccessKey", user}} {
					rows = append(rows, row{docs: docs, action: ask[0], on: ask[1]})
				}
			}
		}
	}
	return rows
}

// shortRows are ARNs that are short, or whose wildcards meet colons, in every
// kind of document.
func shortRows() (rows []row) {
	for _, arn := range []string{"arn:aws:s3", "arn:aws:s3:", "arn:aws:s3:*", "arn:aws:s3::", "arn:aws:s3:::*",
		"arn:aws:s3:*:slot/*", "arn:aws:s3:*:*:*", "arn:aws:s3:*/uploads/*", "arn:*:s3:::slot/*", "arn:aws:s3:::*:*", "arn:aws:s3:::slot/u*:*", "arn:aws:s3:::sl?t/*"} {
		with := func(effect, principal string) string {
			return fmt.Sprintf(`{"Effect": %q, %s"Action": "s3:*", "Resource": %q}`, effect, principal, arn)
		}
		for _, docs := range [][]doc{
			{{"user-inline", with("Allow", "")}},
			{{"user-inline", allowAll + "," + with("Deny", "")}},
			{{"user-inline", allowAll}, {"boundary", with("Allow", "")}},
			{{"bucket-policy", with("Allow", `"Principal": "*", `)}},
			{{"user-inline", allowAll}, {"bucket-policy", with("Deny", `"Principal": "*", `)}},
		} {
			for _, ask := range [][2]string{{"s3:PutObject", object}, {"s3:GetObject", slot + "/u:a:b"}, {"s3:ListBucket", slot}} {
				rows = append(rows, row{docs: docs, action: ask[0], on: ask[1]})
			}
		}
	}
	return rows
}

// variableRows are variables in resources and in values, in every version.
func variableRows() (rows []row) {
	session := theSession()
	for _, v := range []string{"2012-10-17", "2008-10-17"} {
		for i, text := range []string{"${aws:username}", "${aws:username, 'vm-01'}", "${aws:PrincipalTag/dir}", "${aws:PrincipalTag/dir, 'd'}",
			"${aws:PrincipalTag/dir, ''}", "${AWS:principaltag/DIR}", "${*}", "${?}", "${$}", "${$}{aws:username}", "a${*}b*", "${aws:username}${aws:PrincipalTag/dir}"} {
			if v == "2008-10-17" && i%3 != 0 {
				continue // iam-simulate doesn't look at the version: a few will do
			}
			docs := []doc{version(v, `{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::slot/`+text+`/x"}`)}
			for _, part := range []string{"vm-01", "d", "$", text} {
				for _, dir := range []string{"", "d", "a.b"} {
					if strings.ContainsAny(part, "*?") || dir != "" && !strings.Contains(strings.ToLower(text), "/dir") {
						continue
					}
					r := row{docs: docs, action: "s3:PutObject", on: "arn:aws:s3:::slot/" + part + "/x"}
					if dir != "" {
						r.context = context("aws:principaltag/dir", dir)
					}
					rows = append(rows, r)
				}
			}
			for _, op := range []string{"StringEquals", "StringLike", "StringNotEquals", "StringNotLike", "StringEqualsIgnoreCase"} {
				for _, agent := range []string{"vm-01", "VM-01", "*", "$", "a*bc", text} {
					if v == "2008-10-17" && op != "StringLike" {
						continue
					}
					rows = append(rows, row{
						docs:   []doc{version(v, fmt.Sprintf(`{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {%q: {"aws:UserAgent": %q}}}`, op, text))},
						action: "s3:PutObject", on: object, context: context("aws:useragent", agent),
					})
				}
			}
		}
		for _, arn := range []string{"arn:aws:iam::${aws:PrincipalAccount}:user/*", "arn:aws:iam::111122223333:user/buzon/${aws:username}", "arn:aws:iam::111122223333:${aws:PrincipalTag/none}/*"} {
			for _, op := range []string{"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"} {
				if v == "2008-10-17" {
					continue
				}
				docs := []doc{version(v, fmt.Sprintf(`{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {%q: {"aws:PrincipalArn": %q}}}`, op, arn))}
				rows = append(rows, row{docs: docs, action: "s3:PutObject", on: object},
					row{subject: &session, docs: []doc{{"role-inline", docs[0][1]}}, action: "s3:PutObject", on: object})
			}
		}
	}
	return rows
}

// arnRows are the ARN operators over what isn't a whole ARN.
func arnRows() (rows []row) {
	for _, value := range []string{"*", "arn:*", "arn:aws:iam:*", "arn:aws:iam::111122223333", "arn:aws:iam::*:*", "arn:aws:iam::*:user/buzon/*:*"} {
		for _, op := range []string{"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"} {
			elements := fmt.Sprintf(`"Action": "s3:*", "Resource": "*", "Condition": {%q: {"aws:PrincipalArn": %q}}`, op, value)
			rows = append(rows, row{docs: allows(elements), action: "s3:PutObject", on: object}, row{docs: denies(elements), action: "s3:PutObject", on: object})
		}
	}
	return rows
}

func subjects() []policy.Subject {
	federated := subjectOf("arn:aws:sts::111122223333:federated-user/fed", nil)
	return []policy.Subject{theUser(), theRole(), theSession(), federated}
}

// own is the kind of a subject's identity policies.
func own(s policy.Subject) string {
	if s.Type == policy.Role || s.Type == policy.RoleSession {
		return "role-inline"
	}
	return "user-inline"
}

// layerRows join an identity policy, boundary, session policy and bucket policy
// in every way, in one account and in two.
func layerRows() (rows []row) {
	deny := allowAll + `, {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}`
	for _, s := range subjects() {
		for _, identity := range []string{"", allowPut} {
			for _, boundary := range []string{"", allowAll, allowList, deny} {
				for _, session := range []string{"", allowAll, allowList} {
					if session != "" && s.Type == policy.User || s.Type == policy.FederatedUser && boundary != "" ||
						session != "" && boundary == deny {
						continue
					}
					for _, bucket := range []string{"", grant(`{"AWS": "` + s.ARN + `"}`), grant(`{"AWS": "` + account + `"}`), grant(`"*"`),
						grant(`{"AWS": "` + theRole().ARN + `"}`), refuse(`{"AWS": "` + account + `"}`)} {
						var docs []doc
						for _, d := range []doc{{own(s), identity}, {"boundary", boundary}, {"session", session}, {"bucket-policy", bucket}} {
							if d[1] != "" {
								docs = append(docs, d)
							}
						}
						for _, owner := range []string{"", other} {
							rows = append(rows, row{subject: &s, docs: docs, owner: owner, action: "s3:PutObject", on: object})
						}
					}
				}
			}
		}
	}
	return rows
}

// principalRows name the principal in a bucket policy in every way there is.
func principalRows() (rows []row) {
	names := []string{`"*"`, `{"AWS": "*"}`, `{"AWS": "111122223333"}`, `{"AWS": "arn:aws:iam::111122223333:root"}`, `{"AWS": "444455556666"}`,
		`{"AWS": "` + user + `"}`, `{"AWS": "arn:aws:iam::111122223333:user/buzon/VM-01"}`, `{"AWS": "AIDAEXAMPLEEXAMPLE001"}`, `{"AWS": "AROAEXAMPLEEXAMPLE001"}`,
		`{"AWS": "` + role + `"}`, `{"AWS": "arn:aws:iam::111122223333:role/other"}`, `{"AWS": "` + theSession().ARN + `"}`,
		`{"AWS": "arn:aws:sts::111122223333:assumed-role/vm-01/i-2"}`, `{"AWS": "arn:aws:sts::111122223333:federated-user/fed"}`,
		`{"AWS": "arn:aws:iam::111122223333:user/fed"}`, `{"Service": "s3.amazonaws.com"}`, `{"Federated": "cognito-identity.amazonaws.com"}`,
		`{"AWS": ["` + user + `", "` + account + `"]}`, `{"AWS": ["` + role + `", "` + theSession().ARN + `", "` + account + `"]}`, `{"AWS": "arn:aws-cn:iam::111122223333:user/buzon/vm-01"}`}
	for _, s := range subjects() {
		for _, name := range names {
			for _, element := range []string{"Principal", "NotPrincipal"} {
				allow := strings.Replace(grant(name), "Principal", element, 1)
				deny := strings.Replace(refuse(name), "Principal", element, 1)
				rows = append(rows, row{subject: &s, docs: []doc{{"bucket-policy", allow}}, action: "s3:GetObject", on: object},
					row{subject: &s, docs: []doc{{own(s), allowAll}, {"bucket-policy", deny}}, action: "s3:GetObject", on: object})
			}
		}
	}
	return rows
}

// levelRows are levels of SCPs, and RCPs.
func levelRows() (rows []row) {
	notList := `{"Effect": "Allow", "NotAction": "s3:ListBucket", "Resource": "*"}`
	deny := `{"Effect": "Deny", "Action": "s3:Put*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:PrincipalTag/team": "mail"}}}`
	levels := []string{"", allowAll, allowList, notList, allowAll + "," + deny, allowPut}
	for _, root := range levels[1:] {
		for _, unit := range levels {
			for _, account := range levels[:4] {
				docs := []doc{{"user-inline", allowAll}}
				for _, d := range []doc{{"scp root", root}, {"scp unit", unit}, {"scp account", account}} {
					if d[1] != "" {
						docs = append(docs, d)
					}
				}
				rows = append(rows, row{docs: docs, action: "s3:PutObject", on: object})
				if root == allowAll {
					rows = append(rows, row{docs: docs, action: "s3:ListBucket", on: slot},
						row{docs: docs, action: "s3:PutObject", on: object, context: context("aws:principaltag/team", "post")})
				}
			}
		}
	}
	for _, condition := range []string{"", `, "Condition": {"StringNotEquals": {"aws:PrincipalAccount": "111122223333"}}`, `, "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}`,
		`, "Condition": {"Bool": {"aws:SecureTransport": "false"}}`} {
		for _, resource := range []string{"*", "arn:aws:s3:::slot/*", "arn:aws:s3:::other/*"} {
			docs := []doc{{"user-inline", allowAll}, {"rcp", `{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "` + resource + `"` + condition + `}`}}
			rows = append(rows, row{docs: docs, action: "s3:PutObject", on: object},
				row{docs: docs, action: "s3:PutObject", on: object, context: context("aws:securetransport", "false")},
				row{docs: docs, action: "s3:PutObject", on: object, context: context("aws:principalorgid", "o-1")})
		}
	}
	return rows
}

// resourceRows ask for keys and roles, whose own policies must allow.
func resourceRows() (rows []row) {
	const key, strong = "arn:aws:kms:eu-west-1:111122223333:key/k", "arn:aws:iam::111122223333:role/strong"
	for _, s := range subjects()[:3] {
		for _, identity := range []string{"", allowAll} {
			for _, name := range []string{`{"AWS": "` + s.ARN + `"}`, `{"AWS": "111122223333"}`, `"*"`, `{"AWS": "arn:aws:iam::111122223333:user/x"}`, `{"AWS": "` + role + `"}`} {
				for _, on := range []string{key, strong} {
					for _, boundary := range []string{"", allowList, allowAll} {
						resource := doc{"key-policy " + key, `{"Effect": "Allow", "Principal": ` + name + `, "Action": "kms:*", "Resource": "*"}`}
						action := "kms:Decrypt"
						if on == strong {
							resource = doc{"trust " + strong, `{"Effect": "Allow", "Principal": ` + name + `, "Action": "sts:AssumeRole"}`}
							action = "sts:AssumeRole"
						}
						var docs []doc
						for _, d := range []doc{{own(s), identity}, {"boundary", boundary}, resource} {
							if d[1] != "" {
								docs = append(docs, d)
							}
						}
						rows = append(rows, row{subject: &s, docs: docs, action: action, on: on})
					}
				}
			}
		}
	}
	return rows
}

// with lists the documents that hold something.
func with(docs ...doc) (out []doc) {
	for _, d := range docs {
		if d[1] != "" {
			out = append(out, d)
		}
	}
	return out
}

// groupRows give a user rights by its groups, inline and managed, beside its own.
func groupRows() (rows []row) {
	denyDelete := `{"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"}`
	for _, inline := range []string{"", allowPut, allowList, allowAll, allowAll + "," + denyDelete} {
		for _, managed := range []string{"", allowPut, allowAll, denyDelete} {
			for _, own := range []string{"", allowList} {
				docs := with(doc{"user-inline", own}, doc{"group-inline", inline}, doc{"group-managed", managed})
				for _, ask := range [][2]string{{"s3:PutObject", object}, {"s3:ListBucket", slot}, {"s3:DeleteObject", object}} {
					rows = append(rows, row{docs: docs, action: ask[0], on: ask[1]})
				}
			}
		}
	}
	return rows
}

// statementOf is an Allow of some actions on a resource.
func statementOf(actions, resource string) string {
	return `{"Effect": "Allow", "Action": [` + actions + `], "Resource": "` + resource + `"}`
}

// whose names principals to a resource's policy.
func whose(s policy.Subject) []string {
	return []string{`{"AWS": "` + s.ARN + `"}`, `{"AWS": "111122223333"}`, `{"AWS": "arn:aws:iam::111122223333:user/x"}`, `{"Service": "lambda.amazonaws.com"}`}
}

// roleRows ask for IAM's and STS's calls on roles, of the account and of another,
// whose trust policies are known.
func roleRows() (rows []row) {
	const mine, theirs = "arn:aws:iam::111122223333:role/strong", "arn:aws:iam::444455556666:role/weak"
	for _, s := range subjects()[:3] {
		for _, on := range []string{mine, theirs} {
			for _, identity := range []string{"", allowAll, statementOf(`"iam:*"`, on), statementOf(`"sts:AssumeRole"`, on)} {
				for _, boundary := range []string{"", statementOf(`"sts:*"`, "*")} {
					for _, name := range whose(s) {
						trust := doc{"trust " + on, `{"Effect": "Allow", "Principal": ` + name + `, "Action": "sts:AssumeRole"}`}
						for _, action := range []string{"iam:PassRole", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "sts:AssumeRole", "sts:TagSession"} {
							rows = append(rows, row{subject: &s, docs: with(doc{own(s), identity}, doc{"boundary", boundary}, trust), action: action, on: on})
						}
					}
				}
			}
		}
	}
	return rows
}

// keyRows ask for KMS's calls on keys, of the account and of another, and for those
// without a key.
func keyRows() (rows []row) {
	const mine, theirs = "arn:aws:kms:eu-west-1:111122223333:key/k", "arn:aws:kms:eu-west-1:444455556666:key/k"
	for _, s := range subjects()[:3] {
		for _, on := range []string{mine, theirs} {
			for _, identity := range []string{"", allowAll, statementOf(`"kms:Decrypt", "kms:PutKeyPolicy"`, on)} {
				for _, boundary := range []string{"", statementOf(`"kms:*"`, "*")} {
					for _, name := range whose(s) {
						docs := with(doc{own(s), identity}, doc{"boundary", boundary},
							doc{"key-policy " + on, `{"Effect": "Allow", "Principal": ` + name + `, "Action": ["kms:Decrypt", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"], "Resource": "*"}`})
						for _, action := range []string{"kms:Decrypt", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:CreateGrant"} {
							rows = append(rows, row{subject: &s, docs: docs, action: action, on: on})
						}
						for _, action := range []string{"kms:CreateKey", "kms:ListKeys"} {
							rows = append(rows, row{subject: &s, docs: docs, action: action, on: "*"})
						}
					}
				}
			}
		}
	}
	return rows
}

// limitRows put SCPs and RCPs over calls on roles and keys.
func limitRows() (rows []row) {
	const strong, key = "arn:aws:iam::111122223333:role/strong", "arn:aws:kms:eu-west-1:111122223333:key/k"
	user := theUser()
	for _, limit := range []doc{
		{"scp", statementOf(`"sts:*", "s3:*"`, "*")},
		{"scp", allowAll + `, {"Effect": "Deny", "Action": ["iam:*", "kms:Put*"], "Resource": "*"}`},
		{"rcp", `{"Effect": "Deny", "Principal": "*", "Action": ["sts:AssumeRole", "kms:Decrypt"], "Resource": "*"}`},
		{"rcp", `{"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "` + key + `", "Condition": {"StringNotEquals": {"aws:PrincipalAccount": "444455556666"}}}`},
	} {
		for _, name := range whose(user) {
			docs := []doc{{"user-inline", allowAll}, limit, {"trust " + strong, `{"Effect": "Allow", "Principal": ` + name + `, "Action": "sts:AssumeRole"}`}}
			for _, action := range []string{"iam:PassRole", "sts:AssumeRole"} {
				rows = append(rows, row{docs: docs, action: action, on: strong})
			}
			docs = []doc{docs[0], limit, {"key-policy " + key, `{"Effect": "Allow", "Principal": ` + name + `, "Action": "kms:*", "Resource": "*"}`}}
			for _, action := range []string{"kms:Decrypt", "kms:PutKeyPolicy"} {
				rows = append(rows, row{docs: docs, action: action, on: key})
			}
		}
	}
	return rows
}
