// Package receipt holds what S3 answered for one sent object, as one JSON line (`buzon/receipt/v1`).
//
// A [Receipt] is written once, when the answer is durable in the journal, and never changed. [Writer] prints
// receipts one a line; [Reader] reads them back strictly: an unknown field, a missing one or a wrong schema is an
// [Error] with its line number, so that a damaged file is never half imported.
//
// The room does not promise that an object still exists, nor that an inferred receipt is true: that is what
// `agent receipts verify` asks the bucket.
package receipt

import (
	"encoding/base64"
	"encoding/binary"
	"time"
)

// Schema is the id in every line.
const Schema = "buzon/receipt/v1"

// Evidence says how it is known that the object stands.
type Evidence string

// The closed set of evidence.
const (
	// Answered means that S3 answered this very request with success.
	Answered Evidence = "answered"
	// Inferred means that an earlier request of the same intent ended without an answer, and a later one met an
	// object at the key (412). There is no ETag and no version id, and the local file is kept.
	Inferred Evidence = "inferred"
)

// Receipt is what is known of one sent object. Times are UTC.
type Receipt struct {
	Schema     string    `json:"schema"`
	Bucket     string    `json:"bucket"`
	Key        string    `json:"key"`
	Size       int64     `json:"size"`
	CRC64NVME  string    `json:"crc64nvme"` // base64 of 8 big-endian bytes, as S3 writes it
	SHA256     string    `json:"sha256,omitempty"`
	ETag       string    `json:"etag,omitempty"`
	VersionID  string    `json:"version_id,omitempty"`
	Evidence   Evidence  `json:"evidence"`
	Echoed     bool      `json:"echoed"` // the server repeated our checksum in its answer
	SourcePath string    `json:"source_path"`
	MTime      time.Time `json:"mtime"`
	SentAt     time.Time `json:"sent_at"`
	RequestID  string    `json:"request_id,omitempty"`
}

// FormatCRC writes a CRC-64/NVME as S3 does: base64 of its 8 big-endian bytes (S3 User Guide, "Checking object
// integrity for data uploads").
func FormatCRC(sum uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], sum)
	return base64.StdEncoding.EncodeToString(b[:])
}

// ParseCRC reads what [FormatCRC] writes; ok is false for anything else.
func ParseCRC(text string) (sum uint64, ok bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}
