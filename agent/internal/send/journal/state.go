package journal

// State is where a file stands.
type State uint8

// The closed set of states. The numbers are on disk.
const (
	// Pending means that the file is complete and waits to be sent.
	Pending State = 1
	// Sending means that a request for it may leave, or may have left.
	Sending State = 2
	// Sent means that its receipt is durable and its local file is not settled yet.
	Sent State = 3
	// Settled means that nothing is left to do.
	Settled State = 4
	// Quarantined means that retrying can't help; the reason says why.
	Quarantined State = 5
)

// none is the state of what is not in the journal: before it is added and after it is forgotten.
const none State = 0

// States lists the states in the order in which a file passes them.
var States = [...]State{Pending, Sending, Sent, Settled, Quarantined}

// String gives the design's word for the state.
func (s State) String() string {
	switch s {
	case Pending:
		return "pending"
	case Sending:
		return "sending"
	case Sent:
		return "sent"
	case Settled:
		return "settled"
	case Quarantined:
		return "quarantined"
	case none:
		return "none"
	}
	return "unknown"
}

// legal says which state may follow which; whatever is not here is refused. Besides, sent and settled need a proof,
// and quarantined needs a reason (see [Entry.fault]).
var legal = map[State][]State{
	none:        {Pending, Settled, Quarantined}, // settled: an imported receipt; quarantined: a name that can't be sent
	Pending:     {Pending, Sending, Quarantined, none},
	Sending:     {Pending, Sending, Sent, Settled, Quarantined, none}, // straight to settled where the file is kept
	Sent:        {Settled},
	Settled:     {Settled, none},
	Quarantined: {Quarantined, Pending, none},
}

func allowed(from, to State) bool {
	for _, s := range legal[from] {
		if s == to {
			return true
		}
	}
	return false
}

// open says that a file in this state still has to be sent.
func (s State) open() bool { return s == Pending || s == Sending }
