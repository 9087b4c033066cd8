package courier

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path"
	"strconv"

	"buzon/agent/internal/client"
	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/outbox"
	"buzon/agent/internal/send/receipt"
	"buzon/agent/internal/send/upload"
)

// carry makes one attempt of one file: open, send, decide by [next], and do it. The worker owns the task until it
// hands it on.
func (c *Courier) carry(ctx context.Context, t *task) {
	sender, gen, open := c.gate.peek()
	if !open || ctx.Err() != nil {
		c.decide(t, outcome{result: gateShut}, gen)
		return
	}
	if t.unsure > 0 && c.decide(t, outcome{result: denialStands}, gen).step != goOn {
		return
	}
	file, now, err := t.box.open(t.e.Path)
	if err != nil {
		c.decide(t, c.localFault(t, err), gen)
		return
	}
	defer file.Close() //nolint:errcheck // read only
	if !identityOf(now).Same(t.e.Identity) {
		c.decide(t, outcome{result: fileChanged}, gen)
		return
	}
	was := fileOf(t.e)
	was.Changed = now.Changed
	t.e.Changed = changeTime(now)
	if !t.begun {
		if o, ok := c.beginHere(t, file, was); !ok {
			c.decide(t, o, gen)
			return
		}
	}
	o := c.send(ctx, t, sender, file, was)
	if a := c.decide(t, o, gen); a.step == proveOwn {
		c.decide(t, c.prove(t, file, was), gen)
	}
}

// send makes the attempt.
func (c *Courier) send(ctx context.Context, t *task, sender Sender, file *os.File, was outbox.File) outcome {
	job, err := c.job(t, file, was)
	if err != nil {
		c.stopWith(err)
		return outcome{result: broken}
	}
	c.Failpoint("courier.before-request")
	t.started = c.Now()
	c.tally.active.Add(1)
	c.tally.requests.Add(1)
	resumed := t.e.Multipart != nil
	result, err := sender.Send(ctx, job, &recorder{c: c, t: t})
	c.tally.active.Add(-1)
	c.measure(c.Now().Sub(t.started), err)
	c.Failpoint("courier.after-request")
	t.begun = false
	if err == nil {
		return outcome{result: stored, proof: &journal.Proof{
			CRC64: result.CRC64, ETag: result.ETag, VersionID: result.VersionID, Evidence: receipt.Answered, Echoed: result.Echoed,
			SentAt: c.Now().UnixNano(), RequestID: result.RequestID,
		}}
	}
	o := c.remoteFault(t, err)
	o.resumed = resumed
	return o
}

// remoteFault is the outcome of an attempt that ended with an error.
func (c *Courier) remoteFault(t *task, err error) outcome {
	if errors.Is(err, upload.ErrChanged) {
		if t.box.resultOf(err) == fileTouched {
			return outcome{result: fileTouched}
		}
		return outcome{result: changedInside}
	}
	var fault *upload.Error
	if !errors.As(err, &fault) || fault.Phase == upload.PhaseLedger { // the journal, or a fault of the program
		c.stopWith(err)
		return outcome{result: broken}
	}
	c.Log.Debug("attempt failed", "outbox", t.box.Path, "path", t.e.Path, "class", fault.Fault.Class.String(), "code", fault.Fault.Code, "error", err)
	c.tally.trouble(t.box.path(t.e.Path), fault, c.Now())
	o := outcome{
		result: failed, class: fault.Fault.Class, sent: fault.Sent, answered: fault.Answered, least: fault.Fault.RetryAfter,
		vanished: fault.Fault.Code == "NoSuchUpload", other: errors.Is(err, upload.ErrOtherChecksum),
		reason: c.reason(reasonOf(fault), detail(fault)),
	}
	if o.class == client.Exists {
		by, err := c.Journal.KeyInUse(c.set.Bucket, journal.Claim{Key: t.e.Key, Seq: t.e.Seq})
		if err != nil {
			c.stopWith(err)
			return outcome{result: broken}
		}
		o.taken = by[0] || !c.flight.claim(t, t.e.Key)
	}
	return o
}

// localFault is the outcome of a file that can't be opened or read.
func (c *Courier) localFault(t *task, err error) outcome {
	o := outcome{result: t.box.resultOf(err)}
	if o.result == fileUnreadable || o.result == machineLacks {
		o.reason = c.reason(Unreadable, err.Error())
	}
	return o
}

func (c *Courier) reason(code ReasonCode, detail string) journal.Reason {
	return journal.Reason{Code: string(code), Detail: detail, At: c.Now().UnixNano()}
}

// prove reads a file whose own object a 412 has met, for the checksum of its receipt.
func (c *Courier) prove(t *task, file *os.File, was outbox.File) outcome {
	sum, err := sumCRC(file, t.e.Size)
	if err == nil {
		err = outbox.Same(file, was)
	}
	if err != nil {
		return c.localFault(t, err)
	}
	c.Log.Warn("receipt is inferred", "outbox", t.box.Path, "path", t.e.Path, "key", t.e.Key)
	return outcome{result: confirmed, proof: &journal.Proof{CRC64: sum, Evidence: receipt.Inferred, SentAt: c.Now().UnixNano()}}
}

// job is what the uploader is asked to do.
func (c *Courier) job(t *task, f *os.File, was outbox.File) (upload.Job, error) {
	e := t.e
	job := upload.Job{
		Bucket: c.set.Bucket, Key: e.Key, Owner: c.set.Owner, File: f, Size: e.Size,
		Unchanged:   func() error { return outbox.Same(f, was) },
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

// recorder keeps a multipart upload in the journal while it goes on.
type recorder struct {
	c *Courier
	t *task
}

// Created makes the upload id durable before the first part leaves.
func (r *recorder) Created(id string, partSize int64) error {
	e := r.t.e
	e.Multipart, e.Attempting = &journal.Multipart{ID: id, PartSize: partSize}, false
	defer r.c.Failpoint("courier.created")
	return r.c.Journal.Save(e)
}

// PartDone makes one confirmed part durable; parts end in any order, several at once.
func (r *recorder) PartDone(p upload.Part) error {
	defer r.c.Failpoint("courier.part")
	r.c.tally.part(r.c.Now())
	return r.c.Journal.SavePart(r.t.e, journal.Part{Number: p.Number, Size: p.Size, ETag: p.ETag, CRC64: p.CRC64})
}

// Completing makes it durable that a Complete may leave from now on.
func (r *recorder) Completing() error {
	e := r.t.e
	if e.Multipart == nil {
		return errors.New("complete without an upload id")
	}
	e.Multipart.Completing, e.Attempting = true, true
	defer r.c.Failpoint("courier.completing")
	return r.c.Journal.Save(e)
}
