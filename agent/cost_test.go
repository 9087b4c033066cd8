package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"buzon/agent/internal/cli"
	"buzon/scripts/load/s3server"
)

// asServer makes the test binary an S3 server that prints its address and, when its standard input ends, what it
// counted.
const asServer = "BUZON_TEST_SERVER"

func serveAlone() {
	s := s3server.New(s3server.Options{
		Buckets: []s3server.Bucket{{Name: bucket}}, Allow: s3server.WriteOnly(bucket, prefix), Keep: s3server.KeepNames,
	})
	if err := s.Listen("127.0.0.1:0"); err != nil {
		panic(err)
	}
	fmt.Println(s.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := json.NewEncoder(os.Stdout).Encode(s.Stats()); err != nil {
		panic(err)
	}
	os.Exit(0)
}

// What a small file may cost. The figures are what was measured when the bound was set; the bound leaves room for
// another Go, not for another way of doing it.
const (
	mostAllocations = 215 // measured: 193
	mostRequests    = 1   // besides the gate's
)

// TestASmallFileCostsLittle guards the counts that do not depend on the machine: allocations and requests for each file.
// The server is a process of its own, so that only the agent's are counted.
func TestASmallFileCostsLittle(t *testing.T) {
	few, many := costOf(t, 500), costOf(t, 2500)
	allocations := float64(many.allocations-few.allocations) / 2000
	requests := float64(many.requests-few.requests) / 2000
	t.Logf("%.1f allocations and %.3f requests a file; %d requests besides", allocations, requests, few.requests-500)
	if allocations > mostAllocations {
		t.Errorf("%.1f allocations a file, at most %d", allocations, mostAllocations)
	}
	if requests > mostRequests {
		t.Errorf("%.3f requests a file, at most %d", requests, mostRequests)
	}
	if besides := few.requests - 500; besides > 30 {
		t.Errorf("%d requests besides those for files", besides)
	}
}

type cost struct {
	allocations uint64
	requests    int64
}

func costOf(t *testing.T, files int) cost {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := exec.CommandContext(t.Context(), self)
	server.Env = append(os.Environ(), asServer+"=1")
	server.Stderr = os.Stderr
	in, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	var url string
	if _, err := fmt.Fscanln(out, &url); err != nil {
		t.Fatal(err)
	}

	home := t.TempDir()
	for i := range files {
		path := filepath.Join(home, "out", fmt.Sprintf("%02d", i%20), fmt.Sprintf("%05d.dat", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, noise(uint64(i), 4096), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for k, v := range map[string]string{
		"HOME": home, "CONFIGURATION_DIRECTORY": home, "AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_SESSION_TOKEN": "",
		"AWS_ACCESS_KEY_ID": s3server.Uploader.AccessKey, "AWS_SECRET_ACCESS_KEY": s3server.Uploader.Secret,
	} {
		t.Setenv(k, v)
	}
	var text bytes.Buffer
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	code := cli.Main(t.Context(), []string{"upload", "--bucket", bucket, "--prefix", prefix, "--state", filepath.Join(home, "state"),
		"--transfers", "16", filepath.Join(home, "out")}, strings.NewReader(""), &text, &text, os.Environ())
	runtime.ReadMemStats(&after)
	if code != 0 {
		t.Fatalf("upload ends with %d\n%s", code, text.String())
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	var stats s3server.Stats
	if err := json.NewDecoder(out).Decode(&stats); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Fatal(err)
	}
	return cost{after.Mallocs - before.Mallocs, stats.Requests}
}
