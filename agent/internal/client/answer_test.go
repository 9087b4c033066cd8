package client

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"buzon/scripts/load/s3server"
)

// calls are all that the agent asks a store, STS and IAM.
var calls = map[string]func(context.Context, *AWS) error{
	"PutObject": func(ctx context.Context, a *AWS) error { return put(ctx, a) },
	"UploadPart": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.UploadPart(ctx, &s3.UploadPartInput{Bucket: aws.String("inbox"), Key: aws.String("k"), UploadId: aws.String("u"), PartNumber: aws.Int32(1), Body: strings.NewReader("x")})
		return err
	},
	"CreateMultipartUpload": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("inbox"), Key: aws.String("k")})
		return err
	},
	"CompleteMultipartUpload": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: aws.String("inbox"), Key: aws.String("k"), UploadId: aws.String("u"),
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: aws.String("e"), PartNumber: aws.Int32(1)}}}})
		return err
	},
	"AbortMultipartUpload": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String("inbox"), Key: aws.String("k"), UploadId: aws.String("u")})
		return err
	},
	"ListBuckets": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.ListBuckets(ctx, &s3.ListBucketsInput{})
		return err
	},
	"ListObjectsV2": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("inbox")})
		return err
	},
	"ListObjectVersions": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: aws.String("inbox")})
		return err
	},
	"ListMultipartUploads": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: aws.String("inbox")})
		return err
	},
	"ListParts": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.ListParts(ctx, &s3.ListPartsInput{Bucket: aws.String("inbox"), Key: aws.String("k"), UploadId: aws.String("u")})
		return err
	},
	"GetObject": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("inbox"), Key: aws.String("k")})
		return err
	},
	"HeadObject": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("inbox"), Key: aws.String("k")})
		return err
	},
	"HeadBucket": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("inbox")})
		return err
	},
	"GetObjectAttributes": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: aws.String("inbox"), Key: aws.String("k"), ObjectAttributes: []types.ObjectAttributes{types.ObjectAttributesObjectSize}})
		return err
	},
	"GetObjectAcl": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: aws.String("inbox"), Key: aws.String("k")})
		return err
	},
	"GetBucketAcl": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: aws.String("inbox")})
		return err
	},
	"GetObjectTagging": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: aws.String("inbox"), Key: aws.String("k")})
		return err
	},
	"GetBucketPolicy": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String("inbox")})
		return err
	},
	"PutObjectAcl": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.PutObjectAcl(ctx, &s3.PutObjectAclInput{Bucket: aws.String("inbox"), Key: aws.String("k"), ACL: types.ObjectCannedACLPrivate})
		return err
	},
	"PutObjectTagging": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: aws.String("inbox"), Key: aws.String("k"), Tagging: &types.Tagging{TagSet: []types.Tag{}}})
		return err
	},
	"DeleteObject": func(ctx context.Context, a *AWS) error {
		_, err := a.S3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("inbox"), Key: aws.String("k")})
		return err
	},
	"sts:GetCallerIdentity": func(ctx context.Context, a *AWS) error {
		_, err := a.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		return err
	},
	"iam:GetUser": func(ctx context.Context, a *AWS) error {
		_, err := a.IAM().GetUser(ctx, &iam.GetUserInput{}, func(o *iam.Options) { o.Retryer = aws.NopRetryer{} })
		return err
	},
}

// served is a store of a test's own.
func served(s *httptest.Server) *s3server.Server {
	store := s3server.New(s3server.Options{})
	store.URL = s.URL
	return store
}

func TestEveryOperationWithAMarkIsCalledHere(t *testing.T) {
	for operation := range successes {
		if calls[operation] == nil {
			t.Error(operation)
		}
	}
}

