// Command bare uploads a folder with a number of workers and nothing else: no journal, no gate, no retries but of
// 503, no second look at a file. It is the yardstick of the benchmarks: the least that a Go client can need with
// net/http, the SDK's SigV4 signer, CRC-64/NVME and If-None-Match.
//
//	bare -dir DIR -endpoint URL [-workers 16]
//
// A file up to the size of a part is read once and sent with its checksum in a header; a larger one goes as a
// multipart upload whose parts leave in one pass through a small buffer, with the checksum as a trailer. The
// credentials and the CA come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_CA_BUNDLE).
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/minio/crc64nvme"
)

const (
	part   = 16 << 20
	tries  = 8
	region = "us-east-1"
)

func main() {
	b := bare{
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
		keys:   aws.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY")},
	}
	dir := flag.String("dir", "", "the folder")
	workers := flag.Int("workers", 16, "files at once")
	flag.IntVar(&b.parts, "parts", 8, "parts of one file at once")
	flag.StringVar(&b.endpoint, "endpoint", "", "URL of the server")
	bucket := flag.String("bucket", "bench", "the bucket")
	prefix := flag.String("prefix", "up/", "goes in front of every key")
	flag.Parse()
	b.base = "/" + *bucket + "/" + *prefix
	if err := b.connect(*workers * b.parts); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if failed := b.folder(*dir, *workers); failed > 0 {
		os.Exit(1)
	}
}

type bare struct {
	endpoint, base string
	parts          int
	signer         *v4.Signer
	keys           aws.Credentials
	http           *http.Client
}

func (b *bare) connect(most int) error {
	t := &http.Transport{MaxIdleConnsPerHost: most, DisableCompression: true, WriteBufferSize: 64 << 10, ForceAttemptHTTP2: false}
	if file := os.Getenv("AWS_CA_BUNDLE"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		t.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem)
	}
	b.http = &http.Client{Transport: t}
	return nil
}

// folder sends every regular file and returns how many failed.
func (b *bare) folder(dir string, workers int) int64 {
	paths := make(chan string, 1024)
	var failed atomic.Int64
	fail := func(err error) {
		failed.Add(1)
		fmt.Fprintln(os.Stderr, err)
	}
	var crew sync.WaitGroup
	for range workers {
		crew.Go(func() {
			for path := range paths {
				rel, err := filepath.Rel(dir, path)
				if err == nil {
					err = b.file(path, filepath.ToSlash(rel))
				}
				if err != nil {
					fail(fmt.Errorf("%s: %w", path, err))
				}
			}
		})
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			paths <- path
		}
		return err
	})
	close(paths)
	crew.Wait()
	if err != nil {
		fail(err)
	}
	return failed.Load()
}

var blocks = sync.Pool{New: func() any { return new([]byte) }}

func (b *bare) file(path, key string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() > part {
		return b.multipart(f, info.Size(), key)
	}
	block := blocks.Get().(*[]byte)
	defer blocks.Put(block)
	if int64(cap(*block)) < info.Size() {
		*block = make([]byte, info.Size())
	}
	data := (*block)[:info.Size()]
	if _, err := io.ReadFull(f, data); err != nil {
		return err
	}
	h := http.Header{"If-None-Match": {"*"}, "X-Amz-Checksum-Crc64nvme": {encode(crc64nvme.Checksum(data))}}
	_, _, err = b.call(http.MethodPut, key, "", h, func() (io.Reader, int64) { return bytes.NewReader(data), int64(len(data)) })
	return err
}

type partDone struct {
	XMLName    xml.Name `xml:"Part"`
	ETag       string
	Checksum   string `xml:"ChecksumCRC64NVME"`
	PartNumber int
}

