package sources

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"buzon/agent/policy"
)

// Asked is one request that AWS's simulator is asked about.
type Asked struct {
	Action, Resource string
	Context          map[string][]string // by key
}

// Simulation is what AWS's simulator said to one.
type Simulation struct {
	Asked
	Allowed  bool
	Decision string   // in AWS's word: "allowed", "explicitDeny", "implicitDeny"
	Missing  []string // keys that policies ask for and the request didn't give
}

// simulated is the call; a test of infra holds the auditor's policy to it.
const simulated = "iam:SimulatePrincipalPolicy"

// Simulate asks AWS (IAM API Reference, SimulatePrincipalPolicy) what each live subject
// may do, and leaves the answers with it; what was not answered is a gap of the subject.
// asked gives the requests of a subject. The bucket's policy goes along for users, for
// of roles the simulator takes none.
func Simulate(ctx context.Context, found *Found, sel Selection, access Access, asked func(*Subject) []Asked) error {
	return simulateWithin(ctx, found, sel, access, liveBounds(), asked)
}

func simulateWithin(ctx context.Context, found *Found, sel Selection, access Access, within bounds, asked func(*Subject) []Asked) error {
	l := &loader{sel: sel, access: access, bounds: within}
	v := newLive(l)
	ctx = l.recording(ctx)
	for i := range found.Subjects {
		s := &found.Subjects[i]
		if !s.Live || s.Absent != nil || s.Set.Subject.Type != policy.User && s.Set.Subject.Type != policy.Role {
			continue
		}
		v.tell(Progress{Principal: s.Set.Subject.Name, Done: i, All: len(found.Subjects)})
		s.Simulations = []Simulation{}
		for _, group := range grouped(asked(s)) {
			if !v.simulate(ctx, s, group) {
				break
			}
		}
		if err := v.ended(); err != nil {
			return err
		}
	}
	found.Requests = append(found.Requests, l.requests.list...)
	return nil
}

// grouped puts requests together that differ in their action alone: one call asks them.
func grouped(all []Asked) [][]Asked {
	at := map[string]int{}
	var out [][]Asked
	for _, a := range all {
		context, _ := json.Marshal(a.Context) // of texts it never fails
		key := a.Resource + "\x00" + string(context)
		n, there := at[key]
		if !there {
			n = len(out)
			at[key] = n
			out = append(out, nil)
		}
		out[n] = append(out[n], a)
	}
	return out
}

// simulate asks about requests of one resource and context; it is false where AWS can't be
// asked at all.
func (v *live) simulate(ctx context.Context, s *Subject, group []Asked) bool {
	in := &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: &s.Set.Subject.ARN, ResourceArns: []string{group[0].Resource}, ContextEntries: entries(s.request(group[0].Context)),
	}
	for _, a := range group {
		in.ActionNames = append(in.ActionNames, a.Action)
	}
	if src := s.bucketPolicy(group[0].Resource); src != nil && s.Set.Subject.Type == policy.User {
		owner := s.Set.BucketAccount
		if owner == "" {
			owner = s.Set.Subject.Account
		}
		in.ResourcePolicy = aws.String(string(src.Raw))
		in.ResourceOwner = aws.String("arn:" + s.Set.Subject.Partition + ":iam::" + owner + ":root")
	}
	before := len(s.Simulations)
	c := call{name: simulated, what: s.Set.Subject.ARN, to: &s.Gaps}
	a := pages(ctx, v, c, func(ctx context.Context, marker *string) (page[iamtypes.EvaluationResult], error) {
		in.Marker = marker
		out, err := v.iam.SimulatePrincipalPolicy(ctx, in)
		if err != nil {
			return page[iamtypes.EvaluationResult]{}, err
		}
		return page[iamtypes.EvaluationResult]{out.EvaluationResults, out.IsTruncated, out.Marker}, nil
	}, func(r iamtypes.EvaluationResult) bool {
		return r.EvalDecision != "" && slices.ContainsFunc(group, func(a Asked) bool { return strings.EqualFold(a.Action, aws.ToString(r.EvalActionName)) })
	}, func(r iamtypes.EvaluationResult) {
		at := slices.IndexFunc(group, func(a Asked) bool { return strings.EqualFold(a.Action, *r.EvalActionName) })
		s.Simulations = append(s.Simulations, Simulation{
			Asked: group[at], Decision: string(r.EvalDecision), Missing: r.MissingContextValues,
			Allowed: r.EvalDecision == iamtypes.PolicyEvaluationDecisionTypeAllowed,
		})
	})
	if a == got && len(s.Simulations)-before < len(group) {
		v.add(c.to, Gap{Reason: GapFailed, What: c.what, Call: c.name, Code: string(LostEmpty), Source: -1})
		return false
	}
	return a == got
}

