package client

import (
	"io"
	"math"
	"net"
	"sync"
	"time"
)

const (
	// stall is how long a peer may take no byte of a body before the connection counts as broken.
	stall = 45 * time.Second
	// piece is how much of a body is read, and leaves, at once. It fits into a core's first cache: with 64 KiB a large
	// file costs 40 % more.
	piece = 32 << 10
)

// Wire is a connection of the transport. A write that makes no progress breaks it: a peer that stops reading would hold
// a transfer for ever. And what belongs together can leave together: net/http sends the head of a request by itself
// unless its body is one of the standard library's own, so a small file would cost two system calls and two packets,
// over TLS two records on their way as well.
type Wire struct {
	net.Conn
	until time.Time // guarded by mu

	mu   sync.Mutex // over TLS, an answer to the peer's handshake messages may be written at any time
	want int        // as many held bytes leave together; 0: nothing is held back
	held []byte
}

// pieces are buffers of bodies that are being sent.
var pieces = sync.Pool{New: func() any { b := make([]byte, piece); return &b }}

// WireOf returns the wire below a connection, or nil.
func WireOf(c net.Conn) *Wire {
	for {
		switch layer := c.(type) {
		case *Wire:
			return layer
		case interface{ NetConn() net.Conn }: // TLS
			c = layer.NetConn()
		default:
			return nil
		}
	}
}

// Hold keeps what is written from now on until [Wire.Expect] tells how much follows it. It is for the head of a request
// whose body is at hand: no answer can come before.
func (w *Wire) Hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.want = math.MaxInt
}

// Expect lets what is held leave as soon as n more bytes were written behind it. Over TLS that is when about n bytes of
// content were: each record adds to them. Without [Wire.Hold] it does nothing.
func (w *Wire) Expect(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.want == math.MaxInt {
		w.want = len(w.held) + n
	}
}

// Write implements [net.Conn].
func (w *Wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.want == 0 {
		return w.send(p)
	}
	w.held = append(w.held, p...)
	if len(w.held) < min(w.want, piece) {
		return len(p), nil
	}
	_, err := w.send(w.held)
	w.held, w.want = w.held[:0], 0
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// ReadFrom implements [io.ReaderFrom]: it sends a body piece by piece, the first behind what is held.
func (w *Wire) ReadFrom(r io.Reader) (sum int64, err error) {
	block := pieces.Get().(*[]byte)
	defer pieces.Put(block)
	for {
		w.mu.Lock()
		head := copy(*block, w.held)
		w.mu.Unlock()
		n, err := r.Read((*block)[head:])
		if n > 0 {
			w.mu.Lock()
			_, failed := w.send((*block)[:head+n])
			w.held, w.want = w.held[:0], 0
			w.mu.Unlock()
			if failed != nil {
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

// send writes under a deadline; called with the lock held.
func (w *Wire) send(p []byte) (int, error) {
	// One deadline serves many writes; it is only moved when a third of it is used up.
	if now := time.Now(); w.until.Sub(now) < stall*2/3 {
		w.until = now.Add(stall)
		if err := w.SetWriteDeadline(w.until); err != nil {
			return 0, err
		}
	}
	return w.Conn.Write(p)
}
