// Command bench measures the agent beside its peers, on loopback, as whole processes: wall time, CPU seconds, memory,
// and what the server counted. scripts/bench builds what it needs and runs it.
//
//	bench -bin DIR -work DIR [-rounds 5] [-loads w1,w2] [-files 1000,100000] [-sizes 1,512] [-peers bare,agent] [-o DIR]
//
// Each load is run by each peer in turn, in rounds, so that whatever else the machine does meets all of them alike;
// a ratio is the median of the ratios within one round. Trust CPU seconds and ratios more than wall time.
// It does not judge: the table shows the figures, and which of the project's bounds they meet.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run of the whole matrix.
type bench struct {
	bin, work string
	rounds    int
	idle      time.Duration
	backlog   int
	results   Results
}

// Results is the JSON form of a run.
type Results struct {
	Generated time.Time `json:"generated"`
	Machine   string    `json:"machine"`
	Runs      []Run     `json:"runs"`
	// Sizes of binaries, in bytes.
	Sizes map[string]int64 `json:"sizes"`
}

func run(ctx context.Context, args []string) error {
	b := bench{results: Results{Generated: time.Now().UTC().Truncate(time.Second), Sizes: map[string]int64{}}}
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.StringVar(&b.bin, "bin", "", "folder of the programs: agent, bare, null, and the peers that are there")
	flags.StringVar(&b.work, "work", "", "folder for data and state")
	flags.IntVar(&b.rounds, "rounds", 5, "rounds of each load")
	flags.DurationVar(&b.idle, "idle", 10*time.Minute, "how long w7 watches; a multiple of the rescan's five minutes")
	flags.IntVar(&b.backlog, "backlog", 1_000_000, "files of w8")
	which := flags.String("loads", "w1,w2,w3,w4,w5,w6,w1t,w3t,w7,w8,start", "the loads to run")
	files := flags.String("files", "", "run growing numbers of files of 1 KiB instead, such as 1000,1000000")
	sizes := flags.String("sizes", "", "run growing files instead, in MiB, such as 1,8192; with -files both")
	who := flags.String("peers", "", "only these peers (default: all whose program is there); NAME=PROGRAM is another agent")
	out := flags.String("o", "", "folder for table.md, results.json and the plots (default: only print the table)")
	again := flags.String("table", "", "make table and plots again from these results.json files (a comma between), and measure nothing")
	docs := flags.String("docs", "", "with -table: put them into this folder's pages about performance")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *again != "" {
		for _, file := range strings.Split(*again, ",") {
			var part Results
			data, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(data, &part)
			}
			if err != nil {
				return err
			}
			b.results.Generated, b.results.Machine, b.results.Sizes = part.Generated, part.Machine, part.Sizes
			b.results.Runs = append(b.results.Runs, part.Runs...)
		}
		if *docs != "" {
			return b.results.document(*docs)
		}
		return b.show(*out)
	}
	if err := b.machine(); err != nil {
		return err
	}
	peers, err := b.peers(*who)
	if err != nil {
		return err
	}
	names := strings.Split(*which, ",")
	if *files != "" || *sizes != "" {
		names = slices.Concat(prefixed("files-", *files), prefixed("size-", *sizes))
	}
	for _, name := range names {
		l, ok := grown(name)
		if i := slices.IndexFunc(loads, func(l load) bool { return l.name == name }); i >= 0 {
			l, ok = loads[i], true
		}
		if !ok {
			return fmt.Errorf("there is no load %q", name)
		}
		if err := b.load(ctx, l, peers); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return b.show(*out)
}

// prefixed are the parts of a list with a comma between, each behind a prefix; "" has none.
func prefixed(prefix, list string) []string {
	var names []string
	for part := range strings.SplitSeq(list, ",") {
		if part != "" {
			names = append(names, prefix+strings.TrimSpace(part))
		}
	}
	return names
}

// machine notes where this runs, and how large the binaries are.
func (b *bench) machine() error {
	b.results.Machine = fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	for _, name := range []string{"agent", "bare", "s5cmd", "rclone"} {
		info, err := os.Stat(filepath.Join(b.bin, name))
		switch {
		case err == nil:
			b.results.Sizes[name] = info.Size()
		case !errors.Is(err, os.ErrNotExist):
			return err
		}
	}
	return os.MkdirAll(b.work, 0o700)
}

// show prints the table, and writes everything where it is asked to.
func (b *bench) show(out string) error {
	table := b.results.table(languages["en"])
	fmt.Print(table)
	if out == "" {
		return nil
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(b.results, "", " ")
	if err != nil {
		return err
	}
	files := map[string][]byte{"results.json": append(data, '\n'), "table.md": []byte(table)}
	for name, plot := range b.results.plots() {
		files[name] = plot
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(out, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
