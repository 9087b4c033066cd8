package sources

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/smithy-go"

	"buzon/agent/internal/client"
)

// bounds keep live reads from going on for ever.
type bounds struct {
	attempt time.Duration // of one request, its answer's body included
	read    time.Duration // after which no further attempt of a read begins
	pause   time.Duration // before the second attempt; it doubles up to pauseMost
	most    time.Duration // the longest pause
	tries   int           // of a read that may yet succeed
	pages   int           // of one list
	quiet   time.Duration // after which a read that goes on is told
}

func liveBounds() bounds {
	return bounds{
		attempt: 20 * time.Second, read: time.Minute, pause: 200 * time.Millisecond, most: 5 * time.Second,
		tries: 8, pages: 2000, quiet: 5 * time.Second,
	}
}

// doubtful is how often a read is tried whose answers are none, and each read
// once `despair` others in a row came to nothing.
const (
	doubtful = 3
	despair  = 3
)

// Lost says why an answer is none, though AWS, or something before it, answered
// with success. Its texts are part of the report's contract, beside AWS's own
// error codes and the words of client.Fault for broken connections.
type Lost string

// The answers that are none.
const (
	LostEmpty     Lost = "empty"          // what was asked for isn't in it
	LostGarbled   Lost = "garbled"        // it isn't what AWS writes
	LostAnother   Lost = "another"        // it is about something else
	LostList      Lost = "without-list"   // the list isn't in it, not even an empty one
	LostTruncated Lost = "truncated"      // there is more, and no marker to go on from
	LostRepeated  Lost = "same-marker"    // the list never ends
	LostPages     Lost = "too-many-pages" // likewise
	LostTooLong   Lost = "too-long"       // larger than anything that AWS sends
	lostStatus         = "http-"          // an answer that isn't AWS's: with its status
	lostUnknown        = "unknown"        // nothing is known of it
)

// Error implements error.
func (l Lost) Error() string { return "sources: the answer is " + string(l) }

// call is one read: what it asks about, and where a failure of it is recorded.
type call struct {
	name       string // "s3:GetBucketAcl"
	permission string // "" is name
	what       string // an ARN, a name
	to         *[]Gap
	none       []string // error codes that mean that there is none
}

// answer says what came of a read.
type answer uint8

const (
	lost answer = iota // recorded as a gap, or the whole audit ends
	none               // AWS says that there is none
	got
)

// ask makes one read: tried again while it may yet succeed, bounded in time, and
// held to what was asked by holds.
func ask[T any](ctx context.Context, v *live, c call, do func(context.Context) (T, error), holds func(T) Lost) (T, answer) {
	var zero T
	if v.ended() != nil {
		return zero, lost
	}
	said := v.tellLate(c)
	defer said.Stop()
	begun := time.Now()
	for try := 1; ; try++ {
		out, err := once(ctx, v.bounds.attempt, do)
		if err == nil {
			if why := holds(out); why != "" {
				err = why
			}
		}
		switch {
		case err == nil:
			v.answered(true)
			return out, got
		case isCode(err, c.none...):
			v.answered(true)
			return zero, none
		case ctx.Err() != nil:
			v.end(ctx.Err())
			return zero, lost
		}
		fault := client.Classify(err)
		if fault.Class == client.Credential {
			v.end(&ReadError{What: c.name, err: err})
			return zero, lost
		}
		if try >= v.triesOf(fault, err) || time.Since(begun) >= v.bounds.read || !v.rest(ctx, try, fault.RetryAfter) {
			v.lose(c, err, fault)
			return zero, lost
		}
	}
}

func once[T any](ctx context.Context, limit time.Duration, do func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return do(ctx)
}

// triesOf is how often a read that failed like this is made in all.
func (v *live) triesOf(f client.Fault, err error) int {
	tries := 1
	switch {
	case f.Class == client.Transient, f.Class == client.Throttled:
		tries = v.bounds.tries
	case lostCode(err, f) != "": // something before AWS may have answered, once
		tries = doubtful
	}
	if v.hopeless() {
		return 1
	}
	return tries
}

