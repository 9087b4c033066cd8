package courier

import (
	"testing"
	"time"
)

func TestTransfersFitTheDescriptors(t *testing.T) {
	for _, c := range []struct {
		descriptors    uint64
		outboxes, want int
	}{{24, 1, 1}, {64, 1, 2}, {128, 1, 24}, {256, 1, 66}, {1024, 1, 322}, {1024, 20, 94}, {1024, 100, 1}, {1 << 63, 1, 349506}} {
		if got := fitting(c.descriptors, c.outboxes); got != c.want {
			t.Errorf("%d descriptors, %d outboxes: %d transfers, want %d", c.descriptors, c.outboxes, got, c.want)
		}
	}
	for _, asked := range []int{0, 1, 64} {
		p := newPace(asked, 2, time.Now)
		for range 100 { // the more it may carry, the more it tries
			p.climb.window(time.Now(), 1e6)
		}
		if p.size() > 2 {
			t.Errorf("with transfers: %d, %d run at once where 2 fit", asked, p.size())
		}
	}
}
