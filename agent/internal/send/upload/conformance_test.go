package upload

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"buzon/agent/internal/client"
	"buzon/scripts/aws/localaws"
	"buzon/scripts/aws/versitygw"
	"buzon/scripts/load/s3server"
)

// place is one S3 server, as the suite needs it: somebody who sends, and somebody who reads and cleans up.
type place struct {
	name   string
	env    []string // leads to it, with a key that may do everything
	bucket string
	aws    *client.AWS
	admin  *s3.Client
	echoes bool // PutObject answers with the checksum
	part   int  // the smallest part that it takes
}

// places starts every server that can run here; one that can't is a skipped test of its own.
func places(t *testing.T, suite func(*testing.T, *place)) {
	t.Run("s3server", func(t *testing.T) {
		s := s3server.Start(t, s3server.Options{Verify: true, MinPart: mebi})
		suite(t, &place{name: t.Name(), env: s.Environ(s3server.Admin), echoes: true, part: mebi})
	})
	t.Run("versitygw", func(t *testing.T) {
		g := versitygw.ForTest(t)
		suite(t, &place{name: t.Name(), env: g.Env(), echoes: true, part: minPart})
	})
	t.Run("ministack", func(t *testing.T) {
		if testing.Short() {
			t.Skip("SKIPPED with -short: the local AWS is slow with large bodies")
		}
		a := localaws.ForTest(t)
		suite(t, &place{name: t.Name(), env: a.Env(), part: mebi}) // S3 takes no part below 5 MiB; its checksums take seconds for those
	})
}

func (p *place) open(t *testing.T) {
	t.Helper()
	for _, pair := range p.env {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	a, err := client.Load(t.Context(), client.Settings{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	p.aws, p.admin, p.bucket = a, a.S3, "conformance"
	if !strings.HasSuffix(p.name, "s3server") { // which has every bucket
		if _, err := p.admin.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &p.bucket}); err != nil {
			t.Fatal(err)
		}
	}
}

// through is the sender's side with something between it and the wire.
func (p *place) through(wire func(http.RoundTripper) http.RoundTripper) *client.AWS {
	a := *p.aws
	a.Transport = wire(p.aws.Transport)
	o := p.aws.S3.Options()
	o.HTTPClient = &http.Client{Transport: a.Transport}
	a.S3 = s3.New(o)
	return &a
}

func (p *place) job(key string, content []byte) Job {
	j := job(key, content)
	j.Bucket, j.Owner = p.bucket, ""
	return j
}

// get reads an object back; nil if there is none.
func (p *place) get(t *testing.T, key string) []byte {
	t.Helper()
	out, err := p.admin.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &p.bucket, Key: &key})
	if client.Classify(err).Code == "NoSuchKey" {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close() //nolint:errcheck // read only
	b, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (p *place) head(t *testing.T, key string) *s3.HeadObjectOutput {
	t.Helper()
	out, err := p.admin.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &p.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// uploads are the unfinished multipart uploads.
func (p *place) uploads(t *testing.T) []types.MultipartUpload {
	t.Helper()
	out, err := p.admin.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &p.bucket})
	if err != nil {
		t.Fatal(err)
	}
	return out.Uploads
}

// multi sends everything that is larger than the smallest part in parts.
func (p *place) multi() Options { return Options{Threshold: int64(p.part), PartSize: int64(p.part)} }

// roundTrip is a function as a RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// flip changes one byte of every body that passes.
type flip struct {
	io.ReadCloser
	at int
}

func (f *flip) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if f.at >= 0 && f.at < n {
		p[f.at] ^= 1
	}
	f.at -= n
	return n, err
}

