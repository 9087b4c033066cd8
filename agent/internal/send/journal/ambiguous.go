package journal

import (
	"encoding/binary"
	"errors"
	"time"

	"go.etcd.io/bbolt"
)

// ambiguousFlags are the flags of an entry at whose key an object may stand, or stands, that no receipt of it names.
const ambiguousFlags = flagAttempting | flagUnknown | flagPrecondition

// Claim is an entry that is to be sent to a key.
type Claim struct {
	Key string
	Seq uint64
}

// KeyInUse says for each claim whether an object that is not this entry's own may stand at its key: another entry has a
// receipt for it or may have a request there, or whoever had one was forgotten, changed, or sent under another key before
// its outcome was known. What is taken stays so for as long as a receipt is kept: see [Journal.ExpireAmbiguousKeys].
func (j *Journal) KeyInUse(bucket string, claims ...Claim) ([]bool, error) {
	taken := make([]bool, len(claims))
	if len(claims) == 0 {
		return taken, nil
	}
	err := j.view(func(tx *bbolt.Tx) error {
		entries, keys, ambiguous := index{tx.Bucket(entriesBucket).Cursor()}, index{tx.Bucket(keysBucket).Cursor()}, index{tx.Bucket(ambiguousBucket).Cursor()}
		for i, c := range claims {
			at := keyKey(bucket, c.Key)
			if taken[i] = ambiguous.get(at) != nil; taken[i] {
				continue
			}
			by := keys.get(at)
			if by == nil || binary.BigEndian.Uint64(by) == c.Seq {
				continue
			}
			other, err := readHeader(entries.get(by))
			if err != nil {
				return err
			}
			taken[i] = other.flags&(flagProof|ambiguousFlags) != 0
		}
		return nil
	})
	return taken, err
}

// ExpireAmbiguousKeys forgets which keys became ambiguous before a time, and returns how many.
func (j *Journal) ExpireAmbiguousKeys(before time.Time) (n int, err error) {
	ended := make(chan error, 1)
	j.queue.put(true, change{kind: expireAmbiguous, before: before.UnixNano(), expired: &n, done: func(err error) { ended <- err }})
	err = <-ended
	return n, err
}

// claim makes a key that of an entry which has a receipt for it, or whose request may be at it. Where two requests may be
// at one key, neither entry can tell whose object stands there: the key is ambiguous from then on.
func (w *writer) claim(key, seq []byte, is header) error {
	by := w.at.keys.get(key)
	if string(by) == string(seq) {
		return nil
	}
	proven := is.flags&flagProof != 0
	if by != nil {
		other, err := readHeader(w.at.entries.get(by))
		switch {
		case err != nil:
			return err
		case other.flags&flagProof != 0:
			if !proven {
				return nil
			}
		case other.flags&ambiguousFlags != 0:
			if err := w.markAmbiguous(key); err != nil || !proven {
				return err
			}
		}
	}
	return w.keys.Put(key, seq)
}

// leave keeps what an entry without a receipt knows of its key, which it is about to forget: that an object may stand
// there. Whoever comes next must not take that for its own.
func (w *writer) leave(c *change, seq, rec []byte, was header) error {
	if was.flags&flagProof != 0 {
		return nil
	}
	e, err := decode(c.seq, rec)
	if err != nil || e.Key == "" {
		return err
	}
	key := keyKey(w.bucketOf(e.Route), e.Key)
	if string(w.at.keys.get(key)) == string(seq) {
		if err := w.keys.Delete(key); err != nil {
			return err
		}
	}
	if c.unsent {
		was.flags &^= flagAttempting
	}
	if was.flags&ambiguousFlags == 0 {
		return nil
	}
	return w.markAmbiguous(key)
}

func (w *writer) markAmbiguous(key []byte) error {
	return w.ambiguous.Put(key, binary.BigEndian.AppendUint64(nil, uint64(w.now)))
}

// expireAmbiguous forgets which keys were ambiguous long ago.
func (w *writer) expireAmbiguous(c *change) error {
	*c.expired = 0 // a commit may be tried again
	var old [][]byte
	err := w.ambiguous.ForEach(func(k, v []byte) error {
		if len(v) != 8 {
			return errRecord
		}
		if int64(binary.BigEndian.Uint64(v)) < c.before {
			old = append(old, append([]byte(nil), k...))
		}
		return nil
	})
	for _, k := range old {
		err = errors.Join(err, w.ambiguous.Delete(k))
		*c.expired++
	}
	return err
}
