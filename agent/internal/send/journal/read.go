package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"buzon/agent/internal/send/receipt"
)

// longPath is from where on a path stands in the indexes by its hash: a key of bbolt holds 32 kB, and a path may be
// longer, though no program can open such a file in one call.
const longPath = 4096

// pathKey is a file's place in the index of paths.
func pathKey(route RouteID, path string) []byte {
	return appendPath(binary.BigEndian.AppendUint16(make([]byte, 0, 2+min(len(path), longPath)), uint16(route)), path)
}

// appendPath appends a path as it stands in an index: itself, or, where it is too long, a NUL, which no path holds, and
// its hash.
func appendPath(b []byte, path string) []byte {
	if len(path) <= longPath {
		return append(b, path...)
	}
	sum := sha256.Sum256([]byte(path))
	return append(append(b, 0), sum[:]...)
}

// keyKey is a key's place in the index of keys.
func keyKey(bucket, key string) []byte {
	b := make([]byte, 0, len(bucket)+1+len(key))
	return append(append(append(b, bucket...), 0), key...)
}

// importKey is an imported receipt's place in the index of imports; its path is "bucket NUL absolute path".
func importKey(bucket string, e *Entry) []byte {
	source := strings.TrimPrefix(e.Path, bucket+"\x00")
	b := appendPath(append([]byte(bucket), 0), source)
	b = append(b, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Sec))
	return binary.BigEndian.AppendUint32(b, uint32(e.Nsec))
}

func importedBucket(e *Entry) string {
	bucket, _, _ := strings.Cut(e.Path, "\x00")
	return bucket
}

// Mark is what the index of paths says: which entry is the newest of a path, and of which version of the file.
type Mark struct {
	Seq uint64 // 0: the path is not known
	Identity
}

func encodeMark(seq uint64, id Identity) []byte {
	b := make([]byte, 8, 40)
	binary.BigEndian.PutUint64(b, seq)
	b = binary.AppendUvarint(b, uint64(id.Size))
	b = binary.AppendVarint(b, id.Sec)
	b = binary.AppendUvarint(b, uint64(id.Nsec))
	return binary.AppendUvarint(b, id.Inode)
}

func decodeMark(b []byte) (Mark, error) {
	if len(b) < 8 {
		return Mark{}, errRecord
	}
	m := Mark{Seq: binary.BigEndian.Uint64(b)}
	r := fields{b: b[8:]}
	m.Size, m.Sec, m.Nsec, m.Inode = int64(r.uint()), r.int(), int32(r.uint()), r.uint()
	if r.bad {
		return Mark{}, errRecord
	}
	return m, nil
}

// view runs read in one read transaction, which must be short: pages are not reused meanwhile.
func (j *Journal) view(read func(*bbolt.Tx) error) error {
	err := j.protect(func() error { return j.db.View(read) })
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	return nil
}

// index looks keys up one after the other. [bbolt.Bucket.Get] makes a cursor for each, and what it remembers of its way.
type index struct{ *bbolt.Cursor }

// get is the value at a key, or nil; it stays valid until the bucket is next written to.
func (x index) get(key []byte) []byte {
	if k, v := x.Seek(key); bytes.Equal(k, key) {
		return v
	}
	return nil
}

// Marks looks up many paths of one route at once; marks[i] belongs to paths[i].
func (j *Journal) Marks(route RouteID, paths []string, marks []Mark) ([]Mark, error) {
	marks = marks[:0]
	err := j.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(pathsBucket).Cursor()
		var key, k, v []byte
		for _, p := range paths {
			key = binary.BigEndian.AppendUint16(key[:0], uint16(route))
			key = appendPath(key, p)
			if k != nil { // a walk comes in about the order of the index: the next one is often the one
				k, v = c.Next()
			}
			if !bytes.Equal(k, key) {
				k, v = c.Seek(key)
			}
			var m Mark
			if bytes.Equal(k, key) {
				var err error
				if m, err = decodeMark(v); err != nil {
					return err
				}
			}
			marks = append(marks, m)
		}
		return nil
	})
	return marks, err
}

