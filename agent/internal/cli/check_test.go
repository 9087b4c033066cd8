package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"buzon/agent/internal/locale"
	"buzon/scripts/load/s3server"
)

// host is a VM as check sees it: a home, an environment, and the small server
// that speaks S3's and STS's answers. Each case below is told by that server.
type host struct {
	t      *testing.T
	server *s3server.Server
	home   string
	flags  []string
}

const (
	inbox  = "inbox"
	prefix = "uploads/vm-01/"
	vm01   = "arn:aws:iam::111122223333:user/buzon/vm-01"
)

func newHost(t *testing.T, o s3server.Options) *host {
	t.Helper()
	o.Verify = true
	if o.Buckets == nil {
		o.Buckets = []s3server.Bucket{{Name: inbox, Versioned: true}}
	}
	if o.Allow == nil {
		o.Allow = s3server.WriteOnly(inbox, prefix)
	}
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "LC_") {
			t.Setenv(name, "")
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	h := &host{t: t, server: s3server.Start(t, o), home: t.TempDir()}
	for k, v := range map[string]string{
		"HOME": h.home, "CONFIGURATION_DIRECTORY": h.file("etc"), "AWS_ENDPOINT_URL": h.server.URL, "AWS_EC2_METADATA_DISABLED": "true", "LANG": "C",
		"AWS_SHARED_CREDENTIALS_FILE": h.file("credentials"), "AWS_CONFIG_FILE": h.file("config"),
	} {
		t.Setenv(k, v)
	}
	t.Cleanup(h.soundJournal)
	h.key(s3server.Uploader)
	h.settings("identity:\n  expect: " + vm01 + "\n")
	return h
}

func (h *host) file(name string) string { return filepath.Join(h.home, name) }

func (h *host) write(name, text string, mode os.FileMode) {
	h.t.Helper()
	if err := os.WriteFile(h.file(name), []byte(text), mode); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Chmod(h.file(name), mode); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) key(id s3server.Identity) {
	h.write("credentials", fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\n", id.AccessKey, id.Secret, id.Token), 0o600)
}

// settings writes the configuration; what is given comes on top of the usual.
func (h *host) settings(more string) {
	if !strings.Contains(more, "listen:") { // others on this machine may have the port
		more = "listen: \"\"\n" + more
	}
	h.write("agent.yaml", "bucket: "+inbox+"\nprefix: "+prefix+"\nregion: us-east-1\nstate: "+h.file("state")+"\n"+more, 0o644)
}

// run runs one command in process, at debug level.
func (h *host) run(lang string, args ...string) (code int, stdout, stderr string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute)
	defer cancel()
	var out, err bytes.Buffer
	all := append([]string{"--lang", lang, "--log-level", "debug"}, args...)
	code = Main(ctx, all, strings.NewReader(""), &out, &err, os.Environ())
	return code, out.String(), err.String()
}

func (h *host) check(lang string) (int, string, string) {
	return h.run(lang, append([]string{"check", "--config", h.file("agent.yaml")}, h.flags...)...)
}

func TestAWriteOnlyKeyPassesTheCheck(t *testing.T) {
	h := newHost(t, s3server.Options{})
	for _, lang := range locale.Languages {
		code, out, errs := h.check(lang)
		if code != 0 || strings.Contains(out, "✗") || strings.Contains(out, "!") {
			t.Errorf("%s: exit %d\n%s%s", lang, code, out, errs)
		}
	}
}

// What a machine reads is the same in both languages, but for the messages.
func TestTheCheckAsJSON(t *testing.T) {
	h := newHost(t, s3server.Options{Allow: alsoAllowed("s3:GetObjectTagging")})
	var first map[string]any
	for _, lang := range locale.Languages {
		code, out, errs := h.run(lang, "check", "--config", h.file("agent.yaml"), "--format", "json")
		var got map[string]any
		if err := json.Unmarshal([]byte(out), &got); err != nil || code != int(notPassed) {
			t.Fatalf("exit %d, %v\n%s%s", code, err, out, errs)
		}
		for _, c := range got["checks"].([]any) {
			if message, _ := c.(map[string]any)["message"].(string); message == "" {
				t.Errorf("%s: no message: %v", lang, c)
			}
			delete(c.(map[string]any), "message")
			delete(c.(map[string]any), "answered") // the canary stands the second time
			delete(c.(map[string]any), "outcome")
			if args, ok := c.(map[string]any)["args"].(map[string]any); ok {
				delete(args, "offset") // of the clocks, when each was asked
			}
		}
		delete(got, "generated")
		if first == nil {
			first = got
		}
		if !reflect.DeepEqual(got, first) {
			t.Errorf("%s differs:\n%v\n%v", lang, got, first)
		}
	}
	if first["schema"] != "buzon/check/v1" || first["passed"] != false || !reflect.DeepEqual(first["overpowered"], []any{"s3:GetObjectTagging"}) {
		t.Errorf("%v", first)
	}
	if who, _ := first["identity"].(map[string]any); who["arn"] != vm01 || who["account"] != "111122223333" {
		t.Errorf("identity: %v", who)
	}
	if from, _ := first["credentials"].(map[string]any); from["kind"] != "file" || from["key"] != "0001" || from["profile"] != "default" {
		t.Errorf("credentials: %v", from)
	}
}
