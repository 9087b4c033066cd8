package sources

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/s3control"

	"buzon/agent/policy"
)

// aclActions are the actions that a permission on a bucket stands for (S3 User
// Guide, "Access control list overview", mapping of ACL permissions and access
// policy permissions): on the bucket, and on its objects. WRITE lets the owner of
// an object delete it as well.
var aclActions = map[s3types.Permission]struct{ bucket, objects []string }{
	s3types.PermissionRead:     {bucket: []string{"s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"}},
	s3types.PermissionWrite:    {objects: []string{"s3:PutObject", "s3:DeleteObject"}},
	s3types.PermissionReadAcp:  {bucket: []string{"s3:GetBucketAcl"}},
	s3types.PermissionWriteAcp: {bucket: []string{"s3:PutBucketAcl"}},
}

// The groups of S3 (the same page, "Amazon S3 predefined groups").
const (
	everybodyGroup     = "http://acs.amazonaws.com/groups/global/AllUsers"
	authenticatedGroup = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
	logDeliveryGroup   = "http://acs.amazonaws.com/groups/s3/LogDelivery"
)

// grants takes from a bucket's ACL what reaches a principal of the account.
func (b *liveBucket) grants(ctx context.Context, acl *s3.GetBucketAclOutput) {
	var public []s3types.Grant
	for _, g := range acl.Grants {
		grantee := g.Grantee
		switch {
		case grantee == nil:
			b.aclUnclear(g, "?")
		case grantee.Type == s3types.TypeCanonicalUser && aws.ToString(grantee.ID) == *acl.Owner.ID:
			// The owner's account itself: IAM decides.
		case grantee.Type == s3types.TypeGroup && aws.ToString(grantee.URI) == logDeliveryGroup:
		case grantee.Type == s3types.TypeGroup && slices.Contains([]string{everybodyGroup, authenticatedGroup}, aws.ToString(grantee.URI)):
			public = append(public, g)
		case grantee.Type == s3types.TypeCanonicalUser && aws.ToString(grantee.ID) != "" && b.mine:
			// Another account's: no principal of this one.
			b.out.notes = append(b.out.notes, Note{What: NoteACLElsewhere, Source: -1, Name: string(g.Permission) + " → " + *grantee.ID})
		default:
			b.aclUnclear(g, aws.ToString(grantee.ID)+aws.ToString(grantee.URI)+aws.ToString(grantee.EmailAddress))
		}
	}
	if len(public) > 0 && !b.ignoresPublic(ctx) {
		b.publicGrants(public)
	}
}

// aclUnclear: whom a grant reaches can't be told here.
func (b *liveBucket) aclUnclear(g s3types.Grant, whom string) {
	b.add(&b.out.gaps, Gap{
		Reason: GapNotModelled, What: "ACL of " + b.arn + ": " + string(g.Permission) + " → " + whom, Call: "s3:GetBucketAcl", Source: -1,
	})
}

// publicGrants makes the statements that public grants amount to.
func (b *liveBucket) publicGrants(public []s3types.Grant) {
	type statement struct {
		Sid, Effect, Principal string
		Action                 []string
		Resource               string
	}
	doc := struct {
		Version   string
		Statement []statement
	}{Version: "2012-10-17"}
	for _, g := range public {
		_, group, _ := strings.Cut(*g.Grantee.URI, "/groups/global/")
		permissions := []s3types.Permission{g.Permission}
		if g.Permission == s3types.PermissionFullControl {
			permissions = []s3types.Permission{
				s3types.PermissionRead, s3types.PermissionWrite, s3types.PermissionReadAcp, s3types.PermissionWriteAcp,
			}
		}
		for _, p := range permissions {
			means, ok := aclActions[p]
			if !ok {
				b.aclUnclear(g, group)
				continue
			}
			add := func(actions []string, resource string) {
				if len(actions) > 0 {
					doc.Statement = append(doc.Statement, statement{string(p) + " → " + group, "Allow", "*", actions, resource})
				}
			}
			add(means.bucket, b.arn)
			add(means.objects, b.arn+"/*")
		}
	}
	if len(doc.Statement) > 0 {
		b.made(policy.ACL, b.name, b.arn, doc)
	}
}

// made adds what amounts to a policy of a resource, and is written as none.
func (v *live) made(kind policy.Kind, name, attached string, document any) {
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		panic(err) // strings and lists of them
	}
	if src, ok := liveDocument(kind, name, string(text), &v.out.gaps); ok {
		src.Attached = attached
		v.out.resources = append(v.out.resources, src)
	}
}

// ignoresPublic reports whether a public access block, the bucket's or the
// account's, takes the effect from public ACLs (S3 User Guide, "Blocking public
// access", IgnorePublicAcls). What can't be read of it leaves its gap, and says
// nothing about the grants.
func (b *liveBucket) ignoresPublic(ctx context.Context) bool {
	const absent = "NoSuchPublicAccessBlockConfiguration"
	c := b.of("GetPublicAccessBlock", absent)
	c.permission = "s3:GetBucketPublicAccessBlock"
	own, a := ask(ctx, b.live, c, func(ctx context.Context) (*s3.GetPublicAccessBlockOutput, error) {
		return b.access.AWS.S3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &b.name}, atS3)
	}, func(o *s3.GetPublicAccessBlockOutput) Lost {
		if o.PublicAccessBlockConfiguration == nil {
			return LostEmpty
		}
		return ""
	})
	if a == lost || a == got && aws.ToBool(own.PublicAccessBlockConfiguration.IgnorePublicAcls) {
		return true
	}
	c.what, c.permission = "account "+b.account, "s3:GetAccountPublicAccessBlock"
	all, a := ask(ctx, b.live, c, func(ctx context.Context) (*s3control.GetPublicAccessBlockOutput, error) {
		return b.control().GetPublicAccessBlock(ctx, &s3control.GetPublicAccessBlockInput{AccountId: &b.account})
	}, func(o *s3control.GetPublicAccessBlockOutput) Lost {
		if o.PublicAccessBlockConfiguration == nil {
			return LostEmpty
		}
		return ""
	})
	return a == lost || a == got && aws.ToBool(all.PublicAccessBlockConfiguration.IgnorePublicAcls)
}
