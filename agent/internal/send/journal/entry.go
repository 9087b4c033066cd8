package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"buzon/agent/internal/send/receipt"
)

// RouteID names a [Route] in this journal. Zero is the route of imported receipts, whose path is the bucket, a NUL
// and the file's absolute path.
type RouteID uint16

// Imported is the route of receipts that were imported and whose files were not seen yet.
const Imported RouteID = 0

// Route is from where to where: files of one outbox that go to one prefix. Another bucket or prefix is another
// route, so that a change of configuration never takes a file as sent that is not there.
type Route struct {
	Endpoint string // "" for AWS
	Bucket   string
	Prefix   string
	Outbox   string // absolute path of the folder
}

// Identity is what tells one version of a file from another. Dev and Inode are zero where they are not known.
type Identity struct {
	Size  int64 // bytes
	Sec   int64 // modification time, seconds since 1970
	Nsec  int32
	Dev   uint64
	Inode uint64
	// Changed is the inode's change time, nanoseconds since 1970, as it was when the file was read; 0 where that is not
	// known. It tells nothing of a version: see [Identity.Same].
	Changed int64
}

// At returns the modification time in UTC.
func (id Identity) At() time.Time { return time.Unix(id.Sec, int64(id.Nsec)).UTC() }

// SameVersion says that size and modification time agree; the device and inode may differ after a move or a restore.
func (id Identity) SameVersion(other Identity) bool {
	return id.Size == other.Size && id.Sec == other.Sec && id.Nsec == other.Nsec
}

// Same says that all that is known on both sides agrees.
func (id Identity) Same(other Identity) bool {
	known := id.Inode != 0 && other.Inode != 0
	return id.SameVersion(other) && (!known || id.Inode == other.Inode)
}

// Multipart is an upload that was created and is not finished. Its parts are kept apart: see [Journal.Parts].
type Multipart struct {
	ID         string
	PartSize   int64 // bytes
	Completing bool  // a Complete may have left
}

// Part is one part that S3 has confirmed.
type Part struct {
	Number int32
	Size   int64 // bytes
	ETag   string
	CRC64  uint64
}

// Reason says why a file waits or is in quarantine. Code is one of the courier's reasons; the rest are its facts.
type Reason struct {
	Code   string
	Detail string
	At     int64 // nanoseconds since 1970
}

// Proof is what a receipt says besides the entry itself.
type Proof struct {
	CRC64     uint64
	SHA256    string
	ETag      string
	VersionID string
	Evidence  receipt.Evidence
	Echoed    bool
	SentAt    int64 // nanoseconds since 1970
	RequestID string
}

// Entry is one version of one file, and the intent to send it under one key.
type Entry struct {
	Seq   uint64 // order of acceptance; given by [Journal.Add]
	State State
	Route RouteID
	Path  string // inside the outbox; the bytes of its name, whatever they are
	Identity
	Added int64 // nanoseconds since 1970

	Key      string // the whole key; "" until the first attempt
	Attempts uint32 // requests for this key that were about to leave
	Tries    uint32 // answers that were this file's own fault
	// Attempting is set before a request that can create the object leaves, and cleared when its outcome is known.
	// An entry that is found with it set was being sent when the process died.
	Attempting bool
	// OutcomeUnknown means that an attempt at this key may have created the object and ended without a known answer.
	OutcomeUnknown bool
	// PreconditionFailed means that an attempt at this key was answered 412, or with the checksum of other bytes.
	PreconditionFailed bool
	// Conflict means that a 412 at one of its keys was not its own.
	Conflict bool
	// Suffixed means that the key carries the suffix of a conflict.
	Suffixed bool

	Multipart *Multipart
	Reason    Reason
	Proof     *Proof
}

// Receipt writes the entry's proof as a receipt; route is the entry's own.
func (e *Entry) Receipt(route Route) receipt.Receipt {
	bucket, source := route.Bucket, route.Outbox+"/"+e.Path
	if e.Route == Imported {
		bucket, source, _ = strings.Cut(e.Path, "\x00")
	}
	return receipt.Receipt{
		Schema: receipt.Schema, Bucket: bucket, Key: e.Key, Size: e.Size,
		CRC64NVME: receipt.FormatCRC(e.Proof.CRC64), SHA256: e.Proof.SHA256, ETag: e.Proof.ETag,
		VersionID: e.Proof.VersionID, Evidence: e.Proof.Evidence, Echoed: e.Proof.Echoed, SourcePath: source,
		MTime: clampYear(e.At()), SentAt: time.Unix(0, e.Proof.SentAt).UTC(), RequestID: e.Proof.RequestID,
	}
}

