package gate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"buzon/agent/internal/client"
	"buzon/scripts/load/s3server"
)

const (
	bucket = "inbox"
	prefix = "uploads/vm-01/"
	vm01   = "arn:aws:iam::111122223333:user/buzon/vm-01"
)

// place is a home with a credentials file, and a server.
type place struct {
	t      *testing.T
	server *s3server.Server
	file   string
}

func at(t *testing.T, o s3server.Options) *place {
	t.Helper()
	o.Verify = true
	if o.Buckets == nil {
		o.Buckets = []s3server.Bucket{{Name: bucket, Versioned: true}}
	}
	if o.Allow == nil {
		o.Allow = s3server.WriteOnly(bucket, prefix)
	}
	p := &place{t: t, server: s3server.Start(t, o)}
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	home := t.TempDir()
	p.file = filepath.Join(home, "credentials")
	t.Setenv("HOME", home)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", p.file)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(home, "config"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ENDPOINT_URL", p.server.URL)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	p.key(s3server.Uploader)
	return p
}

// key writes the credentials file as `aws configure` does.
func (p *place) key(id s3server.Identity) {
	p.t.Helper()
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", id.AccessKey, id.Secret)
	if id.Token != "" {
		text += "aws_session_token = " + id.Token + "\n"
	}
	temporary := p.file + ".new"
	if err := os.WriteFile(temporary, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(temporary, p.file); err != nil {
		p.t.Fatal(err)
	}
}

func settings() Settings {
	return Settings{Bucket: bucket, Prefix: prefix, Owner: "111122223333", Expect: vm01, Canary: true, Probes: true}
}

func (p *place) gate(s Settings) *Gate {
	return New(s, client.Settings{Region: "us-east-1", Version: "test"}, nil)
}

func (p *place) pass(s Settings) Report {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	return p.gate(s).Pass(ctx, Full)
}

func show(r Report) string {
	var b strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%-9s %-15s %-24s %s → %s %v\n", c.Status, c.ID, c.Outcome, c.Asked, c.Answered, c.Args)
	}
	return b.String()
}

func TestAWriteOnlyKeyPasses(t *testing.T) {
	p := at(t, s3server.Options{})
	r := p.pass(settings())
	t.Log("\n" + show(r))
	if !r.Passed {
		t.Fatal("not passed")
	}
}

// heard keeps every call that a server got.
type heard struct {
	mu    sync.Mutex
	calls []s3server.Call
	fault func(*s3server.Call) s3server.Fault
}

func (h *heard) hear(c *s3server.Call) s3server.Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, *c)
	if h.fault != nil {
		return h.fault(c)
	}
	return s3server.Fault{}
}

// take gives the operations since the last take; STS is "STS".
func (h *heard) take() (ops []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.calls {
		op := string(c.Op)
		if c.Op == s3server.Other && c.Bucket == "" {
			op = "STS"
		}
		ops = append(ops, op)
	}
	h.calls = nil
	return ops
}

func passed(t *testing.T, r Report) {
	t.Helper()
	if !r.Passed {
		t.Fatalf("not passed:\n%s", show(r))
	}
}

func failed(t *testing.T, r Report, want Outcome) {
	t.Helper()
	if first := r.First(); first == nil || first.Outcome != want {
		t.Fatalf("want %s:\n%s", want, show(r))
	}
}
