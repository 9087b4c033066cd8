package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"buzon/agent/internal/locale"
	"buzon/agent/internal/report"
	"buzon/agent/internal/send/courier"
	"buzon/scripts/load/s3server"
)

// screens collects what commands put on a screen of 80 columns, as it stands in testdata/screens, where it can be
// looked at. BUZON_WRITE_DOCS=1 go test ./agent/internal/cli -run TestScreens writes it again.
type screens struct {
	*host
	lang string
	text strings.Builder
}

func newScreens(t *testing.T, lang string, o s3server.Options) *screens {
	t.Helper()
	s := &screens{host: newHost(t, o), lang: lang}
	// A path of one length, whatever this run is called, so that lines break where they always do.
	for s.home = ""; len(filepath.Base(s.home)) != len("buzon-1234567890"); {
		_ = os.RemoveAll(s.home)
		dir, err := os.MkdirTemp("/tmp", "buzon-")
		if err != nil {
			t.Fatal(err)
		}
		s.home = dir
	}
	t.Cleanup(func() { _ = os.RemoveAll(s.home) })
	for k, v := range map[string]string{
		"HOME": s.home, "CONFIGURATION_DIRECTORY": s.file("etc"), "AWS_SHARED_CREDENTIALS_FILE": s.file("credentials"), "AWS_CONFIG_FILE": s.file("config"),
		"COLUMNS": "80", "LANG": "C.UTF-8", "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": "",
	} {
		t.Setenv(k, v)
	}
	s.key(s3server.Uploader)
	s.settings("")
	t.Chdir(s.home)
	return s
}

// show runs a command and adds what it says.
func (s *screens) show(args ...string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	code := Main(s.t.Context(), append([]string{"--lang", s.lang}, args...), strings.NewReader(""), &out, &errs, os.Environ())
	var typed []string
	for _, a := range args {
		typed = append(typed, locale.Shell(a))
	}
	fmt.Fprintf(&s.text, "$ agent %s\n%s%s[%d]\n\n", strings.Join(typed, " "), out.String(), errs.String(), code)
}

var changing = []struct {
	pattern *regexp.Regexp
	to      string
}{
	{regexp.MustCompile(`/tmp/buzon-\d{10}`), "/tmp/buzon-1234567890"},
	{regexp.MustCompile(`127\.0\.0\.1:\d{5}`), "127.0.0.1:12345"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d(\s+)\d\d:\d\d:\d\d [+-]\d\d:\d\d`), "2026-01-31${1}08:00:00 +00:00"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`), "2026-01-31T08:00:00Z"},
	{regexp.MustCompile(`(in|en) [\d.,]+ (ms|µs|s) \([^)]*\)`), "$1 1 s (1 MiB/s)"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), strings.Repeat("0", 64)},
	{regexp.MustCompile(`agent (devel[^\s,]*|v?\d[^\s,]*)`), "agent devel"},
	{regexp.MustCompile(`go1\.[\d.]+ \S+`), "go1.26 linux/amd64"},
	{regexp.MustCompile(`(?m)^commit .*\n`), ""},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d (INF|WRN|ERR|DBG)`), "08:00:00 $1"},
	{regexp.MustCompile(`(for|desde hace|hace) \d+ (ms|µs|s)`), "$1 1 s"},
	{regexp.MustCompile(`Date → [+-]?\d+s`), "Date → 0s"},
	{regexp.MustCompile(`"(request_id|crc64nvme|etag|version_id)":"[^"]*"`), `"$1":"…"`},
}

// hold compares what was shown with what stands in the file, and holds every line to the screen.
func (s *screens) hold(name string) {
	s.t.Helper()
	text := s.text.String()
	for _, c := range changing {
		text = c.pattern.ReplaceAllString(text, c.to)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		broken := strings.Contains(strings.TrimSpace(line), " ")
		if locale.Columns(line) > 80 && broken && !strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "$ ") && !strings.HasPrefix(line, "{") && !strings.Contains(line, "  # ") && !strings.Contains(line, " → ") {
			s.t.Errorf("%s: wider than the screen: %s", s.lang, line)
		}
	}
	path := filepath.Join(testdata, name+"."+s.lang+".txt")
	old, err := os.ReadFile(path)
	switch {
	case err == nil && string(old) == text:
	case os.Getenv("BUZON_WRITE_DOCS") != "":
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			s.t.Fatal(err)
		}
	default:
		s.t.Errorf("%s isn't what is shown now.\nBUZON_WRITE_DOCS=1 go test ./agent/internal/cli -run TestScreens\n%s", path, firstDifference(string(old), text))
	}
}

// testdata is where the screens stand, whatever the folder of a test is.
var testdata = func() string {
	dir, err := filepath.Abs(filepath.Join("testdata", "screens"))
	if err != nil {
		panic(err)
	}
	return dir
}()

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range max(len(x), len(y)) {
		if i >= len(x) || i >= len(y) || x[i] != y[i] {
			return fmt.Sprintf("line %d\nhave: %s\nnow:  %s", i+1, strings.Join(x[min(i, len(x)):min(i+3, len(x))], "\n"), strings.Join(y[min(i, len(y)):min(i+3, len(y))], "\n"))
		}
	}
	return ""
}

