//go:build !unix

package outbox

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// Nothing is sent from such a system: what names a file there, and whose it is, is not asked for.

const noFollow = 0

func inode(fs.FileInfo) (dev, ino uint64) { return 0, 0 }

func ownerOf(fs.FileInfo) uint32 { return 0 }

func fileOf(rel string, info fs.FileInfo) File {
	return File{Rel: rel, Size: info.Size(), ModTime: info.ModTime()}
}

func setTime(*os.File, time.Time) error { return errors.ErrUnsupported }