// TestEveryServerAgrees is the conformance suite: what the uploader relies on, at three servers.
func TestEveryServerAgrees(t *testing.T) {
	places(t, func(t *testing.T, p *place) {
		p.open(t)
		for _, part := range []struct {
			name string
			test func(*testing.T, *place)
		}{
			{"sizes", conformSizes},
			{"names", conformNames},
			{"metadata", conformMetadata},
			{"taken key", conformTaken},
			{"wrong bytes", conformWrongBytes},
			{"multipart", conformMultipart},
			{"resume", conformResume},
			{"vanished upload", conformVanished},
			{"unanswered complete", conformUnanswered},
			{"changed file", conformChanged},
		} {
			t.Run(part.name, func(t *testing.T) { part.test(t, p) })
		}
	})
}

func conformSizes(t *testing.T, p *place) {
	u := New(p.aws, Options{})
	for _, n := range []int{0, 1, small, small + 1, 1<<20 + 17} {
		key, content := "sizes/"+strconv.Itoa(n), data(n)
		result, err := u.Send(t.Context(), p.job(key, content), nil)
		if err != nil {
			t.Fatal(n, err)
		}
		if !bytes.Equal(p.get(t, key), content) {
			t.Errorf("%d bytes: other bytes", n)
		}
		h := p.head(t, key)
		if result.CRC64 != checksum(content) || aws.ToString(h.ChecksumCRC64NVME) != encode(result.CRC64) || aws.ToString(h.ETag) != result.ETag {
			t.Errorf("%d bytes: %+v, HEAD says %s %s", n, result, aws.ToString(h.ChecksumCRC64NVME), aws.ToString(h.ETag))
		}
		if result.Echoed != p.echoes {
			t.Errorf("%d bytes: echoed %v", n, result.Echoed)
		}
		if _, err := p.admin.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &p.bucket, Key: &key}); err != nil {
			t.Fatal(err)
		}
	}
}

func conformNames(t *testing.T, p *place) {
	u := New(p.aws, p.multi())
	for _, key := range []string{
		"names/with space", "names/plus+and&=?#", "names/emoji ☕", "names/new\nline", "names/..%2f..%2fetc", "names/cafe\u0301", "names/café",
		"names/-rf", "names/*[", "names/quote'\"<>", "names/" + strings.Repeat("d/", 40) + "deep", "names/~tilde", "names/a..b",
	} {
		for _, n := range []int{9, small + 1} {
			content := append(data(n), key...)
			if _, err := u.Send(t.Context(), p.job(key, content), &memory{}); err != nil {
				t.Errorf("%q, %d bytes: %v", key, n, err)
				continue
			}
			if !bytes.Equal(p.get(t, key), content) {
				t.Errorf("%q, %d bytes: other bytes", key, n)
			}
			if _, err := p.admin.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &p.bucket, Key: &key}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func conformMetadata(t *testing.T, p *place) {
	u := New(p.aws, p.multi())
	for key, n := range map[string]int{"metadata/single": 10, "metadata/parts": p.part + mebi/4} {
		j := p.job(key, data(n))
		j.ContentType, j.Metadata = "text/csv", map[string]string{"source-path": "a%20b/c%C3%A9.csv", "mtime": "1700000000.000000005", "host": "vm-01"}
		if _, err := u.Send(t.Context(), j, &memory{}); err != nil {
			t.Fatal(key, err)
		}
		h := p.head(t, key)
		if aws.ToString(h.ContentType) != "text/csv" {
			t.Errorf("%s: Content-Type %q", key, aws.ToString(h.ContentType))
		}
		for name, want := range j.Metadata {
			if h.Metadata[name] != want {
				t.Errorf("%s: %s is %q, want %q", key, name, h.Metadata[name], want)
			}
		}
	}
}

func conformTaken(t *testing.T, p *place) {
	u := New(p.aws, p.multi())
	for key, n := range map[string]int{"taken/single": 10, "taken/parts": p.part + mebi/4} {
		first := data(n)
		if _, err := u.Send(t.Context(), p.job(key, first), &memory{}); err != nil {
			t.Fatal(key, err)
		}
		_, err := u.Send(t.Context(), p.job(key, data(n+1)), &memory{})
		var e *Error
		if !errors.As(err, &e) || e.Fault.Class != client.Exists || e.Sent != Whole || !e.Answered {
			t.Errorf("%s: %v", key, err)
		}
		if !bytes.Equal(p.get(t, key), first) {
			t.Errorf("%s was replaced", key)
		}
		j := p.job(key, data(n+1))
		j.Replace = true
		if _, err := u.Send(t.Context(), j, &memory{}); err != nil {
			t.Errorf("%s: on_conflict replace: %v", key, err)
		}
	}
	if left := p.uploads(t); len(left) != 0 {
		t.Errorf("%d uploads were not aborted", len(left))
	}
}

// conformWrongBytes: what arrives is not what left; nothing of it may be stored.
func conformWrongBytes(t *testing.T, p *place) {
	a := p.through(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPut && r.Body != nil {
				r.Body = &flip{r.Body, 100}
			}
			return next.RoundTrip(r)
		})
	})
	u := New(a, p.multi())
	for key, n := range map[string]int{"wrong/header": 5000, "wrong/trailer": small + 5000, "wrong/part": p.part + mebi/4} {
		_, err := u.Send(t.Context(), p.job(key, data(n)), &memory{})
		var e *Error
		if !errors.As(err, &e) || e.Fault.Class != client.Corrupt {
			t.Errorf("%s: %v", key, err)
		}
		if p.get(t, key) != nil {
			t.Errorf("%s is stored", key)
		}
	}
}

