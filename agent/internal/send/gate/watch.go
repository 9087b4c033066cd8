package gate

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"buzon/agent/internal/client"
)

// Times of watching.
const (
	// beforeEnd is how long before temporary credentials end they are fetched
	// anew; a source that gives the old ones still is asked every endsSoon.
	beforeEnd = 5 * time.Minute
	endsSoon  = time.Minute
	pollFiles = 15 * time.Second       // where no event comes, as over NFS
	settle    = 200 * time.Millisecond // after an event, until the writer is done
)

// Watch says when to pass again, until the context ends: every Recheck, as soon
// as one of the shared credentials files changes, and before temporary
// credentials end. It calls due from one goroutine, and waits for it.
func (g *Gate) Watch(ctx context.Context, due func(Depth)) {
	changed := watchFiles(ctx, client.SharedFiles())
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

// fileState is what tells one writing of a file from another.
type fileState struct {
	exists bool
	size   int64
	mtime  time.Time
	mode   os.FileMode
}

func stateOf(paths []string) []fileState {
	states := make([]fileState, len(paths))
	for i, path := range paths {
		if info, err := os.Stat(path); err == nil {
			states[i] = fileState{true, info.Size(), info.ModTime(), info.Mode()}
		}
	}
	return states
}

// watchFiles tells on the channel that one of the files changed. Folders are
// watched, because files are replaced by renaming; events are hints only, the
// files are also looked at now and then. It ends with the context.
func watchFiles(ctx context.Context, paths []string) <-chan struct{} {
	changed := make(chan struct{}, 1)
	var events chan fsnotify.Event
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		events = watcher.Events
		for _, path := range paths {
			_ = watcher.Add(filepath.Dir(path)) // a folder that is not there is looked at by polling
		}
	}
	last := stateOf(paths)
	go func() {
		if watcher != nil {
			defer func() { _ = watcher.Close() }()
		}
		poll := time.NewTicker(pollFiles)
		defer poll.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-poll.C:
			case event := <-events:
				if !slices.Contains(paths, event.Name) && !link(event.Name, paths) {
					continue
				}
				if !sleep(ctx, settle) {
					return
				}
			}
			if now := stateOf(paths); !slices.Equal(now, last) {
				last = now
				select {
				case changed <- struct{}{}:
				default:
				}
			}
		}
	}()
	return changed
}

// link tells whether something beside one of the files changed that may be
// what it points to, as where a whole folder of secrets is swapped.
func link(name string, paths []string) bool {
	return slices.ContainsFunc(paths, func(p string) bool {
		info, err := os.Lstat(p)
		return err == nil && info.Mode()&os.ModeSymlink != 0 && filepath.Dir(p) == filepath.Dir(name)
	})
}
