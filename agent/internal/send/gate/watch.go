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
	pollFiles = 15 * time.Second       // where no event comes, as over NFS
	settle    = 200 * time.Millisecond // after an event, until the writer is done
	mendFirst = 2 * time.Second        // between two looks while waiting
	mendLast  = time.Minute
)

// Watch repeats the checks until the context ends: every Recheck, and as soon
// as one of the shared credentials files changes. After each it calls told,
// one call at a time: with a passed report when the credentials changed (AWS
// is then already another client) or the recheck passed, with a failed one when
// sending must stop. New credentials that fail while the old ones are still
// valid are logged and not told: the old ones go on.
func (g *Gate) Watch(ctx context.Context, told func(Report)) {
	changed := watchFiles(ctx, client.SharedFiles())
	for {
		recheck := time.NewTimer(jitter(g.settings.Recheck))
		byChange := false
		select {
		case <-ctx.Done():
			recheck.Stop()
			return
		case <-changed:
			byChange = true
		case <-recheck.C:
		}
		recheck.Stop()
		r := g.Pass(ctx, Quick)
		if ctx.Err() != nil {
			return
		}
		if !r.Passed && byChange && g.oldGoesOn(ctx) {
			g.log.Warn("new credentials did not pass, the old ones go on", "outcome", string(r.First().Outcome))
			continue
		}
		told(r)
	}
}

// oldGoesOn asks whether the credentials in use are still valid.
func (g *Gate) oldGoesOn(ctx context.Context) bool {
	current := g.AWS()
	if current == nil {
		return false
	}
	p := &pass{Settings: g.settings, aws: current, report: &Report{}, seen: true}
	return p.whoami(ctx) && p.expected()
}

// Mended passes the checks again and again until they pass, waiting longer
// each time but no longer than until a credentials file changes. It gives the
// passed report, or the last one when the context ends. Each failed report is
// told first.
func (g *Gate) Mended(ctx context.Context, depth Depth, told func(Report)) Report {
	changed := watchFiles(ctx, client.SharedFiles())
	for wait := mendFirst; ; wait = min(2*wait, mendLast) {
		r := g.Pass(ctx, depth)
		if r.Passed || ctx.Err() != nil {
			return r
		}
		if told != nil {
			told(r)
		}
		again := time.NewTimer(jitter(wait))
		select {
		case <-ctx.Done():
			again.Stop()
			return r
		case <-changed:
			wait = mendFirst
		case <-again.C:
		}
		again.Stop()
	}
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
