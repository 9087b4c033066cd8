// Package verify compares receipts with the bucket: what left the VM with what is there. It is the only room
// that reads objects, with a reader's credentials and never with the uploader's.
//
//	result, err := verify.Run(ctx, receipt.NewReader(file), verify.Options{S3: aws.S3})
//
// Each receipt is held against its own version of the object, by size and CRC-64/NVME; where the store keeps no
// such checksum of the whole object, its bytes are read. Then the prefix is listed, and what no receipt names is
// unexpected. The canary is ignored.
//
// It changes nothing, here or there. It does not promise that what it found still stands a moment later, nor that
// all receipts are in what it was given.
package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"buzon/agent/internal/client"
	"buzon/agent/internal/send/receipt"
)

// Outcome is what is wrong between a receipt and the bucket.
type Outcome string

// The closed set of outcomes; a receipt that matches makes no finding.
const (
	Missing    Outcome = "missing"    // there is a receipt and no object
	Differs    Outcome = "differs"    // the object has another size or other bytes
	Hidden     Outcome = "hidden"     // it is there, and a delete marker stands over it
	Unexpected Outcome = "unexpected" // there is an object and no receipt
	Unread     Outcome = "unread"     // the object, or the listing, may not or can't be read
)

// Outcomes are all outcomes, the worst first.
var Outcomes = [...]Outcome{Missing, Differs, Hidden, Unexpected, Unread}

// Object is what the bucket says of one object.
type Object struct {
	Size int64 // bytes
	// CRC64 is that of the whole object; Known says whether it is known.
	CRC64 uint64
	Known bool
	Read  bool // the bytes were read for it
}

// Finding is one receipt or object that is not as it should be.
type Finding struct {
	Outcome   Outcome
	Bucket    string
	Key       string           // "" for a listing that may not be read
	VersionID string           // of the object; "" for the current one
	Receipt   *receipt.Receipt // nil where there is none
	Found     *Object          // Differs, Unexpected
	Fault     client.Fault     // Unread
}

// Listing is how much of a bucket was seen for unexpected objects.
type Listing string

// The closed set of listings.
const (
	AllVersions Listing = "versions"
	CurrentOnly Listing = "objects" // versions may not be listed
	NotListed   Listing = "no"
)

// Place is one listed prefix.
type Place struct {
	Bucket, Prefix string
	Listing        Listing
	Objects        int64 // versions and objects seen, without the canary
}

// Result is what a comparison found.
type Result struct {
	Receipts   int64 // all that were read
	Matched    int64
	Confirmed  int64 // of the matched, those that were inferred
	Superseded int64 // of an object that a later receipt replaced, in a bucket without versions
	Findings   []Finding
	Places     []Place
}

// Count is the number of findings of one outcome.
func (r *Result) Count(o Outcome) (n int64) {
	for _, f := range r.Findings {
		if f.Outcome == o {
			n++
		}
	}
	return n
}

// Receipts is what Run reads; [receipt.Reader] is one. It ends with io.EOF.
type Receipts interface {
	Read() (*receipt.Receipt, error)
}

// Options of a comparison.
type Options struct {
	S3 *s3.Client
	// Prefix is listed for unexpected objects; "" means the folder that all keys of a bucket share.
	Prefix string
	// AtOnce is how many receipts are compared at once; 0 means 16.
	AtOnce int
}

// FaultError is a fault of the key or of the bucket, with which no receipt can be compared.
type FaultError struct {
	Bucket string
	Fault  client.Fault
	err    error
}

func (e *FaultError) Error() string { return "read bucket " + e.Bucket + ": " + e.err.Error() }
func (e *FaultError) Unwrap() error { return e.err }

// Message names the sentence for it.
func (e *FaultError) Message() (string, []any) {
	id := "verify.fault-key"
	if e.Fault.Class == client.Bucket {
		id = "verify.fault-bucket"
	}
	code := cmp.Or(e.Fault.Code, e.Fault.Class.String())
	return id, []any{"bucket", e.Bucket, "code", code, "region", cmp.Or(e.Fault.Region, "–")}
}

