package baddisk

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// inside is set in the process in which a test runs alone.
const inside = "BUZON_TEST_ALONE"

// Alone runs the test t again, in a process whose mounts and system calls are its own, and there calls run in place of
// what follows. It skips the test where the system has no such process to give.
func Alone(t *testing.T, run func()) {
	t.Helper()
	if os.Getenv(inside) == t.Name() {
		run()
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-test.run=^" + strings.ReplaceAll(t.Name(), "/", "$/^") + "$", "-test.v", "-test.count=1"}
	flag.Visit(func(f *flag.Flag) {
		if own := !strings.HasPrefix(f.Name, "test."); own || f.Name == "test.short" || f.Name == "test.timeout" {
			args = append(args, "-"+f.Name+"="+f.Value.String())
		}
	})
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), inside+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &ended):
		t.Skipf("this system gives no user namespace: %v", err)
	case strings.Contains(string(out), "\n"+refusal):
		t.Skip(string(out))
	case err != nil:
		t.Fatalf("alone: %v\n%s", err, out)
	case !strings.Contains(string(out), "--- PASS: "+t.Name()+" "):
		t.Fatalf("alone, it did not run:\n%s", out)
	}
	t.Logf("alone:\n%s", out)
}

// refusal begins the line that says that this system can't do what a test needs.
const refusal = "baddisk: this system refuses "

// Mount mounts a file system of a size ("8m") on a folder, where only this process and its children see it. It goes
// with t.
func Mount(t *testing.T, folder, size string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+size+",mode=0700"); err != nil {
		refuse(t, "to mount a file system", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// Bind lets a folder stand at another one's place, likewise, and returns what takes it away from there.
func Bind(t *testing.T, folder, place string) (take func() error) {
	t.Helper()
	if err := syscall.Mount(folder, place, "", syscall.MS_BIND, ""); err != nil {
		refuse(t, "to mount a folder", err)
	}
	return func() error { return syscall.Unmount(place, syscall.MNT_DETACH) }
}

// refuse ends the process alone in a way that its parent takes for a reason to skip.
func refuse(t *testing.T, what string, err error) {
	t.Helper()
	if _, werr := os.Stdout.WriteString("\n" + refusal + what + ": " + err.Error() + "\n"); werr != nil {
		t.Error(werr)
	}
	t.FailNow()
}

// Fill writes a file into folder until nothing more goes in, and returns what removes it.
func Fill(t *testing.T, folder string) (empty func()) {
	t.Helper()
	f, err := os.CreateTemp(folder, "ballast-")
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err = f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := os.Remove(f.Name()); err != nil {
			t.Fatal(err)
		}
	}
}
