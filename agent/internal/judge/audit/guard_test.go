package audit_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"buzon/agent/policy"
)

// session gives requests of a session of GetSessionToken with the principal's
// key: it has all that the user may do, and the user's ARN.
const session = "aws:tokenissuetime=2026-11-29T10:00:00Z"

// A session that was made from an uploader's key reaches nothing in the bucket,
// whatever else the uploader holds: it would outlive the key. The uploader's own
// key, roles, instances and certificates still write.
func TestASessionOfAnUploadersKeyIsRefused(t *testing.T) {
	own := uploader(t, "users", "/buzon/")
	broad := with(own, attached(t, adminAccess), withoutBoundary)
	for _, set := range []*policy.Set{own, broad} {
		for _, step := range steps {
			if got := answer(set, ask(set, "s3:PutObject", "/uploads/vm-01/x", step.context...)); got != "allowed" {
				t.Errorf("%s with the key itself: %s", step.name, got)
			}
			if got := answer(set, ask(set, "s3:PutObject", "/uploads/vm-01/x", append([]string{session}, step.context...)...)); got != "NoSessionsOfUsers" {
				t.Errorf("%s with a session of the key: %s", step.name, got)
			}
		}
	}
	if got := answer(broad, ask(broad, "s3:AbortMultipartUpload", "/uploads/vm-01/x", session)); got != "NoSessionsOfUsers" {
		t.Errorf("it aborts with a session: %s", got)
	}
	for _, name := range []string{"roles", "roles-anywhere"} {
		role := uploader(t, name, "/buzon/")
		for _, step := range steps {
			// Of a role every request has the time at which its session was issued.
			if got := answer(role, ask(role, "s3:PutObject", "/uploads/vm-01/x", append([]string{session}, step.context...)...)); got != "allowed" {
				t.Errorf("%s, %s: %s", name, step.name, got)
			}
		}
	}
	// Somebody else's session, of a user outside the path.
	clerk := with(own, attached(t, adminAccess), withoutBoundary, moved)
	if got := answer(clerk, ask(clerk, "s3:PutObject", "/uploads/vm-01/x", session)); got != "allowed" {
		t.Errorf("a session of a user outside the path: %s", got)
	}
}

// steps are the requests by which an object comes about, as S3 judges them: all
// are s3:PutObject, and only the first of an upload has the object's headers.
var steps = []struct {
	name    string
	context []string
	headers bool // can carry the object's headers
}{
	{"PutObject", nil, true},
	{"CreateMultipartUpload", []string{"s3:objectcreationoperation=false", "s3:if-none-match"}, true},
	{"UploadPart", []string{"s3:objectcreationoperation=false", "s3:if-none-match"}, false},
	{"CompleteMultipartUpload", nil, false},
}

const (
	algorithm = "s3:x-amz-server-side-encryption="
	keyID     = "s3:x-amz-server-side-encryption-aws-kms-key-id="
	class     = "s3:x-amz-storage-class="
)

// What a request says of encryption and storage class: nothing is always right.
func TestHeadersThatTheGuardRefuses(t *testing.T) {
	const key = "arn:aws:kms:eu-west-1:111122223333:key/ours"
	for _, test := range []struct {
		stack   string
		headers []string
		want    string
	}{
		{"users", nil, "allowed"},
		{"users", []string{class + "STANDARD"}, "allowed"},
		{"users", []string{class + "GLACIER_IR"}, "allowed"},
		{"users", []string{class + "DEEP_ARCHIVE"}, "OnlyTheseClasses"},
		{"users", []string{class + "GLACIER"}, "OnlyTheseClasses"},
		{"users", []string{class + "OF_TOMORROW"}, "OnlyTheseClasses"},
		{"users", []string{class + "standard"}, "OnlyTheseClasses"}, // S3 refuses it too
		{"roles", []string{class + "DEEP_ARCHIVE"}, "OnlyTheseClasses"},
		{"roles-anywhere", []string{class + "DEEP_ARCHIVE"}, "OnlyTheseClasses"},
		{"users", []string{algorithm + "AES256"}, "allowed"},
		{"group-kms", nil, "allowed"},
		{"group-kms", []string{algorithm + "aws:kms", keyID + key}, "allowed"},
		{"group-kms", []string{algorithm + "aws:kms"}, "OnlyThisKey"}, // S3 would take the account's aws/s3
		{"group-kms", []string{algorithm + "AES256"}, "OnlyThisEncryption OnlyThisKey"},
		{"group-kms", []string{algorithm + "aws:kms:dsse", keyID + key}, "OnlyThisEncryption"},
		{"group-kms", []string{algorithm + "aws:kms", keyID + "arn:aws:kms:eu-west-1:999999999999:key/k"}, "OnlyThisKey"},
		{"group-kms", []string{class + "DEEP_ARCHIVE", algorithm + "AES256"}, "OnlyTheseClasses OnlyThisEncryption OnlyThisKey"},
	} {
		own := with(uploader(t, test.stack, "/buzon/"), deployed(key))
		for _, step := range steps {
			want := test.want
			if !step.headers && len(test.headers) > 0 {
				continue
			}
			if got := answer(own, ask(own, "s3:PutObject", "/uploads/vm-01/x", append(test.headers, step.context...)...)); got != want {
				t.Errorf("%s, %s with %q: %s, want %s", test.stack, step.name, test.headers, got, want)
			}
		}
	}
}

