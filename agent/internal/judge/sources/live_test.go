package sources

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"buzon/agent/policy"
)

// liveCalls are all the reads that a user and a role lead to, written out again.
const liveCalls = `iam:GetGroupPolicy iam:GetLoginProfile iam:GetPolicy iam:GetPolicyVersion iam:GetRole iam:GetRolePolicy iam:GetUser iam:GetUserPolicy
iam:ListAccessKeys iam:ListAttachedGroupPolicies iam:ListAttachedRolePolicies iam:ListAttachedUserPolicies iam:ListGroupPolicies
iam:ListGroupsForUser iam:ListRolePolicies iam:ListRoles iam:ListSSHPublicKeys iam:ListServiceSpecificCredentials
iam:ListSigningCertificates iam:ListUserPolicies
kms:DescribeKey kms:GetKeyPolicy kms:ListGrants
s3:GetAccessGrantsInstanceResourcePolicy s3:GetAccessPointPolicy s3:GetBucketAcl s3:GetBucketEncryption s3:GetBucketOwnershipControls
s3:GetBucketPolicy s3:GetBucketVersioning s3:ListAccessGrantsInstances s3:ListAccessPoints sts:GetCallerIdentity`

var everyone = Selection{Users: []string{"vm-01"}, Roles: []string{"web"}}

// told is how a read's loss shows, beside a gap: in these an assumption.
var told = map[string]Topic{
	"s3:GetBucketVersioning": TopicVersioning, "iam:ListAccessKeys": TopicCredentials, "iam:GetLoginProfile": TopicCredentials,
	"iam:ListSSHPublicKeys": TopicCredentials, "iam:ListServiceSpecificCredentials": TopicCredentials, "iam:ListSigningCertificates": TopicCredentials,
}

func summary(found *Found) string {
	var out []string
	for i := range found.Subjects {
		s := &found.Subjects[i]
		out = append(out, s.Set.Subject.ARN+" "+documents(s)+" | "+topics(s)+" | "+gaps(s))
	}
	return strings.Join(out, "\n")
}

