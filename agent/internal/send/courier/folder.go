package courier

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/outbox"
)

// Folder is a [Box] on a folder of the system.
type Folder struct {
	box *outbox.Outbox
	now func() time.Time

	// Of the walk that is under way; one at a time.
	found   func(File) error
	skipped func(rel, why string)
	failed  error
}

// OpenFolder opens an outbox for the courier; opts.Skipped is the courier's. Errors are those of [outbox.Open].
func OpenFolder(opts outbox.Options) (*Folder, error) {
	f := &Folder{now: time.Now}
	opts.Skipped = f.skip
	box, err := outbox.Open(opts)
	if err != nil {
		return nil, err
	}
	f.box = box
	return f, nil
}

// Close lets go of the folder.
func (f *Folder) Close() error { return f.box.Close() }

// Walk implements [Box]. A file whose name alone bars it is found too: it belongs in quarantine.
func (f *Folder) Walk(ctx context.Context, found func(File) error, skipped func(rel, why string)) error {
	f.found, f.skipped, f.failed = found, skipped, nil
	err := f.box.Walk(ctx, func(o outbox.File) error {
		if f.failed != nil {
			return f.failed
		}
		return found(fileFrom(o))
	})
	if err == nil {
		err = f.failed
	}
	return folderError(err)
}

func (f *Folder) skip(s outbox.Skipped) {
	if !s.NeverSendable() {
		f.skipped(s.Rel, string(s.Reason))
		return
	}
	if f.failed == nil {
		f.failed = f.found(fileFrom(s.File))
	}
}

// Look implements [Box].
func (f *Folder) Look(rel string) (File, error) {
	o, err := f.box.Stat(rel)
	if errors.Is(err, outbox.ErrSkipped) && o.Rel != "" { // only its name bars it, as in Walk
		err = nil
	}
	return fileFrom(o), f.missing(err)
}

// Complete implements [Box].
func (f *Folder) Complete(file File) (bool, time.Duration) {
	state := f.box.Complete(fileTo(file), f.now())
	return state.Ready, state.Wait
}

// Open implements [Box].
func (f *Folder) Open(rel string) (*os.File, File, error) {
	file, now, err := f.box.OpenFile(rel)
	return file, fileFrom(now), f.missing(err)
}

// missing takes no file as gone while its whole folder is.
func (f *Folder) missing(err error) error {
	if errors.Is(err, outbox.ErrMissing) {
		if away := f.box.Present(); away != nil {
			return fileError(away)
		}
	}
	return fileError(err)
}

// Same implements [Box].
func (f *Folder) Same(file *os.File, was File) error {
	return fileError(outbox.Same(file, fileTo(was)))
}

// Remove implements [Box].
func (f *Folder) Remove(was File) error { return fileError(f.box.Remove(was.Rel, fileTo(was))) }

// Move implements [Box].
func (f *Folder) Move(was File, target string) error {
	return fileError(f.box.Move(was.Rel, fileTo(was), target))
}

// Watch implements [Box].
func (f *Folder) Watch(ctx context.Context, hint func(rel string)) error {
	return f.box.Watch(ctx, hint)
}

func fileFrom(o outbox.File) File {
	return File{Rel: o.Rel, Changed: o.Changed, Identity: journal.Identity{
		Size: o.Size, Sec: o.ModTime.Unix(), Nsec: int32(o.ModTime.Nanosecond()), Dev: o.Dev, Inode: o.Inode,
	}}
}

func fileTo(f File) outbox.File {
	return outbox.File{Rel: f.Rel, Size: f.Size, ModTime: f.At(), Changed: f.Changed, Dev: f.Dev, Inode: f.Inode}
}

// fileError says what became of one file in the words of [Box].
func fileError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, outbox.ErrGone), errors.Is(err, outbox.ErrDenied), errors.Is(err, outbox.ErrNotFolder):
		return fmt.Errorf("%w: %w", ErrFolder, err)
	case errors.Is(err, outbox.ErrTouched):
		return fmt.Errorf("%w: %w", ErrTouched, err)
	case errors.Is(err, outbox.ErrChanged):
		return fmt.Errorf("%w: %w", ErrChanged, err)
	case errors.Is(err, outbox.ErrMissing), errors.Is(err, outbox.ErrSkipped):
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}

// folderError says what became of a walk.
func folderError(err error) error {
	switch {
	case errors.Is(err, outbox.ErrGone), errors.Is(err, outbox.ErrNotFolder):
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case errors.Is(err, outbox.ErrDenied):
		return fmt.Errorf("%w: %w", fs.ErrPermission, err)
	}
	return err
}
