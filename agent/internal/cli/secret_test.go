package cli

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"buzon/agent/internal/client"
	"buzon/agent/internal/locale"
	"buzon/scripts/load/s3server"
)

// The secrets of all tests here, long enough and of such letters that every
// spelling of them is another.
const (
	theSecret     = "kAnArY/0f+ThE/sEcReT+kEy==/zYxWvUtS/98765"
	wrongSecret   = "kAnArY/0f+ThE/wRoNg+kEy==/aBcDeFgHi/12345"
	sessionSecret = "kAnArY/0f+tHe/sEsSiOn+KeY=/qPwOeIrU/24680"
	sessionToken  = "kAnArY/0f+tHe/ToKeN+ToKeN=/mNbVcXzA/13579/kAnArY"
	password      = "kAnArY-0f_tHe-PaSsWoRd_0f-ThE-pRoXy"
)

// The server's uploader holds it too.
func init() { s3server.Uploader.Secret = theSecret }

// tellings are the ways in which a secret could be told: whole or by halves;
// raw, URL-encoded, in base64, in hex. They are written out again here, and
// not taken from the code that hides them.
func tellings(secret string) (all []string) {
	half := len(secret) / 2
	for _, s := range []string{secret, secret[:half], secret[half:]} {
		all = append(all, s, url.QueryEscape(s), url.PathEscape(s), hex.EncodeToString([]byte(s)))
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for shift := range 3 { // as it would look inside something longer
				text := encoding.EncodeToString([]byte("xyz"[:shift] + s))
				all = append(all, text[(shift*8+5)/6:len(text)-2])
			}
		}
	}
	return all
}

var never = slices.Concat(tellings(theSecret), tellings(wrongSecret), tellings(sessionSecret), tellings(sessionToken), tellings(password))

// mustNotTell fails where a text holds a secret.
func mustNotTell(t *testing.T, what, text string) {
	t.Helper()
	for _, s := range never {
		if strings.Contains(text, s) {
			t.Errorf("%s tells a secret (%s):\n%s", what, s, text)
			return
		}
	}
}

func TestWhatMustNotTellCanTell(t *testing.T) {
	for _, text := range []string{theSecret, "x" + theSecret[:len(theSecret)/2] + "y", url.QueryEscape(sessionToken),
		base64.StdEncoding.EncodeToString([]byte("user:" + theSecret)), base64.URLEncoding.EncodeToString([]byte(theSecret + "tail"))} {
		if !slices.ContainsFunc(never, func(s string) bool { return strings.Contains(text, s) }) {
			t.Errorf("%s would pass", text)
		}
	}
}

// tellNothing looks into every file of the host but those that hold the
// secrets by right.
func (h *host) tellNothing() {
	h.t.Helper()
	err := filepath.WalkDir(h.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || slices.Contains([]string{"credentials", "config", "agent.yaml", "give", "token"}, d.Name()) || strings.Contains(path, "/sso/cache/") {
			return err
		}
		text, err := os.ReadFile(path)
		mustNotTell(h.t, path, string(text))
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// commands are all that a host can be asked, for the commands that exist.
func (h *host) commands() [][]string {
	file := h.file("agent.yaml")
	all := map[string][][]string{
		"check":        {{"check", "--config", file}, {"check", "--config", file, "--format", "json"}},
		"upload":       {{"upload", "--config", file, h.file("out")}, {"upload", "--config", file, "--dry-run", h.file("out")}},
		"run":          {{"run", "--config", file}},
		"status":       {{"status", "--config", file}, {"status", "--config", file, "--format", "json"}},
		"retry":        {{"retry", "--config", file}},
		"receipts":     {{"receipts", "export", "--config", file}, {"receipts", "verify", "--config", file, "--receipts", "-", "--profile", "default"}},
		"config":       {{"config", "show", "--config", file}, {"config", "validate", "--config", file}, {"config", "init"}},
		"audit-policy": {{"audit-policy", "--config", file, "--user", "vm-01"}, {"audit-policy", "--config", file, "--user", "vm-01", "--format", "json"}},
		"version":      {{"version"}},
		"completion":   {{"completion", "bash"}},
		"help":         {{"help"}},
	}
	var list [][]string
	for _, c := range newRoot(&app{words: locale.Load("en"), getenv: os.Getenv}, nil).Commands() {
		calls, ok := all[c.Name()]
		if !ok && !c.Hidden {
			h.t.Errorf("nobody tries whether %s tells secrets", c.Name())
		}
		list = append(list, calls...)
	}
	return list
}

// long tries everything with everything; otherwise samples are taken.
func long() bool { return os.Getenv("BUZON_TEST") == "long" }

// runShortly is run for a command that may go on for ever.
func (h *host) runShortly(args ...string) (stdout, stderr string) {
	h.t.Helper()
	within := 3 * time.Second
	if args[0] == "run" {
		within = 150 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), within)
	defer cancel()
	var out, err strings.Builder
	// Without the second line, or nobody would see that the first does not hold.
	second := newSecrets
	newSecrets = func() *client.Secrets { return nil }
	defer func() { newSecrets = second }()
	Main(ctx, append([]string{"--log-level", "debug", "--log-format", "json"}, args...), strings.NewReader(""), &out, &err, os.Environ())
	return out.String(), err.String()
}

// asksAll runs every command at debug level and looks for secrets in what it
// says and leaves.
func (h *host) asksAll() {
	h.t.Helper()
	for _, args := range h.commands() {
		if !long() && !slices.Contains([]string{"check", "upload", "run", "config"}, args[0]) {
			continue
		}
		out, errs := h.runShortly(args...)
		mustNotTell(h.t, strings.Join(args[:min(2, len(args))], " "), out+errs)
	}
	h.tellNothing()
}

func TestNoCommandTellsASecretWhateverFails(t *testing.T) {
	for i, c := range refused {
		if !long() && i%8 != 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, c.server)
			h.t.Setenv("AWS_MAX_ATTEMPTS", "1")
			h.files("out", "file.txt")
			if c.host != nil {
				c.host(h)
			}
			h.asksAll()
		})
	}
}

