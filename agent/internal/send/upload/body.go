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
	request
	ctx context.Context
	end int64 // of the section; at is what comes next

	head, tail []byte // frame of aws-chunked around the content; nil without
	crc        uint64
	framed     bool // aws-chunked, with the checksum as a trailer

	mu       sync.Mutex
	done     chan struct{} // closed when net/http is done with it
	closed   bool
	bodySent bool // the last byte was handed over
	err      *Error
}

// newBody is the body of a request that is not small.
func newBody(ctx context.Context, q request) *body {
	return &body{request: q, ctx: ctx, end: q.at + q.size, done: make(chan struct{})}
}

const trailerName = "x-amz-checksum-crc64nvme"

// chunked frames a section of a file as one chunk with a trailing checksum; length is that of the whole.
func (b *body) chunked() (length int64) {
	b.framed = true
	b.head = append(strconv.AppendInt(b.head, b.size, 16), "\r\n"...)
	return int64(len(b.head)) + b.size + int64(len(beforeSum)+len(afterSum)) + 12
}

// What ends the chunk and the body, around the checksum.
const (
	beforeSum = "\r\n0\r\n" + trailerName + ":"
	afterSum  = "\r\n\r\n"
)

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
	case len(b.tail) > 0:
		m, err := b.readTrailer(p)
		return n + m, err
	}
	b.bodySent = true
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
			b.tail = []byte(beforeSum + encode(b.crc) + afterSum)
		} else {
			b.bodySent = true
		}
	}
	if b.progress != nil {
		b.progress(int64(n))
	}
	return n, nil
}

func (b *body) readTrailer(p []byte) (int, error) {
	n := copy(p, b.tail)
	b.tail = b.tail[n:]
	if len(b.tail) == 0 {
		b.tail = []byte{}
		b.bodySent = true
		return n, io.EOF
	}
	return n, nil
}

// again is the body from its beginning.
func (b *body) again() *body {
	q := b.request
	q.at = b.end - b.size
	if b.progress != nil {
		b.progress(q.at - b.at) // takes back what was counted
	}
	n := newBody(b.ctx, q)
	if b.framed {
		n.chunked()
	}
	return n
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
		close(b.done)
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
