//go:build unix

package audit_test

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime is what this process has used of the processors: on a machine that is
// busy with other things it says more than the clock.
func cpuTime(t testing.TB) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
