package gate

import (
	"context"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

// Probe is one request that a write-only key must be refused.
type Probe struct {
	ID         ID
	Permission string
	// Operation and target are shown; Target is one of the four kinds below.
	Operation string
	Target    Target
	call      func(*pass, context.Context, string, *asking) error
}

// Target is what a probe is aimed at.
type Target string

// Targets. A GET of a key that is missing is refused even where Get is
// allowed, so reading is tried on the canary itself.
const (
	OnCanary  Target = "canary"
	OnBucket  Target = "bucket"
	OnAccount Target = "account"
	Beside    Target = "beside" // a fixed key outside the prefix
	OnAbsent  Target = "absent" // a fixed key under the prefix that never exists
)

// Probes are all of them, in the order in which they are made.
var Probes = []Probe{
	{"get-object", "s3:GetObject", "GetObject", OnCanary, func(p *pass, ctx context.Context, key string, q *asking) error {
		out, err := p.aws.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &p.Bucket, Key: &key}, q.s3)
		if err == nil {
			_ = out.Body.Close()
		}
		return err
	}},
	{"head-object", "s3:GetObject", "HeadObject", OnCanary, func(p *pass, ctx context.Context, key string, q *asking) error {
		_, err := p.aws.S3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &p.Bucket, Key: &key}, q.s3)
		return err
	}},
	{"get-attributes", "s3:GetObjectAttributes", "GetObjectAttributes", OnCanary, func(p *pass, ctx context.Context, key string, q *asking) error {
		_, err := p.aws.S3.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: &p.Bucket, Key: &key,
			ObjectAttributes: []types.ObjectAttributes{types.ObjectAttributesObjectSize}}, q.s3)
		return err
	}},
	{"get-acl", "s3:GetObjectAcl", "GetObjectAcl", OnCanary, func(p *pass, ctx context.Context, key string, q *asking) error {
		_, err := p.aws.S3.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: &p.Bucket, Key: &key}, q.s3)
		return err
	}},
	{"get-tags", "s3:GetObjectTagging", "GetObjectTagging", OnCanary, func(p *pass, ctx context.Context, key string, q *asking) error {
		_, err := p.aws.S3.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &p.Bucket, Key: &key}, q.s3)
		return err
	}},
	{listBucket, "s3:ListBucket", "ListObjectsV2", OnBucket, func(p *pass, ctx context.Context, _ string, q *asking) error {
		_, err := p.aws.S3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &p.Bucket, Prefix: &p.Prefix, MaxKeys: aws.Int32(1)}, q.s3)
		return err
	}},
	{"list-versions", "s3:ListBucketVersions", "ListObjectVersions", OnBucket, func(p *pass, ctx context.Context, _ string, q *asking) error {
		_, err := p.aws.S3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &p.Bucket, Prefix: &p.Prefix, MaxKeys: aws.Int32(1)}, q.s3)
		return err
	}},
	{"list-uploads", "s3:ListBucketMultipartUploads", "ListMultipartUploads", OnBucket, func(p *pass, ctx context.Context, _ string, q *asking) error {
		_, err := p.aws.S3.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &p.Bucket, Prefix: &p.Prefix, MaxUploads: aws.Int32(1)}, q.s3)
		return err
	}},
	{"list-buckets", "s3:ListAllMyBuckets", "ListBuckets", OnAccount, func(p *pass, ctx context.Context, _ string, q *asking) error {
		return p.listBuckets(ctx, q)
	}},
	{"get-policy", "s3:GetBucketPolicy", "GetBucketPolicy", OnBucket, func(p *pass, ctx context.Context, _ string, q *asking) error {
		_, err := p.aws.S3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &p.Bucket}, q.s3)
		return err
	}},
	{"put-acl", "s3:PutObjectAcl", "PutObjectAcl", OnCanary, func(p *pass, ctx context.Context, key string, q *asking) error {
		_, err := p.aws.S3.PutObjectAcl(ctx, &s3.PutObjectAclInput{Bucket: &p.Bucket, Key: &key, ACL: types.ObjectCannedACLPrivate}, q.s3)
		return err
	}},
	{putTags, "s3:PutObjectTagging", "PutObjectTagging", OnCanary, func(p *pass, ctx context.Context, key string, q *asking) error {
		_, err := p.aws.S3.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: &p.Bucket, Key: &key,
			Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("buzon"), Value: aws.String("canary")}}}}, q.s3)
		return err
	}},
	// The wrong checksum keeps it from being stored; If-None-Match gets it
	// past an append-only guard, which would hide the permission behind it.
	{"put-beside", "s3:PutObject", "PutObject", Beside, nil},
	// If-Match keeps a store that honours it from leaving a delete marker.
	{"delete-object", "s3:DeleteObject", "DeleteObject", OnAbsent, func(p *pass, ctx context.Context, key string, q *asking) error {
		_, err := p.aws.S3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &p.Bucket, Key: &key, IfMatch: aws.String("*")}, q.s3)
		return err
	}},
	// The version "null" is well formed everywhere, so that a refusal is one
	// of the permission and not of the id.
	{"delete-version", "s3:DeleteObjectVersion", "DeleteObject?versionId", OnAbsent, func(p *pass, ctx context.Context, key string, q *asking) error {
		_, err := p.aws.S3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &p.Bucket, Key: &key, VersionId: aws.String("null")}, q.s3)
		return err
	}},
}

