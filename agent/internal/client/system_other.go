//go:build !unix

package client

import (
	"io/fs"
	"os/exec"
)

// endTogether has a command end; what it started may live on.
func endTogether(*exec.Cmd) {}

// openToOthers can't be told by a mode where files have lists of rights instead.
func openToOthers(fs.FileInfo) bool { return false }

// ownerOf is not known here.
func ownerOf(fs.FileInfo) string { return "" }
