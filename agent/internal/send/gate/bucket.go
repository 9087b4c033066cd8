package gate

import (
	"context"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
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
	case right != "" && right != p.aws.Config.Region && (a.ok() || a.status < 500):
		c.Status, c.Outcome = Failed, WrongRegion
	case a.ok() || a.status == http.StatusForbidden:
		c.Outcome = BucketFound
		if right == "" {
			c.Outcome = BucketSilent
		}
	case a.status == http.StatusBadRequest && p.Canary:
		c.Status, c.Outcome = Unproven, BucketSilent
	case a.status == http.StatusNotFound:
		c.Status, c.Outcome = Failed, NoBucket
	case a.status == http.StatusMovedPermanently:
		c.Status, c.Outcome, c.Args["right"] = Failed, WrongRegion, "?"
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

// canary proves with one small object that the key can write. It tells whether
// nothing more is to be asked: the key itself was refused, or the bucket is
// somebody else's.
func (p *pass) canary(ctx context.Context) (refused bool) {
	key := p.canaryKey()
	var sent *answer
	if p.aws.Custom && p.again(p.memory.store) {
		fit, second := p.store(ctx, key)
		if !fit {
			p.skip(CheckCanary, CheckStore)
			return false
		}
		sent = second
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
	case a.denied():
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
	return c.Status == Failed && (c.Outcome == OtherOwner || slices.Contains(refusals, c.Outcome))
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

// store finds out whether a store that is not AWS keeps the two promises that
// Buzón stands on: it refuses a body whose checksum is wrong, and an object
// where one stands. An answer about the key or the bucket is the canary's to
// explain; sent is the answer to the right canary, where one was sent.
func (p *pass) store(ctx context.Context, key string) (fit bool, sent *answer) {
	const exists, unknown = http.StatusPreconditionFailed, http.StatusNotImplemented
	outcome := StoreFit
	first := p.put(ctx, put{key: key, wrong: true, owner: p.Owner})
	said, last := first.String(), first
	if first.status == exists {
		// The canary that stands may be one that this very store should have
		// refused. Sent to replace it, 0 bytes do no harm; a guard that forbids
		// that leaves the question open.
		if again := p.put(ctx, put{key: key, wrong: true, replace: true, owner: p.Owner}); again.ok() || again.badChecksum() {
			first = again
			said, last = first.String(), first
		}
	}
	switch {
	case first.ok():
		outcome = StoreNoChecksum
	case first.status == unknown:
		outcome = StoreNoCondition
	case !first.badChecksum() && first.status != exists:
		return true, nil
	default:
		second := p.put(ctx, put{key: key, owner: p.Owner})
		if !second.ok() && second.status != exists {
			return true, &second
		}
		last, sent = p.put(ctx, put{key: key, owner: p.Owner}), &second
		said += ", " + second.String() + ", " + last.String()
		switch {
		case last.ok(), last.status == unknown:
			outcome = StoreNoCondition
		case last.status != exists:
			return true, &last
		}
	}
	c := Check{ID: CheckStore, Status: OK, Outcome: outcome, Asked: "PutObject " + key + " × 3", Answered: said,
		Args: map[string]string{"store": p.aws.Endpoint}}
	if server := last.header.Get("Server"); server != "" {
		c.Args["store"] += " (" + server + ")"
	}
	if outcome != StoreFit {
		c.Status = Failed
	}
	p.memory.store = c.Status == OK
	p.report.add(c)
	return outcome == StoreFit, sent
}
