package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What init writes is a configuration in which only the places to fill in are wrong, and with every
// key taken out of its comment it still is one, with the same values.
func TestTheConfigurationToBeginWithIsOne(t *testing.T) {
	text := Start(func(e Explained) string { return "what " + e.Name + " means" })
	for _, e := range Explain() {
		last := e.Name[strings.LastIndex(e.Name, ".")+1:]
		if !regexp.MustCompile(`(?m)^ *(# |- )?` + last + `: \S`).MatchString(text) {
			t.Errorf("%s is not in it", e.Name)
		}
	}
	load := func(text string) (*Config, error) {
		path := filepath.Join(t.TempDir(), "agent.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return Load(Request{Path: path, Need: []string{"bucket", "prefix", "outboxes"}})
	}
	_, err := load(text)
	faults, _ := err.(Errors) //nolint:errorlint // it is what Load gives
	if len(faults) != 2 || faults[0].Code != CodePlaceholder || faults[1].Code != CodePlaceholder {
		t.Errorf("its faults are %v", err)
	}
	filled := strings.NewReplacer("CHANGE-ME/", "uploads/vm-01/", "CHANGE-ME", "acme-uploads").Replace(text)
	plain, err := load(filled)
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?m)^( *)# ([a-z_]+: )`).ReplaceAllString(filled, "$1$2")
	full, err := load(all)
	if err != nil {
		t.Fatalf("%v\n%s", err, all)
	}
	values := map[string]string{}
	for _, l := range plain.Lines() {
		values[l.Key] = l.Text
	}
	for _, l := range full.Lines() {
		if l.Key != "" && examples[l.Key] == "" && l.Text != values[l.Key] {
			t.Errorf("%s is not its default, %s", l.Text, values[l.Key])
		}
	}
}
