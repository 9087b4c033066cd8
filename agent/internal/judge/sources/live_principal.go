package sources

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"buzon/agent/policy"
)

const noSuchEntity = "NoSuchEntity"

// user reads a user that was named, with all that hangs on it.
func (v *live) user(ctx context.Context, n named) (*principal, error) {
	p := v.unread(policy.User, n)
	out, a := v.getUser(ctx, n, p)
	switch {
	case a == none, a == got && !n.means(&p.subject):
		return nil, &NobodyError{"user", n.given}
	case a == lost:
		return p, nil
	}
	v.fill(ctx, p, out.PermissionsBoundary, out.Tags)
	v.hangs(ctx, &p.holder, v.ofUser(p.subject.Name))
	v.userGroups(ctx, p)
	v.credentials(ctx, p, nil)
	return p, nil
}

// getUser reads a user's record, and makes p the principal that it is.
func (v *live) getUser(ctx context.Context, n named, p *principal) (*iamtypes.User, answer) {
	out, a := ask(ctx, v, call{name: "iam:GetUser", what: p.subject.ARN, to: &p.gaps, none: []string{noSuchEntity}},
		func(ctx context.Context) (*iam.GetUserOutput, error) {
			return v.iam.GetUser(ctx, &iam.GetUserInput{UserName: &n.name})
		},
		func(out *iam.GetUserOutput) Lost {
			if out.User == nil {
				return LostEmpty
			}
			return v.holdsRecord(policy.User, aws.ToString(out.User.Arn), aws.ToString(out.User.UserName), n)
		})
	if a != got {
		return nil, a
	}
	p.subject, _ = subjectOf(*out.User.Arn)
	p.subject.UniqueID, p.notes = aws.ToString(out.User.UserId), nil
	return out.User, got
}

// role reads a role that was named, with all that hangs on it.
func (v *live) role(ctx context.Context, n named) (*principal, error) {
	p := v.unread(policy.Role, n)
	out, a := v.getRole(ctx, n, p)
	switch {
	case a == none, a == got && !n.means(&p.subject):
		return nil, &NobodyError{"role", n.given}
	case a == lost:
		return p, nil
	}
	v.trust(*out.Arn, aws.ToString(out.RoleName), aws.ToString(out.AssumeRolePolicyDocument))
	v.fill(ctx, p, out.PermissionsBoundary, out.Tags)
	v.hangs(ctx, &p.holder, v.ofRole(p.subject.Name))
	return p, nil
}

func (v *live) getRole(ctx context.Context, n named, p *principal) (*iamtypes.Role, answer) {
	out, a := ask(ctx, v, call{name: "iam:GetRole", what: p.subject.ARN, to: &p.gaps, none: []string{noSuchEntity}},
		func(ctx context.Context) (*iam.GetRoleOutput, error) {
			return v.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &n.name})
		},
		func(out *iam.GetRoleOutput) Lost {
			if out.Role == nil || aws.ToString(out.Role.AssumeRolePolicyDocument) == "" {
				return LostEmpty
			}
			return v.holdsRecord(policy.Role, aws.ToString(out.Role.Arn), aws.ToString(out.Role.RoleName), n)
		})
	if a != got {
		return nil, a
	}
	p.subject, _ = subjectOf(*out.Role.Arn)
	p.subject.UniqueID, p.notes = aws.ToString(out.Role.RoleId), nil
	return out.Role, got
}

// fill takes what a record says besides its name.
func (v *live) fill(ctx context.Context, p *principal, boundary *iamtypes.AttachedPermissionsBoundary, tags []iamtypes.Tag) {
	p.subject.Tags, p.subject.TagsKnown = tagMap(tags), true
	if boundary != nil {
		p.boundary = aws.ToString(boundary.PermissionsBoundaryArn)
		v.managed(ctx, p.boundary)
	}
}

func tagMap(tags []iamtypes.Tag) map[string]string {
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return out
}

