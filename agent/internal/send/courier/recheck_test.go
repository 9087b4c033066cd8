package courier

import (
	"strconv"
	"testing"
	"time"
)

func TestALostEventAsksForAWholePass(t *testing.T) {
	now := time.Now()
	r := newRecheckQueue()
	r.add("a", now.Add(time.Second))
	if r.all() || r.wait(now) != time.Second || len(r.due(now)) != 0 {
		t.Error("one path asks for everything, or at once")
	}
	r.add("", now)
	if !r.all() || r.wait(now) != 0 {
		t.Error("a lost event asks for nothing")
	}
	r.clear()
	if r.all() || len(r.due(now.Add(time.Hour))) != 0 {
		t.Error("after a whole pass something is still to be looked at")
	}
	for i := range 2 * mostRechecks {
		r.add(strconv.Itoa(i), now)
	}
	if !r.all() || len(r.due(now)) > mostRechecks {
		t.Error("more paths are remembered than may be, or those beyond are forgotten")
	}
}
