package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"buzon/scripts/load/ordeal"
	"buzon/scripts/load/s3server"
)

var (
	ordealTime = flag.Duration("ordeal.time", 0, "how long the soak lasts; default 45s, 10m with BUZON_TEST=long")
	ordealSeed = flag.Uint64("ordeal.seed", 0, "of the soak; default: another one each time")
)

// chaos is what breaks on the way to S3 and with the keys, until it is told to be calm.
type chaos struct {
	calm   atomic.Bool
	mu     sync.Mutex
	r      *rand.Rand
	faults map[s3server.Name]int
}

// faultsOf are the faults that a call may meet, by how often. None of them holds a call for minutes: the time of
// the soak is for many faults, not for long ones.
var faultsOf = []struct {
	name  s3server.Name
	share float64
}{
	{s3server.SlowDown, 0.02}, {s3server.Internal, 0.01}, {s3server.RetryLater, 0.01}, {s3server.BadGateway, 0.005},
	{s3server.ResetBefore, 0.02}, {s3server.ResetInside, 0.02}, {s3server.ResetAfter, 0.05}, {s3server.LostAnswer, 0.06},
	{s3server.Slow, 0.02}, {s3server.Denied, 0.002}, {s3server.IdleTimeout, 0.01}, {s3server.Digest, 0.005},
	{s3server.LostUpload, 0.002}, {s3server.ErrorInside, 0.005}, {s3server.WrongChecksum, 0.0},
	{s3server.Stranger, 0.01}, {s3server.DoneThenStranger, 0.01},
}

