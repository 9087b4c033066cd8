package cli

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"buzon/scripts/load/s3server"
)

// TestAMultipartUploadGoesOnOrBeginsAgain: what is unanswered is asked again with the same upload id and parts; only
// an upload that is gone, or lost a race, begins the file anew.
func TestAMultipartUploadGoesOnOrBeginsAgain(t *testing.T) {
	const parts = 3
	for name, c := range map[string]struct {
		op       s3server.Op
		fault    s3server.Name
		repeat   s3server.Repeat
		creates  int64
		sent     int64 // parts; -1: a part that fails takes those under way with it
		complete int64
		inferred int64
	}{
		"a part that failed":                         {op: s3server.UploadPart, fault: s3server.Internal, creates: 1, sent: -1, complete: 1},
		"a Complete whose answer was lost":           {op: s3server.CompleteMultipartUpload, fault: s3server.LostAnswer, creates: 1, sent: parts, complete: 2},
		"a Complete that broke":                      {op: s3server.CompleteMultipartUpload, fault: s3server.ResetAfter, creates: 1, sent: parts, complete: 2},
		"a Complete with 200 and an error behind it": {op: s3server.CompleteMultipartUpload, fault: s3server.ErrorInside, creates: 1, sent: parts, complete: 2},
		"a repeated Complete that is answered 412":   {op: s3server.CompleteMultipartUpload, fault: s3server.LostAnswer, repeat: s3server.RepeatExists, creates: 1, sent: parts, complete: 2, inferred: 1},
		"a repeated Complete that finds no upload":   {op: s3server.CompleteMultipartUpload, fault: s3server.LostAnswer, repeat: s3server.RepeatNoSuchUpload, creates: 2, sent: 2 * parts, complete: 3, inferred: 1},
		"an upload that vanished between its parts":  {op: s3server.UploadPart, fault: s3server.LostUpload, creates: 2, sent: -1, complete: 1},
		"an upload that vanished before Complete":    {op: s3server.CompleteMultipartUpload, fault: s3server.LostUpload, creates: 2, sent: 2 * parts, complete: 2},
		"409 at Complete":                            {op: s3server.CompleteMultipartUpload, fault: s3server.Conflict, creates: 2, sent: 2 * parts, complete: 2},
	} {
		t.Run(name, func(t *testing.T) {
			files := filesOf(once(c.op, s3server.Fault{Name: c.fault}))
			h := newHost(t, s3server.Options{Repeat: c.repeat, Fault: files.fault})
			content := strings.Repeat("0123456789abcdef", 34<<16)
			h.write("big.bin", content, 0o644)
			code, u, errs := h.uploadJSON(h.file("big.bin"))
			if code != 0 || u.Sent.Files != 1 || u.Inferred != c.inferred || u.Quarantined != 0 {
				t.Fatalf("%d %+v\n%s", code, u, errs)
			}
			if keys := h.keys(); len(keys) != 1 {
				t.Errorf("keys are %q", keys)
			}
			if o, _ := h.server.Object(inbox, prefix+"big.bin"); string(o.Body) != content {
				t.Error("other bytes are stored")
			}
			ops := files.ops()
			if ops[s3server.CreateMultipartUpload] != c.creates || ops[s3server.CompleteMultipartUpload] != c.complete ||
				c.sent >= 0 && ops[s3server.UploadPart] != c.sent {
				t.Errorf("%v, want %d uploads, %d parts, %d times Complete", ops, c.creates, c.sent, c.complete)
			}
		})
	}
}

// files are the calls that are about files, and not the gate's.
type files struct {
	mu    sync.Mutex
	count map[s3server.Op]int64
	fail  func(*s3server.Call) s3server.Fault
}

func filesOf(fail func(*s3server.Call) s3server.Fault) *files {
	return &files{count: map[s3server.Op]int64{}, fail: fail}
}

func (f *files) fault(c *s3server.Call) s3server.Fault {
	if strings.Contains(c.Key, ".buzon/") {
		return s3server.Fault{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count[c.Op]++
	return f.fail(c)
}

func (f *files) ops() map[s3server.Op]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.count)
}

// TestAnUploadThatTheStoreForgotBeginsAnew: whatever its parts are answered, and even where one try is all there is.
func TestAnUploadThatTheStoreForgotBeginsAnew(t *testing.T) {
	for name, broken := range map[string]bool{"the store says so": false, "its answers are lost with the connection": true} {
		t.Run(name, func(t *testing.T) {
			var forgotten sync.Map
			var begun atomic.Bool
			files := filesOf(func(c *s3server.Call) s3server.Fault {
				_, gone := forgotten.Load(c.Query.Get("uploadId"))
				switch {
				case !begun.Load() && c.Query.Get("partNumber") == "3":
					return s3server.Fault{Name: s3server.Internal}
				case c.Op == s3server.UploadPart && gone && broken && c.Size > 0:
					return s3server.Fault{Name: s3server.ResetInside, Bytes: 1 << 10}
				}
				return s3server.Fault{}
			})
			h := newHost(t, s3server.Options{Fault: files.fault})
			content := strings.Repeat("0123456789abcdef", 34<<16)
			h.write("big.bin", content, 0o644)
			h.settings("tries: 1\nidentity: {patience: 1s}\n")
			if code, u, errs := h.uploadJSON(h.file("big.bin")); code == 0 {
				t.Fatalf("it is sent: %+v\n%s", u, errs)
			}
			for _, u := range h.server.Uploads() {
				forgotten.Store(u.ID, true)
				h.server.DropUpload(u.ID)
			}
			begun.Store(true)
			began := time.Now()
			code, u, errs := h.uploadJSON(h.file("big.bin"))
			if code != 0 || u.Sent.Files != 1 || u.Quarantined != 0 {
				t.Fatalf("%d %+v\n%s", code, u, errs)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
			h.holds("big.bin", content)
		})
	}
}
