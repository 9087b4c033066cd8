package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"buzon/agent/internal/cli"
	"buzon/agent/internal/send/journal"
	"buzon/scripts/load/s3server"
)

// The test binary is the agent where asAgent is set, and ends by kill -9 when it passes killAt, "point:n", for the
// n-th time. The product has no such switch: cli.Failpoint is nil there.
const (
	asAgent = "BUZON_TEST_AGENT"
	killAt  = "BUZON_TEST_KILL"
)

// mortal is main of an agent that can be told where to die.
func mortal() {
	if point, nth, ok := strings.Cut(os.Getenv(killAt), ":"); ok {
		n, err := strconv.ParseInt(nth, 10, 64)
		if err != nil {
			panic(err)
		}
		var passed atomic.Int64
		cli.Failpoint = func(name string) {
			if name == point && passed.Add(1) == n {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}

const (
	bucket = "inbox"
	prefix = "uploads/vm-01/"
)

// vm is a machine whose agents are processes of their own.
type vm struct {
	t      *testing.T
	server *s3server.Server
	home   string
	files  map[string][]byte // what was written into the outbox

	mu    sync.Mutex
	calls map[s3server.Op]int64 // of files

	program    string               // "" for the test binary itself
	attributes *syscall.SysProcAttr // of its agents
	environ    []string             // of its agents, beside the usual
	before     []string             // a program that runs them, with its arguments
}

func newVM(t *testing.T, o s3server.Options, config string) *vm {
	t.Helper()
	o.Buckets = []s3server.Bucket{{Name: bucket, Versioned: true}}
	if o.Allow == nil {
		o.Allow = s3server.WriteOnly(bucket, prefix)
	}
	v := &vm{t: t, home: t.TempDir(), files: map[string][]byte{}, calls: map[s3server.Op]int64{}}
	fault := o.Fault
	o.Fault = func(c *s3server.Call) s3server.Fault {
		if ofAFile(c.Key) {
			v.mu.Lock()
			v.calls[c.Op]++
			v.mu.Unlock()
		}
		if fault == nil {
			return s3server.Fault{}
		}
		return fault(c)
	}
	v.server = s3server.Start(t, o)
	if err := os.Mkdir(v.path("out"), 0o755); err != nil {
		t.Fatal(err)
	}
	v.configure(config)
	t.Cleanup(v.soundJournal)
	return v
}

func (v *vm) path(name string) string { return filepath.Join(v.home, name) }

// configure writes the configuration; outbox is what follows the one outbox's path.
func (v *vm) configure(more string) {
	v.t.Helper()
	if !strings.Contains(more, "listen:") { // others on this machine may have the port
		more = "listen: \"\"\n" + more
	}
	text := fmt.Sprintf("bucket: %s\nprefix: %s\nregion: us-east-1\nstate: %s\n%s", bucket, prefix, v.path("state"),
		strings.ReplaceAll(more, "HOME", v.home))
	if err := os.WriteFile(v.path("agent.yaml"), []byte(text), 0o600); err != nil {
		v.t.Fatal(err)
	}
}

// write puts a file into the outbox.
func (v *vm) write(name string, data []byte) {
	v.t.Helper()
	path := filepath.Join(v.path("out"), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		v.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		v.t.Fatal(err)
	}
	v.files[name] = data
}

// noise is n bytes that are the same for the same seed.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // bytes for a test
	for i := 0; i+8 <= n; i += 8 {
		*(*[8]byte)(b[i:]) = [8]byte{}
		x := r.Uint64()
		for k := range 8 {
			b[i+k] = byte(x >> (8 * k))
		}
	}
	return b
}

// command is an agent that was not started yet.
func (v *vm) command(kill string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	self, err := os.Executable()
	if err != nil {
		v.t.Fatal(err)
	}
	if v.program != "" {
		self = v.program
	}
	line := slices.Concat(v.before, []string{self}, args)
	cmd := exec.CommandContext(v.t.Context(), line[0], line[1:]...)
	cmd.SysProcAttr = v.attributes
	cmd.Env = append(append(v.server.Environ(s3server.Uploader), "HOME="+v.home, "LANG=C", "COLUMNS=1000", asAgent+"=1", killAt+"="+kill), v.environ...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, &out
}

// agent runs an agent to its end: its exit code, or -1 if it was killed.
func (v *vm) agent(kill string, args ...string) (code int, out string) {
	v.t.Helper()
	cmd, text := v.command(kill, args...)
	err := cmd.Start()
	if err == nil { // one that should have ended long ago is made to tell where it stands
		late := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) })
		err = cmd.Wait()
		late.Stop()
	}
	var e *exec.ExitError
	switch {
	case err == nil:
		return 0, text.String()
	case errors.As(err, &e):
		return e.ExitCode(), text.String()
	}
	v.t.Fatal(err)
	return 0, ""
}

func (v *vm) upload(kill string) (int, string) {
	v.t.Helper()
	return v.agent(kill, "upload", "--config", v.path("agent.yaml"), v.path("out"))
}

