package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"buzon/scripts/load/s3server"
)

// once is a fault for the first call of one operation under the prefix, the canary's aside.
func once(op s3server.Op, f s3server.Fault) func(*s3server.Call) s3server.Fault {
	var mu sync.Mutex
	done := false
	return func(c *s3server.Call) s3server.Fault {
		mu.Lock()
		defer mu.Unlock()
		if c.Op != op || done || strings.Contains(c.Key, ".buzon") {
			return s3server.Fault{}
		}
		done = true
		return f
	}
}

func TestObjectsCarryWhatIsConfigured(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for name, c := range map[string]struct {
		object string
		want   map[string]string
	}{
		"nothing said": {"", map[string]string{"Content-Type": "text/csv", "X-Amz-Meta-Source-Path": "sub/a%20b.csv", "X-Amz-Meta-Host": host,
			"X-Amz-Meta-Mtime": fmt.Sprintf("%d.000000006", at.Unix()), "X-Amz-Storage-Class": "", "X-Amz-Tagging": ""}},
		"no metadata": {"{ metadata: false }", map[string]string{"Content-Type": "text/csv", "X-Amz-Meta-Source-Path": "", "X-Amz-Meta-Host": "", "X-Amz-Meta-Mtime": ""}},
		"a class and tags": {"{ storage_class: STANDARD_IA, tags: { team: billing, of: a b } }", map[string]string{
			"X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Tagging": "of=a+b&team=billing"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, s3server.Options{Allow: alsoAllowed("s3:PutObjectTagging")})
			if c.object == "" || !strings.Contains(c.object, "tags") {
				h = newHost(t, s3server.Options{})
			}
			if c.object != "" {
				h.settings("object: " + c.object + "\n")
			}
			dir := h.files("out", "sub/a b.csv")
			if err := os.Chtimes(filepath.Join(dir, "sub/a b.csv"), at, at); err != nil {
				t.Fatal(err)
			}
			if code, out, errs := h.upload(dir); code != 0 {
				t.Fatalf("%d\n%s%s", code, out, errs)
			}
			o, _ := h.server.Object(inbox, prefix+"sub/a b.csv")
			for header, want := range c.want {
				if got := o.Header.Get(header); got != want {
					t.Errorf("%s is %q, want %q", header, got, want)
				}
			}
		})
	}
}

// TestTheLimitOfTheBandwidthIsKept measures no more than that it takes as long as it must.
func TestTheLimitOfTheBandwidthIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		settings string
		flags    []string
	}{
		"configured":    {"limits: { bandwidth: 1MiB/s }\n", nil},
		"a flag":        {"", []string{"--limit", "1MiB/s"}},
		"a flag's wins": {"limits: { bandwidth: 1GiB/s }\n", []string{"--limit", "1MiB/s"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, s3server.Options{})
			h.settings(c.settings)
			dir := h.files("out", "small")
			h.write("out/a", strings.Repeat("x", 400<<10), 0o644)
			h.write("out/b", strings.Repeat("y", 400<<10), 0o644)
			began := time.Now()
			if code, out, errs := h.upload(append(c.flags, dir)...); code != 0 {
				t.Fatalf("%d\n%s%s", code, out, errs)
			}
			if took := time.Since(began); took < 650*time.Millisecond { // a tenth of a second's bytes may leave at once
				t.Errorf("800 KiB at 1 MiB/s took %s", took)
			}
		})
	}
}

// TestRetryAfterIsHonoured looks at when the server sees the next attempt: of the file, and after SlowDown of any.
func TestRetryAfterIsHonoured(t *testing.T) {
	for fault, all := range map[s3server.Name]bool{s3server.RetryLater: true, s3server.SlowDown: true, s3server.Internal: false} {
		t.Run(string(fault), func(t *testing.T) {
			const wait = 2 * time.Second
			key := ""
			fail := once(s3server.PutObject, s3server.Fault{Name: fault, Wait: wait})
			var mu sync.Mutex
			var refused, next time.Time
			h := newHost(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
				f := fail(c)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case f.Name != "":
					refused, key = time.Now(), c.Key
				case c.Op == s3server.PutObject && !refused.IsZero() && next.IsZero() && (all || c.Key == key):
					next = time.Now()
				}
				return f
			}})
			code, u, errs := h.uploadJSON("--transfers", "1", h.files("out", "a", "b", "c"))
			if code != 0 || u.Sent.Files != 3 {
				t.Fatalf("%d %+v\n%s", code, u, errs)
			}
			if waited := next.Sub(refused); waited < wait-50*time.Millisecond { // the answer was on its way
				t.Errorf("the next attempt came %s after an answer that asked for %s", waited, wait)
			}
		})
	}
}
