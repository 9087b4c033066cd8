package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"
)

// stack makes a stack with the outputs of ours.
func stack(t *testing.T, name, outputs string) {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := cloudformation.NewFromConfig(cfg)
	body := `{"Resources":{"P":{"Type":"AWS::SSM::Parameter","Properties":{"Type":"String","Value":"x"}}},"Outputs":` + outputs + `}`
	if _, err := c.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: &name, TemplateBody: &body}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := c.DeleteStack(context.WithoutCancel(t.Context()), &cloudformation.DeleteStackInput{StackName: &name}); err != nil {
			t.Error(err)
		}
	})
}

const ourOutputs = `{"BucketName":{"Value":"acme-uploads"},"Region":{"Value":"eu-west-1"},"Account":{"Value":"111122223333"},
	"PrefixPattern":{"Value":"uploads/{name}/"},"UploaderPath":{"Value":"/fleet/"}}`

const wantConfig = `# The agent's configuration for vm-a, made from the stack by scripts/agent-config.
# It belongs in /etc/buzon/agent.yaml; it holds no secret.
bucket: "acme-uploads"
bucket_owner: "111122223333"
prefix: "uploads/vm-a/"
region: eu-west-1
state: /var/lib/buzon
outboxes:
  - path: /srv/outbox
identity:
  profile: default
  expect: "arn:aws:iam::111122223333:user/fleet/vm-a"
`

func TestAgentConfig(t *testing.T) {
	d := newDesk(t)
	stack(t, "Fleet", ourOutputs)
	stack(t, "Other", `{"BucketName":{"Value":"acme-uploads"}}`)
	d.uploaderNamed(t, "vm-a", "/fleet/")
	d.uploaderNamed(t, "vm-b", "/fleet/")
	d.uploaderNamed(t, "clerk", "/staff/")
	role(t, d, "vm-c", "/fleet/")

	var out bytes.Buffer
	d.out = &out
	d.must(t, "agent-config", "vm-a", "--stack", "Fleet")
	if diff := cmp.Diff(wantConfig, out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	d.must(t, "agent-config", "--stack", "Fleet", "vm-c")
	if !strings.Contains(out.String(), `expect: "arn:aws:iam::111122223333:role/fleet/vm-c"`) {
		t.Errorf("for a role it says\n%s", &out)
	}
	d.fails(t, `there is no uploader "clerk" under /fleet/`, "agent-config", "clerk", "--stack", "Fleet")
	d.fails(t, "has no output Region", "agent-config", "vm-a", "--stack", "Other")
	d.fails(t, "there is no stack Nowhere in the Region", "agent-config", "vm-a", "--stack", "Nowhere")
}

// One file for each uploader; what somebody wrote into one stays.
func TestAgentConfigOfAll(t *testing.T) {
	d := newDesk(t)
	stack(t, "Fleet", ourOutputs)
	d.uploaderNamed(t, "vm-a", "/fleet/")
	d.uploaderNamed(t, "vm-b", "/fleet/")
	role(t, d, "vm-c", "/fleet/")
	dir := filepath.Join(t.TempDir(), "configs")
	d.must(t, "agent-config", "--all", dir, "--stack", "Fleet", "--dry-run")
	if _, err := os.Stat(dir); err == nil {
		t.Error("a dry run made the folder")
	}
	d.must(t, "agent-config", "--all", dir, "--stack", "Fleet")
	var names []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if diff := cmp.Diff([]string{"vm-a.yaml", "vm-b.yaml", "vm-c.yaml"}, names); diff != "" {
		t.Error(diff)
	}
	mine := filepath.Join(dir, "vm-b.yaml")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "vm-c.yaml")); err != nil {
		t.Fatal(err)
	}
	d.fails(t, "vm-b.yaml is there and says something else", "agent-config", "--all", dir, "--stack", "Fleet")
	if read(t, mine) != "mine" || read(t, filepath.Join(dir, "vm-a.yaml")) != wantConfig || read(t, filepath.Join(dir, "vm-c.yaml")) == "" {
		t.Error("it wrote over a file, or left one out")
	}
}

func role(t *testing.T, d *desk, name, path string) {
	t.Helper()
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	if _, err := d.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, Path: &path, AssumeRolePolicyDocument: &trust}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := d.iam.DeleteRole(context.WithoutCancel(t.Context()), &iam.DeleteRoleInput{RoleName: aws.String(name)}); err != nil {
			t.Error(err)
		}
	})
}
