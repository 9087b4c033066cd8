package serve

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// sources is a page in each language, a part that may hang, and a gate that may shut.
func sources(ready *atomic.Bool, hung *atomic.Bool) Sources {
	return Sources{
		Health: Health{{"committer", func(context.Context) error {
			if hung.Load() {
				return errors.New("no answer")
			}
			return nil
		}}},
		Ready:   ready.Load,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics") }),
		Page: func(w io.Writer, lang string) error {
			if lang == "es" && hung.Load() {
				return errors.New("no status")
			}
			_, err := io.WriteString(w, "page in "+lang)
			return err
		},
	}
}

// ask makes a request as if it came to a loopback address.
func ask(h http.Handler, method, target string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "127.0.0.1:9783"
	for k, v := range header {
		if k == "Host" {
			r.Host = v
		}
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHealthAndReadinessAreTwo(t *testing.T) {
	var ready, hung atomic.Bool
	h := sources(&ready, &hung).handler()
	for _, c := range []struct {
		ready, hung      bool
		path             string
		code             int
		holds, holdsElse string
	}{
		{false, false, "/healthz", 200, "ok", ""}, // a shut gate is no reason to restart
		{false, false, "/readyz", 503, "gate", ""},
		{true, false, "/readyz", 200, "ok", ""},
		{true, true, "/healthz", 503, "committer", ""},
		{true, false, "/metrics", 200, "metrics", ""},
		{true, false, "/", 200, "page in en", ""},
		{true, true, "/?lang=es", 503, "Unavailable", "no status"},
		{true, false, "/else", 404, "", "page in"},
	} {
		ready.Store(c.ready)
		hung.Store(c.hung)
		w := ask(h, "GET", c.path, nil)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.holds) || c.holdsElse != "" && strings.Contains(w.Body.String(), c.holdsElse) {
			t.Errorf("%s with the gate open %t, hung %t: %d %s", c.path, c.ready, c.hung, w.Code, w.Body)
		}
	}
}

func TestThePageSpeaksTheReadersLanguage(t *testing.T) {
	var ready, hung atomic.Bool
	h := sources(&ready, &hung).handler()
	for _, c := range []struct{ target, accepts, lang string }{
		{"/", "", "en"}, {"/", "es-MX,es;q=0.9,en;q=0.8", "es"}, {"/", "fr;q=0.9, es;q=0.2", "es"}, {"/", "de", "en"}, {"/", ";;;", "en"},
		{"/?lang=es", "en", "es"}, {"/?lang=en", "es", "en"}, {"/?lang=xx", "es", "es"},
	} {
		w := ask(h, "GET", c.target, map[string]string{"Accept-Language": c.accepts})
		if w.Body.String() != "page in "+c.lang || w.Header().Get("Content-Language") != c.lang {
			t.Errorf("%s for %q: %s", c.target, c.accepts, w.Body)
		}
	}
}

// TestOnlyWhoMeansThisHostIsAnswered: a name that leads here is no name of this host, and no other site may look.
func TestOnlyWhoMeansThisHostIsAnswered(t *testing.T) {
	var ready, hung atomic.Bool
	h := sources(&ready, &hung).handler()
	for _, c := range []struct {
		method string
		header map[string]string
		code   int
	}{
		{"GET", nil, 200},
		{"GET", map[string]string{"Host": "localhost:8080"}, 200}, // forwarded by ssh
		{"GET", map[string]string{"Host": "LOCALHOST"}, 200},
		{"GET", map[string]string{"Host": "[::1]:9783"}, 200},
		{"GET", map[string]string{"Host": "::1"}, 200},
		{"GET", map[string]string{"Host": "127.9.9.9:1"}, 200},
		{"GET", map[string]string{"Host": "evil.example:9783"}, 403},
		{"GET", map[string]string{"Host": "127.0.0.1.evil.example"}, 403},
		{"GET", map[string]string{"Host": "localhost.evil.example"}, 403},
		{"GET", map[string]string{"Host": "10.0.0.1"}, 403},
		{"GET", map[string]string{"Host": ""}, 403},
		{"GET", map[string]string{"Sec-Fetch-Site": "none"}, 200},
		{"GET", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"GET", map[string]string{"Sec-Fetch-Site": "same-site"}, 403}, // another port of this host
		{"GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"GET", map[string]string{"Origin": "http://127.0.0.1:9783"}, 200},
		{"GET", map[string]string{"Origin": "https://evil.example"}, 403},
		{"GET", map[string]string{"Origin": "null"}, 403},
		{"HEAD", nil, 200},
		{"POST", nil, 405},
	} {
		for _, path := range []string{"/", "/metrics", "/healthz"} {
			w := ask(h, c.method, path, c.header)
			if w.Code != c.code {
				t.Errorf("%s %s %v: %d, want %d", c.method, path, c.header, w.Code, c.code)
			}
			if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "script") {
				t.Errorf("%s %s: the policy is %q", c.method, path, csp)
			}
			if w.Code == 403 && w.Body.String() != "Forbidden\n" {
				t.Errorf("who is refused is told %q", w.Body)
			}
		}
	}
}

// running is a Web that runs until the test ends.
func running(t *testing.T, address string) *Web {
	t.Helper()
	var ready, hung atomic.Bool
	w := NewWeb(sources(&ready, &hung), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	w.Use(address)
	go func() { defer close(ended); w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return w
}

// until waits for something to become true.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("it does not come to pass that %s", what)
		}
	}
}

