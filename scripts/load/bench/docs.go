package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The tables stand between these lines of a page.
const (
	tableBegins = "<!-- scripts/bench writes from here -->"
	tableEnds   = "<!-- to here -->"
)

// document puts the tables into the pages of both languages, and the plots beside them.
func (r *Results) document(docs string) error {
	for lang, l := range languages {
		page := filepath.Join(docs, lang, "performance.md")
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		before, rest, ok1 := strings.Cut(string(text), tableBegins)
		_, after, ok2 := strings.Cut(rest, tableEnds)
		if !ok1 || !ok2 {
			return fmt.Errorf("%s has no lines %q and %q", page, tableBegins, tableEnds)
		}
		text = []byte(before + tableBegins + "\n\n" + r.table(l) + "\n" + tableEnds + after)
		if err := os.WriteFile(page, text, 0o644); err != nil {
			return err
		}
	}
	plots := filepath.Join(docs, "plots")
	if err := os.MkdirAll(plots, 0o755); err != nil {
		return err
	}
	for name, plot := range r.plots() {
		if err := os.WriteFile(filepath.Join(plots, name), plot, 0o644); err != nil {
			return err
		}
	}
	return nil
}
