package outbox

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLostEventsAskForAPass(t *testing.T) {
	o, _ := box(t, Options{})
	o.watch.start(-1)
	event := make([]byte, unix.SizeofInotifyEvent)
	binary.NativeEndian.PutUint32(event, 0xffffffff)
	binary.NativeEndian.PutUint32(event[4:], unix.IN_Q_OVERFLOW)
	var hints []string
	o.read(t.Context(), event, func(rel string) { hints = append(hints, rel) })
	if len(hints) != 1 || hints[0] != "" {
		t.Errorf("hints %q, want one for a pass", hints)
	}
}

// TestWithoutMoreWatchesThePassesFindAll: the system gives so many watches and no more.
func TestWithoutMoreWatchesThePassesFindAll(t *testing.T) {
	o, dir := box(t, Options{})
	w := watch(t, o)
	o.watch.mu.Lock()
	o.watch.full = true
	o.watch.mu.Unlock()
	write(t, dir, "new/deep/f", "x")
	expect(t, found(t, o), "new/deep/f")
	write(t, dir, "watched", "x") // the folders that have a watch keep it
	w.wait(t, "watched")
	expect(t, found(t, o), "new/deep/f", "watched")
}
