// Package gate holds the checks that credentials must pass before any file
// leaves the VM: found, valid, expected, able to write under the prefix, and
// unable to do more.
//
//	g := gate.New(settings, client.Settings{…}, log)
//	report := g.Pass(ctx, gate.Full)
//	if report.Passed { upload with g.AWS() }
//
// A Report holds every question with its answer; report makes sentences of
// it. Watch says when to pass again: now and then, and when the credentials
// change. After each pass AWS may be another client.
//
// It does not promise that a key can do nothing else: its probes are samples,
// the proof is the audit of the policies. It never deletes the canary, and
// what it writes is 0 bytes at one key under the prefix.
package gate

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"buzon/agent/internal/client"
)

// Depth is how much is asked.
type Depth string

// Full asks everything. Quick asks whose key it is and sends the canary, and
// asks the rest only of a key of which it is not known, or not since a day; so
// the first pass of a gate is full either way.
const (
	Full  Depth = "full"
	Quick Depth = "quick"
)

// Method is how the gate learns whose key it is.
type Method string

// Methods. Auto is STS, and ListBuckets where STS can't be reached.
const (
	MethodAuto        Method = "auto"
	MethodSTS         Method = "sts"
	MethodListBuckets Method = "list-buckets"
)

// Settings are what the gate holds credentials to.
type Settings struct {
	Bucket string
	Prefix string // "" or ending in "/"
	Owner  string // account that must own the bucket; "" is not asked
	Expect string // ARN; "" is anybody
	Method Method
	// NeedExpect makes an absent Expect a fault: an agent that nobody watches
	// must not take whatever key it finds.
	NeedExpect bool
	// WarnOverpowered lets a key pass that can do more than write.
	WarnOverpowered bool
	// Replace is on_conflict: replace, which an append-only bucket refuses.
	Replace bool
	// Class and Tags, as a URL query, are what every object is to carry; "" is
	// none. A key needs a right more for tags.
	Class  string
	Tags   string
	Canary bool
	Probes bool
	// Removes is true where a file that was sent is moved or deleted: then a
	// store that is not AWS must be proven.
	Removes bool
	// Recheck is how often Watch repeats the checks; 0 is one hour.
	Recheck time.Duration
	// NewKey is how long a key that was just rotated may be unknown to AWS;
	// 0 is one minute.
	NewKey time.Duration
}

// probesEvery is how often probes are made with an unchanged key.
const probesEvery = 24 * time.Hour

// Between two tries of a new key, doubling up to the cap.
const (
	newKeyFirst = time.Second
	newKeyCap   = 8 * time.Second
)

// Gate passes credentials, and holds the client of those that passed last.
// All methods may be called from several goroutines.
type Gate struct {
	settings Settings
	client   client.Settings
	log      *slog.Logger

	passing sync.Mutex // one pass at a time

	mu      sync.Mutex
	current *client.AWS
	memory  *memory
	waiting bool // a newer key is not yet known, the old one goes on
	heir    bool // it knows what the gate before it knew, and has not passed yet
}

