package s3server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/minio/crc64nvme"
	"pgregory.net/rapid"

	. "buzon/scripts/load/s3server"
)

const inbox = "inbox"

// config is the SDK's configuration for one identity at s.
func config(t *testing.T, s *Server, who Identity) aws.Config {
	t.Helper()
	hc := http.DefaultClient
	if s.CA != nil {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(s.CA)
		hc = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	}
	return aws.Config{Region: "us-east-1", BaseEndpoint: &s.URL, HTTPClient: hc, RetryMaxAttempts: 1,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		Credentials:                credentials.NewStaticCredentialsProvider(who.AccessKey, who.Secret, who.Token)}
}

func client(t *testing.T, s *Server, who Identity) *s3.Client {
	return s3.NewFromConfig(config(t, s, who), func(o *s3.Options) { o.UsePathStyle = true })
}

// is checks that err carries S3's code and status.
func is(t *testing.T, err error, status int, code string) {
	t.Helper()
	var api smithy.APIError
	var h interface{ HTTPStatusCode() int }
	if !errors.As(err, &api) || !errors.As(err, &h) || api.ErrorCode() != code || h.HTTPStatusCode() != status {
		t.Errorf("got %v, want %d %s", err, status, code)
	}
}

func none(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var ctx = context.Background()

func TestEveryWrongKeyHasItsOwnAnswer(t *testing.T) {
	expired := Identity{ARN: "arn:aws:sts::111122223333:assumed-role/r/s", AccessKey: "ASIAEXPIRED", Secret: "s", Token: "tok", Expired: true}
	temporary := Identity{ARN: "arn:aws:sts::111122223333:assumed-role/r/s", AccessKey: "ASIAGOOD", Secret: "s", Token: "tok"}
	off := Identity{ARN: "arn:aws:iam::111122223333:user/off", AccessKey: "AKIAOFF", Secret: "s", Inactive: true}
	s := Start(t, Options{Verify: true, Identities: []Identity{Admin, expired, temporary, off}, Buckets: []Bucket{{Name: inbox}}})
	wrong, noToken := Admin, temporary
	wrong.Secret, noToken.Token = "no", "other"
	for _, c := range []struct {
		name         string
		who          Identity
		s3, sts      string
		s3At, stsAt  int
		allowedToAll bool
	}{
		{name: "right", who: Admin}, {name: "right session", who: temporary},
		{name: "unknown", who: Identity{AccessKey: "AKIANOBODY", Secret: "x"}, s3: "InvalidAccessKeyId", s3At: 403, sts: "InvalidClientTokenId", stsAt: 403},
		{name: "inactive", who: off, s3: "InvalidAccessKeyId", s3At: 403, sts: "InvalidClientTokenId", stsAt: 403},
		{name: "wrong secret", who: wrong, s3: "SignatureDoesNotMatch", s3At: 403, sts: "SignatureDoesNotMatch", stsAt: 403},
		{name: "expired", who: expired, s3: "ExpiredToken", s3At: 400, sts: "ExpiredToken", stsAt: 403},
		{name: "wrong token", who: noToken, s3: "InvalidToken", s3At: 400, sts: "InvalidClientTokenId", stsAt: 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := client(t, s, c.who).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(inbox), Key: aws.String("a b/ü~'.txt"), Body: strings.NewReader("x")})
			out, err2 := sts.NewFromConfig(config(t, s, c.who)).GetCallerIdentity(ctx, nil)
			if c.s3 == "" {
				none(t, err)
				none(t, err2)
				if *out.Arn != c.who.ARN || *out.Account != "111122223333" {
					t.Error(*out.Arn, *out.Account)
				}
				return
			}
			is(t, err, c.s3At, c.s3)
			is(t, err2, c.stsAt, c.sts)
		})
	}
	r, err := http.Get(s.URL + "/" + inbox + "/a")
	none(t, err)
	defer r.Body.Close()
	if r.StatusCode != 403 {
		t.Error("anonymous", r.StatusCode)
	}
}

func TestAClockThatIsOffIsRefused(t *testing.T) {
	s := Start(t, Options{Verify: true, Now: func() time.Time { return time.Now().Add(-20 * time.Minute) }})
	c := client(t, s, Admin)
	o := c.Options()
	o.DisableClockSkewCorrection = true
	_, err := s3.New(o).ListBuckets(ctx, nil)
	is(t, err, 403, "RequestTimeTooSkewed")
}

