package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"buzon/agent/internal/client"
	"buzon/scripts/load/s3server"
)

// TestEveryRequestThatCreatesAnObjectIsConditionalAndChecked looks at the wire: no upload without If-None-Match and
// CRC-64/NVME, whatever its size; and with Replace, none with it.
func TestEveryRequestThatCreatesAnObjectIsConditionalAndChecked(t *testing.T) {
	for _, replace := range []bool{false, true} {
		var mu sync.Mutex
		seen := map[s3server.Op]int{}
		s := s3server.Start(t, s3server.Options{Verify: true, Fault: func(c *s3server.Call) s3server.Fault {
			mu.Lock()
			defer mu.Unlock()
			seen[c.Op]++
			sum := c.Header.Get("X-Amz-Checksum-Crc64nvme") != "" || c.Header.Get("X-Amz-Trailer") == trailerName
			condition := ""
			if !replace {
				condition = "*"
			}
			switch c.Op {
			case s3server.PutObject:
				if !sum || c.Header.Get("If-None-Match") != condition {
					t.Errorf("%s of %d bytes: checksum %v, If-None-Match %q", c.Op, c.Size, sum, c.Header.Get("If-None-Match"))
				}
			case s3server.CreateMultipartUpload:
				if c.Header.Get("X-Amz-Checksum-Algorithm") != "CRC64NVME" || c.Header.Get("X-Amz-Checksum-Type") != "FULL_OBJECT" {
					t.Errorf("%s: %v", c.Op, c.Header)
				}
			case s3server.UploadPart:
				if !sum {
					t.Errorf("%s of %d bytes without a checksum", c.Op, c.Size)
				}
			case s3server.CompleteMultipartUpload:
				if !sum || c.Header.Get("If-None-Match") != condition || c.Header.Get("X-Amz-Mp-Object-Size") != strconv.Itoa(11*mebi) ||
					c.Header.Get("X-Amz-Checksum-Type") != "FULL_OBJECT" {
					t.Errorf("%s: %v", c.Op, c.Header)
				}
			default:
				t.Errorf("the uploader sent %s", c.Op)
			}
			if got := c.Header.Get("X-Amz-Expected-Bucket-Owner"); got != "111122223333" {
				t.Errorf("%s: expected owner %q", c.Op, got)
			}
			if got := c.Header.Get("User-Agent"); !strings.Contains(got, "buzon/test") {
				t.Errorf("%s: user agent %q", c.Op, got)
			}
			return s3server.Fault{}
		}})
		u := New(connect(t, s), Options{Threshold: 6 * mebi, PartSize: minPart})
		for _, n := range append(sizes, 11*mebi) {
			j := job("k"+strconv.Itoa(n), data(n))
			j.Replace = replace
			if _, err := u.Send(t.Context(), j, &memory{}); err != nil {
				t.Fatal(n, err)
			}
		}
		if seen[s3server.PutObject] != len(sizes) || seen[s3server.UploadPart] != 3 || seen[s3server.CompleteMultipartUpload] != 1 {
			t.Errorf("calls %v", seen)
		}
	}
}

// TestPartsLeaveAtOnce: no part is answered before as many are under way as may be.
func TestPartsLeaveAtOnce(t *testing.T) {
	const atOnce = 3
	s := s3server.Start(t, s3server.Options{})
	a := connect(t, s)
	next := a.Transport
	var mu sync.Mutex
	flying := 0
	all := make(chan struct{})
	a.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		if flying++; flying == atOnce {
			close(all)
		}
		mu.Unlock()
		select {
		case <-all:
		case <-time.After(20 * time.Second):
			t.Error("the parts wait for each other")
		}
		return next.RoundTrip(r)
	})
	u := New(a, Options{Threshold: mebi, PartSize: minPart, Parts: atOnce})
	content := data(5*minPart + 1)
	result, err := u.Send(t.Context(), job("k", content), &memory{})
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := s.Object(inbox, "k"); !bytes.Equal(o.Body, content) || result.CRC64 != checksum(content) {
		t.Error("other bytes, or another checksum")
	}
}

func TestASlowServerIsWaitedFor(t *testing.T) {
	s := s3server.Start(t, s3server.Options{Fault: func(*s3server.Call) s3server.Fault {
		return s3server.Fault{Name: s3server.Slow, Wait: 300 * time.Millisecond}
	}})
	u := New(connect(t, s), Options{Threshold: 6 * mebi, PartSize: minPart})
	for _, n := range []int{10, 3 * mebi, 7 * mebi} {
		if _, err := u.Send(t.Context(), job("k"+strconv.Itoa(n), data(n)), &memory{}); err != nil {
			t.Error(n, err)
		}
	}
}

