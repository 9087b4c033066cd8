package report

import (
	"testing"
	"time"

	"buzon/agent/internal/locale"
	"buzon/agent/internal/send/courier"
	"buzon/agent/internal/send/gate"
)

// TestTheStatusPageInABrowser opens the page of an agent that is well, and of one that is not, in both languages.
func TestTheStatusPageInABrowser(t *testing.T) {
	b := newBrowser(t)
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	well := statusWith()
	well.State, well.Gate, well.LastSent = courier.StateSending, &courier.GateStatus{Open: true, Report: &gate.Report{Passed: true, Time: now}}, &now
	well.Counts = map[string]courier.Count{"pending": {Files: 12, Bytes: 3 << 20}, "sending": {Files: 4, Bytes: 1 << 20}, "settled": {Files: 1234567, Bytes: 5 << 40}}
	var minutes [60]int64
	for i := range minutes {
		minutes[i] = int64(i*i%17) << 22
	}
	ill := statusWith(courier.Problem{Kind: courier.ProblemGate, Since: now.Add(-time.Hour)}, courier.Problem{Kind: courier.ProblemStoreSilent, Since: now.Add(-time.Minute)},
		courier.Problem{Kind: courier.ProblemQuarantine, Since: now.Add(-90 * 24 * time.Hour)})
	ill.Gate = &courier.GateStatus{Report: &gate.Report{Time: now}}
	gone := statusWith()
	gone.State = courier.StateStopped
	for _, lang := range locale.Languages {
		for name, page := range map[string]struct {
			s       courier.Status
			minutes [60]int64
		}{"well": {well, minutes}, "ill": {ill, [60]int64{}}, "stopped": {gone, [60]int64{59: 1}}} {
			_, source := pageOf(t, lang, page.s, page.minutes)
			b.add(t, "status-"+name+"-"+lang, source)
		}
	}
	b.open(t)
}
