package gate

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"buzon/agent/internal/client"
)

// whichBucket asks whether the bucket is there and in which Region. A
// write-only key gets 403, which tells both: the header carries the Region
// (S3 API Reference, "HeadBucket").
//
// HEAD answers have no body, so a 400 without a Region may mean anything: the
// canary's answer will say.
func (p *pass) whichBucket(ctx context.Context) bool {
	c := Check{ID: CheckBucket, Status: OK, Outcome: BucketFound, Asked: "HeadBucket " + p.Bucket}
	a := p.note(ask(ctx, true, func(ctx context.Context, q *asking) error {
		_, err := p.aws.S3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &p.Bucket}, q.s3)
		return err
	}))
	p.bucket = &a
	p.explain(&c, a)
	right := a.region()
	c.Args["right"] = right
	switch {
	case a.Class == client.NotTheStore && a.status < 500 && p.Canary: // there is no body to tell by
		c.Status, c.Outcome = Unproven, BucketSilent
	case a.Class == client.NotTheStore:
		c.Status = Failed
	case right != "" && right != p.aws.Config.Region && (a.ok() || a.status < 500):
		c.Status, c.Outcome = Failed, WrongRegion
	case a.ok() || a.denied():
		c.Outcome = BucketFound
		if right == "" {
			c.Outcome = BucketSilent
		}
	case a.status == http.StatusBadRequest && p.Canary:
		c.Status, c.Outcome = Unproven, BucketSilent
	case a.status == http.StatusNotFound:
		c.Status, c.Outcome = Failed, NoBucket
	case a.status == http.StatusMovedPermanently:
		c.Status, c.Outcome = Failed, OtherRegion
	case a.status == 0 && a.silence == NotSent:
		c.Status, c.Outcome = Failed, BadBucket
	default:
		c.Status = Failed
	}
	if c.Status != Failed {
		c.Args = map[string]string{"bucket": p.Bucket, "region": right}
	}
	p.memory.bucket = c.Status == OK
	p.report.add(c)
	return c.Status != Failed
}

// put sends the canary: 0 bytes, by default rightly, with the owner and
// without overwriting.
type put struct {
	key     string
	wrong   bool // a checksum that no body of 0 bytes has
	replace bool // without If-None-Match
	owner   string
	probe   bool
	class   string // of storage
	tags    string // as a URL query
}

func (p *pass) put(ctx context.Context, w put) answer {
	in := &s3.PutObjectInput{Bucket: &p.Bucket, Key: &w.key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme,
		ContentType: aws.String("application/octet-stream"), ContentLength: aws.Int64(0)}
	in.ChecksumCRC64NVME = aws.String("AAAAAAAAAAA=")
	if w.wrong {
		in.ChecksumCRC64NVME = wrongChecksum
	}
	if !w.replace {
		in.IfNoneMatch = aws.String("*")
	}
	if w.owner != "" {
		in.ExpectedBucketOwner = &w.owner
	}
	if w.tags != "" {
		in.Tagging = &w.tags
	}
	in.StorageClass = types.StorageClass(w.class)
	a := ask(ctx, w.probe, func(ctx context.Context, q *asking) (err error) {
		for range 3 { // 409: a delete won the race, once more
			_, err = p.aws.S3.PutObject(ctx, in, q.s3)
			if err == nil || q.got.status != http.StatusConflict {
				break
			}
		}
		return err
	})
	return p.note(a)
}

// canaryKey is where the canary stands.
func (p *pass) canaryKey() string { return p.Prefix + ".buzon/canary" }

// canary proves with one small object that the key can write. It names the
// check after which nothing more is to be asked: the key itself was refused,
// the bucket is somebody else's, or the store is not fit; "" if there is none.
func (p *pass) canary(ctx context.Context) (stop ID) {
	key := p.canaryKey()
	var sent *answer
	switch at, proven := p.aws.Traits().Proven(p.Bucket+"/"+p.Prefix, time.Now()); {
	case !p.aws.Custom || !p.again(p.memory.store):
	case proven:
		p.memory.store = true
		p.report.add(Check{ID: CheckStore, Status: OK, Outcome: StoreProven, Args: map[string]string{"store": p.aws.Endpoint, "ended": at.UTC().Format(time.RFC3339)}})
	default:
		fit, answered := p.store(ctx)
		if !fit {
			p.skip(CheckCanary, CheckStore)
			return CheckStore
		}
		sent = answered
	}
	c := Check{ID: CheckCanary, Status: Failed, Asked: "PutObject " + key + " If-None-Match: *"}
	if sent == nil {
		a := p.put(ctx, put{key: key, owner: p.Owner})
		sent = &a
	}
	a := *sent
	p.explain(&c, a)
	c.Args["path"] = key
	c.Args["owner"] = p.Owner
	switch {
	case a.ok():
		c.Status, c.Outcome = OK, CanaryMade
		p.stands = true
	case a.status == http.StatusPreconditionFailed:
		c.Status, c.Outcome = OK, CanaryStands
		p.stands = true
	case kms(a.code):
		c.Outcome = KMSRefused
	case a.denied() && a.code == "AccessDenied": // another code says something else, in the store's own words
		c.Outcome = CannotWrite
		if p.Owner != "" {
			c.Outcome = p.whoseFault(ctx, key)
		}
	}
	if c.Status == OK {
		c.Args = map[string]string{"path": key}
	}
	p.report.add(c)
	if c.Status == OK && p.Replace && p.again(p.memory.room) {
		p.conflict(ctx, key)
	}
	if c.Status == OK && p.Class+p.Tags != "" && p.again(p.memory.carry) {
		p.carries(ctx, key)
	}
	if c.Status == Failed && (c.Outcome == OtherOwner || slices.Contains(refusals, c.Outcome)) {
		return CheckCanary
	}
	return ""
}

func kms(code string) bool { return len(code) > 4 && code[:4] == "KMS." }

// whoseFault settles a 403 on the canary: the same request without the
// owner's header and with a wrong checksum is stored by nobody, and BadDigest
// says that only the header was refused.
func (p *pass) whoseFault(ctx context.Context, key string) Outcome {
	a := p.put(ctx, put{key: key, wrong: true})
	if a.ok() || a.badChecksum() || a.status == http.StatusPreconditionFailed {
		return OtherOwner
	}
	return CannotWriteOrElse
}

// conflict finds an append-only guard in the way of on_conflict: replace. The
// wrong checksum keeps the canary as it is.
func (p *pass) conflict(ctx context.Context, key string) {
	c := Check{ID: CheckConflict, Status: OK, Outcome: ConflictOK, Asked: "PutObject " + key}
	a := p.put(ctx, put{key: key, wrong: true, replace: true, owner: p.Owner})
	p.explain(&c, a)
	switch {
	case a.ok(), a.badChecksum():
		c.Outcome, c.Args = ConflictOK, nil
	case a.denied():
		c.Status, c.Outcome = Failed, ConflictDenied
	default:
		c.Status = Failed
	}
	p.memory.room = c.Status == OK
	p.report.add(c)
}
