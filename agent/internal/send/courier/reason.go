package courier

import (
	"errors"
	"strings"

	"buzon/agent/internal/client"
	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/upload"
)

// ReasonCode is why a file is in quarantine, or waits. The texts are in locale as courier.reason-CODE.
type ReasonCode string

// The closed set of reasons.
const (
	NameEncoding ReasonCode = "name-encoding" // the name is not UTF-8
	NameTooLong  ReasonCode = "name-too-long" // the key would be longer than 1,024 bytes
	NameReserved ReasonCode = "name-reserved" // the key would be under .buzon/
	NameEscapes  ReasonCode = "name-escapes"  // the key would have an empty part, or one that is . or ..
	Unreadable   ReasonCode = "unreadable"    // the file can't be opened or read; comes back by itself
	Conflict     ReasonCode = "conflict"      // another object stands at the key
	Denied       ReasonCode = "denied"        // AccessDenied, though the gate is passed
	Checksum     ReasonCode = "checksum"      // other bytes arrived than were sent, again and again
	Refused      ReasonCode = "refused"       // the store can't take this file
	Restarted    ReasonCode = "restarted"     // its upload vanished, or lost a race, again and again
	Unclear      ReasonCode = "unclear"       // an answer that has no meaning here, again and again
	Unanswered   ReasonCode = "unanswered"    // no success for now; not in quarantine, the next upload goes on
)

// Reasons lists them for the tests that hold the sentences to them.
var Reasons = [...]ReasonCode{
	NameEncoding, NameTooLong, NameReserved, NameEscapes, Unreadable, Conflict, Denied, Checksum, Refused, Restarted, Unclear, Unanswered,
}

// nameReason is the reason for a fault of a file's name.
func nameReason(err error) ReasonCode {
	switch {
	case errors.Is(err, errNameEncoding):
		return NameEncoding
	case errors.Is(err, errKeyTooLong):
		return NameTooLong
	case errors.Is(err, errKeyReserved):
		return NameReserved
	}
	return NameEscapes
}

// reasonOf is the reason for an answer that is a file's own fault.
func reasonOf(failed *upload.Error) ReasonCode {
	switch failed.Fault.Class {
	case client.AccessDenied:
		return Denied
	case client.Exists:
		return Conflict
	case client.Corrupt:
		return Checksum
	case client.Raced, client.NoUpload:
		return Restarted
	case client.File:
		if failed.Fault.Code == "unreadable" {
			return Unreadable
		}
		return Refused
	case client.Bucket:
		return Refused
	case client.Unknown, client.Transient, client.Throttled, client.Credential, client.Canceled,
		client.NotTheStore, client.StoreFull, client.Machine:
	}
	return Unclear
}

// detail is what S3 said, for the reason.
func detail(failed *upload.Error) string {
	f := failed.Fault
	if f.Code == "unreadable" {
		return failed.Unwrap().Error()
	}
	text := f.Said()
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "")
	}
	return text
}

// healsItself says that a file in quarantine comes back without anybody asking.
func healsItself(e *journal.Entry) bool { return e.Reason.Code == string(Unreadable) }