// Get returns the entry with this number, or nil.
func (j *Journal) Get(seq uint64) (*Entry, error) {
	var e *Entry
	err := j.view(func(tx *bbolt.Tx) (err error) {
		e, err = get(tx, seq)
		return err
	})
	return e, err
}

func get(tx *bbolt.Tx, seq uint64) (*Entry, error) {
	rec := tx.Bucket(entriesBucket).Get(binary.BigEndian.AppendUint64(nil, seq))
	if rec == nil {
		return nil, nil
	}
	return decode(seq, rec)
}

// Unsent returns up to n entries that are pending or sending and come after a number, in order. At the end it
// returns none.
func (j *Journal) Unsent(after uint64, n int) ([]*Entry, error) {
	return j.members(openBucket, after, n)
}

// Unsettled returns up to n entries that are sent and not settled, like [Journal.Unsent].
func (j *Journal) Unsettled(after uint64, n int) ([]*Entry, error) {
	return j.members(sentBucket, after, n)
}

// Quarantine returns up to n entries in quarantine, like [Journal.Unsent].
func (j *Journal) Quarantine(after uint64, n int) ([]*Entry, error) {
	return j.members(quarantinedBucket, after, n)
}

func (j *Journal) members(name []byte, after uint64, n int) ([]*Entry, error) {
	var list []*Entry
	err := j.view(func(tx *bbolt.Tx) error {
		c, entries := tx.Bucket(name).Cursor(), index{tx.Bucket(entriesBucket).Cursor()}
		for k, _ := c.Seek(binary.BigEndian.AppendUint64(nil, after+1)); k != nil && len(list) < n; k, _ = c.Next() {
			e, err := decode(binary.BigEndian.Uint64(k), entries.get(k))
			if err != nil {
				return err
			}
			list = append(list, e)
		}
		return nil
	})
	return list, err
}

// Entries returns up to n entries of any state after a number, in order.
func (j *Journal) Entries(after uint64, n int) ([]*Entry, error) {
	var list []*Entry
	err := j.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(entriesBucket).Cursor()
		for k, v := c.Seek(binary.BigEndian.AppendUint64(nil, after+1)); k != nil && len(list) < n; k, v = c.Next() {
			e, err := decode(binary.BigEndian.Uint64(k), v)
			if err != nil {
				return err
			}
			list = append(list, e)
		}
		return nil
	})
	return list, err
}

// Receipts calls each for every receipt of an object that was sent at that time or later, in the order of acceptance,
// and ends with its error. It holds no transaction meanwhile, so each may take its time.
func (j *Journal) Receipts(since time.Time, each func(*receipt.Receipt) error) error {
	const batch = 1000
	for place := uint64(0); ; {
		list, err := j.Entries(place, batch)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, e := range list {
			place = e.Seq
			if e.Proof == nil || time.Unix(0, e.Proof.SentAt).Before(since) {
				continue
			}
			r := e.Receipt(j.RouteOf(e.Route))
			if err := each(&r); err != nil {
				return err
			}
		}
	}
}

// ByKey returns the entry whose receipt names this key, or nil.
func (j *Journal) ByKey(bucket, key string) (*Entry, error) {
	var e *Entry
	err := j.view(func(tx *bbolt.Tx) (err error) {
		seq := tx.Bucket(keysBucket).Get(keyKey(bucket, key))
		if seq == nil {
			return nil
		}
		if e, err = get(tx, binary.BigEndian.Uint64(seq)); err == nil && e == nil {
			err = errRecord
		}
		if e != nil && e.Proof == nil { // it may have put something there, but has no receipt
			e = nil
		}
		return err
	})
	return e, err
}