func TestNoCommandTellsASecretWhateverIsAnswered(t *testing.T) {
	for i, name := range s3server.Names {
		if name == s3server.Timeout || name == s3server.Hang { // no answer tells nothing
			continue
		}
		if !long() && i%8 != 4 {
			continue
		}
		t.Run(string(name), func(t *testing.T) {
			h := newHost(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
				if c.Key == "" || c.Nth%2 == 0 { // so that some things succeed
					return s3server.Fault{}
				}
				return s3server.Fault{Name: name}
			}})
			h.t.Setenv("AWS_MAX_ATTEMPTS", "1")
			h.files("out", "file.txt")
			h.settings("outboxes:\n  - path: " + h.file("out") + "\n    quiet: 1ms\n")
			h.asksAll()
		})
	}
}

// secretSources are the ways in which a secret can come to the agent. Each leaves
// nothing in the credentials file.
var secretSources = []struct {
	name string
	kind string // as check names it; "" if it gives no credentials
	host func(*host)
}{
	{"environment", "environment", func(h *host) {
		h.t.Setenv("AWS_ACCESS_KEY_ID", session.AccessKey)
		h.t.Setenv("AWS_SECRET_ACCESS_KEY", session.Secret)
		h.t.Setenv("AWS_SESSION_TOKEN", session.Token)
	}},
	{"the config file", "file", func(h *host) {
		h.write("config", "[default]\naws_access_key_id = "+session.AccessKey+"\naws_secret_access_key = "+session.Secret+"\naws_session_token = "+session.Token+"\n", 0o600)
	}},
	{"credential_process", "process", func(h *host) {
		h.write("give", "cat /proc/$$/cmdline /proc/$PPID/cmdline >"+h.file("arguments")+"\necho "+session.Secret+" >&2\ncat <<END\n"+answered("Token")+"\nEND\n", 0o600)
		h.write("config", "[default]\ncredential_process = sh "+h.file("give")+"\n", 0o600)
	}},
	{"a container", "container", func(h *host) {
		s := giver(h.t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != sessionToken {
				w.WriteHeader(http.StatusUnauthorized)
			}
			fmt.Fprint(w, answered("Token"))
		})
		h.t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", s+"/creds")
		h.t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", sessionToken)
	}},
	{"an instance", "instance", func(h *host) {
		s := giver(h.t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/latest/api/token":
				w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60")
				fmt.Fprint(w, sessionToken)
			case "/latest/meta-data/iam/security-credentials/":
				fmt.Fprint(w, "vm-01")
			case "/latest/meta-data/iam/security-credentials/vm-01":
				fmt.Fprint(w, answered("Token"))
			default:
				w.WriteHeader(http.StatusNotFound)
			}
		})
		h.t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
		h.t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", s)
	}},
	{"single sign-on", "sso", func(h *host) {
		const start = "https://example.awsapps.com/start"
		s := giver(h.t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"roleCredentials":{"accessKeyId":%q,"secretAccessKey":%q,"sessionToken":%q,"expiration":%d}}`,
				session.AccessKey, session.Secret, session.Token, time.Now().Add(time.Hour).UnixMilli())
		})
		h.t.Setenv("AWS_ENDPOINT_URL_SSO", s)
		cache := h.file(".aws/sso/cache")
		if err := os.MkdirAll(cache, 0o700); err != nil {
			h.t.Fatal(err)
		}
		sum := sha1.Sum([]byte(start))
		h.write(".aws/sso/cache/"+hex.EncodeToString(sum[:])+".json",
			fmt.Sprintf(`{"accessToken":%q,"expiresAt":%q}`, sessionToken, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)), 0o600)
		h.write("config", "[default]\nsso_start_url = "+start+"\nsso_region = us-east-1\nsso_account_id = 111122223333\nsso_role_name = r\n", 0o600)
	}},
	{"a web identity", "web-identity", func(h *host) {
		s := giver(h.t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			form, _ := url.ParseQuery(string(body))
			if form.Get("Action") != "AssumeRoleWithWebIdentity" || form.Get("WebIdentityToken") != sessionToken {
				r.Body = io.NopCloser(bytes.NewReader(body))
				h.server.ServeHTTP(w, r)
				return
			}
			fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
				session.AccessKey, session.Secret, session.Token, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
		})
		h.write("token", sessionToken, 0o600)
		h.t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", h.file("token"))
		h.t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/vm-01")
		h.t.Setenv("AWS_REGION", "us-east-1")
		h.t.Setenv("AWS_ENDPOINT_URL_STS", s)
	}},
	{"a web identity that is refused", "", func(h *host) {
		h.write("token", sessionToken, 0o600)
		h.t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", h.file("token"))
		h.t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/vm-01")
		h.t.Setenv("AWS_REGION", "us-east-1")
	}},
	{"a container that answers rubbish", "", func(h *host) {
		s := giver(h.t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"code":"x","message":%q}`, sessionSecret)
		})
		h.t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", s+"/creds")
	}},
	{"the configuration, under its name", "", func(h *host) { h.settings("identity:\n  secret_access_key: " + theSecret + "\n") }},
	{"the configuration, beside its name", "", func(h *host) { h.settings("aws_session_token: " + sessionToken + "\n") }},
	{"the configuration, in an address", "", func(h *host) { h.settings("endpoint: https://user:" + password + "@127.0.0.1/\n") }},
	{"the configuration, in a line that is none", "", func(h *host) { h.settings("identity: { profile: default\n" + theSecret + "\n") }},
}