// clampYear keeps a time within what RFC 3339 can write; some file systems hold years beyond.
func clampYear(t time.Time) time.Time {
	switch {
	case t.Year() > 9999:
		return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	case t.Year() < 1:
		return time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)
	}
	return t
}

// fault says what keeps e from being saved in its state.
func (e *Entry) fault() error {
	switch e.State {
	case Pending:
		if e.Attempting {
			return errors.New("pending with a request on its way")
		}
	case Sending:
		if e.Key == "" || e.Attempts == 0 {
			return errors.New("sending without an attempt")
		}
	case Sent, Settled:
		if e.Proof == nil || e.Key == "" {
			return fmt.Errorf("%s without a receipt", e.State)
		}
	case Quarantined:
		if e.Reason.Code == "" {
			return errors.New("quarantined without a reason")
		}
	case none: // for what is not in the journal; an entry goes by [Journal.Forget]
		return errors.New("without a state")
	default:
		return fmt.Errorf("state %d is not known", e.State)
	}
	return nil
}

// The record on disk: a fixed header that commits read without decoding the rest, then the fields, then a CRC-32C of
// all before it, so that a flipped byte is damage and not another key.
//
//	format(1) state(1) flags(2) size(8) | fields | crc32c(4)
const (
	recordFormat = 2
	headLen      = 12
	tailLen      = 4
)

