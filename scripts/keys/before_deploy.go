package main

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// risk is a change by which something that is live would be lost.
type risk struct {
	confirm  string // what the setting "confirm" must hold for it
	sentence string
}

// beforeDeploy compares what was synthesized into dir with what is deployed, and
// fails where the deploy would lose something that is live and nobody confirmed
// it: an uploader with a key, the bucket, the prefix or path of running VMs. With
// only telling it never fails.
//
// What may not be read it says; of an uploader whose keys it may not list it
// supposes that there are some.
func (k *keys) beforeDeploy(ctx context.Context, dir string, onlyTell bool) error {
	a, err := k.readAssembly(dir)
	if err != nil {
		return err
	}
	k.here()
	var risks []risk
	staying, leaving := map[member]bool{}, map[member]bool{}
	for i := range a.stacks {
		maps.Copy(staying, a.stacks[i].template.ours())
	}
	for i := range a.stacks {
		s := &a.stacks[i]
		l, err := k.live(ctx, s)
		switch {
		case err != nil:
			k.say("unread-stack", "stack", s.name, "error", plain(err))
		case l == nil: // its first deploy
		case failedFirst(l.status):
			if l.guarded && !onlyTell {
				return k.fault("failed-first", "stack", s.name)
			}
		default:
			risks = append(risks, k.compare(s, l)...)
			l.without(s.template.ours(), leaving)
		}
	}
	others, err := k.otherShards(ctx, a)
	if err != nil {
		k.say("unread-stack", "stack", a.stacks[0].name+"-N", "error", plain(err))
	}
	for _, l := range others {
		l.without(nil, leaving)
	}
	for _, m := range slices.SortedFunc(maps.Keys(leaving), func(x, y member) int { return strings.Compare(x.name, y.name) }) {
		if r, ok := k.mayLeave(ctx, m, staying[m]); ok {
			risks = append(risks, r)
		}
	}
	return k.judge(risks, a.confirmed, onlyTell)
}

// compare finds what of a stack itself would be lost.
func (k *keys) compare(s *synthesized, l *live) []risk {
	var risks []risk
	if id := bucketOf(l); id != "" {
		was := l.template.Resources[id].Properties
		is := s.template.Resources[id].Properties // none: it leaves the stack
		if is == nil || slices.ContainsFunc(replacing, func(p string) bool { return !reflect.DeepEqual(was[p], is[p]) }) {
			risks = append(risks, risk{"bucket", k.text("bucket-replaced", "bucket", l.outputs["BucketName"])})
		}
	}
	moved := func(output string) (was, is string, ok bool) {
		was, is = l.outputs[output], s.template.output(output)
		return was, is, was != "" && is != "" && was != is
	}
	if was, is, ok := moved("PrefixPattern"); ok {
		risks = append(risks, risk{"prefix", k.text("prefix-moves", "from", was, "to", is)})
	}
	if was, is, ok := moved("UploaderPath"); ok {
		risks = append(risks, risk{"path", k.text("path-moves", "from", was, "to", is)})
	}
	return risks
}

// replacing are the properties of AWS::S3::Bucket whose change makes
// CloudFormation replace the bucket (CloudFormation template reference).
var replacing = []string{"BucketName", "BucketNamePrefix", "BucketNamespace", "ObjectLockEnabled"}

// bucketOf is the logical id of the uploaders' bucket: the one that the output
// names, for a trail has a bucket too.
func bucketOf(l *live) string {
	ref, _ := l.template.Outputs["BucketName"].Value.(map[string]any)
	id, _ := ref["Ref"].(string)
	return id
}

// without adds to leaving the uploaders that a deployed stack has and that its new
// template doesn't.
func (l *live) without(is, leaving map[member]bool) {
	for m := range l.template.uploaders(l.outputs["UploaderPath"]) {
		if !is[m] {
			leaving[m] = true
		}
	}
}

// mayLeave looks whether an uploader that would leave its stack would leave a key
// behind. One that moves to another stack is no better: IAM has its name already
// when that stack wants to make it.
func (k *keys) mayLeave(ctx context.Context, m member, moves bool) (risk, bool) {
	r := risk{confirm: "leaving:" + m.name}
	if moves {
		r.sentence = k.text("moves", "name", m.name)
		return r, true
	}
	if m.kind != "User" {
		return r, false
	}
	list, err := k.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &m.name})
	var missing *types.NoSuchEntityException
	switch {
	case errors.As(err, &missing):
		return r, false
	case err != nil:
		r.sentence = k.text("leaves-unread", "name", m.name, "error", plain(err))
	case len(list.AccessKeyMetadata) == 0:
		return r, false
	default:
		r.sentence = k.text("leaves-with-key", "name", m.name, "keys", ids(list.AccessKeyMetadata))
	}
	return r, true
}

// judge says each risk; those that nobody confirmed are an error.
func (k *keys) judge(risks []risk, confirmed []string, onlyTell bool) error {
	var open []string
	var told []string
	for _, r := range risks {
		switch {
		case slices.Contains(confirmed, r.confirm):
			k.say("confirmed", "what", r.confirm)
		case onlyTell:
			k.say("would-stop", "risk", r.sentence)
		default:
			open, told = append(open, r.confirm), append(told, r.sentence)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return k.fault("not-deployed", "risks", strings.Join(told, "\n"), "confirm", strings.Join(slices.Concat(confirmed, open), ","))
}
