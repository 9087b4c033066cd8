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

// Full asks everything. Quick asks identity and canary, and the probes only
// when the key changed or a day has passed since they were made.
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
	// NeedExpect makes an absent Expect a fault, as the packaged service does.
	NeedExpect bool
	// WarnOverpowered lets a key pass that can do more than write.
	WarnOverpowered bool
	// Replace is on_conflict: replace, which an append-only bucket refuses.
	Replace bool
	Canary  bool
	Probes  bool
	// Recheck is how often Watch repeats the checks; 0 is one hour.
	Recheck time.Duration
	// Patience of a key that was just rotated and is not yet known
	// everywhere; 0 is one minute.
	NewKey time.Duration
}

// probesEvery is how often probes are made with an unchanged key.
const probesEvery = 24 * time.Hour

// Gate passes credentials, and holds the client of those that passed last.
// All methods may be called from several goroutines.
type Gate struct {
	settings Settings
	client   client.Settings
	log      *slog.Logger

	passing sync.Mutex // one pass at a time

	mu      sync.Mutex
	current *client.AWS
	key     string    // of current
	probed  time.Time // when the probes last passed with key
	waiting bool      // a newer key is not yet known, the old one goes on
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
	return &Gate{settings: s, client: c, log: log}
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
// their client. An ended context gives a report that is not passed.
func (g *Gate) Pass(ctx context.Context, depth Depth) Report {
	g.passing.Lock()
	defer g.passing.Unlock()
	r := Report{Time: time.Now().UTC(), Depth: depth, Bucket: g.settings.Bucket, Prefix: g.settings.Prefix,
		Region: g.client.Region, Endpoint: g.client.Endpoint}
	p := &pass{Settings: g.settings, report: &r}
	found, err := client.Load(ctx, g.client)
	if err != nil {
		p.notFound(err)
		r.close()
		return r
	}
	p.aws = found
	g.mu.Lock()
	known, last, probed := g.key, g.current, g.probed
	g.mu.Unlock()
	key := found.KeyID()
	p.seen = key == known
	if last != nil && !p.seen {
		p.patience = g.settings.NewKey
	}
	p.probeNow = g.settings.Probes && (depth == Full || !p.seen || time.Since(probed) >= probesEvery)
	p.run(ctx)
	r.close()
	waiting := last != nil && !p.seen && p.notYetKnown() && g.oldGoesOn(ctx, last, &r)
	g.mu.Lock()
	g.waiting = waiting
	g.mu.Unlock()
	if r.Passed && !waiting {
		g.mu.Lock()
		g.current, g.key = found, key
		if p.probeNow {
			g.probed = time.Now()
		}
		g.mu.Unlock()
	}
	return r
}

// oldGoesOn turns the report of a key that is not yet known into one of the
// key in use, if that is still what it was.
func (g *Gate) oldGoesOn(ctx context.Context, last *client.AWS, r *Report) bool {
	old := Report{Time: r.Time, Depth: r.Depth, Bucket: r.Bucket, Prefix: r.Prefix}
	p := &pass{Settings: g.settings, aws: last, report: &old, seen: true}
	p.source()
	if !p.whoami(ctx) || !p.expected() {
		return false
	}
	old.add(Check{ID: CheckTrap, Status: Warning, Outcome: NewKeyUnknown, Args: map[string]string{"key": r.Source.Key, "old": last.Source.Key}})
	old.close()
	*r = old
	return true
}

func (g *Gate) waitsForNewKey() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting
}

// pass is one walk through the checks.
type pass struct {
	Settings
	aws      *client.AWS
	report   *Report
	seen     bool          // this key passed before
	patience time.Duration // with a key that is not yet known
	probeNow bool

	identity answer // of STS or ListBuckets
	listed   *answer
	bucket   answer // of HeadBucket
	stands   bool   // the canary is there
	offset   time.Duration
	dated    bool
}

func (p *pass) run(ctx context.Context) {
	p.source()
	valid := p.whoami(ctx)
	p.clock()
	expected := valid && p.expected()
	if !valid {
		p.skip(CheckExpected, CheckIdentity)
	}
	reached := false
	if valid {
		reached = p.whichBucket(ctx)
	} else {
		p.skip(CheckBucket, CheckIdentity)
	}
	switch {
	case !valid:
		p.skip(CheckCanary, CheckIdentity)
	case !expected:
		// A stranger's key must leave nothing behind.
		p.skip(CheckCanary, CheckExpected)
	case !reached:
		p.skip(CheckCanary, CheckBucket)
	case !p.Canary:
		p.report.add(Check{ID: CheckCanary, Status: Unproven, Outcome: CanaryOff})
	default:
		p.canary(ctx)
	}
	switch {
	case !p.Probes:
		p.report.add(Check{ID: CheckProbes, Status: Unproven, Outcome: ProbesOff})
	case !p.probeNow:
	case !valid:
		p.skip(CheckProbes, CheckIdentity)
	case !expected:
		p.skip(CheckProbes, CheckExpected)
	case !reached:
		p.skip(CheckProbes, CheckBucket)
	default:
		p.probes(ctx)
	}
	if !p.Probes || !p.probeNow {
		p.knownPower()
	}
}

// skip says that a check was not made, and which one before it failed.
func (p *pass) skip(id, because ID) {
	p.report.add(Check{ID: id, Status: Unproven, Outcome: NotAsked, Args: map[string]string{"because": string(because)}})
}

// note keeps what an answer tells besides.
func (p *pass) note(a answer) answer {
	if a.dated {
		p.offset, p.dated = a.offset, true
	}
	return a
}

// notFound reports credentials that were not there.
func (p *pass) notFound(err error) {
	c := Check{ID: CheckSource, Status: Failed, Outcome: Unexpected, Answered: "", Args: map[string]string{"answer": reason(err)}}
	var e *client.CredentialsError
	if errors.As(err, &e) {
		c.Outcome, c.Args = Outcome("credentials."+string(e.Problem)), e.Args()
	}
	p.report.add(c)
	for _, id := range []ID{CheckIdentity, CheckExpected, CheckBucket, CheckCanary, CheckProbes} {
		p.skip(id, CheckSource)
	}
}
