// Package upload makes one attempt to turn one file into one object: a single PutObject up to Options.Threshold,
// a multipart upload above it, each with If-None-Match and a CRC-64/NVME over the whole object.
//
//	u := upload.New(aws, upload.Options{})
//	result, err := u.Send(ctx, job, ledger)
//
// A file is read once, and its checksum follows the bytes as a trailer. The last bytes are held back until
// Job.Unchanged has looked at the file again, so that no torn object appears. An error is an *Error, which says
// whether the server may have got everything: that is what decides over exactly-once.
//
// It does not retry, wait or remember: that is the courier's. It never sends HEAD, GET, LIST or ListParts, and it
// does not promise that an abort of a multipart upload is allowed.
package upload

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"golang.org/x/time/rate"

	"buzon/agent/internal/client"
)

const (
	mebi = 1 << 20
	// maxSingle is the most that one PutObject takes (S3 User Guide, "Uploading objects").
	maxSingle = 5 << 30
	// minPart, maxPart and maxParts are S3's (S3 User Guide, "Amazon S3 multipart upload limits").
	minPart  = 5 * mebi
	maxPart  = 5 << 30
	maxParts = 10_000
	// MaxSize is the largest object: 48.8 TiB (same page).
	MaxSize = maxPart * maxParts

	defaultThreshold = 32 * mebi
	defaultPart      = 16 * mebi
	defaultParts     = 8
	// perRequest is the memory that one request in flight may take: its connection's buffers and a small
	// file's or a copy's block.
	perRequest = 256 << 10
)

// Options of an Uploader. Sizes are in bytes; zero values are the defaults.
type Options struct {
	Threshold int64 // files above it are sent as multipart uploads; default 32 MiB, at most 5 GiB
	PartSize  int64 // least size of a part; default 16 MiB; grows with the file to keep to 10,000 parts
	Parts     int   // parts of one file at once; default 8
	Memory    int64 // bounds all requests in flight together at 256 KiB each; 0: no bound
	// Limiter holds the bytes of all bodies together to a rate, in bytes a second; nil: no limit.
	Limiter *rate.Limiter
}

// Uploader sends files. It may be used by many goroutines.
type Uploader struct {
	options Options
	slots   chan struct{}
	remote  atomic.Pointer[remote]
}

// New makes an Uploader that sends as aws.
func New(aws *client.AWS, o Options) *Uploader {
	if o.Threshold <= 0 {
		o.Threshold = defaultThreshold
	}
	o.Threshold = min(o.Threshold, maxSingle)
	if o.PartSize <= 0 {
		o.PartSize = defaultPart
	}
	if o.Parts <= 0 {
		o.Parts = defaultParts
	}
	u := &Uploader{options: o}
	if o.Memory > 0 {
		u.slots = make(chan struct{}, max(1, o.Memory/perRequest))
	}
	u.Use(aws)
	return u
}

// Use sends from now on with other credentials; attempts in flight keep theirs.
func (u *Uploader) Use(aws *client.AWS) { u.remote.Store(newRemote(aws)) }

// PartSize is the size of the parts of a file of that size, 0 if it is sent whole.
func (u *Uploader) PartSize(size int64) int64 {
	if size <= u.options.Threshold {
		return 0
	}
	least := (size + maxParts - 1) / maxParts
	least = (least + mebi - 1) / mebi * mebi
	return max(u.options.PartSize, least)
}

// slot waits for the memory of one request.
func (u *Uploader) slot(ctx context.Context) (release func(), err error) {
	if u.slots == nil {
		return func() {}, nil
	}
	select {
	case u.slots <- struct{}{}:
		return func() { <-u.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Send makes one attempt. ledger is only called for multipart uploads. The error is an *Error.
func (u *Uploader) Send(ctx context.Context, job Job, ledger Ledger) (Result, error) {
	r := u.remote.Load()
	target, err := r.target(ctx, job.Bucket)
	if err != nil {
		return Result{}, local(PhasePut, err)
	}
	if job.Size > MaxSize {
		return Result{}, &Error{Fault: client.Fault{Class: client.File, Code: "EntityTooLarge"}, Phase: PhasePut}
	}
	if job.Resume == nil && u.PartSize(job.Size) == 0 {
		return u.single(ctx, r, target, job)
	}
	return u.multipart(ctx, r, target, job, ledger)
}

func (u *Uploader) single(ctx context.Context, r *remote, t *target, job Job) (Result, error) {
	release, err := u.slot(ctx)
	if err != nil {
		return Result{}, local(PhasePut, err)
	}
	defer release()
	h := newHeaders()
	job.describe(h)
	if !job.Replace {
		h.set("If-None-Match", "*")
	}
	a, err := r.put(ctx, t, request{phase: PhasePut, key: job.Key, header: h, owner: job.Owner, file: job.File, size: job.Size,
		unchanged: job.Unchanged, limiter: u.options.Limiter, progress: job.Progress})
	if err != nil {
		return Result{}, err
	}
	return Result{ETag: a.etag, VersionID: a.version, CRC64: a.crc, Echoed: a.echoed, RequestID: a.id}, nil
}

// local is the error of what failed before or beside the wire.
func local(phase Phase, err error) *Error {
	f := client.Classify(err)
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Fault: f, Phase: phase, err: err}
}

// changed is the error of a file that is not what it was.
func changed(phase Phase, why error) *Error {
	return &Error{Fault: client.Fault{Class: client.File, Code: "changed"}, Phase: phase, err: errors.Join(ErrChanged, why)}
}

// unreadable is the error of a file that can't be read.
func unreadable(phase Phase, err error) *Error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return changed(phase, errShrunk)
	}
	f := client.Fault{Class: client.File, Code: "unreadable"}
	if lack := client.Lacking(err); lack != "" {
		f = client.Fault{Class: client.Machine, Code: lack}
	}
	return &Error{Fault: f, Phase: phase, err: err}
}

var errShrunk = errors.New("it became shorter")
