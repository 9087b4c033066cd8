package outbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
)

// asidePrefix marks a file that is being settled. It is a dotfile, so that no
// pass sends it; one that a crash left behind is put back at the next pass.
const asidePrefix = ".buzon-settling."

// aside tells whether a name marks a file that is being settled, and its own
// name.
func aside(name string) (original string, ok bool) { return strings.CutPrefix(name, asidePrefix) }

// Remove deletes a file that was sent. It never deletes one that changed: the
// file is first moved aside, where nobody can open it by its name any more, and
// looked at there. The errors are ErrChanged, ErrTouched, ErrWriter (in all of
// which the file stands under its name again) and ErrMissing.
func (o *Outbox) Remove(rel string, was File) error {
	folder, base, err := o.parent(rel)
	if err != nil {
		return err
	}
	defer folder.Close() //nolint:errcheck // only read
	held, err := o.hold(folder, base, rel, was)
	if err != nil {
		return err
	}
	defer o.release(rel)
	if err := folder.Remove(held); err != nil {
		return errors.Join(fmt.Errorf("remove: %w", fileError(err)), o.restore(folder, held, base))
	}
	return syncFolder(folder)
}

// Move puts a file that was sent under target, at its path inside the outbox, and
// never replaces anything there: a name that is taken gets a number. It never
// moves a file that changed. Across file systems it copies, syncs the copy and
// its folder, and then removes. The errors are those of Remove.
func (o *Outbox) Move(rel string, was File, target string) error {
	folder, base, err := o.parent(rel)
	if err != nil {
		return err
	}
	defer folder.Close() //nolint:errcheck // only read
	to, err := o.targetFolder(target, path.Dir(rel))
	if err != nil {
		return err
	}
	defer to.Close() //nolint:errcheck // synced before
	held, err := o.hold(folder, base, rel, was)
	if err != nil {
		return err
	}
	defer o.release(rel)
	err = place(base, func(name string) error { return renameNew(folder, held, to, name) })
	if errors.Is(err, syscall.EXDEV) || errors.Is(err, errors.ErrUnsupported) {
		if err = copyNew(folder, held, to, base, was); err == nil {
			err = folder.Remove(held)
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("move: %w", err), o.restore(folder, held, base))
	}
	return errors.Join(syncFolder(to), syncFolder(folder))
}

// parent opens the folder in which a file stands.
func (o *Outbox) parent(rel string) (*os.Root, string, error) {
	root, err := o.folder()
	if err != nil {
		return nil, "", err
	}
	return enter(root, rel)
}

// hold moves a file aside and makes sure that it is what it was.
func (o *Outbox) hold(folder *os.Root, base, rel string, was File) (held string, err error) {
	held = asidePrefix + base
	if len(held) > 255 { // the longest name that file systems take
		held = base
	}
	info, err := folder.Lstat(base)
	if errors.Is(err, fs.ErrNotExist) { // a crash may have left it aside, and no pass came by yet
		o.putBack(folder, rel, held, base)
		info, err = folder.Lstat(base)
	}
	if err != nil {
		return "", fileError(err)
	}
	if err := unchanged(info, was); err != nil {
		return "", err
	}
	if writer, _ := o.writer(was); writer {
		return "", ErrWriter
	}
	o.mu.Lock()
	if o.busy[rel] {
		o.mu.Unlock()
		return "", fmt.Errorf("%w: it is being settled already", ErrMissing)
	}
	o.busy[rel] = true
	o.mu.Unlock()
	defer func() {
		if err != nil {
			o.release(rel)
		}
	}()
	if held == base {
		return held, nil
	}
	if err := renameNew(folder, base, folder, held); err != nil {
		return "", fmt.Errorf("move aside: %w", fileError(err))
	}
	// The renaming itself changed the change time.
	was.Changed = time.Time{}
	info, err = folder.Lstat(held)
	if err == nil {
		err = unchanged(info, was)
	}
	if err == nil && openForWriting(folder, held) {
		err = ErrWriter
	}
	if err != nil {
		return "", errors.Join(err, o.restore(folder, held, base))
	}
	return held, nil
}

func (o *Outbox) release(rel string) {
	o.mu.Lock()
	delete(o.busy, rel)
	o.mu.Unlock()
}

