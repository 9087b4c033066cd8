package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"buzon/scripts/load/s3server"
	"buzon/scripts/load/schema"
)

// TestWhatIsWrittenIsAsItsSchemaSays holds the JSON of every command to docs/schemas.
func TestWhatIsWrittenIsAsItsSchemaSays(t *testing.T) {
	h := newHost(t, s3server.Options{Allow: func(who s3server.Identity, action, bucket, key string) bool {
		return who.AccessKey == s3server.Admin.AccessKey || s3server.WriteOnly(inbox, prefix)(who, action, bucket, key) && !strings.HasSuffix(key, "denied.txt")
	}})
	h.settings("tries: 1\noutboxes:\n  - path: " + h.file("out") + "\n")
	dir := h.files("out", "a.txt", "sub/b.txt", "denied.txt")
	if err := os.Symlink("a.txt", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	config := h.file("agent.yaml")
	ask := func(name string, code int, args ...string) string {
		t.Helper()
		got, out, errs := h.run("en", append(args, "--config", config)...)
		if got != code {
			t.Errorf("%v ends with %d, want %d\n%s%s", args, got, code, out, errs)
		}
		for line := range strings.Lines(out) {
			if name == "receipt" {
				valid(t, name, line)
			}
		}
		if name != "receipt" {
			valid(t, name, out)
		}
		return out
	}
	ask("config", 0, "config", "show", "--format", "json", "--region", "eu-west-1")
	if _, out, _ := h.run("en", "version", "--format", "json"); out == "" {
		t.Error("version says nothing")
	} else {
		valid(t, "version", out)
	}
	ask("plan", 0, "upload", "--dry-run", "--format", "json", dir)
	ask("upload", 2, "upload", "--format", "json", h.file("nowhere"))
	ask("upload", 2, "upload", "--format", "json", "--limit", "fast", dir)
	ask("check", 0, "check", "--format", "json")
	ask("upload", 1, "upload", "--format", "json", dir)
	ask("plan", 0, "upload", "--dry-run", "--format", "json", dir)
	ask("status", 1, "status", "--format", "json")
	if out := ask("receipt", 0, "receipts", "export"); strings.Count(out, "\n") != 2 {
		t.Errorf("receipts:\n%s", out)
	}
	receipts := ask("receipt", 0, "receipts", "export")
	other := strings.Replace(receipts, prefix, prefix+"gone-", 1)
	h.write("receipts.jsonl", receipts, 0o600)
	h.write("more.jsonl", receipts+other, 0o600)
	h.server.SetIdentities(s3server.Admin)
	h.key(s3server.Admin)
	ask("verify", 0, "receipts", "verify", "--format", "json", "--receipts", h.file("receipts.jsonl"))
	h.server.Put(inbox, prefix+"unexpected", []byte("x"))
	h.server.Put(inbox, prefix+"a.txt", []byte("other bytes"))
	if out := ask("verify", 1, "receipts", "verify", "--format", "json", "--receipts", h.file("more.jsonl")); !strings.Contains(out, `"missing": 1`) || !strings.Contains(out, `"unexpected": 2`) {
		t.Errorf("verify says\n%s", out)
	}
	h.key(s3server.Uploader)
	h.server.SetIdentities()
	h.files("out", "c.txt")
	ask("check", 3, "check", "--format", "json")
	if out := ask("upload", 3, "upload", "--format", "json", dir); !strings.Contains(out, `"ended": "gate"`) {
		t.Errorf("an upload before a gate that is shut says\n%s", out)
	}
	h.server.SetIdentities(s3server.Uploader)
	h.startAsIs()
	h.until("the agent runs", func() bool { _, s := h.status(); return s.Running && s.Gate.Open })
	ask("status", 1, "status", "--format", "json", "--all")
}

// valid holds a text to a schema.
func valid(t *testing.T, name, text string) {
	t.Helper()
	for _, fault := range schema.Faults(filepath.Join(docs, "schemas", name+".v1.json"), []byte(text)) {
		t.Errorf("%s: %s\n%s", name, fault, text)
	}
}
