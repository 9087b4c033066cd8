package sources

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"buzon/agent/policy"
)

// live reads an account through the APIs. Reads that are refused become gaps;
// only what makes all else pointless (no credentials, no network, a canceled
// context) is an error.
type live struct {
	*loader
	iam    *iam.Client
	out    *account
	own    string // account id of the caller
	denied map[string]bool
}

const readTries = 8 // of a throttled read; the SDK backs off between them

func (l *loader) readLive(ctx context.Context) (*account, error) {
	v := &live{loader: l, out: newAccount(""), denied: map[string]bool{}}
	v.iam = iam.NewFromConfig(l.access.AWS.Config, func(o *iam.Options) {
		o.Retryer = retry.AddWithMaxAttempts(retry.NewStandard(), readTries)
	})
	if l.access.AWS.STS != nil {
		who, err := l.access.AWS.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			return nil, &ReadError{What: "sts:GetCallerIdentity", err: err}
		}
		v.own = aws.ToString(who.Account)
	}
	if l.sel.Bucket == "" {
		return nil, &UsageError{Code: UsageNoBucket}
	}
	if err := v.principals(ctx); err != nil {
		return nil, err
	}
	if err := v.bucket(ctx); err != nil {
		return nil, err
	}
	v.out.topics = append(v.out.topics, Assumption{TopicOtherResources, NotRead})
	v.out.id, v.out.live = v.own, true
	for _, p := range v.out.principals {
		v.out.id = p.subject.Account
	}
	return v.out, nil
}

// gap records a read that failed. It returns an error only where going on is
// pointless.
func (v *live) gap(ctx context.Context, to *[]Gap, what, permission string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return &ReadError{What: what, err: err}
	}
	g := Gap{Reason: GapFailed, What: what, Source: -1}
	var response *smithyhttp.ResponseError
	forbidden := errors.As(err, &response) && response.HTTPStatusCode() == http.StatusForbidden
	switch code := api.ErrorCode(); {
	case code == "InvalidClientTokenId", code == "ExpiredToken", code == "ExpiredTokenException",
		code == "SignatureDoesNotMatch", code == "InvalidAccessKeyId":
		return &ReadError{What: what, err: err}
	case strings.HasPrefix(code, "AccessDenied"), code == "UnauthorizedOperation", forbidden:
		g.Reason, g.Permission = GapDenied, permission
	}
	*to = append(*to, g)
	return nil
}

func isCode(err error, codes ...string) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	for _, c := range codes {
		if api.ErrorCode() == c {
			return true
		}
	}
	return false
}

func (v *live) principals(ctx context.Context) error {
	if v.sel.All {
		if err := v.everybody(ctx); err != nil {
			return err
		}
	}
	todo := len(v.sel.Users) + len(v.sel.Roles)
	for i, name := range v.sel.Users {
		v.tell(name, i, todo)
		if err := v.user(ctx, lastSegment(name)); err != nil {
			return err
		}
	}
	for i, name := range v.sel.Roles {
		v.tell(name, len(v.sel.Users)+i, todo)
		if err := v.role(ctx, lastSegment(name)); err != nil {
			return err
		}
	}
	if !v.sel.All {
		return v.trusts(ctx)
	}
	return nil
}

func (v *live) tell(name string, done, all int) {
	if v.access.Progress != nil {
		v.access.Progress(Progress{Principal: name, Done: done, All: all})
	}
}

