package courier

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"buzon/agent/internal/client"
	"buzon/agent/internal/send/outbox"
)

// scanned keeps how a scan went, and says what changed.
func (b *box) scanned(now time.Time, trouble error, log *slog.Logger) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.state.Problem
	now = now.UTC()
	if trouble == nil {
		if was != "" {
			log.Info("outbox can be read again", "outbox", b.Path)
		}
		b.state.Problem, b.state.Since, b.state.Error, b.state.Scanned = "", nil, "", &now
		return
	}
	is := troubleOf(trouble)
	if is != was {
		log.Warn("outbox can't be read; it is tried again until it can", "outbox", b.Path, "problem", string(is), "error", trouble)
	}
	if was == "" {
		b.state.Since = &now
	}
	b.state.Problem, b.state.Error = is, trouble.Error()
}

// troubleOf is what an error of a whole outbox means. Whatever nobody has named is unreadable: it is tried again, and
// it is seen.
func troubleOf(err error) ProblemKind {
	switch {
	case client.Lacking(err) != "":
		return ProblemMachine
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

// unread is which folders of an outbox can't be read, and since when. What a whole walk doesn't meet any more is gone.
type unread struct {
	mu    sync.Mutex
	known map[string]time.Time // at most mostListed
	count int64                // of the last whole walk
	fresh map[string]time.Time // of the walk under way
	n     int64
}

func (u *unread) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fresh, u.n = map[string]time.Time{}, 0
}

func (u *unread) met(path string, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n++; len(u.fresh) < mostListed {
		if since, ok := u.known[path]; ok {
			now = since
		}
		u.fresh[path] = now
	}
}

func (u *unread) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.known, u.count = u.fresh, u.n
}
