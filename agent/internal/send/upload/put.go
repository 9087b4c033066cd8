package upload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/bits"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	awsxml "github.com/aws/aws-sdk-go-v2/aws/protocol/xml"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/encoding/httpbinding"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/time/rate"

	"buzon/agent/internal/client"
)

const (
	// small files are read whole before their request leaves: the checksum then stands in a header, and head and
	// body leave in one system call.
	small = 64 << 10
	// askFirst is the size from which the server is asked before the body leaves (Expect: 100-continue), so that
	// a refusal costs no bytes. The SDK's own limit.
	askFirst = 2 * mebi
	// maxAnswer is the most of an error's XML that is read.
	maxAnswer = 64 << 10

	unsigned         = "UNSIGNED-PAYLOAD"
	unsignedTrailing = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// request is one PutObject or UploadPart.
type request struct {
	phase     Phase
	key       string
	query     string
	header    http.Header
	owner     string
	file      io.ReaderAt
	at, size  int64
	unchanged func() error
	limiter   *rate.Limiter
	progress  func(int64)
}

// answered is what came back with success.
type answered struct {
	etag, version, id string
	crc               uint64
	echoed            bool
}

// blocks hold small files; each has grown to the largest that it held.
var blocks = sync.Pool{New: func() any { return new([]byte) }}

// block is one of blocks with room for so many bytes; it goes back by blocks.Put.
func block(size int64) *[]byte {
	b := blocks.Get().(*[]byte)
	if int64(len(*b)) < size {
		*b = make([]byte, max(page, 1<<bits.Len64(uint64(size-1))))
	}
	return b
}

// put sends one body, once.
func (r *remote) put(ctx context.Context, t *target, q request) (answered, error) {
	credentials, err := r.credentials.Retrieve(ctx)
	if err != nil {
		return answered{}, local(q.phase, err)
	}
	cancel := func() {}
	if q.size > small || q.limiter != nil { // ends a wait for the limiter, and a body that nobody reads
		ctx, cancel = context.WithCancel(ctx)
	}
	defer cancel()
	b := &body{ctx: ctx, phase: q.phase, file: q.file, at: q.at, end: q.at + q.size, unchanged: q.unchanged,
		limiter: q.limiter, progress: q.progress, over: make(chan struct{})}
	// net/http asks for the body again only when it has written no byte of the request to a connection that had
	// gone stale, so what counts is the last body.
	last := b
	req := &http.Request{Method: http.MethodPut, Host: t.host, Header: q.header, Body: b, ContentLength: q.size, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		URL: &url.URL{Scheme: t.scheme, Host: t.host, Path: t.path + "/" + q.key, RawPath: t.path + "/" + httpbinding.EscapePath(q.key, false), RawQuery: q.query}}
	h := req.Header
	h["User-Agent"] = r.userAgent
	if q.owner != "" {
		h["X-Amz-Expected-Bucket-Owner"] = []string{q.owner}
	}
	payload := unsigned
	switch {
	case q.size <= small:
		held := block(q.size)
		defer blocks.Put(held) // after over: see below
		data := (*held)[:q.size]
		if _, err := io.ReadFull(io.NewSectionReader(q.file, q.at, q.size), data); err != nil {
			return answered{}, unreadable(q.phase, err)
		}
		q.file, q.at, q.unchanged = inMemory(data), 0, nil
		b.file, b.at, b.end = q.file, 0, q.size
		b.crc = checksum(data)
		h["X-Amz-Checksum-Crc64nvme"] = []string{encode(b.crc)}
		if t.signed {
			sum := sha256.Sum256(data)
			payload = hex.EncodeToString(sum[:])
		}
		if err := b.look(); err != nil {
			return answered{}, changed(q.phase, err)
		}
		b.unchanged, b.crc = nil, 0
	case t.signed:
		crc, sum, err := hashSection(ctx, q.file, q.at, q.size)
		if err != nil {
			return answered{}, unreadable(q.phase, err)
		}
		h["X-Amz-Checksum-Crc64nvme"] = []string{encode(crc)}
		payload = sum
	default:
		payload = unsignedTrailing
		req.ContentLength = b.chunked()
		h["Content-Encoding"] = chunkedEncoding
		h["X-Amz-Trailer"] = trailerNames
		h["X-Amz-Decoded-Content-Length"] = []string{strconv.FormatInt(q.size, 10)}
	}
	if q.size >= askFirst {
		h["Expect"] = expectContinue
	}
	h["X-Amz-Content-Sha256"] = []string{payload}
	if err := r.signer.SignHTTP(ctx, credentials, req, payload, t.service, t.region, time.Now()); err != nil {
		return answered{}, local(q.phase, err)
	}
	req.GetBody = func() (io.ReadCloser, error) {
		<-last.over
		last = last.again(q)
		return last, nil
	}
	var headers atomic.Bool // an empty body is all sent when the headers are
	switch {
	case q.size == 0:
		req.Body, req.GetBody = http.NoBody, nil
		_ = b.Close() // never fails
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { headers.Store(true) }})
	case q.size < askFirst: // nothing is to be heard between head and body: they leave together
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
			if last.wire = client.WireOf(got.Conn); last.wire != nil {
				last.wire.Hold()
			}
		}})
	}
	resp, err := r.transport.RoundTrip(req.WithContext(ctx)) //nolint:bodyclose // read closes it
	if err != nil {
		cancel()
		<-last.over // net/http closes the body in every case
		return answered{}, last.broken(q.phase, err, headers.Load())
	}
	a, failure := read(resp, q.phase)
	cancel()
	<-last.over
	left := last.handed || headers.Load()
	switch {
	case failure != nil:
		if left {
			failure.Sent = Whole
		}
		return answered{}, failure
	case !left: // a success for a body that was not there
		return answered{}, &Error{Fault: client.Fault{Class: client.Transient, Code: "early-answer", Status: resp.StatusCode, RequestID: a.id}, Phase: q.phase, Answered: true}
	}
	a.crc = last.crc
	if echo := resp.Header.Get("X-Amz-Checksum-Crc64nvme"); echo != "" {
		if echo != encode(a.crc) {
			return answered{}, &Error{Fault: client.Fault{Class: client.Corrupt, Code: "other-checksum", Status: resp.StatusCode, RequestID: a.id},
				Phase: q.phase, Sent: Whole, Answered: true, err: ErrOtherChecksum}
		}
		a.echoed = true
	}
	return a, nil
}

