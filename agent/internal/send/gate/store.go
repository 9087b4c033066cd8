package gate

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"buzon/agent/internal/client"
)

// AWS keeps what Buzón stands on; another store shows it here, once for a start: it refuses other bytes than were meant,
// in each of the ways in which files are sent, and it replaces nothing that stands. At a fit store nothing of this is
// stored but the canary.

// What a store has to show.
const (
	refusesChecksum  = "checksum"  // a wrong checksum in a header
	refusesTrailer   = "trailer"   // … and behind the body, as large files bear it
	keepsWhatStands  = "condition" // If-None-Match, by PutObject
	joinsParts       = "join"      // parts under one checksum
	keepsFromJoining = "join-over" // If-None-Match, by CompleteMultipartUpload
)

// The part of the proof's own uploads, and its CRC-64/NVME.
const (
	partOfProof = "buzon\n"
	sumOfPart   = "N3cB4sVC/hI="
)

// proof is what a store has shown so far.
type proof struct {
	*pass
	canary, key string // the canary stands, or will; nothing stands at key, at a fit store
	asked, said []string
	failed      Outcome // of what it lacks; "" if nothing was found
	words       string  // the store's own, of that
	answered    string
	open        []string
	// sent is the answer to the right canary, where it was sent; other one that says something of the key or the
	// bucket, and is not about the store.
	sent, other *answer
	// odd is a refusal of a wrong join that may be one of every join.
	odd *answer
}

// store finds out whether a store is fit. sent is the answer to the right canary, where one was sent; it explains by
// itself why it was refused.
func (p *pass) store(ctx context.Context) (fit bool, sent *answer) {
	s := &proof{pass: p, canary: p.canaryKey(), key: p.Prefix + proofKey}
	for _, ask := range []func(context.Context){s.checksum, s.stands, s.trailer, s.join, s.joinOver} {
		if ask(ctx); s.failed != "" || s.other != nil {
			break
		}
	}
	if s.other != nil && s.other.denied() && s.sent == nil {
		s.other = nil
		s.stands(ctx)
		s.open = []string{refusesChecksum, refusesTrailer, joinsParts}
	}
	switch {
	case s.other != nil && s.other == s.sent:
		return true, s.sent
	case s.other != nil:
		c := Check{ID: CheckStore, Status: Failed, Asked: s.asked[len(s.asked)-1]}
		p.explain(&c, *s.other)
		p.report.add(c)
		return false, s.sent
	}
	s.tell()
	return s.failed == "", s.sent
}

// storeOff says that nothing is proven without a canary.
func (p *pass) storeOff() {
	c := Check{ID: CheckStore, Status: Warning, Outcome: StoreOff, Args: map[string]string{"store": p.aws.Endpoint}}
	if p.Removes {
		c.Status, c.Outcome = Failed, StoreOffRemoves
	}
	p.report.add(c)
}

// tell reports what was shown.
func (s *proof) tell() {
	named := s.aws.Endpoint
	if server := s.sent; server != nil && server.header.Get("Server") != "" {
		named += " (" + server.header.Get("Server") + ")"
	}
	base := Check{ID: CheckStore, Asked: strings.Join(s.asked, ", "), Answered: strings.Join(s.said, ", "),
		Args: map[string]string{"store": named, "said": s.words, "answer": s.answered}}
	switch {
	case s.failed != "":
		base.Status, base.Outcome = Failed, s.failed
		s.report.add(base)
	case len(s.open) == 0:
		base.Status, base.Outcome = OK, StoreFit
		if !s.trailers() {
			base.Outcome = StoreFitSigned
		}
		s.report.add(base)
	}
	for _, what := range s.open {
		if s.failed == "" {
			c := base
			c.Status, c.Outcome = Warning, Outcome("gate.store-unproven-"+what)
			s.report.add(c)
		}
	}
	s.memory.store = s.failed == ""
	if s.failed == "" && len(s.open) == 0 {
		s.aws.Traits().Prove(s.Bucket+"/"+s.Prefix, time.Now().UTC())
	}
}

// hear notes a question and its answer. It tells whether the answer is about the store, and not about the key, the
// bucket or the way there.
func (s *proof) hear(asked string, a answer) bool {
	if !slices.Contains(s.asked, asked) {
		s.asked = append(s.asked, asked)
	}
	s.said = append(s.said, a.String())
	if a.fault() == "" && !a.denied() {
		return true
	}
	s.other = &a
	return false
}

// lacks ends the proof.
func (s *proof) lacks(what Outcome, a answer) {
	s.failed, s.words, s.answered = what, a.said(), a.String()
}

// unproven says what could not be shown.
func (s *proof) unproven(what string) { s.open = append(s.open, what) }