// bucketPolicy is the policy of the bucket that a resource is, or is in.
func (s *Subject) bucketPolicy(resource string) *policy.Source {
	for i := range s.Set.Sources {
		src := &s.Set.Sources[i]
		if src.Kind == policy.BucketPolicy && len(src.Raw) > 0 && (resource == src.Attached || strings.HasPrefix(resource, src.Attached+"/")) {
			return src
		}
	}
	return nil
}

// Simulated is a set without what AWS's simulator isn't told of, or doesn't weigh: RCPs,
// session policies, the policies of other resources, and for roles that of the bucket.
func Simulated(set *policy.Set) *policy.Set {
	out := *set
	out.Sources = slices.DeleteFunc(slices.Clone(set.Sources), func(src policy.Source) bool {
		switch src.Kind {
		case policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged, policy.RoleInline, policy.RoleManaged, policy.Boundary, policy.SCP:
			return false
		case policy.BucketPolicy:
			return set.Subject.Type != policy.User
		case policy.Session, policy.Trust, policy.AccessPoint, policy.KeyPolicy, policy.KMSGrant, policy.ACL, policy.RCP,
			policy.ResourcePolicy, policy.LambdaPermission:
		}
		return true
	})
	return &out
}

// request adds to a context what follows from a user. Of a role's sessions it differs.
func (s *Subject) request(context map[string][]string) map[string][]string {
	p := &s.Set.Subject
	if p.Type != policy.User {
		return context
	}
	out := map[string][]string{
		"aws:username": {p.Name}, "aws:PrincipalArn": {p.ARN}, "aws:PrincipalAccount": {p.Account}, "aws:PrincipalType": {string(p.Type)},
	}
	if p.UniqueID != "" {
		out["aws:userid"] = []string{p.UniqueID}
	}
	for key, value := range p.Tags {
		out["aws:PrincipalTag/"+key] = []string{value}
	}
	given := map[string]bool{}
	for key := range context {
		given[strings.ToLower(key)] = true
	}
	maps.DeleteFunc(out, func(key string, _ []string) bool { return given[strings.ToLower(key)] })
	maps.Copy(out, context)
	return out
}

// kinds are the types of context keys that are no texts, by the key in lower case
// (IAM User Guide, "AWS global condition context keys").
var kinds = map[string]iamtypes.ContextKeyTypeEnum{
	"aws:securetransport": iamtypes.ContextKeyTypeEnumBoolean, "aws:multifactorauthpresent": iamtypes.ContextKeyTypeEnumBoolean,
	"aws:viaawsservice": iamtypes.ContextKeyTypeEnumBoolean, "aws:principalisawsservice": iamtypes.ContextKeyTypeEnumBoolean,
	"aws:currenttime": iamtypes.ContextKeyTypeEnumDate, "aws:tokenissuetime": iamtypes.ContextKeyTypeEnumDate,
	"aws:epochtime": iamtypes.ContextKeyTypeEnumNumeric, "aws:multifactorauthage": iamtypes.ContextKeyTypeEnumNumeric,
	"s3:signatureage": iamtypes.ContextKeyTypeEnumNumeric,
	"s3:max-keys":     iamtypes.ContextKeyTypeEnumNumeric, "aws:sourceip": iamtypes.ContextKeyTypeEnumIp, "aws:vpcsourceip": iamtypes.ContextKeyTypeEnumIp,
}

// entries are the keys of a request as the simulator takes them.
func entries(context map[string][]string) []iamtypes.ContextEntry {
	var out []iamtypes.ContextEntry
	for _, key := range sortedKeys(context) {
		values := context[key]
		kind := kinds[strings.ToLower(key)]
		switch {
		case len(values) == 0:
			continue
		case kind == "" && len(values) > 1:
			kind = iamtypes.ContextKeyTypeEnumStringList
		case kind == "":
			kind = iamtypes.ContextKeyTypeEnumString
		}
		out = append(out, iamtypes.ContextEntry{ContextKeyName: &key, ContextKeyType: kind, ContextKeyValues: values})
	}
	return out
}
