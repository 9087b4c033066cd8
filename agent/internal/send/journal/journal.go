package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// File is the journal's name inside the state folder.
const File = "journal.db"

// Version is the format that this program writes. A journal of an older one is migrated when it is opened.
const Version = 4

// The buckets of the file.
var (
	metaBucket        = []byte("meta")        // version, stats
	entriesBucket     = []byte("entries")     // seq → record
	openBucket        = []byte("open")        // seq of what is pending or sending
	pathsBucket       = []byte("paths")       // route, path → seq and identity of the newest version
	keysBucket        = []byte("keys")        // bucket, key → seq of the entry whose receipt names it, or whose request may have made it
	ambiguousBucket   = []byte("doubts")      // bucket, key → since when it is ambiguous: see [Journal.KeyInUse]
	partsBucket       = []byte("parts")       // seq, number → part
	sentBucket        = []byte("sent")        // seq of what is sent and not settled
	quarantinedBucket = []byte("quarantined") // seq of what is in quarantine
	routesBucket      = []byte("routes")      // id → route
	importsBucket     = []byte("imports")     // bucket, absolute path, mtime → seq of an imported receipt
)

var allBuckets = [...][]byte{
	metaBucket, entriesBucket, openBucket, pathsBucket, keysBucket,
	partsBucket, sentBucket, quarantinedBucket, routesBucket, importsBucket, ambiguousBucket,
}

var (
	versionKey = []byte("version")
	statsKey   = []byte("head")
)

// Options says how to open a journal. The zero value is what the agent uses.
type Options struct {
	// ReadOnly opens for reading: no byte changes, and a missing journal is [ErrNone].
	ReadOnly bool
	// Failpoint is called at the named kill points; nil for none. Tests end the process there.
	Failpoint func(name string)
	// Now is the clock; nil for time.Now.
	Now func() time.Time
	// Trouble is told, from the committing goroutine, when the disk became full and when it has space again (nil).
	Trouble func(error)
	// LockWait is how long to wait for another process; zero is one second.
	LockWait time.Duration
}

// Journal is one open journal. Its methods may be called from any goroutine.
type Journal struct {
	path  string
	opts  Options
	db    *bbolt.DB
	lock  *os.File
	at    os.FileInfo // the file that is open
	home  Home        // of before
	moved atomic.Bool
	queue queue

	mu     sync.Mutex // guards what follows
	stats  stats
	routes map[RouteID]Route
	full   error // set while the disk is full
	fullAt time.Time

	fatal atomic.Pointer[error] // set once, when the journal can't be used any more
	stuck atomic.Bool           // bbolt panicked: it may hold its locks
}

// Open locks the state folder and opens its journal, which is made if there is none. Errors: [*LockedError],
// [*DamagedError], [*NewerError], [ErrNone].
func Open(state string, opts Options) (*Journal, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Failpoint == nil {
		opts.Failpoint = func(string) {}
	}
	if opts.LockWait == 0 {
		opts.LockWait = time.Second
	}
	j := &Journal{path: filepath.Join(state, File), opts: opts, routes: map[RouteID]Route{}}
	if !opts.ReadOnly {
		if err := os.MkdirAll(state, 0o700); err != nil {
			return nil, fmt.Errorf("make state folder: %w", err)
		}
	} else if _, err := os.Stat(j.path); errors.Is(err, os.ErrNotExist) {
		return nil, ErrNone
	}
	lock, err := takeLock(state, opts.ReadOnly, opts.LockWait)
	if err != nil {
		return nil, err
	}
	j.lock = lock
	if err := j.open(); err != nil {
		if j.db != nil && !j.stuck.Load() {
			_ = j.db.Close()
		}
		return nil, errors.Join(err, j.unlock())
	}
	if !opts.ReadOnly {
		j.queue.start(j)
	}
	return j, nil
}

func (j *Journal) open() error {
	if !j.opts.ReadOnly {
		if err := j.create(); err != nil {
			return err
		}
	}
	return j.protect(func() error {
		info, err := os.Stat(j.path)
		if err != nil {
			return fmt.Errorf("open journal: %w", err)
		}
		if info.Size() == 0 { // bbolt would begin a new one, and a lost memory would look like an empty one
			return &DamagedError{Path: j.path, Err: errors.New("the file is empty")}
		}
		if j.db, err = j.openFile(j.path); err != nil {
			return err
		}
		if j.at, err = os.Stat(j.path); err != nil {
			return fmt.Errorf("open journal: %w", err)
		}
		if _, err := j.version(); err != nil { // before anything is written
			return err
		}
		if err := j.rewriteMetaPages(); err != nil {
			return err
		}
		if err := j.migrate(); err != nil {
			return err
		}
		return j.load()
	})
}

