package main

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

// mailbox is what the uploaders' policies say about the place they write to.
type mailbox struct {
	BucketARN string
	KeyARN    string // "" where S3 keeps the keys
	Via       string // S3's name in kms:ViaService
}

// writeOnly is the one policy that an uploader gets, as CloudFormation takes it.
// name is the uploader's, or a variable that stands for it.
func (m mailbox) writeOnly(prefix, name string) map[string]any {
	objects := m.BucketARN + "/" + prefix + name + "/*"
	document := policy.WriteOnly(objects)
	if m.KeyARN != "" {
		document = policy.WriteOnlyWithKey(objects, m.KeyARN, m.Via)
	}
	var out map[string]any
	if err := json.Unmarshal(document.JSON(), &out); err != nil {
		panic(fmt.Sprintf("policy.WriteOnly printed no JSON: %v", err))
	}
	return out
}

// newUploaders makes one identity for each name, and the boundary that they
// share. The boundary is one document with the uploader's name as a variable:
// it gives each the same set as its own policy, and an account's number of
// managed policies doesn't limit the fleet.
func newUploaders(stack awscdk.Stack, to mailbox, names []string, s *Settings) constructs.Construct {
	uploaders := constructs.NewConstruct(stack, jsii.String("Uploaders"))
	shared := to.writeOnly(s.UploadPrefix, s.nameVariable())
	boundary := awsiam.NewCfnManagedPolicy(uploaders, jsii.String("Boundary"), &awsiam.CfnManagedPolicyProps{
		Description:    jsii.String("Buzon: the most that an uploader can do, whatever else is attached to it"),
		Path:           jsii.String(s.Path),
		PolicyDocument: shared,
	})
	var groups *[]any // nil: none
	if s.Attach == AttachGroup {
		group := awsiam.NewCfnGroup(uploaders, jsii.String("Group"), &awsiam.CfnGroupProps{
			Path:     jsii.String(s.Path),
			Policies: []any{inline(shared)},
		})
		groups = &[]any{*group.Ref()}
	}
	for _, name := range names {
		var own any // nil: it has the group's
		if s.Attach != AttachGroup {
			own = []any{inline(to.writeOnly(s.UploadPrefix, name))}
		}
		switch s.Identity {
		case IdentityUser:
			awsiam.NewCfnUser(uploaders, jsii.String(name), &awsiam.CfnUserProps{
				UserName: jsii.String(name), Path: jsii.String(s.Path),
				PermissionsBoundary: boundary.Ref(), Policies: own, Groups: groups,
			})
		case IdentityRole:
			role := newRole(uploaders, name, boundary, own, trust("ec2.amazonaws.com", []string{"sts:AssumeRole"}, nil), s)
			awsiam.NewCfnInstanceProfile(uploaders, jsii.String(name+"/Profile"), &awsiam.CfnInstanceProfileProps{
				InstanceProfileName: jsii.String(name), Path: jsii.String(s.Path), Roles: &[]any{*role.Ref()},
			})
		case IdentityRolesAnywhere:
			// Roles Anywhere tags every session with the certificate's subject, and
			// its documentation asks for these three actions (IAM Roles Anywhere User
			// Guide, "Trust model").
			role := newRole(uploaders, name, boundary, own, trust("rolesanywhere.amazonaws.com",
				[]string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"},
				map[string]any{
					"StringEquals": map[string]any{"aws:PrincipalTag/x509Subject/CN": name},
					"ArnEquals":    map[string]any{"aws:SourceArn": s.TrustAnchor},
				}), s)
			awsrolesanywhere.NewCfnProfile(uploaders, jsii.String(name+"/Profile"), &awsrolesanywhere.CfnProfileProps{
				Name: jsii.String(name), RoleArns: &[]any{*role.AttrArn()}, Enabled: jsii.Bool(true),
			})
		}
	}
	return uploaders
}

func newRole(scope constructs.Construct, name string, boundary awsiam.CfnManagedPolicy, own any, trust map[string]any, s *Settings) awsiam.CfnRole {
	return awsiam.NewCfnRole(scope, jsii.String(name), &awsiam.CfnRoleProps{
		RoleName: jsii.String(name), Path: jsii.String(s.Path),
		AssumeRolePolicyDocument: trust,
		PermissionsBoundary:      boundary.Ref(), Policies: own,
		Tags: &[]*awscdk.CfnTag{{Key: jsii.String(uploaderTag), Value: jsii.String(name)}},
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
