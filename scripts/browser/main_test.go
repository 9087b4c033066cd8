package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const good = `<!DOCTYPE html><html lang="en"><head><title>t</title><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"></head>
<body><main><h1>Fine</h1><p>Nothing is wrong here.</p></main></body></html>`

// Each fault that is planted is found, and the page without them has none.
func TestFaultsAreFound(t *testing.T) {
	axe := os.Getenv("BUZON_AXE")
	if axe == "" {
		t.Skip("SKIPPED: BUZON_AXE names no axe-core; scripts/test sets it where Chromium and npm are")
	}
	bad := map[string]string{
		"color-contrast": `<p style="color: #999; background: #aaa">hard to read</p>`,
		"image-alt":      `<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">`,
		"asks for":       `<img alt="x" src="other.png">`,
		"pixels wide":    `<p style="width: 3000px">wide</p>`,
		"throws":         `<script>throw new Error("x")</script>`,
		"logs":           `<script>fetch("nowhere.json")</script>`,
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name+".html")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	faults, err := run(axe, dir, []string{write("good", good)})
	if err != nil || len(faults) > 0 {
		t.Fatalf("%v %q", err, faults)
	}
	for _, view := range []string{"light.png", "dark.png", "phone.png", "print.png", "print.pdf"} {
		if info, err := os.Stat(filepath.Join(dir, "good-"+view)); err != nil || info.Size() == 0 {
			t.Errorf("no picture %s: %v", view, err)
		}
	}
	for fault, planted := range bad {
		open := strings.Replace(good, "default-src 'none'; style-src 'unsafe-inline'", "img-src *", 1)
		faults, err := run(axe, "", []string{write("bad", strings.Replace(open, "</main>", planted+"</main>", 1))})
		if err != nil || !strings.Contains(strings.Join(faults, "\n"), fault) {
			t.Errorf("%s: %v %q", fault, err, faults)
		}
	}
}
