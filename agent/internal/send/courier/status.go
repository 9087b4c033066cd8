package courier

import (
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"buzon/agent/internal/send/gate"
	"buzon/agent/internal/send/journal"
)

// StatusSchema is the schema id of [Status].
const StatusSchema = "buzon/status/v1"

// Status is what the agent is doing, what is wrong, and how many files stand where. Times are UTC.
type Status struct {
	Schema    string    `json:"schema"`
	Generated time.Time `json:"generated"`
	State     State     `json:"state"`
	// Reason is the problem that State is about, where it is waiting or stopped.
	Reason   ProblemKind `json:"reason,omitempty"`
	Since    time.Time   `json:"since"`    // of State
	Problems []Problem   `json:"problems"` // the gravest first
	// Stalled says that nothing was sent for [StalledAfter] though a file is due.
	Stalled bool   `json:"stalled,omitempty"`
	Running bool   `json:"running"`
	Command string `json:"command,omitempty"` // that runs, or ran last: run or upload
	PID     int    `json:"pid,omitempty"`
	// Started is when the run began, or, when nothing runs, when the journal was last written.
	Started    time.Time        `json:"started"`
	Bucket     string           `json:"bucket"`
	Prefix     string           `json:"prefix"`
	Folder     string           `json:"state_folder"`
	Counts     map[string]Count `json:"counts"`                   // by state
	Oldest     *time.Time       `json:"oldest_pending,omitempty"` // when the file that waits longest was accepted
	Waits      []Waits          `json:"waits"`                    // those that wait longest
	Inferred   int64            `json:"inferred"`
	Conflicts  int64            `json:"conflicts"` // files that met another object at their key
	Unsettled  int64            `json:"unsettled"` // sent, and the local file could not be settled yet
	Gate       *GateStatus      `json:"gate,omitempty"`
	Transfers  int              `json:"transfers,omitempty"` // that may run at once now
	Active     int64            `json:"active,omitempty"`    // that run now
	LastSent   *time.Time       `json:"last_sent,omitempty"`
	Away       string           `json:"away,omitempty"` // for how long the store has given no answer
	Trouble    *Trouble         `json:"trouble,omitempty"`
	Journal    string           `json:"journal_trouble,omitempty"`
	Moved      bool             `json:"journal_moved,omitempty"` // it was used on another machine before
	Lost       *LostMemory      `json:"lost_memory,omitempty"`
	Outboxes   []BoxStatus      `json:"outboxes"`
	Quarantine []Aside          `json:"quarantine"`
	Total      int64            `json:"quarantine_total"`
	More       int64            `json:"quarantine_more,omitempty"` // that are not listed
}

// Stages are the states of a file in the order in which it passes them, as [Status.Counts] names them.
func Stages() []string {
	names := make([]string, 0, len(journal.States))
	for _, state := range journal.States {
		names = append(names, state.String())
	}
	return names
}

// Quarantined is how many files are in quarantine.
func (s Status) Quarantined() int64 { return s.Counts[journal.Quarantined.String()].Files }

// Count is a number of files and their bytes.
type Count struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// GateStatus is how the gate stands.
type GateStatus struct {
	Open   bool         `json:"open"`
	Since  *time.Time   `json:"trouble_since,omitempty"`
	Report *gate.Report `json:"report,omitempty"`
}

// Trouble is the last answer that was no success.
type Trouble struct {
	At        time.Time `json:"at"`
	Path      string    `json:"path"` // of the file that it was about
	Class     string    `json:"class"`
	Code      string    `json:"code,omitempty"`
	Message   string    `json:"message,omitempty"`
	RequestID string    `json:"request_id,omitempty"`
}

// LostMemory says that the guard against a lost memory has stopped everything.
type LostMemory struct {
	Conflicts int64 `json:"conflicts"`
	Files     int64 `json:"files"`
}

// BoxStatus is one outbox.
type BoxStatus struct {
	Path    string      `json:"path"`
	Scanned *time.Time  `json:"scanned,omitempty"` // when it was last read wholly
	Problem ProblemKind `json:"problem,omitempty"` // why it can't be read now
	Since   *time.Time  `json:"since,omitempty"`   // of the problem
	Error   string      `json:"error,omitempty"`   // the system's words
	// Hints says why nothing but the rescan finds files.
	Hints  string `json:"hints,omitempty"`
	Unread int64  `json:"unread,omitempty"` // folders in it that can't be read
}

