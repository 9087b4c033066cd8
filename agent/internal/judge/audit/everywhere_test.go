//go:build unix

package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"buzon/agent/internal/client"
	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/internal/judge/reach"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
	"buzon/scripts/aws/localaws"
)

// everywhere are how many random sets are written to the local AWS.
const everywhere = 40

// Documents, what is deployed, and an export of that are the same: the set is
// written through the APIs of IAM, S3 and KMS and read back in each way.
func TestWhereItStandsDoesNotMatterOnceItIsDeployed(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: forty local AWSs take a minute")
	}
	verdicts := map[Verdict]int{}
	for seed := range uint64(everywhere) {
		set := deployable(seed)
		t.Run(fmt.Sprintf("%d %s", seed, set.Subject.Type), func(t *testing.T) {
			d := newDeployment(t)
			d.deploy(t, set)
			want := judged(t, d.documents(set), sources.Access{ReadFile: d.read})
			verdicts[Verdict(strings.Fields(want)[0])]++
			for name, sel := range map[string]sources.Selection{"live": d.live(set), "all": d.all(), "export": d.export(t)} {
				got := judged(t, sel, sources.Access{ReadFile: d.read, AWS: d.aws})
				for range 2 {
					// On a busy machine the local AWS loses an answer now and then; the audit says so, and is asked again.
					if strings.Contains(got, string(sources.GapFailed)) {
						got = judged(t, sel, sources.Access{ReadFile: d.read, AWS: d.aws})
					}
				}
				if got != want {
					t.Errorf("%s: %s\ndocuments: %s\n%s", name, got, want, d.texts())
				}
			}
		})
	}
	t.Logf("%d sets: %v", everywhere, verdicts)
}

// deployable makes a set of what IAM, S3 and KMS can hold.
func deployable(seed uint64) *policy.Set {
	c := judgetest.Seeded(seed)
	for {
		set := judgetest.Set(c)
		if set.Subject.Type == policy.RoleSession {
			continue
		}
		if slices.ContainsFunc(set.Sources, refusedByIAM) {
			continue
		}
		set.BucketAccount = judgetest.Account
		set.Sources = slices.DeleteFunc(set.Sources, func(src policy.Source) bool {
			switch src.Kind {
			case policy.Session, policy.SCP, policy.RCP, policy.AccessPoint, policy.ResourcePolicy:
				return true
			default:
				return false
			}
		})
		return set
	}
}

// An export that holds the same documents is judged the same; what it can't hold is
// given as files.
func TestAnExportIsItsDocuments(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: it judges fifty random sets")
	}
	for seed := range uint64(25) {
		set := deployable(1000 + seed)
		d := &deployment{files: map[string]string{}, key: judgetest.Key, id: set.Subject.UniqueID, name: set.Subject.Name, arn: set.Subject.ARN}
		for i, src := range set.Sources {
			d.files[fmt.Sprintf("%d", i)] = string(src.Document.JSON())
			if src.Kind == policy.BucketPolicy {
				wrapped, _ := json.Marshal(map[string]string{"Policy": string(src.Document.JSON())}) //nolint:errchkjson // texts
				d.files[fmt.Sprintf("%d", i)] = string(wrapped)
			}
		}
		access := sources.Access{ReadFile: d.read}
		want := judged(t, d.documents(set), access)
		d.files["export"] = exportOf(t, set)
		if got := judged(t, d.exported(), access); got != want {
			t.Errorf("seed %d: %s\ndocuments: %s\n%s", 1000+seed, got, want, d.texts())
		}
	}
}

