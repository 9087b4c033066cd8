package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"buzon/scripts/aws/localaws"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A platform is a team with a checkout, a local AWS of its own and VMs, which
// does what docs/en/deploying.md says, in its order.
type platform struct {
	t       *testing.T
	aws     *localaws.AWS
	root    string // of the checkout
	agent   string // the built program
	vms     string // a folder for each
	env     []string
	iam     *iam.Client
	s3      *s3.Client
	page    []command // what is still to be typed
	sent    int       // names the letters
	context map[string]any
}

// newPlatform makes a checkout whose cdk.json is its own; all else in it is this
// repository's.
func newPlatform(t *testing.T) *platform {
	t.Helper()
	w := bare(t)
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("SKIPPED, " + errNoNPM.Error())
	}
	if out, err := buildAgent(); err != nil {
		t.Fatalf("build the agent: %v\n%s", err, out)
	}
	p := &platform{t: t, aws: localaws.ForTest(t), root: t.TempDir(), vms: t.TempDir(), agent: w.agent, page: commandsOf(t, "en/deploying.md")}
	entries, err := os.ReadDir(w.root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); name != "cdk.json" && name != "cdk.out" && name != ".git" {
			if err := os.Symlink(filepath.Join(w.root, name), filepath.Join(p.root, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(w.root, "cdk.json"))
	if err != nil {
		t.Fatal(err)
	}
	var app struct{ Context map[string]any }
	if err := json.Unmarshal(text, &app); err != nil {
		t.Fatal(err)
	}
	p.context = app.Context
	bin := filepath.Join(p.root, "bin")
	if err := errors.Join(os.Mkdir(bin, 0o700), os.Symlink(w.agent, filepath.Join(bin, "agent")),
		os.WriteFile(filepath.Join(bin, "ssh"), fmt.Appendf(nil, ssh, p.vms), 0o700)); err != nil {
		t.Fatal(err)
	}
	p.env = append(p.aws.Env(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "LC_ALL=C",
		// Programs are built once for all; nobody sits at the terminal.
		"BUZON_AGENT="+w.agent, "BUZON_CACHE="+filepath.Join(w.dir, "cache"), "CDK_REQUIRE_APPROVAL=never")
	cfg, err := w.load(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	cfg.BaseEndpoint = aws.String(p.aws.Endpoint)
	client, err := p.aws.HTTP()
	if err != nil {
		t.Fatal(err)
	}
	cfg.HTTPClient = client
	p.iam, p.s3 = iam.NewFromConfig(cfg), s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	p.settings(nil)
	return p
}

// ssh runs on a VM what is told to it: here in a folder, as whoever runs the test.
const ssh = `#!/bin/sh
vm='%s'/$1
mkdir -p "$vm/etc/buzon"
exec sh -c "$(printf %%s "$2" | sed -e 's/sudo //' -e 's/ -o buzon / /' -e "s#/etc/#$vm/etc/#g")"
`

// settings writes them into cdk.json, beside those that are there. nil takes one out.
func (p *platform) settings(set map[string]any) {
	p.t.Helper()
	for name, value := range set {
		if p.context[name] = value; value == nil {
			delete(p.context, name)
		}
	}
	text, err := json.Marshal(map[string]any{"app": "scripts/synth", "versionReporting": false, "pathMetadata": false, "context": p.context})
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.root, "cdk.json"), text, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// run types a line into a shell of the checkout.
func (p *platform) run(line string) (string, error) {
	cmd := exec.CommandContext(p.t.Context(), "bash", "-o", "pipefail", "-c", line)
	cmd.Dir, cmd.Env = p.root, localaws.CommandEnv(p.env)
	if strings.HasPrefix(line, "scripts/cdk destroy") {
		cmd.Env = append(cmd.Env, "CDK_FORCE=true") // nobody is there to be asked
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func (p *platform) does(line string) string {
	p.t.Helper()
	out, err := p.run(line)
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return out
}

// refuses types what must end otherwise than with success, and say so.
func (p *platform) refuses(says, line string) {
	p.t.Helper()
	if out, err := p.run(line); err == nil || !strings.Contains(out, says) {
		p.t.Fatalf("%s: %v, want it to say %q\n%s", line, err, says, out)
	}
}

// types does the next commands of the page, which must stand under that heading and
// be these: so the page and what is tried can't part.
func (p *platform) types(heading string, lines ...string) (said string) {
	p.t.Helper()
	for _, line := range lines {
		p.next(heading, line)
		said += p.does(line)
	}
	return said
}

// next takes the next command of the page, whose text it must be.
func (p *platform) next(heading, line string) {
	p.t.Helper()
	if want := (command{heading, line}); len(p.page) == 0 || p.page[0] != want {
		p.t.Fatalf("the page goes on with %+v, and this test with %+v: mend it", p.page[:min(1, len(p.page))], want)
	}
	p.page = p.page[1:]
}

// skip leaves out what another test types, up to a heading.
func (p *platform) skip(heading string) {
	for len(p.page) > 0 && p.page[0].heading != heading {
		p.page = p.page[1:]
	}
}

// letter sends one from a VM with the key that is there, and gives why it wasn't.
func (p *platform) letter(vm, bucket string) error {
	p.t.Helper()
	p.sent++
	file := filepath.Join(p.vms, vm, "etc", "buzon", "credentials")
	cfg, err := config.LoadDefaultConfig(p.t.Context(), config.WithSharedCredentialsFiles([]string{file}), config.WithSharedConfigProfile("default"),
		config.WithRetryMaxAttempts(1), config.WithBaseEndpoint(p.aws.Endpoint), config.WithRegion(localaws.Region))
	if err != nil {
		return err
	}
	if cfg.HTTPClient, err = p.aws.HTTP(); err != nil {
		return err
	}
	_, err = s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }).PutObject(p.t.Context(), &s3.PutObjectInput{
		Bucket: &bucket, Key: aws.String(fmt.Sprintf("uploads/%s/letter-%d", vm, p.sent)), Body: strings.NewReader("hello"), IfNoneMatch: aws.String("*"),
	})
	return err
}

// live holds which VMs can send: those, and none of the others that ever could.
func (p *platform) live(when, bucket string, names ...string) {
	p.t.Helper()
	all, err := os.ReadDir(p.vms)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, vm := range all {
		if err := p.letter(vm.Name(), bucket); (err == nil) != slices.Contains(names, vm.Name()) {
			p.t.Errorf("%s, %s sends: %v", when, vm.Name(), err)
		}
	}
}

// issues gives a VM its key as the page does.
func (p *platform) issues(vm string) {
	p.t.Helper()
	p.does("scripts/issue-key " + vm + " -o - | ssh " + vm + " 'sudo install -m600 -o buzon /dev/stdin /etc/buzon/credentials'")
}

// strip deletes what may be left of a user, before it is deleted.
func (p *platform) strip(name string) {
	p.t.Helper()
	user := &name
	ctx := p.t.Context()
	inline, err := p.iam.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: user})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, policy := range inline.PolicyNames {
		if _, err := p.iam.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: user, PolicyName: &policy}); err != nil {
			p.t.Fatal(err)
		}
	}
	attached, err := p.iam.ListAttachedUserPolicies(ctx, &iam.ListAttachedUserPoliciesInput{UserName: user})
	if err != nil || len(attached.AttachedPolicies) != 0 {
		p.t.Fatalf("attached to %s: %v, %v", name, attached, err)
	}
}

