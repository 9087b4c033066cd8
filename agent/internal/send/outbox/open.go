package outbox

import (
	"errors"
	"fmt"
	"os"
	"path"
	"syscall"
)

// openFlags are for reading. O_NONBLOCK: should it be a fifo by now, don't wait for its writer.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY

// OpenFile opens a file for reading and tells what it is now. It follows no
// link, waits for no fifo, and opens regular files only. The errors are
// ErrMissing, ErrUnreadable, ErrSkipped and those of the folder.
func (o *Outbox) OpenFile(rel string) (*os.File, File, error) {
	root, dir, err := o.opened()
	if err != nil {
		return nil, File{}, err
	}
	if file, now, err := openBeneath(dir, rel); err == nil {
		return file, now, nil
	}
	return openStepwise(root, rel)
}

// openStepwise opens a file where the system can't do it in one step, and finds out why a file can't be opened.
func openStepwise(root *os.Root, rel string) (*os.File, File, error) {
	folder, name, err := enter(root, rel)
	if err != nil {
		return nil, File{}, err
	}
	defer folder.Close() //nolint:errcheck // only read
	before, err := folder.Lstat(name)
	if err != nil {
		return nil, File{}, fileError(err)
	}
	if reason := kind(before); reason != "" {
		return nil, File{}, fmt.Errorf("%w: %s", ErrSkipped, reason)
	}
	file, err := folder.OpenFile(name, openFlags, 0)
	if err != nil {
		return nil, File{}, fileError(err)
	}
	after, err := file.Stat()
	switch {
	case err != nil:
		err = fileError(err)
	case !os.SameFile(before, after):
		err = fmt.Errorf("%w: replaced while it was opened", ErrChanged)
	case kind(after) != "":
		err = fmt.Errorf("%w: %s", ErrSkipped, kind(after))
	default:
		return file, fileOf(rel, after), nil
	}
	return nil, File{}, errors.Join(err, file.Close())
}

// enter opens the folder in which a file stands, if no link leads there. os.Root already keeps such a path inside the
// outbox; this keeps one file from being sent under two names.
func enter(root *os.Root, rel string) (folder *os.Root, name string, err error) {
	if err := throughNoLink(root, rel); err != nil {
		return nil, "", err
	}
	dir, name := path.Dir(rel), path.Base(rel)
	before, err := root.Lstat(dir)
	if err != nil {
		return nil, "", fileError(err)
	}
	folder, err = root.OpenRoot(dir)
	if err != nil {
		return nil, "", fileError(err)
	}
	now, err := folder.Stat(".")
	if err != nil || !os.SameFile(before, now) {
		return nil, "", errors.Join(fmt.Errorf("%w: its folder was replaced while it was opened", ErrChanged), err, folder.Close())
	}
	return folder, name, nil
}

// throughNoLink refuses a path that leads through a linked folder.
func throughNoLink(root *os.Root, rel string) error {
	for dir := path.Dir(rel); dir != "."; dir = path.Dir(dir) {
		info, err := root.Lstat(dir)
		if err != nil {
			return fileError(err)
		}
		if !info.IsDir() {
			return fmt.Errorf("%w: %s", ErrSkipped, kind(info))
		}
	}
	return nil
}
