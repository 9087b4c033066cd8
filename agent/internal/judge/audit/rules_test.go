package audit

import (
	"slices"
	"strings"
	"testing"
	"time"

	"buzon/agent/internal/judge/reach"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// Each row breaks just the rules that it names.
var broken = []struct {
	name    string
	docs    []doc
	rules   string
	verdict Verdict
}{
	{"the contract", []doc{identity(contract)}, "", WriteOnly},
	{"the contract with its own uploads aborted", []doc{identity(contract, allow("s3:AbortMultipartUpload", "arn:aws:s3:::b/p/*"))}, "", WriteOnly},
	{"the contract by a variable", []doc{identity(contract), identity(allow("s3:PutObject", "arn:aws:s3:::b/p/${aws:username}/*"))}, "", WriteOnly},
	{"who it is, which needs no permission", []doc{identity(contract, allow("sts:GetCallerIdentity", "*"))}, "", WriteOnly},
	{"that and a session", []doc{identity(contract, allow("sts:Get*", "*"))}, "escalate other-service", Violation},
	{"nothing", nil, "cannot-write", NoAccess},

	{"read its own", []doc{identity(contract, allow("s3:GetObject", "arn:aws:s3:::b/p/*"))}, "read-object", Violation},
	{"read another bucket", []doc{identity(contract, allow("s3:GetObject", "arn:aws:s3:::other/*"))}, "read-object", Violation},
	{"read a version", []doc{identity(contract, allow("s3:GetObjectVersion", "arn:aws:s3:::b/p/*"))}, "read-object", Violation},
	{"read attributes", []doc{identity(contract, allow("s3:GetObjectAttributes", "*"))}, "read-object", Violation},
	{"read tags", []doc{identity(contract, allow("s3:GetObjectTagging", "arn:aws:s3:::b/*"))}, "read-object", Violation},
	{"read an ACL", []doc{identity(contract, allow("s3:GetObjectAcl", "arn:aws:s3:::b/*"))}, "read-object", Violation},
	{"read by a header that the caller sends", []doc{identity(contract, allow("s3:GetObject", "*", `"Condition": {"StringLike": {"aws:UserAgent": "*"}}`))}, "read-object", Violation},
	{"read from one address", []doc{identity(contract, allow("s3:GetObject", "*", `"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}`))}, "read-object", Violation},
	{"read by an access grant", []doc{identity(contract, allow("s3:GetDataAccess", "*"))}, "read-object", Violation},
	{"read by the bucket's policy alone", []doc{identity(contract), {policy.BucketPolicy, document(allow("s3:GetObject", "arn:aws:s3:::b/*", `"Principal": {"AWS": "`+vm+`"}`))}}, "read-object", Violation},
	{"a session in a directory bucket", []doc{identity(contract, allow("s3express:CreateSession", "*"))}, "read-object", Violation},

	{"delete", []doc{identity(contract, allow("s3:DeleteObject", "arn:aws:s3:::b/p/*"))}, "delete-object", Violation},
	{"delete a version", []doc{identity(contract, allow("s3:DeleteObjectVersion", "*"))}, "delete-object", Violation},
	{"bypass retention", []doc{identity(contract, allow("s3:BypassGovernanceRetention", "*"))}, "delete-object", Violation},
	{"abort another's upload", []doc{identity(contract, allow("s3:AbortMultipartUpload", "arn:aws:s3:::b/*"))}, "delete-object", Violation},

	{"list", []doc{identity(contract, allow("s3:ListBucket", "arn:aws:s3:::b"))}, "list", Violation},
	{"list its own prefix", []doc{identity(contract, allow("s3:ListBucket", "arn:aws:s3:::b", `"Condition": {"StringLike": {"s3:prefix": "p/*"}}`))}, "list", Violation},
	{"list buckets", []doc{identity(contract, allow("s3:ListAllMyBuckets", "*"))}, "list", Violation},
	{"list its own parts", []doc{identity(contract, allow("s3:ListMultipartUploadParts", "arn:aws:s3:::b/p/*"))}, "list", Violation},
	{"list on objects reaches nothing", []doc{identity(contract, allow("s3:ListBucket", "arn:aws:s3:::b/*"))}, "", WriteOnly},

	{"the whole bucket", []doc{identity(allow("s3:PutObject", "arn:aws:s3:::b/*"))}, "write-elsewhere", Violation},
	{"no slash after the prefix", []doc{identity(allow("s3:PutObject", "arn:aws:s3:::b/p*"))}, "write-elsewhere", Violation},
	{"buckets that begin alike", []doc{identity(allow("s3:PutObject", "arn:aws:s3:::b*/p/*"))}, "write-elsewhere", Violation},
	{"tags beside the prefix", []doc{identity(contract, allow("s3:PutObjectTagging", "arn:aws:s3:::b/q/*"))}, "write-elsewhere", Violation},
	{"make a bucket", []doc{identity(contract, allow("s3:CreateBucket", "*"))}, "write-elsewhere", Violation},

	{"bucket policy", []doc{identity(contract, allow("s3:PutBucketPolicy", "arn:aws:s3:::b"))}, "change-permissions", Violation},
	{"delete the bucket policy", []doc{identity(contract, allow("s3:DeleteBucketPolicy", "arn:aws:s3:::b"))}, "change-permissions", Violation},
	{"ACL of an object", []doc{identity(contract, allow("s3:PutObjectAcl", "arn:aws:s3:::b/p/*"))}, "change-permissions", Violation},
	{"public access block", []doc{identity(contract, allow("s3:PutBucketPublicAccessBlock", "*"))}, "change-permissions", Violation},
	{"ownership", []doc{identity(contract, allow("s3:PutBucketOwnershipControls", "*"))}, "change-permissions", Violation},
	{"access point", []doc{identity(contract, allow("s3:CreateAccessPoint", "*"))}, "change-permissions", Violation},

	{"lifecycle", []doc{identity(contract, allow("s3:PutLifecycleConfiguration", "arn:aws:s3:::b"))}, "destroy-by-configuration", Violation},
	{"versioning", []doc{identity(contract, allow("s3:PutBucketVersioning", "arn:aws:s3:::b"))}, "destroy-by-configuration", Violation},
	{"replication", []doc{identity(contract, allow("s3:PutReplicationConfiguration", "arn:aws:s3:::b"))}, "destroy-by-configuration", Violation},
	{"batch jobs", []doc{identity(contract, allow("s3:CreateJob", "*"))}, "destroy-by-configuration", Violation},
	{"object lock", []doc{identity(contract, allow("s3:PutBucketObjectLockConfiguration", "*"))}, "destroy-by-configuration", Violation},
	{"delete the key", []doc{identity(contract, allow("kms:ScheduleKeyDeletion", "*"))}, "destroy-by-configuration", Violation},

	{"a role whose trust names nobody", []doc{identity(contract, allow("sts:AssumeRole", "arn:aws:iam::111122223333:role/r"))}, "escalate", Violation},

	{"a role of another account", []doc{identity(contract, allow("sts:AssumeRole", "arn:aws:iam::444455556666:role/r"))}, "escalate", Violation},
	{"a queue of another account", []doc{identity(contract, allow("sqs:SendMessage", "arn:aws:sqs:eu-west-1:444455556666:q"))}, "other-service", Violation},
	{"an access point of another account", []doc{identity(contract, allow("s3:GetObject", "arn:aws:s3:eu-west-1:444455556666:accesspoint/a/object/*"))}, "read-object", Violation},
	{"other accounts behind a perimeter", []doc{identity(contract, allow("kms:Decrypt", "arn:aws:kms:eu-west-1:444455556666:key/k"),
		deny("*", "*", `"Condition": {"StringNotEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}`))}, "broad-policy", WriteOnly},

	{"another service", []doc{identity(contract, allow("sqs:SendMessage", "*"))}, "other-service", Violation},
	{"tags of its own objects", []doc{identity(contract, allow("s3:PutObjectTagging", "arn:aws:s3:::b/p/*"))}, "other-service", Violation},
	{"the bucket's settings", []doc{identity(contract, allow("s3:GetBucketLocation", "*"))}, "other-service", Violation},
	{"an action of tomorrow", []doc{identity(contract, allow("s3:EnchantObject", "*"))}, "other-service", Violation},
	{"a service of tomorrow", []doc{identity(contract, allow("abacus:Count", "*"))}, "other-service", Violation},
	{"data keys without a condition", []doc{identity(contract, allow("kms:GenerateDataKey", "arn:aws:kms:eu-west-1:111122223333:key/k"))}, "other-service", Violation},

	{"all but", []doc{identity(`{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}`, contract)},
		"read-object delete-object list write-elsewhere change-permissions destroy-by-configuration escalate other-service", Violation},
	{"all but one resource", []doc{identity(`{"Effect": "Allow", "Action": "s3:PutObject", "NotResource": "arn:aws:s3:::secret/*"}`)}, "write-elsewhere", Violation},
	{"everything", []doc{identity(allow("*", "*"))},
		"read-object delete-object list write-elsewhere change-permissions destroy-by-configuration escalate other-service", Violation},
	{"AmazonS3FullAccess", []doc{identity(`{"Effect": "Allow", "Action": ["s3:*", "s3-object-lambda:*"], "Resource": "*"}`)},
		"read-object delete-object list write-elsewhere change-permissions destroy-by-configuration other-service", Violation},

	{"a part of the prefix", []doc{identity(allow("s3:PutObject", "arn:aws:s3:::b/p/a*"))}, "cannot-write", Violation},
	{"a part of the prefix denied", []doc{identity(contract, deny("s3:PutObject", "arn:aws:s3:::b/p/secret/*"))}, "cannot-write", Violation},
	{"keys with odd parts denied", []doc{identity(contract, deny("s3:PutObject", "arn:aws:s3:::b/p//*"), deny("s3:PutObject", "arn:aws:s3:::b/p/*//*"),
		deny("s3:PutObject", "arn:aws:s3:::b/p/..*/*"), deny("s3:PutObject", "arn:aws:s3:::b/p/*/.."))}, "cannot-write", Violation}, // p/..a/x is plain
	{"only keys with odd parts denied", []doc{identity(contract, deny("s3:PutObject", "arn:aws:s3:::b/p//*"), deny("s3:PutObject", "arn:aws:s3:::b/p/*//*"),
		deny("s3:PutObject", "arn:aws:s3:::b/p/../*"), deny("s3:PutObject", "arn:aws:s3:::b/p/*/../*"), deny("s3:PutObject", "arn:aws:s3:::b/p/*/.."),
		deny("s3:PutObject", "arn:aws:s3:::b/p/*/./*"))}, "", WriteOnly},
	{"keys that end in dots denied", []doc{identity(contract, deny("s3:PutObject", "arn:aws:s3:::b/p/*.."))}, "cannot-write", Violation},
	{"folders denied", []doc{identity(contract, deny("s3:PutObject", "arn:aws:s3:::b/p/*/*"))}, "cannot-write", Violation},
	{"another prefix", []doc{identity(allow("s3:PutObject", "arn:aws:s3:::b/q/*"))}, "write-elsewhere cannot-write", Violation},
	{"a boundary that leaves nothing", []doc{identity(contract), {policy.Boundary, document(allow("s3:GetObject", "*"))}}, "cannot-write", NoAccess},
	{"an SCP that leaves nothing", []doc{identity(contract), {policy.SCP, document(allow("ec2:*", "*"))}}, "cannot-write", NoAccess},
	{"a time that has passed", []doc{identity(allow("s3:PutObject", "arn:aws:s3:::b/p/*", `"Condition": {"DateLessThan": {"aws:CurrentTime": "2020-01-01"}}`))}, "cannot-write", NoAccess},
	{"only without TLS", []doc{identity(allow("s3:PutObject", "arn:aws:s3:::b/p/*", `"Condition": {"Bool": {"aws:SecureTransport": "false"}}`))}, "cannot-write", NoAccess},
	{"all denied", []doc{identity(contract, deny("*", "*"))}, "cannot-write", NoAccess},

	{"too broad, with a boundary", []doc{identity(allow("s3:*", "*")), {policy.Boundary, document(contract)}}, "broad-policy", WriteOnly},
	{"too broad, with an SCP", []doc{identity(allow("s3:*", "*")), {policy.SCP, document(contract)}}, "broad-policy", WriteOnly},
	{"too broad, with a Deny", []doc{identity(allow("s3:*", "*"), `{"Effect": "Deny", "NotAction": "s3:PutObject", "Resource": "*"}`, `{"Effect": "Deny", "Action": "s3:PutObject", "NotResource": "arn:aws:s3:::b/p/*"}`)}, "broad-policy", WriteOnly},
	{"too broad, with a Deny on the path", []doc{identity(contract, allow("s3:GetObject", "*")), {policy.BucketPolicy, document(contract[:len(contract)-1] + `, "Principal": "*"}`)}, identity(deny("s3:GetObject", "*", `"Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/buzon/*"}}`))}, "broad-policy frail-deny", WriteOnly},
	{"too broad, with a Deny on the path and a boundary", []doc{identity(contract, allow("s3:GetObject", "*"), deny("s3:GetObject", "*", `"Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/buzon/*"}}`)), {policy.Boundary, document(contract)}}, "broad-policy", WriteOnly},
	{"denied from other addresses only", []doc{identity(contract, allow("s3:GetObject", "*"), deny("s3:GetObject", "*", `"Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}`))}, "read-object", Violation},
}

func TestEachRuleIsBrokenByWhatItForbids(t *testing.T) {
	met := map[string]bool{}
	for _, row := range broken {
		t.Run(row.name, func(t *testing.T) {
			p := case1{docs: row.docs}.judge(t)
			if got := rules(p); got != row.rules || p.Verdict != row.verdict {
				t.Errorf("%s: %q, want %s: %q; undecided %+v", p.Verdict, got, row.verdict, row.rules, p.Undecided)
			}
			for _, f := range p.Findings {
				met[string(f.Rule)] = true
			}
		})
	}
	for _, r := range Rules {
		switch r.ID {
		case RuleOpenTrust, RuleDrift, RuleSimulator, RuleWaiverExpired, RuleOutlivesKey, RuleOverwrite, RuleStaleKey, RuleTwoKeys, RuleConsoleAccess: // tests of their own
		default:
			if !met[string(r.ID)] {
				t.Errorf("no row breaks %s", r.ID)
			}
		}
	}
}

// The paths by which somebody who may only write comes to more, one by one.
func TestEachPathToMoreRightsIsAnEscalation(t *testing.T) {
	for _, action := range []string{
		"iam:PutUserPolicy", "iam:AttachUserPolicy", "iam:AddUserToGroup", "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion",
		"iam:PutGroupPolicy", "iam:AttachGroupPolicy", "iam:DeleteUserPermissionsBoundary", "iam:PutUserPermissionsBoundary",
		"iam:DetachUserPolicy", "iam:DeleteUserPolicy", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile",
		"iam:CreateServiceSpecificCredential", "iam:UpdateAssumeRolePolicy", "iam:UpdateUser", "iam:UpdateAccessKey", "iam:PutRolePolicy",
		"iam:AttachRolePolicy", "iam:CreateUser", "iam:CreateRole", "iam:PassRole", "iam:TagUser",
		"sts:AssumeRole", "sts:AssumeRoot", "sts:GetDelegatedAccessToken", "sts:GetFederationToken",
		"lambda:CreateFunction", "lambda:UpdateFunctionCode", "ec2:RunInstances", "ecs:RunTask", "glue:CreateJob", "glue:CreateDevEndpoint",
		"cloudformation:CreateStack", "codebuild:CreateProject", "sagemaker:CreateNotebookInstance", "datapipeline:CreatePipeline",
		"states:CreateStateMachine", "ssm:SendCommand", "batch:SubmitJob", "events:PutTargets",
		"kms:CreateGrant", "kms:PutKeyPolicy", "backup:CreateBackupAccessPoint", "datasync:CreateTask",
	} {
		t.Run(action, func(t *testing.T) {
			p := case1{docs: []doc{identity(contract, allow(action, "*"))}}.judge(t)
			if rules(p) != "escalate" || p.Verdict != Violation {
				t.Fatalf("%s: %q", p.Verdict, rules(p))
			}
			if f := finding(t, p, RuleEscalate); f.Witness.Action != action || len(f.Actions) != 1 {
				t.Errorf("the witness is %s of %v", f.Witness.Action, f.Actions)
			}
		})
	}
}

// Doors beside the plain calls on objects, and what tells keys without listing them.
func TestTheWaysAroundInS3AreFindings(t *testing.T) {
	for action, rule := range map[string]RuleID{
		"s3:CreateAccessGrantsLocation": RuleChangePermissions, "s3:CreateMultiRegionAccessPoint": RuleChangePermissions,
		"s3:PutInventoryConfiguration": RuleList, "s3:PutBucketNotification": RuleList, "s3:PutBucketLogging": RuleList,
		"s3:UpdateObjectEncryption": "", "s3files:ClientMount": "", "s3-object-lambda:WriteGetObjectResponse": "",
	} {
		t.Run(action, func(t *testing.T) {
			p := case1{docs: []doc{identity(contract, allow(action, "*"))}}.judge(t)
			if p.Verdict != Violation || rule != "" && rules(p) != string(rule) {
				t.Errorf("%s: %q, want %s", p.Verdict, rules(p), rule)
			}
		})
	}
}

func TestATrustPolicyThatNamesThePrincipalIsAWayIn(t *testing.T) {
	found := case1{docs: []doc{identity(contract)}}.load(t)
	trust := func(principal string) policy.Source {
		document, err := policy.Parse("trust", []byte(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "`+principal+`"}, "Action": "sts:AssumeRole"}}`),
			policy.ParseOptions{Grammar: policy.TrustGrammar})
		if err != nil {
			t.Fatal(err)
		}
		return policy.Source{Kind: policy.Trust, Name: "r", Attached: "arn:aws:iam::111122223333:role/r", Document: document}
	}
	own := found.Subjects[0].Set.Sources
	for principal, want := range map[string]string{vm: "escalate", "111122223333": "", "arn:aws:iam::111122223333:user/buzon/vm-02": ""} {
		found.Subjects[0].Set.Sources = append(own[:len(own):len(own)], trust(principal))
		if p := judgeFound(t, found, Options{}); rules(p) != want {
			t.Errorf("trust in %s: %q, want %q", principal, rules(p), want)
		}
	}
}

func TestOverwritingIsAWarningWhereNothingKeepsTheObject(t *testing.T) {
	appendOnly := doc{policy.BucketPolicy, document(deny("s3:PutObject", "arn:aws:s3:::b/*", `"Principal": "*", "Condition": {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}`))}
	for _, row := range []struct {
		name       string
		versioning sources.Versioning
		docs       []doc
		rules      string
	}{
		{"off", sources.VersioningOff, nil, "overwrite"},
		{"on", sources.VersioningOn, nil, ""},
		{"not known", sources.VersioningUnknown, nil, ""},
		{"off, behind a guard", sources.VersioningOff, []doc{appendOnly}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			found := case1{docs: append([]doc{identity(contract)}, row.docs...)}.load(t)
			found.Subjects[0].Versioning = row.versioning
			p := judgeFound(t, found, Options{})
			if rules(p) != row.rules || p.Verdict != WriteOnly {
				t.Errorf("%s: %q", p.Verdict, rules(p))
			}
		})
	}
}

func TestCredentialsAreHeldToTheirRules(t *testing.T) {
	key := func(id string, active bool, age time.Duration) sources.Key {
		return sources.Key{ID: id, Active: active, Created: now.Add(-age)}
	}
	const day = 24 * time.Hour
	for _, row := range []struct {
		name        string
		credentials *sources.Credentials
		rules       string
	}{
		{"not read", nil, ""},
		{"one young key", &sources.Credentials{Keys: []sources.Key{key("AAAA", true, 89*day)}}, ""},
		{"one old key", &sources.Credentials{Keys: []sources.Key{key("AAAA", true, 91*day)}}, "stale-key"},
		{"an old key that is off", &sources.Credentials{Keys: []sources.Key{key("AAAA", false, 91*day), key("BBBB", true, day)}}, ""},
		{"two keys", &sources.Credentials{Keys: []sources.Key{key("AAAA", true, day), key("BBBB", true, day)}}, "two-keys"},
		{"a password", &sources.Credentials{Password: true}, "console-access"},
		{"a certificate", &sources.Credentials{Others: map[string]int{"certificate": 1, "ssh-key": 0}}, "console-access"},
	} {
		t.Run(row.name, func(t *testing.T) {
			found := case1{docs: []doc{identity(contract)}}.load(t)
			found.Subjects[0].Credentials = row.credentials
			p := judgeFound(t, found, Options{Now: now})
			if rules(p) != row.rules || p.Verdict != WriteOnly {
				t.Errorf("%s: %q", p.Verdict, rules(p))
			}
		})
	}
}

// What could not be told is never taken for safe.
func TestOverBudgetIsUndecided(t *testing.T) {
	p := case1{docs: []doc{identity(contract, deny("s3:Get*", "arn:aws:s3:::*a*b*c*d*"))}, opts: Options{Budget: reach.Budget{States: 1, Boxes: 1}}}.judge(t)
	if p.Verdict != NoVerdict || len(p.Undecided) == 0 {
		t.Errorf("%s: %q, %d open", p.Verdict, rules(p), len(p.Undecided))
	}
}

// A session of GetSessionToken lives on when the key is gone.
func TestASessionOfTheKeyOutlivesIt(t *testing.T) {
	only := func(conditions string) doc {
		return identity(contract[:len(contract)-1] + `, "Condition": {` + conditions + `}}`)
	}
	for _, row := range []struct {
		name      string
		principal string
		docs      []doc
		want      bool
	}{
		{"nothing denies it", vm, []doc{identity(contract)}, true},
		{"an old session", vm, []doc{only(`"DateLessThan": {"aws:TokenIssueTime": "2026-01-01"}`)}, true},
		{"the guard", vm, []doc{identity(contract), {policy.BucketPolicy, document(noSessions)}}, false},
		{"its own Deny", vm, []doc{identity(contract, deny("s3:*", "*", `"Condition": {"Null": {"aws:TokenIssueTime": "false"}}`))}, false},
		{"keys only", vm, []doc{only(`"Null": {"aws:TokenIssueTime": "true"}`)}, false},
		{"the boundary", vm, []doc{identity(contract), {policy.Boundary, document(contract[:len(contract)-1] + `, "Condition": {"Null": {"aws:TokenIssueTime": "true"}}}`)}}, false},
		{"a role", roleARN, []doc{identity(contract)}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := case1{principal: row.principal, docs: row.docs}.judge(t)
			got := slices.ContainsFunc(p.Findings, func(f Finding) bool { return f.Rule == RuleOutlivesKey })
			if got != row.want || p.Verdict == Violation {
				t.Errorf("%s %v, want %v", p.Verdict, got, row.want)
			}
			if got {
				if f := finding(t, p, RuleOutlivesKey); f.Severity != Warning || len(f.Witness.Context["aws:TokenIssueTime"]) != 1 || len(f.Because) != 1 {
					t.Errorf("%+v", f.Witness)
				}
			}
		})
	}
}

// What tames a role's session is chosen by whoever asks for it.
func TestASessionPolicyLeavesTheRoleBroad(t *testing.T) {
	const session = "arn:aws:sts::111122223333:assumed-role/vm-01/s"
	admin := doc{policy.RoleManaged, document(allow("*", "*"))}
	for _, row := range []struct {
		name    string
		docs    []doc
		rules   string
		verdict Verdict
	}{
		{"a session policy", []doc{admin, {policy.Session, document(contract)}}, "broad-policy", WriteOnly},
		{"a role that is narrow itself", []doc{{policy.RoleInline, document(contract)}, {policy.Session, document(contract)}}, "", WriteOnly},
	} {
		t.Run(row.name, func(t *testing.T) {
			found := case1{principal: session, docs: []doc{identity(contract), {policy.Session, document(contract)}}}.load(t)
			set := &found.Subjects[0].Set
			for i := range set.Sources {
				if set.Sources[i].Kind != policy.Session {
					set.Sources[i].Kind = policy.RoleInline
					document, err := policy.Parse("r", []byte(row.docs[0].text), policy.ParseOptions{})
					if err != nil {
						t.Fatal(err)
					}
					set.Sources[i].Document = document
				}
			}
			p := judgeFound(t, found, Options{})
			if rules(p) != row.rules || p.Verdict != row.verdict {
				t.Errorf("%s %q", p.Verdict, rules(p))
			}
		})
	}
}

// A condition that the agent's requests don't meet is named.
func TestACannotWriteNamesTheConditionThatIsNotMet(t *testing.T) {
	put := func(condition string) string {
		return contract[:len(contract)-1] + `, "Condition": {` + condition + `}}`
	}
	for _, row := range []struct{ name, statement, needs string }{
		{"encryption", put(`"StringEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}`), "s3:x-amz-server-side-encryption StringEquals aws:kms"},
		{"a tag", put(`"StringLike": {"s3:RequestObjectTag/kind": "log*"}`), "s3:RequestObjectTag/kind StringLike log*"},
		{"an ACL", put(`"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}`), "s3:x-amz-acl StringEquals bucket-owner-full-control"},
		{"another prefix", strings.Replace(put(`"StringEquals": {"s3:x-amz-acl": "private"}`), "b/p/*", "b/q/*", 1), ""},
		{"nothing", `{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/p/*"}`, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := finding(t, case1{docs: []doc{identity(row.statement)}}.judge(t), RuleCannotWrite)
			if strings.Join(f.Needs, "; ") != row.needs || (f.Fix.ID == "cannot-write-condition") != (row.needs != "") || (len(f.Because) == 1) != (row.needs != "") {
				t.Errorf("%q, fix %s, because %+v", f.Needs, f.Fix.ID, f.Because)
			}
		})
	}
}
