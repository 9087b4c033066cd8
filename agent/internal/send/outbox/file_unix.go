//go:build unix

package outbox

import (
	"io/fs"
	"syscall"
)

// noFollow opens a folder, and no link.
const noFollow = syscall.O_DIRECTORY | syscall.O_NOFOLLOW

// inode is what names a file beyond its path.
func inode(info fs.FileInfo) (dev, ino uint64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev), st.Ino
	}
	return 0, 0
}

// ownerOf is whose a file is.
func ownerOf(info fs.FileInfo) uint32 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Uid
	}
	return 0
}

func fileOf(rel string, info fs.FileInfo) File {
	f := File{Rel: rel, Size: info.Size(), ModTime: info.ModTime()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		f.identify(st)
	}
	return f
}

// identify fills in what the system alone knows of a file.
func (f *File) identify(st *syscall.Stat_t) {
	f.Dev, f.Inode, f.Changed = uint64(st.Dev), st.Ino, changeTime(st)
}
