//go:build !linux

package outbox

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// renameNew renames a file within one folder and fails with fs.ErrExist where the
// new name is taken; into another folder it is unsupported, and the caller copies.
func renameNew(from *os.Root, old string, to *os.Root, new string) error {
	if from != to {
		return errors.ErrUnsupported
	}
	if _, err := to.Lstat(new); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fs.ErrExist)
	}
	return from.Rename(old, new)
}

// setTime gives an open file its modification time.
func setTime(file *os.File, at time.Time) error {
	tv := unix.NsecToTimeval(at.UnixNano())
	return unix.Futimes(int(file.Fd()), []unix.Timeval{tv, tv})
}
