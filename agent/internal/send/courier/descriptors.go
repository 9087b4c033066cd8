package courier

// What the agent holds open at once, in descriptors: itself (journal, sockets, logs, notices), the walk of an outbox at
// its deepest, and a transfer with its file, its connection and the look whether somebody writes.
const (
	ofTheAgent  = 20
	ofAWalk     = 36
	ofATransfer = 3
)

// fitting is how many transfers at once fit into so many descriptors; never less than one.
func fitting(descriptors uint64, outboxes int) int {
	const plenty = 1 << 20
	free := int(min(descriptors, plenty)) - ofTheAgent - ofAWalk*outboxes
	return max(1, free/ofATransfer)
}
