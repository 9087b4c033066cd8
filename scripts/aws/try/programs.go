package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"buzon/scripts/aws/localaws"
)

// grace is how long an interrupted program may take to end by itself.
const grace = 10 * time.Second

// program is one thing to run.
type program struct {
	path string
	args []string
	env  []string // beside this process's own, without anything of AWS
	dir  string
}

// answer is what a program printed, and how it ended.
type answer struct {
	out, errs string
	code      int
}

// both is all that it printed, results first.
func (a answer) both() string { return a.out + a.errs }

// run runs a program to its end. Its error is that it could not run; that it
// ended with another code than 0 is an answer.
func (s *story) run(ctx context.Context, p program) (answer, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, p.path, p.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, &out, &errs
	// An agent that this machine runs has a configuration, which has no say here.
	cmd.Env = append(localaws.CommandEnv(p.env), "CONFIGURATION_DIRECTORY="+s.dir, "XDG_CONFIG_HOME="+s.dir)
	// A group of its own, so that what it started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	err := cmd.Run()
	if ctx.Err() != nil {
		if cmd.Process != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // mostly there is nobody left
		}
		return answer{}, ctx.Err()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return answer{}, fmt.Errorf("run %s: %w", p.path, err)
	}
	return answer{out.String(), errs.String(), cmd.ProcessState.ExitCode()}, nil
}

// must runs a program whose failure ends the story.
func (s *story) must(ctx context.Context, p program) (answer, error) {
	a, err := s.run(ctx, p)
	if err == nil && a.code != 0 {
		err = fmt.Errorf("%s %s: exit code %d\n%s", filepath.Base(p.path), strings.Join(p.args, " "), a.code, strings.TrimSpace(a.both()))
	}
	return a, err
}

// script is one of the repository's, as the platform team runs it.
func (s *story) script(name string, args ...string) program {
	return program{path: filepath.Join(s.root, "scripts", name), args: args, dir: s.dir,
		env: append(s.aws.Env(), "BUZON_AGENT="+s.agent())}
}

func (s *story) agent() string { return filepath.Join(s.dir, "bin", "agent") }

// asVM is the agent with the key of one of the folders in the story's own.
func (s *story) asVM(who string, args ...string) program {
	dir := filepath.Join(s.dir, who)
	return program{path: s.agent(), args: args, dir: dir,
		env: append(s.aws.ClientEnv(), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(dir, "credentials"))}
}

// asReviewer is the agent with credentials that may read IAM.
func (s *story) asReviewer(args ...string) program {
	return program{path: s.agent(), args: args, dir: s.dir, env: s.aws.Env()}
}

// show runs the agent under the heading that a user would type, and quotes its
// first and last lines.
func (s *story) show(ctx context.Context, typed string, p program, head, tail, want int) (answer, error) {
	s.command(typed)
	if s.color {
		p.args = append([]string{"--color", "always"}, p.args...)
	}
	a, err := s.run(ctx, p)
	if err != nil {
		return a, err
	}
	s.quote(a.both(), head, tail)
	s.expectExit(a.code, want)
	return a, nil
}

// judged is what this story needs of buzon/audit/v1.
type judged struct {
	Verdict    string `json:"verdict"`
	Principals []struct {
		Findings []struct {
			Rule     string `json:"rule"`
			Severity string `json:"severity"`
			Witness  *struct {
				Action string `json:"action"`
				Latent bool   `json:"latent"`
			} `json:"witness"`
			Stops []struct {
				Layer string `json:"layer"`
				Sid   string `json:"sid"`
			} `json:"stops"`
		} `json:"findings"`
	} `json:"principals"`
}

// judge is an audit as JSON.
func (s *story) judge(ctx context.Context, args ...string) (judged, error) {
	var j judged
	a, err := s.run(ctx, s.asReviewer(append(args, "--format", "json")...))
	if err != nil {
		return j, err
	}
	if err := json.Unmarshal([]byte(a.out), &j); err != nil {
		return j, fmt.Errorf("read the audit: %w\n%s", err, a.both())
	}
	return j, nil
}

// checked is what this story needs of buzon/check/v1.
type checked struct {
	Passed      bool     `json:"passed"`
	Overpowered []string `json:"overpowered"`
	Checks      []struct {
		Status  string `json:"status"`
		Outcome string `json:"outcome"`
	} `json:"checks"`
}

// check is a pass through the gate as JSON.
func (s *story) check(ctx context.Context, p program) (checked, error) {
	var c checked
	p.args = append(p.args, "--format", "json")
	a, err := s.run(ctx, p)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal([]byte(a.out), &c); err != nil {
		return c, fmt.Errorf("read the check: %w\n%s", err, a.both())
	}
	return c, nil
}

// refused counts the probes that were refused, and says whether all were.
func (c checked) refused() (n int, all bool) {
	all = c.Passed
	for _, one := range c.Checks {
		if !strings.HasPrefix(one.Outcome, "gate.probe") && !strings.HasPrefix(one.Outcome, "gate.beside") {
			continue
		}
		if one.Outcome == "gate.probe-refused" || one.Outcome == "gate.beside-refused" {
			n++
		} else {
			all = false
		}
	}
	return n, all && n > 0
}

// writeFile writes a small file of the story's own.
func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

// prepare builds and installs, all at once, what is not there yet.
func (s *story) prepare(ctx context.Context) error {
	fmt.Fprintf(s.out, "\n%s\n", s.words("prepare"))
	type part struct {
		id   string
		do   func(context.Context) error
		took time.Duration
		err  error
	}
	build := func(output string, packages ...string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.must(ctx, program{path: "go", args: append([]string{"build", "-o", output}, packages...), dir: s.root})
			return err
		}
	}
	parts := []part{
		{id: "prepare-agent", do: func(ctx context.Context) error {
			if err := build(s.agent(), "./agent")(ctx); err != nil {
				return err
			}
			// Its packages are what takes time; scripts/synth links it.
			return build(os.DevNull, "./infra")(ctx)
		}},
		{id: "prepare-keys", do: build(os.DevNull, "./scripts/keys")},
		{id: "prepare-cdk", do: func(ctx context.Context) error {
			_, err := s.must(ctx, program{path: filepath.Join(s.root, "scripts", "cdk"), args: []string{"--version"}, dir: s.root})
			return err
		}},
		{id: "prepare-aws", do: func(ctx context.Context) error {
			_, err := localaws.Install(ctx, io.Discard)
			return err
		}},
	}
	done := make(chan part)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, p := range parts {
		go func() {
			began := time.Now()
			p.err = p.do(ctx)
			p.took = time.Since(began)
			done <- p
		}()
	}
	var first error
	for range parts {
		p := <-done
		switch {
		case p.err == nil:
			fmt.Fprintf(s.out, "%s %s  %s\n", s.paint("32", "✓"), s.words(p.id), s.paint("2", seconds(p.took)))
		case first == nil:
			first = p.err
			cancel() // and wait for the others
		}
	}
	return first
}