// wrong judges what a store answers to a body whose checksum is wrong, at a key where nothing should stand. send makes
// the request: with the wrong checksum or the right one, and in the place of what stands or not.
func (s *proof) wrong(what string, lack Outcome, asked string, send func(right, replace bool) answer) {
	for _, replace := range []bool{false, true} { // something stands there that such a store took in before
		a := send(false, replace)
		switch {
		case a.status == http.StatusPreconditionFailed && !replace:
			continue
		case a.denied() && replace: // a guard forbids it
			s.unproven(what)
			return
		case !s.hear(asked, a), a.badChecksum():
			return
		case a.ok():
			s.lacks(lack, a)
			return
		case a.status == http.StatusNotImplemented:
			s.lacks(StoreLacks, a)
			return
		}
		// A refusal that may mean anything: if the right checksum is taken, it meant the checksum.
		right := send(true, replace)
		switch {
		case right.ok():
			return
		case right.status == http.StatusPreconditionFailed && !replace:
			continue
		case right.denied() && replace:
			s.unproven(what)
			return
		case s.hear(asked, right):
			s.lacks(StoreLacks, right)
		}
		return
	}
}

func (s *proof) checksum(ctx context.Context) {
	s.wrong(refusesChecksum, StoreNoChecksum, "PutObject "+s.key, func(right, replace bool) answer {
		return s.put(ctx, put{key: s.key, wrong: !right, replace: replace, owner: s.Owner})
	})
}

// stands sends the canary, twice if it did not stand.
func (s *proof) stands(ctx context.Context) {
	asked := "PutObject " + s.canary
	for range 2 {
		a := s.put(ctx, put{key: s.canary, owner: s.Owner})
		switch stood := s.sent != nil; {
		case a.status == http.StatusPreconditionFailed:
			s.said = append(s.said, a.String())
			if !stood {
				s.sent = &a
			}
			return
		case !stood && a.ok():
			s.said = append(s.said, a.String())
			s.sent = &a
		case a.status == http.StatusNotImplemented:
			s.lacks(StoreLacks, a)
			return
		case !stood:
			s.sent, s.other = &a, &a
			return
		case !s.hear(asked, a):
			return
		case a.ok():
			s.lacks(StoreNoCondition, a)
			return
		default:
			s.unproven(keepsWhatStands)
			return
		}
	}
}

// trailers tells whether files will bear their checksum behind them: over plain http to another machine their bodies
// are signed instead, and it stands in a header.
func (p *pass) trailers() bool { return client.Trailers(p.aws.Endpoint) }

func (s *proof) trailer(ctx context.Context) {
	if !s.trailers() {
		return
	}
	s.wrong(refusesTrailer, StoreNoTrailer, "PutObject (aws-chunked)", func(right, replace bool) answer {
		sum := aws.ToString(wrongChecksum)
		if right {
			sum = sumOfPart
		}
		in := &s3.PutObjectInput{Bucket: &s.Bucket, Key: &s.key, ContentType: aws.String("application/octet-stream"), ExpectedBucketOwner: optional(s.Owner)}
		if !replace {
			in.IfNoneMatch = aws.String("*")
		}
		framed := strconv.FormatInt(int64(len(partOfProof)), 16) + "\r\n" + partOfProof + "\r\n0\r\nx-amz-checksum-crc64nvme:" + sum + "\r\n\r\n"
		in.Body, in.ContentLength = strings.NewReader(framed), aws.Int64(int64(len(framed)))
		return s.note(ask(client.Proving(ctx), false, func(ctx context.Context, q *asking) error {
			_, err := s.aws.S3.PutObject(ctx, in, q.s3, withTrailer)
			return err
		}))
	})
}

// withTrailer has the SDK send a body that is framed already (S3 User Guide, "Checking object integrity": trailing
// checksums).
func withTrailer(o *s3.Options) {
	const payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("BuzonTrailer",
			func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
				if request, ok := in.Request.(*smithyhttp.Request); ok {
					request.Header.Set("X-Amz-Content-Sha256", payload)
					request.Header.Set("Content-Encoding", "aws-chunked")
					request.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc64nvme")
					request.Header.Set("X-Amz-Decoded-Content-Length", strconv.Itoa(len(partOfProof)))
				}
				return next.HandleFinalize(v4.SetPayloadHash(ctx, payload), in)
			}), "Signing", middleware.Before)
	})
}

// joined begins an upload at a key, sends its one part, has judge look at what becomes of a Complete, and aborts it.
func (s *proof) joined(ctx context.Context, key string, judge func(complete func(sum string, replace bool) answer)) {
	id, ok := s.begin(ctx, key)
	if !ok {
		return
	}
	defer s.abort(ctx, key, id)
	if part, ok := s.part(ctx, key, id); ok {
		judge(func(sum string, replace bool) answer { return s.complete(ctx, key, id, part, sum, replace) })
	}
}