// inlineAnswer is what the calls for one inline policy answer alike.
type inlineAnswer struct{ owner, name, document *string }

// hook is where policies hang: the calls that read those of a user, a role or a
// group.
type hook struct {
	kind, name string // "User", "vm-01"
	inline     func(ctx context.Context, marker *string) (page[string], error)
	get        func(ctx context.Context, name string) (inlineAnswer, error)
	attached   func(ctx context.Context, marker *string) (page[iamtypes.AttachedPolicy], error)
}

func (h hook) what() string { return strings.ToLower(h.kind) + " " + h.name }

func (v *live) ofUser(name string) hook {
	return hook{"User", name,
		func(ctx context.Context, marker *string) (page[string], error) {
			o, err := v.iam.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: &name, Marker: marker})
			if err != nil {
				return page[string]{}, err
			}
			return page[string]{o.PolicyNames, o.IsTruncated, o.Marker}, nil
		},
		func(ctx context.Context, inline string) (inlineAnswer, error) {
			o, err := v.iam.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: &name, PolicyName: &inline})
			if err != nil {
				return inlineAnswer{}, err
			}
			return inlineAnswer{o.UserName, o.PolicyName, o.PolicyDocument}, nil
		},
		func(ctx context.Context, marker *string) (page[iamtypes.AttachedPolicy], error) {
			o, err := v.iam.ListAttachedUserPolicies(ctx, &iam.ListAttachedUserPoliciesInput{UserName: &name, Marker: marker})
			if err != nil {
				return page[iamtypes.AttachedPolicy]{}, err
			}
			return page[iamtypes.AttachedPolicy]{o.AttachedPolicies, o.IsTruncated, o.Marker}, nil
		}}
}

func (v *live) ofRole(name string) hook {
	return hook{"Role", name,
		func(ctx context.Context, marker *string) (page[string], error) {
			o, err := v.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &name, Marker: marker})
			if err != nil {
				return page[string]{}, err
			}
			return page[string]{o.PolicyNames, o.IsTruncated, o.Marker}, nil
		},
		func(ctx context.Context, inline string) (inlineAnswer, error) {
			o, err := v.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: &inline})
			if err != nil {
				return inlineAnswer{}, err
			}
			return inlineAnswer{o.RoleName, o.PolicyName, o.PolicyDocument}, nil
		},
		func(ctx context.Context, marker *string) (page[iamtypes.AttachedPolicy], error) {
			o, err := v.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: &name, Marker: marker})
			if err != nil {
				return page[iamtypes.AttachedPolicy]{}, err
			}
			return page[iamtypes.AttachedPolicy]{o.AttachedPolicies, o.IsTruncated, o.Marker}, nil
		}}
}

func (v *live) ofGroup(name string) hook {
	return hook{"Group", name,
		func(ctx context.Context, marker *string) (page[string], error) {
			o, err := v.iam.ListGroupPolicies(ctx, &iam.ListGroupPoliciesInput{GroupName: &name, Marker: marker})
			if err != nil {
				return page[string]{}, err
			}
			return page[string]{o.PolicyNames, o.IsTruncated, o.Marker}, nil
		},
		func(ctx context.Context, inline string) (inlineAnswer, error) {
			o, err := v.iam.GetGroupPolicy(ctx, &iam.GetGroupPolicyInput{GroupName: &name, PolicyName: &inline})
			if err != nil {
				return inlineAnswer{}, err
			}
			return inlineAnswer{o.GroupName, o.PolicyName, o.PolicyDocument}, nil
		},
		func(ctx context.Context, marker *string) (page[iamtypes.AttachedPolicy], error) {
			o, err := v.iam.ListAttachedGroupPolicies(ctx, &iam.ListAttachedGroupPoliciesInput{GroupName: &name, Marker: marker})
			if err != nil {
				return page[iamtypes.AttachedPolicy]{}, err
			}
			return page[iamtypes.AttachedPolicy]{o.AttachedPolicies, o.IsTruncated, o.Marker}, nil
		}}
}

