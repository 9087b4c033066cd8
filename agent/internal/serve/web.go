package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/netutil"

	"buzon/agent/internal/locale"
)

// Bounds of who asks, and how often an address that is taken is tried again.
const (
	mostConnections = 16
	mostHeader      = 16 << 10
	askWithin       = 10 * time.Second
	answerWithin    = 30 * time.Second
	listenAgain     = 15 * time.Second
)

// Sources are what is shown at the local address. They are called from many goroutines.
type Sources struct {
	Health  Health
	Ready   func() bool // the gate is open
	Metrics http.Handler
	// Page writes the status page in a language; it needs nothing but the style that it holds itself.
	Page func(w io.Writer, lang string) error
}

// Web serves metrics, health and the status page at one address of this host, and goes on without it where the address
// can't be had.
type Web struct {
	handler http.Handler
	log     *slog.Logger
	changed chan struct{} // the address is another

	mu      sync.Mutex
	address string
	trouble error
	since   time.Time
}

// NewWeb makes one that serves once it has an address ([Web.Use]) and runs ([Web.Run]).
func NewWeb(s Sources, log *slog.Logger) *Web {
	return &Web{handler: s.handler(), log: log, changed: make(chan struct{}, 1)}
}

// Use changes the address: that of a loopback interface with a port, unix:/PATH, or "" for none.
func (w *Web) Use(address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.address == address {
		return
	}
	w.address = address
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// Trouble is why nothing is served though there is an address, and since when; nil while all is well.
func (w *Web) Trouble() (since time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.since, w.trouble
}

// Run serves until the context ends.
func (w *Web) Run(ctx context.Context) {
	for ctx.Err() == nil {
		w.mu.Lock()
		address := w.address
		w.mu.Unlock()
		var again <-chan time.Time
		if address == "" {
			w.note(address, nil)
		} else {
			l, err := listenLocally(address)
			w.note(address, err)
			if err == nil {
				err = w.serve(ctx, l)
			}
			if err == nil {
				continue
			}
			w.note(address, err)
			again = time.After(listenAgain)
		}
		select {
		case <-ctx.Done():
		case <-w.changed:
		case <-again:
		}
	}
}

// note keeps why nothing is served, or that it is, and says what is new.
func (w *Web) note(address string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.trouble
	switch w.trouble = err; {
	case err != nil && before == nil:
		w.since = time.Now()
		w.log.Warn("metrics and the status page can't be served; files are sent nevertheless", "listen", address, "error", err)
	case err == nil && before != nil && address != "":
		w.log.Info("metrics and the status page are served again", "listen", address)
	}
}

// serve answers until the context ends or the address changes; an error is the listener's.
func (w *Web) serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: w.handler, ReadHeaderTimeout: askWithin, ReadTimeout: askWithin, WriteTimeout: answerWithin, IdleTimeout: time.Minute,
		MaxHeaderBytes: mostHeader, ErrorLog: slog.NewLogLogger(w.log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(netutil.LimitListener(l, mostConnections)) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	case <-w.changed:
	}
	err := server.Close()
	if end := <-ended; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

// errNotLocal means that an address would be reached from outside; the configuration refuses it before.
var errNotLocal = errors.New("it is not an address of this host alone")

// listenLocally listens at a loopback address or a unix socket.
func listenLocally(address string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return listenUnix(path)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host == "localhost" { // whatever the names of this host say
		host = "127.0.0.1"
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return nil, errNotLocal
	}
	return net.Listen("tcp", net.JoinHostPort(host, port))
}

// listenUnix listens on a socket that the agent's user and group may use. One that a dead process left is replaced.
func listenUnix(path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		c, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, syscall.EADDRINUSE), c.Close())
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (s Sources) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.Metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if silent := s.Health.Silent(r.Context()); len(silent) > 0 {
			plain(w, http.StatusServiceUnavailable, "silent: "+strings.Join(silent, " "))
			return
		}
		plain(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.Ready() {
			plain(w, http.StatusServiceUnavailable, "gate")
			return
		}
		plain(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		lang := r.URL.Query().Get("lang")
		if !locale.Known(lang) {
			lang = locale.Preferred(r.Header.Get("Accept-Language"))
		}
		var page bytes.Buffer
		if err := s.Page(&page, lang); err != nil {
			plain(w, http.StatusServiceUnavailable, http.StatusText(http.StatusServiceUnavailable))
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Language", lang)
		h.Set("Vary", "Accept-Language")
		_, _ = w.Write(page.Bytes()) // who asked may have gone
	})
	return guarded(mux)
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n") // who asked may have gone
}

// guarded lets only those through who mean this host: a page of another site may send a browser here, under a name that
// it has led to this address. What is answered may do nothing but be looked at.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy",
			"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !meant(r) {
			plain(w, http.StatusForbidden, http.StatusText(http.StatusForbidden))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// meant says that a request comes from somebody who named this host, and from no page of another site. Browsers don't
// reach unix sockets: whoever passes requests on to one has decided who may.
func meant(r *http.Request) bool {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && a.Network() == "unix" {
		return true
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "none" && site != "same-origin" {
		return false
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
			return false
		}
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}