func (c *chaos) fault(call *s3server.Call) s3server.Fault {
	if c.calm.Load() || call.Key == "" || strings.Contains(call.Key, "/.buzon/") {
		return s3server.Fault{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.r.Float64()
	for _, f := range faultsOf {
		if x -= f.share; x >= 0 {
			continue
		}
		if f.name == s3server.LostUpload && call.Op != s3server.UploadPart || f.name == s3server.ErrorInside && call.Op != s3server.CompleteMultipartUpload {
			break
		}
		c.faults[f.name]++
		fault := s3server.Fault{Name: f.name}
		switch f.name {
		case s3server.Slow:
			fault.Wait = time.Duration(c.r.IntN(400)) * time.Millisecond
		case s3server.ResetInside:
			fault.Bytes = 1 + c.r.Int64N(max(call.Size, 1))
		case s3server.Stranger, s3server.DoneThenStranger:
			all := s3server.Stranges()
			fault.Raw = all[c.r.IntN(len(all))].Raw
		}
		return fault
	}
	return s3server.Fault{}
}

// soak is one run of the ordeal.
type soak struct {
	*vm
	*chaos
	world *ordeal.World
	kills map[string]int // by what killed the agent
	sums  map[string][sha256.Size]byte
	keys  int
}

// TestOrdeal is the soak: files are written as badly as programs do, the agent is killed, the network and the keys
// break; and at the end every version of every file that was whole is in the bucket exactly once, or accounted for.
func TestOrdeal(t *testing.T) {
	if testing.Short() {
		t.Skip("the soak takes 45 seconds; scripts/test without -short runs it")
	}
	length, seed := *ordealTime, *ordealSeed
	if length == 0 {
		length = 45 * time.Second
		if os.Getenv("BUZON_TEST") == "long" {
			length = 10 * time.Minute
		}
	}
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("soak of %s; again with: scripts/ordeal -time %s -seed %d", length, length, seed)
	c := &chaos{r: rand.New(rand.NewPCG(seed, 1)), faults: map[s3server.Name]int{}}
	s := &soak{chaos: c, kills: map[string]int{}, sums: map[string][sha256.Size]byte{}}
	s.vm = newVM(t, s3server.Options{Verify: true, Fault: c.fault, Identities: []s3server.Identity{s3server.Admin},
		Allow: s3server.AdminOr(s3server.WriteOnly(bucket, prefix))}, strings.Join([]string{
		"outboxes:",
		"  - {path: HOME/keep, quiet: 150ms, settle: keep, key: 'keep/{path}'}",
		"  - {path: HOME/delete, quiet: 150ms, settle: delete, key: 'delete/{path}'}",
		"  - {path: HOME/move, quiet: 150ms, settle: 'move:HOME/moved', key: 'move/{path}'}",
		"rescan: 2s", "shutdown_timeout: 2s", `listen: ""`, "identity: {on_problem: wait, expect: " + s3server.Uploader.ARN + "}", "",
	}, "\n"))
	var boxes []*ordeal.Box
	for _, name := range []string{"keep", "delete", "move"} {
		boxes = append(boxes, &ordeal.Box{Name: name, Path: s.path(name), Takes: name != "keep"})
	}
	for _, name := range []string{"keep", "delete", "move", "moved"} {
		if err := os.Mkdir(s.path(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.world = ordeal.NewWorld(seed, boxes...)
	s.world.Squat = func(box *ordeal.Box, rel string) {
		s.server.Put(bucket, prefix+box.Name+"/"+rel, []byte("somebody else's"))
	}
	s.rotate()

	began := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() { s.murder(ctx, rand.New(rand.NewPCG(seed, 2))) })
	group.Go(func() { s.lock(ctx, rand.New(rand.NewPCG(seed, 3))) })
	for round := 0; time.Since(began) < length*3/4; round++ {
		writing, done := context.WithTimeout(ctx, min(6*time.Second, length/6))
		if err := s.world.Write(writing, round); err != nil {
			t.Error(err)
		}
		done()
	}
	cancel()
	group.Wait()
	c.calm.Store(true)
	s.rotate()
	s.finish()
}

// murder starts the agent again and again, and kills it: at a random time, or at a named point.
func (s *soak) murder(ctx context.Context, r *rand.Rand) {
	points := slices.DeleteFunc(killPoints(s.t), func(p string) bool { return elsewhere[p] != "" })
	for ctx.Err() == nil {
		point := ""
		if r.IntN(2) == 0 {
			point = points[r.IntN(len(points))]
		}
		cmd, out := s.start(fmt.Sprintf("%s:%d", point, 1+r.IntN(40)))
		ended := make(chan struct{})
		go func() { defer close(ended); _ = cmd.Wait() }() // how it ended is looked at below
		by := "kill -9"
		select {
		case <-ended:
			by = point
		case <-ctx.Done():
			by = "end"
		case <-time.After(time.Duration(300+r.IntN(2500)) * time.Millisecond):
			if r.IntN(5) == 0 {
				by = "SIGTERM"
			}
		}
		signal := syscall.SIGKILL
		if by == "SIGTERM" || by == "end" {
			signal = syscall.SIGTERM
		}
		_ = cmd.Process.Signal(signal) // it may be dead already
		<-ended
		status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if status.Exited() && status.ExitStatus() != 0 {
			s.t.Errorf("the agent ended by itself with %d:\n%s", status.ExitStatus(), tail(out.String()))
			return
		}
		s.kills[by]++
	}
}

func tail(text string) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// start runs the agent with the credentials of the file.
func (s *soak) start(kill string) (*exec.Cmd, *bytes.Buffer) {
	cmd, out := s.command(kill, "run", "--config", s.path("agent.yaml"), "--log-level", "warn")
	s.ownKeys(cmd)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return cmd, out
}

func (s *soak) ownKeys(cmd *exec.Cmd) {
	cmd.Env = append(slices.DeleteFunc(cmd.Env, func(pair string) bool {
		return strings.HasPrefix(pair, "AWS_ACCESS_KEY_ID=") || strings.HasPrefix(pair, "AWS_SECRET_ACCESS_KEY=") || strings.HasPrefix(pair, "AWS_SESSION_TOKEN=")
	}), "AWS_SHARED_CREDENTIALS_FILE="+s.path("credentials"))
}

// rotate gives the uploader a new key: in the file, and at the server, where the old one ends.
func (s *soak) rotate() {
	s.keys++
	next := s3server.Uploader
	next.AccessKey = fmt.Sprintf("AKIAORDEAL%010d", s.keys)
	next.Secret = fmt.Sprintf("made-for-this-run-%d", rand.Uint64())
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", next.AccessKey, next.Secret)
	tmp := s.path("credentials.new")
	if err := errors.Join(os.WriteFile(tmp, []byte(text), 0o600), os.Rename(tmp, s.path("credentials"))); err != nil {
		s.t.Error(err)
	}
	s.server.SetIdentities(s3server.Admin, next)
}

// lock rotates the key every few seconds, and at times revokes it for a while.
func (s *soak) lock(ctx context.Context, r *rand.Rand) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(2000+r.IntN(3000)) * time.Millisecond):
		}
		if r.IntN(3) == 0 {
			s.server.SetIdentities(s3server.Admin)
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(r.IntN(800)) * time.Millisecond):
			}
		}
		s.rotate()
	}
}

