package client

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// stall is how long a peer may take no byte of a body before the connection counts as broken.
	stall = 45 * time.Second
	// silence is how long a peer may give no byte: until its answer begins or goes on, or between two requests.
	silence = 90 * time.Second
	// piece is how much of a body is read, and leaves, at once. It fits into a core's first cache: with 64 KiB a large
	// file costs 40 % more.
	piece = 32 << 10
)

// Wire is a connection of the transport. A peer that takes no byte, or gives none, would hold a transfer for ever: such
// a connection breaks. It does the work of http.Transport's ResponseHeaderTimeout and IdleConnTimeout too, which set
// two timers for each request.
type Wire struct {
	net.Conn

	mu    sync.Mutex // over TLS, an answer to the peer's handshake messages may be written at any time
	moved time.Time  // when the deadlines were moved
}

// newWire makes a wire of a connection that was just made.
func newWire(c net.Conn) (*Wire, error) {
	w := &Wire{Conn: c}
	if err := w.alive(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return w, nil
}

// pieces are buffers of bodies that are being sent.
var pieces = sync.Pool{New: func() any { b := make([]byte, piece); return &b }}

// Write implements [net.Conn].
func (w *Wire) Write(p []byte) (int, error) {
	if err := w.alive(); err != nil {
		return 0, err
	}
	return w.Conn.Write(p)
}

// Read implements [net.Conn].
func (w *Wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err == nil { // an answer may come in drops, as that to CompleteMultipartUpload does
		err = w.alive()
	}
	return n, err
}

// ReadFrom implements [io.ReaderFrom]: it sends a body piece by piece.
func (w *Wire) ReadFrom(r io.Reader) (sum int64, err error) {
	block := pieces.Get().(*[]byte)
	defer pieces.Put(block)
	for {
		n, err := r.Read(*block)
		if n > 0 {
			if _, failed := w.Write((*block)[:n]); failed != nil {
				return sum, failed
			}
			sum += int64(n)
		}
		switch {
		case err == io.EOF: //nolint:errorlint // as io.Copy does
			return sum, nil
		case err != nil:
			return sum, err
		}
	}
}

// alive moves the deadlines before a byte leaves, or after one came. They serve many: they are only moved when some
// time has passed.
func (w *Wire) alive() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if now.Sub(w.moved) < stall/3 {
		return nil
	}
	w.moved = now
	return errors.Join(w.SetWriteDeadline(now.Add(stall)), w.SetReadDeadline(now.Add(silence)))
}
