package s3server

import (
	"crypto/md5" //nolint:gosec // what S3 calls an ETag
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/minio/crc64nvme"
)

func (s *Server) createUpload(c *Call) *answer {
	if len(c.Key) > 1024 {
		return refuse(400, "KeyTooLongError", "Your key is too long")
	}
	if c.Identity.AccessKey == "" {
		return refuse(403, "AccessDenied", "Access Denied")
	}
	alg, kind := c.Header.Get("X-Amz-Checksum-Algorithm"), c.Header.Get("X-Amz-Checksum-Type")
	if alg == "CRC64NVME" && kind == "COMPOSITE" {
		return refuse(400, "InvalidRequest", "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.")
	}
	id := fmt.Sprintf("upload-%06d", s.nextID.Add(1))
	h := kept(c.Header)
	h.Set("X-Amz-Checksum-Algorithm", alg)
	s.mu.Lock()
	s.uploads[id] = &upload{Upload: Upload{Bucket: c.Bucket, Key: c.Key, ID: id}, header: h, by: c.Identity.ARN, parts: map[int]*part{}}
	s.mu.Unlock()
	a := ok(`<InitiateMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><UploadId>%s</UploadId></InitiateMultipartUploadResult>`, c.Bucket, text(c.Key), id)
	if alg != "" {
		a.header["X-Amz-Checksum-Algorithm"], a.header["X-Amz-Checksum-Type"] = alg, "FULL_OBJECT"
	}
	return a
}

// open is the upload that a call names. The lock is held.
func (s *Server) open(c *Call) (*upload, *answer) {
	u := s.uploads[c.Query.Get("uploadId")]
	if u == nil || u.Key != c.Key || u.Bucket != c.Bucket {
		return nil, Fault{Name: LostUpload}.refusal()
	}
	return u, nil
}

