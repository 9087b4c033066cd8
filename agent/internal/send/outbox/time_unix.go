//go:build unix && !linux

package outbox

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setTime gives an open file its modification time.
func setTime(file *os.File, at time.Time) error {
	tv := unix.NsecToTimeval(at.UnixNano())
	return unix.Futimes(int(file.Fd()), []unix.Timeval{tv, tv})
}

func changeTime(*syscall.Stat_t) time.Time { return time.Time{} }
