package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"buzon/agent/internal/locale"
)

// packaged is the name of the program in packages: "agent" is a common one.
const packaged = "buzon-agent"

// WriteMan writes a manual page for each command into DIR/man1 (English) and
// DIR/es/man1 (Spanish), named as the package names the program, and the scripts of
// completion into DIR/completions. Their date is the one given, so that two builds
// of one commit are equal. It is called by the maker of packages alone.
func WriteMan(dir string, date time.Time) error {
	for lang, at := range map[string]string{"en": "man1", "es": "es/man1"} {
		folder := filepath.Join(dir, at)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("write manual pages: %w", err)
		}
		root := packagedRoot(lang)
		root.DisableAutoGenTag = true
		header := &doc.GenManHeader{Title: strings.ToUpper(packaged), Section: "1", Date: &date, Source: "Buzón " + Version(), Manual: "Buzón"}
		if err := doc.GenManTree(root, header, folder); err != nil {
			return fmt.Errorf("write manual pages: %w", err)
		}
	}
	return writeCompletions(filepath.Join(dir, "completions"))
}

// packagedRoot is the command line under the package's name, in a language; it runs
// nothing.
func packagedRoot(lang string) *cobra.Command {
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, getenv: lookup(nil), secrets: newSecrets()}
	a.words = locale.Load(lang)
	root := newRoot(a, nil)
	root.Use = packaged
	return root
}

func writeCompletions(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write completions: %w", err)
	}
	root := packagedRoot("en")
	bash := filepath.Join(dir, packaged+".bash")
	for _, err := range []error{
		root.GenBashCompletionFileV2(bash, true),
		root.GenZshCompletionFile(filepath.Join(dir, "_"+packaged)),
		root.GenFishCompletionFile(filepath.Join(dir, packaged+".fish"), true),
	} {
		if err != nil {
			return fmt.Errorf("write completions: %w", err)
		}
	}
	// The short name, where it is ours, is completed alike.
	f, err := os.OpenFile(bash, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write completions: %w", err)
	}
	_, err = fmt.Fprintf(f, "complete -o default -o nospace -F __start_%s agent\n", packaged)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
