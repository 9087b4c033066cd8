package upload

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/encoding/httpbinding"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"buzon/agent/internal/client"
)

// abortWait is how long an abort may take that follows a failure; it is only a courtesy to the bucket.
const abortWait = 10 * time.Second

// multipart sends a file in parts: those that Job.Resume does not hold already.
func (u *Uploader) multipart(ctx context.Context, r *remote, t *target, job Job, ledger Ledger) (Result, error) {
	m := job.Resume
	if m == nil {
		begun, err := u.create(ctx, r, job, ledger)
		if err != nil {
			return Result{}, err
		}
		m = begun
	}
	parts, err := u.parts(ctx, r, t, job, m, ledger)
	if err != nil {
		return Result{}, u.end(ctx, r, job, m, u.known(ctx, r, t, job, m, err))
	}
	if err := job.same(PhaseComplete); err != nil {
		return Result{}, u.end(ctx, r, job, m, err)
	}
	if err := ledger.Completing(); err != nil {
		return Result{}, &Error{Fault: client.Fault{Code: "ledger"}, Phase: PhaseLedger, err: err}
	}
	result, failure := u.complete(ctx, r, job, m, parts)
	if failure != nil {
		return Result{}, u.end(ctx, r, job, m, failure)
	}
	return result, nil
}

func (u *Uploader) create(ctx context.Context, r *remote, job Job, ledger Ledger) (*Multipart, error) {
	in := &s3.CreateMultipartUploadInput{Bucket: &job.Bucket, Key: &job.Key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme,
		ChecksumType: types.ChecksumTypeFullObject, Metadata: job.Metadata, StorageClass: types.StorageClass(job.StorageClass)}
	in.ContentType, in.Tagging, in.ExpectedBucketOwner = optional(job.ContentType), optional(job.Tags), optional(job.Owner)
	out, err := r.s3.CreateMultipartUpload(ctx, in)
	if err != nil {
		return nil, failed(PhaseCreate, err)
	}
	m := &Multipart{UploadID: aws.ToString(out.UploadId), PartSize: u.PartSize(job.Size)}
	if err := ledger.Created(m.UploadID, m.PartSize); err != nil {
		return nil, &Error{Fault: client.Fault{Code: "ledger"}, Phase: PhaseLedger, err: err}
	}
	return m, nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// parts sends what is missing, some at once, and returns all parts in order.
func (u *Uploader) parts(ctx context.Context, r *remote, t *target, job Job, m *Multipart, ledger Ledger) ([]Part, error) {
	if m.PartSize <= 0 || m.PartSize > maxPart || (job.Size+m.PartSize-1)/m.PartSize > maxParts {
		return nil, &Error{Fault: client.Fault{Class: client.NoUpload, Code: "part-size"}, Phase: PhasePart}
	}
	count := max(1, (job.Size+m.PartSize-1)/m.PartSize)
	all := make([]Part, count)
	for _, p := range m.Parts {
		if n := int64(p.Number); n >= 1 && n <= count && p.Size == sizeOf(n, m.PartSize, job.Size) {
			all[n-1] = p
		}
	}
	var look sync.Mutex
	group, within := errgroup.WithContext(ctx)
	var next atomic.Int64
	var first sync.Once
	var failure error // the first one: what follows is only its echo
	for range min(int64(u.options.Parts), count) {
		group.Go(func() error {
			for {
				n := next.Add(1)
				if n > count || within.Err() != nil {
					return nil
				}
				if all[n-1].Number != 0 {
					continue
				}
				look.Lock()
				err := job.same(PhasePart)
				look.Unlock()
				var p Part
				if err == nil {
					p, err = u.part(within, r, t, job, m, n)
				}
				if err == nil {
					if err = ledger.PartDone(p); err != nil {
						err = &Error{Fault: client.Fault{Code: "ledger"}, Phase: PhaseLedger, err: err}
					}
				}
				if err != nil {
					first.Do(func() { failure = err })
					return err
				}
				all[n-1] = p
			}
		})
	}
	if err := group.Wait(); err != nil {
		return nil, failure
	}
	if err := ctx.Err(); err != nil {
		return nil, local(PhasePart, err)
	}
	return all, nil
}

// same looks at the file again: a changed one is not worth another part.
func (j *Job) same(phase Phase) error {
	if j.Unchanged == nil {
		return nil
	}
	if why := j.Unchanged(); why != nil {
		return changed(phase, why)
	}
	return nil
}

func sizeOf(number, partSize, size int64) int64 { return min(partSize, size-(number-1)*partSize) }

func (u *Uploader) part(ctx context.Context, r *remote, t *target, job Job, m *Multipart, n int64) (Part, error) {
	release, err := u.slot(ctx)
	if err != nil {
		return Part{}, local(PhasePart, err)
	}
	defer release()
	size := sizeOf(n, m.PartSize, job.Size)
	a, err := r.put(ctx, t, partRequest(job, m, n, size, u.options.Limiter))
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.Sent = No // a part creates no object
		}
		return Part{}, err
	}
	return Part{Number: int32(n), Size: size, ETag: a.etag, CRC64: a.crc}, nil //nolint:gosec // at most 10,000
}

