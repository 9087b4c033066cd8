//go:build !linux

package outbox

import (
	"errors"
	"io/fs"
	"os"
)

// renameNew renames a file within one folder and fails with fs.ErrExist where the
// new name is taken; into another folder it is unsupported, and the caller copies.
func renameNew(from *os.Root, old string, to *os.Root, new string) error {
	if from != to {
		return errors.ErrUnsupported
	}
	if _, err := to.Lstat(new); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fs.ErrExist)
	}
	return from.Rename(old, new)
}
