package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

// anchored is what a machine with a certificate tells AWS's signing helper (IAM
// Roles Anywhere User Guide, "Get temporary security credentials").
type anchored struct{ anchor, profile, role string }

// anywhere finds the certificate's part of an uploader in the stack; the zero
// value where it has none, because it is a user or a role of an instance.
func (k *keys) anywhere(ctx context.Context, stack string, u uploader) (anchored, error) {
	if !strings.Contains(u.arn, ":role/") {
		return anchored{}, nil
	}
	client := cloudformation.NewFromConfig(k.aws)
	body, err := client.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &stack})
	if denied(err) {
		return anchored{}, nil // the configuration is worth as much without
	}
	if err != nil {
		return anchored{}, k.fault("read-outputs", stack, err)
	}
	var made template
	if err := json.Unmarshal([]byte(aws.ToString(body.TemplateBody)), &made); err != nil {
		return anchored{}, k.fault("no-template", stack, err)
	}
	id := made.profileOf(u.name)
	if id == "" {
		return anchored{}, nil
	}
	out, err := client.DescribeStackResource(ctx, &cloudformation.DescribeStackResourceInput{StackName: &stack, LogicalResourceId: &id})
	if err != nil {
		return anchored{}, k.fault("read-outputs", stack, err)
	}
	anchor := made.anchorOf(u.name)
	parts := strings.SplitN(anchor, ":", 6)
	if len(parts) < 6 || out.StackResourceDetail == nil {
		return anchored{}, nil
	}
	return anchored{
		anchor: anchor, role: u.arn,
		profile: strings.Join(parts[:5], ":") + ":profile/" + aws.ToString(out.StackResourceDetail.PhysicalResourceId),
	}, nil
}

// profileOf is the logical id of the Roles Anywhere profile of an uploader.
func (t *template) profileOf(name string) string {
	for id, r := range t.Resources {
		if r.Type == "AWS::RolesAnywhere::Profile" && r.Properties["Name"] == name {
			return id
		}
	}
	return ""
}

// anchorOf is the trust anchor that the uploader's role trusts.
func (t *template) anchorOf(name string) string {
	for _, r := range t.Resources {
		if r.Type != "AWS::IAM::Role" || r.Properties["RoleName"] != name {
			continue
		}
		document, _ := r.Properties["AssumeRolePolicyDocument"].(map[string]any)
		statements, _ := document["Statement"].([]any)
		for _, one := range statements {
			statement, _ := one.(map[string]any)
			conditions, _ := statement["Condition"].(map[string]any)
			equals, _ := conditions["ArnEquals"].(map[string]any)
			if anchor, ok := equals["aws:SourceArn"].(string); ok {
				return anchor
			}
		}
	}
	return ""
}

// profileText is the profile of the VM's credentials file, as comments below its
// configuration. It holds no secret: the key stays on the VM.
func (k *keys) profileText(name string, a anchored) string {
	if a == (anchored{}) {
		return ""
	}
	command := []string{
		"aws_signing_helper", "credential-process", "--certificate", "/etc/buzon/" + name + ".pem", "--private-key", "/etc/buzon/" + name + ".key",
		"--trust-anchor-arn", a.anchor, "--profile-arn", a.profile, "--role-arn", a.role,
	}
	lines := slices.Concat(strings.Split(k.text("anywhere-about"), "\n"), []string{"[default]", "credential_process = " + strings.Join(command, " ")})
	return fmt.Sprintf("\n# %s\n", strings.Join(lines, "\n# "))
}
