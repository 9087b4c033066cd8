package outbox

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

// mostParents is how many folders stay open between two files of them.
const mostParents = 8

// parents keeps the folders open in which files were opened last. Each is looked at again by its path before it is
// used, so that a folder which was moved away, or made a link, is not read through its old handle.
type parents struct {
	mu   sync.Mutex
	open map[string]*parent
}

// parent is one open folder inside the outbox.
type parent struct {
	root  *os.Root
	info  os.FileInfo
	users int
	gone  bool // close it when nobody uses it
}

// of is the open folder at dir, which is not "."; release gives it back. It follows no link: os.Root already keeps such
// a path inside the outbox; this keeps one file from being sent under two names.
func (p *parents) of(root *os.Root, dir string) (*parent, error) {
	info, err := root.Lstat(dir)
	if err != nil {
		return nil, fileError(err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%w: %s", ErrSkipped, kind(info))
	}
	if found := p.use(dir, info); found != nil {
		return found, nil
	}
	if err := throughNoLink(root, dir); err != nil {
		return nil, err
	}
	folder, err := root.OpenRoot(dir)
	if err != nil {
		return nil, fileError(err)
	}
	now, err := folder.Stat(".")
	if err != nil || !os.SameFile(info, now) {
		return nil, errors.Join(fmt.Errorf("%w: its folder was replaced while it was opened", ErrChanged), err, folder.Close())
	}
	return p.keep(dir, &parent{root: folder, info: now, users: 1}), nil
}

// use takes a folder that is open already and still the one at its path.
func (p *parents) use(dir string, info os.FileInfo) *parent {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.open[dir]
	if found == nil || !os.SameFile(found.info, info) {
		return nil
	}
	found.users++
	return found
}

// keep remembers a folder, instead of another if need be.
func (p *parents) keep(dir string, fresh *parent) *parent {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.open {
		if name == dir || len(p.open) >= mostParents {
			p.drop(name)
		}
	}
	if p.open == nil {
		p.open = map[string]*parent{}
	}
	p.open[dir] = fresh
	return fresh
}

// drop forgets a folder, and closes it as soon as nobody uses it; called with the lock held.
func (p *parents) drop(name string) {
	f := p.open[name]
	delete(p.open, name)
	if f.gone = true; f.users == 0 {
		_ = f.root.Close() // it was only read
	}
}

func (p *parents) release(f *parent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.users--; f.gone && f.users == 0 {
		_ = f.root.Close() // it was only read
	}
}

// forget drops all of them.
func (p *parents) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.open {
		p.drop(name)
	}
}
