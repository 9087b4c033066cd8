package cli

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"buzon/agent/internal/locale"
	"buzon/agent/internal/send/courier"
	"buzon/agent/internal/serve"
	"buzon/scripts/load/s3server"
)

// asks is what asks the agent at its unix socket.
func (h *host) asks(path string) (code int, body string) {
	h.t.Helper()
	client := &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", h.file("http.sock"))
	}}}
	res, err := client.Get("http://agent" + path)
	if err != nil {
		return 0, ""
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, ""
	}
	_ = res.Body.Close() // read to its end
	return res.StatusCode, string(text)
}

// says waits until the agent answers so at its unix socket.
func (h *host) says(path string, code int, text string) {
	h.t.Helper()
	h.until(path+" says "+text, func() bool { c, body := h.asks(path); return c == code && strings.Contains(body, text) })
}

func TestRunServesWhatItDoes(t *testing.T) {
	h := newHost(t, s3server.Options{})
	h.start("listen: unix:" + h.file("http.sock") + "\nidentity:\n  on_problem: wait\n  expect: " + vm01 + "\n")
	h.files("out", "a.txt", "b.txt")
	h.says("/metrics", 200, "\nbuzon_files_total{outcome=\"sent\"} 2\n")
	h.says("/metrics", 200, "\nbuzon_delivery_duration_seconds_count 2\n")
	h.says("/metrics", 200, "\nbuzon_credential_state{state=\"passed\"} 1\n")
	h.says("/metrics", 200, "\nbuzon_credential_file_modified_timestamp_seconds ")
	h.says("/metrics", 200, "\nbuzon_state{state=\"idle\"} 1\n")
	h.says("/metrics", 200, "\nbuzon_gate_open 1\n")
	h.says("/healthz", 200, "ok")
	h.says("/readyz", 200, "ok")
	h.says("/?lang=es", 200, "En reposo")
	if _, body := h.asks("/metrics"); strings.Contains(body, "buzon_transmitted_bytes_total 0\n") {
		h.says("/metrics", 200, "\nbuzon_transmitted_bytes_total ")
	}
	if _, body := h.asks("/"); strings.Contains(body, "a.txt") || strings.Contains(body, h.home) {
		t.Errorf("the page names files or folders:\n%s", body)
	}
	// The gate shuts: it isn't ready, and it is alive.
	h.server.SetIdentities()
	h.files("out", "c.txt")
	h.says("/readyz", 503, "gate")
	h.says("/healthz", 200, "ok")
	h.says("/metrics", 200, "\nbuzon_problems{kind=\"gate\"} 1\n")
	h.says("/metrics", 200, "\nbuzon_credential_state{state=\"refused\"} 1\n")
	// A new configuration moves it away.
	h.settings("outboxes:\n  - path: " + h.file("out") + "\nidentity:\n  on_problem: wait\n")
	h.until("it listens no more", func() bool { _, err := os.Lstat(h.file("http.sock")); return err != nil })
}

func TestATakenPortIsAProblemAndFilesGoOn(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // it only took the port
	h := newHost(t, s3server.Options{})
	r := h.start("listen: " + taken.Addr().String() + "\n")
	h.files("out", "a.txt")
	h.until("the file arrives", h.arrived("a.txt"))
	h.until("it is told", func() bool { return strings.Contains(r.log(), "can't be served") })
	h.until("the status names it", func() bool {
		code, out, _ := h.run("en", "status", "--config", h.file("agent.yaml"))
		return code == 1 && strings.Contains(out, "listen: ") && strings.Contains(out, "address already in use") && strings.HasPrefix(out, "Idle")
	})
}

// TestTheMetricsNameWhatThereIs holds the endings that serve knows to the courier's, and every metric to its meaning in
// both languages.
func TestTheMetricsNameWhatThereIs(t *testing.T) {
	for _, lang := range locale.Languages {
		help := metricHelp(locale.Load(lang))
		for _, m := range serve.Described() {
			if text := help(m.Name); strings.HasPrefix(text, "[") {
				t.Errorf("%s: %s has no meaning", lang, m.Name)
			}
		}
	}
	if courier.Sent != "sent" {
		t.Errorf("serve measures the delivery of %q alone", "sent")
	}
}

// TestTheServedPageInABrowser opens the page of an agent that runs, with the headers that it is served with.
func TestTheServedPageInABrowser(t *testing.T) {
	browser := os.Getenv("BUZON_BROWSER")
	if browser == "" {
		t.Skip("SKIPPED: BUZON_BROWSER is not set; scripts/browser/make prints it")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	h := newHost(t, s3server.Options{})
	h.start("listen: " + address + "\n")
	h.files("out", "a.txt")
	h.until("the file arrives", h.arrived("a.txt"))
	h.until("it is served", func() bool {
		res, err := http.Get("http://" + address + "/healthz")
		return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
	})
	if out, err := exec.Command(browser, "http://"+address+"/?lang=en", "http://"+address+"/?lang=es").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
