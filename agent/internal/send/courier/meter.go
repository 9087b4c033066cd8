package courier

import (
	"errors"
	"time"

	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/receipt"
	"buzon/agent/internal/send/upload"
)

// Meter is told what happens, for metrics. Its methods are called from many goroutines, for every file, and don't block.
type Meter interface {
	// Attempt took so long; class is that of its failure, or "" for a success.
	Attempt(took time.Duration, class string)
	// Retry says that a file is tried again after a failure of this class.
	Retry(class string)
	// File says how a file's way ended, an [Ending] or [InferredEnding], and how long after it was accepted.
	File(ending string, size int64, after time.Duration)
}

// InferredEnding is the ending, for a [Meter], of a file whose receipt is inferred.
const InferredEnding = "inferred"

// Endings are all that [Meter.File] is told.
func Endings() []string {
	return []string{string(Sent), InferredEnding, string(Quarantined), string(Gone), string(Changed)}
}

// noMeter counts nothing.
type noMeter struct{}

func (noMeter) Attempt(time.Duration, string)     {}
func (noMeter) Retry(string)                      {}
func (noMeter) File(string, int64, time.Duration) {}

// measure tells the meter of an attempt; one that a change of its file broke off says nothing of the store.
func (c *Courier) measure(took time.Duration, err error) {
	var fault *upload.Error
	switch {
	case err == nil:
		c.Meter.Attempt(took, "")
	case errors.As(err, &fault) && !errors.Is(err, upload.ErrChanged):
		c.Meter.Attempt(took, fault.Fault.Class.String())
	}
}

// ended counts how a file's way ended.
func (c *Courier) ended(e *journal.Entry, how Ending) {
	c.tally.count(e, how)
	ending, at := string(how), c.Now().UnixNano()
	if how == Sent {
		at = e.Proof.SentAt
		if e.Proof.Evidence == receipt.Inferred {
			ending = InferredEnding
		}
	}
	after := time.Duration(max(0, at-e.Added))
	c.Meter.File(ending, e.Size, after)
	if how == Sent && c.FileLog != nil {
		c.FileLog.Info("file sent", "outbox", c.Journal.RouteOf(e.Route).Outbox, "path", e.Path, "key", e.Key, "bytes", e.Size,
			"evidence", string(e.Proof.Evidence), "after", after.Round(time.Millisecond))
	}
}
