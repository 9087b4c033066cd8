package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"buzon/scripts/aws/localaws"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// asKeys makes the test binary be the program, for what only a process of its
// own shows: signals and the real standard output.
const asKeys = "BUZON_TEST_AS_KEYS"

func TestMain(m *testing.M) {
	if os.Getenv(asKeys) != "" {
		main()
		os.Exit(0)
	}
	code := m.Run()
	if local != nil {
		if err := errors.Join(local.Stop(), os.RemoveAll(local.Dir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// local is the local AWS that all tests share; each has users of its own.
var (
	local      *localaws.AWS
	startLocal = sync.OnceValue(func() error {
		dir, err := os.MkdirTemp("", "buzon-keys-")
		if err != nil {
			return err
		}
		local, err = localaws.Start(context.Background(), dir, io.Discard)
		if err != nil {
			return errors.Join(err, os.RemoveAll(dir))
		}
		return nil
	})
)

// A desk is a place to run the commands from: with the platform team's key,
// through a front door that can have faults.
type desk struct {
	*keys
	iam     *iam.Client // the platform's, past the front door
	said    *bytes.Buffer
	mu      sync.Mutex
	calls   []string // the actions that came by the front door
	trouble func(action string, nth int) fault
}

// fault is what the front door does with a request.
type fault int

const (
	passes   fault = iota
	refused        // 403, and the request is not passed on
	lost           // the request is passed on, and its answer lost
	unknown        // 403: the key isn't known yet
	usedByS3       // the answer of GetAccessKeyLastUsed that MiniStack has not
)

func newDesk(t *testing.T) *desk {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED with -short: the local AWS takes seconds")
	}
	if err := startLocal(); errors.Is(err, localaws.ErrNoPython) {
		t.Skipf("SKIPPED, the local AWS can't run here: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	for _, pair := range local.Env() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{said: &bytes.Buffer{}, iam: iam.NewFromConfig(cfg)}
	d.keys = &keys{out: io.Discard, log: d.said, pace: time.Millisecond}
	t.Setenv("AWS_ENDPOINT_URL", d.door(t))
	return d
}

// door is a reverse proxy before the local AWS.
func (d *desk) door(t *testing.T) string {
	t.Helper()
	to, err := url.Parse(local.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	client, err := local.HTTP()
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Transport: client.Transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // it is signed
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		form, _ := url.ParseQuery(string(body)) // what is no form has no action
		action := form.Get("Action")
		d.mu.Lock()
		d.calls = append(d.calls, action)
		nth := 0
		for _, c := range d.calls {
			if c == action {
				nth++
			}
		}
		does := passes
		if d.trouble != nil {
			does = d.trouble(action, nth)
		}
		d.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		switch does {
		case passes:
			proxy.ServeHTTP(w, r)
		case lost:
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case refused, unknown:
			code := map[fault]string{refused: "AccessDenied", unknown: "InvalidClientTokenId"}[does]
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>by the test</Message></Error></ErrorResponse>", code)
		case usedByS3:
			fmt.Fprintf(w, "<GetAccessKeyLastUsedResponse><GetAccessKeyLastUsedResult><AccessKeyLastUsed><LastUsedDate>%s</LastUsedDate>"+
				"<ServiceName>s3</ServiceName><Region>us-east-1</Region></AccessKeyLastUsed></GetAccessKeyLastUsedResult></GetAccessKeyLastUsedResponse>",
				time.Now().UTC().Format(time.RFC3339))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// on sets what the front door does with an action: the nth gives the nth of the
// faults, and later ones pass.
func (d *desk) on(action string, faults ...fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = nil
	d.trouble = func(a string, nth int) fault {
		if a == action && nth <= len(faults) {
			return faults[nth-1]
		}
		return passes
	}
}

func (d *desk) count(action string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, c := range d.calls {
		if c == action {
			n++
		}
	}
	return n
}

// uploader makes a user under the path, named after the test.
func (d *desk) uploader(t *testing.T, path string) string {
	t.Helper()
	return d.uploaderNamed(t, strings.ReplaceAll(t.Name(), "/", "."), path)
}

func (d *desk) uploaderNamed(t *testing.T, name, path string) string {
	t.Helper()
	if _, err := d.iam.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name, Path: &path}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		for _, key := range d.have(t, name) {
			if _, err := d.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &name, AccessKeyId: key.AccessKeyId}); err != nil {
				t.Error(err)
			}
		}
		if _, err := d.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: &name}); err != nil {
			t.Error(err)
		}
	})
	return name
}

// have gives the keys that IAM says a user has.
func (d *desk) have(t *testing.T, name string) []types.AccessKeyMetadata {
	t.Helper()
	list, err := d.iam.ListAccessKeys(context.WithoutCancel(t.Context()), &iam.ListAccessKeysInput{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return list.AccessKeyMetadata
}

// states gives the keys' states as "active, inactive", and their ids in the same
// order.
func (d *desk) states(t *testing.T, name string) string {
	t.Helper()
	var all []string
	for _, key := range d.have(t, name) {
		all = append(all, strings.ToLower(string(key.Status)))
	}
	return strings.Join(all, ", ")
}

// must runs a command that has to work.
func (d *desk) must(t *testing.T, args ...string) {
	t.Helper()
	if err := d.run(t.Context(), args); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
}

// fails runs a command that has to fail, and say something.
func (d *desk) fails(t *testing.T, says string, args ...string) {
	t.Helper()
	err := d.run(t.Context(), args)
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Fatalf("%q: %v\nwant an error that says %q", args, err, says)
	}
}

// whoami gives the ARN of the key in a credentials file.
func whoami(t *testing.T, file string) string {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithSharedCredentialsFiles([]string{file}), config.WithSharedConfigProfile("default"))
	if err != nil {
		t.Fatal(err)
	}
	// The platform's key in the environment would come before the file.
	shared, err := config.LoadSharedConfigProfile(t.Context(), "default", func(o *config.LoadSharedConfigOptions) {
		o.CredentialsFiles, o.ConfigFiles = []string{file}, []string{filepath.Join(t.TempDir(), "none")}
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return shared.Credentials, nil })
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(who.Arn)
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
