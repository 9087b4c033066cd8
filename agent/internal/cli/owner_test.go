package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"buzon/scripts/load/s3server"
)

// Whoever may not use a state folder is told the command that works, with the flags in use.
func TestAStateFolderOfAnotherUserIsToldWithSudo(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	h := newHost(t, s3server.Options{})
	if code, out, errs := h.upload(h.files("out", "a.txt")); code != 0 {
		t.Fatalf("upload: %d\n%s%s", code, out, errs)
	}
	if err := os.Chown(h.file("state"), 54321, 54321); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chown(h.file("state"), 0, 0); err != nil {
			t.Error(err)
		}
	})
	for _, command := range []string{"status", "retry", "receipts export"} {
		args := append(strings.Fields(command), "--config", h.file("agent.yaml"))
		code, _, errs := h.run("en", args...)
		if want := "\n  sudo -u '#54321' agent " + command + " --config " + h.file("agent.yaml") + "\n"; code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: %d, and %q is not said:\n%s", command, code, want, errs)
		}
	}
}

// A plan of a folder that can't be read wholly is no promise.
func TestAPlanOfAFolderThatCanNotBeReadSaysSo(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read every folder")
	}
	h := newHost(t, s3server.Options{})
	dir := h.files("out", "a.txt", "d/x")
	if err := os.Chmod(filepath.Join(dir, "d"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, "d"), 0o700) }) //nolint:errcheck // so that it can be removed
	if code, out, _ := h.run("en", "upload", "--dry-run", "--config", h.file("agent.yaml"), dir); code != 1 || !strings.Contains(out, filepath.Join(dir, "d")+": it can't be read") {
		t.Errorf("the plan ends with %d:\n%s", code, out)
	}
}
