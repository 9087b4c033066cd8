package cli

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"buzon/scripts/load/s3server"
)

// systemd listens as systemd does, and returns what waits until it hears something.
func (h *host) systemd() (hear func(want string)) {
	h.t.Helper()
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: h.file("notify"), Net: "unixgram"})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = l.Close() }) // only read
	h.t.Setenv("NOTIFY_SOCKET", h.file("notify"))
	h.t.Setenv("WATCHDOG_USEC", "100000")
	h.t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	return func(want string) {
		h.t.Helper()
		buf := make([]byte, 4096)
		if err := l.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			h.t.Fatal(err)
		}
		for {
			n, err := l.Read(buf)
			if err != nil {
				h.t.Fatalf("systemd never hears %s: %v", want, err)
			}
			if strings.Contains(string(buf[:n]), want) {
				return
			}
		}
	}
}

func TestRunTellsSystemd(t *testing.T) {
	h := newHost(t, s3server.Options{})
	hear := h.systemd()
	r := h.start("")
	hear("READY=1")
	hear("WATCHDOG=1")
	hear("STATUS=Idle: nothing waits to be sent.")
	h.settings("outboxes:\n  - path: " + h.file("out") + "\n    quiet: 70ms\n")
	hear("RELOADING=1")
	hear("READY=1")
	hear("WATCHDOG=1")
	r.cancel()
	hear("STOPPING=1")
}

// TestNothingHoldsReadyBack: a gate that is shut, a store that nobody reaches, an outbox that isn't there. The watchdog
// is fed all the same, and the state says what is waited for.
func TestNothingHoldsReadyBack(t *testing.T) {
	for name, c := range map[string]struct{ more, says string }{
		"gate":   {"identity:\n  on_problem: wait\n  expect: arn:aws:iam::111122223333:user/buzon/another\n", "STATUS=Waiting since"},
		"store":  {"endpoint: http://127.0.0.1:1\nidentity:\n  on_problem: wait\n", "STATUS=Waiting since"},
		"outbox": {"", "an outbox is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, s3server.Options{})
			hear := h.systemd()
			outbox := h.file("out")
			if name != "outbox" {
				h.files("out", "a.txt")
			}
			h.settings("outboxes:\n  - path: " + outbox + "\n" + c.more)
			h.startAsIs()
			hear("READY=1")
			hear("WATCHDOG=1")
			hear(c.says)
		})
	}
}