const theBucket = "acme-uploads"

// The first deploy, the keys, and an uploader that is removed and comes back.
func TestThePageOfDeploying(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.settings(map[string]any{"uploaders": []string{"vm-01", "vm-02", "vm-07"}, "bucketName": theBucket})
	said := p.types("Deploying the stack", "scripts/cdk bootstrap", "scripts/cdk deploy",
		"scripts/issue-key vm-01 -o - | ssh vm-01 'sudo install -m600 -o buzon /dev/stdin /etc/buzon/credentials'",
		"scripts/agent-config vm-01 | ssh vm-01 'sudo install -m644 /dev/stdin /etc/buzon/agent.yaml'")
	for _, noise := range []string{"feature flags", "program.js", "Annotation", "unstable"} {
		if strings.Contains(said, noise) {
			t.Errorf("the first deploy speaks of %q:\n%s", noise, said)
		}
	}
	p.issues("vm-02")
	p.issues("vm-07")
	p.live("after the first deploy", theBucket, "vm-01", "vm-02", "vm-07")
	p.agentOf("vm-01")
	p.keys()

	p.skip("Removing an uploader") // the next is TestThePageOfFleets
	p.settings(map[string]any{"uploaders": []string{"vm-01", "vm-02"}})
	p.refuses("scripts/revoke-key vm-07", "scripts/cdk deploy")
	p.live("after a deploy that was stopped", theBucket, "vm-01", "vm-02", "vm-07")
	if said := p.types("Removing an uploader", "scripts/revoke-key vm-07", "scripts/cdk deploy"); !strings.Contains(said, "GetSessionToken") {
		t.Errorf("revoke-key says nothing of sessions:\n%s", said)
	}
	p.live("without vm-07", theBucket, "vm-01", "vm-02")
	p.users("vm-01", "vm-02")
	p.settings(map[string]any{"uploaders": []string{"vm-01", "vm-02", "vm-07"}})
	p.does("scripts/cdk deploy")
	p.issues("vm-07")
	p.live("with vm-07 again", theBucket, "vm-01", "vm-02", "vm-07")
}

