package ordeal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Box is one outbox.
type Box struct {
	Name string // goes in front of its keys: the configuration's template is Name/{path}
	Path string
	// Takes says that the agent removes files from it (settle: move or delete): then writers only create.
	Takes bool
}

// Version is the content of one file at a time when it was whole.
type Version struct {
	Box     *Box
	Rel     string
	Size    int
	Sum     [sha256.Size]byte
	Current bool // it stands in its file: nobody has changed, renamed or deleted it since
}

func (v *Version) String() string {
	return fmt.Sprintf("%s/%q (%d bytes, %s)", v.Box.Name, v.Rel, v.Size, hex.EncodeToString(v.Sum[:4]))
}

// id is what makes a version one.
type id struct {
	box, rel string
	sum      [sha256.Size]byte
}

// World is the writers' side.
type World struct {
	// Squat is called before some files are created: somebody else puts an object at their key. Nil for nobody.
	Squat func(box *Box, rel string)

	boxes []*Box
	seed  uint64

	mu    sync.Mutex
	book  map[id]*Version
	count map[string]int // of what was done, by name
}

// NewWorld makes a world whose folders exist already.
func NewWorld(seed uint64, boxes ...*Box) *World {
	return &World{boxes: boxes, seed: seed, book: map[id]*Version{}, count: map[string]int{}}
}

// Counts are how often each thing was done.
func (w *World) Counts() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string]int{"versions": len(w.book)}
	for k, n := range w.count {
		out[k] = n
	}
	return out
}

// enter writes a version into the book; it happens before the file can be seen whole.
func (w *World) enter(box *Box, rel string, content []byte, did string) *Version {
	v := &Version{Box: box, Rel: rel, Size: len(content), Sum: sha256.Sum256(content), Current: true}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.book[id{box.Name, rel, v.Sum}] = v
	w.count[did]++
	return v
}

// isNew says that a file of this name never had this content: a version that comes back would be told from itself by
// nobody.
func (w *World) isNew(box *Box, rel string, content []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.book[id{box.Name, rel, sha256.Sum256(content)}] == nil
}

// leave notes that a version does not stand in its file any more.
func (w *World) leave(v *Version, did string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v.Current = false
	if did != "" {
		w.count[did]++
	}
}

// Current are the versions that stand in their files.
func (w *World) Current() []*Version {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []*Version
	for _, v := range w.book {
		if v.Current {
			list = append(list, v)
		}
	}
	return list
}

// content is size bytes that no other call gives.
func content(r *rand.Rand, name string, n, size int) []byte {
	b := fmt.Appendf(make([]byte, 0, size+80), "%s #%d %016x\n", name, n, r.Uint64())
	for len(b) < size {
		x := r.Uint64()
		b = append(b, byte(x), byte(x>>8), byte(x>>16), byte(x>>24), byte(x>>32), byte(x>>40), byte(x>>48), byte(x>>56))
	}
	return b
}

// size is mostly small, at times large, and rarely above the multipart threshold.
func size(r *rand.Rand, mostLarge int) int {
	switch n := r.IntN(1000); {
	case n < 800:
		return 40 + r.IntN(8<<10)
	case n < 990 || mostLarge == 0:
		return r.IntN(300 << 10)
	default:
		return mostLarge + r.IntN(1<<20)
	}
}

// names are what files are called; the number makes each its writer's own.
var names = []string{
	"f%03d.dat", "a b %03d.txt", "ñandú-%03d.csv", "📬%03d", "..%%2f%03d", "new\nline%03d", "dir%03d/deep/er/x.log", "quote'\"%03d&=+;.json",
	"e\u0301%03d", "%03d.tar.gz", "-rf %03d", "tab\t%03d",
}

// write puts content at a path through a temporary name that the agent ignores, so that it appears at once, with its
// time: the zero time for now.
func write(path string, content []byte, at time.Time) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(path), ".ordeal-"+filepath.Base(path))
	if err := os.WriteFile(tmp, content, 0o644); err != nil {
		return err
	}
	if !at.IsZero() {
		if err := os.Chtimes(tmp, at, at); err != nil {
			return err
		}
	}
	return os.Rename(tmp, path)
}
