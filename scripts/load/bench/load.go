package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// load is one kind of work.
type load struct {
	name, what string
	files      int
	folders    int
	size       int64
	transfers  int // at once, for the peers that are told
	server     []string
	tls        bool
	again      bool // the folder was sent before, and nothing changed
	run        func(ctx context.Context, b *bench, l load, peers []peer) error
}

const mebi = 1 << 20

var loads = []load{
	{name: "w1", what: "5,000 files of 4 KiB", files: 5000, folders: 50, size: 4096, transfers: 16, run: rounds},
	{name: "w2", what: "500 files of 1 MiB", files: 500, size: mebi, transfers: 16, run: rounds},
	{name: "w3", what: "one file of 2 GiB", files: 1, size: 2048 * mebi, transfers: 16, run: rounds},
	{name: "w4", what: "w1 with 20 ms added to each answer", files: 5000, folders: 50, size: 4096, transfers: 64, server: []string{"-latency", "20ms"}, run: rounds},
	{name: "w5", what: "w1 again, nothing changed", files: 5000, folders: 50, size: 4096, transfers: 16, again: true, run: rounds},
	{name: "w6", what: "w1 with 5 % of the answers 503 SlowDown", files: 5000, folders: 50, size: 4096, transfers: 16, server: []string{"-fault", "slow-down=0.05"}, run: rounds},
	{name: "w1t", what: "w1 over TLS", files: 5000, folders: 50, size: 4096, transfers: 16, tls: true, run: rounds},
	{name: "w3t", what: "w3 over TLS", files: 1, size: 2048 * mebi, transfers: 16, tls: true, run: rounds},
	{name: "w7", what: "idle: 100,000 settled files in 1,000 folders, watched", files: 100_000, folders: 1000, size: 16, run: idle},
	{name: "w8", what: "a backlog of 1,000,000 files of 1 KiB", folders: 1000, size: 1024, run: backlog},
	{name: "start", what: "agent version; one file of 4 KiB", files: 1, size: 4096, transfers: 1, run: starts},
	{name: "audit", what: "60 policies, one process for each", run: audits},
	{name: "judge-one", what: "audit of a policy of one statement", run: judging},
	{name: "judge-not", what: "audit of a policy of NotAction", run: judging},
	{name: "judge-hard", what: "audit of a policy that goes over the budget", run: judging},
	{name: "judge-managed", what: "audit of AWS's 1,582 managed policies, in one process", run: judging},
	{name: "judge-1000", what: "audit of 1,000 users with 10 statements each", run: judging},
	{name: "judge-120", what: "audit of 120 users and roles with AWS's own policies", run: judging},
}

func (b *bench) load(ctx context.Context, l load, peers []peer) error {
	fmt.Fprintf(os.Stderr, "bench: %s, %s\n", l.name, l.what)
	return l.run(ctx, b, l, peers)
}

// add keeps a run and tells of it.
func (b *bench) add(r Run) {
	b.results.Runs = append(b.results.Runs, r)
	fmt.Fprintf(os.Stderr, "  %d %-7s wall %.2f s, CPU %.2f s, anonymous %.1f MB, %d requests %s\n",
		r.Round, r.Peer, r.Wall, r.CPU, float64(r.Anon)/1000, r.Requests, r.Fault)
}

// dataOf is the folder that a load sends. Loads of the same shape share one.
func (b *bench) dataOf(l load) (string, error) {
	return b.tree(fmt.Sprintf("%dx%d", l.files, l.size), l.files, l.folders, l.size)
}

