package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is filed, and what is written when it is verified, is as docs/schemas say.
func TestEvidenceIsAsItsSchemasSay(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	policy := `{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": "arn:aws:s3:::acme-uploads/uploads/vm-01/*"}]}`
	waivers := `waivers: [{rule: read-object, principal: "arn:aws:iam::111122223333:user/buzon/vm-01", reason: r, who: w, until: 2999-01-01}]`
	for name, text := range map[string]string{"p.json": policy, "w.yaml": waivers} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		env := []string{"HOME=" + dir, "COLUMNS=1000"}
		if code := Main(context.Background(), append([]string{"audit-policy"}, args...), strings.NewReader(""), &out, &errs, env); code != 0 {
			t.Fatalf("%v ends with %d\n%s%s", args, code, out.String(), errs.String())
		}
		return out.String()
	}
	run("--identity-policy", at("p.json"), "--principal", "arn:aws:iam::111122223333:user/buzon/vm-01", "--bucket", "acme-uploads",
		"--prefix", "uploads/vm-01/", "--waivers", at("w.yaml"), "--evidence", at("e.tar.gz"))
	f, err := os.Open(at("e.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for archive := tar.NewReader(zip); ; {
		h, err := archive.Next()
		if err != nil {
			break
		}
		if files[h.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
	valid(t, "evidence", string(files["manifest.json"]))
	if got := string(files["documents/000001.json"]); got != policy {
		t.Errorf("the document is filed as\n%s", got)
	}
	if !json.Valid(files["audit-report.json"]) || !json.Valid(files["judged.json"]) {
		t.Error("what is filed beside it is no JSON")
	}
	valid(t, "verification", run("--verify", at("e.tar.gz"), "--format", "json"))
}
