package packaging

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"buzon/scripts/load/s3server"
)

// vm is a clean Debian in a folder, with a store on this machine's loopback.
type vm struct {
	t        *testing.T
	root     string
	store    *s3server.Server
	uid, gid int
}

const (
	bucket = "acme-uploads"
	prefix = "uploads/vm-01/"
)

// TestTheLifeOfAPackageInACleanRoot installs the package, sends files by the service's command as its user under the
// unit's filters, upgrades it with its journal, removes and purges it, and installs it again.
func TestTheLifeOfAPackageInACleanRoot(t *testing.T) {
	tar := os.Getenv("BUZON_DEBIAN_ROOT")
	if tar == "" || os.Geteuid() != 0 {
		t.Skip("SKIPPED: BUZON_DEBIAN_ROOT is not set, or this isn't root; scripts/packaging/debian-root prints it")
	}
	need(t, "tar", "chroot", "systemd-analyze", "git", "gzip")
	v := &vm{t: t, root: t.TempDir(), store: s3server.Start(t, s3server.Options{
		Verify: true, Buckets: []s3server.Bucket{{Name: bucket, Versioned: true}}, Allow: s3server.WriteOnly(bucket, prefix),
	})}
	run(t, "", "tar", "-C", v.root, "-xf", tar)
	first, second := v.packaged("1.2.3"), v.packaged("1.3.0")

	out := v.in("dpkg", "-i", first)
	if !strings.Contains(out, "buzon-agent check") || !strings.Contains(out, "not started") {
		t.Errorf("the installation says\n%s", out)
	}
	v.installed("1.2.3")
	v.configure()
	if code, out := v.agent("check"); code != 0 {
		t.Fatalf("check ends with %d\n%s", code, out)
	}
	v.serve(func() {
		v.write("a.txt")
		v.arrives("a.txt")
		v.settled(1)
		if code, out := v.agent("status"); code != 0 {
			t.Errorf("status ends with %d\n%s", code, out)
		}
	})

	// An upgrade keeps configuration and journal: nothing is sent twice.
	out = v.in("dpkg", "-i", second)
	v.installed("1.3.0")
	if strings.Contains(out, "Configuration file") {
		t.Errorf("the upgrade asks about the configuration\n%s", out)
	}
	v.serve(func() {
		v.write("b.txt")
		v.arrives("b.txt")
		v.settled(2)
	})
	sent := map[string]int{}
	for _, o := range v.store.Versions(bucket) {
		sent[o.Key]++
	}
	if sent[prefix+"a.txt"] != 1 || sent[prefix+"b.txt"] != 1 {
		t.Errorf("sent were %v", sent)
	}
	v.in("dpkg", "-i", first) // and back
	v.installed("1.2.3")

	v.in("dpkg", "-r", "buzon-agent")
	v.absent("usr/bin/buzon-agent", "usr/bin/agent", "usr/lib/systemd/system/buzon-agent.service")
	v.present("var/lib/buzon/journal.db", "etc/buzon/agent.yaml", "etc/buzon/credentials", "srv/outbox/a.txt")
	out = v.in("dpkg", "-P", "buzon-agent")
	if !strings.Contains(out, "/var/lib/buzon") || !strings.Contains(out, "revoke") {
		t.Errorf("the purge doesn't tell what stays\n%s", out)
	}
	v.absent("etc/buzon/agent.yaml")
	v.present("var/lib/buzon/journal.db", "etc/buzon/credentials", "srv/outbox/a.txt")

	// What stayed is taken up again.
	v.in("dpkg", "-i", second)
	v.configure()
	v.serve(func() {
		v.write("c.txt")
		v.arrives("c.txt")
		v.settled(3)
	})
}

// packaged makes a package of a version and puts it into the root; the name is as seen from there.
func (v *vm) packaged(version string) string {
	v.t.Helper()
	dir := v.t.TempDir()
	run(v.t, "", "../package", "--version", version, "--only", "linux/amd64", dir)
	name := "buzon-agent_" + version + "_linux_amd64.deb"
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err == nil {
		err = os.WriteFile(v.at(name), data, 0o644)
	}
	if err != nil {
		v.t.Fatal(err)
	}
	return "/" + name
}

