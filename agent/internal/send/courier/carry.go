package courier

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/minio/crc64nvme"

	"buzon/agent/internal/client"
	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/receipt"
	"buzon/agent/internal/send/upload"
)

// carry makes one attempt of one file and decides what comes next. The worker owns the item until it hands it on.
func (c *Courier) carry(ctx context.Context, it *item) {
	sender, gen, open := c.door.peek()
	if !open || ctx.Err() != nil {
		c.postpone(it)
		return
	}
	if it.denied != 0 && c.convicted(it) {
		return
	}
	f, now, err := it.box.Box.Open(it.e.Path)
	if err != nil {
		c.unopened(it, err)
		return
	}
	defer f.Close() //nolint:errcheck // read only
	if !now.Same(it.e.Identity) {
		c.changed(it)
		return
	}
	was := File{Rel: it.e.Path, Changed: now.Changed, Identity: it.e.Identity}
	if !it.begun && !c.beginHere(it, f, was) {
		return
	}
	job, err := c.job(it, f, was)
	if err != nil {
		c.stopWith(err)
		c.hand.drop(it)
		return
	}
	c.Point("courier.before-request")
	c.tally.active.Add(1)
	c.tally.requests.Add(1)
	result, err := sender.Send(ctx, job, &ledger{c: c, it: it})
	c.tally.active.Add(-1)
	c.Point("courier.after-request")
	it.begun = false
	if err == nil {
		c.pace.answered()
		c.receive(it, f, &result)
		return
	}
	c.fault(it, f, was, gen, err)
}

// job is what the uploader is asked to do.
func (c *Courier) job(it *item, f *os.File, was File) (upload.Job, error) {
	e := it.e
	job := upload.Job{
		Bucket: c.set.Bucket, Key: e.Key, Owner: c.set.Owner, File: f, Size: e.Size,
		Unchanged:   func() error { return it.box.Box.Same(f, was) },
		ContentType: contentType(path.Base(e.Path)), StorageClass: c.set.Class, Tags: c.set.Tags, Progress: c.tally.left,
		Replace: c.set.OnConflict == Replace,
	}
	if c.set.Metadata {
		job.Metadata = metadata(e, c.set.Host)
	}
	if m := e.Multipart; m != nil {
		parts, err := c.Journal.Parts(e)
		if err != nil {
			return job, err
		}
		job.Resume = &upload.Multipart{UploadID: m.ID, PartSize: m.PartSize}
		for _, p := range parts {
			job.Resume.Parts = append(job.Resume.Parts, upload.Part{Number: p.Number, Size: p.Size, ETag: p.ETag, CRC64: p.CRC64})
		}
	}
	return job, nil
}

// metadata is what is written with an object: where it came from and when it was changed. S3 takes 2 KB of it in all
// and only ASCII (S3 User Guide, "Working with object metadata"), so the path is percent-encoded and left out where it
// is too long.
func metadata(e *journal.Entry, host string) map[string]string {
	m := map[string]string{"mtime": strconv.FormatInt(e.Sec, 10) + "." + nanos(e.Nsec)}
	if host != "" && len(host) < 256 {
		m["host"] = url.PathEscape(host)
	}
	if p := (&url.URL{Path: e.Path}).EscapedPath(); len(p) <= 1400 {
		m["source-path"] = p
	}
	return m
}

func nanos(n int32) string {
	s := strconv.Itoa(int(n))
	return "000000000"[:9-len(s)] + s
}