// known asks for an upload of an earlier attempt whose part met a broken connection: a store that has forgotten it may
// refuse a part before its body was sent, and the answer is then lost with the connection. A part without a body, of a
// number that the object does not use, gets an answer in every case. It returns the refusal, or else why the part failed.
func (u *Uploader) known(ctx context.Context, r *remote, t *target, job Job, m *Multipart, why error) error {
	var broke *Error
	spare := (job.Size+m.PartSize-1)/m.PartSize + 1
	if job.Resume == nil || spare > maxParts || !errors.As(why, &broke) || broke.Answered || !brokeOff(broke.Fault) {
		return why
	}
	var refused *Error
	_, err := r.put(ctx, t, partRequest(job, m, spare, 0, u.options.Limiter))
	if errors.As(err, &refused) && refused.Answered && refused.Fault.Class == client.NoUpload {
		refused.Sent = No
		return refused
	}
	return why
}

// brokeOff says that a connection ended in the middle, and not that none came about or that nothing moved on it.
func brokeOff(f client.Fault) bool { return f.Class == client.Transient && f.Code == "reset" }

// partRequest is the request that sends one part.
func partRequest(job Job, m *Multipart, n, size int64, limiter *rate.Limiter) request {
	return request{phase: PhasePart, key: job.Key, header: newHeaders(), owner: job.Owner,
		query: "partNumber=" + strconv.FormatInt(n, 10) + "&uploadId=" + httpbinding.EscapePath(m.UploadID, true),
		file:  job.File, at: (n - 1) * m.PartSize, size: size, limiter: limiter, progress: job.Progress}
}

// complete asks for the object. S3 may answer 200 and put an error behind it; the SDK finds that.
func (u *Uploader) complete(ctx context.Context, r *remote, job Job, m *Multipart, parts []Part) (Result, *Error) {
	sort.Slice(parts, func(i, j int) bool { return parts[i].Number < parts[j].Number })
	var crc uint64
	list := make([]types.CompletedPart, len(parts))
	for i := range parts {
		p := &parts[i]
		crc = combine(crc, p.CRC64, p.Size)
		list[i] = types.CompletedPart{PartNumber: &p.Number, ETag: aws.String(trim(p.ETag)), ChecksumCRC64NVME: aws.String(encode(p.CRC64))}
	}
	whole := encode(crc)
	in := &s3.CompleteMultipartUploadInput{Bucket: &job.Bucket, Key: &job.Key, UploadId: &m.UploadID, ExpectedBucketOwner: optional(job.Owner),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: list}, ChecksumCRC64NVME: &whole, ChecksumType: types.ChecksumTypeFullObject, MpuObjectSize: &job.Size}
	if !job.Replace {
		in.IfNoneMatch = aws.String("*")
	}
	var left atomic.Bool
	out, err := r.s3.CompleteMultipartUpload(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { left.Store(true) }}), in)
	if err != nil {
		e := failed(PhaseComplete, err)
		if left.Load() {
			e.bodyLeft()
		}
		return Result{}, e
	}
	result := Result{ETag: aws.ToString(out.ETag), VersionID: aws.ToString(out.VersionId), CRC64: crc}
	result.RequestID, _ = awsmiddleware.GetRequestIDMetadata(out.ResultMetadata)
	if echo := aws.ToString(out.ChecksumCRC64NVME); echo != "" {
		if echo != whole {
			return Result{}, &Error{Fault: client.Fault{Class: client.Corrupt, Code: "other-checksum", Status: 200, RequestID: result.RequestID},
				Phase: PhaseComplete, Sent: Whole, Answered: true, err: ErrOtherChecksum}
		}
		result.Echoed = true
	}
	return result, nil
}

// end aborts an upload that can't be of use any more, and returns why. A refusal is tolerated: a lifecycle rule
// ends what is left.
func (u *Uploader) end(ctx context.Context, r *remote, job Job, m *Multipart, why error) error {
	var e *Error
	if !errors.As(why, &e) {
		return fmt.Errorf("upload: %w", why)
	}
	useless := errors.Is(why, ErrChanged) || e.Answered && (e.Fault.Class == client.Exists || e.Fault.Class == client.Raced)
	if useless {
		short, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortWait)
		defer cancel()
		_, _ = r.s3.AbortMultipartUpload(short, &s3.AbortMultipartUploadInput{Bucket: &job.Bucket, Key: &job.Key, UploadId: &m.UploadID, ExpectedBucketOwner: optional(job.Owner)})
	}
	return e
}
