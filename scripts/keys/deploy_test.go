package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// design is what a test stack says of itself, in the shape of ours.
type design struct {
	users, roles         []string
	bucket, prefix, path string
	lock                 bool
	refusesSessions      bool
}

func (d design) template() map[string]any {
	properties := map[string]any{}
	if d.bucket != "" {
		properties["BucketName"] = d.bucket
	}
	if d.lock {
		properties["ObjectLockEnabled"] = true
	}
	resources := map[string]any{"Bucket": map[string]any{"Type": "AWS::S3::Bucket", "Properties": properties}}
	if d.refusesSessions {
		resources["Guard"] = map[string]any{"Type": "AWS::S3::BucketPolicy", "Properties": map[string]any{
			"Bucket": map[string]any{"Ref": "Bucket"},
			"PolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
				"Effect": "Deny", "Principal": map[string]any{"AWS": "*"}, "Action": "s3:*", "Resource": "arn:aws:s3:::" + d.bucket + "/*",
				"Condition": map[string]any{"Null": map[string]any{"aws:TokenIssueTime": "false"}},
			}}},
		}}
	}
	trust := map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole",
	}}}
	for _, name := range d.users {
		resources["User"+strings.ReplaceAll(name, "-", "")] = map[string]any{
			"Type": "AWS::IAM::User", "Properties": map[string]any{"UserName": name, "Path": d.path},
		}
	}
	for _, name := range d.roles {
		resources["Role"+strings.ReplaceAll(name, "-", "")] = map[string]any{
			"Type": "AWS::IAM::Role", "Properties": map[string]any{"RoleName": name, "Path": d.path, "AssumeRolePolicyDocument": trust},
		}
	}
	outputs := map[string]any{}
	for name, value := range map[string]any{
		"BucketName": map[string]any{"Ref": "Bucket"}, "Region": "us-east-1", "Account": "111122223333",
		"PrefixPattern": d.prefix + "{name}/", "UploaderPath": d.path,
	} {
		outputs[name] = map[string]any{"Value": value}
	}
	return map[string]any{"Resources": resources, "Outputs": outputs}
}

// deployAs makes a stack of the design. It may fail, as a first deploy can.
func deployAs(t *testing.T, name string, d design, protect bool) *cloudformation.Client {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := cloudformation.NewFromConfig(cfg)
	body := text(t, d.template())
	_, err = c.CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: &name, TemplateBody: &body, EnableTerminationProtection: &protect, Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, _ = c.UpdateTerminationProtection(ctx, &cloudformation.UpdateTerminationProtectionInput{StackName: &name, EnableTerminationProtection: aws.Bool(false)})
		if _, err := c.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &name}); err != nil {
			t.Error(err)
		}
	})
	settled(t, c, name)
	return c
}

