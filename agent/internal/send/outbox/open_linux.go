package outbox

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// openBeneath opens a regular file of a folder by its path, through no link, and tells what it is: in one call,
// openat2(2) of Linux 5.6, where going step by step takes six. An error says nothing about the file: an older kernel,
// a container's filter and a file that can't be opened give one alike.
func openBeneath(folder *os.File, rel string) (fd int, now File, err error) {
	raw, err := folder.SyscallConn()
	if err != nil {
		return -1, File{}, err
	}
	how := unix.OpenHow{
		// O_NONBLOCK: should it be a fifo by now, don't wait for its writer.
		Flags:   unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	}
	failed := raw.Control(func(at uintptr) { fd, err = unix.Openat2(int(at), rel, &how) })
	if err = errors.Join(failed, err); err != nil {
		return -1, File{}, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = syscall.EINVAL
	}
	if err != nil {
		return -1, File{}, errors.Join(err, unix.Close(fd))
	}
	return fd, File{
		Rel: rel, Size: st.Size, ModTime: time.Unix(st.Mtim.Unix()), Changed: time.Unix(st.Ctim.Unix()), Dev: st.Dev, Inode: st.Ino,
	}, nil
}