func (v *vm) at(path string) string { return filepath.Join(v.root, path) }

// in runs a command in the root, as root.
func (v *vm) in(command ...string) string {
	v.t.Helper()
	cmd := exec.Command("chroot", append([]string{v.root}, command...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		v.t.Fatalf("%q: %v\n%s", command, err, out)
	}
	return string(out)
}

// installed says that a version is there whole, with its user and folders.
func (v *vm) installed(version string) {
	v.t.Helper()
	if out := v.in("agent", "version"); !strings.Contains(out, version) {
		v.t.Errorf("the version is\n%s", out)
	}
	passwd, err := os.ReadFile(v.at("etc/passwd"))
	if err != nil {
		v.t.Fatal(err)
	}
	for line := range strings.Lines(string(passwd)) {
		if f := strings.Split(line, ":"); f[0] == "buzon" {
			v.uid, _ = strconv.Atoi(f[2]) //nolint:errcheck // 0 is found below
			v.gid, _ = strconv.Atoi(f[3]) //nolint:errcheck // likewise
			if shell := strings.TrimSpace(f[6]); shell != "/usr/sbin/nologin" {
				v.t.Errorf("the user's shell is %s", shell)
			}
		}
	}
	if v.uid == 0 || v.gid == 0 {
		v.t.Fatalf("there is no user buzon:\n%s", passwd)
	}
	for path, want := range map[string]struct {
		mode os.FileMode
		uid  int
	}{"var/lib/buzon": {0o700, v.uid}, "etc/buzon": {0o755, 0}, "srv/outbox": {0o770, v.uid}, "etc/buzon/agent.yaml": {0o644, 0}} {
		info, err := os.Stat(v.at(path))
		if err != nil || info.Mode().Perm() != want.mode || int(info.Sys().(*syscall.Stat_t).Uid) != want.uid {
			v.t.Errorf("%s: %v %v, want %v of %d", path, info, err, want.mode, want.uid)
		}
	}
}

// configure writes what the platform team hands over, where the package says.
func (v *vm) configure() {
	v.t.Helper()
	v.file("etc/buzon/agent.yaml", 0o644, 0, "bucket: "+bucket+"\nprefix: "+prefix+"\nregion: us-east-1\nendpoint: "+v.store.URL+
		"\nstate: /var/lib/buzon\noutboxes:\n  - path: /srv/outbox\n    quiet: 100ms\nidentity:\n  on_problem: wait\n  expect: "+s3server.Uploader.ARN+"\nlisten: unix:/run/buzon/http.sock\n")
	key := s3server.Uploader
	v.file("etc/buzon/credentials", 0o600, v.uid, "[default]\naws_access_key_id = "+key.AccessKey+"\naws_secret_access_key = "+key.Secret+"\n")
	// What systemd makes (RuntimeDirectory=).
	if err := os.MkdirAll(v.at("run/buzon"), 0o750); err == nil {
		err = os.Chown(v.at("run/buzon"), v.uid, v.gid)
		if err != nil {
			v.t.Fatal(err)
		}
	}
}

func (v *vm) file(path string, mode os.FileMode, owner int, text string) {
	v.t.Helper()
	for _, err := range []error{
		os.WriteFile(v.at(path), []byte(text), mode), os.Chmod(v.at(path), mode), os.Chown(v.at(path), owner, owner),
	} {
		if err != nil {
			v.t.Fatal(err)
		}
	}
}

// write puts a file into the outbox, as somebody of the group.
func (v *vm) write(name string) {
	v.t.Helper()
	v.in("chroot", "--userspec=65534:"+strconv.Itoa(v.gid), "/", "sh", "-c", "umask 002; echo "+name+" >/srv/outbox/"+name)
}

// service is a command of the agent as the service runs it; who the key is, is asked at the store too.
func (v *vm) service(args ...string) *exec.Cmd {
	cmd := asTheService(v.t, v.root, v.uid, v.gid, args...)
	cmd.Env = append(cmd.Env, "AWS_ENDPOINT_URL_STS="+v.store.URL)
	return cmd
}

// agent runs a command of the agent as the service's user under its filters.
func (v *vm) agent(args ...string) (code int, out string) {
	v.t.Helper()
	cmd := v.service(args...)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		v.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

// serve runs the service's command while do does something, and ends it as systemd does.
func (v *vm) serve(do func()) {
	v.t.Helper()
	if err := os.RemoveAll(v.at("run/notify")); err != nil {
		v.t.Fatal(err)
	}
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: v.at("run/notify"), Net: "unixgram"})
	if err != nil {
		v.t.Fatal(err)
	}
	defer notify.Close() //nolint:errcheck // it is only read
	if err := os.Chmod(v.at("run/notify"), 0o777); err != nil {
		v.t.Fatal(err)
	}
	cmd := v.service(strings.Fields(unitSays(v.t, "ExecStart")[0])[1:]...)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET=/run/notify")
	log := &shared{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			v.t.Errorf("the service ends with %v", err)
		}
		if v.t.Failed() {
			v.t.Log(log.String())
		}
	}()
	message := make([]byte, 4096)
	for heard := ""; !strings.Contains(heard, "READY=1"); {
		if err := notify.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			v.t.Fatal(err)
		}
		n, err := notify.Read(message)
		if err != nil {
			v.t.Fatalf("systemd never hears READY=1: %v\n%s", err, log)
		}
		heard = string(message[:n])
	}
	do()
}

