package cli

import (
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
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
	began time.Time // when the first file was sent or its first bytes left
	bytes int64
	seen  float64 // seconds since the first bytes
}

// leastSeen is for how long an upload must have run, and leastDone how much of it be done, before the
// time left is guessed.
const (
	leastSeen = 3 * time.Second
	leastDone = 0.02
)

// settledBytes are the bytes of files that are done with, and what has left of those under way.
func settledBytes(t courier.Tally) int64 {
	return min(max(t.SentBytes, t.LeftBytes), t.AcceptedSize)
}

// see takes the counts of now.
func (p *pulse) see(t courier.Tally, now time.Time) {
	p.tally = t
	bytes := settledBytes(t)
	if !p.at.IsZero() {
		if span := now.Sub(p.at).Seconds(); span > 0 && bytes > 0 {
			rate := float64(bytes-p.bytes) / span
			p.seen += span
			weight := min(1, max(span/5, span/p.seen)) // about the last five seconds
			p.rate += (rate - p.rate) * weight
		}
	}
	files := t.Sent + t.Quarantined + t.Gone + t.Changed
	if p.began.IsZero() && (bytes > 0 || files > 0) {
		p.began = now
		if !p.at.IsZero() {
			p.began = p.at
		}
	}
	// Small files cost by their number and large ones by their bytes: what is done is the mean of both.
	var parts []float64
	if t.Accepted > 0 {
		parts = append(parts, float64(files)/float64(t.Accepted))
	}
	if t.AcceptedSize > 0 {
		parts = append(parts, float64(bytes)/float64(t.AcceptedSize))
	}
	done := 0.0
	for _, part := range parts {
		done += min(1, part) / float64(len(parts))
	}
	ran := now.Sub(p.began)
	if p.known = t.Scanned && !p.began.IsZero() && ran >= leastSeen && done >= leastDone; p.known {
		p.left = time.Duration(float64(ran) * (1 - done) / done)
	}
	p.at, p.bytes = now, bytes
}

// line is the progress in words.
func (p *pulse) line(words *locale.Printer) string {
	t := p.tally
	text := words.Text("cli.progress", "n", t.Accepted, "done", t.Sent+t.Quarantined,
		"bytes", locale.Size(settledBytes(t)), "size", locale.Size(t.AcceptedSize), "rate", locale.Rate(p.rate))
	switch {
	case t.Away > time.Second:
		text += words.Signs(" · ") + words.Text("cli.progress-away", "time", t.Away.Truncate(time.Second))
	case p.known:
		text += words.Signs(" · ") + words.Text("cli.progress-left", "left", max(p.left.Round(time.Second), time.Second))
	}
	return text
}

// progress shows how far an upload is on standard error: as a bar on a terminal, as a line now and then elsewhere.
type progress struct {
	words *locale.Printer
	out   io.Writer
	line  func(text string) // where the log is JSON; else nil
	bars  *mpb.Progress     // on a terminal
	bar   *mpb.Bar
	width int // of the terminal
	text  atomic.Pointer[string]
	pulse pulse
	quit  chan struct{}
	ended chan struct{}
}

// start begins to show.
func (p *progress) start(a *app, c *courier.Courier) {
	p.words, p.out = a.words, a.stderr
	if a.flags.logFormat == "json" {
		p.line = func(text string) { a.jsonLine(slog.LevelInfo, "", text) }
	}
	p.quit, p.ended = make(chan struct{}), make(chan struct{})
	every := lineEvery
	if terminal(a.stderr) && p.line == nil {
		every = barEvery
		p.width = a.width(a.stderr)
		p.bars = mpb.New(mpb.WithOutput(a.stderr), mpb.WithWidth(p.barWidth()), mpb.WithAutoRefresh())
		p.bar = p.bars.New(0, mpb.BarStyle(), mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			if text := p.text.Load(); text != nil {
				return *text
			}
			return ""
		})))
	}
	go func() {
		defer close(p.ended)
		timer := time.NewTicker(every)
		defer timer.Stop()
		for {
			select {
			case <-p.quit:
				return
			case <-timer.C:
				p.show(c.Tally())
			}
		}
	}()
}

func (p *progress) show(t courier.Tally) {
	p.pulse.see(t, time.Now())
	text := p.pulse.line(p.words)
	if p.bars == nil {
		p.say(text)
		return
	}
	text = locale.Cut(text, max(8, p.width-p.barWidth()-2)) // a line that wraps leaves rubbish behind
	p.text.Store(&text)
	p.bar.SetTotal(max(1, t.AcceptedSize), false)
	p.bar.SetCurrent(settledBytes(t))
}

// barWidth is how wide the bar is: a third of the screen, at most 40 columns.
func (p *progress) barWidth() int { return min(40, p.width/3) }

// say writes lines above the bar.
func (p *progress) say(text string) {
	if p.line != nil {
		p.line(text)
		return
	}
	if p.bars != nil {
		_, _ = fmt.Fprintln(p.bars, text) // progress is no result
		return
	}
	fmt.Fprintln(p.out, text)
}

// stop ends showing; the bar goes.
func (p *progress) stop() {
	close(p.quit)
	<-p.ended
	if p.bars != nil {
		p.bar.Abort(true)
		p.bars.Wait()
	}
}
