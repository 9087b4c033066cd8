package sources

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"buzon/agent/policy"
)

// key reads the policy and the grants of the KMS key that encrypts the bucket by
// default.
func (b *liveBucket) key(ctx context.Context) {
	c := b.of("GetBucketEncryption", "ServerSideEncryptionConfigurationNotFoundError")
	c.permission = "s3:GetEncryptionConfiguration"
	out, a := ask(ctx, b.live, c, func(ctx context.Context) (*s3.GetBucketEncryptionOutput, error) {
		return b.access.AWS.S3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &b.name}, atS3)
	}, func(o *s3.GetBucketEncryptionOutput) Lost {
		if o.ServerSideEncryptionConfiguration == nil || len(o.ServerSideEncryptionConfiguration.Rules) == 0 {
			return LostEmpty // AWS's has a rule
		}
		return ""
	})
	if a != got {
		return
	}
	for _, r := range out.ServerSideEncryptionConfiguration.Rules {
		d := r.ApplyServerSideEncryptionByDefault
		if d == nil || d.SSEAlgorithm == s3types.ServerSideEncryptionAes256 || aws.ToString(d.KMSMasterKeyID) == "" {
			continue // with AWS's own key there is no policy to write
		}
		k := &liveKey{live: b.live, asked: *d.KMSMasterKeyID}
		if k.resolve(ctx, b.mine) {
			k.policy(ctx)
			k.grants(ctx)
		}
	}
}

// liveKey is a KMS key. S3 keeps its name as it was put: an ARN, an id, or an
// alias of either form.
type liveKey struct {
	*live
	client *kms.Client
	asked  string
	arn    string
}

func (k *liveKey) of(operation string) call {
	what := k.arn
	if what == "" {
		what = k.asked
	}
	return call{name: "kms:" + operation, what: what, to: &k.out.gaps}
}

// resolve finds the key's ARN. It is false where the key could not be read, and
// where there is nothing to read: a key of AWS itself, whose policy nobody
// writes, and one of another account, whose policy and grants open nothing
// without a right of the principal's own.
func (k *liveKey) resolve(ctx context.Context, bucketIsMine bool) bool {
	at, isARN := parseARN(k.asked)
	switch {
	case isARN && k.own != "" && at.account != k.own, !isARN && k.own != "" && !bucketIsMine && k.sel.BucketAccount != "" && k.sel.BucketAccount != k.own:
		return false
	}
	k.client = kms.NewFromConfig(k.access.AWS.Config, func(o *kms.Options) {
		o.Retryer = aws.NopRetryer{}
		o.APIOptions = append(o.APIOptions, checkAnswers)
		if isARN {
			o.Region = at.region
		}
	})
	out, a := ask(ctx, k.live, k.of("DescribeKey"), func(ctx context.Context) (*kms.DescribeKeyOutput, error) {
		return k.client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &k.asked})
	}, func(o *kms.DescribeKeyOutput) Lost {
		if o.KeyMetadata == nil || aws.ToString(o.KeyMetadata.Arn) == "" {
			return LostEmpty
		}
		return k.answers(at, isARN, *o.KeyMetadata.Arn)
	})
	if a != got || out.KeyMetadata.KeyManager == kmstypes.KeyManagerTypeAws {
		return false
	}
	k.arn = *out.KeyMetadata.Arn
	k.out.key = k.arn
	return true
}

// answers holds the ARN of a key to the name that was asked for.
func (k *liveKey) answers(at parsed, isARN bool, arn string) Lost {
	a, ok := parseARN(arn)
	name := k.asked
	if isARN {
		name = at.resource
	}
	alias := strings.HasPrefix(name, "alias/")
	id := strings.TrimPrefix(name, "key/")
	switch {
	case !ok, a.service != "kms", !strings.HasPrefix(a.resource, "key/"), k.own != "" && a.account != k.own,
		isARN && a.region != at.region, !alias && a.resource != "key/"+id:
		return LostAnother
	}
	return ""
}

func (k *liveKey) policy(ctx context.Context) {
	out, a := ask(ctx, k.live, k.of("GetKeyPolicy"), func(ctx context.Context) (*kms.GetKeyPolicyOutput, error) {
		return k.client.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &k.arn})
	}, func(o *kms.GetKeyPolicyOutput) Lost {
		switch {
		case aws.ToString(o.Policy) == "":
			return LostEmpty
		case o.PolicyName != nil && *o.PolicyName != "default": // a key has only one
			return LostAnother
		}
		return ""
	})
	if a != got {
		return
	}
	if src, ok := liveDocument(policy.KeyPolicy, k.arn, *out.Policy, &k.out.gaps); ok {
		src.Attached = k.arn
		k.out.resources = append(k.out.resources, src)
	}
}

