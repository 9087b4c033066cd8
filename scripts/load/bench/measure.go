package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Run is what one process cost, and what the server saw of it.
type Run struct {
	Load  string `json:"load"`
	Round int    `json:"round"`
	Peer  string `json:"peer"`

	Wall float64 `json:"wall_s"`
	CPU  float64 `json:"cpu_s"`     // user + system
	Peak int64   `json:"peak_kb"`   // resident, mapped files included
	Anon int64   `json:"anon_kb"`   // most anonymous memory seen; sampled
	File int64   `json:"mapped_kb"` // most mapped file pages seen; sampled

	Requests    int64 `json:"requests"`
	Objects     int64 `json:"objects"`
	Bytes       int64 `json:"bytes"`
	Connections int64 `json:"connections"`

	// Rates are files a second in the first and the last tenth (w8).
	FirstTenth float64 `json:"first_tenth,omitempty"`
	LastTenth  float64 `json:"last_tenth,omitempty"`

	Fault string `json:"fault,omitempty"` // what went wrong: the run doesn't count
}

// command is a program with its arguments and what it needs of the environment.
type command struct {
	args []string
	env  []string
}

// every is how often memory is sampled.
const every = 5 * time.Millisecond

// start begins a command; its output goes to a file of the work folder.
func (b *bench) start(ctx context.Context, c command) (*exec.Cmd, *os.File, error) {
	log, err := os.Create(filepath.Join(b.work, "last."+filepath.Base(c.args[0])+".log"))
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + b.work, "AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region,
		"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=" + filepath.Join(b.work, "aws.config"),
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null", "CONFIGURATION_DIRECTORY=" + b.work, "LANG=C",
	}, c.env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, nil, errors.Join(err, log.Close())
	}
	return cmd, log, nil
}

// measure runs a command to its end.
func (b *bench) measure(ctx context.Context, c command, r *Run) error {
	began := time.Now()
	cmd, log, err := b.start(ctx, c)
	if err != nil {
		return err
	}
	defer log.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.sample(cmd.Process.Pid)
			continue
		case err = <-ended:
		}
		break
	}
	r.Wall = time.Since(began).Seconds()
	r.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.Fault = fmt.Sprintf("%v: %s", err, lastLine(log.Name()))
	}
	return nil
}

// sample looks at the memory of a process (proc_pid_status(5)).
func (r *Run) sample(pid int) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return // it has ended
	}
	kb := func(field string) int64 {
		_, rest, ok := bytes.Cut(data, []byte(field))
		if !ok {
			return 0
		}
		words := strings.Fields(string(rest[:min(len(rest), 40)]))
		n, err := strconv.ParseInt(words[0], 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	r.Peak = max(r.Peak, kb("VmHWM:"))
	r.Anon = max(r.Anon, kb("RssAnon:"))
	r.File = max(r.File, kb("RssFile:"))
}

// cpuOf is the CPU time of a running process in seconds (proc_pid_stat(5)).
func cpuOf(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name may hold spaces; what counts comes after its bracket.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	const ticks = 100 // USER_HZ, the same on every Linux of today
	return (user + system) / ticks, errors.Join(err1, err2)
}

func lastLine(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return lines[len(lines)-1]
}