// shared is a log that is written and read at once.
type shared struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// until waits for something to become true.
func (v *vm) until(what string, holds func() bool) {
	v.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !holds(); <-tick.C {
		if time.Now().After(end) {
			v.t.Errorf("it does not come to pass that %s", what)
			return
		}
	}
}

func (v *vm) arrives(name string) {
	v.t.Helper()
	v.until(name+" arrives", func() bool { _, there := v.store.Object(bucket, prefix+name); return there })
}

// settled waits until the journal knows so many files as done.
func (v *vm) settled(files int64) {
	v.t.Helper()
	v.until(strconv.FormatInt(files, 10)+" files are settled", func() bool {
		_, out := v.agent("status", "--format", "json")
		var s struct {
			Counts map[string]struct{ Files int64 }
		}
		return json.Unmarshal([]byte(out), &s) == nil && s.Counts["settled"].Files == files
	})
}

func (v *vm) present(paths ...string) {
	v.t.Helper()
	for _, path := range paths {
		if _, err := os.Lstat(v.at(path)); err != nil {
			v.t.Errorf("it should still be there: %v", err)
		}
	}
}

func (v *vm) absent(paths ...string) {
	v.t.Helper()
	for _, path := range paths {
		if _, err := os.Lstat(v.at(path)); err == nil {
			v.t.Errorf("/%s is still there", path)
		}
	}
}

// TestTheFilterIsInForce: what the unit forbids is refused, so that a program that runs under it shows something.
func TestTheFilterIsInForce(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root may take on another user")
	}
	need(t, "systemd-analyze", "python3")
	allowed := strings.Fields(filterOf(t))
	for name, want := range map[string]bool{"read": true, "socket": true, "fsync": true, "flock": true, "ptrace": false, "mount": false, "setuid": false, "chroot": false, "kexec_load": false, "bpf": false} {
		n := strconv.FormatUint(uint64(callNumbers(t)[name]), 10)
		found := false
		for _, call := range allowed {
			found = found || call == n
		}
		if found != want {
			t.Errorf("%s is allowed: %t", name, found)
		}
	}
	cmd := asTheService(t, "/", 65534, 65534)
	cmd.Args = []string{cmd.Args[0], "/usr/bin/python3", "-c", `
import os, socket
def refused(do, *args):
    try: do(*args)
    except OSError as e: return e.errno
print(refused(os.chroot, "/"), refused(socket.socket, socket.AF_PACKET, socket.SOCK_RAW), refused(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW), refused(socket.socket, socket.AF_INET, socket.SOCK_STREAM))`}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "1 97 97 None" {
		t.Errorf("%v %s", err, out)
	}
}