// grants reads the key's grants: each lets its grantee call its operations, as a
// statement of the key's policy would (AWS KMS Developer Guide, "Grants in AWS
// KMS").
func (k *liveKey) grants(ctx context.Context) {
	pages(ctx, k.live, k.of("ListGrants"), func(ctx context.Context, marker *string) (page[kmstypes.GrantListEntry], error) {
		o, err := k.client.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &k.arn, Marker: marker, Limit: aws.Int32(100)})
		if err != nil {
			return page[kmstypes.GrantListEntry]{}, err
		}
		return page[kmstypes.GrantListEntry]{o.Grants, o.Truncated, o.NextMarker}, nil
	}, func(g kmstypes.GrantListEntry) bool {
		return aws.ToString(g.GrantId) != "" && strings.HasSuffix(k.arn, "/"+lastSegment(aws.ToString(g.KeyId)))
	}, func(g kmstypes.GrantListEntry) {
		var list []grantStatement
		if who := aws.ToString(g.GranteePrincipal); k.concerns(who) {
			list = append(list, grantOperations(who, k.arn, g)...)
		}
		if who := aws.ToString(g.RetiringPrincipal); k.concerns(who) {
			list = append(list, grantStatement{"Retire", "Allow", map[string]string{"AWS": who}, []string{"kms:RetireGrant"}, k.arn, nil})
		}
		if len(list) > 0 {
			name := aws.ToString(g.Name)
			if name == "" {
				name = *g.GrantId
			}
			k.made(policy.KMSGrant, name, k.arn, grantDocument{"2012-10-17", *g.GrantId, list})
		}
	})
}

func lastSegment(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// concerns reports whether a grantee may be somebody who is judged. A key may
// have 50,000 grants; those of services, and of others by name, say nothing here.
func (k *liveKey) concerns(grantee string) bool {
	if grantee == "" || strings.HasSuffix(grantee, ".amazonaws.com") {
		return false
	}
	s, ok := subjectOf(grantee)
	if !ok || s.Type != policy.User && s.Type != policy.Role && s.Type != policy.RoleSession {
		return true // an account, an id, or nothing that is known
	}
	for _, p := range k.out.principals {
		if p.subject.Account != s.Account && !policy.HasSymbol(p.subject.Account) {
			continue
		}
		if p.subject.Name == s.Name || policy.HasSymbol(p.subject.Name) {
			return true
		}
	}
	return false
}

// grantDocument is a grant written as a policy.
type grantDocument struct {
	Version   string
	ID        string `json:"Id"`
	Statement []grantStatement
}

type grantStatement struct {
	Sid, Effect string
	Principal   map[string]string
	Action      []string
	Resource    string
	Condition   map[string]map[string]string `json:",omitempty"`
}

// withContext are the operations that a grant's constraints bind: those that take
// an encryption context (AWS KMS API Reference, GrantConstraints).
var withContext = map[kmstypes.GrantOperation]bool{
	kmstypes.GrantOperationDecrypt: true, kmstypes.GrantOperationEncrypt: true,
	kmstypes.GrantOperationGenerateDataKey: true, kmstypes.GrantOperationGenerateDataKeyWithoutPlaintext: true,
	kmstypes.GrantOperationGenerateDataKeyPair: true, kmstypes.GrantOperationGenerateDataKeyPairWithoutPlaintext: true,
	kmstypes.GrantOperationReEncryptFrom: true, kmstypes.GrantOperationReEncryptTo: true,
}

func grantOperations(who, key string, g kmstypes.GrantListEntry) []grantStatement {
	var bound, free []string
	for _, operation := range g.Operations {
		if withContext[operation] {
			bound = append(bound, "kms:"+string(operation))
		} else {
			free = append(free, "kms:"+string(operation))
		}
	}
	var condition map[string]map[string]string
	if c := g.Constraints; c != nil {
		keys := map[string]string{}
		for _, pairs := range []map[string]string{c.EncryptionContextEquals, c.EncryptionContextSubset} {
			for name, value := range pairs {
				keys["kms:EncryptionContext:"+name] = value
			}
		}
		if len(keys) > 0 {
			condition = map[string]map[string]string{"StringEquals": keys}
		}
	}
	var out []grantStatement
	principal := map[string]string{"AWS": who}
	if len(bound) > 0 {
		out = append(out, grantStatement{"Grant", "Allow", principal, bound, key, condition})
	}
	if len(free) > 0 {
		out = append(out, grantStatement{"GrantWithoutContext", "Allow", principal, free, key, nil})
	}
	return out
}