// settled waits until a stack is no longer under way, and gives its state.
func settled(t *testing.T, c *cloudformation.Client, name string) types.StackStatus {
	t.Helper()
	k := &keys{pace: 1e6}
	var status types.StackStatus
	err := k.poll(t.Context(), func() (bool, error) {
		out, err := c.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &name})
		if err != nil {
			return false, err
		}
		status = out.Stacks[0].StackStatus
		return !strings.HasSuffix(string(status), "_IN_PROGRESS"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return status
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// synthesis writes what `cdk synth` leaves, as far as it is read.
func synthesis(t *testing.T, stacks map[string]design, confirmed ...string) string {
	t.Helper()
	dir := t.TempDir()
	artifacts := map[string]any{"Tree": map[string]any{"type": "cdk:tree", "properties": map[string]any{"file": "tree.json"}}}
	for name, d := range stacks {
		artifacts[name] = map[string]any{
			"type":       "aws:cloudformation:stack",
			"properties": map[string]any{"templateFile": name + ".template.json"},
		}
		write(t, filepath.Join(dir, name+".template.json"), text(t, d.template()))
	}
	write(t, filepath.Join(dir, "manifest.json"), text(t, map[string]any{"version": "54.0.0", "artifacts": artifacts}))
	write(t, filepath.Join(dir, confirmedFile), strings.Join(confirmed, "\n"))
	return dir
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestADeployLosesNothingThatIsLive(t *testing.T) {
	d := newDesk(t)
	base := design{users: []string{"live-1", "live-2"}, bucket: "live-bucket", prefix: "uploads/", path: "/live/"}
	deployAs(t, "Live", base, false)
	d.must(t, "issue-key", "live-2", "--path", "/live/", "-o", filepath.Join(t.TempDir(), "key"))
	t.Cleanup(func() {
		_ = d.run(context.WithoutCancel(t.Context()), []string{"revoke-key", "live-2", "--path", "/live/"})
	})

	with := func(change func(*design)) design {
		changed := base
		change(&changed)
		return changed
	}
	one := map[string]struct {
		stacks    map[string]design
		confirmed []string
		stops     []string // parts of what it says; none: it goes on
	}{
		"nothing changes":         {stacks: map[string]design{"Live": base}},
		"one more":                {stacks: map[string]design{"Live": with(func(d *design) { d.users = []string{"live-1", "live-2", "live-3"} })}},
		"one without a key fewer": {stacks: map[string]design{"Live": with(func(d *design) { d.users = []string{"live-2"} })}},
		"one with a key fewer": {
			stacks: map[string]design{"Live": with(func(d *design) { d.users = []string{"live-1"} })},
			stops:  []string{"live-2 would leave the stack", "scripts/revoke-key live-2", "-c confirm=leaving:live-2"},
		},
		"one with a key fewer, confirmed": {
			stacks:    map[string]design{"Live": with(func(d *design) { d.users = []string{"live-1"} })},
			confirmed: []string{"leaving:live-2"},
		},
		"another is confirmed": {
			stacks:    map[string]design{"Live": with(func(d *design) { d.users = []string{"live-1"} })},
			confirmed: []string{"leaving:live-1"},
			stops:     []string{"-c confirm=leaving:live-1,leaving:live-2"},
		},
		"nobody is left": {
			stacks: map[string]design{"Live": with(func(d *design) { d.users = nil })},
			stops:  []string{"live-2 would leave"},
		},
		"users become roles": {
			stacks: map[string]design{"Live": with(func(d *design) { d.roles, d.users = d.users, nil })},
			stops:  []string{"live-2 would leave"},
		},
		"the bucket has another name": {
			stacks: map[string]design{"Live": with(func(d *design) { d.bucket = "other-bucket" })},
			stops:  []string{"The bucket live-bucket would be replaced", "confirm=bucket"},
		},
		"the bucket has no name of its own": {
			stacks: map[string]design{"Live": with(func(d *design) { d.bucket = "" })},
			stops:  []string{"The bucket live-bucket would be replaced"},
		},
		"the bucket is to lock objects": {
			stacks: map[string]design{"Live": with(func(d *design) { d.lock = true })},
			stops:  []string{"The bucket live-bucket would be replaced"},
		},
		"the prefix moves": {
			stacks: map[string]design{"Live": with(func(d *design) { d.prefix = "in/" })},
			stops:  []string{"from uploads/{name}/ to in/{name}/", "confirm=prefix"},
		},
		"the path moves": {
			stacks: map[string]design{"Live": with(func(d *design) { d.path = "/moved/" })},
			stops:  []string{"from /live/ to /moved/", "confirm=path"},
		},
		"several at once, some of them confirmed": {
			stacks:    map[string]design{"Live": with(func(d *design) { d.prefix, d.bucket = "in/", "other-bucket" })},
			confirmed: []string{"bucket"},
			stops:     []string{"from uploads/{name}/", "confirm=bucket,prefix"},
		},
		"all at once, confirmed": {
			stacks: map[string]design{"Live": with(func(d *design) {
				d.prefix, d.bucket, d.path, d.users = "in/", "other-bucket", "/moved/", nil
			})},
			confirmed: []string{"bucket", "prefix", "path", "leaving:live-2", "leaving:live-1"},
		},
		"one moves to a shard": {
			stacks: map[string]design{
				"Live":   with(func(d *design) { d.users = []string{"live-2"} }),
				"Live-1": with(func(d *design) { d.users, d.bucket = []string{"live-1"}, "" }),
			},
			stops: []string{"live-1 would move to another stack", "confirm=leaving:live-1"},
		},
		"a stack of another name": {stacks: map[string]design{"Elsewhere": with(func(d *design) { d.users = []string{"x"} })}},
	}
	for name, row := range one {
		t.Run(name, func(t *testing.T) {
			dir := synthesis(t, row.stacks, row.confirmed...)
			err := d.run(t.Context(), []string{"before-deploy", dir})
			if (err != nil) != (len(row.stops) > 0) {
				t.Fatal(err)
			}
			for _, want := range row.stops {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("it doesn't say %q:\n%v", want, err)
				}
			}
			// Of a mere look it is only told.
			d.said.Reset()
			d.must(t, "before-deploy", "--dry-run", dir)
			if told := strings.Contains(d.said.String(), "A deploy would stop here"); told != (len(row.stops) > 0) {
				t.Errorf("a look says\n%s", d.said)
			}
		})
	}

	gone := synthesis(t, map[string]design{"Live": with(func(d *design) { d.users = []string{"live-1"} })})
	t.Run("keys that may not be listed count", func(t *testing.T) {
		d.on("ListAccessKeys", refused)
		d.fails(t, "whether it has a key could not be read: AccessDenied", "before-deploy", gone)
	})
	t.Run("a stack that may not be read is told of, and stops nothing", func(t *testing.T) {
		for _, action := range []string{"DescribeStacks", "GetTemplate"} {
			d.on(action, refused, refused)
			d.said.Reset()
			d.must(t, "before-deploy", gone)
			if !strings.Contains(d.said.String(), "The stack Live could not be compared with what is deployed: AccessDenied") {
				t.Errorf("%s: it says\n%s", action, d.said)
			}
		}
	})
	t.Run("after its key is revoked it may leave", func(t *testing.T) {
		d.on("")
		d.must(t, "revoke-key", "live-2", "--path", "/live/", "--stack", "Live")
		d.must(t, "before-deploy", gone)
	})
}

// Fewer shards than are deployed: the last ones stay, and with them the users
// that the others would make.
func TestShardsThatAreLeftBehindAreSeen(t *testing.T) {
	d := newDesk(t)
	shard := design{prefix: "uploads/", path: "/shard/"}
	main, first, second := shard, shard, shard
	first.users, second.users = []string{"shard-a"}, []string{"shard-b"}
	deployAs(t, "Shard", main, false)
	deployAs(t, "Shard-1", first, false)
	deployAs(t, "Shard-2", second, false)
	both := first
	both.users = []string{"shard-a", "shard-b"}
	d.fails(t, "shard-b would move to another stack", "before-deploy", synthesis(t, map[string]design{"Shard": main, "Shard-1": both}))
	d.must(t, "before-deploy", synthesis(t, map[string]design{"Shard": main, "Shard-1": first, "Shard-2": second}))
}

// A first deploy that failed is a dead end for the CDK: protected, and nothing to
// deploy over. scripts/cdk destroy lifts the protection, of such stacks alone.
func TestAFailedFirstDeployCanBeLeft(t *testing.T) {
	d := newDesk(t)
	deployAs(t, "Sound", design{bucket: "sound-bucket", prefix: "uploads/", path: "/sound/"}, true)
	broken := design{bucket: "sound-bucket", prefix: "uploads/", path: "/broken/"} // the name is taken
	c := deployAs(t, "Broken", broken, true)
	if got := settled(t, c, "Broken"); got != types.StackStatusRollbackComplete {
		t.Fatalf("the stack is %s: this test needs one that failed", got)
	}
	dir := synthesis(t, map[string]design{"Sound": {bucket: "sound-bucket", prefix: "uploads/", path: "/sound/"}, "Broken": broken})
	d.fails(t, "scripts/cdk destroy", "before-deploy", dir)
	note := filepath.Join(t.TempDir(), "note")
	d.must(t, "before-destroy", dir, note)
	for name, want := range map[string]bool{"Sound": true, "Broken": false} {
		out, err := c.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &name})
		if err != nil {
			t.Fatal(err)
		}
		if got := aws.ToBool(out.Stacks[0].EnableTerminationProtection); got != want {
			t.Errorf("%s is protected: %v", name, got)
		}
	}
	d.must(t, "before-deploy", dir) // the CDK can delete it by itself now
	if n := len(strings.Fields(read(t, note))); n != 2 {
		t.Errorf("the note names %d stacks", n)
	}
	d.said.Reset()
	d.must(t, "after-destroy", note)
	if d.said.String() != "" {
		t.Errorf("of stacks that are still there it says\n%s", d.said)
	}
}

