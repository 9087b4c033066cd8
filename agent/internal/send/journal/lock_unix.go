//go:build unix

package journal

import (
	"os"

	"golang.org/x/sys/unix"
)

// tryLock locks a file, or fails with EWOULDBLOCK where another process has.
func tryLock(f *os.File, shared bool) error {
	how := unix.LOCK_EX
	if shared {
		how = unix.LOCK_SH
	}
	return unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
}

// limited says that this process may write files up to some size only (systemd's LimitFSIZE). Without such a limit,
// a file that is too large is one that a damaged page number has made bbolt write far behind its end.
func limited() bool {
	var limit unix.Rlimit
	return unix.Getrlimit(unix.RLIMIT_FSIZE, &limit) == nil && limit.Cur != unix.RLIM_INFINITY
}
