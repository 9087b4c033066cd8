// Package s3server is the S3 and STS server of this project's tests and benchmarks: an http.Handler that
// the real SDK client talks to over loopback. It is truthful by default (signatures with Options.Verify,
// conditional writes, checksums in headers and trailers, multipart, versions, expected owner, S3's error
// codes) and thin and fast with Keep: KeepNothing, where memory does not grow with what is sent.
//
// In a test:
//
//	s := s3server.Start(t, s3server.Options{
//		Verify:  true,
//		Buckets: []s3server.Bucket{{Name: "inbox", Versioned: true}},
//		Allow:   s3server.WriteOnly("inbox", "uploads/vm-01/"),
//		Fault: func(c *s3server.Call) s3server.Fault {
//			if c.Op == s3server.PutObject && c.Nth == 1 { // the first PUT of every key: stored, answer lost
//				return s3server.Fault{Name: s3server.LostAnswer}
//			}
//			return s3server.Fault{}
//		},
//	})
//	// s.URL is the endpoint of S3 and STS; s.Environ(s3server.Uploader) sets up a process or t.Setenv.
//	o, ok := s.Object("inbox", "uploads/vm-01/a.txt") // bytes, version id, checksum, metadata
//	n := s.Stats().Ops[s3server.HeadObject]           // 0 for a client that only writes
//
// It does not promise what no client here needs: presigned URLs, signed chunks (their signatures are not
// looked at), ACLs and tags with a meaning, encryption, HTTP/2, durability.
package s3server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Keep is how much of an object the server remembers.
type Keep int

// What may be remembered.
const (
	KeepAll     Keep = iota // names, metadata, checksums and bytes
	KeepNames               // all but the bytes
	KeepNothing             // nothing: If-None-Match always holds, nothing can be read; for benchmarks
)

// Repeat is what a CompleteMultipartUpload answers that repeats one that succeeded. S3's own answer is not
// documented; a client has to live with each.
type Repeat int

// What a repeat may be answered.
const (
	RepeatSucceeds Repeat = iota
	RepeatNoSuchUpload
	RepeatExists // 412 where If-None-Match is sent
)

// Bucket is one bucket of the server.
type Bucket struct {
	Name      string
	Region    string // default: the server's; another answers 301 PermanentRedirect
	Owner     string // account id; default: Options.Account
	Versioned bool
	Policy    string // what GetBucketPolicy answers; "" answers NoSuchBucketPolicy
}

// Options of a server. The zero value remembers everything, verifies checksums but no signatures, and
// has every bucket that is named.
type Options struct {
	Verify     bool       // check SigV4 signatures, session tokens and the clock
	Identities []Identity // who holds keys; default: Admin and Uploader
	Region     string     // default us-east-1; what requests must be signed for (with Verify)
	Account    string     // default owner of buckets; default "111122223333"
	Buckets    []Bucket   // none: every name is a bucket of Account, unversioned

	// Allow decides one IAM action ("s3:PutObject"; a call may need several) on a bucket and key (key ""
	// for the bucket itself, bucket "" for s3:ListAllMyBuckets). Called from many goroutines.
	// Default: everything to identities of the bucket's owner, nothing to others and to the anonymous.
	Allow func(who Identity, action, bucket, key string) bool

	// Fault is asked once for every call, from many goroutines, before its body is read.
	Fault func(*Call) Fault

	Latency   time.Duration // added to every answer, after the body was read
	Keep      Keep
	Trust     bool             // do not verify checksums (cheaper; for benchmarks)
	NoEcho    bool             // do not answer x-amz-checksum-* to PutObject and CompleteMultipartUpload
	NoSTS     bool             // STS calls are 405 MethodNotAllowed, as at S3 stores that have no STS
	NoIfs     bool             // If-None-Match is ignored, as at some S3 stores
	Lacks     []Lack           // what else it does not do as S3 does
	NoIfMatch bool             // If-Match of a delete is ignored, as at stores that don't know conditional deletes
	MinPart   int64            // smallest part but the last; default 5 MiB
	Repeat    Repeat           // what a repeated CompleteMultipartUpload answers
	TLS       bool             // Start and Listen serve https with a fresh certificate
	Now       func() time.Time // the server's clock; default time.Now
}

