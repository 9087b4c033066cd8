package outbox

import (
	"os/exec"
	"syscall"
)

// processAs prepares a program that runs as another user, without groups.
func processAs(uid uint32, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return cmd
}
