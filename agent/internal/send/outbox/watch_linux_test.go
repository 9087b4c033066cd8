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
