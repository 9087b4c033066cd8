package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// trust says whether somebody else could change a file or folder that the agent goes by: the code of
// the fault, or "". Its group may by its mode (loose); to be readable is no fault.
func trust(info fs.FileInfo) (fault Code, loose bool) {
	owner, known := ownerOf(info)
	if !known {
		return "", false
	}
	mode := info.Mode().Perm()
	switch {
	case owner != 0 && owner != os.Geteuid():
		return CodeForeign, false
	case mode&0o002 != 0:
		return CodeOpen, false
	}
	return "", mode&0o020 != 0
}

// ownFolder is the name of the folder that the agent makes for itself in a mount that everybody may
// write.
const ownFolder = "buzon"

// settleState decides which folder holds the state, and whether it may: a mount's root that
// everybody may write, as container volumes are, gets a folder of the agent's own inside.
func (c *Config) settleState() *Error {
	info, err := os.Stat(c.State)
	if err != nil || !info.IsDir() {
		return nil // not there yet, or the journal says what is wrong with it
	}
	if info.Mode().Perm() == 0o777 && mountRoot(c.State) {
		c.State = filepath.Join(c.State, ownFolder)
		if info, err = os.Lstat(c.State); errors.Is(err, fs.ErrNotExist) {
			return nil // the journal makes it, 0700
		}
		if err == nil && !info.IsDir() {
			return c.stateFault(CodeForeign)
		}
		if err != nil {
			return nil
		}
	}
	fault, loose := trust(info)
	if fault != "" {
		return c.stateFault(fault)
	}
	if loose {
		c.Loose = append(c.Loose, c.State)
	}
	return nil
}

func (c *Config) stateFault(code Code) *Error {
	e := &Error{File: c.State, Code: code, Args: []any{"path", c.State}}
	switch o := c.From("state"); o.Kind {
	case FromFile:
		e.File, e.Line, e.Column = o.File, o.Line, o.Column
	case FromFlag:
		e.Flag = o.Flag
	case FromDefault, FromExpect:
	}
	return e
}
