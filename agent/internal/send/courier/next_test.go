package courier

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"buzon/agent/internal/client"
	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/receipt"
	"buzon/agent/internal/send/upload"
)

// What is known of a file's attempts before the outcome that a row is about.
func attempt1() journal.Entry { // the first one, whose request may have left
	return journal.Entry{State: journal.Sending, Key: "p/a", Attempts: 1, Attempting: true}
}

func unknownBefore() journal.Entry { // an earlier one ended with no known answer
	e := attempt1()
	e.Attempts, e.OutcomeUnknown = 2, true
	return e
}

func refusedBefore() journal.Entry { // one was answered 412, another ended with no known answer
	e := unknownBefore()
	e.PreconditionFailed = true
	return e
}

func suffixed() journal.Entry { // it goes under its suffixed key
	e := attempt1()
	e.Key, e.Suffixed = "p/a.~x", true
	return e
}

func part() journal.Entry { // of a large file: no request that creates the object is about
	e := attempt1()
	e.Attempting, e.Multipart = false, &journal.Multipart{ID: "u"}
	return e
}

func completing() journal.Entry { // of a large file: its Complete may have left
	e := attempt1()
	e.Multipart = &journal.Multipart{ID: "u", Completing: true}
	return e
}

// answer is an outcome of the store: all of the body was sent.
func answer(class client.Class) outcome {
	return outcome{result: failed, class: class, sent: upload.Whole, answered: true, reason: journal.Reason{Code: "r"}}
}

func silence() outcome { // all of the body was sent, no answer came
	return outcome{result: failed, class: client.Transient, sent: upload.Maybe}
}

func unsent(class client.Class) outcome { // nothing whole has left
	return outcome{result: failed, class: class, sent: upload.No}
}

