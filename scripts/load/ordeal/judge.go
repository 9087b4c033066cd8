package ordeal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

// Object is one version of an object in the bucket.
type Object struct {
	Key     string // without the prefix
	Size    int64
	Sum     [sha256.Size]byte // of its bytes
	Foreign bool              // somebody else put it there
}

// Record is what the agent says of one file.
type Record struct {
	Path     string // of the local file
	Size     int64
	Inferred bool   // a receipt whose object was never answered for
	Reason   string // of the quarantine; "" for a receipt
}

// told are the files, by path and size, whose absence from the bucket the agent accounts for.
func told(records []Record) map[string]bool {
	list := map[string]bool{}
	for _, r := range records {
		if r.Inferred || r.Reason != "" {
			list[fmt.Sprintf("%d %s", r.Size, r.Path)] = true
		}
	}
	return list
}

func (v *Version) path() string { return filepath.Join(v.Box.Path, v.Rel) }

func (v *Version) among(told map[string]bool) bool {
	return told[fmt.Sprintf("%d %s", v.Size, v.path())]
}

// Verdict is the outcome: the counts, and every broken promise.
type Verdict struct {
	Once, Inferred, Quarantined, Foreign, Objects int
	Faults                                        []string
}

// suffix is what the agent puts before an extension where another object stands at a key.
var suffix = regexp.MustCompile(`\.~\d{8}T\d{6}Z-[0-9a-f]{8}`)

// Missing are the current versions that stand neither in the bucket nor among the agent's records of what it could not
// or need not send. While the agent is at work it tells what is still to come.
func (w *World) Missing(objects []Object, records []Record) []*Version {
	found := w.find(objects, &Verdict{})
	told := told(records)
	var list []*Version
	for _, v := range w.Current() {
		if found[id{v.Box.Name, v.Rel, v.Sum}] == 0 && !v.among(told) {
			list = append(list, v)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Rel < list[j].Rel })
	return list
}

// Stands tells whether an object is the version that stands in its file now.
func (w *World) Stands(o Object) bool {
	for at := range w.find([]Object{o}, &Verdict{}) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.book[at].Current
	}
	return false
}

// WronglyInferred counts the current versions that the agent takes for sent without an answer, and that aren't.
func (w *World) WronglyInferred(objects []Object, records []Record) int {
	found := w.find(objects, &Verdict{})
	inferred := told(records)
	n := 0
	for _, v := range w.Current() {
		if v.among(inferred) && found[id{v.Box.Name, v.Rel, v.Sum}] == 0 {
			n++
		}
	}
	return n
}

// find counts how often each version stands in the bucket; what is no version is a fault.
func (w *World) find(objects []Object, out *Verdict) map[id]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := map[id]int{}
	for _, o := range objects {
		if o.Foreign {
			out.Foreign++
			continue
		}
		out.Objects++
		box, rel, _ := strings.Cut(o.Key, "/")
		at := id{box, rel, o.Sum}
		if w.book[at] == nil {
			at.rel = suffix.ReplaceAllString(rel, "")
		}
		if w.book[at] == nil {
			out.Faults = append(out.Faults, fmt.Sprintf("torn or unknown: %q holds %d bytes (%s) that were never a whole file of that name",
				o.Key, o.Size, hex.EncodeToString(o.Sum[:4])))
			continue
		}
		found[at]++
	}
	return found
}

// Judge holds what is in the bucket, and what the agent says, against the book. It is called when the agent is done.
func (w *World) Judge(objects []Object, records []Record) Verdict {
	var out Verdict
	found := w.find(objects, &out)
	told := told(records)
	for _, r := range records {
		if r.Inferred {
			out.Inferred++
		}
		if r.Reason != "" {
			out.Quarantined++
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for at, v := range w.book {
		switch n := found[at]; {
		case n == 1:
			out.Once++
		case n > 1:
			out.Faults = append(out.Faults, fmt.Sprintf("sent %d times: %s", n, v))
		case v.Current && !v.among(told):
			out.Faults = append(out.Faults, fmt.Sprintf("not sent, and no word of it: %s", v))
		}
		if !v.Current {
			continue
		}
		// No local file goes before its bytes are in the bucket.
		body, err := os.ReadFile(v.path())
		switch {
		case errors.Is(err, fs.ErrNotExist) && !v.Box.Takes:
			out.Faults = append(out.Faults, fmt.Sprintf("gone from an outbox whose files stay: %s", v))
		case errors.Is(err, fs.ErrNotExist):
			if found[at] == 0 {
				out.Faults = append(out.Faults, fmt.Sprintf("removed without being in the bucket: %s", v))
			}
		case err != nil:
			out.Faults = append(out.Faults, fmt.Sprintf("%s: %v", v, err))
		case sha256.Sum256(body) != v.Sum:
			out.Faults = append(out.Faults, fmt.Sprintf("the local file was changed: %s", v))
		}
	}
	sort.Strings(out.Faults)
	return out
}