// Fixed keys of the probes.
const (
	besideKey = ".buzon-probe"
	absentKey = ".buzon/absent"
	proofKey  = ".buzon/proof" // of a store that is not AWS; nothing is stored there if it is fit
)

// listBucket is the probe whose permission HeadBucket needs too.
const listBucket ID = "list-bucket"

// putTags is the probe whose permission a key needs that is to write tags: then it is no fault.
const putTags ID = "put-tags"

// probesAtOnce is how many probes are asked at the same time: over a long way their answers are what a start waits for.
const probesAtOnce = 5

// probes asks those that are due, and judges their answers in order.
func (p *pass) probes(ctx context.Context) {
	missing := p.Canary && !p.stands
	if missing {
		p.skip(CheckProbes, CheckCanary) // those that are aimed at it
	}
	due := slices.DeleteFunc(slices.Clone(Probes), func(probe Probe) bool {
		return missing && probe.Target == OnCanary || probe.ID == putTags && p.Tags != "" || !p.due(probe)
	})
	answers := make([]answer, len(due))
	var group errgroup.Group
	group.SetLimit(probesAtOnce)
	for i, probe := range due {
		group.Go(func() error {
			answers[i] = p.askProbe(ctx, probe)
			return nil
		})
	}
	_ = group.Wait() // the answers hold the errors
	for i, probe := range due {
		if ctx.Err() != nil {
			return
		}
		c := p.judgeProbe(probe, answers[i])
		p.memory.learn(c)
		p.report.add(c)
	}
	p.report.Overpowered = p.memory.powers(p.report.Checks)
}

// target is the key that a probe is aimed at, and what it is aimed at as it is shown.
func (p *pass) target(probe Probe) (key, shown string) {
	switch probe.Target {
	case OnCanary:
		key = p.canaryKey()
	case Beside:
		key = besideKey
	case OnAbsent:
		key = p.Prefix + absentKey
	case OnBucket:
		return "", p.Bucket
	case OnAccount:
		return "", ""
	}
	return key, p.Bucket + "/" + key
}

// nothingBeside tells that there is no place outside the prefix.
func (p *pass) nothingBeside(probe Probe) bool { return probe.Target == Beside && p.Prefix == "" }

// askProbe makes one probe. It may be called from several goroutines.
func (p *pass) askProbe(ctx context.Context, probe Probe) answer {
	key, _ := p.target(probe)
	switch {
	case p.nothingBeside(probe):
		return answer{}
	case probe.Target == Beside:
		return p.put(ctx, put{key: key, wrong: true, probe: true})
	case probe.Target == OnAccount && p.listed != nil:
		return *p.listed
	}
	return p.note(ask(ctx, true, func(ctx context.Context, q *asking) error { return probe.call(p, ctx, key, q) }))
}

