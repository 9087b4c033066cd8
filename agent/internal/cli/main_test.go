package cli

import (
	"os"
	"testing"
)

// TestMain gives reports a screen on which every sentence is one line.
func TestMain(m *testing.M) {
	if err := os.Setenv("COLUMNS", "1000"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
