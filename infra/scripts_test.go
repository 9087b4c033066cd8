package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A script that compiles says so before it is done: whoever waits for minutes
// must not think that it hangs.
func TestScriptsSayThatTheyCompile(t *testing.T) {
	dir := t.TempDir()
	gate := filepath.Join(dir, "gate")
	if out, err := exec.Command("mkfifo", gate).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no fifo here: %s", out)
	}
	// A compiler that ends when it is let, and builds a program that says its arguments.
	compiler := "#!/bin/sh\ncat " + gate + " >/dev/null\nprintf '#!/bin/sh\\necho ran \"$@\"; exit 7' >\"$3\" && chmod +x \"$3\"\n"
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte(compiler), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "../scripts/tools/exec", "./infra", "a", "b c")
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "BUZON_CACHE="+filepath.Join(dir, "cache"))
	var out strings.Builder
	cmd.Stdout = &out
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "Compiling infra ") {
		t.Errorf("it says %q (%v)", line, err)
	}
	if err := os.WriteFile(gate, nil, 0); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its code is looked at below
	if code := cmd.ProcessState.ExitCode(); code != 7 || out.String() != "ran a b c\n" {
		t.Errorf("code %d, %q", code, out.String())
	}
}