// Whatever a read is answered with, it is never taken for "there is nothing".
func TestEveryReadIsHeldToWhatWasAsked(t *testing.T) {
	sound := &fakeAccount{answers: soundAccount()}
	found, err := readFrom(t, sound.serve(t), everyone)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := sound.seen(), strings.Fields(liveCalls); !slices.Equal(got, want) {
		t.Fatalf("read\n%v, want\n%v", got, want)
	}
	clean := summary(found)
	if strings.Contains(clean, string(GapFailed)) {
		t.Fatalf("a sound account leaves gaps:\n%s", clean)
	}
	page := func(body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	}
	for _, call := range strings.Fields(liveCalls) {
		for _, row := range []struct {
			name   string
			answer func(w http.ResponseWriter, r *http.Request) // nil: no such answer
			once   bool
		}{
			{"an empty body", page(""), false},
			{"HTML", page("<html><body>Please sign in</body></html>"), false},
			{"HTML of a proxy", func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, "<html><body>Blocked</body></html>")
			}, false},
			{"an empty result", page(emptyResult(call)), false},
			{"half of it", page(halfOf(sound.answers[call])), false},
			{"another's record", another(call, sound.answers[call]), false},
			{"more without a marker", endless(call, sound.answers[call], ""), false},
			{"the same marker for ever", endless(call, sound.answers[call], "again"), false},
			{"503 once", func(w http.ResponseWriter, _ *http.Request) { refuse(w, call, 503, "SlowDown") }, true},
			{"500 once", func(w http.ResponseWriter, _ *http.Request) { refuse(w, call, 500, "InternalError") }, true},
			{"HTML once", page("<html>"), true},
			{"503 for ever", func(w http.ResponseWriter, _ *http.Request) { refuse(w, call, 503, "SlowDown") }, false},
			{"denied", func(w http.ResponseWriter, _ *http.Request) { refuse(w, call, 403, "AccessDenied") }, false},
			{"silence", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, false},
		} {
			if row.answer == nil {
				continue
			}
			t.Run(call+"/"+row.name, func(t *testing.T) {
				f := &fakeAccount{answers: soundAccount(), meddle: func(asked string, n int, w http.ResponseWriter, r *http.Request) bool {
					if asked != call || row.once && n > 1 {
						return false
					}
					row.answer(w, r)
					return true
				}}
				read := readFrom
				if row.name == "silence" {
					read = readImpatiently
				}
				found, err := read(t, f.serve(t), everyone)
				if row.once {
					if err != nil {
						t.Fatal(err)
					}
					if err != nil || summary(found) != clean {
						t.Fatalf("%v\n%s\nwant\n%s", err, summary(found), clean)
					}
					return
				}
				if call == "sts:GetCallerIdentity" {
					var lost *ReadError
					if !errors.As(err, &lost) {
						t.Fatalf("%v, want a read that failed", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if how := shows(found, call); how == "" {
					t.Errorf("nothing tells of it:\n%s", summary(found))
				}
			})
		}
	}
}

// shows tells how the loss of a read shows in what was found.
func shows(found *Found, call string) string {
	for i := range found.Subjects {
		s := &found.Subjects[i]
		if t := told[call]; t != "" && strings.Contains(topics(s), string(t)) {
			return string(t)
		}
		for _, g := range s.Gaps {
			if g.Call == call && (g.Code != "" || g.Reason == GapNotModelled) || g.Reason == GapMalformed && strings.HasSuffix(call, "Policy") {
				return string(g.Reason)
			}
		}
	}
	return ""
}

// emptyResult is the answer to a call with nothing in it.
func emptyResult(call string) string {
	service, operation, _ := strings.Cut(call, ":")
	switch {
	case service == "iam", service == "sts":
		return query(operation, "")
	case service == "kms":
		return "{}"
	case call == "s3:GetBucketPolicy":
		return ""
	case call == "s3:GetBucketVersioning":
		return "<VersioningConfigurationX/>" // that it is empty says that it was never switched on
	case roots[operation] != "":
		return "<" + roots[operation] + "/>"
	}
	return ""
}

// An answer with AWS's request id may leave an empty list out, and says the same as
// one that holds it; so may it leave out that there is no more.
func TestAnEmptyListMayBeLeftOut(t *testing.T) {
	sound := soundAccount()
	member := regexp.MustCompile(`<(\w+)><member>.*</member></(\w+)>`)
	for call, empty := range map[string]string{
		"iam:ListUserPolicies": "PolicyNames", "iam:ListGroupPolicies": "PolicyNames", "iam:ListRolePolicies": "PolicyNames",
		"iam:ListAttachedUserPolicies": "AttachedPolicies", "iam:ListAttachedGroupPolicies": "AttachedPolicies",
		"iam:ListAttachedRolePolicies": "AttachedPolicies", "iam:ListGroupsForUser": "Groups", "iam:ListRoles": "Roles",
		"iam:ListAccessKeys": "AccessKeyMetadata", "iam:ListSigningCertificates": "Certificates", "iam:ListSSHPublicKeys": "SSHPublicKeys",
		"iam:ListServiceSpecificCredentials": "ServiceSpecificCredentials", "s3:ListAccessPoints": "AccessPointList",
		"s3:ListAccessGrantsInstances": "AccessGrantsInstancesList", "s3:GetBucketAcl": "AccessControlList", "kms:ListGrants": "Grants",
	} {
		t.Run(call, func(t *testing.T) {
			_, operation, _ := strings.Cut(call, ":")
			var with string
			without := emptyResult(call)
			switch {
			case call == "kms:ListGrants":
				with = sound[call]
			case call == "s3:GetBucketAcl":
				with = strings.Replace(aclOf(), grantee("CanonicalUser", "ID", canonical, "FULL_CONTROL"), "", 1)
				without = strings.Replace(with, "<AccessControlList></AccessControlList>", "", 1)
			case strings.HasPrefix(call, "iam:"):
				with = query(operation, "<"+empty+"/>"+ended)
			default:
				with = "<" + roots[operation] + "><" + empty + "/></" + roots[operation] + ">"
			}
			read := func(body, header string) string {
				f := &fakeAccount{answers: soundAccount(), meddle: func(asked string, _ int, w http.ResponseWriter, _ *http.Request) bool {
					if asked != call {
						return false
					}
					if header != "" {
						w.Header().Set(header, "a1b2c3")
					}
					_, _ = io.WriteString(w, body)
					return true
				}}
				found, err := readFrom(t, f.serve(t), everyone)
				if err != nil {
					t.Fatal(err)
				}
				if header != "" && strings.Contains(summary(found), string(GapFailed)) {
					t.Errorf("%s %s", call, summary(found))
				}
				return summary(found)
			}
			want := read(with, "X-Amzn-Requestid")
			header := map[bool]string{true: "X-Amz-Request-Id", false: "x-amzn-RequestId"}[strings.HasPrefix(call, "s3:")]
			if got := read(without, header); got != want {
				t.Errorf("without the list\n%s\nwant\n%s", got, want)
			}
			if got := read(without, ""); got == want {
				t.Errorf("without the request's id too:\n%s", got)
			}
			if body := sound[call]; member.MatchString(body) {
				if got, all := read(strings.Replace(body, ended, "", 1), ""), read(body, ""); got != all {
					t.Errorf("without the end\n%s\nwant\n%s", got, all)
				}
			}
		})
	}
}

// Other accounts' access grants are listed where they are shared; they are no
// fault, and their policies none of this account's.
func TestSharedAccessGrantsAreAnothers(t *testing.T) {
	answers := soundAccount()
	answers["s3:ListAccessGrantsInstances"] = strings.ReplaceAll(answers["s3:ListAccessGrantsInstances"], accountID, "999999999999")
	f := &fakeAccount{answers: answers}
	found, err := readFrom(t, f.serve(t), everyone)
	if err != nil || strings.Contains(summary(found), string(GapFailed)) {
		t.Fatalf("%v %s", err, summary(found))
	}
	if slices.Contains(f.seen(), "s3:GetAccessGrantsInstanceResourcePolicy") {
		t.Error("the policy of an instance of this account was read, and there is none")
	}
}

func halfOf(body string) string {
	if body == "" {
		return "<"
	}
	return body[:len(body)/2]
}

// another is the answer to the same call about something else; nil where the
// answer names nothing by which it could be told.
func another(call, body string) func(http.ResponseWriter, *http.Request) {
	switch call {
	case "s3:GetBucketPolicy", "s3:GetBucketVersioning", "s3:GetBucketOwnershipControls", "s3:GetBucketAcl", "s3:GetBucketEncryption",
		"s3:GetAccessPointPolicy", "s3:GetAccessGrantsInstanceResourcePolicy", "iam:ListUserPolicies", "iam:ListGroupPolicies",
		"iam:ListRolePolicies", "iam:ListSigningCertificates", "iam:ListSSHPublicKeys", "iam:ListServiceSpecificCredentials",
		"sts:GetCallerIdentity":
		return nil
	case "iam:GetLoginProfile":
		body = query("GetLoginProfile", `<LoginProfile><UserName>vm-09</UserName></LoginProfile>`)
	case "kms:GetKeyPolicy":
		body = strings.Replace(body, "default", "other", 1)
	case "kms:ListGrants":
		body = `{"Grants":[{"GrantId":"g","KeyId":"arn:aws:kms:eu-west-1:111122223333:key/other","GranteePrincipal":"arn:aws:iam::111122223333:user/buzon/vm-01","Operations":["Decrypt"]}]}`
	case "iam:ListAttachedUserPolicies", "iam:ListAttachedGroupPolicies", "iam:ListAttachedRolePolicies", "iam:ListGroupsForUser", "iam:ListRoles":
		body = strings.ReplaceAll(body, accountID, "999999999999")
	case "s3:ListAccessGrantsInstances": // other accounts' are there where they are shared
		body = strings.ReplaceAll(body, "access-grants/default", "accesspoint/door")
	default:
		body = strings.NewReplacer("vm-01", "vm-09", "writers", "readers", "web", "app", "policy/own", "policy/other", "<VersionId>v1", "<VersionId>v2",
			keyID, "87ce0000-0000-4000-8000-000000000002", "<Bucket>acme", "<Bucket>other").Replace(body)
	}
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// endless says that there is more after a list; nil for what is none.
func endless(call, body, marker string) func(http.ResponseWriter, *http.Request) {
	switch {
	case call == "iam:ListServiceSpecificCredentials":
		return nil // in one page
	case call == "kms:ListGrants":
		body = fmt.Sprintf(`{"Grants":[],"Truncated":true,"NextMarker":%q}`, marker)
	case strings.HasPrefix(call, "iam:List"):
		body = strings.Replace(body, ended, "<IsTruncated>true</IsTruncated><Marker>"+marker+"</Marker>", 1)
	case strings.HasPrefix(call, "s3:List") && marker != "":
		body = strings.Replace(body, "Result>", "Result><NextToken>"+marker+"</NextToken>", 1)
	default:
		return nil
	}
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// Nobody answers: the audit ends, and says so.
func TestAServerThatIsSilentForEverEndsTheAudit(t *testing.T) {
	f := &fakeAccount{answers: soundAccount(), meddle: func(call string, _ int, _ http.ResponseWriter, r *http.Request) bool {
		if call == "sts:GetCallerIdentity" {
			return false
		}
		<-r.Context().Done()
		return true
	}}
	access := f.serve(t)
	var waited []string
	access.Progress = func(p Progress) {
		if p.Waiting != "" {
			waited = append(waited, p.Waiting)
		}
	}
	_, err := readImpatiently(t, access, everyone)
	var lost *ReadError
	if !errors.As(err, &lost) {
		t.Errorf("%v, want a read that failed", err)
	}
	if !slices.Contains(waited, "iam:GetUser") {
		t.Errorf("told of waiting for %v", waited)
	}
}

// A principal that is named is that one, or nobody.
func TestAPrincipalThatIsNamedIsThatOne(t *testing.T) {
	const user, role = "arn:aws:iam::111122223333:user/buzon/vm-01", "arn:aws:iam::111122223333:role/web"
	for _, row := range []struct {
		kind, given, want string // the ARN that is judged, or why not
	}{
		{"user", "vm-01", user},
		{"user", "buzon/vm-01", user},
		{"user", "/buzon/vm-01", user},
		{"user", user, user},
		{"role", "web", role},
		{"role", role, role},
		{"user", "arn:aws:iam::999999999999:user/buzon/vm-01", "elsewhere"},
		{"user", "arn:aws-cn:iam::111122223333:user/buzon/vm-01", "elsewhere"},
		{"role", "arn:aws-us-gov:iam::111122223333:role/web", "elsewhere"},
		{"user", "arn:aws:iam::111122223333:user/other/vm-01", "no user"},
		{"user", "arn:aws:iam::111122223333:user/vm-01", "no user"},
		{"user", "other/vm-01", "no user"},
		{"role", "buzon/web", "no role"},
		{"user", role, "bad-user"},
		{"role", user, "bad-role"},
		{"role", "arn:aws:sts::111122223333:assumed-role/web/i-1", "bad-role"},
		{"user", "arn:aws:sts::111122223333:federated-user/vm-01", "bad-user"},
		{"user", "arn:aws:iam::111122223333:root", "bad-user"},
		{"user", "arn:aws:iam::1111:user/buzon/vm-01", "bad-user"},
		{"user", "", "bad-user"},
		{"user", "vm 01", "bad-user"},
		{"role", "web/", "bad-role"},
	} {
		t.Run(row.kind+" "+row.given, func(t *testing.T) {
			sel := Selection{Users: []string{row.given}}
			if row.kind == "role" {
				sel = Selection{Roles: []string{row.given}}
			}
			var found *Found
			err := sel.Check()
			if err == nil {
				found, err = readFrom(t, (&fakeAccount{answers: soundAccount()}).serve(t), sel)
			}
			switch {
			case err != nil && (strings.HasPrefix(row.want, "arn:") || !strings.Contains(err.Error(), row.want)):
				t.Errorf("%v, want %s", err, row.want)
			case err == nil && found.Subjects[0].Set.Subject.ARN != row.want:
				t.Errorf("judges %s, want %s", found.Subjects[0].Set.Subject.ARN, row.want)
			}
		})
	}
}

// The ARN of somebody who could not be read is made from the name; that is said.
func TestAGuessedARNIsMarked(t *testing.T) {
	denied := func(call string, _ int, w http.ResponseWriter, _ *http.Request) bool {
		if call != "iam:GetUser" {
			return false
		}
		refuse(w, call, 403, "AccessDenied")
		return true
	}
	for given, guessed := range map[string]bool{"vm-01": true, "arn:aws:iam::111122223333:user/buzon/vm-01": false} {
		found, err := readFrom(t, (&fakeAccount{answers: soundAccount(), meddle: denied}).serve(t), Selection{Users: []string{given}})
		if err != nil {
			t.Fatal(err)
		}
		notes := found.Subjects[0].Notes
		if got := len(notes) == 1 && notes[0].What == NoteGuessedARN; got != guessed {
			t.Errorf("%s: notes %v", given, notes)
		}
		if found.Caller != "arn:aws:iam::111122223333:user/auditor" {
			t.Errorf("read by %q", found.Caller)
		}
	}
}

// The key of a bucket is its ARN, however S3 was told of it.
func TestTheBucketsKeyIsItsARN(t *testing.T) {
	const policyNames = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/buzon/vm-01"},"Action":"kms:Decrypt","Resource":"*"}]}`
	for _, row := range []struct {
		name, asked, manager, want string
	}{
		{"its ARN", keyARN, "CUSTOMER", keyARN},
		{"its id", keyID, "CUSTOMER", keyARN},
		{"an alias", "alias/uploads", "CUSTOMER", keyARN},
		{"the ARN of an alias", "arn:aws:kms:eu-west-1:111122223333:alias/uploads", "CUSTOMER", keyARN},
		{"AWS's own", "alias/aws/s3", "AWS", ""},
		{"another account's", "arn:aws:kms:eu-west-1:999999999999:key/" + keyID, "CUSTOMER", ""},
		{"an alias of another account", "arn:aws:kms:eu-west-1:999999999999:alias/uploads", "CUSTOMER", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := &fakeAccount{answers: soundAccount()}
			f.answers["s3:GetBucketEncryption"] = strings.ReplaceAll(f.answers["s3:GetBucketEncryption"], keyARN, row.asked)
			f.answers["kms:DescribeKey"] = strings.ReplaceAll(f.answers["kms:DescribeKey"], "CUSTOMER", row.manager)
			f.answers["kms:GetKeyPolicy"] = `{"Policy":` + fmt.Sprintf("%q", policyNames) + `}`
			found, err := readFrom(t, f.serve(t), Selection{Users: []string{"vm-01"}})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, src := range found.Subjects[0].Set.Sources {
				if src.Kind == policy.KeyPolicy {
					got = src.Attached
				}
			}
			if got != row.want || len(found.Subjects[0].Gaps) > 0 {
				t.Errorf("attached to %q, want %q; gaps %s", got, row.want, gaps(&found.Subjects[0]))
			}
		})
	}
}

// A grant of the key is a statement of its own kind; those of others are not read
// into the set.
func TestTheKeysGrantsCount(t *testing.T) {
	grant := func(id, who, more string) string {
		return fmt.Sprintf(`{"GrantId":%q,"KeyId":%q,"GranteePrincipal":%q,"Operations":["Decrypt","CreateGrant"]%s}`, id, keyARN, who, more)
	}
	const user = "arn:aws:iam::111122223333:user/buzon/vm-01"
	f := &fakeAccount{answers: soundAccount()}
	f.answers["kms:ListGrants"] = `{"Truncated":false,"Grants":[` + strings.Join([]string{
		grant("g1", user, ""),
		grant("g2", user, `,"Constraints":{"EncryptionContextSubset":{"aws:s3:arn":"arn:aws:s3:::acme"}}`),
		grant("g3", "arn:aws:iam::111122223333:user/other", ""),
		grant("g4", "s3.eu-west-1.amazonaws.com", ""),
		grant("g5", "arn:aws:iam::111122223333:root", ""),
		grant("g6", "arn:aws:iam::111122223333:role/x", `,"RetiringPrincipal":"`+user+`"`),
	}, ",") + `]}`
	found, err := readFrom(t, f.serve(t), Selection{Users: []string{"vm-01"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, src := range found.Subjects[0].Set.Sources {
		if src.Kind != policy.KMSGrant {
			continue
		}
		for _, st := range src.Document.Statements {
			if st.Unclear != nil {
				t.Errorf("%s isn't understood: %v", src.Name, st.Unclear)
			}
			var actions []string
			for _, a := range st.Actions {
				actions = append(actions, a.Value)
			}
			got = append(got, fmt.Sprintf("%s %s %d %s", src.Name, strings.Join(actions, "+"), len(st.Conditions), src.Attached))
		}
	}
	want := []string{
		"g1 kms:Decrypt 0 " + keyARN, "g1 kms:CreateGrant 0 " + keyARN,
		"g2 kms:Decrypt 1 " + keyARN, "g2 kms:CreateGrant 0 " + keyARN,
		"g5 kms:Decrypt 0 " + keyARN, "g5 kms:CreateGrant 0 " + keyARN,
		"g6 kms:RetireGrant 0 " + keyARN,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %s\nwant %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Of an ACL counts what reaches a principal of the account, and whom it names is
// said.
func TestACLs(t *testing.T) {
	const enforced = `<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>`
	block := func(ignore string) string {
		return `<PublicAccessBlockConfiguration><IgnorePublicAcls>` + ignore + `</IgnorePublicAcls></PublicAccessBlockConfiguration>`
	}
	group := func(name, permission string) string {
		return grantee("Group", "URI", "http://acs.amazonaws.com/groups/"+name, permission)
	}
	const nobody = "NoSuchPublicAccessBlockConfiguration"
	for _, row := range []struct {
		name, acl, ownership, block, account string
		want                                 string // statements; then notes; then gaps
	}{
		{"the owner alone", aclOf(), "", "", "", "| |"},
		{"log delivery", aclOf(group("s3/LogDelivery", "WRITE")), "", "", "", "| |"},
		{"another account", aclOf(grantee("CanonicalUser", "ID", canonical2, "READ")), "", "", "", "| READ → " + canonical2 + " |"},
		{"everybody reads", aclOf(group("global/AllUsers", "READ")), "", nobody, nobody,
			"s3:ListBucket+s3:ListBucketVersions+s3:ListBucketMultipartUploads | |"},
		{"everybody writes", aclOf(group("global/AllUsers", "WRITE")), "", nobody, nobody, "s3:PutObject+s3:DeleteObject | |"},
		{"all of AWS may change it", aclOf(group("global/AuthenticatedUsers", "WRITE_ACP")), "", block("false"), block("false"), "s3:PutBucketAcl | |"},
		{"full control", aclOf(group("global/AllUsers", "FULL_CONTROL")), "", nobody, nobody,
			"s3:ListBucket+s3:ListBucketVersions+s3:ListBucketMultipartUploads s3:PutObject+s3:DeleteObject s3:GetBucketAcl s3:PutBucketAcl | |"},
		{"public, and ignored", aclOf(group("global/AllUsers", "READ")), "", block("true"), "", "| |"},
		{"public, and ignored by the account", aclOf(group("global/AllUsers", "READ")), "", nobody, block("true"), "| |"},
		{"public, and not in force", aclOf(group("global/AllUsers", "READ")), enforced, "", "", "| |"},
		{"a group of tomorrow", aclOf(group("global/Somebody", "READ")), "", "", "", "| | not-modelled ACL of arn:aws:s3:::acme: READ → http://acs.amazonaws.com/groups/global/Somebody"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := &fakeAccount{answers: soundAccount()}
			f.answers["s3:GetBucketAcl"] = row.acl
			if row.ownership != "" {
				f.answers["s3:GetBucketOwnershipControls"] = row.ownership
			}
			for call, answer := range map[string]string{"s3:GetPublicAccessBlock": row.block, "s3:GetPublicAccessBlock account": row.account} {
				if answer == nobody {
					call += " 404"
				}
				if answer != "" {
					f.answers[call] = answer
				}
			}
			found, err := readFrom(t, f.serve(t), Selection{Users: []string{"vm-01"}})
			if err != nil {
				t.Fatal(err)
			}
			s := &found.Subjects[0]
			var statements, notes []string
			for _, src := range s.Set.Sources {
				if src.Kind != policy.ACL {
					continue
				}
				for _, st := range src.Document.Statements {
					if st.Unclear != nil {
						t.Errorf("%s isn't understood: %v", src.Name, st.Unclear)
					}
					var actions []string
					for _, a := range st.Actions {
						actions = append(actions, a.Value)
					}
					statements = append(statements, strings.Join(actions, "+"))
				}
			}
			for _, n := range s.Notes {
				notes = append(notes, n.Name)
			}
			got := strings.Join(strings.Fields(strings.Join(statements, " ")+" | "+strings.Join(notes, " ")+" | "+gaps(s)), " ")
			if got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
}