// exportOf writes a set as get-account-authorization-details prints it.
func exportOf(t *testing.T, set *policy.Set) string {
	t.Helper()
	type object = map[string]any
	raw := func(src policy.Source) json.RawMessage { return json.RawMessage(src.Document.JSON()) }
	p := object{
		"Arn": set.Subject.ARN, "Path": set.Subject.Path, "UserName": set.Subject.Name, "RoleName": set.Subject.Name,
		"UserId": "", "AssumeRolePolicyDocument": json.RawMessage(onlyEC2), "GroupList": []string{},
	}
	id := "RoleId"
	if set.Subject.Type == policy.User {
		id = "UserId"
		delete(p, "AssumeRolePolicyDocument")
	}
	p[id] = set.Subject.UniqueID
	var tags, inline, attached, groups, policies []any
	for name, value := range set.Subject.Tags {
		tags = append(tags, object{"Key": name, "Value": value})
	}
	roles := []any{object{"Arn": "arn:aws:iam::111122223333:role/other", "RoleName": "other", "AssumeRolePolicyDocument": json.RawMessage(onlyEC2),
		"RolePolicyList": []any{}, "AttachedManagedPolicies": []any{}}}
	for i, src := range set.Sources {
		name := fmt.Sprintf("p%d", i)
		arn := "arn:aws:iam::111122223333:policy/" + name
		managed := func() object {
			policies = append(policies, object{"Arn": arn, "PolicyName": name, "DefaultVersionId": "v1",
				"PolicyVersionList": []any{object{"VersionId": "v1", "IsDefaultVersion": true, "Document": raw(src)}}})
			return object{"PolicyName": name, "PolicyArn": arn}
		}
		one := object{"PolicyName": name, "PolicyDocument": raw(src)}
		switch src.Kind {
		case policy.UserInline, policy.RoleInline:
			inline = append(inline, one)
		case policy.UserManaged, policy.RoleManaged:
			attached = append(attached, managed())
		case policy.GroupInline:
			groups = append(groups, object{"GroupName": name, "GroupPolicyList": []any{one}, "AttachedManagedPolicies": []any{}})
			p["GroupList"] = append(p["GroupList"].([]string), name)
		case policy.GroupManaged:
			groups = append(groups, object{"GroupName": name, "GroupPolicyList": []any{}, "AttachedManagedPolicies": []any{managed()}})
			p["GroupList"] = append(p["GroupList"].([]string), name)
		case policy.Boundary:
			p["PermissionsBoundary"] = object{"PermissionsBoundaryArn": managed()["PolicyArn"]}
		case policy.Trust:
			roles = append(roles, object{"Arn": judgetest.Role, "RoleName": "strong", "AssumeRolePolicyDocument": raw(src), "RolePolicyList": []any{}, "AttachedManagedPolicies": []any{}})
		default:
		}
	}
	p["Tags"], p["AttachedManagedPolicies"] = tags, attached
	users := []any{}
	if set.Subject.Type == policy.User {
		p["UserPolicyList"] = inline
		users = append(users, p)
	} else {
		p["RolePolicyList"] = inline
		roles = append(roles, p)
	}
	text, err := json.Marshal(object{"UserDetailList": users, "GroupDetailList": orNone(groups), "RoleDetailList": roles, "Policies": orNone(policies)})
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(`"Tags":null`, `"Tags":[]`, `"AttachedManagedPolicies":null`, `"AttachedManagedPolicies":[]`,
		`"UserPolicyList":null`, `"UserPolicyList":[]`, `"RolePolicyList":null`, `"RolePolicyList":[]`).Replace(string(text))
}

func orNone(list []any) []any {
	if list == nil {
		return []any{}
	}
	return list
}

// refusedByIAM: a trust policy holds no NotPrincipal.
func refusedByIAM(src policy.Source) bool {
	return src.Kind == policy.Trust && slices.ContainsFunc(src.Document.Statements, func(st policy.Statement) bool { return st.NotPrincipal })
}

// deployment is one set on a local AWS of its own.
type deployment struct {
	aws     *client.AWS
	iam     *iam.Client
	key, id string // the key's ARN, the principal's id
	files   map[string]string
	name    string
	arn     string
}

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	local := localaws.ForTest(t)
	for _, pair := range local.Env() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	for name, value := range map[string]string{"AWS_PROFILE": "", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"} {
		t.Setenv(name, value)
	}
	a, err := client.Load(t.Context(), client.Settings{Region: localaws.Region})
	if err != nil {
		t.Fatal(err)
	}
	return &deployment{aws: a, iam: a.IAM(), files: map[string]string{}}
}

// must makes something. The local AWS now and then ends its connection in the middle, and
// the SDK asks again: what is there already was made by the first attempt.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil && !strings.Contains(err.Error(), "EntityAlreadyExists") {
			t.Fatal(err)
		}
		return v
	}
}

// text is a document as it is written there: with the key and the id that this
// AWS has made.
func (d *deployment) text(src policy.Source) string {
	return strings.NewReplacer(judgetest.Key, d.key, "AIDAEXAMPLEEXAMPLE001", d.id, "AROAEXAMPLEEXAMPLE001", d.id).Replace(string(src.Document.JSON()))
}

