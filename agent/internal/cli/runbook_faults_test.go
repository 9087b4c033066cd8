package cli

import (
	"net"
	"os"
	"strings"
	"testing"

	"buzon/agent/internal/locale"
	"buzon/scripts/load/s3server"
)

// TestTenFaultsLeadToTheRunbook provokes faults on an agent that runs, one after the other, and looks up in the runbook
// what is shown of each: in both languages the word that is shown is one of a heading, or of the table in which
// somebody looks for it.
func TestTenFaultsLeadToTheRunbook(t *testing.T) {
	h := newHost(t, s3server.Options{Allow: s3server.AdminOr(s3server.WriteOnly(inbox, prefix))})
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close() //nolint:errcheck // nothing was written
	h.files("out", "first.txt")
	good := "listen: " + port.Addr().String() + "\non_conflict: fail\nrescan: 1s\nidentity:\n  expect: " + vm01 + "\n  on_problem: wait\noutboxes:\n  - path: " + h.file("out") + "\n    quiet: 50ms\n"
	h.settings(good)
	r := h.startAsIs()
	h.until("the first file arrives", h.arrived("first.txt"))

	runbooks := map[string]string{}
	for _, lang := range locale.Languages {
		runbooks[lang] = read(t, "docs/"+lang+"/runbook.md")
	}
	// found holds that a command's words, in each language, lead into the runbook.
	found := func(what string, words [2]string, args ...string) {
		t.Helper()
		for i, lang := range locale.Languages {
			_, out, errs := h.run(lang, args...)
			if !strings.Contains(out+errs, words[i]) {
				t.Errorf("%s: %s isn't said:\n%s%s", what, words[i], out, errs)
			}
			leads := false
			for _, p := range parts(runbooks[lang]) {
				leads = leads || (strings.HasPrefix(p.kind, "#") || p.kind == "row") && strings.Contains(strings.ToLower(p.text), strings.ToLower(words[i]))
			}
			if !leads {
				t.Errorf("%s: no heading and no table of the runbook (%s) has %q", what, lang, words[i])
			}
		}
	}
	status := []string{"status", "--config", h.file("agent.yaml")}
	// kind provokes a problem that status names, holds that its name is a heading, and mends it.
	kind := func(name string, provoke, mend func()) {
		t.Helper()
		shown := func() bool {
			_, out, _ := h.run("en", append(status, "--format", "json")...)
			return strings.Contains(out, `"kind":"`+name+`"`) || strings.Contains(out, `"kind": "`+name+`"`)
		}
		provoke()
		h.until("status says "+name, shown)
		found(name, [2]string{name, name}, status...)
		mend()
		if name != "quarantine" && name != "listen" {
			h.until(name+" is over", func() bool { return !shown() })
		}
	}
	nothing := func() {}
	kind("listen", nothing, nothing)
	kind("outbox-missing", func() { rename(t, h.file("out"), h.file("away")) }, func() { rename(t, h.file("away"), h.file("out")) })
	kind("gate", func() { h.key(s3server.Identity{AccessKey: s3server.Uploader.AccessKey, Secret: "no-such-secret"}) }, func() { h.key(s3server.Uploader) })
	kind("gate", func() { h.key(s3server.Admin) }, func() { h.key(s3server.Uploader) })
	kind("quarantine", func() {
		h.server.Put(inbox, prefix+"taken.txt", []byte("somebody else's"))
		h.files("out", "taken.txt")
	}, nothing)
	found("a second agent", [2]string{"is in use by process", "ya usa la carpeta de estado"}, "run", "--config", h.file("agent.yaml"))
	r.cancel()
	r.stopped()
	h.files("out", "waits.txt")
	h.settings(good + "colour: blue\n")
	found("a wrong configuration", [2]string{"agent.yaml:", "agent.yaml:"}, "run", "--config", h.file("agent.yaml"))
	h.settings(good)
	found("nothing runs", [2]string{"not-running", "not-running"}, status...)
	if os.Geteuid() == 0 {
		if err := os.Chown(h.file("state"), 65534, -1); err != nil {
			t.Fatal(err)
		}
		found("somebody else's state folder", [2]string{"nobody else may use it", "nadie más puede usarla"}, "run", "--config", h.file("agent.yaml"))
		if err := os.Chown(h.file("state"), 0, -1); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(h.file("state/journal.db"), []byte(strings.Repeat("no journal ", 4096)), 0o600); err != nil {
		t.Fatal(err)
	}
	found("a damaged journal", [2]string{"damaged", "dañado"}, "run", "--config", h.file("agent.yaml"))
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
