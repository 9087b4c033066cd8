package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Between us and the store stand proxies, portals and gateways, which answer too. An answer counts as the store's
// only by what only the store can say: an error by S3's document, a success by the mark that stands in the table
// below. Whatever else comes back says nothing of the request: it may or may not have reached the store.

// NotTheStoreError is an answer of something that is not the store.
type NotTheStoreError struct {
	Status int
	// Words are the first ones that it said, without its markup and without secrets.
	Words string
}

// Error quotes what answered, for logs.
func (e *NotTheStoreError) Error() string {
	s := fmt.Sprintf("something that is not the store answered: HTTP %d", e.Status)
	if e.Words != "" {
		s += ": " + e.Words
	}
	return s
}

// brokenAnswerError is that of an answer that did not come whole: its status says nothing.
type brokenAnswerError struct{ error }

func (e *brokenAnswerError) Unwrap() error { return e.error }

// Refusal is an error of the store's own, from its document. Its words have passed the redactor.
type Refusal struct {
	smithy.GenericAPIError
	Region string // that the document names; "" if it names none
}

// mark is how a success of one operation shows that it is the store's.
type mark int

const (
	unmarked  mark = iota // it only must not be a page
	byETag                // an ETag header, and no body
	byRoot                // a document with that root
	byElement             // … which is whole and holds a certain element
	byHeader              // there is no body to tell by: the header that the store is known by
	byPolicy              // a bucket policy, which is JSON
	bySender              // as byHeader, or an ETag; the body is an object's and is not read
)

// success is what an operation's success looks like (S3 API Reference, each operation's "Response Syntax").
type success struct {
	mark
	root    string // a pattern: other stores call some a little differently
	element string
	large   bool // a page of a list
}

var successes = map[string]success{
	"PutObject":               {mark: byETag},
	"UploadPart":              {mark: byETag},
	"CreateMultipartUpload":   {mark: byElement, root: "InitiateMultipartUploadResult", element: "UploadId"},
	"CompleteMultipartUpload": {mark: byElement, root: "CompleteMultipartUploadResult", element: "ETag"},
	"AbortMultipartUpload":    {mark: byHeader},
	"ListBuckets":             {mark: byRoot, root: "List*Result", large: true},
	"ListObjectsV2":           {mark: byRoot, root: "List*Result", large: true},
	"ListObjectVersions":      {mark: byRoot, root: "List*Result", large: true},
	"ListMultipartUploads":    {mark: byRoot, root: "List*Result", large: true},
	"ListParts":               {mark: byRoot, root: "List*Result", large: true},
	"GetObject":               {mark: bySender},
	"HeadObject":              {mark: byHeader},
	"HeadBucket":              {mark: byHeader},
	"GetObjectAttributes":     {mark: byRoot, root: "[Gg]etObjectAttributes*"},
	"GetObjectAcl":            {mark: byRoot, root: "AccessControlPolicy"},
	"GetBucketAcl":            {mark: byRoot, root: "AccessControlPolicy"},
	"GetObjectTagging":        {mark: byRoot, root: "Tagging"},
	"GetBucketPolicy":         {mark: byPolicy},
	"PutObjectAcl":            {mark: byHeader},
	"PutObjectTagging":        {mark: byHeader},
	"DeleteObject":            {mark: byHeader},
}

// listener judges the answers to one set of clients.
type listener struct {
	secrets *Secrets
	traits  *Traits
	custom  bool // the store is not AWS's own
}

// listen is the SDK's option that has every answer judged before the SDK reads it.
func (l *listener) listen(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("BuzonWhoAnswered",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			service, operation := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)
			want := expected(service, operation)
			switch {
			case want.mark == bySender:
				ctx = withLimit(ctx, unlimited)
			case want.large:
				ctx = withLimit(ctx, maxPage)
			}
			out, metadata, err := next.HandleDeserialize(ctx, in)
			response, ok := out.RawResponse.(*smithyhttp.Response)
			if err != nil || !ok || response.Response == nil || !spokenInXML(service) {
				return out, metadata, err
			}
			a := reply{listener: l, Response: response.Response, operation: operation, want: want, proving: proving(ctx)}
			if request, ok := in.Request.(*smithyhttp.Request); ok {
				a.trailed = trailed(request.Header)
				a.summed = a.trailed || request.Header.Get(checksumHeader) != ""
			}
			return out, metadata, a.judge()
		}), middleware.After)
}

