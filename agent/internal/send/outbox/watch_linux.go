package outbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// watched are the events asked for. fsnotify doesn't pass on a close after
// writing, nor tell a rename into place from a creation; inotify does both.
const watched = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_CREATE | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF |
	unix.IN_ONLYDIR | unix.IN_DONT_FOLLOW | unix.IN_EXCL_UNLINK

// watcher holds the watches of one Watch; without one it does nothing.
type watcher struct {
	box *Outbox

	mu      sync.Mutex
	fd      int              // -1 while nothing watches
	folders map[int32]string // by watch
	watches map[string]int32 // by folder
	full    bool             // the system gives no more watches
}

func (w *watcher) init(o *Outbox) { w.box, w.fd = o, -1 }

// Watch passes on the names of files that seem complete: closed after writing,
// or renamed into place. hint is called with "" when a pass should be made: at the
// beginning, when events were lost, and within a second when the folder itself
// vanished, came, was replaced or may be read otherwise. It is called from this
// goroutine. Watch returns when ctx ends, or with an error where the system can't
// watch at all; passes find everything without it.
func (o *Outbox) Watch(ctx context.Context, hint func(rel string)) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch outbox: %w", err)
	}
	events := os.NewFile(uintptr(fd), "inotify") // with the runtime's poller, so that Close ends Read
	o.watch.start(fd)
	defer o.watch.stop()
	end := context.AfterFunc(ctx, func() {
		o.watch.stop() // before the number of the descriptor may be another's
		events.Close() //nolint:errcheck // it ends the Read
	})
	defer end()
	before := o.glance()
	o.watch.ensureBelow(ctx, "")
	hint("")
	buffer := make([]byte, 64<<10)
	next := time.Now()
	for {
		if now := time.Now(); !now.Before(next) { // no event tells of a parent that was renamed, or mounted over
			if next = now.Add(glanceEvery); errors.Is(events.SetReadDeadline(next), os.ErrNoDeadline) {
				return errors.Join(errors.New("watch outbox: inotify can't be polled"), events.Close())
			}
			if at := o.glance(); at != before {
				before = at
				hint("")
			}
		}
		n, err := events.Read(buffer)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return errors.Join(fmt.Errorf("watch outbox: %w", err), events.Close())
		}
		if o.read(ctx, buffer[:max(n, 0)], hint) {
			next = time.Time{}
		}
	}
}

// glanceEvery is how often the folder is looked at from outside.
const glanceEvery = time.Second

// read handles a buffer of events. It reports whether one was about the outbox itself.
func (o *Outbox) read(ctx context.Context, buffer []byte, hint func(rel string)) (self bool) {
	for len(buffer) >= unix.SizeofInotifyEvent {
		wd := int32(binary.NativeEndian.Uint32(buffer))
		mask := binary.NativeEndian.Uint32(buffer[4:])
		size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(buffer[12:]))
		name, _, _ := bytes.Cut(buffer[unix.SizeofInotifyEvent:size], []byte{0})
		buffer = buffer[size:]
		if mask&unix.IN_Q_OVERFLOW != 0 {
			o.log.Debug("events were lost; the next pass finds all")
			hint("")
			continue
		}
		folder, known := o.watch.folder(wd)
		if !known {
			continue
		}
		rel := path.Join(folder, string(name))
		switch {
		case mask&unix.IN_MOVE_SELF != 0:
			self = self || folder == ""
		case mask&(unix.IN_IGNORED|unix.IN_DELETE_SELF|unix.IN_UNMOUNT) != 0:
			self = self || folder == ""
			o.watch.forget(wd)
		case mask&unix.IN_ISDIR != 0 && mask&unix.IN_MOVED_FROM != 0:
			o.watch.forgetBelow(rel)
		case mask&unix.IN_ISDIR != 0:
			if !o.excluded(rel, true) {
				o.arrived(ctx, rel, hint)
			}
		case mask&unix.IN_MOVED_TO != 0:
			o.look(rel, true, hint)
		case mask&unix.IN_CLOSE_WRITE != 0:
			o.look(rel, false, hint)
		}
	}
	return self
}

// arrived watches a folder that came, and then passes on the files that it came
// with, or that were made in it before it was watched.
func (o *Outbox) arrived(ctx context.Context, rel string, hint func(rel string)) {
	o.watch.ensureBelow(ctx, rel)
	root, err := o.folder()
	if err != nil {
		return
	}
	p := &pass{Outbox: o, skip: func(Skipped) {}, visit: func(f File) error {
		hint(f.Rel)
		return nil
	}}
	err = p.from(ctx, root, rel)
	if err != nil {
		o.log.Debug("folder that came could not be read; the next pass will", "path", rel, "error", err)
	}
}

func (w *watcher) start(fd int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fd, w.full = fd, false
	w.folders, w.watches = map[int32]string{}, map[string]int32{}
}

func (w *watcher) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fd, w.folders, w.watches = -1, nil, nil
}

func (w *watcher) folder(wd int32) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rel, ok := w.folders[wd]
	return rel, ok
}

// ensure watches one folder, unless it is watched. Each pass calls it for each
// folder, so that a watch that was lost is set again.
func (w *watcher) ensure(rel string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd < 0 || w.full {
		return
	}
	// Adding a watch that is there gives the same number; asking again is how a
	// folder that was replaced under its name is found.
	wd, err := unix.InotifyAddWatch(w.fd, filepath.Join(w.box.real, rel), watched)
	switch {
	case errors.Is(err, unix.ENOSPC):
		w.full = true
		w.box.log.Warn("the system gives no more watches (fs.inotify.max_user_watches); files in the other folders wait for the next pass",
			"watched", len(w.watches))
		return
	case err != nil:
		return
	}
	if old, ok := w.watches[rel]; ok && old != int32(wd) {
		delete(w.folders, old)
	}
	if name, ok := w.folders[int32(wd)]; ok && name != rel {
		delete(w.watches, name)
	}
	w.folders[int32(wd)], w.watches[rel] = rel, int32(wd)
}

// ensureBelow watches a folder and all that are in it.
func (w *watcher) ensureBelow(ctx context.Context, rel string) {
	root, err := w.box.folder()
	if err != nil {
		return
	}
	todo := []string{rel}
	for len(todo) > 0 && ctx.Err() == nil {
		rel := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		w.ensure(rel)
		dir, err := root.Open(path.Join(".", rel))
		if err != nil {
			continue
		}
		for {
			entries, err := dir.ReadDir(batch)
			for _, e := range entries {
				if sub := path.Join(rel, e.Name()); e.IsDir() && !w.box.excluded(sub, true) {
					todo = append(todo, sub)
				}
			}
			if err != nil {
				break
			}
		}
		dir.Close() //nolint:errcheck // only read
	}
}

func (w *watcher) forget(wd int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if rel, ok := w.folders[wd]; ok {
		delete(w.folders, wd)
		delete(w.watches, rel)
		w.full = false
	}
}

// forgetBelow takes away the watches of a folder that was moved: their paths are
// wrong now.
func (w *watcher) forgetBelow(rel string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for folder, wd := range w.watches {
		if within(folder, rel) {
			if _, err := unix.InotifyRmWatch(w.fd, uint32(wd)); err != nil {
				w.box.log.Debug("watch could not be taken away", "path", folder, "error", err)
			}
			delete(w.watches, folder)
			delete(w.folders, wd)
		}
	}
}
