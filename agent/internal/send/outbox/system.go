package outbox

import "os"

// fileSystem is a kind of file system, by what the size of its files says.
type fileSystem int

const (
	ofFiles  fileSystem = iota // it is how much there is to read
	ofFUSE                     // it may be 0 though there is something to read
	ofSystem                   // it says nothing: /proc, /sys and their like
)

// IsSystem reports whether the files of a folder show the system's state and can't be sent whole.
func IsSystem(folder string) bool {
	dir, err := os.Open(folder)
	if err != nil {
		return false
	}
	defer dir.Close() //nolint:errcheck // only read
	return systemFiles(dir) == ofSystem
}

// holdsMore reports whether a file of size 0 has a byte to read nevertheless.
func holdsMore(folder *os.Root, name string) bool {
	file, err := folder.OpenFile(name, openFlags, 0)
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // only read
	n, _ := file.Read(make([]byte, 1))
	return n > 0
}
