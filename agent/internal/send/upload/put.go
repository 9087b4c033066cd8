package upload

import (
	"bytes"
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

	"github.com/aws/smithy-go/encoding/httpbinding"
	"golang.org/x/time/rate"

	"buzon/agent/internal/client"
)

const (
	// small files are read whole before their request leaves: the checksum then stands in a header.
	small = 64 << 10
	// askFirst is the size from which the server is asked before the body leaves (Expect: 100-continue), so that
	// a refusal costs no bytes. The SDK's own limit.
	askFirst = 2 * mebi

	unsigned         = "UNSIGNED-PAYLOAD"
	unsignedTrailing = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// request is one PutObject or UploadPart.
type request struct {
	phase     Phase
	key       string
	query     string
	header    *headers
	owner     string
	file      io.ReaderAt
	at, size  int64
	unchanged func() error
	limiter   *rate.Limiter
	progress  func(int64)
}

// look looks at the file again.
func (q *request) look() error {
	if q.unchanged == nil {
		return nil
	}
	return q.unchanged()
}

// headers are those of a request. Their values lie in one array.
type headers struct {
	http.Header
	values []string
}

// fewHeaders is as many as a request with the usual metadata has.
const fewHeaders = 14

func newHeaders() *headers {
	return &headers{make(http.Header, fewHeaders), make([]string, 0, fewHeaders)}
}

// set sets a header by its canonical name, unless it is empty.
func (h *headers) set(name, value string) {
	if value != "" {
		h.values = append(h.values, value)
		n := len(h.values)
		h.Header[name] = h.values[n-1 : n : n]
	}
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
	req := &http.Request{Method: http.MethodPut, Host: t.host, Header: q.header.Header, ContentLength: q.size, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		URL: &url.URL{Scheme: t.scheme, Host: t.host, Path: t.path + "/" + q.key, RawPath: t.path + "/" + httpbinding.EscapePath(q.key, false), RawQuery: q.query}}
	q.header.set("User-Agent", r.userAgent)
	q.header.set("X-Amz-Expected-Bucket-Owner", q.owner)
	if q.size <= small {
		return r.putBuffered(ctx, t, q, req)
	}
	return r.putStreaming(ctx, t, q, req)
}

// sign signs a request whose payload is described as S3 wants it in X-Amz-Content-Sha256.
func (r *remote) sign(ctx context.Context, t *target, q request, req *http.Request, payload string) error {
	credentials, err := r.credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	q.header.set("X-Amz-Content-Sha256", payload)
	return r.signer.SignHTTP(ctx, credentials, req, payload, t.service, t.region, time.Now())
}

// putBuffered sends a body that is read into memory first. As it is one of the standard library's own readers, net/http
// writes it behind the head at once: one system call and one packet.
func (r *remote) putBuffered(ctx context.Context, t *target, q request, req *http.Request) (answered, error) {
	held := block(q.size)
	data := (*held)[:q.size]
	if n, err := q.file.ReadAt(data, q.at); int64(n) < q.size {
		return answered{}, unreadable(q.phase, err)
	}
	if err := q.look(); err != nil {
		return answered{}, changed(q.phase, err)
	}
	if err := throttle(ctx, q.limiter, len(data)); err != nil {
		return answered{}, local(q.phase, err)
	}
	crc := checksum(data)
	q.header.set("X-Amz-Checksum-Crc64nvme", encode(crc))
	payload := unsigned
	if t.signed {
		sum := sha256.Sum256(data)
		payload = hex.EncodeToString(sum[:])
	}
	if err := r.sign(ctx, t, q, req, payload); err != nil {
		return answered{}, local(q.phase, err)
	}
	// A retry of net/http's own, on a connection that had gone stale, may overlap with what it gave up.
	again := false
	if q.size == 0 {
		req.Body = http.NoBody
	} else {
		req.Body = io.NopCloser(bytes.NewReader(data))
		req.GetBody = func() (io.ReadCloser, error) {
			again = true
			return io.NopCloser(bytes.NewReader(data)), nil
		}
	}
	// RoundTrip gives an error only when the connection is closed, and the headers are written first: where they were not
	// by then, nothing will leave.
	var left, over atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() {
			if !left.Swap(true) && q.progress != nil {
				q.progress(q.size)
			}
		},
		WroteRequest: func(httptrace.WroteRequestInfo) { over.Store(true) },
	})
	resp, err := r.transport.RoundTrip(req.WithContext(ctx)) //nolint:bodyclose // read closes it
	if err != nil {
		return answered{}, unanswered(q.phase, err, left.Load())
	}
	a, err := r.read(resp, q.phase).confirm(left.Load(), crc)
	if over.Load() && !again { // else net/http may still read from it
		blocks.Put(held)
	}
	return a, err
}

