package journal

import (
	"fmt"
	"strings"

	"go.etcd.io/bbolt"

	"buzon/agent/internal/send/receipt"
)

// Import takes in receipts of files that this journal does not know, so that they are not sent again. A file that
// was accepted since the memory was lost, and is of the receipt's very version, is settled by it. Any other receipt
// waits under its absolute path until its file is seen: see [Journal.Imported] and [Journal.Adopt]. One whose key is
// known already is passed over. It returns how many were taken in.
func (j *Journal) Import(list []*receipt.Receipt) (added int, err error) {
	changes := make([]change, 0, len(list))
	seen := map[string]bool{}
	var first error
	ended := make(chan struct{})
	left := 0
	done := func(err error) {
		if err != nil && first == nil {
			first = err
		}
		if left--; left == 0 {
			close(ended)
		}
	}
	for _, r := range list {
		key := keyKey(r.Bucket, r.Key)
		known, err := j.ByKey(r.Bucket, r.Key)
		if err != nil {
			return 0, err
		}
		if known != nil || seen[string(key)] {
			continue
		}
		seen[string(key)] = true
		added++
		e := j.imported(r)
		waiting, err := j.waiting(r.Bucket, r.SourcePath, e.Identity)
		if err != nil {
			return 0, err
		}
		if waiting != nil {
			e.Route, e.Path, e.Identity = waiting.Route, waiting.Path, waiting.Identity
		}
		c, err := j.prepare(add, e)
		if err != nil {
			return 0, err
		}
		c.key, c.done = key, done
		if waiting == nil {
			c.path, c.imp = nil, importKey(r.Bucket, e)
		}
		changes = append(changes, c)
		if waiting != nil { // after it, so that the path is known at every moment
			changes = append(changes, change{kind: forget, seq: waiting.Seq, to: none, path: c.path, done: done})
		}
	}
	if len(changes) == 0 {
		return 0, nil
	}
	left = len(changes)
	j.queue.put(true, changes...)
	<-ended
	if first != nil {
		return 0, fmt.Errorf("import receipts: %w", first)
	}
	return added, nil
}

// imported is the entry of a receipt whose file was not seen yet. The bucket stands before the path: a route needs
// an outbox, and there is none.
func (j *Journal) imported(r *receipt.Receipt) *Entry {
	sum, _ := receipt.ParseCRC(r.CRC64NVME) // the reader let only good ones pass
	return &Entry{
		State: Settled, Route: Imported, Path: r.Bucket + "\x00" + r.SourcePath, Added: j.opts.Now().UnixNano(),
		Key: r.Key, Attempts: 1, Identity: Identity{Size: r.Size, Sec: r.MTime.Unix(), Nsec: int32(r.MTime.Nanosecond())},
		Proof: &Proof{
			CRC64: sum, SHA256: r.SHA256, ETag: r.ETag, VersionID: r.VersionID, Evidence: r.Evidence, Echoed: r.Echoed,
			SentAt: r.SentAt.UnixNano(), RequestID: r.RequestID,
		},
	}
}

// waiting is the entry of a file with this absolute path and of this version that has no receipt yet, or nil.
func (j *Journal) waiting(bucket, source string, id Identity) (found *Entry, err error) {
	j.mu.Lock()
	places := map[RouteID]string{}
	for n, r := range j.routes {
		if rel, inside := strings.CutPrefix(source, r.Outbox+"/"); inside && r.Bucket == bucket {
			places[n] = rel
		}
	}
	j.mu.Unlock()
	err = j.view(func(tx *bbolt.Tx) error {
		for n, rel := range places {
			v := tx.Bucket(pathsBucket).Get(pathKey(n, rel))
			if v == nil {
				continue
			}
			m, err := decodeMark(v)
			if err != nil {
				return err
			}
			if !m.SameVersion(id) {
				continue
			}
			e, err := get(tx, m.Seq)
			if err != nil {
				return err
			}
			if e == nil {
				return errRecord
			}
			if e.Proof == nil {
				found = e
			}
		}
		return nil
	})
	return found, err
}

// Adopt gives an imported receipt its file: route, path and identity are now those of e, which [Journal.Imported]
// found.
func (j *Journal) Adopt(e *Entry, route RouteID, path string, id Identity) error {
	imp := importKey(importedBucket(e), e)
	e.Route, e.Path, e.Identity = route, path, id
	c, err := j.prepare(renew, e)
	if err != nil {
		return err
	}
	c.imp = imp
	ended := make(chan error, 1)
	c.done = func(err error) { ended <- err }
	j.queue.put(true, c)
	return <-ended
}