// rounds lets every peer do the work in turn.
func rounds(ctx context.Context, b *bench, l load, peers []peer) error {
	dir, err := b.dataOf(l)
	if err != nil {
		return err
	}
	s, err := b.serve(ctx, l, false)
	if err != nil {
		return err
	}
	defer s.stop()
	listed := s // for those who look at the bucket to find out what was sent
	if l.again {
		if listed, err = b.serve(ctx, l, true); err != nil {
			return err
		}
		defer listed.stop()
	}
	for round := range b.rounds {
		// Each round begins with another peer, so that none always follows the same one.
		order := slices.Concat(peers[round%len(peers):], peers[:round%len(peers)])
		for _, p := range order {
			if p.name == "awscli" && round > 0 && l.files > 1 {
				continue // a minute of CPU for the same answer
			}
			at := listed
			if p.ours || p.name == "bare" {
				at = s
			}
			if err := b.once(ctx, l, round, p, at, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// once is one measured run of one peer.
func (b *bench) once(ctx context.Context, l load, round int, p peer, s *server, dir string) error {
	if err := os.RemoveAll(b.state()); err != nil {
		return err
	}
	if _, err := s.ask("reset"); err != nil {
		return err
	}
	if l.again && p.name != "bare" { // which remembers nothing, and sends it all again
		if err := b.measure(ctx, p.send(b, dir, s, l, false), &Run{}); err != nil {
			return err
		}
	}
	if _, err := s.ask("zero"); err != nil {
		return err
	}
	r := Run{Load: l.name, Round: round, Peer: p.name}
	if err := b.measure(ctx, p.send(b, dir, s, l, l.again), &r); err != nil {
		return err
	}
	if err := r.count(s); err != nil {
		return err
	}
	if bytes := int64(l.files) * l.size; r.Fault == "" && !l.again && (r.Objects < int64(l.files) || r.Bytes < bytes) {
		r.Fault = fmt.Sprintf("only %d of %d objects, %d of %d bytes arrived", r.Objects, l.files, r.Bytes, bytes)
	}
	b.add(r)
	return nil
}

func (r *Run) count(s *server) error {
	c, err := s.ask("stats")
	r.Requests, r.Objects, r.Bytes, r.Connections = c.Requests, c.Objects, c.Bytes, c.Connections
	return err
}

// configure writes the agent's configuration for one outbox.
func (b *bench) configure(dir string) (string, error) {
	file := filepath.Join(b.work, "agent.yaml")
	text := strings.Join([]string{
		"bucket: " + bucket, "prefix: " + prefix, "region: " + region, "state: " + b.state(), "listen: \"\"",
		"outboxes:", "  - path: " + dir, "",
	}, "\n")
	return file, os.WriteFile(file, []byte(text), 0o600)
}

// idle sends everything and then watches the agent do nothing, as it comes: with a rescan every five minutes.
func idle(ctx context.Context, b *bench, l load, peers []peer) error {
	dir, err := b.dataOf(l)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(b.state()); err != nil {
		return err
	}
	s, err := b.serve(ctx, l, false)
	if err != nil {
		return err
	}
	defer s.stop()
	config, err := b.configure(dir)
	if err != nil {
		return err
	}
	cmd, log, err := b.start(ctx, command{[]string{filepath.Join(b.bin, "agent"), "run", "--config", config}, []string{"AWS_ENDPOINT_URL=" + s.url}})
	if err != nil {
		return err
	}
	defer log.Close()
	defer func() {
		_ = cmd.Process.Kill() // its state is thrown away
		_ = cmd.Wait()
	}()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	r := Run{Load: l.name, Peer: "agent"}
	var began time.Time
	var before float64
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		switch {
		case began.IsZero():
			c, err := s.ask("stats")
			if err != nil {
				return err
			}
			if c.Objects < int64(l.files) {
				continue
			}
			began = time.Now()
			if before, err = cpuOf(cmd.Process.Pid); err != nil {
				return errors.New(lastLine(log.Name()))
			}
		case time.Since(began) < b.idle:
			r.sample(cmd.Process.Pid)
		default:
			after, err := cpuOf(cmd.Process.Pid)
			if err != nil {
				return errors.New(lastLine(log.Name()))
			}
			r.Wall, r.CPU = time.Since(began).Seconds(), after-before
			b.add(r)
			return nil
		}
	}
}

// backlog sends very many small files, and looks whether the last go as fast as the first.
func backlog(ctx context.Context, b *bench, l load, peers []peer) error {
	l.files = b.backlog
	dir, err := b.dataOf(l)
	if err != nil {
		return err
	}
	for _, p := range peers {
		if !p.ours {
			continue
		}
		if err := b.pour(ctx, l, p, dir); err != nil {
			return err
		}
	}
	return nil
}

// pour lets one agent send a backlog.
func (b *bench) pour(ctx context.Context, l load, p peer, dir string) error {
	if err := os.RemoveAll(b.state()); err != nil {
		return err
	}
	s, err := b.serve(ctx, l, false)
	if err != nil {
		return err
	}
	defer s.stop()
	r := Run{Load: l.name, Peer: p.name}
	var times []float64 // when each tenth was there
	stop := make(chan struct{})
	watched := make(chan struct{})
	began := time.Now()
	go func() {
		defer close(watched)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		first := int64(0)
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			c, err := s.ask("stats")
			if err != nil {
				return
			}
			if first == 0 && c.Objects > 0 {
				first = c.Objects
				times = append(times, time.Since(began).Seconds())
			}
			for len(times) > 0 && len(times) <= 10 && c.Objects >= int64(len(times))*int64(l.files)/10 {
				times = append(times, time.Since(began).Seconds())
			}
		}
	}()
	err = b.measure(ctx, p.send(b, dir, s, l, false), &r)
	close(stop)
	<-watched
	if err != nil {
		return err
	}
	if err := r.count(s); err != nil {
		return err
	}
	if len(times) >= 11 {
		tenth := float64(l.files) / 10
		r.FirstTenth, r.LastTenth = tenth/(times[1]-times[0]), tenth/(times[10]-times[9])
	} else if r.Fault == "" {
		r.Fault = fmt.Sprintf("only %d of %d objects arrived", r.Objects, l.files)
	}
	b.add(r)
	return nil
}

// starts measures how long it takes to do almost nothing.
func starts(ctx context.Context, b *bench, l load, peers []peer) error {
	for round := range 20 {
		r := Run{Load: "version", Round: round, Peer: "agent"}
		if err := b.measure(ctx, command{args: []string{filepath.Join(b.bin, "agent"), "version"}}, &r); err != nil {
			return err
		}
		b.add(r)
	}
	more := *b
	more.rounds = max(b.rounds, 20)
	err := growth(ctx, &more, l, peers)
	b.results = more.results
	return err
}

// grown are loads of growing work, named by it: "files-1000" are as many files of 1 KiB, "size-32" is one file of as many
// MiB.
func grown(name string) (load, bool) {
	kind, text, _ := strings.Cut(name, "-")
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n <= 0:
		return load{}, false
	case kind == "files":
		return load{name: name, what: fmt.Sprintf("%d files of 1 KiB", n), files: n, folders: min(n, 1000), size: 1024, transfers: 16, run: growth}, true
	case kind == "size":
		return load{name: name, what: fmt.Sprintf("one file of %d MiB", n), files: 1, size: int64(n) * mebi, transfers: 16, run: growth}, true
	}
	return load{}, false
}

// growth compares only the agent and the yardstick.
func growth(ctx context.Context, b *bench, l load, peers []peer) error {
	return rounds(ctx, b, l, slices.DeleteFunc(slices.Clone(peers), func(p peer) bool { return p.name != "bare" && !p.ours }))
}
