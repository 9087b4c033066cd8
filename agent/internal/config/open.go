package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Bounds of what is read: a real configuration has some kilobytes.
const (
	mostBytes = 64 << 10
	patience  = 5 * time.Second // of a pipe, for all of it
)

var (
	errNotRegular = errors.New("not a regular file")
	errTooLarge   = errors.New("too large")
	errSilent     = errors.New("no end within the time")
)

// ReadAgain reads a configuration that a running agent reads again: a regular file, within the
// bounds. It never waits for anybody.
func ReadAgain(path string) ([]byte, error) {
	data, _, err := readFile(path, true)
	return data, err
}

// readFile reads a file within bounds of size and time. What is read once may be a pipe; what is read
// again must be a regular file.
func readFile(path string, again bool) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0) // a fifo is not waited for
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil, err
	case info.IsDir():
		return nil, nil, &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	case again && !info.Mode().IsRegular():
		return nil, nil, errNotRegular
	case info.Mode().IsRegular() && info.Size() > mostBytes:
		return nil, nil, errTooLarge
	}
	end := time.Now().Add(patience)
	if info.Mode()&fs.ModeNamedPipe != 0 {
		if err := awaitWriter(f, end); err != nil {
			return nil, nil, err
		}
	}
	if err := f.SetReadDeadline(end); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, nil, errSilent
	case err != nil:
		return nil, nil, err
	case len(data) > mostBytes:
		return nil, nil, errTooLarge
	}
	return data, info, nil
}