const onlyEC2 = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}`

func (d *deployment) deploy(t *testing.T, set *policy.Set) {
	t.Helper()
	ctx := t.Context()
	d.name, d.arn = set.Subject.Name, set.Subject.ARN
	var tags []iamtypes.Tag
	for name, value := range set.Subject.Tags {
		tags = append(tags, iamtypes.Tag{Key: &name, Value: &value})
	}
	if set.Subject.Type == policy.User {
		made := must[*iam.CreateUserOutput](t)(d.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: &d.name, Path: &set.Subject.Path, Tags: tags}))
		d.id = *made.User.UserId
	} else {
		made := must[*iam.CreateRoleOutput](t)(d.iam.CreateRole(ctx, &iam.CreateRoleInput{
			RoleName: &d.name, Path: &set.Subject.Path, Tags: tags, AssumeRolePolicyDocument: aws.String(onlyEC2),
		}))
		d.id = *made.Role.RoleId
	}
	keys := kms.NewFromConfig(d.aws.Config)
	key := must[*kms.CreateKeyOutput](t)(keys.CreateKey(ctx, &kms.CreateKeyInput{}))
	d.key = *key.KeyMetadata.Arn
	bucket := judgetest.Bucket
	must[*s3.CreateBucketOutput](t)(d.aws.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}))
	must[*s3.DeletePublicAccessBlockOutput](t)(d.aws.S3.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: &bucket}))
	for i, src := range set.Sources {
		text := d.text(src)
		d.files[fmt.Sprintf("%d", i)] = text
		switch src.Kind {
		case policy.BucketPolicy:
			must[*s3.PutBucketPolicyOutput](t)(d.aws.S3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &text}))
			wrapped, _ := json.Marshal(map[string]string{"Policy": text}) //nolint:errchkjson // texts
			d.files[fmt.Sprintf("%d", i)] = string(wrapped)
		case policy.KeyPolicy:
			must[*kms.PutKeyPolicyOutput](t)(keys.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &d.key, Policy: &text}))
			must[*s3.PutBucketEncryptionOutput](t)(d.aws.S3.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{
				Bucket: &bucket, ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{Rules: []s3types.ServerSideEncryptionRule{
					{ApplyServerSideEncryptionByDefault: &s3types.ServerSideEncryptionByDefault{
						SSEAlgorithm: s3types.ServerSideEncryptionAwsKms, KMSMasterKeyID: aws.String(d.key[strings.LastIndexByte(d.key, '/')+1:]),
					}},
				}},
			}))
		case policy.Trust:
			must[*iam.CreateRoleOutput](t)(d.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("strong"), AssumeRolePolicyDocument: &text}))
		default:
			d.hang(t, src.Kind, fmt.Sprintf("p%d", i), text)
		}
	}
}

// hang hangs a policy on the principal or on a group of it.
func (d *deployment) hang(t *testing.T, kind policy.Kind, name, text string) {
	t.Helper()
	ctx := t.Context()
	managed := func() *string {
		must[*iam.CreatePolicyOutput](t)(d.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: &name, PolicyDocument: &text}))
		return aws.String("arn:aws:iam::" + judgetest.Account + ":policy/" + name)
	}
	group := func() *string {
		g := "g-" + name
		must[*iam.CreateGroupOutput](t)(d.iam.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: &g}))
		must[*iam.AddUserToGroupOutput](t)(d.iam.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: &g, UserName: &d.name}))
		return &g
	}
	var err error
	switch kind {
	case policy.UserInline:
		_, err = d.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &d.name, PolicyName: &name, PolicyDocument: &text})
	case policy.UserManaged:
		_, err = d.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &d.name, PolicyArn: managed()})
	case policy.GroupInline:
		_, err = d.iam.PutGroupPolicy(ctx, &iam.PutGroupPolicyInput{GroupName: group(), PolicyName: &name, PolicyDocument: &text})
	case policy.GroupManaged:
		_, err = d.iam.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: group(), PolicyArn: managed()})
	case policy.RoleInline:
		_, err = d.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &d.name, PolicyName: &name, PolicyDocument: &text})
	case policy.RoleManaged:
		_, err = d.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &d.name, PolicyArn: managed()})
	case policy.Boundary:
		if strings.Contains(d.arn, ":role/") {
			_, err = d.iam.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: &d.name, PermissionsBoundary: managed()})
		} else {
			_, err = d.iam.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: &d.name, PermissionsBoundary: managed()})
		}
	default:
		t.Fatalf("a %s can't be deployed", kind)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (d *deployment) read(name string) ([]byte, error) {
	text, ok := d.files[name]
	if !ok {
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
	}
	return []byte(text), nil
}

// aim is what all are held to.
func (d *deployment) aim(sel sources.Selection) sources.Selection {
	sel.Bucket, sel.Prefix, sel.BucketAccount, sel.Region = judgetest.Bucket, "p/", judgetest.Account, localaws.Region
	return sel
}

// documents names the set's documents one by one.
func (d *deployment) documents(set *policy.Set) sources.Selection {
	sel := sources.Selection{Principals: []string{d.arn}, PrincipalID: d.id}
	for name, value := range set.Subject.Tags {
		sel.Tags = append(sel.Tags, name+"="+value)
	}
	for i, src := range set.Sources {
		doc := sources.Document{Kind: src.Kind, File: fmt.Sprintf("%d", i)}
		switch src.Kind {
		case policy.UserManaged, policy.RoleInline, policy.RoleManaged:
			doc.Kind = policy.UserInline
		case policy.GroupManaged:
			doc.Kind = policy.GroupInline
		case policy.KeyPolicy:
			doc.On = d.key
		case policy.Trust:
			doc.On = judgetest.Role
		default:
		}
		sel.Documents = append(sel.Documents, doc)
	}
	if set.Subject.Type == policy.Role {
		d.files["own"] = onlyEC2
		sel.Documents = append(sel.Documents, sources.Document{Kind: policy.Trust, File: "own"})
	}
	return d.aim(sel)
}

func (d *deployment) live(set *policy.Set) sources.Selection {
	if set.Subject.Type == policy.Role {
		return d.aim(sources.Selection{Roles: []string{d.arn}})
	}
	return d.aim(sources.Selection{Users: []string{d.arn}})
}

func (d *deployment) all() sources.Selection { return d.aim(sources.Selection{All: true}) }

// export is what the account's details say, with what they can't hold as files.
func (d *deployment) export(t *testing.T) sources.Selection {
	t.Helper()
	got := must[*iam.GetAccountAuthorizationDetailsOutput](t)(d.iam.GetAccountAuthorizationDetails(t.Context(), &iam.GetAccountAuthorizationDetailsInput{}))
	printed, err := json.Marshal(map[string]any{
		"UserDetailList": got.UserDetailList, "GroupDetailList": got.GroupDetailList, "RoleDetailList": got.RoleDetailList, "Policies": got.Policies,
	})
	if err != nil {
		t.Fatal(err)
	}
	d.files["export"] = string(d.withBoundary(t, printed))
	return d.exported()
}

// exported names the export, and the files for what it can't hold.
func (d *deployment) exported() sources.Selection {
	sel := sources.Selection{Exports: []string{"export"}}
	for i := range len(d.files) {
		text, ok := d.files[fmt.Sprintf("%d", i)]
		switch {
		case !ok:
		case strings.HasPrefix(text, `{"Policy":`):
			sel.Documents = append(sel.Documents, sources.Document{Kind: policy.BucketPolicy, File: fmt.Sprintf("%d", i)})
		case strings.Contains(text, `"kms:`) && strings.Contains(text, `Principal"`):
			sel.Documents = append(sel.Documents, sources.Document{Kind: policy.KeyPolicy, On: d.key, File: fmt.Sprintf("%d", i)})
		}
	}
	return d.aim(sel)
}

// withBoundary puts the principal's boundary into the export: the local AWS
// doesn't tell it there, as AWS does.
func (d *deployment) withBoundary(t *testing.T, printed []byte) []byte {
	t.Helper()
	var boundary *iamtypes.AttachedPermissionsBoundary
	list := "UserDetailList"
	if strings.Contains(d.arn, ":role/") {
		list = "RoleDetailList"
		boundary = must[*iam.GetRoleOutput](t)(d.iam.GetRole(t.Context(), &iam.GetRoleInput{RoleName: &d.name})).Role.PermissionsBoundary
	} else {
		boundary = must[*iam.GetUserOutput](t)(d.iam.GetUser(t.Context(), &iam.GetUserInput{UserName: &d.name})).User.PermissionsBoundary
	}
	if boundary == nil {
		return printed
	}
	var whole map[string][]map[string]any
	if err := json.Unmarshal(printed, &whole); err != nil {
		t.Fatal(err)
	}
	for _, p := range whole[list] {
		if p["Arn"] == d.arn {
			p["PermissionsBoundary"] = boundary
		}
	}
	out, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (d *deployment) texts() string {
	var out []string
	for name, text := range d.files {
		if name != "export" {
			out = append(out, name+": "+text)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// judged is the verdict on the one principal of a selection, with every error and
// its actions.
func judged(t *testing.T, sel sources.Selection, access sources.Access) string {
	t.Helper()
	if err := sel.Check(); err != nil {
		t.Fatal(err)
	}
	found, err := sources.Load(context.WithoutCancel(t.Context()), sel, access)
	if err != nil {
		t.Fatal(err)
	}
	found.Subjects = slices.DeleteFunc(found.Subjects, func(s sources.Subject) bool { return s.Set.Subject.Name != "a" })
	report := Judge(t.Context(), found, Options{Budget: reach.Budget{States: 2_000, Boxes: 300}})
	if len(report.Principals) != 1 {
		t.Fatalf("%d principals", len(report.Principals))
	}
	p := report.Principals[0]
	var out []string
	for _, f := range p.Findings {
		if f.Severity == Error {
			for _, action := range f.Actions {
				out = append(out, string(f.Rule)+" "+action)
			}
		}
	}
	for _, u := range p.Undecided {
		out = append(out, "? "+u.Reason)
	}
	slices.Sort(out)
	return string(p.Verdict) + " " + strings.Join(slices.Compact(out), ", ")
}
