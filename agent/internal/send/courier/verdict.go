package courier

import "buzon/agent/internal/send/journal"

// verdict is what a 412 means.
type verdict uint8

const (
	// foreign: another object stands there; a conflict.
	foreign verdict = iota
	// inferred: it is our own, from an attempt that ended without a known answer.
	inferred
	// proven: the key holds the SHA-256 of the content, so whoever put it there put these bytes.
	proven
)

// judge412 decides whose object a 412 has met. It errs towards foreign: a conflict sends the file once more under
// another name, a wrong inference would leave it unsent.
//
// The object is ours only if an earlier attempt of this intent may have created it and ended with no known answer,
// no earlier attempt of it was answered 412, and the key is not [journal.Journal.KeyInUse]: by a receipt, or by an older
// version whose outcome was never known. That the file is still the same is for the caller to see.
func judge412(e *journal.Entry, keyHoldsContent, taken bool) verdict {
	switch {
	case keyHoldsContent:
		return proven
	case e.OutcomeUnknown && !e.PreconditionFailed && !taken:
		return inferred
	}
	return foreign
}