// deployed puts an ARN where a template leaves its key's open.
func deployed(key string) func(*policy.Set) {
	return func(set *policy.Set) {
		for i, src := range set.Sources {
			doc := *src.Document
			doc.Statements = slices.Clone(doc.Statements)
			for j, st := range doc.Statements {
				st.Conditions = slices.Clone(st.Conditions)
				for k, c := range st.Conditions {
					if strings.HasSuffix(c.Key, "-aws-kms-key-id") {
						st.Conditions[k].Values = []policy.Text{{Value: key}}
					}
				}
				doc.Statements[j] = st
			}
			set.Sources[i].Document = &doc
		}
	}
}

// Keys that a reader's tool would put elsewhere are refused; those that only look
// like them are not.
func TestKeysThatLeadElsewhereAreRefused(t *testing.T) {
	for _, name := range []string{"users", "roles", "roles-anywhere"} {
		own := uploader(t, name, "/buzon/")
		for key, want := range map[string]string{
			"/uploads/vm-01/../vm-02/x": "PlainKeys", "/uploads/vm-01/a/../../x": "PlainKeys", "/uploads/vm-01/..": "PlainKeys",
			"/uploads/vm-01/a/..": "PlainKeys", "/uploads/vm-01/./x": "PlainKeys", "/uploads/vm-01/a/.": "PlainKeys",
			"/uploads/vm-01//x": "PlainKeys", "/uploads/vm-01/a//b": "PlainKeys", "/uploads/vm-01/a//": "PlainKeys",
			"/uploads/vm-01/a..b": "allowed", "/uploads/vm-01/...": "allowed", "/uploads/vm-01/..a/x": "allowed", "/uploads/vm-01/a../x": "allowed",
			"/uploads/vm-01/.hidden": "allowed", "/uploads/vm-01/a./b": "allowed", "/uploads/vm-01/.buzon/canary": "allowed",
			"/uploads/vm-01/http:/x": "allowed", "/uploads/vm-01/ ": "allowed",
		} {
			if got := answer(own, ask(own, "s3:PutObject", key)); got != want {
				t.Errorf("%s: %s: %s, want %s", name, key, got, want)
			}
		}
	}
}

