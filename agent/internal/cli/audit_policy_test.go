package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnAuditThatIsBrokenOff ends with 4 and a sentence, and reports nothing: half
// a verdict is none.
func TestAnAuditThatIsBrokenOff(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(file, []byte(`{"Version": "2012-10-17", "Statement":
		{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::acme-uploads/uploads/vm-01/*"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"audit-policy", "--lang", "en", "--identity-policy", file, "--principal", "arn:aws:iam::111122223333:user/vm-01",
		"--bucket", "acme-uploads", "--prefix", "uploads/vm-01/"}
	audit := func(ctx context.Context, more ...string) (code int, stdout, stderr string) {
		var out, err bytes.Buffer
		code = Main(ctx, append(args[:len(args):len(args)], more...), strings.NewReader(""), &out, &err, nil)
		return code, out.String(), err.String()
	}
	if code, out, err := audit(t.Context()); code != 0 || !strings.Contains(out, "write-only") {
		t.Errorf("whole, it ends with %d: %s%s", code, out, err)
	}
	broken, end := context.WithCancel(t.Context())
	end()
	if code, out, err := audit(broken); code != 4 || out != "" || !strings.Contains(err, "interrupted") {
		t.Errorf("broken off, it ends with %d: %s%s", code, out, err)
	}
	if code, out, err := audit(t.Context(), "--budget", "1ns"); code != 4 || !strings.Contains(out, "needs more time") {
		t.Errorf("out of time, it ends with %d: %s%s", code, out, err)
	}
	if code, out, err := audit(t.Context(), "--budget-total", "1ns"); code != 4 || !strings.Contains(out, "needs more time") {
		t.Errorf("out of all time, it ends with %d: %s%s", code, out, err)
	}
}
