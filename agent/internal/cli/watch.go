package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"buzon/agent/internal/config"
)

// Times of watching a file.
const (
	pollFile  = 15 * time.Second       // where no event comes
	writeRest = 300 * time.Millisecond // after an event, until its writer is done
)

// watchFile tells when the content of a file is another. Its folder is watched, because files are replaced by
// renaming; events are hints only. It ends with the context; "" is never told of.
func watchFile(ctx context.Context, path string) <-chan struct{} {
	changed := make(chan struct{})
	if path == "" {
		return changed
	}
	var events <-chan fsnotify.Event
	watcher, err := fsnotify.NewWatcher()
	if err == nil && watcher.Add(filepath.Dir(path)) == nil {
		events = watcher.Events
	}
	last, _ := config.ReadAgain(path) // unreadable is a state like another
	go func() {
		if watcher != nil {
			defer watcher.Close() //nolint:errcheck // nothing was written
		}
		poll := time.NewTicker(pollFile)
		defer poll.Stop()
		rest := time.NewTimer(time.Hour)
		defer rest.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-events:
				rest.Reset(writeRest)
				continue
			case <-rest.C:
			case <-poll.C:
			}
			now, err := config.ReadAgain(path)
			if err != nil || bytes.Equal(now, last) {
				continue
			}
			last = now
			select {
			case changed <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return changed
}

// merge makes one channel of the two reasons to read the configuration again.
func merge(ctx context.Context, hangup <-chan os.Signal, changed <-chan struct{}) <-chan string {
	out := make(chan string)
	go func() {
		for {
			why := "SIGHUP"
			select {
			case <-ctx.Done():
				return
			case <-hangup:
			case <-changed:
				why = "the file changed"
			}
			select {
			case out <- why:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
