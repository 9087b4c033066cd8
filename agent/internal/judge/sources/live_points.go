package sources

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	s3controltypes "github.com/aws/aws-sdk-go-v2/service/s3control/types"
	smithyendpoints "github.com/aws/smithy-go/endpoints"

	"buzon/agent/policy"
)

// control is the client of S3's control plane.
func (b *liveBucket) control() *s3control.Client {
	return s3control.NewFromConfig(b.access.AWS.Config, func(o *s3control.Options) {
		o.Retryer = aws.NopRetryer{}
		o.APIOptions = append(o.APIOptions, checkAnswers)
		if o.BaseEndpoint != nil {
			o.EndpointResolverV2 = plainHost{o.EndpointResolverV2}
		}
	})
}

// accessPoints reads the bucket's access points with their policies, and whether
// access grants may vend credentials for it.
func (b *liveBucket) accessPoints(ctx context.Context) {
	control := b.control()
	pages(ctx, b.live, b.of("ListAccessPoints"),
		func(ctx context.Context, marker *string) (page[s3controltypes.AccessPoint], error) {
			o, err := control.ListAccessPoints(ctx, &s3control.ListAccessPointsInput{AccountId: &b.account, Bucket: &b.name, NextToken: marker})
			if err != nil {
				return page[s3controltypes.AccessPoint]{}, err
			}
			return page[s3controltypes.AccessPoint]{o.AccessPointList, aws.ToString(o.NextToken) != "", o.NextToken}, nil
		},
		func(p s3controltypes.AccessPoint) bool {
			arn, ok := parseARN(aws.ToString(p.AccessPointArn))
			return ok && aws.ToString(p.Bucket) == b.name && aws.ToString(p.Name) != "" && (b.account == "" || arn.account == b.account)
		},
		func(p s3controltypes.AccessPoint) { b.accessPoint(ctx, control, *p.Name, *p.AccessPointArn) })
	b.accessGrants(ctx, control)
}

func (b *liveBucket) accessPoint(ctx context.Context, control *s3control.Client, name, arn string) {
	c := b.of("GetAccessPointPolicy", "NoSuchAccessPointPolicy")
	c.what = arn
	out, a := ask(ctx, b.live, c, func(ctx context.Context) (*s3control.GetAccessPointPolicyOutput, error) {
		return control.GetAccessPointPolicy(ctx, &s3control.GetAccessPointPolicyInput{AccountId: &b.account, Name: &name})
	}, func(o *s3control.GetAccessPointPolicyOutput) Lost {
		if aws.ToString(o.Policy) == "" {
			return LostEmpty
		}
		return ""
	})
	if a != got {
		return
	}
	if src, ok := liveDocument(policy.AccessPoint, name, *out.Policy, &b.out.gaps); ok {
		src.Attached, src.Bucket = arn, b.arn
		b.out.resources = append(b.out.resources, src)
	}
}

// accessGrants: a grant gives nothing to who may not call s3:GetDataAccess, and
// that call is judged like any other. Only the instance's own resource policy
// could add the right to it.
func (b *liveBucket) accessGrants(ctx context.Context, control *s3control.Client) {
	c := b.of("ListAccessGrantsInstances", "AccessGrantsInstanceNotExistsError")
	c.what = "access grants of " + b.account
	var instances []string
	pages(ctx, b.live, c, func(ctx context.Context, marker *string) (page[s3controltypes.ListAccessGrantsInstanceEntry], error) {
		o, err := control.ListAccessGrantsInstances(ctx, &s3control.ListAccessGrantsInstancesInput{AccountId: &b.account, NextToken: marker})
		if err != nil {
			return page[s3controltypes.ListAccessGrantsInstanceEntry]{}, err
		}
		return page[s3controltypes.ListAccessGrantsInstanceEntry]{o.AccessGrantsInstancesList, aws.ToString(o.NextToken) != "", o.NextToken}, nil
	}, func(i s3controltypes.ListAccessGrantsInstanceEntry) bool {
		arn, ok := parseARN(aws.ToString(i.AccessGrantsInstanceArn))
		return ok && arn.service == "s3" && strings.HasPrefix(arn.resource, "access-grants/")
	}, func(i s3controltypes.ListAccessGrantsInstanceEntry) {
		// Those that other accounts share are listed too (S3 User Guide, "List your S3
		// Access Grants instances"): their policies let in only whoever has the right of
		// its own besides.
		if arn, _ := parseARN(*i.AccessGrantsInstanceArn); b.account == "" || arn.account == b.account {
			instances = append(instances, *i.AccessGrantsInstanceArn)
		}
	})
	if len(instances) == 0 {
		return
	}
	c = b.of("GetAccessGrantsInstanceResourcePolicy", "NoSuchResourcePolicy", "AccessGrantsInstanceResourcePolicyNotExists",
		"NoSuchAccessGrantsInstanceResourcePolicy")
	c.what = instances[0]
	_, a := ask(ctx, b.live, c, func(ctx context.Context) (*s3control.GetAccessGrantsInstanceResourcePolicyOutput, error) {
		return control.GetAccessGrantsInstanceResourcePolicy(ctx, &s3control.GetAccessGrantsInstanceResourcePolicyInput{AccountId: &b.account})
	}, func(o *s3control.GetAccessGrantsInstanceResourcePolicyOutput) Lost {
		if aws.ToString(o.Policy) == "" {
			return LostEmpty
		}
		return ""
	})
	if a == got {
		b.add(&b.out.gaps, Gap{Reason: GapNotModelled, What: instances[0], Call: c.name, Source: -1})
	}
}

// plainHost keeps the account's id out of the host's name: it stands there only
// at AWS, and elsewhere may be an address.
type plainHost struct{ s3control.EndpointResolverV2 }

func (p plainHost) ResolveEndpoint(ctx context.Context, params s3control.EndpointParameters) (smithyendpoints.Endpoint, error) {
	params.RequiresAccountId = aws.Bool(false)
	return p.EndpointResolverV2.ResolveEndpoint(ctx, params)
}
