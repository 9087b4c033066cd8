//go:build unix

package client

import (
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// ownGroup has a command begin a group of processes of its own.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// endGroup ends a command with all that it started.
func endGroup(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }

// openToOthers says that others than its owner may read or write a file.
func openToOthers(info fs.FileInfo) bool { return info.Mode()&0o066 != 0 }

// ownerOf is the owner of a file by name, or by number where there is none.
func ownerOf(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	id := strconv.FormatUint(uint64(stat.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