func conformMultipart(t *testing.T, p *place) {
	u := New(p.aws, p.multi())
	for _, n := range []int{p.part + 1, 2 * p.part, 2*p.part + 3} {
		key, content := "multipart/"+strconv.Itoa(n), data(n)
		result, err := u.Send(t.Context(), p.job(key, content), &memory{})
		if err != nil {
			t.Fatal(n, err)
		}
		if !bytes.Equal(p.get(t, key), content) || result.CRC64 != checksum(content) {
			t.Errorf("%d bytes: other bytes", n)
		}
		if h := p.head(t, key); aws.ToString(h.ChecksumCRC64NVME) != encode(result.CRC64) || h.ChecksumType != types.ChecksumTypeFullObject {
			t.Errorf("%d bytes: HEAD says %s %s", n, aws.ToString(h.ChecksumCRC64NVME), h.ChecksumType)
		}
		if !result.Echoed {
			t.Errorf("%d bytes: not echoed", n)
		}
	}
}

// broken lets a request through that decide accepts, and else breaks the connection before anything leaves.
func broken(decide func(*http.Request) bool) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if decide(r) {
				return next.RoundTrip(r)
			}
			if r.Body != nil {
				_ = r.Body.Close()
			}
			return nil, io.ErrUnexpectedEOF
		})
	}
}

func conformResume(t *testing.T, p *place) {
	content := data(3*p.part + 17)
	var parts atomic.Int64
	oneByOne := p.multi()
	oneByOne.Parts = 1
	u := New(p.through(broken(func(r *http.Request) bool { return r.URL.Query().Get("partNumber") != "3" })), oneByOne)
	m := &memory{}
	_, err := u.Send(t.Context(), p.job("resume/f", content), m)
	var e *Error
	if !errors.As(err, &e) || e.Phase != PhasePart || e.Sent != No {
		t.Fatal(err)
	}
	done := len(m.resume.Parts)
	if done != 2 {
		t.Fatalf("%d parts were confirmed before the break, not 2", done)
	}
	u = New(p.through(broken(func(r *http.Request) bool {
		if r.URL.Query().Has("partNumber") {
			parts.Add(1)
		}
		return !r.URL.Query().Has("uploads") // no second upload is begun
	})), p.multi())
	j, resume := p.job("resume/f", content), m.resume
	j.Resume = &resume
	if _, err := u.Send(t.Context(), j, m); err != nil {
		t.Fatal(err)
	}
	if int(parts.Load()) != 4-done {
		t.Errorf("%d parts were sent again, %d were missing", parts.Load(), 4-done)
	}
	if !bytes.Equal(p.get(t, "resume/f"), content) {
		t.Error("other bytes")
	}
}

