package upload

import (
	"errors"
	"fmt"
	"io"

	"buzon/agent/internal/client"
)

// Job is one file that is to become one object.
type Job struct {
	Bucket, Key string
	Owner       string // account id that must own the bucket; "" is not asked
	File        io.ReaderAt
	Size        int64 // bytes
	// Unchanged looks at the file again, between the last read and the last bytes sent; an error breaks the
	// attempt off with ErrChanged. Called at least once in an attempt that succeeds, by one goroutine at a time.
	Unchanged func() error
	// Progress is told of bytes as they leave; nil is allowed. Called from many goroutines.
	Progress func(n int64)

	ContentType  string
	Metadata     map[string]string // names without x-amz-meta-
	StorageClass string
	Tags         string // as a URL query: a=b&c=d
	Replace      bool   // send no If-None-Match
	Resume       *Multipart
}

// describe puts what an object carries into the headers of the request that creates it.
func (j *Job) describe(h *headers) {
	h.set("Content-Type", j.ContentType)
	h.set("X-Amz-Storage-Class", j.StorageClass)
	h.set("X-Amz-Tagging", j.Tags)
	for name, value := range j.Metadata {
		h.set("X-Amz-Meta-"+name, value)
	}
}

// Multipart is an upload that an earlier attempt has begun.
type Multipart struct {
	UploadID string
	PartSize int64
	Parts    []Part // confirmed ones, in any order
}

// Part is one part that S3 has confirmed.
type Part struct {
	Number int32 // from 1
	Size   int64
	ETag   string
	CRC64  uint64
}

// Ledger is told what a multipart upload has reached; each call is durable before it returns. An error ends the
// attempt. PartDone is called from many goroutines, the others from one; none is called twice with the same facts.
type Ledger interface {
	Created(uploadID string, partSize int64) error
	PartDone(Part) error
	Completing() error // a Complete is about to leave
}

// Result is what S3 answered.
type Result struct {
	ETag      string
	VersionID string
	CRC64     uint64 // of the whole object, computed here
	Echoed    bool   // the answer held the same checksum
	RequestID string
}

// Phase is where an attempt failed.
type Phase string

// The phases.
const (
	PhasePut      Phase = "put"
	PhaseCreate   Phase = "create"
	PhasePart     Phase = "part"
	PhaseComplete Phase = "complete"
	PhaseLedger   Phase = "ledger"
)

// BodySent says whether the server may have got all of the request that creates the object: PutObject or
// CompleteMultipartUpload. It is true to the safe side.
type BodySent int

// The closed set of what may have left.
const (
	No    BodySent = iota // its last bytes never left
	Whole                 // they left, and the store answered
	Maybe                 // they were handed to the system, and nothing that is the store's came back
)

// String names it for logs.
func (b BodySent) String() string { return [...]string{"no", "whole", "maybe"}[b] }

// Error is why an attempt did not succeed.
type Error struct {
	Fault client.Fault
	Phase Phase
	Sent  BodySent
	// Answered tells that the store itself answered the failed request.
	Answered bool
	err      error
}

// Error names phase and fault, for logs.
func (e *Error) Error() string {
	s := fmt.Sprintf("upload: %s: %s", e.Phase, e.Fault.Class)
	if e.Fault.Code != "" {
		s += " " + e.Fault.Code
	}
	if e.Fault.Status != 0 {
		return fmt.Sprintf("%s (HTTP %d)", s, e.Fault.Status)
	}
	if e.err != nil {
		s += ": " + e.err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.err }

// ErrChanged is matched by the error of a file that changed while it was sent; nothing of it was stored.
var ErrChanged = errors.New("the file changed while it was sent")

// ErrOtherChecksum is matched by the error of an answer whose checksum is not ours: S3 confirmed other bytes.
var ErrOtherChecksum = errors.New("the answer holds another checksum")