// TestAVanishedUploadBeginsAgain: what the courier does after NoSuchUpload, a 409 at Complete or a lost answer is to
// send the file once more without Resume; nothing of the first upload is in its way.
func TestAVanishedUploadBeginsAgain(t *testing.T) {
	content := data(12 * mebi)
	for name, fault := range map[string]s3server.Fault{
		"409 at Complete": {Name: s3server.Conflict}, "gone at Complete": {Name: s3server.LostUpload},
	} {
		s := s3server.Start(t, s3server.Options{Fault: only(s3server.CompleteMultipartUpload, 1, fault)})
		u := New(connect(t, s), Options{Threshold: mebi, PartSize: minPart})
		m := &memory{}
		_, err := u.Send(t.Context(), job("k", content), m)
		var e *Error
		if !errors.As(err, &e) || e.Fault.Class != client.Raced && e.Fault.Class != client.NoUpload {
			t.Fatalf("%s: %v", name, err)
		}
		first := m.resume.UploadID
		if _, err := u.Send(t.Context(), job("k", content), m); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if o, _ := s.Object(inbox, "k"); !bytes.Equal(o.Body, content) || m.resume.UploadID == first {
			t.Errorf("%s: other bytes, or the same upload", name)
		}
	}
}

// TestMemoryBoundsWhatIsUnderWay: with memory for two requests, two are under way and never a third.
func TestMemoryBoundsWhatIsUnderWay(t *testing.T) {
	s := s3server.Start(t, s3server.Options{})
	a := connect(t, s)
	next := a.Transport
	var flying, most atomic.Int64
	a.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		now := flying.Add(1)
		defer flying.Add(-1)
		for {
			was := most.Load()
			if now <= was || most.CompareAndSwap(was, now) {
				break
			}
		}
		return next.RoundTrip(r)
	})
	u := New(a, Options{Threshold: mebi, PartSize: minPart, Parts: 4, Memory: 2 * perRequest})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			n := []int{100, 7 * mebi}[i%2]
			if _, err := u.Send(t.Context(), job("k"+strconv.Itoa(i), data(n)), &memory{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most.Load() != 2 {
		t.Errorf("%d requests were under way at once, want 2", most.Load())
	}
}

// TestProgressTellsOnlyOfWhatLeaves: while the store can't be reached, nothing does.
func TestProgressTellsOnlyOfWhatLeaves(t *testing.T) {
	for _, n := range []int{1, small, small + 1} {
		s := s3server.Start(t, s3server.Options{})
		a := connect(t, s)
		reached := false
		a.Transport = broken(func(*http.Request) bool { return reached })(a.Transport)
		var told atomic.Int64
		j := job("k", data(n))
		j.Progress = func(n int64) { told.Add(n) }
		u := New(a, Options{})
		if _, err := u.Send(t.Context(), j, &memory{}); err == nil || told.Load() != 0 {
			t.Errorf("%d bytes did not leave: told of %d (%v)", n, told.Load(), err)
		}
		reached = true
		if _, err := u.Send(t.Context(), j, &memory{}); err != nil || told.Load() != int64(n) {
			t.Errorf("%d bytes left: told of %d (%v)", n, told.Load(), err)
		}
	}
}

// counted counts the writes to a connection: system calls, and packets of what is small.
type counted struct {
	net.Conn
	writes *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// TestHeadAndBodyOfASmallFileLeaveTogether, over TLS too.
func TestHeadAndBodyOfASmallFileLeaveTogether(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := s3server.Start(t, s3server.Options{Verify: true, TLS: secure})
		a := connect(t, s)
		var writes atomic.Int64
		transport := a.Transport.(*http.Transport).Clone()
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			var d net.Dialer
			c, err := d.DialContext(ctx, network, address)
			return &client.Wire{Conn: counted{c, &writes}}, err
		}
		t.Cleanup(transport.CloseIdleConnections)
		a.Transport = transport
		u := New(a, Options{})
		for _, c := range []struct {
			size int
			most int64
		}{{1, 1}, {4096, 1}, {15_000, 1}, {30_000, 2}, {100_000, 8}} {
			send := func(key string) {
				if _, err := u.Send(t.Context(), job(key, data(c.size)), &memory{}); err != nil {
					t.Fatal(err)
				}
			}
			send(fmt.Sprintf("%d/first", c.size)) // with the handshake
			writes.Store(0)
			const times = 5
			for i := range times {
				send(fmt.Sprintf("%d/%d", c.size, i))
			}
			if got := writes.Load(); got > times*c.most {
				t.Errorf("%d bytes, TLS %v: %d writes for %d files, at most %d each", c.size, secure, got, times, c.most)
			}
		}
	}
}
