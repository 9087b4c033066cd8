// Package courier carries files: from an outbox through journal, gate and upload to a receipt, and settles them.
//
// [New] joins the rooms. [Courier.Send] sends what is there once (`agent upload`), [Courier.Run] watches until its
// context ends (`agent run`). Every file is an entry of the journal; its intent is durable before the request leaves
// and its receipt before the local file is touched. What may be retried is retried with growing waits under one limit
// for all; what can't be helped goes to quarantine with its reason; what is wrong with the key stops everything and
// is the gate's.
//
// [Courier.Status] and [Courier.Tally] may be called at any time. The courier only asks S3 to write: it never lists
// or reads. It does not promise an order between files, nor that an inferred receipt is true.
package courier

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"buzon/agent/internal/send/gate"
	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/upload"
)

// OnConflict is what happens when another object stands at a file's key.
type OnConflict string

// The closed set of what may be done about a conflict.
const (
	Suffix  OnConflict = "suffix"
	Fail    OnConflict = "fail"
	Replace OnConflict = "replace"
)

// Settle is what happens to a local file whose receipt is durable.
type Settle string

// The closed set of ways to settle.
const (
	Keep   Settle = "keep"
	Delete Settle = "delete"
	Move   Settle = "move"
)

// Settings are the configuration's, as far as the courier follows them.
type Settings struct {
	Endpoint   string // "" for AWS
	Bucket     string
	Prefix     string
	Owner      string // x-amz-expected-bucket-owner; "" for none
	Host       string // for {host} and the metadata
	OnConflict OnConflict
	Tries      int           // answers that are a file's own fault, before quarantine
	Transfers  int           // at once; 0 adapts
	Rescan     time.Duration // between two scans of an outbox
	Retain     time.Duration // of receipts whose file is gone
	Shutdown   time.Duration // for what is under way when the courier is told to stop
	Wait       bool          // a gate that is not passed is waited for, instead of ending everything
	Patience   time.Duration // how long a fault of the key or the store may last once something was sent
	Metadata   bool          // source path, time and host are written with each object
	Class      string        // storage class; "" for the bucket's
	Tags       string        // as a URL query
}

// File is one regular file in an outbox.
type File struct {
	Rel     string    // path inside the outbox
	Changed time.Time // the inode's change time; zero where it is not known, or not to be compared
	journal.Identity
}

// Box is what the courier needs of an outbox. Its methods may be called from several goroutines.
type Box interface {
	// Walk calls found for every file of the outbox, in no order, and skipped for what is none to be sent. It ends
	// early with found's error.
	Walk(ctx context.Context, found func(File) error, skipped func(rel, why string)) error
	// Look says what stands at a path now; os.ErrNotExist if it is gone or is no file to be sent.
	Look(rel string) (File, error)
	// Complete says whether a file is whole now and, if not, when to look again.
	Complete(f File) (whole bool, again time.Duration)
	// Open opens a file for reading, never through a link. The caller closes it. os.ErrNotExist: it is gone, or no
	// file to be sent; [ErrFolder]: the whole outbox can't be seen now; anything else: it can't be read.
	Open(rel string) (*os.File, File, error)
	// Same is nil if an open file is still what it was; else [ErrChanged], or [ErrTouched].
	Same(f *os.File, was File) error
	// Remove deletes the file unless it changed; Move puts it below target, durably, and then deletes it.
	Remove(was File) error
	Move(was File, target string) error
	// Watch calls hint for whatever may have changed, until the context ends; "" means look at everything. A
	// missing hint does no harm but time.
	Watch(ctx context.Context, hint func(rel string)) error
}

// Outbox is a folder with how its files are sent.
type Outbox struct {
	Path   string // absolute
	Box    Box
	Key    string // template
	Settle Settle
	MoveTo string
	Only   func(rel string) bool // what of it is to be sent; nil for all
}

// Gate is what must be passed before anything is sent. Pass is called by one goroutine at a time.
type Gate interface {
	Pass(ctx context.Context, depth gate.Depth) gate.Report
}

// Sender makes one attempt of one file; [upload.Uploader] is one.
type Sender interface {
	Send(ctx context.Context, job upload.Job, ledger upload.Ledger) (upload.Result, error)
	// PartSize is 0 for a file that is sent with one request.
	PartSize(size int64) int64
}

// Deps are the rooms that the courier joins.
type Deps struct {
	Journal *journal.Journal
	Gate    Gate
	// Sender returns what sends with the credentials that passed the gate last. It is called after every pass.
	Sender func() Sender
	// Gated is told how each pass ended; final says that the courier gives up because of it. It may be nil.
	Gated func(report gate.Report, final bool)
	Log   *slog.Logger
	Now   func() time.Time  // nil for time.Now
	Point func(name string) // called at the named kill points; nil for none
}

// Courier carries files. Send or Run is called once.
type Courier struct {
	Deps
	set   Settings
	boxes []*box
	route map[journal.RouteID]*box
	pace  *pace
	door  *door
	hand  *hand
	tally tally
	began time.Time
	once  bool

	ready chan *item // begun, or to be begun by the worker
	work  chan *item
	late  chan *item // receipt durable, local file to be settled
	crew  sync.WaitGroup

	rewind   atomic.Bool   // entries before the feeder's place are pending again
	scanned  atomic.Bool   // everything that is to be sent once is in the journal
	looking  atomic.Int64  // files that changed in hand and are looked at again
	replaced atomic.Uint64 // counts the entries that scans have replaced or forgotten

	changesMu sync.Mutex
	changes   map[string]int // of one file, during an upload

	failed   chan error // the first error that ends everything
	failOnce sync.Once
}

