package courier

import (
	"time"

	"buzon/agent/internal/client"
	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/receipt"
	"buzon/agent/internal/send/upload"
)

// result is what became of a try to send one file.
type result uint8

// The closed set of results. Up to failed a request may have left; after it none has.
const (
	stored         result = iota // the store said that it has the object
	confirmed                    // a 412 met our own object, and the file was read again for its checksum
	failed                       // the attempt had no success; outcome.class says how
	changedInside                // the file changed while it was sent, and the attempt was broken off
	gateShut                     // the gate isn't open, or the agent ends
	outboxAway                   // nothing is known of the outbox's files now
	machineLacks                 // the file can't be opened or read for want of descriptors or memory
	fileGone                     // there is no such file any more
	fileChanged                  // another version stands at its path
	fileTouched                  // only its change time moved: it is to be read again
	fileUnreadable               // it can't be opened or read
	nameBad                      // no key can be made of its name
	denialStands                 // the gate is open again after answers that may be the file's own fault
	broken                       // the journal, or the program, is at fault
	resultCount
)

// outcome is a result with what is known of it.
type outcome struct {
	result   result
	class    client.Class    // of failed
	sent     upload.BodySent // of failed: what of the request that creates the object may have left
	answered bool            // of failed: the server answered
	vanished bool            // of failed: the upload id is not known any more
	resumed  bool            // of failed: the upload was begun by an earlier attempt
	other    bool            // of failed: the answer held the checksum of other bytes
	taken    bool            // of failed with Exists: somebody else's object may stand at the key
	least    time.Duration   // not before that is it worth trying again
	proof    *journal.Proof  // of stored and confirmed
	reason   journal.Reason  // what to say of the file, should it wait or go to quarantine
	// unsent says that the attempt is durable and that no request of it left.
	unsent bool
}

// situation is what [next] must know besides the entry and the outcome.
type situation struct {
	conflict OnConflict
	tries    int  // faults of one file, before quarantine
	settles  bool // the local file is to be deleted or moved
	content  bool // the key holds the SHA-256 of the content
	once     bool // an upload, which ends
	// others says that others were sent while this one failed, and that no further one has begun to fail since: the
	// fault is this file's.
	others bool
	alone  bool // nothing speaks against the store or the key: no other file fails
	unsure int  // answers that may be the file's own fault, and of which that is not known yet
	gate   bool // the gate was not passed since: it was the key
	// away says that the store answers nobody at the moment; lost, that it has for as long as patience lasts.
	away, lost bool
	row        int // failures of this file in a row, this one included
	throttled  int // of them, those that only asked for less
}

// step is what follows an outcome.
type step uint8

// The closed set of steps.
const (
	retryAt    step = iota // try again, after a wait that grows
	waitGate               // try again once the gate is passed
	beginAnew              // try again at once, with another upload
	goOn                   // make the attempt
	proveOwn               // read the file for its checksum: its object stands there
	record                 // keep the receipt, and settle
	suffix                 // go on under another key
	quarantine             // put the file aside with its reason
	forget                 // the file is gone
	lookAgain              // forget this version and look at the file again
	giveUp                 // leave it pending; an upload goes on with the others
	stop                   // end the agent
)

// signal is what an outcome tells of the store, for the pace of all transfers.
type signal uint8

// The closed set of signals.
const (
	noSignal signal = iota
	answers         // the store dealt with a request
	slowDown        // it asks for less
	noAnswer        // it doesn't answer, or not in a way that helps
	lacking         // this machine can't carry as many
)

// action is a step with what belongs to it.
type action struct {
	step   step
	signal signal
	least  time.Duration // of retryAt: not before
	doubt  bool          // the gate is to be passed again
	// because is why it waits, where that is not the file's own fault.
	because ProblemKind
	unsure  int // what [situation.unsure] is from now on
}

