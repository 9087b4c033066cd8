package outbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func changeTime(st *syscall.Stat_t) time.Time { return time.Unix(st.Ctim.Unix()) }

// readLease takes a read lease and gives it back at once. fcntl(2), F_SETLEASE:
// a read lease is refused with EAGAIN while the file is open for writing, and
// with EACCES to who neither owns the file nor holds CAP_LEASE.
func readLease(file *os.File) answer {
	raw, err := file.SyscallConn()
	if err != nil {
		return unknown
	}
	got := unknown
	err = raw.Control(func(fd uintptr) {
		switch _, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK); {
		case err == nil:
			got = no
			if _, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK); err != nil {
				got = unknown
			}
		case errors.Is(err, unix.EAGAIN):
			got = yes
		}
	})
	if err != nil {
		return unknown
	}
	return got
}

// hasLeases: without a right of its own, a process gets leases on its own user's files.
const hasLeases = true

// mayLeaseAll says that leases are granted on everybody's files.
func mayLeaseAll() bool { return capable(unix.CAP_LEASE) }

func capable(capability int) bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(status), "\nCapEff:")
	line, _, _ := strings.Cut(rest, "\n")
	set, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	return err == nil && set&(1<<capability) != 0
}

// writers looks through /proc for files that are open for writing. One look
// serves all questions of a second.
type writers struct {
	mu    sync.Mutex
	at    time.Time
	whole bool // every process could be looked at
	open  map[[2]uint64]bool
}

const procFresh = time.Second

func (w *writers) proc(f File) answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.Sub(w.at) > procFresh || now.Before(w.at) {
		w.look()
		w.at = time.Now()
	}
	switch {
	case w.open[[2]uint64{f.Dev, f.Inode}]:
		return yes
	case w.whole:
		return no
	}
	return unknown
}

// look lists what all processes have open for writing. It is whole only if
// process 1, whose files root alone may list, could be looked at, and every
// other one too.
func (w *writers) look() {
	w.open = map[[2]uint64]bool{}
	w.whole = true
	procs, err := os.ReadDir("/proc")
	if err != nil {
		w.whole = false
		return
	}
	one := false
	for _, p := range procs {
		if _, err := strconv.Atoi(p.Name()); err != nil {
			continue
		}
		one = one || p.Name() == "1"
		dir := filepath.Join("/proc", p.Name(), "fd")
		fds, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrPermission) {
			w.whole = false
		}
		for _, fd := range fds {
			// The mode of the link tells how the file is open (proc(5)).
			link, err := os.Lstat(filepath.Join(dir, fd.Name()))
			if err != nil || link.Mode().Perm()&0o200 == 0 {
				continue
			}
			if info, err := os.Stat(filepath.Join(dir, fd.Name())); err == nil && info.Mode().IsRegular() {
				dev, ino := inode(info)
				w.open[[2]uint64{dev, ino}] = true
			}
		}
	}
	w.whole = w.whole && one
}
