package outbox

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// openBeneath opens a regular file of a folder by its path, through no link, and tells what it is: in one call,
// openat2(2) of Linux 5.6, where going step by step takes six. An error says nothing about the file: an older kernel, a
// container's filter and a file that can't be opened give one alike.
func openBeneath(folder *os.File, rel string) (*os.File, File, error) {
	raw, err := folder.SyscallConn()
	if err != nil {
		return nil, File{}, err
	}
	how := unix.OpenHow{Flags: uint64(openFlags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	var fd int
	failed := raw.Control(func(at uintptr) { fd, err = unix.Openat2(int(at), rel, &how) })
	if err := errors.Join(failed, err); err != nil {
		return nil, File{}, err
	}
	var st syscall.Stat_t
	err = syscall.Fstat(fd, &st)
	if err == nil && st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		err = ErrSkipped
	}
	if err == nil { // or os.NewFile would try to have the file polled
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, 0)
	}
	if err != nil {
		return nil, File{}, errors.Join(err, syscall.Close(fd))
	}
	f := File{Rel: rel, Size: st.Size, ModTime: time.Unix(st.Mtim.Unix())}
	f.identify(&st)
	return os.NewFile(uintptr(fd), rel), f, nil
}

// openNoLinks opens a folder, and fails with ELOOP where a part of its path is a link (openat2(2)).
func openNoLinks(path string) (*os.File, error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &how)
	switch {
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM): // an older kernel, or a container's filter
		return openStepwiseNoLinks(path)
	case err != nil:
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}