// spokenInXML tells the services whose errors are documents in XML.
func spokenInXML(service string) bool {
	return slices.Contains([]string{"S3", "S3 Control", "STS", "IAM"}, service)
}

// expected is what a success of an operation looks like.
func expected(service, operation string) success {
	switch service {
	case "STS": // STS and IAM name each document after its operation
		return success{mark: byRoot, root: operation + "Response"}
	case "IAM":
		return success{mark: byRoot, root: operation + "Response", large: true}
	case "S3":
		if s, ok := successes[operation]; ok {
			return s
		}
	}
	return success{large: true}
}

// reply is one answer that is being judged.
type reply struct {
	*listener
	*http.Response
	operation string
	want      success
	summed    bool // the request bore a CRC-64/NVME
	trailed   bool // … behind its body
	proving   bool // what the store echoes is being learnt
	body      []byte
}

// judge reads an answer, but for an object's bytes, and leaves it to be read again. The error says that it is not the
// store's, or what the store refused; or it is that of a connection that broke in the middle.
func (a *reply) judge() error {
	ok := a.StatusCode >= 200 && a.StatusCode < 300
	if ok && a.want.mark == bySender {
		if a.Header.Get("Etag") == "" && !a.traits.known(a.Header, a.custom) {
			return a.stranger()
		}
		return nil
	}
	body, err := io.ReadAll(a.Body)
	_ = a.Body.Close() // it is read, or of no use
	a.leave(legible(body))
	switch {
	case errors.Is(err, errTooLong):
		return a.stranger()
	case err != nil:
		return &brokenAnswerError{err}
	case !ok:
		return a.refusal()
	}
	return a.success()
}

// leave has the SDK read a body.
func (a *reply) leave(body []byte) {
	a.body = body
	a.Body = io.NopCloser(bytes.NewReader(body))
}

// refusal is the error of an answer that is none of success.
func (a *reply) refusal() error {
	if a.Request != nil && a.Request.Method == http.MethodHead {
		if !a.traits.known(a.Header, a.custom) {
			return a.stranger()
		}
		return nil // the SDK makes a code of the status
	}
	if r := a.document(); r != nil {
		return a.wrap(r)
	}
	return a.stranger()
}

// document is the store's own error in the body; nil if there is none.
func (a *reply) document() *Refusal {
	d, err := read(a.body)
	if err != nil || d.root != "Error" && d.root != "ErrorResponse" || d.text["Code"] == "" {
		return nil
	}
	a.traits.meet(a.Header)
	// What the store says is shown to people and kept in the journal, so no secret may be in it.
	say := func(name string, most int) string { return cut(a.secrets.Redact(d.text[name]), most) }
	r := &Refusal{Region: say("Region", 64)}
	r.Code, r.Message = say("Code", 128), say("Message", 1024)
	return r
}

// success holds a success to its mark.
func (a *reply) success() error {
	known, echo := true, a.Header.Get(checksumHeader)
	switch a.want.mark {
	case unmarked:
		known = !page(a.Header, a.body)
	case byETag:
		known = a.StatusCode == http.StatusOK && tagged(a.Header) && len(bytes.TrimSpace(a.body)) == 0
	case byHeader:
		known = len(bytes.TrimSpace(a.body)) == 0 && a.traits.known(a.Header, a.custom)
	case byPolicy:
		known = bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("{")) && bytes.Contains(a.body, []byte(`"Statement"`))
	case byRoot:
		named, _ := path.Match(a.want.root, rootOf(a.body)) // the patterns are good
		known = a.StatusCode == http.StatusOK && named
	case byElement:
		d, err := read(a.body)
		if r := a.document(); r != nil && a.operation == "CompleteMultipartUpload" {
			// S3 begins to answer before it is done (S3 API Reference, "CompleteMultipartUpload").
			a.StatusCode = http.StatusInternalServerError
			return a.wrap(r)
		}
		mark := d.text[a.want.element]
		known = err == nil && a.StatusCode == http.StatusOK && d.root == a.want.root && mark != "" && brief(mark, a.Header)
		if echo = d.text["ChecksumCRC64NVME"]; echo == "" {
			echo = a.Header.Get(checksumHeader)
		}
		a.leave(d.plain())
	case bySender:
	}
	if !known || a.summed && a.want.mark != byHeader && !a.heard(echo != "") {
		return a.stranger()
	}
	if a.want.mark != unmarked {
		a.traits.meet(a.Header)
	}
	return nil
}

