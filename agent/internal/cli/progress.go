package cli

import (
	"fmt"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"buzon/agent/internal/locale"
	"buzon/agent/internal/send/courier"
)

// How often progress is shown.
const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 10 * time.Second
)

// pulse turns counts into rate and time left.
type pulse struct {
	tally courier.Tally
	rate  float64 // bytes a second, smoothed
	left  time.Duration
	known bool // left is known

	at    time.Time
	bytes int64
}

// settledBytes are the bytes of files that are done with, and what has left of those under way.
func settledBytes(t courier.Tally) int64 {
	return min(max(t.SentBytes, t.LeftBytes), t.AcceptedSize)
}

// see takes the counts of now.
func (p *pulse) see(t courier.Tally, now time.Time) {
	p.tally = t
	bytes := settledBytes(t)
	if !p.at.IsZero() {
		if span := now.Sub(p.at).Seconds(); span > 0 {
			rate := float64(bytes-p.bytes) / span
			weight := min(1, span/5) // about the last five seconds
			p.rate += (rate - p.rate) * weight
		}
	}
	p.at, p.bytes = now, bytes
	p.known = t.Scanned && p.rate > 1
	if p.known {
		p.left = time.Duration(float64(t.AcceptedSize-bytes) / p.rate * float64(time.Second))
	}
}

// line is the progress in words.
func (p *pulse) line(words *locale.Printer) string {
	t := p.tally
	text := words.Text("cli.progress", "n", t.Accepted, "done", t.Sent+t.Quarantined,
		"bytes", locale.Size(settledBytes(t)), "size", locale.Size(t.AcceptedSize), "rate", locale.Rate(p.rate))
	if p.known {
		text += " · " + words.Text("cli.progress-left", "left", p.left.Round(time.Second))
	}
	return text
}

// showProgress shows how far c is on standard error, as a bar on a terminal and as a line now and then elsewhere,
// until the returned function is called.
func (a *app) showProgress(c *courier.Courier) (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	var p pulse
	tick := func(every time.Duration, show func()) {
		defer close(ended)
		timer := time.NewTicker(every)
		defer timer.Stop()
		for {
			select {
			case <-quit:
				return
			case <-timer.C:
			}
			p.see(c.Tally(), time.Now())
			show()
		}
	}
	if !terminal(a.stderr) {
		go tick(lineEvery, func() { fmt.Fprintln(a.stderr, p.line(a.words)) })
		return func() { close(quit); <-ended }
	}
	var text string
	bars := mpb.New(mpb.WithOutput(a.stderr), mpb.WithWidth(40), mpb.WithAutoRefresh())
	bar := bars.New(0, mpb.BarStyle(), mpb.BarRemoveOnComplete(),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return text })))
	go tick(barEvery, func() {
		text = p.line(a.words)
		bar.SetTotal(max(1, p.tally.AcceptedSize), false)
		bar.SetCurrent(settledBytes(p.tally))
	})
	return func() {
		close(quit)
		<-ended
		bar.Abort(true)
		bars.Wait()
	}
}