// next decides what follows what became of one file: the one place where the promise "exactly once" is kept. It changes
// nothing but the entry that it returns. The order is: what this attempt may have left at its key, then what is done.
func next(e journal.Entry, o outcome, s situation) (journal.Entry, action) {
	if o.unsent && o.result != denialStands {
		revertAttempt(&e)
	}
	switch o.result {
	case stored, confirmed:
		return receive(e, o, s)
	case failed:
		return afterFailure(e, o, s)
	case changedInside:
		e.Attempting = false // it was broken off before its last bytes
		return e, action{step: lookAgain}
	case gateShut:
		return e, action{step: waitGate, unsure: s.unsure}
	case outboxAway:
		return retry(e, s, action{least: awayPause, because: ProblemOutboxMissing})
	case machineLacks:
		return retry(e, s, action{signal: lacking, because: ProblemMachine, least: machinePause})
	case fileGone:
		return e, action{step: forget}
	case fileChanged:
		return e, action{step: lookAgain}
	case fileTouched:
		e.Attempting = false
		return retry(e, s, action{})
	case fileUnreadable, nameBad:
		return setAside(e, o, action{})
	case denialStands:
		return judge(e, o, s)
	case broken, resultCount:
	}
	return e, action{step: stop}
}

// How long at least a file waits that nothing can be done about at the moment.
const (
	awayPause    = time.Second     // its whole outbox can't be seen
	machinePause = time.Second     // the machine lacks something
	mostLeast    = 5 * time.Minute // what a Retry-After may ask for
)

// afterFailure decides about an attempt that had no success.
func afterFailure(e journal.Entry, o outcome, s situation) (journal.Entry, action) {
	if e.Attempting && outcomeUnknown(o) {
		e.OutcomeUnknown = true
	}
	e.Attempting = false
	least := min(max(o.least, 0), mostLeast)
	switch o.class {
	case client.Transient:
		return retry(e, s, action{signal: noAnswer, least: least, because: ProblemStoreSilent})
	case client.Throttled:
		return retry(e, s, action{signal: slowDown, least: least, because: ProblemStoreSilent})
	case client.StoreFull:
		e.Reason = o.reason
		return retry(e, s, action{signal: noAnswer, least: least, because: ProblemStoreFull})
	case client.NotTheStore:
		if o.sent == upload.No {
			return retry(e, s, action{signal: noAnswer, least: least, because: ProblemNotTheStore})
		}
		return suspect(e, o, s, action{signal: noAnswer, least: least, because: ProblemNotTheStore})
	case client.Machine:
		return retry(e, s, action{signal: lacking, least: machinePause, because: ProblemMachine})
	case client.Canceled:
		return e, action{step: waitGate, unsure: s.unsure}
	case client.Credential:
		return e, action{step: waitGate, doubt: true, unsure: s.unsure}
	case client.AccessDenied, client.Bucket:
		return suspect(e, o, s, action{doubt: true, because: ProblemStoreFull})
	case client.Unknown:
		return suspect(e, o, s, action{least: least, because: ProblemStoreSilent})
	case client.Exists:
		return exists(e, o, s)
	case client.Raced, client.NoUpload:
		e.Multipart = nil
		if o.resumed && o.vanished { // the store may forget what was left unfinished, which is not the file's fault
			return e, action{step: beginAnew, signal: answers, unsure: s.unsure}
		}
		return count(e, o, s, action{signal: answers, least: least})
	case client.Corrupt:
		e.Multipart = nil
		e.PreconditionFailed = e.PreconditionFailed || o.other // these other bytes stand there
		e.Reason = o.reason
		return count(e, o, s, action{signal: answers, least: least})
	case client.File:
		return setAside(e, o, action{signal: answers})
	}
	return e, action{step: stop}
}

// outcomeUnknown says that an attempt that failed may have created its object all the same: no answer came, or one that
// says nothing of what was done before it; or the upload to be completed is gone, as it is once it was completed.
func outcomeUnknown(o outcome) bool {
	if o.sent == upload.No {
		return false
	}
	switch o.class {
	case client.Transient, client.NotTheStore, client.Canceled, client.Machine:
		return true
	case client.NoUpload:
		return !o.answered || o.vanished
	case client.Exists: // it tells what stands there, and nothing of a request before
		return false
	case client.Unknown, client.Throttled, client.StoreFull, client.Credential, client.AccessDenied, client.Bucket,
		client.Raced, client.Corrupt, client.File:
	}
	return !o.answered
}