func TestAnotherRegionNamesTheRightOne(t *testing.T) {
	s := Start(t, Options{Verify: true, Buckets: []Bucket{{Name: inbox}, {Name: "far", Region: "eu-west-1"}}})
	o := client(t, s, Admin).Options()
	o.Region = "eu-south-2"
	_, err := s3.New(o).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(inbox), Key: aws.String("k"), Body: strings.NewReader("x")})
	is(t, err, 400, "AuthorizationHeaderMalformed")
	_, err = client(t, s, Admin).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("far"), Key: aws.String("k"), Body: strings.NewReader("x")})
	is(t, err, 301, "PermanentRedirect")
	_, err = client(t, s, Uploader).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(inbox)})
	none(t, err)
}

func TestAWriteOnlyKeySeesOnlyRefusals(t *testing.T) {
	s := Start(t, Options{Verify: true, Buckets: []Bucket{{Name: inbox}}, Allow: AdminOr(WriteOnly(inbox, "p/"))})
	c, b := client(t, s, Uploader), aws.String(inbox)
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String("p/k"), Body: strings.NewReader("x")})
	none(t, err)
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String("q/k"), Body: strings.NewReader("x")})
	is(t, err, 403, "AccessDenied")
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String("p/k"), Body: strings.NewReader("x"), Tagging: aws.String("a=b")})
	is(t, err, 403, "AccessDenied")
	_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: aws.String("p/k")})
	is(t, err, 403, "AccessDenied")
	_, err = c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b, Key: aws.String("p/k")})
	is(t, err, 403, "Forbidden")
	_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: aws.String("p/k")})
	is(t, err, 403, "AccessDenied")
	_, err = c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: b})
	is(t, err, 403, "AccessDenied")
	_, err = c.ListBuckets(ctx, nil)
	is(t, err, 403, "AccessDenied")
	_, err = c.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: b})
	is(t, err, 403, "AccessDenied")
	_, err = c.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: b, Key: aws.String("p/k")})
	is(t, err, 403, "AccessDenied")
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String("p/k"), Body: strings.NewReader("x"), ExpectedBucketOwner: aws.String("999999999999")})
	is(t, err, 403, "AccessDenied")
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("nobody"), Key: aws.String("p/k"), Body: strings.NewReader("x")})
	is(t, err, 404, "NoSuchBucket")
	_, err = c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: b})
	is(t, err, 403, "Forbidden")
	var answered interface{ HTTPResponse() *smithyhttp.Response }
	if !errors.As(err, &answered) || answered.HTTPResponse().Header.Get("X-Amz-Bucket-Region") != "us-east-1" {
		t.Error("a refused HeadBucket does not name the Region")
	}
	out, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: b, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("p/k")}}}})
	none(t, err)
	if len(out.Errors) != 1 || *out.Errors[0].Code != "AccessDenied" {
		t.Error(out.Errors)
	}
	if o, ok := s.Object(inbox, "p/k"); !ok || string(o.Body) != "x" || o.By != Uploader.ARN {
		t.Error(o)
	}
}

func TestAnObjectIsStoredOnlyIfItsChecksumsAgree(t *testing.T) {
	data := make([]byte, 3<<20+7)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	for _, secure := range []bool{false, true} { // over TLS the SDK sends trailers, else headers and a payload hash
		s := Start(t, Options{Verify: true, TLS: secure, Buckets: []Bucket{{Name: inbox, Versioned: true}}})
		c := client(t, s, Admin)
		for _, alg := range []types.ChecksumAlgorithm{"CRC64NVME", "CRC32", "CRC32C", "SHA1", "SHA256"} {
			key := fmt.Sprint("k-", secure, alg)
			out, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(inbox), Key: &key, Body: bytes.NewReader(data), ChecksumAlgorithm: alg})
			none(t, err)
			o, ok := s.Object(inbox, key)
			if !ok || !bytes.Equal(o.Body, data) || o.CRC64 != crc64nvme.Checksum(data) || aws.ToString(out.VersionId) != o.VersionID || o.VersionID == "" {
				t.Error(key, ok, len(o.Body), o.VersionID)
			}
			if alg == "CRC64NVME" && aws.ToString(out.ChecksumCRC64NVME) == "" {
				t.Error("no echo")
			}
		}
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(inbox), Key: aws.String("bad"), Body: bytes.NewReader(data), ChecksumCRC64NVME: aws.String("AAAAAAAAAAE=")})
		is(t, err, 400, "BadDigest")
		_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(inbox), Key: aws.String("bad"), Body: bytes.NewReader(data), ContentMD5: aws.String("1B2M2Y8AsgTpgAmY7PhCfg==")})
		is(t, err, 400, "BadDigest")
		if _, ok := s.Object(inbox, "bad"); ok {
			t.Error("stored in spite of its checksum")
		}
	}
}

