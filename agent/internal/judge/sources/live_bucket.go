package sources

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	smithyendpoints "github.com/aws/smithy-go/endpoints"

	"buzon/agent/policy"
)

// bucket reads what hangs on the bucket: its policy, ACL and ownership,
// versioning, access points with their policies, access grants, and the policy
// of the key that encrypts it.
func (v *live) bucket(ctx context.Context) error {
	name := v.sel.Bucket
	arn := "arn:" + v.partition() + ":s3:::" + name
	client := v.access.AWS.S3
	tries := func(o *s3.Options) { o.Retryer = retry.AddWithMaxAttempts(retry.NewStandard(), readTries) }

	got, err := client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &name}, tries)
	switch {
	case err == nil:
		if src, ok := liveDocument(policy.BucketPolicy, name, aws.ToString(got.Policy), &v.out.gaps); ok {
			src.Attached = arn
			v.out.resources = append(v.out.resources, src)
		}
	case isCode(err, "NoSuchBucketPolicy"):
	case isCode(err, "NoSuchBucket"):
		return &NobodyError{"bucket", name}
	default:
		if err := v.gap(ctx, &v.out.gaps, arn, "s3:GetBucketPolicy", err); err != nil {
			return err
		}
	}

	versioning, err := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &name}, tries)
	switch {
	case err == nil && versioning.Status == s3types.BucketVersioningStatusEnabled:
		v.out.versioning = VersioningOn
	case err == nil:
		v.out.versioning = VersioningOff
	default:
		// It adds no rights: the warning about overwriting says that it isn't known.
		var lost []Gap
		if err := v.gap(ctx, &lost, arn, "s3:GetBucketVersioning", err); err != nil {
			return err
		}
		v.out.topics = append(v.out.topics, Assumption{TopicVersioning, NotRead})
	}
	if err := v.acl(ctx, client, name, arn); err != nil {
		return err
	}
	if err := v.key(ctx, client, name, arn); err != nil {
		return err
	}
	return v.accessPoints(ctx, name, arn)
}

func (v *live) partition() string {
	for _, p := range v.out.principals {
		return p.subject.Partition
	}
	return "aws"
}

// acl looks at the bucket's ACL where ACLs are in force, for grants that reach
// a principal of the account: to all users, to all AWS users, to the account.
func (v *live) acl(ctx context.Context, client *s3.Client, name, arn string) error {
	controls, err := client.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: &name})
	if err == nil && controls.OwnershipControls != nil {
		for _, r := range controls.OwnershipControls.Rules {
			if r.ObjectOwnership == s3types.ObjectOwnershipBucketOwnerEnforced {
				return nil
			}
		}
	}
	if err != nil && !isCode(err, "OwnershipControlsNotFoundError") {
		if err := v.gap(ctx, &v.out.gaps, arn, "s3:GetBucketOwnershipControls", err); err != nil {
			return err
		}
	}
	acl, err := client.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: &name})
	if err != nil {
		return v.gap(ctx, &v.out.gaps, arn, "s3:GetBucketAcl", err)
	}
	for _, g := range acl.Grants {
		if g.Grantee == nil {
			continue
		}
		owner := acl.Owner != nil && aws.ToString(acl.Owner.ID) == aws.ToString(g.Grantee.ID)
		if g.Grantee.Type == s3types.TypeCanonicalUser && owner {
			continue // the owner's account itself: IAM still decides
		}
		// ACLs are not part of the sets that reach knows.
		v.out.gaps = append(v.out.gaps, Gap{
			Reason: GapNotModelled, What: "ACL of " + arn + ": " + string(g.Permission), Source: -1,
		})
	}
	// Objects have ACLs of their own, which nobody can read one by one.
	v.out.topics = append(v.out.topics, Assumption{TopicACL, NotRead})
	return nil
}

// key reads the policy of the KMS key that encrypts the bucket by default.
func (v *live) key(ctx context.Context, client *s3.Client, name, arn string) error {
	got, err := client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &name})
	if isCode(err, "ServerSideEncryptionConfigurationNotFoundError") {
		return nil
	}
	if err != nil {
		return v.gap(ctx, &v.out.gaps, arn, "s3:GetEncryptionConfiguration", err)
	}
	if got.ServerSideEncryptionConfiguration == nil {
		return nil
	}
	for _, r := range got.ServerSideEncryptionConfiguration.Rules {
		d := r.ApplyServerSideEncryptionByDefault
		if d == nil || d.SSEAlgorithm == s3types.ServerSideEncryptionAes256 || aws.ToString(d.KMSMasterKeyID) == "" {
			continue // with AWS's own key there is no policy to write
		}
		id := aws.ToString(d.KMSMasterKeyID)
		keys := kms.NewFromConfig(v.access.AWS.Config)
		doc, err := keys.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &id})
		if err != nil {
			if err := v.gap(ctx, &v.out.gaps, id, "kms:GetKeyPolicy", err); err != nil {
				return err
			}
			continue
		}
		if src, ok := liveDocument(policy.KeyPolicy, id, aws.ToString(doc.Policy), &v.out.gaps); ok {
			src.Attached = id
			v.out.resources = append(v.out.resources, src)
		}
	}
	return nil
}