// hangs reads the policies that hang on a user, a role or a group.
func (v *live) hangs(ctx context.Context, to *holder, h hook) {
	list := call{name: "iam:List" + h.kind + "Policies", what: h.what(), to: &to.gaps}
	pages(ctx, v, list, h.inline, func(name string) bool { return name != "" }, func(name string) {
		one := call{name: "iam:Get" + h.kind + "Policy", what: h.name + "/" + name, to: &to.gaps}
		out, a := ask(ctx, v, one, func(ctx context.Context) (inlineAnswer, error) { return h.get(ctx, name) }, func(out inlineAnswer) Lost {
			switch {
			case aws.ToString(out.document) == "":
				return LostEmpty
			case !strings.EqualFold(aws.ToString(out.owner), h.name), aws.ToString(out.name) != name:
				return LostAnother
			}
			return ""
		})
		if a == got {
			v.inline(to, name, *out.document)
		}
	})
	list = call{name: "iam:ListAttached" + h.kind + "Policies", what: h.what(), to: &to.gaps}
	pages(ctx, v, list, h.attached, v.isPolicy, func(p iamtypes.AttachedPolicy) {
		to.attached = append(to.attached, *p.PolicyArn)
		v.managed(ctx, *p.PolicyArn)
	})
}

// isPolicy reports whether what is attached is a policy that can be: AWS's own,
// or one of the account.
func (v *live) isPolicy(p iamtypes.AttachedPolicy) bool {
	arn, ok := parseARN(aws.ToString(p.PolicyArn))
	return ok && arn.service == "iam" && strings.HasPrefix(arn.resource, "policy/") &&
		(arn.account == "aws" || v.own == "" || arn.account == v.own)
}

func (v *live) userGroups(ctx context.Context, p *principal) {
	name := p.subject.Name
	pages(ctx, v, call{name: "iam:ListGroupsForUser", what: p.subject.ARN, to: &p.gaps},
		func(ctx context.Context, marker *string) (page[iamtypes.Group], error) {
			o, err := v.iam.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: &name, Marker: marker})
			if err != nil {
				return page[iamtypes.Group]{}, err
			}
			return page[iamtypes.Group]{o.Groups, o.IsTruncated, o.Marker}, nil
		},
		func(g iamtypes.Group) bool {
			arn, ok := parseARN(aws.ToString(g.Arn))
			return ok && strings.HasSuffix(arn.resource, "/"+aws.ToString(g.GroupName)) && (v.own == "" || arn.account == v.own)
		},
		func(g iamtypes.Group) {
			p.groups = append(p.groups, *g.GroupName)
			v.groups.get(*g.GroupName, func() *holder {
				to := &holder{}
				v.hangs(ctx, to, v.ofGroup(*g.GroupName))
				return to
			})
		})
}

// trusts reads the trust policies of all roles: one of them may let a principal
// in that has no right of its own to assume it.
func (v *live) trusts(ctx context.Context) {
	n := 0
	a := pages(ctx, v, call{name: "iam:ListRoles", what: "trust policies", to: &v.out.gaps},
		func(ctx context.Context, marker *string) (page[iamtypes.Role], error) {
			o, err := v.iam.ListRoles(ctx, &iam.ListRolesInput{Marker: marker, MaxItems: aws.Int32(1000)})
			if err != nil {
				return page[iamtypes.Role]{}, err
			}
			return page[iamtypes.Role]{o.Roles, o.IsTruncated, o.Marker}, nil
		},
		func(r iamtypes.Role) bool {
			s, ok := subjectOf(aws.ToString(r.Arn))
			return ok && s.Type == policy.Role && (v.own == "" || s.Account == v.own) && aws.ToString(r.AssumeRolePolicyDocument) != ""
		},
		func(r iamtypes.Role) {
			n++
			v.trust(*r.Arn, aws.ToString(r.RoleName), *r.AssumeRolePolicyDocument)
		})
	if a == got && n == 0 { // AWS's own roles are in every account
		v.out.topics = append(v.out.topics, Assumption{TopicRoleTrust, NotRead})
	}
}