// exists decides whose object a 412 has met. It errs towards another's: a conflict sends the file once more under
// another name, a wrong inference would leave it unsent.
//
// The object is ours only if an earlier attempt of this intent may have created it and ended with no known answer, no
// earlier attempt of it was answered 412, and nobody else may have put one there. Or the key holds the content's
// SHA-256: then whoever put it there put these bytes.
func exists(e journal.Entry, o outcome, s situation) (journal.Entry, action) {
	if contentProves(e, s) || e.OutcomeUnknown && !e.PreconditionFailed && !o.taken {
		return e, action{step: proveOwn, signal: answers}
	}
	// What the journal knows is no sign of a lost memory, nor is what this file itself left there with another checksum.
	why := ReasonCode(e.Reason.Code)
	if why != Checksum {
		why = Conflict
		e.Conflict = e.Conflict || !o.taken
	}
	e.PreconditionFailed, e.Multipart = true, nil
	e.Reason = journal.Reason{Code: string(why), Detail: e.Key, At: o.reason.At}
	if s.conflict != Suffix || e.Suffixed {
		e.State = journal.Quarantined
		return e, action{step: quarantine, signal: answers}
	}
	e.State = journal.Pending
	return e, action{step: suffix, signal: answers}
}

func contentProves(e journal.Entry, s situation) bool { return s.content && !e.Suffixed }

// receive keeps a receipt. A file whose receipt is only inferred is never touched.
func receive(e journal.Entry, o outcome, s situation) (journal.Entry, action) {
	e.Proof, e.Attempting, e.Multipart, e.Reason = o.proof, false, nil, journal.Reason{}
	e.State = journal.Settled
	if s.settles && (o.proof.Evidence != receipt.Inferred || contentProves(e, s)) {
		e.State = journal.Sent
	}
	a := action{step: record}
	if o.result == stored {
		a.signal = answers
	}
	return e, a
}

// retry lets a file wait for its next try, which costs it nothing but time. An upload ends its efforts for a file that
// gets no success while others do, and as a whole when the store has been away for as long as patience lasts.
func retry(e journal.Entry, s situation, a action) (journal.Entry, action) {
	a.step, a.unsure = retryAt, max(a.unsure, s.unsure)
	if !s.once {
		return e, a
	}
	if s.lost {
		a.step = stop
	} else if !s.away && s.row-s.throttled > s.tries {
		a.step = giveUp
	}
	return e, a
}

// suspect keeps an answer that may be the file's own fault, or the key's or the store's: the file waits, and whose it is
// turns out before the next attempt.
func suspect(e journal.Entry, o outcome, s situation, a action) (journal.Entry, action) {
	e.Reason = o.reason
	a.unsure = s.unsure + 1
	return retry(e, s, a)
}

// judge counts such answers against the file if others were sent meanwhile. It was the key if the gate was not passed
// since, and may be the store if other files fail too.
func judge(e journal.Entry, o outcome, s situation) (journal.Entry, action) {
	switch {
	case s.gate, !s.others && !s.alone:
		return e, action{step: goOn}
	case !s.others:
		return e, action{step: goOn, unsure: s.unsure}
	}
	e.Tries += uint32(s.unsure) //nolint:gosec // a few
	if int(e.Tries) < s.tries {
		return e, action{step: goOn}
	}
	if o.unsent {
		revertAttempt(&e)
	}
	return setAside(e, outcome{reason: e.Reason}, action{})
}

// count counts an answer that is the file's own fault; after enough of them it is in quarantine.
func count(e journal.Entry, o outcome, s situation, a action) (journal.Entry, action) {
	if e.Tries++; int(e.Tries) >= s.tries {
		return setAside(e, o, a)
	}
	return retry(e, s, a)
}

// setAside puts a file into quarantine.
func setAside(e journal.Entry, o outcome, a action) (journal.Entry, action) {
	e.State, e.Reason = journal.Quarantined, o.reason
	a.step = quarantine
	return e, a
}

// revertAttempt takes back an attempt of which no request left.
func revertAttempt(e *journal.Entry) {
	e.Attempting = false
	e.Attempts--
	if e.Attempts == 0 {
		e.State = journal.Pending
	}
}
