//go:build unix

package client

import (
	"io/fs"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// endTogether has a command end with all that it started.
func endTogether(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

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
