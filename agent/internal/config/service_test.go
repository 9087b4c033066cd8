package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTheServiceMayWriteWhereFilesAreTakenAway(t *testing.T) {
	c := &Config{State: "/data/state", from: map[string]Origin{"state": {Kind: FromFile}}, Listen: "unix:/run/buzon/http.sock", Outboxes: []Outbox{
		{Path: "/srv/kept", Settle: SettleKeep},
		{Path: "/srv/emptied", Settle: SettleDelete},
		{Path: "/srv/moved from 100%", Settle: SettleMove, MoveTo: "/srv/kept elsewhere"},
		{Path: "/home/ana/out", Settle: SettleKeep},
		{Path: "/tmp/a:b", Settle: SettleDelete},
	}}
	got := ServiceLines(c.Folders())
	want := []string{
		`ProtectHome=tmpfs`,
		`ReadWritePaths=-/srv/emptied`,
		`ReadWritePaths="-/srv/moved from 100%%"`,
		`BindReadOnlyPaths=-/home/ana/out`,
		`BindPaths="-/tmp/a\\:b"`,
		`ReadWritePaths="-/srv/kept elsewhere"`,
		`ReadWritePaths=-/data/state`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := ServiceLines((&Config{State: "/var/lib/buzon", Outboxes: []Outbox{{Path: "/srv/kept", Settle: SettleKeep}}}).Folders()); len(got) > 0 {
		t.Errorf("what is only read needs %q", got)
	}
}

// TestUnitPathsAreReadBack reads values as systemd does: quotes, escapes and specifiers.
func TestUnitPathsAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path := "/" + rapid.StringOf(rapid.OneOf(rapid.SampledFrom([]rune(` "'\%:;#-+=$~áñ日`)), rapid.Rune())).Draw(t, "path")
		if !InUnit(path) {
			return
		}
		value := unitPath(path)
		if words := unitWords(value); len(words) != 1 || words[0] != "-"+path {
			t.Fatalf("%q is written %s and read %q", path, value, words)
		}
	})
	for path, can := range map[string]bool{"/a b": true, "/a\nb": false, "/a\tb": false, "/a\xff": false, "/日本": true} {
		if InUnit(path) != can {
			t.Errorf("%q can stand in a unit: %t", path, !can)
		}
	}
}

// unitWords splits a value as systemd.syntax(7) says, and takes %% for a per cent sign.
func unitWords(value string) (words []string) {
	var word strings.Builder
	quote, escaped, open := rune(0), false, false
	for _, r := range value {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped, open = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, open = r, true
		case quote == 0 && strings.ContainsRune(" \t\n\r", r):
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if open {
		words = append(words, word.String())
	}
	for i, w := range words {
		words[i] = strings.ReplaceAll(w, "%%", "%")
	}
	return words
}

// TestSystemdTakesTheLines: systemd itself has nothing to say of them.
func TestSystemdTakesTheLines(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("SKIPPED: systemd-analyze is not installed")
	}
	var outboxes []Outbox
	for _, name := range []string{"plain", "two words", "100%", "%n %h", `quo"te's`, `back\slash`, "acentos áéí ñ", "日本", "semi;colon #hash", "a:b", "-dash", "$HOME", "~"} {
		outboxes = append(outboxes, Outbox{Path: "/srv/" + name, Settle: SettleDelete}, Outbox{Path: "/home/" + name, Settle: SettleDelete}, Outbox{Path: "/tmp/" + name, Settle: SettleKeep})
	}
	lines := ServiceLines((&Config{Outboxes: outboxes}).Folders())
	unit := filepath.Join(t.TempDir(), "try.service")
	write := func(more string) string {
		if err := os.WriteFile(unit, []byte("[Service]\nExecStart=/bin/true\n"+more+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
		if err != nil {
			t.Errorf("%v", err)
		}
		return string(out)
	}
	if out := write(strings.Join(lines, "\n")); out != "" {
		t.Errorf("systemd says of\n%s\n%s", strings.Join(lines, "\n"), out)
	}
	if out := write("ReadWritePaths=-srv/relative"); out == "" { // it does look
		t.Error("systemd takes a relative path")
	}
}