// What is not the store's decides nothing, whatever was asked: B3, B6, F13.
func TestNothingButTheStoreIsBelieved(t *testing.T) {
	strange := s3server.Stranges()
	if len(strange) < 40 {
		t.Fatal("only", len(strange))
	}
	var raw atomic.Pointer[string]
	s := s3server.Start(t, s3server.Options{Fault: func(*s3server.Call) s3server.Fault {
		return s3server.Fault{Name: s3server.Stranger, Raw: *raw.Load()}
	}})
	a := at(t, s, s3server.Admin)
	for _, answer := range strange {
		t.Run(answer.Name, func(t *testing.T) {
			raw.Store(&answer.Raw)
			for name, call := range calls {
				err := call(t.Context(), a)
				f := Classify(err)
				if name == "GetObject" && strings.Contains(answer.Raw, "ETag") {
					continue // its bytes are compared
				}
				if f.Class != NotTheStore || f.Status != answer.Status || f.Code != fmt.Sprintf("HTTP %d", answer.Status) {
					t.Errorf("%s: %v %+v", name, err, f)
				}
			}
		})
	}
}

func TestAMarkOfAnotherOperationIsNone(t *testing.T) {
	var body atomic.Pointer[string]
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/xml")
		_, _ = io.WriteString(w, *body.Load())
	}))
	t.Cleanup(s.Close)
	a := at(t, served(s), s3server.Admin)
	for _, text := range []string{
		`<Error><Code>InternalError</Code></Error>`, // in a 200 it is S3's at a Complete alone
		`<ListAllMyBucketsResult/>`, `<ListBucketResult/>`, `<InitiateMultipartUploadResult><UploadId></UploadId></InitiateMultipartUploadResult>`,
		`<InitiateMultipartUploadResult><Other>u</Other></InitiateMultipartUploadResult>`, `<CompleteMultipartUploadResult><Key>k</Key></CompleteMultipartUploadResult>`,
		`<CompleteMultipartUploadResult><ETag>e</ETag>`, `<GetCallerIdentityResponse/>`, `<GetUserResponse/>`, `<AccessControlPolicy/>`, `<Tagging/>`, `{"Statement":[]}`,
	} {
		body.Store(&text)
		for name, call := range calls {
			f := Classify(call(t.Context(), a))
			switch {
			case f.Class == NotTheStore:
			case name == "CompleteMultipartUpload" && strings.HasPrefix(text, "<Error>"):
			case strings.HasPrefix(name, "List") && strings.HasPrefix(text, "<List"): // some stores call one as the other
			case strings.HasSuffix(name, "Acl") && strings.HasPrefix(text, "<AccessControl"), name == "GetObjectTagging" && text == "<Tagging/>",
				name == "GetBucketPolicy" && text[0] == '{', name == "sts:GetCallerIdentity" && strings.HasPrefix(text, "<GetCaller"),
				name == "iam:GetUser" && strings.HasPrefix(text, "<GetUser"):
			default:
				t.Errorf("%s took %s: %+v", name, text, f)
			}
		}
	}
}

// The harmless twin: what the store itself says is taken, in each of its ways.
func TestTheStoresOwnWordIsTaken(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		class  Class
	}{
		"bare":                 {403, `<Error><Code>AccessDenied</Code></Error>`, AccessDenied},
		"with a namespace":     {404, `<Error xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Code>NoSuchBucket</Code><Message>m</Message></Error>`, Bucket},
		"with a prefix":        {404, `<s:Error xmlns:s="x"><s:Code>NoSuchUpload</s:Code></s:Error>`, NoUpload},
		"after white space":    {412, "\n\n  <?xml version=\"1.0\"?>\n<Error>\n <Code> PreconditionFailed </Code>\n</Error>\n", Exists},
		"in Latin 1":           {400, `<?xml version="1.0" encoding="ISO-8859-1"?><Error><Code>BadDigest</Code></Error>`, Corrupt},
		"as STS does":          {403, `<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code></Error></ErrorResponse>`, Credential},
		"without XML's prolog": {503, `<Error><Code>SlowDown</Code></Error>`, Throttled},
		"with a key in it":     {409, "<Error><Code>ConditionalRequestConflict</Code><Key>a\x01&#x8;\xff</Key></Error>", Raced},
		"with an entity":       {403, `<Error><Code>AccessDenied</Code><Message>a &nbsp; b &amp; c</Message></Error>`, AccessDenied},
		"with a comment":       {400, `<!-- x --><Error><!-- y --><Code>ExpiredToken</Code></Error>`, Credential},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		if f := Classify(put(t.Context(), at(t, served(s), s3server.Admin))); f.Class != c.class || f.Status != c.status {
			t.Errorf("%s: %+v", name, f)
		}
		s.Close()
	}
}

