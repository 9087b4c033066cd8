package main

import (
	"fmt"
	"hash/fnv"
	"strings"

	"buzon/infra/mailbox"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// NewStacks makes the stack that the settings describe, and with shards the
// stacks beside it that hold the uploaders. It gives them in the order in which
// they are deployed.
//
// cdk.json keeps the flag that merges policy statements off, so that each
// statement of the guard keeps its Sid and an auditor finds it by name.
func NewStacks(app awscdk.App, s Settings) []awscdk.Stack {
	main := awscdk.NewStack(app, jsii.String(s.StackName), stackProps(&s,
		"Buzon: a bucket whose slot only takes, its guard, and its uploaders"))
	box := mailbox.New(main, jsii.String("Default"), &s.Props)
	box.AddOutputs()
	stacks := []awscdk.Stack{main}
	if s.Shards == 0 {
		for _, name := range s.Uploaders {
			box.AddUploader(name)
		}
		s.WaivePrefixes(main)
		return stacks
	}
	for i, names := range s.split() {
		shard := awscdk.NewStack(app, jsii.String(fmt.Sprintf("%s-%d", s.StackName, i+1)), stackProps(&s,
			fmt.Sprintf("Buzon: uploaders %d of %d; their bucket is in the stack %s", i+1, s.Shards, s.StackName)))
		shard.AddStackDependency(main, nil)
		uploaders := mailbox.NewUploaders(shard, jsii.String("Uploaders"), &s.Props)
		for _, name := range names {
			uploaders.Add(name)
		}
		s.WaivePrefixes(shard)
		mailbox.AddOutputs(shard, s.BucketNameIn(shard), &s.Props)
		stacks = append(stacks, shard)
	}
	return stacks
}

func stackProps(s *Settings, description string) *awscdk.StackProps {
	tags := map[string]*string{}
	for name, text := range s.Tags {
		tags[name] = jsii.String(text)
	}
	return &awscdk.StackProps{
		Description:           jsii.String(description),
		TerminationProtection: jsii.Bool(s.Protect),
		Tags:                  &tags,
	}
}

// split shares the uploaders among the shards by a hash of the name alone, so
// that adding or removing one moves no other.
func (s *Settings) split() [][]string {
	shards := make([][]string, s.Shards)
	for _, name := range s.Uploaders {
		if s.Shards == 0 {
			break
		}
		h := fnv.New32a()
		_, _ = h.Write([]byte(strings.ToLower(name))) // a hash never fails
		i := h.Sum32() % uint32(s.Shards)
		shards[i] = append(shards[i], name)
	}
	return shards
}