// tagged tells whether an answer bears an ETag, and no version id that would fill the journal.
func tagged(h http.Header) bool {
	etag := h.Get("Etag")
	return etag != "" && brief(etag, h)
}

// mostID is the longest ETag, upload id or version id that is kept (S3 User Guide, "Retaining multiple versions of
// objects": a version id has at most 1,024 bytes).
const mostID = 1024

// brief tells whether what names an object or an upload, and the version id beside it, would not fill the journal.
func brief(id string, h http.Header) bool {
	return len(id) <= mostID && len(h.Get("X-Amz-Version-Id")) <= mostID
}

// heard takes in whether a success echoed the checksum, and tells whether it did as this store does. At another store
// than AWS the document of a Complete is proof enough: versitygw echoes nothing where a Complete is repeated.
func (a *reply) heard(echoed bool) bool {
	switch a.operation {
	case "PutObject", "UploadPart":
		return a.traits.heard(echoing(a.operation, a.trailed), echoed, a.custom, a.proving)
	case "CompleteMultipartUpload":
		return echoed || a.custom
	}
	return true
}

// trailed says that the checksum of a request stands behind its body.
func trailed(h http.Header) bool { return strings.EqualFold(h.Get("X-Amz-Trailer"), checksumHeader) }

// echoing is what a store may echo the checksum of: some do where it stood in a header, and not where it came behind.
func echoing(operation string, trailed bool) string {
	if trailed && operation == "PutObject" { // each part of an upload is sent like the others
		return "PutObject with a trailer"
	}
	return operation
}

func (a *reply) stranger() error {
	return a.wrap(&NotTheStoreError{Status: a.StatusCode, Words: a.secrets.Redact(words(a.Header, a.body))})
}

// wrap gives an error the answer that it came with, and hides what its headers may say.
func (a *reply) wrap(err error) error {
	for _, name := range []string{requestID, "X-Amzn-Requestid", "X-Amz-Bucket-Region"} {
		if value := a.Header.Get(name); value != "" {
			a.Header.Set(name, a.secrets.label(value))
		}
	}
	return &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: a.Response}, Err: err}
}

// Reads judges an answer to a PutObject or UploadPart that was sent past the SDK, with a CRC-64/NVME, and reads its body
// to the end. The error says that it is not the store's, or what the store refused; or it is that of a connection that
// broke.
func (a *AWS) Reads(operation string, r *http.Response) error {
	behind := r.Request != nil && trailed(r.Request.Header)
	defer func() { _ = r.Body.Close() }()                                          // the answer is known; a broken connection shows in the next request
	if r.StatusCode == http.StatusOK && r.ContentLength == 0 && tagged(r.Header) { // as nearly always
		if a.listener.traits.heard(echoing(operation, behind), r.Header.Get(checksumHeader) != "", a.Custom, false) {
			return nil
		}
	}
	r.Body = &capped{ReadCloser: r.Body, left: maxAnswer}
	judged := reply{listener: a.listener, Response: r, operation: operation, want: successes[operation], summed: true, trailed: behind}
	return judged.judge()
}

// RequestID is what the store calls a request, for asking its people.
func (a *AWS) RequestID(h http.Header) string { return a.listener.secrets.label(h.Get(requestID)) }

// checksumHeader holds the CRC-64/NVME of a request or an answer.
const checksumHeader = "X-Amz-Checksum-Crc64nvme"

type provingKey struct{}

// Proving marks the calls of a store's proof: what they echo is learnt, and not held to what was learnt before.
func Proving(ctx context.Context) context.Context {
	return context.WithValue(ctx, provingKey{}, true)
}

func proving(ctx context.Context) bool { return ctx.Value(provingKey{}) != nil }