func lastSegment(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// find returns the principal of that name that --all has already found.
func (v *live) find(t policy.Type, name string) *principal {
	for _, p := range v.out.principals {
		if p.subject.Type == t && strings.EqualFold(p.subject.Name, name) {
			return p
		}
	}
	return nil
}

// unknown makes a principal of whom only the name is known.
func (v *live) unknown(t policy.Type, kind, name string) *principal {
	arn := "arn:aws:iam::" + v.own + ":" + kind + "/" + name
	return &principal{named: true, subject: policy.Subject{
		Type: t, ARN: arn, Partition: "aws", Account: v.own, Path: "/", Name: name,
	}}
}

func (v *live) user(ctx context.Context, name string) error {
	if p := v.find(policy.User, name); p != nil {
		p.named = true
		return nil
	}
	got, err := v.iam.GetUser(ctx, &iam.GetUserInput{UserName: &name})
	if isCode(err, "NoSuchEntity") {
		return &NobodyError{"user", name}
	}
	if err != nil {
		p := v.unknown(policy.User, "user", name)
		v.out.principals = append(v.out.principals, p)
		return v.gap(ctx, &p.gaps, p.subject.ARN, "iam:GetUser", err)
	}
	u := got.User
	subject, ok := subjectOf(aws.ToString(u.Arn))
	if !ok {
		return fmt.Errorf("read user %s: unexpected ARN %q", name, aws.ToString(u.Arn))
	}
	p := &principal{named: true, subject: subject}
	p.subject.UniqueID = aws.ToString(u.UserId)
	p.subject.Tags, p.subject.TagsKnown = tagMap(u.Tags), true
	v.out.principals = append(v.out.principals, p)
	if u.PermissionsBoundary != nil {
		p.boundary = aws.ToString(u.PermissionsBoundary.PermissionsBoundaryArn)
		if err := v.managed(ctx, &p.gaps, p.boundary); err != nil {
			return err
		}
	}
	if err := v.userPolicies(ctx, p); err != nil {
		return err
	}
	if err := v.userGroups(ctx, p); err != nil {
		return err
	}
	return v.credentials(ctx, p)
}

func tagMap(tags []iamtypes.Tag) map[string]string {
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return out
}

func (v *live) userPolicies(ctx context.Context, p *principal) error {
	name := p.subject.Name
	for page := iam.NewListUserPoliciesPaginator(v.iam, &iam.ListUserPoliciesInput{UserName: &name}); page.HasMorePages(); {
		list, err := page.NextPage(ctx)
		if err != nil {
			if err := v.gap(ctx, &p.gaps, p.subject.ARN, "iam:ListUserPolicies", err); err != nil {
				return err
			}
			break
		}
		for _, inline := range list.PolicyNames {
			got, err := v.iam.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: &name, PolicyName: &inline})
			if err != nil {
				if err := v.gap(ctx, &p.gaps, name+"/"+inline, "iam:GetUserPolicy", err); err != nil {
					return err
				}
				continue
			}
			v.inline(&p.holder, inline, aws.ToString(got.PolicyDocument))
		}
	}
	for page := iam.NewListAttachedUserPoliciesPaginator(v.iam, &iam.ListAttachedUserPoliciesInput{UserName: &name}); page.HasMorePages(); {
		list, err := page.NextPage(ctx)
		if err != nil {
			return v.gap(ctx, &p.gaps, p.subject.ARN, "iam:ListAttachedUserPolicies", err)
		}
		for _, a := range list.AttachedPolicies {
			p.attached = append(p.attached, aws.ToString(a.PolicyArn))
			if err := v.managed(ctx, &p.gaps, aws.ToString(a.PolicyArn)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *live) userGroups(ctx context.Context, p *principal) error {
	name := p.subject.Name
	for page := iam.NewListGroupsForUserPaginator(v.iam, &iam.ListGroupsForUserInput{UserName: &name}); page.HasMorePages(); {
		list, err := page.NextPage(ctx)
		if err != nil {
			return v.gap(ctx, &p.gaps, p.subject.ARN, "iam:ListGroupsForUser", err)
		}
		for _, g := range list.Groups {
			p.groups = append(p.groups, aws.ToString(g.GroupName))
			if err := v.group(ctx, aws.ToString(g.GroupName)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *live) group(ctx context.Context, name string) error {
	if v.out.groups[name] != nil {
		return nil
	}
	g := &holder{}
	v.out.groups[name] = g
	for page := iam.NewListGroupPoliciesPaginator(v.iam, &iam.ListGroupPoliciesInput{GroupName: &name}); page.HasMorePages(); {
		list, err := page.NextPage(ctx)
		if err != nil {
			if err := v.gap(ctx, &g.gaps, "group "+name, "iam:ListGroupPolicies", err); err != nil {
				return err
			}
			break
		}
		for _, inline := range list.PolicyNames {
			got, err := v.iam.GetGroupPolicy(ctx, &iam.GetGroupPolicyInput{GroupName: &name, PolicyName: &inline})
			if err != nil {
				if err := v.gap(ctx, &g.gaps, name+"/"+inline, "iam:GetGroupPolicy", err); err != nil {
					return err
				}
				continue
			}
			v.inline(g, inline, aws.ToString(got.PolicyDocument))
		}
	}
	for page := iam.NewListAttachedGroupPoliciesPaginator(v.iam, &iam.ListAttachedGroupPoliciesInput{GroupName: &name}); page.HasMorePages(); {
		list, err := page.NextPage(ctx)
		if err != nil {
			return v.gap(ctx, &g.gaps, "group "+name, "iam:ListAttachedGroupPolicies", err)
		}
		for _, a := range list.AttachedPolicies {
			g.attached = append(g.attached, aws.ToString(a.PolicyArn))
			if err := v.managed(ctx, &g.gaps, aws.ToString(a.PolicyArn)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *live) role(ctx context.Context, name string) error {
	if p := v.find(policy.Role, name); p != nil {
		p.named = true
		return nil
	}
	got, err := v.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if isCode(err, "NoSuchEntity") {
		return &NobodyError{"role", name}
	}
	if err != nil {
		p := v.unknown(policy.Role, "role", name)
		v.out.principals = append(v.out.principals, p)
		return v.gap(ctx, &p.gaps, p.subject.ARN, "iam:GetRole", err)
	}
	r := got.Role
	subject, ok := subjectOf(aws.ToString(r.Arn))
	if !ok {
		return fmt.Errorf("read role %s: unexpected ARN %q", name, aws.ToString(r.Arn))
	}
	p := &principal{named: true, subject: subject}
	p.subject.UniqueID = aws.ToString(r.RoleId)
	p.subject.Tags, p.subject.TagsKnown = tagMap(r.Tags), true
	v.out.principals = append(v.out.principals, p)
	v.trust(r)
	if r.PermissionsBoundary != nil {
		p.boundary = aws.ToString(r.PermissionsBoundary.PermissionsBoundaryArn)
		if err := v.managed(ctx, &p.gaps, p.boundary); err != nil {
			return err
		}
	}
	return v.rolePolicies(ctx, p)
}

func (v *live) rolePolicies(ctx context.Context, p *principal) error {
	name := p.subject.Name
	for page := iam.NewListRolePoliciesPaginator(v.iam, &iam.ListRolePoliciesInput{RoleName: &name}); page.HasMorePages(); {
		list, err := page.NextPage(ctx)
		if err != nil {
			if err := v.gap(ctx, &p.gaps, p.subject.ARN, "iam:ListRolePolicies", err); err != nil {
				return err
			}
			break
		}
		for _, inline := range list.PolicyNames {
			got, err := v.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: &inline})
			if err != nil {
				if err := v.gap(ctx, &p.gaps, name+"/"+inline, "iam:GetRolePolicy", err); err != nil {
					return err
				}
				continue
			}
			v.inline(&p.holder, inline, aws.ToString(got.PolicyDocument))
		}
	}
	for page := iam.NewListAttachedRolePoliciesPaginator(v.iam, &iam.ListAttachedRolePoliciesInput{RoleName: &name}); page.HasMorePages(); {
		list, err := page.NextPage(ctx)
		if err != nil {
			return v.gap(ctx, &p.gaps, p.subject.ARN, "iam:ListAttachedRolePolicies", err)
		}
		for _, a := range list.AttachedPolicies {
			p.attached = append(p.attached, aws.ToString(a.PolicyArn))
			if err := v.managed(ctx, &p.gaps, aws.ToString(a.PolicyArn)); err != nil {
				return err
			}
		}
	}
	return nil
}

// trusts reads the trust policies of all roles: one of them may let a principal
// in that has no right of its own to assume it.
func (v *live) trusts(ctx context.Context) error {
	for page := iam.NewListRolesPaginator(v.iam, &iam.ListRolesInput{}); page.HasMorePages(); {
		list, err := page.NextPage(ctx)
		if err != nil {
			return v.gap(ctx, &v.out.gaps, "trust policies", "iam:ListRoles", err)
		}
		for i := range list.Roles {
			v.trust(&list.Roles[i])
		}
	}
	return nil
}

func (v *live) trust(r *iamtypes.Role) {
	arn := aws.ToString(r.Arn)
	for _, t := range v.out.trusts {
		if t.Attached == arn {
			return
		}
	}
	src, ok := liveDocument(policy.Trust, aws.ToString(r.RoleName), aws.ToString(r.AssumeRolePolicyDocument), &v.out.gaps)
	if ok {
		src.Attached = arn
		v.out.trusts = append(v.out.trusts, src)
	}
}

func (v *live) inline(h *holder, name, encoded string) {
	if src, ok := liveDocument(policy.UserInline, name, encoded, &h.gaps); ok {
		h.inline = append(h.inline, src)
	}
}

// managed reads a managed policy's default version, once.
func (v *live) managed(ctx context.Context, gaps *[]Gap, arn string) error {
	if _, done := v.out.managed[arn]; done {
		if v.denied[arn] {
			*gaps = append(*gaps, Gap{Reason: GapUnknownPolicy, What: arn, Permission: readManaged, Source: -1})
		}
		return nil
	}
	v.out.managed[arn] = nil
	miss := func(permission string, err error) error {
		v.denied[arn] = true
		if isCode(err, "NoSuchEntity") {
			*gaps = append(*gaps, Gap{Reason: GapUnknownPolicy, What: arn, Permission: readManaged, Source: -1})
			return nil
		}
		return v.gap(ctx, gaps, arn, permission, err)
	}
	got, err := v.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
	if err != nil {
		return miss("iam:GetPolicy", err)
	}
	version, err := v.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{
		PolicyArn: &arn, VersionId: got.Policy.DefaultVersionId,
	})
	if err != nil {
		return miss("iam:GetPolicyVersion", err)
	}
	src, ok := liveDocument(policy.UserManaged, aws.ToString(got.Policy.PolicyName), aws.ToString(version.PolicyVersion.Document), gaps)
	if !ok {
		v.denied[arn] = true
		return nil
	}
	src.ARN, src.Version = arn, aws.ToString(got.Policy.DefaultVersionId)
	v.out.managed[arn] = &src
	return nil
}

// liveDocument reads a document that the API gave.
func liveDocument(kind policy.Kind, name, encoded string, gaps *[]Gap) (policy.Source, bool) {
	plain, err := decodeDocument(encoded)
	var doc *policy.Document
	if err == nil {
		doc, err = policy.Parse(name, plain, policy.ParseOptions{Grammar: kind.Grammar(), Lenient: true})
	}
	if err != nil {
		*gaps = append(*gaps, Gap{Reason: GapMalformed, What: name, Source: -1})
		return policy.Source{}, false
	}
	return policy.Source{Kind: kind, Name: name, Raw: plain, SHA256: digest(plain), Document: doc}, true
}
