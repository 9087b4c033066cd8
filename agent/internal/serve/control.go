// Package serve answers at local addresses while the agent runs.
//
// The control socket, STATE/control.sock, is for the same user alone (0600):
//
//	c, err := serve.Listen(state, serve.Handlers{Status: …, Retry: …, Receipts: …})
//	defer c.Close()
//
// Ask is its other side: `agent status`, `retry` and `receipts export` ask whoever runs, and open the journal
// themselves where nobody answers (ErrNobody).
//
// A Web shows Metrics, Health and a page at the address of `listen`, to this host alone and to whoever is on it: counts,
// never names of files. Health asks the agent's parts whether they come around; the watchdog is fed by it. No state of
// files is held here, and no file's content is ever shown.
package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Socket is the control socket's name in the state folder.
const Socket = "control.sock"

// Handlers do what is asked. They are called from many goroutines.
type Handlers struct {
	Status func() (any, error)               // what is encoded as JSON
	Retry  func(paths []string) (int, error) // absolute paths; none means all; how many left quarantine
	// Quarantine writes the files in quarantine, one a line.
	Quarantine func(ctx context.Context, w io.Writer) error
	// Receipts writes the receipts since a time, one a line.
	Receipts func(ctx context.Context, w io.Writer, since time.Time) error
	Log      *slog.Logger // of what goes wrong with the socket
}

// Control is a control socket that listens.
type Control struct {
	server *http.Server
	ended  chan struct{}
}

// Listen answers on the state folder's control socket until Close. The caller holds the journal of that folder, so
// that a socket which is there already is a dead process's.
func Listen(state string, h Handlers) (*Control, error) {
	path := filepath.Join(state, Socket)
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("control socket: %w", err)
		}
	}
	short, done, err := reachable(state)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	defer done()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	l.SetUnlinkOnClose(false) // its name may go through a descriptor that is closed by then
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), l.Close())
	}
	c := &Control{ended: make(chan struct{}), server: &http.Server{
		Handler: h.mux(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(h.Log.Handler(), slog.LevelWarn),
	}}
	go func() {
		defer close(c.ended)
		_ = c.server.Serve(l) // it ends with Close
		_ = os.Remove(path)   // best effort: the next who listens removes it too
	}()
	return c, nil
}

// Close stops answering; what is being answered gets a second.
func (c *Control) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := c.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = c.server.Close()
	}
	<-c.ended
	return err
}

// mostAsked bounds the body of a request.
const mostAsked = 16 << 20

func (h Handlers) mux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		v, err := h.Status()
		answer(w, v, err)
	})
	mux.HandleFunc("POST /retry", func(w http.ResponseWriter, r *http.Request) {
		var paths []string
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostAsked)).Decode(&paths); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		n, err := h.Retry(paths)
		answer(w, n, err)
	})
	mux.HandleFunc("GET /quarantine", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/jsonl")
		if err := h.Quarantine(r.Context(), w); err != nil {
			panic(http.ErrAbortHandler) // the asker sees that the answer is cut short
		}
	})
	mux.HandleFunc("GET /receipts", func(w http.ResponseWriter, r *http.Request) {
		var since time.Time
		if text := r.URL.Query().Get("since"); text != "" {
			var err error
			if since, err = time.Parse(time.RFC3339Nano, text); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		w.Header().Set("Content-Type", "application/jsonl")
		if err := h.Receipts(r.Context(), w, since); err != nil {
			panic(http.ErrAbortHandler) // the asker sees that the answer is cut short
		}
	})
	return mux
}

func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the asker may have gone
}

// reachable is a name for the socket that fits a socket's address, which takes some 100 bytes; done lets go of it.
func reachable(state string) (name string, done func(), err error) {
	path := filepath.Join(state, Socket)
	if len(path) < 100 {
		return path, func() {}, nil
	}
	dir, err := os.Open(state)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), Socket), func() { _ = dir.Close() }, nil
}

// ErrNobody means that nothing listens on the control socket.
var ErrNobody = errors.New("nothing runs on this state folder")

// Ask sends one request to whoever runs on a state folder. body is sent as JSON unless it is nil. The caller closes
// what is returned.
func Ask(ctx context.Context, state, method, path string, body any) (io.ReadCloser, error) {
	name, done, err := reachable(state)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNobody
	}
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	defer done()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", name)
	}}
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, sent)
	if err != nil {
		return nil, err
	}
	res, err := transport.RoundTrip(req)
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNobody
	case err != nil:
		return nil, fmt.Errorf("control socket: %w", err)
	case res.StatusCode != http.StatusOK:
		text, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
		return nil, errors.Join(fmt.Errorf("control socket: %s: %s", res.Status, text), res.Body.Close())
	}
	return res.Body, nil
}

// Answers tells whether an agent listens on the state folder, though it may take too long to answer.
func Answers(ctx context.Context, state string, limit time.Duration) bool {
	ctx, done := context.WithTimeout(ctx, limit)
	defer done()
	body, err := Ask(ctx, state, http.MethodGet, "/status", nil)
	if err == nil {
		err = body.Close()
	}
	return err == nil || errors.Is(err, context.DeadlineExceeded)
}

// AskJSON is Ask with the answer decoded into v.
func AskJSON(ctx context.Context, state, method, path string, body, v any) error {
	r, err := Ask(ctx, state, method, path, body)
	if err != nil {
		return err
	}
	return errors.Join(json.NewDecoder(r).Decode(v), r.Close())
}
