package outbox

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// renameNew renames a file from one folder into another, or the same, and fails
// with fs.ErrExist where the new name is taken. Both names are single names.
func renameNew(from *os.Root, old string, to *os.Root, new string) (err error) {
	source, err := from.Open(".")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := to.Open(".")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	err = unix.Renameat2(int(source.Fd()), old, int(target.Fd()), new, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		// A file system without the flag: a hard link never replaces either.
		if err = unix.Linkat(int(source.Fd()), old, int(target.Fd()), new, 0); err == nil {
			err = unix.Unlinkat(int(source.Fd()), old, 0)
		}
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: old, New: new, Err: err}
	}
	return nil
}

// setTime gives an open file its modification time.
func setTime(file *os.File, at time.Time) (err error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	modified, err := unix.TimeToTimespec(at)
	if err != nil {
		return err
	}
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, modified}
	failed := raw.Control(func(fd uintptr) {
		err = unix.UtimesNanoAt(int(fd), "", times, unix.AT_EMPTY_PATH)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) { // before Linux 5.8
			err = unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), times, 0)
		}
	})
	return errors.Join(failed, err)
}