func conformVanished(t *testing.T, p *place) {
	key := "vanished/f"
	u := New(p.through(broken(func(r *http.Request) bool { return r.URL.Query().Get("partNumber") != "2" })), p.multi())
	m := &memory{}
	if _, err := u.Send(t.Context(), p.job(key, data(p.part+mebi/4)), m); err == nil {
		t.Fatal("it succeeded")
	}
	if _, err := p.admin.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: &p.bucket, Key: &key, UploadId: &m.resume.UploadID}); err != nil {
		t.Fatal(err)
	}
	j, resume := p.job(key, data(p.part+mebi/4)), m.resume
	j.Resume = &resume
	u = New(p.aws, p.multi())
	for range 20 {
		_, err := u.Send(t.Context(), j, m)
		var e *Error
		if errors.As(err, &e) && e.Fault.Class == client.NoUpload {
			return
		}
		// A server that answers and closes before it has read the part may break the connection first.
		if !errors.As(err, &e) || e.Fault.Class != client.Transient {
			t.Fatal(err)
		}
	}
	t.Error("it never says that the upload is gone")
}

// conformUnanswered: the object was stored and the answer to its Complete was lost. The repeat with the same parts
// may end in success, NoSuchUpload or 412; in each case the object stands once, with the right bytes.
func conformUnanswered(t *testing.T, p *place) {
	var lost sync.Once
	a := p.through(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && r.Method == http.MethodPost && r.URL.Query().Has("uploadId") {
				lost.Do(func() {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					resp, err = nil, io.ErrUnexpectedEOF
				})
			}
			return resp, err
		})
	})
	u, content := New(a, p.multi()), data(p.part+mebi/4)
	m := &memory{}
	_, err := u.Send(t.Context(), p.job("unanswered/f", content), m)
	var e *Error
	if !errors.As(err, &e) || e.Phase != PhaseComplete || e.Answered {
		t.Fatal(err)
	}
	j, resume := p.job("unanswered/f", content), m.resume
	j.Resume = &resume
	_, err = u.Send(t.Context(), j, m)
	switch {
	case err == nil:
		t.Log("the repeated Complete succeeds")
	case errors.As(err, &e) && (e.Fault.Class == client.NoUpload || e.Fault.Class == client.Exists):
		t.Logf("the repeated Complete is answered %s", e.Fault.Code)
	case errors.As(err, &e) && strings.HasSuffix(p.name, "/ministack") && e.Fault.Class == client.Transient:
		// It answers a repeat with a body that is shorter than it says: the outcome stays open.
		t.Log("the repeated Complete is answered in part")
	default:
		t.Error(err)
	}
	if !bytes.Equal(p.get(t, "unanswered/f"), content) {
		t.Error("other bytes")
	}
}

func conformChanged(t *testing.T, p *place) {
	u := New(p.aws, p.multi())
	for key, n := range map[string]int{"changed/small": 10, "changed/stream": 900 << 10, "changed/parts": p.part + mebi/4} {
		j, looks := p.job(key, data(n)), 0
		j.Unchanged = func() error {
			if looks++; n > p.part && looks < 3 { // multipart: only the look before Complete sees it
				return nil
			}
			return errors.New("newer")
		}
		if _, err := u.Send(context.WithoutCancel(t.Context()), j, &memory{}); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: %v", key, err)
		}
		if p.get(t, key) != nil {
			t.Errorf("%s is stored", key)
		}
	}
	if left := p.uploads(t); len(left) > 0 {
		for _, l := range left {
			if strings.HasPrefix(*l.Key, "changed/") {
				t.Errorf("%s was not aborted", *l.Key)
			}
		}
	}
}
