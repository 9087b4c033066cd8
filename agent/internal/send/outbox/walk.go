package outbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"
)

// batch is how many names of a folder are held at once.
const batch = 512

// Walk makes one pass and calls visit for every file that is to be sent, complete
// or not. visit is called from this goroutine, in no order; its error ends the
// pass. Walk gives ErrGone and ErrDenied where the folder as a whole can't be
// seen: then nothing may be concluded about files that were not visited. A folder
// inside that can't be read is skipped with a reason.
func (o *Outbox) Walk(ctx context.Context, visit func(File) error) error {
	if err := o.refresh(); err != nil {
		return err
	}
	root, err := o.folder()
	if err != nil {
		return err
	}
	p := pass{Outbox: o, visit: visit, skip: o.opts.Skipped}
	if p.skip == nil {
		p.skip = func(Skipped) {}
	}
	if o.opts.Names != nil {
		return p.names(ctx, root)
	}
	return p.into(ctx, root, "")
}

// pass is one walk with those who are told of it.
type pass struct {
	*Outbox
	visit func(File) error
	skip  func(Skipped)
}

// names visits the files that were named. One that is missing ends the pass
// with ErrMissing.
func (p pass) names(ctx context.Context, root *os.Root) error {
	for _, rel := range p.opts.Names {
		if err := ctx.Err(); err != nil {
			return err
		}
		info, err := root.Lstat(rel)
		if err != nil {
			return fmt.Errorf("%s: %w", rel, fileError(err))
		}
		if err := p.meet(rel, info); err != nil {
			return err
		}
	}
	return nil
}

// into visits what is in one folder and below it. rel is "" for the outbox
// itself.
func (p pass) into(ctx context.Context, folder *os.Root, rel string) (err error) {
	p.watch.ensure(rel)
	dir, err := folder.Open(".")
	if err != nil {
		if rel == "" {
			return p.folderError(err)
		}
		p.unreadable(rel, err)
		return nil
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		names, err := dir.Readdirnames(batch) // ReadDir would look at each, in an os.Root, and entry does that anyway
		for _, name := range names {
			if err := p.entry(ctx, folder, path.Join(rel, name), name); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, fs.ErrNotExist): // removed while it was read
			if rel == "" {
				return p.folderError(err)
			}
			return nil
		case err != nil:
			if rel == "" {
				return fmt.Errorf("read outbox: %w", err)
			}
			p.unreadable(rel, err)
			return nil
		}
	}
}

// entry visits one name of a folder.
func (p pass) entry(ctx context.Context, folder *os.Root, rel, name string) error {
	if original, ok := aside(name); ok {
		p.putBack(folder, rel, name, original)
		return nil
	}
	info, err := folder.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone between listing and looking
	}
	if err != nil {
		p.unreadable(rel, err)
		return nil
	}
	if !info.IsDir() {
		return p.meet(rel, info)
	}
	if p.excluded(rel, true) {
		p.excludes(rel)
		return nil
	}
	sub, err := folder.OpenRoot(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		p.unreadable(rel, err)
		return nil
	}
	opened, err := sub.Stat(".")
	if err != nil || !os.SameFile(info, opened) { // a link took its place
		return sub.Close()
	}
	return errors.Join(p.into(ctx, sub, rel), sub.Close())
}

// meet visits one thing that is no folder, or tells why not.
func (p pass) meet(rel string, info fs.FileInfo) error {
	if p.excluded(rel, false) {
		p.excludes(rel)
		return nil
	}
	f := fileOf(rel, info)
	if reason := kind(info); reason != "" {
		p.skip(Skipped{Rel: rel, Reason: reason})
		return nil
	}
	if reason := nameFault(rel); reason != "" {
		p.skip(Skipped{Rel: rel, Reason: reason, File: f})
		return nil
	}
	return p.visit(f)
}

// excludes tells of a name that a pattern bars, where somebody waits for the answer.
func (p pass) excludes(rel string) {
	if p.opts.Once {
		p.skip(Skipped{Rel: rel, Reason: IsExcluded})
	}
}

func (p pass) unreadable(rel string, err error) {
	p.log.Debug("folder can't be read", "path", rel, "error", err)
	p.skip(Skipped{Rel: rel, Reason: Unreadable})
}

// inode is what names a file beyond its path.
func inode(info fs.FileInfo) (dev, ino uint64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev), st.Ino
	}
	return 0, 0
}

func fileOf(rel string, info fs.FileInfo) File {
	f := File{Rel: rel, Size: info.Size(), ModTime: info.ModTime()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		f.identify(st)
	}
	return f
}

// identify fills in what the system alone knows of a file.
func (f *File) identify(st *syscall.Stat_t) {
	f.Dev, f.Inode, f.Changed = uint64(st.Dev), st.Ino, changeTime(st)
}

// since is how long ago t was; less than nothing is nothing.
func since(t, now time.Time) time.Duration { return max(now.Sub(t), 0) }
