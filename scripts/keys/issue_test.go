package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var secretLine = regexp.MustCompile(`(?m)^aws_secret_access_key = (\S+)$`)

func TestIssueMakesAKeyThatWorks(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	t.Chdir(t.TempDir())
	d.must(t, "issue-key", name)

	file := name + ".credentials"
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v", info.Mode())
	}
	if arn := whoami(t, file); arn != "arn:aws:iam::111122223333:user/buzon/"+name {
		t.Errorf("it is the key of %s", arn)
	}
	secret := secretLine.FindStringSubmatch(read(t, file))
	if secret == nil {
		t.Fatalf("there is no secret in %s", file)
	}
	if strings.Contains(d.said.String(), secret[1]) {
		t.Error("the secret is on the screen")
	}
	if !strings.Contains(d.said.String(), "and it answers") {
		t.Errorf("it says %q", d.said)
	}
}

// It returns when the key answers: IAM's news spread over some seconds.
func TestIssueWaitsUntilTheKeyAnswers(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	d.on("GetCallerIdentity", unknown, unknown, unknown)
	d.must(t, "issue-key", name, "-o", filepath.Join(t.TempDir(), "key"))
	if n := d.count("GetCallerIdentity"); n != 4 {
		t.Errorf("it asked %d times, want 4", n)
	}
}

func TestIssueRefuses(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	if err := os.WriteFile(taken, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.fails(t, "exists already", "issue-key", name, "-o", taken)
	d.fails(t, "can't be made", "issue-key", name, "-o", filepath.Join(dir, "no", "such", "folder"))
	d.fails(t, "scripts/cdk deploy", "issue-key", "nobody")
	d.fails(t, "is no uploader: its IAM path is /buzon/", "issue-key", name, "--path", "/other/")
	if n := len(d.have(t, name)); n != 0 || read(t, taken) != "mine" {
		t.Errorf("%d keys were made, and the file says %q", n, read(t, taken))
	}
}

func TestAThirdKeyIsRefused(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	dir := t.TempDir()
	d.must(t, "issue-key", name, "-o", filepath.Join(dir, "1"))
	d.said.Reset()
	d.must(t, "issue-key", "-o", filepath.Join(dir, "2"), name)
	if !strings.Contains(d.said.String(), "has a key already") {
		t.Errorf("of the first key it says nothing: %q", d.said)
	}
	d.fails(t, "IAM allows no third", "issue-key", name, "-o", filepath.Join(dir, "3"))
	d.fails(t, "IAM allows no third", "issue-key", name, "--dry-run")
	if _, err := os.Stat(filepath.Join(dir, "3")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it left a file: %v", err)
	}
}

func TestDryRunMakesNothing(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	file := filepath.Join(t.TempDir(), "key")
	d.must(t, "issue-key", name, "-o", file, "--dry-run")
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) || len(d.have(t, name)) != 0 {
		t.Errorf("there is something: %v, %s", err, d.states(t, name))
	}
	if !strings.Contains(d.said.String(), "Would make an access key") {
		t.Errorf("it says %q", d.said)
	}
}

func TestARefusedKeyLeavesNoFile(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	file := filepath.Join(t.TempDir(), "key")
	d.on("CreateAccessKey", refused)
	d.fails(t, "AccessDenied", "issue-key", name, "-o", file)
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it left a file: %v", err)
	}
}

// A request whose answer is lost may have made a key. It is not repeated, for
// that would make a second, and whoever asked is told.
func TestALostAnswerIsTold(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	d.on("CreateAccessKey", lost)
	d.fails(t, "a key whose secret nobody has", "issue-key", name, "-o", filepath.Join(t.TempDir(), "key"))
	if n := d.count("CreateAccessKey"); n != 1 {
		t.Errorf("it asked %d times", n)
	}
	d.must(t, "revoke-key", name)
	if n := len(d.have(t, name)); n != 0 {
		t.Errorf("%d keys are left", n)
	}
}

// A pipe gets the file's text, and nothing else is said on it.
func TestAPipeGetsTheKey(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	d.out = to
	d.must(t, "issue-key", name, "-o", "-")
	text, err := io.ReadAll(from) // ends because issue-key closed the pipe
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if arn := whoami(t, file); !strings.HasSuffix(arn, "/"+name) {
		t.Errorf("it is the key of %s", arn)
	}
}

// A reader that is gone must not end the program before the key is deleted.
func TestABrokenPipeTakesTheKeyBack(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from.Close()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "issue-key", name, "-o", "-")
	var said bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), asKeys+"=1"), to, &said
	err = cmd.Run()
	to.Close()
	if code := cmd.ProcessState.ExitCode(); code != exitNo {
		t.Errorf("it ended with %v, want the code %d", err, exitNo)
	}
	if !strings.Contains(said.String(), "the key was deleted again") || len(d.have(t, name)) != 0 {
		t.Errorf("it says %q, and the keys are %s", said.String(), d.states(t, name))
	}
}

func TestWhatCouldNotBeTakenBackIsNamed(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	_, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	to.Close()
	d.out = to // every write fails
	d.on("DeleteAccessKey", refused)
	d.fails(t, "could not be deleted", "issue-key", name, "-o", "-")
	have := d.have(t, name)
	if len(have) != 1 {
		t.Fatalf("there are %d keys", len(have))
	}
	d.on("")
	d.must(t, "revoke-key", name, *have[0].AccessKeyId)
}

func TestATerminalIsRefused(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("SKIPPED: there is no terminal to be had here: %v", err)
	}
	defer master.Close()
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("SKIPPED: there is no terminal to be had here: %v", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(filepath.Join("/dev/pts", strconv.Itoa(n)), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIPPED: there is no terminal to be had here: %v", err)
	}
	defer terminal.Close()
	d.out = terminal
	d.fails(t, "not to a terminal", "issue-key", name, "-o", "-")
	if n := len(d.have(t, name)); n != 0 {
		t.Errorf("%d keys were made", n)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{}, {"make-key"}, {"issue-key"}, {"issue-key", "a", "b"}, {"issue-key", "a", "--colour"}, {"rotate-key"}, {"revoke-key"},
		{"revoke-key", "a", "--all"}, {"revoke-key", "a", "b", "c"}, {"agent-config"}, {"agent-config", "a", "--all", "dir"},
	} {
		k := &keys{out: io.Discard, log: io.Discard}
		var usage usageError
		if err := k.run(t.Context(), args); !errors.As(err, &usage) {
			t.Errorf("%q: %v, want wrong usage", args, err)
		}
	}
}
