package journal

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// holder asks the system which process has locked a file (proc_locks(5)); 0 if it can't be told. The file's own text
// names only the last process that wrote there, and one that reads a journal writes nothing.
func holder(f *os.File) int {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return 0
	}
	defer locks.Close() //nolint:errcheck // read only
	for scan := bufio.NewScanner(locks); scan.Scan(); {
		var id, kind, mode, how, place string
		var pid int
		if n, _ := fmt.Sscan(scan.Text(), &id, &kind, &mode, &how, &pid, &place); n != 6 || kind != "FLOCK" {
			continue
		}
		// The device is not compared: some file systems show another one here than in stat(2).
		if strings.HasSuffix(place, fmt.Sprintf(":%d", st.Ino)) && pid > 0 {
			return pid
		}
	}
	return 0
}
