package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"buzon/scripts/aws/localaws"
	"buzon/scripts/aws/rolesanywhere"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const (
	keylessBucket = "keyless-slot"
	anchor        = "arn:aws:rolesanywhere:" + localaws.Region + ":" + localaws.Account + ":trust-anchor/8f2b2a9c-1111-2222-3333-444455556666"
	// Those of AWS's own, for which the local AWS has no service.
	makeAnchor = "aws rolesanywhere create-trust-anchor "
	importCRL  = "aws rolesanywhere import-crl "
)

// keyless is a VM with a certificate and no key, the authority of its
// certificates, and what plays Roles Anywhere.
type keyless struct {
	*world
	t         *testing.T
	dir       string // of the authority and of the VM alike
	helper    string // the folder with AWS's signing helper
	service   *rolesanywhere.Service
	ahead     atomic.Int64 // of the machine's clock, by which certificates are judged
	endpoint  string
	env       []string
	outbox    string
	agentYAML string
}

// signingHelper builds AWS's signing helper, pinned, into the cache, and gives the
// folder with it.
func signingHelper(t *testing.T, w *world) string {
	t.Helper()
	for _, needed := range []string{"gcc", "openssl"} {
		if _, err := exec.LookPath(needed); err != nil {
			t.Skipf("SKIPPED: %s is missing, with which the signing helper is built and certificates are made", needed)
		}
	}
	module := filepath.Join(w.root, "scripts", "tools", "signing-helper")
	lock, err := os.ReadFile(filepath.Join(module, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := localaws.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	dir := filepath.Join(cache, "signing-helper-"+hex.EncodeToString(sum[:6]))
	program := filepath.Join(dir, "aws_signing_helper")
	if _, err := os.Stat(program); err == nil {
		return dir
	}
	if out, err := w.run(t.Context(), []string{"CGO_ENABLED=1"}, "go", "build", "-C", module, "-o", program, "github.com/aws/rolesanywhere-credential-helper"); err != nil {
		t.Fatalf("build the signing helper: %v\n%s", err, out)
	}
	return dir
}

// types runs a command of the page, as a reader does, where the authority and the VM are.
func (k *keyless) types(text string) string {
	k.t.Helper()
	cmd := exec.CommandContext(k.t.Context(), "sh", "-c", text)
	cmd.Dir, cmd.Env = k.dir, localaws.CommandEnv(k.aws.Env())
	if strings.HasPrefix(text, "scripts/") {
		cmd.Dir = k.root
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		k.t.Fatalf("%s: %v\n%s%s", text, err, out, said.String())
	}
	return string(out)
}

// A VM with a certificate and no key sends, with AWS's signing helper. Its
// certificate ends: the agent waits, and says so in one sentence; a new one is put
// in place, and it goes on. Everything is done as docs/en/keyless.md says.
func TestAVMWithACertificateAndNoKey(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := &keyless{world: w, t: t, dir: t.TempDir(), helper: signingHelper(t, w)}
	var page []string
	for _, c := range commandsOf(t, "en/keyless.md") {
		if c.heading != "EC2" {
			page = append(page, c.text)
		}
	}
	begins := func(texts ...string) []string {
		t.Helper()
		if len(page) < len(texts) {
			t.Fatalf("the page ends before %q", texts)
		}
		for i, text := range texts {
			if !strings.HasPrefix(page[i], text) {
				t.Fatalf("the page says %q where this test knows %q: mend it", page[i], text)
			}
		}
		var now []string
		now, page = page[:len(texts)], page[len(texts):]
		return now
	}

	k.types(begins("openssl req -x509 ")[0])
	begins(makeAnchor)
	k.startService()
	if out, err := k.deployKeyless(); err != nil {
		t.Fatalf("cdk deploy: %v\n%s", err, out)
	}
	k.findProfiles()
	issue := begins("openssl req -newkey ", "printf ", "openssl x509 -req ")
	for _, text := range issue {
		k.types(text)
	}
	k.configure(k.types(begins("scripts/agent-config vm-01")[0] + " --stack Keyless"))

	out, said, code := w.runAgent(t, k.env, "check", "--config", k.agentYAML)
	if code != 0 {
		t.Fatalf("agent check: code %d\n%s%s", code, out, said)
	}
	for _, want := range []string{"assumed-role/vm-01/", "credential_process"} {
		if !strings.Contains(out, want) {
			t.Errorf("agent check says nothing of %q:\n%s", want, out)
		}
	}

	log := k.startAgent()
	k.write("first")
	k.arrives("first")

	// A month passes at Roles Anywhere.
	k.ahead.Store(int64(31 * 24 * time.Hour))
	k.until("the session ends", func(context.Context) bool { return time.Now().After(k.service.Ends()) })
	last := k.waits(log)

	// A new certificate for the same key, as at first. Here the month has not passed,
	// so that it needs one day more of it.
	k.types(strings.Replace(issue[2], "-days 30", "-days 62", 1) + ".new && mv vm-01.pem.new vm-01.pem")
	k.arrives(last)

	// It is taken back. That Roles Anywhere heeds the list is AWS's; the list holds it.
	for _, text := range begins("printf ", "touch ", "openssl ca ", "openssl ca ") {
		k.types(text)
	}
	k.revoked()
	begins(importCRL)
	if len(page) > 0 {
		t.Errorf("the page says more, which is not tried: %q", page)
	}
}

// startService plays Roles Anywhere with the authority of the page.
func (k *keyless) startService() {
	k.t.Helper()
	ca, err := os.ReadFile(filepath.Join(k.dir, "ca.pem"))
	if err != nil {
		k.t.Fatal(err)
	}
	k.service = &rolesanywhere.Service{
		STS: sts.NewFromConfig(k.config), Anchor: anchor, Roots: x509.NewCertPool(), Profiles: map[string][]string{},
		Now: func() time.Time { return time.Now().Add(time.Duration(k.ahead.Load())) }, Lasts: 5 * time.Second,
	}
	if !k.service.Roots.AppendCertsFromPEM(ca) {
		k.t.Fatal("ca.pem holds no certificate")
	}
	server := httptest.NewTLSServer(k.service)
	k.t.Cleanup(server.Close)
	k.endpoint = server.URL
	// The helper trusts what the machine trusts: here this server, and the local AWS.
	local, err := os.ReadFile(k.aws.CA())
	if err != nil {
		k.t.Fatal(err)
	}
	bundle := filepath.Join(k.dir, "trusted.pem")
	if err := os.WriteFile(bundle, append(local, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})...), 0o600); err != nil {
		k.t.Fatal(err)
	}
	k.env = append(k.aws.ClientEnv(), "SSL_CERT_FILE="+bundle, "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(k.dir, "credentials"),
		"PATH="+k.helper+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func (k *keyless) deployKeyless() (string, error) {
	if out, err := buildAgent(); err != nil {
		k.t.Fatalf("build the agent: %v\n%s", err, out)
	}
	return k.run(k.t.Context(), append(k.aws.Env(), "BUZON_AGENT="+k.agent), filepath.Join(k.root, "scripts", "cdk"), "deploy",
		"--require-approval", "never", "--output", filepath.Join(k.dir, "cdk.out"), "-c", "stackName=Keyless", "-c", "path=/keyless/",
		"-c", "bucketName="+keylessBucket, "-c", "identity=roles-anywhere", "-c", "trustAnchor="+anchor, "-c", "uploaders=vm-01")
}

// findProfiles tells the service which profiles the stack made.
func (k *keyless) findProfiles() {
	k.t.Helper()
	out, err := cloudformation.NewFromConfig(k.config).DescribeStackResources(k.t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: aws.String("Keyless")})
	if err != nil {
		k.t.Fatal(err)
	}
	arns := "arn:aws:rolesanywhere:" + localaws.Region + ":" + localaws.Account + ":profile/"
	for _, r := range out.StackResources {
		if aws.ToString(r.ResourceType) == "AWS::RolesAnywhere::Profile" {
			k.service.Profiles[arns+*r.PhysicalResourceId] = []string{"arn:aws:iam::" + localaws.Account + ":role/keyless/vm-01"}
		}
	}
	if len(k.service.Profiles) != 1 {
		k.t.Fatalf("the stack has the profiles %v", k.service.Profiles)
	}
}

// configure makes of what agent-config printed the VM's two files, as it says in
// it; only where they lie, and where Roles Anywhere is, is of this machine.
func (k *keyless) configure(printed string) {
	k.t.Helper()
	yaml, below, found := strings.Cut(printed, "# [default]\n")
	if !found {
		k.t.Fatalf("agent-config prints no profile:\n%s", printed)
	}
	k.outbox, k.agentYAML = filepath.Join(k.dir, "outbox"), filepath.Join(k.dir, "agent.yaml")
	if err := os.Mkdir(k.outbox, 0o700); err != nil {
		k.t.Fatal(err)
	}
	here := strings.NewReplacer("/var/lib/buzon", filepath.Join(k.dir, "state"), "/srv/outbox", k.outbox, "/etc/buzon", k.dir)
	yaml = strings.Replace(here.Replace(yaml), "identity:\n", "identity:\n  on_problem: wait\n", 1) + "listen: \"\"\n"
	profile := "[default]\n" + strings.TrimRight(strings.ReplaceAll(here.Replace(below), "# ", ""), "\n") + " --endpoint " + k.endpoint + "\n"
	for file, text := range map[string]string{k.agentYAML: yaml, filepath.Join(k.dir, "credentials"): profile} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			k.t.Fatal(err)
		}
	}
}

