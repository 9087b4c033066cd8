package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// deployed is what the stack's outputs say.
type deployed struct{ bucket, region, account, prefix, path string }

// agentConfig prints the agent's configuration for one uploader, or writes one
// for each into a folder.
func (k *keys) agentConfig(ctx context.Context, stack, name, dir string) error {
	if (name == "") == (dir == "") {
		return usageError{"whose?  scripts/agent-config NAME > agent.yaml, or  scripts/agent-config --all DIR"}
	}
	d, err := k.outputs(ctx, stack)
	if err != nil {
		return err
	}
	k.path = d.path
	if dir == "" {
		arn, err := k.principal(ctx, name)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(k.out, configText(d, uploader{name, arn}))
		return err
	}
	all, err := k.users(ctx)
	if err != nil {
		return err
	}
	roles, err := k.roles(ctx)
	if err != nil {
		return err
	}
	all = append(all, roles...)
	if !k.dry {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the folder: %w", err)
		}
	}
	written, errs := 0, []error(nil)
	for _, u := range all {
		file, text := filepath.Join(dir, u.name+".yaml"), configText(d, u)
		switch old, err := os.ReadFile(file); {
		case err == nil && string(old) == text:
		case err == nil:
			errs = append(errs, fmt.Errorf("%s is there and says something else: kept.\nMove it away to have it made again", file))
		case k.dry:
			k.say("Would write %s.", file)
		default:
			if err := writeNew(file, text); err != nil {
				return fmt.Errorf("write the configuration of %s: %w", u.name, err)
			}
			written++
		}
	}
	if !k.dry {
		k.say("%d uploaders: wrote %d configurations to %s.", len(all), written, dir)
	}
	return errors.Join(errs...)
}

// writeNew writes a file that must not be there yet. It holds no secret, so
// anybody may read it.
func writeNew(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func (k *keys) outputs(ctx context.Context, stack string) (deployed, error) {
	out, err := cloudformation.NewFromConfig(k.aws).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return deployed{}, fmt.Errorf("read the outputs of the stack %s: %w", stack, err)
	}
	have := map[string]string{}
	for _, s := range out.Stacks {
		for _, o := range s.Outputs {
			have[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
		}
	}
	var d deployed
	for _, want := range []struct {
		to   *string
		name string
	}{{&d.bucket, "BucketName"}, {&d.region, "Region"}, {&d.account, "Account"}, {&d.prefix, "PrefixPattern"}, {&d.path, "UploaderPath"}} {
		if *want.to = have[want.name]; *want.to == "" {
			return deployed{}, fmt.Errorf("the stack %s has no output %s: is it Buzón's?", stack, want.name)
		}
	}
	return d, nil
}

func (k *keys) roles(ctx context.Context) ([]uploader, error) {
	var all []uploader
	pages := iam.NewListRolesPaginator(k.iam, &iam.ListRolesInput{PathPrefix: &k.path})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the roles under %s: %w", k.path, err)
		}
		for _, role := range page.Roles {
			if aws.ToString(role.Path) == k.path {
				all = append(all, uploader{aws.ToString(role.RoleName), aws.ToString(role.Arn)})
			}
		}
	}
	return all, nil
}

// principal gives the ARN of the uploader, user or role, under the path.
func (k *keys) principal(ctx context.Context, name string) (string, error) {
	var missing *types.NoSuchEntityException
	user, err := k.iam.GetUser(ctx, &iam.GetUserInput{UserName: &name})
	switch {
	case err == nil && aws.ToString(user.User.Path) == k.path:
		return aws.ToString(user.User.Arn), nil
	case err != nil && !errors.As(err, &missing):
		return "", fmt.Errorf("look up the user %s: %w", name, err)
	}
	role, err := k.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	switch {
	case err == nil && aws.ToString(role.Role.Path) == k.path:
		return aws.ToString(role.Role.Arn), nil
	case err != nil && !errors.As(err, &missing):
		return "", fmt.Errorf("look up the role %s: %w", name, err)
	}
	return "", fmt.Errorf("there is no uploader %q under %s.\nAdd the name to \"uploaders\" in cdk.json, then  scripts/cdk deploy", name, k.path)
}

func configText(d deployed, u uploader) string {
	return fmt.Sprintf(`# The agent's configuration for %[1]s, made from the stack by scripts/agent-config.
# It belongs in /etc/buzon/agent.yaml; it holds no secret.
bucket: %[2]s
bucket_owner: "%[3]s"
prefix: %[4]s
region: %[5]s
state: /var/lib/buzon
outboxes:
  - path: /srv/outbox
identity:
  profile: default
  expect: %[6]s
`, u.name, quoted(d.bucket), d.account, quoted(strings.ReplaceAll(d.prefix, "{name}", u.name)), d.region, quoted(u.arn))
}

// quoted is a text as YAML takes it on one line. The names that AWS lets through
// hold neither quotes nor backslashes, but may look like numbers.
func quoted(text string) string { return `"` + text + `"` }