// Aside is one file in quarantine.
type Aside struct {
	Path   string    `json:"path"`
	Size   int64     `json:"size"`
	Reason string    `json:"reason"`
	Detail string    `json:"detail,omitempty"`
	At     time.Time `json:"at"`
}

// Status is the state of a courier that runs.
func (c *Courier) Status() (Status, error) {
	s, err := facts(c.Journal, c.Now(), func(e *journal.Entry) bool { return c.route[e.Route] != nil })
	if err != nil {
		return s, err
	}
	s.Running, s.PID, s.Started = true, os.Getpid(), c.began.UTC()
	s.Command = "run"
	if c.once {
		s.Command = "upload"
	}
	s.Bucket, s.Prefix = c.set.Bucket, c.set.Prefix
	gate := c.gate.state()
	s.Gate = &GateStatus{Open: gate.open, Report: gate.report}
	if since := gate.since.UTC(); !gate.since.IsZero() {
		s.Gate.Since = &since
	}
	s.Transfers, s.Active = c.pace.size(), c.tally.active.Load()
	if away := c.pace.away(); away > 0 {
		s.Away = away.Round(time.Second).String()
	}
	c.tally.mu.Lock()
	if at := c.tally.lastAt; !at.IsZero() {
		at = at.UTC()
		s.LastSent = &at
	}
	if l := c.tally.last; !l.At.IsZero() {
		s.Trouble = &l
	}
	c.tally.mu.Unlock()
	for _, b := range c.boxes {
		unread := int64(len(b.folder.Unread()))
		b.mu.Lock()
		b.state.Unread = unread
		s.Outboxes = append(s.Outboxes, b.state)
		b.mu.Unlock()
	}
	c.observe(c.Now())
	m := &c.monitor
	m.mu.Lock()
	defer m.mu.Unlock()
	s.State, s.Reason, s.Since, s.Stalled = m.state, m.reason, m.since.UTC(), m.stalled
	s.Problems = append(append(s.Problems[:0], m.problems...), s.quarantineProblem()...)
	return s, nil
}

// Stored is the state that a journal alone tells, with nothing running.
func Stored(j *journal.Journal, now time.Time) (Status, error) {
	s, err := facts(j, now, func(*journal.Entry) bool { return true })
	if err != nil {
		return s, err
	}
	s.Started, s.Command = j.Written(), j.Home().Command
	s.State, s.Since = StateNotRunning, s.Started
	if s.Lost != nil {
		s.State, s.Reason = StateStopped, ProblemLostMemory
		s.Problems = append(s.Problems, Problem{Kind: ProblemLostMemory, Since: s.Started, Files: s.Lost.Conflicts})
	}
	s.Problems = append(s.Problems, journalProblems(j, now)...)
	open := s.Counts[journal.Pending.String()].Files + s.Counts[journal.Sending.String()].Files
	if open > 0 || s.Command == "run" {
		s.Problems = append(s.Problems, Problem{Kind: ProblemNotRunning, Files: open, Since: s.Started})
	}
	left, err := j.Unsettled(0, mostNamed)
	for _, e := range left {
		s.Problems = append(s.Problems, Problem{
			Kind: ProblemUnsettled, Outbox: j.RouteOf(e.Route).Outbox, Path: legible(sourceOf(j, e)), Since: time.Unix(0, e.Proof.SentAt).UTC(),
		})
	}
	s.Problems = append(s.Problems, s.quarantineProblem()...)
	return s, err
}

// quarantineProblem says that files are in quarantine.
func (s *Status) quarantineProblem() []Problem {
	if s.Total == 0 {
		return nil
	}
	since := s.Generated
	for _, q := range s.Quarantine {
		if q.At.Before(since) {
			since = q.At
		}
	}
	return []Problem{{Kind: ProblemQuarantine, Files: s.Total, Since: since}}
}

// mostSearched bounds how many entries are looked through for those that wait longest.
const mostSearched = 4096

