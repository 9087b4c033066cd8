package courier

import (
	"errors"
	"log/slog"
	"time"

	"buzon/agent/internal/client"
	"buzon/agent/internal/send/outbox"
)

// scanned keeps how a scan went, and says what changed.
func (b *box) scanned(now time.Time, trouble error, log *slog.Logger) {
	b.troubled(now, trouble, log)
	if now = now.UTC(); trouble == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.state.Scanned = &now
	}
}

// troubled keeps why the outbox can't be read, or nil, says what changed, and returns since when it has been so.
func (b *box) troubled(now time.Time, trouble error, log *slog.Logger) (since time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.state.Problem
	now = now.UTC()
	if trouble == nil {
		if was != "" {
			log.Info("outbox can be read again", "outbox", b.Path)
		}
		b.state.Problem, b.state.Since, b.state.Error = "", nil, ""
		return now
	}
	is := troubleOf(trouble)
	if is != was {
		log.Warn("outbox can't be read; it is tried again until it can", "outbox", b.Path, "problem", string(is), "error", trouble)
	}
	if was == "" {
		b.state.Since = &now
	}
	b.state.Problem, b.state.Error = is, trouble.Error()
	return *b.state.Since
}

// troubleOf is what an error of a whole outbox means. Whatever nobody has named is unreadable: it is tried again, and
// it is seen.
func troubleOf(err error) ProblemKind {
	switch {
	case errors.Is(err, outbox.ErrMachine), client.Lacking(err) != "":
		return ProblemMachine
	case errors.Is(err, outbox.ErrReplaced):
		return ProblemOutboxReplaced
	case errors.Is(err, outbox.ErrGone), errors.Is(err, outbox.ErrNotFolder):
		return ProblemOutboxMissing
	}
	return ProblemOutboxUnreadable
}

// unwatched keeps why the outbox can't be watched, or nil once it can.
func (b *box) unwatched(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.Hints = ""; err != nil {
		b.state.Hints = err.Error()
	}
}

// unsettled is why a file that is sent can't be settled, and since when.
type unsettled struct {
	since time.Time
	why   string
}

// mostUnsettled bounds what is remembered of them by name.
const mostUnsettled = 1000

// settled keeps how settling a file went.
func (b *box) settled(rel string, now time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, known := b.unsettled[rel]
	switch {
	case err == nil:
		delete(b.unsettled, rel)
	case known:
		b.unsettled[rel] = unsettled{old.since, err.Error()}
	case len(b.unsettled) < mostUnsettled:
		if b.unsettled == nil {
			b.unsettled = map[string]unsettled{}
		}
		b.unsettled[rel] = unsettled{now, err.Error()}
	}
}
