package outbox

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Open looks at the folder and checks the patterns. The errors are those of [Outbox.Present] (not
// with Wait), or a bad pattern.
func Open(opts Options) (*Outbox, error) {
	m, err := newMatcher(opts.Include, opts.Exclude)
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(opts.Path) {
		return nil, fmt.Errorf("outbox %q: not an absolute path", opts.Path)
	}
	o := &Outbox{path: filepath.Clean(opts.Path), opts: opts, match: m, log: opts.Log, busy: map[string]bool{}}
	o.real = resolve(o.path)
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	o.log = o.log.With("outbox", o.path)
	o.watch.init(o)
	if err := o.refresh(); err != nil && !(opts.Wait && unseen(err)) {
		return nil, err
	}
	return o, nil
}

// unseen says that the folder can't be used now, and may be later.
func unseen(err error) bool {
	return errors.Is(err, ErrGone) || errors.Is(err, ErrDenied) || errors.Is(err, ErrNotFolder) || errors.Is(err, ErrMachine)
}

// Path is the folder's path.
func (o *Outbox) Path() string { return o.path }

// Close lets go of the folder.
func (o *Outbox) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.letGo()
}

// letGo closes what is open. The caller holds mu.
func (o *Outbox) letGo() error {
	if o.root == nil {
		return nil
	}
	err := errors.Join(o.dir.Close(), o.root.Close())
	o.root, o.dir = nil, nil
	return err
}

// refresh opens the folder anew where another one now stands at its path, so that one that vanished
// and returned is found again. It takes only one that the same path leads to, without any link that
// was not there at the beginning, and whose owner is the first one's: whoever may rename the
// outbox's parent could else have any folder sent, and emptied.
func (o *Outbox) refresh() error {
	info, err := os.Stat(o.path)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		err = o.folderError(err)
		if errors.Is(err, ErrGone) || errors.Is(err, ErrNotFolder) { // it may live on under another name
			err = errors.Join(err, o.letGo())
		}
		return err
	}
	dev, ino := inode(info)
	if o.root != nil && o.dev == dev && o.ino == ino {
		return nil
	}
	if err := o.letGo(); err != nil {
		return err
	}
	if now := resolve(o.path); now != o.real {
		return fmt.Errorf("%w: %s leads to %s by now: %w", ErrReplaced, o.path, now, ErrGone)
	}
	root, dir, err := openFolder(o.real)
	if err != nil {
		return o.folderError(err)
	}
	if info, err = dir.Stat(); err != nil {
		return o.folderError(errors.Join(err, dir.Close(), root.Close()))
	}
	owner := ownerOf(info)
	if o.owner != nil && *o.owner != owner {
		return errors.Join(fmt.Errorf("%w: %s belongs to user %d, and before to %d: %w", ErrReplaced, o.path, owner, *o.owner, ErrGone),
			dir.Close(), root.Close())
	}
	if o.owner != nil {
		o.log.Info("another folder stands at the outbox's path, and is used")
	}
	o.root, o.dir, o.owner = root, dir, &owner
	o.dev, o.ino = inode(info)
	return nil
}

// openFolder opens a folder whose path has no link in it.
func openFolder(path string) (*os.Root, *os.File, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, nil, err
	}
	dir, err := openNoLinks(path) // OpenRoot follows links, and asks for no right to read
	if err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	a, err := root.Stat(".")
	b, dirErr := dir.Stat()
	if err := errors.Join(err, dirErr); err != nil {
		return nil, nil, errors.Join(err, dir.Close(), root.Close())
	}
	if !os.SameFile(a, b) {
		return nil, nil, errors.Join(syscall.ELOOP, dir.Close(), root.Close())
	}
	return root, dir, nil
}

// openStepwiseNoLinks is openNoLinks where the system has no call for it: every part of the path is
// looked at after the folder is open.
func openStepwiseNoLinks(path string) (*os.File, error) {
	dir, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return nil, err
	}
	for p := path; p != filepath.Dir(p); p = filepath.Dir(p) {
		info, err := os.Lstat(p)
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			err = syscall.ELOOP
		}
		if err != nil {
			return nil, errors.Join(err, dir.Close())
		}
	}
	return dir, nil
}

// resolve is a path without the links in it, as far as it exists.
func resolve(path string) string {
	rest := ""
	for p := path; ; p = filepath.Dir(p) {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			return filepath.Join(real, rest)
		}
		if p == filepath.Dir(p) {
			return path
		}
		rest = filepath.Join(filepath.Base(p), rest)
	}
}

// Present is nil while the folder that is open stands at the outbox's path. Else nothing follows
// from a file that is missing: its errors are ErrGone (ErrReplaced is one), ErrDenied, ErrNotFolder
// and ErrMachine.
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
	case errors.Is(err, syscall.ELOOP):
		return fmt.Errorf("%w: a part of %s is a link by now: %w", ErrReplaced, o.path, ErrGone)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %s", ErrNotFolder, o.path)
	case lacking(err):
		return fmt.Errorf("%w: %s: %w", ErrMachine, o.path, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrDenied, o.path, err)
}

// lacking says that an error is the process's or the machine's, and no file's.
func lacking(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}

// opened is the open folder. Should it be replaced meanwhile, what is done with it fails, and the
// next pass uses the new one.
func (o *Outbox) opened() (*os.Root, *os.File, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.root == nil {
		return nil, nil, fmt.Errorf("%w: %s", ErrGone, o.path)
	}
	return o.root, o.dir, nil
}

// folder is the open folder in the form that keeps every path inside it.
func (o *Outbox) folder() (*os.Root, error) {
	root, _, err := o.opened()
	return root, err
}

// glance is what tells from outside that the folder at the path is another, or may be read otherwise.
func (o *Outbox) glance() string {
	info, err := os.Stat(o.path)
	if err != nil {
		return strings.TrimPrefix(err.Error(), o.path)
	}
	dev, ino := inode(info)
	return fmt.Sprint(dev, ino, info.Mode(), ownerOf(info))
}