func TestAWrongTrailerIsABadDigest(t *testing.T) {
	s := Start(t, Options{})
	send := func(trailer string) int {
		body := "5\r\nhello\r\n0\r\nx-amz-checksum-crc64nvme:" + trailer + "\r\n\r\n"
		r, err := http.NewRequest("PUT", s.URL+"/"+inbox+"/k", strings.NewReader(body))
		none(t, err)
		for k, v := range map[string]string{"X-Amz-Trailer": "x-amz-checksum-crc64nvme", "X-Amz-Content-Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
			"X-Amz-Decoded-Content-Length": "5", "Content-Encoding": "aws-chunked", "Authorization": "AWS4-HMAC-SHA256 Credential=" + Admin.AccessKey + "/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x"} {
			r.Header.Set(k, v)
		}
		a, err := http.DefaultClient.Do(r)
		none(t, err)
		defer a.Body.Close()
		return a.StatusCode
	}
	if got := send("AAAAAAAAAAE="); got != 400 {
		t.Error(got)
	}
	if _, ok := s.Object(inbox, "k"); ok {
		t.Error("stored")
	}
	if got := send("M3eFcAZSQlc="); got != 200 { // aws-facts.md, section 4
		t.Error(got)
	}
}

func TestIfNoneMatchLooksAtTheCurrentVersion(t *testing.T) {
	s := Start(t, Options{Verify: true, Buckets: []Bucket{{Name: inbox, Versioned: true}}})
	c, b, k := client(t, s, Admin), aws.String(inbox), aws.String("k")
	put := func() error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: k, Body: strings.NewReader("x"), IfNoneMatch: aws.String("*")})
		return err
	}
	none(t, put())
	is(t, put(), 412, "PreconditionFailed")
	_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: k})
	none(t, err)
	none(t, put()) // a delete marker counts as "does not exist"
	out, err := c.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: b})
	none(t, err)
	if len(out.Versions) != 2 || len(out.DeleteMarkers) != 1 {
		t.Error(len(out.Versions), len(out.DeleteMarkers))
	}
	old := s.Versions(inbox)[0]
	head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b, Key: k, VersionId: &old.VersionID, ChecksumMode: types.ChecksumModeEnabled})
	none(t, err)
	if *head.ContentLength != 1 || head.ChecksumCRC32 == nil {
		t.Error(*head.ContentLength)
	}
}

func TestMultipartIsJoinedAndHeldToItsChecksum(t *testing.T) {
	s := Start(t, Options{Verify: true, Buckets: []Bucket{{Name: inbox, Versioned: true}}})
	c, b, k := client(t, s, Admin), aws.String(inbox), aws.String("big file+.bin")
	data := make([]byte, 11<<20)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: k, ChecksumAlgorithm: "CRC64NVME"})
	none(t, err)
	var parts []types.CompletedPart
	for i := range 3 {
		chunk := data[i*5<<20 : min((i+1)*5<<20, len(data))]
		p, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: k, UploadId: up.UploadId, PartNumber: aws.Int32(int32(i + 1)), Body: bytes.NewReader(chunk), ChecksumAlgorithm: "CRC64NVME"})
		none(t, err)
		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: p.ETag, ChecksumCRC64NVME: p.ChecksumCRC64NVME})
	}
	if len(s.Uploads()) != 1 {
		t.Error(s.Uploads())
	}
	sum := Encode(crc64nvme.Checksum(data))
	complete := func(crc string, size int64) (*s3.CompleteMultipartUploadOutput, error) {
		return c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: b, Key: k, UploadId: up.UploadId, IfNoneMatch: aws.String("*"),
			ChecksumCRC64NVME: &crc, ChecksumType: types.ChecksumTypeFullObject, MpuObjectSize: &size, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	}
	_, err = complete("AAAAAAAAAAE=", int64(len(data)))
	is(t, err, 400, "BadDigest")
	_, err = complete(sum, 7)
	is(t, err, 400, "InvalidRequest")
	out, err := complete(sum, int64(len(data)))
	none(t, err)
	if *out.ChecksumCRC64NVME != sum || !strings.HasSuffix(*out.ETag, `-3"`) {
		t.Error(*out.ChecksumCRC64NVME, *out.ETag)
	}
	again, err := complete(sum, int64(len(data))) // an unanswered Complete, repeated
	none(t, err)
	if *again.VersionId != *out.VersionId {
		t.Error(*again.VersionId)
	}
	_, err = c.UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: k, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("x")})
	is(t, err, 404, "NoSuchUpload")
	a, err := c.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: b, Key: k, ObjectAttributes: []types.ObjectAttributes{"Checksum", "ObjectSize", "ETag"}})
	none(t, err)
	if *a.ObjectSize != int64(len(data)) || *a.Checksum.ChecksumCRC64NVME != sum || a.Checksum.ChecksumType != "FULL_OBJECT" {
		t.Error(*a.ObjectSize, *a.Checksum.ChecksumCRC64NVME)
	}
	got, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: k})
	none(t, err)
	if body, _ := io.ReadAll(got.Body); !bytes.Equal(body, data) {
		t.Error("other bytes")
	}
}

