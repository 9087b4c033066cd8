package journal

import "go.etcd.io/bbolt"

// storeKey is the place, in the meta bucket, of what a store has shown of itself.
func storeKey(endpoint string) []byte { return append([]byte("store\x00"), endpoint...) }

// Shown is what [Journal.KeepShown] kept of the store at an endpoint; nil if that is nothing.
func (j *Journal) Shown(endpoint string) (shown []byte, err error) {
	err = j.db.View(func(tx *bbolt.Tx) error {
		shown = append(shown, tx.Bucket(metaBucket).Get(storeKey(endpoint))...)
		return nil
	})
	return shown, err
}

// KeepShown keeps what a store has shown of itself, in words that only its caller knows.
func (j *Journal) KeepShown(endpoint string, shown []byte) error {
	return j.update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(storeKey(endpoint), shown) })
}