// rewriteMetaPages writes the two pages that say which transaction is the last one again, as they are read, and syncs them.
// Where the process before this one ended with a sync that failed, the system shows a page that may never have reached
// the disk, and takes it for written. A transaction on top of it would write over pages that the one on the disk still
// needs; a power cut then leaves neither.
func (j *Journal) rewriteMetaPages() error {
	if j.opts.ReadOnly {
		return nil
	}
	f, err := os.OpenFile(j.path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	pages := make([]byte, 2*j.db.Info().PageSize)
	if _, err = f.ReadAt(pages, 0); err == nil {
		if _, err = f.WriteAt(pages, 0); err == nil {
			err = f.Sync()
		}
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	return nil
}

// openFile opens the bbolt file at path.
func (j *Journal) openFile(path string) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: j.opts.LockWait, ReadOnly: j.opts.ReadOnly, FreelistType: bbolt.FreelistMapType,
		InitialMmapSize: 64 << 20, NoStatistics: true,
	})
	switch {
	case err == nil:
		return db, nil
	case errors.As(err, new(syscall.Errno)): // the system's answer, a full disk's too, and no word about the content
		return nil, fmt.Errorf("open journal: %w", err)
	case errors.Is(err, berrors.ErrTimeout): // another program has it open, without our lock
		locked := &LockedError{State: filepath.Dir(path)}
		if f, err := os.Open(path); err == nil {
			locked.PID = holder(f)
			_ = f.Close() // only looked at
		}
		return nil, locked
	default: // invalid, version mismatch, checksum, too small: what bbolt says of a file that it can't trust
		return nil, &DamagedError{Path: path, Err: err}
	}
}

// create makes an empty journal beside its place and renames it in, so that a journal that exists is always whole.
func (j *Journal) create() error {
	if _, err := os.Lstat(j.path); err == nil || !errors.Is(err, os.ErrNotExist) {
		return err
	}
	fresh := j.path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("make journal: %w", err)
	}
	db, err := j.openFile(fresh)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range allBuckets {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(metaBucket)
		first := stats{Created: j.opts.Now().UnixNano(), Next: 1}
		return errors.Join(putVersion(meta, Version), meta.Put(statsKey, first.encode()))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("make journal: %w", err)
	}
	j.opts.Failpoint("journal.created")
	if err := os.Rename(fresh, j.path); err != nil {
		return fmt.Errorf("make journal: %w", err)
	}
	return syncFolder(filepath.Dir(j.path))
}

// syncFolder makes a rename in a folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	err = d.Sync()
	if err := errors.Join(err, d.Close()); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}

func putVersion(meta *bbolt.Bucket, v uint32) error {
	return errors.Join(meta.Put(versionKey, binary.BigEndian.AppendUint32(nil, v)), meta.Put(readerKey, []byte(reader)))
}

// load reads what is kept in memory: the counts and the routes.
func (j *Journal) load() error {
	return j.db.View(func(tx *bbolt.Tx) error {
		for _, name := range allBuckets {
			if tx.Bucket(name) == nil {
				return &DamagedError{Path: j.path, Err: fmt.Errorf("bucket %s is missing", name)}
			}
		}
		if err := j.stats.decode(tx.Bucket(metaBucket).Get(statsKey)); err != nil {
			return &DamagedError{Path: j.path, Err: err}
		}
		if err := readRoutes(tx, j.routes); err != nil {
			return &DamagedError{Path: j.path, Err: err}
		}
		j.home = readHome(tx)
		return nil
	})
}

func readRoutes(tx *bbolt.Tx, into map[RouteID]Route) error {
	return tx.Bucket(routesBucket).ForEach(func(k, v []byte) error {
		f := fields{b: v}
		r := Route{Endpoint: f.text(), Bucket: f.text(), Prefix: f.text(), Outbox: f.text()}
		if f.bad || len(k) != 2 {
			return errRecord
		}
		into[RouteID(binary.BigEndian.Uint16(k))] = r
		return nil
	})
}

// Patient says whether changes wait for space while the disk is full, which they do at first. Without patience such a
// change, one that waits already too, is answered with [ErrFull]: nothing of it was promised.
func (j *Journal) Patient(on bool) { j.queue.patient(on) }

// Close commits what waits, then closes the file and lets go of the state folder. While the disk is full it gives
// up what waits.
func (j *Journal) Close() error {
	j.queue.stop()
	var err error
	if j.stuck.Load() { // it would wait for itself; the file is let go of with the process
		err = *j.fatal.Load()
	} else {
		err = j.guarded(j.db.Close)
	}
	return errors.Join(err, j.unlock())
}

// unlock lets go of the state folder.
func (j *Journal) unlock() error {
	if j.lock == nil {
		return nil
	}
	return j.lock.Close()
}

