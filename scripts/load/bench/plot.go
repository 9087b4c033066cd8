package main

import (
	"cmp"
	"fmt"
	"html"
	"maps"
	"math"
	"slices"
	"strings"
)

// The plots are small SVG files of this program's own making: bars from zero and lines on logarithmic axes, readable on a
// light and on a dark page, with nothing but rectangles, lines and texts.

const (
	plotWidth  = 640
	plotMargin = 110
	barHeight  = 22
)

type svg struct {
	strings.Builder
	width, height int
}

func newSVG(width, height int, title string) *svg {
	s := &svg{width: width, height: height}
	fmt.Fprintf(s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" font-family="system-ui, sans-serif" font-size="12">`, width, height, width, height)
	fmt.Fprintf(s, "\n<title>%s</title>\n", html.EscapeString(title))
	fmt.Fprintf(s, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	s.text(10, 18, "start", "#1a1a1a", title)
	return s
}

func (s *svg) text(x, y float64, anchor, color, text string) {
	fmt.Fprintf(s, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`+"\n", x, y, anchor, color, html.EscapeString(text))
}

func (s *svg) line(x1, y1, x2, y2 float64, color string) {
	fmt.Fprintf(s, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, color)
}

func (s *svg) bytes() []byte {
	s.WriteString("</svg>\n")
	return []byte(s.String())
}

// bar is one labelled value of a bar plot.
type bar struct {
	label string
	value float64
	ours  bool
}

// bars draws values from zero on, so that lengths can be compared.
func bars(title, unit string, list []bar) []byte {
	s := newSVG(plotWidth, 40+len(list)*barHeight+10, title)
	high := 0.0
	for _, b := range list {
		high = max(high, b.value)
	}
	for i, b := range list {
		y := float64(32 + i*barHeight)
		width := b.value / high * (plotWidth - plotMargin - 90)
		color := "#8a94a6"
		if b.ours {
			color = "#0b6e4f"
		}
		s.text(plotMargin-8, y+14, "end", "#1a1a1a", b.label)
		fmt.Fprintf(s, `<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>`+"\n", plotMargin, y, width, barHeight-5, color)
		s.text(plotMargin+width+6, y+14, "start", "#1a1a1a", fmt.Sprintf("%.3g %s", b.value, unit))
	}
	return s.bytes()
}

// series is one line of a plot.
type series struct {
	label string
	color string
	at    [][2]float64
}

// lines draws series over a logarithmic axis of work; name puts the ticks of x into words.
func lines(title, unit string, list []series, name func(float64) string) []byte {
	const height, bottom, top = 300, 40, 40
	s := newSVG(plotWidth, height, title)
	x0, x1, y0, y1 := math.Inf(1), 0.0, math.Inf(1), 0.0
	ticks := map[float64]bool{}
	for _, l := range list {
		for _, p := range l.at {
			x0, x1, y0, y1 = min(x0, p[0]), max(x1, p[0]), min(y0, p[1]), max(y1, p[1])
			ticks[p[0]] = true
		}
	}
	place := func(v, low, high, from, to float64) float64 {
		if high <= low {
			return (from + to) / 2
		}
		return from + (math.Log(v)-math.Log(low))/(math.Log(high)-math.Log(low))*(to-from)
	}
	x := func(v float64) float64 { return place(v, x0, x1, 70, plotWidth-90) }
	y := func(v float64) float64 { return place(v, y0, y1, height-bottom, top) }
	for _, t := range slices.Sorted(maps.Keys(ticks)) {
		s.line(x(t), top, x(t), height-bottom, "#e3e6ec")
		s.text(x(t), height-bottom+18, "middle", "#1a1a1a", name(t))
	}
	for exp := math.Floor(math.Log10(y0)); exp <= math.Ceil(math.Log10(y1)); exp++ {
		if v := math.Pow(10, exp); v >= y0 && v <= y1 {
			s.line(70, y(v), plotWidth-90, y(v), "#e3e6ec")
			s.text(64, y(v)+4, "end", "#1a1a1a", fmt.Sprintf("%.3g %s", v, unit))
		}
	}
	free := math.Inf(1) // where the last label stands
	for _, l := range list {
		var points strings.Builder
		for _, p := range l.at {
			fmt.Fprintf(&points, "%.1f,%.1f ", x(p[0]), y(p[1]))
		}
		fmt.Fprintf(s, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.TrimSpace(points.String()), l.color)
		if len(l.at) > 0 {
			end := l.at[len(l.at)-1]
			at := y(end[1]) + 4
			if math.Abs(at-free) < 14 { // as good as the same: the later one stands above
				at = free - 14
			}
			free = at
			s.text(x(end[0])+6, at, "start", l.color, l.label)
		}
	}
	return s.bytes()
}

// plots are the files by their names.
func (r *Results) plots() map[string][]byte {
	out := map[string][]byte{}
	for _, kind := range []struct {
		file, title, unit string
		of                func(Run) float64
	}{
		{"cpu", "CPU for 5,000 files of 4 KiB", "s", cpu},
		{"memory", "Peak resident memory for 5,000 files of 4 KiB", "MB", func(r Run) float64 { return float64(r.Peak) / 1000 }},
	} {
		var list []bar
		for _, p := range all {
			if runs := r.good("w1", p.name); len(runs) > 0 {
				list = append(list, bar{p.name, median(each(runs, kind.of)), p.name == "agent"})
			}
		}
		if len(list) > 0 {
			out[kind.file+"-by-peer.svg"] = bars(kind.title, kind.unit, list)
		}
	}
	for _, kind := range []struct {
		file, title, prefix string
		name                func(float64) string
	}{
		{"cpu-by-files.svg", "CPU as the number of files of 1 KiB grows", "files-", func(v float64) string { return fmt.Sprintf("%.0f", v) }},
		{"cpu-by-size.svg", "CPU as one file grows", "size-", func(v float64) string {
			if v >= 1024 {
				return fmt.Sprintf("%.0f GiB", v/1024)
			}
			return fmt.Sprintf("%.0f MiB", v)
		}},
	} {
		list := []series{{label: "bare", color: "#5b6575"}, {label: "agent", color: "#0b6e4f"}}
		for _, l := range r.grown(kind.prefix) {
			for i := range list {
				if runs := r.good(l.name, list[i].label); len(runs) > 0 {
					list[i].at = append(list[i].at, [2]float64{l.work(), max(median(each(runs, cpu)), 0.001)})
				}
			}
		}
		if len(list[0].at) > 1 && len(list[1].at) > 1 {
			out[kind.file] = lines(kind.title, "s", list, kind.name)
		}
	}
	return out
}

// work is what grows: files, or MiB of the one file.
func (l load) work() float64 {
	if l.files > 1 {
		return float64(l.files)
	}
	return float64(l.size) / mebi
}

// grown are the loads of growing work that were run, the least first.
func (r *Results) grown(prefix string) []load {
	var list []load
	seen := map[string]bool{}
	for _, run := range r.Runs {
		if l, ok := grown(run.Load); ok && strings.HasPrefix(run.Load, prefix) && !seen[run.Load] {
			seen[run.Load] = true
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(a, b load) int { return cmp.Compare(a.work(), b.work()) })
	return list
}