// beginHere begins an item whose key needs its content read; false if the item was handed on.
func (c *Courier) beginHere(it *item, f *os.File, was File) bool {
	e := it.e
	var err error
	switch {
	case it.suffix:
		var sum uint64
		if e.Key == "" {
			if e.Key, err = it.box.tmpl.Key(c.set.Prefix, c.source(it)); err != nil {
				c.quarantine(it, nameReason(err), "")
				return false
			}
		}
		if sum, err = sumCRC(f, e.Size); err == nil {
			err = it.box.Box.Same(f, was)
		}
		if err == nil {
			newIntent(e, Suffixed(e.Key, e.Identity, sum))
			e.Suffixed, it.suffix = true, false
		}
	case e.Key == "":
		var sum string
		if sum, err = sumSHA(f, e.Size); err == nil {
			src := c.source(it)
			src.SHA256 = sum
			if e.Key, err = it.box.tmpl.Key(c.set.Prefix, src); err != nil {
				c.quarantine(it, nameReason(err), "")
				return false
			}
		}
	}
	if err == nil {
		err = it.box.Box.Same(f, was)
	}
	if err != nil {
		c.unread(it, err)
		return false
	}
	c.attempt(e)
	if err := c.Journal.Save(e); err != nil {
		c.stopWith(err)
		c.hand.drop(it)
		return false
	}
	it.begun = true
	return true
}

// newIntent gives an entry another key: what is known of attempts at the old one says nothing of it. The journal keeps
// that for whoever comes to the old one.
func newIntent(e *journal.Entry, key string) {
	e.Key, e.Attempts, e.Attempting, e.OutcomeUnknown, e.PreconditionFailed, e.Multipart = key, 0, false, false, false, nil
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 128<<10); return &b }}

// sumCRC reads a file's first size bytes and returns their CRC-64/NVME.
func sumCRC(f io.ReaderAt, size int64) (uint64, error) {
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	h := crc64nvme.New()
	n, err := io.CopyBuffer(h, onlyReader{io.NewSectionReader(f, 0, size)}, *b)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	return h.Sum64(), err
}

// sumSHA reads a file's first size bytes and returns their SHA-256 in hex.
func sumSHA(f io.ReaderAt, size int64) (string, error) {
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	h := sha256.New()
	n, err := io.CopyBuffer(h, onlyReader{io.NewSectionReader(f, 0, size)}, *b)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	return hex.EncodeToString(h.Sum(nil)), err
}

// onlyReader hides WriteTo, which would not use the buffer.
type onlyReader struct{ io.Reader }

// ledger keeps a multipart upload in the journal while it goes on.
type ledger struct {
	c  *Courier
	it *item
}

// Created makes the upload id durable before the first part leaves.
func (l *ledger) Created(id string, partSize int64) error {
	e := l.it.e
	e.Multipart, e.Attempting = &journal.Multipart{ID: id, PartSize: partSize}, false
	defer l.c.Point("courier.created")
	return l.c.Journal.Save(e)
}

// PartDone makes one confirmed part durable; parts end in any order, several at once.
func (l *ledger) PartDone(p upload.Part) error {
	defer l.c.Point("courier.part")
	return l.c.Journal.SavePart(l.it.e, journal.Part{Number: p.Number, Size: p.Size, ETag: p.ETag, CRC64: p.CRC64})
}

// Completing makes it durable that a Complete may leave from now on.
func (l *ledger) Completing() error {
	e := l.it.e
	if e.Multipart == nil {
		return errors.New("complete without an upload id")
	}
	e.Multipart.Completing, e.Attempting = true, true
	defer l.c.Point("courier.completing")
	return l.c.Journal.Save(e)
}

// receive keeps the receipt of an attempt that was answered with success.
func (c *Courier) receive(it *item, _ *os.File, r *upload.Result) {
	it.e.Proof = &journal.Proof{
		CRC64: r.CRC64, ETag: r.ETag, VersionID: r.VersionID, Evidence: receipt.Answered, Echoed: r.Echoed,
		SentAt: c.Now().UnixNano(), RequestID: r.RequestID,
	}
	c.proven(it, it.box.Settle != Keep)
}

