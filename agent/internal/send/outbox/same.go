package outbox

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
)

// SameName finds a path that two of the outboxes hold, and gives both files; "" where there is none. It
// remembers no names, but walks every outbox and looks each file up in the others.
func SameName(ctx context.Context, boxes []*Outbox) (first, second string, err error) {
	found := errors.New("found")
	for i, o := range boxes {
		err := o.Walk(ctx, func(f File) error {
			for _, other := range boxes[i+1:] {
				if other.holds(f.Rel) {
					first, second = filepath.Join(o.path, f.Rel), filepath.Join(other.path, f.Rel)
					return found
				}
			}
			return nil
		})
		switch {
		case errors.Is(err, found):
			return first, second, nil
		case err != nil:
			return "", "", err
		}
	}
	return "", "", nil
}

// holds says that a path is one of the outbox's files.
func (o *Outbox) holds(rel string) bool {
	if o.opts.Names != nil && !slices.Contains(o.opts.Names, rel) {
		return false
	}
	_, err := o.Stat(rel)
	return err == nil
}
