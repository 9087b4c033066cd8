package cli

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"buzon/agent/internal/locale"
	"buzon/agent/internal/send/courier"
)

// TestProgressTellsFilesBytesRateAndTimeLeft: where no terminal is, as lines.
func TestProgressTellsFilesBytesRateAndTimeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := progress{words: locale.Load("en"), out: &out}
		tally := courier.Tally{Accepted: 10, AcceptedSize: 100 << 20}
		for range 6 {
			p.show(tally)
			time.Sleep(10 * time.Second) // of the bubble's own clock
			tally.Sent++
			tally.SentBytes += 10 << 20
			tally.LeftBytes += 10 << 20
		}
		tally.Scanned = true
		p.show(tally)
		tally.Away = 90 * time.Second
		p.show(tally)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if want := "6 of 10 files · 60 MiB of 100 MiB · 1 MiB/s · 40 s left"; len(lines) != 8 || lines[6] != want {
			t.Fatalf("it says\n%s\nwant, in the 7th line, %q", out.String(), want)
		}
		if strings.Contains(strings.Join(lines[:6], ""), "left") {
			t.Errorf("it tells the time left before all files are found:\n%s", out.String())
		}
		if last := lines[len(lines)-1]; !strings.Contains(last, "1 min 30 s") {
			t.Errorf("it does not say that the store is away: %q", last)
		}
	})
}

// Many small files and one large one: the time left is never far from the truth.
func TestTheTimeLeftBlendsFilesAndBytes(t *testing.T) {
	const large, small = 40 << 20, 1500
	var p pulse
	now := time.Unix(1e9, 0)
	tally := courier.Tally{Accepted: small + 1, AcceptedSize: large + small*100, Scanned: true}
	p.see(tally, now)
	for second := 1; second <= 60; second++ { // the small ones first, then the large one
		now = now.Add(time.Second)
		if second <= 30 {
			tally.Sent += small / 30
			tally.LeftBytes += small / 30 * 100
		} else {
			tally.LeftBytes += large / 30
		}
		p.see(tally, now)
		if second < 3 && p.known {
			t.Errorf("after %d s it is told already", second)
		}
		if truth := time.Duration(60-second) * time.Second; p.known && (p.left > 4*truth+30*time.Second || p.left < truth/4) {
			t.Errorf("after %d s it says %v, and it will be %v", second, p.left, truth)
		}
	}
}
