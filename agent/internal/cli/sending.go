package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime/debug"

	"golang.org/x/time/rate"

	"buzon/agent/internal/client"
	"buzon/agent/internal/config"
	"buzon/agent/internal/report"
	"buzon/agent/internal/send/courier"
	"buzon/agent/internal/send/gate"
	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/outbox"
	"buzon/agent/internal/send/upload"
)

// Failpoint is called at the named places where a test ends the process; nil in the product, where nobody sets it.
var Failpoint func(name string)

// folder is one outbox as the command line or the configuration names it.
type folder struct {
	config.Outbox
	names []string // of the files that were named; nil for the whole folder
	once  bool
}

// sending is everything between the files and the bucket.
type sending struct {
	courier  *courier.Courier
	gate     *gate.Gate
	outboxes []courier.Outbox

	meter    courier.Meter            // is told what happens; nil for none
	problems func() []courier.Problem // beside those of the courier; nil for none
}

// openJournal opens the journal of the state folder, for writing unless readOnly.
func (a *app) openJournal(c *config.Config, readOnly bool) (*journal.Journal, error) {
	j, err := journal.Open(c.State, journal.Options{ReadOnly: readOnly, Failpoint: Failpoint, Trouble: func(err error) {
		if err != nil {
			a.log.Error("journal accepts nothing for now; nothing is lost", "error", err)
		} else {
			a.log.Info("journal accepts again")
		}
	}})
	if errors.Is(err, fs.ErrPermission) {
		err = fail(badInput, err) // a state folder that this user can't use is a wrong one
	}
	return j, err
}

// join joins the rooms as the configuration says, around a journal that is open; gated is told how each pass of the
// gate ended.
func (s *sending) join(a *app, c *config.Config, j *journal.Journal, gated func(gate.Report, bool)) (err error) {
	// What lives is small next to limits.memory; collecting it half as often saves a tenth of the CPU.
	if a.getenv("GOGC") == "" { // whoever sets it knows better
		debug.SetGCPercent(200)
	}
	settings := a.clientSettings(c)
	settings.Traits = a.traits(j, a.store(c))
	s.gate = gate.New(gateSettings(c), settings, a.log)
	options := upload.Options{PartSize: c.Limits.PartSize, Memory: c.Limits.Memory}
	if c.Limits.Bandwidth > 0 {
		options.Limiter = rate.NewLimiter(rate.Limit(c.Limits.Bandwidth), int(max(c.Limits.Bandwidth/10, 64<<10)))
	}
	var uploader *upload.Uploader
	deps := courier.Deps{
		Journal: j, Gate: s.gate, OnGateResult: gated, Log: a.log, Failpoint: Failpoint, Meter: s.meter, OtherProblems: s.problems,
		FileLog: a.fileLog,
		Sender: func() courier.Sender {
			if uploader == nil {
				uploader = upload.New(s.gate.AWS(), options)
			} else {
				uploader.Use(s.gate.AWS())
			}
			return uploader
		},
	}
	s.courier, err = courier.New(deps, a.courierSettings(c), s.outboxes)
	return err
}

// traits are what the store at an endpoint has shown of itself, as the journal keeps it.
func (a *app) traits(j *journal.Journal, store string) *client.Traits {
	if store == "" { // AWS is known
		return nil
	}
	var known client.Shown
	kept, err := j.Shown(store)
	if err == nil && kept != nil {
		err = json.Unmarshal(kept, &known)
	}
	if err != nil {
		a.log.Warn("what the store showed before can't be read", "error", err)
	}
	return client.NewTraits(known, func(now client.Shown) {
		text, err := json.Marshal(now)
		if err == nil {
			err = j.KeepShown(store, text)
		}
		if err != nil {
			a.log.Warn("what the store shows can't be kept", "error", err)
		}
	})
}