// Other servers call some documents a little differently.
func TestDocumentsOfOtherServersAreKnown(t *testing.T) {
	for name, text := range map[string]string{
		"GetObjectAttributes": `<getObjectAttributesResponse xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ObjectSize>0</ObjectSize></getObjectAttributesResponse>`, // MinIO
		"ListObjectVersions":  `<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></ListVersionsResult>`,
		"ListBuckets":         `<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>`,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
		if err := calls[name](t.Context(), at(t, served(s), s3server.Admin)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
	}
}

// A key may hold what XML can't (F4): what is needed is taken all the same.
func TestAKeyThatXMLCantHoldIsNoObstacle(t *testing.T) {
	for _, key := range []string{"a&#x8;b", "a&#8;b", "a&#0;", "a\x08b", "a\x1b[31m", "a\xff\xfeb", "&#xFFFF;", "&#x110000;", "&#99999999999;", "a&b", "a&nosuch;b"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			switch {
			case r.URL.Query().Has("uploads"):
				_, _ = io.WriteString(w, `<InitiateMultipartUploadResult><Bucket>inbox</Bucket><Key>`+key+`</Key><UploadId>id-7</UploadId></InitiateMultipartUploadResult>`)
			case r.Method == http.MethodPost:
				_, _ = io.WriteString(w, `<CompleteMultipartUploadResult><Location>http://h/`+key+`</Location><Key>`+key+`</Key><ETag>&quot;e-1&quot;</ETag></CompleteMultipartUploadResult>`)
			}
		}))
		a := at(t, served(s), s3server.Admin)
		begun, err := a.S3.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("inbox"), Key: aws.String("k")})
		if err != nil || aws.ToString(begun.UploadId) != "id-7" {
			t.Errorf("%q: %v", key, err)
		}
		done, err := a.S3.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: aws.String("inbox"), Key: aws.String("k"), UploadId: aws.String("u")})
		if err != nil || aws.ToString(done.ETag) != `"e-1"` {
			t.Errorf("%q: %v", key, err)
		}
		s.Close()
	}
}

// A HEAD has no body to tell by: at AWS its request id, elsewhere what the store showed before.
func TestAnAnswerToHeadIsKnownByItsHeader(t *testing.T) {
	header := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if header != "" {
			w.Header().Set(header, "1")
		}
		w.Header().Set("X-Request-Id", "every proxy sends one")
		if r.Method == http.MethodHead {
			w.WriteHeader(403)
			return
		}
		w.WriteHeader(412)
		_, _ = io.WriteString(w, `<Error><Code>PreconditionFailed</Code></Error>`)
	}))
	t.Cleanup(s.Close)
	for _, c := range []struct {
		header        string
		before, after Class
	}{
		{"X-Amz-Request-Id", AccessDenied, AccessDenied},
		{"X-Oss-Request-Id", NotTheStore, AccessDenied},
		{"X-Trans-Id", NotTheStore, AccessDenied},
		{"", NotTheStore, NotTheStore},
		{"X-Cache-Key", NotTheStore, NotTheStore},
	} {
		header = c.header
		a := at(t, served(s), s3server.Admin)
		if f := Classify(calls["HeadBucket"](t.Context(), a)); f.Class != c.before {
			t.Errorf("%s, before: %+v", c.header, f)
		}
		if f := Classify(put(t.Context(), a)); f.Class != Exists {
			t.Errorf("%+v", f)
		}
		if f := Classify(calls["HeadBucket"](t.Context(), a)); f.Class != c.after {
			t.Errorf("%s, after: %+v", c.header, f)
		}
	}
}

