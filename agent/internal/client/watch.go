package client

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Times of watching files.
const (
	watchPoll = 15 * time.Second       // where no event comes, as over NFS
	watchRest = 300 * time.Millisecond // after an event, until the writer is done
)

// WatchFiles tells on the channel that what look gives of some files is another than it was. The folders of the files
// are watched, because files are replaced by renaming; events are hints only, and look is asked now and then whatever
// they say. Where look gives no answer, nothing has changed. Changes that nobody has taken yet are told once. It ends
// with the context.
func WatchFiles(ctx context.Context, paths []string, look func() (state string, ok bool)) <-chan struct{} {
	changed := make(chan struct{}, 1)
	var events chan fsnotify.Event
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		events = watcher.Events
		for _, path := range paths {
			_ = watcher.Add(filepath.Dir(path)) // a folder that is not there is looked at by polling
		}
	}
	last, _ := look()
	go func() {
		if watcher != nil {
			defer func() { _ = watcher.Close() }()
		}
		poll := time.NewTicker(watchPoll)
		defer poll.Stop()
		rest := time.NewTimer(watchPoll)
		defer rest.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-events:
				rest.Reset(watchRest)
				continue
			case <-rest.C:
			case <-poll.C:
			}
			now, ok := look()
			if !ok || now == last {
				continue
			}
			last = now
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	return changed
}
