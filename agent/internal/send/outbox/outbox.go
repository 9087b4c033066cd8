// Package outbox finds the files of one folder that are complete and ready to be
// sent, and takes them out of it once they are settled.
//
//	box, err := outbox.Open(outbox.Options{Path: "/srv/outbox"})
//	err = box.Walk(ctx, func(f outbox.File) error { … })   // the truth, from time to time
//	go box.Watch(ctx, func(rel string) { … })              // a hint that something came
//	state := box.Complete(f, time.Now())
//	file, now, err := box.OpenFile(f.Rel)
//
// Nothing outside the folder is ever opened: every file goes through os.Root, and
// links, devices, fifos and sockets are skipped with a reason. A pass streams; it
// never holds the tree in memory.
//
// It keeps no record of what was sent, promises no order, and sees a change of
// content only by size, times and inode.
package outbox

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// DefaultQuiet is how long a file must have been unchanged where nobody said
// otherwise; it doubles where no writer can be seen.
const DefaultQuiet = 5 * time.Second

// Options say which folder, and which of its files.
type Options struct {
	Path    string   // absolute
	Include []string // none means all
	Exclude []string // beyond BuiltinExcludes; "!PATTERN" takes one of those out
	// Names, where given, are the only files: paths inside Path that somebody
	// named. They pass whatever the patterns say, and no folder is walked.
	Names []string
	// Quiet is how long a file must have been unchanged; 0 means DefaultQuiet.
	Quiet time.Duration
	// Once is for files that somebody names: they don't wait for Quiet, a file
	// without writer is complete.
	Once bool
	// Skipped is told of every file that is not sent, at every pass, from the
	// goroutine that walks; of excluded ones only with Once. It may be nil.
	Skipped func(Skipped)
	Log     *slog.Logger // may be nil
}

// File is one regular file as it was seen.
type File struct {
	Rel     string // inside the outbox, with slashes; the bytes of its name, whatever they are
	Size    int64
	ModTime time.Time
	Changed time.Time // the inode's change time; zero where it is not known
	Dev     uint64
	Inode   uint64
}

// Reason is why a file or folder is not sent.
type Reason string

// Reasons.
const (
	IsLink       Reason = "link"
	IsDevice     Reason = "device"
	IsFIFO       Reason = "fifo"
	IsSocket     Reason = "socket"
	NotRegular   Reason = "not-regular"
	NameEncoding Reason = "name-encoding" // not UTF-8
	NameTooLong  Reason = "name-too-long" // over 1,024 bytes
	NameReserved Reason = "name-reserved" // .buzon/ is Buzón's own
	Unreadable   Reason = "unreadable"    // a folder that may not be read
	IsExcluded   Reason = "excluded"      // by a pattern; told of with Once alone
)

// Skipped is a file or folder that is not sent. File is filled in where S3 can't
// take the name of what is otherwise a file to send.
type Skipped struct {
	Rel    string
	Reason Reason
	File   File
}

// NeverSendable reports whether the file itself is well and only its name bars
// it, so that it belongs in quarantine.
func (s Skipped) NeverSendable() bool {
	switch s.Reason {
	case NameEncoding, NameTooLong, NameReserved:
		return true
	case IsLink, IsDevice, IsFIFO, IsSocket, NotRegular, Unreadable, IsExcluded:
	}
	return false
}

// What can be wrong with one file, or with the folder.
var (
	// ErrGone: the outbox's folder is missing now; nothing about its files is known.
	ErrGone = errors.New("outbox folder is missing")
	// ErrDenied: the outbox's folder may not be read.
	ErrDenied = errors.New("outbox folder may not be read")
	// ErrNotFolder: the outbox is not a folder.
	ErrNotFolder = errors.New("outbox is not a folder")
	// ErrChanged: size, modification time or inode differ from what was seen.
	ErrChanged = errors.New("file changed")
	// ErrTouched: only the inode's change time differs: a chmod, a rename, or
	// content rewritten under its old times.
	ErrTouched = errors.New("file was touched")
	// ErrUnreadable: the file may not be read.
	ErrUnreadable = errors.New("file may not be read")
	// ErrMissing: there is no such file any more.
	ErrMissing = errors.New("file is gone")
	// ErrSkipped: it is no file that this outbox sends.
	ErrSkipped = errors.New("not a file to send")
	// ErrWriter: somebody has it open for writing.
	ErrWriter = errors.New("file has a writer")
)

// Outbox is one folder. Its methods may be called from many goroutines.
type Outbox struct {
	path    string
	opts    Options
	match   matcher
	log     *slog.Logger
	writers writers
	closes  closes
	watch   watcher

	mu   sync.Mutex
	root *os.Root
	dir  *os.File // root, for what os.Root has no call for
	dev  uint64   // of root
	ino  uint64
	busy map[string]bool // settling now
}

// Open looks at the folder and checks the patterns. The errors are ErrGone,
// ErrDenied, ErrNotFolder, or a bad pattern.
func Open(opts Options) (*Outbox, error) {
	m, err := newMatcher(opts.Include, opts.Exclude)
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(opts.Path) {
		return nil, fmt.Errorf("outbox %q: not an absolute path", opts.Path)
	}
	o := &Outbox{path: filepath.Clean(opts.Path), opts: opts, match: m, log: opts.Log, busy: map[string]bool{}}
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	o.log = o.log.With("outbox", o.path)
	o.watch.init(o)
	return o, o.refresh()
}

// Path is the folder's path.
func (o *Outbox) Path() string { return o.path }

