//go:build unix

package cli

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ownerOf is the name of the user to whom a file belongs, or its number; "" where that is not known.
func ownerOf(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return userName(int(st.Uid))
}

// onJournal says that what is written to w goes to journald: stream is JOURNAL_STREAM, the device and inode of what
// systemd gave the process to write to (systemd.exec(5)).
func onJournal(w io.Writer, stream string) bool {
	f, ok := w.(*os.File)
	if !ok || stream == "" {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
