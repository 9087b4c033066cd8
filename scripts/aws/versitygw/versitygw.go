// Package versitygw runs versitygw, the second real S3 server of the tests, on a free loopback port: a program with
// S3's own checksums (CRC-64/NVME of whole objects), conditional writes and multipart uploads, over a plain folder.
//
//	g := versitygw.ForTest(t)
//	// g.Endpoint is S3's; g.Env() leads a client there with the gateway's root key
//
// It is pinned in scripts/tools/go.mod and built into the cache by scripts/test; where it is not built, the test is
// skipped and says so. It has no STS, and its root key may do everything: what a write-only key may do is for the
// local AWS to tell.
package versitygw

import (
	"cmp"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"buzon/scripts/aws/localaws"
)

// Version is the pinned one. A test holds it to scripts/tools/go.mod.
const Version = "v1.8.0"

const (
	module      = "github.com/versity/versitygw"
	accessKey   = "versitygw-root"
	secretKey   = "not-a-secret-of-anybody"
	readyWithin = 30 * time.Second
)

// ErrNotBuilt says that the cache holds no program of the pinned version.
var ErrNotBuilt = errors.New("versitygw " + Version + " is not built; a plain scripts/test builds it")

// Gateway is a running server.
type Gateway struct {
	Endpoint string // http://127.0.0.1:PORT
	cmd      *exec.Cmd
	ended    chan error
}

// ForTest starts a server for one test and ends it with the test.
func ForTest(t localaws.T) *Gateway {
	t.Helper()
	g, err := Start(t.Context(), t.TempDir())
	localaws.During(t, g, err, ErrNotBuilt, "the second S3 server is missing")
	return g
}

// Start starts a server whose buckets are folders in dir, and returns when it answers.
func Start(ctx context.Context, dir string) (*Gateway, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	data, versions := filepath.Join(dir, "data"), filepath.Join(dir, "versions")
	if err := errors.Join(os.Mkdir(data, 0o755), os.Mkdir(versions, 0o755)); err != nil {
		return nil, fmt.Errorf("make the gateway's folders: %w", err)
	}
	for range 3 { // between finding a free port and taking it another process may come first
		var g *Gateway
		if g, err = launch(ctx, program, data, versions); err == nil {
			return g, nil
		}
	}
	return nil, err
}

// find is the program in the cache, whichever lock of the tools it was built from.
func find() (string, error) {
	cache, err := localaws.CacheDir()
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(cache, "tools-*", "versitygw"))
	if err != nil {
		return "", err
	}
	for _, path := range found {
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			continue
		}
		for _, dep := range append(info.Deps, &info.Main) {
			if dep.Path == module && dep.Version == Version {
				return path, nil
			}
		}
	}
	return "", ErrNotBuilt
}

func launch(ctx context.Context, program, data, versions string) (*Gateway, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	g := &Gateway{Endpoint: "http://" + address, ended: make(chan error, 1)}
	g.cmd = exec.Command(program, "--port", address, "--quiet", "--keep-alive", "posix", "--versioning-dir", versions, data)
	g.cmd.Env = []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey, "PATH=" + os.Getenv("PATH")}
	if err := g.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start versitygw: %w", err)
	}
	go func() { g.ended <- g.cmd.Wait() }()
	if err := g.ready(ctx); err != nil {
		return nil, errors.Join(err, g.Stop())
	}
	return g, nil
}

// ready polls until the server answers, has ended, or time is up.
func (g *Gateway) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.Endpoint, nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			return resp.Body.Close() // whatever it says to somebody without a key
		}
		select {
		case err := <-g.ended:
			g.ended <- err
			return fmt.Errorf("versitygw ended: %w", cmp.Or(err, errors.New("without an error")))
		case <-ctx.Done():
			return fmt.Errorf("versitygw does not answer at %s: %w", g.Endpoint, ctx.Err())
		case <-tick.C:
		}
	}
}

// Stop ends the server. It holds nothing that anybody needs afterwards.
func (g *Gateway) Stop() error {
	if err := g.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop versitygw: %w", err)
	}
	if err := <-g.ended; err == nil {
		return errors.New("versitygw ended by itself, without an error")
	}
	return nil // killed, which is all that its error says
}

// Env leads a client to this server, with its root key.
func (g *Gateway) Env() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + g.Endpoint, "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_SESSION_TOKEN=",
		"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey,
	}
}