// What became of sessions made from a revoked key hangs on the deployed guard.
func TestRevokingSaysWhatBecomesOfSessions(t *testing.T) {
	d := newDesk(t)
	deployAs(t, "Strict", design{bucket: "strict-bucket", prefix: "uploads/", path: "/strict/", refusesSessions: true}, false)
	deployAs(t, "Loose", design{bucket: "loose-bucket", prefix: "uploads/", path: "/loose/"}, false)
	name := d.uploader(t, "/buzon/")
	for stack, want := range map[string]string{
		"Strict": "the guard refuses them", "Loose": "up to 36 hours: the deployed guard doesn't refuse them yet", "None": "There is no stack None",
	} {
		d.must(t, "issue-key", name, "-o", filepath.Join(t.TempDir(), "key"))
		d.said.Reset()
		d.must(t, "revoke-key", name, "--stack", stack)
		if !strings.Contains(d.said.String(), want) {
			t.Errorf("with %s it says\n%s", stack, d.said)
		}
	}
	d.on("GetTemplate", refused)
	d.said.Reset()
	d.must(t, "revoke-key", name)
	if strings.Contains(d.said.String(), "the guard refuses them") {
		t.Errorf("with a guard that may not be read it says\n%s", d.said)
	}
}

// A secret may not lie where git would take it along.
func TestNoKeyIsWrittenIntoAWorkTree(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	tree := t.TempDir()
	if out, err := exec.Command("git", "init", "-q", tree).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	deep := filepath.Join(tree, "a", "b")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(deep, link); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(tree, ".gitignore"), "*.secret\n")
	for _, file := range []string{filepath.Join(tree, "key"), filepath.Join(deep, "key"), filepath.Join(link, "key")} {
		d.fails(t, "git work tree", "issue-key", name, "-o", file)
	}
	if n := len(d.have(t, name)); n != 0 {
		t.Errorf("a key was made: %d", n)
	}
	d.must(t, "issue-key", name, "-o", filepath.Join(deep, "vm.secret"))
	d.fails(t, "can't be made", "issue-key", name, "-o", filepath.Join(tree, "nowhere", "key"))
}