func TestListingsGoOnFromPageToPage(t *testing.T) {
	s := Start(t, Options{})
	for i := range 25 {
		s.Put(inbox, fmt.Sprintf("d%d/f%02d", i%3, i), []byte("x"))
	}
	c := client(t, s, Admin)
	var keys []string
	p := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: aws.String(inbox), MaxKeys: aws.Int32(4), Prefix: aws.String("d")})
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		none(t, err)
		for _, o := range out.Contents {
			keys = append(keys, *o.Key)
		}
	}
	if len(keys) != 25 {
		t.Error(len(keys), keys)
	}
	out, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(inbox), Delimiter: aws.String("/")})
	none(t, err)
	if len(out.CommonPrefixes) != 3 || len(out.Contents) != 0 {
		t.Error(len(out.CommonPrefixes), len(out.Contents))
	}
}

func TestFaultsHappenAsNamed(t *testing.T) {
	var next atomic.Value
	s := Start(t, Options{Fault: func(*Call) Fault { return next.Load().(Fault) }})
	c := client(t, s, Admin)
	for _, f := range []struct {
		name   Name
		code   string // "": no answer at all
		stored bool
	}{
		{SlowDown, "SlowDown", false}, {Internal, "InternalError", false}, {Denied, "AccessDenied", false}, {Exists, "PreconditionFailed", false},
		{ResetBefore, "", false}, {ResetInside, "", false}, {ResetAfter, "", false}, {LostAnswer, "", true}, {DoneThen500, "InternalError", true},
		{Timeout, "", false}, {Hang, "", true}, {Digest, "BadDigest", false}, {Expired, "ExpiredToken", false}, {IdleTimeout, "RequestTimeout", false},
	} {
		t.Run(string(f.name), func(t *testing.T) {
			next.Store(Fault{Name: f.name, Bytes: 100})
			patience := 30 * time.Second
			if f.name == Timeout || f.name == Hang { // these two never answer
				patience = 300 * time.Millisecond
			}
			short, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			key := string(f.name)
			_, err := c.PutObject(short, &s3.PutObjectInput{Bucket: aws.String(inbox), Key: &key, Body: bytes.NewReader(make([]byte, 10<<10))})
			var api smithy.APIError
			if err == nil || errors.As(err, &api) != (f.code != "") || f.code != "" && api.ErrorCode() != f.code {
				t.Error(err)
			}
			stored := func() bool { _, ok := s.Object(inbox, key); return ok }
			for until := time.Now().Add(10 * time.Second); f.stored && !stored() && time.Now().Before(until); {
				runtime.Gosched() // the client of Hang may have gone before its bytes were kept
			}
			if stored() != f.stored {
				t.Errorf("stored: %v", stored())
			}
		})
	}
}

func TestNullKeepsNothing(t *testing.T) {
	s := Start(t, Options{Keep: KeepNothing, Trust: true})
	c := client(t, s, Admin)
	for range 3 {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(inbox), Key: aws.String("k"), Body: strings.NewReader("hello"), IfNoneMatch: aws.String("*"), ChecksumAlgorithm: "CRC64NVME"})
		none(t, err)
	}
	if st := s.Stats(); st.Objects != 3 || st.Bytes != 15 || st.Ops[PutObject] != 3 || len(s.Objects(inbox)) != 0 {
		t.Errorf("%+v", st)
	}
}

func TestCombineIsTheChecksumOfBoth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOf(rapid.Byte()).Draw(t, "a"), rapid.SliceOf(rapid.Byte()).Draw(t, "b")
		if Combine(crc64nvme.Checksum(a), crc64nvme.Checksum(b), int64(len(b))) != crc64nvme.Checksum(append(a, b...)) {
			t.Fatal("differs")
		}
	})
}
