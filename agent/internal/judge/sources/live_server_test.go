package sources

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"buzon/agent/internal/client"
)

// account is AWS at the wire: what it answers to each call, and what it was
// asked.
type fakeAccount struct {
	t       *testing.T
	answers map[string]string // by call, the body of a 200; with " 404" and the like after the name, an error's code
	meddle  func(call string, n int, w http.ResponseWriter, r *http.Request) bool

	mu    sync.Mutex
	calls map[string]int
}

func (f *fakeAccount) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for call := range f.calls {
		out = append(out, call)
	}
	slices.Sort(out)
	return out
}

// s3Calls are the calls of S3 by the parameter of the query that names them.
var s3Calls = map[string]string{
	"policy": "s3:GetBucketPolicy", "acl": "s3:GetBucketAcl", "versioning": "s3:GetBucketVersioning",
	"encryption": "s3:GetBucketEncryption", "ownershipControls": "s3:GetBucketOwnershipControls", "publicAccessBlock": "s3:GetPublicAccessBlock",
}

// callOf names a request.
func callOf(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.Path, "/v20180820/")
	switch {
	case r.Header.Get("X-Amz-Target") != "":
		return "kms:" + strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	case path == "configuration/publicAccessBlock":
		return "s3:GetPublicAccessBlock account"
	case path == "accesspoint":
		return "s3:ListAccessPoints"
	case strings.HasPrefix(path, "accesspoint/"):
		return "s3:GetAccessPointPolicy"
	case path == "accessgrantsinstances":
		return "s3:ListAccessGrantsInstances"
	case strings.HasPrefix(path, "accessgrantsinstance/"):
		return "s3:GetAccessGrantsInstanceResourcePolicy"
	case r.Method == http.MethodPost:
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		if form.Get("Action") == "GetCallerIdentity" {
			return "sts:GetCallerIdentity"
		}
		return "iam:" + form.Get("Action")
	}
	for key, call := range s3Calls {
		if r.URL.Query().Has(key) {
			return call
		}
	}
	return r.Method + " " + r.URL.String()
}

func (f *fakeAccount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // or a client that goes away isn't noticed
	r.Body = io.NopCloser(bytes.NewReader(body))
	call := callOf(r)
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.mu.Lock()
	f.calls[call]++
	n := f.calls[call]
	f.mu.Unlock()
	if f.meddle != nil && f.meddle(call, n, w, r) {
		return
	}
	if body, ok := f.answers[call]; ok {
		_, _ = io.WriteString(w, body)
		return
	}
	for name, code := range f.answers {
		if strings.HasPrefix(name, call+" 4") {
			refuse(w, call, 404, code)
			return
		}
	}
	f.t.Errorf("nobody knows the call %s", call)
	w.WriteHeader(http.StatusTeapot)
}

// refuse answers as AWS does, in the words of the call's protocol.
func refuse(w http.ResponseWriter, call string, status int, code string) {
	if strings.HasPrefix(call, "kms:") {
		w.Header().Set("X-Amzn-Errortype", code)
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"__type":%q,"message":"no"}`, code)
		return
	}
	w.WriteHeader(status)
	control := strings.Contains(call, "AccessPoint") || strings.Contains(call, "AccessGrants") || strings.HasSuffix(call, "account")
	if strings.HasPrefix(call, "s3:") && !control {
		fmt.Fprintf(w, `<Error><Code>%s</Code><Message>no</Message></Error>`, code)
		return
	}
	fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>no</Message></Error><RequestId>x</RequestId></ErrorResponse>`, code)
}