func (o *Outbox) settling(rel string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.busy[rel]
}

func unchanged(info fs.FileInfo, was File) error {
	if kind(info) != "" {
		return fmt.Errorf("%w: %s has its name", ErrChanged, kind(info))
	}
	return same(fileOf(was.Rel, info), was)
}

func openForWriting(folder *os.Root, name string) bool {
	file, err := folder.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // only read
	return readLease(file) == yes
}

// restore gives a file that was moved aside its name again; where that is taken
// by now, both are kept.
func (o *Outbox) restore(folder *os.Root, held, base string) error {
	if held == base {
		return nil
	}
	err := place(base, func(name string) error { return renameNew(folder, held, folder, name) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// putBack restores what a crash left aside.
func (o *Outbox) putBack(folder *os.Root, rel, held, base string) {
	if base == "" || o.settling(path.Join(path.Dir(rel), base)) {
		return
	}
	if err := o.restore(folder, held, base); err != nil {
		o.log.Warn("file that was being settled can't get its name back", "path", rel, "error", err)
	}
}

// mostNames bounds the numbers that are tried for a name that is taken.
const mostNames = 1000

// place calls put with base, and where that exists with base.1, base.2 … before
// the extension, until one is free.
func place(base string, put func(name string) error) error {
	ext := path.Ext(base)
	stem := strings.TrimSuffix(base, ext)
	name := base
	for i := 1; ; i++ {
		err := put(name)
		if !errors.Is(err, fs.ErrExist) || i > mostNames {
			return err
		}
		name = fmt.Sprintf("%s.%d%s", stem, i, ext)
	}
}

// targetFolder makes and opens the folder below target in which a file goes, and
// makes each new folder durable.
func (o *Outbox) targetFolder(target, dir string) (*os.Root, error) {
	if err := os.MkdirAll(target, 0o750); err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	to, err := os.OpenRoot(target)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	if dir == "." {
		return to, nil
	}
	for _, name := range strings.Split(dir, "/") {
		if err := to.Mkdir(name, 0o750); err == nil {
			if err := syncFolder(to); err != nil {
				return nil, errors.Join(err, to.Close())
			}
		} else if !errors.Is(err, fs.ErrExist) {
			return nil, errors.Join(fmt.Errorf("target: %w", err), to.Close())
		}
		sub, err := to.OpenRoot(name)
		if err := errors.Join(err, to.Close()); err != nil {
			return nil, fmt.Errorf("target: %w", err)
		}
		to = sub
	}
	return to, nil
}

// copyNew copies a file across file systems: a temporary file beside the target,
// the byte count compared, synced, and only then given its name.
func copyNew(from *os.Root, held string, to *os.Root, base string, was File) (err error) {
	src, err := from.OpenFile(held, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer src.Close() //nolint:errcheck // only read
	info, err := src.Stat()
	if err != nil {
		return err
	}
	was.Changed = time.Time{}
	if err := unchanged(info, was); err != nil {
		return err
	}
	temp := asidePrefix + "copy." + fmt.Sprintf("%x-%x", was.Dev, was.Inode)
	dst, err := to.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	n, err := io.Copy(dst, src)
	if err == nil && n != was.Size {
		err = fmt.Errorf("%w: %d bytes copied of %d", ErrChanged, n, was.Size)
	}
	if err == nil {
		err = dst.Sync()
	}
	err = errors.Join(err, dst.Close())
	if err == nil {
		err = to.Chtimes(temp, time.Time{}, info.ModTime())
	}
	if err == nil {
		err = Same(src, was)
	}
	if err == nil {
		err = place(base, func(name string) error { return renameNew(to, temp, to, name) })
	}
	if err == nil {
		err = syncFolder(to)
	}
	if err != nil {
		return errors.Join(err, to.Remove(temp))
	}
	return nil
}

// syncFolder makes what was done in a folder durable.
func syncFolder(folder *os.Root) error {
	dir, err := folder.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(ignoreUnsupported(dir.Sync()), dir.Close())
}

// ignoreUnsupported lets file systems pass that have no fsync of folders.
func ignoreUnsupported(err error) error {
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
