package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// ErrNone means that there is no journal to read.
var ErrNone = errors.New("no journal")

// ErrFull means that a change was given up because the disk is full and nobody waits for space any more: see
// [Journal.Patient].
var ErrFull = errors.New("no space for the journal")

// ErrClosed means that the journal was closed before the change was committed.
var ErrClosed = errors.New("journal is closed")

// LockedError means that another process holds the state folder.
type LockedError struct {
	State string // the folder
	PID   int    // of the holder; 0 if it can't be read
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("state folder %s is held by process %d", e.State, e.PID)
}

// Message names the sentence for it.
func (e *LockedError) Message() (string, []any) {
	return "state.locked", []any{"state", e.State, "pid", strconv.Itoa(e.PID)}
}

// DamagedError means that the journal can't be trusted. The file is left as it is.
type DamagedError struct {
	Path string
	Err  error
}

func (e *DamagedError) Error() string { return fmt.Sprintf("journal %s is damaged: %v", e.Path, e.Err) }
func (e *DamagedError) Unwrap() error { return e.Err }

// Message names the sentence for it.
func (e *DamagedError) Message() (string, []any) {
	return "state.damaged", []any{"path", e.Path, "reason", e.Err}
}

// NewerError means that a newer program wrote the journal.
type NewerError struct {
	Path   string
	Format uint32 // of the file; this program reads up to [Version]
	Writer string // the least version of the agent that reads it
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("journal %s has format %d, newer than %d", e.Path, e.Format, Version)
}

// Message names the sentence for it.
func (e *NewerError) Message() (string, []any) {
	id := "state.newer"
	if e.Writer != "" {
		id = "state.newer-than"
	}
	return id, []any{"path", e.Path, "format", int64(e.Format), "known", Version, "version", e.Writer}
}

// WriteError means that the journal could not be written or synced, and not for want of space. What was acknowledged
// is on the disk; what was not may or may not be there. The journal takes and tells nothing more: the next start reads
// what is there.
type WriteError struct {
	Path string
	Err  error
}

func (e *WriteError) Error() string { return fmt.Sprintf("write journal %s: %v", e.Path, e.Err) }
func (e *WriteError) Unwrap() error { return e.Err }

// Message names the sentence for it.
func (e *WriteError) Message() (string, []any) {
	return "state.unwritten", []any{"path", e.Path, "reason", e.Err}
}

// DetachedError means that the journal's file was removed, or another put in its place, while it was open.
type DetachedError struct {
	Path string
	Gone bool // nothing stands there now
}

func (e *DetachedError) Error() string {
	return fmt.Sprintf("the journal at %s is not the one that is open", e.Path)
}

// Message names the sentence for it.
func (e *DetachedError) Message() (string, []any) {
	return "state.detached", []any{"path", e.Path}
}

// lockFile is the name of the lock inside the state folder. Its text is the holder's process id.
const lockFile = "lock"

// takeLock locks the state folder, shared for reading. The lock ends with the process, however that ends. For reading
// it is nil where there is no lock file.
func takeLock(state string, shared bool, wait time.Duration) (*os.File, error) {
	flag := os.O_RDWR | os.O_CREATE
	if shared {
		flag = os.O_RDONLY
	}
	f, err := os.OpenFile(filepath.Join(state, lockFile), flag, 0o600)
	if shared && errors.Is(err, fs.ErrNotExist) { // a journal that was restored alone: bbolt's own lock on it has to do
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lock state folder: %w", err)
	}
	for end := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		err = tryLock(f, shared)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = f.Close()
			return nil, fmt.Errorf("lock state folder: %w", err)
		}
		if time.Now().After(end) {
			pid := holder(f)
			_ = f.Close() // nothing was written
			if pid == 0 {
				pid = Holder(state)
			}
			return nil, &LockedError{State: state, PID: pid}
		}
	}
	if !shared {
		pid := strconv.Itoa(os.Getpid()) + "\n"
		if _, err := f.WriteAt([]byte(pid), 0); err == nil {
			err = f.Truncate(int64(len(pid)))
			_ = err // the lock holds without the number; only the message of a second process is poorer
		}
	}
	return f, nil
}

// Holder reads the process id of whoever locked the state folder last; 0 if it can't be read.
func Holder(state string) int {
	f, err := os.Open(filepath.Join(state, lockFile))
	if err != nil {
		return 0
	}
	defer f.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// protect runs do and turns what a damaged file provokes into an error: bbolt panics on some damage, and a file
// that was cut short under its map faults. After the first such error nothing is done any more: bbolt may hold its
// locks for ever then.
func (j *Journal) protect(do func() error) error {
	if err := j.fatal.Load(); err != nil {
		return *err
	}
	return j.guarded(do)
}

func (j *Journal) guarded(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if caught := recover(); caught != nil {
			j.stuck.Store(true)
			err = &DamagedError{Path: j.path, Err: fmt.Errorf("%v", caught)}
			j.fail(err)
		}
	}()
	err = do()
	if damage(err) {
		err = &DamagedError{Path: j.path, Err: err}
		j.fail(err)
	}
	return err
}

// damage says that err tells of a file that can't be trusted.
func damage(err error) bool {
	var known *DamagedError
	if errors.As(err, &known) {
		return false
	}
	return errors.Is(err, errRecord) || errors.Is(err, berrors.ErrInvalid) ||
		errors.Is(err, berrors.ErrChecksum) || errors.Is(err, berrors.ErrVersionMismatch) ||
		errors.Is(err, syscall.EFBIG) && !limited()
}

// fail keeps the first error after which the journal can't be used.
func (j *Journal) fail(err error) { j.fatal.CompareAndSwap(nil, &err) }

// update runs one transaction that writes. An error of space leaves everything as it was; after any other the journal
// is not used any more.
func (j *Journal) update(do func(*bbolt.Tx) error) error {
	err := j.protect(func() error { return j.db.Update(do) })
	switch {
	case err == nil:
		return nil
	case isFull(err):
		return fmt.Errorf("write journal: %w", err)
	case j.fatal.Load() == nil:
		j.fail(&WriteError{Path: j.path, Err: err})
	}
	return *j.fatal.Load()
}

// isFull says that err is about space, which may come back, and that the file holds what it held. That is so where a
// write found no room: pages are never written over while they are in use. It is not so where a sync finds none, as
// on a thin volume: the page that makes a transaction valid may have been written before.
func isFull(err error) bool {
	var write *fs.PathError
	if errors.As(err, &write) {
		return errors.Is(write.Err, syscall.ENOSPC) || errors.Is(write.Err, syscall.EDQUOT) || errors.Is(write.Err, syscall.EFBIG) && limited()
	}
	// What kept the file from growing bbolt tells in text alone.
	if err == nil || !strings.Contains(err.Error(), "file resize error: ") {
		return false
	}
	says := func(why syscall.Errno) bool { return strings.HasSuffix(err.Error(), why.Error()) }
	return says(syscall.ENOSPC) || says(syscall.EDQUOT) || says(syscall.EFBIG) && limited()
}

// SetAside renames a damaged journal so that a new one can be made by import; it returns the new name. It is
// called only when a person asked for it.
func SetAside(state string, now time.Time) (string, error) {
	lock, err := takeLock(state, false, time.Second)
	if err != nil {
		return "", err
	}
	defer lock.Close() //nolint:errcheck // only a lock
	from := filepath.Join(state, File)
	to := from + ".damaged-" + now.UTC().Format("20060102T150405Z")
	if err := os.Rename(from, to); err != nil {
		return "", fmt.Errorf("set journal aside: %w", err)
	}
	return to, syncFolder(state)
}
