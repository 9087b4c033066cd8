package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// live is one stack as it is deployed.
type live struct {
	id       string
	status   cfntypes.StackStatus
	guarded  bool // against deletion
	template template
	outputs  map[string]string
}

// here makes the AWS settings those of the deploy: the Region that the CDK
// command line has chosen.
func (k *keys) here() {
	if region := os.Getenv("CDK_DEFAULT_REGION"); region != "" {
		k.aws.Region = region
	}
	k.iam = iam.NewFromConfig(k.aws)
}

// live reads a deployed stack; nil where there is none of that name. Where the
// caller may not, the CDK's role for looking things up is tried: a CI often may
// assume the CDK's roles and nothing else.
func (k *keys) live(ctx context.Context, s *synthesized) (*live, error) {
	found, err := k.readLive(ctx, k.aws, s.name)
	if denied(err) && s.lookUp != "" {
		if cfg, ok := k.asRole(ctx, s.lookUp); ok {
			if again, err := k.readLive(ctx, cfg, s.name); err == nil {
				k.iam = iam.NewFromConfig(cfg)
				return again, nil
			}
		}
	}
	return found, err
}

// asRole gives the settings with a role's session; false where the caller isn't
// known at all. The CDK writes the role's ARN with the placeholders of account
// and Region (AWS CDK: "bootstrapping", roles).
func (k *keys) asRole(ctx context.Context, arn string) (aws.Config, bool) {
	client := sts.NewFromConfig(k.aws)
	who, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return aws.Config{}, false
	}
	partition := "aws"
	if parts := strings.Split(aws.ToString(who.Arn), ":"); len(parts) > 1 {
		partition = parts[1]
	}
	arn = strings.NewReplacer("${AWS::Partition}", partition, "${AWS::AccountId}", aws.ToString(who.Account), "${AWS::Region}", k.aws.Region).Replace(arn)
	cfg := k.aws.Copy()
	cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client, arn))
	return cfg, true
}

func (k *keys) readLive(ctx context.Context, cfg aws.Config, name string) (*live, error) {
	client := cloudformation.NewFromConfig(cfg)
	out, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if absent(err) {
		return nil, nil //nolint:nilnil // no stack, and no fault
	}
	if err != nil {
		return nil, err
	}
	if len(out.Stacks) != 1 {
		return nil, k.fault("no-stack", "stack", name, "region", cfg.Region)
	}
	s := out.Stacks[0]
	l := &live{
		id: aws.ToString(s.StackId), status: s.StackStatus, guarded: aws.ToBool(s.EnableTerminationProtection), outputs: map[string]string{},
	}
	for _, o := range s.Outputs {
		l.outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	body, err := client.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &name})
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(aws.ToString(body.TemplateBody)), &l.template); err != nil {
		return nil, k.fault("no-template", "stack", name, "error", err)
	}
	return l, nil
}

// absent reports whether CloudFormation said that there is no such stack. It has
// no code of its own for that (API reference, DescribeStacks).
func absent(err error) bool {
	var answer smithy.APIError
	return errors.As(err, &answer) && answer.ErrorCode() == "ValidationError" && strings.Contains(answer.ErrorMessage(), "does not exist")
}

func denied(err error) bool {
	var answer smithy.APIError
	return errors.As(err, &answer) && slices.Contains([]string{"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}, answer.ErrorCode())
}

// failedFirst reports whether a stack is what a first deploy leaves that failed:
// nothing but its name.
func failedFirst(status cfntypes.StackStatus) bool {
	return status == cfntypes.StackStatusRollbackComplete || status == cfntypes.StackStatusRollbackFailed
}

// otherShards gives the names of the deployed stacks Buzon-1, Buzon-2, … that are not
// among the synthesized ones: what a smaller number of shards leaves behind.
func (k *keys) otherShards(ctx context.Context, a *assembly) ([]*live, error) {
	base, known := "", map[string]bool{}
	for _, s := range a.stacks {
		known[s.name] = true
		if base == "" || len(s.name) < len(base) {
			base = s.name
		}
	}
	var all []*live
	for n := 1; ; n++ {
		s := synthesized{name: fmt.Sprintf("%s-%d", base, n)}
		if known[s.name] {
			continue
		}
		l, err := k.live(ctx, &s)
		if err != nil || l == nil {
			return all, err
		}
		all = append(all, l)
	}
}
