package receipt

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxLine is the longest line that is read: a key and a path of some kilobytes each, with room to spare.
const maxLine = 1 << 20

// Fault is what is wrong with a line.
type Fault string

// The closed set of faults.
const (
	NotJSON  Fault = "not-json"
	Unknown  Fault = "unknown-field"
	Schemata Fault = "schema"
	Missing  Fault = "missing"
	Invalid  Fault = "invalid"
	TooLong  Fault = "too-long"
)

// Error is one line that is not a receipt.
type Error struct {
	Line  int    // counted from 1
	Fault Fault  //
	Field string // the field that it is about, where there is one
	Err   error  // the decoder's own words, where there are any
}

func (e *Error) Error() string {
	text := fmt.Sprintf("line %d: %s", e.Line, e.Fault)
	if e.Field != "" {
		text += " " + e.Field
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Writer writes receipts one a line. It does not buffer.
type Writer struct{ enc *json.Encoder }

// NewWriter returns a writer on w.
func NewWriter(w io.Writer) *Writer {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &Writer{enc}
}

// Write writes one line.
func (w *Writer) Write(r *Receipt) error {
	line := *r
	line.Schema = Schema
	line.MTime, line.SentAt = line.MTime.UTC(), line.SentAt.UTC()
	if err := w.enc.Encode(&line); err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	return nil
}

// Reader reads receipts strictly, in the order of the lines. Empty lines are passed over.
type Reader struct {
	scan *bufio.Scanner
	line int
}

// NewReader returns a reader of r.
func NewReader(r io.Reader) *Reader {
	scan := bufio.NewScanner(r)
	scan.Buffer(make([]byte, 0, 64<<10), maxLine)
	return &Reader{scan: scan}
}

// Line is the number of the line that was read last.
func (r *Reader) Line() int { return r.line }

// Read returns the next receipt, io.EOF at the end, or an [*Error].
func (r *Reader) Read() (*Receipt, error) {
	for r.scan.Scan() {
		r.line++
		text := bytes.TrimSpace(r.scan.Bytes())
		if len(text) == 0 {
			continue
		}
		return r.parse(text)
	}
	if err := r.scan.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return nil, &Error{Line: r.line + 1, Fault: TooLong}
		}
		return nil, fmt.Errorf("read receipts: %w", err)
	}
	return nil, io.EOF
}

func (r *Reader) parse(text []byte) (*Receipt, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var got Receipt
	if err := dec.Decode(&got); err != nil {
		fault := NotJSON
		if strings.Contains(err.Error(), "unknown field") {
			fault = Unknown
		}
		return nil, &Error{Line: r.line, Fault: fault, Err: err}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, &Error{Line: r.line, Fault: NotJSON}
	}
	if fault, field := got.fault(); fault != "" {
		return nil, &Error{Line: r.line, Fault: fault, Field: field}
	}
	return &got, nil
}

// fault names the first thing that keeps r from being a receipt.
func (r *Receipt) fault() (Fault, string) {
	if r.Schema != Schema {
		return Schemata, r.Schema
	}
	for _, must := range []struct{ field, value string }{
		{"bucket", r.Bucket}, {"key", r.Key}, {"source_path", r.SourcePath}, {"crc64nvme", r.CRC64NVME},
	} {
		if must.value == "" {
			return Missing, must.field
		}
	}
	switch {
	case r.MTime.IsZero():
		return Missing, "mtime"
	case r.SentAt.IsZero():
		return Missing, "sent_at"
	case r.Size < 0:
		return Invalid, "size"
	case len(r.Key) > 1024 || !utf8.ValidString(r.Key):
		return Invalid, "key"
	case r.Evidence != Answered && r.Evidence != Inferred:
		return Invalid, "evidence"
	}
	if _, ok := ParseCRC(r.CRC64NVME); !ok {
		return Invalid, "crc64nvme"
	}
	return "", ""
}
