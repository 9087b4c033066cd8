package client

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// maxFile is the largest file of credentials or certificates that is read. A system's whole bundle has a quarter of it.
const maxFile = 1 << 20

// What is wrong with a file that is read again and again: it would never end, or give something else each time.
var (
	errNotRegular = errors.New("not a regular file")
	errTooLarge   = errors.New("larger than any such file")
)

// readRegular reads a small regular file. It never waits for anybody, as a read of a FIFO does; the empty device is an
// empty file.
func readRegular(path string) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil, err
	case info.IsDir():
		return nil, info, &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	case !info.Mode().IsRegular():
		if path == os.DevNull {
			return nil, info, nil
		}
		return nil, info, errNotRegular
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errTooLarge
	}
	return data, info, err
}

// unreadable is the problem of a file that can't be read.
func unreadable(path string, err error) *CredentialsError {
	e := &CredentialsError{Problem: UnreadableFile, File: path, cause: err}
	switch {
	case errors.Is(err, errNotRegular):
		e.Problem, e.Code = OddFile, "special"
	case errors.Is(err, errTooLarge):
		e.Problem, e.Code = OddFile, "size"
	}
	return e
}
