// Command null is the server of the benchmarks: scripts/load/s3server as a program, by default keeping
// nothing and checking no signature, so that the client is the slow side. GET /_stats tells its counters as
// JSON, POST /_zero sets them to zero, POST /_reset forgets objects too.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"buzon/scripts/load/s3server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

// faults are shares of calls that go wrong, by name: "slow-down=0.05".
type faults map[s3server.Name]float64

func (f faults) String() string { return "" }

func (f faults) Set(text string) error {
	name, share, _ := strings.Cut(text, "=")
	for _, known := range s3server.Names {
		if s3server.Name(name) == known {
			n, err := strconv.ParseFloat(share, 64)
			f[known] = n
			return err
		}
	}
	return fmt.Errorf("no fault is called %q; there are %v", name, s3server.Names)
}

func run(ctx context.Context, args []string) error {
	var o s3server.Options
	flags := flag.NewFlagSet("null", flag.ExitOnError)
	address := flags.String("addr", "127.0.0.1:0", "loopback address; port 0 takes a free one, which is printed")
	flags.BoolVar(&o.TLS, "tls", false, "serve https with a fresh certificate")
	ca := flags.String("ca-out", "", "with -tls: write the certificate (PEM) here")
	flags.DurationVar(&o.Latency, "latency", 0, "added to every answer, after the body was read")
	flags.BoolVar(&o.Verify, "verify", false, "check signatures (keys of s3server.Admin and Uploader); checksums always are")
	keep := flags.String("keep", "nothing", "nothing, names (listings, HEAD and If-None-Match answer truly) or all")
	only := flags.String("write-only", "", "BUCKET/PREFIX: 403 for all but s3:PutObject there")
	wrong := faults{}
	flags.Var(wrong, "fault", "NAME=SHARE of object calls that go wrong so (repeats)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch *keep {
	case "nothing":
		o.Keep = s3server.KeepNothing
	case "names":
		o.Keep = s3server.KeepNames
	case "all":
		o.Keep = s3server.KeepAll
	default:
		return fmt.Errorf("-keep %s: nothing, names or all", *keep)
	}
	o.Allow = func(s3server.Identity, string, string, string) bool { return true }
	if *only != "" {
		bucket, prefix, _ := strings.Cut(*only, "/")
		o.Allow = s3server.WriteOnly(bucket, prefix)
	}
	if len(wrong) > 0 {
		o.Fault = func(c *s3server.Call) s3server.Fault {
			if c.Key == "" {
				return s3server.Fault{}
			}
			x := rand.Float64()
			for name, share := range wrong {
				if x -= share; x < 0 {
					return s3server.Fault{Name: name}
				}
			}
			return s3server.Fault{}
		}
	}
	s := s3server.New(o)
	if host, _, err := net.SplitHostPort(*address); err != nil || !net.ParseIP(host).IsLoopback() {
		return errors.New("-addr must be a loopback address")
	}
	if err := s.ListenWith(*address, control(s)); err != nil {
		return err
	}
	defer s.Close()
	if *ca != "" {
		if err := os.WriteFile(*ca, s.CA, 0o600); err != nil {
			return err
		}
	}
	fmt.Println(s.URL)
	<-ctx.Done()
	return nil
}

// control answers /_stats, /_zero and /_reset, and leaves the rest to the server.
func control(s *s3server.Server) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/_zero":
			s.ResetStats()
		case "/_reset":
			s.Reset()
			runtime.GC() // what was kept must not be paid for by the next
		case "/_stats":
		default:
			s.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Stats())
	})
}
