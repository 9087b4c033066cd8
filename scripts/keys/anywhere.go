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

// anywhere finds what machines with certificates need, by the uploader's ARN: in the
// stack that was named, and in its shards. Uploaders that are users, or roles of
// instances, are not in it. Nor is anything where the stack may not be read: the
// configuration is worth as much without.
func (k *keys) anywhere(ctx context.Context, stack string, of []uploader) (map[string]anchored, error) {
	roles := map[string]string{} // their ARNs by their names
	for _, u := range of {
		if strings.Contains(u.arn, ":role/") {
			roles[u.name] = u.arn
		}
	}
	all := map[string]anchored{}
	client := cloudformation.NewFromConfig(k.aws)
	for shard, name := 0, stack; len(all) < len(roles); name = fmt.Sprintf("%s-%d", stack, shard) {
		body, err := client.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &name})
		if denied(err) || absent(err) {
			break
		}
		if err != nil {
			return nil, k.fault("read-outputs", "stack", name, "error", err)
		}
		var made template
		if err := json.Unmarshal([]byte(aws.ToString(body.TemplateBody)), &made); err != nil {
			return nil, k.fault("no-template", "stack", name, "error", err)
		}
		if err := k.addProfiles(ctx, client, name, &made, roles, all); err != nil {
			return nil, err
		}
		shard++
	}
	return all, nil
}

// addProfiles adds those of one stack. Only CloudFormation knows their ids.
func (k *keys) addProfiles(
	ctx context.Context, client *cloudformation.Client, stack string, made *template, roles map[string]string, all map[string]anchored,
) error {
	profiles := made.profiles()
	if len(profiles) == 0 {
		return nil
	}
	pages := cloudformation.NewListStackResourcesPaginator(client, &cloudformation.ListStackResourcesInput{StackName: &stack})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if denied(err) {
			return nil
		}
		if err != nil {
			return k.fault("read-outputs", "stack", stack, "error", err)
		}
		for _, r := range page.StackResourceSummaries {
			name := profiles[aws.ToString(r.LogicalResourceId)]
			anchor := made.anchorOf(name)
			parts := strings.SplitN(anchor, ":", 6)
			if arn := roles[name]; arn != "" && len(parts) == 6 {
				id := aws.ToString(r.PhysicalResourceId)
				all[arn] = anchored{anchor: anchor, role: arn, profile: strings.Join(parts[:5], ":") + ":profile/" + id}
			}
		}
	}
	return nil
}

// profiles are the uploaders of the Roles Anywhere profiles, by their logical ids.
func (t *template) profiles() map[string]string {
	all := map[string]string{}
	for id, r := range t.Resources {
		if r.Type == "AWS::RolesAnywhere::Profile" {
			all[id], _ = r.Properties["Name"].(string)
		}
	}
	return all
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
