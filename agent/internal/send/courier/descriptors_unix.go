//go:build unix

package courier

import "syscall"

// descriptors is how many this process may hold open (getrlimit(2), RLIMIT_NOFILE).
func descriptors() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return limit.Cur
}