var session = s3server.Identity{ARN: "arn:aws:sts::111122223333:assumed-role/vm-01/s", AccessKey: "ASIASESSION000000001", Secret: sessionSecret, Token: sessionToken}

// answered is what the process, the container and the instance give.
func answered(token string) string {
	return fmt.Sprintf(`{"Version":1,"Code":"Success","Type":"AWS-HMAC","AccessKeyId":%q,"SecretAccessKey":%q,"SessionToken":%q,%q:%q,"Expiration":%q}`,
		session.AccessKey, session.Secret, session.Token, token, session.Token, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

func giver(t *testing.T, handler http.HandlerFunc) string {
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func TestNoCommandTellsASecretWhereverItComesFrom(t *testing.T) {
	for _, c := range secretSources {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, s3server.Options{})
			h.server.SetIdentities(session)
			if err := os.Remove(h.file("credentials")); err != nil {
				t.Fatal(err)
			}
			h.files("out", "file.txt")
			h.settings("")
			c.host(h)
			code, out, errs := h.check("en")
			if (code == 0) != (c.kind != "") {
				t.Fatalf("exit %d\n%s%s", code, out, errs)
			}
			if _, after, _ := strings.Cut(out, "✓ credentials"); c.kind != "" && !strings.HasPrefix(strings.TrimSpace(after), "The key …0001 comes from") {
				t.Errorf("the source is not named:\n%s", out)
			}
			_, out, _ = h.run("en", "check", "--config", h.file("agent.yaml"), "--format", "json")
			if c.kind != "" && !strings.Contains(out, `"kind": "`+c.kind+`"`) {
				t.Errorf("the source is not %s:\n%s", c.kind, out)
			}
			h.asksAll()
		})
	}
}

func TestNoRefusedFlagIsTold(t *testing.T) {
	h := newHost(t, s3server.Options{})
	for _, args := range [][]string{
		{"--endpoint", "https://user:" + password + "@127.0.0.1/"},
		{"--profile", "AKIAIOSFODNN7EXAMPLE"},
	} {
		code, out, errs := h.run("en", append([]string{"check", "--config", h.file("agent.yaml")}, args...)...)
		if code == 0 {
			t.Errorf("%v: exit %d", args, code)
		}
		mustNotTell(t, "check", out+errs)
		if strings.Contains(out+errs, "AKIAIOSFODNN7EXAMPLE") {
			t.Errorf("a key id is told:\n%s%s", out, errs)
		}
	}
}