// trust takes the trust policy of a role, once.
func (v *live) trust(arn, name, document string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.trusted[arn] {
		return
	}
	v.trusted[arn] = true
	if src, ok := liveDocument(policy.Trust, name, document, &v.out.gaps); ok {
		src.Attached = arn
		v.out.trusts = append(v.out.trusts, src)
	}
}

func (v *live) inline(h *holder, name, encoded string) {
	if src, ok := liveDocument(policy.UserInline, name, encoded, &h.gaps); ok {
		h.inline = append(h.inline, src)
	}
}

// managedRead is what came of reading a managed policy: its document, or why not.
type managedRead struct {
	src  *policy.Source
	gaps []Gap
}

// managed reads a managed policy's default version, once.
func (v *live) managed(ctx context.Context, arn string) {
	v.policies.get(arn, func() *managedRead {
		m := &managedRead{}
		p, a := ask(ctx, v, call{name: "iam:GetPolicy", what: arn, to: &m.gaps, none: []string{noSuchEntity}},
			func(ctx context.Context) (*iam.GetPolicyOutput, error) {
				return v.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
			},
			func(out *iam.GetPolicyOutput) Lost {
				switch {
				case out.Policy == nil, aws.ToString(out.Policy.DefaultVersionId) == "":
					return LostEmpty
				case aws.ToString(out.Policy.Arn) != arn:
					return LostAnother
				}
				return ""
			})
		if a == none {
			m.gaps = append(m.gaps, Gap{Reason: GapUnknownPolicy, What: arn, Call: "iam:GetPolicy", Code: noSuchEntity, Source: -1})
		}
		if a != got {
			return m
		}
		version := *p.Policy.DefaultVersionId
		doc, a := ask(ctx, v, call{name: "iam:GetPolicyVersion", what: arn, to: &m.gaps, none: []string{noSuchEntity}},
			func(ctx context.Context) (*iam.GetPolicyVersionOutput, error) {
				return v.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: &arn, VersionId: &version})
			},
			func(out *iam.GetPolicyVersionOutput) Lost {
				switch {
				case out.PolicyVersion == nil, aws.ToString(out.PolicyVersion.Document) == "":
					return LostEmpty
				case aws.ToString(out.PolicyVersion.VersionId) != version:
					return LostAnother
				}
				return ""
			})
		if a == none {
			m.gaps = append(m.gaps, Gap{Reason: GapUnknownPolicy, What: arn, Call: "iam:GetPolicyVersion", Code: noSuchEntity, Source: -1})
		}
		if a != got {
			return m
		}
		if src, ok := liveDocument(policy.UserManaged, aws.ToString(p.Policy.PolicyName), *doc.PolicyVersion.Document, &m.gaps); ok {
			src.ARN, src.Version = arn, version
			m.src = &src
		}
		return m
	})
}

// liveDocument reads a document that the API gave.
func liveDocument(kind policy.Kind, name, encoded string, gaps *[]Gap) (policy.Source, bool) {
	plain, err := decodeDocument(encoded)
	var doc *policy.Document
	if err == nil {
		doc, err = policy.Parse(name, plain, policy.ParseOptions{Grammar: kind.Grammar(), Lenient: true})
	}
	if err != nil {
		g := Gap{Reason: GapMalformed, What: name, Source: -1}
		if faults, ok := err.(policy.Errors); ok && len(faults) > 0 { //nolint:errorlint // Parse returns it bare
			g.File, g.Pos = name, faults[0].Pos
		}
		*gaps = append(*gaps, g)
		return policy.Source{}, false
	}
	return policy.Source{Kind: kind, Name: name, Raw: plain, SHA256: digest(plain), Document: doc}, true
}