// judgeProbe tells what an answer to a probe means.
func (p *pass) judgeProbe(probe Probe, a answer) Check {
	_, shown := p.target(probe)
	c := Check{ID: probe.ID, Asked: probe.Operation}
	if shown != "" {
		c.Asked += " " + shown
	}
	if p.nothingBeside(probe) {
		c.Status, c.Outcome = Unproven, ProbeNoBeside
		return c
	}
	p.judge(&c, probe, a)
	if probe.Target == Beside {
		switch c.Outcome {
		case ProbeRefused:
			c.Outcome = BesideRefused
		case ProbeAllowed:
			c.Outcome, c.Args["what"] = BesideAllowed, shown
		default: // a fault of the way there
		}
	}
	if c.Status == OK || c.Status == Unproven {
		c.Args = map[string]string{"permission": probe.Permission}
	}
	if probe.ID == listBucket && c.Outcome == ProbeRefused && p.bucket != nil && p.bucket.ok() {
		// HeadBucket is the same permission without a prefix.
		c.Asked, c.Answered = "HeadBucket "+p.Bucket, p.bucket.String()
		p.allowed(&c, probe.Permission)
	}
	return c
}

// judge reads the answer to a probe. Only a plain "you may not" is a refusal.
func (p *pass) judge(c *Check, probe Probe, a answer) {
	p.explain(c, a)
	c.Args["permission"] = probe.Permission
	switch fault := a.fault(); {
	case a.empty && p.aws.Custom:
		// Some stores answer everybody, with what they may see (versitygw, SeaweedFS).
		c.Status, c.Outcome = OK, ProbeEmpty
	case a.denied():
		c.Status, c.Outcome = OK, ProbeRefused
		if probe.Target == OnCanary && !p.stands {
			// Of a key that is not there this proves nothing.
			c.Status, c.Outcome = Unproven, ProbeNotProven
		}
	case fault == NoBucket, fault == "":
		switch {
		case a.status == http.StatusNotImplemented, a.status == http.StatusMethodNotAllowed:
			c.Status, c.Outcome = Unproven, ProbeUnsupported
		case a.code == "AccessControlListNotSupported":
			c.Status, c.Outcome = Unproven, ProbeACLsOff
		default:
			p.allowed(c, probe.Permission)
			if a.header.Get("X-Amz-Delete-Marker") == "true" {
				c.Outcome = ProbeMarker
			}
		}
	case fault == NotTheStore && probe.Operation == "HeadObject": // there is no body to tell by
		c.Status, c.Outcome = Unproven, ProbeUnknown
	case fault == Unreachable, fault == StoreBusy:
		c.Status, c.Outcome = Failed, ProbeUnanswered
	default:
		c.Status = Failed // the key itself was refused meanwhile
	}
}

// allowed marks a permission that the key has and should not.
func (p *pass) allowed(c *Check, permission string) {
	c.Status, c.Outcome, c.Permission = Failed, ProbeAllowed, permission
	if p.WarnOverpowered {
		c.Status = Warning
	}
	if c.Args == nil {
		c.Args = map[string]string{}
	}
	c.Args["permission"], c.Args["bucket"], c.Args["prefix"] = permission, p.Bucket, p.Prefix
	c.Args["answer"], c.Args["what"] = c.Answered, c.Asked
}

// knownPower reports what was learnt without a probe: ListBuckets or
// HeadBucket succeeded while the gate asked something else.
func (p *pass) knownPower() {
	for _, known := range []struct {
		id         ID
		permission string
		asked      string
		answer     *answer
	}{
		{listBucket, "s3:ListBucket", "HeadBucket " + p.Bucket, p.bucket},
		{"list-buckets", "s3:ListAllMyBuckets", "ListBuckets", p.listed},
	} {
		if known.answer != nil && known.answer.ok() && !(known.answer.empty && p.aws.Custom) {
			c := Check{ID: known.id, Asked: known.asked, Answered: known.answer.String()}
			p.allowed(&c, known.permission)
			p.report.add(c)
		}
	}
}