// objects are all versions in the bucket but the canary.
func (s *soak) objects() []ordeal.Object {
	var list []ordeal.Object
	for _, o := range s.server.Versions(bucket) {
		key := strings.TrimPrefix(o.Key, prefix)
		if strings.HasPrefix(key, ".buzon/") {
			continue
		}
		sum, ok := s.sums[o.VersionID]
		if !ok {
			sum = sha256.Sum256(o.Body)
			s.sums[o.VersionID] = sum
		}
		list = append(list, ordeal.Object{Key: key, Size: o.Size, Sum: sum, Foreign: o.By == s3server.Admin.ARN})
	}
	return list
}

// records are what the agent says: of inferred receipts, and of the quarantine.
func (s *soak) records() (list []ordeal.Record, receipts string) {
	run := func(codes []int, args ...string) string {
		cmd, _ := s.command("", args...)
		s.ownKeys(cmd)
		var out, fault bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &fault
		_ = cmd.Run() // by its code
		if !slices.Contains(codes, cmd.ProcessState.ExitCode()) {
			s.t.Fatalf("agent %s: exit %d: %s", args[0], cmd.ProcessState.ExitCode(), fault.String())
		}
		return out.String()
	}
	receipts = run([]int{0}, "receipts", "export", "--config", s.path("agent.yaml"))
	lines := bufio.NewScanner(strings.NewReader(receipts))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r struct {
			SourcePath string `json:"source_path"`
			Size       int64  `json:"size"`
			Evidence   string `json:"evidence"`
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			s.t.Fatal(err)
		}
		if r.Evidence == "inferred" {
			list = append(list, ordeal.Record{Path: r.SourcePath, Size: r.Size, Inferred: true})
		}
	}
	var status struct {
		Quarantined []struct {
			Path   string `json:"path"`
			Size   int64  `json:"size"`
			Reason string `json:"reason"`
		} `json:"quarantine"`
	}
	if err := json.Unmarshal([]byte(run([]int{0, 1, 3}, "status", "--format", "json", "--config", s.path("agent.yaml"))), &status); err != nil {
		s.t.Fatal(err)
	}
	for _, q := range status.Quarantined {
		list = append(list, ordeal.Record{Path: q.Path, Size: q.Size, Reason: q.Reason})
	}
	return list, receipts
}

