package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"buzon/scripts/load/s3server"
)

// checkThrough runs `agent check` behind a proxy that lets nothing through, and
// gives what it said and which hosts it wanted.
func checkThrough(t *testing.T, proxyUser, noProxy string, args ...string) (said string, wanted []string) {
	t.Helper()
	var mu sync.Mutex
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Contains(wanted, r.Host) {
			wanted = append(wanted, r.Host)
		}
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer proxy.Close()
	way := strings.Replace(proxy.URL, "http://", "http://"+proxyUser, 1)
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"check", "--log-level", "debug", "--bucket", bucket, "--prefix", prefix}, args...)...)
	cmd.Env = []string{asAgent + "=1", "HOME=" + home, "CONFIGURATION_DIRECTORY=" + home, "LANG=C", "COLUMNS=1000", "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1",
		"AWS_ACCESS_KEY_ID=AKIAUPLOADER00000001", "AWS_SECRET_ACCESS_KEY=uploader-secret", "HTTPS_PROXY=" + way, "HTTP_PROXY=" + way, "NO_PROXY=" + noProxy}
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("exit %d, %v\n%s", code, err, out)
	}
	mu.Lock()
	defer mu.Unlock()
	return strings.ReplaceAll(string(out), proxy.URL, "PROXY"), wanted
}

func TestSTSIsAskedInTheRegionOfTheBucket(t *testing.T) {
	said, wanted := checkThrough(t, "", "", "--region", "eu-west-1")
	if want := []string{"sts.eu-west-1.amazonaws.com:443", "s3.eu-west-1.amazonaws.com:443"}; !slices.Equal(wanted, want) {
		t.Errorf("it wanted %v\n%s", wanted, said)
	}
	for _, want := range []string{"✓ address      AWS, Region eu-west-1.", "✓ proxy        Through PROXY to https://s3.eu-west-1.amazonaws.com.", "✗ valid        Nobody answered"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said:\n%s", want, said)
		}
	}
}

func TestWithAnEndpointNothingGoesToAWS(t *testing.T) {
	said, wanted := checkThrough(t, "", "", "--region", "eu-west-1", "--endpoint", "http://store.example:9000")
	if !slices.Equal(wanted, []string{"store.example:9000"}) {
		t.Errorf("it wanted %v\n%s", wanted, said)
	}
}

func TestThePasswordOfAProxyIsNotTold(t *testing.T) {
	const password = "kAnArY0fThEpRoXy"
	said, _ := checkThrough(t, "user:"+password+"@", "", "--region", "eu-west-1")
	if strings.Contains(said, password) || strings.Contains(said, "dXNlcjpr") { // user:k in base64
		t.Errorf("it is told:\n%s", said)
	}
}

func TestNoProxyIsUsedForWhomItIsNotMeant(t *testing.T) {
	said, wanted := checkThrough(t, "", "elsewhere.example,store.invalid", "--region", "eu-west-1", "--endpoint", "http://store.invalid:9000")
	if len(wanted) > 0 || !strings.Contains(said, "✓ proxy        None is used: straight to http://store.invalid:9000") {
		t.Errorf("the proxy was asked for %v\n%s", wanted, said)
	}
}

// TestFilesGoThroughTheProxy sends to a store whose name only the proxy knows.
func TestFilesGoThroughTheProxy(t *testing.T) {
	v := newVM(t, s3server.Options{Verify: true}, "endpoint: http://store.invalid\n")
	var through atomic.Int64
	there, err := url.Parse(v.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		through.Add(1)
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = there.Scheme, there.Host, r.In.Host
	}})
	defer proxy.Close()
	v.write("small.txt", []byte("small"))
	v.write("large.bin", noise(1, 33<<20))
	v.environ = []string{"HTTP_PROXY=" + proxy.URL, "AWS_ENDPOINT_URL="}
	code, out := v.upload("")
	if code != 0 {
		t.Fatalf("%d\n%s", code, out)
	}
	v.exactlyOnce()
	if n := v.server.Stats().Requests; n == 0 || n != through.Load() {
		t.Errorf("%d of %d requests went through the proxy", through.Load(), n)
	}
}