// startAgent runs the agent until the test ends, and gives the file of its log.
func (k *keyless) startAgent() string {
	k.t.Helper()
	file := filepath.Join(k.dir, "log")
	log, err := os.Create(file)
	if err != nil {
		k.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(k.agent, "run", "--config", k.agentYAML, "--lang", "en", "--log-format", "json")
	cmd.Env, cmd.Stderr, cmd.Stdout = localaws.CommandEnv(k.env), log, log
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		if err := cmd.Wait(); err != nil {
			text, _ := os.ReadFile(file)
			k.t.Errorf("the agent ended: %v\n%s", err, text)
		}
	})
	return file
}

func (k *keyless) write(name string) {
	k.t.Helper()
	file := filepath.Join(k.outbox, name)
	if err := errors.Join(os.WriteFile(file+".tmp", []byte(name), 0o600), os.Rename(file+".tmp", file)); err != nil {
		k.t.Fatal(err)
	}
}

// until waits for something, for at most as long as the agent may take to look again.
func (k *keyless) until(what string, is func(context.Context) bool) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), 2*time.Minute)
	defer cancel()
	for tick := time.NewTicker(100 * time.Millisecond); !is(ctx); {
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(k.dir, "log"))
			k.t.Fatalf("%s: not in time\n%s", what, log)
		case <-tick.C:
		}
	}
}