// Route returns the id of a route, which is recorded durably when it is new.
func (j *Journal) Route(r Route) (RouteID, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	next := Imported
	for id, known := range j.routes {
		if known == r {
			return id, nil
		}
		next = max(next, id)
	}
	next++
	if next == 0 {
		return 0, errors.New("journal: too many routes")
	}
	if j.opts.ReadOnly {
		return 0, ErrNone
	}
	err := j.update(func(tx *bbolt.Tx) error {
		var v []byte
		for _, s := range []string{r.Endpoint, r.Bucket, r.Prefix, r.Outbox} {
			v = appendText(v, s)
		}
		return tx.Bucket(routesBucket).Put(binary.BigEndian.AppendUint16(nil, uint16(next)), v)
	})
	if err != nil {
		return 0, fmt.Errorf("record route: %w", err)
	}
	j.routes[next] = r
	return next, nil
}

// RouteOf returns the route with this id; imported receipts have a route of their bucket alone, see [Journal.Import].
func (j *Journal) RouteOf(id RouteID) Route {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.routes[id]
}

// GuardFiles is how many of the first files the guard against a lost memory looks at.
const GuardFiles = 100

// Counts is how many entries and bytes stand in each state, and what the guard against a lost memory needs.
type Counts struct {
	Files     [len(States) + 1]int64 // by State
	Bytes     [len(States) + 1]int64
	Inferred  int64     // receipts that no answer proves
	Decided   int64     // files that ended in a receipt or met a conflict, since the journal was made
	Met       int64     // entries that met another object at a key
	Conflicts int64     // of the first [GuardFiles] of these, how many met a conflict first
	Created   time.Time // when the journal was made
}

// Counts returns the counts as they are on the disk.
func (j *Journal) Counts() Counts {
	j.mu.Lock()
	defer j.mu.Unlock()
	return Counts{
		Files: j.stats.Files, Bytes: j.stats.Bytes, Inferred: j.stats.Inferred,
		Decided: j.stats.Decided, Met: j.stats.Met, Conflicts: j.stats.Conflicts, Created: time.Unix(0, j.stats.Created).UTC(),
	}
}

// Written is when the file was last written, in UTC; zero where that can't be seen.
func (j *Journal) Written() time.Time {
	info, err := os.Stat(j.path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime().UTC()
}

// Trouble returns why the journal accepts nothing at the moment, or nil. A full disk heals; damage does not.
func (j *Journal) Trouble() error {
	if err := j.fatal.Load(); err != nil {
		return *err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.full
}

// FullSince is since when the disk has been full; zero while it is not.
func (j *Journal) FullSince() time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.fullAt
}

// Present is nil while the file that is open is the one at the journal's path. Else whatever is written is nowhere, and
// the journal takes and tells nothing more: its error is a [*DetachedError].
func (j *Journal) Present() error {
	now, err := os.Stat(j.path)
	if err == nil && os.SameFile(now, j.at) {
		return nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) { // it can't be looked at now, which says nothing
		return nil
	}
	err = &DetachedError{Path: j.path, Gone: err != nil}
	j.fail(err)
	return err
}

// stats is the one record that every commit writes besides: the next number and the counts.
type stats struct {
	Created   int64
	Next      uint64
	Files     [len(States) + 1]int64
	Bytes     [len(States) + 1]int64
	Inferred  int64
	Decided   int64
	Conflicts int64
	Met       int64 // entries that met a conflict
	spare     int64
}

func (l *stats) values() []*int64 {
	all := []*int64{&l.Created, &l.Inferred, &l.Decided, &l.Conflicts, &l.Met, &l.spare}
	for _, state := range States {
		all = append(all, &l.Files[state], &l.Bytes[state])
	}
	return all
}

func (l *stats) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, l.Next)
	for _, v := range l.values() {
		b = binary.BigEndian.AppendUint64(b, uint64(*v))
	}
	return b
}

func (l *stats) decode(b []byte) error {
	all := l.values()
	if len(b) != 8*(1+len(all)) {
		return errRecord
	}
	l.Next = binary.BigEndian.Uint64(b)
	for i, v := range all {
		*v = int64(binary.BigEndian.Uint64(b[8*(i+1):]))
	}
	return nil
}

// count moves one entry from an old header to a new one; either may be of state none.
func (l *stats) count(was, is header) {
	l.Files[was.state]--
	l.Bytes[was.state] -= was.size
	l.Files[is.state]++
	l.Bytes[is.state] += is.size
	l.Files[none], l.Bytes[none] = 0, 0
	if was.flags&flagInferred != 0 {
		l.Inferred--
	}
	if is.flags&flagInferred != 0 {
		l.Inferred++
	}
	if was.flags&flagConflict != 0 {
		l.Met--
	}
	if is.flags&flagConflict != 0 {
		l.Met++
	}
	const decided = flagProof | flagConflict
	if was.flags&decided == 0 && is.flags&decided != 0 && is.state != none {
		l.Decided++
		if l.Decided <= GuardFiles && is.flags&flagConflict != 0 {
			l.Conflicts++
		}
	}
}
