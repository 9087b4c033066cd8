package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The instance's metadata service says itself why there are no credentials (W5). Its message is not quoted: what a source
// of secrets says may hold one.
func TestTheInstancesOwnCodeIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		roles, credentials func(http.ResponseWriter)
		want               Problem
		code               string
	}{
		"no role":       {roles: status(404), want: NoCredentials},
		"refused":       {roles: status(403), want: SourceFailed, code: "HTTP 403"},
		"a broken role": {roles: text("vm"), credentials: text(`{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume the role vm.","LastUpdated":"2026-01-01T00:00:00Z"}`), want: SourceFailed, code: "AssumeRoleUnauthorizedAccess"},
		"a page":        {roles: text("vm"), credentials: text("<html>login</html>"), want: SourceFailed, code: "rubbish"},
	} {
		t.Run(name, func(t *testing.T) {
			bare(t)
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodPut:
					w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "300")
					text("token")(w)
				case strings.HasSuffix(r.URL.Path, "/security-credentials/"):
					c.roles(w)
				default:
					c.credentials(w)
				}
			}))
			t.Cleanup(s.Close)
			t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
			t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", s.URL)
			t.Setenv("AWS_REGION", "us-east-1")
			_, err := Load(t.Context(), Settings{})
			var e *CredentialsError
			if !errors.As(err, &e) || e.Problem != c.want || c.code != "" && e.Code != c.code {
				t.Errorf("%v: %+v", err, e)
			}
		})
	}
}

func status(code int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.WriteHeader(code) }
}

func text(s string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { _, _ = w.Write([]byte(s)) }
}

// A program that answers and leaves a child with its output did not hang (F16).
func TestAChildThatHoldsTheOutputIsNamed(t *testing.T) {
	home := bare(t)
	write(t, filepath.Join(home, "config"), "[default]\ncredential_process = sh -c 'sleep 40 & echo {}'\n", 0o600)
	_, err := retrieve(t, "", 30*time.Second)
	var e *CredentialsError
	if !errors.As(err, &e) || e.Problem != ProcessChild {
		t.Errorf("%v", err)
	}
}

// Quotes around a program's path, and around its last argument, are the shell's (F15).
func TestACommandKeepsItsQuotes(t *testing.T) {
	answer := `{"Version":1,"AccessKeyId":"` + testID + `","SecretAccessKey":"` + testSecret + `"}`
	for _, written := range []string{`"%s" --flag "a b"`, `"%s"`, `'%s' 'a b'`, `"%s" "a b" # c`, `'%s'`, `"%s" --flag x`, `exec "%s" "a b"`} {
		home := bare(t)
		dir := filepath.Join(home, "my dir")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		program := filepath.Join(dir, "cp.sh")
		write(t, program, "#!/bin/sh\necho '"+answer+"'\n", 0o700)
		write(t, filepath.Join(home, "config"), "[default]\ncredential_process = "+strings.ReplaceAll(written, "%s", program)+"\n", 0o600)
		c, err := retrieve(t, "", 10*time.Second)
		if err != nil || c.Source.Key != "WXYZ" || c.Source.Owner == "" || c.Source.Mode != "0600" {
			t.Errorf("%s: %v, %+v", written, err, c)
		}
	}
}

// A file that is read again and again must be a regular one, and nothing waits for it (B9).
func TestNothingWaitsForAFileThatIsNone(t *testing.T) {
	for name, c := range map[string]struct {
		put  func(path string) error
		want string
	}{
		"a FIFO":     {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "special"},
		"a device":   {func(path string) error { return os.Symlink("/dev/zero", path) }, "special"},
		"a terminal": {func(path string) error { return os.Symlink("/dev/tty", path) }, ""},
		"a socket":   {func(path string) error { return syscall.Mknod(path, syscall.S_IFSOCK|0o600, 0) }, ""},
		"too large": {func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 100<<20))
		}, "size"},
	} {
		for _, file := range []string{"credentials", "config", "token"} {
			t.Run(name+" as "+file, func(t *testing.T) {
				home := bare(t)
				path := filepath.Join(home, file)
				if err := c.put(path); err != nil {
					t.Skip(err)
				}
				t.Setenv("AWS_REGION", "us-east-1")
				if file == "token" {
					t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", path)
					t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/r")
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				_, err := Load(ctx, Settings{})
				var e *CredentialsError
				if !errors.As(err, &e) || c.want != "" && (e.Problem != OddFile || e.Code != c.want) || e.File != path {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

func TestTheEmptyDeviceIsAnEmptyFile(t *testing.T) {
	bare(t)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_ACCESS_KEY_ID", testID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", testSecret)
	t.Setenv("AWS_REGION", "us-east-1")
	if _, err := Load(t.Context(), Settings{}); err != nil {
		t.Fatal(err)
	}
}

// The end of its context ends a Load, whatever it waits for (B9: SIGTERM).
func TestALoadEndsWithItsContext(t *testing.T) {
	home := bare(t)
	write(t, filepath.Join(home, "config"), "[default]\nregion = us-east-1\ncredential_process = trap '' TERM; sleep 600\n", 0o600)
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, err := Load(ctx, Settings{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestAnAddressIsKeptWithoutItsUser(t *testing.T) {
	for address, want := range map[string]string{
		"http://u:p@h:9000/": "http://h:9000", "https://u@h": "https://h", "http://h:9000": "http://h:9000", "http://u:a b@h": "http://h", "": "",
	} {
		if got := Store(address); got != want {
			t.Errorf("%s: %q", address, got)
		}
	}
}

func FuzzAnAddressTellsNoPassword(f *testing.F) {
	f.Add("http://u:secretsecret@h/")
	f.Add("http://h/?a=secretsecret@b")
	f.Add("0//u:secretsecret@0")
	f.Add("u:secretsecret@h")
	f.Fuzz(func(t *testing.T, address string) {
		if at := strings.Index(address, "@"); at > 0 && strings.Contains(address[:at], "//u:secretsecret") && strings.Contains(WithoutUser(address), "u:secretsecret@") {
			t.Errorf("%q: %q", address, WithoutUser(address))
		}
	})
}