// facts is what a journal tells; ours says which entries are sent at all.
func facts(j *journal.Journal, now time.Time, ours func(*journal.Entry) bool) (Status, error) {
	n := j.Counts()
	s := Status{
		Schema: StatusSchema, Generated: now.UTC(), Inferred: n.Inferred, Conflicts: n.Met, Counts: map[string]Count{},
		Unsettled: n.Files[journal.Sent], Outboxes: []BoxStatus{}, Quarantine: []Aside{},
		Problems: []Problem{}, Waits: []Waits{}, Total: n.Files[journal.Quarantined],
	}
	for _, state := range journal.States {
		s.Counts[state.String()] = Count{n.Files[state], n.Bytes[state]}
	}
	if n.Conflicts >= guardConflicts && now.Sub(n.Created) < guardAge {
		s.Lost = &LostMemory{n.Conflicts, min(n.Decided, journal.GuardFiles)}
	}
	if err := j.Trouble(); err != nil {
		s.Journal = err.Error()
	}
	s.Moved = j.Moved()
	for place, searched := uint64(0), 0; len(s.Waits) < mostWaits && searched < mostSearched; searched += readAhead {
		list, err := j.Unsent(place, readAhead)
		if err != nil {
			return s, err
		}
		for _, e := range list {
			if place = e.Seq; ours(e) && len(s.Waits) < mostWaits {
				s.Waits = append(s.Waits, Waits{
					Path: legible(sourceOf(j, e)), Size: e.Size, Accepted: time.Unix(0, e.Added).UTC(), Attempts: int64(e.Attempts), Reason: e.Reason.Code,
				})
			}
		}
		if len(list) < readAhead {
			break
		}
	}
	if len(s.Waits) > 0 {
		s.Oldest = &s.Waits[0].Accepted
	}
	list, err := j.Quarantine(0, mostListed)
	for _, e := range list {
		s.Quarantine = append(s.Quarantine, asideOf(j, e))
	}
	s.More = max(0, n.Files[journal.Quarantined]-int64(len(list)))
	return s, err
}

func asideOf(j *journal.Journal, e *journal.Entry) Aside {
	return Aside{
		Path: legible(sourceOf(j, e)), Size: e.Size, Reason: e.Reason.Code, Detail: e.Reason.Detail, At: time.Unix(0, e.Reason.At).UTC(),
	}
}

// sourceOf is the absolute path of an entry's file.
func sourceOf(j *journal.Journal, e *journal.Entry) string {
	return j.RouteOf(e.Route).Outbox + "/" + e.Path
}

// legible is a path that JSON can carry: bytes that are no UTF-8 are written as \xff.
func legible(path string) string {
	if utf8.ValidString(path) {
		return path
	}
	var b strings.Builder
	for len(path) > 0 {
		r, n := utf8.DecodeRuneInString(path)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, path[0])
		} else {
			b.WriteString(path[:n])
		}
		path = path[n:]
	}
	return b.String()
}

// Retry takes files out of quarantine: those at or below the absolute paths, or all where none is given. It returns
// how many. With no path it also says that the conflicts of a young journal are meant.
func Retry(j *journal.Journal, paths []string) (int, error) {
	return retryQuarantined(j, paths, func(e *journal.Entry) error { return unquarantine(j, e) })
}

func retryQuarantined(j *journal.Journal, paths []string, free func(*journal.Entry) error) (int, error) {
	if len(paths) == 0 {
		if err := j.ResetConflictGuard(); err != nil {
			return 0, err
		}
	}
	n := 0
	err := eachEntry(j.Quarantine, func(e *journal.Entry) error {
		if !chosen(sourceOf(j, e), paths) {
			return nil
		}
		n++
		return free(e)
	})
	return n, err
}

// unquarantine takes an entry out of quarantine.
func unquarantine(j *journal.Journal, e *journal.Entry) error {
	e.State, e.Tries, e.Reason = journal.Pending, 0, journal.Reason{}
	return j.Save(e)
}

func chosen(source string, paths []string) bool {
	for _, p := range paths {
		if source == p || strings.HasPrefix(source, strings.TrimSuffix(p, "/")+"/") {
			return true
		}
	}
	return len(paths) == 0
}

// Retry is [Retry] of a courier that runs: what comes out of quarantine is sent at once, and so is what waits for its
// next try.
func (c *Courier) Retry(paths []string) (int, error) {
	defer func() { c.flight.dueNow(c.Now()) }()
	return retryQuarantined(c.Journal, paths, func(e *journal.Entry) error { return c.inQuarantine(e, c.unquarantine) })
}
