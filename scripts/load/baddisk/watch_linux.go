package baddisk

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Call is one system call, before it is made.
type Call struct {
	Name   string // fsync, fdatasync, pwrite64
	Path   string // of the file
	Offset int64  // in the file; pwrite64 alone
}

// Disk is what a process and its children do to their disk.
type Disk struct {
	answer atomic.Pointer[func(Call) syscall.Errno]
}

// Answer has every call answered by f from now on: zero has it made. f is called by one goroutine at a time, and makes
// no such call itself. Nil has all of them made.
func (d *Disk) Answer(f func(Call) syscall.Errno) {
	if f == nil {
		f = func(Call) syscall.Errno { return 0 }
	}
	d.answer.Store(&f)
}

var watched = map[int32]string{unix.SYS_FSYNC: "fsync", unix.SYS_FDATASYNC: "fdatasync", unix.SYS_PWRITE64: "pwrite64"}

// The kernel's structures of seccomp's user notification (seccomp_unotify(2)); x/sys has none.
type notice struct {
	id     uint64
	pid    uint32
	flags  uint32
	number int32
	arch   uint32
	at     uint64
	args   [6]uint64
}

type response struct {
	id    uint64
	value int64
	err   int32
	flags uint32
}

// ofAll has every thread of this process watched, and gives the descriptor by which the calls are answered.
const ofAll = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH

// Watch begins to watch this process, for as long as it lives, and the children that it starts.
func Watch(t *testing.T) *Disk {
	t.Helper()
	d := &Disk{}
	d.Answer(nil)
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // the call's number
	for number := range watched {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: uint32(number)},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		refuse(t, "to give up privileges", err)
	}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, ofAll, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		refuse(t, "a filter of system calls", errno)
	}
	go d.serve(int(fd))
	return d
}

// serve answers until the process ends.
func (d *Disk) serve(fd int) {
	for {
		var n notice
		if err := ioctl(fd, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); err != nil {
			if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) { // whoever asked was interrupted
				continue
			}
			return
		}
		c := Call{Name: watched[n.number]}
		c.Path, _ = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", n.pid, n.args[0])) // a process that is gone needs no answer
		if c.Name == "pwrite64" {
			c.Offset = int64(n.args[3])
		}
		r := response{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if errno := (*d.answer.Load())(c); errno != 0 {
			r.err, r.flags = -int32(errno), 0
		}
		_ = ioctl(fd, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r)) // it may be gone
	}
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