// New makes a gate; nothing is asked yet.
func New(s Settings, c client.Settings, log *slog.Logger) *Gate {
	if s.Method == "" {
		s.Method = MethodAuto
	}
	if s.Recheck <= 0 {
		s.Recheck = time.Hour
	}
	if s.NewKey <= 0 {
		s.NewKey = time.Minute
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c.Pin = true // what was passed is one key, not whatever its source gives next
	return &Gate{settings: s, client: c, log: log}
}

// Inherit takes over what the gate before it knows, as far as it holds under
// these settings: the first pass then asks only what is new. It is called
// before the first pass.
func (g *Gate) Inherit(before *Gate) {
	before.passing.Lock()
	known := before.memory
	before.passing.Unlock()
	was, now := before.settings, g.settings
	if known == nil || was.Bucket != now.Bucket || was.Prefix != now.Prefix || was.Owner != now.Owner || was.Method != now.Method ||
		before.client.Endpoint != g.client.Endpoint || before.client.Region != g.client.Region || before.client.Addressing != g.client.Addressing {
		return
	}
	kept := *known
	kept.room = kept.room && was.Replace == now.Replace
	kept.carry = kept.carry && was.Class == now.Class && was.Tags == now.Tags
	g.memory, g.heir = &kept, true
}

// AWS gives the client of the credentials that passed last, or nil before
// any did. After a rotation it is another one; ask for it at every file.
func (g *Gate) AWS() *client.AWS {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.current
}

// Pass fetches the credentials anew and makes the checks, in order, without
// stopping where the next is still meaningful. When they pass, AWS gives
// their client. A key that took the place of one that passed, and is not yet
// known, is tried again for a while; meanwhile AWS gives the one before it. An
// ended context gives a report that is not passed.
func (g *Gate) Pass(ctx context.Context, depth Depth) Report {
	g.passing.Lock()
	defer g.passing.Unlock()
	if depth == Full && g.heir {
		depth = Quick
	}
	g.heir = false
	last := g.AWS()
	until := time.Now().Add(g.settings.NewKey)
	for wait := newKeyFirst; ; wait = min(2*wait, newKeyCap) {
		r, found := g.once(ctx, depth)
		unknown := last != nil && found != nil && found.KeyID() != last.KeyID() && r.only(KeyUnknown)
		if unknown && time.Now().Add(wait).Before(until) && sleep(ctx, wait) {
			continue
		}
		unknown = unknown && g.oldGoesOn(ctx, last, &r)
		g.mu.Lock()
		if g.waiting = unknown; r.Passed && !unknown {
			g.current = found
		}
		g.mu.Unlock()
		return r
	}
}

// once is one walk through the checks.
func (g *Gate) once(ctx context.Context, depth Depth) (Report, *client.AWS) {
	r := Report{Time: time.Now().UTC(), Depth: depth, Bucket: g.settings.Bucket, Prefix: g.settings.Prefix,
		Region: g.client.Region, Endpoint: g.client.Endpoint}
	p := &pass{Settings: g.settings, log: g.log, report: &r, before: g.memory}
	found, err := client.Load(ctx, g.client)
	if err != nil {
		p.notFound(err)
		r.close()
		return r, nil
	}
	p.aws = found
	p.run(ctx)
	if p.memory != nil {
		g.memory = p.memory
	}
	r.close()
	return r, found
}

// oldGoesOn turns the report of a key that is not yet known into one of the
// key in use, if that is still what it was.
func (g *Gate) oldGoesOn(ctx context.Context, last *client.AWS, r *Report) bool {
	old := Report{Time: r.Time, Depth: r.Depth, Bucket: r.Bucket, Prefix: r.Prefix}
	p := &pass{Settings: g.settings, log: g.log, aws: last, report: &old}
	p.source()
	if !p.whoami(ctx) || !p.expected() {
		return false
	}
	old.add(Check{ID: CheckTrap, Status: Warning, Outcome: NewKeyUnknown, Args: map[string]string{"key": r.Source.Key, "old": last.Source.Key}})
	old.close()
	*r = old
	return true
}

// pass is one walk through the checks.
type pass struct {
	Settings
	log    *slog.Logger
	aws    *client.AWS
	report *Report
	before *memory // of the last key that came this far
	memory *memory // of this one

	listed *answer    // to ListBuckets, where it told whether the key is valid
	bucket *answer    // to HeadBucket
	stands bool       // the canary is there
	clock  int        // where the check of the clock stands in the report
	noting sync.Mutex // guards what follows: probes are asked at once
	offset time.Duration
	dated  bool
}

func (p *pass) run(ctx context.Context) {
	p.source()
	valid := p.whoami(ctx)
	p.clock = len(p.report.Checks)
	p.report.add(Check{ID: CheckClock})
	defer p.time() // measured by every answer, so judged after the last
	if !valid {
		for _, id := range []ID{CheckExpected, CheckBucket, CheckCanary, CheckProbes} {
			p.skip(id, CheckIdentity)
		}
		return
	}
	p.recall()
	expected := p.expected()
	reached := true
	if !p.memory.bucket || p.report.Depth == Full {
		reached = p.whichBucket(ctx)
	}
	var stop ID
	switch {
	case !expected:
		// A stranger's key must leave nothing behind.
		p.skip(CheckCanary, CheckExpected)
	case !reached:
		p.skip(CheckCanary, CheckBucket)
	case !p.Canary:
		if p.aws.Custom {
			p.storeOff()
		}
		p.report.add(Check{ID: CheckCanary, Status: Unproven, Outcome: CanaryOff})
		p.carryUnproven()
	default:
		stop = p.canary(ctx)
	}
	switch {
	case !p.Probes:
		p.report.add(Check{ID: CheckProbes, Status: Unproven, Outcome: ProbesOff})
		p.knownPower()
	case !expected:
		p.skip(CheckProbes, CheckExpected)
	case !reached:
		p.skip(CheckProbes, CheckBucket)
	case stop != "":
		p.skip(CheckProbes, stop)
	default:
		p.probes(ctx)
	}
}

// skip says that a check was not made, and which one before it failed.
func (p *pass) skip(id, because ID) {
	p.report.add(Check{ID: id, Status: Unproven, Outcome: NotAsked, Args: map[string]string{"because": string(because)}})
}

// note keeps what an answer tells besides, and logs the store's own words.
func (p *pass) note(a answer) answer {
	p.log.Debug("gate asked", "call", a.call, "answer", a.String(), "said", a.Message, "request_id", a.RequestID)
	p.noting.Lock()
	defer p.noting.Unlock()
	if a.dated && (!p.dated || a.offset.Abs() > p.offset.Abs()) {
		p.offset, p.dated = a.offset, true
	}
	return a
}

// notFound reports credentials that were not there.
func (p *pass) notFound(err error) {
	c := Check{ID: CheckSource, Status: Failed, Outcome: Unexpected, Args: map[string]string{"answer": "–"}}
	var e *client.CredentialsError
	lack := client.Lacking(err)
	switch {
	case lack != "":
		c.Outcome, c.Args = MachineLacks, map[string]string{"lack": lack}
	case errors.As(err, &e):
		c.Outcome, c.Args = Outcome("credentials."+string(e.Problem)), e.Args()
	}
	p.report.add(c)
	for _, id := range []ID{CheckIdentity, CheckExpected, CheckBucket, CheckCanary, CheckProbes} {
		p.skip(id, CheckSource)
	}
}
