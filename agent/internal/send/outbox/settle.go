package outbox

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"
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
	if len(held) > longestName {
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
	switch writer, _, err := o.writer(was); {
	case err != nil:
		return "", err
	case writer:
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
// the extension, until one is free. A name that would be too long is cut before its number.
func place(base string, put func(name string) error) error {
	ext := path.Ext(base)
	if len(ext) > longestExt {
		ext = ""
	}
	stem := strings.TrimSuffix(base, ext)
	name := base
	for i := 1; ; i++ {
		err := put(name)
		if !errors.Is(err, fs.ErrExist) || i > mostNames {
			return err
		}
		end := fmt.Sprintf(".%d%s", i, ext)
		name = cutAt(stem, longestName-len(end)) + end
	}
}

const (
	longestName = 255 // NAME_MAX of Linux's file systems, in bytes
	longestExt  = 64
)

// cutAt is at most n bytes of a name, and no part of a letter.
func cutAt(name string, n int) string {
	if len(name) <= n {
		return name
	}
	for n > 0 && !utf8.RuneStart(name[n]) {
		n--
	}
	return name[:n]
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
		sub, err := step(to, name) // never through a link that somebody planted
		if err := errors.Join(err, to.Close()); err != nil {
			if sub != nil {
				err = errors.Join(err, sub.Close())
			}
			return nil, fmt.Errorf("target: %w", err)
		}
		to = sub
	}
	return to, nil
}

// copyNew copies a file across file systems: a temporary file beside the target,
// the byte count compared, synced, and only then given its name. It writes into a file that it made
// itself, and at the end that very file has the name, whatever somebody plants in the target.
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
	temp, dst, err := newTemp(to, was)
	if err != nil {
		return err
	}
	written, err := copyAll(dst, src, info, was)
	err = errors.Join(err, dst.Close())
	if err == nil {
		err = Same(src, was)
	}
	made := temp
	if err == nil {
		err = place(base, func(name string) error {
			err := renameNew(to, temp, to, name)
			if err == nil {
				made = name
			}
			return err
		})
	}
	if err == nil {
		var at fs.FileInfo
		if at, err = to.Lstat(made); err == nil && !os.SameFile(at, written) {
			err = fmt.Errorf("another file took the place of the copy %s", made)
		}
	}
	if err == nil {
		err = syncFolder(to)
	}
	if err != nil && made == temp {
		return errors.Join(err, ignoreMissing(to.Remove(temp)))
	}
	return err
}

// newTemp makes the file into which a copy is written. What stands at its name, left by a crash or
// planted, is never opened.
func newTemp(to *os.Root, was File) (string, *os.File, error) {
	name := fmt.Sprintf("%scopy.%x-%x", asidePrefix, was.Dev, was.Inode)
	for i := 0; ; i++ {
		if err := to.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) && i == 0 {
			name += "." + rand.Text() // a folder, for instance
		}
		file, err := to.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			return name, file, nil
		}
		if !errors.Is(err, fs.ErrExist) || i == mostNames {
			return "", nil, err
		}
		name = asidePrefix + "copy." + rand.Text()
	}
}

// copyAll copies a file with its mode and time, makes the bytes durable, and tells what was made.
func copyAll(dst, src *os.File, info fs.FileInfo, was File) (fs.FileInfo, error) {
	n, err := io.Copy(dst, src)
	if err == nil && n != was.Size {
		err = fmt.Errorf("%w: %d bytes copied of %d", ErrChanged, n, was.Size)
	}
	if err == nil {
		err = dst.Chmod(info.Mode().Perm())
	}
	if err == nil {
		err = setTime(dst, info.ModTime())
	}
	if err == nil {
		err = dst.Sync()
	}
	if err != nil {
		return nil, err
	}
	return dst.Stat()
}

// syncFolder makes what was done in a folder durable.
func syncFolder(folder *os.Root) error {
	dir, err := folder.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(ignoreUnsupported(dir.Sync()), dir.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// ignoreUnsupported lets file systems pass that have no fsync of folders.
func ignoreUnsupported(err error) error {
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
