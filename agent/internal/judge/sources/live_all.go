package sources

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"buzon/agent/policy"
)

// everybody reads the whole account in one paginated call, and then what that
// call leaves out of those who are to be judged.
func (v *live) everybody(ctx context.Context) error {
	n := 0
	for page := iam.NewGetAccountAuthorizationDetailsPaginator(v.iam, &iam.GetAccountAuthorizationDetailsInput{}); page.HasMorePages(); {
		got, err := page.NextPage(ctx)
		if err != nil {
			somebody, _ := stranger(v.sel.Path)
			somebody.Account = v.own
			somebody.ARN = strings.Replace(somebody.ARN, string(strangerAccount), v.own, 1)
			p := &principal{named: true, subject: somebody}
			v.out.principals = append(v.out.principals, p)
			return v.gap(ctx, &p.gaps, "account "+v.own, "iam:GetAccountAuthorizationDetails", err)
		}
		for _, m := range got.Policies {
			v.managedDetail(m)
		}
		for _, g := range got.GroupDetailList {
			h := &holder{attached: attachedARNs(g.AttachedManagedPolicies)}
			v.inlineDetails(h, g.GroupPolicyList)
			v.out.groups[aws.ToString(g.GroupName)] = h
		}
		for _, u := range got.UserDetailList {
			v.principalDetail(aws.ToString(u.Arn), aws.ToString(u.UserId), u.Tags, u.PermissionsBoundary,
				u.AttachedManagedPolicies, u.UserPolicyList, u.GroupList)
			n++
		}
		for _, r := range got.RoleDetailList {
			v.trust(&iamtypes.Role{Arn: r.Arn, RoleName: r.RoleName, AssumeRolePolicyDocument: r.AssumeRolePolicyDocument})
			v.principalDetail(aws.ToString(r.Arn), aws.ToString(r.RoleId), r.Tags, r.PermissionsBoundary,
				r.AttachedManagedPolicies, r.RolePolicyList, nil)
			n++
		}
		v.tell("", n, 0)
	}
	v.whole[policy.User], v.whole[policy.Role] = true, true
	return v.missing(ctx)
}