const (
	flagAttempting uint16 = 1 << iota
	flagUnknown
	flagPrecondition
	flagConflict
	flagSuffixed
	flagMultipart
	flagCompleting
	flagReason
	flagProof
	flagEchoed
	flagInferred
	flagChanged
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// flags packs what is yes or no.
func (e *Entry) flags() uint16 {
	var f uint16
	set := func(on bool, bit uint16) {
		if on {
			f |= bit
		}
	}
	set(e.Attempting, flagAttempting)
	set(e.OutcomeUnknown, flagUnknown)
	set(e.PreconditionFailed, flagPrecondition)
	set(e.Conflict, flagConflict)
	set(e.Suffixed, flagSuffixed)
	set(e.Multipart != nil, flagMultipart)
	set(e.Multipart != nil && e.Multipart.Completing, flagCompleting)
	set(e.Reason.Code != "", flagReason)
	set(e.Proof != nil, flagProof)
	set(e.Proof != nil && e.Proof.Echoed, flagEchoed)
	set(e.Proof != nil && e.Proof.Evidence == receipt.Inferred, flagInferred)
	set(e.Changed != 0, flagChanged)
	return f
}

// encode appends the record of e to b. The Seq is the record's key and not in it.
func (e *Entry) encode(b []byte) []byte {
	start := len(b)
	b = append(b, recordFormat, byte(e.State))
	b = binary.BigEndian.AppendUint16(b, e.flags())
	b = binary.BigEndian.AppendUint64(b, uint64(e.Size))
	b = binary.AppendUvarint(b, uint64(e.Route))
	b = appendText(b, e.Path)
	b = binary.AppendVarint(b, e.Sec)
	b = binary.AppendUvarint(b, uint64(e.Nsec))
	b = binary.AppendUvarint(b, e.Dev)
	b = binary.AppendUvarint(b, e.Inode)
	b = binary.AppendVarint(b, e.Added)
	b = appendText(b, e.Key)
	b = binary.AppendUvarint(b, uint64(e.Attempts))
	b = binary.AppendUvarint(b, uint64(e.Tries))
	if m := e.Multipart; m != nil {
		b = appendText(b, m.ID)
		b = binary.AppendUvarint(b, uint64(m.PartSize))
	}
	if e.Reason.Code != "" {
		b = appendText(b, e.Reason.Code)
		b = appendText(b, e.Reason.Detail)
		b = binary.AppendVarint(b, e.Reason.At)
	}
	if p := e.Proof; p != nil {
		b = binary.BigEndian.AppendUint64(b, p.CRC64)
		b = appendText(b, p.SHA256)
		b = appendText(b, p.ETag)
		b = appendText(b, p.VersionID)
		b = binary.AppendVarint(b, p.SentAt)
		b = appendText(b, p.RequestID)
	}
	if e.Changed != 0 {
		b = binary.AppendVarint(b, e.Changed)
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

var errRecord = errors.New("record is damaged")

// header is the part of a record that commits look at.
type header struct {
	state State
	flags uint16
	size  int64
}

func readHeader(rec []byte) (header, error) {
	if len(rec) < headLen+tailLen || rec[0] != recordFormat {
		return header{}, errRecord
	}
	return header{State(rec[1]), binary.BigEndian.Uint16(rec[2:]), int64(binary.BigEndian.Uint64(rec[4:]))}, nil
}

// decode reads the record of seq. The entry shares no memory with rec.
func decode(seq uint64, rec []byte) (*Entry, error) {
	if len(rec) < headLen+tailLen || rec[0] != recordFormat {
		return nil, errRecord
	}
	body := rec[:len(rec)-tailLen]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(rec[len(body):]) {
		return nil, errRecord
	}
	return decodeBody(seq, body)
}

func decodeBody(seq uint64, body []byte) (*Entry, error) {
	f := binary.BigEndian.Uint16(body[2:])
	r := fields{b: body[headLen:]}
	e := &Entry{
		Seq: seq, State: State(body[1]),
		Attempting: f&flagAttempting != 0, OutcomeUnknown: f&flagUnknown != 0, PreconditionFailed: f&flagPrecondition != 0,
		Conflict: f&flagConflict != 0, Suffixed: f&flagSuffixed != 0,
	}
	e.Size = int64(binary.BigEndian.Uint64(body[4:]))
	e.Route = RouteID(r.uint())
	e.Path = r.text()
	e.Sec = r.int()
	e.Nsec = int32(r.uint())
	e.Dev, e.Inode = r.uint(), r.uint()
	e.Added = r.int()
	e.Key = r.text()
	e.Attempts, e.Tries = uint32(r.uint()), uint32(r.uint())
	if f&flagMultipart != 0 {
		e.Multipart = &Multipart{ID: r.text(), PartSize: int64(r.uint()), Completing: f&flagCompleting != 0}
	}
	if f&flagReason != 0 {
		e.Reason = Reason{Code: r.text(), Detail: r.text(), At: r.int()}
	}
	if f&flagProof != 0 {
		p := &Proof{CRC64: r.fixed(), SHA256: r.text(), ETag: r.text(), VersionID: r.text(), SentAt: r.int(), RequestID: r.text()}
		p.Echoed, p.Evidence = f&flagEchoed != 0, receipt.Answered
		if f&flagInferred != 0 {
			p.Evidence = receipt.Inferred
		}
		e.Proof = p
	}
	if f&flagChanged != 0 {
		e.Changed = r.int()
	}
	if r.bad || len(r.b) != 0 {
		return nil, errRecord
	}
	return e, nil
}

// fields reads a record from the front; after the first fault it gives zeros and bad stays set.
type fields struct {
	b   []byte
	bad bool
}

func (r *fields) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	return v * r.step(n)
}

func (r *fields) int() int64 {
	v, n := binary.Varint(r.b)
	return v * int64(r.step(n))
}

// step moves on by n bytes; it is 1, or 0 when there were none.
func (r *fields) step(n int) uint64 {
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return 1
}

func (r *fields) text() string {
	n := r.uint()
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *fields) fixed() uint64 {
	if r.bad || len(r.b) < 8 {
		r.bad = true
		return 0
	}
	v := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

func encodePart(b []byte, p Part) []byte {
	start := len(b)
	b = binary.AppendUvarint(b, uint64(p.Size))
	b = appendText(b, p.ETag)
	b = binary.BigEndian.AppendUint64(b, p.CRC64)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func decodePart(number int32, rec []byte) (Part, error) {
	if len(rec) < tailLen || crc32.Checksum(rec[:len(rec)-tailLen], castagnoli) != binary.BigEndian.Uint32(rec[len(rec)-tailLen:]) {
		return Part{}, errRecord
	}
	r := fields{b: rec[:len(rec)-tailLen]}
	p := Part{Number: number, Size: int64(r.uint()), ETag: r.text(), CRC64: r.fixed()}
	if r.bad {
		return Part{}, errRecord
	}
	return p, nil
}
