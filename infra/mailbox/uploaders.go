package mailbox

import (
	"encoding/json"
	"fmt"

	"buzon/agent/policy"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrolesanywhere"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// destination is what the uploaders' policies say about the place they write to.
type destination struct {
	BucketARN string
	KeyARN    string // "" where S3 keeps the keys
	Via       string // S3's name in kms:ViaService
	Sealed    bool   // the policies carry the limits that a boundary would
}

func newDestination(stack awscdk.Stack, bucketARN, keyARN string) destination {
	if keyARN == "" {
		return destination{BucketARN: bucketARN}
	}
	return destination{BucketARN: bucketARN, KeyARN: keyARN, Via: fmt.Sprintf("s3.%s.%s", *stack.Region(), *stack.UrlSuffix())}
}

// writeOnly is the one policy that an uploader gets, as CloudFormation takes it.
// name is the uploader's, or a variable that stands for it.
func (d destination) writeOnly(prefix, name string) map[string]any {
	objects := d.BucketARN + "/" + prefix + name + "/*"
	document := policy.WriteOnly(objects)
	if d.KeyARN != "" {
		document = policy.WriteOnlyWithKey(objects, d.KeyARN, d.Via)
	}
	if d.Sealed {
		document = policy.Sealed(document)
	}
	var out map[string]any
	if err := json.Unmarshal(document.JSON(), &out); err != nil {
		panic(fmt.Sprintf("policy.WriteOnly printed no JSON: %v", err))
	}
	return out
}

// Uploaders holds identities that share a boundary, and with AttachGroup a group.
type Uploaders struct {
	constructs.Construct
	props    *Props
	to       destination
	boundary *string         // its ARN
	group    awsiam.CfnGroup // nil: each has a policy of its own
	names    []string
}

// Uploader is what a program, or the VM's configuration, has to know of one
// identity. Its texts may be tokens of the CDK.
type Uploader struct {
	Name   string
	ARN    string // what the agent's identity.expect names
	Prefix string // ends in "/"
}

// NewUploaders makes a place for uploaders in another stack than the bucket's,
// which props must name; with EncryptionKMS they must name the key too, for one
// that is made is known only there. The bucket's own stack is deployed first.
func NewUploaders(scope constructs.Construct, id *string, props *Props) *Uploaders {
	p := props.WithDefaults()
	found := p.Faults()
	if p.BucketName == "" {
		found = append(found, Fault{"bucketName", "is needed by uploaders beside the bucket's stack"})
	}
	if p.Encryption == EncryptionKMS && p.KMSKeyARN == "" {
		found = append(found, Fault{"kmsKeyArn", "is needed by uploaders beside the bucket's stack, with encryption \"kms\""})
	}
	refuse(found)
	stack := awscdk.Stack_Of(scope)
	bucket := fmt.Sprintf("arn:%s:s3:::%s", *stack.Partition(), p.BucketNameIn(stack))
	return newUploaders(scope, id, newDestination(stack, bucket, p.KMSKeyARN), &p)
}

// newUploaders makes what the uploaders share. The boundary is one document with
// the uploader's name as a variable: it gives each the same set as its own
// policy, and an account's number of managed policies doesn't limit the fleet.
func newUploaders(scope constructs.Construct, id *string, to destination, p *Props) *Uploaders {
	to.Sealed = p.PermissionsBoundary != ""
	u := &Uploaders{props: p, to: to}
	constructs.NewConstruct_Override(u, scope, id)
	shared := to.writeOnly(p.UploadPrefix, p.nameVariable())
	if p.PermissionsBoundary != "" {
		u.boundary = jsii.String(p.PermissionsBoundary)
	} else {
		u.boundary = awsiam.NewCfnManagedPolicy(u, jsii.String("Boundary"), &awsiam.CfnManagedPolicyProps{
			Description:    jsii.String("Buzon: the most that an uploader can do, whatever else is attached to it"),
			Path:           jsii.String(p.Path),
			PolicyDocument: shared,
		}).Ref()
	}
	if p.Attach == AttachGroup {
		u.group = awsiam.NewCfnGroup(u, jsii.String("Group"), &awsiam.CfnGroupProps{
			Path:     jsii.String(p.Path),
			Policies: []any{inline(shared)},
		})
	}
	return u
}

// Add makes the identity of one machine. It panics with a name that can't be, or
// that is there already.
func (u *Uploaders) Add(name string) *Uploader {
	u.names = append(u.names, name)
	refuse(u.props.NameFaults(u.names))
	var own any // nil: it has the group's
	var groups *[]any
	if u.group == nil {
		own = []any{inline(u.to.writeOnly(u.props.UploadPrefix, name))}
	} else {
		groups = &[]any{*u.group.Ref()}
	}
	made := &Uploader{Name: name, Prefix: u.props.UploadPrefix + name + "/"}
	switch u.props.Identity {
	case IdentityUser:
		made.ARN = *awsiam.NewCfnUser(u, jsii.String(name), &awsiam.CfnUserProps{
			UserName: jsii.String(name), Path: jsii.String(u.props.Path),
			PermissionsBoundary: u.boundary, Policies: own, Groups: groups,
		}).AttrArn()
	case IdentityRole:
		made.ARN = u.instanceRole(name, own)
	case IdentityRolesAnywhere:
		made.ARN = u.certificateRole(name, own)
	}
	return made
}

// instanceRole is for EC2, with the instance profile of the same name.
func (u *Uploaders) instanceRole(name string, own any) (arn string) {
	role := u.role(name, own, trust("ec2.amazonaws.com", []string{"sts:AssumeRole"}, nil))
	awsiam.NewCfnInstanceProfile(u, jsii.String(name+"/Profile"), &awsiam.CfnInstanceProfileProps{
		InstanceProfileName: jsii.String(name), Path: jsii.String(u.props.Path), Roles: &[]any{*role.Ref()},
	})
	return *role.AttrArn()
}

// certificateRole is for a machine with a certificate. Roles Anywhere tags every
// session with the certificate's subject, and its documentation asks for these
// three actions (IAM Roles Anywhere User Guide, "Trust model").
func (u *Uploaders) certificateRole(name string, own any) (arn string) {
	role := u.role(name, own, trust("rolesanywhere.amazonaws.com",
		[]string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"},
		map[string]any{
			"StringEquals": map[string]any{"aws:PrincipalTag/" + certificateTag: name},
			"ArnEquals":    map[string]any{"aws:SourceArn": u.props.TrustAnchor},
		}))
	awsrolesanywhere.NewCfnProfile(u, jsii.String(name+"/Profile"), &awsrolesanywhere.CfnProfileProps{
		Name: jsii.String(name), RoleArns: &[]any{*role.AttrArn()}, Enabled: jsii.Bool(true),
	})
	return *role.AttrArn()
}

func (u *Uploaders) role(name string, own any, trust map[string]any) awsiam.CfnRole {
	return awsiam.NewCfnRole(u, jsii.String(name), &awsiam.CfnRoleProps{
		RoleName: jsii.String(name), Path: jsii.String(u.props.Path),
		AssumeRolePolicyDocument: trust,
		PermissionsBoundary:      u.boundary, Policies: own,
		Tags: &[]*awscdk.CfnTag{{Key: jsii.String(UploaderTag), Value: jsii.String(name)}},
	})
}

func inline(document map[string]any) map[string]any {
	return map[string]any{"policyName": "write-only", "policyDocument": document}
}

// trust lets one service, and nobody else, hand out sessions of a role.
func trust(service string, actions []string, conditions map[string]any) map[string]any {
	statement := map[string]any{"Effect": "Allow", "Principal": map[string]any{"Service": service}, "Action": actions}
	if conditions != nil {
		statement["Condition"] = conditions
	}
	return map[string]any{"Version": "2012-10-17", "Statement": []any{statement}}
}