// finish lets a last agent do what is left, and judges.
func (s *soak) finish() {
	cmd, out := s.start("")
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	limit := time.After(3 * time.Minute)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for left := []*ordeal.Version(nil); ; {
		select {
		case <-tick.C:
			records, _ := s.records()
			if left = s.world.Missing(s.objects(), records); len(left) > 0 {
				continue
			}
		case err := <-ended:
			s.t.Fatalf("the last agent ended: %v\n%s", err, tail(out.String()))
		case <-limit:
			s.t.Errorf("after 3 minutes of calm %d versions are not sent, %s among them; the agent says:\n%s", len(left), left[0], tail(out.String()))
		}
		break
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := <-ended; err != nil {
		s.t.Errorf("the last agent: %v\n%s", err, tail(out.String()))
	}
	records, receipts := s.records()
	verdict := s.world.Judge(s.objects(), records)
	for _, fault := range verdict.Faults[:min(20, len(verdict.Faults))] {
		s.t.Error(fault)
	}
	if more := len(verdict.Faults) - 20; more > 0 {
		s.t.Errorf("and %d more", more)
	}
	s.verify(receipts, records)
	report := func(title string, counts map[string]int) {
		var list []string
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			list = append(list, fmt.Sprintf("%s %d", name, counts[name]))
		}
		s.t.Logf("%s: %s", title, strings.Join(list, ", "))
	}
	report("written", s.world.Counts())
	report("killed", s.kills)
	faults := map[string]int{}
	for name, n := range s.faults {
		faults[string(name)] = n
	}
	report("broken", faults)
	s.t.Logf("keys %d; in the bucket: %d objects, %d versions once, %d of others; inferred %d, in quarantine %d; faults %d",
		s.keys, verdict.Objects, verdict.Once, verdict.Foreign, verdict.Inferred, verdict.Quarantined, len(verdict.Faults))
}

// verify lets the agent compare its receipts with the bucket, as a reader would: only what it inferred from another's
// object may differ. That a receipt is of one of our own objects and of other bytes is never allowed.
func (s *soak) verify(receipts string, records []ordeal.Record) {
	cmd, _ := s.command("", "receipts", "verify", "--receipts", "-", "--format", "json", "--prefix", prefix)
	cmd.Env = append(append(cmd.Env, s.server.Environ(s3server.Admin)...), "CONFIGURATION_DIRECTORY="+s.home)
	cmd.Stdin = strings.NewReader(receipts)
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	_ = cmd.Run() // by its code
	if code := cmd.ProcessState.ExitCode(); code != 0 && code != 1 {
		s.t.Fatalf("agent receipts verify: exit %d: %s", code, fault.String())
	}
	var found struct {
		Findings []struct {
			Outcome string `json:"outcome"`
			Key     string `json:"key"`
		} `json:"findings"`
	}
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		s.t.Fatal(err)
	}
	// Others' objects have no receipt of ours; what was inferred from one differs, and is found here. Nor has a version
	// a receipt that was stored, its answer lost, and then changed or deleted before it could be asked again: but what
	// came to its key next must not have been inferred from it.
	squatted, past := map[string]bool{}, map[string]bool{}
	for _, o := range s.objects() {
		if o.Foreign {
			squatted[prefix+o.Key] = true
		} else if !s.world.Stands(o) {
			past[prefix+o.Key] = true
		}
	}
	outcomes := map[string]int{}
	for _, f := range found.Findings {
		outcomes[f.Outcome]++
		switch {
		case f.Outcome == "differs" && squatted[f.Key]:
		case f.Outcome == "differs":
			s.t.Errorf("receipts verify: the receipt of %q is of other bytes than the agent itself put there", f.Key)
		case f.Outcome == "unexpected" && (squatted[f.Key] || past[f.Key]):
		default:
			s.t.Errorf("receipts verify: %s: %q", f.Outcome, f.Key)
		}
	}
	// Each receipt that was inferred from somebody else's object is found out.
	if wrong := s.world.WronglyInferred(s.objects(), records); outcomes["differs"] < wrong {
		s.t.Errorf("receipts verify found %d differences; %d receipts were inferred from other objects", outcomes["differs"], wrong)
	}
	s.t.Logf("receipts verify: %v", outcomes)
}
