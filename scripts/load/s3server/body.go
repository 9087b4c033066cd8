package s3server

import (
	"bufio"
	"bytes"
	"crypto/md5"  //nolint:gosec // what S3 calls an ETag
	"crypto/sha1" //nolint:gosec // one of S3's checksums
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/minio/crc64nvme"
)

// content is a body that arrived whole and agrees with every checksum that came with it.
type content struct {
	data   []byte // with KeepAll, and for small XML and forms
	size   int64
	crc64  uint64            // computed, unless Trust
	claims map[string]string // algorithm (lower case) → base64, as the client claimed
	md5    string            // hex, with KeepAll
}

const smallBody = 8 << 20 // the most XML that is read: 10,000 parts need some 1.6 MB

var (
	errCut  = errors.New("body ends early")
	blocks  = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64<<10) }}
)

// take reads the body of a call. STS forms are identified here.
func (s *Server) take(c *Call, r *http.Request) (content, *answer) {
	if c.Op == PutObject || c.Op == UploadPart {
		return s.takeObject(c, r)
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, smallBody))
	if err != nil {
		return content{}, refuse(400, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
	}
	sum := sha256.Sum256(data)
	payload := hex.EncodeToString(sum[:])
	if c.Op == Other && c.Bucket == "" {
		form, err := url.ParseQuery(string(data))
		if err != nil || form.Get("Action") == "" {
			form = c.Query
		}
		if form.Get("Action") == "GetCallerIdentity" {
			c.Op = GetCallerIdentity
			s.mu.Lock()
			s.stats.Ops[Other]--
			s.stats.Ops[GetCallerIdentity]++
			s.mu.Unlock()
		}
		if a := s.verify(c, r, payload); a != nil {
			return content{}, a
		}
	} else if claimed := r.Header.Get("X-Amz-Content-Sha256"); len(claimed) == 64 && claimed != payload {
		return content{}, mismatch
	}
	return content{data: data, size: int64(len(data))}, nil
}

var mismatch = refuse(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")

// Algorithms that a claim can be checked for. "payload" is the signature's own SHA-256.
func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "crc64nvme":
		return crc64nvme.New()
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "sha1":
		return sha1.New() //nolint:gosec // see the import
	case "sha256", "payload":
		return sha256.New()
	case "md5":
		return md5.New() //nolint:gosec // see the import
	}
	return nil
}

// intake collects one body.
type intake struct {
	content
	keep   bool
	hashes map[string]hash.Hash
}

func (in *intake) add(b []byte) {
	in.size += int64(len(b))
	for _, h := range in.hashes {
		h.Write(b)
	}
	if in.keep {
		in.data = append(in.data, b...)
	}
}

func (s *Server) takeObject(c *Call, r *http.Request) (content, *answer) {
	in := intake{keep: s.opts.Keep == KeepAll}
	in.claims = claims(r.Header)
	trailer, _ := strings.CutPrefix(strings.ToLower(r.Header.Get("X-Amz-Trailer")), "x-amz-checksum-")
	if !s.opts.Trust {
		in.hashes = map[string]hash.Hash{"crc64nvme": crc64nvme.New()}
		for a := range in.claims {
			in.hashes[a] = newHash(a)
		}
		if trailer != "" {
			in.hashes[trailer] = newHash(trailer)
		}
		if in.keep {
			in.hashes["md5"] = newHash("md5")
		}
		for a, h := range in.hashes {
			if h == nil {
				return content{}, refuse(400, "InvalidRequest", "The algorithm "+a+" is not one that this server knows.")
			}
		}
	}
	if in.keep && c.Size > 0 && c.Size <= 1<<30 {
		in.data = make([]byte, 0, c.Size)
	}
	err := error(nil)
	chunked := strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-")
	if chunked {
		err = in.chunks(r.Body, in.claims)
	} else {
		err = in.plain(r.Body)
	}
	switch {
	case err != nil || c.Size >= 0 && in.size != c.Size:
		return content{}, refuse(400, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
	case c.Size < 0 && !chunked:
		return content{}, refuse(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	case trailer != "" && in.claims[trailer] == "":
		return content{}, refuse(400, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
	}
	for a, h := range in.hashes {
		sum := h.Sum(nil)
		if claim, ok := in.claims[a]; ok {
			if b, err := base64.StdEncoding.DecodeString(claim); err != nil || len(b) != len(sum) {
				return content{}, refuse(400, "InvalidDigest", "The "+a+" you specified is not valid.")
			} else if !bytes.Equal(b, sum) && !s.believes(c) {
				if a == "payload" {
					return content{}, mismatch
				}
				return content{}, s.wrongSum(a)
			}
		}
		switch a {
		case "crc64nvme":
			in.crc64 = binary.BigEndian.Uint64(sum)
		case "md5":
			in.md5 = hex.EncodeToString(sum)
		}
	}
	delete(in.claims, "payload")
	delete(in.claims, "md5")
	return in.content, nil
}

// claims are the checksums in a header.
func claims(h http.Header) map[string]string {
	var m map[string]string
	set := func(a, v string) {
		if m == nil {
			m = map[string]string{}
		}
		m[a] = v
	}
	for k, v := range h {
		if a, ok := strings.CutPrefix(k, "X-Amz-Checksum-"); ok && a != "Algorithm" && a != "Type" && a != "Mode" {
			set(strings.ToLower(a), v[0])
		}
	}
	if v := h.Get("Content-Md5"); v != "" {
		set("md5", v)
	}
	if v := h.Get("X-Amz-Content-Sha256"); len(v) == 64 {
		if b, err := hex.DecodeString(v); err == nil {
			set("payload", base64.StdEncoding.EncodeToString(b))
		}
	}
	if m == nil && h.Get("X-Amz-Trailer") != "" {
		m = map[string]string{}
	}
	return m
}

func (in *intake) plain(r io.Reader) error {
	bp := blocks.Get().(*[]byte)
	defer blocks.Put(bp)
	for {
		n, err := r.Read(*bp)
		in.add((*bp)[:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// chunks undoes aws-chunked and collects the trailer (API "Signature calculations: trailing headers").
func (in *intake) chunks(body io.Reader, into map[string]string) error {
	r := readers.Get().(*bufio.Reader)
	r.Reset(body)
	defer readers.Put(r)
	bp := blocks.Get().(*[]byte)
	defer blocks.Put(bp)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		text, _, _ := strings.Cut(strings.TrimSpace(string(line)), ";")
		size, err := strconv.ParseInt(text, 16, 64)
		if err != nil {
			return err
		}
		if size == 0 {
			break
		}
		for size > 0 {
			n, err := r.Read((*bp)[:min(size, int64(len(*bp)))])
			in.add((*bp)[:n])
			if size -= int64(n); err != nil {
				return errors.Join(errCut, err)
			}
		}
		var end [2]byte
		if _, err := io.ReadFull(r, end[:]); err != nil || string(end[:]) != "\r\n" {
			return errCut
		}
	}
	for {
		line, err := r.ReadString('\n')
		line = strings.TrimSpace(line)
		if name, value, ok := strings.Cut(line, ":"); ok {
			if a, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-checksum-"); ok && into != nil {
				into[a] = strings.TrimSpace(value)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if line == "" {
			_, err := io.Copy(io.Discard, r)
			return err
		}
	}
}