// From an address or an endpoint that the settings name, and from nowhere else:
// of the two a request has only one.
func TestUploadersCallFromWhereTheSettingsSay(t *testing.T) {
	own := uploader(t, "everything", "/drop/")
	for _, test := range []struct {
		from, want string
	}{
		{"aws:sourceip=203.0.113.77", "allowed"},
		{"aws:sourceip=203.0.114.1", "OnlyFromTheseSources"},
		{"aws:sourceip=2001:db8:ffff::1", "allowed"},
		{"aws:sourceip=2001:db9::1", "OnlyFromTheseSources"},
		{"aws:sourcevpce=vpce-0123456789abcdef0", "allowed"},
		{"aws:sourcevpce=vpce-00000000000000000", "OnlyFromTheseSources"},
		{"aws:sourcevpc=vpc-1", "OnlyFromTheseSources"}, // neither key
	} {
		for _, step := range steps {
			if got := answer(own, ask(own, "s3:PutObject", "/in/box/vm-01/x", append([]string{test.from}, step.context...)...)); got != test.want {
				t.Errorf("%s, %s: %s, want %s", step.name, test.from, got, test.want)
			}
		}
	}
	// Who isn't an uploader may come from anywhere.
	platform := with(own, attached(t, adminAccess), withoutBoundary, func(set *policy.Set) {
		set.Subject.ARN, set.Subject.Path = fmt.Sprintf("arn:aws:iam::%s:user/platform", set.Subject.Account), "/"
	})
	if got := answer(platform, ask(platform, "s3:PutObject", "/in/box/vm-01/x", "aws:sourceip=198.51.100.1")); got != "allowed" {
		t.Errorf("somebody else, from elsewhere: %s", got)
	}
}

// With readers, CloudFormation's role can still make every call that this
// template needs, or the next deploy would be refused; nobody else sets what
// reveals, copies or removes by itself.
func TestTheNextDeployIsNotShutOut(t *testing.T) {
	set := uploader(t, "everything", "/drop/")
	as := func(name string) *policy.Set {
		return with(set, withoutBoundary, attached(t, adminAccess), func(s *policy.Set) {
			s.Subject = policy.Subject{
				Type: policy.Role, ARN: fmt.Sprintf("arn:%s:iam::%s:role/%s", set.Subject.Partition, set.Subject.Account, name),
				Partition: set.Subject.Partition, Account: set.Subject.Account, Path: "/", Name: name, TagsKnown: true,
			}
			for i, src := range s.Sources {
				if src.Kind == policy.UserManaged {
					s.Sources[i].Kind = policy.RoleManaged
				}
			}
			s.Sources = slices.DeleteFunc(s.Sources, func(src policy.Source) bool { return src.Kind == policy.UserInline })
		})
	}
	guard := ""
	for _, src := range set.Sources {
		if src.Kind != policy.BucketPolicy {
			continue
		}
		for _, st := range src.Document.Statements {
			for _, c := range st.Conditions {
				for _, v := range c.Values {
					if st.Sid == "OnlyDeployersConfigure" && strings.Contains(v.Value, ":role/cdk-") {
						guard = v.Value[strings.Index(v.Value, ":role/")+len(":role/"):]
					}
				}
			}
		}
	}
	if guard == "" {
		t.Fatal("no deployer is named")
	}
	deployer, admin := as(guard), as("admin")
	// What CloudFormation calls for AWS::S3::Bucket and AWS::S3::BucketPolicy with these
	// properties, to make, read, change and delete them.
	for _, action := range strings.Fields(`s3:CreateBucket s3:ListBucket s3:PutBucketVersioning s3:GetBucketVersioning s3:PutLifecycleConfiguration
		s3:GetLifecycleConfiguration s3:PutEncryptionConfiguration s3:GetEncryptionConfiguration s3:PutBucketPublicAccessBlock
		s3:GetBucketPublicAccessBlock s3:PutBucketOwnershipControls s3:GetBucketOwnershipControls s3:PutBucketNotification
		s3:GetBucketNotification s3:PutBucketObjectLockConfiguration s3:GetBucketObjectLockConfiguration s3:PutBucketTagging s3:GetBucketTagging
		s3:PutBucketPolicy s3:GetBucketPolicy s3:DeleteBucketPolicy s3:GetBucketAcl s3:GetBucketLocation s3:GetBucketLogging s3:GetBucketCORS
		s3:GetBucketWebsite s3:GetReplicationConfiguration s3:GetAccelerateConfiguration s3:GetAnalyticsConfiguration s3:GetMetricsConfiguration
		s3:GetInventoryConfiguration s3:GetIntelligentTieringConfiguration s3:GetBucketMetadataTableConfiguration`) {
		if got := answer(deployer, ask(deployer, action, "")); got != "allowed" {
			t.Errorf("%s by CloudFormation's role: %s", action, got)
		}
	}
	for _, action := range strings.Fields(`s3:ListBucket s3:PutInventoryConfiguration s3:PutAnalyticsConfiguration s3:CreateBucketMetadataTableConfiguration
		s3:UpdateBucketMetadataJournalTableConfiguration s3:PutLifecycleConfiguration s3:PutReplicationConfiguration s3:PutBucketLogging
		s3:PutBucketNotification s3:PutBucketVersioning`) {
		if got := answer(admin, ask(admin, action, "")); got != "OnlyDeployersConfigure" {
			t.Errorf("%s by an administrator: %s", action, got)
		}
	}
	for _, who := range []*policy.Set{deployer, admin} {
		for _, action := range []string{"s3:GetObject", "s3:DeleteObject", "s3:UpdateObjectEncryption", "s3:ListObjectAnnotations"} {
			if got := answer(who, ask(who, action, "/in/box/vm-01/x")); got != "OnlyReadersReadOrDelete" {
				t.Errorf("%s by %s: %s", action, who.Subject.Name, got)
			}
		}
	}
}

