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
	b := newBrowser(t)
	eachAudit(t, func(t *testing.T, p *locale.Printer, r *audit.Report, texts map[string][]byte) {
		var page strings.Builder
		if err := AuditHTML(&page, p, r, texts); err != nil {
			t.Fatal(err)
		}
		name := strings.NewReplacer(" ", "-", "/", "-").Replace(filepath.Base(t.Name()))
		b.add(t, name, page.String())
	})
	b.open(t)
}

// browser opens pages in Chromium.
type browser struct {
	program, dir string
	pages        []string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	program := os.Getenv("BUZON_BROWSER")
	if program == "" {
		t.Skip("SKIPPED: BUZON_BROWSER is not set; scripts/browser/make prints it")
	}
	return &browser{program: program, dir: t.TempDir()}
}

func (b *browser) add(t *testing.T, name, page string) {
	t.Helper()
	file := filepath.Join(b.dir, name+".html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	b.pages = append(b.pages, file)
}

func (b *browser) open(t *testing.T) {
	t.Helper()
	args := b.pages
	if shots := os.Getenv("BUZON_SHOTS"); shots != "" {
		args = append([]string{"-shots", shots}, b.pages...)
	}
	if out, err := exec.Command(b.program, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
