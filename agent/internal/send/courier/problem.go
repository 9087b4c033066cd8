package courier

import "time"

// State is what the agent as a whole is doing.
type State string

// The closed set of states.
const (
	StateSending    State = "sending"     // files leave
	StateIdle       State = "idle"        // nothing waits
	StateWaiting    State = "waiting"     // something isn't ready; it goes on by itself
	StateStopped    State = "stopped"     // nothing is sent until a person does something
	StateNotRunning State = "not-running" // no agent has the journal open
)

// States lists them for the tests that hold the sentences to them.
var States = [...]State{StateSending, StateIdle, StateWaiting, StateStopped, StateNotRunning}

// ProblemKind is what is wrong. Status, metrics, alerts and the runbook use the same names.
type ProblemKind string

// The closed set of problems.
const (
	ProblemGate             ProblemKind = "gate"              // the gate is not passed
	ProblemOutboxMissing    ProblemKind = "outbox-missing"    // no folder stands at its path
	ProblemOutboxUnreadable ProblemKind = "outbox-unreadable" // it can't be read as a whole
	ProblemOutboxReplaced   ProblemKind = "outbox-replaced"   // a folder that can't be trusted took its place
	ProblemFolderUnreadable ProblemKind = "folder-unreadable" // a folder inside an outbox can't be read
	ProblemUnsettled        ProblemKind = "unsettled"         // sent, and the local file can't be settled
	ProblemQuarantine       ProblemKind = "quarantine"        // files are in quarantine
	ProblemStoreFull        ProblemKind = "store-full"        // the store has no room, or lacks a right of its own
	ProblemStoreSilent      ProblemKind = "store-silent"      // no answer, or none but faults of the store
	ProblemNotTheStore      ProblemKind = "not-the-store"     // something else answers in its place
	ProblemMachine          ProblemKind = "machine"           // descriptors, memory or disk are used up here
	ProblemJournal          ProblemKind = "journal"           // the journal accepts nothing
	ProblemLostMemory       ProblemKind = "lost-memory"       // the journal may have lost its memory
	ProblemStuckFile        ProblemKind = "stuck-file"        // one file gets no success while others are sent
	ProblemListen           ProblemKind = "listen"            // metrics and status page can't be served
	ProblemNotAnswering     ProblemKind = "not-answering"     // an agent holds the journal and doesn't answer
	ProblemNotRunning       ProblemKind = "not-running"       // nothing runs though files wait, or `run` ran last
)

// ProblemKinds lists them for the tests that hold sentences, docs and alerts to them.
var ProblemKinds = [...]ProblemKind{
	ProblemGate, ProblemOutboxMissing, ProblemOutboxUnreadable, ProblemOutboxReplaced, ProblemFolderUnreadable,
	ProblemUnsettled, ProblemQuarantine, ProblemStoreFull, ProblemStoreSilent, ProblemNotTheStore, ProblemMachine,
	ProblemJournal, ProblemLostMemory, ProblemStuckFile, ProblemListen, ProblemNotAnswering, ProblemNotRunning,
}

// Person says that a problem of this kind is not expected to end by itself: somebody has to do something. The others
// count when nothing was sent for [StalledAfter] though a file is due: see [Status.Stalled].
func (k ProblemKind) Person() bool {
	switch k {
	case ProblemStoreSilent, ProblemNotTheStore, ProblemMachine:
		return false
	case ProblemGate, ProblemOutboxMissing, ProblemOutboxUnreadable, ProblemOutboxReplaced, ProblemFolderUnreadable,
		ProblemUnsettled, ProblemQuarantine, ProblemStoreFull, ProblemJournal, ProblemLostMemory, ProblemStuckFile,
		ProblemListen, ProblemNotAnswering, ProblemNotRunning:
	}
	return true
}

// StalledAfter is how long nothing may be sent though a file is due, before that is worth an alarm.
const StalledAfter = 10 * time.Second

// Problem is one thing that is wrong. What isn't known or doesn't apply is empty.
type Problem struct {
	Kind   ProblemKind `json:"kind"`
	Outbox string      `json:"outbox,omitempty"`
	Path   string      `json:"path,omitempty"` // absolute; bytes that are no UTF-8 are written as \xff
	Since  time.Time   `json:"since"`
	Files  int64       `json:"files,omitempty"`  // how many files or folders it is about
	Detail string      `json:"detail,omitempty"` // the system's or the store's own words, redacted; never decided by
	// Until is when the agent gives up if it lasts: the end of patience.
	Until *time.Time `json:"until,omitempty"`
}

// Waits is one file that waits to be sent.
type Waits struct {
	Path     string    `json:"path"`
	Size     int64     `json:"size"`
	Accepted time.Time `json:"accepted"`
	Attempts int64     `json:"attempts,omitempty"`
	Reason   string    `json:"reason,omitempty"` // a [ReasonCode], where the last attempt left one
}

// mostWaits bounds [Status.Waits].
const mostWaits = 5