// AWS always echoes the checksum; another store as it did before, until a proof shows that it has changed.
func TestASuccessWithoutItsEchoIsNotBelieved(t *testing.T) {
	var kept Shown
	traits := NewTraits(Shown{}, func(s Shown) { kept = s })
	for i, c := range []struct {
		operation             string
		echoed, custom, proof bool
		want                  bool
	}{
		{"PutObject", false, false, false, false}, // AWS
		{"PutObject", true, false, false, true},
		{"PutObject", false, true, false, true}, // not known yet
		{"PutObject", true, true, false, true},
		{"PutObject", false, true, false, false}, // it did before
		{"UploadPart", false, true, false, true}, // each operation for itself
		{"UploadPart", true, true, true, true},
		{"UploadPart", false, true, false, false},
		{"UploadPart", false, true, true, true}, // another program answers now
		{"PutObject", false, true, false, true},
	} {
		if got := traits.heard(c.operation, c.echoed, c.custom, c.proof); got != c.want {
			t.Errorf("%d: %v", i, got)
		}
		if !slices.Equal(kept.Echoes, traits.Shown().Echoes) {
			t.Errorf("%d: %v is kept of %v", i, kept, traits.Shown())
		}
	}
	again := NewTraits(Shown{Echoes: []string{"PutObject"}}, nil)
	if again.heard("PutObject", false, true, false) {
		t.Error("what was kept is not held to")
	}
}