// accessPoints reads the bucket's access points with their policies, and
// whether access grants may vend credentials for it.
func (v *live) accessPoints(ctx context.Context, bucket, arn string) error {
	account := v.sel.BucketAccount
	if account == "" {
		account = v.own
	}
	control := s3control.NewFromConfig(v.access.AWS.Config, func(o *s3control.Options) {
		o.Retryer = retry.AddWithMaxAttempts(retry.NewStandard(), readTries)
		if o.BaseEndpoint != nil {
			o.EndpointResolverV2 = plainHost{o.EndpointResolverV2}
		}
	})
	for page := s3control.NewListAccessPointsPaginator(control, &s3control.ListAccessPointsInput{
		AccountId: &account, Bucket: &bucket,
	}); page.HasMorePages(); {
		list, err := page.NextPage(ctx)
		if err != nil {
			if err := v.gap(ctx, &v.out.gaps, arn, "s3:ListAccessPoints", err); err != nil {
				return err
			}
			break
		}
		for _, ap := range list.AccessPointList {
			if aws.ToString(ap.Bucket) != bucket {
				continue
			}
			name := aws.ToString(ap.Name)
			got, err := control.GetAccessPointPolicy(ctx, &s3control.GetAccessPointPolicyInput{AccountId: &account, Name: &name})
			if isCode(err, "NoSuchAccessPointPolicy") {
				continue
			}
			if err != nil {
				if err := v.gap(ctx, &v.out.gaps, aws.ToString(ap.AccessPointArn), "s3:GetAccessPointPolicy", err); err != nil {
					return err
				}
				continue
			}
			if src, ok := liveDocument(policy.AccessPoint, name, aws.ToString(got.Policy), &v.out.gaps); ok {
				src.Attached, src.Bucket = aws.ToString(ap.AccessPointArn), arn
				v.out.resources = append(v.out.resources, src)
			}
		}
	}
	return v.accessGrants(ctx, control, account)
}

// accessGrants: a grant gives nothing to who may not call s3:GetDataAccess, and
// that call is judged like any other. Only the instance's own resource policy
// could add the right to it.
func (v *live) accessGrants(ctx context.Context, control *s3control.Client, account string) error {
	list, err := control.ListAccessGrantsInstances(ctx, &s3control.ListAccessGrantsInstancesInput{AccountId: &account})
	if err != nil {
		return v.gap(ctx, &v.out.gaps, "access grants of "+account, "s3:ListAccessGrantsInstances", err)
	}
	if len(list.AccessGrantsInstancesList) == 0 {
		return nil
	}
	_, err = control.GetAccessGrantsInstanceResourcePolicy(ctx, &s3control.GetAccessGrantsInstanceResourcePolicyInput{AccountId: &account})
	if isCode(err, "NoSuchResourcePolicy", "AccessGrantsInstanceResourcePolicyNotExists", "NoSuchAccessGrantsInstanceResourcePolicy") {
		return nil
	}
	if err != nil {
		return v.gap(ctx, &v.out.gaps, "access grants of "+account, "s3:GetAccessGrantsInstanceResourcePolicy", err)
	}
	v.out.gaps = append(v.out.gaps, Gap{
		Reason: GapNotModelled, What: aws.ToString(list.AccessGrantsInstancesList[0].AccessGrantsInstanceArn), Source: -1,
	})
	return nil
}

// plainHost keeps the account's id out of the host's name: it stands there only
// at AWS, and elsewhere may be an address.
type plainHost struct{ s3control.EndpointResolverV2 }

func (p plainHost) ResolveEndpoint(ctx context.Context, params s3control.EndpointParameters) (smithyendpoints.Endpoint, error) {
	params.RequiresAccountId = aws.Bool(false)
	return p.EndpointResolverV2.ResolveEndpoint(ctx, params)
}
