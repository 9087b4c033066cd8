package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"buzon/agent/internal/send/receipt"
	"buzon/scripts/load/s3server"
)

// lose loses the first answer to a PutObject of each of these keys below the prefix.
func lose(keys ...string) func(*s3server.Call) s3server.Fault {
	return func(c *s3server.Call) s3server.Fault {
		for _, k := range keys {
			if c.Op == s3server.PutObject && c.Key == prefix+k && c.Nth == 1 {
				return s3server.Fault{Name: s3server.LostAnswer}
			}
		}
		return s3server.Fault{}
	}
}

// TestAnInferredReceiptIsConfirmedOrRefutedByTheBucket is the third case of the rule about 412, from the outbox to
// the reader: one file's answer was lost after it was stored; at another's key a foreign object stood, and the 412
// that said so was lost. Both receipts are inferred, both files stay, and only the comparison tells them apart.
func TestAnInferredReceiptIsConfirmedOrRefutedByTheBucket(t *testing.T) {
	h := newHost(t, s3server.Options{Fault: lose("ours", "theirs"), Allow: s3server.AdminOr(s3server.WriteOnly(inbox, prefix))})
	h.server.Put(inbox, prefix+"theirs", []byte("somebody else's"))
	dir := h.files("out", "ours", "theirs", "plain")
	if code, out, errs := h.upload(dir); code != 0 {
		t.Fatalf("upload: code %d\n%s%s", code, out, errs)
	}
	code, lines, errs := h.run("en", "receipts", "export", "--config", h.file("agent.yaml"))
	if code != 0 {
		t.Fatalf("export: code %d\n%s", code, errs)
	}
	evidence := map[string]receipt.Evidence{}
	for in := receipt.NewReader(strings.NewReader(lines)); ; {
		r, err := in.Read()
		if err != nil {
			break
		}
		evidence[filepath.Base(r.SourcePath)] = r.Evidence
		if r.Evidence == receipt.Inferred && (r.ETag != "" || r.VersionID != "") {
			t.Errorf("an inferred receipt says more than is known: %+v", r)
		}
	}
	for name, want := range map[string]receipt.Evidence{"ours": receipt.Inferred, "theirs": receipt.Inferred, "plain": receipt.Answered} {
		if evidence[name] != want {
			t.Errorf("%s: evidence %q, want %q", name, evidence[name], want)
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("the local file %s: %v", name, err)
		}
	}
	h.write("receipts.jsonl", lines, 0o600)
	h.key(s3server.Admin)
	t.Setenv("HOME", t.TempDir()) // another host
	code, text, errs := h.run("en", "receipts", "verify", "--receipts", h.file("receipts.jsonl"), "--region", "us-east-1")
	if code != 1 || !strings.Contains(text, "differs: inbox/uploads/vm-01/theirs") || !strings.Contains(text, "1 inferred receipt is confirmed.") ||
		strings.Contains(text, "vm-01/ours") || !strings.Contains(text, "only inferred") {
		t.Errorf("verify: code %d\n%s%s", code, text, errs)
	}
	code, text, _ = h.run("es", "receipts", "verify", "--receipts", h.file("receipts.jsonl"), "--region", "us-east-1")
	if code != 1 || !strings.Contains(text, "difiere: inbox/uploads/vm-01/theirs") || !strings.Contains(text, "Se confirma 1 recibo") {
		t.Errorf("verify: code %d\n%s", code, text)
	}
	code, text, _ = h.run("en", "receipts", "verify", "--receipts", h.file("receipts.jsonl"), "--region", "us-east-1", "--format", "json")
	var got struct {
		Confirmed int
		Counts    map[string]int
		Findings  []struct{ Outcome, Key string }
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil || code != 1 || got.Confirmed != 1 || got.Counts["differs"] != 1 || len(got.Findings) != 1 {
		t.Errorf("verify: code %d, %v\n%s", code, err, text)
	}
}

// TestNoSecretInWhatReceiptsSay: the reader's key is in no output of a comparison.
func TestNoSecretInWhatReceiptsSay(t *testing.T) {
	h := newHost(t, s3server.Options{})
	h.write("receipts.jsonl", `{"schema":"buzon/receipt/v1","bucket":"inbox","key":"uploads/vm-01/k","size":1,"crc64nvme":"AAAAAAAAAAA=","evidence":"answered","echoed":true,"source_path":"/o/k","mtime":"2026-01-01T00:00:00Z","sent_at":"2026-01-01T00:00:00Z"}`+"\n", 0o600)
	code, out, errs := h.run("en", "receipts", "verify", "--receipts", h.file("receipts.jsonl"), "--region", "us-east-1")
	if code != 4 {
		t.Errorf("an uploader's key reads nothing: code %d\n%s%s", code, out, errs)
	}
	if strings.Contains(out+errs, s3server.Uploader.Secret) {
		t.Errorf("the secret is in what was said:\n%s%s", out, errs)
	}
}

// TestReceiptsVerifyTellsFaultsOfKeyAndBucketApart: exit 3, with a sentence of its own.
func TestReceiptsVerifyTellsFaultsOfKeyAndBucketApart(t *testing.T) {
	line := func(bucket string) string {
		return `{"schema":"buzon/receipt/v1","bucket":"` + bucket + `","key":"k","size":1,"crc64nvme":"AAAAAAAAAAA=","evidence":"answered","echoed":true,"source_path":"/o/k","mtime":"2026-01-01T00:00:00Z","sent_at":"2026-01-01T00:00:00Z"}` + "\n"
	}
	for name, c := range map[string]struct {
		bucket string
		change func(*host)
		want   string
	}{
		"no credentials":  {inbox, func(h *host) { _ = os.Remove(h.file("credentials")) }, "There are no credentials."},
		"deactivated key": {inbox, func(h *host) { h.server.SetIdentities() }, "can't be read with this key"},
		"no such bucket":  {"elsewhere", func(h *host) { h.key(s3server.Admin) }, "Bucket elsewhere can't be read"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, s3server.Options{Allow: s3server.AdminOr(s3server.WriteOnly(inbox, prefix))})
			h.write("receipts.jsonl", line(c.bucket), 0o600)
			c.change(h)
			code, out, errs := h.run("en", "receipts", "verify", "--receipts", h.file("receipts.jsonl"), "--region", "us-east-1")
			if code != 3 || !strings.Contains(errs, c.want) {
				t.Errorf("code %d\n%s%s", code, out, errs)
			}
		})
	}
}
