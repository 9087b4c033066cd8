package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func load(t *testing.T, text string, flags map[string]string) (*Config, Errors) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Request{Path: path, Flags: flags})
	if err == nil {
		return c, nil
	}
	var faults Errors
	if !errors.As(err, &faults) || len(faults) == 0 {
		t.Fatalf("%v is not Errors", err)
	}
	return nil, faults
}

func TestASecretIsRefusedByItsNameAndPlace(t *testing.T) {
	const secret, keyID = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AKIAIOSFODNN7EXAMPLE"
	for _, c := range []struct {
		name, text   string
		key          string
		line, column int
	}{
		{"under its AWS name", "aws_secret_access_key: " + secret, "aws_secret_access_key", 1, 1},
		{"a key id under its name", "aws_access_key_id: " + keyID, "aws_access_key_id", 1, 1},
		{"among the identity", "identity:\n  secret_access_key: " + secret, "identity.secret_access_key", 2, 3},
		{"a session token", "identity:\n  session_token: " + secret, "identity.session_token", 2, 3},
		{"a password", "password: " + secret, "password", 1, 1},
		{"credentials in a block", "credentials:\n  id: x", "credentials", 1, 1},
		{"in an outbox", "outboxes:\n  - path: /srv/out\n    token: " + secret, "outboxes.token", 3, 5},
		{"a key id in another field", "identity:\n  profile: " + keyID, "identity.profile", 2, 12},
		{"a password in an address", "endpoint: https://user:" + secret[:8] + "@store.example", "endpoint", 1, 11},
		{"a key id in an outbox", "outboxes:\n  - path: /srv/" + keyID, "outboxes.path", 2, 11},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, faults := load(t, c.text+"\n", nil)
			i := slices.IndexFunc(faults, func(e *Error) bool { return e.Code == CodeSecret })
			if i < 0 {
				t.Fatalf("no fault of them is the secret: %v", faults)
			}
			e := faults[i]
			if e.Line != c.line || e.Column != c.column || !slices.Contains(e.Args, any(c.key)) {
				t.Errorf("%d:%d %v, want %d:%d %s", e.Line, e.Column, e.Args, c.line, c.column, c.key)
			}
			for _, e := range faults {
				if text := fmt.Sprint(e, e.Args); strings.Contains(text, secret[:8]) || strings.Contains(text, keyID) {
					t.Errorf("it is told: %s", text)
				}
			}
		})
	}
}

func TestASecretInAFlagIsRefusedByTheFlag(t *testing.T) {
	_, faults := load(t, "", map[string]string{"endpoint": "https://user:pass@store.example", "identity.profile": "ASIAIOSFODNN7EXAMPLE"})
	if len(faults) != 2 {
		t.Fatalf("%v", faults)
	}
	for _, e := range faults {
		if e.Code != CodeSecret || e.Flag == "" || strings.Contains(fmt.Sprint(e, e.Args), "pass@") || strings.Contains(fmt.Sprint(e, e.Args), "EXAMPLE") {
			t.Errorf("%s %v", e.Code, e)
		}
	}
}

func TestWhatOnlyLooksLikeASecretIsTaken(t *testing.T) {
	c, faults := load(t, "bucket: acme-uploads\nprefix: uploads/tokens/\nendpoint: https://store.example:9000\nkey: \"{path}\"\n", nil)
	if faults != nil || c.Prefix != "uploads/tokens/" {
		t.Errorf("%v", faults)
	}
}

// Whatever the file holds, it is read or refused, and every fault has its place.
func FuzzRead(f *testing.F) {
	f.Add([]byte("bucket: acme-uploads\nidentity: {profile: x}\noutboxes:\n  - path: /a\n    settle: move:/b\n"))
	f.Add([]byte("a: [\n"))
	f.Add([]byte("bucket: &x y\nprefix: *x\n"))
	f.Add([]byte("identity:\n\tprofile: x\n"))
	f.Add([]byte("? a\n: b\n--- \n..."))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &Config{from: map[string]Origin{}}
		for _, e := range c.read("agent.yaml", data) {
			if e.Code == "" || e.File != "agent.yaml" {
				t.Errorf("a fault without code or place: %+v", e)
			}
		}
	})
}
