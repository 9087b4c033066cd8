//go:build !unix

package client

import (
	"io/fs"
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return nil }

// endGroup ends a command; what it started may live on.
func endGroup(p *os.Process) error { return p.Kill() }

// openToOthers can't be told by a mode where files have lists of rights instead.
func openToOthers(fs.FileInfo) bool { return false }

// ownerOf is not known here.
func ownerOf(fs.FileInfo) string { return "" }