// putStreaming sends a body while it is read, and looks at the file again before its last bytes leave.
func (r *remote) putStreaming(ctx context.Context, t *target, q request, req *http.Request) (answered, error) {
	ctx, cancel := context.WithCancel(ctx) // ends a wait for the limiter, and a body that nobody reads
	defer cancel()
	b := newBody(ctx, q)
	// net/http asks for the body again only when it has written no byte of the request to a connection that had
	// gone stale, so what counts is the last body.
	last := b
	payload := unsignedTrailing
	if t.signed {
		crc, sum, err := hashSection(ctx, q.file, q.at, q.size)
		if err != nil {
			return answered{}, unreadable(q.phase, err)
		}
		q.header.set("X-Amz-Checksum-Crc64nvme", encode(crc))
		payload = sum
	} else {
		req.ContentLength = b.chunked()
		q.header.set("Content-Encoding", "aws-chunked")
		q.header.set("X-Amz-Trailer", trailerName)
		q.header.set("X-Amz-Decoded-Content-Length", strconv.FormatInt(q.size, 10))
	}
	if q.size >= askFirst {
		q.header.set("Expect", "100-continue")
	}
	if err := r.sign(ctx, t, q, req, payload); err != nil {
		return answered{}, local(q.phase, err)
	}
	req.Body = b
	req.GetBody = func() (io.ReadCloser, error) {
		<-last.done
		last = last.again()
		return last, nil
	}
	resp, err := r.transport.RoundTrip(req.WithContext(ctx)) //nolint:bodyclose // read closes it
	var a answer
	if err == nil {
		a = r.read(resp, q.phase)
	}
	cancel()
	<-last.done // net/http closes the body in every case
	switch {
	case err == nil:
		return a.confirm(last.bodySent, last.crc)
	case last.err != nil: // it was broken off by us: nothing whole has left
		return answered{}, last.err
	}
	return answered{}, unanswered(q.phase, err, last.bodySent)
}

// unanswered is the error of a request that got no answer.
func unanswered(phase Phase, err error, left bool) *Error {
	e := &Error{Fault: client.Classify(err), Phase: phase, err: err}
	if left {
		e.Sent = Maybe
	}
	return e
}

// answer is what came back.
type answer struct {
	answered
	phase   Phase
	status  int
	echo    string // the checksum in it
	failure *Error
}

// operations are the phases that go past the SDK, as S3 calls them.
var operations = map[Phase]string{PhasePut: "PutObject", PhasePart: "UploadPart"}

// read takes an answer apart; its body is read to the end, so that the connection lives on.
func (r *remote) read(resp *http.Response, phase Phase) answer {
	a := answer{phase: phase, status: resp.StatusCode, echo: resp.Header.Get("X-Amz-Checksum-Crc64nvme"), answered: answered{
		etag: resp.Header.Get("Etag"), version: resp.Header.Get("X-Amz-Version-Id"), id: r.aws.RequestID(resp.Header)}}
	if err := r.aws.Reads(operations[phase], resp); err != nil {
		a.failure = failed(phase, err)
	}
	return a
}

// failed is the error of a request that was answered with none of success, or by something that is not the store; what
// left of it is still to be told.
func failed(phase Phase, err error) *Error {
	e := &Error{Fault: client.Classify(err), Phase: phase, err: err}
	e.Answered = e.Fault.Status != 0 && e.Fault.Class != client.NotTheStore
	return e
}

// bodyLeft says how far a request got that failed so, if all of it left.
func (e *Error) bodyLeft() {
	if e.Sent = Maybe; e.Answered {
		e.Sent = Whole
	}
}

// confirm holds an answer against what was sent: whether all of the body had left, and its checksum.
func (a answer) confirm(left bool, crc uint64) (answered, error) {
	switch {
	case a.failure != nil:
		if left {
			a.failure.bodyLeft()
		}
		return answered{}, a.failure
	case !left: // a success for a body that was not there: nobody who got no body stores one
		return answered{}, a.rejectSuccess(client.NotTheStore, "early-answer", No, nil)
	case a.echo != "" && a.echo != encode(crc):
		return answered{}, a.rejectSuccess(client.Corrupt, "other-checksum", Whole, ErrOtherChecksum)
	}
	a.crc, a.echoed = crc, a.echo != ""
	return a.answered, nil
}

// rejectSuccess is the error of a success that confirms nothing.
func (a answer) rejectSuccess(class client.Class, code string, sent BodySent, why error) *Error {
	return &Error{Fault: client.Fault{Class: class, Code: code, Status: a.status, RequestID: a.id}, Phase: a.phase, Sent: sent, Answered: true, err: why}
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