// proven makes a receipt durable and then settles the file; act says whether the local file is to be touched.
func (c *Courier) proven(it *item, act bool) {
	e := it.e
	e.Attempting, e.Multipart, e.Reason = false, nil, journal.Reason{}
	e.State = journal.Settled
	if act {
		e.State = journal.Sent
	}
	c.Journal.SaveSoon(e, act, func(err error) {
		if err != nil {
			c.stopWith(err)
			c.hand.drop(it)
			return
		}
		c.Point("courier.sent")
		c.tally.count(e, Sent)
		if act { // before it leaves the hand: with nothing in hand a run may end, and then nobody settles any more
			c.late <- it
		}
		if c.hand.drop(it) {
			it.box.again.add(e.Path, c.Now())
		}
	})
}

// unopened deals with a file that can't be opened.
func (c *Courier) unopened(it *item, err error) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.gone(it)
	case errors.Is(err, ErrFolder):
		c.again(it, folderPause)
	default:
		c.unread(it, err)
	}
}

// folderPause is how long at least a file waits while its whole outbox can't be seen.
const folderPause = time.Second

// unread deals with a file that can't be read, or changed while it was.
func (c *Courier) unread(it *item, err error) {
	switch {
	case errors.Is(err, ErrTouched):
		c.again(it, 0)
	case errors.Is(err, upload.ErrChanged), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, ErrChanged):
		c.changed(it)
	default:
		c.quarantine(it, Unreadable, err.Error())
	}
}

// What a [Box] says of a file that can't be sent as it is.
var (
	ErrChanged = errors.New("the file changed")                       // it is another version now
	ErrTouched = errors.New("the file was touched")                   // only its change time moved: it is to be read again
	ErrFolder  = errors.New("the outbox can't be seen at the moment") // nothing is known of its files
)

// gone forgets an entry whose file went before it was sent.
func (c *Courier) gone(it *item) {
	c.Log.Warn("file is gone before it was sent", "outbox", it.box.Path, "path", it.e.Path, "maybe_sent", it.e.OutcomeUnknown)
	if it.begun { // no request of this attempt has left
		unbegin(it)
	}
	c.forget(it)
	c.tally.count(it.e, Gone)
}

// changed forgets an entry whose file is another version now, and has the file looked at again.
func (c *Courier) changed(it *item) {
	c.Log.Info("file changed before it was sent", "outbox", it.box.Path, "path", it.e.Path)
	if it.begun { // no request of this attempt has left
		unbegin(it)
	}
	it.dirty = true
	c.looking.Add(1) // an upload doesn't end before the new version was looked at
	c.forget(it)
	c.tally.count(it.e, Changed)
	if c.once {
		c.lookAgain(it)
	}
	c.looking.Add(-1)
	c.hand.wake()
}

// mostChanges is how often an upload begins a file anew that changes whenever it is sent.
const mostChanges = 3

// lookAgain accepts the new version of a file that changed during an upload, which scans only once.
func (c *Courier) lookAgain(it *item) {
	c.changesMu.Lock()
	path := it.box.Path + "/" + it.e.Path
	c.changes[path]++
	often := c.changes[path] > mostChanges
	c.changesMu.Unlock()
	if often {
		c.tally.write(path)
		return
	}
	if err := c.look(context.Background(), it.box, []string{it.e.Path}); err != nil {
		c.stopWith(err)
	}
}

// forget lets the journal forget an entry that was not sent; what it knows of the key stays.
func (c *Courier) forget(it *item) {
	if err := c.Journal.Forget(it.e); err != nil {
		c.stopWith(err)
	}
	if c.hand.drop(it) {
		it.box.again.add(it.e.Path, c.Now())
	}
}

