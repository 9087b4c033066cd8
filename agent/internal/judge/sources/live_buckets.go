package sources

import (
	"context"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"buzon/agent/policy"
)

// bucketsPage is how many buckets a page of their list holds. Only a list in pages tells
// each bucket's Region (S3 API Reference, ListBuckets).
const bucketsPage = 1000

// otherBuckets reads the policy of every other bucket of the account, with --all-buckets.
// Those that let in nobody of the account can give a judged principal nothing; how many
// were read is a note.
func (v *live) otherBuckets(ctx context.Context) error {
	if !v.sel.AllBuckets {
		return nil
	}
	var list []s3types.Bucket
	c := call{name: "s3:ListBuckets", permission: "s3:ListAllMyBuckets", what: v.own, to: &v.out.gaps}
	if pages(ctx, v, c, func(ctx context.Context, marker *string) (page[s3types.Bucket], error) {
		o, err := v.access.AWS.S3.ListBuckets(ctx, &s3.ListBucketsInput{MaxBuckets: aws.Int32(bucketsPage), ContinuationToken: marker}, atS3)
		if err != nil {
			return page[s3types.Bucket]{}, err
		}
		items := o.Buckets
		if items == nil && o.Owner != nil {
			items = []s3types.Bucket{} // an account without a bucket
		}
		return page[s3types.Bucket]{items, aws.ToString(o.ContinuationToken) != "", o.ContinuationToken}, nil
	}, func(b s3types.Bucket) bool { return aws.ToString(b.Name) != "" }, func(b s3types.Bucket) {
		if *b.Name != v.sel.Bucket {
			list = append(list, b)
		}
	}) != got {
		return v.ended()
	}
	read := make([]*policy.Source, len(list))
	var group errgroup.Group
	group.SetLimit(readers)
	for i, b := range list {
		group.Go(func() error {
			if v.ended() == nil {
				read[i] = v.bucketPolicy(ctx, *b.Name, aws.ToString(b.BucketRegion))
			}
			return nil
		})
	}
	_ = group.Wait() // what failed is a gap, or ended everything
	for _, src := range read {
		if src != nil && letsIn(src.Document, v.own) {
			v.out.resources = append(v.out.resources, *src)
		}
	}
	v.out.notes = append(v.out.notes, Note{What: NoteAllBuckets, Source: -1, Name: strconv.Itoa(len(list) + 1)})
	return v.ended()
}

// bucketPolicy is the policy of a bucket in its Region; nil where it has none, or it was not
// to be read.
func (v *live) bucketPolicy(ctx context.Context, name, region string) *policy.Source {
	arn := "arn:" + v.partition + ":s3:::" + name
	there := func(o *s3.Options) {
		if region != "" && o.BaseEndpoint == nil {
			o.Region = region
		}
	}
	c := call{name: "s3:GetBucketPolicy", what: arn, to: &v.out.gaps, none: []string{"NoSuchBucketPolicy", "NoSuchBucket"}}
	out, a := ask(ctx, v, c, func(ctx context.Context) (*s3.GetBucketPolicyOutput, error) {
		return v.access.AWS.S3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &name}, atS3, there)
	}, func(o *s3.GetBucketPolicyOutput) Lost {
		if strings.TrimSpace(aws.ToString(o.Policy)) == "" {
			return LostEmpty
		}
		return ""
	})
	if a != got {
		return nil
	}
	var gaps []Gap
	src, ok := liveDocument(policy.BucketPolicy, name, *out.Policy, &gaps)
	for _, g := range gaps {
		v.add(&v.out.gaps, g)
	}
	if !ok {
		return nil
	}
	src.Attached = arn
	return &src
}

// letsIn reports whether a resource's policy may allow anything to a principal of an
// account: what it only denies, or allows to strangers and services, gives none a right.
func letsIn(doc *policy.Document, account string) bool {
	for _, st := range doc.Statements {
		if st.Effect == policy.Deny {
			continue
		}
		if st.Unclear != nil || st.NotPrincipal || st.Effect != policy.Allow {
			return true
		}
		for _, p := range st.Principals {
			switch p.Kind {
			case policy.PrincipalService, policy.PrincipalCanonical:
			case policy.PrincipalEveryone, policy.PrincipalFederated:
				return true
			case policy.PrincipalAWS:
				arn, isARN := parseARN(p.Value)
				if account == "" || p.Value == account || !isARN && !isAccount(p.Value) || isARN && (arn.account == account || !isAccount(arn.account)) {
					return true
				}
			}
		}
	}
	return false
}
