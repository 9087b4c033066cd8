package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"go.etcd.io/bbolt"
)

// migrations[n] brings a journal from format n to n+1, in the one transaction in which the version changes.
var migrations = map[uint32]func(*bbolt.Tx) error{
	1: addChecksums,
	2: addAmbiguous,
	3: hashLongPaths,
}

// reader is the first version of the agent that reads [Version]. It is written into the file, so that an older agent
// can name it.
const reader = "0.1.0"

var readerKey = []byte("writer")

// migrate brings an older journal to [Version], one format after another, and refuses a newer one. Each step is one
// transaction: killed in the middle, the journal is as it was.
func (j *Journal) migrate() error {
	for {
		version, err := j.version()
		if err != nil || version == Version {
			return err
		}
		step := migrations[version]
		if step == nil {
			return &DamagedError{Path: j.path, Err: fmt.Errorf("format %d was never written", version)}
		}
		if j.opts.ReadOnly {
			return &OlderError{Path: j.path, Format: version}
		}
		err = j.db.Update(func(tx *bbolt.Tx) error {
			if err := step(tx); err != nil {
				return err
			}
			return putVersion(tx.Bucket(metaBucket), version+1)
		})
		if err != nil {
			return fmt.Errorf("migrate journal from format %d: %w", version, err)
		}
		j.opts.Failpoint("journal.migrated")
	}
}

// OlderError means that the journal must be migrated and was opened for reading only.
type OlderError struct {
	Path   string
	Format uint32
}

// Message names the sentence for it.
func (e *OlderError) Message() (string, []any) {
	return "state.older", []any{"path", e.Path, "format", int64(e.Format), "known", Version}
}

func (e *OlderError) Error() string {
	return fmt.Sprintf("journal %s has format %d; the next run brings it to %d", e.Path, e.Format, Version)
}

func (j *Journal) version() (uint32, error) {
	var version uint32
	err := j.db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if meta == nil || len(meta.Get(versionKey)) != 4 {
			return &DamagedError{Path: j.path, Err: errors.New("it does not say its format")}
		}
		version = binary.BigEndian.Uint32(meta.Get(versionKey))
		if version > Version {
			return &NewerError{Path: j.path, Format: version, Writer: string(meta.Get(readerKey))}
		}
		return nil
	})
	return version, err
}

// addChecksums brings format 1 to 2: every record of an entry and of a part gets the CRC-32C at its end.
func addChecksums(tx *bbolt.Tx) error {
	for _, name := range [][]byte{entriesBucket, partsBucket} {
		b := tx.Bucket(name)
		if b == nil {
			return errRecord
		}
		// The keys stay, so the cursor may be sought again after each put; a put may move pages under it.
		c := b.Cursor()
		for k, v := c.First(); k != nil; {
			rec := append(make([]byte, 0, len(v)+tailLen), v...)
			if bytes.Equal(name, entriesBucket) && len(rec) > 0 {
				rec[0] = recordFormat
			}
			rec = binary.BigEndian.AppendUint32(rec, crc32.Checksum(rec, castagnoli))
			key := append([]byte(nil), k...)
			if err := b.Put(key, rec); err != nil {
				return err
			}
			c.Seek(key)
			k, v = c.Next()
		}
	}
	return nil
}

// addAmbiguous brings format 2 to 3: the index of keys also names entries whose request may have made an object, and what
// was forgotten of such is kept.
func addAmbiguous(tx *bbolt.Tx) error {
	ambiguous, err := tx.CreateBucketIfNotExists(ambiguousBucket)
	if err != nil {
		return err
	}
	routes := map[RouteID]Route{}
	w := writer{keys: tx.Bucket(keysBucket), ambiguous: ambiguous, now: time.Now().UnixNano()}
	w.at.entries, w.at.keys = index{tx.Bucket(entriesBucket).Cursor()}, index{w.keys.Cursor()}
	if err := readRoutes(tx, routes); err != nil {
		return err
	}
	for _, name := range [][]byte{openBucket, quarantinedBucket} {
		err := tx.Bucket(name).ForEach(func(seq, _ []byte) error {
			e, err := decode(binary.BigEndian.Uint64(seq), w.at.entries.get(seq))
			if err != nil || e.Key == "" || e.flags()&ambiguousFlags == 0 {
				return err
			}
			return w.claim(keyKey(routes[e.Route].Bucket, e.Key), append([]byte(nil), seq...), header{e.State, e.flags(), e.Size})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// hashLongPaths brings format 3 to 4: long paths stand in their index by their hash, and a record may hold a change time.
func hashLongPaths(tx *bbolt.Tx) error {
	paths := tx.Bucket(pathsBucket)
	if paths == nil {
		return errRecord
	}
	long := map[string][]byte{}
	err := paths.ForEach(func(k, v []byte) error {
		if len(k) > 2+longPath {
			long[string(k)] = append([]byte(nil), v...)
		}
		return nil
	})
	for k, v := range long {
		err = errors.Join(err, paths.Delete([]byte(k)), paths.Put(appendPath([]byte(k[:2]), k[2:]), v))
	}
	return err
}
