package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func handlers() Handlers {
	return Handlers{
		Status: func() (any, error) { return map[string]int{"pending": 3}, nil },
		Retry: func(paths []string) (int, error) {
			if slices.Contains(paths, "/broken") {
				return 0, errors.New("it is broken")
			}
			return len(paths), nil
		},
		Log: slog.New(slog.DiscardHandler),
		Quarantine: func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, "{\"path\":\"/a\"}\n")
			return err
		},
		Receipts: func(_ context.Context, w io.Writer, since time.Time) error {
			if since.Year() == 1999 {
				if _, err := io.WriteString(w, strings.Repeat("x", 1<<20)); err != nil {
					return err
				}
				return errors.New("cut short")
			}
			_, err := io.WriteString(w, since.UTC().Format(time.RFC3339)+"\n")
			return err
		},
	}
}

// folders are state folders whose socket's name fits a socket's address, and one whose name does not.
func folders(t *testing.T) []string {
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	return []string{t.TempDir(), long}
}

func TestTheControlSocketAnswers(t *testing.T) {
	for _, state := range folders(t) {
		c, err := Listen(state, handlers())
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(state, Socket))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the socket is %v (%v), want 0600", info, err)
		}
		var status map[string]int
		if err := AskJSON(t.Context(), state, "GET", "/status", nil, &status); err != nil || status["pending"] != 3 {
			t.Errorf("status %v (%v)", status, err)
		}
		var n int
		if err := AskJSON(t.Context(), state, "POST", "/retry", []string{"/a", "/b"}, &n); err != nil || n != 2 {
			t.Errorf("retry %d (%v)", n, err)
		}
		if err := AskJSON(t.Context(), state, "POST", "/retry", []string{"/broken"}, &n); err == nil || !strings.Contains(err.Error(), "it is broken") {
			t.Errorf("a handler's error is told as %v", err)
		}
		var aside map[string]string
		if err := AskJSON(t.Context(), state, "GET", "/quarantine", nil, &aside); err != nil || aside["path"] != "/a" {
			t.Errorf("quarantine %v (%v)", aside, err)
		}
		lines, err := Ask(t.Context(), state, "GET", "/receipts?since=2026-01-02T03:04:05Z", nil)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(lines); err != nil || string(text) != "2026-01-02T03:04:05Z\n" {
			t.Errorf("receipts %q (%v)", text, err)
		}
		_ = lines.Close() // read to its end
		lines, err = Ask(t.Context(), state, "GET", "/receipts?since=1999-01-01T00:00:00Z", nil)
		if err == nil {
			_, err = io.Copy(io.Discard, lines)
			_ = lines.Close() // it failed already
		}
		if err == nil {
			t.Error("receipts that were cut short look whole")
		}
		if _, err := Ask(t.Context(), state, "GET", "/receipts?since=yesterday", nil); err == nil {
			t.Error("a time that is none is taken")
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(filepath.Join(state, Socket)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is left behind: %v", err)
		}
		if err := AskJSON(t.Context(), state, "GET", "/status", nil, &status); !errors.Is(err, ErrNobody) {
			t.Errorf("with nobody listening: %v", err)
		}
	}
}

func TestADeadSocketIsTakenOver(t *testing.T) {
	state := t.TempDir()
	path := filepath.Join(state, Socket)
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false) // as a killed process leaves it
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Ask(t.Context(), state, "GET", "/status", nil); !errors.Is(err, ErrNobody) {
		t.Errorf("a dead socket answers %v", err)
	}
	c, err := Listen(state, handlers())
	if err != nil {
		t.Fatal(err)
	}
	var status map[string]int
	if err := AskJSON(t.Context(), state, "GET", "/status", nil, &status); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(state, handlers()); err == nil {
		t.Error("a file in its place is taken for a socket")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "mine" {
		t.Errorf("the file holds %q (%v)", text, err)
	}
}

// Whatever the server of the standard library has to say goes into the agent's own log, which may be JSON.
func TestTheServersOwnWordsAreInTheLog(t *testing.T) {
	var log strings.Builder
	var mu sync.Mutex
	h := handlers()
	h.Log = slog.New(slog.NewJSONHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(p)
	}), nil))
	h.Status = func() (any, error) { panic("a fault of the program") }
	state := t.TempDir()
	c, err := Listen(state, h)
	if err != nil {
		t.Fatal(err)
	}
	if err := AskJSON(t.Context(), state, "GET", "/status", nil, nil); err == nil {
		t.Error("it is answered")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	var line map[string]any
	if err := json.Unmarshal([]byte(log.String()), &line); err != nil || !strings.Contains(fmt.Sprint(line["msg"]), "a fault of the program") {
		t.Errorf("the log is %q (%v)", &log, err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
