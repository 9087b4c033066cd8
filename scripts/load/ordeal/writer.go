package ordeal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// writers is how many write at the same time.
const writers = 4

// large is a size above the agent's multipart threshold.
const large = 33 << 20

// Write lets the writers do their worst until the context ends. What they wrote is whole when it returns.
func (w *World) Write(ctx context.Context, round int) error {
	errs := make([]error, writers)
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			p := &writer{World: w, r: rand.New(rand.NewPCG(w.seed, uint64(round*writers+i))), prefix: fmt.Sprintf("r%d-w%d", round, i), alone: i == 0}
			errs[i] = p.work(ctx)
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// writer is one of them; it touches only its own files.
type writer struct {
	*World
	r      *rand.Rand
	prefix string
	made   int
	large  int
	alone  bool // the one that writes large files
	own    []*file
	once   []*file // names that are free again: files that were deleted or renamed
}

// file is one that a writer may touch again.
type file struct {
	box     *Box
	rel     string
	content []byte
	version *Version
}

func (f *file) path() string { return filepath.Join(f.box.Path, f.rel) }

func (p *writer) work(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := p.one(); err != nil {
			return err
		}
		// Programs pause between files; this is not a wait for anything.
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(p.r.IntN(20)) * time.Millisecond):
		}
	}
	return nil
}

func (p *writer) one() error {
	var f *file
	if len(p.own) > 0 {
		f = p.own[p.r.IntN(len(p.own))]
	}
	switch n := p.r.IntN(100); {
	case f == nil || n < 50:
		return p.create()
	case n < 64:
		return p.append(f)
	case n < 76:
		return p.rename(f)
	case n < 92:
		return p.rewrite(f)
	default:
		return p.delete(f)
	}
}

func (p *writer) create() error {
	most := 0
	if p.large == 0 && p.alone { // each is kept in memory by the server
		most = large
	}
	box := p.boxes[p.r.IntN(len(p.boxes))]
	f := &file{box: box, rel: filepath.Join(p.prefix, fmt.Sprintf(names[p.r.IntN(len(names))], p.made))}
	p.made++
	did, fresh := "created", true
	if n := len(p.once); n > 0 && p.r.IntN(2) == 0 { // another file of a name that was there before
		i := p.r.IntN(n)
		f.box, f.rel, did, fresh = p.once[i].box, p.once[i].rel, "created again", false
		p.once = append(p.once[:i], p.once[i+1:]...)
		box = f.box
	}
	f.content = content(p.r, f.rel, 0, size(p.r, most))
	if len(f.content) >= large {
		p.large++
	}
	if !box.Takes {
		p.own = append(p.own, f)
	}
	if p.Squat != nil && fresh && p.r.IntN(40) == 0 {
		p.Squat(box, f.rel)
	}
	slowly := p.r.IntN(3) == 0
	if slowly {
		did += " slowly"
	}
	f.version = p.enter(box, f.rel, f.content, did)
	if slowly {
		return p.slowly(f)
	}
	return write(f.path(), f.content, time.Time{})
}

// slowly writes in pieces, with the file open and under its own name all the while.
func (p *writer) slowly(f *file) (err error) {
	if err := os.MkdirAll(filepath.Dir(f.path()), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(f.path(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	for rest := f.content; len(rest) > 0; {
		n := min(len(rest), 1+len(f.content)/4)
		if _, err := out.Write(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
		time.Sleep(time.Duration(p.r.IntN(60)) * time.Millisecond) // the slowness is the point
	}
	return nil
}

func (p *writer) append(f *file) (err error) {
	more := content(p.r, f.rel, 1, p.r.IntN(2000))
	whole := append(append([]byte(nil), f.content...), more...)
	p.leave(f.version, "")
	f.version = p.enter(f.box, f.rel, whole, "appended")
	f.content = whole
	out, err := os.OpenFile(f.path(), os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = out.Write(more)
	return err
}

// rename gives a file another name: a new one, or that of another file, which is gone then.
func (p *writer) rename(f *file) error {
	rel, did := filepath.Join(p.prefix, fmt.Sprintf("moved-%04d.bin", p.made)), "renamed"
	p.made++
	if over := p.own[p.r.IntN(len(p.own))]; over != f && over.box == f.box && p.r.IntN(3) == 0 && p.isNew(over.box, over.rel, f.content) {
		rel, did = over.rel, "renamed over another"
		p.leave(over.version, "")
		p.disown(over)
	}
	p.leave(f.version, "")
	f.version = p.enter(f.box, rel, f.content, did)
	from := f.path()
	p.once = append(p.once, &file{box: f.box, rel: f.rel})
	f.rel = rel
	return os.Rename(from, f.path())
}

func (p *writer) disown(f *file) {
	for i, other := range p.own {
		if other == f {
			p.own = append(p.own[:i], p.own[i+1:]...)
			return
		}
	}
}

// rewrite puts other content under the same name: in place, or by a new file, which may bear an odd time.
func (p *writer) rewrite(f *file) error {
	f.content = content(p.r, f.rel, p.made, size(p.r, 0))
	p.made++
	p.leave(f.version, "")
	switch p.r.IntN(3) {
	case 0:
		f.version = p.enter(f.box, f.rel, f.content, "rewritten in place")
		return p.slowly(f)
	case 1:
		f.version = p.enter(f.box, f.rel, f.content, "dated oddly")
		return write(f.path(), f.content, odd[p.r.IntN(len(odd))])
	}
	f.version = p.enter(f.box, f.rel, f.content, "rewritten")
	return write(f.path(), f.content, time.Time{})
}

func (p *writer) delete(f *file) error {
	p.leave(f.version, "deleted")
	p.disown(f)
	p.once = append(p.once, &file{box: f.box, rel: f.rel})
	return os.Remove(f.path())
}

// odd are times that a file may bear: long past, or not come yet.
var odd = []time.Time{time.Unix(1, 0), time.Date(2090, 5, 4, 3, 2, 1, 0, time.UTC)}