// openFolders opens the outboxes. The caller closes what is returned.
func (a *app) openFolders(folders []folder) (*sending, error) {
	s := &sending{}
	for _, f := range folders {
		options := outbox.Options{Path: f.Path, Include: f.Include, Exclude: f.Exclude, Names: f.names, Once: f.once, Wait: !f.once, Log: a.log}
		if f.QuietSet {
			options.Quiet = &f.Quiet
		}
		box, err := courier.OpenOutbox(courier.Outbox{
			Path: f.Path, Key: f.Key, Settle: courier.Settle(f.Settle), MoveTo: f.MoveTo, Only: f.only(),
		}, options)
		if err != nil {
			return nil, errors.Join(&folderError{f.Path, err}, s.close())
		}
		s.outboxes = append(s.outboxes, box)
	}
	return s, nil
}

// only is what of the folder is to be sent, or nil for all.
func (f folder) only() func(rel string) bool {
	if f.names == nil {
		return nil
	}
	named := make(map[string]bool, len(f.names))
	for _, name := range f.names {
		named[name] = true
	}
	return func(rel string) bool { return named[rel] }
}

// close lets go of the folders.
func (s *sending) close() error {
	var err error
	for _, b := range s.outboxes {
		err = errors.Join(err, b.Close())
	}
	return err
}

// courierSettings are the configuration's, as far as the courier follows them.
func (a *app) courierSettings(c *config.Config) courier.Settings {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return courier.Settings{
		Endpoint: a.store(c), Bucket: c.Bucket, Prefix: c.Prefix, Owner: c.BucketOwner, Host: host,
		OnConflict: courier.OnConflict(c.OnConflict), Tries: c.Tries, Transfers: c.Limits.Transfers, Rescan: c.Rescan,
		Retain: c.Retain, Shutdown: c.ShutdownTimeout, Wait: c.Identity.OnProblem == config.ProblemWait,
		Patience: c.Identity.Patience, Metadata: c.Object.Metadata, Class: c.Object.StorageClass, Tags: tagging(c),
	}
}

// tagging are the configured tags as a URL query, as x-amz-tagging wants them.
func tagging(c *config.Config) string {
	tags := url.Values{}
	for k, v := range c.Object.Tags {
		tags.Set(k, v)
	}
	return tags.Encode()
}

// store is the S3 store that is not AWS's own, or "": another store is another route, and its receipts say nothing of
// AWS.
func (a *app) store(c *config.Config) string {
	for _, endpoint := range []string{c.Endpoint, a.getenv("AWS_ENDPOINT_URL_S3"), a.getenv("AWS_ENDPOINT_URL")} {
		if endpoint != "" {
			return client.Store(endpoint)
		}
	}
	return ""
}

// sendError puts what ended a sending command into its exit code and sentence.
func (a *app) sendError(c *config.Config, err error) error {
	var (
		refused *courier.GateError
		lost    *courier.LostMemoryError
		away    *courier.AwayError
		locked  *journal.LockedError
		unseen  *folderError
	)
	switch {
	case errors.As(err, &refused):
		return fail(gateCode(refused.Report), said(report.Refusal(a.words, refused.Report)))
	case errors.As(err, &lost):
		return fail(answerNo, sentence("courier.lost-memory", "conflicts", lost.Conflicts, "files", lost.Files, "state", c.State))
	case errors.As(err, &away):
		return fail(answerNo, sentence("courier.away", "time", away.For))
	case errors.As(err, &locked):
		id := "courier.locked"
		if a.command == "run" {
			id = "courier.locked-run"
		}
		return fail(badInput, sentence(id, "state", locked.State, "pid", fmt.Sprint(locked.PID)))
	case errors.As(err, &unseen):
		return fail(badInput, unseen)
	}
	return err
}

// folderError is an outbox that can't be opened.
type folderError struct {
	path string
	err  error
}

func (e *folderError) Error() string { return e.err.Error() }
func (e *folderError) Unwrap() error { return e.err }

// Message names its sentence.
func (e *folderError) Message() (string, []any) {
	switch {
	case errors.Is(e.err, outbox.ErrGone):
		return "outbox.gone", []any{"path", e.path}
	case errors.Is(e.err, outbox.ErrDenied):
		return "cli.path-denied", []any{"path", e.path}
	case errors.Is(e.err, outbox.ErrNotFolder):
		return "outbox.not-folder", []any{"path", e.path}
	}
	return "cli.path-error", []any{"path", e.path, "reason", e.err}
}

// said is a sentence that a report has made already.
type said string

func (s said) Error() string { return string(s) }
