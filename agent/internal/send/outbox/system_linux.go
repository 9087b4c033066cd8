package outbox

import (
	"os"

	"golang.org/x/sys/unix"
)

// ofKernel are the file systems that show the kernel's state (linux/magic.h): the size of their
// files says nothing of what a read gives.
var ofKernel = map[int64]bool{
	unix.PROC_SUPER_MAGIC: true, unix.SYSFS_MAGIC: true, unix.DEBUGFS_MAGIC: true, unix.TRACEFS_MAGIC: true,
	unix.SECURITYFS_MAGIC: true, unix.CGROUP_SUPER_MAGIC: true, unix.CGROUP2_SUPER_MAGIC: true,
	unix.BPF_FS_MAGIC: true, unix.PSTOREFS_MAGIC: true, unix.EFIVARFS_MAGIC: true, unix.SELINUX_MAGIC: true,
	unix.SMACK_MAGIC: true, unix.BINFMTFS_MAGIC: true, unix.DEVPTS_SUPER_MAGIC: true,
}

// systemFiles tells in what kind of file system a folder stands.
func systemFiles(dir *os.File) fileSystem {
	raw, err := dir.SyscallConn()
	if err != nil {
		return ofFiles
	}
	var st unix.Statfs_t
	if failed := raw.Control(func(fd uintptr) { err = unix.Fstatfs(int(fd), &st) }); failed != nil || err != nil {
		return ofFiles
	}
	switch {
	case ofKernel[int64(st.Type)]:
		return ofSystem
	case st.Type == unix.FUSE_SUPER_MAGIC:
		return ofFUSE
	}
	return ofFiles
}
