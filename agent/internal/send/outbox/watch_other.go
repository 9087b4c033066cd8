//go:build !linux

package outbox

import (
	"context"
	"time"
)

// watcher does nothing elsewhere than on Linux: passes find everything.
type watcher struct{}

func (*watcher) init(*Outbox) {}

func (*watcher) ensure(string) {}

// Watch asks for one pass, and for another when the folder itself is another: here there are no
// events. It waits for the end.
func (o *Outbox) Watch(ctx context.Context, hint func(rel string)) error {
	before := o.glance()
	hint("")
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if at := o.glance(); at != before {
				before = at
				hint("")
			}
		}
	}
}