func get(client *http.Client, url string) (string, bool) {
	res, err := client.Get(url)
	if err != nil {
		return "", false
	}
	text, err := io.ReadAll(res.Body)
	return string(text), errors.Join(err, res.Body.Close()) == nil && res.StatusCode == http.StatusOK
}

func TestATakenAddressIsTroubleAndNoEnd(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // it only took the port
	began := time.Now()
	w := running(t, taken.Addr().String())
	until(t, "the trouble is known", func() bool { _, err := w.Trouble(); return errors.Is(err, syscall.EADDRINUSE) })
	if since, _ := w.Trouble(); since.Before(began) || since.After(time.Now()) {
		t.Errorf("in trouble since %v", since)
	}
	// Another address is served at once.
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	w.Use(address)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	until(t, "the page is served", func() bool { text, ok := get(client, "http://"+address); return ok && text == "page in en" })
	if _, err := w.Trouble(); err != nil {
		t.Errorf("it is served, and in trouble: %v", err)
	}
	w.Use("")
	until(t, "it is off", func() bool { _, ok := get(client, "http://"+address); return !ok })
	if _, err := w.Trouble(); err != nil {
		t.Errorf("it is off, and in trouble: %v", err)
	}
}

func TestNothingIsServedToOtherHosts(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "10.0.0.1:0", "example.com:0", "127.0.0.1"} {
		if l, err := listenLocally(address); err == nil {
			t.Errorf("it listens at %s: %v", address, l.Close())
		}
	}
	l, err := listenLocally("localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		t.Errorf("localhost is %v", l.Addr())
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "http.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false) // as a killed process leaves it
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	w := running(t, "unix:"+path)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	until(t, "it is served under whatever name", func() bool {
		text, ok := get(client, "http://prometheus.example/metrics")
		return ok && text == "metrics"
	})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket is %v (%v), want 0660", info, err)
	}
	// One that somebody serves is left alone, and so is a file.
	if l, err := listenLocally("unix:" + path); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a socket in use: %v %v", l, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := listenLocally("unix:" + file); err == nil {
		t.Errorf("a file is taken for a socket: %v", l.Close())
	}
	if _, err := w.Trouble(); err != nil {
		t.Error(err)
	}
}

func TestTheHourOfThroughput(t *testing.T) {
	var sent Throughput
	start := time.Unix(1_800_000_000, 0).Truncate(time.Minute)
	if hour := sent.Hour(start); hour != [60]int64{} {
		t.Errorf("before anything: %v", hour)
	}
	sent.Add(start, 5)
	sent.Add(start.Add(59*time.Second), 6)
	sent.Add(start.Add(2*time.Minute), 7)
	sent.Add(start.Add(time.Minute), 1) // a clock that went back: it counts where time stood
	hour := sent.Hour(start.Add(2 * time.Minute))
	if hour[57] != 11 || hour[58] != 0 || hour[59] != 8 {
		t.Errorf("the last minutes: %v", hour[56:])
	}
	if hour := sent.Hour(start.Add(59 * time.Minute)); hour[0] != 11 || hour[2] != 8 {
		t.Errorf("the first minutes: %v", hour[:4])
	}
	if hour := sent.Hour(start.Add(60 * time.Minute)); hour[0] != 0 || hour[1] != 8 {
		t.Errorf("an hour later: %v", hour[:4])
	}
	if hour := sent.Hour(start.Add(24 * time.Hour)); hour != [60]int64{} {
		t.Errorf("a day later: %v", hour)
	}
}
