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
	// OnGateResult is told how each pass ended; final says that the courier gives up because of it. It may be nil.
	OnGateResult func(report gate.Report, final bool)
	// OtherProblems are what is wrong beside the files, with what listens for instance; nil for nothing.
	OtherProblems func() []Problem
	Meter         Meter // nil for none
	Log           *slog.Logger
	FileLog       *slog.Logger      // gets a line for each file that was sent; nil for none
	Now           func() time.Time  // nil for time.Now
	Failpoint     func(name string) // called at the named kill points; nil for none
}

// Courier carries files. Send or Run is called once.
type Courier struct {
	Deps
	set     Settings
	boxes   []*box
	route   map[journal.RouteID]*box
	pace    *pace
	gate    *gatekeeper
	flight  *inFlight
	commits *journal.Commits
	tally   tally
	began   time.Time
	once    bool
	crew    supervisor
	monitor monitor

	clerk, dispatcher *turns

	ready    chan *task // begun, or to be begun by the worker
	work     chan *task
	toSettle chan *task // receipt durable, local file to be settled

	rescanFrom0 atomic.Bool   // entries before the feeder's place are pending again
	scanned     atomic.Bool   // everything that is to be sent once is in the journal
	rechecks    atomic.Int64  // files that changed in flight and are looked at again
	replaced    atomic.Uint64 // counts the entries that scans have replaced or forgotten

	changesMu sync.Mutex
	changes   map[string]int // of one file, during an upload

	failed   chan error // the first error that ends everything
	failOnce sync.Once
}

// routeOf is from where to where an outbox's files go.
func (s Settings) routeOf(o Outbox) journal.Route {
	return journal.Route{Endpoint: s.Endpoint, Bucket: s.Bucket, Prefix: s.Prefix, Outbox: o.Path}
}

// New joins the rooms. Its errors are faults of the settings, or of the journal.
func New(deps Deps, set Settings, outboxes []Outbox) (*Courier, error) {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.OnGateResult == nil {
		deps.OnGateResult = func(gate.Report, bool) {}
	}
	if deps.Failpoint == nil {
		deps.Failpoint = func(string) {}
	}
	if deps.OtherProblems == nil {
		deps.OtherProblems = func() []Problem { return nil }
	}
	if deps.Meter == nil {
		deps.Meter = noMeter{}
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if set.Tries < 1 {
		set.Tries = 8
	}
	c := &Courier{
		Deps: deps, set: set, route: map[journal.RouteID]*box{}, pace: newPace(set.Transfers, fitting(descriptors(), len(outboxes)), deps.Now), began: deps.Now(),
		flight: newInFlight(), commits: journal.NewCommits(), changes: map[string]int{},
		ready: make(chan *task, 4096), work: make(chan *task), toSettle: make(chan *task, 4096), failed: make(chan error, 1),
	}
	c.clerk, c.dispatcher = newTurns(), c.pace.turns
	c.crew = supervisor{log: deps.Log, fail: c.stopWith}
	c.gate = newGatekeeper(deps.Gate, deps.Sender, deps.Now, waitRules{wait: set.Wait, most: set.Patience})
	c.gate.onResult, c.gate.onOpen = deps.OnGateResult, c.flight.wake
	for _, o := range outboxes {
		tmpl, err := ParseTemplate(o.Key)
		if err != nil {
			return nil, err
		}
		b := newBox(o, tmpl)
		b.id, err = deps.Journal.Route(set.routeOf(o))
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

// Recheck passes the gate again now, because the credentials changed or it is time.
func (c *Courier) Recheck(ctx context.Context, depth gate.Depth) { c.gate.recheck(ctx, depth) }

func (c *Courier) run(ctx context.Context, once bool) error {
	c.once, c.gate.rules.once = once, once
	c.Journal.Patient(true)
	if err := c.conflictGuard(); err != nil {
		return err
	}
	c.moveIn()
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	sending, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	finish := c.startParts(stop, sending)
	wake := context.AfterFunc(stop, func() { c.pace.wake(); c.flight.wake() })
	defer wake()
	fed := make(chan struct{})
	c.crew.vital(func() error {
		defer close(fed)
		return c.feed(stop, once)
	})

	var err error
	select {
	case <-fed:
		if once { // the last receipts may be on their way to the disk
			err = c.flight.empty(stop)
		}
	case err = <-c.failed:
	}
	cancel()
	timer := time.AfterFunc(c.set.Shutdown, func() {
		c.Journal.Patient(false) // what waits for space is not accepted, or its outcome is in doubt at the next start
		abandon()
	})
	defer timer.Stop()
	finish()
	select {
	case first := <-c.failed:
		if err == nil || ended(err) {
			err = first
		}
	default:
	}
	if ctx.Err() != nil || ended(err) {
		return nil
	}
	return err
}

// moveIn records who uses the journal, and where.
func (c *Courier) moveIn() {
	command := "run"
	if c.once {
		command = "upload"
	}
	if err := c.Journal.MoveIn(journal.Here(command)); err != nil { // a full disk is told by what needs it
		c.Log.Debug("who uses the journal is not recorded", "error", err)
	}
	if c.Journal.Moved() {
		c.Log.Warn("the journal was used on another machine before; a copy of a VM needs a prefix and a key of its own, " +
			"and `agent retry` says that this is meant")
	}
}

// startParts starts all parts but the feeder. They end in the order in which finish waits for them, once stop has ended: what
// is under way when the first have ended is still committed and settled.
func (c *Courier) startParts(stop, sending context.Context) (finish func()) {
	clerk := supervisor{log: c.Log, fail: c.stopWith}
	settler := supervisor{log: c.Log, fail: c.stopWith}
	senders := supervisor{log: c.Log, fail: c.stopWith}
	committing, done := context.WithCancel(context.WithoutCancel(stop))
	clerk.vital(func() error { return c.takeCommits(committing) })
	settler.vital(func() error { return c.settleAll(sending) })
	senders.vital(func() error { return c.dispatch(stop, sending, &senders) })
	c.crew.vital(func() error { return c.watchOver(stop) })
	c.crew.vital(func() error { return c.retryAll(stop) })
	c.scanAll(stop, c.once)
	if !c.once {
		c.crew.vital(func() error { return c.sweepAll(stop) })
		c.crew.vital(func() error { return c.gate.keep(stop) })
	}
	return func() {
		senders.wait()
		c.crew.wait()
		c.putBack()
		close(c.toSettle)
		settler.wait()
		done()
		clerk.wait()
	}
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

// The conflict guard, against a lost memory.
const (
	guardAge       = 24 * time.Hour
	guardConflicts = 20
)

// conflictGuard is the error of a young journal with too many conflicts, or nil.
func (c *Courier) conflictGuard() error {
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
