package cli

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"buzon/agent/internal/send/journal"
	"buzon/scripts/load/s3server"
)

// What a store echoes is kept: a success without it is not believed by the next process either.
func TestWhatAStoreShowedIsHeldToByTheNextProcess(t *testing.T) {
	var quiet string
	h := newHost(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
		if c.Op == s3server.PutObject && c.Key == prefix+"b.txt" && c.Nth == 1 { // a portal that knows what an ETag is
			quiet = c.Key
			return s3server.Fault{Name: s3server.Stranger, Raw: "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 0\r\n\r\n"}
		}
		return s3server.Fault{}
	}})
	h.write("a.txt", "first", 0o644)
	if code, u, errs := h.uploadJSON(h.file("a.txt")); code != 0 || u.Sent.Files != 1 {
		t.Fatalf("%d %+v\n%s", code, u, errs)
	}
	j, err := journal.Open(h.file("state"), journal.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := j.Shown(h.server.URL)
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if err != nil || !strings.Contains(string(shown), "PutObject") {
		t.Fatalf("%s, %v", shown, err)
	}
	h.write("b.txt", "second", 0o644)
	code, u, errs := h.uploadJSON(h.file("b.txt"))
	if code != 0 || u.Sent.Files != 1 || quiet == "" {
		t.Fatalf("%d %+v\n%s", code, u, errs)
	}
	h.holds("b.txt", "second")
}

// A store may echo a checksum that stands in a header, and none that comes behind a body: each is held to its own.
func TestAStoreMayEchoInOnePlaceAlone(t *testing.T) {
	var stranger atomic.Bool
	h := newHost(t, s3server.Options{Lacks: []s3server.Lack{s3server.NoTrailerEcho}, Fault: func(c *s3server.Call) s3server.Fault {
		if c.Op == s3server.PutObject && c.Key == prefix+"small.txt" && stranger.CompareAndSwap(true, false) {
			return s3server.Fault{Name: s3server.Stranger, Raw: "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 0\r\n\r\n"}
		}
		return s3server.Fault{}
	}})
	large := strings.Repeat("0123456789abcdef", 8<<10)
	for i := range 2 { // by one process and the next
		name := fmt.Sprintf("large%d.txt", i)
		h.write(name, large, 0o644)
		if code, u, errs := h.uploadJSON(h.file(name)); code != 0 || u.Sent.Files != 1 {
			t.Fatalf("%d %+v\n%s", code, u, errs)
		}
		h.holds(name, large)
	}
	stranger.Store(true)
	h.write("small.txt", "small", 0o644)
	if code, u, errs := h.uploadJSON(h.file("small.txt")); code != 0 || u.Sent.Files != 1 || stranger.Load() {
		t.Fatalf("%d %+v\n%s", code, u, errs)
	}
	h.holds("small.txt", "small")
}
