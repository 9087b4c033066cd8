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
		return k.misuse("config-whose")
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
		u := uploader{name, arn}
		certified, err := k.anywhere(ctx, stack, []uploader{u})
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(k.out, k.configText(d, u)+k.profileText(name, certified[arn]))
		return err
	}
	return k.agentConfigs(ctx, stack, d, dir)
}

// agentConfigs writes the configuration of each uploader into a folder.
func (k *keys) agentConfigs(ctx context.Context, stack string, d deployed, dir string) error {
	all, err := k.users(ctx)
	if err != nil {
		return err
	}
	roles, err := k.roles(ctx)
	if err != nil {
		return err
	}
	all = append(all, roles...)
	certified, err := k.anywhere(ctx, stack, all)
	if err != nil {
		return err
	}
	if !k.dry {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return k.fault("make-folder", "error", err)
		}
	}
	written, errs := 0, []error(nil)
	for _, u := range all {
		file, text := filepath.Join(dir, u.name+".yaml"), k.configText(d, u)+k.profileText(u.name, certified[u.arn])
		switch old, err := os.ReadFile(file); {
		case err == nil && string(old) == text:
		case err == nil:
			errs = append(errs, k.fault("config-differs", "file", file))
		case k.dry:
			k.say("would-write", "file", file)
		default:
			if err := writeNew(file, text); err != nil {
				return k.fault("write-config", "name", u.name, "error", err)
			}
			written++
		}
	}
	if !k.dry {
		k.say("wrote", "n", len(all), "written", written, "folder", dir)
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
	if absent(err) {
		return deployed{}, k.fault("no-stack", "stack", stack, "region", k.aws.Region)
	}
	if err != nil {
		return deployed{}, k.fault("read-outputs", "stack", stack, "error", err)
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
			return deployed{}, k.fault("no-output", "stack", stack, "output", want.name)
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
			return nil, k.fault("list-roles", "path", k.path, "error", err)
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
		return "", k.fault("look-up", "name", name, "error", err)
	}
	role, err := k.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	switch {
	case err == nil && aws.ToString(role.Role.Path) == k.path:
		return aws.ToString(role.Role.Arn), nil
	case err != nil && !errors.As(err, &missing):
		return "", k.fault("look-up", "name", name, "error", err)
	}
	return "", k.fault("no-principal", "name", name, "path", k.path)
}

func (k *keys) configText(d deployed, u uploader) string {
	return fmt.Sprintf(`%[1]s
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
`, k.text("config-about", "name", u.name), quoted(d.bucket), d.account, quoted(strings.ReplaceAll(d.prefix, "{name}", u.name)), d.region, quoted(u.arn))
}

// quoted is a text as YAML takes it on one line. The names that AWS lets through
// hold neither quotes nor backslashes, but may look like numbers.
func quoted(text string) string { return `"` + text + `"` }
