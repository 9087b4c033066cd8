package packaging

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A test that runs the service's program begins itself anew with these set: it enters the root, becomes the user, takes
// the filter of system calls, and becomes the program.
const (
	asService   = "BUZON_TEST_AS_SERVICE" // UID:GID:ROOT
	withFilter  = "BUZON_TEST_FILTER"     // numbers of the system calls that are allowed
	addressKind = "BUZON_TEST_FAMILIES"   // numbers of the address families that are allowed
)

func TestMain(m *testing.M) {
	if who := os.Getenv(asService); who != "" {
		fmt.Fprintln(os.Stderr, becomeService(who, os.Args[1:]))
		os.Exit(125)
	}
	os.Exit(m.Run())
}

// becomeService returns only with an error.
func becomeService(who string, command []string) error {
	var uid, gid int
	var root string
	if _, err := fmt.Sscanf(strings.ReplaceAll(who, ":", " "), "%d %d %s", &uid, &gid, &root); err != nil {
		return err
	}
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "BUZON_TEST_") {
			env = append(env, kv)
		}
	}
	calls, err := numbers(os.Getenv(withFilter))
	if err != nil {
		return err
	}
	families, err := numbers(os.Getenv(addressKind))
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	for _, step := range []func() error{
		func() error { return syscall.Chroot(root) },
		func() error { return os.Chdir("/") },
		func() error { return syscall.Setgroups([]int{gid}) },
		func() error { return syscall.Setgid(gid) },
		func() error { return syscall.Setuid(uid) },
		func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) },
		func() error {
			if len(calls) == 0 {
				return nil
			}
			return install(calls, families)
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return syscall.Exec(command[0], command, env)
}

func numbers(text string) (list []uint32, err error) {
	for _, word := range strings.Fields(text) {
		n, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			return nil, err
		}
		list = append(list, uint32(n))
	}
	return list, nil
}

// What a filter says of a call (seccomp(2)).
const (
	allow  = 0x7fff0000
	refuse = 0x00050000 // with the errno in the low bits
)

// install has the kernel refuse every other call of this thread with EPERM, and sockets of other families with
// EAFNOSUPPORT, as systemd does with SystemCallErrorNumber=EPERM and RestrictAddressFamilies=.
func install(calls, families []uint32) error {
	const number, socketFamily = 0, 16 // places in struct seccomp_data
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	give := func(what uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: what} }
	unless := func(is uint32) unix.SockFilter { // jumps over the next one unless equal
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: is, Jf: 1}
	}
	program := []unix.SockFilter{load(number)}
	for _, call := range calls {
		if call != unix.SYS_SOCKET {
			program = append(program, unless(call), give(allow))
		}
	}
	if slices.Contains(calls, uint32(unix.SYS_SOCKET)) {
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SOCKET, Jt: 1}, give(refuse|uint32(unix.EPERM)), load(socketFamily))
		for _, family := range families {
			program = append(program, unless(family), give(allow))
		}
		program = append(program, give(refuse|uint32(unix.EAFNOSUPPORT)))
	} else {
		program = append(program, give(refuse|uint32(unix.EPERM)))
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return errno
	}
	return nil
}

// unitSays are the values of a setting of the service's file, in order.
func unitSays(t *testing.T, setting string) (values []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("files", "buzon-agent.service"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), setting+"="); ok {
			values = append(values, value)
		}
	}
	return values
}

// allowedCalls are the numbers of the system calls that the unit's SystemCallFilter= leaves, as this machine's systemd
// and kernel know them.
func allowedCalls(t *testing.T) string {
	t.Helper()
	known := callNumbers(t)
	left := map[uint32]bool{}
	for _, value := range unitSays(t, "SystemCallFilter") {
		value, taken := strings.CutPrefix(value, "~")
		for _, name := range strings.Fields(value) {
			for _, call := range callsOf(t, name) {
				if n, ok := known[call]; ok && taken {
					delete(left, n)
				} else if ok {
					left[n] = true
				}
			}
		}
	}
	var text []string
	for n := range left {
		text = append(text, strconv.FormatUint(uint64(n), 10))
	}
	slices.Sort(text)
	return strings.Join(text, " ")
}

// callsOf are the system calls of a set, with those of the sets in it.
func callsOf(t *testing.T, name string) (calls []string) {
	t.Helper()
	if !strings.HasPrefix(name, "@") {
		return []string{name}
	}
	out := run(t, "", "systemd-analyze", "syscall-filter", name)
	for scan := bufio.NewScanner(strings.NewReader(out)); scan.Scan(); {
		switch word := strings.TrimSpace(scan.Text()); {
		case word == "" || word == name || strings.HasPrefix(word, "#"):
		default:
			calls = append(calls, callsOf(t, word)...)
		}
	}
	return calls
}

// callNumbers are the numbers of the system calls of this machine, out of the source of golang.org/x/sys.
func callNumbers(t *testing.T) map[string]uint32 {
	t.Helper()
	dir := strings.TrimSpace(run(t, "", "go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys"))
	text, err := os.ReadFile(filepath.Join(dir, "unix", "zsysnum_linux_"+runtime.GOARCH+".go"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]uint32{}
	for _, m := range regexp.MustCompile(`SYS_([A-Z0-9_]+) += ([0-9]+)`).FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.ParseUint(m[2], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.ToLower(m[1])] = uint32(n)
	}
	if len(all) < 300 {
		t.Fatalf("only %d system calls are known", len(all))
	}
	return all
}

// allowedFamilies are the numbers of the unit's RestrictAddressFamilies=.
func allowedFamilies(t *testing.T) string {
	t.Helper()
	known := map[string]int{"AF_UNIX": unix.AF_UNIX, "AF_INET": unix.AF_INET, "AF_INET6": unix.AF_INET6, "AF_NETLINK": unix.AF_NETLINK}
	var text []string
	for _, name := range strings.Fields(strings.Join(unitSays(t, "RestrictAddressFamilies"), " ")) {
		n, ok := known[name]
		if !ok {
			t.Fatalf("the test doesn't know the address family %s", name)
		}
		text = append(text, strconv.Itoa(n))
	}
	return strings.Join(text, " ")
}

// asTheService is a command of the service's program: in this root, as this user, with the environment and the filters
// that the unit gives.
func asTheService(t *testing.T, root string, uid, gid int, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, append(strings.Fields(unitSays(t, "ExecStart")[0])[:1], args...)...)
	cmd.Env = append(strings.Fields(unitSays(t, "Environment")[0]), "HOME=/var/lib/buzon", "PATH=/usr/bin:/bin", "STATE_DIRECTORY=/var/lib/buzon",
		"AWS_EC2_METADATA_DISABLED=true", fmt.Sprintf("%s=%d:%d:%s", asService, uid, gid, root), withFilter+"="+filterOf(t), addressKind+"="+allowedFamilies(t))
	return cmd
}

var filterOnce string

func filterOf(t *testing.T) string {
	t.Helper()
	if filterOnce == "" {
		filterOnce = allowedCalls(t)
	}
	return filterOnce
}