func (b *bare) multipart(f *os.File, size int64, key string) error {
	_, answer, err := b.call(http.MethodPost, key, "uploads=", http.Header{
		"X-Amz-Checksum-Algorithm": {"CRC64NVME"}, "X-Amz-Checksum-Type": {"FULL_OBJECT"}}, nil)
	if err != nil {
		return err
	}
	var begun struct {
		UploadID string `xml:"UploadId"`
	}
	if err := xml.Unmarshal(answer, &begun); err != nil {
		return err
	}
	list := struct {
		XMLName xml.Name `xml:"CompleteMultipartUpload"`
		Parts   []partDone
	}{Parts: make([]partDone, (size+part-1)/part)}
	id := "uploadId=" + url.QueryEscape(begun.UploadID)
	var next atomic.Int64
	errs := make([]error, b.parts)
	var crew sync.WaitGroup
	for w := range b.parts {
		crew.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(len(list.Parts)) {
					return
				}
				var sum string
				section := io.NewSectionReader(f, i*part, min(part, size-i*part))
				etag, _, err := b.call(http.MethodPut, key, "partNumber="+strconv.FormatInt(i+1, 10)+"&"+id, http.Header{
					"Content-Encoding": {"aws-chunked"}, "X-Amz-Trailer": {"x-amz-checksum-crc64nvme"},
					"X-Amz-Decoded-Content-Length": {strconv.FormatInt(section.Size(), 10)},
				}, func() (io.Reader, int64) { return chunked(section, &sum) })
				if err != nil {
					errs[w] = err
					return
				}
				list.Parts[i] = partDone{ETag: etag, Checksum: sum, PartNumber: int(i + 1)}
			}
		})
	}
	crew.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	text, err := xml.Marshal(list)
	if err != nil {
		return err
	}
	_, _, err = b.call(http.MethodPost, key, id, http.Header{"If-None-Match": {"*"}},
		func() (io.Reader, int64) { return bytes.NewReader(text), int64(len(text)) })
	return err
}

// chunked frames a section as one chunk with its checksum as the trailer, made while the section is read.
func chunked(section *io.SectionReader, sum *string) (io.Reader, int64) {
	section = io.NewSectionReader(section, 0, section.Size())
	head := strconv.FormatInt(section.Size(), 16) + "\r\n"
	const before, after = "\r\n0\r\nx-amz-checksum-crc64nvme:", "\r\n\r\n"
	hash := crc64nvme.New()
	end := reader(func() string {
		*sum = base64.StdEncoding.EncodeToString(hash.Sum(nil))
		return before + *sum + after
	})
	length := int64(len(head)) + section.Size() + int64(len(before)) + 12 + int64(len(after))
	return io.MultiReader(strings.NewReader(head), io.TeeReader(section, hash), &end), length
}

// reader is a text that is made when it is first read.
type reader func() string

func (r *reader) Read(p []byte) (int, error) {
	if *r == nil {
		return 0, io.EOF
	}
	n := copy(p, (*r)()) // a connection's buffer is larger
	*r = nil
	return n, nil
}

// call sends one request, again after a 503, and returns the ETag and the body of its answer.
func (b *bare) call(method, key, query string, h http.Header, body func() (io.Reader, int64)) (etag string, answer []byte, err error) {
	payload := "UNSIGNED-PAYLOAD"
	if h.Get("X-Amz-Trailer") != "" {
		payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	}
	place := &url.URL{Path: b.base + key}
	address := b.endpoint + place.EscapedPath()
	if query != "" {
		address += "?" + query
	}
	for try := 1; ; try++ {
		req, err := http.NewRequestWithContext(context.Background(), method, address, http.NoBody)
		if err != nil {
			return "", nil, err
		}
		if body != nil {
			var r io.Reader
			r, req.ContentLength = body()
			if req.ContentLength > 0 {
				req.Body = io.NopCloser(r)
			}
		}
		req.Header = h.Clone()
		req.Header.Set("X-Amz-Content-Sha256", payload)
		if err := b.signer.SignHTTP(context.Background(), b.keys, req, payload, "s3", region, time.Now()); err != nil {
			return "", nil, err
		}
		resp, err := b.http.Do(req)
		if err != nil {
			return "", nil, err
		}
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
			return "", nil, err
		case resp.StatusCode == http.StatusOK:
			return resp.Header.Get("ETag"), answer, nil
		case resp.StatusCode == http.StatusServiceUnavailable && try < tries:
			time.Sleep(50 * time.Millisecond << try)
		default:
			return "", nil, fmt.Errorf("%s %s: %s: %s", method, key, resp.Status, answer)
		}
	}
}

func encode(crc uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], crc)
	return base64.StdEncoding.EncodeToString(b[:])
}