// Close lets go of the folder.
func (o *Outbox) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.root == nil {
		return nil
	}
	err := errors.Join(o.dir.Close(), o.root.Close())
	o.root, o.dir = nil, nil
	return err
}

// refresh opens the folder anew where another one now stands at its path, so
// that a folder that vanished and returned is found again.
func (o *Outbox) refresh() error {
	info, err := os.Stat(o.path)
	if err != nil {
		return o.folderError(err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%w: %s", ErrNotFolder, o.path)
	}
	dev, ino := inode(info)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.root != nil && o.dev == dev && o.ino == ino {
		return nil
	}
	root, err := os.OpenRoot(o.path)
	if err != nil {
		return o.folderError(err)
	}
	dir, err := root.Open(".") // OpenRoot asks for no right to read
	if err != nil {
		return o.folderError(errors.Join(err, root.Close()))
	}
	if info, err = dir.Stat(); err != nil {
		return errors.Join(err, dir.Close(), root.Close())
	}
	if o.root != nil {
		o.log.Info("outbox folder was replaced; the new one is used")
		if err := errors.Join(o.dir.Close(), o.root.Close()); err != nil {
			return errors.Join(err, dir.Close(), root.Close())
		}
	}
	o.root, o.dir = root, dir
	o.dev, o.ino = inode(info)
	return nil
}

// Present is nil while the folder that is open stands at the outbox's path. Else nothing follows from a file that is
// missing: its errors are ErrGone, ErrDenied and ErrNotFolder.
func (o *Outbox) Present() error {
	info, err := os.Stat(o.path)
	if err != nil {
		return o.folderError(err)
	}
	dev, ino := inode(info)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.root == nil || dev != o.dev || ino != o.ino {
		return fmt.Errorf("%w: another one stands at %s", ErrGone, o.path)
	}
	return nil
}

func (o *Outbox) folderError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s", ErrGone, o.path)
	case errors.Is(err, os.ErrClosed): // replaced during the pass
		return fmt.Errorf("%w: %s", ErrGone, o.path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %s", ErrDenied, o.path)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %s", ErrNotFolder, o.path)
	}
	return fmt.Errorf("open outbox: %w", err)
}

// folder is the open folder. Should it be replaced meanwhile, what is done with
// it fails, and the next pass uses the new one.
func (o *Outbox) folder() (*os.Root, error) {
	root, _, err := o.folders()
	return root, err
}

// folders is the open folder in both of its forms.
func (o *Outbox) folders() (*os.Root, *os.File, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.root == nil {
		return nil, nil, fmt.Errorf("%w: %s", ErrGone, o.path)
	}
	return o.root, o.dir, nil
}

// Stat looks at one file as Walk would. The errors are ErrMissing, ErrSkipped
// (with the reason in it; the File is filled in where only its name bars it)
// and those of the folder.
func (o *Outbox) Stat(rel string) (File, error) {
	root, err := o.folder()
	if err != nil {
		return File{}, err
	}
	info, err := root.Lstat(rel)
	if err != nil {
		return File{}, fileError(err)
	}
	barred := o.excluded(rel, false)
	for dir := path.Dir(rel); dir != "."; dir = path.Dir(dir) {
		barred = barred || o.excluded(dir, true)
	}
	if barred {
		return File{}, fmt.Errorf("%w: excluded", ErrSkipped)
	}
	if reason := kind(info); reason != "" {
		return File{}, fmt.Errorf("%w: %s", ErrSkipped, reason)
	}
	if reason := nameFault(rel); reason != "" {
		return fileOf(rel, info), fmt.Errorf("%w: %s", ErrSkipped, reason)
	}
	return fileOf(rel, info), throughNoLink(root, rel)
}

// excluded reports whether the patterns bar a file or folder; a file that was
// named passes.
func (o *Outbox) excluded(rel string, dir bool) bool {
	if o.opts.Names != nil {
		return false
	}
	if dir {
		return o.match.excluded(rel)
	}
	return o.match.excluded(rel) || !o.match.included(rel)
}

// Same is an error unless the open file is still what it was: ErrChanged, or
// ErrTouched where only the change time differs.
func Same(file *os.File, was File) error {
	info, err := file.Stat()
	if err != nil {
		return fileError(err)
	}
	return same(fileOf(was.Rel, info), was)
}

func same(now, was File) error {
	switch {
	case now.Dev != was.Dev || now.Inode != was.Inode:
		return fmt.Errorf("%w: another file has its name", ErrChanged)
	case now.Size != was.Size:
		return fmt.Errorf("%w: size %d, was %d", ErrChanged, now.Size, was.Size)
	case !now.ModTime.Equal(was.ModTime):
		return fmt.Errorf("%w: modified %v, was %v", ErrChanged, now.ModTime.UTC(), was.ModTime.UTC())
	case !was.Changed.IsZero() && !now.Changed.Equal(was.Changed):
		return ErrTouched
	}
	return nil
}

func fileError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %w", ErrMissing, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrUnreadable, err)
	case errors.Is(err, syscall.ELOOP):
		return fmt.Errorf("%w: %s", ErrSkipped, IsLink)
	}
	return err
}

// kind is why something can't be sent by what it is; "" for a regular file.
func kind(info fs.FileInfo) Reason {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return ""
	case mode&fs.ModeSymlink != 0:
		return IsLink
	case mode&fs.ModeNamedPipe != 0:
		return IsFIFO
	case mode&fs.ModeSocket != 0:
		return IsSocket
	case mode&fs.ModeDevice != 0:
		return IsDevice
	}
	return NotRegular
}