// TestNext is the promise "exactly once", a row for each class of outcome and state of the attempt.
func TestNext(t *testing.T) {
	others := situation{tries: 3, conflict: Suffix, others: true, row: 1}
	alone := situation{tries: 3, conflict: Suffix, row: 1}
	with := func(s situation, change func(*situation)) situation { change(&s); return s }
	delivered := outcome{result: stored, proof: &journal.Proof{Evidence: receipt.Answered}}
	inferred := outcome{result: confirmed, proof: &journal.Proof{Evidence: receipt.Inferred}}
	taken := answer(client.Exists)
	taken.taken = true
	other := answer(client.Corrupt)
	other.other = true
	vanished := answer(client.NoUpload)
	vanished.vanished = true
	forgotten := unsent(client.NoUpload)
	forgotten.vanished, forgotten.resumed = true, true
	forgottenLate := vanished
	forgottenLate.resumed = true
	otherParts := answer(client.NoUpload)
	otherParts.resumed = true
	stands := outcome{result: denialStands, unsent: true}
	tried := func(e journal.Entry, n uint32) journal.Entry { e.Tries = n; return e }
	for _, row := range []struct {
		name    string
		e       journal.Entry
		o       outcome
		s       situation
		step    step
		because ProblemKind
		state   journal.State
		unknown bool // an object of ours may stand at the key
		refused bool // another's does
		tries   uint32
	}{
		// The store has it.
		{name: "stored", e: attempt1(), o: delivered, s: others,
			step: record, state: journal.Settled},
		{name: "stored, and to be deleted", e: attempt1(), o: delivered,
			s:    with(others, func(s *situation) { s.settles = true }),
			step: record, state: journal.Sent},
		{name: "confirmed by a 412 alone: the file stays", e: unknownBefore(), o: inferred,
			s:    with(others, func(s *situation) { s.settles = true }),
			step: record, state: journal.Settled, unknown: true},
		{name: "confirmed by a key that holds the content", e: unknownBefore(), o: inferred,
			s:    with(others, func(s *situation) { s.settles, s.content = true, true }),
			step: record, state: journal.Sent, unknown: true},

		// Whose object did a 412 meet?
		{name: "412 at the first attempt", e: attempt1(), o: answer(client.Exists), s: others,
			step: suffix, state: journal.Pending, refused: true},
		{name: "412 after an answer was lost", e: unknownBefore(), o: answer(client.Exists), s: others,
			step: proveOwn, state: journal.Sending, unknown: true},
		{name: "412 after an answer was lost, where another may be", e: unknownBefore(), o: taken, s: others,
			step: suffix, state: journal.Pending, unknown: true, refused: true},
		{name: "412 after a 412", e: refusedBefore(), o: answer(client.Exists), s: others,
			step: suffix, state: journal.Pending, unknown: true, refused: true},
		{name: "412 at a key that holds the content", e: attempt1(), o: answer(client.Exists),
			s:    with(others, func(s *situation) { s.content = true }),
			step: proveOwn, state: journal.Sending},
		{name: "412 at the suffixed key", e: suffixed(), o: answer(client.Exists), s: others,
			step: quarantine, state: journal.Quarantined, refused: true},
		{name: "412 where a conflict fails", e: attempt1(), o: answer(client.Exists),
			s:    with(others, func(s *situation) { s.conflict = Fail }),
			step: quarantine, state: journal.Quarantined, refused: true},

		// Nobody knows what became of it.
		{name: "no answer", e: attempt1(), o: silence(), s: others,
			step: retryAt, because: ProblemStoreSilent, state: journal.Sending, unknown: true},
		{name: "no answer, and nothing had left", e: attempt1(), o: unsent(client.Transient), s: others,
			step: retryAt, because: ProblemStoreSilent, state: journal.Sending},
		{name: "no answer to a part", e: part(), o: unsent(client.Transient), s: others,
			step: retryAt, because: ProblemStoreSilent, state: journal.Sending},
		{name: "a fault of the store after the whole body", e: attempt1(), o: answer(client.Transient), s: others,
			step: retryAt, because: ProblemStoreSilent, state: journal.Sending, unknown: true},
		{name: "no answer to a Complete", e: completing(), o: silence(), s: others,
			step: retryAt, because: ProblemStoreSilent, state: journal.Sending, unknown: true},
		{name: "something else answered", e: attempt1(), o: answer(client.NotTheStore), s: alone,
			step: retryAt, because: ProblemNotTheStore, state: journal.Sending, unknown: true},
		{name: "something else answered before the body", e: attempt1(), o: unsent(client.NotTheStore), s: others,
			step: retryAt, because: ProblemNotTheStore, state: journal.Sending},
		{name: "the agent ends meanwhile", e: attempt1(), o: outcome{result: failed, class: client.Canceled, sent: upload.Maybe}, s: others,
			step: waitGate, state: journal.Sending, unknown: true},
		{name: "the upload is gone, and was never completed", e: part(), o: unsent(client.NoUpload), s: others,
			step: retryAt, state: journal.Sending, tries: 1},
		{name: "the upload is gone when it is completed", e: completing(), o: vanished, s: others,
			step: retryAt, state: journal.Sending, unknown: true, tries: 1},
		{name: "an upload of an earlier attempt is gone", e: tried(part(), 2), o: forgotten, s: others,
			step: beginAnew, state: journal.Sending, tries: 2},
		{name: "an upload of an earlier attempt is gone when it is completed", e: tried(completing(), 2), o: forgottenLate, s: others,
			step: beginAnew, state: journal.Sending, unknown: true, tries: 2},
		{name: "an earlier attempt's parts are not those", e: completing(), o: otherParts, s: others,
			step: retryAt, state: journal.Sending, tries: 1},
		{name: "its parts are not those", e: completing(), o: answer(client.NoUpload), s: others,
			step: retryAt, state: journal.Sending, tries: 1},

		// The key's fault, the store's, the machine's, the network's: never the file's.
		{name: "the credentials end", e: attempt1(), o: answer(client.Credential), s: others,
			step: waitGate, state: journal.Sending},
		{name: "slow down", e: attempt1(), o: answer(client.Throttled), s: others,
			step: retryAt, because: ProblemStoreSilent, state: journal.Sending},
		{name: "the store is full", e: tried(attempt1(), 9), o: answer(client.StoreFull), s: others,
			step: retryAt, because: ProblemStoreFull, state: journal.Sending, tries: 9},
		{name: "no descriptors", e: attempt1(), o: unsent(client.Machine), s: others,
			step: retryAt, because: ProblemMachine, state: journal.Sending},
		{name: "denied", e: tried(attempt1(), 2), o: answer(client.AccessDenied), s: alone,
			step: retryAt, because: ProblemStoreFull, state: journal.Sending, tries: 2},
		{name: "the bucket's key is off", e: tried(attempt1(), 2), o: answer(client.Bucket), s: alone,
			step: retryAt, because: ProblemStoreFull, state: journal.Sending, tries: 2},
		{name: "an answer without a meaning", e: tried(attempt1(), 2), o: answer(client.Unknown), s: alone,
			step: retryAt, because: ProblemStoreSilent, state: journal.Sending, tries: 2},

		// The file's fault.
		{name: "denied answers stand, while others are sent", e: attempt1(), o: stands,
			s:    with(others, func(s *situation) { s.unsure = 2 }),
			step: goOn, state: journal.Sending, tries: 2},
		{name: "and are enough", e: tried(attempt1(), 1), o: stands,
			s:    with(others, func(s *situation) { s.unsure = 2 }),
			step: quarantine, state: journal.Quarantined, tries: 3},
		{name: "it was not known before that others are sent", e: tried(unknownBefore(), 0), o: stands,
			s:    with(others, func(s *situation) { s.unsure = 5 }),
			step: quarantine, state: journal.Quarantined, unknown: true, tries: 5},
		{name: "nobody else sends anything", e: attempt1(), o: stands,
			s:    with(alone, func(s *situation) { s.unsure = 9 }),
			step: goOn, state: journal.Sending},
		{name: "the gate was not passed since", e: attempt1(), o: stands,
			s:    with(others, func(s *situation) { s.unsure, s.gate = 9, true }),
			step: goOn, state: journal.Sending},
		{name: "other bytes arrived", e: attempt1(), o: answer(client.Corrupt), s: alone,
			step: retryAt, state: journal.Sending, tries: 1},
		{name: "other bytes were stored", e: attempt1(), o: other, s: alone,
			step: retryAt, state: journal.Sending, refused: true, tries: 1},
		{name: "other bytes for the last time", e: tried(attempt1(), 2), o: answer(client.Corrupt), s: alone,
			step: quarantine, state: journal.Quarantined, tries: 3},
		{name: "a race that was lost", e: completing(), o: answer(client.Raced), s: alone,
			step: retryAt, state: journal.Sending, tries: 1},
		{name: "the store can't take it", e: attempt1(), o: answer(client.File), s: alone,
			step: quarantine, state: journal.Quarantined},

		// Nothing was sent.
		{name: "the gate is shut", e: attempt1(), o: outcome{result: gateShut, unsent: true}, s: others,
			step: waitGate, state: journal.Pending},
		{name: "the gate is shut, after attempts", e: unknownBefore(), o: outcome{result: gateShut, unsent: true}, s: others,
			step: waitGate, state: journal.Sending, unknown: true},
		{name: "the outbox is away", e: attempt1(), o: outcome{result: outboxAway, unsent: true}, s: others,
			step: retryAt, because: ProblemOutboxMissing, state: journal.Pending},
		{name: "no descriptors to open it", e: attempt1(), o: outcome{result: machineLacks, unsent: true}, s: others,
			step: retryAt, because: ProblemMachine, state: journal.Pending},
		{name: "the file is gone", e: attempt1(), o: outcome{result: fileGone, unsent: true}, s: others,
			step: forget, state: journal.Pending},
		{name: "the file is another", e: unknownBefore(), o: outcome{result: fileChanged, unsent: true}, s: others,
			step: lookAgain, state: journal.Sending, unknown: true},
		{name: "the file changed while it was sent", e: attempt1(), o: outcome{result: changedInside}, s: others,
			step: lookAgain, state: journal.Sending},
		{name: "the file was touched", e: attempt1(), o: outcome{result: fileTouched, unsent: true}, s: others,
			step: retryAt, state: journal.Pending},
		{name: "the file can't be read", e: attempt1(), o: outcome{result: fileUnreadable, unsent: true, reason: journal.Reason{Code: "r"}}, s: others,
			step: quarantine, state: journal.Quarantined},
		{name: "no key can be made of its name", e: journal.Entry{State: journal.Pending}, o: outcome{result: nameBad, reason: journal.Reason{Code: "r"}}, s: others,
			step: quarantine, state: journal.Quarantined},

		// An upload ends.
		{name: "an upload leaves a file that gets no success while others do", e: attempt1(), o: silence(),
			s:    with(others, func(s *situation) { s.once, s.row = true, 4 }),
			step: giveUp, because: ProblemStoreSilent, state: journal.Sending, unknown: true},
		{name: "which only asked for less", e: attempt1(), o: answer(client.Throttled),
			s:    with(others, func(s *situation) { s.once, s.row, s.throttled = true, 4, 3 }),
			step: retryAt, because: ProblemStoreSilent, state: journal.Sending},
		{name: "an upload waits for a store that is away", e: attempt1(), o: silence(),
			s:    with(alone, func(s *situation) { s.once, s.row, s.away = true, 9, true }),
			step: retryAt, because: ProblemStoreSilent, state: journal.Sending, unknown: true},
		{name: "and ends with its patience", e: attempt1(), o: silence(),
			s:    with(alone, func(s *situation) { s.once, s.row, s.away, s.lost = true, 9, true, true }),
			step: stop, because: ProblemStoreSilent, state: journal.Sending, unknown: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			e, a := next(row.e, row.o, row.s)
			if a.step != row.step || a.because != row.because {
				t.Errorf("step %d because %q, want %d because %q", a.step, a.because, row.step, row.because)
			}
			if e.State != row.state || e.OutcomeUnknown != row.unknown || e.PreconditionFailed != row.refused || e.Tries != row.tries {
				t.Errorf("the entry is %s, unknown %t, refused %t, tries %d; want %s, %t, %t, %d",
					e.State, e.OutcomeUnknown, e.PreconditionFailed, e.Tries, row.state, row.unknown, row.refused, row.tries)
			}
			if e.Attempting != (row.step == goOn) {
				t.Error("a request is said to be about, or not")
			}
			if again := row.o.class == client.NoUpload || row.o.class == client.Raced || row.o.class == client.Corrupt; row.o.result == failed && again && e.Multipart != nil {
				t.Error("the upload is gone on with")
			}
			if row.e.Multipart != nil && row.o.class == client.Transient && e.Multipart == nil {
				t.Error("the upload is begun anew, though the same may be gone on with")
			}
		})
	}
}

