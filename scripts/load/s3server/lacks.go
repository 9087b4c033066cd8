package s3server

import "slices"

// Lack is one way in which a store is not as S3 is; real ones have several.
type Lack string

// What stores lack.
const (
	NoHeaderSum     Lack = "no-header-sum"    // a checksum in a header is not looked at
	NoTrailerSum    Lack = "no-trailer-sum"   // … behind the body
	NoTrailerEcho   Lack = "no-trailer-echo"  // the answer to one behind the body does not echo it, as at S3Mock
	NoJoinSum       Lack = "no-join-sum"      // … of a Complete
	NoJoinIfs       Lack = "no-join-ifs"      // Complete ignores If-None-Match
	NoTrailers      Lack = "no-trailers"      // a body in chunks is 501
	NoSums          Lack = "no-sums"          // every checksum is 501, as at some versions of R2
	NoJoin          Lack = "no-join"          // every checksum of a Complete is 400 BadRequest, as at S3Mock
	NoMultipart     Lack = "no-multipart"     // CreateMultipartUpload is 501
	OtherSumCode    Lack = "other-sum-code"   // a wrong checksum is 400 BadRequest
	ConditionFirst  Lack = "condition-first"  // 412 before a checksum is looked at, as at MinIO
	EverybodysLists Lack = "everybodys-lists" // ListBuckets answers every key, with no bucket, as at versitygw
	NoEncoding      Lack = "no-encoding"      // keys in lists are never URL-encoded, as at versitygw
	NoAmzHeaders    Lack = "no-amz-headers"   // answers bear no x-amz-request-id
)

func (s *Server) lacks(l Lack) bool { return slices.Contains(s.opts.Lacks, l) }

// unfit is how a store answers that can't do what is asked; nil if it can.
func (s *Server) unfit(c *Call) *answer {
	chunked := c.Header.Get("X-Amz-Trailer") != ""
	switch {
	case c.Op == CreateMultipartUpload && s.lacks(NoMultipart):
		return refuse(501, "NotImplemented", "multipart uploads are not implemented")
	case c.Op == CompleteMultipartUpload && c.Header.Get("X-Amz-Checksum-Crc64nvme") != "" && s.lacks(NoJoin):
		return refuse(400, "BadRequest", "Value for x-amz-checksum-crc64nvme header is invalid.")
	case c.Op == PutObject && chunked && s.lacks(NoTrailers):
		return refuse(501, "NotImplemented", "A header you provided implies functionality that is not implemented: x-amz-trailer")
	case (c.Op == PutObject || c.Op == UploadPart) && s.lacks(NoSums) && (chunked || c.Header.Get("X-Amz-Checksum-Crc64nvme") != ""):
		return refuse(501, "NotImplemented", "Header 'x-amz-checksum-crc64nvme' with value not implemented")
	case c.Op == PutObject && s.lacks(ConditionFirst) && c.Header.Get("If-None-Match") != "":
		s.mu.Lock()
		defer s.mu.Unlock()
		if b := s.buckets[c.Bucket]; b != nil && b.current(c.Key) != nil {
			return Fault{Name: Exists}.refusal()
		}
	}
	return nil
}

// believes tells whether a checksum is not looked at.
func (s *Server) believes(c *Call) bool {
	if c.Header.Get("X-Amz-Trailer") != "" {
		return s.lacks(NoTrailerSum)
	}
	return s.lacks(NoHeaderSum)
}

// wrongSum is the answer to a checksum that is not the body's.
func (s *Server) wrongSum(algorithm string) *answer {
	if s.lacks(OtherSumCode) {
		return refuse(400, "BadRequest", "Value for x-amz-checksum-"+algorithm+" header is invalid.")
	}
	return refuse(400, "BadDigest", "The "+algorithm+" you specified did not match the calculated checksum.")
}