var (
	chunkedEncoding = []string{"aws-chunked"}
	trailerNames    = []string{trailerName}
	expectContinue  = []string{"100-continue"}
)

// broken is the error of a request that got no answer.
func (b *body) broken(phase Phase, err error, headers bool) *Error {
	if b.err != nil { // it was broken off by us: nothing whole has left
		return b.err
	}
	e := &Error{Fault: client.Classify(err), Phase: phase, err: err}
	if b.handed || headers {
		e.Sent = Maybe
	}
	return e
}

// read takes an answer apart; its body is read to the end, so that the connection lives on.
func read(resp *http.Response, phase Phase) (answered, *Error) {
	defer func() { _ = resp.Body.Close() }() // the answer is known; a broken connection shows in the next request
	a := answered{etag: resp.Header.Get("Etag"), version: resp.Header.Get("X-Amz-Version-Id"), id: resp.Header.Get("X-Amz-Request-Id")}
	if resp.StatusCode == http.StatusOK {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
		return a, nil
	}
	api := &smithy.GenericAPIError{}
	parts, err := awsxml.GetErrorResponseComponents(io.LimitReader(resp.Body, maxAnswer), true)
	if err == nil {
		api.Code, api.Message = parts.Code, parts.Message
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	answer := &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: resp}, Err: api}
	e := &Error{Fault: client.Classify(answer), Phase: phase, Answered: true, err: answer}
	return a, e
}

// inMemory is a file that was read already.
type inMemory []byte

func (m inMemory) ReadAt(p []byte, at int64) (int, error) {
	n := copy(p, m[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// hashSection reads a section for both of its sums.
func hashSection(ctx context.Context, file io.ReaderAt, at, size int64) (crc uint64, sum string, err error) {
	b := block(small)
	defer blocks.Put(b)
	h := sha256.New()
	for size > 0 {
		if err := ctx.Err(); err != nil {
			return 0, "", err
		}
		p := (*b)[:min(size, int64(len(*b)))]
		if n, err := file.ReadAt(p, at); n < len(p) {
			return 0, "", errors.Join(err, io.ErrUnexpectedEOF)
		}
		h.Write(p)
		crc = update(crc, p)
		at, size = at+int64(len(p)), size-int64(len(p))
	}
	return crc, hex.EncodeToString(h.Sum(nil)), nil
}

// trim is an ETag without its quotes, as a list of parts wants it.
func trim(etag string) string { return strings.Trim(etag, `"`) }