// Readers who are granted read, in this account by the bucket's policy alone, and
// do nothing else with it.
func TestReadersWhoAreGrantedRead(t *testing.T) {
	set := uploader(t, "readers", "/buzon/")
	for _, arn := range []string{"arn:aws:iam::111122223333:role/analysis/reader", "arn:aws:iam::999988887777:role/partner"} {
		account := strings.Split(arn, ":")[4]
		reader := with(set, withoutBoundary, func(s *policy.Set) {
			s.Sources = slices.DeleteFunc(s.Sources, func(src policy.Source) bool { return src.Kind == policy.UserInline })
			s.Subject = policy.Subject{Type: policy.Role, ARN: arn, Partition: "aws", Account: account, Path: "/", Name: "x", TagsKnown: true}
			s.BucketAccount = account // as if it were the bucket's account: else its own must consent too
		})
		for _, test := range []struct{ action, resource, want string }{
			{"s3:GetObject", "/uploads/vm-01/x", "allowed"},
			{"s3:GetObjectVersion", "/uploads/vm-01/x", "allowed"},
			{"s3:ListBucket", "", "allowed"},
			{"s3:ListBucketVersions", "", "allowed"},
			{"s3:PutObject", "/uploads/vm-01/x", "implicit deny"},
			{"s3:DeleteObject", "/uploads/vm-01/x", "implicit deny"},
			{"s3:PutBucketPolicy", "", "implicit deny"},
			{"s3:PutLifecycleConfiguration", "", "implicit deny"},
		} {
			if got := answer(reader, ask(reader, test.action, test.resource)); got != test.want {
				t.Errorf("%s: %s on %s: %s, want %s", arn, test.action, test.resource, got, test.want)
			}
		}
	}
	if got := answer(set, ask(set, "s3:GetObject", "/uploads/vm-01/x")); got != "OnlyReadersReadOrDelete UploadersOnlyWrite" {
		t.Errorf("the uploader reads: %s", got)
	}
}

// Where the boundary is an organisation's, the uploader's own policy denies what
// the stack's would have stopped: whatever is attached, wherever the user is moved,
// and even where a policy of a resource names it.
func TestAPolicyThatCarriesItsLimits(t *testing.T) {
	for _, change := range [][]func(*policy.Set){{}, {moved}, {attached(t, adminAccess), moved}} {
		set := with(uploader(t, "organisation", "/buzon/"), append([]func(*policy.Set){withoutBoundary, attached(t, adminAccess)}, change...)...)
		for _, test := range []struct {
			action, resource string
			allowed          bool
		}{
			{"s3:PutObject", "/uploads/vm-01/x", true},
			{"s3:PutObject", "/uploads/vm-02/x", false},
			{"s3:GetObject", "/uploads/vm-01/x", false},
			{"s3:ListAllMyBuckets", "*", false},
			{"sts:AssumeRole", "arn:aws:iam::111122223333:role/admin", false},
			{"iam:UpdateUser", set.Subject.ARN, false},
		} {
			got := answer(set, ask(set, test.action, test.resource))
			if (got == "allowed") != test.allowed || !test.allowed && !strings.Contains(got, "NothingElse") && !strings.Contains(got, "WriteUnderPrefixAlone") {
				t.Errorf("%s on %s: %s", test.action, test.resource, got)
			}
		}
	}
}