// fault decides what follows an attempt that did not succeed.
func (c *Courier) fault(it *item, f *os.File, was File, gen uint64, err error) {
	e := it.e
	if errors.Is(err, upload.ErrChanged) {
		e.Attempting = false
		c.unread(it, err)
		return
	}
	var failed *upload.Error
	if !errors.As(err, &failed) || failed.Phase == upload.PhaseLedger { // the journal, or a fault of the program
		c.stopWith(err)
		c.hand.drop(it)
		return
	}
	if e.Attempting && !known(failed) {
		e.OutcomeUnknown = true
	}
	e.Attempting = false
	c.Log.Debug("attempt failed", "path", e.Path, "class", failed.Fault.Class.String(), "code", failed.Fault.Code, "error", err)
	c.tally.trouble(failed, c.Now())
	switch failed.Fault.Class {
	case client.Transient, client.NotTheStore, client.StoreFull, client.Machine:
		c.pace.lost()
		c.again(it, failed.Fault.RetryAfter)
	case client.Throttled:
		c.pace.slow(failed.Fault.RetryAfter)
		it.slowed++
		c.again(it, failed.Fault.RetryAfter)
	case client.Canceled:
		c.postpone(it)
	case client.Credential:
		c.door.doubt(gen)
		c.postpone(it)
	case client.AccessDenied, client.Bucket:
		e.Reason = journal.Reason{Code: string(reasonOf(failed)), Detail: detail(failed), At: c.Now().UnixNano()}
		it.denied = gen
		c.door.doubt(gen)
		c.again(it, 0)
	case client.Exists:
		c.pace.answered()
		c.exists(it, f, was)
	case client.Raced, client.NoUpload:
		c.pace.answered()
		e.Multipart = nil
		c.try(it, reasonOf(failed), failed)
	case client.Corrupt:
		c.pace.answered()
		e.Multipart = nil
		e.PreconditionFailed = e.PreconditionFailed || errors.Is(err, upload.ErrOtherChecksum) // these other bytes stand there
		e.Reason = journal.Reason{Code: string(Checksum), Detail: detail(failed), At: c.Now().UnixNano()}
		c.try(it, reasonOf(failed), failed)
	case client.File:
		c.pace.answered()
		c.quarantine(it, reasonOf(failed), detail(failed))
	case client.Unknown:
		c.try(it, reasonOf(failed), failed)
	}
}

// known says that an attempt's outcome is known: no object of it can stand. A 500 says nothing of what was done
// before the fault, and a gateway's 502 or 504 is no answer of the store.
func known(failed *upload.Error) bool {
	if failed.Sent == upload.No {
		return true
	}
	if failed.Fault.Class == client.NotTheStore {
		return false
	}
	switch failed.Fault.Status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return false
	}
	return failed.Answered
}

// again lets an item wait for its next try, which costs it nothing but time.
func (c *Courier) again(it *item, least time.Duration) {
	if it.begun { // it did not leave
		unbegin(it)
	}
	it.row++
	if c.once && c.givesUp(it) {
		return
	}
	c.Journal.SaveSoon(it.e, false, func(err error) {
		if err != nil {
			c.stopWith(err)
		}
		c.hand.later(it, c.Now().Add(backoff(it.row, least)))
	})
}

// postpone lets an item wait for the gate, or for the next run; it is no failure of the file.
func (c *Courier) postpone(it *item) {
	if it.begun {
		unbegin(it)
	}
	c.Journal.SaveSoon(it.e, false, func(err error) {
		if err != nil {
			c.stopWith(err)
		}
		c.hand.later(it, c.Now())
	})
}

// convicted counts a denial against its file, unless the gate was not passed right after it: then the key was to
// blame. It is true if the file is in quarantine now.
func (c *Courier) convicted(it *item) bool {
	gen := it.denied
	it.denied = 0
	if c.door.blamed(gen) {
		return false
	}
	it.e.Tries++
	if int(it.e.Tries) < c.set.Tries {
		return false
	}
	if it.begun {
		unbegin(it)
	}
	c.quarantine(it, ReasonCode(it.e.Reason.Code), it.e.Reason.Detail)
	return true
}