// box is an outbox with its route.
type box struct {
	Outbox
	id    journal.RouteID
	name  string
	tmpl  *Template
	again *revisits

	mu    sync.Mutex
	state BoxStatus
}

func newBox(o Outbox, tmpl *Template, now func() time.Time) *box {
	b := &box{Outbox: o, tmpl: tmpl, name: filepath.Base(o.Path), again: newRevisits(now)}
	b.state.Path = o.Path
	return b
}

// routeOf is from where to where an outbox's files go.
func (c *Courier) routeOf(o Outbox) journal.Route {
	return journal.Route{Endpoint: c.set.Endpoint, Bucket: c.set.Bucket, Prefix: c.set.Prefix, Outbox: o.Path}
}

// New joins the rooms. Its errors are faults of the settings, or of the journal.
func New(deps Deps, set Settings, outboxes []Outbox) (*Courier, error) {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Gated == nil {
		deps.Gated = func(gate.Report, bool) {}
	}
	if deps.Point == nil {
		deps.Point = func(string) {}
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if set.Tries < 1 {
		set.Tries = 8
	}
	c := &Courier{
		Deps: deps, set: set, route: map[journal.RouteID]*box{}, pace: newPace(set.Transfers, deps.Now), began: deps.Now(),
		ready: make(chan *item, 4096), work: make(chan *item), late: make(chan *item, 4096), failed: make(chan error, 1),
	}
	c.hand, c.changes = newHand(), map[string]int{}
	c.door = newDoor(c)
	for _, o := range outboxes {
		tmpl, err := ParseTemplate(o.Key)
		if err != nil {
			return nil, err
		}
		b := newBox(o, tmpl, deps.Now)
		b.id, err = deps.Journal.Route(c.routeOf(o))
		if err != nil {
			return nil, err
		}
		c.boxes = append(c.boxes, b)
		c.route[b.id] = b
	}
	return c, nil
}

// Send sends what is in the outboxes now, once, and returns when each file has a receipt, is in quarantine, or could
// not be sent for now. With its context ended it returns early, at a safe point; the next call goes on there.
func (c *Courier) Send(ctx context.Context) (Summary, error) {
	err := c.run(ctx, true)
	return c.summary(), err
}

// Run watches the outboxes and sends until its context ends, which is no error.
func (c *Courier) Run(ctx context.Context) error { return c.run(ctx, false) }

func (c *Courier) run(ctx context.Context, once bool) error {
	c.once = once
	c.Journal.Patient(true)
	if err := c.guard(); err != nil {
		return err
	}
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	sending, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()

	var front, back sync.WaitGroup
	back.Go(func() { c.settleAll(sending) })
	front.Go(func() { c.retryAll(stop) })
	front.Go(func() { c.scanAll(stop, once) })
	if !once {
		front.Go(func() { c.sweepAll(stop) })
		front.Go(func() { c.door.keep(stop) })
	}
	dispatched := make(chan struct{})
	go func() {
		defer close(dispatched)
		c.dispatch(stop, sending)
	}()
	wake := context.AfterFunc(stop, func() { c.pace.wake(); c.hand.wake() })
	defer wake()

	fed := make(chan error, 1)
	front.Go(func() { fed <- c.feed(stop, once) })
	var err error
	select {
	case err = <-fed:
		if err == nil && once { // the last receipts may be on their way to the disk
			err = c.hand.empty(stop)
		}
	case err = <-c.failed:
	}
	if ctx.Err() != nil {
		err = nil
	}
	cancel()
	timer := time.AfterFunc(c.set.Shutdown, func() {
		c.Journal.Patient(false) // what waits for space is not accepted, or its outcome is in doubt at the next start
		abandon()
	})
	defer timer.Stop()
	<-dispatched
	c.crew.Wait()
	front.Wait()
	c.putBack()
	close(c.late)
	back.Wait()
	select {
	case first := <-c.failed:
		if err == nil && ctx.Err() == nil {
			err = first
		}
	default:
	}
	return err
}

// stopWith ends everything with the first error.
func (c *Courier) stopWith(err error) {
	c.failOnce.Do(func() { c.failed <- err })
}

// LostMemoryError means that a young journal met so many conflicts that it has probably lost its memory.
type LostMemoryError struct {
	Conflicts int64
	Files     int64 // of how many
	Created   time.Time
}

func (e *LostMemoryError) Error() string {
	return fmt.Sprintf("%d of the first %d files met an object at their key: the journal may have lost its memory", e.Conflicts, e.Files)
}

// The guard against a lost memory.
const (
	guardAge       = 24 * time.Hour
	guardConflicts = 20
)

// guard is the error of a young journal with too many conflicts, or nil.
func (c *Courier) guard() error {
	n := c.Journal.Counts()
	if n.Conflicts < guardConflicts || c.Now().Sub(n.Created) >= guardAge {
		return nil
	}
	return &LostMemoryError{Conflicts: n.Conflicts, Files: min(n.Decided, journal.GuardFiles), Created: n.Created}
}

// GateError means that the gate was not passed.
type GateError struct{ Report gate.Report }

func (e *GateError) Error() string { return "the gate is not passed" }

// AwayError means that the store gave no answer for as long as patience lasts.
type AwayError struct{ For time.Duration }

func (e *AwayError) Error() string { return fmt.Sprintf("no answer for %s", e.For) }
