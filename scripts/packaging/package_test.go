// Package packaging holds what goes into the packages that scripts/package makes:
// the service, its configuration, and the scripts of installation. It has no code;
// its tests make a package and look into it.
package packaging

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// made makes the packages for this kind of machine, in a folder of its own.
func made(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	run(t, "", "../package", "--version", "1.2.3", "--only", "linux/amd64", dir)
	return dir
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("SKIPPED: %s is not installed", p)
		}
	}
}

func TestPackages(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: it builds two packages")
	}
	need(t, "dpkg-deb", "git", "gzip")
	first, second := made(t), made(t)

	t.Run("two builds of one commit are equal", func(t *testing.T) {
		files, err := filepath.Glob(filepath.Join(first, "*"))
		if err != nil || len(files) != 4 {
			t.Fatalf("%v %q", err, files)
		}
		for _, file := range files {
			a, errA := os.ReadFile(file)
			b, errB := os.ReadFile(filepath.Join(second, filepath.Base(file)))
			if errA != nil || errB != nil || !bytes.Equal(a, b) {
				t.Errorf("%s differs: %v %v", filepath.Base(file), errA, errB)
			}
		}
		run(t, first, "sha256sum", "--check", "--quiet", "SHA256SUMS")
	})

	root := t.TempDir()
	run(t, "", "dpkg-deb", "-x", filepath.Join(first, "buzon-agent_1.2.3_linux_amd64.deb"), root)
	at := func(path string) string { return filepath.Join(root, path) }

	t.Run("what is in it", func(t *testing.T) {
		for path, mode := range map[string]os.FileMode{
			"usr/bin/buzon-agent": 0o755, "usr/lib/systemd/system/buzon-agent.service": 0o644, "etc/buzon/agent.yaml": 0o644,
			"usr/share/man/man1/buzon-agent-run.1.gz": 0o644, "usr/share/man/es/man1/buzon-agent-run.1.gz": 0o644,
			"usr/share/bash-completion/completions/buzon-agent": 0o644, "usr/share/doc/buzon-agent/changelog.gz": 0o644,
		} {
			info, err := os.Stat(at(path))
			if err != nil || info.Mode() != mode {
				t.Errorf("%s: %v, want mode %v", path, err, mode)
			}
		}
		control := run(t, "", "dpkg-deb", "-I", filepath.Join(first, "buzon-agent_1.2.3_linux_amd64.deb"))
		for _, want := range []string{"Package: buzon-agent", "Version: 1.2.3", "Architecture: amd64", "conffiles", "postinst", "prerm", "postrm"} {
			if !strings.Contains(control, want) {
				t.Errorf("it doesn't say %q:\n%s", want, control)
			}
		}
	})

	t.Run("the program runs", func(t *testing.T) {
		if out := run(t, "", at("usr/bin/buzon-agent"), "version"); !strings.Contains(out, "1.2.3") {
			t.Errorf("its version is\n%s", out)
		}
		// The configuration is one that it reads; what it can't know it asks for.
		cmd := exec.Command(at("usr/bin/buzon-agent"), "config", "validate", "--config", at("etc/buzon/agent.yaml"), "--lang", "en")
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "bucket") || strings.Contains(string(out), "no key of this") {
			t.Errorf("of its configuration it says\n%s", out)
		}
	})

	t.Run("the service", func(t *testing.T) {
		need(t, "systemd-analyze")
		unit := at("usr/lib/systemd/system/buzon-agent.service")
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		here := filepath.Join(t.TempDir(), "buzon-agent.service")
		text = bytes.ReplaceAll(text, []byte("ExecStart=/usr/bin/buzon-agent"), []byte("ExecStart="+at("usr/bin/buzon-agent")))
		if err := os.WriteFile(here, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if out := run(t, "", "systemd-analyze", "verify", "--man=no", here); out != "" {
			t.Errorf("systemd says of it\n%s", out)
		}
		out := run(t, "", "systemd-analyze", "security", "--offline=yes", "--threshold=20", here)
		if !regexp.MustCompile(`Overall exposure level.*: [01]\.`).MatchString(out) {
			t.Errorf("its sandbox is\n%s", out)
		}
	})

	t.Run("the scripts are POSIX shell", func(t *testing.T) {
		for _, file := range []string{"postinstall.sh", "preremove.sh", "postremove.sh"} {
			run(t, "", "sh", "-n", filepath.Join("files", file))
		}
	})

	t.Run("the rpm holds the same", func(t *testing.T) {
		need(t, "rpm")
		list := run(t, "", "rpm", "-qlp", "--nosignature", filepath.Join(first, "buzon-agent_1.2.3_linux_amd64.rpm"))
		for _, want := range []string{"/usr/bin/buzon-agent", "/etc/buzon/agent.yaml", "/usr/lib/systemd/system/buzon-agent.service"} {
			if !strings.Contains(list, want+"\n") {
				t.Errorf("it lacks %s:\n%s", want, list)
			}
		}
	})
}

// TestTheRestartTableIsTheUnits holds the pages' times to the service's file.
func TestTheRestartTableIsTheUnits(t *testing.T) {
	unit, err := os.ReadFile("files/buzon-agent.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"StartLimitIntervalSec=10min", "StartLimitBurst=5", "Type=notify", "Restart=always", "RestartForceExitStatus=SIGPIPE",
		"RestartPreventExitStatus=2", "RestartSec=10s", "TimeoutStopSec=45s", "WatchdogSec=60s",
	} {
		if !bytes.Contains(unit, []byte("\n"+line+"\n")) {
			t.Errorf("the unit doesn't say %s, and the pages do", line)
		}
	}
	for page, says := range map[string][]string{
		"en": {"five starts in ten minutes", "after 10 seconds", "ends with 2 and stays ended", "within a minute, then 10 seconds", "45 at most"},
		"es": {"cinco inicios en diez minutos", "tras 10 segundos", "termina con 2 y queda terminado", "en menos de un minuto, y 10 segundos más", "45 como máximo"},
	} {
		text, err := os.ReadFile("../../docs/" + page + "/installing.md")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range says {
			if !bytes.Contains(text, []byte(want)) {
				t.Errorf("docs/%s/installing.md doesn't say %q, as the unit does", page, want)
			}
		}
	}
}