// missing reads the managed policies of those who are judged that the details
// did not hold, and the users' credentials.
func (v *live) missing(ctx context.Context) error {
	for i, p := range v.out.principals {
		if !strings.HasPrefix(p.subject.Path, v.sel.Path) {
			continue
		}
		v.tell(p.subject.Name, i, len(v.out.principals))
		if p.boundary == "" {
			v.boundary(ctx, p)
		}
		arns := append([]string(nil), p.attached...)
		for _, g := range p.groups {
			if h := v.out.groups[g]; h != nil {
				arns = append(arns, h.attached...)
			}
		}
		if p.boundary != "" {
			arns = append(arns, p.boundary)
		}
		for _, arn := range arns {
			if err := v.managed(ctx, &p.gaps, arn); err != nil {
				return err
			}
		}
		if p.subject.Type == policy.User {
			if err := v.credentials(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// boundary asks once more for the boundary of somebody who has none by the
// details: not every store tells it there. What is refused leaves it at that,
// for without a boundary more is found, never less.
func (v *live) boundary(ctx context.Context, p *principal) {
	var found *iamtypes.AttachedPermissionsBoundary
	if p.subject.Type == policy.User {
		if got, err := v.iam.GetUser(ctx, &iam.GetUserInput{UserName: &p.subject.Name}); err == nil {
			found = got.User.PermissionsBoundary
		}
	} else if got, err := v.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &p.subject.Name}); err == nil {
		found = got.Role.PermissionsBoundary
	}
	if found != nil {
		p.boundary = aws.ToString(found.PermissionsBoundaryArn)
	}
}

func (v *live) managedDetail(m iamtypes.ManagedPolicyDetail) {
	for _, version := range m.PolicyVersionList {
		if !version.IsDefaultVersion {
			continue
		}
		var gaps []Gap
		src, ok := liveDocument(policy.UserManaged, aws.ToString(m.PolicyName), aws.ToString(version.Document), &gaps)
		if ok {
			src.ARN, src.Version = aws.ToString(m.Arn), aws.ToString(version.VersionId)
			v.out.managed[src.ARN] = &src
		}
	}
}

func attachedARNs(list []iamtypes.AttachedPolicy) []string {
	var out []string
	for _, a := range list {
		out = append(out, aws.ToString(a.PolicyArn))
	}
	return out
}

func (v *live) inlineDetails(h *holder, list []iamtypes.PolicyDetail) {
	for _, d := range list {
		v.inline(h, aws.ToString(d.PolicyName), aws.ToString(d.PolicyDocument))
	}
}

func (v *live) principalDetail(arn, id string, tags []iamtypes.Tag, boundary *iamtypes.AttachedPermissionsBoundary,
	attached []iamtypes.AttachedPolicy, inline []iamtypes.PolicyDetail, groups []string) {
	subject, ok := subjectOf(arn)
	if !ok {
		v.out.gaps = append(v.out.gaps, Gap{Reason: GapMalformed, What: arn, Source: -1})
		return
	}
	subject.UniqueID, subject.Tags, subject.TagsKnown = id, tagMap(tags), true
	p := &principal{subject: subject, groups: groups}
	p.attached = attachedARNs(attached)
	v.inlineDetails(&p.holder, inline)
	if boundary != nil {
		p.boundary = aws.ToString(boundary.PermissionsBoundaryArn)
	}
	v.out.principals = append(v.out.principals, p)
}

// credentials reads what a user can sign in with.
func (v *live) credentials(ctx context.Context, p *principal) error {
	name := p.subject.Name
	c := &Credentials{Others: map[string]int{}}
	// What is not known of credentials adds no rights: it leaves the warnings
	// about them unasked, and is no gap.
	var lost []Gap
	for page := iam.NewListAccessKeysPaginator(v.iam, &iam.ListAccessKeysInput{UserName: &name}); page.HasMorePages(); {
		list, err := page.NextPage(ctx)
		if err != nil {
			if err := v.gap(ctx, &lost, name, "iam:ListAccessKeys", err); err != nil {
				return err
			}
			break
		}
		for _, k := range list.AccessKeyMetadata {
			id := aws.ToString(k.AccessKeyId)
			c.Keys = append(c.Keys, Key{
				ID: id[max(0, len(id)-4):], Active: k.Status == iamtypes.StatusTypeActive, Created: aws.ToTime(k.CreateDate),
			})
		}
	}
	if _, err := v.iam.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: &name}); err == nil {
		c.Password = true
	} else if !isCode(err, "NoSuchEntity") {
		if err := v.gap(ctx, &lost, name, "iam:GetLoginProfile", err); err != nil {
			return err
		}
	}
	if got, err := v.iam.ListServiceSpecificCredentials(ctx, &iam.ListServiceSpecificCredentialsInput{UserName: &name}); err == nil {
		c.Others["service-credential"] += len(got.ServiceSpecificCredentials)
	} else if err := v.gap(ctx, &lost, name, "iam:ListServiceSpecificCredentials", err); err != nil {
		return err
	}
	if got, err := v.iam.ListSigningCertificates(ctx, &iam.ListSigningCertificatesInput{UserName: &name}); err == nil {
		c.Others["certificate"] += len(got.Certificates)
	} else if err := v.gap(ctx, &lost, name, "iam:ListSigningCertificates", err); err != nil {
		return err
	}
	if got, err := v.iam.ListSSHPublicKeys(ctx, &iam.ListSSHPublicKeysInput{UserName: &name}); err == nil {
		c.Others["ssh-key"] += len(got.SSHPublicKeys)
	} else if err := v.gap(ctx, &lost, name, "iam:ListSSHPublicKeys", err); err != nil {
		return err
	}
	p.keys = c
	for _, g := range lost {
		if g.Reason == GapDenied {
			p.topics = append(p.topics, Assumption{TopicCredentials, NotRead})
			break
		}
	}
	return nil
}