// Server is an http.Handler. Make it with New, or with Start, which also listens.
type Server struct {
	URL string // after Start or Listen: http(s)://127.0.0.1:port
	CA  []byte // with TLS: the certificate, PEM
	// CAFile is the path of CA on disk, with Start and TLS.
	CAFile string

	opts    Options
	clock   bool // of its own
	keys    map[string]Identity
	closed  chan struct{}
	once    sync.Once
	http    *http.Server
	calls   atomic.Int64
	flying  atomic.Int64
	nextID  atomic.Int64
	mu      sync.Mutex // guards everything below
	stats   Stats
	nth     map[string]int64
	buckets map[string]*bucket
	uploads map[string]*upload
	idle    map[net.Conn]bool
}

// New makes a server that does not listen yet.
func New(o Options) *Server {
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.Account == "" {
		o.Account = "111122223333"
	}
	if o.Identities == nil {
		o.Identities = []Identity{Admin, Uploader}
	}
	if o.MinPart == 0 {
		o.MinPart = 5 << 20
	}
	clock := o.Now != nil
	if !clock {
		o.Now = time.Now
	}
	s := &Server{clock: clock, opts: o, closed: make(chan struct{}), keys: map[string]Identity{}, idle: map[net.Conn]bool{}}
	for _, id := range o.Identities {
		s.keys[id.AccessKey] = id
	}
	s.Reset()
	return s
}

// Reset forgets objects, uploads and counters.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buckets, s.uploads, s.nth = map[string]*bucket{}, map[string]*upload{}, map[string]int64{}
	for _, b := range s.opts.Buckets {
		s.buckets[b.Name] = s.newBucket(b)
	}
	s.stats = newStats()
}

// SetIdentities replaces who holds keys: a rotation, a deactivation, an expiry.
func (s *Server) SetIdentities(ids ...Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = map[string]Identity{}
	for _, id := range ids {
		s.keys[id.AccessKey] = id
	}
}

// Listen serves on a loopback address (port 0: a free one) until Close, and sets URL and CA.
func (s *Server) Listen(address string) error { return s.ListenWith(address, s) }

// ListenWith is Listen with a handler that passes calls on to s.
func (s *Server) ListenWith(address string, handler http.Handler) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s.http = &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute,
		ConnState: func(c net.Conn, state http.ConnState) {
			s.mu.Lock()
			defer s.mu.Unlock()
			switch state {
			case http.StateNew:
				s.stats.Connections++
			case http.StateIdle:
				s.idle[c] = true
			case http.StateActive, http.StateHijacked, http.StateClosed:
				delete(s.idle, c)
			}
		}}
	s.URL = "http://" + l.Addr().String()
	if s.opts.TLS {
		cert, pem, err := certificate()
		if err != nil {
			return errors.Join(err, l.Close())
		}
		s.URL, s.CA = "https://"+l.Addr().String(), pem
		// S3 speaks no HTTP/2.
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12})
	}
	go func() { _ = s.http.Serve(l) }() // ends with Close
	return nil
}

// Close stops listening, breaks every connection and ends calls that a fault holds.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.closed)
		if s.http != nil {
			_ = s.http.Close()
		}
	})
}

// TB is what Start needs of a testing.TB.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
	TempDir() string
}

// Start makes a server that listens on loopback until the test ends.
func Start(t TB, o Options) *Server {
	t.Helper()
	s := New(o)
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatalf("s3server: %v", err)
	}
	t.Cleanup(s.Close)
	if s.CA != nil {
		s.CAFile = filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(s.CAFile, s.CA, 0o600); err != nil {
			t.Fatalf("s3server: %v", err)
		}
	}
	return s
}

