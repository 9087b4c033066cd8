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
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"
)

// stack makes a stack with the outputs of ours, and with those resources.
func stack(t *testing.T, name, outputs string, resources ...string) {
	t.Helper()
	resources = append(resources, `"P":{"Type":"AWS::SSM::Parameter","Properties":{"Type":"String","Value":"x"}}`)
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := cloudformation.NewFromConfig(cfg)
	body := `{"Resources":{` + strings.Join(resources, ",") + `},"Outputs":` + outputs + `}`
	if _, err := c.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: &name, TemplateBody: &body, Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam}}); err != nil {
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

// Machines with certificates get their profile with the configuration, alone and
// all together, whichever stack of a fleet they are in; a role of an instance none.
func TestAgentConfigOfMachinesWithCertificates(t *testing.T) {
	d := newDesk(t)
	certified := func(id string) string {
		return `"R` + id + `":{"Type":"AWS::IAM::Role","Properties":{"RoleName":"vm-` + id + `","Path":"/fleet/","AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{
			"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnEquals":{"aws:SourceArn":"` + ourAnchor + `"}}}]}}},
			"Q` + id + `":{"Type":"AWS::RolesAnywhere::Profile","Properties":{"Name":"vm-` + id + `","RoleArns":[{"Fn::GetAtt":["R` + id + `","Arn"]}]}}`
	}
	stack(t, "Fleet", ourOutputs, certified("x"))
	stack(t, "Fleet-1", ourOutputs)
	stack(t, "Fleet-2", ourOutputs, certified("y"))
	role(t, d, "vm-z", "/fleet/")
	dir := filepath.Join(t.TempDir(), "configs")
	d.must(t, "agent-config", "--all", dir, "--stack", "Fleet")
	d.must(t, "agent-config", "--all", dir, "--stack", "Fleet") // the same again
	profiles := map[string]bool{}
	for _, name := range []string{"vm-x", "vm-y", "vm-z"} {
		var alone bytes.Buffer
		d.out = &alone
		d.must(t, "agent-config", name, "--stack", "Fleet")
		if diff := cmp.Diff(alone.String(), read(t, filepath.Join(dir, name+".yaml"))); diff != "" {
			t.Errorf("%s alone and with the others: %s", name, diff)
		}
		_, command, found := strings.Cut(alone.String(), "--private-key /etc/buzon/"+name+".key --trust-anchor-arn "+ourAnchor+" --profile-arn ")
		if found != (name != "vm-z") {
			t.Errorf("%s:\n%s", name, &alone)
		}
		if found {
			profile, rest, _ := strings.Cut(command, " ")
			if profiles[profile] || !strings.HasPrefix(profile, "arn:aws:rolesanywhere:us-east-1:111122223333:profile/") || rest != "--role-arn arn:aws:iam::111122223333:role/fleet/"+name+"\n" {
				t.Errorf("%s has the profile %s %s", name, profile, rest)
			}
			profiles[profile] = true
		}
	}
}

const ourAnchor = "arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/8f2b2a9c-1111-2222-3333-444455556666"

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
