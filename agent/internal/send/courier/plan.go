package courier

import (
	"context"
	"time"

	"buzon/agent/internal/send/journal"
)

// Plan is what an upload would do now.
type Plan struct {
	Files   []Foreseen // in the order of the walk
	Bytes   int64      // of those that would be sent
	Known   int64      // files that the journal knows as sent
	Barred  []Failed   // what would be, or is, in quarantine
	Writing []string   // somebody still writes them
	Skips   []Skipped
}

// Foreseen is one file that would be sent.
type Foreseen struct {
	Path string // absolute
	Size int64
	Key  string // "" where it takes the file's content to tell
}

// Foresee says what [Courier.Send] would do with the outboxes. It asks nobody and changes nothing. Without a journal
// (nil) everything is new.
func Foresee(ctx context.Context, j *journal.Journal, set Settings, outboxes []Outbox) (Plan, error) {
	var p Plan
	for _, o := range outboxes {
		tmpl, err := ParseTemplate(o.Key)
		if err != nil {
			return p, err
		}
		c := &Courier{Deps: Deps{Journal: j, Now: time.Now}, set: set}
		b := newBox(o, tmpl, time.Now)
		if j != nil {
			id, err := j.Route(c.routeOf(o))
			if err == nil {
				b.id = id
			}
		}
		if err := c.foresee(ctx, b, &p); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (c *Courier) foresee(ctx context.Context, b *box, p *Plan) error {
	return b.Box.Walk(ctx, func(f File) error {
		if b.Only != nil && !b.Only(f.Rel) {
			return nil
		}
		path := b.Path + "/" + f.Rel
		old, err := c.recall(b, f)
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
		if why, bad := c.nameFault(b, f); bad {
			p.Barred = append(p.Barred, Failed{Path: path, Reason: why})
			return nil
		}
		if whole, _ := b.Box.Complete(f); !whole {
			p.Writing = append(p.Writing, path)
			return nil
		}
		one := Foreseen{Path: path, Size: f.Size}
		if !b.tmpl.Content {
			if one.Key, err = b.tmpl.Key(c.set.Prefix, Source{Rel: f.Rel, MTime: f.At(), Host: c.set.Host, Outbox: b.name}); err != nil {
				return err
			}
		}
		p.Files = append(p.Files, one)
		p.Bytes += f.Size
		return nil
	}, func(rel, why string) {
		p.Skips = append(p.Skips, Skipped{b.Path + "/" + rel, why})
	})
}

// recall is what the journal holds of this very version of a file, or nil.
func (c *Courier) recall(b *box, f File) (*journal.Entry, error) {
	if c.Journal == nil || b.id == journal.Imported {
		return nil, nil
	}
	marks, err := c.Journal.Marks(b.id, []string{f.Rel}, nil)
	if err != nil || marks[0].Seq == 0 || !marks[0].SameVersion(f.Identity) {
		return nil, err
	}
	return c.Journal.Get(marks[0].Seq)
}
