package cli

import "golang.org/x/sys/unix"

// Protect keeps the memory of this process, which holds keys, from core dumps and from other
// processes of the same user (prctl(2), PR_SET_DUMPABLE). Where it is refused nothing is lost but that.
func Protect() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