// Environ is the environment with which a process of that identity talks to this server and to no other.
func (s *Server) Environ(who Identity) []string {
	env := []string{"AWS_ENDPOINT_URL=" + s.URL, "AWS_REGION=" + s.opts.Region, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_ACCESS_KEY_ID=" + who.AccessKey, "AWS_SECRET_ACCESS_KEY=" + who.Secret, "AWS_SESSION_TOKEN=" + who.Token}
	if s.CAFile != "" {
		env = append(env, "AWS_CA_BUNDLE="+s.CAFile)
	}
	return env
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := s.parse(r)
	flying := s.flying.Add(1)
	defer s.flying.Add(-1)
	c.Number = s.calls.Add(1)
	s.mu.Lock()
	s.stats.begin(c.Op, flying)
	if s.opts.Keep == KeepAll {
		place := string(c.Op) + " " + c.Bucket + "/" + c.Key
		s.nth[place]++
		c.Nth = s.nth[place]
	}
	s.mu.Unlock()

	a := s.identify(c, r)
	var f Fault
	if s.opts.Fault != nil {
		f = s.opts.Fault(c)
	}
	if early := f.refusal(); f.Early && early != nil { // overtakes the body; net/http then closes the connection
		s.write(w, c, early, f)
		return
	}
	if s.before(w, r, f) {
		return
	}
	body, late := s.take(c, r)
	if r.Context().Err() != nil { // the client broke off
		return
	}
	if s.opts.Latency > 0 {
		s.wait(r.Context(), s.opts.Latency)
	}
	if !s.instead(w, r, f) {
		return
	}
	if a == nil {
		a = f.refusal()
	}
	if a == nil {
		a = s.permit(c)
	}
	if a == nil {
		a = s.unfit(c)
	}
	if a == nil { // S3 says "you may not" before it says that a checksum is wrong
		a = late
	}
	if a == nil {
		a = s.answer(c, body)
	}
	if a = s.after(w, r, f, a); a != nil {
		s.write(w, c, a, f)
	}
}

// wait returns early when the client goes away or the server closes.
func (s *Server) wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-s.closed:
	}
}

// write sends an answer; an error is S3's XML, or STS's for STS calls.
func (s *Server) write(w http.ResponseWriter, c *Call, a *answer, f Fault) {
	h := w.Header()
	id := s.nextID.Add(1)
	if !s.lacks(NoAmzHeaders) {
		h["X-Amz-Request-Id"] = []string{"REQ" + strconv.FormatInt(id, 16)}
	}
	if now := s.opts.Now(); f.Name == SkewedDate {
		h.Set("Date", now.Add(f.Wait).UTC().Format(http.TimeFormat))
	} else if s.clock {
		h.Set("Date", now.UTC().Format(http.TimeFormat))
	}
	for k, v := range a.header {
		h[http.CanonicalHeaderKey(k)] = []string{v}
	}
	s.mu.Lock()
	s.stats.Answers[a.status]++
	if a.code != "" {
		s.stats.Codes[a.code]++
	}
	s.mu.Unlock()
	body := a.body
	if a.code != "" && body == nil {
		body = a.xml(c, id)
		h.Set("Content-Type", "application/xml")
	}
	if f.Name == RetryLater || f.Wait > 0 && a.status >= http.StatusInternalServerError {
		h.Set("Retry-After", strconv.Itoa(int(f.Wait/time.Second)))
	}
	if c.Op == HeadObject || c.Op == HeadBucket {
		if a.size >= 0 && a.status == http.StatusOK {
			h.Set("Content-Length", strconv.FormatInt(a.size, 10))
		}
		w.WriteHeader(a.status)
		return
	}
	if body == nil && a.status != http.StatusNoContent {
		h["Content-Length"] = zero
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // a client that went away is its own business
}

var zero = []string{"0"}

// BreakIdle closes the connections that wait for a request, as a server does that is tired of waiting.
func (s *Server) BreakIdle() {
	s.mu.Lock()
	idle := s.idle
	s.idle = map[net.Conn]bool{}
	s.mu.Unlock()
	for c := range idle {
		_ = c.Close()
	}
}
