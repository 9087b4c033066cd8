//go:build unix

package cli

import (
	"io/fs"
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