// An uploader that left with its key. That it can come back then the local AWS can't
// show: its stack keeps what it could not delete.
func TestThePageOfLeaving(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.does("scripts/cdk bootstrap")
	p.settings(map[string]any{"uploaders": []string{"vm-01", "vm-07"}, "bucketName": theBucket})
	p.does("scripts/cdk deploy")
	p.issues("vm-01")
	p.issues("vm-07")
	p.settings(map[string]any{"uploaders": []string{"vm-01"}})
	p.does("scripts/cdk deploy -c confirm=leaving:vm-07")
	p.users("vm-01", "vm-07")
	p.skip("An uploader that left with its key")
	p.types("An uploader that left with its key", "scripts/revoke-key vm-07")
	p.live("once its key is revoked", theBucket, "vm-01")
	for _, call := range []string{"list-user-policies", "list-attached-user-policies", "list-groups-for-user", "delete-user-permissions-boundary", "delete-user"} {
		p.awsCLI(call)
	}
	p.users("vm-01")
}

// agentOf runs the agent with a VM's files, but for the folders of a real one.
func (p *platform) agentOf(vm string) {
	p.t.Helper()
	etc := filepath.Join(p.vms, vm, "etc", "buzon")
	made, err := os.ReadFile(filepath.Join(etc, "agent.yaml"))
	if err != nil {
		p.t.Fatal(err)
	}
	here := strings.NewReplacer("/var/lib/buzon", filepath.Join(p.vms, vm, "state"), "/srv/outbox", filepath.Join(p.vms, vm, "outbox")).Replace(string(made))
	file := filepath.Join(p.vms, vm, "agent.yaml")
	if err := errors.Join(os.Mkdir(filepath.Join(p.vms, vm, "outbox"), 0o700), os.WriteFile(file, []byte(here), 0o600)); err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.CommandContext(p.t.Context(), p.agent, "check", "--config", file)
	cmd.Env = localaws.CommandEnv(append(p.aws.ClientEnv(), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(etc, "credentials")))
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Errorf("agent check on %s: %v\n%s", vm, err, out)
	}
}

