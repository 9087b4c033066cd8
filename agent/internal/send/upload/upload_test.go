package upload

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"buzon/agent/internal/client"
	"buzon/scripts/load/s3server"
)

// only is a fault for calls of one operation, from the first-th on, n times.
func only(op s3server.Op, n int, f s3server.Fault) func(*s3server.Call) s3server.Fault {
	var mu sync.Mutex
	return func(c *s3server.Call) s3server.Fault {
		mu.Lock()
		defer mu.Unlock()
		if c.Op != op || n == 0 {
			return s3server.Fault{}
		}
		n--
		return f
	}
}

// verbs refuses what an uploader may never ask: HEAD, GET, LIST, ListParts.
func verbs(t *testing.T, s *s3server.Server) {
	t.Cleanup(func() {
		for op := range s.Stats().Ops {
			switch op {
			case s3server.PutObject, s3server.CreateMultipartUpload, s3server.UploadPart, s3server.CompleteMultipartUpload, s3server.AbortMultipartUpload:
			default:
				t.Errorf("the uploader sent %s", op)
			}
		}
	})
}

func connect(t *testing.T, s *s3server.Server) *client.AWS {
	t.Helper()
	for _, pair := range s.Environ(s3server.Uploader) {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	a, err := client.Load(t.Context(), client.Settings{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func data(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = r.Read(b)
	return b
}

// memory is a ledger.
type memory struct {
	mu         sync.Mutex
	resume     Multipart
	completing bool
	fail       error
}

func (m *memory) Created(id string, size int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.resume = Multipart{UploadID: id, PartSize: size}
	return m.fail
}
func (m *memory) PartDone(p Part) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.resume.Parts = append(m.resume.Parts, p)
	return m.fail
}
func (m *memory) Completing() error { m.completing = true; return m.fail }

const inbox = "inbox"

func job(key string, content []byte) Job {
	return Job{Bucket: inbox, Key: key, Owner: "111122223333", File: bytes.NewReader(content), Size: int64(len(content)),
		ContentType: "text/plain", Metadata: map[string]string{"source-path": "a b/c.txt"}, Unchanged: func() error { return nil }}
}

var sizes = []int{0, 1, 4096, small - 1, small, small + 1, 1 << 20, 3<<20 + 17}

func TestEverySizeArrivesWholeWithItsChecksum(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := s3server.Start(t, s3server.Options{Verify: true, TLS: secure, Buckets: []s3server.Bucket{{Name: inbox, Versioned: true}}})
		verbs(t, s)
		u := New(connect(t, s), Options{})
		for _, n := range sizes {
			content := data(n)
			key := "uploads/vm-01/ä b+c~'!/" + strings.Repeat("x", n%7) + ".txt"
			s.Remove(inbox, key)
			result, err := u.Send(t.Context(), job(key, content), nil)
			if err != nil {
				t.Fatal(n, err)
			}
			o, ok := s.Object(inbox, key)
			if !ok || !bytes.Equal(o.Body, content) || o.CRC64 != result.CRC64 || o.VersionID != result.VersionID || o.ETag != result.ETag || !result.Echoed || result.RequestID == "" {
				t.Errorf("%d bytes, tls %v: %+v, object %v %d %x %s", n, secure, result, ok, len(o.Body), o.CRC64, o.VersionID)
			}
			if o.Header.Get("Content-Type") != "text/plain" || o.Header.Get("X-Amz-Meta-Source-Path") != "a b/c.txt" {
				t.Error(o.Header)
			}
			_, err = u.Send(t.Context(), job(key, content), nil)
			var e *Error
			if !errors.As(err, &e) || e.Fault.Class != client.Exists || e.Sent != Whole || !e.Answered {
				t.Errorf("a second time: %v", err)
			}
		}
	}
}

func TestOverPlainHTTPToAnotherMachineTheBodyIsSigned(t *testing.T) {
	s := s3server.Start(t, s3server.Options{Verify: true})
	u := New(connect(t, s), Options{Threshold: 6 * mebi, PartSize: minPart})
	r := u.remote.Load()
	target, err := r.target(t.Context(), inbox)
	if err != nil || target.signed {
		t.Fatal(target, err)
	}
	far := *target
	far.signed = true
	r.targets.Store(inbox, &far)
	for _, n := range append(sizes, 11<<20) {
		content := data(n)
		key := "k" + strings.Repeat("x", n%7)
		s.Remove(inbox, key)
		if _, err := u.Send(t.Context(), job(key, content), &memory{}); err != nil {
			t.Fatal(n, err)
		}
		if o, ok := s.Object(inbox, key); !ok || !bytes.Equal(o.Body, content) {
			t.Error(n, ok)
		}
	}
}

func TestAFileThatChangesIsNeverStored(t *testing.T) {
	s := s3server.Start(t, s3server.Options{})
	u := New(connect(t, s), Options{Threshold: 4 * mebi, PartSize: minPart})
	for _, n := range []int{0, 100, 1 << 20, 3 << 20, 12 << 20} {
		j := job("k", data(n))
		looks := 0
		j.Unchanged = func() error {
			if looks++; n > 4*mebi && looks < 4 {
				return nil // multipart: only the look before Complete sees it
			}
			return errors.New("newer")
		}
		_, err := u.Send(t.Context(), j, &memory{})
		var e *Error
		if !errors.Is(err, ErrChanged) || !errors.As(err, &e) || e.Sent != No {
			t.Errorf("%d: %v", n, err)
		}
		j = job("k", data(n))
		j.Size += 10 // it became shorter
		if _, err := u.Send(t.Context(), j, &memory{}); !errors.Is(err, ErrChanged) {
			t.Errorf("%d: %v", n, err)
		}
	}
	if got := s.Versions(inbox); len(got) != 0 {
		t.Error("stored:", got)
	}
	if up := s.Uploads(); len(up) != 0 {
		t.Error("not aborted:", up)
	}
}

// late is a file that is rewritten as soon as its last byte was read.
type late struct {
	*bytes.Reader
	read atomic.Bool
}

func (l *late) ReadAt(p []byte, at int64) (int, error) {
	n, err := l.Reader.ReadAt(p, at)
	if at+int64(n) == l.Size() {
		l.read.Store(true)
	}
	return n, err
}

func (l *late) unchanged() error {
	if l.read.Load() {
		return errors.New("newer")
	}
	return nil
}

// The look that counts is the one after the last read: one before it would see nothing of what happens in between.
func TestTheSecondLookComesAfterTheLastRead(t *testing.T) {
	s := s3server.Start(t, s3server.Options{})
	u := New(connect(t, s), Options{Threshold: 4 * mebi, PartSize: minPart})
	for _, n := range []int{1, 100, small, small + 1, 1 << 20, 3 << 20, 12 << 20} {
		f := &late{Reader: bytes.NewReader(data(n))}
		j := job("k", data(n))
		j.File, j.Unchanged = f, f.unchanged
		if _, err := u.Send(t.Context(), j, &memory{}); !errors.Is(err, ErrChanged) {
			t.Errorf("%d: %v", n, err)
		}
	}
	if got := s.Versions(inbox); len(got) != 0 {
		t.Error("stored:", got)
	}
}

func TestAnUploadOfAChangedFileIsAbortedThoughTheAgentStops(t *testing.T) {
	s := s3server.Start(t, s3server.Options{})
	u := New(connect(t, s), Options{Threshold: mebi, PartSize: minPart, Parts: 1})
	ctx, stop := context.WithCancel(t.Context())
	j := job("k", data(8*mebi))
	looks := 0
	j.Unchanged = func() error {
		if looks++; looks < 2 {
			return nil
		}
		stop()
		return errors.New("newer")
	}
	if _, err := u.Send(ctx, j, &memory{}); !errors.Is(err, ErrChanged) {
		t.Error(err)
	}
	if up := s.Uploads(); len(up) != 0 {
		t.Error("not aborted:", up)
	}
}

func TestAFileThatIsLargerThanAnyObjectIsItsOwnFault(t *testing.T) {
	s := s3server.Start(t, s3server.Options{})
	u := New(connect(t, s), Options{})
	j := job("k", nil)
	j.Size = MaxSize + 1
	_, err := u.Send(t.Context(), j, &memory{})
	var e *Error
	if !errors.As(err, &e) || e.Fault.Class != client.File || s.Stats().Requests != 0 {
		t.Errorf("%v, after %d requests", err, s.Stats().Requests)
	}
}

func TestObjectsCarryWhatTheyAreTo(t *testing.T) {
	s := s3server.Start(t, s3server.Options{})
	u := New(connect(t, s), Options{Threshold: 6 * mebi, PartSize: minPart})
	for _, n := range []int{0, 100, 3 * mebi, 11 * mebi} {
		key := "k" + strconv.Itoa(n)
		j := job(key, data(n))
		j.StorageClass, j.Tags = "STANDARD_IA", "team=billing&of=a%20b"
		if _, err := u.Send(t.Context(), j, &memory{}); err != nil {
			t.Fatal(n, err)
		}
		o, _ := s.Object(inbox, key)
		for name, want := range map[string]string{"Content-Type": j.ContentType, "X-Amz-Meta-Source-Path": j.Metadata["source-path"],
			"X-Amz-Storage-Class": j.StorageClass, "X-Amz-Tagging": j.Tags} {
			if got := o.Header.Get(name); got != want {
				t.Errorf("%d bytes: %s is %q, want %q", n, name, got, want)
			}
		}
	}
}

func TestSentSaysWhetherTheServerMayHaveAll(t *testing.T) {
	for _, c := range []struct {
		fault    s3server.Fault
		class    client.Class
		sent     BodySent
		answered bool
		stored   bool
	}{
		{s3server.Fault{Name: s3server.SlowDown}, client.Throttled, Whole, true, false},
		{s3server.Fault{Name: s3server.SlowDown, Early: true}, client.Throttled, No, true, false},
		{s3server.Fault{Name: s3server.Internal}, client.Transient, Whole, true, false},
		{s3server.Fault{Name: s3server.DoneThen500}, client.Transient, Whole, true, true},
		{s3server.Fault{Name: s3server.ResetBefore}, client.Transient, No, false, false},
		{s3server.Fault{Name: s3server.ResetInside, Bytes: 1 << 20}, client.Transient, No, false, false},
		{s3server.Fault{Name: s3server.ResetAfter}, client.Transient, Maybe, false, false},
		{s3server.Fault{Name: s3server.LostAnswer}, client.Transient, Maybe, false, true},
		{s3server.Fault{Name: s3server.Timeout}, client.Transient, Maybe, false, false},
		{s3server.Fault{Name: s3server.Hang}, client.Transient, Maybe, false, true},
		{s3server.Fault{Name: s3server.Digest}, client.Corrupt, Whole, true, false},
		{s3server.Fault{Name: s3server.WrongChecksum}, client.Corrupt, Whole, true, true},
		{s3server.Fault{Name: s3server.BadGateway}, client.NotTheStore, Maybe, false, false},
	} {
		t.Run(string(c.fault.Name), func(t *testing.T) {
			s := s3server.Start(t, s3server.Options{Fault: func(*s3server.Call) s3server.Fault { return c.fault }})
			u := New(connect(t, s), Options{})
			for _, n := range []int{0, 10, 24 << 20} { // the last is more than fits into the sockets' buffers
				limit := 10 * time.Second
				if c.fault.Name == s3server.Timeout || c.fault.Name == s3server.Hang {
					n, limit = min(n, 1<<20), 500*time.Millisecond
				}
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				key := "k" + strings.Repeat("x", n%7)
				_, err := u.Send(ctx, job(key, data(n)), nil)
				cancel()
				var e *Error
				if !errors.As(err, &e) {
					t.Fatal(n, err)
				}
				if e.Fault.Class != c.class || e.Answered != c.answered {
					t.Errorf("%d: %v %+v", n, err, e)
				}
				_, stored := s.Object(inbox, key)
				if stored != c.stored {
					t.Errorf("%d: stored %v", n, stored)
				}
				if stored && e.Sent == No {
					t.Errorf("%d: it says that nothing was sent, and it was stored", n)
				}
				if n > 20<<20 && e.Sent != c.sent || n <= 20<<20 && c.sent != No && e.Sent != c.sent {
					t.Errorf("%d: sent %v, want %v", n, e.Sent, c.sent)
				}
			}
		})
	}
}

func TestNobodyThereIsNotSent(t *testing.T) {
	s := s3server.Start(t, s3server.Options{})
	u := New(connect(t, s), Options{})
	s.Close()
	for _, n := range []int{0, 10, 1 << 20} {
		var e *Error
		if _, err := u.Send(t.Context(), job("k", data(n)), nil); !errors.As(err, &e) || e.Sent != No || e.Answered || e.Fault.Class != client.Transient {
			t.Errorf("%d: %v", n, err)
		}
	}
}

func TestAConnectionThatWentStaleIsNotMistaken(t *testing.T) {
	s := s3server.Start(t, s3server.Options{})
	u := New(connect(t, s), Options{})
	good := 0
	for i := range 40 {
		n := []int{10, 1 << 20, 0}[i%3]
		key := "k" + strings.Repeat("x", i)
		_, err := u.Send(t.Context(), job(key, data(n)), nil)
		var e *Error
		switch {
		case err == nil:
			good++
		case !errors.As(err, &e) || e.Fault.Class != client.Transient || e.Answered:
			t.Errorf("%d: %v", i, err)
		}
		if _, stored := s.Object(inbox, key); stored != (err == nil) && e.Sent == No {
			t.Errorf("%d: stored, and it says that nothing was sent", i)
		}
		s.BreakIdle() // whether the client notices before its next request is a race, as in life
	}
	if good < 10 {
		t.Errorf("only %d of 40 succeeded", good)
	}
}

// TestTheLimiterIsAskedForEveryByte counts instead of measuring time: this limiter never gives back what was taken.
func TestTheLimiterIsAskedForEveryByte(t *testing.T) {
	const never = rate.Limit(1e-9)
	s := s3server.Start(t, s3server.Options{})
	a := connect(t, s)
	full := rate.NewLimiter(never, 1<<30)
	u := New(a, Options{Threshold: 6 * mebi, PartSize: minPart, Limiter: full})
	var all, counted int64
	var mu sync.Mutex
	for _, n := range []int{0, 1, small, small + 1, 3 * mebi, 11 * mebi} {
		j := job("k"+strconv.Itoa(n), data(n))
		j.Progress = func(n int64) {
			mu.Lock()
			defer mu.Unlock()
			counted += n
		}
		if _, err := u.Send(t.Context(), j, &memory{}); err != nil {
			t.Fatal(n, err)
		}
		all += int64(n)
		if taken := 1<<30 - int64(full.Tokens()+0.5); taken != all {
			t.Errorf("with the file of %d bytes %d were asked for of %d", n, taken, all)
		}
	}
	if counted != all {
		t.Errorf("%d bytes are told of %d", counted, all)
	}
	// No byte leaves beyond what the limiter gives.
	const burst = 100 << 10
	for _, n := range []int{2 * burst, 11 * mebi} {
		u = New(a, Options{Threshold: 6 * mebi, PartSize: minPart, Limiter: rate.NewLimiter(never, burst)})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // in which nothing is given back
		counted = 0
		j := job("more", data(n))
		j.Progress = func(n int64) {
			mu.Lock()
			defer mu.Unlock()
			counted += n
		}
		if _, err := u.Send(ctx, j, &memory{}); err == nil || counted > burst {
			t.Errorf("%d bytes left through a limit of %d (%v)", counted, burst, err)
		}
		cancel()
	}
}

func TestAnUnreadableFileIsTheFilesFault(t *testing.T) {
	s := s3server.Start(t, s3server.Options{})
	u := New(connect(t, s), Options{})
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, data(1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	for _, n := range []int64{10, 1 << 20} {
		j := job("k", nil)
		j.File, j.Size = f, n
		var e *Error
		if _, err := u.Send(t.Context(), j, nil); !errors.As(err, &e) || e.Fault.Class != client.File || e.Fault.Code != "unreadable" || e.Sent != No {
			t.Errorf("%d: %v", n, err)
		}
	}
}

func TestManyFilesShareTheirConnections(t *testing.T) {
	s := s3server.Start(t, s3server.Options{Keep: s3server.KeepNothing})
	u := New(connect(t, s), Options{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, err := u.Send(t.Context(), job("k", data(1000)), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	// On a busy machine net/http dials for a request that comes before the connection of the last one is free again; a
	// client that loses its connections dials for every request.
	if st := s.Stats(); st.Connections > 400/5 || st.Requests != 400 {
		t.Errorf("%d connections for %d requests of 8 senders", st.Connections, st.Requests)
	}
}