// lostCode is why an answer that came with success, or without AWS's error
// document, is none; "" for AWS's own word.
func lostCode(err error, f client.Fault) string {
	var why Lost
	var api smithy.APIError
	switch {
	case errors.As(err, &why):
		return string(why)
	case errors.As(err, &api) && api.ErrorCode() != "" && api.ErrorCode() != "UnknownError":
		return ""
	case f.Status >= 200 && f.Status < 300:
		return string(LostGarbled)
	case f.Status != 0:
		return lostStatus + strconv.Itoa(f.Status)
	}
	return ""
}

// rest waits before the next attempt: longer each time, with jitter. It is false
// where the context ended.
func (v *live) rest(ctx context.Context, try int, asked time.Duration) bool {
	pause := min(v.bounds.pause<<(try-1), v.bounds.most)
	pause = max(pause/2+rand.N(pause/2+1), min(asked, v.bounds.most)) //nolint:gosec // jitter is no secret
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// lose records a read that came to nothing. Where nothing has answered at all,
// all other reads are pointless.
func (v *live) lose(c call, err error, f client.Fault) {
	unanswered := f.Status == 0 && !errors.As(err, new(Lost))
	if v.answered(false); unanswered && v.silent() {
		v.end(&ReadError{What: c.name, err: err})
		return
	}
	g := Gap{Reason: GapFailed, What: c.what, Call: c.name, Code: lostCode(err, f), Source: -1}
	if g.Code == "" {
		g.Code = f.Code
	}
	if g.Code == "" {
		g.Code = lostUnknown
	}
	if strings.HasPrefix(f.Code, "AccessDenied") || f.Code == "UnauthorizedOperation" {
		g.Reason, g.Permission = GapDenied, c.permission
		if g.Permission == "" {
			g.Permission = c.name
		}
	}
	v.add(c.to, g)
}

// add adds a gap to a list that several readers may add to.
func (v *live) add(to *[]Gap, g Gap) {
	v.mu.Lock()
	defer v.mu.Unlock()
	*to = append(*to, g)
}

func isCode(err error, codes ...string) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	for _, c := range codes {
		if api.ErrorCode() == c {
			return true
		}
	}
	return false
}

// state is what the readers share beside what they found.
type state struct {
	mu    sync.Mutex
	fatal error // why all reads ended
	ever  bool  // something was answered
	row   int   // reads in a row that came to nothing
}

func (v *live) ended() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.fatal
}

// end makes all other reads pointless.
func (v *live) end(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fatal == nil {
		v.fatal = err
	}
}

func (v *live) answered(well bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.row++; well {
		v.row, v.ever = 0, true
	}
}

// hopeless reports whether the last reads all came to nothing: the next is made
// once, so that an audit ends though nothing is answered.
func (v *live) hopeless() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.row >= despair
}

// silent reports whether nobody answers, now or ever.
func (v *live) silent() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return !v.ever || v.row > despair
}

// tellLate tells of a read that takes long, off a terminal too.
func (v *live) tellLate(c call) *time.Timer {
	return time.AfterFunc(v.bounds.quiet, func() { v.tell(Progress{Waiting: c.name, Principal: c.what}) })
}

func (v *live) tell(p Progress) {
	if v.access.Progress == nil {
		return
	}
	v.telling.Lock()
	defer v.telling.Unlock()
	v.access.Progress(p)
}

// page is one answer of a list.
type page[T any] struct {
	items []T // nil where the answer holds no list, which an empty one may be
	more  bool
	next  *string
}

// pages reads a list to its end; it is false where a part of it was lost.
func pages[T any](ctx context.Context, v *live, c call, one func(ctx context.Context, marker *string) (page[T], error), is func(T) bool, each func(T)) answer {
	var marker *string
	var signed bool
	seen := map[string]bool{}
	for n := 0; ; n++ {
		from := marker
		list, a := ask(ctx, v, c, func(ctx context.Context) (page[T], error) {
			return one(signing(ctx, &signed), from)
		}, func(p page[T]) Lost {
			switch {
			case p.items == nil && !signed:
				return LostList
			case p.more && (p.next == nil || *p.next == ""):
				return LostTruncated
			case p.more && seen[*p.next]:
				return LostRepeated
			case p.more && n >= v.bounds.pages:
				return LostPages
			}
			for _, item := range p.items {
				if !is(item) {
					return LostAnother
				}
			}
			return ""
		})
		if a != got {
			return a
		}
		for _, item := range list.items {
			each(item)
		}
		if !list.more {
			return got
		}
		marker = list.next
		seen[*marker] = true
	}
}