// keys tries the table of the section "Keys", on vm-02, and that no secret is shown.
func (p *platform) keys() {
	p.t.Helper()
	said := p.does("scripts/rotate-key vm-02 --confirmed -o - | ssh vm-02 'sudo install -m600 -o buzon /dev/stdin /etc/buzon/credentials'")
	p.live("with a second key", theBucket, "vm-01", "vm-02", "vm-07")
	said += p.does("scripts/rotate-key vm-02 --confirmed") + p.does("scripts/rotate-key vm-02 --delete-old")
	p.live("after the rotation", theBucket, "vm-01", "vm-02", "vm-07")
	said += p.does("scripts/issue-key vm-02 -o spare.credentials")
	p.refuses("IAM allows no third", "scripts/issue-key vm-02 -o third.credentials")
	spare, err := os.ReadFile(filepath.Join(p.root, "spare.credentials"))
	if err != nil {
		p.t.Fatal(err)
	}
	said += p.does("scripts/revoke-key vm-02 " + regexp.MustCompile(`AKIA[A-Z0-9]+`).FindString(string(spare)))
	p.live("without the spare key", theBucket, "vm-01", "vm-02", "vm-07")
	said += p.does("scripts/revoke-key vm-02 --dry-run") + p.does("scripts/agent-config --all configs") + p.does("scripts/cdk diff")
	for _, vm := range []string{"vm-01", "vm-02", "vm-07"} {
		if _, err := os.Stat(filepath.Join(p.root, "configs", vm+".yaml")); err != nil {
			p.t.Error(err)
		}
		text, err := os.ReadFile(filepath.Join(p.vms, vm, "etc", "buzon", "credentials"))
		if err != nil {
			p.t.Fatal(err)
		}
		_, secret, _ := strings.Cut(string(text), "aws_secret_access_key = ")
		if secret = strings.TrimSpace(strings.SplitN(secret, "\n", 2)[0]); len(secret) < 20 || strings.Contains(said, secret) {
			p.t.Errorf("the secret of %s was shown, or isn't found", vm)
		}
	}
}

// users holds which are in IAM under the path.
func (p *platform) users(want ...string) {
	p.t.Helper()
	out, err := p.iam.ListUsers(p.t.Context(), &iam.ListUsersInput{PathPrefix: aws.String("/buzon/")})
	if err != nil {
		p.t.Fatal(err)
	}
	got := []string{}
	for _, u := range out.Users {
		got = append(got, *u.UserName)
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		p.t.Errorf("the users are %v, want %v", got, want)
	}
}

