package courier

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"buzon/agent/internal/client"
	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/outbox"
	"buzon/agent/internal/send/upload"
)

// Outbox is a folder with how its files are sent. [OpenOutbox] makes one.
type Outbox struct {
	Path   string // absolute
	Key    string // template
	Settle Settle
	MoveTo string
	Only   func(rel string) bool // what of it is to be sent; nil for all

	folder *outbox.Outbox
	skips  *skips
	lacks  *atomic.Pointer[func(error) error] // see [outbox.Options.Lacks]
}

// OpenOutbox opens the folder of an outbox; opts.Skipped is the courier's. Errors are those of [outbox.Open]. The
// caller closes it.
func OpenOutbox(o Outbox, opts outbox.Options) (Outbox, error) {
	o.skips, o.lacks = &skips{}, &atomic.Pointer[func(error) error]{}
	opts.Skipped = o.skips.tell
	opts.Lacks = func(err error) error {
		if wait := o.lacks.Load(); wait != nil {
			return (*wait)(err)
		}
		return err
	}
	var err error
	o.folder, err = outbox.Open(opts)
	return o, err
}

// Close lets go of the folder.
func (o Outbox) Close() error { return o.folder.Close() }

// skips passes on what a walk skips to whoever walks. One walk at a time.
type skips struct {
	visit   func(outbox.File) error
	skipped func(rel, why string)
	failed  error
}

// tell takes a file whose name alone bars it as found: it belongs in quarantine.
func (s *skips) tell(k outbox.Skipped) {
	if !k.NeverSendable() {
		s.skipped(k.Rel, string(k.Reason))
		return
	}
	if s.failed == nil {
		s.failed = s.visit(k.File)
	}
}

// walk calls visit for every file of the outbox that is to be sent, in no order, and skipped for what is none. It ends
// early with visit's error.
func (o Outbox) walk(ctx context.Context, visit func(outbox.File) error, skipped func(rel, why string)) error {
	chosen := func(f outbox.File) error {
		if o.Only != nil && !o.Only(f.Rel) {
			return nil
		}
		return visit(f)
	}
	*o.skips = skips{visit: chosen, skipped: func(rel, why string) {
		if o.Only == nil || o.Only(rel) {
			skipped(rel, why)
		}
	}}
	err := o.folder.Walk(ctx, func(f outbox.File) error {
		if o.skips.failed != nil {
			return o.skips.failed
		}
		return chosen(f)
	})
	if err == nil {
		err = o.skips.failed
	}
	return err
}

// look says what stands at a path now; an error that [missing] knows if it is gone, or no file to be sent.
func (o Outbox) look(rel string) (outbox.File, error) {
	f, err := o.folder.Stat(rel)
	if errors.Is(err, outbox.ErrSkipped) && f.Rel != "" { // only its name bars it, as in walk
		err = nil
	}
	return f, err
}

// missing says that a file is gone, or is none to be sent, and that this isn't because its whole outbox is away.
func (o Outbox) missing(err error) bool { return o.resultOf(err) == fileGone }

// resultOf says what follows for a file from an error of its outbox, or of reading it.
func (o Outbox) resultOf(err error) result {
	switch {
	case errors.Is(err, outbox.ErrMissing), errors.Is(err, outbox.ErrSkipped):
		if o.folder.Present() != nil { // no file is gone while its whole folder is
			return outboxAway
		}
		return fileGone
	case errors.Is(err, outbox.ErrGone), errors.Is(err, outbox.ErrDenied), errors.Is(err, outbox.ErrNotFolder), unmounted(err):
		return outboxAway
	case errors.Is(err, outbox.ErrTouched):
		return fileTouched
	case errors.Is(err, outbox.ErrChanged), errors.Is(err, upload.ErrChanged), errors.Is(err, io.ErrUnexpectedEOF):
		return fileChanged
	case errors.Is(err, outbox.ErrMachine), client.Lacking(err) != "":
		return machineLacks
	}
	return fileUnreadable
}

// unmounted says that err tells of the file system and of no file in it: a server that is away, a mount that is stale.
func unmounted(err error) bool {
	for _, errno := range []syscall.Errno{syscall.ESTALE, syscall.ENOTCONN, syscall.EHOSTDOWN, syscall.EHOSTUNREACH,
		syscall.ETIMEDOUT, syscall.ENODEV, syscall.ENXIO, syscall.ESHUTDOWN} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// identityOf is what the journal keeps of a file's version.
func identityOf(f outbox.File) journal.Identity {
	return journal.Identity{Size: f.Size, Sec: f.ModTime.Unix(), Nsec: int32(f.ModTime.Nanosecond()), Dev: f.Dev, Inode: f.Inode}
}

// changeTime is a file's change time as the journal keeps it.
func changeTime(f outbox.File) int64 {
	if f.Changed.IsZero() {
		return 0
	}
	return f.Changed.UnixNano()
}

// fileOf is the file that an entry is of, with the change time that it had when it was read.
func fileOf(e *journal.Entry) outbox.File {
	f := outbox.File{Rel: e.Path, Size: e.Size, ModTime: e.At(), Dev: e.Dev, Inode: e.Inode}
	if e.Changed != 0 {
		f.Changed = time.Unix(0, e.Changed)
	}
	return f
}

// box is an outbox with its route.
type box struct {
	Outbox
	id    journal.RouteID
	name  string
	tmpl  *Template
	again *recheckQueue

	mu        sync.Mutex
	state     BoxStatus
	unsettled map[string]unsettled // by path; at most mostUnsettled
}

func newBox(o Outbox, tmpl *Template) *box {
	b := &box{Outbox: o, tmpl: tmpl, name: filepath.Base(o.Path), again: newRecheckQueue()}
	b.state.Path = o.Path
	return b
}

// path is the absolute path of a file in it.
func (b *box) path(rel string) string { return b.Path + "/" + rel }

// open opens a file for reading, never through a link. The caller closes it.
func (b *box) open(rel string) (*os.File, outbox.File, error) { return b.folder.OpenFile(rel) }

// complete says whether a file is whole now and, if not, when to look again. Its error is [outbox.ErrMachine]: nobody
// could look.
func (b *box) complete(f outbox.File, now time.Time) (whole bool, again time.Duration, err error) {
	state := b.folder.Complete(f, now)
	return state.Ready, state.Wait, state.Lack
}
