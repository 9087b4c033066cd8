package main

import (
	"fmt"
	"hash/fnv"
	"strings"

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
	bucket := newBucket(main, &s)
	guard(main, bucket, &s)
	newAuditor(main, bucket, &s)
	if s.CloudTrail {
		newTrail(main, bucket, &s)
	}
	if s.EventBridge {
		newArrivals(main, bucket, &s)
	}
	outputs(main, *bucket.BucketName(), &s)
	stacks := []awscdk.Stack{main}

	if s.Shards == 0 {
		to := mailbox{BucketARN: *bucket.BucketArn()}
		if key := bucket.EncryptionKey(); key != nil {
			to.KeyARN = *key.KeyArn()
			to.Via = fmt.Sprintf("s3.%s.%s", *main.Region(), *main.UrlSuffix())
		}
		users := newUploaders(main, to, s.Uploaders, &s)
		waiveIn(main, waivePrefixes(s.UploadPrefix))
		// The guard stands before there is anybody to be guarded from.
		users.Node().AddDependency(bucket.Policy())
		return stacks
	}
	for i, names := range s.split() {
		shard := awscdk.NewStack(app, jsii.String(fmt.Sprintf("%s-%d", s.StackName, i+1)), stackProps(&s,
			fmt.Sprintf("Buzon: uploaders %d of %d; their bucket is in the stack %s", i+1, s.Shards, s.StackName)))
		shard.AddStackDependency(main, nil)
		name := s.bucketIn(shard)
		newUploaders(shard, mailbox{BucketARN: fmt.Sprintf("arn:%s:s3:::%s", *shard.Partition(), name)}, names, &s)
		waiveIn(shard, waivePrefixes(s.UploadPrefix))
		outputs(shard, name, &s)
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

// bucketIn is the bucket's name as a stack can write it that doesn't hold the
// bucket.
func (s *Settings) bucketIn(stack awscdk.Stack) string {
	if s.AccountRegional {
		return fmt.Sprintf("%s-%s-%s-an", s.BucketName, *stack.Account(), *stack.Region())
	}
	return s.BucketName
}

// outputs are what scripts/agent-config and `agent audit-policy --template`
// read. Their number doesn't grow with the uploaders.
func outputs(stack awscdk.Stack, bucket string, s *Settings) {
	for _, o := range []struct{ name, value, description string }{
		{"BucketName", bucket, "The bucket that uploaders write to"},
		{"Region", *stack.Region(), "The bucket's Region"},
		{"Account", *stack.Account(), "The account that owns the bucket"},
		{"PrefixPattern", s.UploadPrefix + "{name}/", "The prefix of each uploader; {name} is its name"},
		{"UploaderPath", s.Path, "The IAM path of the uploaders"},
	} {
		awscdk.NewCfnOutput(stack, jsii.String(o.name), &awscdk.CfnOutputProps{
			Value: jsii.String(o.value), Description: jsii.String(o.description),
		})
	}
}