func (s *Server) uploadPart(c *Call, in content) *answer {
	n, err := strconv.Atoi(c.Query.Get("partNumber"))
	if err != nil || n < 1 || n > 10000 {
		return refuse(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, fail := s.open(c)
	if fail != nil || u.done != nil {
		return Fault{Name: LostUpload}.refusal()
	}
	s.stats.Bytes += in.size
	etag := in.md5
	if etag == "" {
		etag = fmt.Sprintf("%032x", in.crc64)
	}
	p := &part{content: in, etag: `"` + etag + `"`}
	u.parts[n] = p
	a := &answer{status: 200, header: map[string]string{"Etag": p.etag}}
	if !s.opts.NoEcho {
		for name, v := range in.claims {
			a.header["X-Amz-Checksum-"+title(name)] = v
		}
	}
	return a
}

type completion struct {
	Part []struct {
		PartNumber        int
		ETag              string
		ChecksumCRC64NVME string
	}
}

func (s *Server) complete(c *Call, in content) *answer {
	b := s.bucket(c.Bucket)
	s.mu.Lock()
	defer s.mu.Unlock()
	u, fail := s.open(c)
	if fail != nil {
		return fail
	}
	if u.done != nil {
		switch {
		case s.opts.Repeat == RepeatExists && c.Header.Get("If-None-Match") != "":
			return Fault{Name: Exists}.refusal()
		case s.opts.Repeat == RepeatSucceeds && u.body == string(in.data):
			return u.done
		}
		return Fault{Name: LostUpload}.refusal()
	}
	var asked completion
	if err := xml.Unmarshal(in.data, &asked); err != nil || len(asked.Part) == 0 {
		return refuse(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema.")
	}
	o, fail := s.assemble(u, asked)
	if fail != nil {
		return fail
	}
	if a := s.wholeObject(c, o); a != nil {
		return a
	}
	if a := s.store(c, b, o); a != nil {
		return a
	}
	checksum := ""
	a := ok("")
	if !s.opts.NoEcho && !s.opts.Trust {
		a.checksum = encode(o.CRC64)
		checksum = "<ChecksumCRC64NVME>" + a.checksum + "</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType>"
	}
	a.body = fmt.Appendf([]byte(xml.Header), `<CompleteMultipartUploadResult><Location>%s</Location><Bucket>%s</Bucket><Key>%s</Key><ETag>%s</ETag>%s</CompleteMultipartUploadResult>`,
		text("http://"+c.host+"/"+c.Bucket+"/"+c.Key), c.Bucket, text(c.Key), text(o.ETag), checksum)
	a.header = map[string]string{"Content-Type": "application/xml"}
	if o.VersionID != "" {
		a.header["X-Amz-Version-Id"] = o.VersionID
	}
	if s.opts.Keep == KeepNothing {
		delete(s.uploads, u.ID)
		return a
	}
	u.done, u.body, u.parts = a, string(in.data), nil
	return a
}

// assemble joins the parts that are asked for.
func (s *Server) assemble(u *upload, asked completion) (*Object, *answer) {
	o := &Object{Header: u.header, kind: "FULL_OBJECT", Parts: len(asked.Part)}
	sums := md5.New() //nolint:gosec // see the import
	last := 0
	for i, want := range asked.Part {
		if want.PartNumber <= last {
			return nil, refuse(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
		}
		last = want.PartNumber
		p := u.parts[want.PartNumber]
		if p == nil || strings.Trim(p.etag, `"`) != strings.Trim(want.ETag, `"`) {
			return nil, refuse(400, "InvalidPart", "One or more of the specified parts could not be found.")
		}
		if want.ChecksumCRC64NVME != "" && !s.opts.Trust && want.ChecksumCRC64NVME != encode(p.crc64) {
			return nil, refuse(400, "InvalidPart", "One or more of the specified parts could not be found. The part's checksum may not have matched.")
		}
		if i < len(asked.Part)-1 && p.size < s.opts.MinPart {
			return nil, refuse(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
		}
		if s.opts.Keep == KeepAll {
			o.Body = append(o.Body, p.data...)
		}
		if !s.opts.Trust {
			o.CRC64 = combine(o.CRC64, p.crc64, p.size)
		}
		o.Size += p.size
		if sum, err := hex.DecodeString(p.md5); err == nil {
			sums.Write(sum)
		}
	}
	if s.opts.Keep == KeepAll && !s.opts.Trust {
		o.CRC64 = crc64nvme.Checksum(o.Body) // the bytes themselves, whatever combine says
	}
	o.ETag = fmt.Sprintf(`"%x-%d"`, sums.Sum(nil), len(asked.Part))
	o.claims = map[string]string{"crc64nvme": encode(o.CRC64)}
	u.header.Del("X-Amz-Checksum-Algorithm")
	return o, nil
}

// wholeObject checks what a Complete claims of the whole (API CompleteMultipartUpload).
func (s *Server) wholeObject(c *Call, o *Object) *answer {
	if kind := c.Header.Get("X-Amz-Checksum-Type"); kind != "" && kind != "FULL_OBJECT" {
		return refuse(400, "InvalidRequest", "The upload was created using the FULL_OBJECT checksum mode.")
	}
	if size := c.Header.Get("X-Amz-Mp-Object-Size"); size != "" && size != strconv.FormatInt(o.Size, 10) {
		return refuse(400, "InvalidRequest", "The provided 'x-amz-mp-object-size' header does not match what was computed.")
	}
	if claim := c.Header.Get("X-Amz-Checksum-Crc64nvme"); claim != "" && !s.opts.Trust && !s.lacks(NoJoinSum) && claim != encode(o.CRC64) {
		return s.wrongSum("crc64nvme")
	}
	return nil
}

func (s *Server) abort(c *Call) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, fail := s.open(c)
	if fail != nil {
		return fail
	}
	delete(s.uploads, u.ID)
	return &answer{status: http.StatusNoContent}
}

// combine is the CRC-64/NVME of two runs of bytes, from theirs and the length of the second: the first is
// advanced over that many zero bytes by squaring the operator "one zero bit" (zlib's crc32_combine, for 64 bits).
func combine(first, second uint64, length int64) uint64 {
	if length == 0 {
		return first
	}
	var even, odd [64]uint64
	odd[0] = 0x9a6c9329ac4bc9b5
	for i := 1; i < 64; i++ {
		odd[i] = 1 << (i - 1)
	}
	times := func(m *[64]uint64, v uint64) (sum uint64) {
		for i := 0; v != 0; i, v = i+1, v>>1 {
			if v&1 != 0 {
				sum ^= m[i]
			}
		}
		return sum
	}
	square := func(to, from *[64]uint64) {
		for i := range to {
			to[i] = times(from, from[i])
		}
	}
	square(&even, &odd) // two bits
	square(&odd, &even) // four
	for n := length; ; {
		square(&even, &odd)
		if n&1 != 0 {
			first = times(&even, first)
		}
		if n >>= 1; n == 0 {
			break
		}
		square(&odd, &even)
		if n&1 != 0 {
			first = times(&odd, first)
		}
		if n >>= 1; n == 0 {
			break
		}
	}
	return first ^ second
}
