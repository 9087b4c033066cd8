package sources

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"buzon/agent/policy"
)

// bucket reads what hangs on the bucket: its policy, ACL and ownership,
// versioning, access points with their policies, access grants, and the policy
// and grants of the key that encrypts it.
func (v *live) bucket(ctx context.Context) error {
	b := &liveBucket{live: v, name: v.sel.Bucket, arn: "arn:" + v.partition + ":s3:::" + v.sel.Bucket, account: v.sel.BucketAccount}
	if b.account == "" {
		b.account = v.own
	}
	if !b.policy(ctx) {
		return &NobodyError{"bucket", b.name}
	}
	b.versioning(ctx)
	b.acl(ctx)
	b.key(ctx)
	b.accessPoints(ctx)
	return nil
}

type liveBucket struct {
	*live
	name, arn string
	account   string // its owner's
	mine      bool   // S3 has shown that the caller's account owns it
}

// of names a read of the bucket.
func (b *liveBucket) of(operation string, none ...string) call {
	return call{name: "s3:" + operation, what: b.arn, to: &b.out.gaps, none: none}
}

// atS3 sends a request once, and checks its answer; ask sends it again.
func atS3(o *s3.Options) {
	o.Retryer = aws.NopRetryer{}
	o.APIOptions = append(o.APIOptions, checkAnswers)
}

// policy is false where there is no such bucket.
func (b *liveBucket) policy(ctx context.Context) bool {
	missing := false
	out, a := ask(ctx, b.live, b.of("GetBucketPolicy", "NoSuchBucketPolicy", "NoSuchBucket"),
		func(ctx context.Context) (*s3.GetBucketPolicyOutput, error) {
			o, err := b.access.AWS.S3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &b.name}, atS3)
			missing = isCode(err, "NoSuchBucket")
			return o, err
		},
		func(o *s3.GetBucketPolicyOutput) Lost {
			if strings.TrimSpace(aws.ToString(o.Policy)) == "" {
				return LostEmpty
			}
			return ""
		})
	if missing {
		return false
	}
	// S3 tells a bucket's policy, and that there is none, to its owner's account
	// alone (S3 API Reference, GetBucketPolicy: else 405).
	if b.mine = a != lost && b.own != ""; b.mine && b.sel.BucketAccount == "" {
		b.out.owner = b.own
	}
	if a != got {
		return true
	}
	if src, ok := liveDocument(policy.BucketPolicy, b.name, *out.Policy, &b.out.gaps); ok {
		src.Attached = b.arn
		b.out.resources = append(b.out.resources, src)
	}
	return true
}

// versioning: what isn't known of it adds no rights, so that the warning about
// overwriting says so.
func (b *liveBucket) versioning(ctx context.Context) {
	var lostHere []Gap
	c := b.of("GetBucketVersioning")
	c.to = &lostHere
	out, a := ask(ctx, b.live, c, func(ctx context.Context) (*s3.GetBucketVersioningOutput, error) {
		return b.access.AWS.S3.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &b.name}, atS3)
	}, func(*s3.GetBucketVersioningOutput) Lost { return "" }) // without a status it was never switched on
	switch {
	case a != got:
		b.out.topics = append(b.out.topics, Assumption{TopicVersioning, NotRead})
	case out.Status == s3types.BucketVersioningStatusEnabled:
		b.out.versioning = VersioningOn
	default:
		b.out.versioning = VersioningOff
	}
}

// acl looks at the bucket's ACL where ACLs are in force, for grants that reach a
// principal of the account. With BucketOwnerEnforced they have no effect (S3 User
// Guide, "Controlling ownership of objects").
func (b *liveBucket) acl(ctx context.Context) {
	controls, a := ask(ctx, b.live, b.of("GetBucketOwnershipControls", "OwnershipControlsNotFoundError"),
		func(ctx context.Context) (*s3.GetBucketOwnershipControlsOutput, error) {
			return b.access.AWS.S3.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: &b.name}, atS3)
		},
		func(o *s3.GetBucketOwnershipControlsOutput) Lost {
			if o.OwnershipControls == nil || len(o.OwnershipControls.Rules) != 1 || o.OwnershipControls.Rules[0].ObjectOwnership == "" {
				return LostEmpty // AWS's has one rule
			}
			return ""
		})
	if a == got && controls.OwnershipControls.Rules[0].ObjectOwnership == s3types.ObjectOwnershipBucketOwnerEnforced {
		return
	}
	// Objects have ACLs of their own, which nobody can read one by one.
	b.out.topics = append(b.out.topics, Assumption{TopicACL, NotRead})
	var signed bool
	acl, a := ask(ctx, b.live, b.of("GetBucketAcl"), func(ctx context.Context) (*s3.GetBucketAclOutput, error) {
		return b.access.AWS.S3.GetBucketAcl(signing(ctx, &signed), &s3.GetBucketAclInput{Bucket: &b.name}, atS3)
	}, func(o *s3.GetBucketAclOutput) Lost {
		if o.Owner == nil || aws.ToString(o.Owner.ID) == "" || o.Grants == nil && !signed {
			return LostEmpty
		}
		return ""
	})
	if a != got {
		return
	}
	b.grants(ctx, acl)
}
