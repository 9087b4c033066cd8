// Package stores runs real S3 servers on loopback, each pinned, and one story of sending against each: what docs/*/stores.md
// says of a store is measured here. scripts/stores runs it.
//
// A program that is not in the cache is skipped and named, or built with -stores.build. It promises nothing of a store's
// clusters, of TLS, or of other versions.
package stores

import (
	"context"
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

// Store is a kind of server.
type Store struct {
	Name, Version string
	// Anybody says that it knows no keys: everybody may do everything.
	Anybody bool

	find  func(cache string) string
	build func(ctx context.Context, cache string) error
	start func(program, address, dir string) (*exec.Cmd, error)
	// users makes a key for each right; nil where there are no keys.
	users func(ctx context.Context, s *Server) (map[string]key, error)
}

// What a user may do, and nothing else.
const (
	writes = "writes" // under the prefix
	reads  = "reads"  // the bucket, and lists it
)

// key is a user's.
type key struct{ ID, Secret, Token string }

// ErrNotBuilt says that the cache does not hold a store's program.
var ErrNotBuilt = errors.New("it is not built; scripts/stores builds it")

// Server is a store that runs.
type Server struct {
	Store    *Store
	Endpoint string
	program  string
	cmd      *exec.Cmd
	ended    chan error
}

// Start starts a store whose data are in dir, and returns when it answers.
func (st *Store) Start(ctx context.Context, dir string, build bool) (*Server, error) {
	cache, err := localaws.CacheDir()
	if err != nil {
		return nil, err
	}
	program := st.find(cache)
	if program == "" && build && st.build != nil {
		if err := st.build(ctx, cache); err != nil {
			return nil, fmt.Errorf("build %s: %w", st.Name, err)
		}
		program = st.find(cache)
	}
	if program == "" {
		return nil, ErrNotBuilt
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	cmd, err := st.start(program, address, dir)
	if err != nil {
		return nil, err
	}
	cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"), "HOME="+dir)
	s := &Server{Store: st, Endpoint: "http://" + address, program: program, cmd: cmd, ended: make(chan error, 1)}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.ended <- s.cmd.Wait() }()
	if err := s.ready(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// freeAddress is one of loopback that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// ready polls until the server answers an S3 request, has ended, or a minute is over.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+"/", nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			if err := response.Body.Close(); err != nil || response.StatusCode < http.StatusInternalServerError {
				return err
			}
		}
		select {
		case err := <-s.ended:
			s.ended <- err // for Stop
			return fmt.Errorf("%s ended: %w", s.Store.Name, err)
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", s.Store.Name, ctx.Err())
		case <-tick.C:
		}
	}
}

// Stop ends the server.
func (s *Server) Stop() {
	_ = s.cmd.Process.Kill() // it may have ended
	_ = <-s.ended            //nolint:staticcheck // killed, which is all that it says
}

// env gives a process a key and nothing else of AWS.
func (s *Server) env(k key) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "LANG=C",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_ACCESS_KEY_ID=" + k.ID, "AWS_SECRET_ACCESS_KEY=" + k.Secret, "AWS_SESSION_TOKEN=" + k.Token}
}

// first is the first file that matches.
func first(pattern ...string) string {
	found, _ := filepath.Glob(filepath.Join(pattern...)) // the patterns are good
	if len(found) == 0 {
		return ""
	}
	return found[0]
}
