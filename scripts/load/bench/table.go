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

// aboveVersion is a bound on the median of CPU over that of agent version, in milliseconds.
func aboveVersion(load string) func(*Results) (float64, bool) {
	return func(r *Results) (float64, bool) {
		return 1000 * (median(each(r.good(load, "agent"), cpu)) - median(each(r.good("version-"+load, "agent"), cpu))), r.has(load, "agent")
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
	{"judge-one", "CPU above agent version, ms", 35, false, aboveVersion("judge-one")},
	{"judge-not", "CPU above agent version, ms", 100, false, aboveVersion("judge-not")},
	{"judge-managed", "CPU, s", 6, false, own("judge-managed", cpu)},
	{"judge-1000", "CPU, s", 4, false, own("judge-1000", cpu)},
	{"judge-120", "CPU, s", 5, false, own("judge-120", cpu)},
	{"judge-*", "peak resident memory, MB", 200, false, func(r *Results) (float64, bool) {
		worst, some := 0.0, false
		for name := range questions {
			got, ok := most(name, func(run Run) float64 { return float64(run.Peak) / 1000 })(r)
			worst, some = max(worst, got), some || ok
		}
		return worst, some
	}},
	{"binary", "MB", 25, false, func(r *Results) (float64, bool) { return float64(r.Sizes["agent"]) / 1e6, r.Sizes["agent"] > 0 }},
}

// language is what the tables are headed with.
type language struct {
	measured, bounds, costs string
	words                   func(string) string // of a load or a bound
}

var languages = map[string]language{
	"en": {"Measured on %s, %s.", "| load | what | figure | must | |",
		"| load | peer | wall s | CPU s | CPU × bare | anonymous MB | resident MB | requests | connections | |",
		func(s string) string { return s }},
	"es": {"Medido el %s, %s.", "| carga | qué | cifra | debe | |",
		"| carga | programa | reloj s | CPU s | CPU × bare | anónima MB | residente MB | solicitudes | conexiones | |",
		func(s string) string { return cmp.Or(spanish[s], s) }},
}

// spanish are the descriptions of loads and bounds in Spanish.
var spanish = map[string]string{
	"CPU over bare's":                            "CPU respecto a la de bare",
	"CPU over s5cmd's":                           "CPU respecto a la de s5cmd",
	"CPU over bare's one-pass stream":            "CPU respecto al envío de una pasada de bare",
	"peak anonymous memory, MB":                  "memoria anónima máxima, MB",
	"wall over files × 20 ms ÷ 64":               "reloj respecto a archivos × 20 ms ÷ 64",
	"requests":                                   "solicitudes",
	"CPU, s":                                     "CPU, s",
	"requests over files":                        "solicitudes por archivo",
	"wall over bare's":                           "reloj respecto al de bare",
	"% of a core":                                "% de un núcleo",
	"files/s of the last tenth over the first's": "archivos/s del último décimo respecto al primero",
	"agent version, ms":                          "agent version, ms",
	"one file, ms above bare":                    "un archivo, ms por encima de bare",
	"MB":                                         "MB",
	"5,000 files of 4 KiB":                       "5000 archivos de 4 KiB",
	"500 files of 1 MiB":                         "500 archivos de 1 MiB",
	"one file of 2 GiB":                          "un archivo de 2 GiB",
	"w1 with 20 ms added to each answer":         "w1 con 20 ms más en cada respuesta",
	"w1 again, nothing changed":                  "w1 otra vez, sin cambios",
	"w1 with 5 % of the answers 503 SlowDown":    "w1 con un 5 % de respuestas 503 SlowDown",
	"w1 over TLS":                                "w1 por TLS",
	"w3 over TLS":                                "w3 por TLS",
	"idle: 100,000 settled files in 1,000 folders, watched": "en reposo: 100 000 archivos asentados en 1000 carpetas vigiladas",
	"a backlog of 1,000,000 files of 1 KiB":                 "aparecen de golpe 1 000 000 de archivos de 1 KiB",
	"agent version; one file of 4 KiB":                      "agent version; un archivo de 4 KiB",
	"60 policies, one process for each":                     "60 políticas, un proceso para cada una",
	"CPU above agent version, ms":                           "CPU por encima de agent version, ms",
	"peak resident memory, MB":                              "memoria residente máxima, MB",
	"audit of a policy of one statement":                    "auditoría de una política de una declaración",
	"audit of a policy of NotAction":                        "auditoría de una política con NotAction",
	"audit of a policy that goes over the budget":           "auditoría de una política que supera el presupuesto",
	"audit of AWS's 1,582 managed policies, in one process": "auditoría de las 1582 políticas administradas de AWS, en un proceso",
	"audit of 1,000 users with 10 statements each":          "auditoría de 1000 usuarios con 10 declaraciones cada uno",
	"audit of 120 users and roles with AWS's own policies":  "auditoría de 120 usuarios y roles con políticas de AWS",
}

// programs are all that can stand in the table, in its order; agents under other names come last.
func (r *Results) programs() []string {
	var list []string
	for _, p := range all {
		list = append(list, p.name)
	}
	for _, a := range auditors[1:] {
		list = append(list, a.name)
	}
	return append(list, r.others(list)...)
}

// others are the programs that ran and are not in a list.
func (r *Results) others(list []string) []string {
	var more []string
	for _, run := range r.Runs {
		if !slices.Contains(list, run.Peer) && !slices.Contains(more, run.Peer) {
			more = append(more, run.Peer)
		}
	}
	return more
}

// compared are bounds on the ratio of the agent to another agent that ran beside it.
func (r *Results) compared() []bound {
	var list []bound
	var known []string
	for _, p := range all {
		known = append(known, p.name)
	}
	for _, a := range auditors {
		known = append(known, a.name)
	}
	for _, other := range r.others(known) {
		for _, l := range loads {
			for what, of := range map[string]func(Run) float64{"CPU": cpu, "wall": wall} {
				list = append(list, bound{l.name, what + " over that of " + other, 1.03, false, over(l.name, other, of)})
			}
		}
	}
	slices.SortFunc(list, func(a, b bound) int { return cmp.Or(cmp.Compare(a.what, b.what), cmp.Compare(a.load, b.load)) })
	return list
}

// table is the figures as Markdown.
func (r *Results) table(l language) string {
	var b strings.Builder
	fmt.Fprintf(&b, l.measured+"\n\n", r.Generated.Format("2006-01-02"), r.Machine)
	fmt.Fprintf(&b, "%s\n|---|---|---|---|---|\n", l.bounds)
	for _, c := range append(slices.Clone(bounds), r.compared()...) {
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
		fmt.Fprintf(&b, "| %s | %s | %.4g | %s %g | %s |\n", c.load, l.words(c.what), got, sign, c.must, mark)
	}
	fmt.Fprintf(&b, "\n%s\n|---|---|---|---|---|---|---|---|---|---|\n", l.costs)
	seen := map[string]bool{}
	for _, load := range loads {
		for _, p := range r.programs() {
			runs := r.good(load.name, p)
			faults := map[string]bool{}
			for _, run := range r.Runs {
				if run.Load == load.name && run.Peer == p && run.Fault != "" {
					faults[run.Fault] = true
				}
			}
			if len(runs) == 0 && len(faults) == 0 {
				continue
			}
			seen[load.name] = true
			ratio := "–"
			if n := r.ratio(load.name, p, "bare", cpu); n > 0 {
				ratio = fmt.Sprintf("%.2f", n)
			}
			fmt.Fprintf(&b, "| %s | %s | %.2f | %.2f | %s | %.0f | %.0f | %d | %d | %s |\n", load.name, p,
				median(each(runs, wall)), median(each(runs, cpu)), ratio,
				median(each(runs, anon)), median(each(runs, func(r Run) float64 { return float64(r.Peak) / 1000 })),
				median(each(runs, func(r Run) int64 { return r.Requests })), median(each(runs, func(r Run) int64 { return r.Connections })),
				strings.Join(slices.Sorted(maps.Keys(faults)), "; "))
		}
	}
	b.WriteByte('\n')
	for _, load := range loads {
		if seen[load.name] {
			fmt.Fprintf(&b, "- %s: %s.\n", load.name, l.words(load.what))
		}
	}
	return b.String()
}
