package upload

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"io"
	"strconv"
	"sync"

	"github.com/minio/crc64nvme"
	"golang.org/x/time/rate"
)

// body is what net/http reads a request from. It knows whether the last byte was handed over, and waits for
// net/http to let go of it: only then may the file be closed and the block be used again.
type body struct {
	ctx       context.Context
	phase     Phase
	file      io.ReaderAt
	at, end   int64 // what is left of the file
	unchanged func() error
	limiter   *rate.Limiter
	progress  func(int64)

	head, tail []byte // frame of aws-chunked around the content; nil without
	crc        uint64
	framed     bool // aws-chunked, with the checksum as a trailer

	mu     sync.Mutex
	over   chan struct{} // closed when net/http is done with it
	closed bool
	handed bool // the last byte was handed over
	err    *Error
}

const trailerName = "x-amz-checksum-crc64nvme"

// chunked frames a section of a file as one chunk with a trailing checksum; length is that of the whole.
func (b *body) chunked() (length int64) {
	size := b.end - b.at
	b.framed = true
	if size > 0 {
		b.head = append(strconv.AppendInt(b.head, size, 16), "\r\n"...)
		length = int64(len(b.head)) + size + 2
	}
	return length + int64(len("0\r\n"+trailerName+":\r\n\r\n")) + 12
}

// trailer ends the chunk and the body.
func (b *body) trailer(size int64) []byte {
	t := make([]byte, 0, 64)
	if size > 0 {
		t = append(t, "\r\n"...)
	}
	t = append(t, "0\r\n"+trailerName+":"...)
	t = append(t, encode(b.crc)...)
	return append(t, "\r\n\r\n"...)
}

// Read hands over the next bytes; those that complete the content only after the second look.
func (b *body) Read(p []byte) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, io.ErrClosedPipe
	case b.err != nil:
		return 0, b.err
	case len(p) == 0:
		return 0, nil
	}
	if len(b.head) > 0 {
		n = copy(p, b.head)
		b.head, p = b.head[n:], p[n:]
		if len(p) > page { // what follows is read in whole pages
			p = p[:len(p)&^(page-1)]
		}
	}
	if b.at < b.end && len(p) > 0 {
		m, err := b.content(p)
		n, p = n+m, p[m:]
		if err != nil {
			return n, err
		}
	}
	switch {
	case b.at < b.end || len(p) == 0:
		return n, nil
	case b.framed && b.tail == nil:
		return b.empty(p)
	case len(b.tail) > 0:
		m, err := b.end0(p)
		return n + m, err
	}
	b.handed = true
	return n, io.EOF
}

const page = 4 << 10

// slow is the most that is read at once where a limiter decides when it may leave: a server gives up on a body that
// stands still for long.
const slow = 16 << 10

func (b *body) content(p []byte) (int, error) {
	if left := b.end - b.at; int64(len(p)) > left {
		p = p[:left]
	}
	if b.limiter != nil && len(p) > slow {
		p = p[:slow]
	}
	n, err := b.file.ReadAt(p, b.at)
	if n < len(p) {
		if err == nil {
			err = io.ErrNoProgress
		}
		return 0, b.fail(unreadable(b.phase, err))
	}
	b.crc = crc64nvme.Update(b.crc, p)
	b.at += int64(n)
	if err := throttle(b.ctx, b.limiter, n); err != nil {
		return 0, b.fail(local(b.phase, err))
	}
	if b.at == b.end {
		if err := b.look(); err != nil {
			return 0, b.fail(changed(b.phase, err))
		}
		if b.framed {
			b.tail = b.trailer(1)
		} else {
			b.handed = true
		}
	}
	if b.progress != nil {
		b.progress(int64(n))
	}
	return n, nil
}

// empty begins the trailer of an empty file, which has no content to stand behind.
func (b *body) empty(p []byte) (int, error) {
	if err := b.look(); err != nil {
		return 0, b.fail(changed(b.phase, err))
	}
	b.tail = b.trailer(0)
	return b.end0(p)
}

func (b *body) end0(p []byte) (int, error) {
	n := copy(p, b.tail)
	b.tail = b.tail[n:]
	if len(b.tail) == 0 {
		b.tail = []byte{}
		b.handed = true
		return n, io.EOF
	}
	return n, nil
}

// again is the body from its beginning.
func (b *body) again(q request) *body {
	if b.progress != nil {
		b.progress(q.at - b.at) // takes back what was counted
	}
	n := &body{ctx: b.ctx, phase: b.phase, file: q.file, at: q.at, end: q.at + q.size, unchanged: q.unchanged,
		limiter: b.limiter, progress: b.progress, over: make(chan struct{})}
	if b.framed {
		n.chunked()
	}
	return n
}

func (b *body) look() error {
	if b.unchanged == nil {
		return nil
	}
	return b.unchanged()
}

func (b *body) fail(e *Error) error {
	b.err = e
	return e
}

// Close is net/http's; it may come after the answer.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		close(b.over)
	}
	return nil
}

// throttle waits for n bytes of a limiter whose burst may be less.
func throttle(ctx context.Context, l *rate.Limiter, n int) error {
	if l == nil {
		return nil
	}
	for burst := l.Burst(); n > 0; {
		step := min(n, burst)
		if err := l.WaitN(ctx, step); err != nil {
			return err
		}
		n -= step
	}
	return nil
}

// encode writes a checksum as S3 does: base64 of 8 big-endian bytes.
func encode(crc uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], crc)
	return base64.StdEncoding.EncodeToString(b[:])
}
