package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// beforeDestroy makes way for the end of stacks whose first deploy failed: their
// protection is lifted, for they hold nothing, and the CDK can neither deploy
// over them nor destroy them while it stands. The protection of every other
// stack stays. The ids of all stacks go into a note, for when they are gone their
// names mean nothing.
func (k *keys) beforeDestroy(ctx context.Context, dir, note string) error {
	a, err := k.readAssembly(dir)
	if err != nil {
		return err
	}
	k.here()
	var stacks []string
	for i := range a.stacks {
		s := &a.stacks[i]
		l, err := k.live(ctx, s)
		if err != nil {
			k.say("unread-stack", "stack", s.name, "error", plain(err))
			continue
		}
		if l == nil {
			continue
		}
		stacks = append(stacks, l.id)
		if !failedFirst(l.status) || !l.guarded {
			continue
		}
		client := cloudformation.NewFromConfig(k.aws)
		_, err = client.UpdateTerminationProtection(ctx, &cloudformation.UpdateTerminationProtectionInput{
			StackName: &s.name, EnableTerminationProtection: aws.Bool(false),
		})
		if err != nil {
			return k.fault("lift", "stack", s.name, "error", err)
		}
		k.say("lifted", "stack", s.name)
	}
	if err := os.WriteFile(note, []byte(strings.Join(stacks, "\n")), 0o600); err != nil {
		return k.fault("write-stacks", "error", err)
	}
	return nil
}

// afterDestroy names what outlived the stacks of the note that were destroyed.
func (k *keys) afterDestroy(ctx context.Context, note string) error {
	text, err := os.ReadFile(note)
	if err != nil {
		return k.fault("write-stacks", "error", err)
	}
	k.here()
	client := cloudformation.NewFromConfig(k.aws)
	for _, id := range strings.Fields(string(text)) {
		stayed, ended, err := stayed(ctx, client, id)
		if err != nil {
			k.say("unread-stack", "stack", id, "error", plain(err))
			continue
		}
		if ended && len(stayed) > 0 {
			k.say("stayed", "resources", strings.Join(stayed, "\n"))
		}
	}
	return nil
}

// stayed gives the resources of a destroyed stack that are still there; ended is
// false where the stack is.
func stayed(ctx context.Context, client *cloudformation.Client, id string) (left []string, ended bool, err error) {
	out, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &id})
	if err != nil && !absent(err) {
		return nil, false, err
	}
	if err == nil && len(out.Stacks) == 1 && out.Stacks[0].StackStatus != types.StackStatusDeleteComplete {
		return nil, false, nil
	}
	// The events tell it of a stack that is gone, newest first.
	seen := map[string]bool{}
	pages := cloudformation.NewDescribeStackEventsPaginator(client, &cloudformation.DescribeStackEventsInput{StackName: &id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, false, err
		}
		for _, e := range page.StackEvents {
			last := !seen[aws.ToString(e.LogicalResourceId)]
			seen[aws.ToString(e.LogicalResourceId)] = true
			if last && e.ResourceStatus == types.ResourceStatusDeleteSkipped {
				left = append(left, fmt.Sprintf("  %s %s", aws.ToString(e.ResourceType), aws.ToString(e.PhysicalResourceId)))
			}
		}
	}
	slices.Sort(left)
	return left, true, nil
}
