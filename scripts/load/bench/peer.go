package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// peer is a program that sends a folder.
type peer struct {
	name string
	ours bool // it is an agent
	// send is its command for a folder; again says that the folder was sent before and the peer may look.
	send    func(b *bench, dir string, s *server, l load, again bool) command
	program string // of another agent, "" for this one
}

// state is where the agent keeps its journal during a run.
func (b *bench) state() string { return filepath.Join(b.work, "state") }

func tlsEnv(s *server, l load) []string {
	if l.tls {
		return []string{"AWS_CA_BUNDLE=" + s.ca}
	}
	return nil
}

var all = []peer{
	{"bare", false, func(b *bench, dir string, s *server, l load, _ bool) command {
		return command{[]string{filepath.Join(b.bin, "bare"), "-dir", dir, "-endpoint", s.url, "-workers", strconv.Itoa(l.transfers)}, tlsEnv(s, l)}
	}, ""},
	agentAs("agent", ""),
	{"s5cmd", false, func(b *bench, dir string, s *server, l load, again bool) command {
		args := []string{filepath.Join(b.bin, "s5cmd"), "--log", "error", "--endpoint-url", s.url, "--numworkers", strconv.Itoa(l.transfers)}
		if l.tls {
			args = append(args, "--no-verify-ssl")
		}
		if again {
			return command{append(args, "sync", dir+"/", "s3://"+bucket+"/"+prefix), nil}
		}
		return command{append(args, "cp", "-c", "8", "-p", "16", dir+"/", "s3://"+bucket+"/"+prefix), nil}
	}, ""},
	{"rclone", false, func(b *bench, dir string, s *server, l load, again bool) command {
		n := strconv.Itoa(l.transfers)
		args := []string{
			filepath.Join(b.bin, "rclone"), "--config", "/dev/null", "-q", "--s3-env-auth", "--s3-region", region, "--s3-endpoint", s.url,
			"--transfers", n, "--checkers", n, "--s3-chunk-size", "16M", "--s3-upload-concurrency", "8", "--s3-no-check-bucket",
			"--multi-thread-streams", "0", "--s3-use-multipart-etag=false",
		}
		if l.tls { // as AWS it adds a CRC32 trailer, which its SDK refuses over plain http
			args = append(args, "--s3-provider", "AWS", "--s3-force-path-style", "--ca-cert", s.ca)
		} else {
			args = append(args, "--s3-provider", "Other", "--s3-force-path-style")
		}
		args = append(args, "copy")
		if !again { // what a write-only key needs
			args = append(args, "--no-check-dest", "--s3-no-head", "--s3-no-head-object")
		}
		return command{append(args, dir, ":s3:"+bucket+"/"+prefix), nil}
	}, ""},
	{"awscli", false, func(b *bench, dir string, s *server, l load, again bool) command {
		verb := []string{"cp", "--recursive"}
		if again {
			verb = []string{"sync"}
		}
		args := []string{filepath.Join(b.bin, "awscli"), "--endpoint-url", s.url, "s3"}
		if l.tls {
			args = append(args, "--ca-bundle", s.ca)
		}
		args = append(append(args, verb...), "--only-show-errors", dir, "s3://"+bucket+"/"+prefix)
		return command{args, nil}
	}, ""},
}

// agentAs is an agent under a name; program is "" for the one that is measured. As it comes: it chooses how many to send
// at once by itself, and its journal, its gate and all checks are on.
func agentAs(name, program string) peer {
	return peer{name, true, func(b *bench, dir string, s *server, l load, _ bool) command {
		return command{
			[]string{cmp.Or(program, filepath.Join(b.bin, "agent")), "upload", "--bucket", bucket, "--prefix", prefix, "--state", b.state(), dir},
			append(tlsEnv(s, l), "AWS_ENDPOINT_URL="+s.url),
		}
	}, program}
}

// peers are those that are asked for, else all that are there. The yardstick always is.
func (b *bench) peers(who string) ([]peer, error) {
	var found []peer
	asked := strings.Split(who, ",")
	for _, p := range asked { // another agent
		if name, program, ok := strings.Cut(p, "="); ok {
			if _, err := os.Stat(program); err != nil {
				return nil, err
			}
			found = append(found, agentAs(name, program))
		}
	}
	for _, p := range all {
		if who != "" && p.name != "bare" && !slices.Contains(asked, p.name) {
			continue
		}
		switch _, err := os.Stat(filepath.Join(b.bin, p.name)); {
		case err == nil:
			found = append(found, p)
		case who != "" || !errors.Is(err, os.ErrNotExist):
			return nil, err
		default:
			fmt.Fprintf(os.Stderr, "bench: SKIPPED %s: it is not installed\n", p.name)
		}
	}
	// What the AWS CLI is told by file.
	text := "[default]\ns3 =\n  max_concurrent_requests = 16\n  multipart_chunksize = 16MB\n"
	return found, os.WriteFile(filepath.Join(b.work, "aws.config"), []byte(text), 0o600)
}