func TestScreensOfHelp(t *testing.T) {
	for _, lang := range locale.Languages {
		s := newScreens(t, lang, s3server.Options{})
		var each func(cmd *cobra.Command)
		each = func(cmd *cobra.Command) {
			s.show(append(strings.Fields(cmd.CommandPath())[1:], "--help")...)
			for _, sub := range cmd.Commands() {
				each(sub)
			}
		}
		each(commandTree(lang))
		s.hold("help")
	}
}

func TestScreensOfErrors(t *testing.T) {
	for _, lang := range locale.Languages {
		s := newScreens(t, lang, s3server.Options{})
		s.files("out", "a.txt")
		s.files("other", "a.txt")
		s.write("faults.yaml", faultyConfig, 0o644)
		s.write("bad.yaml", "bucket: [\n", 0o644)
		s.write("empty.yaml", "{}\n", 0o644)
		s.write("bad.jsonl", "{\"schema\":\"buzon/receipt/v1\"}\n", 0o644)
		s.write("bad.json", "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\"Effect\": \"allow\", \"Action\": \"s3PutObject\", \"Resource\": \"*\"},\n    {\"Action\": \"s3:*\"}\n  ]\n}\n", 0o644)
		s.write("cut.json", "{\n  \"Version\": ", 0o644)
		s.write("good.json", writeOnlyPolicy, 0o644)
		s.write("waivers.yaml", "waivers:\n  - rule: nothing\n", 0o644)
		for _, args := range [][]string{
			{"verison"}, {"frobnicate"}, {"audit", "--all"}, {"config", "shwo"}, {"config", "show", "--buckte", "x"}, {"audit-policy", "--frobnicate"},
			{"status", "extra"}, {"config", "show", "--bucket"}, {"version", "--color", "blue"}, {"version", "--lang", "de"},
			{"version", "--log-level", "loud"}, {"version", "--format", "xml"}, {"completion"}, {"config", "explain", "identity.expct"},
			{"upload"}, {"upload", "nowhere"}, {"upload", "no/where"}, {"upload", "--config", "agent.yaml", "out", "other"},
			{"upload", "--config", "agent.yaml", "--limit", "fast", "out"}, {"upload", "--config", "agent.yaml", "--transfers", "999", "out"},
			{"upload", "--config", "agent.yaml", "--state", ".", "."}, {"upload", "--config", "agent.yaml", "--region", "europe", "out"},
			{"check", "--config", "none.yaml"}, {"check"}, {"check", "--config", "out"}, {"check", "--config", "bad.yaml"}, {"config", "validate", "--config", "faults.yaml"},
			{"config", "validate", "--config", "empty.yaml"}, {"config", "init", "--config", "agent.yaml"}, {"run", "--config", "agent.yaml"},
			{"status", "--state", "elsewhere"}, {"retry", "--state", "elsewhere"}, {"receipts", "export", "--config", "agent.yaml"}, {"receipts", "export", "--since", "yesterday"},
			{"receipts", "import"}, {"receipts", "import", "--config", "agent.yaml", "bad.jsonl"}, {"receipts", "verify"}, {"receipts", "verify", "--receipts", "bad.jsonl"},
			{"audit-policy"}, {"audit-policy", "--identity-policy", "nowhere.json"}, {"audit-policy", "--identity-policy", "good.json"},
			{"audit-policy", "--identity-policy", "good.json", "--bucket", "acme-uploads", "--prefix", "uploads/{nombre}/"},
			{"audit-policy", "--identity-policy", "good.json", "--bucket", "acme-uploads", "--prefix", "uploads/{name}/"},
			{"audit-policy", "--identity-policy", "bad.json", "--bucket", "acme-uploads", "--prefix", "uploads/vm-01/"},
			{"audit-policy", "--identity-policy", "cut.json", "--bucket", "acme-uploads", "--prefix", "uploads/vm-01/"},
			{"audit-policy", "--identity-policy", "good.json", "--bucket", "acme-uploads", "--prefix", "uploads/vm-01/", "--allow", "s3:GetObject"},
			{"audit-policy", "--identity-policy", "good.json", "--bucket", "acme-uploads", "--prefix", "uploads/vm-01/", "--allow", "nothing"},
			{"audit-policy", "--identity-policy", "good.json", "--bucket", "acme-uploads", "--prefix", "uploads/vm-01/", "--waivers", "waivers.yaml"},
			{"audit-policy", "--identity-policy", "good.json", "--bucket", "acme-uploads", "--prefix", "uploads/vm-01/", "-o", "no/where.txt"},
			{"audit-policy", "--template", "good.json"}, {"audit-policy", "--template", "cut.json"}, {"audit-policy", "--terraform-plan", "good.json"}, {"audit-policy", "--authorization-details", "good.json"},
			{"audit-policy", "--identity-policy", "good.json", "--compare", "good.json"},
		} {
			s.show(args...)
		}
		s.hold("errors")
	}
}

const writeOnlyPolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::acme-uploads/uploads/vm-01/*"}
  ]
}
`

const faultyConfig = `bucket: Acme_Uploads
bucket: other
prefix: uploads/vm-01
regoin: eu-west-1
colour: blue
endpoint: ftp://example.com
addressing: sideways
state: relative
key: "{nme}"
on_conflict: ask
rescan: 5
tries: 0
object: { storage_class: standard, tags: [a] }
identity:
  expect: vm-01
  method: guess
  on_problem: cry
  secret_access_key: hunter2
limits: { transfers: 999, memory: 1, part_size: 1KiB, bandwidth: fast }
listen: 0.0.0.0:80
outboxes:
  - path: /srv/out
    quiet: soon
    settle: burn
  - include: ["**"]
`

func TestScreensOfTheStore(t *testing.T) {
	for _, lang := range locale.Languages {
		s := newScreens(t, lang, s3server.Options{Allow: s3server.AdminOr(s3server.WriteOnly(inbox, prefix))})
		more := "on_conflict: fail\noutboxes:\n  - path: " + s.file("out") + "\nidentity:\n  expect: " + vm01 + "\n"
		s.settings(more)
		s.show("config", "validate", "--config", "agent.yaml")
		s.show("config", "show", "--config", "agent.yaml")
		s.show("config", "explain", "identity.expect")
		s.show("check", "--config", "agent.yaml")
		s.files("out", "name with blanks.txt", "taken.txt", ".hidden")
		s.server.Put(inbox, prefix+"taken.txt", []byte("somebody else's"))
		s.show("check", "--config", "agent.yaml")
		s.show("upload", "--config", "agent.yaml", "--dry-run", filepath.Join("out", "name with blanks.txt"))
		s.show("upload", "--config", "agent.yaml", "out")
		s.show("upload", "--config", "agent.yaml", "out")
		s.show("status", "--config", "agent.yaml")
		s.show("retry", "--config", "agent.yaml", "nowhere")
		s.show("retry", "--config", "agent.yaml")
		s.key(s3server.Identity{AccessKey: s3server.Uploader.AccessKey, Secret: "wrong-secret"})
		s.show("check", "--config", "agent.yaml")
		s.key(s3server.Admin)
		s.show("check", "--config", "agent.yaml")
		s.settings(strings.Replace(more, vm01, "arn:aws:iam::111122223333:user/admin", 1))
		s.show("check", "--config", "agent.yaml")
		s.files("out", "b.txt")
		s.show("upload", "--config", "agent.yaml", "out")
		s.write("credentials", "", 0o600)
		s.show("check", "--config", "agent.yaml")
		s.show("upload", "--config", "agent.yaml", "out")
		s.write("good.json", writeOnlyPolicy, 0o644)
		s.write("full.json", fullAccess, 0o644)
		for _, policy := range []string{"good.json", "full.json"} {
			s.show("audit-policy", "--identity-policy", policy, "--principal", "arn:aws:iam::111122223333:user/buzon/vm-01", "--bucket", "acme-uploads", "--prefix", "uploads/vm-01/")
		}
		s.show("audit-policy", "--identity-policy", "good.json", "--bucket", "acme-uploads", "--prefix", "uploads/vm-01/", "--strict")
		s.show("audit-policy", "--identity-policy", "good.json", "--bucket", "acme-uploads", "--prefix", "uploads/", "-o", "report.txt")
		s.hold("store")
	}
}

func TestScreensOfTheStatus(t *testing.T) {
	since := time.Date(2026, 1, 31, 7, 54, 0, 0, time.UTC)
	for _, lang := range locale.Languages {
		s := newScreens(t, lang, s3server.Options{})
		p := locale.Load(lang).With("with_config", locale.Raw(""), "with_state", locale.Raw(""), "with_all", locale.Raw(""))
		for _, kind := range courier.ProblemKinds {
			status := courier.Status{
				Schema: courier.StatusSchema, Generated: since.Add(6 * time.Minute), State: courier.StateWaiting, Reason: kind, Since: since, Started: since.Add(-time.Hour),
				Running: true, Command: "run", PID: 4321, Bucket: inbox, Prefix: prefix, Folder: "/var/lib/buzon",
				Counts: map[string]courier.Count{"pending": {Files: 1501, Bytes: 2 << 20}}, Lost: &courier.LostMemory{Conflicts: 20, Files: 100},
				Problems: []courier.Problem{{Kind: kind, Outbox: "/srv/outbox", Path: "/srv/outbox/sub/it's here.csv", Since: since, Files: 2, Detail: "permission denied"}},
			}
			if kind == courier.ProblemGate || kind == courier.ProblemLostMemory || kind == courier.ProblemNotAnswering {
				status.State = courier.StateStopped
			}
			fmt.Fprintf(&s.text, "%s\n", kind)
			if err := report.StatusText(&s.text, p, status, report.Screen{Width: 80}); err != nil {
				t.Fatal(err)
			}
			s.text.WriteString("\n")
		}
		s.hold("status")
	}
}