// TestNextDecidesEveryClass: a class that nobody has decided about would stop the agent; and what is not the file's fault
// never ends in quarantine, whatever came before.
func TestNextDecidesEveryClass(t *testing.T) {
	file := []client.Class{client.Corrupt, client.Raced, client.NoUpload, client.File, client.Exists}
	rapid.Check(t, func(t *rapid.T) {
		e := rapid.SampledFrom([]func() journal.Entry{attempt1, unknownBefore, refusedBefore, suffixed, part, completing}).Draw(t, "entry")()
		e.Tries = rapid.Uint32Range(0, 5).Draw(t, "tries")
		class := rapid.SampledFrom(client.Classes()).Draw(t, "class")
		o := outcome{
			result: failed, class: class, sent: rapid.SampledFrom([]upload.BodySent{upload.No, upload.Whole, upload.Maybe}).Draw(t, "sent"),
			vanished: rapid.Bool().Draw(t, "vanished"), resumed: rapid.Bool().Draw(t, "resumed"), other: rapid.Bool().Draw(t, "other"), taken: rapid.Bool().Draw(t, "taken"),
			least: time.Duration(rapid.Int64().Draw(t, "least")), reason: journal.Reason{Code: "r"},
		}
		o.answered = o.sent == upload.Whole || o.sent == upload.No && rapid.Bool().Draw(t, "answered")
		s := situation{
			conflict: rapid.SampledFrom([]OnConflict{Suffix, Fail, Replace}).Draw(t, "conflict"), tries: 3,
			content: rapid.Bool().Draw(t, "content"), once: rapid.Bool().Draw(t, "once"), others: rapid.Bool().Draw(t, "others"),
			unsure: rapid.IntRange(0, 9).Draw(t, "unsure"), row: rapid.IntRange(1, 9).Draw(t, "row"),
		}
		after, a := next(e, o, s)
		if a.step == stop {
			t.Errorf("%s is not decided", class)
		}
		if after.Attempting {
			t.Errorf("%s: a request is still said to be about", class)
		}
		if e.OutcomeUnknown && !after.OutcomeUnknown || e.PreconditionFailed && !after.PreconditionFailed || e.Conflict && !after.Conflict {
			t.Errorf("%s: what was known of the key is forgotten", class)
		}
		if e.Attempting && o.sent == upload.Maybe && !after.OutcomeUnknown && class != client.Exists {
			t.Errorf("%s: a request without an answer is taken for one that did nothing", class)
		}
		if a.step == record || after.Proof != nil {
			t.Errorf("%s: a receipt without the store's word", class)
		}
		if (a.step == quarantine) != (after.State == journal.Quarantined) || a.step == quarantine && after.Reason.Code == "" {
			t.Errorf("%s: step %d, but %s (%s)", class, a.step, after.State, after.Reason.Code)
		}
		if a.step == quarantine && !slices.Contains(file, class) {
			t.Errorf("%s ends in quarantine", class)
		}
		if a.step == beginAnew && (after.Multipart != nil || !o.resumed || after.Tries != e.Tries) {
			t.Errorf("%s: it begins anew with %+v after %d tries", class, after.Multipart, after.Tries)
		}
		if a.step == proveOwn && !(s.content && !e.Suffixed) && (!e.OutcomeUnknown || e.PreconditionFailed || o.taken) {
			t.Errorf("another's object is taken for our own")
		}
		if a.least < 0 || a.least > 5*time.Minute {
			t.Errorf("%s: it waits for %s", class, a.least)
		}
	})
}

