package outbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
)

// batch is how many names of a folder are held at once.
const batch = 512

// Walk makes one pass and calls visit for every file that is to be sent, complete
// or not. visit is called from this goroutine, in no order; its error ends the
// pass. Walk gives the errors of Present where the folder as a whole can't be
// seen: then nothing may be concluded about files that were not visited. A folder
// inside that can't be read is skipped with a reason, and stands in Unread.
func (o *Outbox) Walk(ctx context.Context, visit func(File) error) error {
	if err := o.patiently(o.refresh); err != nil {
		return err
	}
	root, err := o.folder()
	if err != nil {
		return err
	}
	p := &pass{Outbox: o, visit: visit, skip: o.opts.Skipped}
	if p.skip == nil {
		p.skip = func(Skipped) {}
	}
	if o.opts.Names != nil {
		return p.names(ctx, root)
	}
	o.unread.begin()
	if err := p.from(ctx, root, ""); err != nil {
		return err
	}
	for _, rel := range o.unread.end() {
		o.log.Info("folder can be read again, or is gone", "path", rel)
	}
	return nil
}

// A pass goes so many folders down at once, since each level holds two descriptors. The paths of
// deeper ones are put off, to so many bytes; beyond that it goes on down.
const (
	levels     = 16
	mostPutOff = 1 << 20
)

// pass is one walk with those who are told of it.
type pass struct {
	*Outbox
	visit func(File) error
	skip  func(Skipped)

	putOff []string // folders that are too deep to be walked from where they were met
	size   int      // of putOff, in bytes
}

// names visits the files that were named. One that is missing ends the pass
// with ErrMissing.
func (p *pass) names(ctx context.Context, root *os.Root) error {
	_, dir, err := p.opened()
	if err != nil {
		return err
	}
	system := systemFiles(dir)
	for _, rel := range p.opts.Names {
		if err := ctx.Err(); err != nil {
			return err
		}
		info, err := root.Lstat(rel)
		if err != nil {
			return fmt.Errorf("%s: %w", rel, fileError(err))
		}
		if err := p.meet(root, rel, rel, info, system); err != nil {
			return err
		}
	}
	return nil
}

// from visits what is in one folder and below it, however deep. rel is "" for the outbox itself.
func (p *pass) from(ctx context.Context, root *os.Root, rel string) error {
	folder, err := p.reach(root, rel)
	if err != nil {
		return err
	}
	err = p.into(ctx, folder, rel, 0)
	if folder != root {
		err = errors.Join(err, folder.Close())
	}
	for err == nil && len(p.putOff) > 0 {
		last := len(p.putOff) - 1
		deep := p.putOff[last]
		p.putOff, p.size = p.putOff[:last], p.size-len(deep)
		if folder, err = p.reach(root, deep); err != nil {
			err = p.unreadable(deep, err)
			continue
		}
		err = errors.Join(p.into(ctx, folder, deep, 0), folder.Close())
	}
	return err
}

// reach is [reach], patiently.
func (p *pass) reach(root *os.Root, rel string) (folder *os.Root, err error) {
	err = p.patiently(func() (err error) {
		folder, err = reach(root, rel)
		return err
	})
	return folder, err
}

// reach opens a folder step by step, through no link. For "" it gives root itself.
func reach(root *os.Root, rel string) (*os.Root, error) {
	if rel == "" {
		return root, nil
	}
	at := root
	for _, name := range strings.Split(rel, "/") {
		next, err := step(at, name)
		if at != root {
			err = errors.Join(err, at.Close())
		}
		if err != nil {
			if next != nil {
				err = errors.Join(err, next.Close())
			}
			return nil, err
		}
		at = next
	}
	return at, nil
}

