package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A command is one that a page tells its reader to type.
type command struct {
	heading string // that it stands under
	text    string // without the comment behind it
}

var aside = regexp.MustCompile(`\s{2,}#.*$`)

// commandsOf gives the commands of a page in their order: the lines of its blocks
// that are of no language.
func commandsOf(t *testing.T, page string) []command {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../docs", page))
	if err != nil {
		t.Fatal(err)
	}
	var all []command
	heading, block, open := "", "", ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			inside := block != ""
			if block = ""; !inside {
				block = line
			}
		case block == "```":
			if line, goesOn := strings.CutSuffix(aside.ReplaceAllString(line, ""), `\`); goesOn {
				open += line
			} else if open+line != "" {
				all = append(all, command{heading, open + strings.TrimSpace(line)})
				open = ""
			}
		case block == "" && strings.HasPrefix(line, "#"):
			heading = strings.TrimLeft(line, "# ")
		}
	}
	return all
}

func texts(commands []command) []string {
	var all []string
	for _, c := range commands {
		all = append(all, c.text)
	}
	return all
}

// What is tried of the English pages holds for the Spanish ones.
func TestBothLanguagesGiveTheSameCommands(t *testing.T) {
	words := strings.NewReplacer("NOMBRE", "NAME", "CARPETA", "FOLDER", "ARCHIVO", "FILE")
	for _, page := range []string{"deploying.md", "keyless.md"} {
		en, es := texts(commandsOf(t, "en/"+page)), texts(commandsOf(t, "es/"+page))
		for i, text := range es {
			es[i] = words.Replace(text)
		}
		if diff := cmp.Diff(en, es); diff != "" {
			t.Errorf("%s: %s", page, diff)
		}
		if len(en) == 0 {
			t.Errorf("%s has no commands: is it read right?", page)
		}
	}
}
