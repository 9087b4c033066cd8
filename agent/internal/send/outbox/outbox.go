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
	// Quiet is how long a file must have been unchanged; nil means DefaultQuiet, and 0 that nobody
	// writes it is enough, where that can be seen.
	Quiet *time.Duration
	// Wait is for a folder that may be missing or unreadable for now: Open gives no error for it,
	// and every pass looks for it again.
	Wait bool
	// Once is for files that somebody names: they don't wait for Quiet, a file
	// without writer is complete.
	Once bool
	// Skipped is told of every file that is not sent, at every pass, from the
	// goroutine that walks; of excluded ones only with Once. It may be nil.
	Skipped func(Skipped)
	// Lacks is told of ErrMachine where looking met it, from the goroutine that looks, and of nil once it is over.
	// Without an error of its own it is tried again. Without Lacks a pass ends.
	Lacks func(error) error
	Log   *slog.Logger // may be nil
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
	Unreadable   Reason = "unreadable"    // a folder that can't be read
	SystemFile   Reason = "system-file"   // of /proc, /sys and their like: nothing tells how long it is
	IsExcluded   Reason = "excluded"      // by a pattern; told of with Once alone
)

// Skipped is a file or folder that is not sent. File is filled in where S3 can't
// take the name of what is otherwise a file to send.
type Skipped struct {
	Rel    string
	Reason Reason
	File   File
	Err    error // with Unreadable: what the system says
}

// NeverSendable reports whether the file itself is well and only its name bars
// it, so that it belongs in quarantine.
func (s Skipped) NeverSendable() bool {
	switch s.Reason {
	case NameEncoding, NameTooLong, NameReserved:
		return true
	case IsLink, IsDevice, IsFIFO, IsSocket, NotRegular, Unreadable, SystemFile, IsExcluded:
	}
	return false
}

// What can be wrong with one file, or with the folder.
var (
	// ErrGone: the outbox's folder is missing now; nothing about its files is known.
	ErrGone = errors.New("outbox folder is missing")
	// ErrDenied: the outbox's folder can't be read: it may not, or its file system gives an error.
	ErrDenied = errors.New("outbox folder can't be read")
	// ErrReplaced: another folder took the outbox's place, and it is not used: a part of its path
	// became a link, or it belongs to somebody else. It is an ErrGone too.
	ErrReplaced = errors.New("another folder took the outbox's place")
	// ErrMachine: this process or machine lacks descriptors or memory now; nothing about a file or
	// folder follows from it.
	ErrMachine = errors.New("the machine lacks what it takes to look")
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
	unread  unread
	byQuiet sync.Once // the log was told that nothing tells who writes here

	mu    sync.Mutex
	root  *os.Root
	dir   *os.File        // root, for what os.Root has no call for
	dev   uint64          // of root
	ino   uint64          // of root
	real  string          // path without links, as they stood when it was opened first
	owner *uint32         // of the first folder that was used; nil before
	busy  map[string]bool // settling now
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

// patiently does something again for as long as the machine lacks what it takes, and Lacks wants it.
func (o *Outbox) patiently(do func() error) error {
	for met := false; ; met = true {
		err := do()
		if o.opts.Lacks == nil || !lacking(err) {
			if met {
				_ = o.opts.Lacks(nil) // there is nothing to wait for
			}
			return err
		}
		if o.opts.Lacks(machine(err)) != nil {
			return err
		}
	}
}

// machine makes an ErrMachine of what the machine lacks, once.
func machine(err error) error {
	if errors.Is(err, ErrMachine) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrMachine, err)
}

func fileError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %w", ErrMissing, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrUnreadable, err)
	case errors.Is(err, syscall.ELOOP):
		return fmt.Errorf("%w: %s", ErrSkipped, IsLink)
	case errors.Is(err, os.ErrClosed): // another folder took the outbox's place meanwhile
		return fmt.Errorf("%w: %w", ErrGone, err)
	case lacking(err):
		return fmt.Errorf("%w: %w", ErrMachine, err)
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
