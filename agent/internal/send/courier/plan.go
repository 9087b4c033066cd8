package courier

import (
	"context"
	"time"

	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/outbox"
)

// Plan is what an upload would do now.
type Plan struct {
	Files   []Planned // in the order of the walk
	Bytes   int64     // of those that would be sent
	Known   int64     // files that the journal knows as sent
	Barred  []Failed  // what would be, or is, in quarantine
	Writing []string  // somebody still writes them
	Skips   []Skipped
}

// Planned is one file that would be sent.
type Planned struct {
	Path string // absolute
	Size int64
	Key  string // "" where it takes the file's content to tell
}

// MakePlan says what [Courier.Send] would do with the outboxes. It asks nobody and changes nothing. Without a journal
// (nil) everything is new.
func MakePlan(ctx context.Context, j *journal.Journal, set Settings, outboxes []Outbox) (Plan, error) {
	var p Plan
	for _, o := range outboxes {
		tmpl, err := ParseTemplate(o.Key)
		if err != nil {
			return p, err
		}
		b := newBox(o, tmpl)
		if j != nil {
			if id, err := j.Route(set.routeOf(o)); err == nil {
				b.id = id
			}
		}
		if err := p.add(ctx, j, set, b); err != nil {
			return p, err
		}
	}
	return p, nil
}

// add adds what would be done with one outbox.
func (p *Plan) add(ctx context.Context, j *journal.Journal, set Settings, b *box) error {
	return b.walk(ctx, func(f outbox.File) error {
		path := b.path(f.Rel)
		old, err := recall(j, b, f)
		if err != nil {
			return err
		}
		if old != nil {
			switch old.State {
			case journal.Sent, journal.Settled:
				p.Known++
				return nil
			case journal.Quarantined:
				p.Barred = append(p.Barred, Failed{Path: path, Reason: ReasonCode(old.Reason.Code), Detail: old.Reason.Detail})
				return nil
			case journal.Pending, journal.Sending:
			}
		}
		if why, bad := set.nameFault(b, f); bad {
			p.Barred = append(p.Barred, Failed{Path: path, Reason: why})
			return nil
		}
		whole, _, err := b.complete(f, time.Now())
		if err != nil {
			return err
		}
		if !whole {
			p.Writing = append(p.Writing, path)
			return nil
		}
		one := Planned{Path: path, Size: f.Size}
		if !b.tmpl.Content {
			if one.Key, err = b.tmpl.Key(set.Prefix, Source{Rel: f.Rel, MTime: f.ModTime, Host: set.Host, Outbox: b.name}); err != nil {
				return err
			}
		}
		p.Files = append(p.Files, one)
		p.Bytes += f.Size
		return nil
	}, func(rel, why string) {
		p.Skips = append(p.Skips, Skipped{b.path(rel), why})
	})
}

// recall is what the journal holds of this very version of a file, or nil.
func recall(j *journal.Journal, b *box, f outbox.File) (*journal.Entry, error) {
	if j == nil || b.id == journal.Imported {
		return nil, nil
	}
	marks, err := j.Marks(b.id, []string{f.Rel}, nil)
	if err != nil || marks[0].Seq == 0 || !marks[0].SameVersion(identityOf(f)) {
		return nil, err
	}
	return j.Get(marks[0].Seq)
}