func (k *keyless) arrives(name string) {
	k.t.Helper()
	k.until(name+" arrives", func(ctx context.Context) bool { return k.arrived(ctx, name) })
}

func (k *keyless) arrived(ctx context.Context, name string) bool {
	_, err := k.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(keylessBucket), Key: aws.String("uploads/vm-01/" + name)})
	return err == nil
}

// waits writes a file and holds what status and log say while no session is to be had; it returns the file. On a busy
// machine a session that was asked for before may still be handed out: a file that is sent with it is followed by another.
func (k *keyless) waits(log string) string {
	k.t.Helper()
	n := 2
	name := func() string { return fmt.Sprintf("file %d", n) }
	k.write(name())
	var status struct {
		State    string
		Problems []struct{ Kind string }
	}
	k.until("the agent says that it waits", func(ctx context.Context) bool {
		if k.arrived(ctx, name()) {
			n++
			k.write(name())
		}
		out, _, _ := k.runAgent(k.t, k.env, "status", "--config", k.agentYAML, "--format", "json")
		return json.Unmarshal([]byte(out), &status) == nil && status.State == "waiting"
	})
	if len(status.Problems) != 1 || status.Problems[0].Kind != "gate" {
		k.t.Errorf("the problems are %+v, want the gate's alone", status.Problems)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		k.t.Fatal(err)
	}
	sentences := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool {
		return !strings.Contains(line, "The credential_process of profile default")
	})
	if len(sentences) != 1 {
		k.t.Errorf("it says so %d times:\n%s", len(sentences), text)
	}
	return name()
}

// revoked looks whether the list of the page holds the VM's certificate.
func (k *keyless) revoked() {
	k.t.Helper()
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(k.dir, name))
		if err != nil {
			k.t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		if block == nil {
			k.t.Fatalf("%s is no PEM", name)
		}
		return block.Bytes
	}
	list, err := x509.ParseRevocationList(read("buzon.crl"))
	if err != nil {
		k.t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(read("ca.pem"))
	if err != nil {
		k.t.Fatal(err)
	}
	mine, err := x509.ParseCertificate(read("vm-01.pem"))
	if err != nil {
		k.t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(ca); err != nil {
		k.t.Error(err)
	}
	if len(list.RevokedCertificateEntries) != 1 || list.RevokedCertificateEntries[0].SerialNumber.Cmp(mine.SerialNumber) != 0 {
		k.t.Errorf("the list holds %v", list.RevokedCertificateEntries)
	}
}
