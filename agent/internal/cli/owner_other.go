//go:build !unix

package cli

import (
	"io"
	"io/fs"
)

// ownerOf is not known where files have lists of rights instead.
func ownerOf(fs.FileInfo) string { return "" }

// onJournal is false where there is no journald.
func onJournal(io.Writer, string) bool { return false }