// join has a part joined under a wrong checksum.
func (s *proof) join(ctx context.Context) {
	s.joined(ctx, s.key, func(complete func(sum string, replace bool) answer) {
		a := complete(aws.ToString(wrongChecksum), false)
		if a.status == http.StatusPreconditionFailed {
			if a = complete(aws.ToString(wrongChecksum), true); a.denied() {
				s.unproven(joinsParts)
				return
			}
		}
		switch {
		case !s.hear("CompleteMultipartUpload", a):
		case a.ok():
			s.lacks(StoreNoJoin, a)
		case a.badChecksum():
		case a.status == http.StatusNotImplemented:
			s.lacks(StoreLacks, a)
		default:
			s.odd = &a
		}
	})
}

// joinOver has a part joined rightly, where the canary stands.
func (s *proof) joinOver(ctx context.Context) {
	s.joined(ctx, s.canary, func(complete func(sum string, replace bool) answer) {
		a := complete(sumOfPart, false)
		switch {
		case a.status == http.StatusPreconditionFailed:
			s.said = append(s.said, a.String())
			if s.odd != nil { // a right join was let through as far as the condition, which may come first
				s.unproven(joinsParts)
			}
		case !s.hear("CompleteMultipartUpload", a):
		case a.ok():
			s.lacks(StoreNoJoinCondition, a)
		case s.odd != nil && a.status < 500:
			s.lacks(StoreCantJoin, a)
		case a.status == http.StatusNotImplemented:
			s.lacks(StoreLacks, a)
		default:
			s.unproven(keepsFromJoining)
		}
	})
}

// begin begins an upload.
func (s *proof) begin(ctx context.Context, key string) (id string, ok bool) {
	in := &s3.CreateMultipartUploadInput{Bucket: &s.Bucket, Key: &key, ExpectedBucketOwner: optional(s.Owner),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme, ChecksumType: types.ChecksumTypeFullObject}
	var out *s3.CreateMultipartUploadOutput
	a := s.note(ask(ctx, false, func(ctx context.Context, q *asking) (err error) {
		out, err = s.aws.S3.CreateMultipartUpload(ctx, in, q.s3)
		return err
	}))
	if a.ok() {
		return aws.ToString(out.UploadId), true
	}
	if s.hear("CreateMultipartUpload", a) {
		s.lacks(StoreCantJoin, a)
	}
	return "", false
}

// part sends the one part, and learns whether the store echoes its checksum.
func (s *proof) part(ctx context.Context, key, id string) (etag *string, ok bool) {
	var out *s3.UploadPartOutput
	a := s.note(ask(client.Proving(ctx), false, func(ctx context.Context, q *asking) (err error) {
		out, err = s.aws.S3.UploadPart(ctx, &s3.UploadPartInput{Bucket: &s.Bucket, Key: &key, UploadId: &id, PartNumber: aws.Int32(1), ExpectedBucketOwner: optional(s.Owner),
			Body: strings.NewReader(partOfProof), ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme, ChecksumCRC64NVME: aws.String(sumOfPart)}, q.s3)
		return err
	}))
	if a.ok() {
		return out.ETag, true
	}
	if s.hear("UploadPart", a) {
		s.lacks(StoreCantJoin, a)
	}
	return nil, false
}

func (s *proof) complete(ctx context.Context, key, id string, etag *string, sum string, replace bool) answer {
	in := &s3.CompleteMultipartUploadInput{Bucket: &s.Bucket, Key: &key, UploadId: &id, ExpectedBucketOwner: optional(s.Owner),
		ChecksumCRC64NVME: &sum, ChecksumType: types.ChecksumTypeFullObject, MpuObjectSize: aws.Int64(int64(len(partOfProof))),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: etag, ChecksumCRC64NVME: aws.String(sumOfPart)}}}}
	if !replace {
		in.IfNoneMatch = aws.String("*")
	}
	return s.note(ask(ctx, false, func(ctx context.Context, q *asking) error {
		_, err := s.aws.S3.CompleteMultipartUpload(ctx, in, q.s3)
		return err
	}))
}

// abort ends an upload of the proof's own. A refusal is tolerated: nothing of it is an object.
func (s *proof) abort(ctx context.Context, key, id string) {
	s.note(ask(context.WithoutCancel(ctx), false, func(ctx context.Context, q *asking) error {
		_, err := s.aws.S3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.Bucket, Key: &key, UploadId: &id, ExpectedBucketOwner: optional(s.Owner)}, q.s3)
		return err
	}))
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
