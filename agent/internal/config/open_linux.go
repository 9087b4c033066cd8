package config

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// awaitWriter waits until somebody has written into a fifo, or let go of it: before, reading would
// show an end (fifo(7)).
func awaitWriter(f *os.File, end time.Time) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	for {
		n := 0
		failed := raw.Control(func(fd uintptr) {
			left := max(0, time.Until(end))
			n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds())) //nolint:gosec // a descriptor is small
		})
		switch {
		case failed != nil:
			return failed
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0:
			return errSilent
		}
		return nil
	}
}

// mountRoot says that a folder is where a file system is mounted (statx(2), STATX_ATTR_MOUNT_ROOT of
// Linux 5.8; before it, that its parent is on another device).
func mountRoot(path string) bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BASIC_STATS, &st)
	if err == nil && st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
	}
	var here, above unix.Stat_t
	if unix.Stat(path, &here) != nil || unix.Stat(path+"/..", &above) != nil {
		return false
	}
	return here.Dev != above.Dev
}