// TestNextDecidesEveryResult: likewise for what no request of left.
func TestNextDecidesEveryResult(t *testing.T) {
	for r := range resultCount {
		e := attempt1()
		e.Reason.Code = "r"
		o := outcome{result: r, class: client.Transient, unsent: r > changedInside, proof: &journal.Proof{Evidence: receipt.Answered}, reason: journal.Reason{Code: "r"}}
		after, a := next(e, o, situation{tries: 3, conflict: Suffix})
		if (a.step == stop) != (r == broken) {
			t.Errorf("result %d: step %d", r, a.step)
		}
		if after.Attempting != (a.step == goOn) {
			t.Errorf("result %d: a request is still said to be about", r)
		}
		if (after.Proof != nil) != (r == stored || r == confirmed) {
			t.Errorf("result %d: receipt %+v", r, after.Proof)
		}
	}
}

// TestTheBlameIsTheStoresUntilOthersAreSent walks through whose fault a denial is.
func TestTheBlameIsTheStoresUntilOthersAreSent(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	type look struct{ others, alone bool }
	for _, c := range []struct {
		name string
		do   func(*tally) look
		want look
	}{
		{"the first file of all", func(l *tally) look { return saw(l.blame(1, at(1), true)) }, look{false, true}},
		{"another was sent while it failed", func(l *tally) look {
			l.blame(1, at(1), true)
			l.succeeded(at(2))
			return saw(l.blame(1, at(1), false))
		}, look{true, true}},
		{"others were sent before, none since", func(l *tally) look {
			l.succeeded(at(1))
			l.blame(1, at(2), true)
			return saw(l.blame(1, at(2), false))
		}, look{false, true}},
		{"all fail, one after the other", func(l *tally) look {
			l.succeeded(at(1))
			l.blame(1, at(2), true)
			l.blame(2, at(3), true)
			return saw(l.blame(1, at(2), false))
		}, look{false, false}},
		{"two fail, and a third is sent", func(l *tally) look {
			l.blame(1, at(2), true)
			l.blame(2, at(3), true)
			l.succeeded(at(4))
			l.blame(1, at(2), false)
			return saw(l.blame(2, at(3), false))
		}, look{true, true}},
		{"others were sent meanwhile, and now a further one fails", func(l *tally) look {
			l.blame(1, at(2), true)
			l.succeeded(at(4))
			l.blame(2, at(5), true)
			return saw(l.blame(1, at(2), false))
		}, look{false, false}},
	} {
		if got := c.do(&tally{}); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func saw(others, alone bool) struct{ others, alone bool } {
	return struct{ others, alone bool }{others, alone}
}
