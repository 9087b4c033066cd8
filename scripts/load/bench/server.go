package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	region    = "us-east-1"
	bucket    = "bench"
	prefix    = "up/"
	accessKey = "bench"        // the null server checks no signature
	secretKey = "bench-secret" // nor this
)

// server is a null server of its own process, so that its cost is not counted.
type server struct {
	cmd     *exec.Cmd
	url, ca string
	client  http.Client
}

// counters are what the null server counts.
type counters struct{ Requests, Objects, Bytes, Connections int64 }

// serve starts a null server for a load. It allows only what an uploader may do, or, with open, everything.
func (b *bench) serve(ctx context.Context, l load, open bool) (*server, error) {
	s := &server{ca: filepath.Join(b.work, "ca.pem")}
	args := append([]string{"-keep", "names"}, l.server...)
	if !open {
		args = append(args, "-write-only", bucket+"/"+prefix)
	}
	if l.tls {
		args = append(args, "-tls", "-ca-out", s.ca)
		// Only its own counters are asked of it, on loopback.
		s.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	}
	s.cmd = exec.CommandContext(ctx, filepath.Join(b.bin, "null"), args...)
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the null server did not start: %w", err)
	}
	s.url = strings.TrimSpace(line)
	return s, nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = s.cmd.Wait()                          // by a signal, as asked
}

// ask calls /_stats, /_zero or /_reset.
func (s *server) ask(what string) (counters, error) {
	var c counters
	resp, err := s.client.Get(s.url + "/_" + what)
	if err != nil {
		return c, err
	}
	defer resp.Body.Close()
	return c, json.NewDecoder(resp.Body).Decode(&c)
}