// Memory is bounded by what is read, whatever a server says (B10).
func TestAnEndlessAnswerIsNotRead(t *testing.T) {
	var sent atomic.Int64
	var status atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Amz-Request-Id", "1")
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, `<Error><Code>AccessDenied</Code><Message>`)
		block := bytes.Repeat([]byte("x"), 64<<10)
		for r.Context().Err() == nil {
			n, err := w.Write(block)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	a := at(t, served(s), s3server.Admin)
	for _, code := range []int{200, 403, 500} {
		status.Store(int64(code))
		for name, call := range calls {
			if name == "GetObject" || strings.HasPrefix(name, "Head") || strings.HasPrefix(name, "List") || strings.HasPrefix(name, "iam") {
				continue // bodies that are streamed, that there are none of, and pages: 64 times as long
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			sent.Store(0)
			err := call(ctx, a)
			cancel()
			// The SDK closes a request's body as soon as an answer begins, which at times breaks the connection.
			if f := Classify(err); f.Class != NotTheStore && f.Status != 0 {
				t.Errorf("%s %d: %v %+v", name, code, err, f)
			}
			if n := sent.Load(); n > 24<<20 { // what is read, and what the sockets hold
				t.Errorf("%s %d: %d MiB were taken", name, code, n>>20)
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapSys > 256<<20 {
		t.Errorf("%d MiB of heap", m.HeapSys>>20)
	}
}

func TestTheLimitOfAPageIsItsOwn(t *testing.T) {
	body := strings.NewReader(strings.Repeat("x", 100))
	for limit, want := range map[int64]int{99: 99, 100: 100, 101: 100} {
		_, _ = body.Seek(0, io.SeekStart)
		b, err := io.ReadAll(&capped{io.NopCloser(body), limit})
		if len(b) != want || (limit < 100) != errors.Is(err, errTooLong) {
			t.Errorf("%d: %d, %v", limit, len(b), err)
		}
	}
}

// What a store says is kept and shown, so no secret may be in it (B12).
func TestNoWordOfAServerBringsASecretBack(t *testing.T) {
	secrets := &Secrets{}
	who := s3server.Admin
	who.Secret, who.Token = "wJalrXUtnFEMIsecretK7MDENGbPxRfiCY", "IQoJb3JpZ2luX2VjTOKENTOKENTOKENTOKEN"
	who.AccessKey = "AKIAABCDEFGHIJKLMNOP"
	for _, body := range []string{
		`<Error><Code>%s</Code><Message>m</Message><Region>%[1]s</Region></Error>`,
		`<Error><Code>AccessDenied</Code><Message>signed with %s, said the store</Message></Error>`,
		`<html><title>%s</title><p>%[1]s</p></html>`,
		`{"message": "%s"}`,
	} {
		for _, said := range []string{who.Secret, who.Token, who.AccessKey, "Authorization: AWS4-HMAC-SHA256 Credential=x/y, Signature=0123456789abcdef",
			"&#65;KIAABCDEFGHIJKLMNOP", "&#x41;KIAABCDEFGHIJKLMNOP"} {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("X-Amz-Request-Id", said)
				w.Header().Set("X-Amz-Bucket-Region", said)
				w.WriteHeader(403)
				_, _ = fmt.Fprintf(w, body, said)
			}))
			for _, kv := range served(s).Environ(who) {
				name, value, _ := strings.Cut(kv, "=")
				t.Setenv(name, value)
			}
			a, err := Load(t.Context(), Settings{Secrets: secrets})
			if err != nil {
				t.Fatal(err)
			}
			err = put(t.Context(), a)
			f := Classify(err)
			for _, text := range []string{f.Said(), f.Code, f.Message, f.RequestID, f.Region, err.Error()} {
				for _, secret := range []string{who.Secret, who.Token, who.AccessKey, "0123456789abcdef"} {
					if strings.Contains(text, secret) {
						t.Errorf("%s came back: %s", secret, text)
					}
				}
			}
			s.Close()
		}
	}
}

func TestRetryAfterIsBounded(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "300": 5 * time.Minute, "301": 5 * time.Minute, "3600": 5 * time.Minute,
		"99999999999": 5 * time.Minute, "9223372037": 5 * time.Minute, "99999999999999999999999999": 5 * time.Minute,
		"-1": 0, "soon": 0, "1.5": 0, "Infinity": 0, "0x10": 0,
		now.Add(9 * time.Second).Format(http.TimeFormat):   9 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):        0,
		now.AddDate(40, 0, 0).Format(http.TimeFormat):      5 * time.Minute,
		"Sunday, 06-Nov-94 08:49:37 GMT":                   0,
		now.Add(20 * time.Second).UTC().Format(time.ANSIC): 20 * time.Second,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func TestTheFirstWordsOfAPage(t *testing.T) {
	for want, c := range map[string]struct{ server, body string }{
		"413 Request Entity Too Large nginx/1.25.3": {"nginx/1.25.3", "<html><head><title>413 Request Entity Too Large</title></head><body><center><h1>413 Request Entity Too Large</h1></center><hr><center>nginx/1.25.3</center></body></html>"},
		"Login [BigIP]":      {"BigIP", "<title>Login</title><script>alert('x')</script>"},
		"no healthy & happy": {"", "no healthy &amp;\r\n\thappy"},
		"":                   {"", "\x00\x01\x02"},
		`{"a":"b"}`:          {"", `{"a":"b"}`},
	} {
		h := http.Header{}
		if c.server != "" {
			h.Set("Server", c.server)
		}
		if got := words(h, []byte(c.body)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := words(http.Header{}, bytes.Repeat([]byte("é \x1b[31m"), 1<<20)); len([]rune(got)) > mostWords+1 || strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
}

func FuzzLegible(f *testing.F) {
	f.Add([]byte(`<Error><Code>A</Code><Key>&#x8;</Key></Error>`))
	f.Add([]byte("<a>\x00&#0;&#xD800;\xff</a>"))
	f.Add([]byte("&#x;&#;&#xFFFFFFFFF;"))
	f.Fuzz(func(t *testing.T, body []byte) {
		clean := legible(body)
		if !bytes.Equal(legible(clean), clean) {
			t.Fatalf("%q is not done at once: %q", body, clean)
		}
		var holds struct {
			Text string `xml:",chardata"`
		}
		var syntax *xml.SyntaxError
		text := legible([]byte("<a>" + string(reference.ReplaceAll(bytes.Map(func(r rune) rune {
			if r == '<' || r == '&' || r == ']' {
				return -1
			}
			return r
		}, clean), nil)) + "</a>"))
		if err := xml.Unmarshal(text, &holds); errors.As(err, &syntax) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
