//go:build !unix

package cli

import "io/fs"

// ownerOf is not known where files have lists of rights instead.
func ownerOf(fs.FileInfo) string { return "" }