// givesUp ends an upload's efforts for a file that gets no success while others do, and the whole upload when the
// store has been away for as long as patience lasts. The files stay pending.
func (c *Courier) givesUp(it *item) bool {
	away := c.pace.away()
	if away > 0 && away >= c.set.Patience {
		c.stopWith(&AwayError{For: away})
	}
	if away > 0 || it.row-it.slowed <= c.set.Tries || it.denied != 0 {
		return false
	}
	e := it.e
	e.Reason = journal.Reason{Code: string(Unanswered), Detail: c.tally.lastCode(), At: c.Now().UnixNano()}
	c.tally.fail(Failed{Path: it.box.Path + "/" + e.Path, Reason: Unanswered, Detail: e.Reason.Detail})
	if err := c.Journal.Save(e); err != nil {
		c.stopWith(err)
	}
	c.hand.leave(it)
	return true
}

// try counts an answer that may be this file's own fault; after enough of them the file is in quarantine.
func (c *Courier) try(it *item, why ReasonCode, failed *upload.Error) {
	it.e.Tries++
	if int(it.e.Tries) >= c.set.Tries {
		c.quarantine(it, why, detail(failed))
		return
	}
	c.again(it, failed.Fault.RetryAfter)
}

// exists deals with a 412.
func (c *Courier) exists(it *item, f *os.File, was File) {
	e := it.e
	by, err := c.Journal.KeyInUse(c.set.Bucket, journal.Claim{Key: e.Key, Seq: e.Seq})
	if err != nil {
		c.stopWith(err)
		c.hand.drop(it)
		return
	}
	taken := by[0]
	verdict := judge412(e, it.box.tmpl.Proof && !e.Suffixed, taken)
	if verdict == foreign {
		c.conflict(it, taken || !c.hand.claim(it, e.Key))
		return
	}
	sum, err := sumCRC(f, e.Size)
	if err == nil {
		err = it.box.Box.Same(f, was)
	}
	if err != nil {
		c.unread(it, err)
		return
	}
	e.Proof = &journal.Proof{CRC64: sum, Evidence: receipt.Inferred, SentAt: c.Now().UnixNano()}
	c.Log.Warn("receipt is inferred", "path", e.Path, "key", e.Key)
	c.proven(it, verdict == proven && it.box.Settle != Keep)
}

// conflict deals with another object at the key; ours says that the journal knows of it. What the journal knows
// is no sign of a lost memory, and neither is what this file itself left there with another checksum.
func (c *Courier) conflict(it *item, ours bool) {
	e := it.e
	why := ReasonCode(e.Reason.Code)
	if why != Checksum {
		why = Conflict
		e.Conflict = e.Conflict || !ours
	}
	e.PreconditionFailed, e.Multipart = true, nil
	if c.set.OnConflict != Suffix || e.Suffixed {
		c.quarantine(it, why, e.Key)
		if err := c.guard(); err != nil {
			c.stopWith(err)
		}
		return
	}
	e.State = journal.Pending
	e.Reason = journal.Reason{Code: string(why), Detail: e.Key, At: c.Now().UnixNano()}
	it.suffix, it.row = true, 0
	if err := c.Journal.Save(e); err != nil {
		c.stopWith(err)
		c.hand.drop(it)
		return
	}
	if err := c.guard(); err != nil {
		c.stopWith(err)
	}
	c.hand.later(it, c.Now())
}

// quarantine puts an item's file aside with the reason.
func (c *Courier) quarantine(it *item, why ReasonCode, detail string) {
	e := it.e
	e.State, e.Attempting = journal.Quarantined, false
	e.Reason = journal.Reason{Code: string(why), Detail: detail, At: c.Now().UnixNano()}
	c.Log.Warn("file is in quarantine", "path", e.Path, "reason", string(why))
	if err := c.Journal.Save(e); err != nil {
		c.stopWith(err)
	}
	c.tally.count(e, Quarantined)
	c.tally.fail(Failed{Path: it.box.Path + "/" + e.Path, Reason: why, Detail: detail})
	if c.hand.drop(it) {
		it.box.again.add(e.Path, c.Now())
	}
}
