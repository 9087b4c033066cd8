package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"buzon/scripts/load/s3server"
)

// TestMemoryIsBoundedByConfigurationAlone sends one large file and many small ones and prints the most anonymous
// memory that the agent held: 4 GiB and 50,000 files with BUZON_TEST=long, less else. It must stay under
// limits.memory plus 64 MiB (promise 7).
func TestMemoryIsBoundedByConfigurationAlone(t *testing.T) {
	large, small := int64(256<<20), 2000
	switch {
	case testing.Short():
		t.Skip("-short: no large files")
	case os.Getenv("BUZON_TEST") == "long":
		large, small = 4<<30, 50_000
	}
	const limit = 64 << 20 // the default of limits.memory
	s := s3server.Start(t, s3server.Options{Keep: s3server.KeepNames, Buckets: []s3server.Bucket{{Name: bucket, Versioned: true}}, Allow: s3server.WriteOnly(bucket, prefix)})
	for _, c := range []struct {
		name string
		make func(dir string) error
		sent int64
	}{
		{"one large file", func(dir string) error {
			f, err := os.Create(filepath.Join(dir, "large"))
			if err != nil {
				return err
			}
			if err := f.Truncate(large); err != nil { // no blocks on the disk
				return err
			}
			return f.Close()
		}, large},
		{"many small files", func(dir string) error {
			for i := range small {
				sub := filepath.Join(dir, fmt.Sprintf("folder-%03d", i/500))
				if i%500 == 0 {
					if err := os.Mkdir(sub, 0o755); err != nil {
						return err
					}
				}
				if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("file-%06d.dat", i)), bytes.Repeat([]byte{byte(i)}, 1000), 0o644); err != nil {
					return err
				}
			}
			return nil
		}, int64(small) * 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			home := t.TempDir()
			out := filepath.Join(home, "out")
			config := "bucket: " + bucket + "\nprefix: " + prefix + "\nregion: us-east-1\nstate: " + filepath.Join(home, "state") + "\n"
			for _, err := range []error{os.Mkdir(out, 0o755), os.WriteFile(filepath.Join(home, "agent.yaml"), []byte(config), 0o644), c.make(out)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			before := s.Stats().Bytes
			cmd := exec.Command(os.Args[0], "upload", "--config", filepath.Join(home, "agent.yaml"), out)
			cmd.Env = append(s.Environ(s3server.Uploader), "HOME="+home, "LANG=C", asAgent+"=1")
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			began := time.Now()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			most, looks := watchMemory(cmd)
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, said.String())
			}
			if sent := s.Stats().Bytes - before; sent < c.sent {
				t.Errorf("%d bytes arrived, want %d", sent, c.sent)
			}
			t.Logf("%d MiB in %v; most anonymous memory %d MiB (%d looks)", c.sent>>20, time.Since(began).Round(time.Millisecond), most>>20, looks)
			if looks < 3 {
				t.Error("it was over before its memory could be seen")
			}
			if most > limit+64<<20 {
				t.Errorf("it held %d MiB of anonymous memory, more than limits.memory and 64 MiB", most>>20)
			}
		})
	}
}

// watchMemory looks at a process's anonymous memory until it ends, and returns the most that was seen.
func watchMemory(cmd *exec.Cmd) (most int64, looks int) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		if err != nil {
			return most, looks
		}
		found := false
		for scan := bufio.NewScanner(bytes.NewReader(text)); scan.Scan(); {
			var kib int64
			if n, _ := fmt.Sscanf(strings.TrimSpace(scan.Text()), "RssAnon: %d kB", &kib); n == 1 {
				most, found = max(most, kib<<10), true
			}
		}
		if !found { // it has ended and nobody has waited for it yet
			return most, looks
		}
		looks++
		<-tick.C
	}
}
