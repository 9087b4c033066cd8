package cli

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"buzon/agent/internal/config"
	"buzon/agent/internal/send/courier"
	"buzon/scripts/load/s3server"
)

// TestATemplateIsCheckedAtTheStart: what a key could not be made of is refused before anybody is asked.
func TestATemplateIsCheckedAtTheStart(t *testing.T) {
	h := newHost(t, s3server.Options{})
	dir := h.files("out", "a.txt")
	for _, text := range []string{"{bogus}", "{path", "path}", "{sha256:65}", "{sha256:0}", "{path:3}", "../{path}", "/{path}", "a/../{path}", ".buzon/{path}", "{}", strings.Repeat("x", 1030) + "{path}"} {
		for _, settings := range []string{"key: \"" + text + "\"\n", "outboxes:\n  - path: " + dir + "\n    key: \"" + text + "\"\n"} {
			h.settings(settings)
			for _, args := range [][]string{{"upload", dir}, {"run"}, {"check"}} {
				if settings[0] == 'k' && args[0] == "run" { // without an outbox there is another fault
					continue
				}
				code, _, errs := h.run("en", append([]string{args[0], "--config", h.file("agent.yaml")}, args[1:]...)...)
				if code != 2 || !strings.Contains(errs, "agent.yaml:") || !strings.Contains(errs, "key” can't be") {
					t.Errorf("%s with %q: %d\n%s", args[0], text, code, errs)
				}
			}
		}
	}
	if n := h.server.Stats().Requests; n > 0 {
		t.Errorf("%d requests were made", n)
	}
}

// TestConfigurationAndCourierReadTheSameTemplates: each reads them for itself, for neither room may know the other.
func TestConfigurationAndCourierReadTheSameTemplates(t *testing.T) {
	pieces := []string{"{path}", "{name}", "{ext}", "{host}", "{outbox}", "{yyyy}", "{mm}", "{dd}", "{hh}", "{sha256}", "{sha256:1}", "{sha256:64}",
		"{sha256:65}", "{sha256:x}", "{sha256:}", "{path:1}", "{", "}", "/", "//", ".", "..", "../", "./", ".buzon", ".buzon/", "x", "é", "\xff", " "}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 6).Draw(t, "pieces"), "")
		if _, err := courier.ParseTemplate(text); err != nil && config.CheckTemplate(text) == nil {
			t.Fatalf("%q passes the configuration, and the courier refuses it: %v", text, err)
		}
	})
}

// TestAKeyWithAnEmptyPartIsToldBeforeAnythingIsSent: the bucket's guard refuses it.
func TestAKeyWithAnEmptyPartIsToldBeforeAnythingIsSent(t *testing.T) {
	h := newHost(t, s3server.Options{})
	dir := h.files("out", "a.txt", "plain")
	config := h.file("agent.yaml")
	for text, empty := range map[string]bool{"{ext}/{name}": true, "{path}/{ext}": true, "x{ext}/{name}": false, "{path}": false} {
		h.settings("outboxes:\n  - path: " + dir + "\n    key: \"" + text + "\"\n")
		for _, args := range [][]string{{"config", "validate"}, {"check"}, {"check", "--format", "json"}} {
			code, out, errs := h.run("en", append(args, "--config", config)...)
			if code != 0 || strings.Contains(out+errs, "empty part") != empty {
				t.Errorf("%q: %v ends with %d\n%s%s", text, args, code, out, errs)
			}
			if len(args) == 3 {
				valid(t, "check", out)
			}
		}
		code, out, errs := h.run("en", "upload", "--dry-run", "--config", config, dir)
		if strings.Contains(out+errs, "empty part") != empty {
			t.Errorf("%q: the plan ends with %d\n%s%s", text, code, out, errs)
		}
	}
	h.settings("key: \"{ext}/{name}\"\n")
	if code, u, errs := h.uploadJSON(dir); code != 1 || u.Sent.Files != 1 || u.Quarantined != 1 {
		t.Errorf("upload ends with %d: %+v\n%s", code, u, errs)
	}
	h.holds(".txt/a", "a.txt")
}
