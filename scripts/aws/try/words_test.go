package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestBothLanguagesSayTheSame(t *testing.T) {
	for _, fault := range sentences.Faults() {
		t.Error(fault)
	}
}

// Every sentence is said, with all that it names; none is left over.
func TestEverySentenceIsSaid(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range sources {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	code := all.String()
	for id, text := range sentences["en"] {
		base := strings.TrimSuffix(id, "-about")
		computed := strings.HasPrefix(id, "exit-") && strings.Contains(code, `"exit-%d"`)
		if !computed && !strings.Contains(code, `"`+base+`"`) {
			t.Errorf("%s is never said", id)
		}
		for _, argument := range regexp.MustCompile(`(?:^|[^{])\{([a-z]+)\}`).FindAllStringSubmatch(text, -1) {
			if !strings.Contains(code, `"`+argument[1]+`", `) {
				t.Errorf("%s takes %s, which nobody gives", id, argument[1])
			}
		}
	}
	for _, call := range regexp.MustCompile(`(?:words|heading)\("([a-z-]+)"`).FindAllStringSubmatch(code, -1) {
		if sentences["en"][call[1]] == "" {
			t.Errorf("there is no sentence %s", call[1])
		}
	}
}
