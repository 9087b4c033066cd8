package gate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"buzon/agent/internal/client"
)

// Times of watching.
const (
	// beforeEnd is how long before temporary credentials end they are fetched
	// anew; a source that gives the old ones still is asked every endsSoon.
	beforeEnd = 5 * time.Minute
	endsSoon  = time.Minute
)

// Watch says when to pass again, until the context ends: every Recheck, as soon
// as one of the shared credentials files changes, and before temporary
// credentials end. It calls due from one goroutine, and waits for it.
func (g *Gate) Watch(ctx context.Context, due func(Depth)) {
	files := client.SharedFiles()
	changed := client.WatchFiles(ctx, files, func() (string, bool) { return stateOf(files), true })
	for {
		recheck := time.NewTimer(g.next(time.Now()))
		select {
		case <-ctx.Done():
			recheck.Stop()
			return
		case <-changed:
		case <-recheck.C:
		}
		recheck.Stop()
		due(Quick)
	}
}

// next is how long until it is time to pass again.
func (g *Gate) next(now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	every := jitter(g.settings.Recheck)
	if g.waiting {
		every = min(every, g.settings.NewKey)
	}
	if g.current != nil && !g.current.Source.Expires.IsZero() {
		every = min(every, max(g.current.Source.Expires.Sub(now)-beforeEnd, endsSoon))
	}
	return every
}

// jitter spreads many agents that started together.
func jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/5+1))
}

// stateOf is what tells one writing of the files from another.
func stateOf(paths []string) string {
	var b strings.Builder
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			fmt.Fprintf(&b, "%d %d %s", info.Size(), info.ModTime().UnixNano(), info.Mode())
		}
		b.WriteByte('\n')
	}
	return b.String()
}