// step opens a folder of a folder. fs.ErrNotExist: it is gone, or something else took its place.
func step(folder *os.Root, name string) (*os.Root, error) {
	before, err := folder.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.IsDir() {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	sub, err := folder.OpenRoot(name)
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	after, err := sub.Stat(".")
	if err == nil && !os.SameFile(before, after) { // a link took its place
		err = fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return nil, errors.Join(err, sub.Close())
	}
	return sub, nil
}

// into visits what is in one folder and below it. rel is "" for the outbox itself.
func (p *pass) into(ctx context.Context, folder *os.Root, rel string, level int) (err error) {
	p.watch.ensure(rel)
	var dir *os.File
	if err := p.patiently(func() (err error) {
		dir, err = folder.Open(".")
		return err
	}); err != nil {
		return p.folder(rel, err)
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	system := systemFiles(dir)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		names, err := dir.Readdirnames(batch) // ReadDir would look at each, in an os.Root, and entry does that anyway
		for _, name := range names {
			if err := p.entry(ctx, folder, path.Join(rel, name), name, level, system); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return p.folder(rel, err)
		}
	}
}

// folder says what follows of a folder that can't be read: the end of the pass if it is the outbox.
func (p *pass) folder(rel string, err error) error {
	if rel == "" {
		return p.folderError(err)
	}
	return p.unreadable(rel, err)
}

// entry visits one name of a folder.
func (p *pass) entry(ctx context.Context, folder *os.Root, rel, name string, level int, system fileSystem) error {
	if original, ok := aside(name); ok {
		p.putBack(folder, rel, name, original)
		return nil
	}
	info, err := folder.Lstat(name)
	if err != nil {
		return p.unreadable(rel, err)
	}
	if !info.IsDir() {
		return p.meet(folder, rel, name, info, system)
	}
	if p.excluded(rel, true) {
		p.excludes(rel)
		return nil
	}
	if level+1 >= levels && p.size+len(rel) <= mostPutOff {
		p.putOff, p.size = append(p.putOff, rel), p.size+len(rel)
		return nil
	}
	var sub *os.Root
	if err := p.patiently(func() (err error) {
		sub, err = step(folder, name)
		return err
	}); err != nil {
		return p.unreadable(rel, err)
	}
	return errors.Join(p.into(ctx, sub, rel, level+1), sub.Close())
}

// meet visits one thing that is no folder, or tells why not.
func (p *pass) meet(folder *os.Root, rel, name string, info fs.FileInfo, system fileSystem) error {
	if p.excluded(rel, false) {
		p.excludes(rel)
		return nil
	}
	f := fileOf(rel, info)
	if reason := kind(info); reason != "" {
		p.skip(Skipped{Rel: rel, Reason: reason})
		return nil
	}
	if system == ofSystem || system == ofFUSE && f.Size == 0 && holdsMore(folder, name) {
		p.skip(Skipped{Rel: rel, Reason: SystemFile})
		return nil
	}
	if reason := nameFault(rel); reason != "" {
		p.skip(Skipped{Rel: rel, Reason: reason, File: f})
		return nil
	}
	return p.visit(f)
}

// excludes tells of a name that a pattern bars, where somebody waits for the answer.
func (p *pass) excludes(rel string) {
	if p.opts.Once {
		p.skip(Skipped{Rel: rel, Reason: IsExcluded})
	}
}

// unreadable tells of something in the outbox that can't be looked at. What is gone by now is none;
// what the machine lacks ends the pass, for nothing follows from it.
func (p *pass) unreadable(rel string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case lacking(err):
		return fmt.Errorf("%w: %s: %w", ErrMachine, rel, err)
	}
	if p.Outbox.unread.met(rel, err, time.Now()) {
		p.log.Warn("a folder can't be read, so nothing in it is sent", "path", rel, "error", err)
	}
	p.skip(Skipped{Rel: rel, Reason: Unreadable, Err: err})
	return nil
}

// since is how long ago t was; less than nothing is nothing.
func since(t, now time.Time) time.Duration { return max(now.Sub(t), 0) }
