package courier

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"os"
	"sync"

	"github.com/minio/crc64nvme"

	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/outbox"
)

// beginHere begins a task whose key needs its content read; without ok the outcome says why it can't be.
func (c *Courier) beginHere(t *task, f *os.File, was outbox.File) (o outcome, ok bool) {
	e := t.e
	if e.Key == "" {
		src := c.source(t)
		if t.box.tmpl.Content {
			sum, err := sumSHA(f, e.Size)
			if err != nil {
				return c.localFault(t, err), false
			}
			src.SHA256 = sum
		}
		key, err := t.box.tmpl.Key(c.set.Prefix, src)
		if err != nil {
			return outcome{result: nameBad, reason: c.reason(nameReason(err), "")}, false
		}
		e.Key = key
	}
	if t.toSuffix {
		sum, err := sumCRC(f, e.Size)
		if err == nil {
			err = outbox.Same(f, was) // before the key is another: it must be this version's
		}
		if err != nil {
			return c.localFault(t, err), false
		}
		newIntent(e, Suffixed(e.Key, e.Identity, sum))
		e.Suffixed, t.toSuffix = true, false
	}
	if err := outbox.Same(f, was); err != nil {
		return c.localFault(t, err), false
	}
	c.attempt(e)
	if err := c.Journal.Save(e); err != nil {
		c.stopWith(err)
		return outcome{result: broken}, false
	}
	t.begun = true
	return outcome{}, true
}

// newIntent gives an entry another key: what is known of attempts at the old one says nothing of it. The journal keeps
// that for whoever comes to the old one.
func newIntent(e *journal.Entry, key string) {
	e.Key, e.Attempts, e.Attempting, e.OutcomeUnknown, e.PreconditionFailed, e.Multipart = key, 0, false, false, false, nil
}

// attempt counts an attempt that is about to leave. That a request which creates the object may be about is said
// here for a single one, and by the recorder before the Complete of a multipart upload.
func (c *Courier) attempt(e *journal.Entry) {
	e.State = journal.Sending
	e.Attempts++
	sender, _, _ := c.gate.peek()
	e.Attempting = e.Multipart == nil && (sender == nil || sender.PartSize(e.Size) == 0)
	if e.Multipart != nil && e.Multipart.Completing {
		e.Attempting = true
	}
}

// source is what a task's key is made of, but for its content.
func (c *Courier) source(t *task) Source {
	return Source{Rel: t.e.Path, MTime: t.e.At(), Host: c.set.Host, Outbox: t.box.name}
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 128<<10); return &b }}

// sumCRC reads a file's first size bytes and returns their CRC-64/NVME.
func sumCRC(f io.ReaderAt, size int64) (uint64, error) {
	h := crc64nvme.New()
	err := sum(h, f, size)
	return h.Sum64(), err
}

// sumSHA reads a file's first size bytes and returns their SHA-256 in hex.
func sumSHA(f io.ReaderAt, size int64) (string, error) {
	h := sha256.New()
	err := sum(h, f, size)
	return hex.EncodeToString(h.Sum(nil)), err
}

func sum(h hash.Hash, f io.ReaderAt, size int64) error {
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	n, err := io.CopyBuffer(h, onlyReader{io.NewSectionReader(f, 0, size)}, *b)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// onlyReader hides WriteTo, which would not use the buffer.
type onlyReader struct{ io.Reader }