// exactlyOnce fails unless the bucket holds every file under its own key, with its bytes, in one version, and
// nothing else but the canary.
func (v *vm) exactlyOnce() {
	v.t.Helper()
	seen := map[string]int{}
	for _, o := range v.server.Versions(bucket) {
		name := strings.TrimPrefix(o.Key, prefix)
		if strings.HasPrefix(name, ".buzon/") {
			continue
		}
		seen[name]++
		if want, ours := v.files[name]; !ours {
			v.t.Errorf("there is an object %s, and no such file was written", o.Key)
		} else if !bytes.Equal(o.Body, want) {
			v.t.Errorf("%s holds %d other bytes, want %d", o.Key, len(o.Body), len(want))
		}
	}
	for name := range v.files {
		if seen[name] != 1 {
			v.t.Errorf("%s is in the bucket %d times", name, seen[name])
		}
	}
}

// soundJournal holds the journal to its invariants at the end of every test.
func (v *vm) soundJournal() {
	j, err := journal.Open(v.path("state"), journal.Options{ReadOnly: true})
	if errors.Is(err, journal.ErrNone) {
		return
	}
	if err != nil {
		v.t.Error(err)
		return
	}
	if err := errors.Join(j.Check(), j.Close()); err != nil {
		v.t.Error(err)
	}
}

// killPoints are the named kill points, found in the code.
func killPoints(t *testing.T) []string {
	t.Helper()
	var points []string
	err := filepath.WalkDir("internal", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			f, isMethod := call.Fun.(*ast.SelectorExpr)
			lit, isText := call.Args[0].(*ast.BasicLit)
			if isMethod && isText && f.Sel.Name == "Failpoint" {
				name, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				points = append(points, name)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(points)
	return slices.Compact(points)
}

// elsewhere are kill points that an upload never passes, with the test that does.
var elsewhere = map[string]string{
	"journal.migrated": "journal: the migration's own tests",
}

func TestKilledAtEveryPointEverythingArrivesOnce(t *testing.T) {
	big := noise(7, 40<<20)
	for _, point := range killPoints(t) {
		if elsewhere[point] != "" {
			continue
		}
		t.Run(point, func(t *testing.T) {
			killed := 0
			for _, c := range mortalCases() {
				v := newVM(t, s3server.Options{}, "outboxes:\n  - path: HOME/out\n    settle: "+c.settle+"\n")
				for i := range 20 {
					v.write(fmt.Sprintf("small/%02d.txt", i), noise(uint64(i), 100+i))
				}
				v.write("big.bin", big)
				v.write("empty", nil)
				code, out := v.upload(fmt.Sprintf("%s:%d", point, c.nth))
				if code == -1 {
					killed++
				} else if code != 0 {
					t.Fatalf("the first upload ends with %d\n%s", code, out)
				}
				if code, out = v.upload(""); code != 0 {
					t.Fatalf("killed at %s for the %d. time, the next upload ends with %d\n%s", point, c.nth, code, out)
				}
				v.exactlyOnce()
				v.settledAs(c.settle)
			}
			if killed == 0 && !testing.Short() { // the one case of -short keeps its files, and passes not all
				t.Error("no upload passes this point")
			}
		})
	}
}

// mortalCase is when an upload dies at a point, and how its outbox settles.
type mortalCase struct {
	nth    int
	settle string
}

func mortalCases() []mortalCase {
	cases := []mortalCase{{1, "keep"}, {3, "delete"}}
	switch {
	case testing.Short():
		return cases[:1]
	case os.Getenv("BUZON_TEST") == "long":
		for _, nth := range []int{2, 7, 15} {
			cases = append(cases, mortalCase{nth, "keep"}, mortalCase{nth, "delete"}, mortalCase{nth, "move:HOME/sent"})
		}
	}
	return cases
}

// settledAs fails unless the local files are as settle says; those with an inferred receipt stay.
func (v *vm) settledAs(settle string) {
	v.t.Helper()
	j, err := journal.Open(v.path("state"), journal.Options{ReadOnly: true})
	if err != nil {
		v.t.Fatal(err)
	}
	n := j.Counts()
	if err := j.Close(); err != nil {
		v.t.Fatal(err)
	}
	if total := int64(len(v.files)); n.Files[journal.Settled] != total {
		v.t.Errorf("%d of %d files are settled", n.Files[journal.Settled], total)
	}
	left := int64(0)
	for name, data := range v.files {
		now, err := os.ReadFile(filepath.Join(v.path("out"), name))
		if err == nil {
			left++
			if !bytes.Equal(now, data) {
				v.t.Errorf("%s is not what it was", name)
			}
		}
	}
	want := int64(len(v.files))
	if settle != "keep" {
		want = n.Inferred
	}
	if left != want {
		v.t.Errorf("settle %s: %d local files are left, want %d (%d receipts are inferred)", settle, left, want, n.Inferred)
	}
}
