package sources

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"buzon/agent/policy"
)

// everybody reads the whole account in one list, and gives whom to read further:
// those under the path, and those that were named.
func (v *live) everybody(ctx context.Context, users, roles []*wanted) ([]*wanted, []*wanted, error) {
	var gaps []Gap
	n := 0
	a := pages(ctx, v, call{name: "iam:GetAccountAuthorizationDetails", what: "account " + v.own, to: &gaps},
		func(ctx context.Context, marker *string) (page[*iam.GetAccountAuthorizationDetailsOutput], error) {
			o, err := v.iam.GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{Marker: marker, MaxItems: aws.Int32(1000)})
			if err != nil {
				return page[*iam.GetAccountAuthorizationDetailsOutput]{}, err
			}
			one := page[*iam.GetAccountAuthorizationDetailsOutput]{more: o.IsTruncated, next: o.Marker}
			whole := o.UserDetailList != nil && o.GroupDetailList != nil && o.RoleDetailList != nil && o.Policies != nil
			if signed, ok := ctx.Value(signedKey{}).(*bool); whole || ok && *signed {
				one.items = []*iam.GetAccountAuthorizationDetailsOutput{o}
			}
			return one, nil
		},
		v.detailsHere,
		func(o *iam.GetAccountAuthorizationDetailsOutput) {
			v.take(o)
			n += len(o.UserDetailList) + len(o.RoleDetailList)
			v.tell(Progress{Done: n})
		})
	if a != got {
		somebody, _ := stranger(v.sel.Path)
		if v.own != "" {
			somebody.ARN = strings.Replace(somebody.ARN, string(strangerAccount), v.own, 1)
			somebody.Account = v.own
		}
		p := &principal{named: true, subject: somebody}
		p.gaps = gaps
		v.out.principals = append(v.out.principals, p)
	} else {
		v.whole[policy.User], v.whole[policy.Role] = true, true
	}
	return v.further(policy.User, users), v.further(policy.Role, roles), v.ended()
}

// detailsHere reports whether all that a page holds is of the account.
func (v *live) detailsHere(o *iam.GetAccountAuthorizationDetailsOutput) bool {
	for _, u := range o.UserDetailList {
		if v.holdsRecord(policy.User, aws.ToString(u.Arn), aws.ToString(u.UserName), named{name: aws.ToString(u.UserName)}) != "" {
			return false
		}
	}
	for _, r := range o.RoleDetailList {
		if v.holdsRecord(policy.Role, aws.ToString(r.Arn), aws.ToString(r.RoleName), named{name: aws.ToString(r.RoleName)}) != "" {
			return false
		}
	}
	return true
}

// further gives those of a kind who are to be read beyond the account's details.
func (v *live) further(t policy.Type, asked []*wanted) []*wanted {
	var out []*wanted
	for _, p := range v.out.principals {
		if p.subject.Type != t || p.gaps != nil && p.named {
			continue
		}
		judged := strings.HasPrefix(p.subject.Path, v.sel.Path)
		asked = slices.DeleteFunc(asked, func(w *wanted) bool {
			if !w.means(&p.subject) {
				return false
			}
			p.named, judged = true, true
			return true
		})
		if judged {
			out = append(out, &wanted{named: named{name: p.subject.Name}, kind: t, found: p})
		}
	}
	return append(out, asked...)
}

// take takes one page of the account's details.
func (v *live) take(o *iam.GetAccountAuthorizationDetailsOutput) {
	for _, m := range o.Policies {
		v.managedDetail(m)
	}
	for _, g := range o.GroupDetailList {
		h := &holder{attached: attachedARNs(g.AttachedManagedPolicies)}
		v.inlineDetails(h, g.GroupPolicyList)
		v.groups.get(aws.ToString(g.GroupName), func() *holder { return h })
	}
	for _, u := range o.UserDetailList {
		p := v.detail(*u.Arn, aws.ToString(u.UserId), u.Tags, u.PermissionsBoundary, u.AttachedManagedPolicies, u.UserPolicyList)
		p.groups = u.GroupList
	}
	for _, r := range o.RoleDetailList {
		v.trust(*r.Arn, aws.ToString(r.RoleName), aws.ToString(r.AssumeRolePolicyDocument))
		v.detail(*r.Arn, aws.ToString(r.RoleId), r.Tags, r.PermissionsBoundary, r.AttachedManagedPolicies, r.RolePolicyList)
	}
}

func (v *live) detail(arn, id string, tags []iamtypes.Tag, boundary *iamtypes.AttachedPermissionsBoundary,
	attached []iamtypes.AttachedPolicy, inline []iamtypes.PolicyDetail) *principal {
	subject, _ := subjectOf(arn) // detailsHere has looked
	subject.UniqueID, subject.Tags, subject.TagsKnown = id, tagMap(tags), true
	p := &principal{subject: subject}
	p.attached = attachedARNs(attached)
	v.inlineDetails(&p.holder, inline)
	if boundary != nil {
		p.boundary = aws.ToString(boundary.PermissionsBoundaryArn)
	}
	v.out.principals = append(v.out.principals, p)
	return p
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

// managedDetail takes a managed policy whose details hold its default version.
// Where the two ways of saying which that is differ, it is asked for by itself.
func (v *live) managedDetail(m iamtypes.ManagedPolicyDetail) {
	arn := aws.ToString(m.Arn)
	for _, version := range m.PolicyVersionList {
		id := aws.ToString(version.VersionId)
		if !version.IsDefaultVersion || id != aws.ToString(m.DefaultVersionId) {
			continue
		}
		v.policies.get(arn, func() *managedRead {
			r := &managedRead{}
			src, ok := liveDocument(policy.UserManaged, aws.ToString(m.PolicyName), aws.ToString(version.Document), &r.gaps)
			if ok {
				src.ARN, src.Version = arn, id
				r.src = &src
			}
			return r
		})
		return
	}
}

// beyond reads what the account's details leave out of one principal.
func (v *live) beyond(ctx context.Context, p *principal) {
	if p.boundary == "" {
		v.boundary(ctx, p)
	}
	arns := slices.Clone(p.attached)
	for _, name := range p.groups {
		if g, ok := v.groups.peek(name); ok {
			arns = append(arns, g.attached...)
		}
	}
	if p.boundary != "" {
		arns = append(arns, p.boundary)
	}
	for _, arn := range arns {
		v.managed(ctx, arn)
	}
	if p.subject.Type == policy.User {
		v.credentials(ctx, p, v.report)
	}
}

// boundary asks once more for the boundary of somebody who has none by the
// details: not every store tells it there. What is refused leaves it at that,
// for without a boundary more is found, never less.
func (v *live) boundary(ctx context.Context, p *principal) {
	asked := &principal{subject: p.subject}
	n := named{name: p.subject.Name, arn: p.subject.ARN}
	var found *iamtypes.AttachedPermissionsBoundary
	if p.subject.Type == policy.User {
		if u, a := v.getUser(ctx, n, asked); a == got {
			found = u.PermissionsBoundary
		}
	} else if r, a := v.getRole(ctx, n, asked); a == got {
		found = r.PermissionsBoundary
	}
	if found != nil {
		p.boundary = aws.ToString(found.PermissionsBoundaryArn)
	}
}