// Imported returns the imported receipt of the file with this absolute path, size and time, or nil.
func (j *Journal) Imported(bucket, source string, id Identity) (*Entry, error) {
	var found *Entry
	probe := &Entry{Path: bucket + "\x00" + source, Identity: id}
	err := j.view(func(tx *bbolt.Tx) error {
		seq := tx.Bucket(importsBucket).Get(importKey(bucket, probe))
		if seq == nil {
			return nil
		}
		e, err := get(tx, binary.BigEndian.Uint64(seq))
		if err != nil {
			return err
		}
		if e == nil {
			return errRecord
		}
		if e.Size == id.Size {
			found = e
		}
		return nil
	})
	return found, err
}

// HasImports says whether any imported receipt still waits for its file.
func (j *Journal) HasImports() (has bool, err error) {
	err = j.view(func(tx *bbolt.Tx) error {
		k, _ := tx.Bucket(importsBucket).Cursor().First()
		has = k != nil
		return nil
	})
	return has, err
}

// Parts returns the confirmed parts of e's multipart upload, by number.
func (j *Journal) Parts(e *Entry) ([]Part, error) {
	var parts []Part
	err := j.view(func(tx *bbolt.Tx) error {
		seq := binary.BigEndian.AppendUint64(nil, e.Seq)
		c := tx.Bucket(partsBucket).Cursor()
		for k, v := c.Seek(seq); len(k) == 12 && bytes.Equal(k[:8], seq); k, v = c.Next() {
			p, err := decodePart(int32(binary.BigEndian.Uint32(k[8:])), v)
			if err != nil {
				return err
			}
			parts = append(parts, p)
		}
		return nil
	})
	return parts, err
}

// Check reads the whole journal and returns every invariant that does not hold. It is for tests and takes time.
func (j *Journal) Check() error {
	var faults []error
	note := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	err := j.view(func(tx *bbolt.Tx) error {
		var count stats
		live := map[string]*Entry{}
		err := tx.Bucket(entriesBucket).ForEach(func(k, v []byte) error {
			e, err := decode(binary.BigEndian.Uint64(k), v)
			if err != nil {
				return err
			}
			if err := e.fault(); err != nil {
				note("entry %d: %w", e.Seq, err)
			}
			h, _ := readHeader(v)
			count.count(header{}, h)
			key := keyKey(j.RouteOf(e.Route).Bucket, e.Key)
			if e.Proof == nil && h.flags&ambiguousFlags != 0 && tx.Bucket(keysBucket).Get(key) == nil && tx.Bucket(ambiguousBucket).Get(key) == nil {
				note("entry %d may have an object at %q, which is nobody's", e.Seq, e.Key)
			}
			live[string(k)] = e
			for _, in := range []struct {
				name []byte
				must bool
			}{{openBucket, e.State.open()}, {sentBucket, e.State == Sent}, {quarantinedBucket, e.State == Quarantined}} {
				if has := has(tx.Bucket(in.name), k); has != in.must {
					note("entry %d is %s; in %s: %t", e.Seq, e.State, in.name, has)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if count.Files != j.stats.Files || count.Bytes != j.stats.Bytes || count.Inferred != j.stats.Inferred || count.Met != j.stats.Met {
			note("counts are %+v, must be %+v", j.stats, count)
		}
		for _, name := range [][]byte{openBucket, sentBucket, quarantinedBucket, pathsBucket, keysBucket, importsBucket, partsBucket} {
			_ = tx.Bucket(name).ForEach(func(k, v []byte) error {
				seq := v
				switch {
				case len(v) == 0, bytes.Equal(name, partsBucket):
					seq = k[:8]
				case len(v) > 8:
					seq = v[:8]
				}
				if live[string(seq)] == nil {
					note("%s names an entry that is gone: %x", name, k)
				}
				return nil
			})
		}
		return nil
	})
	return errors.Join(append(faults, err)...)
}

func has(b *bbolt.Bucket, k []byte) bool {
	at, _ := b.Cursor().Seek(k)
	return bytes.Equal(at, k)
}
