package report

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/locale"
)

// In a real browser axe-core finds nothing in any page, none is wider than a phone,
// none asks for anything, in light and dark and as printed. BUZON_SHOTS names a folder
// that keeps the pictures.
func TestBrowserFindsNothing(t *testing.T) {
	browser := os.Getenv("BUZON_BROWSER")
	if browser == "" {
		t.Skip("SKIPPED: BUZON_BROWSER is not set; scripts/browser/make prints it")
	}
	dir := t.TempDir()
	args := []string{}
	if shots := os.Getenv("BUZON_SHOTS"); shots != "" {
		args = append(args, "-shots", shots)
	}
	eachAudit(t, func(t *testing.T, p *locale.Printer, r *audit.Report, texts map[string][]byte) {
		var b strings.Builder
		if err := AuditHTML(&b, p, r, texts); err != nil {
			t.Fatal(err)
		}
		name := strings.NewReplacer(" ", "-", "/", "-").Replace(filepath.Base(t.Name()))
		file := filepath.Join(dir, name+".html")
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	})
	if out, err := exec.Command(browser, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