const (
	accountID  = "111122223333"
	keyID      = "87ce0000-0000-4000-8000-000000000001"
	keyARN     = "arn:aws:kms:eu-west-1:111122223333:key/" + keyID
	canonical  = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	canonical2 = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func encoded(document string) string { return url.PathEscape(document) }

// query is an answer of IAM or STS.
func query(action, result string) string {
	return "<" + action + "Response><" + action + "Result>" + result + "</" + action + "Result></" + action + "Response>"
}

const ended = "<IsTruncated>false</IsTruncated>"

var (
	allowsPut   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::acme/uploads/vm-01/*"}]}`
	trustsEC2   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	guardsAll   = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::acme/*"}]}`
	ownerAccess = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}]}`
)

func grantee(kind, member, value, permission string) string {
	return `<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="` + kind + `"><` + member + `>` + value +
		`</` + member + `></Grantee><Permission>` + permission + `</Permission></Grant>`
}

func aclOf(grants ...string) string {
	return `<AccessControlPolicy><Owner><ID>` + canonical + `</ID></Owner><AccessControlList>` +
		grantee("CanonicalUser", "ID", canonical, "FULL_CONTROL") + strings.Join(grants, "") + `</AccessControlList></AccessControlPolicy>`
}

// soundAccount holds one of everything: the user vm-01 with an inline policy, a
// managed one, a boundary and a group; a role; a bucket with a key, an access
// point and ACLs in force.
func soundAccount() map[string]string {
	group := `<Groups><member><Path>/</Path><GroupName>writers</GroupName><GroupId>AGPAEXAMPLE</GroupId><Arn>arn:aws:iam::111122223333:group/writers</Arn></member></Groups>`
	attached := func(name string) string {
		return `<AttachedPolicies><member><PolicyName>` + name + `</PolicyName><PolicyArn>arn:aws:iam::111122223333:policy/` + name + `</PolicyArn></member></AttachedPolicies>`
	}
	return map[string]string{
		"sts:GetCallerIdentity": query("GetCallerIdentity", `<Arn>arn:aws:iam::111122223333:user/auditor</Arn><UserId>AIDAAUDITOR</UserId><Account>111122223333</Account>`),
		"iam:GetUser": query("GetUser", `<User><Path>/buzon/</Path><UserName>vm-01</UserName><UserId>AIDAEXAMPLE</UserId><Arn>arn:aws:iam::111122223333:user/buzon/vm-01</Arn>
			<PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType><PermissionsBoundaryArn>arn:aws:iam::111122223333:policy/own</PermissionsBoundaryArn></PermissionsBoundary></User>`),
		"iam:ListUserPolicies":          query("ListUserPolicies", `<PolicyNames><member>inline</member></PolicyNames>`+ended),
		"iam:GetUserPolicy":             query("GetUserPolicy", `<UserName>vm-01</UserName><PolicyName>inline</PolicyName><PolicyDocument>`+encoded(allowsPut)+`</PolicyDocument>`),
		"iam:ListAttachedUserPolicies":  query("ListAttachedUserPolicies", attached("own")+ended),
		"iam:ListGroupsForUser":         query("ListGroupsForUser", group+ended),
		"iam:ListGroupPolicies":         query("ListGroupPolicies", `<PolicyNames><member>shared</member></PolicyNames>`+ended),
		"iam:GetGroupPolicy":            query("GetGroupPolicy", `<GroupName>writers</GroupName><PolicyName>shared</PolicyName><PolicyDocument>`+encoded(allowsPut)+`</PolicyDocument>`),
		"iam:ListAttachedGroupPolicies": query("ListAttachedGroupPolicies", attached("own")+ended),
		"iam:GetPolicy":                 query("GetPolicy", `<Policy><PolicyName>own</PolicyName><DefaultVersionId>v1</DefaultVersionId><Arn>arn:aws:iam::111122223333:policy/own</Arn></Policy>`),
		"iam:GetPolicyVersion":          query("GetPolicyVersion", `<PolicyVersion><VersionId>v1</VersionId><IsDefaultVersion>true</IsDefaultVersion><Document>`+encoded(allowsPut)+`</Document></PolicyVersion>`),
		"iam:ListRoles":                 query("ListRoles", `<Roles><member><Path>/</Path><RoleName>web</RoleName><RoleId>AROAEXAMPLE</RoleId><Arn>arn:aws:iam::111122223333:role/web</Arn><AssumeRolePolicyDocument>`+encoded(trustsEC2)+`</AssumeRolePolicyDocument></member></Roles>`+ended),
		"iam:GetRole":                   query("GetRole", `<Role><Path>/</Path><RoleName>web</RoleName><RoleId>AROAEXAMPLE</RoleId><Arn>arn:aws:iam::111122223333:role/web</Arn><AssumeRolePolicyDocument>`+encoded(trustsEC2)+`</AssumeRolePolicyDocument></Role>`),
		"iam:ListRolePolicies":          query("ListRolePolicies", `<PolicyNames><member>inline</member></PolicyNames>`+ended),
		"iam:GetRolePolicy":             query("GetRolePolicy", `<RoleName>web</RoleName><PolicyName>inline</PolicyName><PolicyDocument>`+encoded(allowsPut)+`</PolicyDocument>`),
		"iam:ListAttachedRolePolicies":  query("ListAttachedRolePolicies", attached("own")+ended),
		"iam:ListAccessKeys": query("ListAccessKeys", `<AccessKeyMetadata><member><UserName>vm-01</UserName><AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId><Status>Active</Status>
			<CreateDate>2026-11-01T00:00:00Z</CreateDate></member></AccessKeyMetadata>`+ended),
		"iam:GetLoginProfile 404":            noSuchEntity,
		"iam:ListSigningCertificates":        query("ListSigningCertificates", `<Certificates/>`+ended),
		"iam:ListSSHPublicKeys":              query("ListSSHPublicKeys", `<SSHPublicKeys/>`+ended),
		"iam:ListServiceSpecificCredentials": query("ListServiceSpecificCredentials", `<ServiceSpecificCredentials/>`),

		"s3:GetBucketPolicy":            guardsAll,
		"s3:GetBucketVersioning":        `<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>`,
		"s3:GetBucketOwnershipControls": `<OwnershipControls><Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule></OwnershipControls>`,
		"s3:GetBucketAcl":               aclOf(),
		"s3:GetBucketEncryption": `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>` +
			keyARN + `</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`,
		"s3:ListAccessPoints": `<ListAccessPointsResult><AccessPointList><AccessPoint><Name>door</Name><NetworkOrigin>Internet</NetworkOrigin><Bucket>acme</Bucket>` +
			`<AccessPointArn>arn:aws:s3:eu-west-1:111122223333:accesspoint/door</AccessPointArn></AccessPoint></AccessPointList></ListAccessPointsResult>`,
		"s3:GetAccessPointPolicy": `<GetAccessPointPolicyResult><Policy>` + `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"*"}]}` +
			`</Policy></GetAccessPointPolicyResult>`,
		"s3:ListAccessGrantsInstances": `<ListAccessGrantsInstancesResult><AccessGrantsInstancesList><AccessGrantsInstance><AccessGrantsInstanceArn>arn:aws:s3:eu-west-1:111122223333:access-grants/default</AccessGrantsInstanceArn>` +
			`</AccessGrantsInstance></AccessGrantsInstancesList></ListAccessGrantsInstancesResult>`,
		"s3:GetAccessGrantsInstanceResourcePolicy 404": "NoSuchResourcePolicy",

		"kms:DescribeKey":  `{"KeyMetadata":{"KeyId":"` + keyID + `","Arn":"` + keyARN + `","KeyManager":"CUSTOMER"}}`,
		"kms:GetKeyPolicy": `{"PolicyName":"default","Policy":` + fmt.Sprintf("%q", ownerAccess) + `}`,
		"kms:ListGrants":   `{"Grants":[],"Truncated":false}`,
	}
}

// serve starts an account and gives what the loader needs to read it.
func (f *fakeAccount) serve(t *testing.T) Access {
	t.Helper()
	f.t, f.calls = t, map[string]int{}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AWS_SESSION_TOKEN": "",
		"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": server.URL, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	aws, err := client.Load(t.Context(), client.Settings{Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return Access{AWS: aws}
}

// quickly are bounds under which a test needs no patience.
func quickly() bounds {
	return bounds{
		attempt: 10 * time.Second, read: 10 * time.Second, pause: time.Millisecond, most: time.Millisecond, tries: 8, pages: 20,
		quiet: 50 * time.Millisecond,
	}
}

// readFrom loads what a selection names from an account.
func readFrom(t *testing.T, access Access, sel Selection) (*Found, error) {
	t.Helper()
	if sel.Bucket == "" {
		sel.Bucket, sel.Prefix = "acme", "uploads/{name}/"
	}
	return loadWithin(t.Context(), sel, access, quickly())
}

// readImpatiently is readFrom where something doesn't answer.
func readImpatiently(t *testing.T, access Access, sel Selection) (*Found, error) {
	t.Helper()
	sel.Bucket, sel.Prefix = "acme", "uploads/{name}/"
	b := quickly()
	b.attempt, b.read = 250*time.Millisecond, time.Millisecond
	return loadWithin(t.Context(), sel, access, b)
}

// lockAsked guards what handlers of several requests note.
var lockAsked sync.Mutex

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
