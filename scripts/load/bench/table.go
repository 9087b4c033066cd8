package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// good are the runs of a load by a peer that went well.
func (r *Results) good(load, peer string) []Run {
	var list []Run
	for _, run := range r.Runs {
		if run.Load == load && run.Peer == peer && run.Fault == "" {
			list = append(list, run)
		}
	}
	return list
}

func median[T cmp.Ordered](list []T) T {
	var zero T
	if len(list) == 0 {
		return zero
	}
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

func each[T any](runs []Run, of func(Run) T) []T {
	list := make([]T, len(runs))
	for i, run := range runs {
		list[i] = of(run)
	}
	return list
}

// ratio is the median of a peer's figure over another's in the same round; 0 where they share no round.
func (r *Results) ratio(load, peer, to string, of func(Run) float64) float64 {
	var ratios []float64
	for _, a := range r.good(load, peer) {
		for _, b := range r.good(load, to) {
			if a.Round == b.Round && of(b) > 0 {
				ratios = append(ratios, of(a)/of(b))
			}
		}
	}
	return median(ratios)
}

func cpu(r Run) float64  { return r.CPU }
func wall(r Run) float64 { return r.Wall }

// bound is one of the project's own bounds.
type bound struct {
	load, what string
	must       float64
	least      bool // must is the least, not the most
	figure     func(r *Results) (float64, bool)
}

func (r *Results) has(load, peer string) bool { return len(r.good(load, peer)) > 0 }

// over is a bound on the ratio of the agent to another peer.
func over(load, peer string, of func(Run) float64) func(*Results) (float64, bool) {
	return func(r *Results) (float64, bool) {
		return r.ratio(load, "agent", peer, of), r.has(load, "agent") && r.has(load, peer)
	}
}

// own is a bound on the median of a figure of the agent's.
func own(load string, of func(Run) float64) func(*Results) (float64, bool) {
	return func(r *Results) (float64, bool) { return median(each(r.good(load, "agent"), of)), r.has(load, "agent") }
}

// most is a bound on the worst of a figure of the agent's.
func most(load string, of func(Run) float64) func(*Results) (float64, bool) {
	return func(r *Results) (float64, bool) {
		list := each(r.good(load, "agent"), of)
		if len(list) == 0 {
			return 0, false
		}
		return slices.Max(list), true
	}
}

func anon(r Run) float64 { return float64(r.Anon) / 1000 }

var bounds = []bound{
	{"w1", "CPU over bare's", 2, false, over("w1", "bare", cpu)},
	{"w1", "CPU over s5cmd's", 0.5, false, over("w1", "s5cmd", cpu)},
	{"w1", "peak anonymous memory, MB", 48, false, most("w1", anon)},
	{"w2", "CPU over bare's", 1.5, false, over("w2", "bare", cpu)},
	{"w3", "CPU over bare's one-pass stream", 1.2, false, over("w3", "bare", cpu)},
	{"w3", "peak anonymous memory, MB", 48, false, most("w3", anon)},
	{"w3t", "CPU over bare's one-pass stream", 1.2, false, over("w3t", "bare", cpu)},
	{"w3t", "peak anonymous memory, MB", 48, false, most("w3t", anon)},
	{"w4", "wall over files × 20 ms ÷ 64", 1.3, false, own("w4", func(r Run) float64 { return r.Wall / (5000 * 0.020 / 64) })},
	{"w5", "requests", 0, false, most("w5", func(r Run) float64 { return float64(r.Requests) })},
	{"w5", "CPU, s", 0.15, false, own("w5", cpu)},
	{"w6", "requests over files", 1.1, false, most("w6", func(r Run) float64 { return float64(r.Requests) / 5000 })},
	{"w6", "wall over bare's", 1.5, false, over("w6", "bare", wall)},
	{"w7", "% of a core", 0.2, false, own("w7", func(r Run) float64 { return 100 * r.CPU / r.Wall })},
	{"w7", "peak anonymous memory, MB", 64, false, most("w7", anon)},
	{"w8", "peak anonymous memory, MB", 128, false, most("w8", anon)},
	{"w8", "files/s of the last tenth over the first's", 0.8, true, own("w8", func(r Run) float64 { return r.LastTenth / r.FirstTenth })},
	{"start", "agent version, ms", 15, false, own("version", func(r Run) float64 { return 1000 * r.Wall })},
	{"start", "one file, ms above bare", 50, false, func(r *Results) (float64, bool) {
		a, b := r.good("start", "agent"), r.good("start", "bare")
		return 1000 * (median(each(a, wall)) - median(each(b, wall))), len(a) > 0 && len(b) > 0
	}},
	{"binary", "MB", 25, false, func(r *Results) (float64, bool) { return float64(r.Sizes["agent"]) / 1e6, r.Sizes["agent"] > 0 }},
}

// table is the figures as Markdown.
func (r *Results) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s, %s.\n\n", r.Generated.Format("2006-01-02"), r.Machine)
	fmt.Fprintf(&b, "| load | what | figure | must | |\n|---|---|---|---|---|\n")
	for _, c := range bounds {
		got, ok := c.figure(r)
		if !ok {
			continue
		}
		sign, mark := "≤", "✓"
		if c.least {
			sign = "≥"
		}
		if c.least != (got >= c.must) && got != c.must {
			mark = "✗"
		}
		fmt.Fprintf(&b, "| %s | %s | %.4g | %s %g | %s |\n", c.load, c.what, got, sign, c.must, mark)
	}
	fmt.Fprintf(&b, "\n| load | peer | wall s | CPU s | CPU × bare | anonymous MB | resident MB | requests | connections | |\n|---|---|---|---|---|---|---|---|---|---|\n")
	seen := map[string]bool{}
	for _, l := range loads {
		for _, p := range all {
			runs := r.good(l.name, p.name)
			faults := map[string]bool{}
			for _, run := range r.Runs {
				if run.Load == l.name && run.Peer == p.name && run.Fault != "" {
					faults[run.Fault] = true
				}
			}
			if len(runs) == 0 && len(faults) == 0 {
				continue
			}
			seen[l.name] = true
			ratio := "–"
			if n := r.ratio(l.name, p.name, "bare", cpu); n > 0 {
				ratio = fmt.Sprintf("%.2f", n)
			}
			fmt.Fprintf(&b, "| %s | %s | %.2f | %.2f | %s | %.0f | %.0f | %d | %d | %s |\n", l.name, p.name,
				median(each(runs, wall)), median(each(runs, cpu)), ratio,
				median(each(runs, anon)), median(each(runs, func(r Run) float64 { return float64(r.Peak) / 1000 })),
				median(each(runs, func(r Run) int64 { return r.Requests })), median(each(runs, func(r Run) int64 { return r.Connections })),
				strings.Join(slices.Sorted(maps.Keys(faults)), "; "))
		}
	}
	b.WriteByte('\n')
	for _, l := range loads {
		if seen[l.name] {
			fmt.Fprintf(&b, "- %s: %s.\n", l.name, l.what)
		}
	}
	return b.String()
}