// Run compares all receipts and then looks for what has none. Its errors are those of the receipts, a
// [*FaultError], or the context's; anything about a single object is a finding.
func Run(ctx context.Context, in Receipts, o Options) (*Result, error) {
	if o.AtOnce <= 0 {
		o.AtOnce = 16
	}
	v := &verifier{Options: o, known: map[name]struct{}{}, latest: map[name]int64{}, listed: map[name]int64{}, folders: map[string]string{}}
	work := make(chan *receipt.Receipt)
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(work)
		for {
			r, err := in.Read()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			v.note(r)
			select {
			case work <- r:
			case <-within.Done():
				return within.Err()
			}
		}
	})
	for range o.AtOnce {
		group.Go(func() error {
			for r := range work {
				if err := v.compare(within, r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := v.listAll(ctx); err != nil {
		return nil, err
	}
	v.supersede()
	slices.SortStableFunc(v.result.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Key, b.Key), cmp.Compare(a.VersionID, b.VersionID),
			cmp.Compare(slices.Index(Outcomes[:], a.Outcome), slices.Index(Outcomes[:], b.Outcome)))
	})
	return &v.result, nil
}

// name is a hash of a bucket, a key and a version id, so that a million of them stay small.
type name [16]byte

func nameOf(bucket, key, version string) name {
	sum := sha256.Sum256([]byte(bucket + "\x00" + key + "\x00" + version))
	return name(sum[:16])
}

// anyVersion stands for a key as such; no version id is like it.
const anyVersion = "\x00"

// verifier is one comparison.
type verifier struct {
	Options
	noAttributes atomic.Bool // GetObjectAttributes is refused or unknown here

	// Only the reading goroutine writes these, and only after it has ended are they read.
	known   map[name]struct{} // what receipts name
	latest  map[name]int64    // when the last receipt without version was sent, by key
	listed  map[name]int64    // the sizes of those whose keys read otherwise in a list that isn't URL-encoded, by that reading
	folders map[string]string // by bucket, the folder that all keys share

	mu     sync.Mutex // guards the result
	result Result
}

// note remembers what a receipt names.
func (v *verifier) note(r *receipt.Receipt) {
	v.known[nameOf(r.Bucket, r.Key, r.VersionID)] = struct{}{}
	v.known[nameOf(r.Bucket, r.Key, anyVersion)] = struct{}{}
	if r.VersionID == "" {
		n := nameOf(r.Bucket, r.Key, "")
		v.latest[n] = max(v.latest[n], r.SentAt.UnixNano())
	}
	if as := client.Listed(r.Key); as != r.Key {
		v.listed[nameOf(r.Bucket, as, r.VersionID)] = r.Size
		v.listed[nameOf(r.Bucket, as, anyVersion)] = r.Size
	}
	if shared, ok := v.folders[r.Bucket]; ok {
		v.folders[r.Bucket] = common(shared, r.Key)
	} else {
		v.folders[r.Bucket] = common(r.Key, r.Key)
	}
	v.mu.Lock()
	v.result.Receipts++
	v.mu.Unlock()
}

// common is the longest folder, with its closing slash, that two keys or folders share; "" for none.
func common(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:strings.LastIndexByte(a[:n], '/')+1]
}

func (v *verifier) find(f Finding) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.result.Findings = append(v.result.Findings, f)
}

// supersede takes back what a later receipt explains: without versions only the last one's object is there.
func (v *verifier) supersede() {
	v.result.Findings = slices.DeleteFunc(v.result.Findings, func(f Finding) bool {
		r := f.Receipt
		old := r != nil && r.VersionID == "" && f.Outcome == Differs && v.latest[nameOf(r.Bucket, r.Key, "")] > r.SentAt.UnixNano()
		if old {
			v.result.Superseded++
		}
		return old
	})
}

// fatal is err as a [*FaultError] where nothing can be read with this key, or from this bucket.
func fatal(ctx context.Context, bucket string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f := client.Classify(err)
	if f.Class == client.Credential || f.Class == client.Bucket && !unsupported(f) {
		return &FaultError{Bucket: bucket, Fault: f, err: err}
	}
	return nil
}

// unsupported says that a store does not know the call.
func unsupported(f client.Fault) bool {
	return f.Code == "NotImplemented" || f.Code == "MethodNotAllowed" || f.Status == 501 || f.Status == 405
}