// awsCLI types a command of the AWS CLI, where there is one, and does what the page
// says to do for each of what it lists.
func (p *platform) awsCLI(call string) {
	p.t.Helper()
	const name = "vm-07"
	line := "aws iam " + call + " --user-name " + name
	p.next("An uploader that left with its key", line)
	if call == "delete-user-permissions-boundary" {
		p.strip(name)
	}
	if out, err := p.run("aws --version"); err == nil && strings.HasPrefix(out, "aws-cli/") {
		p.does(line)
		return
	}
	var err error
	switch call {
	case "delete-user-permissions-boundary":
		_, err = p.iam.DeleteUserPermissionsBoundary(p.t.Context(), &iam.DeleteUserPermissionsBoundaryInput{UserName: aws.String(name)})
	case "delete-user":
		_, err = p.iam.DeleteUser(p.t.Context(), &iam.DeleteUserInput{UserName: aws.String(name)})
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// A fleet over several stacks, another number of them, and one stack that becomes a
// fleet.
func TestThePageOfFleets(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.does("scripts/cdk bootstrap")
	names := []string{"vm-001", "vm-002", "vm-003"}
	p.settings(map[string]any{"uploaders": names, "bucketName": theBucket})
	p.does("scripts/cdk deploy")
	for _, vm := range names {
		p.issues(vm)
	}
	p.live("in one stack", theBucket, names...)

	p.skip("Fleets")
	p.settings(map[string]any{"shards": 2})
	p.refuses("would move to another stack", "scripts/cdk deploy --all")
	p.live("after a deploy that was stopped", theBucket, names...)
	empty := func(more map[string]any) {
		t.Helper()
		p.does("scripts/revoke-key --all")
		p.settings(map[string]any{"uploaders": []string{}})
		p.settings(more)
		p.does("scripts/cdk deploy --all")
		p.users()
	}
	full := func(more map[string]any) {
		t.Helper()
		p.settings(map[string]any{"uploaders": names})
		p.settings(more)
		p.does("scripts/cdk deploy --all")
		for _, vm := range names {
			p.issues(vm)
		}
		p.live("in a fleet", theBucket, names...)
	}
	// The recipe: first without the shards, then with them.
	empty(map[string]any{"shards": nil})
	p.settings(map[string]any{"shards": 2, "uploaders": names})
	p.types("Fleets", "scripts/cdk deploy --all")
	full(nil)
	// Fewer shards.
	p.refuses("TerminationProtection", "scripts/cdk destroy Buzon-2")
	p.live("after an end that was refused", theBucket, names...)
	empty(map[string]any{"terminationProtection": false})
	p.does("scripts/cdk destroy Buzon-2")
	full(map[string]any{"shards": 1, "terminationProtection": nil})
}

// Destroyed, deployed again, and a guard that was changed by hand.
func TestThePageOfTheEnd(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.does("scripts/cdk bootstrap")
	p.settings(map[string]any{"uploaders": []string{"vm-01"}, "bucketName": theBucket})
	p.does("scripts/cdk deploy")
	p.issues("vm-01")
	p.live("at first", theBucket, "vm-01")
	p.skip("Destroying all")
	p.refuses("TerminationProtection", "scripts/cdk destroy")
	p.types("Destroying all", "scripts/revoke-key --all")
	p.settings(map[string]any{"terminationProtection": false})
	if said := p.types("Destroying all", "scripts/cdk deploy", "scripts/cdk destroy"); !strings.Contains(said, "AWS::S3::Bucket "+theBucket) {
		t.Errorf("what stayed isn't named:\n%s", said)
	}
	p.users()

	// The bucket that stayed: a first deploy over it fails, is left, and the bucket is
	// taken back. This is the page's last section, whose state is here.
	p.settings(map[string]any{"terminationProtection": nil})
	p.refuses("ROLLBACK_COMPLETE", "scripts/cdk deploy")
	guard := p.page
	p.skip("Deploying again over a retained bucket")
	p.types("Deploying again over a retained bucket", "scripts/cdk destroy")
	p.next("Deploying again over a retained bucket", "scripts/cdk import")
	p.mapping()
	p.does("scripts/cdk import --resource-mapping import.json")
	p.types("Deploying again over a retained bucket", "scripts/cdk deploy")
	if len(p.page) != 0 {
		t.Errorf("the page goes on: %+v", p.page)
	}
	p.issues("vm-01")
	p.live("in the bucket that stayed", theBucket, "vm-01")

	// Somebody replaces the guard.
	p.page = guard
	open := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:root"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/*"}]}`,
		localaws.Account, theBucket)
	if _, err := p.s3.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(theBucket), Policy: &open}); err != nil {
		t.Fatal(err)
	}
	const section, look = "When the guard was changed by hand", "agent audit-policy --all --compare cdk.out/Buzon.template.json --bucket " + theBucket + " --prefix 'uploads/{name}/'"
	p.next(section, look)
	p.refuses("drift", look)
	p.settings(map[string]any{"guardRevision": 1})
	p.types(section, "scripts/cdk deploy")
	p.live("behind the new guard", theBucket, "vm-01")
	if out := p.does(look); !strings.Contains(out, "write-only") {
		t.Errorf("after the new revision the audit says\n%s", out)
	}
}

// mapping writes what the page says of the import without a terminal.
func (p *platform) mapping() {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.root, "cdk.out", "Buzon.template.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct{ Type string }
	}
	if err := json.Unmarshal(text, &template); err != nil {
		p.t.Fatal(err)
	}
	names := map[string]map[string]string{}
	for id, r := range template.Resources {
		switch r.Type {
		case "AWS::S3::Bucket":
			names[id] = map[string]string{"BucketName": theBucket}
		case "AWS::S3::BucketPolicy":
			names[id] = map[string]string{"Bucket": theBucket}
		}
	}
	text, err = json.Marshal(names)
	if err != nil || len(names) != 2 {
		p.t.Fatalf("%v, %v", names, err)
	}
	if err := os.WriteFile(filepath.Join(p.root, "import.json"), text, 0o600); err != nil {
		p.t.Fatal(err)
	}
}
